"""The comparison: its cells, its rounds, who agrees with whom, and the figures made of it."""

from __future__ import annotations

import math
import os
import signal

import pytest

import lanes
from lanes import models, sample, stats
from lanes.compare import Step
from lanes.comparison import BASELINE
from lanes.types import BODIES, Outcome, Run, Workload
from lanes.workloads.download import Download
from support import make_comparison, make_row, make_run

WORK = lanes.wait(tasks=2, duration="1ms")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Samples made by hand instead of in a process, and a list of what was asked for."""
    asked: list[tuple[str, str | None]] = []

    def take(workload: Workload, model: str, body: str | None, workers: int) -> Run:
        asked.append((model, body))
        return make_run(model, body, wall_s=1.0, workers=workers)

    monkeypatch.setattr(sample, "take", take)
    return asked


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


def test_progress_is_told_before_every_sample_and_at_the_end(taken: list[tuple[str, str | None]]) -> None:
    steps: list[Step] = []
    lanes.compare(WORK, models="native", rounds=2, progress=steps.append)
    assert [step.done for step in steps] == list(range(11))
    assert {step.total for step in steps} == {10}
    assert [step.round for step in steps] == [0] * 5 + [1] * 5 + [2]
    assert [step.cell for step in steps[:-1]] == ["/".join(filter(None, cell)) for cell in taken]
    assert steps[-1].cell is None


def test_a_speedup_is_the_median_of_ratios_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    walls = {"serial": iter([1.0, 8.0, 3.0]), "native-epoll": iter([0.5, 1.0, 1.0])}
    monkeypatch.setattr(sample, "take", lambda _, model, body, workers: make_run(model, body, next(walls[model])))
    result = lanes.compare(WORK, models="native-epoll", rounds=3)
    assert result["native-epoll"].ratios == (2.0, 8.0, 3.0)
    assert result["native-epoll"].speedup == 3.0
    assert result["native-epoll"].wall == 1.0
    assert result.baseline.speedup == 1.0


def test_outcomes_that_differ_are_named_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = iter(range(3))

    def take(workload: Workload, model: str, body: str | None, workers: int) -> Run:
        good = (Outcome("ok", (1,)), Outcome("ok", (2,)))
        bad = (Outcome("ok", (1,)), Outcome("failed", error="ConnectError", detail="in this client's words"))
        return make_run(model, body, outcomes=bad if model == "native-fork" and next(turn) else good)

    monkeypatch.setattr(sample, "take", take)
    result = lanes.compare(WORK, models="native-fork,native-epoll", rounds=3)
    assert result["native-epoll"].agrees
    assert result["native-fork"].agrees is False
    assert not result.ok
    (difference,) = result["native-fork"].differences
    assert (difference.round, difference.task) == (1, 1)
    assert (difference.expected, difference.got) == (Outcome("ok", (2,)), Outcome("failed", error="ConnectError"))


def test_a_baseline_that_does_not_repeat_itself_is_said_to_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    count = iter(range(10))
    monkeypatch.setattr(sample, "take", lambda *_: make_run(outcomes=[Outcome("ok", (next(count),)), Outcome("ok")]))
    result = lanes.compare(WORK, models="serial", bodies="python", rounds=3)
    assert result.baseline.agrees is False
    assert not result.ok


@pytest.mark.parametrize("error", [sample.SampleError("killed by SIGSEGV"), OSError("no more processes")])
def test_a_row_with_an_error_keeps_its_runs_and_is_not_sampled_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    asked: list[str] = []

    def take(workload: Workload, model: str, body: str | None, workers: int) -> Run:
        asked.append(model)
        if model == "native-fork" and asked.count(model) == 2:
            raise error
        return make_run(model, body)

    monkeypatch.setattr(sample, "take", take)
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

    def take(workload: Download, model: str, body: str | None, workers: int) -> Run:
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


def test_of_one_round_nothing_is_said_to_be_faster() -> None:
    assert not stats.is_faster([1.0], [9.0])
    assert stats.is_faster([1.0, 1.0], [9.0, 1.1])
    assert not stats.is_faster([1.0, 1.0], [9.0, 0.9])
    assert not stats.is_faster([1.0, 1.0], [1.01, 1.01])


def test_without_a_baseline_nothing_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(workload: Workload, model: str, body: str | None, workers: int) -> Run:
        if (model, body) == BASELINE:
            raise sample.SampleError("broken")
        return make_run(model, body)

    monkeypatch.setattr(sample, "take", take)
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


def test_a_real_comparison_of_downloads_agrees_and_knows_how_busy_the_origin_was() -> None:
    work = lanes.download(tasks=3, size="1KiB,2KiB", latency=0)
    result = lanes.compare(work, models="native-epoll,asyncio", bodies="python", workers=2, rounds=2)
    assert result.ok, [(row.name, row.error, row.differences) for row in result]
    assert [run.outcomes[1].value[:2] for row in result for run in row.runs] == [(200, 2048)] * 6
    assert all(row.origin_busy is not None and 0.0 <= row.origin_busy < math.inf for row in result)
    assert [row.workers for row in result] == [1, 2, 2]
    assert len({span.process_id for row in result for run in row.runs for span in run.spans}) == 6
