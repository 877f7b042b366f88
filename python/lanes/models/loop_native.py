"""`asyncio-native`: one event loop that awaits a run of the engine through its descriptor, and is free meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import starmap

from lanes.flight import fly
from lanes.models.loop import LOOPS, loop_factory
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
    with asyncio.Runner(loop_factory=loop_factory(variant)) as runner:
        records = runner.run(fly(name, work, workers))
    return starmap(done, enumerate(records))
