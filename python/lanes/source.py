"""Where a model takes its tasks from. A source has them all from the first, or lets them come with time.

There are two ways to take tasks from it. A producer iterates over it, with `for` or, on a loop, `async for`, and hands
each task to a queue that is not ours: the source gives the next one when it has come and the queue has room. Workers
that take their tasks themselves share `claims()`: what these give may lie ahead, and the worker waits for its time.
Either way a worker does a task with what `attended` makes of its body, which keeps the book: when it was started, and
when it was finished.

A queue of the standard library may have no bound of its own. So the bound is kept here: the producer enters each task
in the book (`_core.Arrivals`, memory that threads and processes share), which knows how many have been admitted and
not started; and workers that start one ring a bell, an eventfd, for a producer that waits for room.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lanes import _core
from lanes.types import Done, Outcome, Span, Task

if TYPE_CHECKING:
    from multiprocessing.resource_sharer import DupFd

_SLICE_NS = 20_000_000
"""Whoever waits looks so often whether all is over."""


UNDONE = ("rejected", "left")
"""How tasks end that nobody began: a full queue had no room for them; or all was over."""


class Source(Protocol):
    def __iter__(self) -> Iterator[Task]:
        """For a producer: each task when it has come and there is room for it."""
        ...

    def __aiter__(self) -> AsyncIterator[Task]:
        """The same for a producer on a loop."""
        ...

    def claims(self) -> Iterator[Task]:
        """For workers of one thread that share this iterator: what to do next."""
        ...

    def feed(self, put: Callable[[Task | None], object], ends: int) -> AbstractContextManager[None]:
        """Put each task into a queue, and None so many times at the end: before what runs inside where all are there,
        beside it where they come."""
        ...

    def attended(self, do: Callable[[Task], Done]) -> Callable[[Task], Done]: ...

    def attended_async(self, do: Callable[[Task, int], Awaitable[Done]]) -> Callable[[Task, int], Awaitable[Done]]: ...


@dataclass(frozen=True, slots=True)
class Full:
    """All tasks are there."""

    tasks: Sequence[Task]

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    async def __aiter__(self) -> AsyncIterator[Task]:
        for task in self.tasks:
            yield task

    def claims(self) -> Iterator[Task]:
        return iter(self.tasks)

    @contextmanager
    def feed(self, put: Callable[[Task | None], object], ends: int) -> Iterator[None]:
        for task in self.tasks:
            put(task)
        for _ in range(ends):
            put(None)
        yield

    def attended(self, do: Callable[[Task], Done]) -> Callable[[Task], Done]:
        return do

    def attended_async(self, do: Callable[[Task, int], Awaitable[Done]]) -> Callable[[Task, int], Awaitable[Done]]:
        return do


@dataclass(frozen=True, slots=True)
class Gate:
    """What all who take part in a load share: its book, the bell that is rung when there is room, and the rule for what
    comes to a full queue. A worker that is just being spawned is handed both files."""

    arrivals: _core.Arrivals
    bell: int
    bound: int | None
    rejects: bool

    @classmethod
    def made(cls, due: Sequence[int], bound: int | None, rejects: bool, open_ns: int) -> Gate:
        """bound: None for none. open_ns: so long after the beginning nothing is begun any more."""
        arrivals = _core.Arrivals(due, bound or 0, rejects, open_ns)
        return cls(arrivals, os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK), bound, rejects)

    def close(self) -> None:
        os.close(self.bell)

    @property
    def files(self) -> tuple[int, int, int | None, bool]:
        """What `at` takes in a process that has inherited these descriptors."""
        return self.arrivals.fileno(), self.bell, self.bound, self.rejects

    @classmethod
    def at(cls, book: int, bell: int, bound: int | None, rejects: bool) -> Gate:
        return cls(_core.Arrivals.attach(os.dup(book)), bell, bound, rejects)

    def __reduce__(self) -> tuple[object, ...]:
        from multiprocessing import reduction

        return _arrived, (self.arrivals, reduction.DupFd(self.bell), self.bound, self.rejects)

    def start(self, n: int) -> bool:
        """Whether the task is to be done; then it has left the queue."""
        if not self.arrivals.start(n):
            return False
        if self.bound is not None and not self.rejects:
            os.eventfd_write(self.bell, 1)
        return True

    def hush(self) -> None:
        """The bell is heard: it is silent until it is rung again."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.bell)

    def complete(self, finished: Iterable[Done], turn: int) -> list[Done]:
        """With what a model never got to do: what was rejected, and what was left when all was over. Of the tasks that
        are the same again after each turn, equal outcomes are one: they may be large, and travel."""
        first: dict[int, Outcome] = {}
        done: dict[int, Done] = {}
        for each in finished:
            if each.outcome.status != "pending":
                outcome = first.setdefault(each.task % turn, each.outcome)
                done[each.task] = each._replace(outcome=outcome) if outcome == each.outcome else each
        for n, (due, _, started, _, rejected, _) in enumerate(self.arrivals):
            if started is None and n not in done:
                done[n] = _undone(n, "rejected" if rejected else "left", due)
        return list(done.values())


