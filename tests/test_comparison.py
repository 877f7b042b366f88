"""Rows that know each other: which is faster, and what an assertion that fails shows of them."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace

import pytest

from lanes.comparison import Row
from lanes.laws import Judgement
from lanes.report import json as report
from support import BASE, make_comparison, make_row

HALF = tuple(wall / 2 for wall in BASE)
THIRD = tuple(wall / 3 for wall in BASE)
RESULT = make_comparison(
    make_row("threading", "python", HALF, BASE),
    make_row("threading", "released", HALF, BASE),
    make_row("multiprocessing", "python", error="killed by SIGKILL"),
    make_row("asyncio", "released", reason="it does not"),
    make_row("native-epoll", None, THIRD, BASE),
    make_row("native-fork", None, THIRD, BASE, judgements=(Judgement("split adds up", False, "120%"),)),
)


@pytest.mark.parametrize("other", ["threading", "threading/python", ("threading", "released"), RESULT["threading"]])
def test_a_row_is_faster_than_another_however_that_is_named(other: str | tuple[str, str] | Row) -> None:
    assert RESULT["native-epoll"].faster_than(other)
    assert not RESULT["threading"].faster_than("native-epoll")


def test_what_is_equal_void_or_ended_is_not_faster_either_way() -> None:
    for one, other in (
        ("threading", "threading/released"),
        ("native-fork", "serial"),
        ("multiprocessing", "serial"),
        ("asyncio/released", "serial"),
    ):
        assert not RESULT[one].faster_than(other)
        assert not RESULT[other].faster_than(one)


def test_an_error_after_the_rounds_that_it_takes_leaves_no_verdict() -> None:
    result = make_comparison(make_row("native-epoll", None, THIRD, BASE, error="killed"))
    assert result.versus("native-epoll", "serial") is None


def test_another_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(KeyError, match="no row futures-threads/held; there are serial/python, threading/python"):
        RESULT["threading"].faster_than("futures-threads/held")
    alone = make_row("threading", "python", HALF, BASE)
    with pytest.raises(KeyError, match="no row serial"):
        alone.faster_than("serial")
    assert alone.faster_than(RESULT.baseline)


def test_what_an_assertion_shows_is_the_verdict_the_interval_and_the_laws() -> None:
    epoll, threads, fork = (RESULT[name] for name in ("native-epoll", "threading", "native-fork"))
    shown = "native-epoll against threading/python: 1.50x (1.50-1.50) faster, 6 rounds"
    assert repr(epoll.faster_than(threads)) == f"<True: {shown}>"
    assert "<False: threading/python against native-epoll: 1.50x (1.50-1.50) slower" in repr(threads.faster_than(epoll))
    assert repr(threads) == "<Row threading/python with 4 workers: 550 ms, 2.00x (2.00-2.00) faster>"
    broken = "native-fork with 4 workers: 367 ms, 3.00x (3.00-3.00), void, split adds up: 120%"
    assert repr(fork) == f"<Row {broken}>"
    assert broken in repr(fork.faster_than(threads))
    assert repr(RESULT["multiprocessing"]) == "<Row multiprocessing/python with 4 workers: killed by SIGKILL>"
    assert repr(RESULT["asyncio/released"]) == "<Row asyncio/released with 4 workers: makes no sense: it does not>"
    assert repr(RESULT.baseline) == "<Row serial/python with 1 worker: 1.1 s, baseline>"
    one_round = make_comparison(make_row("threading", "python", [0.5], [1.0]), base=[1.0])["threading"]
    assert repr(one_round) == "<Row threading/python with 4 workers: 500 ms, 2.00x>"


def test_rows_keep_knowing_each_other_and_are_the_same_rows() -> None:
    for result in (copy.deepcopy(RESULT), pickle.loads(pickle.dumps(RESULT)), replace(RESULT, rounds=5)):
        assert result.rows == RESULT.rows
        assert result["native-epoll"].faster_than("threading")


def test_a_label_says_what_a_comparison_was_made_for() -> None:
    assert RESULT.label is None
    labelled = replace(RESULT, label="tests/test_x.py::test_y")
    assert json.loads(report.text([labelled]))["label"] == "tests/test_x.py::test_y"
    assert json.loads(report.text([RESULT]))["label"] is None
