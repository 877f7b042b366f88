"""`lanes report`: a result shown again as it was measured, in other forms, or held against another one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from lanes.cli.screen import file_of, hand_out, make_console, refuse

if TYPE_CHECKING:
    from rich.console import Console

    from lanes.report.read import Result

FORMS: Mapping[str, str] = {
    "csv": "the rows as CSV, raw, with units in the names of the columns",
    "html": "a page that needs nothing else, with charts and a timeline to zoom into",
    "markdown": "the tables and verdicts as GitHub's Markdown has them",
    "pyperf": "the rows as benchmarks of pyperf: python -m pyperf compare_to",
    "trace": "the lanes as a Chrome trace, for https://ui.perfetto.dev",
}
"""The forms of results, by option, each with its words; the module of lanes.report with this name makes its text."""

STDOUT = Path("-")


def run_report(options: argparse.Namespace) -> int:
    from lanes.report.read import read_all

    try:
        wanted = _wanted(options)
        results = read_all(options.result)
        if "other" in options:
            return _compare(options, results, read_all(options.other), wanted)
        texts = {form: _form(form)(results) for form in wanted}
    except (ValueError, OSError) as error:
        refuse(error)
    except ImportError as error:  # what a form needs and is not installed
        refuse(ValueError(str(error)))
    _hand_out(texts, wanted)
    if not wanted:
        console = make_console(least_width=80)
        for place, result in enumerate(results):
            if place:
                console.print()
            _show(result, console, "details" in options)
    return 0


def _wanted(options: argparse.Namespace) -> dict[str, Path]:
    """The forms asked for, each with the file it goes to, which can be written."""
    from lanes.report.files import check_writable

    wanted = {form: file_of(form, options) for form in FORMS if form in options}
    for path in wanted.values():
        same = [f"--{form}" for form, other in wanted.items() if other == path]
        if len(same) > 1:
            where = "standard output" if path == STDOUT else path
            raise ValueError(f"{' and '.join(same)} both want {where}: give one of them another file")
        if path != STDOUT:
            check_writable(path)
    return wanted


def _form(name: str) -> Callable[[Sequence[Result]], str]:
    text: Callable[[Sequence[Result]], str] = import_module(f"lanes.report.{name}").text
    return text


def _hand_out(texts: Mapping[str, str], wanted: Mapping[str, Path]) -> None:
    for form, text in texts.items():
        path = wanted[form]
        hand_out(partial(str, text), path == STDOUT, None if path == STDOUT else path)


def _compare(
    options: argparse.Namespace, before: Sequence[Result], after: Sequence[Result], wanted: Mapping[str, Path]
) -> int:
    """Two files, held against each other."""
    from lanes.report import changes, markdown

    names = options.result, options.other
    one, other = changes.comparisons(before, names[0]), changes.comparisons(after, names[1])
    if alone := [f"--{form}" for form in wanted if form != "markdown"]:
        raise ValueError(f"{alone[0]} is a form of one result: of two files there is --markdown, and what is printed")
    changes.pairs(one, other)
    if "markdown" in wanted:
        text = "\n".join(markdown.lines_of(changes.blocks(one, other, names)))
        _hand_out({"markdown": text}, wanted)
    else:
        changes.show(one, other, names, make_console(least_width=80))
    return 0


def _show(result: Result, console: Console, details: bool) -> None:
    """What the command that measured it has printed."""
    from lanes.anatomy import Anatomy
    from lanes.comparison import Comparison
    from lanes.load import Load
    from lanes.report import anatomy, claims, load, sweep, table
    from lanes.sweep import Sweep

    match result:
        case Comparison():
            table.show(result, console, details)
        case Sweep():
            sweep.show(result, console)
        case Load():
            load.show(result, console)
        case Anatomy():
            anatomy.show(result, console)
        case _:
            (claims.show_evidence if details else claims.show)(result, console)
