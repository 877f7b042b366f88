"""Memory: what workers have in common, and what each has for itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lanes.claims.claim import Case, Claim, Figure, at_least, at_most, exactly
from lanes.claims.lab import ExperimentError, Lab, asked, measurement

_AREA = 32 * 2**20
_PAGE = 4096
_WORKERS = 2


class Memory(NamedTuple):
    """What became of an area that every worker wrote to: the share of its pages that shows the caller what they wrote,
    and by how much the memory of all grew, for each worker, as a share of the area."""

    seen: float
    grown: float


@measurement(
    f"{_AREA // 2**20} MiB of the caller's memory, to whose every page {_WORKERS} threads, or forked processes, write:"
    " what the caller sees of it, and the proportional set size of all while they stand still"
)
def memory(lab: Lab) -> list[list[Memory]]:
    return asked(lab, written, ("threads", "processes"))


def written(by: str) -> Memory:
    """Let workers write to an area of this process, which is a fresh one, and look at all of them before they end."""
    import multiprocessing
    import threading

    area = bytearray(b"\1") * _AREA
    fork = multiprocessing.get_context("fork")
    barrier: Any = threading.Barrier(_WORKERS + 1) if by == "threads" else fork.Barrier(_WORKERS + 1)
    start: Callable[..., Any] = threading.Thread if by == "threads" else fork.Process

    before = _pss()
    workers = [start(target=_write, args=(area, barrier)) for _ in range(_WORKERS)]
    for worker in workers:
        worker.start()
    barrier.wait()  # all have written
    grown = _pss() - before
    barrier.wait()
    for worker in workers:
        worker.join()
    pages = area[::_PAGE]
    return Memory(pages.count(2) / len(pages), grown / _WORKERS / _AREA)


def _write(area: bytearray, barrier: Any) -> None:
    for page in range(0, len(area), _PAGE):
        area[page] = 2
    barrier.wait()
    barrier.wait()  # until the caller has looked


def _pss() -> int:
    """The memory of this process and its children, a page that n of them share counting 1/n in each."""
    from lanes.closeup import MemoryWatch

    watch = MemoryWatch()
    watch.look(os.getpid())
    if watch.peak_pss is None:
        raise ExperimentError("the kernel does not tell the memory of this process")
    return watch.peak_pss


def _areas(lab: Lab) -> Iterator[Figure]:
    answers = lab(memory)
    for words, each in zip(("threads", "processes"), answers, strict=True):
        yield Figure(f"{words}, writes that the caller sees", "%", tuple(answer.seen for answer in each))
        yield Figure(f"{words}, memory grown for each", "%", tuple(answer.grown for answer in each))


CLAIMS = (
    Claim(
        15,
        "memory-areas",
        "Threads share one memory area, processes each have their own.",
        _areas,
        (
            Case(
                (
                    exactly("threads, writes that the caller sees", 1, "%"),
                    exactly("processes, writes that the caller sees", 0, "%"),
                    at_most("threads, memory grown for each", 0.1, "%", sturdy=True),
                    at_least("processes, memory grown for each", 0.9, "%", sturdy=True),
                )
            ),
        ),
        note="Forked processes begin with all of their parent's memory in common with it; what one writes to is copied"
        " for it, page by page.",
    ),
)
