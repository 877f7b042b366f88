"""What it costs to hand something over: natively against Python's own queues.

    python exchange.py NAME

takes one sample, in a process of its own: seconds of a hand-over, or payloads a second. The CRC-32 of each answer is
taken, and is no part of either.
"""

from __future__ import annotations

import multiprocessing
import queue
import statistics
import sys
import threading
import time
from collections.abc import Callable

from dispatch import pairs_of
from figures import CannotMeasureError, Figure, Target

import lanes
from lanes import _core

SHORT, LONG = 64, 2**20
TRIPS, LONG_TRIPS = 20_000, 300


def native(model: str, via: str, size: int, trips: int) -> float:
    """Seconds there and back between one worker and its partner: the median."""
    workload = lanes.exchange(tasks=trips, payload=size, via=via)
    tasks: list[_core.TaskInput] = [(task.text, *task.args) for task in workload.tasks]
    records = list(_core.run(model, "exchange", tasks, 1))
    if any(record[0] != "ok" for record in records):
        raise CannotMeasureError(f"an exchange ended as {records[0][:3]}")
    return statistics.median(record[-1][0] for record in records) / 1e9


def condition() -> float:
    """Seconds of a hand-over between two native threads."""
    return native("native-pthreads", "condition", SHORT, TRIPS) / 2


def shared_memory() -> float:
    """Payloads of 1 MiB that go there and back between two native processes in a second."""
    return 1 / native("native-fork", "shared-memory", LONG, LONG_TRIPS)


def echo(get: Callable[[], bytes | None], put: Callable[[bytes], object]) -> None:
    for payload in iter(get, None):
        put(payload)


def timed(put: Callable[[bytes], object], get: Callable[[], bytes], size: int, trips: int) -> float:
    """The same as `native` of any two queues."""
    payload = bytes(size)
    taken: list[float] = []
    for _ in range(trips):
        began = time.perf_counter()
        put(payload)
        answer = get()
        taken.append(time.perf_counter() - began)
        if answer != payload:
            raise CannotMeasureError("the answer is not the payload")
    return statistics.median(taken)


def threads_queue() -> float:
    """Seconds of a hand-over by `queue.Queue` between two threads."""
    there: queue.Queue[bytes | None] = queue.Queue()
    back: queue.Queue[bytes] = queue.Queue()
    partner = threading.Thread(target=echo, args=(there.get, back.put))
    partner.start()
    try:
        return timed(there.put, back.get, SHORT, TRIPS) / 2
    finally:
        there.put(None)
        partner.join()


def processes_queue() -> float:
    """Payloads of 1 MiB that go there and back by `multiprocessing.Queue` in a second."""
    context = multiprocessing.get_context("fork")
    there, back = context.Queue(), context.Queue()
    partner = context.Process(target=echo, args=(there.get, back.put), daemon=True)
    partner.start()
    try:
        return 1 / timed(there.put, back.get, LONG, LONG_TRIPS)
    finally:
        there.put(None)
        partner.join()


SAMPLES = {call.__name__: call for call in (condition, shared_memory, threads_queue, processes_queue)}

FIGURES = (
    Figure(
        name="exchange/condition",
        lanes=f"a hand-over of {SHORT} B between two native threads, through a ring with a mutex and a condition",
        other="queue.Queue between two threads",
        unit="us",
        target=Target(1 / 10),
        open=pairs_of("condition", "threads_queue", f"{TRIPS:,} there and back, the median", __file__),
    ),
    Figure(
        name="exchange/memory",
        lanes="payloads of 1 MiB there and back between two native processes, copied through shared memory",
        other="multiprocessing.Queue",
        unit="/s",
        target=Target(10, at_most=False),
        open=pairs_of("shared_memory", "processes_queue", f"{LONG_TRIPS:,} there and back, the median", __file__),
    ),
)

if __name__ == "__main__":
    take = SAMPLES[sys.argv[1]]
    take()  # imports, first use
    print(take())