def _arrived(arrivals: _core.Arrivals, bell: DupFd, bound: int | None, rejects: bool) -> Gate:
    return Gate(arrivals, bell.detach(), bound, rejects)


def _undone(n: int, status: str, when_ns: int) -> Done:
    return Done(n, Outcome(status), Span(0, 0, 0, 0, when_ns, when_ns, when_ns, 0))


@dataclass(frozen=True, slots=True)
class Coming:
    """Tasks that come with time. It begins when the first is asked for."""

    tasks: Sequence[Task]
    gate: Gate

    def __iter__(self) -> Iterator[Task]:
        arrivals = self.gate.arrivals
        arrivals.begin()
        for task in self.tasks:
            self._sleep_until(arrivals.due(task.index))
            while not arrivals.ended():
                if arrivals.admit(task.index):
                    yield task
                    break
                if self.gate.rejects:
                    arrivals.reject(task.index)
                    break
                self._wait_for_room()

    async def __aiter__(self) -> AsyncIterator[Task]:
        arrivals = self.gate.arrivals
        arrivals.begin()
        for task in self.tasks:
            await self._sleep_until_async(arrivals.due(task.index))
            while not arrivals.ended():
                if arrivals.admit(task.index):
                    yield task
                    break
                if self.gate.rejects:
                    arrivals.reject(task.index)
                    break
                await self._wait_for_room_async()

    def claims(self) -> Iterator[Task]:
        while (n := self.gate.arrivals.claim()) is not None:
            yield self.tasks[n]

    @contextmanager
    def feed(self, put: Callable[[Task | None], object], ends: int) -> Iterator[None]:
        def produce() -> None:
            for task in self:
                put(task)
            for _ in range(ends):
                put(None)

        producer = threading.Thread(target=produce, name="producer", daemon=True)
        producer.start()
        try:
            yield
        finally:
            self.gate.arrivals.end()  # after a failure; else it is over already
            producer.join()

    def attended(self, do: Callable[[Task], Done]) -> Callable[[Task], Done]:
        arrivals = self.gate.arrivals

        def attend(task: Task) -> Done:
            self._sleep_until(arrivals.due(task.index))
            if not self.gate.start(task.index):
                return _undone(task.index, "left", time.monotonic_ns())
            done = do(task)
            arrivals.finish(task.index)
            return done

        return attend

    def attended_async(self, do: Callable[[Task, int], Awaitable[Done]]) -> Callable[[Task, int], Awaitable[Done]]:
        arrivals = self.gate.arrivals

        async def attend(task: Task, place: int) -> Done:
            await self._sleep_until_async(arrivals.due(task.index))
            if not self.gate.start(task.index):
                return _undone(task.index, "left", time.monotonic_ns())
            done = await do(task, place)
            arrivals.finish(task.index)
            return done

        return attend

    def _sleep_until(self, due_ns: int) -> None:
        """Or until all is over."""
        while (left := due_ns - time.monotonic_ns()) > 0 and not self.gate.arrivals.ended():
            time.sleep(min(left, _SLICE_NS) / 1e9)

    async def _sleep_until_async(self, due_ns: int) -> None:
        import asyncio  # only where a loop runs already

        while (left := due_ns - time.monotonic_ns()) > 0 and not self.gate.arrivals.ended():
            await asyncio.sleep(min(left, _SLICE_NS) / 1e9)

    def _wait_for_room(self) -> None:
        """Until a task has been started, for a slice at most."""
        bell = select.poll()
        bell.register(self.gate.bell, select.POLLIN)
        bell.poll(_SLICE_NS / 1e6)
        self.gate.hush()

    async def _wait_for_room_async(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        rung = asyncio.Event()
        loop.add_reader(self.gate.bell, rung.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SLICE_NS / 1e9):
                    await rung.wait()
        finally:
            loop.remove_reader(self.gate.bell)
        self.gate.hush()
