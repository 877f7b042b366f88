"""What it costs to hand a task to a worker, and to have workers at all: both without any work in the tasks.

    python dispatch.py NAME

takes one sample, in seconds. Each is taken in a process of its own, as a process costs the more to fork the more it
has done before.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from figures import CannotMeasureError, Figure, Meter, Pair, Target, in_any_order
from peers import last_error

from lanes import _core

WORKERS = 2
TASKS = 20_000
RUNS, STARTS = 20, 20
"""A run takes some ten milliseconds and a start two: one sample is many of them."""


def native_dispatch() -> float:
    """Seconds per task from a list of tasks to their records, start and end of the threads included."""
    tasks: list[_core.TaskInput] = [("", 0)] * TASKS
    elapsed = 0.0
    for _ in range(RUNS):
        began = time.perf_counter()
        records = _core.run("native-pthreads", "wait", tasks, WORKERS)
        elapsed += time.perf_counter() - began
        check(records, TASKS)
    return elapsed / (RUNS * TASKS)


def executor_dispatch() -> float:
    """Seconds per task from submit to result, on threads that are there already."""
    with ThreadPoolExecutor(WORKERS) as executor:
        for future in [executor.submit(nothing) for _ in range(10 * WORKERS)]:
            future.result()
        began = time.perf_counter()
        for future in [executor.submit(nothing) for _ in range(TASKS)]:
            future.result()
        return (time.perf_counter() - began) / TASKS


def nothing() -> None:
    """The empty task."""


def native_start() -> float:
    """Seconds to start forked workers that find one empty task each, and to see them end."""
    tasks: list[_core.TaskInput] = [("", 0)] * WORKERS
    began = time.perf_counter()
    for _ in range(STARTS):
        check(_core.run("native-fork", "wait", tasks, WORKERS), WORKERS)
    return (time.perf_counter() - began) / STARTS


def pool_start() -> float:
    """Seconds to make, close and join a pool that forks."""
    context = multiprocessing.get_context("fork")
    began = time.perf_counter()
    for _ in range(STARTS):
        pool = context.Pool(WORKERS)
        pool.close()
        pool.join()
    return (time.perf_counter() - began) / STARTS


def check(records: _core.Records, count: int) -> None:
    """An empty task that did not end well was not dispatched."""
    if len(records) != count or any(record[0] != "ok" for record in (records[0], records[count - 1])):
        raise CannotMeasureError(f"an empty task ended as {records[0][:3]}")


SAMPLES = {call.__name__: call for call in (native_dispatch, executor_dispatch, native_start, pool_start)}


def fresh(name: str, file: str) -> float:
    """A sample, from a process of its own that runs this file."""
    done = subprocess.run([sys.executable, file, name], capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise CannotMeasureError(f"{name} failed: {last_error(done.stderr)}")
    return float(done.stdout)


def pairs_of(ours: str, theirs: str, note: str, file: str = __file__) -> Callable[[], AbstractContextManager[Meter]]:
    @contextmanager
    def opened() -> Iterator[Meter]:
        yield Meter(lambda: Pair(*in_any_order(lambda: fresh(ours, file), lambda: fresh(theirs, file))), note)

    return opened


FIGURES = (
    Figure(
        name="dispatch",
        lanes=f"an empty task on native-pthreads, {WORKERS} workers, span included",
        other=f"ThreadPoolExecutor({WORKERS}): submit and result",
        unit="us",
        target=Target(1 / 20),
        open=pairs_of("native_dispatch", "executor_dispatch", f"{TASKS:,} tasks at a time"),
    ),
    Figure(
        name="start",
        lanes=f"native-fork, {WORKERS} workers, started and stopped",
        other=f"multiprocessing.Pool({WORKERS}) with fork, made, closed and joined",
        unit="ms",
        target=Target(1 / 10),
        open=pairs_of("native_start", "pool_start", f"{STARTS} starts a sample"),
    ),
)

if __name__ == "__main__":
    take = SAMPLES[sys.argv[1]]
    take()  # imports, first use
    print(take())
