"""One workload on many models while its tasks arrive over time: how long they wait, how many wait, what is sent away.

A comparison gives a model all tasks at once and asks how long it takes. A load lets them come, at a rate that the model
may not keep up with, and asks how long each of them takes. The arrivals are made beforehand from the seed and are the
same for every model, each of which meets them in a fresh process of its own. Where there is a producer (the models
with a queue of the library's) it hands a task over at its time, and slips when the queue is full and makes it wait.

Arrivals last for `duration`; what they leave in the queue may then be worked off for as long again. What has not begun
by then is left, so that a model that falls far behind comes to an end, too.

A log of every event disturbs a load, and so is a pass of its own: each model meets the same arrivals once more.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanes import machine, sample
from lanes.arrivals import schedule
from lanes.backlog import Book, Point, Times
from lanes.closeup import MemoryWatch
from lanes.compare import Cell, cells_of, seed_of
from lanes.comparison import BASELINE, Difference, label, named
from lanes.models import pick, select
from lanes.run import as_workload
from lanes.shown import Shown, needed
from lanes.source import Gate
from lanes.types import BODIES, MemoryAt, Outcome, Receiving, Run, Workload
from lanes.units import parse_bound, parse_duration, parse_frequency, short

if TYPE_CHECKING:
    from lanes.report.picture import Picture
    from lanes.stall import Stall

QUEUE = 64
LASTING = "5s"
FULL = ("wait", "reject")
UNDONE = ("rejected", "left")
"""What comes of a task that is never started."""

_LOOK_S = 0.1
_MEMORY_S = 0.3
"""Reading a process's memory stops it for a moment: so long it is left alone between two looks, or longer."""

_SPARE_NS = 10**9
_MOSTLY = 0.9


@dataclass(frozen=True, slots=True)
class Terms:
    """What every model of a load meets.

    rate: arrivals a second, on average. arrivals: "constant" or "poisson". seconds: for how long they come.
    bound: how many may wait in the queue; None for any number. full: what comes to a full one is to "wait" or is
    "reject"ed. open_s: what has not begun so long after the beginning is left.
    """

    rate: float
    arrivals: str
    seconds: float
    bound: int | None
    full: str
    open_s: float

    @property
    def rejects(self) -> bool:
        """Whether what comes to a full queue is sent away."""
        return self.full == "reject"


@dataclass(frozen=True, slots=True)
class Instant:
    """A load as it goes.

    name: the cell that is at it. place: which of so many `places` it is, from 0. elapsed_s: for how many seconds.
    in_flight: tasks that have been started and not finished. backlog: how many wait.
    rate: since the look before, how many were finished a second. latency_s: how many seconds these took since they
    were due, on average; None where none was.
    """

    name: str
    place: int
    places: int
    elapsed_s: float
    in_flight: int
    backlog: int
    rate: float
    latency_s: float | None


