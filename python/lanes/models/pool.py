"""`multiprocessing-pool`: a Pool; each task, or chunk of tasks, is an `apply_async` whose callback takes the result."""

from __future__ import annotations

import multiprocessing
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue

from lanes import children
from lanes.types import Done
from lanes.work import Work, do_tasks

name = "multiprocessing-pool"
family = "python"
switching = "the operating system, pre-emptively"
processors = "many"
reasons: dict[str, str] = {}
start_method = children.START_METHOD
loop = False
coroutines = False
variants = {**children.START_METHODS, **children.CHUNKED}


def run(work: Work, workers: int, variant: str | None = None) -> list[Done]:
    results: SimpleQueue[list[Done] | BaseException] = SimpleQueue()
    others = set(multiprocessing.active_children())
    size = children.chunk_size(work, workers) if variant == "chunked" else 1
    with children.context(work.model, variant).Pool(workers, children.start_process, (work,)) as pool:
        crew = set(multiprocessing.active_children()) - others
        expected = 0
        for chunk in children.parcels(work, size):
            expected += len(chunk)
            pool.apply_async(do_tasks, (chunk,), callback=results.put, error_callback=results.put)
        done: list[Done] = []
        while len(done) < expected:
            try:
                result = results.get(timeout=0.1)
            except Empty:
                _call_roll(crew, workers)
                continue
            if isinstance(result, BaseException):
                raise result
            done += result
        pool.close()
        pool.join()
    return done


def _call_roll(crew: set[BaseProcess], workers: int) -> None:
    """A Pool replaces a worker that dies and says nothing; its task would be waited for for ever."""
    for process in crew:
        if process.exitcode is not None:
            raise RuntimeError(children.last_words(process))
    if len(crew) < workers:
        raise RuntimeError("a worker process ended before its first task")
