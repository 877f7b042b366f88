"""A load as people read it: what became of the tasks, how long they waited and worked, and the backlog over time; and
as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lanes.backlog import Point, Times
from lanes.load import Load, LoadRow, Terms
from lanes.report import parts, sentences, stall, wording, workload
from lanes.report.fields import made, typed
from lanes.report.files import SCHEMA
from lanes.units import format_duration, format_frequency, format_size

_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.:-=+*#"
"""The same for a console that has no such characters."""

TIMES = "ms: waiting, from due to started; and working, from there to finished"
"""What stands above the second table."""

_WIDTH = 36
"""Columns of a chart."""


def text(load: Load, width: int = 80) -> str:
    """The tables and the chart as plain text."""
    return wording.as_text(lambda console: show(load, console), width)


def show(load: Load, console: Console) -> None:
    """Print what became of the tasks, the times, the chart and what there is to say."""
    wrap = not console.is_terminal
    ran = [row for row in load if row.reason is None]
    console.print(title(load), soft_wrap=wrap)
    wording.print_table(counts(ran), console)
    console.print()
    console.print(TIMES, style="dim")
    wording.print_table(times(ran), console)
    console.print()
    heading, lines = backlogs(load, _PLAIN if console.options.ascii_only else _BLOCKS)
    console.print(heading, style="dim")
    for line in lines:
        console.print(line, soft_wrap=True)
    console.print()
    for note in notes(load):
        console.print(note, soft_wrap=wrap)


def problems(load: Load) -> Iterator[str]:
    """What makes a load fail, one line each."""
    if load.unchecked is not None:
        yield f"outcomes could not be checked, as the baseline failed: {load.unchecked}"
    for row in load:
        if row.error is not None:
            yield f"{row.name}: {row.error}"
            yield from (f"  {line}" for line in (stall.lines(row.stall) if row.stall else ()))
        if row.differences:
            many = f"{len(row.differences)} of {wording.count(len(load.workload.tasks), 'task')}"
            yield f"{row.name}: {many} differ from serial/python, the first: {sentences.differs(row.differences[0])}"


def remark(row: LoadRow) -> str | None:
    """Why a row has nothing to show, or ended early; None where all is well."""
    if row.reason is not None:
        return f"no sense: {row.reason}"
    return None if row.error is None else f"error: {row.error}"


def title(load: Load) -> Text:
    workload, terms, machine = load.workload, load.terms, load.machine
    facts = [f"{wording.count(len(workload.tasks), 'task')} in turn", *wording.params_of(workload)]
    queue = "an unbounded queue" if terms.bound is None else f"a queue of {terms.bound:,}, full: {terms.full}"
    return Text.assemble(
        (workload.name, "bold"),
        f": {', '.join(facts)}\n{format_frequency(terms.rate)} for {format_duration(terms.seconds * 1e9)},"
        f" {terms.arrivals}: {wording.count(f'{load.offered:,}', 'arrival')}; {queue}; seed {load.seed}\n"
        f"Python {machine['python']}{'' if machine['gil'] else ' without GIL'},"
        f" {wording.count(machine['processors_usable'], 'processor')}",
    )


def names(rows: Sequence[LoadRow]) -> list[str]:
    """Without the body where no model has more than one."""
    models = [row.model for row in rows]
    return models if len(set(models)) == len(models) else [row.name for row in rows]


def _columns(*numbers: str) -> Table:
    shown = wording.bare_table()
    shown.add_column("model", no_wrap=True)
    for name in numbers:
        shown.add_column(name, no_wrap=True, justify="right")
    return shown


def counts(rows: Sequence[LoadRow]) -> Table:
    """What no model has seen is left out."""
    always = {"done": "completed", "rejected": "rejected", "backlog": "most_backlog", "at work": "most_at_work"}
    fields = {"done": "completed", "failed": "failed", "rejected": "rejected", "left": "left"} | always
    shown = {
        title: each for title, each in fields.items() if title in always or any(getattr(row, each) for row in rows)
    }
    counts = _columns(*shown, "slip p99", "memory")
    for name, row in zip(names(rows), rows, strict=True):
        slip = "-" if row.slip is None else format_duration(row.slip.p99 * 1e9)
        memory = "-" if row.peak_pss_bytes is None else format_size(row.peak_pss_bytes)
        counts.add_row(name, *(f"{getattr(row, each):,}" for each in shown.values()), slip, memory)
    return counts


def times(rows: Sequence[LoadRow]) -> Table:
    shown = _columns("wait p50", "p90", "p99", "max", "work p50", "p90", "p99", "max")
    for name, row in zip(names(rows), rows, strict=True):
        shown.add_row(name, *_quantiles(row.waiting), *_quantiles(row.working))
    return shown


def _quantiles(times: Times | None) -> tuple[str, ...]:
    if times is None:
        return ("-",) * 4
    return tuple(_ms(each) for each in (times.p50, times.p90, times.p99, times.max))


def _ms(seconds: float) -> str:
    """To three digits or to 10 us: 1,249, 303, 20.2, 0.09."""
    ms = seconds * 1e3
    return f"{ms:,.0f}" if ms >= 99.95 else f"{ms:.1f}" if ms >= 9.995 else f"{ms:.2f}"


# ---- the chart


def backlogs(load: Load, blocks: str = _BLOCKS) -> tuple[str, list[str]]:
    """What is drawn, in words; and for each row that made sense a line: the backlog as it was, and the service."""
    rows = [row for row in load if row.reason is None]
    ended = max((row.series[-1].until_s for row in rows if row.series), default=0.0)
    highest = max((row.most_backlog for row in rows), default=0)
    widest = max(map(len, names(rows)), default=0)
    lines = []
    for name, row in zip(names(rows), rows, strict=True):
        service = "-" if row.working is None else format_duration(row.working.p50 * 1e9)
        line = chart(row.series, ended, max(highest, len(blocks)), blocks)
        lines.append(f"{name:<{widest}} {line:<{_WIDTH}} {format_frequency(row.served):>8} {service:>8}")
    about = f"backlog over {format_duration(ended * 1e9)}, at most {highest:,}"
    return f"{about}; served a second; time of service", lines


def chart(series: Sequence[Point], ended_s: float, highest: int, blocks: str = _BLOCKS) -> str:
    """The backlog in so many blocks as fit until then, `highest` a full one; nothing where the load was over."""
    line = ""
    for column in range(_WIDTH):
        begin, end = ended_s * column / _WIDTH, ended_s * (column + 1) / _WIDTH
        begun = [0.0, *(point.until_s for point in series)]
        seen = [
            point.backlog for point, since in zip(series, begun, strict=False) if since < end and point.until_s > begin
        ]
        if not seen:
            break
        line += blocks[math.ceil(max(seen) / highest * (len(blocks) - 1))]
    return line


# ---- in words


def notes(load: Load) -> Iterator[Text]:
    ran = [row for row in load if row.reason is None and row.latency is not None and row.error is None]
    kept = [row for row in ran if row.kept_up(load.terms)]
    behind = [row for row in ran if not row.kept_up(load.terms)]
    rate = format_frequency(load.terms.rate)
    if kept:
        best = min(kept, key=lambda row: row.latency.p99 if row.latency else math.inf)
        soonest = (
            f", {best.name} the soonest: 99 of 100 tasks within {format_duration(best.latency.p99 * 1e9)}"
            if best.latency
            else ""
        )
        # Of a model with several bodies each has a row.
        what = "model" if len({row.model for row in kept}) == len(kept) else "row"
        yield Text(f"{wording.count(len(kept), what)} kept up with {rate}{soonest}.", "bold")
    if behind:
        most = max(behind, key=lambda row: row.served)
        who = f"the best of them, {most.name}," if len(behind) > 1 else "it"
        served = f"{who} serves {format_frequency(most.served)}"
        names = wording.listed([row.name for row in behind])
        yield Text(f"{names} fell behind {rate}: {served}.")
    if any(row.left for row in ran):
        yield Text(
            "What was left had not begun when all was over: it would have waited longer than any that did.", "dim"
        )
    for line in problems(load):
        yield Text(line, "red")
    for row in load:
        if row.log_error is not None:
            yield Text(f"{row.name}: its log ends early: {row.log_error}", "yellow")
    for line in wording.senseless((row.name, row.reason) for row in load):
        yield Text(line, "dim")


# ---- JSON


def document(load: Load) -> dict[str, object]:
    """A load as what JSON can hold."""
    terms = load.terms
    return {
        "schema": SCHEMA,
        "workload": workload.document(load.workload, load.machine),
        "machine": dict(load.machine),
        "seed": load.seed,
        "load": {
            "rate": terms.rate,
            "arrivals": terms.arrivals,
            "for_s": terms.seconds,
            "queue": terms.bound,
            "full": terms.full,
            "open_s": terms.open_s,
            "offered": load.offered,
            "unchecked": load.unchecked,
            "rows": [_row(row, load.unchecked is None) for row in load],
        },
    }


def _row(row: LoadRow, checked: bool) -> dict[str, object]:
    return {
        "model": row.model,
        "family": row.family,
        "body": row.body,
        "workers": row.workers,
        "arrived": row.arrived,
        "completed": row.completed,
        "failed": row.failed,
        "rejected": row.rejected,
        "left": row.left,
        "waiting_s": row.waiting and asdict(row.waiting),
        "working_s": row.working and asdict(row.working),
        "latency_s": row.latency and asdict(row.latency),
        "slip_s": row.slip and asdict(row.slip),
        "most_backlog": row.most_backlog,
        "most_at_work": row.most_at_work,
        "served": row.served,
        "peak_pss_bytes": row.peak_pss_bytes,
        "memory": parts.memory(row.memory),
        "series": [asdict(point) for point in row.series],
        "agrees": not row.differences if checked and row.error is None and row.reason is None else None,
        "differences": [parts.difference(difference) for difference in row.differences],
        "error": row.error,
        "stall": row.stall and stall.document(row.stall),
        "log_error": row.log_error,
        "reason": row.reason,
    }


def read(found: dict[str, Any]) -> Load:
    """The load of such a document. Raises ValueError, KeyError or TypeError for any other."""
    told = found["load"]
    seconds, bound = typed(float, told["for_s"], "for_s"), typed(int | None, told["queue"], "queue")
    if seconds <= 0:
        raise ValueError("for_s must be longer than nothing")
    return Load(
        workload.read(found["workload"]),
        made(Terms, told, seconds=seconds, bound=bound),
        typed(int, told["offered"], "offered"),
        typed(int, found["seed"], "seed"),
        parts.read_machine(found),
        tuple(map(_read_row, told["rows"])),
        typed(str | None, told["unchecked"], "unchecked"),
    )


def _read_row(found: dict[str, Any]) -> LoadRow:
    times = {name: typed(Times | None, found[f"{name}_s"], name) for name in ("waiting", "working", "latency", "slip")}
    if (working := times["working"]) is not None and working.max < 0:
        raise ValueError("working_s must not be negative")
    row = made(
        LoadRow,
        found,
        differences=tuple(map(parts.read_difference, found["differences"])),
        stall=None if found["stall"] is None else stall.read(found["stall"]),
        memory=parts.read_memory(found["memory"]) if "memory" in found else (),
        **times,
    )
    if not all(0 <= point.backlog <= row.most_backlog for point in row.series):
        raise ValueError("most_backlog must be the most of its series")
    return row
