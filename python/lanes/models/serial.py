"""`serial`: no concurrency; one task after another. The baseline of every comparison."""

from __future__ import annotations

from lanes.types import Done
from lanes.work import Work

name = "serial"
family = "python"
switching = "nobody"
processors = "1"
reasons: dict[str, str] = {}
start_method = None
loop = False
coroutines = False
variants: dict[str, str] = {}


def run(work: Work, workers: int, variant: str | None = None) -> list[Done]:
    with work.open() as do:
        return [do(task) for task in work.source.claims()]
