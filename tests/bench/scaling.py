"""How near lanes comes to what is possible: two processors used at once, and waiting that costs nothing."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import TypeAlias

from figures import CannotMeasureError, Figure, Meter, Pair, Target, in_any_order

import lanes
from lanes import _core
from lanes.origin import Origin, crc32
from lanes.processors import usable_processors

WORKERS = 2
PRIMES = lanes.compute("primes", tasks=120, task_size=60_000)
"""About a second of work for each of two processors."""

NAPS, NAP_S = 1_000, 0.05
DOWNLOADS, IN_FLIGHT, LATENCY_S, SIZE = 200, 50, 0.05, 1024
SECOND_NS = 10**9


Half: TypeAlias = tuple[float, float, list[tuple[int, ...]]]  # began, ended, values


def inputs() -> list[_core.TaskInput]:
    return [(task.text, *task.args) for task in PRIMES.tasks]


def values(records: _core.Records) -> list[tuple[int, ...]]:
    """What came of the tasks; nothing where one failed."""
    return [records[n][3] for n in range(len(records))]


def model_rate(model: str, expected: list[tuple[int, ...]]) -> float:
    """Tasks per second when one model does them all."""
    tasks = inputs()
    began = time.perf_counter()
    records = _core.run(model, "compute", tasks, WORKERS)
    elapsed = time.perf_counter() - began
    if values(records) != expected:
        raise CannotMeasureError(f"{model} counted other primes than native-serial")
    return len(tasks) / elapsed


def independent_rate(expected: list[tuple[int, ...]]) -> float:
    """Tasks per second when processes that know nothing of each other do every other task each.

    They are started beforehand and let go together; their time is from the first's start to the last's end.
    """
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(WORKERS)
    pipes = [context.Pipe(duplex=False) for _ in range(WORKERS)]
    processes = [
        context.Process(target=independent, args=(inputs()[n::WORKERS], barrier, sending), daemon=True)
        for n, (_, sending) in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    for _, sending in pipes:
        sending.close()
    try:
        done: list[Half] = [receiving.recv() for receiving, _ in pipes]
    except EOFError:
        raise CannotMeasureError("a process with the serial kernel died") from None
    finally:
        for process in processes:
            process.join()
    if any(counts != expected[n::WORKERS] for n, (_, _, counts) in enumerate(done)):
        raise CannotMeasureError("two processes counted other primes than one")
    return len(expected) / (max(ended for _, ended, _ in done) - min(began for began, _, _ in done))


def independent(tasks: list[_core.TaskInput], barrier: Barrier, sending: Connection) -> None:
    barrier.wait(timeout=60)
    began = time.monotonic()
    records = _core.run("native-serial", "compute", tasks, 1)
    ended = time.monotonic()
    sending.send((began, ended, values(records)))


def efficiency(model: str) -> Callable[[], AbstractContextManager[Meter]]:
    @contextmanager
    def opened() -> Iterator[Meter]:
        if usable_processors() < WORKERS:
            raise CannotMeasureError(f"{WORKERS} processors are needed, and this process may use one")
        expected = values(_core.run("native-serial", "compute", inputs(), 1))
        calls = (lambda: model_rate(model, expected), lambda: independent_rate(expected))
        yield Meter(lambda: Pair(*in_any_order(*calls)), f"primes, {len(expected)} tasks")

    return opened


@contextmanager
def wait() -> Iterator[Meter]:
    tasks: list[_core.TaskInput] = [("", round(NAP_S * SECOND_NS))] * NAPS

    def sample() -> Pair:
        began = time.perf_counter()
        records = _core.run("native-epoll", "wait", tasks, NAPS)
        elapsed = time.perf_counter() - began
        if any(records[n][0] != "ok" for n in range(NAPS)):
            raise CannotMeasureError("not every task ended well")
        return Pair(elapsed, NAP_S)

    sample()
    yield Meter(sample)


@contextmanager
def overlap() -> Iterator[Meter]:
    with Origin() as origin:
        url = origin.url(size=SIZE, latency_s=LATENCY_S)
        tasks: list[_core.TaskInput] = [(url, 10 * SECOND_NS, 30 * SECOND_NS, 0)] * DOWNLOADS
        expected = (200, SIZE, crc32(SIZE))

        def sample() -> Pair:
            began = time.perf_counter()
            records = _core.run("native-epoll", "download", tasks, IN_FLIGHT)
            elapsed = time.perf_counter() - began
            for n in range(DOWNLOADS):
                if records[n][3] != expected:
                    raise CannotMeasureError(f"a download ended as {records[n][:4]}")
            return Pair(elapsed, LATENCY_S * DOWNLOADS / IN_FLIGHT)

        sample()
        yield Meter(sample, "from the embedded origin")


FIGURES = (
    *(
        Figure(
            name=f"efficiency/{model.removeprefix('native-')}",
            lanes=f"speed of {model} with {WORKERS} workers on primes",
            other=f"{WORKERS} independent processes with the serial kernel at the same time",
            unit="/s",
            target=Target(0.95, at_most=False),
            open=efficiency(model),
        )
        for model in ("native-pthreads", "native-fork")
    ),
    Figure(
        name="wait",
        lanes=f"{NAPS:,} tasks of {NAP_S * 1000:g} ms, all in flight on native-epoll",
        other="the one wait that all share",
        unit="ms",
        target=Target(1.10),
        open=wait,
    ),
    Figure(
        name="overlap",
        lanes=f"{DOWNLOADS} downloads of {LATENCY_S * 1000:g} ms latency, {IN_FLIGHT} in flight on native-epoll",
        other="the latencies alone",
        unit="ms",
        target=Target(1.15),
        open=overlap,
    ),
)
