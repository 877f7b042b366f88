"""The lanes of a comparison as geometry: who did which task from when to when, and how much of that time it worked.

One track a row, one lane a worker, one bar a task; every time is in seconds since the row's typical run began, so all
tracks stand on one time scale: taking turns, overlapping waits and true parallelism are seen at a glance. Nothing is
drawn here, nor left out: the pictures and pages that do both share this.

A bar is as long as its task took. How much of that its worker was on a processor is `working`, a share: a bar that is
pale over its whole length, with a solid one of the height `working` in it, shows CPU time as its solid area.

The CPU time of a span is its thread's. Where the tasks of one thread overlap, as on a loop, each span holds the CPU
time of all of them, and nobody knows whose it was: it is divided evenly among the tasks that were in flight at the
time. So the bars of a thread add up to what the thread has used, but one that kept the loop busy while others waited
looks like them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from lanes import models
from lanes.report import sentences, wording
from lanes.types import Kind, Run, Span
from lanes.units import short

if TYPE_CHECKING:
    from lanes.comparison import Comparison, Row

_WORDS: dict[Kind, str] = {
    "threads": "thread",
    "coroutines": "place",
    "processes": "process",
    "children": "process",
    "places": "place",
}
"""What a lane is called, by what the workers are."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One task on its lane.

    task:      its index in the workload; text: what it is about, as the workload has it ("" where that says nothing).
    worker:    the number of the lane. thread_id, process_id: the kernel's. cpu: the processor it began on.
    claimed_s, started_s, finished_s: seconds since the run began: taken by the worker, begun and ended by the body.
    cpu_s:     CPU seconds of its own, between start and finish.
    working:   the share of that time, from 0 to 1.
    """

    task: int
    text: str
    worker: int
    thread_id: int
    process_id: int
    cpu: int
    claimed_s: float
    started_s: float
    finished_s: float
    cpu_s: float
    working: float


@dataclass(frozen=True, slots=True)
class Lane:
    """One worker and its tasks.

    worker: its number, from 0, in the order in which the workers began their first tasks.
    label:  the same in words: "thread 0", "process 1", "place 2", "caller".
    bars:   in the order in which the tasks began.
    """

    worker: int
    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Track:
    """The lanes of a row's typical run.

    row:    it itself. lanes: one for each worker.
    name:   of the row, with its number of workers where other rows have the same name.
    wall_s: of that run; None where there is none, and then there are no lanes.
    remark: why there are no lanes, or why what they show is void: "no sense: ...", "error: ...", "void: ..."; None
            where all is well.
    """

    name: str
    row: Row
    wall_s: float | None
    lanes: tuple[Lane, ...]
    remark: str | None


def timeline(comparison: Comparison, rows: Iterable[Row] | None = None) -> tuple[Track, ...]:
    """A track for each of these rows, or for all; a row that did not run has one without lanes, which says why."""
    texts = [task.text for task in comparison.workload.tasks]
    rows = list(comparison if rows is None else rows)
    return tuple(
        Track(
            name,
            row,
            row.typical.wall_s if row.typical else None,
            tuple(_lanes(row.typical, texts)) if row.typical else (),
            remark(row),
        )
        for name, row in zip(names(comparison, rows), rows, strict=True)
    )


def names(comparison: Comparison, rows: Iterable[Row]) -> list[str]:
    """What these rows are called in a picture: with their numbers of workers where names alone do not tell rows apart,
    as in a sweep."""
    many = Counter(row.name for row in comparison)
    return [row.name if many[row.name] < 2 else f"{row.name}, {wording.count(row.workers, 'worker')}" for row in rows]


def chosen(comparison: Comparison, wanted: str | Iterable[str | tuple[str, str | None]] | None = None) -> list[Row]:
    """The rows that are wanted, in this order, each once.

    A word is a row ("threading/released"), a model ("threading": its Python body, if it has one; in a sweep that with
    the fewest workers) or a family ("python", "native": each of its models so); a pair is a model and a body. Several
    stand in a list or are parted by commas. None is every model so: a picture of all bodies would be three times as
    high and say little more.

    Raises ValueError for what is not there.
    """
    by_model: dict[str, list[Row]] = {}
    for row in comparison:
        by_model.setdefault(row.model, []).append(row)
    usual = {model: min(rows, key=lambda row: row.body != "python") for model, rows in by_model.items()}
    if wanted is None:
        return list(usual.values())
    found: dict[int, Row] = {}
    for word in wanted.split(",") if isinstance(wanted, str) else wanted:
        key = word.strip() if isinstance(word, str) else word
        meant = [row for row in comparison if key in (row.name, (row.model, row.body))][:1]
        meant = meant or [row for row in usual.values() if row.model == key]
        meant = meant or [row for row in usual.values() if row.family == key]
        if not meant:
            there = ", ".join(dict.fromkeys(row.name for row in comparison))
            raise ValueError(f"no row {short(key)}: there are {there}")
        found.update((id(row), row) for row in meant)
    if not found:
        raise ValueError("no row: leave the models out for all, or give one")
    return list(found.values())


def remark(row: Row) -> str | None:
    """Why a row has nothing to show, or why what it shows is void; None where all is well."""
    broken = [each.why if row.differences else f"broken law: {each.name} ({each.why})" for each in row.broken]
    why = row.reason or row.error or next(iter(broken), None)
    if why is None and not row.differences:
        return None if row.runs else "it did not run"
    word = sentences.word(row).plain
    return word if why is None else f"{word}: {why}"


def _lanes(run: Run, texts: Sequence[str]) -> Iterator[Lane]:
    working = _own(run.spans)
    kind = _kind(run)
    spans = sorted(enumerate(run.spans), key=lambda each: (each[1].worker, each[1].started_ns, each[0]))
    for worker, those in groupby(spans, key=lambda each: each[1].worker):
        bars = (
            _bar(task, span, texts[task] if task < len(texts) else "", working[task], run.began_ns)
            for task, span in those
        )
        yield Lane(worker, kind if kind == "caller" else f"{kind} {worker}", tuple(bars))


def _bar(task: int, span: Span, text: str, own_ns: float, began_ns: int) -> Bar:
    length_ns = span.finished_ns - span.started_ns
    return Bar(
        task=task,
        text=text,
        worker=span.worker,
        thread_id=span.thread_id,
        process_id=span.process_id,
        cpu=span.cpu,
        claimed_s=(span.claimed_ns - began_ns) / 1e9,
        started_s=(span.started_ns - began_ns) / 1e9,
        finished_s=(span.finished_ns - began_ns) / 1e9,
        cpu_s=own_ns / 1e9,
        working=min(1.0, own_ns / length_ns) if length_ns > 0 else 0.0,
    )


def _kind(run: Run) -> str:
    """What a worker of this run is. A result from elsewhere may know a model that is not here."""
    model = models.parted(run.model)[0]
    if model in ("serial", "native-serial"):
        return "caller"
    try:
        return _WORDS[models.kind(models.load(model), run.workload)]
    except (ValueError, ImportError):
        return "worker"


def _own(spans: Sequence[Span]) -> dict[int, float]:
    """By task, the nanoseconds of CPU time that are its own: of those of its span, moment by moment, what falls to one
    of the tasks in flight on that thread."""
    threads: dict[tuple[int, int], list[int]] = {}
    for task, span in enumerate(spans):
        threads.setdefault((span.process_id, span.thread_id), []).append(task)
    own: dict[int, float] = {}
    for tasks in threads.values():
        edges = sorted(edge for task in tasks for edge in ((spans[task].started_ns, 1), (spans[task].finished_ns, -1)))
        alone: dict[
            int, float
        ] = {}  # by moment: how long a task would have had the thread to itself, had it been there
        sofar, before, flying = 0.0, 0, 0
        for at, change in edges:
            sofar += (at - before) / flying if flying > 0 else 0.0
            alone[at], before, flying = sofar, at, flying + change
        for task in tasks:
            span = spans[task]
            length = span.finished_ns - span.started_ns
            share = (alone[span.finished_ns] - alone[span.started_ns]) / length if length > 0 else 1.0
            own[task] = span.cpu_ns * share
    return own
