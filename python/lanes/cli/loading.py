"""`lanes load`: from the options to what became of the tasks, shown and written."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from lanes import events
from lanes.arrivals import KINDS as KINDS  # for the help
from lanes.cli.measuring import unless_refused, workload_of
from lanes.cli.rows import modules
from lanes.cli.screen import draws, file_of, hand_out, json_of, make_console, refuse, say
from lanes.load import FULL as FULL
from lanes.load import LASTING as LASTING
from lanes.load import QUEUE as QUEUE
from lanes.load import Instant, Load, load
from lanes.units import format_duration, format_frequency

if TYPE_CHECKING:
    from lanes.types import Workload

_PASSED = ("rate", "arrivals", "queue", "full", "models", "bodies", "workers", "deadline", "log", "seed")


def run_load(options: argparse.Namespace) -> int:
    from lanes.report import json
    from lanes.report import load as report

    try:
        to_stdout, path = json_of(options)
        if "log" in options:
            options.log = file_of("log", options)
            events.begin(options.log)
        workload = _workload(options)
    except (ValueError, OSError) as error:
        refuse(error)
    result = _measure(workload, options)
    if "quiet" in options:
        say(report.problems(result))
    else:
        report.show(result, make_console(stderr=to_stdout, least_width=80))
    hand_out(lambda: json.text([result]), to_stdout, path)
    return 0 if result.ok else 1


def _workload(options: argparse.Namespace) -> Workload:
    if not getattr(options, "workload", None):
        raise ValueError(f"lanes load needs a workload: choose from {', '.join(modules())}")
    if "rate" not in options:
        raise ValueError("lanes load needs a rate at which tasks arrive: --rate 200/s")
    return workload_of(options.workload, options, "load")


def _measure(workload: Workload, options: argparse.Namespace) -> Load:
    given = vars(options)
    choices = {key: given[key] for key in _PASSED if key in given}
    if "for" in given:
        choices["duration"] = given["for"]
    with _live_line(workload.name, "quiet" not in options) as show:
        return unless_refused(partial(load, workload, **choices), show, getattr(options, "log", None))


@contextmanager
def _live_line(title: str, wanted: bool) -> Iterator[Callable[[Instant], None]]:
    """How it goes, on standard error while it does, gone when it is done; nothing where that is no terminal."""
    if not wanted or not draws():
        yield lambda instant: None
        return
    from rich.live import Live

    # Refreshed when there is news: a thread of its own would run beside what is measured.
    with Live("", console=make_console(stderr=True), transient=True, auto_refresh=False) as live:
        yield lambda instant: live.update(f"{title}: {said(instant)}", refresh=True)


def said(instant: Instant) -> str:
    """One line, for a terminal."""
    latency = "-" if instant.latency_s is None else format_duration(instant.latency_s * 1e9)
    return (
        f"{instant.name} ({instant.place + 1} of {instant.places}), {instant.elapsed_s:.1f} s: {instant.in_flight} in"
        f" flight, backlog {instant.backlog:,}, {format_frequency(instant.rate)}, latency {latency}"
    )
