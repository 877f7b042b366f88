"""The table as people read it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from rich.console import Console

from lanes import models
from lanes.comparison import Comparison, Row
from lanes.report import table
from lanes.types import Closeup, Pulse, Run
from lanes.workloads.wait import Wait
from results import DIFFERENCE
from support import BASE, FAST, lines_of, make_comparison, make_counters, make_row, make_usage


def test_a_row_shows_its_figures() -> None:
    rows = (
        make_row("threading", "python", [1.1, 1.3, 1.25, 1.2, 1.4, 1.2], BASE),
        make_row("native-fork", None, FAST, BASE),
        make_row("native-epoll", None, [wall / 20 for wall in BASE], BASE),
    )
    lines = lines_of(*rows)
    assert lines[:2] == ["wait: 2 tasks, duration 50 ms", "6 rounds, Python 3.11.7, 2 processors"]
    assert re.fullmatch("model +body +workers +wall, ms +speed-up +95 % +verdict", lines[2])
    assert [line.split() for line in lines[4:9]] == [
        ["serial", "python", "1", "1,100.0", "1.00x", "-", "baseline"],
        ["threading", "python", "4", "1,225.0", "0.89x", "0.85-0.92", "slower"],
        [],
        ["native-fork", "4", "275.0", "4.00x", "4.00-4.00", "faster"],
        ["native-epoll", "4", "55.0", "20.0x", "20.0-20.0", "faster"],
    ]


def test_a_second_table_and_a_sentence_say_where_the_time_went() -> None:
    worked = make_counters(make_usage(0.2, 0.05, 0.01, 0.1), make_usage(0.1, 0.0, 0.01, 0.1))
    rows = (
        make_row("threading", "python", [1.0] * 6, BASE, counters=worked, cpu_s=1.5),
        make_row("native-fork", None, [1.0] * 6, BASE, counters=worked),
        make_row("native-epoll", None, [1.0] * 6, BASE),
        make_row("native-pthreads", error="killed"),
    )
    lines = lines_of(*rows)
    at = lines.index("where the time went: ms of wall; % of the workers' time at work")
    assert lines[at + 1].split() == [
        "model",
        "body",
        "start",
        "work",
        "end",
        "cores",
        "user",
        "sys",
        "queue",
        "GIL",
        "blocked",
    ]
    assert [line.split() for line in lines[at + 3 : at + 6]] == [
        ["threading", "python", "250", "500", "250", "1.50", "25%", "5%", "2%", "20%", "48%"],
        [],
        ["native-fork", "250", "500", "250", "0.50", "25%", "5%", "2%", "20%", "48%"],
    ]
    assert lines[at + 6] == ""
    told = "50% start-up and shutdown; then took turns on the GIL: 20% of its time waiting for it"
    assert lines[at + 7 : at + 10] == [f"threading/python {told}", f"native-fork      {told}", ""]


def test_a_third_table_has_what_else_was_counted() -> None:
    usages = [make_usage(voluntary=1200, involuntary=34), make_usage(voluntary=34, thread_id=2)]
    rows = [
        make_row(
            "multiprocessing-pool", "released", [1.0] * 6, BASE, cpu_s=1.5, counters=make_counters(*usages, handovers=7)
        ),
        make_row("native-fork", None, [1.0] * 6, BASE, counters=make_counters(make_usage())),
        make_row("native-epoll", error="killed"),
    ]
    rows[0] = replace(rows[0], closeup=Closeup(peak_pss_bytes=3 << 20, pickled_bytes=3991, loop_lag_s=0.25))
    shown = io.StringIO()
    table.show(make_comparison(*rows), Console(file=shown, width=80), details=True)
    lines = shown.getvalue().splitlines()
    at = lines.index("tasks in flight: mean/max; context switches; GIL: hand-overs; peak memory; lag")
    head = ["model", "body", "flight", "cores", "vol.", "invol.", "GIL", "MiB", "pickled", "lag", "ms"]
    assert lines[at + 1].split() == head
    pool = ["multiprocessing-pool", "released", "1.0/1", "1.50", "1,234", "34", "7", "3.0", "3.9", "KiB", "250.0"]
    assert [line.split() for line in lines[at + 3 : at + 6]] == [
        pool,
        [],
        ["native-fork", "1.0/1", "0.50", "0", "0", "-", "-", "-", "-"],
    ]
    assert max(map(len, lines[at : at + 6])) <= 80


def test_the_pulse_has_a_table_where_it_was_taken() -> None:
    rows = [
        make_row("asyncio", "python", FAST, BASE, pulse=Pulse("loop", 0.005, 1080, 79, 0.0004, 0.2, 0.4)),
        make_row("native-fork", None, FAST, BASE, pulse=Pulse("thread", 0.005, 0, 0, None, None, None)),
        make_row("native-epoll", error="killed"),
    ]
    lines = lines_of(*rows)
    at = lines.index("the pulse beside the work, a beat every 5 ms: how late it came, ms")
    assert lines[at + 1].split() == ["model", "body", "pulse", "beats", "missed", "p50", "p99", "max"]
    assert [line.split() for line in lines[at + 3 : at + 6]] == [
        ["asyncio", "python", "on", "the", "loop", "1,080", "79", "0.4", "200", "400"],
        [],
        ["native-fork", "a", "thread", "0", "0", "-", "-", "-"],
    ]
    assert "the pulse" not in "\n".join(lines_of(make_row("native-fork", None, FAST, BASE)))


def test_there_is_no_second_table_for_runs_that_counted_nothing() -> None:
    assert "where the time went" not in "\n".join(lines_of(make_row("native-fork", None, FAST, BASE)))


def test_where_there_is_no_gil_its_wait_is_not_applicable() -> None:
    counters = make_counters(make_usage(0.2), gil=False, method=None, handovers=None)
    rows = (
        make_row("threading", "python", [1.0] * 6, BASE, counters=counters),
        make_row("native-fork", None, [1.0] * 6, BASE, counters=counters),
    )
    lines = lines_of(*rows)
    at = lines.index("where the time went: ms of wall; % of the workers' time at work")
    assert lines[at + 3].split()[-2:] == ["n/a", "60%"]
    assert lines[at + 5].split()[-2:] == ["0%", "60%"], "it never meets the interpreter"


def test_where_waits_for_the_gil_are_not_known_nothing_is_claimed() -> None:
    counters = make_counters(make_usage(0.2), make_usage(0.2, thread_id=2), method=None, handovers=None)
    lines = lines_of(make_row("threading", "python", [1.0] * 6, BASE, counters=counters))
    at = lines.index("where the time went: ms of wall; % of the workers' time at work")
    assert lines[at + 3].split()[-2] == "?"
    assert any(line.endswith("the rest waited, for the GIL or else, which is not known here") for line in lines)


@pytest.mark.parametrize(
    ("walls", "head", "shown"),
    [([0.0123] * 3, "wall, ms", "12.30"), ([1.5] * 3, "wall, ms", "1,500.0"), ([12.5] * 3, "wall, s", "12.500")],
)
def test_one_unit_of_time_serves_the_whole_column(walls: list[float], head: str, shown: str) -> None:
    text = table.text(make_comparison(base=walls))
    assert head in text
    assert f" {shown} " in text


def test_it_fits_80_columns_with_long_names_and_numbers_and_else_leaves_nothing_out() -> None:
    worked = make_counters(*[make_usage(9.0, 1.0, 0.0, 0.0)] * 9)
    rows = [
        make_row("multiprocessing-pool", "released", [0.01] * 6, [3.0] * 6, workers=99999, counters=worked),
        make_row("native-epoll", None, [2.9] * 6, [3.0] * 6, counters=worked),
        make_row("native-fork", None, [1.0] * 6, [1.01] * 6),
    ]
    lines = lines_of(*rows, base=[3.0] * 6)
    heads = [n for n, line in enumerate(lines) if line.startswith("model")]
    assert len(heads) == 2
    for head in heads:
        assert max(map(len, lines[head : head + 6])) <= 80
    assert "multiprocessing-pool released" in "\n".join(lines)
    huge = lines_of(make_row("multiprocessing-pool[forkserver]", "released", [1e5] * 6, [1e9] * 6, counters=worked))
    assert any(line.startswith("multiprocessing-pool[forkserver]") and " released " in line for line in huge)
    assert "\N{HORIZONTAL ELLIPSIS}" not in "\n".join(huge)


def test_a_pipe_gets_no_trailing_blanks_and_a_terminal_a_red_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    result = make_comparison(make_row("native-fork", None, FAST, BASE, differences=(DIFFERENCE,)))
    assert all(line == line.rstrip() for line in table.text(result).splitlines())
    file = io.StringIO()
    table.show(result, Console(file=file, width=80, force_terminal=True))
    assert re.search(r"^\x1b\[31mnative-fork", file.getvalue(), re.MULTILINE)


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


# ---- what a workload measured of itself


@dataclass(frozen=True, slots=True)
class Measured(Wait):
    units: ClassVar[dict[str, str]] = {
        "lost": "updates",
        "lost_share": "share",
        "per_update": "s",
        "moved": "B",
        "pace": "B/s",
        "waited": "s",
    }

    def figures(self, run: Run) -> dict[str, float | None]:
        return {}

    def remarks(self, machine: Mapping[str, object]) -> list[str]:
        return [f"That was Python {machine['python']}."]


def measuring(*rows: Row) -> Comparison:
    return replace(make_comparison(*rows), workload=Measured(2, (0,)))


def with_figures(row: Row, *rounds: dict[str, float | None]) -> Row:
    """The row with these figures, taken in turn by its runs."""
    runs = (replace(run, figures=rounds[n % len(rounds)]) for n, run in enumerate(row.runs))
    return replace(row, runs=tuple(runs))


LOST = {"lost": 1234.0, "lost_share": 0.25, "per_update": 52e-6, "moved": 65536.0, "pace": 2e6, "waited": None}


def test_what_the_workload_measured_stands_in_a_table_of_its_own() -> None:
    fork = {**LOST, "per_update": 15e-7, "lost": 0.0, "moved": None}
    rows = (
        with_figures(make_row("threading", "python", FAST, BASE), LOST, {**LOST, "lost": 1236.0}),
        make_row("asyncio", "released", reason="because"),
        with_figures(make_row("native-fork", None, FAST, BASE), fork),
    )
    lines = table.text(measuring(*rows)).splitlines()
    at = lines.index("what the workload measured: medians of the rounds")
    assert lines[at + 1].split() == ["model", "body", "lost", "lost,", "%", "per", "update,", "us", "moved", "pace"]
    assert [line.split() for line in lines[at + 3 : at + 8]] == [
        ["threading", "python", "1,235", "25.0", "52.0", "64", "KiB", "1.91", "MiB/s"],
        [],
        ["native-fork", "0", "25.0", "1.50", "-", "1.91", "MiB/s"],
        [],
        ["That", "was", "Python", "3.11.7."],
    ]


def test_there_is_no_such_table_where_nothing_was_measured() -> None:
    for comparison in (make_comparison(make_row("threading", "python", FAST, BASE)), measuring()):
        assert "measured" not in table.text(comparison)


@pytest.mark.parametrize(
    ("values", "head", "shown"),
    [
        ([12.0, 0.5], "waited, s", ["12.0", "0.50"]),
        ([2.5, 0.0], "waited, ms", ["2,500", "0.00"]),
        ([0.0012], "waited, us", ["1,200"]),
        ([9e-6, 1e-9], "waited, ns", ["9,000", "1.00"]),
    ],
)
def test_a_column_of_times_has_one_unit(values: list[float], head: str, shown: list[str]) -> None:
    rows = [with_figures(make_row("threading", "held", FAST, BASE), {"waited": value}) for value in values]
    lines = table.text(measuring(*rows)).splitlines()
    at = lines.index("what the workload measured: medians of the rounds")
    assert lines[at + 1].endswith(f" {head}")
    assert [line.split()[-1] for line in lines[at + 3 : at + 3 + len(values)]] == shown


def test_a_label_stands_below_what_was_compared() -> None:
    labelled = replace(make_comparison(), label="test_x.py::test_y[1]")
    assert table.text(labelled).startswith("wait: 2 tasks, duration 50 ms\ntest_x.py::test_y[1]\n6 rounds, ")
