"""`asyncio`: one event loop; a worker is a coroutine, and each takes the next task when it has done one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from lanes import names
from lanes.types import Done
from lanes.work import Work

T = TypeVar("T")

name = "asyncio"
family = "python"
switching = "the task, at each await"
processors = "1"
reasons = {"released": "the loop waits inside the call whether the GIL is released or not: the same as held"}
start_method = None
loop = True
coroutines = True
LOOPS = {"uvloop": "the loop is uvloop's", "eager": "a task runs at once, up to its first wait (Python 3.12)"}
variants = LOOPS


def run(work: Work, workers: int, variant: str | None = None) -> list[Done]:
    return run_on_loop(_run(work, workers), work, variant)


def run_on_loop(main: Coroutine[Any, Any, T], work: Work, variant: str | None = None) -> T:
    """Run this on a loop of its own, which then ends; and beside it there what the work is to have beside it."""
    with asyncio.Runner(loop_factory=loop_factory(variant)) as runner:
        return runner.run(main if work.beside is None else _accompanied(main, work))


async def _accompanied(main: Coroutine[Any, Any, T], work: Work) -> T:
    assert work.beside is not None
    async with work.beside():
        return await main


def loop_factory(variant: str | None) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop; None for the usual one."""
    if variant == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    return _eager_loop if variant == "eager" else None


def _eager_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


def lacks(variant: str) -> str | None:
    """What this interpreter lacks for a variant; None where it has all."""
    if variant == "eager" and sys.version_info < (3, 12):
        return "Python 3.12 or later"
    if variant == "uvloop":
        from importlib.util import find_spec

        return None if find_spec("uvloop") else "uvloop: pip install uvloop"
    return None


async def _run(work: Work, workers: int) -> list[Done]:
    tasks = work.source.claims()  # one for all: taking the next is a step no other coroutine can interrupt
    results: list[Done] = []
    async with work.open_async(workers) as do:

        async def worker(place: int) -> None:
            if this := asyncio.current_task():
                this.set_name(names.of(work.model, place))
            for task in tasks:
                results.append(await do(task, place))

        await asyncio.gather(*(worker(place) for place in range(workers)))
    return results
