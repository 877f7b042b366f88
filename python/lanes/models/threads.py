"""`threading`: one thread per worker; all take tasks from one queue until it is empty."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

from lanes.types import Done, Task
from lanes.work import Work

name = "threading"
family = "python"
switching = "the operating system, pre-emptively"
processors = "1 with a GIL, many without"
reasons: dict[str, str] = {}


def run(work: Work, workers: int) -> list[Done]:
    tasks: SimpleQueue[Task] = SimpleQueue()
    results: SimpleQueue[Done] = SimpleQueue()
    for task in work.tasks:
        tasks.put(task)

    def worker() -> None:
        with work.open() as do:
            while True:
                try:
                    task = tasks.get_nowait()
                except Empty:
                    return
                results.put(do(task))

    threads = [threading.Thread(target=worker, name=f"threading/{n}") for n in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results.get() for _ in work.tasks]
