"""The claims: rules that can say every word, experiments that end with one, and how both are shown."""

from __future__ import annotations

import json
import math
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import lanes
from lanes import cli, interpreter
from lanes.claims import Case, Claim, Figure, Stage, Trial, Trials, Verdict, Within, claim, lab, listed
from lanes.claims.fifo import Fifo
from lanes.claims.lab import Lab, Look, Measurement, measurement
from lanes.claims.objects import Objects
from lanes.cli import claims as command
from lanes.cli import screen
from lanes.laws import Judgement
from lanes.processors import usable_processors
from lanes.report import claims as report
from support import MACHINE, MARK, make_comparison, make_counters, make_row, make_run, marked

pytestmark = pytest.mark.timeout(1200)  # for whichever test comes first to what all of them share

CLAIMS = {each.name: each for each in listed()}
PLENTY = {**MACHINE, "gil": True, "processors_usable": 64}


def figure(name: str, *samples: float, unit: claim.Unit = "x", void: str = "") -> Figure:
    return Figure(name, unit, samples if len(samples) > 1 else samples * 6, void)


def inside(rule: Within) -> float:
    """A number that the rule allows."""
    if rule.low == -math.inf:
        return rule.high
    return rule.low if rule.high == math.inf else (rule.low + rule.high) / 2


def outside(rule: Within) -> float:
    """A number that it does not, as near as makes a difference."""
    bound = rule.high if rule.low == -math.inf else rule.low
    return bound + (0.01 if rule.low == -math.inf else -0.01) * max(1.0, abs(bound))


def meeting(each: Claim) -> dict[str, Figure]:
    return {rule.figure: figure(rule.figure, inside(rule), unit=rule.unit) for rule in each.rules}


# How a claim is judged.


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_holds_when_all_its_rules_are_met(name: str) -> None:
    each = CLAIMS[name]
    assert each.judge(meeting(each).values(), PLENTY) == Verdict("holds")


@pytest.mark.parametrize(("name", "rule"), [(each.name, rule) for each in CLAIMS.values() for rule in each.rules])
def test_every_rule_can_say_that_a_claim_does_not_hold_and_that_one_cannot_tell(name: str, rule: Within) -> None:
    each = CLAIMS[name]
    wrong = figure(rule.figure, outside(rule), unit=rule.unit)
    broken = each.judge((meeting(each) | {rule.figure: wrong}).values(), PLENTY)
    assert broken.word == ("depends" if len(each.cases) > 1 else "does not hold")
    crossing = figure(rule.figure, *(inside(rule), outside(rule)) * 3, unit=rule.unit)
    unclear = each.judge((meeting(each) | {rule.figure: crossing}).values(), PLENTY)
    assert unclear.word == "cannot tell"
    assert rule.figure in unclear.why


@pytest.mark.parametrize("name", CLAIMS)
def test_with_all_rules_broken_no_claim_holds(name: str) -> None:
    each = CLAIMS[name]
    figures = [figure(rule.figure, outside(rule), unit=rule.unit) for rule in each.rules]
    assert each.judge(figures, PLENTY) == Verdict("does not hold")


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_says_what_it_is_and_how_it_is_judged(name: str) -> None:
    each = CLAIMS[name]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
    assert each.sentence.endswith(".")
    assert "95 % interval" in each.rule[0]
    assert all(any(rule.figure in line and rule.bound in line for line in each.rule) for rule in each.rules)
    assert (len(each.cases) > 1) == bool(each.depends)


def test_the_list_is_in_order_and_every_name_stands_once() -> None:
    numbers = [each.number for each in listed()]
    assert numbers == list(range(1, 25))
    assert len(CLAIMS) == len(numbers)


def made(*rules: Within, needs: tuple[claim.Need, ...] = ()) -> Claim:
    return Claim(1, "made", "It is made.", lambda lab: (), (Case(rules),), needs=needs)


def made_of_two(note: str = "", hinges: tuple[str, ...] = ()) -> Claim:
    cases = (Case((claim.at_least("a", 1),), "mornings"), Case((claim.at_least("b", 1, "s"),), "evenings"))
    return replace(made(), cases=cases, depends="on the time of day", note=note, hinges=hinges)


def test_fewer_rounds_than_a_verdict_needs_tell_nothing() -> None:
    verdict = made(claim.at_least("a", 1)).judge([figure("a", *[2.0] * 5)], PLENTY)
    assert verdict == Verdict("cannot tell", "a: too few rounds")


