"""Two result files side by side: what belongs together, what is said of it, and when nothing can be told."""

from __future__ import annotations

import io
import json
import math
import random
import re
from dataclasses import replace

import pytest
from rich.console import Console

import lanes
from lanes import stats
from lanes.comparison import Comparison, Difference, Row
from lanes.report import changes, comparison
from lanes.report import json as report
from lanes.types import Outcome
from support import MACHINE, make_comparison, make_row

SLOW, FAST = (2.0, 2.1, 2.2, 2.3), (1.0, 1.1, 1.2, 1.3)


def documents(*comparisons: Comparison) -> list[Comparison]:
    """As they are when they have been written and read."""
    return [comparison.read(json.loads(report.text([each]))) for each in comparisons]


def shown(one: list[Comparison], other: list[Comparison]) -> str:
    text = io.StringIO()
    changes.show(one, other, ("old.json", "new.json"), Console(file=text, width=80, highlight=False, markup=False))
    return text.getvalue()


def of_rows(before: Row, after: Row) -> str:
    return shown(*(documents(make_comparison(row, base=SLOW)) for row in (before, after)))


def fork(*walls: float, workers: int = 4) -> Row:
    return make_row("native-fork", None, walls, walls, workers=workers)


def verdict(text: str, model: str = "native-fork") -> str:
    line = next(line for line in text.splitlines() if line.startswith(f"{model} "))
    return re.split(r"\d\d? ", line, maxsplit=1)[1].strip()


def test_a_row_has_both_medians_the_factor_and_the_verdict() -> None:
    assert verdict(of_rows(fork(*SLOW), fork(*FAST))) == "2,150.0 1,150.0  1.87x faster"
    assert verdict(of_rows(fork(*FAST), fork(*SLOW))) == "1,150.0 2,150.0  0.53x slower"
    assert verdict(of_rows(fork(*FAST), fork(*FAST))) == "1,150.0 1,150.0  1.00x cannot tell"


def test_the_files_are_named_and_the_lines_fit() -> None:
    text = of_rows(fork(*SLOW), fork(*FAST))
    assert text.startswith("A: old.json\nB: new.json\n\nwait: 2 tasks, duration 50 ms\nmodel ")
    assert max(map(len, text.splitlines())) <= 80


def test_rows_and_workloads_of_one_file_only_are_named() -> None:
    one = make_comparison(fork(*SLOW), make_row("threading", "held", SLOW, SLOW))
    other = make_comparison(fork(*FAST), fork(*FAST, workers=8))
    more = replace(other, workload=lanes.wait(tasks=3, duration=1))
    text = shown(documents(one), documents(other, more))
    assert "\nOnly in B: wait: 3 tasks, duration 1 s\n" in text
    assert "\nOnly in A: threading/held with 4 workers\n" in text
    assert "\nOnly in B: native-fork with 8 workers\n" in text
    assert "threading  " not in text


def test_a_workload_that_is_there_twice_is_matched_twice() -> None:
    (one,), (other,) = documents(make_comparison(fork(*SLOW))), documents(make_comparison(fork(*FAST)))
    assert [pair[1] is each for pair, each in zip(changes.pairs([one, one], [other, one]), (other, one), strict=True)]
    assert len(changes.pairs([one, one], [other])) == 1


def test_other_choices_are_another_workload() -> None:
    one = make_comparison()
    other = replace(one, workload=lanes.wait(tasks=2, duration=1))
    with pytest.raises(ValueError, match="no workload is in both files"):
        changes.pairs(documents(one), documents(other))


def test_machines_that_differ_are_warned_of_once() -> None:
    one = make_comparison(fork(*SLOW))
    elsewhere = replace(one, machine={**MACHINE, "python": "3.12.1", "gil": False})
    twice = [replace(each, workload=lanes.wait(tasks=9)) for each in (one, elsewhere)]
    text = shown(documents(one, twice[0]), documents(elsewhere, twice[1]))
    assert text.count("A and B are of machines that differ") == 1
    assert text.count("Python: 3.11.7 and 3.12.1\n") == 1
    assert "GIL: yes and no\n" in text
    assert "machines" not in shown(documents(one), documents(one))


def test_too_few_rounds_are_said_to_be_too_few() -> None:
    text = of_rows(fork(2.0, 2.1, 2.2), fork(0.1, 0.2, 0.3))
    assert verdict(text).endswith("cannot tell")
    assert "3 rounds and 3 are too few to tell anything: take 4 of each." in text
    assert "too few" not in of_rows(fork(*SLOW), fork(*FAST))


