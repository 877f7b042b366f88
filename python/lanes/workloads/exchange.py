"""`exchange`: each task hands a payload to a partner, which answers with it.

By `argument` the partners are the caller and the worker: the payload goes with the task through the model's own
dispatch, and comes home as its result. In every other way each worker has a partner of its own kind, a thread, a
process or a coroutine, that is there for nothing else; a task is one way there and back. Its end is the CRC-32 of the
answer, which is taken after the clock of the exchange has stopped.

The ways, and what goes where (C bodies and native models: csrc/channel.h):

    argument       a reference between threads and coroutines; pickled between processes
    queue          queue.Queue, asyncio.Queue: a reference; multiprocessing.Queue: pickled, by a thread that feeds a
                   pipe; in C a reference, with a condition or, on a loop, an eventfd
    condition      threading.Condition, asyncio.Condition: a reference; multiprocessing.Condition: shared memory;
                   in C a ring of bytes, with a mutex and a condition
    pipe           os.pipe; multiprocessing.Pipe, which pickles
    file           a file, and a pipe or a queue that tells of it
    shared-memory  copied into memory that both have and out of it; a semaphore tells, in C a futex
    eventfd        the same; an eventfd tells

Figures, for each payload, of the tasks that had it:

    handovers      per second, of a worker and its partner: two in the time there and back, of which the median counts.
                   By argument, where it is pickled, that is twice the shortest way home, from the end of a task to the
                   end of unpickling: on the way out, and often on the way home, a payload waits behind others. By
                   argument and reference it is the time from the end of a worker's task to its next.
    pickled        bytes of pickles that a task takes, and
    pickling       seconds of making and reading them, each timed where multiprocessing calls its pickler; by argument
                   the means of all that was pickled. Not known where nothing is pickled.
    copied         bytes that went into pipes, files and shared memory and out again, there and back; 0 by reference
    copying        seconds that both spent on that. In C, and on loops, copies and system calls are timed; else it is
                   the CPU time of the worker until the answer is there, without pickling, and as much for its partner,
                   who does the same. Not known by argument, as no worker sees it. Under 4 KiB it is not timed.

`erases` is the payload at which handing over erases the gain of a second core: see `Exchange.figures`.
"""

from __future__ import annotations

import math
import time
import zlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from lanes import _core, stats
from lanes.processors import usable_processors
from lanes.types import By, Done, Kind, Means, Outcome, Run, Task
from lanes.units import format_duration, format_size, in_turn, parse_size, short, whole

if TYPE_CHECKING:
    from lanes.workloads.exchange_lines import Desk, Office, Watch

ABOUT = "each task hands a payload to a partner, which answers with it"
WAYS = ("argument", "queue", "condition", "pipe", "file", "shared-memory", "eventfd")
OPTIONS = {
    "payload": ("SIZE,...", "what is handed over, such as 64KiB; several are used in turn"),
    "via": ("WAY", f"by what: {', '.join(WAYS)}"),
}
EXAMPLES = (
    "lanes compare exchange --via pipe",
    "lanes compare exchange --via argument --payload 64B,1MiB --models threading,futures-processes",
)

LARGEST = 2**26
"""Bytes of a payload. In so many nothing takes long that cannot be interrupted."""

_MOST_AT_ONCE = 2**31
"""Bytes of all payloads by argument, whose answers a run has all at once when it ends."""

_PERIOD = bytes(range(251))
"""Payloads repeat it, as their twins in C do: no power of two fits, so that no piece can stand in another's place."""

_WORK_NS = (1_000_000, 10_000_000)
"""Tasks whose second core handing over may eat up."""

_NOT_IN_C = "the payload goes with the task through Python's own dispatch; to C go only numbers"
_IN_PROCESSES = "in a worker process the partner of the C body is a thread: nothing would go to another process"
_LACKS: dict[tuple[Kind, str], str] = {
    ("coroutines", "shared-memory"): "coroutines have all memory in common: there is nothing to copy into",
    ("coroutines", "eventfd"): "coroutines wake each other through their loop",
    ("children", "queue"): "a reference means nothing to another process",
    ("children", "condition"): "a condition of C does not outlive who is killed at it: shared-memory has a futex",
    ("places", "condition"): "a loop waits for descriptors, and a condition has none",
    ("places", "shared-memory"): "a loop waits for descriptors, and a futex has none",
}


