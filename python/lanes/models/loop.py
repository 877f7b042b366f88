"""`asyncio`: one event loop; a worker is a coroutine, and each takes the next task when it has done one."""

from __future__ import annotations

import asyncio

from lanes.types import Done
from lanes.work import Work

name = "asyncio"
family = "python"
switching = "the task, at each await"
processors = "1"
reasons = {"released": "the loop waits inside the call whether the GIL is released or not: the same as held"}
start_method = None
coroutines = True


def run(work: Work, workers: int) -> list[Done]:
    return asyncio.run(_run(work, workers))


async def _run(work: Work, workers: int) -> list[Done]:
    tasks = iter(work.tasks)  # one for all: taking the next is a step no other coroutine can interrupt
    results: list[Done] = []
    async with work.open_async(workers) as do:

        async def worker(place: int) -> None:
            for task in tasks:
                results.append(await do(task, place))

        await asyncio.gather(*(worker(place) for place in range(workers)))
    return results
