"""Large objects as a workload: each task gets one, computes, and gives one back; as argument and result, or in memory
that the workers share.

The work is the same in both: a kernel that needs the processor, and a look at every page of what came. What differs is
how the object travels, which between processes means pickling and copying it through a pipe, there and back; or not at
all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from lanes import _core
from lanes.processors import usable_processors
from lanes.types import By, Means, Outcome, Task
from lanes.workloads.compute import primes

_FIRST = 1_000_000
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Objects:
    """`count` tasks with an object of so many bytes each; in shared memory when `shared`. `numbers` are those that the
    kernel of a task looks at."""

    name: ClassVar[str] = "objects"
    compiled: ClassVar[bool] = False
    blocking: ClassVar[bool] = True
    twins: ClassVar[bool] = False
    warm_up: ClassVar[Task | None] = None
    area: ClassVar[_core.Area | None] = None

    count: int
    size: int
    numbers: int
    shared: bool
    memory: _core.Area | None = field(default=None, repr=False, compare=False)

    @property
    def params(self) -> dict[str, object]:
        return {"size": self.size, "numbers": self.numbers, "shared": self.shared}

    @property
    def tasks(self) -> tuple[Task, ...]:
        payload = None if self.shared else b"\1" * self.size
        return tuple(Task(n, item=payload) for n in range(self.count))

    @property
    def default_workers(self) -> int:
        return usable_processors()

    @contextmanager
    def serve(self) -> Iterator[Self]:
        yield self

    def lacks(self, by: By, *_: object) -> str | None:
        return None

    @contextmanager
    def share(self, means: Means) -> Iterator[Self]:
        """With the memory, whose every page has been written to, as that of an argument has."""
        if not self.shared:
            yield self
            return
        memory = _core.Area(self.count * self.size)
        memoryview(memory)[:] = b"\1" * len(memory)
        yield replace(self, memory=memory)

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        yield self._do

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
        async def inline(task: Task) -> Outcome:
            return self._do(task)

        yield inline

    def _do(self, task: Task) -> Outcome:
        found = primes((_FIRST, _FIRST + self.numbers))
        if self.memory is None:
            assert isinstance(task.item, bytes)
            answer = b"\2" * len(task.item)
            return Outcome("ok", (*found, sum(task.item[::_PAGE]), answer))
        mine = memoryview(self.memory)[task.index * self.size : (task.index + 1) * self.size]
        seen = sum(mine[::_PAGE])
        mine[:] = b"\2" * self.size
        return Outcome("ok", (*found, seen))
