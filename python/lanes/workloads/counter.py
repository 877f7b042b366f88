"""`counter`: all workers add to one number that they share, again and again; what is lost on the way, and what a lock
costs.

A task makes so many updates. What one is, the step says:

plain   x += 1                        a read and a write, between which others may come
call    x = x + f()                   the same with a call between the two
await   read x, await, write x        the same for coroutines, which give way nowhere else
locked  as `call`, or for coroutines as `await`, under a lock, which is held for a while if so asked
atomic  one step that nobody can come between

Threads and coroutines share a plain object, with a lock of `threading` or `asyncio`; processes share a
`multiprocessing.Value`, without its lock or with it, in the way that its documentation shows. C bodies and native
models share an area: a relaxed load and a store that is apart, a robust mutex of processes, an atomic of C11.

What Python offers for `atomic` is `next()` of an `itertools.count`. That is one call into C which runs no Python code
on its way, and a thread is made to give up the GIL between steps of Python code only. Without a GIL it is right from
3.14 on, where it has a lock of its own. For processes Python offers nothing.

The figures of a run:

lost, lost_share   updates that were made, and that the number does not show afterwards
cost               seconds of the work for each update that all workers together have made
waited             seconds that all workers together waited for the lock. Exact: a worker tries first, and looks at the
                   clock where the lock is not free. asyncio's cannot be tried: all that its acquire() takes counts
held               seconds that the lock was held, without what the looks take. Where it is to be held for a while every
                   hold is timed; else one in 64, for all, and one that was interrupted, which is longer than 20 us, for
                   itself alone

Of several holds, there are figures for each, of the tasks that hold the lock for so long: `waited` and `held` of these,
and `took`, the seconds of a worker for each of their updates. They share the lock with all others, and wait for them.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias, cast

from lanes import _core, interpreter
from lanes.processors import usable_processors
from lanes.types import By, Kind, Means, Outcome, Run, Span, Task
from lanes.units import format_duration, in_turn, parse_duration, short, whole

ABOUT = "all tasks add to one number that the workers share: what is lost, and what a lock costs"
EXAMPLES = (
    "lanes compare counter --step call --models threading,asyncio,multiprocessing",
    "lanes compare counter --step locked --hold 0us,10us",
    "lanes compare counter --step await --workers 8",
)

_MOST_UPDATES = 2**40
_TASK_NS = 20_000_000
"""So long is a task meant to hold the lock, or to take at all, when nothing is said of its updates."""

_EACH, _INTERRUPTED_NS = 64, 20_000
_AREA_BYTES = 4096
"""A page, which begins with the number."""

Figures: TypeAlias = tuple[int, ...]
Body: TypeAlias = Callable[["Counter", int, int], Figures]
Coroutine: TypeAlias = Callable[["Counter", int, int], Awaitable[Figures]]


class Number:
    """What threads and coroutines share."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