class Measured(NamedTuple):
    """What a task notes, in this order, as its C twin does with the first three. Negative: not known here."""

    round_trip_ns: int
    copied: int
    copying_ns: int
    pickled: int = -1
    pickling_ns: int = -1


@dataclass(frozen=True, slots=True)
class Exchange:
    """Payloads handed over and back. `sizes` are taken in turn by the tasks.

    A task's text is its way; its arguments are the size of its payload, the byte it begins with, and its CRC-32. Two
    tasks in a row with one size differ in that byte, so that no answer passes for the one before.
    """

    name: ClassVar[str] = "exchange"
    compiled: ClassVar[bool] = True
    blocking: ClassVar[bool] = True
    twins: ClassVar[bool] = True
    area: ClassVar[_core.Area | None] = None

    count: int
    sizes: tuple[int, ...]
    via: str
    office: Office | None = field(default=None, repr=False, compare=False)
    by: By = field(default="threads", repr=False, compare=False)
    pickles: tuple[_core.Ledger, ...] = field(default=(), repr=False, compare=False)

    @property
    def params(self) -> dict[str, object]:
        return {"payload": list(self.sizes), "via": self.via}

    @property
    def tasks(self) -> tuple[Task, ...]:
        turns = len(self.sizes)
        return tuple(self._task(n, self.sizes[n % turns], n // turns % 2) for n in range(self.count))

    @property
    def warm_up(self) -> Task:
        """The largest payload, so that all have room for it."""
        return self._task(0, max(self.sizes), 0)

    def _task(self, index: int, size: int, first: int) -> Task:
        payload = stock(size, first)
        return Task(index, self.via, (size, first, _crc(size, first)), payload if self.via == "argument" else None)

    @property
    def default_workers(self) -> int:
        return usable_processors()

    @contextmanager
    def serve(self) -> Iterator[Self]:
        yield self

    # ---- what workers share

    def lacks(self, by: By, kind: Kind) -> str | None:
        if by == "memory" and self.via == "argument":
            return _NOT_IN_C
        if by == "memory" and kind == "processes":
            return _IN_PROCESSES
        return None if by == "memory" and kind == "coroutines" else _LACKS.get((kind, self.via))

    @contextmanager
    def share(self, means: Means) -> Iterator[Self]:
        """The same with partners, where these are processes; and by argument, with pickles counted, where there are
        any."""
        if means.by != "processes":
            yield replace(self, by=means.by)
            return
        for task in self.tasks[: 2 * len(self.sizes)]:
            stock(*task.args[:2])  # forked workers have it from here
        with ExitStack() as stack:
            if self.via == "argument":
                pickles = tuple(_core.Ledger(1) for _ in self._labels)
                stack.callback(_count(self.sizes, pickles))
                yield replace(self, by=means.by, pickles=pickles)
                return
            from lanes.workloads import exchange_lines as lines

            office = stack.enter_context(lines.beside_processes(self.via, max(self.sizes), means))
            yield replace(self, by=means.by, office=office)

    def partners_cpu_s(self) -> float:
        return self.office.cpu_s() if self.office is not None else 0.0

    # ---- bodies

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        """The partner comes with the first task: nobody is started to be warmed up alone."""
        if self.via == "argument":
            if self.pickles and not _counting:  # a forked process counts already
                _count(self.sizes, self.pickles)
            yield _given
            return
        with ExitStack() as kept:
            body: Callable[[Task], Outcome] | None = None

            def exchange(task: Task) -> Outcome:
                nonlocal body
                if body is None:
                    body = kept.enter_context(self._seated())
                return body(task)

            yield exchange

    @contextmanager
    def _seated(self) -> Iterator[Callable[[Task], Outcome]]:
        from lanes.workloads import exchange_lines as lines

        copies = 0 if self.by == "threads" and self.via in ("queue", "condition") else 4
        if self.office is None:
            with lines.beside_a_thread(self.via, max(self.sizes)) as desk:
                yield _Worker(desk, copies, time.thread_time_ns, None)
            return
        from lanes.closeup import count_pickling

        tally = _Tally()
        undo = count_pickling(tally.made, tally.read)
        try:
            yield _Worker(self.office.take(), copies, time.process_time_ns, tally)
        finally:
            undo()

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
        if self.via == "argument":
            yield _given_async
            return
        from lanes.workloads import exchange_loop as loop

        desks = loop.Desks(self.via)
        copies = 0 if self.via in ("queue", "condition") else 4

        async def exchange(task: Task) -> Outcome:
            payload = stock(*task.args[:2])
            async with desks.one() as desk:
                copied_ns, began = desk.copying_ns, time.monotonic_ns()
                answer = await desk.exchange(payload)
                took = time.monotonic_ns() - began
                copying_ns = desk.copying_ns - copied_ns
            return _checked(task, answer, Measured(took, copies * len(payload), copying_ns))

        try:
            yield exchange
        finally:
            await desks.close()

    @property
    def most_tasks(self) -> int | None:
        return _MOST_AT_ONCE * len(self.sizes) // sum(self.sizes) if self.via == "argument" else None

    def received(self, done: Done) -> Done:
        """What came home by argument is looked at: the payload gives way to its size and its CRC-32."""
        if self.via != "argument" or done.outcome.status != "ok":
            return done
        (answer,) = done.outcome.value
        assert isinstance(answer, Answer)
        if answer.arrived_ns is None:
            measured = Measured(-1, 0, 0)
        else:
            measured = Measured(2 * (answer.arrived_ns - done.span.finished_ns), 4 * len(answer.payload), -1)
        return done._replace(outcome=_checked(answer.task, answer.payload, measured))

    # ---- figures

    @property
    def _labels(self) -> dict[int, str]:
        """Each payload in words, from the smallest."""
        words = {size: format_size(size) for size in sorted(set(self.sizes))}
        alike = len(set(words.values())) < len(words)
        return {size: f"{size} B" for size in words} if alike else words

    @property
    def units(self) -> Mapping[str, str]:
        each = {"handovers": "/s", "pickled": "B", "pickling": "s", "copied": "B", "copying": "s"}
        found = {f"{name}:{label}": unit for label in self._labels.values() for name, unit in each.items()}
        return found | {_erases(work_ns): "B" for work_ns in _WORK_NS}

    def figures(self, run: Run) -> Mapping[str, float | None]:
        """What was measured of each payload, and what handing over erases.

        On one core nothing need be handed over: a task of t takes t. On two, where a payload goes there and back in c,
        two tasks take t + c side by side. So the gain of the second core is gone where c has grown to t, and `erases`
        says at which payload that is, for t of 1 ms and of 10 ms: on the straight line, in logarithms, between the two
        sizes measured around it. 0 where even the smallest takes longer, None where even the largest takes less.
        """
        found: dict[str, float | None] = {}
        cost: dict[int, float] = {}
        trips = self._round_trips(run)
        for n, (size, label) in enumerate(self._labels.items()):
            trip_s = stats.median([ns / 1e9 for ns in trips[size]])
            if trip_s:
                cost[size] = trip_s
            pickled, pickling_s, copied, copying_s = self._bytes_and_seconds(run, n, size)
            found |= {
                f"handovers:{label}": 2 / trip_s if trip_s else None,
                f"pickled:{label}": pickled,
                f"pickling:{label}": pickling_s,
                f"copied:{label}": copied,
                f"copying:{label}": copying_s,
            }
        return found | {_erases(work_ns): crossing(cost, work_ns / 1e9) for work_ns in _WORK_NS}

    def _of(self, run: Run, size: int) -> list[Measured]:
        """What the tasks with this payload have noted."""
        return [
            Measured(*outcome.figures) for outcome in run.outcomes if outcome.figures and outcome.value[:1] == (size,)
        ]

    def _round_trips(self, run: Run) -> dict[int, list[int]]:
        """Nanoseconds there and back, by payload. By argument and reference nobody but the worker's spans can tell."""
        trips = {size: [each.round_trip_ns for each in self._of(run, size)] for size in self._labels}
        if not any(ns < 0 for each in trips.values() for ns in each):
            # A pickle that comes home waits behind larger ones: that is not its own cost.
            return {size: [min(each)] if each and self.pickles else each for size, each in trips.items()}
        ended: dict[int, int] = {}
        trips = {size: [] for size in self._labels}
        for task, span in sorted(zip(self.tasks, run.spans, strict=True), key=lambda each: each[1].started_ns):
            if span.worker in ended:
                trips[task.args[0]].append(span.started_ns - ended[span.worker])
            ended[span.worker] = span.finished_ns
        return trips

    def _bytes_and_seconds(self, run: Run, n: int, size: int) -> Iterator[float | None]:
        """Pickled, pickling, copied, copying: of the n-th payload by size."""
        noted = self._of(run, size)
        if self.pickles:
            pickled, pickling_ns = self.pickles[n].tally()
            yield pickled / len(noted) if noted else None
            yield pickling_ns / 1e9 / len(noted) if noted else None
        else:
            yield _known([each.pickled for each in noted])
            yield _known([each.pickling_ns / 1e9 for each in noted])
        yield _known([each.copied for each in noted])
        yield _known([each.copying_ns / 1e9 for each in noted])

    def remarks(self, machine: Mapping[str, object]) -> Iterable[str]:
        yield "Bytes and times are of a task: there and back, both partners together."
        yield (
            f"erases: the payload whose way there and back takes as long as the task itself, {_words()}, so that a"
            " second core gains nothing; between the sizes measured, 0 B where even the smallest takes longer, - where"
            " even the largest takes less."
        )


def _words() -> str:
    return " or ".join(map(format_duration, _WORK_NS))


def _erases(work_ns: int) -> str:
    return f"erases_{format_duration(work_ns).replace(' ', '_')}"


def _known(values: Sequence[float]) -> float | None:
    """The median of what is not negative, which would say that it is not known."""
    return stats.median([value for value in values if value >= 0])


def crossing(cost: Mapping[int, float], bound_s: float) -> float | None:
    """The size at which the cost, which is given for some from the smallest to the largest, comes to this bound.

    On the straight line, in logarithms, between the last that costs less and the next. 0 where all cost as much, None
    where none does.
    """
    below: tuple[int, float] | None = None
    for size, seconds in cost.items():
        if seconds >= bound_s:
            if below is None:
                return 0.0
            share = math.log(bound_s / below[1]) / math.log(seconds / below[1])
            return math.exp(math.log(below[0]) + share * math.log(size / below[0]))
        below = size, seconds
    return None


# ---- payloads


@lru_cache(maxsize=8)
def stock(size: int, first: int) -> bytes:
    """The payload of this size that begins with this byte."""
    return (_PERIOD * (size // len(_PERIOD) + 2))[first : first + size]


@lru_cache(maxsize=1024)
def _crc(size: int, first: int) -> int:
    return zlib.crc32(stock(size, first))


def _checked(task: Task, answer: bytes, measured: Measured) -> Outcome:
    size, _, crc = task.args
    if len(answer) != size or zlib.crc32(answer) != crc:
        return Outcome("failed", (), "Corrupted", "the answer is not the payload")
    return Outcome("ok", (size, crc), figures=measured)


# ---- by argument


class Answer:
    """A payload on its way home. Where it is unpickled, it notes when it arrived."""

    __slots__ = ("arrived_ns", "payload", "task")

    def __init__(self, size: int, first: int, crc: int, payload: bytes, arrived_ns: int | None = None) -> None:
        self.task = Task(0, "", (size, first, crc))
        self.payload = payload
        self.arrived_ns = arrived_ns

    def __reduce__(self) -> tuple[object, ...]:
        return _arrived, (*self.task.args, self.payload)


def _arrived(size: int, first: int, crc: int, payload: bytes) -> Answer:
    return Answer(size, first, crc, payload, time.monotonic_ns())


def _given(task: Task) -> Outcome:
    """The worker's side: what came with the task is the answer."""
    assert isinstance(task.item, bytes)
    size, first, crc = task.args
    return Outcome("ok", (Answer(size, first, crc, task.item),))


async def _given_async(task: Task) -> Outcome:
    return _given(task)


_counting = False
"""Whether this process counts pickles already."""


def _count(sizes: Iterable[int], pickles: Sequence[_core.Ledger]) -> Callable[[], None]:
    """Note the pickles of this process from now on, each under the largest payload that it can hold; what is returned
    ends it."""
    from lanes.closeup import count_pickling

    global _counting
    ordered = sorted(set(sizes))

    def made(size: int, ns: int) -> None:
        if n := bisect_right(ordered, size):
            pickles[n - 1].add(size, ns)

    def read(size: int, ns: int) -> None:
        if n := bisect_right(ordered, size):
            pickles[n - 1].add(0, ns)

    end = count_pickling(made, read)
    _counting = True

    def undo() -> None:
        global _counting
        end()
        _counting = False

    return undo


# ---- by all other ways


class _Tally:
    """Pickles that this process has made, and nanoseconds of making and reading them."""

    def __init__(self) -> None:
        self.bytes = self.ns = 0

    def made(self, size: int, ns: int) -> None:
        self.bytes += size
        self.ns += ns

    def read(self, size: int, ns: int) -> None:
        self.ns += ns


class _Worker:
    """A worker at its desk. `copies` is how often a payload is copied, there and back; `clock` counts the CPU time of
    all that the worker does; its partner does as much."""

    def __init__(self, desk: Desk | Watch, copies: int, clock: Callable[[], int], tally: _Tally | None) -> None:
        self._desk, self._copies, self._clock, self._tally = desk, copies, clock, tally

    def __call__(self, task: Task) -> Outcome:
        from lanes.workloads.exchange_lines import TIMED

        payload = stock(*task.args[:2])
        timed = self._copies and len(payload) >= TIMED
        tally = self._tally or _NOTHING
        pickled, pickling_ns = tally.bytes, tally.ns
        cpu_ns = self._clock() if timed else 0
        began = time.monotonic_ns()
        answer = self._desk.exchange(payload)
        took = time.monotonic_ns() - began
        copying_ns = self._clock() - cpu_ns if timed else 0
        pickled, pickling_ns = tally.bytes - pickled, tally.ns - pickling_ns
        copying_ns = 2 * max(0, copying_ns - pickling_ns)
        made = (2 * pickled, 2 * pickling_ns) if pickled else (-1, -1)
        return _checked(task, answer, Measured(took, self._copies * len(payload), copying_ns, *made))


_NOTHING = _Tally()


def exchange(
    *, tasks: int = 24, payload: str | float | Iterable[str | float] = "64B,64KiB,16MiB", via: str = "queue"
) -> Exchange:
    """Payloads that are handed to a partner and back.

    tasks:   how many.
    payload: its size, as text or in bytes, from 1 B to 64 MiB; several are taken in turn.
    via:     by what: "argument", "queue", "condition", "pipe", "file", "shared-memory" or "eventfd"; see
             lanes/workloads/exchange.py.

    >>> lanes.exchange(payload="64B,1KiB", via="pipe").params
    {'payload': [64, 1024], 'via': 'pipe'}

    Raises ValueError for an unknown way, for what is no such size, and for more than 2 GiB by argument.
    """
    if via not in WAYS:
        raise ValueError(f"unknown way {short(via)}: the ways are {', '.join(WAYS)}")
    sizes = in_turn(payload, parse_size)
    for size in sizes:
        if not 1 <= size <= LARGEST:
            raise ValueError(f"a payload has from 1 B to {format_size(LARGEST)}, not {size} B")
    count = whole(tasks, "tasks")
    total = count * sum(sizes) / len(sizes)
    if via == "argument" and total > _MOST_AT_ONCE:
        raise ValueError(
            f"by argument all answers of a run are in memory at its end, here {format_size(total)}: take fewer tasks or"
            f" smaller payloads, of no more than {format_size(_MOST_AT_ONCE)} together"
        )
    return Exchange(count, sizes, via)
