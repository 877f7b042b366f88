"""Results in the Chrome trace event format, to zoom into with Perfetto (https://ui.perfetto.dev) or chrome://tracing.

Each row is a process, in the order of the grid, and its workers are that process's threads; the ids that the kernel
knew them by are arguments of each task. All rows begin at 0, as their runs did: they stand on one time scale.

    X         complete events of a thread: the phases of the run, and each task of a worker that has its thread alone
    b, e      a pair for each task of a place of a loop: such tasks overlap on one thread, and each has an id
    C         counters: tasks in flight and not claimed, or of a load at work, in its queue and outside; and memory
    i         what is missing, and why: a row that did not run or is void, spans that were dropped
    M         what processes and threads are called, and in what order they stand

A pair is named after its place, as Perfetto has a line for each name, and the task stands in its arguments.

A load keeps no spans, so its rows have counters alone: for each interval the most there was. Memory is that of the pass
that is about it, which is no timed one. Where nobody looked while it ran there is no counter: a peak is no series.

Times are microseconds with the nanoseconds behind the point. Where there are more spans than there is room for, each
row has those that began first and an instant where the others are missing; `otherData` says `overflow` and how many.

The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING, Any, TypeAlias

import lanes
from lanes.comparison import Comparison, Row
from lanes.load import Load, LoadRow
from lanes.report import load
from lanes.report.timeline import Bar, Track, timeline
from lanes.report.wording import writable
from lanes.shown import Shown
from lanes.sweep import Sweep
from lanes.units import whole

if TYPE_CHECKING:
    from lanes.types import MemoryAt, Run

MOST_SPANS = 100_000
"""So many a trace has room for, all rows together: some 40 MB, which a browser still takes."""

_MOST_POINTS = 20_000
"""Of a counter of one row. Where it changed more often, every second, third, ... change is left in."""

Event: TypeAlias = dict[str, Any]


def text(results: Sequence[Shown], most_spans: int = MOST_SPANS) -> str:
    """The trace of comparisons, sweeps and loads as JSON, with at most so many spans.

    Raises ValueError for a result of another kind, which has nothing that a trace could show.
    """
    whole(most_spans, "most_spans")
    traced = [_traced(result) for result in results]
    tracks = [timeline(result) if isinstance(result, Comparison) else () for result in traced]
    spans = [sum(len(lane.bars) for lane in track.lanes) for track in chain(*tracks)]
    room = _room(spans, most_spans)
    trace = _Trace(room)
    for result, those in zip(traced, tracks, strict=True):
        title = f"{result.workload.name}: " if len(traced) > 1 else ""
        for track in those:
            trace.add_track(title + track.name, track)
        for row in result if isinstance(result, Load) else ():
            trace.add_load(title + row.name, row)
    document = {
        "displayTimeUnit": "ms",
        "otherData": {
            "lanes": lanes.__version__,
            "results": [_about(result) for result in traced],
            "overflow": any(many > room for many in spans),
            "spans_dropped": sum(max(0, many - room) for many in spans),
        },
        "traceEvents": trace.in_order(),
    }
    return json.dumps(document, allow_nan=False, separators=(",", ":")) + "\n"


def _room(spans: Iterable[int], most: int) -> int:
    """For how many spans of each row there is room: for all, or as many for one as for another, once rows with fewer
    have all of theirs."""
    left, ordered = most, sorted(spans)
    for place, many in enumerate(ordered):
        share = left // (len(ordered) - place)
        if many > share:
            return max(1, share)
        left -= many
    return most


def _traced(result: Shown) -> Comparison | Load:
    if isinstance(result, Sweep):
        return result.comparison
    if isinstance(result, Comparison | Load):
        return result
    kind = type(result).__name__
    raise ValueError(f"a trace shows a Comparison, a Sweep or a Load: {kind} has no spans and no series of a run")


def _about(result: Comparison | Load) -> dict[str, object]:
    return {
        "workload": result.workload.name,
        "params": dict(result.workload.params),
        "seed": result.seed,
        "machine": dict(result.machine),
    }


class _Trace:
    """The events of all rows. Processes and threads have numbers of the trace's own, each given once: what the kernel
    gave them comes again from row to row."""

    def __init__(self, room: int) -> None:
        """room: for how many spans of each row."""
        self._room = room
        self._numbers = count(1)
        self._names: list[Event] = []
        self._events: list[Event] = []

    def in_order(self) -> list[Event]:
        """What all is called, then all else by time."""
        return self._names + sorted(self._events, key=_moment)

    def add_track(self, name: str, track: Track) -> None:
        pid, row, run = self._process(name), track.row, track.row.typical
        if track.remark is not None:
            self._events.append(_instant(pid, 0.0, track.remark))
        if run is None or not run.spans:
            return
        self._thread(pid, pid, "run")
        self._events += _phases(pid, run)
        bars = sorted((bar for lane in track.lanes for bar in lane.bars), key=lambda bar: (bar.started_s, bar.task))
        kept = {bar.task for bar in bars[: self._room]}
        outcomes = _outcomes(row)
        apart = not _are_places(track, run)
        for lane in track.lanes:
            tid = pid
            if apart:
                self._thread(pid, tid := next(self._numbers), lane.label)
            for bar in lane.bars:
                if bar.task in kept:
                    args = {**_arguments(bar, row), **({"outcome": outcomes[bar.task]} if outcomes else {})}
                    self._events += _complete(bar, pid, tid, args) if apart else _pair(bar, pid, lane.label, args)
        if dropped := bars[self._room :]:
            words = f"{len(dropped):,} spans dropped: there was room for {self._room:,} of this row"
            self._events.append(_instant(pid, dropped[0].started_s, words))
        self._events += _tasks(pid, bars)
        self._events += _memory(pid, row.closeup.memory if row.closeup else (), run.wall_s)

    def add_load(self, name: str, row: LoadRow) -> None:
        pid = self._process(name)
        if (remark := load.remark(row)) is not None:
            self._events.append(_instant(pid, 0.0, remark))
        began_s = 0.0
        for point in row.series:
            counted = {"at work": point.at_work, "backlog": point.backlog, "outside": point.outside}
            self._events.append(_counter(pid, began_s, "tasks", counted))
            began_s = point.until_s
        if row.series:  # what was not begun by then is left
            self._events.append(_counter(pid, began_s, "tasks", {"at work": 0, "backlog": 0, "outside": 0}))
        self._events += _memory(pid, row.memory, began_s)

    def _process(self, name: str) -> int:
        pid = next(self._numbers)
        self._names.append(_metadata("process_name", pid, pid, {"name": writable(name)}))
        self._names.append(_metadata("process_sort_index", pid, pid, {"sort_index": pid}))
        return pid

    def _thread(self, pid: int, tid: int, name: str) -> None:
        self._names.append(_metadata("thread_name", pid, tid, {"name": name}))
        self._names.append(_metadata("thread_sort_index", pid, tid, {"sort_index": tid}))


def _moment(event: Event) -> tuple[float, bool, float]:
    """By which events stand in order. At one moment a pair is over before another begins, and of slices the longer one
    comes first, as it is around the other."""
    return event["ts"], event["ph"] != "e", -event.get("dur", 0.0)


def _are_places(track: Track, run: Run) -> bool:
    """Whether the workers are places of a loop, whose tasks overlap on its thread."""
    threads = {(span.process_id, span.thread_id) for span in run.spans}
    return len(threads) < len(track.lanes) or any(lane.label.startswith("place") for lane in track.lanes)


def _outcomes(row: Row) -> list[str]:
    """What came of each task, in words, where that is known: of the runs only the first keeps its outcomes, and where
    nothing differs they are those of the typical one."""
    outcomes = row.runs[0].outcomes if row.agrees or row.typical is row.runs[0] else ()
    return [writable(": ".join(filter(None, (each.status, each.error)))) for each in outcomes]


def _us(seconds: float) -> float:
    """Microseconds; a thousand times as many are no less than the nanoseconds, as readers cut off what is left over."""
    ns = round(seconds * 1e9)
    us = ns / 1000
    return us if us * 1000 >= ns else math.nextafter(us, math.inf)


def _metadata(name: str, pid: int, tid: int, args: Mapping[str, object]) -> Event:
    return {"ph": "M", "name": name, "pid": pid, "tid": tid, "args": args}


def _instant(pid: int, at_s: float, words: str) -> Event:
    return {"ph": "i", "s": "p", "name": writable(words), "cat": "lanes", "pid": pid, "tid": pid, "ts": _us(at_s)}


def _counter(pid: int, at_s: float, name: str, counted: Mapping[str, int]) -> Event:
    return {"ph": "C", "name": name, "pid": pid, "tid": pid, "ts": _us(at_s), "args": counted}


def _phases(pid: int, run: Run) -> Iterator[Event]:
    edges = (0.0, run.startup_s, run.startup_s + run.work_s, run.wall_s)
    for name, began_s, ended_s in zip(("start-up", "work", "shutdown"), edges, edges[1:], strict=False):
        length = {"ts": _us(began_s), "dur": _us(ended_s - began_s)}
        yield {"ph": "X", "name": name, "cat": "run", "pid": pid, "tid": pid, **length}


def _arguments(bar: Bar, row: Row) -> dict[str, object]:
    return {
        "task": bar.task,
        "text": writable(bar.text),
        "body": row.body or "native",
        "worker": bar.worker,
        "thread_id": bar.thread_id,
        "process_id": bar.process_id,
        "cpu": bar.cpu,
        "claimed_s": bar.claimed_s,
        "started_s": bar.started_s,
        "finished_s": bar.finished_s,
        "cpu_s": bar.cpu_s,
    }


def _complete(bar: Bar, pid: int, tid: int, args: Mapping[str, object]) -> Iterator[Event]:
    length = {"ts": _us(bar.started_s), "dur": _us(bar.finished_s - bar.started_s), "tdur": _us(bar.cpu_s)}
    yield {"ph": "X", "name": f"task {bar.task}", "cat": "task", "pid": pid, "tid": tid, **length, "args": args}


def _pair(bar: Bar, pid: int, place: str, args: Mapping[str, object]) -> Iterator[Event]:
    # The id is local to the process: Perfetto would not draw a pair with any other among its process's threads.
    both = {"name": place, "cat": "task", "id2": {"local": f"{bar.task:#x}"}, "pid": pid, "tid": pid}
    yield {"ph": "b", **both, "ts": _us(bar.started_s), "args": args}
    # None is over before it has begun: a task may be shorter than the clock can tell.
    yield {"ph": "e", **both, "ts": _us(max(bar.finished_s, bar.started_s + 1e-9))}


def _tasks(pid: int, bars: Sequence[Bar]) -> Iterator[Event]:
    """How many are in flight, and how many nobody has claimed so far, whenever that changes."""
    changes = [(0.0, 0, 0)]
    for bar in bars:
        changes += (bar.claimed_s, 0, -1), (bar.started_s, 1, 0), (bar.finished_s, -1, 0)
    changes.sort()
    flying, left = 0, len(bars)
    each = math.ceil(len(changes) / _MOST_POINTS)
    for n, (at_s, flight, claim) in enumerate(changes, start=1):
        flying, left = flying + flight, left + claim
        last = n == len(changes)
        if (last or changes[n][0] != at_s) and (last or n % each == 0):
            yield _counter(pid, at_s, "tasks", {"in flight": flying, "not claimed": left})


def _memory(pid: int, series: Iterable[MemoryAt], ended_s: float) -> Iterator[Event]:
    """As it was seen; then the process is gone."""
    last_s = None
    for last_s, size in series:
        yield _counter(pid, last_s, "memory", {"bytes": size})
    if last_s is not None:
        yield _counter(pid, max(last_s, ended_s), "memory", {"bytes": 0})