@dataclass(frozen=True, slots=True)
class Counter:
    """`count` tasks, each of so many updates of this step; `holds_ns` are taken in turn by the tasks.

    A task's text is its step, its arguments are its updates and its hold in nanoseconds. number, lock and area are what
    the workers of one run share, as far as they share it in this way; before it there are none.
    """

    name: ClassVar[str] = "counter"
    compiled: ClassVar[bool] = True
    warm_up: ClassVar[Task | None] = None

    step: str
    count: int
    updates: int
    holds_ns: tuple[int, ...] = (0,)
    number: Any = field(default=None, repr=False, compare=False)
    lock: Any = field(default=None, repr=False, compare=False)
    area: _core.Area | None = field(default=None, repr=False, compare=False)

    @property
    def params(self) -> dict[str, object]:
        params: dict[str, object] = {"step": self.step, "updates": self.updates}
        return params | ({"hold_s": [ns / 1e9 for ns in self.holds_ns]} if self.step == "locked" else {})

    @property
    def tasks(self) -> tuple[Task, ...]:
        turns = len(self.holds_ns)
        return tuple(Task(n, self.step, (self.updates, self.holds_ns[n % turns])) for n in range(self.count))

    @property
    def default_workers(self) -> int:
        """Two at least: alone nobody loses anything."""
        return max(2, usable_processors())

    @property
    def blocking(self) -> bool:
        return STEPS[self.step].body is not None

    @property
    def twins(self) -> bool:
        return STEPS[self.step].coroutine is not None

    @property
    def lossless(self) -> bool:
        """Whether no update may be lost, whoever makes it."""
        return STEPS[self.step].lossless

    @contextmanager
    def serve(self) -> Iterator[Self]:
        yield self

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        """What must be awaited is, for one task after another, on a loop of its own."""
        body, coroutine, *_ = STEPS[self.step]
        if body is not None:
            yield partial(self._do, body)
            return
        import asyncio

        with asyncio.Runner() as runner:
            yield lambda task: runner.run(self._await(cast(Coroutine, coroutine), task))

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
        body, coroutine, *_ = STEPS[self.step]
        if coroutine is not None:
            yield partial(self._await, coroutine)
            return

        async def inline(task: Task) -> Outcome:
            return self._do(cast(Body, body), task)

        yield inline

    def _do(self, body: Body, task: Task) -> Outcome:
        updates, hold_ns = task.args
        return Outcome("ok", (updates,), figures=body(self, updates, hold_ns))

    async def _await(self, coroutine: Coroutine, task: Task) -> Outcome:
        updates, hold_ns = task.args
        return Outcome("ok", (updates,), figures=await coroutine(self, updates, hold_ns))

    # ---- what is shared, and measured

    def lacks(self, by: By, kind: Kind) -> str | None:
        return STEPS[self.step].lacks(by, kind)

    @contextmanager
    def share(self, means: Means) -> Iterator[Counter]:
        yield replace(self, **self._shared(means))

    def _shared(self, means: Means) -> dict[str, Any]:
        if means.by == "memory":
            return {"area": _core.Area(_AREA_BYTES)}
        if means.by == "processes":
            number = means.context.Value("q", 0, lock=self.step == "locked")
            return {"number": number, "lock": number.get_lock() if self.step == "locked" else None}
        if self.step == "atomic":
            return {"number": itertools.count()}
        if means.by == "coroutines":
            import asyncio  # a loop is about to run

            return {"number": Number(), "lock": asyncio.Lock()}
        return {"number": Number(), "lock": threading.Lock()}

    @property
    def units(self) -> Mapping[str, str]:
        units = {"lost": "updates", "lost_share": "share", "cost": "s", "waited": "s", "held": "s"}
        return units | {
            f"{name}:{label}": "s" for label in self._labels.values() for name in ("took", "waited", "held")
        }

    @property
    def _labels(self) -> dict[int, str]:
        """Each hold in words, from the shortest, where there are several."""
        holds = sorted(set(self.holds_ns))
        words = {ns: f"hold {format_duration(ns)}" for ns in holds if holds[1:]}
        return words if len(set(words.values())) == len(words) else {ns: f"hold {ns} ns" for ns in holds}

    def figures(self, run: Run) -> dict[str, float | None]:
        """Nothing is known where a worker was killed: it may have made any number of updates."""
        made = self.updates * sum(outcome.status == "ok" for outcome in run.outcomes)
        if not made or any(outcome.status == "killed" for outcome in run.outcomes):
            return dict.fromkeys(self.units)
        lost = made - self._total()
        waited_s, held_s = _waited_and_held(run.outcomes)
        found: dict[str, float | None] = {
            "lost": lost,
            "lost_share": lost / made,
            "cost": run.work_s / made,
            "waited": waited_s,
            "held": held_s,
        }
        turns = len(self.holds_ns)
        for hold_ns, label in self._labels.items():
            mine = [n for n in range(self.count) if self.holds_ns[n % turns] == hold_ns]
            found |= self._of(label, [run.outcomes[n] for n in mine], [run.spans[n] for n in mine])
        return found

    def _of(self, label: str, outcomes: Sequence[Outcome], spans: Sequence[Span]) -> dict[str, float | None]:
        """The figures of tasks that hold the lock for so long."""
        took_ns = sum(span.finished_ns - span.started_ns for span in spans)
        waited_s, held_s = _waited_and_held(outcomes)
        return {
            f"took:{label}": took_ns / 1e9 / (self.updates * len(spans)) if spans else None,
            f"waited:{label}": waited_s,
            f"held:{label}": held_s,
        }

    def _total(self) -> int:
        if self.area is not None:
            return memoryview(self.area).cast("q")[0]
        return next(self.number) if self.step == "atomic" else int(self.number.value)

    def remarks(self, machine: Mapping[str, object]) -> Iterator[str]:
        step, gil = STEPS[self.step], machine["gil"]
        remark = step.remark if gil else step.without_gil
        yield f"Python {machine['python']} {'with' if gil else 'without'} a GIL: {remark}"
        if self._labels:
            yield "Tasks of all holds share one lock: what one of them took has in it what it waited for the others."