def test_what_broke_a_law_tells_nothing_unless_the_law_cannot_be_why_a_rule_is_met() -> None:
    high, low = figure("a", 2.0, void="it was crowded"), figure("a", 0.5, void="it was crowded")
    assert made(claim.at_least("a", 1)).judge([high], PLENTY) == Verdict("cannot tell", "it was crowded")
    assert made(claim.at_least("a", 1, sturdy=True)).judge([high], PLENTY) == Verdict("holds")
    assert made(claim.at_least("a", 1, sturdy=True)).judge([low], PLENTY) == Verdict("cannot tell", "it was crowded")


def test_a_broken_rule_outweighs_one_that_says_nothing() -> None:
    each = made(claim.at_least("a", 1), claim.at_least("b", 1))
    assert each.judge([figure("a", 0.5), figure("b", *(0.5, 1.5) * 3)], PLENTY).word == "does not hold"


def test_what_a_verdict_depends_on_is_named() -> None:
    each = made_of_two()
    verdict = each.judge([figure("a", 2.0), figure("b", 0.5)], PLENTY)
    assert verdict == Verdict("depends", "on the time of day: holds for mornings; does not hold for evenings")
    assert each.judge([figure("a", 2.0), figure("b", *(0.5, 1.5) * 3)], PLENTY).word == "cannot tell"


@pytest.mark.parametrize(
    ("need", "machine", "why"),
    [
        (claim.processors(2), {"processors_usable": 1}, "it takes 2 processors, and there is 1"),
        (claim.GIL, {"gil": False}, "this interpreter has no GIL"),
    ],
)
def test_without_what_it_needs_one_cannot_tell(need: claim.Need, machine: Mapping[str, object], why: str) -> None:
    each = made(claim.at_least("a", 1), needs=(need,))
    assert each.judge([figure("a", 2.0)], {**PLENTY, **machine}) == Verdict("cannot tell", why)
    assert each.judge([figure("a", 2.0)], PLENTY) == Verdict("holds")


def test_where_processes_gain_nothing_there_is_nothing_to_erase() -> None:
    each = CLAIMS["large-objects"]
    figures = meeting(each)
    gain, none = figure("multiprocessing over serial, 64 B", 1.8), figure("multiprocessing over serial, 64 B", 0.9)
    assert each.judge([*figures.values(), gain], PLENTY).word == "holds"
    verdict = each.judge([*figures.values(), none], PLENTY)
    assert verdict == Verdict("cannot tell", "there is no gain to lose: multiprocessing over serial, 64 B 0.90x")


def test_without_a_gil_the_claims_about_it_are_judged_as_measured() -> None:
    free = {**PLENTY, "gil": False}
    threads = CLAIMS["threads-compute"]
    assert threads.judge([figure("threads over serial", 1.9)], free).word == "does not hold"
    assert CLAIMS["threads-release"].judge(meeting(CLAIMS["threads-release"]).values(), free).word == "cannot tell"


@pytest.mark.parametrize(
    ("samples", "unit", "told"),
    [
        ((1.0, 1.1, 1.2, 1.3, 1.4, 1.5), "x", r"a 1\.25x \(1\.\d\d-1\.\d\d\)"),
        ((0.0003, 0.02, 0.0003, 0.02, 0.0003, 0.02), "s", r"a 10.2 ms \(300 us - 20 ms\)"),
        ((1.0, 2.0, math.inf, math.inf, math.inf, math.inf), "s", r"a never \(1[.\d]* s - never\)"),
        ((math.inf,) * 6, "s", "a never"),
        ((2048.0,) * 6, "B", "a 2 KiB"),
        ((-0.125,) * 6, "%", r"a -12\.5 %"),
        ((2000.0,) * 6, "", "a 2,000"),
        ((), "x", "a unknown"),
    ],
)
def test_a_figure_is_told_with_unit_and_interval(samples: tuple[float, ...], unit: claim.Unit, told: str) -> None:
    assert re.fullmatch(told, str(Figure("a", unit, samples)))


def test_one_round_without_end_does_not_open_the_interval_of_six() -> None:
    sure = Figure("a", "s", (1.0, 1.1, 1.2, 1.3, 1.4, math.inf)).interval
    assert sure is not None
    assert 1.0 <= sure.low < 1.3 < sure.high < 4.0
    assert Figure("a", "s", (math.inf,) * 6).interval == (math.inf, math.inf)


# The laboratory.


def make_lab() -> Lab:
    return Lab(7, lambda share: None)


