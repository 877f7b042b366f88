"""The comparison: its cells, its rounds, who agrees with whom, and the figures made of it."""

from __future__ import annotations

import importlib
import math
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import cycle

import pytest

import lanes
from lanes import models, sample
from lanes.compare import Step
from lanes.comparison import BASELINE, Row
from lanes.laws import Judgement
from lanes.run import Pass
from lanes.stall import Stall
from lanes.types import BODIES, Closeup, Outcome, Run, Workload
from lanes.workloads.download import Download
from support import BASE, make_comparison, make_counters, make_row, make_run, make_usage
from test_sample import draw, trick

WORK = lanes.wait(tasks=2, duration="1ms")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Samples made by hand instead of in a process, and a list of what was asked for; close-ups are not in it."""
    asked: list[tuple[str, str | None]] = []

    def take(model: str, body: str | None) -> Run:
        asked.append((model, body))
        return make_run(model, body)

    by_hand(monkeypatch, take)
    return asked


def by_hand(monkeypatch: pytest.MonkeyPatch, make: Callable[[str, str | None], Run]) -> None:
    """Timed samples are made by this instead of in a process; a close-up sees nothing."""

    def take(
        workload: Workload, model: str, body: str | None, workers: int, kind: Pass, deadline_s: float, **_: object
    ) -> Run:
        return make_run(model, body, closeup=Closeup()) if kind == "closeup" else make(model, body)

    monkeypatch.setattr(sample, "take", take)


@dataclass
class Clock:
    """The time of a comparison whose samples are made by hand, in place of the module `time` there."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(importlib.import_module("lanes.compare"), "time", clock)
    return clock


def timed(monkeypatch: pytest.MonkeyPatch, clock: Clock, sample_s: float, walls: Callable[[], float]) -> list[Pass]:
    """Every sample takes so long by this clock, and says that it took one of the walls; what kinds there were."""
    kinds: list[Pass] = []

    def take(
        workload: Workload, model: str, body: str | None, workers: int, kind: Pass, deadline_s: float, **_: object
    ) -> Run:
        clock.now += sample_s
        kinds.append(kind)
        return make_run(model, body, walls(), closeup=Closeup() if kind == "closeup" else None)

    monkeypatch.setattr(sample, "take", take)
    return kinds


def test_all_cells_of_the_grid_are_there_and_senseless_ones_have_their_reason(
    taken: list[tuple[str, str | None]],
) -> None:
    result = lanes.compare(WORK, rounds=1)
    columns = [models.load(name) for name in models.names()]
    cells = [(c.name, body) for c in columns for body in (BODIES if c.family == "python" else (None,))]
    assert [(row.model, row.body) for row in result] == cells
    assert len(result) == len(cells)
    for row in result:
        assert row.reason == (models.load(row.model).reasons.get(row.body) if row.body else None)
        assert len(row.runs) == (0 if row.reason else 1)
    assert sorted(taken, key=str) == sorted(((r.model, r.body) for r in result if not r.reason), key=str)
    assert result.ok


def test_the_baseline_is_there_even_when_it_was_not_asked_for(taken: list[tuple[str, str | None]]) -> None:
    result = lanes.compare(WORK, models="native-epoll", rounds=1)
    assert [row.name for row in result] == ["serial/python", "native-epoll"]
    result = lanes.compare(WORK, models=["threading", "serial"], bodies="held", rounds=1)
    assert [row.name for row in result] == ["serial/python", "serial/held", "threading/held"]
    result = lanes.compare(WORK, models=iter(["asyncio"]), bodies=(body for body in ["python", "released"]), rounds=1)
    assert [row.name for row in result] == ["serial/python", "asyncio/python", "asyncio/released"]


def test_rounds_are_interleaved_in_an_order_that_the_seed_repeats(taken: list[tuple[str, str | None]]) -> None:
    first = lanes.compare(WORK, bodies="python", rounds=3)
    order, cells = list(taken), len(first)
    turns = [order[n * cells : (n + 1) * cells] for n in range(3)]
    assert all(len(set(turn)) == cells for turn in turns)
    assert turns[0] != turns[1] != turns[2]
    taken.clear()
    lanes.compare(WORK, bodies="python", rounds=3, seed=first.seed)
    assert taken == order


