"""`threading`: one thread per worker; all take tasks from one queue until it is empty."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue

from lanes import names
from lanes.types import Done, Task
from lanes.work import Work

name = "threading"
family = "python"
switching = "the operating system, pre-emptively"
processors = "1 with a GIL, many without"
reasons: dict[str, str] = {}
start_method = None
loop = False
coroutines = False
variants: dict[str, str] = {}


def run(work: Work, workers: int, variant: str | None = None) -> list[Done]:
    tasks: SimpleQueue[Task | None] = SimpleQueue()
    results: SimpleQueue[Done | BaseException | None] = SimpleQueue()
    threads: list[threading.Thread] = []
    with work.source.feed(tasks.put, workers):
        try:
            for worker in range(workers):
                name = names.of(work.model, worker)
                threads.append(threading.Thread(target=_worker, args=(work, tasks, results), name=name))
                threads[-1].start()
            return list(_collect(results, workers))
        finally:
            _dismiss(tasks, workers)  # after Ctrl-C or a failure no worker takes another task
            for thread in threads:
                if thread.ident is not None:
                    thread.join()


def _worker(work: Work, tasks: SimpleQueue[Task | None], results: SimpleQueue[Done | BaseException | None]) -> None:
    names.call_thread()
    try:
        with work.open() as do:
            for task in iter(tasks.get, None):
                results.put(do(task))
        results.put(None)
    except BaseException as error:
        results.put(error)


def _collect(results: SimpleQueue[Done | BaseException | None], workers: int) -> Iterator[Done]:
    """Until every worker has ended."""
    while workers > 0:
        result = results.get()
        if isinstance(result, BaseException):
            raise result
        if result is None:
            workers -= 1
        else:
            yield result


def _dismiss(tasks: SimpleQueue[Task | None], workers: int) -> None:
    """Leave nothing in the queue but the end."""
    while not tasks.empty():
        with suppress(Empty):
            tasks.get_nowait()
    for _ in range(workers):
        tasks.put(None)
