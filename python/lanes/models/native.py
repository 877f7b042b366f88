"""The models in C: one call runs all tasks, and no worker ever meets the interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import starmap

from lanes import _core
from lanes.types import Done
from lanes.work import Work, done


@dataclass(frozen=True, slots=True)
class Native:
    """A model of the engine, as a model of lanes."""

    name: str
    switching: str
    processors: str
    family: str = "native"
    reasons: Mapping[str, str] = field(default_factory=dict)
    start_method: str | None = None
    loop: bool = False
    coroutines: bool = False
    variants: Mapping[str, str] = field(default_factory=dict)

    def run(self, work: Work, workers: int, variant: str | None = None) -> Iterator[Done]:
        shared = work.ledger, work.warm_up, work.area, work.arrivals
        records = _core.run(self.name, work.workload.name, work.inputs, workers, *shared)
        # One by one as they are asked for, which is after the clock has stopped: they are no work of the engine's.
        return starmap(done, enumerate(records))


SERIAL = Native("native-serial", "nobody", "1")
PTHREADS = Native("native-pthreads", "the operating system, pre-emptively", "many")
FORK = Native("native-fork", "the operating system, pre-emptively", "many", start_method="fork")
EPOLL = Native("native-epoll", "the task, when it would block", "1")