def test_what_failed_or_answered_otherwise_has_no_factor() -> None:
    wrong = Difference(0, 1, "", Outcome("ok"), Outcome("failed"))
    text = of_rows(fork(*SLOW), make_row("native-fork", None, FAST, FAST, differences=(wrong,)))
    assert verdict(text) == "2,150.0 1,150.0      - DIFFERS"
    assert "\nB: native-fork with 4 workers gave other outcomes than the baseline\n" in text
    text = of_rows(make_row("native-fork", error="killed by SIGSEGV"), fork(*FAST))
    assert verdict(text) == "- 1,150.0      - error"
    assert "\nA: native-fork with 4 workers: killed by SIGSEGV\n" in text


def test_a_row_that_breaks_a_law_is_void_and_older_files_know_none() -> None:
    older, later = (json.loads(make_comparison(fork(*walls)).to_json()) for walls in (SLOW, FAST))
    older["rows"][1].pop("laws")
    assert verdict(shown([comparison.read(older)], [comparison.read(later)])).endswith("faster")
    later["rows"][1]["laws"] = [{"name": "a", "held": True, "why": ""}, {"name": "b", "held": False, "why": "how"}]
    text = shown([comparison.read(older)], [comparison.read(later)])
    assert verdict(text).endswith("- void")
    assert "\nB: native-fork with 4 workers is void: how\n" in text


def test_sweeps_count_as_their_comparisons_and_other_results_are_refused() -> None:
    one = make_comparison(fork(*SLOW))
    trials = lanes.Trials((), {}, 7, 1.0)
    assert changes.comparisons([one, lanes.Sweep(one, (4,), ())], "a.json") == [one, one]
    with pytest.raises(ValueError, match=r"a\.json is of the kind trials, and only comparisons and sweeps"):
        changes.comparisons([one, trials], "a.json")


def test_cells_that_make_no_sense_are_left_out() -> None:
    senseless = make_row("asyncio", "released", reason="because")
    text = of_rows(senseless, senseless)
    assert "asyncio" not in text


@pytest.mark.parametrize(
    ("walls", "others", "word"),
    [
        (FAST, SLOW, "faster"),
        (SLOW, FAST, "slower"),
        ((1.0, 1.001, 1.002, 1.003), (1.011, 1.012, 1.013, 1.014), "cannot tell"),  # apart, but by one per cent
        ((1.0, 1.1, 1.2, 2.4), (2.0, 2.1, 1.15, 2.3), "cannot tell"),  # the median doubles, yet they mix
        (FAST[:3], SLOW[:3], "cannot tell"),
        (FAST[:1], SLOW, "cannot tell"),
        ((1.0,) * 4, (2.0,) * 4, "faster"),
    ],
)
def test_unpaired(walls: tuple[float, ...], others: tuple[float, ...], word: str) -> None:
    told = stats.unpaired(walls, others)
    assert told.word == word
    assert told.interval.low <= told.factor <= told.interval.high
    assert stats.unpaired(walls, others) == told, "the same samples, the same verdict"


def test_unpaired_gives_the_ratio_of_medians_and_its_interval() -> None:
    told = stats.unpaired(FAST, SLOW)
    assert told.factor == pytest.approx(2.15 / 1.15)
    assert 2.0 / 1.3 <= told.interval.low < told.factor < told.interval.high <= 2.3 / 1.0
    alone = stats.unpaired([1.0], [2.0])
    assert (alone.factor, alone.interval.low, alone.interval.high) == (2.0, 0.0, math.inf)


def test_unpaired_seldom_tells_like_samples_apart() -> None:
    draw = random.Random(1).gauss
    words = [stats.unpaired(*([draw(1.0, 0.1) for _ in range(8)] for _ in range(2))).word for _ in range(100)]
    assert words.count("cannot tell") >= 90


@pytest.mark.parametrize(
    ("some", "others", "can"),
    [(3, 3, False), (4, 4, True), (3, 5, True), (2, 8, True), (1, 9999, False), (0, 5, False)],
)
def test_how_many_samples_are_enough(some: int, others: int, can: bool) -> None:
    assert stats.enough(some, others) is can


def test_comparisons_of_two_tests_do_not_belong_together() -> None:
    one = replace(make_comparison(fork(*SLOW)), label="test_x.py::test_one")
    two = replace(make_comparison(fork(*FAST)), label="test_x.py::test_two")
    text = shown(documents(one, two), documents(two))
    assert "\nOnly in A: test_x.py::test_one: wait: 2 tasks, duration 50 ms\n" in text
    assert "\ntest_x.py::test_two: wait: 2 tasks, duration 50 ms\n" in text
