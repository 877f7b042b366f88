"""What a test asks of a comparison: which thresholds are kept, and what is worse than before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from lanes import guard
from lanes.comparison import Comparison, Difference, Row
from lanes.guard import Limit
from lanes.laws import Judgement
from lanes.report import changes
from lanes.types import Closeup, Outcome
from support import BASE, make_comparison, make_counters, make_row, make_usage

HALF = tuple(wall / 2 for wall in BASE)
ONE = make_row(
    "threading",
    "python",
    HALF,
    BASE,
    workers=1,
    counters=make_counters(make_usage(0.1, gil_s=0.1)),
    closeup=Closeup(peak_pss_bytes=3 * 2**20),
)


def missed(row: Row, **given: object) -> list[str]:
    return list(guard.failures(make_comparison(row), guard.demands(given)))


# ---- thresholds


@pytest.mark.parametrize(
    ("name", "kept", "lost", "why"),
    [
        ("min_speedup", 2, 2.1, "threading/python: speed-up 2.00x (2.00-2.00), and 2.10x is asked for"),
        ("faster", "serial", "threading", "threading/python: not faster: threading/python against threading/python: "),
        ("faster", ["serial"], ["serial", "threading"], "threading/python: not faster: threading/python against "),
        ("max_gil_wait", 0.4, 0.3, "threading/python: waits for the GIL for 36% of its time, and 30% is allowed"),
        ("max_memory", "3MiB", "2MiB", "threading/python: peak memory 3 MiB, and 2 MiB is allowed"),
        ("max_memory", 3 * 2**20, 2**20, "threading/python: peak memory 3 MiB, and 1 MiB is allowed"),
    ],
)
def test_a_threshold_is_kept_or_told_to_be_missed(name: str, kept: object, lost: object, why: str) -> None:
    for key in ("threading", "threading/python", ("threading", "python")):
        assert missed(ONE, **{name: {key: kept}}) == []
        [told] = missed(ONE, **{name: {key: lost}})
        assert told.startswith(why)


def test_a_threshold_within_the_interval_is_told_to_be_in_doubt() -> None:
    row = make_row("threading", "python", (0.5, 0.6, 0.7, 0.8, 0.9, 0.95), BASE)
    assert row.speedup is not None
    assert row.speedup < 1.6
    [told] = missed(row, min_speedup={"threading": 1.6})
    assert "1.60x is asked for, which is within the interval: 6 rounds on this machine cannot tell" in told
    [told] = missed(row, min_speedup={"threading": 9})
    assert told.endswith("and 9.00x is asked for")
    once = make_comparison(make_row("threading", "python", [1.0], [1.0]), base=[1.0])
    [told] = guard.failures(once, guard.demands({"min_speedup": {"threading": 2}}))
    assert told.endswith("; one round tells little")


def test_what_is_void_did_not_end_or_is_not_known_keeps_no_threshold() -> None:
    void = replace(ONE, judgements=(Judgement("split adds up", False, "120%"),))
    assert missed(void, min_speedup={"threading": 1}) == ["threading/python: void, split adds up: 120%"]
    senseless = make_row("asyncio", "released", reason="it does not")
    assert missed(senseless, faster={"asyncio/released": "serial"}) == ["asyncio/released: makes no sense: it does not"]
    unknown = make_row("threading", "python", HALF, BASE)
    assert missed(unknown, max_memory={"threading": "1GiB"}) == [
        "threading/python: its memory is not known: it takes closeup=True"
    ]
    assert missed(unknown, max_gil_wait={"threading": 1}) == [
        "threading/python: how long it waits for the GIL is not known here"
    ]
    assert missed(ONE, max_memory={"native-fork": "1MiB"}) == [
        "max_memory: no row native-fork; there are serial/python, threading/python"
    ]


def test_other_outcomes_errors_and_a_baseline_that_fails_fail_without_a_threshold() -> None:
    differs = Difference(0, 1, "text", Outcome("ok", (1,)), Outcome("ok", (2,)))
    lines = missed(make_row("threading", "python", HALF, BASE, differences=(differs,)))
    assert lines[0] == "threading/python: 1 of 2 tasks differ from serial/python"
    assert missed(make_row("threading", "python", error="killed by SIGKILL")) == ["threading/python: killed by SIGKILL"]
    failed = (Outcome("failed", error="ValueError"),) * 2
    assert list(guard.failures(with_baseline(make_row("serial", "python", BASE, BASE, outcomes=failed)))) == [
        "2 of 2 tasks failed with serial/python: 2 ValueError"
    ]
    assert missed(ONE) == []


def test_over_a_void_baseline_no_threshold_is_kept_but_answers_agree() -> None:
    overloaded = Judgement("machine not overloaded", False, "others took 90%")
    comparison = with_baseline(make_row("serial", "python", BASE, BASE, judgements=(overloaded,)))
    assert list(guard.failures(comparison)) == []
    assert list(guard.failures(comparison, guard.demands({"min_speedup": {"threading": 1}}))) == [
        "serial/python, which all are compared with: void, machine not overloaded: others took 90%"
    ]


def with_baseline(row: Row) -> Comparison:
    return replace(make_comparison(), rows=(row, ONE))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("min_speedup", 2, 'min_speedup takes rows, each with the least factor .*"futures-processes": 1.3}, not 2'),
        ("min_speedup", {"threading": "2"}, "min_speedup is the least factor over the baseline, not '2'"),
        ("min_speedup", {"threading": True}, "min_speedup is the least factor over the baseline, not True"),
        ("min_speedup", {7: 2}, "min_speedup: 7 is no row: write"),
        ("faster", {"threading": 5}, "faster: 5 is no row: write"),
        ("faster", {"threading": ["serial", None]}, "faster: None is no row: write"),
        ("max_gil_wait", {"threading": 20}, "max_gil_wait is the largest share .*, from 0 to 1, not 20"),
        ("max_memory", {"threading": "big"}, "'big' does not parse: a size is"),
    ],
)
def test_what_is_no_threshold_is_refused(name: str, value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        guard.demands({name: value})


# ---- a step back


def labelled(walls: Sequence[float], label: str = "test_x") -> Comparison:
    return replace(make_comparison(make_row("threading", "python", walls, BASE)), label=label)


def steps(before: Comparison, now: Comparison, *limits: str) -> list[tuple[str, bool]]:
    found = guard.steps_back([before], [now], [Limit.parsed(limit) for limit in limits])
    return [(each.text, each.sure) for each in found]


FAST = (0.50, 0.55, 0.52, 0.51, 0.56, 0.53)
SLOW = tuple(wall * 1.5 for wall in FAST)


def test_a_row_that_is_worse_by_more_than_its_limit_is_told_with_both_intervals() -> None:
    [(text, sure), (other, also)] = steps(labelled(FAST), labelled(SLOW), "speedup:10%", "wall: 20 %")
    assert sure
    assert also
    assert text.startswith("threading/python: speed-up fell by 33%, and 10% is allowed: 2.")
    assert text.endswith(") now")
    assert other.startswith("threading/python: wall time rose by 50%, and 20% is allowed: 525 ms (5")


def test_what_is_within_its_limit_or_better_is_no_step_back() -> None:
    assert steps(labelled(FAST), labelled(SLOW), "speedup:34%", "wall:51%") == []
    assert steps(labelled(SLOW), labelled(FAST), "speedup:0%", "wall:0%") == []
    assert steps(labelled(FAST), labelled(SLOW)) == []


def test_what_may_be_noise_is_not_sure() -> None:
    wild = (0.3, 1.2, 0.4, 0.9, 0.5, 1.0)
    [(_, sure)] = steps(labelled(FAST), labelled(wild), "wall:10%")
    assert not sure
    [(_, sure)] = steps(labelled(FAST[:2]), labelled(SLOW[:2]), "wall:10%")
    assert not sure, "two rounds cannot tell anything"


def test_a_row_that_ended_early_is_a_step_back_and_one_that_is_void_is_not() -> None:
    before = labelled(FAST)
    dead = replace(before, rows=(before.rows[0], make_row("threading", "python", error="killed by SIGKILL")))
    [(text, sure)] = steps(before, dead, "speedup:10%")
    assert text.endswith("before, and now killed by SIGKILL")
    assert sure
    void = replace(labelled(SLOW).rows[1], judgements=(Judgement("not throttled", False, "it was"),))
    assert steps(before, replace(before, rows=(before.rows[0], void)), "speedup:10%") == []
    assert steps(replace(before, rows=(before.rows[0], void)), labelled(SLOW), "speedup:10%") == []


def test_a_speed_up_over_a_void_baseline_is_no_step_back() -> None:
    before, now = labelled(FAST), labelled(SLOW)
    void = replace(now.baseline, judgements=(Judgement("machine not overloaded", False, "it was"),))
    for pair in ((before, replace(now, rows=(void, now.rows[1]))), (replace(before, rows=(void, before.rows[1])), now)):
        assert steps(*pair, "speedup:10%") == []
        assert len(steps(*pair, "wall:10%")) == 1


def test_comparisons_belong_together_by_test_and_order_and_rows_by_workers() -> None:
    first, second, other = labelled(FAST), labelled(SLOW), labelled(FAST, "test_y")
    assert changes.partners([first, second, first], [other, first, second]) == [first, second, None]
    assert steps(other, second, "wall:1%") == []
    more = replace(first, rows=tuple(replace(row, workers=8) for row in first.rows))
    assert steps(more, second, "wall:1%") == []


@pytest.mark.parametrize("text", ["", "speedup", "speedup:10", "memory:10%", "speedup:-1%", "10%"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no limit: write speedup:10% or wall:20%"):
        Limit.parsed(text)
