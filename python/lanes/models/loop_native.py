"""`asyncio-native`: one event loop that awaits a run of the engine through its descriptor, and is free meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import starmap

from lanes.flight import fly
from lanes.models.loop import LOOPS, run_on_loop
from lanes.models.loop import lacks as lacks  # the same here
from lanes.types import Done
from lanes.work import Work, done

name = "asyncio-native"
family = "native"
switching = "the task, when it would block, or the operating system"
processors = "many; 1 for what waits"
reasons: dict[str, str] = {}
start_method = None
loop = True
coroutines = False
variants = {"uvloop": LOOPS["uvloop"]}


def run(work: Work, workers: int, variant: str | None = None) -> Iterator[Done]:
    records = run_on_loop(fly(name, work, workers), work, variant)
    return starmap(done, enumerate(records))
