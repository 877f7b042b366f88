"""The figures as people and programs read them: a table with what there is to say below it, and JSON.

    schema   1
    machine  what the figures depend on: see lanes/machine.py; load_before, the load average of the minute before
    rounds   how many pairs of each figure were to be measured
    figures  in the order of the table

A figure: name; lanes and other, what is compared with what; target (at_most or at_least); ratio (samples, median, min,
max), lanes over other; share, where cases are counted, of those that were; unit, lanes_samples and other_samples, what
the ratios were made of; reached (null when it could not be measured) and reason (null when it could); note, what was
found out about the two sides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from figures import Result
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

SCHEMA = 1
SCALES = {"us": 1e6, "ms": 1e3, "/s": 1.0, "": 1.0}
"""How many of a unit make one of what pairs hold: seconds, or tasks a second."""


def show(results: Sequence[Result], machine: Mapping[str, object], rounds: int, console: Console) -> None:
    """Print the machine, the table, what is compared with what, and why some could not be."""
    console.print(_machine(machine, rounds), style="dim", soft_wrap=True)
    console.print()
    console.print(_table(results))
    console.print()
    for result in results:
        figure = result.figure
        note = f" ({result.note})" if result.note else ""
        console.print(
            Text.assemble((figure.name, "bold"), f": {figure.lanes}, against {figure.other}{note}"), soft_wrap=True
        )
    for result in results:
        if result.reason is not None:
            console.print(Text(f"{result.figure.name} could not be measured: {result.reason}", "red"), soft_wrap=True)


def document(results: Sequence[Result], machine: Mapping[str, object], rounds: int) -> dict[str, object]:
    """The results as what JSON can hold."""
    return {
        "schema": SCHEMA,
        "machine": dict(machine),
        "rounds": rounds,
        "figures": [_figure(result) for result in results],
    }


def write(path: Path, results: Sequence[Result], machine: Mapping[str, object], rounds: int) -> None:
    """Write the document to a file."""
    text = json.dumps(document(results, machine, rounds), indent=1, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def number(value: float) -> str:
    """Three digits, and never an exponent: 0.0312, 1.05, 14.6, 1,234."""
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.9995 else 3
    return f"{value:,.{digits}f}" if value >= 0.09995 else f"{value:.4f}"


def _machine(machine: Mapping[str, object], rounds: int) -> str:
    return (
        f"Python {machine['python']}{'' if machine['gil'] else ' without GIL'}, libcurl {machine['libcurl']},"
        f" {machine['cpu'] or machine['architecture']}, {machine['processors_usable']} of {machine['processors']}"
        f" processors, {machine['system']} {machine['kernel']};"
        f" load before {machine['load_before']:.2f}; rounds: {rounds}"
    )


def _table(results: Sequence[Result]) -> Table:
    """At most 80 columns wide."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False, header_style="bold")
    table.add_column("figure", no_wrap=True)
    for name in ("goal", "measured", "min - max", "lanes : other", "reached"):
        table.add_column(name, no_wrap=True, justify="right")
    for result in results:
        figure, target, value = result.figure, result.figure.target, result.value
        cells: tuple[str | Text, ...] = ("-", "-", "-", Text("unknown", "red"))
        if value is not None and result.is_reached is not None:
            show, scale = (_whole if figure.counts else number), SCALES[figure.unit]
            sides = " : ".join(show(result.side(side) * scale) for side in ("lanes", "other"))
            cells = (
                number(value),
                "" if figure.counts else f"{number(min(result.ratios))} - {number(max(result.ratios))}",
                f"{sides} {figure.unit}",
                Text("yes", "green") if result.is_reached else Text("NO", "bold red"),
            )
        table.add_row(result.figure.name, f"{'<=' if target.at_most else '>='} {target.bound:.2f}", *cells)
    return table


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _scaled(result: Result, side: str) -> list[float]:
    """One side of all pairs, in the figure's unit."""
    scale = SCALES[result.figure.unit]
    return [getattr(pair, side) * scale for pair in result.pairs]


def _figure(result: Result) -> dict[str, object]:
    figure, ratios = result.figure, result.ratios
    return {
        "name": figure.name,
        "lanes": figure.lanes,
        "other": figure.other,
        "target": {"at_most" if figure.target.at_most else "at_least": figure.target.bound},
        "ratio": {
            "samples": list(ratios),
            "median": None if figure.counts else result.value,
            "min": min(ratios, default=None),
            "max": max(ratios, default=None),
        },
        "share": result.value if figure.counts else None,
        "unit": figure.unit,
        "lanes_samples": _scaled(result, "lanes"),
        "other_samples": _scaled(result, "other"),
        "reached": result.is_reached,
        "reason": result.reason,
        "note": result.note,
    }
