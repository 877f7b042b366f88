"""Who is at work: what a function of one's own is told about itself on every model, and what its log records say."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any

import pytest

import lanes
from lanes import models, sample
from lanes.identity import CURRENT, Identity, IdentityFilter, Worker
from lanes.types import Run
from lanes.value import Value
from lanes.work import Work

PYTHON = models.FAMILIES["python"]
PROCESSES = ("multiprocessing", "multiprocessing-pool", "futures-processes", "asyncio-processes")


def whoami(_: object) -> Identity | None:
    return lanes.current()


async def whoami_async(_: object) -> tuple[Identity | None, Identity | None]:
    before = lanes.current()
    await asyncio.sleep(0.01)
    return before, lanes.current()


def given(run: Run) -> list[Any]:
    """What each call gave."""
    found = [value.content for outcome in run.outcomes for value in outcome.value if isinstance(value, Value)]
    assert len(found) == len(run.outcomes)
    return found


def told(run: Run) -> list[Identity]:
    found = given(run)
    assert all(isinstance(each, Identity) for each in found)
    return found


def ran(function: Callable[[object], object], model: str, tasks: int = 6, workers: int = 2) -> Run:
    return sample.take(lanes.workload(function, items=range(tasks)), model, "python", workers)


@pytest.mark.parametrize("model", [*PYTHON, "multiprocessing[spawn]", "futures-processes[forkserver]"])
def test_a_function_is_told_what_its_span_says(model: str) -> None:
    run = ran(whoami, model)
    workers: dict[int, int] = {}
    for index, (found, span) in enumerate(zip(told(run), run.spans, strict=True)):
        assert (found.model, found.body, found.task, found.attempt) == (model, "python", index, 1)
        assert (found.process_id, found.thread_id) == (span.process_id, span.thread_id)
        assert found.worker in range(2)
        assert workers.setdefault(found.worker, span.worker) == span.worker, "each number is one lane's"
        assert (found.asyncio_task is not None) is (model == "asyncio")
        assert found.thread
    assert len(set(workers.values())) == len(workers)


def test_coroutines_are_told_apart() -> None:
    run = sample.take(lanes.workload(coroutine=whoami_async, items=range(6)), "asyncio", "python", 3)
    pairs = given(run)
    for index, (before, after) in enumerate(pairs):
        assert before == after, "whatever ran meanwhile"
        assert before.task == index
    assert {before.worker for before, _ in pairs} == {0, 1, 2}
    assert len({before.asyncio_task for before, _ in pairs}) == 3


def test_outside_of_a_task_there_is_none() -> None:
    assert lanes.current() is None
    for model in ("serial", "threading", "asyncio"):
        assert told(lanes.run(whoami, model, items=[1]))[0].model == model
        assert lanes.current() is None

    def fail(_: object) -> None:
        raise KeyError

    assert lanes.run(fail, "serial", items=[1]).outcomes[0].status == "failed"
    assert lanes.current() is None


def test_a_run_within_a_task_gives_back_what_was_there() -> None:
    def outer(_: object) -> tuple[Identity | None, Identity, Identity | None]:
        before = lanes.current()
        return before, told(lanes.run(whoami, "futures-threads", items=[1]))[0], lanes.current()

    run = lanes.run(outer, "serial", items=[1])
    ((before, inner, after),) = given(run)
    assert before == after
    assert (before.model, inner.model) == ("serial", "futures-threads")


async def handed_on(_: object) -> list[object]:
    """What is there in another asyncio task, in a thread of asyncio's and in one that knows nothing of either."""
    alone: list[Identity | None] = []
    thread = threading.Thread(target=lambda: alone.append(lanes.current()))
    thread.start()
    thread.join()
    return [await asyncio.create_task(whoami_async(0)), await asyncio.to_thread(lanes.current), *alone]


def test_it_follows_the_context() -> None:
    run = lanes.run(handed_on, "asyncio", items=[1])
    (((task, _), thread, alone),) = given(run)
    assert (task.task, thread.task, alone) == (0, 0, None)
    assert task.asyncio_task is not None
    assert thread.asyncio_task is None
    assert thread.thread_id != task.thread_id


def test_bodies_in_c_have_nobody_to_tell_and_leave_nothing() -> None:
    for body in ("held", "released"):
        lanes.run(lanes.wait(tasks=2, duration=0), "serial", body)
        assert lanes.current() is None


def test_a_coroutine_that_is_thrown_away_elsewhere_complains_of_nothing() -> None:
    async def never(_: object) -> None:
        await asyncio.Event().wait()

    work = lanes.workload(coroutine=never, items=[1])

    async def opened() -> None:
        async with Work(work, "python", model="asyncio").open_async(1) as do:
            coroutine = do(work.tasks[0], 0)
            with suppress(StopIteration):
                coroutine.send(None)  # type: ignore[attr-defined]
            thread = threading.Thread(target=coroutine.close)  # type: ignore[attr-defined]
            thread.start()
            thread.join()

    asyncio.run(opened())


def test_it_is_a_value() -> None:
    token = CURRENT.set((Worker("serial", "python", 3), 5))
    try:
        found = lanes.current()
    finally:
        CURRENT.reset(token)
    assert found is not None
    assert pickle.loads(pickle.dumps(found)) == found
    assert (found.worker, found.task, found.thread, found.process_id) == (3, 5, "MainThread", os.getpid())
    with pytest.raises(AttributeError):
        found.task = 6  # type: ignore[misc]


# ---- records of logging

FORMAT = "%(lanes_model)s/%(lanes_body)s worker %(lanes_worker)s task %(lanes_task)s.%(lanes_attempt)s: %(message)s"


def logged(_: object) -> str:
    """What a handler with the filter makes of a record."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.addFilter(IdentityFilter())
    handler.setFormatter(logging.Formatter(FORMAT))
    logger = logging.Logger("a user's")
    logger.addHandler(handler)
    logger.warning("hello")
    return text.getvalue()


async def logged_async(_: object) -> str:
    await asyncio.sleep(0.001)
    return logged(_)


@pytest.mark.parametrize("model", ["serial", "threading", "asyncio", "asyncio-threads", *PROCESSES])
def test_records_of_a_task_say_whose_they_are(model: str) -> None:
    work = lanes.workload(logged, coroutine=logged_async, items=range(4))
    run = sample.take(work, model, "python", 2)
    texts = given(run)
    for index, text in enumerate(texts):
        assert text in [f"{model}/python worker {worker} task {index}.1: hello\n" for worker in range(2)]


def test_records_outside_of_a_task_pass_as_well() -> None:
    assert logged(0) == "None/None worker None task None.None: hello\n"


def test_a_queue_carries_what_the_filter_added() -> None:
    queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
    found: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(self.format(record))

    kept = Kept()
    kept.setFormatter(logging.Formatter(FORMAT + " %(lanes_asyncio_task)s"))
    handler = QueueHandler(queue)
    handler.addFilter(IdentityFilter())
    logger = logging.Logger("a user's")
    logger.addHandler(handler)
    listener = QueueListener(queue, kept)
    listener.start()
    lanes.run(lambda n: logger.warning("n"), "serial", items=[1, 2])
    listener.stop()
    assert found == [f"serial/python worker 0 task {n}.1: n None" for n in range(2)]