def test_a_measurement_is_taken_once_and_its_failure_is_told_every_time() -> None:
    taken = []

    @measurement("good")
    def good(lab: Lab) -> int:
        taken.append(lab.seed)
        return 42

    @measurement("bad")
    def bad(lab: Lab) -> int:
        taken.append(-1)
        raise OSError("no\nluck")

    at = make_lab()
    assert [at(good), at(good)] == [42, 42]
    for _ in range(2):
        with pytest.raises(lab.ExperimentError, match="no luck"):
            at(bad)
    assert taken == [7, -1]
    assert [each.about for each in at.used] == ["good", "good", "bad", "bad"]


CROWDED = (Judgement("machine not overloaded", False, "others took 90%"),)


@pytest.mark.parametrize(("computes", "spare_s", "times"), [(True, 30.0, 2), (True, 0.0, 1), (False, 30.0, 1)])
def test_what_computes_on_an_overloaded_machine_is_measured_once_more(
    computes: bool, spare_s: float, times: int
) -> None:
    taken = []

    @measurement("crowded", computes=computes)
    def crowded(lab: Lab) -> lanes.Comparison:
        taken.append(0)
        return make_comparison(make_row("asyncio", "python", [1.0] * 6, [1.0] * 6, judgements=CROWDED))

    at = Lab(7, lambda share: None, spare_s=spare_s)
    row = at(crowded)["asyncio"]
    assert len(taken) == times
    assert lab.speedup("a", row, row).void == "machine not overloaded: others took 90%"


def test_rows_that_did_not_run_or_differ_are_failures_and_not_evidence() -> None:
    with pytest.raises(lab.ExperimentError, match="asyncio/python: it broke"):
        lab.ran(make_row("asyncio", "python", error="it broke"))


def test_that_threads_take_turns_is_for_the_claims_to_find_out() -> None:
    turns = (Judgement("one at a time", False, "the speed-up is at least 1.90"),)
    assert lab.void(make_row("threading", "python", judgements=turns)) == ""


def test_what_is_asked_is_answered_in_fresh_processes() -> None:
    (first, second) = lab.asked(make_lab(), process, (1, 2))
    assert len(first) == len(second) == lab.ROUNDS
    assert len({pid for pid, _ in first}) == lab.ROUNDS
    assert os.getpid() not in {pid for pid, _ in first}
    assert {item for _, item in second} == {2}


def process(item: int) -> tuple[int, int]:
    return os.getpid(), item


def test_what_is_asked_and_fails_is_a_failure() -> None:
    with pytest.raises(lab.ExperimentError, match="ZeroDivisionError"):
        lab.asked(make_lab(), one_over, (0,))


def one_over(item: int) -> float:
    return 1 / item


def test_rows_of_several_workloads_are_looked_at_in_the_same_rounds() -> None:
    told: list[float] = []
    looks = {name: Look(lanes.wait(tasks=many, duration="1ms"), "serial", "python", 1) for name, many in COUNTS.items()}
    runs = lab.looked_at(Lab(7, told.append), "timed", looks)
    assert {name: [len(run.spans) for run in each] for name, each in runs.items()} == {"one": [1] * 6, "two": [2] * 6}
    begun = sorted((run.began_ns, name) for name, each in runs.items() for run in each)
    assert all({name for _, name in begun[n : n + 2]} == set(COUNTS) for n in range(0, len(begun), 2))
    assert told == sorted(told)


COUNTS = {"one": 1, "two": 2}


def test_a_row_whose_tasks_fail_is_a_failure() -> None:
    broken = Look(lanes.workload(one_over, items=[0]), "serial", "python", 1)
    with pytest.raises(lab.ExperimentError, match="bad, serial: ZeroDivisionError"):
        lab.looked_at(make_lab(), "timed", {"bad": broken})


def test_runs_beside_which_others_took_the_processors_are_void() -> None:
    allowed = len(os.sched_getaffinity(0))
    quiet, crowded = (
        [make_run(wall_s=0.2, cpu_s=0.1, counters=make_counters(others_s=share * 0.2 * allowed))] * 6
        for share in (0.01, 0.95)
    )
    assert lab.faster("a", quiet, quiet).void == ""
    assert lab.faster("a", quiet, crowded).void.startswith("machine not overloaded: others took 95%")
    assert lab.crowded(crowded[:2]) == ""  # too short to tell


def test_objects_give_the_same_answers_however_they_travel() -> None:
    given, shared = (Objects(2, 64 * 1024, 100, shared) for shared in (False, True))
    for model in ("serial", "multiprocessing", "futures-processes"):
        by_argument, by_memory = lanes.run(given, model, workers=2), lanes.run(shared, model, workers=2)
        values = [outcome.value for outcome in by_argument.outcomes]
        assert [value[:2] for value in values] == [outcome.value for outcome in by_memory.outcomes]
        assert [value[2] for value in values] == [b"\2" * 64 * 1024] * 2
        assert values[0][1] == 16  # a page, a one