def _waited_and_held(outcomes: Iterable[Outcome]) -> tuple[float | None, float | None]:
    """Seconds, of all together; None where nobody took a lock."""
    noted = [outcome.figures for outcome in outcomes if outcome.figures]
    if not noted:
        return None, None
    waited_ns, held_ns = map(sum, zip(*noted, strict=True))
    return waited_ns / 1e9, held_ns / 1e9


# ---- the steps


def one() -> int:
    """The f() of x = x + f()."""
    return 1


def plain(shared: Counter, updates: int, hold_ns: int) -> Figures:
    number = shared.number
    for _ in range(updates):
        number.value += 1
    return ()


def call(shared: Counter, updates: int, hold_ns: int) -> Figures:
    number = shared.number
    for _ in range(updates):
        number.value = number.value + one()
    return ()


async def await_(shared: Counter, updates: int, hold_ns: int) -> Figures:
    from asyncio import sleep

    number = shared.number
    for _ in range(updates):
        value = number.value
        await sleep(0)
        number.value = value + 1
    return ()


def locked(shared: Counter, updates: int, hold_ns: int) -> Figures:
    number, acquire, release = shared.number, shared.lock.acquire, shared.lock.release
    clock, holds = time.monotonic_ns, Holds(sampled=not hold_ns)
    waited_ns = 0
    for n in range(updates):
        if not acquire(False):
            since = clock()
            acquire()
            waited_ns += clock() - since
        if hold_ns or not n % _EACH:
            since = clock()
            number.value = number.value + one()
            while (held_ns := clock() - since) < hold_ns:
                pass
            holds.note(held_ns)
        else:
            number.value = number.value + one()
        release()
    return waited_ns, holds.sum_ns(updates)


async def locked_async(shared: Counter, updates: int, hold_ns: int) -> Figures:
    from asyncio import sleep

    number, acquire, release = shared.number, shared.lock.acquire, shared.lock.release
    clock, holds = time.monotonic_ns, Holds(sampled=False)
    waited_ns = 0
    for _ in range(updates):
        since = clock()
        await acquire()
        waited_ns += clock() - since
        since = clock()
        value = number.value
        await sleep(0)
        number.value = value + 1
        while (held_ns := clock() - since) < hold_ns:
            pass
        holds.note(held_ns)
        release()
    return waited_ns, holds.sum_ns(updates)


def atomic(shared: Counter, updates: int, hold_ns: int) -> Figures:
    number = shared.number
    for _ in range(updates):
        next(number)
    return ()


class Holds:
    """How long a lock was held: of all the times that it was, or of a sample of them."""

    __slots__ = ("interrupted_ns", "look_ns", "sampled", "timed", "timed_ns")

    def __init__(self, sampled: bool) -> None:
        self.sampled = sampled
        self.timed = self.timed_ns = self.interrupted_ns = 0
        self.look_ns = min(-(time.monotonic_ns() - time.monotonic_ns()) for _ in range(8))

    def note(self, held_ns: int) -> None:
        held_ns = max(0, held_ns - self.look_ns)
        if self.sampled and held_ns > _INTERRUPTED_NS:
            self.interrupted_ns += held_ns
        else:
            self.timed_ns += held_ns
            self.timed += 1

    def sum_ns(self, holds: int) -> int:
        """Of so many holds."""
        return self.timed_ns * holds // max(1, self.timed) + self.interrupted_ns


class Step(NamedTuple):
    """A step: as a function, as a coroutine function where that is another, and what is to be known of it.

    updates:     that take about 20 ms in Python.
    reasons:     why it makes no sense for workers that have this in common.
    remark:      what there is to know about it with a GIL; without_gil: and without one.
    """

    body: Body | None
    coroutine: Coroutine | None
    updates: int
    reasons: Mapping[By, str]
    remark: str
    without_gil: str
    lossless: bool = False

    def lacks(self, by: By, kind: Kind) -> str | None:
        return self.reasons.get(by)