@dataclass(frozen=True, slots=True)
class LoadRow:
    """What became of the arrivals on one model with one body.

    model, family, body, workers: as in a `Row`.
    arrived: how many tasks there were, the sum of the four that follow.
    completed: those that were finished; failed: the work failed, as work may, or its worker was killed.
    rejected: by a full queue; left: not begun when all was over, or, on a model that ended with an error, not finished.
    waiting, working, latency, slip: from due to started, from there to finished, from due to finished, and from due to
    admitted; all of those that came so far. None where none did.
    most_backlog: the most tasks in the queue; most_at_work: begun and not finished. served: tasks finished a second.
    peak_pss_bytes: of the process and its children; None where the load was over too soon for a look. memory: the same
    as the load went, in seconds since it began; such looks are some 0.3 s apart.
    series: how it went, in intervals of equal length.
    differences: tasks whose outcome is not the baseline's. error: why it ended early; stall: where every worker stood
    when the deadline came, None where none came; log_error: why the run whose events were logged ended early; reason:
    why the cell makes no sense, and has nothing else.
    """

    model: str
    family: str
    body: str | None
    workers: int
    arrived: int = 0
    completed: int = 0
    failed: int = 0
    rejected: int = 0
    left: int = 0
    waiting: Times | None = None
    working: Times | None = None
    latency: Times | None = None
    slip: Times | None = None
    most_backlog: int = 0
    most_at_work: int = 0
    served: float = 0.0
    peak_pss_bytes: int | None = None
    series: tuple[Point, ...] = field(default=(), repr=False)
    differences: tuple[Difference, ...] = ()
    error: str | None = None
    stall: Stall | None = None
    log_error: str | None = None
    reason: str | None = None
    memory: tuple[MemoryAt, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """Of the cell: "threading/python"."""
        return label(self.model, self.body)

    @property
    def ok(self) -> bool:
        """Whether it came to its end and gave what the baseline gives."""
        return self.error is None and not self.differences

    def kept_up(self, terms: Terms) -> bool:
        """Whether it served what came as fast as it came, give or take a tenth and the length of a task."""
        if not self.arrived or self.working is None or self.error or self.rejected or self.left:
            return False
        return self.served >= _MOSTLY * self.arrived / (terms.seconds + self.working.max)


@dataclass(frozen=True, slots=True)
class Load(Shown):
    """What a load came to. `result["threading"]` is one of its rows.

    workload: what arrived. terms: how, the same for every model. offered: how many tasks arrived at each.
    seed: of the order of the models, of Poisson arrivals, and of what `random` drew.
    machine: the facts that the result depends on: see `lanes.machine.facts`.
    rows: in the order of the grid. unchecked: why outcomes could not be held against the baseline's, or None.
    """

    workload: Workload
    terms: Terms
    offered: int
    seed: int
    machine: Mapping[str, object]
    rows: tuple[LoadRow, ...]
    unchecked: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every model came to its end and gave what the baseline gives."""
        return self.unchecked is None and all(row.ok for row in self.rows)

    def __iter__(self) -> Iterator[LoadRow]:
        return iter(self.rows)

    def __getitem__(self, key: str | tuple[str, str | None]) -> LoadRow:
        """The row of a model, or of a model and a body. A Python model alone gives its Python body.

        Raises KeyError where there is none, which says what there is.
        """
        return named(self.rows, key, "row")

    def __str__(self) -> str:
        """The tables, as `lanes load` shows them."""
        from lanes.report import load  # printing stands above measuring, and is not loaded to measure

        return load.text(self)

    def plot(self) -> Picture:
        """Of each model the backlog over time, and beside it the service time: a matplotlib figure that shows itself in
        a notebook, and is saved by `.savefig(path)`.

        Raises ImportError without matplotlib: pip install "gil-lanes[plot]".
        """
        needed("matplotlib", "plot")
        from lanes.report import plot_load

        return plot_load.plot(self)


def load(
    workload: Workload | Callable[[Any], object],
    items: Iterable[object] | None = None,
    *,
    rate: str | float,
    arrivals: str = "constant",
    queue: str | int | None = QUEUE,
    full: str = "wait",
    duration: str | float = LASTING,
    models: str | Iterable[str] = "all",
    bodies: str | Iterable[str] = "python",
    workers: int | None = None,
    deadline: str | float | None = None,
    log: str | os.PathLike[str] | None = None,
    progress: Callable[[Instant], None] | None = None,
    seed: int | None = None,
) -> Load:
    """Let the tasks of `workload`, each in its turn, arrive at every model asked for, and see what becomes of them.

    The workload may be a function of your own, with items, as in `compare`.

    rate:     how many arrive, such as "200/s" or "12000/min"; a number is per second.
    arrivals: "constant", one after the other; or "poisson", which know nothing of each other.
    queue:    how many may wait for a worker, 64 when left out; "unbounded" or None for any number, as the standard
              library has it.
    full:     what a task does that finds the queue full: "wait", which makes its producer late, or "reject".
    duration: for how long tasks arrive, "5s" when left out. What has not begun as long again after that, and a second,
              is left.
    models, bodies, workers: as in `compare`; of the bodies only Python's when nothing is said.
    deadline: for one model; when left out 120 s after the load is over. One that takes longer is killed, with an error.
    log:      a file to which the events of one more run of each row are appended, as in `compare`.
    progress: called with an Instant when a model begins, and then about ten times a second.
    seed:     of the order of the models, of Poisson arrivals, and of what `random` draws in the samples; the one that
              was used stands in the result.

    >>> result = lanes.load(lanes.wait(duration="1ms"), rate="200/s", duration="50ms", models="threading")
    >>> result["threading"].arrived
    10

    Raises ValueError for what does not exist or parse, and for more arrivals or workers than there is room for; OSError
    for a log that nobody can write.
    """
    workload = as_workload(workload, items)
    seed = seed_of(seed)
    terms, due = _agreed(rate, arrivals, queue, full, duration, seed)
    deadline_s = sample.DEADLINE_S + terms.open_s if deadline is None else parse_duration(deadline) / 1e9
    if deadline_s <= 0:
        raise ValueError(f"deadline must be longer than nothing, not {short(deadline)}")
    cells = _wanted(cells_of(workload, models, bodies, workers), models, bodies)
    most = workload.most_tasks if isinstance(workload, Receiving) else None
    if most is not None and len(due) > most:
        raise ValueError(f"of {len(due):,} arrivals the answers of {most:,} have room: take a lower rate or less time")
    path = None if log is None else _begun(Path(log))
    with workload.serve() as served:
        expected, unchecked = _expected(served, deadline_s, seed)
        order = [cell for cell in cells if cell.reason is None]
        random.Random(seed).shuffle(order)
        runs = len(order) * (1 if path is None else 2)
        trials = [
            _Trial(cell, terms, due, deadline_s, seed, (place, runs, progress or _nobody))
            for place, cell in enumerate(order)
        ]
        done = {trial.cell.name: trial.row(served, expected) for trial in trials}
        if path is not None:
            done |= {trial.cell.name: trial.logged(served, done[trial.cell.name], path) for trial in trials}
    rows = tuple(done.get(cell.name) or _senseless(cell) for cell in cells)
    return Load(workload, terms, len(due), seed, machine.facts(), rows, unchecked)


def _begun(log: Path) -> Path:
    """Where samples can append to it, whatever directory is theirs."""
    from lanes import events  # only where they are wanted

    events.begin(log)
    return log.absolute()


def _nobody(instant: Instant) -> None:
    """To be told when nobody wants to know."""


def _agreed(
    rate: str | float, arrivals: str, queue: str | int | None, full: str, duration: str | float, seed: int
) -> tuple[Terms, tuple[int, ...]]:
    """The terms, and when each task is due."""
    frequency, bound, for_ns = parse_frequency(rate), parse_bound(queue), parse_duration(duration)
    if full not in FULL:
        raise ValueError(f"unknown rule for a full queue {full!r}: choose from {', '.join(FULL)}")
    if full == "reject" and bound is None:
        raise ValueError("an unbounded queue is never full and rejects nothing: give it a bound, such as 64")
    due = schedule(frequency, for_ns, arrivals, seed)
    return Terms(float(frequency), arrivals, for_ns / 1e9, bound, full, (2 * for_ns + _SPARE_NS) / 1e9), due


def _wanted(cells: Sequence[Cell], models: str | Iterable[str], bodies: str | Iterable[str]) -> list[Cell]:
    """Without the baseline, which a comparison always has, where nobody has asked for it."""
    asked = BASELINE[0] in select(models) and BASELINE[1] in pick("body", bodies, BODIES, {"all": BODIES})
    return [cell for cell in cells if asked or (cell.model, cell.body) != BASELINE]


def _senseless(cell: Cell) -> LoadRow:
    return LoadRow(cell.model, cell.family, cell.body, cell.workers, reason=cell.reason)


def _expected(served: Workload, deadline_s: float, seed: int) -> tuple[tuple[Outcome, ...], str | None]:
    """What the baseline gives for each task; or nothing, and why."""
    try:
        return sample.take(served, *BASELINE, 1, "bare", deadline_s, seed=seed).outcomes, None
    except (sample.SampleError, OSError) as error:
        return (), _words(error)


class _Watch:
    """A load, looked at from outside while it goes."""

    def __init__(self, gate: Gate, tell: Callable[[Gate], None]) -> None:
        self.pause_s = _LOOK_S
        self.memory = MemoryWatch()
        self._tell = partial(tell, gate)
        self._next = 0.0

    def look(self, pid: int) -> None:
        self._tell()
        if time.monotonic() >= self._next:
            self.memory.look(pid)
            self._next = time.monotonic() + max(_MEMORY_S, self.memory.pause_s)


@dataclass(slots=True)
class _Trial:
    """One cell under the load."""

    cell: Cell
    terms: Terms
    due: tuple[int, ...]
    deadline_s: float
    seed: int
    told: tuple[int, int, Callable[[Instant], None]]
    before: tuple[float, int, int] = (0.0, 0, 0)
    """As of the look before: time, tasks finished, and their latencies in all."""

    def row(self, served: Workload, expected: Sequence[Outcome]) -> LoadRow:
        cell, terms = self.cell, self.terms
        outcomes: tuple[Outcome, ...] = ()
        error, stall = None, None
        with self._gate() as gate:
            watch = _Watch(gate, self.look)
            try:
                outcomes = self._taken(served, gate, watch).outcomes
            except (sample.SampleError, OSError) as problem:
                error, stall = _words(problem), getattr(problem, "stall", None)
            began_ns = gate.arrivals.began()
        book = Book.of(gate.arrivals, terms.bound, terms.rejects)
        return LoadRow(
            cell.model,
            cell.family,
            cell.body,
            cell.workers,
            *_counts(book, outcomes),
            waiting=book.waiting,
            working=book.working,
            latency=book.latency,
            slip=book.slip,
            most_backlog=book.most_backlog,
            most_at_work=book.most_at_work,
            served=book.served,
            peak_pss_bytes=watch.memory.peak_pss,
            series=book.series(),
            differences=tuple(_differences(served, expected, outcomes)),
            error=error,
            stall=stall,
            memory=watch.memory.series(began_ns) if began_ns else (),
        )

    def logged(self, served: Workload, row: LoadRow, log: Path) -> LoadRow:
        """The row after one more run, whose events are appended to the log. What ended early is not run again."""
        if row.error is not None:
            return row
        from lanes import events

        place, places, tell = self.told
        again = replace(self, told=(place + places // 2, places, tell), before=(0.0, 0, 0))
        with again._gate() as gate:
            try:
                with events.ended(log):
                    again._taken(served, gate, _Watch(gate, again.look), log)
            except (sample.SampleError, OSError) as problem:
                return replace(row, log_error=_words(problem))
        return row

    @contextmanager
    def _gate(self) -> Iterator[Gate]:
        """By which the tasks come to one run."""
        gate = Gate.made(self.due, self.terms.bound, self.terms.rejects, int(self.terms.open_s * 1e9))
        try:
            self.look(gate)
            yield gate
        finally:
            gate.close()

    def _taken(self, served: Workload, gate: Gate, watch: _Watch, log: Path | None = None) -> Run:
        cell = self.cell
        return sample.take(
            served,
            cell.model,
            cell.body,
            cell.workers,
            "bare" if log is None else "log",
            self.deadline_s,
            seed=self.seed,
            gate=gate,
            watch=watch,
            log=log,
        )

    def look(self, gate: Gate) -> None:
        """Tell whoever wants to know how it goes."""
        place, places, tell = self.told
        arrived, rejected, started, finished, latency_ns = gate.arrivals.progress()
        began, now = gate.arrivals.began(), time.monotonic()
        when, finished_before, latency_before = self.before
        more = finished - finished_before
        waiting = max(0, arrived - rejected - started)
        tell(
            Instant(
                self.cell.name,
                place,
                places,
                max(0.0, now - began / 1e9) if began else 0.0,
                started - finished,
                waiting if self.terms.bound is None else min(waiting, self.terms.bound),
                more / (now - when) if when else 0.0,
                (latency_ns - latency_before) / more / 1e9 if more else None,
            )
        )
        self.before = now, finished, latency_ns


def _words(problem: Exception) -> str:
    return " ".join(str(problem).split())


def _counts(book: Book, outcomes: Sequence[Outcome]) -> tuple[int, int, int, int, int]:
    """How many arrived, were completed, failed, were rejected and were left. Without outcomes, because the model ended
    early, as far as the book knows."""
    statuses = [outcome.status for outcome in outcomes] or [
        "rejected" if rejected else "left" if finished is None else "ok"
        for rejected, finished in zip(book.rejected, book.finished, strict=True)
    ]
    completed, rejected, left = (statuses.count(status) for status in ("ok", *UNDONE))
    return len(statuses), completed, len(statuses) - completed - rejected - left, rejected, left


def _differences(served: Workload, expected: Sequence[Outcome], outcomes: Sequence[Outcome]) -> Iterator[Difference]:
    """The tasks that were done and came to something else than the baseline's; each once, when it first did."""
    seen: set[int] = set()
    tasks = served.tasks if expected else ()
    for n, got in enumerate(outcomes if expected else ()):
        turn, task = divmod(n, len(tasks))
        if got.status not in UNDONE and got != expected[task] and task not in seen:
            seen.add(task)
            yield Difference(turn, task, tasks[task].text, expected[task], got)
