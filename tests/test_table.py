"""The table as people read it."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

import lanes
from lanes import models
from lanes.comparison import Difference
from lanes.report import table
from lanes.types import Outcome
from support import BASE, make_comparison, make_row

FAST = tuple(wall / 4 for wall in BASE)
FASTER = tuple(wall / 40 for wall in BASE)
DIFFERENCE = Difference(
    0, 1, "http://[::1]/b", Outcome("ok", (200, 5, 77)), Outcome("failed", (), "ConnectError", "no")
)


def lines_of(*rows: object, **more: object) -> list[str]:
    return table.text(make_comparison(*rows, **more)).splitlines()  # type: ignore[arg-type]  # passed on as it is


def test_a_row_shows_its_figures() -> None:
    text = table.text(make_comparison(make_row("native-fork", None, FAST, BASE)))
    assert re.search(r"^serial +python +1 +1,100.0 +1.00x +0.500 +0.45 +yes$", text, re.MULTILINE)
    assert re.search(r"^native-fork +4 +275.0 +4.00x +0.500 +1.82 +yes$", text, re.MULTILINE)
    assert text.startswith("wait: 2 tasks, duration 50 ms\n3 rounds, Python 3.11.7, 2 processors\n")


@pytest.mark.parametrize(
    ("walls", "head", "shown"),
    [([0.0123] * 3, "wall, ms", "12.30"), ([1.5] * 3, "wall, ms", "1,500.0"), ([12.5] * 3, "wall, s", "12.500")],
)
def test_one_unit_of_time_serves_the_whole_column(walls: list[float], head: str, shown: str) -> None:
    text = table.text(make_comparison(base=walls))
    assert head in text
    assert f" {shown} " in text


def test_it_fits_80_columns_with_the_longest_names_and_numbers() -> None:
    rows = [make_row("multiprocessing-pool", "released", [0.001], [9999.0], workers=99999, reason=None)]
    lines = lines_of(*rows, base=[99999.0] * 3)
    head = next(n for n, line in enumerate(lines) if line.startswith("model"))
    assert max(map(len, lines[head : head + 4])) <= 80
    assert "multiprocessing-pool released" in "\n".join(lines)


def test_the_winner_is_named_and_the_fastest_python() -> None:
    lines = lines_of(make_row("threading", "released", FAST, BASE), make_row("native-fork", None, FASTER, BASE))
    assert "native-fork is fastest: 40.0x the speed of serial/python." in lines
    assert "The fastest Python model is threading/released: 4.00x." in lines
    assert not any("Python code" in line for line in lines)


def test_rows_that_were_not_slower_in_every_round_cannot_be_told_apart() -> None:
    rows = (
        make_row("native-fork", None, [0.2, 0.2, 0.2], BASE),
        make_row("native-epoll", None, [0.21, 0.3, 0.19], BASE),
        make_row("native-pthreads", None, [0.3, 0.3, 0.3], BASE),
    )
    lines = lines_of(*rows)
    assert "native-fork is fastest: 5.50x the speed of serial/python." in lines
    assert "Cannot tell it from: native-epoll." in lines


def test_one_lucky_row_hides_no_winner() -> None:
    lucky = make_row("native-epoll", None, [0.01, 0.01, 99.0], BASE)
    lines = lines_of(make_row("native-fork", None, FAST, BASE), lucky)
    assert "native-fork is fastest: 4.00x the speed of serial/python." in lines
    assert "Cannot tell it from: native-epoll." in lines


def test_nothing_is_faster_is_said_as_well() -> None:
    slower = make_row("threading", "python", [wall * 0.99 for wall in BASE], BASE)
    assert "Nothing is faster than serial/python here, as far as these rounds can tell." in lines_of(slower)


def test_a_row_that_differs_never_wins_and_says_what_differs() -> None:
    row = make_row("native-fork", None, FASTER, BASE, differences=(DIFFERENCE,))
    text = table.text(make_comparison(row, make_row("native-epoll", None, FAST, BASE)))
    assert re.search(r"^native-fork .* NO$", text, re.MULTILINE)
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
    rows = (
        make_row("threading", "python", error="killed by SIGSEGV"),
        make_row("asyncio", "held", reason="because"),
        make_row("asyncio", "released", reason="because"),
        make_row("native-fork", None, FAST, BASE, origin_busy=0.83),
        make_row("native-epoll", None, FAST, BASE, origin_busy=0.6),
    )
    result = make_comparison(*rows)
    lines = table.text(result).splitlines()
    assert "threading/python: killed by SIGSEGV" in lines
    assert "asyncio/held and asyncio/released make no sense: because" in lines
    assert any(re.match(r"asyncio +held +4 +- +- +- +- no sense", line) for line in lines)
    assert "The origin, not the model, was the limit: busy up to 83% of the time under native-fork" in lines
    result = replace(result, rows=(make_row("serial", "python", [1.0], [1.0], outcomes=failed),))
    assert "1 of 2 tasks failed with serial/python: 1 ReadTimeout" in table.text(result).splitlines()


def test_there_is_no_verdict_over_a_baseline_that_failed() -> None:
    failed = (Outcome("ok"), Outcome("failed", error="ReadTimeout"))
    baseline = make_row("serial", "python", BASE, BASE, outcomes=failed)
    fork = make_row("native-fork", None, FAST, BASE, outcomes=failed)
    text = table.text(replace(make_comparison(), rows=(baseline, fork)))
    assert "fast" not in text


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


def test_a_pipe_gets_no_trailing_blanks_and_a_terminal_a_red_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    result = make_comparison(make_row("native-fork", None, FAST, BASE, differences=(DIFFERENCE,)))
    assert all(line == line.rstrip() for line in table.text(result).splitlines())
    file = io.StringIO()
    table.show(result, Console(file=file, width=80, force_terminal=True))
    assert re.search(r"^\x1b\[31mnative-fork", file.getvalue(), re.MULTILINE)


def test_the_distance_is_written_as_a_product() -> None:
    rows = (
        make_row("threading", "held", [0.4] * 3, BASE),
        make_row("threading", "released", [0.2] * 3, BASE),
        make_row("native-serial", None, [0.1] * 3, BASE),
        make_row("native-pthreads", None, [0.001] * 3, BASE),
    )
    line = "Python threads to native threads: interpreter 11.0x * GIL 2.00x * dispatch 200x = 4400x"
    assert line in lines_of(*rows)


@pytest.mark.parametrize("terminal", [False, True])
def test_colour_is_for_terminals_and_pipes_get_whole_lines(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    file = io.StringIO()
    long = make_row("native-fork", None, error="word " * 40)
    table.show(make_comparison(long), Console(file=file, width=80, force_terminal=terminal))
    assert ("\x1b[" in file.getvalue()) is terminal
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()).splitlines())) <= (80 if terminal else 300)
    assert ("word " * 40).strip() in file.getvalue() or terminal


def test_str_of_a_comparison_is_its_table() -> None:
    result = make_comparison(make_row("native-fork", None, FAST, BASE))
    assert str(result) == table.text(result)
    assert "\x1b" not in str(result)


def test_the_grid_names_every_model_and_every_cell_without_sense() -> None:
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as captured:
        table.show_models([models.load(name) for name in models.names()], console)
    text = captured.get()
    assert all(re.search(rf"^{name} ", text, re.MULTILINE) for name in models.names())
    for name in models.names():
        for body, reason in models.load(name).reasons.items():
            assert f"{name}/{body} makes no sense: {reason}" in " ".join(text.split())