def test_one_processor_is_for_what_is_inside_alone() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(KeyError), lab.one_processor():
        assert len(os.sched_getaffinity(0)) == 1
        raise KeyError
    assert os.sched_getaffinity(0) == before


def test_named_pipes_keep_their_readers_waiting_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    with Fifo(4, 0.05).serve() as served:
        one, four = (lanes.run(served, "threading", workers=workers) for workers in (1, 4))
        assert len(marked(mark)) == 1
    assert [outcome.value for outcome in one.outcomes] == [(1,)] * 4
    assert (one.in_flight.max, four.in_flight.max) == (1, 4)
    assert all(span.finished_ns - span.started_ns >= 45_000_000 for span in one.spans)
    assert not Path(served.directory).exists()
    assert not marked(mark)


# All of it, once, for real.

GIL, TWO = interpreter.gil(), usable_processors() >= 2
EXPECTED = {
    "four-downloads": "holds",
    "more-workers": "holds",
    **({"threads-wait": "holds"} if GIL else {}),
    **({"threads-compute": "holds" if GIL else "does not hold"} if TWO else {}),
    **({"threads-release": "holds"} if GIL and TWO else {}),
    **({"processes-compute": "holds"} if TWO else {}),
    "asyncio-compute": "holds",
    **({"one-at-a-time": "depends" if GIL else "does not hold"} if TWO else {}),
    "one-processor": "holds",
    **({"parallel-not-concurrent": "holds"} if TWO else {}),
    "process-start": "holds",
    **({"interrupted-anywhere": "depends"} if GIL else {}),
    "interrupted-at-await": "holds",
    "locks": "holds",
    "memory-areas": "holds",
    **({"large-objects": "holds", "shared-memory": "holds"} if TWO else {}),
    **({"chatty-tasks": "holds"} if TWO else {}),
    "thousands-of-waits": "holds",
    "starving-loop": "holds",
    "moving-loop": "holds",
    "unbounded-queue": "holds",
    "callbacks": "holds",
    "wall-minus-cpu": "holds",
}
"""What must come out here, and on any such machine; where it is busy with other things, *cannot tell* may."""


@pytest.fixture(scope="session")
def trials() -> Trials:
    return lanes.claims(seed=7)


def test_all_experiments_together_take_less_than_four_minutes(trials: Trials) -> None:
    assert [trial.name for trial in trials] == list(CLAIMS)
    crowded = any("overloaded" in figure.void for trial in trials for figure in trial.figures)
    assert crowded or trials.seconds < 240
    assert trials.seed == 7


@pytest.mark.parametrize("name", CLAIMS)
def test_every_experiment_ends_with_a_verdict_and_its_evidence(name: str, trials: Trials) -> None:
    trial = trials[name]
    assert trial.error is None
    assert trial.verdict is not None
    assert trial.verdict.why or trial.verdict.word in ("holds", "does not hold")
    assert trial.measured
    assert all(len(each.samples) >= lab.ROUNDS for each in trial.figures)
    assert {rule.figure for rule in trial.claim.rules} <= {each.name for each in trial.figures}
    assert set(trial.claim.told) <= {each.name for each in trial.figures}
    assert trial.here
    assert trials[trial.claim.number] is trial


@pytest.mark.parametrize("name", CLAIMS)
def test_the_verdicts_are_those_of_such_a_machine_unless_it_is_disturbed(name: str, trials: Trials) -> None:
    verdict = trials[name].verdict
    assert verdict is not None
    assert verdict.word in (EXPECTED.get(name, "cannot tell"), "cannot tell")


def test_no_machine_is_so_disturbed_that_nothing_can_be_told(trials: Trials) -> None:
    told = [trial.name for trial in trials if trial.verdict and trial.verdict.word != "cannot tell"]
    assert len(told) >= 4


# How it is shown.


def make_trials(error: str | None = None) -> Trials:
    """Two trials: one that depends, and one that holds or failed."""
    depends = made_of_two("It is made up.", ("the weather",))
    figures = (
        figure("a", 2.0),
        figure("b", *(0.5, 0.6) * 3, unit="s"),
        figure("c", math.inf, unit="s", void="crowded"),
    )
    holds = replace(made(claim.at_least("a", 1)), number=2, name="other", sentence="It | holds. " * 20)
    first = Trial(depends, figures, ("what was measured",), 1.0, depends.judge(figures, PLENTY))
    second = Trial(holds, figures[:1], (), 1.0, None if error else Verdict("holds"), error)
    return Trials((first, second), {**MACHINE, "python": "3.11.7"}, 7, 2.0)


