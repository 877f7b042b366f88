"""`futures-processes`: a ProcessPoolExecutor; `map` hands it the tasks one by one."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

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


def run(work: Work, workers: int, variant: str | None = None) -> list[Done]:
    size = children.chunk_size(work, workers) if variant == "chunked" else 1
    with executor(work, workers, variant) as pool:
        return list(pool.map(do_task, work.source, chunksize=size))


def executor(work: Work, workers: int, variant: str | None = None) -> ProcessPoolExecutor:
    """The pool, each of whose processes has opened the work."""
    context = children.context(work.model, variant)
    return ProcessPoolExecutor(workers, context, initializer=children.start_process, initargs=(work,))
