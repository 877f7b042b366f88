"""Who is at work: the identity of the task that the calling code belongs to, for whoever follows one request.

What a worker notes when it takes a task is two references in a context variable, so that threads, the coroutines of a
loop and what they hand to other threads each find their own. All else is looked up when somebody asks.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from logging import LogRecord


class Worker(NamedTuple):
    """A worker as it is known beforehand: its model and body, and its number."""

    model: str
    body: str | None
    number: int


@dataclass(frozen=True, slots=True)
class Identity:
    """One task at work, and where.

    model, body:  as in a table: "threading", "python".
    worker:       its number, from 0, as the name of its thread or process has it; on a loop that of the place.
    thread, thread_id, process_id: of whoever asks; the ids are the kernel's, the name is Python's.
    asyncio_task: the name of the asyncio task that asks, None outside of one.
    task:         its index in the workload; attempt: 1, and more only where a task is tried again.
    """

    model: str
    body: str | None
    worker: int
    thread: str
    thread_id: int
    process_id: int
    asyncio_task: str | None
    task: int
    attempt: int = 1


CURRENT: ContextVar[tuple[Worker, int] | None] = ContextVar("lanes_current", default=None)
"""The worker and the index of the task that it is at, or was at last. It is set for each task, which is timed, and set
back only when the worker has done its last: between two tasks nobody else's code runs there."""


@contextmanager
def kept() -> Iterator[None]:
    """What the calling thread does inside changes nothing for it afterwards."""
    before = CURRENT.get()
    try:
        yield
    finally:
        CURRENT.set(before)  # and no token's reset, which another context would be denied


def current() -> Identity | None:
    """The identity of the task that calls this, from within a function of your own; None outside of a task.

    It follows `asyncio.create_task` and `asyncio.to_thread`, as every context variable does; a thread that the task
    starts by itself has none.

    >>> run = lanes.run(lambda item: lanes.current().task, "threading", items=["a", "b"], workers=1)
    >>> [outcome.value[0].content for outcome in run.outcomes]
    [0, 1]
    """
    found = CURRENT.get()
    return None if found is None else identify(*found)


def identify(worker: Worker, task: int) -> Identity:
    """The identity of this task of a worker, who asks."""
    return Identity(
        model=worker.model,
        body=worker.body,
        worker=worker.number,
        thread=threading.current_thread().name,
        thread_id=threading.get_native_id(),
        process_id=os.getpid(),
        asyncio_task=_asyncio_task(),
        task=task,
    )


def _asyncio_task() -> str | None:
    asyncio = sys.modules.get("asyncio")  # where nobody imported it, nothing runs on it
    if asyncio is None or asyncio._get_running_loop() is None:
        return None
    task = asyncio.current_task()
    return None if task is None else str(task.get_name())


class IdentityFilter:
    """A filter of `logging` that adds the identity of the task to every record, and lets all records through.

    >>> import logging
    >>> handler = logging.StreamHandler()
    >>> handler.addFilter(lanes.IdentityFilter())
    >>> handler.setFormatter(logging.Formatter("%(lanes_model)s task %(lanes_task)s: %(message)s"))

    The fields are lanes_model, lanes_body, lanes_worker, lanes_task, lanes_attempt and lanes_asyncio_task, each None
    outside of a task; thread and process are in every record as it is. Add it to a handler, as a logger asks its
    filters for its own records alone; where a queue carries records to another thread, to the `QueueHandler`.
    """

    def filter(self, record: LogRecord) -> bool:
        """What `logging` calls with each record. Always true."""
        found = current()
        for field in ("model", "body", "worker", "task", "attempt", "asyncio_task"):
            setattr(record, f"lanes_{field}", getattr(found, field, None))
        return True
