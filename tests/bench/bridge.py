"""What it costs a loop to await a batch of the engine's that has no work in it.

    python bridge.py NAME

takes one sample, in seconds, each in a process of its own.
"""

from __future__ import annotations

import asyncio
import sys
import time

from dispatch import check, pairs_of
from figures import Figure, Target

import lanes
from lanes.flight import fly
from lanes.types import Workload
from lanes.work import Work

AWAITS = 2000


async def awaited(workload: Workload) -> float:
    """Seconds to await a batch of one empty task."""
    work = Work(workload, "released")
    began = time.perf_counter()
    for _ in range(AWAITS):
        records = await fly("asyncio-native", work, 1)
    elapsed = time.perf_counter() - began
    check(records, 1)
    return elapsed / AWAITS


async def waiting() -> float:
    """One that only waits is done on the loop's own thread."""
    return await awaited(lanes.wait(tasks=1, duration=0))


async def computing() -> float:
    """One that computes, on a thread that is made for it."""
    return await awaited(lanes.compute("squares", tasks=1, task_size=1))


async def to_thread() -> float:
    """Seconds to await an empty call on a thread that is there already."""
    began = time.perf_counter()
    for _ in range(AWAITS):
        await asyncio.to_thread(int)
    return (time.perf_counter() - began) / AWAITS


SAMPLES = {call.__name__: call for call in (waiting, computing, to_thread)}


def figure(name: str, sample: str, what: str) -> Figure:
    return Figure(
        name=f"bridge/{name}",
        lanes=f"asyncio-native: a batch of one empty task that {what}, awaited",
        other="await asyncio.to_thread(int)",
        unit="us",
        target=Target(1 / 2),
        open=pairs_of(sample, "to_thread", f"{AWAITS:,} one after another", __file__),
    )


FIGURES = (
    figure("wait", "waiting", "waits, on the loop's thread"),
    figure("compute", "computing", "computes, on a thread made for it"),
)

if __name__ == "__main__":

    async def main(name: str) -> float:
        await SAMPLES[name]()  # imports, first use
        return await SAMPLES[name]()

    print(asyncio.run(main(sys.argv[1])))
