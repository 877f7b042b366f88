"""A workload as JSON, and the one that stands for it when a result is read: it is known by all that a result shows of
it, and cannot be run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from lanes.report.fields import typed
from lanes.types import Measuring, Run, Task, Workload
from lanes.units import whole


@dataclass(frozen=True, slots=True)
class Recorded:
    """A `Workload` as a file has it: its name, the user's choices, and of its tasks the texts."""

    name: str
    params: Mapping[str, object]
    tasks: tuple[Task, ...] = field(repr=False)
    compiled: bool
    blocking: bool = True
    twins: bool = False
    default_workers: int = 1
    warm_up: Task | None = None

    def serve(self) -> NoReturn:
        """What every run begins with."""
        raise ValueError(f"{self.name} was read from a file, which has its results and not its work: make it anew")

    def open(self) -> NoReturn:
        self.serve()

    def open_async(self) -> NoReturn:
        self.serve()


@dataclass(frozen=True, slots=True)
class RecordedMeasuring(Recorded):
    """The same for one that measures more than time."""

    units: Mapping[str, str] = field(default_factory=dict)
    noted: tuple[str, ...] = field(default=(), repr=False)

    def figures(self, run: Run) -> Mapping[str, float | None]:
        """Those that the run has already."""
        return run.figures

    def remarks(self, machine: Mapping[str, object]) -> Iterable[str]:
        """As they were written, for the machine of that time."""
        return self.noted


def document(workload: Workload, machine: Mapping[str, object]) -> dict[str, object]:
    """The workload as what JSON can hold."""
    texts = [task.text for task in workload.tasks]
    measuring = workload if isinstance(workload, Measuring) else None
    return {
        "name": workload.name,
        "params": dict(workload.params),
        "tasks": len(workload.tasks),
        "texts": texts if any(texts) else [],
        "compiled": workload.compiled,
        "units": dict(measuring.units) if measuring else None,
        "remarks": list(measuring.remarks(machine)) if measuring else [],
    }


def read(found: dict[str, Any]) -> Workload:
    """The workload of such a document."""
    many = whole(found["tasks"], "tasks")
    texts = typed(tuple[str, ...], found.get("texts", []), "texts") or ("",) * many
    if len(texts) != many:
        raise ValueError(f"there are {len(texts)} texts for {many} tasks")
    known = (
        typed(str, found["name"], "name"),
        typed(dict[str, object], found["params"], "params"),
        tuple(Task(index, text) for index, text in enumerate(texts)),
        typed(bool, found.get("compiled", True), "compiled"),
    )
    units = typed(Mapping[str, str] | None, found.get("units"), "units")
    if units is None:
        return Recorded(*known)
    return RecordedMeasuring(*known, units=units, noted=typed(tuple[str, ...], found["remarks"], "remarks"))
