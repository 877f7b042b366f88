"""What stands out in a comparison, in words: below its table, where all else of it is seen too."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import lanes
from lanes.comparison import Difference
from lanes.laws import Judgement
from lanes.report import sentences, table
from lanes.stats import Interval, Verdict, Word
from lanes.types import Outcome
from support import BASE, FAST, FASTER, lines_of, make_comparison, make_row

DIFFERENCE = Difference(
    0, 1, "http://[::1]/b", Outcome("ok", (200, 5, 77)), Outcome("failed", (), "ConnectError", "no")
)


def test_a_broken_law_voids_the_verdict_and_is_told() -> None:
    broken = (Judgement("split adds up", False, "the parts make 140%"), Judgement("not throttled", True, "0 s"))
    rows = (
        make_row("native-fork", None, FASTER, BASE, judgements=broken),
        make_row("native-serial", None, FASTER, BASE, judgements=broken),
        make_row("native-epoll", None, FAST, BASE, judgements=broken[1:]),
    )
    lines = lines_of(*rows)
    assert [line.split()[-1] for line in lines[6:9]] == ["void", "void", "faster"]
    assert "native-epoll is fastest: 4.00x (4.00-4.00) faster than serial/python." in lines
    assert (
        "Broken law: split adds up (CPU, run queue and GIL wait are no more than workers times work, within 5 %)."
        " native-fork: the parts make 140%. Void: native-fork and native-serial."
    ) in lines
    assert sum("Broken law" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("word", "factor", "told"),
    [
        ("faster", 1.42, "1.42x (1.38-1.47) faster"),
        ("slower", 0.5, "2.00x (1.60-2.50) slower"),
        ("cannot tell", 1.01, "1.01x (0.95-1.07) cannot tell"),
    ],
)
def test_a_verdict_has_its_factor_and_its_interval(word: Word, factor: float, told: str) -> None:
    ends = {"faster": (1.38, 1.47), "slower": (0.4, 0.625), "cannot tell": (0.95, 1.07)}
    assert sentences.compared(Verdict(word, factor, Interval(*ends[word]))) == told


def test_the_winner_is_named_and_the_fastest_python() -> None:
    lines = lines_of(make_row("threading", "released", FAST, BASE), make_row("native-fork", None, FASTER, BASE))
    assert "native-fork is fastest: 40.0x (40.0-40.0) faster than serial/python." in lines
    assert "The fastest Python model is threading/released: 4.00x (4.00-4.00) faster than serial/python." in lines
    assert not any("with a Python body" in line or "Cannot tell" in line for line in lines)
    lines = lines_of(make_row("asyncio", "python", [wall / 2 for wall in BASE], BASE),
                     make_row("threading", "released", FAST, BASE))  # fmt: skip
    assert "threading/released is fastest: 4.00x (4.00-4.00) faster than serial/python." in lines
    assert "The fastest with a Python body is asyncio/python: 2.00x (2.00-2.00) faster than serial/python." in lines
    assert not any("Python model" in line for line in lines)


def test_rows_that_cannot_be_told_from_the_fastest_are_named() -> None:
    rows = (
        make_row("native-fork", None, [0.2] * 6, BASE),
        make_row("native-epoll", None, [0.21, 0.3, 0.19] * 2, BASE),
        make_row("native-pthreads", None, [0.3] * 6, BASE),
    )
    lines = lines_of(*rows)
    assert "native-fork is fastest: 5.50x (5.00-6.00) faster than serial/python." in lines
    assert "Cannot tell it from: native-epoll." in lines


def test_a_row_that_is_void_is_told_as_that_alone() -> None:
    broken = (Judgement("split adds up", False, "it does not"),)
    void = make_row("native-epoll", None, FAST, BASE, judgements=broken)
    lines = lines_of(make_row("native-fork", None, FAST, BASE), void)
    assert not any(line.startswith("Cannot tell it from") for line in lines)
    assert any(line.endswith("Void: native-epoll.") for line in lines)


def test_one_lucky_row_hides_no_winner() -> None:
    lucky = make_row("native-epoll", None, [0.01, 0.01, 99.0] * 2, BASE)
    lines = lines_of(make_row("native-fork", None, FAST, BASE), lucky)
    assert "native-fork is fastest: 4.00x (4.00-4.00) faster than serial/python." in lines
    assert "Cannot tell it from: native-epoll." in lines


def test_too_few_rounds_name_no_winner() -> None:
    few = BASE[:5]
    lines = lines_of(make_row("native-fork", None, FASTER[:5], few), base=few)
    assert "Nothing is faster than serial/python here, as far as these rounds can tell." in lines
    assert lines[6].endswith("cannot tell")


def test_nothing_is_faster_is_said_as_well() -> None:
    slower = make_row("threading", "python", [wall * 0.99 for wall in BASE], BASE)
    assert slower.ratios == pytest.approx([1 / 0.99] * 6), "by less than a difference worth a word"
    assert "Nothing is faster than serial/python here, as far as these rounds can tell." in lines_of(slower)


def test_a_row_that_differs_never_wins_and_says_what_differs() -> None:
    row = make_row("native-fork", None, FASTER, BASE, differences=(DIFFERENCE,))
    text = table.text(make_comparison(row, make_row("native-epoll", None, FAST, BASE)))
    assert re.search(r"^native-fork .* DIFFERS$", text, re.MULTILINE)
    assert "native-epoll is fastest" in text
    assert "native-fork: 1 of 2 tasks differ from serial/python" in text
    assert "  task 1 http://[::1]/b: expected ok 200 5 77, got failed ConnectError (no)" in text


def test_of_many_differences_some_are_shown_and_the_rest_counted() -> None:
    many = tuple(Difference(0, n, "", Outcome("ok"), Outcome("failed", error="X")) for n in range(9))
    lines = lines_of(make_row("native-fork", None, FAST, BASE, differences=many))
    assert sum("expected ok, got failed X" in line for line in lines) == 5
    assert "  and 4 more" in lines


def test_errors_reasons_failures_and_a_busy_origin_are_told() -> None:
    failed = (Outcome("ok"), Outcome("failed", error="ReadTimeout"))
    busy, idle = (Judgement("origin not busy", held, "it was busy for 83% of a run at most") for held in (False, True))
    rows = (
        make_row("threading", "python", error="killed by SIGSEGV"),
        make_row("asyncio", "held", reason="because"),
        make_row("asyncio", "released", reason="because"),
        make_row("native-fork", None, FAST, BASE, origin_busy=0.83, judgements=(busy,)),
        make_row("native-epoll", None, FAST, BASE, origin_busy=0.6, judgements=(idle,)),
    )
    result = make_comparison(*rows)
    lines = table.text(result).splitlines()
    assert "threading/python: killed by SIGSEGV" in lines
    assert "asyncio/held and asyncio/released make no sense: because" in lines
    assert any(re.match(r"asyncio +held +4 +- +- +- +no sense$", line) for line in lines)
    assert any(re.match(r"threading +python +4 +- +- +- +error$", line) for line in lines)
    assert any(
        re.match(
            r"Broken law: origin not busy .* native-fork: it was busy for 83% of a run at most\. Void: native-fork\.$",
            line,
        )
        for line in lines
    )
    result = replace(result, rows=(make_row("serial", "python", [1.0], [1.0], outcomes=failed),))
    assert "1 of 2 tasks failed with serial/python: 1 ReadTimeout" in table.text(result).splitlines()


def test_there_is_no_verdict_over_a_baseline_that_failed() -> None:
    failed = (Outcome("ok"), Outcome("failed", error="ReadTimeout"))
    baseline = make_row("serial", "python", BASE, BASE, outcomes=failed)
    fork = make_row("native-fork", None, FAST, BASE, outcomes=failed)
    text = table.text(replace(make_comparison(), rows=(baseline, fork)))
    assert "No verdicts: serial/python, which all are compared with, is void." in text
    assert "is fastest" not in text


def test_differences_are_told_by_url() -> None:
    again = replace(DIFFERENCE, task=3)
    other = replace(DIFFERENCE, task=2, text="http://c/")
    row = make_row("native-fork", None, FAST, BASE, differences=(DIFFERENCE, other, again))
    workload = lanes.download(["http://[::1]/b", "http://c/"], tasks=4)
    lines = table.text(replace(make_comparison(row), workload=workload)).splitlines()
    assert lines[0] == "download: 4 tasks, 2 URLs"
    assert "native-fork: 3 of 4 tasks differ from serial/python" in lines
    assert "  2 tasks http://[::1]/b: expected ok 200 5 77, got failed ConnectError (no)" in lines
    assert "  task 2 http://c/: expected ok 200 5 77, got failed ConnectError (no)" in lines


def test_the_distance_is_written_as_a_product() -> None:
    rows = (
        make_row("threading", "held", [0.4] * 6, BASE),
        make_row("threading", "released", [0.2] * 6, BASE),
        make_row("native-serial", None, [0.1] * 6, BASE),
        make_row("native-pthreads", None, [0.001] * 6, BASE),
    )
    line = "Python threads to native threads: interpreter 11.0x * GIL 2.00x * dispatch 200x = 4400x"
    assert line in lines_of(*rows)