def no_atomic() -> dict[By, str]:
    """Who has no atomic step, and why."""
    reasons: dict[By, str] = {"processes": "Python has no atomic step for a number that processes share: take locked"}
    if not interpreter.gil() and sys.version_info < (3, 14):
        words = "without a GIL, Python has no atomic step before 3.14: take locked"
        reasons |= {"threads": words, "coroutines": words}
    return reasons


_AWAITS = "only a coroutine can await between the read and the write of x"
STEPS = {
    "plain": Step(
        plain,
        None,
        500_000,
        {},
        "a thread gives way at calls and at the ends of loops (since 3.10, and no promise of the language), so that"
        " threads and coroutines lose nothing of x += 1; processes and C do, which read and write at the same time.",
        "threads read and write at the same time, as processes and C do, and lose what others wrote in between.",
    ),
    "call": Step(
        call,
        None,
        300_000,
        {"memory": "in C nothing switches inside x = x + f(): its step is plain"},
        "a thread may be made to give way at the call inside x = x + f(); what the others add meanwhile"
        " is lost when it writes. A coroutine gives way at an await only.",
        "threads read and write at the same time, as processes do, and lose what others wrote in between.",
    ),
    "await": Step(
        None,
        await_,
        2_000,
        {"threads": _AWAITS, "processes": _AWAITS, "memory": _AWAITS},
        "a coroutine gives way at an await, and so between each read and its write: what the others add meanwhile is"
        " lost.",
        "a coroutine gives way at an await, and so between each read and its write: what the others add meanwhile is"
        " lost.",
    ),
    "locked": Step(
        locked,
        locked_async,
        10_000,
        {},
        "threads hold the lock around x = x + f(), coroutines around an await. Who holds it may have to wait for the"
        " GIL meanwhile, and all others for both.",
        "threads hold the lock around x = x + f(), coroutines around an await.",
        lossless=True,
    ),
    "atomic": Step(
        atomic,
        None,
        500_000,
        no_atomic(),
        "threads and coroutines take the next() of an itertools.count, one call into C inside of which no thread gives"
        " up the GIL; C has an atomic of its own, which takes the longer the more share it.",
        "threads and coroutines take the next() of an itertools.count, which has a lock of its own; C has an atomic.",
        lossless=True,
    ),
}
OPTIONS = {
    "step": (
        "NAME",
        "what an update is: plain (x += 1; the default), call (x = x + f()), await (between the read and the write),"
        " locked or atomic",
    ),
    "updates": (
        "N",
        "that a task makes; by default " + ", ".join(f"{name} {step.updates}" for name, step in STEPS.items()),
    ),
    "hold": (
        "TIME,...",
        "work done inside the lock of step locked, such as 10us; several are used in turn by the tasks",
    ),
}


def counter(
    step: str = "plain",
    *,
    tasks: int = 16,
    updates: int | None = None,
    hold: str | float | Iterable[str | float] = 0,
) -> Counter:
    """Tasks that add to one number, which all workers share.

    step:    what an update is: "plain" (x += 1), "call" (x = x + f()), "await" (between the read and the write),
             "locked" or "atomic"; see lanes/workloads/counter.py.
    tasks:   how many.
    updates: that a task makes; when left out, so many that it takes some 20 ms.
    hold:    how long the lock of the step "locked" is held for an update, as text or in seconds; of several they are
             taken in turn by the tasks.

    >>> run = lanes.run(lanes.counter("locked", tasks=2, updates=100), "threading", workers=2)
    >>> run.figures["lost"]
    0

    Raises ValueError for an unknown step, for what is no duration, and for a hold without a lock.
    """
    if step not in STEPS:
        raise ValueError(f"unknown step {short(step)}: the steps are {', '.join(STEPS)}")
    holds_ns = in_turn(hold, parse_duration)
    if any(holds_ns) and step != "locked":
        raise ValueError(f"hold is work done inside the lock, and step {step} has none: take step locked")
    if updates is None:
        updates = min(STEPS[step].updates, max(1, _TASK_NS // max(1, *holds_ns, 1)))
    return Counter(step, whole(tasks, "tasks"), whole(updates, "updates", most=_MOST_UPDATES), tuple(holds_ns))
