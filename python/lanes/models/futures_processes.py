"""`futures-processes`: a ProcessPoolExecutor; `map` hands it the tasks one by one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import ParamSpec, TypeVar

from lanes import children
from lanes.types import Done
from lanes.work import Work, do_task

name = "futures-processes"
family = "python"
switching = "the operating system, pre-emptively"
processors = "many"
reasons: dict[str, str] = {}
start_method = children.START_METHOD
loop = False
coroutines = False
variants = {**children.START_METHODS, **children.CHUNKED}

P = ParamSpec("P")
T = TypeVar("T")


def run(work: Work, workers: int, variant: str | None = None) -> list[Done]:
    size = children.chunk_size(work, workers) if variant == "chunked" else 1
    with executor(work, workers, variant) as pool:
        return list(pool.map(do_task, work.source, chunksize=size))


def executor(work: Work, workers: int, variant: str | None = None) -> ProcessPoolExecutor:
    """The pool, each of whose processes has opened the work."""
    context = children.context(work.model, variant)
    begin = children.start_process
    if work.gate is None:
        return ProcessPoolExecutor(workers, context, initializer=begin, initargs=(work,))
    pool = _UnderLoad(workers, context, initializer=begin, initargs=(work,))
    pool.end = work.gate.arrivals.end
    return pool


class _UnderLoad(ProcessPoolExecutor):
    """When it breaks the load is over: nobody makes room any more for the task that its producer may wait with."""

    end: Callable[[], object]

    def submit(self, fn: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> Future[T]:
        future = super().submit(fn, *args, **options)
        future.add_done_callback(self._look)
        return future

    def _look(self, future: Future[T]) -> None:
        if future.cancelled() or future.exception() is not None:
            self.end()
