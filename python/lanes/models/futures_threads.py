"""`futures-threads`: a ThreadPoolExecutor; `map` hands it the tasks one by one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lanes.types import Done
from lanes.work import Work, do_task, start_thread

name = "futures-threads"
family = "python"
switching = "the operating system, pre-emptively"
processors = "1 with a GIL, many without"
reasons: dict[str, str] = {}
start_method = None
loop = False
coroutines = False
variants: dict[str, str] = {}


def run(work: Work, workers: int, variant: str | None = None) -> list[Done]:
    with ThreadPoolExecutor(workers, work.model, initializer=start_thread, initargs=(work,)) as pool:
        return list(pool.map(do_task, work.source))
