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
coroutines = False


def run(work: Work, workers: int) -> list[Done]:
    with ProcessPoolExecutor(workers, children.CONTEXT, initializer=children.start_process, initargs=(work,)) as pool:
        return list(pool.map(do_task, work.tasks))
