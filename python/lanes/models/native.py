"""The models in C: one call runs all tasks, and no worker ever meets the interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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

    def run(self, work: Work, workers: int) -> list[Done]:
        inputs: list[_core.TaskInput] = [(task.text, *task.args) for task in work.tasks]
        records = _core.run(self.name, work.workload.name, inputs, workers)
        return [done(task.index, records[n]) for n, task in enumerate(work.tasks)]


SERIAL = Native("native-serial", "nobody", "1")
PTHREADS = Native("native-pthreads", "the operating system, pre-emptively", "many")
FORK = Native("native-fork", "the operating system, pre-emptively", "many")
EPOLL = Native("native-epoll", "the task, when it would block", "1")
