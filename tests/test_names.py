"""What threads and processes are called, in Python and in the kernel, while a model works."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

import lanes
from lanes import _core, models, names, sample
from processes import children, until

EVERY = [*models.names(), *models.variants()]


def comm(thread: int | str = "self", process: int | str = "self") -> str:
    where = Path("/proc", str(process), *(() if thread == "self" else ("task", str(thread))))
    return (where / "comm").read_text().rstrip()


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("threading/3", "threading/3"),
        ("futures-threads/3", "futures-thr/3"),
        ("futures-processes/12", "futures-proc/12"),
        ("futures-processes/345", "futures-pro/345"),
        ("multiprocessing/0", "mp/0"),
        ("multiprocessing-pool/0", "mp-pool/0"),
        ("multiprocessing-pool[spawn]/0", "mp-pool:spawn/0"),
        ("multiprocessing-pool[forkserver]/10", "mp-pool:serv/10"),
        ("asyncio[uvloop]", "aio:uvloop"),
        ("native-fork/1", "native-fork/1"),
        ("native-pthreads/1", "native-pthr/1"),
        ("a-model-of-another/7", "a-model-of-an/7"),
    ],
)
def test_long_names_are_shortened_for_the_kernel(name: str, short: str) -> None:
    assert names.in_kernel(name) == short


@pytest.mark.parametrize("number", [0, 10, 999])
def test_in_the_kernel_no_two_models_have_the_same_name(number: int) -> None:
    every = [f"{model}[{variant}]" for model in models.names() for variant in models.load(model).variants]
    short = [names.in_kernel(names.of(name, number)) for name in (*models.names(), *every)]
    assert len(set(short)) == len(short)
    assert max(map(len, short)) <= 15
    assert all(name.endswith(f"/{number}") for name in short)


class Names(NamedTuple):
    """Of the thread and the process that a task finds itself on: Python's, and the kernel's."""

    thread: str
    process: str
    thread_comm: str
    process_comm: str
    worker: int


def find(number: int) -> Names:
    time.sleep(0.05)  # long enough that each worker has a task
    return Names(
        threading.current_thread().name,
        multiprocessing.current_process().name,
        comm(threading.get_native_id()),
        comm(),
        who.worker if (who := lanes.current()) else -1,
    )


def found(model: str) -> list[Names]:
    """What four tasks find, for two workers."""
    run = sample.take(lanes.workload(find, items=range(4)), model, "python", 2)
    return [value.content for outcome in run.outcomes for value in outcome.value]  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", ["threading", "futures-threads", "asyncio-threads", "asyncio-threads[uvloop]"])
def test_threads_have_the_names_of_their_workers(model: str) -> None:
    every = found(model)
    assert {each.thread for each in every} == {names.of(model, worker) for worker in range(2)}
    for each in every:
        assert each.process == "MainProcess"
        assert each.thread == names.of(model, each.worker)
        assert (each.thread_comm, each.process_comm) == (names.in_kernel(each.thread), names.in_kernel(model))


@pytest.mark.parametrize("model", [name for name in EVERY if "process" in name])
def test_processes_have_the_names_of_their_workers(model: str) -> None:
    every = found(model)
    assert {each.process for each in every} <= {names.of(model, worker) for worker in range(2)}
    for each in every:
        assert each.thread == "MainThread"
        assert each.process == names.of(model, each.worker)
        assert each.thread_comm == each.process_comm == names.in_kernel(each.process)


@pytest.mark.parametrize("model", ["serial", "asyncio"])
def test_a_sample_that_works_itself_has_the_name_of_its_model(model: str) -> None:
    assert set(found(model)) == {("MainThread", "MainProcess", model, model, 0)}


@pytest.mark.parametrize("model", ["native-pthreads", "native-fork"])
def test_native_workers_have_names_by_the_same_rule(model: str) -> None:
    expected = {names.in_kernel(names.of(model, worker)) for worker in (0, 9, 10, 11)}

    def there() -> set[str]:
        found = set()
        for each in (*map(int, os.listdir("/proc/self/task")), *children(os.getpid())):
            with suppress(OSError):  # it has just ended
                found.add(comm(process=each))
        return found

    with _core.begin(model, "wait", [("", 3600 * 10**9)] * 12, 12):
        until(lambda: expected <= there())
    assert not expected & there()


@pytest.mark.parametrize("model", models.names())
def test_the_thread_that_calls_for_a_run_keeps_its_names(model: str) -> None:
    before = threading.current_thread().name, multiprocessing.current_process().name, comm()
    lanes.run(lanes.wait(tasks=2, duration=0), model, workers=2)
    assert (threading.current_thread().name, multiprocessing.current_process().name, comm()) == before


def test_the_coroutines_of_a_loop_are_tasks_with_the_names_of_their_places() -> None:
    async def find(number: int) -> str | None:
        await asyncio.sleep(0.01)
        task = asyncio.current_task()
        return task.get_name() if task else None

    run = lanes.run(find, "asyncio", items=range(6), workers=3)
    assert {repr(outcome.value[0]) for outcome in run.outcomes} == {f"'asyncio/{place}'" for place in range(3)}