def test_the_list_says_claim_figures_verdict_and_machine_in_80_columns() -> None:
    shown = str(make_trials())
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["1", "depends", "made"]
    words = " ".join(shown.split())
    assert "It is made. here: a 2x; b 550 ms (500-600) on the time of day: holds for mornings; does" in words
    assert "1 holds, 1 depends" in words
    assert "Python 3.11.7 with its GIL and 2 processors: 2 claims in 2 s, seed 7" in words


def test_the_evidence_says_rule_rounds_interval_and_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_evidence(make_trials(), screen.make_console(least_width=80))
    words = " ".join(capsys.readouterr().out.split())
    for expected in (
        "1 made: depends",
        "Holds when of each figure the whole 95 % interval lies within its bounds:",
        "mornings: a: at least 1x",
        "measured: what was measured",
        "figure median of 6 95 % rule",
        "a 2x - at least 1x: met",
        "b 550 ms 500-600 at least 1 s: broken",
        "c never -",
        "void: c: crowded",
        "Elsewhere the verdict may turn on the weather.",
        "It is made up.",
    ):
        assert expected in words


def test_markdown_is_a_table_whose_cells_stay_cells() -> None:
    lines = make_trials().to_markdown().splitlines()
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines[:4]}) == 1
    assert lines[2].startswith("| 1 | It is made. | a 2x; b 550 ms (500-600) | *depends* on the time of day")


def test_json_holds_all_of_it_and_no_infinity() -> None:
    document = json.loads(make_trials("it broke").to_json())
    assert (document["schema"], document["seed"], document["machine"]["python"]) == (1, 7, "3.11.7")
    first, second = document["claims"]
    assert first["verdict"]["word"] == "depends"
    assert first["figures"][1]["ci95"] == [0.5, 0.6]
    assert first["figures"][2]["samples"] == [None] * 6
    assert (second["verdict"], second["error"]) == (None, "it broke")


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Trials as made above instead of real ones; what was asked for."""
    asked: list[object] = []

    def claims(names: object, **more: object) -> Trials:
        asked.append((names, more["seed"]))
        return make_trials("it broke" if names == ["broken"] else None)

    monkeypatch.setattr(command, "claims", claims)
    return asked


def test_the_command_shows_the_list_or_the_evidence(canned: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["claims"]) == 0
    assert "1 depends       made" in capsys.readouterr().out
    assert cli.main(["claims", "made", "2", "--seed", "9"]) == 0
    assert "Holds when" in capsys.readouterr().out
    assert canned == [(None, None), (["made", "2"], 9)]


def test_an_experiment_that_failed_makes_the_status_1(canned: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["claims", "broken"]) == 1
    assert "failed" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--json", "--markdown"])
def test_json_and_markdown_go_to_a_file_or_to_standard_output(
    option: str, canned: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "claims"
    assert cli.main(["claims", option, str(file), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(["claims", option, "-"]) == 0
    out, err = capsys.readouterr()
    assert out == file.read_text()
    assert "1 depends       made" in err


def test_the_names_are_listed_without_measuring(canned: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["claims", "--list"]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == list(CLAIMS)
    assert canned == []


def test_claims_are_chosen_by_names_and_numbers_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lab, "__call__", lambda self, wanted: pytest.fail("nothing is to be measured"))
    with pytest.raises(ValueError, match="unknown claim 'nonsense'"):
        lanes.claims(["nonsense"])
    with pytest.raises(ValueError, match="no claim"):
        lanes.claims([])


def test_an_experiment_that_fails_leaves_the_others_their_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: Lab, wanted: Measurement[object]) -> object:
        raise lab.ExperimentError("no luck")

    monkeypatch.setattr(Lab, "__call__", take)
    found = lanes.claims("callbacks, 9")
    assert [trial.name for trial in found] == ["one-processor", "callbacks"]
    assert [trial.error for trial in found] == ["no luck"] * 2
    assert not found.ok


def test_progress_counts_the_claims_and_never_goes_back() -> None:
    stages: list[Stage] = []
    lanes.claims("callbacks", progress=stages.append)
    shares = [stage.share for stage in stages]
    assert shares == sorted(shares)
    assert len(set(shares)) > lab.ROUNDS
    assert {stage.claim for stage in stages[:-1]} == {"callbacks"}
    assert stages[-1] == Stage(None, 1, 1, 1.0)