def test_every_sample_is_given_the_seed_of_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def take(workload: Workload, model: str, body: str | None, *_: object, seed: int) -> Run:
        given.append(seed)
        return make_run(model, body, closeup=Closeup())

    monkeypatch.setattr(sample, "take", take)
    for seed in (0, 3, None):
        given.clear()
        result = lanes.compare(WORK, models="threading", rounds=2, seed=seed)
        assert result.seed == (result.seed if seed is None else seed)
        assert set(given) == {result.seed}
        assert len(given) == 12, "of the close-up, too"


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "1", True])
def test_a_seed_is_a_whole_number(seed: int) -> None:
    with pytest.raises(ValueError, match=r"seed must be a whole number from 0 to 9,223,372,036,854,775,807"):
        lanes.compare(WORK, seed=seed)
    with pytest.raises(ValueError, match="seed must be a whole number"):
        lanes.sweep(WORK, seed=seed)


def test_a_function_that_draws_gives_the_same_in_every_round_of_the_baseline() -> None:
    result = lanes.compare(draw, [1, 2, 3], models="asyncio", rounds=2, closeup=False)
    assert result.ok, "both call it in the order of the tasks"


def test_progress_is_told_before_every_sample_and_at_the_end(taken: list[tuple[str, str | None]]) -> None:
    steps: list[Step] = []
    lanes.compare(WORK, models="native", rounds=2, closeup=False, progress=steps.append)
    assert [step.round for step in steps] == [0] * 6 + [1] * 6 + [2]
    assert {step.rounds for step in steps} == {2}
    assert [step.share for step in steps] == pytest.approx([n / 12 for n in range(13)])
    assert [step.cell for step in steps[:-1]] == ["/".join(filter(None, cell)) for cell in taken]
    assert steps[-1].cell is None
    assert [step.left_s is None for step in steps] == [True] * 6 + [False] * 7
    assert steps[-1].left_s == 0.0


def test_progress_counts_the_close_up_as_a_round(taken: list[tuple[str, str | None]]) -> None:
    steps: list[Step] = []
    lanes.compare(WORK, models="native", rounds=1, progress=steps.append)
    assert [step.round for step in steps] == [0] * 6 + [1] * 7
    assert [step.share for step in steps] == pytest.approx([n / 12 for n in range(13)])


def test_every_pass_after_them_counts_as_a_round(taken: list[tuple[str, str | None]]) -> None:
    steps: list[Step] = []
    lanes.compare(WORK, models="native-epoll", rounds=2, pulse=True, progress=steps.append)
    assert [step.share for step in steps] == pytest.approx([n / 8 for n in range(9)])


