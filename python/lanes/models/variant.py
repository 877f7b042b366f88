"""A variant of a model: the same file with one option, and a row of its own: `multiprocessing[spawn]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lanes.types import Done, Model
from lanes.work import Work


@dataclass(frozen=True, slots=True)
class Variant:
    """A model run in one of its other ways; all else is the model's own."""

    column: Model
    variant: str
    variants: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.column.name}[{self.variant}]"

    @property
    def family(self) -> str:
        return self.column.family

    @property
    def switching(self) -> str:
        return self.column.switching

    @property
    def processors(self) -> str:
        return self.column.processors

    @property
    def reasons(self) -> Mapping[str, str]:
        return self.column.reasons

    @property
    def start_method(self) -> str | None:
        """The variant itself where it names one."""
        from lanes.children import START_METHODS  # it brings multiprocessing along

        return self.variant if self.variant in START_METHODS else self.column.start_method

    @property
    def loop(self) -> bool:
        return self.column.loop

    @property
    def coroutines(self) -> bool:
        return self.column.coroutines

    def run(self, work: Work, workers: int, variant: str | None = None) -> Iterable[Done]:
        return self.column.run(work, workers, self.variant)
