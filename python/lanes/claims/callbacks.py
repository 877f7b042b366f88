"""Callbacks: calls that return before their work is done, and the answer that comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lanes.claims.claim import Case, Claim, Figure, at_least, at_most
from lanes.claims.lab import Lab, asked, measurement

_WORK_S = 0.05
_SHORT = 0.1
"""A call that takes no more than this share of its work's time has returned at once."""

_WAYS = ("ThreadPoolExecutor", "multiprocessing.Pool", "asyncio task", "lanes.run_async")


class Heard(NamedTuple):
    """Seconds from the call: when it had returned, and when the callback was there with the answer."""

    returned_s: float
    answered_s: float


@measurement(f"one wait of {_WORK_S * 1000:.0f} ms, called in four asynchronous ways, each with a callback")
def calls(lab: Lab) -> list[list[Heard]]:
    return asked(lab, call, _WAYS)


def call(way: str) -> Heard:
    """Call once in this way, in a process of its own; whatever it needs is there before the clock starts."""
    ways: dict[str, Callable[[], Heard]] = {
        "ThreadPoolExecutor": _submit,
        "multiprocessing.Pool": _apply,
        "asyncio task": _task,
        "lanes.run_async": _run_async,
    }
    return ways[way]()


def _submit() -> Heard:
    from concurrent.futures import ThreadPoolExecutor

    heard: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        began = time.monotonic()
        pool.submit(time.sleep, _WORK_S).add_done_callback(lambda _: heard.append(time.monotonic()))
        returned = time.monotonic()
    return Heard(returned - began, heard[0] - began)


def _apply() -> Heard:
    from multiprocessing import get_context

    from lanes.children import START_METHOD

    heard: list[float] = []
    with get_context(START_METHOD).Pool(1) as pool:
        pool.apply(int)
        began = time.monotonic()
        result = pool.apply_async(time.sleep, (_WORK_S,), callback=lambda _: heard.append(time.monotonic()))
        returned = time.monotonic()
        result.get()
    return Heard(returned - began, heard[0] - began)


def _task() -> Heard:
    import asyncio

    async def main() -> Heard:
        heard: list[float] = []
        began = time.monotonic()
        task = asyncio.create_task(asyncio.sleep(_WORK_S))
        task.add_done_callback(lambda _: heard.append(time.monotonic()))
        returned = time.monotonic()
        await task
        return Heard(returned - began, heard[0] - began)

    return asyncio.run(main())


def _run_async() -> Heard:
    import asyncio

    from lanes.flight import run_async
    from lanes.workloads.wait import wait

    async def main() -> Heard:
        heard: list[float] = []
        began = time.monotonic()
        task = asyncio.create_task(run_async(wait(tasks=1, duration=_WORK_S), "native-epoll"))
        task.add_done_callback(lambda _: heard.append(time.monotonic()))
        returned = time.monotonic()
        await task
        return Heard(returned - began, heard[0] - began)

    return asyncio.run(main())


def _calls(lab: Lab) -> Iterator[Figure]:
    answers = lab(calls)
    for way, heard in zip(_WAYS, answers, strict=True):
        yield Figure(f"{way}, call over work", "%", tuple(each.returned_s / _WORK_S for each in heard))
        yield Figure(f"{way}, answer over work", "x", tuple(each.answered_s / _WORK_S for each in heard))


CLAIMS = (
    Claim(
        23,
        "callbacks",
        "Asynchronous calls return to the caller at once and come back by callback.",
        _calls,
        (
            Case(
                (
                    *(at_most(f"{way}, call over work", _SHORT, "%", sturdy=True) for way in _WAYS),
                    *(at_least(f"{way}, answer over work", 1.0) for way in _WAYS),
                )
            ),
        ),
        told=tuple(f"{way}, call over work" for way in _WAYS),
        note="The callback comes when the work is done, and not before.",
    ),
)
