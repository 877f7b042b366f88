"""The pulse beside a model: something that tries to beat every 5 ms while the model works, and how late it comes.

It stands for the rest of the program, a heartbeat, a user interface, another request: what it is late by is the price
that the rest pays for this work being done in this way. On models with a loop it is a coroutine there; beside all
others it is a Python thread in the calling process, which does no more than to wait for a lock with a time-out.

The schedule is fixed. Something that keeps the pulse from beating for 400 ms makes 80 beats late, by 400 ms, 395 ms and
so on, and not one: each counts from when it was due, for whoever wants something at that moment has to wait so long.
To count one late beat, as a loop of sleeps would, is known as coordinated omission: the worse it is, the less is seen.
Beats that were still due when the work ended count as late as they are by then.

What the pulse itself cannot do better: a thread wakes about 0.1 ms late, a loop about 1 ms, as epoll waits for whole
milliseconds.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Lock, Thread

from lanes.types import Model, Pulse

PERIOD_NS = 5_000_000


class Beat:
    """What beats beside one run. `beside` goes around the model, `on_loop` around what runs on its loop, if it has one;
    then `taken` says how it went."""

    def __init__(self) -> None:
        self.due_ns = 0
        self.late_ns: list[int] = []
        self._where = "thread"

    def begin(self, now_ns: int) -> None:
        """The first beat is due a period from now."""
        self.due_ns = now_ns + PERIOD_NS

    def beat(self, now_ns: int) -> None:
        """All that is due by now has come to pass now."""
        while self.due_ns <= now_ns:
            self.late_ns.append(now_ns - self.due_ns)
            self.due_ns += PERIOD_NS

    @contextmanager
    def beside(self, column: Model) -> Iterator[None]:
        """A thread beats inside, unless the model has a loop for it.

        A model that forks now forks a process with two threads, of which Python warns from 3.12 on: what another thread
        holds at that moment, nobody in the child ever gives back. This one never holds anything that a child needs:
        it is waiting for a lock that nobody else knows of, or for the GIL, which a child makes anew.
        """
        if column.loop:
            yield
            return
        stop = Lock()
        stop.acquire()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
            thread = Thread(target=self._until, args=(stop,), name="lanes-pulse", daemon=True)
            self.begin(time.monotonic_ns())
            thread.start()
            try:
                yield
            finally:
                ended_ns = time.monotonic_ns()
                stop.release()
                thread.join()
                self.beat(ended_ns)

    def _until(self, stop: Lock) -> None:
        while not stop.acquire(timeout=self._left_s()):
            self.beat(time.monotonic_ns())

    @asynccontextmanager
    async def on_loop(self) -> AsyncIterator[None]:
        """A coroutine beats inside."""
        import asyncio  # a loop runs already

        async def beating() -> None:
            while True:
                await asyncio.sleep(self._left_s())
                self.beat(time.monotonic_ns())

        self._where = "loop"
        self.begin(time.monotonic_ns())
        task = asyncio.create_task(beating(), name="lanes-pulse")
        try:
            yield
        finally:
            task.cancel()
            self.beat(time.monotonic_ns())

    def _left_s(self) -> float:
        """Seconds until the next beat is due."""
        return max(0, self.due_ns - time.monotonic_ns()) / 1e9

    def taken(self) -> Pulse:
        late = sorted(self.late_ns)
        return Pulse(
            where=self._where,
            period_s=PERIOD_NS / 1e9,
            beats=len(late),
            missed=sum(each >= PERIOD_NS for each in late),
            p50_s=_percentile(late, 0.5),
            p99_s=_percentile(late, 0.99),
            max_s=_percentile(late, 1.0),
        )


def _percentile(ordered_ns: list[int], share: float) -> float | None:
    """The least that this share of them does not exceed, in seconds; None of nothing."""
    return ordered_ns[math.ceil(share * len(ordered_ns)) - 1] / 1e9 if ordered_ns else None
