"""`asyncio-threads`: a loop that hands each task to a thread with `asyncio.to_thread`, and awaits it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from lanes.models.loop import LOOPS, run_on_loop
from lanes.models.loop import lacks as lacks  # the same here
from lanes.types import Done
from lanes.work import Work, do_task, start_thread

name = "asyncio-threads"
family = "python"
switching = "the operating system, pre-emptively"
processors = "1 with a GIL, many without"
reasons: dict[str, str] = {}
start_method = None
loop = True
coroutines = False
variants = LOOPS


def run(work: Work, workers: int, variant: str | None = None) -> list[Done]:
    return run_on_loop(_run(work, workers), work, variant)


async def _run(work: Work, workers: int) -> list[Done]:
    # What `to_thread` hands to is the loop's own pool; the runner ends it.
    pool = ThreadPoolExecutor(workers, work.model, initializer=start_thread, initargs=(work,))
    loop = asyncio.get_running_loop()
    loop.set_default_executor(pool)
    return await asyncio.gather(*[loop.create_task(asyncio.to_thread(do_task, task)) async for task in work.source])
