"""`lanes compare` and `lanes sweep`: from the options to the results, shown and written."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from lanes import events, workloads
from lanes.cli.rows import modules, row_of, written
from lanes.cli.screen import display_of, file_of, json_of, make_console, refuse, say
from lanes.compare import compare
from lanes.comparison import Comparison
from lanes.sweep import Sweep, comparison_of
from lanes.types import Workload
from lanes.workloads import function

if TYPE_CHECKING:
    from rich.console import Console

Result = TypeVar("Result", "Comparison", "Sweep")
T = TypeVar("T")
S = TypeVar("S")

BY_DEFAULT = ("download", "compute")
"""What `lanes compare` compares when it is not told."""


def run_compare(options: argparse.Namespace) -> int:
    from lanes.report import table

    chosen: str | None = getattr(options, "workload", None)
    show = partial(table.show, details="details" in options)
    return _perform([chosen] if chosen else BY_DEFAULT, options, compare, show)


def run_sweep(options: argparse.Namespace) -> int:
    from lanes.report import sweep as report
    from lanes.sweep import sweep

    if not getattr(options, "workload", None):
        names = ", ".join(modules())
        refuse(ValueError(f"lanes sweep needs a workload: choose from {names}"))
    return _perform([options.workload], options, sweep, report.show)


def _perform(
    names: Sequence[str],
    options: argparse.Namespace,
    measure: Callable[..., Result],
    show: Callable[[Result, Console], None],
) -> int:
    """Measure one workload after another, show each result, and write them all."""
    from lanes.report import files, json, sentences

    try:
        to_stdout, path = json_of(options)
        if "log" in options:
            options.log = file_of("log", options)
            events.begin(options.log)
        made = [workload_of(name, options) for name in names]
    except (ValueError, OSError) as error:
        refuse(error)
    results: list[Result] = []
    for workload in made:
        results.append(measured(workload, options, measure, not results))
        if "quiet" in options:
            say(sentences.problems(comparison_of(results[-1])))
        else:
            console = make_console(stderr=to_stdout, least_width=80)
            if len(results) > 1:
                console.print()
            show(results[-1], console)
        # After each, for the next may not come to its end; but a pipe takes only one document.
        if path and (len(results) == len(made) or not files.is_special(path)):
            try:
                json.write(results, path)
            except OSError as error:
                refuse(error)
    if to_stdout:
        print(json.text(results), end="")
    return 0 if all(comparison_of(result).ok for result in results) else 1


def workload_of(name: str, options: argparse.Namespace, command: str = "compare") -> Workload:
    """The workload, made from those of its choices that were given."""
    if row_of(name) == function.FORM:
        return _function(name, options)
    given, module = vars(options), workloads.load(name)
    asked = {key: written(command, name, key) for key in ("tasks", *module.OPTIONS)}
    choices = {key: given[option] for key, option in asked.items() if option in given}
    inputs = [*given.get("input", []), *(_read_urls(file_of("urls", options)) if "urls" in given else [])]
    make: Callable[..., Workload] = getattr(module, name)
    return make(inputs, **choices) if inputs else make(**choices)


def _function(path: str, options: argparse.Namespace) -> Workload:
    if "items" not in options:
        raise ValueError(f"{path} needs --items FILE: {function.OPTIONS['items'][1]}")
    from lanes.workloads.function_path import find, read_items

    items = read_items(file_of("items", options))
    return function.workload(find(path), items=items, tasks=getattr(options, "tasks", None))


def _read_urls(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {path}: it is not UTF-8 text") from None
    urls = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not urls:
        raise ValueError(f"there are no URLs in {path}: it must have one a line")
    return urls


def measured(workload: Workload, options: argparse.Namespace, measure: Callable[..., T], first: bool = True) -> T:
    """What comes of the workload with those of the options that were given; bad ones are refused."""
    passed = ("models", "bodies", "workers", "rounds", "budget", "deadline", "seed", "pulse", "log")
    choices = {key: value for key, value in vars(options).items() if key in passed}
    log: Path | None = getattr(options, "log", None) if first else None  # all workloads of a command share it
    with display_of(workload.name, "quiet" not in options) as show:
        return unless_refused(partial(measure, workload, **choices), show, log)


def unless_refused(
    measure: Callable[..., T],
    show: Callable[[S], None],
    log: Path | None,
    refuse: Callable[[ValueError | OSError], NoReturn] = refuse,
) -> T:
    """What comes of it. With its first step all that was asked for has been found good: until then an error is for
    whoever asked, and the log still that of an earlier command."""
    begun = False

    def progress(step: S) -> None:
        nonlocal begun
        if not begun and log is not None:
            events.begin(log, anew=True)
        begun = True
        show(step)

    try:
        return measure(progress=progress)
    except (ValueError, OSError) as error:
        if begun:
            raise
        refuse(error)
