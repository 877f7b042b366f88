"""`wait`: each task is a pure timer, so that the ideal time is known beforehand."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Self

from lanes.types import Outcome, Task
from lanes.units import in_turn, parse_duration, whole

ABOUT = "each task is a pure timer, so that the ideal time is known beforehand"
OPTIONS = {"duration": ("TIME,...", "of a timer, such as 50ms; several are used in turn")}
EXAMPLES = ("lanes compare wait --tasks 4 --duration 300ms,200ms,200ms,200ms --workers 2",)


@dataclass(frozen=True, slots=True)
class Wait:
    """Timers. `durations_ns` is taken in turn by the tasks; a task's one argument is its duration in nanoseconds."""

    name: ClassVar[str] = "wait"
    compiled: ClassVar[bool] = True
    blocking: ClassVar[bool] = True
    twins: ClassVar[bool] = True
    warm_up: ClassVar[Task | None] = None
    default_workers: ClassVar[int] = 4

    count: int
    durations_ns: tuple[int, ...]

    @property
    def params(self) -> dict[str, object]:
        return {"duration_s": [ns / 1e9 for ns in self.durations_ns]}

    @property
    def tasks(self) -> tuple[Task, ...]:
        turns = len(self.durations_ns)
        return tuple(Task(n, "", (self.durations_ns[n % turns],)) for n in range(self.count))

    @contextmanager
    def serve(self) -> Iterator[Self]:
        yield self

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        yield _sleep

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
        yield _sleep_async


def _sleep(task: Task) -> Outcome:
    time.sleep(task.args[0] / 1e9)
    return Outcome("ok")


async def _sleep_async(task: Task) -> Outcome:
    import asyncio  # only where a loop runs already

    await asyncio.sleep(task.args[0] / 1e9)
    return Outcome("ok")


def wait(*, tasks: int = 8, duration: str | float | Iterable[str | float] = "50ms") -> Wait:
    """Timers: tasks that do nothing but wait.

    tasks:    how many.
    duration: of a timer, as text or in seconds; several are taken in turn.

    >>> lanes.wait(tasks=3, duration=["10ms", 0.5]).params
    {'duration_s': [0.01, 0.5]}

    Raises ValueError for what is no duration.
    """
    return Wait(whole(tasks, "tasks"), in_turn(duration, parse_duration))
