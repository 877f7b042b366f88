"""`asyncio-processes`: a loop that hands each task to a pool of processes with `run_in_executor`, and awaits it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from lanes import children
from lanes.models.futures_processes import executor
from lanes.models.loop import run_on_loop
from lanes.types import Done
from lanes.work import Work, do_task

name = "asyncio-processes"
family = "python"
switching = "the operating system, pre-emptively"
processors = "many"
reasons: dict[str, str] = {}
start_method = children.START_METHOD
loop = True
coroutines = False
variants = children.START_METHODS


def run(work: Work, workers: int, variant: str | None = None) -> list[Done]:
    # Outside of the loop, so that nothing waits in it for the processes to begin or to end.
    with executor(work, workers, variant) as pool:
        return run_on_loop(_run(work, pool), work)


async def _run(work: Work, pool: Executor) -> list[Done]:
    loop = asyncio.get_running_loop()
    return await asyncio.gather(*[loop.run_in_executor(pool, do_task, task) async for task in work.source])
