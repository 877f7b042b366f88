"""`threading`: one thread per worker; all take tasks from one queue until it is empty."""

from __future__ import annotations

import threading
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
    tasks: SimpleQueue[Task] = SimpleQueue()
    results: SimpleQueue[Done | BaseException] = SimpleQueue()
    for task in work.tasks:
        tasks.put(task)
    threads: list[threading.Thread] = []
    try:
        for worker in range(workers):
            name = names.of(work.model, worker)
            threads.append(threading.Thread(target=_worker, args=(work, tasks, results), name=name))
            threads[-1].start()
        return [_checked(results.get()) for _ in work.tasks]
    finally:
        _empty(tasks)  # after Ctrl-C or a failure no worker takes another task
        for thread in threads:
            if thread.ident is not None:
                thread.join()


def _worker(work: Work, tasks: SimpleQueue[Task], results: SimpleQueue[Done | BaseException]) -> None:
    names.call_thread()
    try:
        with work.open() as do:
            while True:
                try:
                    task = tasks.get_nowait()
                except Empty:
                    return
                results.put(do(task))
    except BaseException as error:
        results.put(error)


def _checked(result: Done | BaseException) -> Done:
    if isinstance(result, BaseException):
        raise result
    return result


def _empty(tasks: SimpleQueue[Task]) -> None:
    while not tasks.empty():
        try:
            tasks.get_nowait()
        except Empty:
            return