def test_the_time_left_is_what_the_rounds_so_far_took(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    steps: list[Step] = []
    timed(monkeypatch, clock, 2.0, lambda: 1.0)
    lanes.compare(WORK, models="native-epoll", rounds=2, progress=steps.append)
    assert [step.left_s for step in steps] == [None, None, *map(pytest.approx, (8.0, 6.0, 4.0, 2.0)), 0.0]


def test_with_a_budget_the_time_left_is_that_of_the_budget(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    steps: list[Step] = []
    timed(monkeypatch, clock, 2.0, lambda: 1.0)
    lanes.compare(WORK, models="native-epoll", budget=16, progress=steps.append)
    # Three rounds and a close-up are done when there is no time for one more.
    assert [step.left_s for step in steps] == [16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0, 0.0]
    assert [step.rounds for step in steps] == [None] * 8 + [3]
    assert [step.share for step in steps] == [n / 8 for n in range(9)]


# ---- how many rounds


def test_there_are_as_many_rounds_as_were_asked_for_whatever_they_take(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    kinds = timed(monkeypatch, clock, 1000.0, lambda: 1.0)
    result = lanes.compare(WORK, models="native-epoll", rounds=9)
    assert (result.rounds, result.budget_s) == (9, None)
    assert kinds == ["timed"] * 18 + ["closeup"] * 2


def test_rounds_end_when_every_interval_is_narrow(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    kinds = timed(monkeypatch, clock, 0.01, lambda: 1.0)
    result = lanes.compare(WORK, models="native-epoll,native-fork")
    assert (result.rounds, result.budget_s) == (6, 60.0), "fewer than six bear no verdict"
    assert kinds == ["timed"] * 18 + ["closeup"] * 3


def test_one_wide_interval_keeps_the_rounds_going_until_the_budget_is_used_up(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    walls = {"serial": cycle([1.0]), "native-epoll": cycle([1.0]), "native-fork": cycle([1.0, 2.0, 3.0])}
    asked: list[Pass] = []

    def take(
        workload: Workload, model: str, body: str | None, workers: int, kind: Pass, deadline_s: float, **_: object
    ) -> Run:
        clock.now += 0.5
        asked.append(kind)
        return make_run(model, body, next(walls[model]))

    monkeypatch.setattr(sample, "take", take)
    result = lanes.compare(WORK, models="native-epoll,native-fork", budget="30s")
    # A round takes 1.5 s, and so does the close-up: 19 rounds and that are 30 s.
    assert (result.rounds, result.budget_s) == (19, 30.0)
    assert asked == ["timed"] * 57 + ["closeup"] * 3


def test_a_row_with_an_error_keeps_no_rounds_going(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    def take(model: str, body: str | None) -> Run:
        if model == "native-fork":
            raise sample.SampleError("it hangs")
        return make_run(model, body)

    by_hand(monkeypatch, take)
    assert lanes.compare(WORK, models="native-fork,native-epoll").rounds == 6


def test_however_small_the_budget_there_is_one_round(taken: list[tuple[str, str | None]]) -> None:
    result = lanes.compare(WORK, models="native-epoll", budget="1ns")
    assert result.rounds == 1
    assert len(taken) == 2


def test_what_just_misses_a_verdict_within_the_default_budget_gets_the_time_for_it(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    steps: list[Step] = []
    kinds = timed(monkeypatch, clock, 4.5, lambda: 1.0)
    result = lanes.compare(WORK, models="native-epoll", progress=steps.append)
    # A round takes 9 s, and so does the close-up.
    assert (result.rounds, result.budget_s) == (6, 60.0)
    assert kinds == ["timed"] * 12 + ["closeup"] * 2
    assert [step.left_s for step in steps] == [60.0, 55.5, *(63.0 - 4.5 * n for n in range(2, 15))]
    assert [step.share for step in steps[2:]] == pytest.approx([n / 14 for n in range(2, 15)])


@pytest.mark.parametrize(("took", "rounds"), [(8.5, 6), (8.6, 2), (1000.0, 1)])
def test_the_default_budget_stretches_to_twice_its_time_and_never_in_vain(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, took: float, rounds: int
) -> None:
    timed(monkeypatch, clock, took, lambda: 1.0)
    assert lanes.compare(WORK, models="native-epoll").rounds == rounds


def test_a_budget_that_was_given_does_not_stretch(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    timed(monkeypatch, clock, 4.5, lambda: 1.0)
    assert lanes.compare(WORK, models="native-epoll", budget="60s").rounds == 5


def test_no_close_up_is_taken_and_no_time_kept_for_it_where_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    kinds = timed(monkeypatch, clock, 1.0, iter([1.0, 2.0, 4.0] * 99).__next__)
    result = lanes.compare(WORK, models="native-epoll", budget=10, closeup=False)
    assert result.rounds == 5
    assert kinds == ["timed"] * 10
    assert all(row.closeup is None for row in result)


def test_rounds_and_a_budget_are_not_both_given(taken: list[tuple[str, str | None]]) -> None:
    with pytest.raises(ValueError, match="rounds or a budget, not both"):
        lanes.compare(WORK, rounds=3, budget="10s")
    assert taken == []


def test_every_sample_has_the_deadline_and_the_last_is_the_close_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Pass, float]] = []

    def take(
        workload: Workload, model: str, body: str | None, workers: int, kind: Pass, deadline_s: float, **_: object
    ) -> Run:
        asked.append((model, kind, deadline_s))
        return make_run(model, body, closeup=Closeup(peak_pss_bytes=77) if kind == "closeup" else None)

    monkeypatch.setattr(sample, "take", take)
    result = lanes.compare(WORK, models="native-epoll", rounds=1, deadline="2min")
    assert [kind for _, kind, _ in asked] == ["timed", "timed", "closeup", "closeup"]
    assert {deadline_s for _, _, deadline_s in asked} == {120.0}
    assert {row.closeup for row in result} == {Closeup(peak_pss_bytes=77)}
    assert [len(row.runs) for row in result] == [1, 1], "a close-up is no run of its row"


# ---- what is made of them


def test_a_speedup_is_the_median_of_ratios_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    walls = {"serial": iter([1.0, 8.0, 3.0]), "native-epoll": iter([0.5, 1.0, 1.0])}
    by_hand(monkeypatch, lambda model, body: make_run(model, body, next(walls[model])))
    result = lanes.compare(WORK, models="native-epoll", rounds=3)
    assert result["native-epoll"].ratios == (2.0, 8.0, 3.0)
    assert result["native-epoll"].speedup == 3.0
    assert result["native-epoll"].wall == 1.0
    assert result.baseline.speedup == 1.0


def test_outcomes_that_differ_are_named_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = iter(range(3))

    def take(model: str, body: str | None) -> Run:
        good = (Outcome("ok", (1,)), Outcome("ok", (2,)))
        bad = (Outcome("ok", (1,)), Outcome("failed", error="ConnectError", detail="in this client's words"))
        return make_run(model, body, outcomes=bad if model == "native-fork" and next(turn) else good)

    by_hand(monkeypatch, take)
    result = lanes.compare(WORK, models="native-fork,native-epoll", rounds=3)
    assert result["native-epoll"].agrees
    assert result["native-fork"].agrees is False
    assert not result.ok
    (difference,) = result["native-fork"].differences
    assert (difference.round, difference.task) == (1, 1)
    assert (difference.expected, difference.got) == (Outcome("ok", (2,)), Outcome("failed", error="ConnectError"))
    assert Judgement("outcomes agree", False, "1 tasks have other outcomes") in result["native-fork"].broken
    assert Judgement("outcomes agree", True, "all outcomes are the baseline's") in result["native-epoll"].judgements


def test_a_baseline_that_does_not_repeat_itself_is_said_to_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    count = iter(range(10))
    by_hand(monkeypatch, lambda *_: make_run(outcomes=[Outcome("ok", (next(count),)), Outcome("ok")]))
    result = lanes.compare(WORK, models="serial", bodies="python", rounds=3)
    assert result.baseline.agrees is False
    assert not result.ok


@pytest.mark.parametrize("error", [sample.SampleError("killed by SIGSEGV"), OSError("no more processes")])
def test_a_row_with_an_error_keeps_its_runs_and_is_not_sampled_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    asked: list[str] = []

    def take(model: str, body: str | None) -> Run:
        asked.append(model)
        if model == "native-fork" and asked.count(model) == 2:
            raise error
        return make_run(model, body)

    by_hand(monkeypatch, take)
    result = lanes.compare(WORK, models="native-fork", rounds=4)
    assert result["native-fork"].error == str(error)
    assert len(result["native-fork"].runs) == 1
    assert asked.count("native-fork") == 2
    assert asked.count("serial") == 4
    assert not result.ok


def test_an_origin_that_dies_costs_the_rows_their_runs_and_not_the_comparison(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[str] = []

    def take(
        workload: Download, model: str, body: str | None, workers: int, kind: Pass, deadline_s: float, **_: object
    ) -> Run:
        if taken:
            assert workload.origin is not None
            os.kill(workload.origin.pid, signal.SIGKILL)
        taken.append(model)
        return make_run(model, body)

    monkeypatch.setattr(sample, "take", take)
    result = lanes.compare(lanes.download(tasks=2, latency=0), models="native", rounds=2)
    assert len(taken) == 2
    assert sum(len(row.runs) for row in result) == 1
    assert sum("the origin does not tell its load" in (row.error or "") for row in result) == len(result)
    assert not result.ok


def test_a_row_knows_its_verdict_its_intervals_and_what_the_laws_say(monkeypatch: pytest.MonkeyPatch) -> None:
    walls = {"serial": cycle(BASE), "native-epoll": cycle([0.5]), "native-fork": cycle([0.2])}
    by_hand(
        monkeypatch,
        lambda model, body: make_run(
            model,
            body,
            next(walls[model]),
            cpu_s=0.1,
            counters=make_counters(make_usage(), throttled_s=0.5 if model == "native-fork" else 0.0),
        ),
    )
    result = lanes.compare(WORK, models="native-epoll,native-fork", rounds=6)
    epoll, fork = result["native-epoll"], result["native-fork"]
    assert epoll.measured is not None
    assert epoll.measured.word == "faster"
    assert epoll.measured.factor == pytest.approx(2.2)
    assert epoll.verdict == epoll.measured
    assert epoll.interval == pytest.approx((2.0, 2.4))
    assert epoll.wall_interval == (0.5, 0.5)
    assert epoll.broken == ()
    assert fork.measured is not None
    assert (fork.measured.word, fork.verdict) == ("faster", None), "void: a law is broken"
    assert [each.name for each in fork.broken] == ["not throttled"]
    assert result.baseline.verdict is None
    assert result.versus("native-epoll", "native-fork") is None
    against = result.versus("serial", "native-epoll")
    assert against is not None
    assert against.word == "slower"
    assert against.times == pytest.approx(2.2)


def test_a_row_has_the_median_and_the_most_of_what_was_in_flight() -> None:
    runs = []
    for many in (1, 4, 3):
        run = make_run(outcomes=[Outcome("ok")] * many)
        runs.append(replace(run, spans=(run.spans[0],) * many))
    assert Row("threading", "python", "python", 4, tuple(runs)).in_flight == (3.0, 4)


def test_a_row_that_did_not_run_knows_its_model() -> None:
    row = make_row("asyncio-threads[uvloop]", "released", reason="because")
    assert (row.in_flight, row.variant) == (None, "uvloop")
    assert (row.switching, row.processors) == ("the operating system, pre-emptively", "1 with a GIL, many without")


def test_the_typical_run_is_explained() -> None:
    counted = make_counters(make_usage(0.48, 0.1))
    result = make_comparison(make_row("native-epoll", None, BASE, BASE, counters=counted), make_row("native-fork"))
    assert result.explanation(result["native-epoll"]) == (
        "50% start-up and shutdown; then computed on one processor; 87% CPU"
    )
    assert result.explanation(result.baseline) is None, "it counted nothing"
    assert result.explanation(result["native-fork"]) is None, "it did not run"


def test_outliers_are_counted_and_kept() -> None:
    row = make_row("native-epoll", None, [1.0] * 7 + [0.1], [1.0] * 8)
    assert row.outliers == 1
    assert len(row.ratios) == 8


def test_without_a_baseline_nothing_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(model: str, body: str | None) -> Run:
        if (model, body) == BASELINE:
            raise sample.SampleError("broken")
        return make_run(model, body)

    by_hand(monkeypatch, take)
    result = lanes.compare(WORK, models="native-epoll", rounds=1)
    assert result["native-epoll"].agrees is None
    assert result["native-epoll"].speedup is None
    assert not result.ok


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"models": "nonsense"}, "native-epoll"),
        ({"models": []}, "no model"),
        ({"bodies": "python,nonsense"}, "python, held, released"),
        ({"bodies": []}, "no body"),
        ({"bodies": iter(())}, "no body"),
        ({"workers": 0}, "from 1 to"),
        ({"rounds": 0}, "from 1 to"),
        ({"budget": "soon"}, "a duration is a number of seconds"),
        ({"budget": 0}, "budget must be longer than nothing, not 0"),
        ({"budget": -1}, "negative"),
        ({"deadline": "never"}, "a duration is a number of seconds"),
        ({"deadline": "0s"}, "deadline must be longer than nothing, not '0s'"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(
    taken: list[tuple[str, str | None]], choices: dict[str, str | int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        lanes.compare(WORK, **choices)  # type: ignore[arg-type]  # of several types, by design
    assert taken == []


def test_rows_are_found_by_model_and_body() -> None:
    result = make_comparison(make_row("threading", "python"), make_row("threading", "held"), make_row("native-fork"))
    assert result["threading"].body == "python"
    assert result["threading", "held"].body == "held"
    assert result["native-fork"].body is None
    assert result["serial"] is result.baseline
    with pytest.raises(KeyError, match=r"no row threading/released.*threading/held"):
        result["threading", "released"]
    with pytest.raises(KeyError, match="native-fork"):
        result["native-fork", "held"]


def test_the_distance_is_the_product_of_three_paired_ratios() -> None:
    rows = (
        make_row("threading", "held", [0.4, 0.2, 0.3]),
        make_row("threading", "released", [0.2, 0.1, 0.1]),
        make_row("native-serial", None, [0.1, 0.1, 0.1]),
        make_row("native-pthreads", None, [0.1, 0.1, 0.1]),
    )
    distance = make_comparison(*rows, base=[1.0, 3.0, 2.0]).distance
    assert distance is not None
    assert (distance.interpreter, distance.gil, distance.dispatch) == pytest.approx((20.0, 2.0, 1.0))
    assert distance.total == pytest.approx(40.0)
    for missing in range(4):
        assert make_comparison(*(row for n, row in enumerate(rows) if n != missing)).distance is None


def test_the_typical_run_is_the_median_one() -> None:
    for walls in ([3.0, 1.0, 2.0], [2.0, 3.0, 1.0]):
        row = make_row("native-fork", None, walls)
        assert row.typical is not None
        assert row.typical.wall_s == 2.0
        assert row.spans == row.typical.spans
    even = make_row("native-fork", None, [4.0, 1.0, 2.0, 3.0])
    assert even.typical is not None
    assert even.typical.wall_s == 2.0
    assert even.wall == 2.5
    assert make_row("native-fork").typical is None
    assert make_row("native-fork").wall is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("time.sleep(1000)", "no answer within its deadline of 2 s: 2 workers stand in <module> (<string>:2)"),
        ("os._exit(3)", "the process of this sample ended with status 3"),
    ],
)
def test_a_sample_that_hangs_or_crashes_is_a_row_with_an_error_and_the_others_go_on(fault: str, error: str) -> None:
    off_the_main_thread = "threading.current_thread() is not threading.main_thread()"
    work = trick(f"import os, threading, time\nif {off_the_main_thread}: {fault}")
    result = lanes.compare(work, models="threading,native-epoll", bodies="python", rounds=2, deadline="2s")
    assert [(row.name, row.error, len(row.runs)) for row in result] == [
        ("serial/python", None, 2),
        ("threading/python", error, 0),
        ("native-epoll", None, 2),
    ]
    assert result["native-epoll"].agrees
    assert not result.ok


def test_a_real_comparison_of_downloads_agrees_and_knows_how_busy_the_origin_was() -> None:
    work = lanes.download(tasks=3, size="1KiB,2KiB", latency=0)
    result = lanes.compare(work, models="native-epoll,asyncio", bodies="python", workers=2, rounds=2)
    assert result.ok, [(row.name, row.error, row.differences) for row in result]
    assert [row.runs[0].outcomes[1].value[:2] for row in result] == [(200, 2048)] * 3
    assert all(not run.outcomes for row in result for run in row.runs[1:]), "what was compared is not kept"
    assert all(row.origin_busy is not None and 0.0 <= row.origin_busy < math.inf for row in result)
    assert [row.workers for row in result] == [1, 2, 2]
    assert len({span.process_id for row in result for run in row.runs for span in run.spans}) == 6


@pytest.mark.parametrize(("kind", "name"), [("closeup", "close-up"), ("pulse", "pulse")])
def test_a_pass_that_fails_leaves_what_was_timed(kind: Pass, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(
        workload: Workload, model: str, body: str | None, workers: int, asked: str, deadline_s: float, **_: object
    ) -> Run:
        if asked == kind and model == "threading":
            raise sample.SampleError("the process of this sample was killed by SIGKILL")
        return make_run(model, body, wall_s=1.0 if model == "serial" else 0.5, workers=workers)

    monkeypatch.setattr(sample, "take", take)
    result = lanes.compare(WORK, models="threading", bodies="python", rounds=6, pulse=True)
    row = result["threading"]
    errors = {"closeup": row.closeup_error, "pulse": row.pulse_error}
    assert (row.error, errors.pop(kind)) == (None, "the process of this sample was killed by SIGKILL")
    assert [*errors.values()] == [None]
    assert row.verdict is not None
    assert row.verdict.word == "faster"
    assert result.ok
    assert f"threading/python: no {name}: the process of this sample was killed by SIGKILL" in str(result)


def test_a_pass_that_fails_takes_no_stall_away_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    stood = Stall(2.0, ())

    def take(
        workload: Workload, model: str, body: str | None, workers: int, asked: str, deadline_s: float, **_: object
    ) -> Run:
        if asked in ("closeup", "pulse"):
            raise sample.SampleError("why", stood if asked == "closeup" else None)
        return make_run(model, body, workers=workers)

    monkeypatch.setattr(sample, "take", take)
    row = lanes.compare(WORK, models="threading", bodies="python", rounds=1, pulse=True)["threading"]
    assert (row.error, row.closeup_error, row.pulse_error, row.stall) == (None, "why", "why", stood)


@pytest.mark.parametrize("flaw", ["throttled", "failed"])
def test_over_a_baseline_that_is_void_there_is_no_verdict(flaw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(
        workload: Workload, model: str, body: str | None, workers: int, kind: str, deadline_s: float, **_: object
    ) -> Run:
        failed = (Outcome("failed", error="X"),) * 2 if flaw == "failed" else (Outcome("ok"),) * 2
        run = make_run(model, body, 1.0 if model == "serial" else 0.5, failed, workers=workers)
        slow_s = 0.2 if flaw == "throttled" and model == "serial" else 0.0
        return replace(run, counters=make_counters(make_usage(0.1), throttled_s=slow_s))

    monkeypatch.setattr(sample, "take", take)
    result = lanes.compare(WORK, models="native-epoll", bodies="python", rounds=6)
    assert not result.baseline.is_sound
    assert result["native-epoll"].speedup == 2.0
    assert result["native-epoll"].verdict is None
    assert "is fastest" not in str(result)
    assert "No verdicts: serial/python, which all are compared with, is void." in str(result)


def test_rounds_end_when_the_baseline_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(
        workload: Workload, model: str, body: str | None, workers: int, kind: str, deadline_s: float, **_: object
    ) -> Run:
        if model == "serial":
            raise sample.SampleError("it cannot")
        return make_run(model, body, workers=workers)

    monkeypatch.setattr(sample, "take", take)
    assert lanes.compare(WORK, models="native-epoll", bodies="python", budget="60s").rounds == 1


def test_when_nothing_that_was_asked_for_makes_sense_that_is_refused() -> None:
    words = (
        "^asyncio/released makes no sense, nor does anything else that was asked for: the loop waits inside the call"
    )
    with pytest.raises(ValueError, match=words):
        lanes.compare(WORK, models="asyncio,asyncio[uvloop]", bodies="released", rounds=1)
    reasons = [row.reason for row in lanes.compare(WORK, models="serial,asyncio", bodies="released", rounds=1)]
    assert [reason is None for reason in reasons] == [True, True, False]
