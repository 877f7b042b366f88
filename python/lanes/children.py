"""Worker processes, for the models that start them through `multiprocessing`: how they begin and how they end."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from copy import copy
from itertools import count, islice
from multiprocessing import reduction
from multiprocessing.context import ForkContext, assert_spawning
from multiprocessing.process import BaseProcess
from multiprocessing.resource_sharer import DupFd
from typing import Any, Final, TypeVar, cast

from lanes import _core, names
from lanes.types import Task
from lanes.work import Work, start_worker

START_METHOD: Final = "fork"
"""How worker processes are started where nothing else is said: by a process with one thread, for which `run` cares."""

START_METHODS: Final = {
    "fork": "worker processes are copies of their parent",
    "spawn": "worker processes are new interpreters",
    "forkserver": "worker processes are copies of a process that did nothing yet",
}


CHUNKED: Final = {"chunked": "tasks travel several at a time, four parcels for each worker"}


def chunk_size(work: Work, workers: int) -> int:
    """How many tasks make a parcel, by the rule of `Pool.map`."""
    size = -(-len(work.tasks) // (4 * workers))
    return size if work.gate is None else min(size, work.gate.bound or size)


def parcels(work: Work, size: int) -> Iterator[tuple[Task, ...]]:
    """The tasks so many at a time, as they come."""
    tasks = iter(work.source)
    while parcel := tuple(islice(tasks, size)):
        yield parcel


def context(model: str, variant: str | None) -> ForkContext:
    """The part of multiprocessing that starts processes in this way; other variants start them as usual.

    Whoever asks it for one, a pool for instance, gets a process with the name of a worker of this model.
    """
    chosen = multiprocessing.get_context(variant if variant in START_METHODS else START_METHOD)
    naming = cast(ForkContext, copy(chosen))  # all look alike
    kind, numbers = naming.Process, count()

    def process(*args: Any, **options: Any) -> BaseProcess:
        options.setdefault("name", names.of(model, next(numbers)))
        return kind(*args, **options)

    naming.Process = process  # type: ignore[assignment,misc]  # whoever asks only calls it
    return naming


def settle() -> None:
    """Called first in a worker process: bear its name, leave Ctrl-C to the parent, and do not outlive it.

    The kernel's own signal comes when the thread that started this process ends, and so serves only where that was the
    parent's main thread. A Pool replaces a dead worker from a thread that ends before its workers do, and a fork server
    is no parent at all.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    names.call(multiprocessing.current_process().name)
    if threading.current_thread().name != "MainThread" or os.getppid() != parent.pid:
        threading.Thread(target=_end_after, args=(parent,), name="end after parent", daemon=True).start()
        return
    _core.die_with_parent()
    if os.getppid() != parent.pid:  # it died before the kernel knew
        os._exit(1)


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def start_process(work: Work) -> None:
    """The initializer of a pool of processes."""
    settle()
    start_worker(work)
    reseed(work)


def reseed(work: Work) -> None:
    """Let `random` begin anew in a worker process that has opened the work: by chance, as Python would have it, or from
    the seed and the worker's number, so that no two draw the same."""
    if work.seed is not None:
        random.seed(f"{work.seed}/{work.place()}")


def last_words(process: BaseProcess) -> str:
    """How a worker process that has ended came to its end."""
    return f"worker process {process.pid} {ending(process.exitcode or 0)}"


def ending(status: int) -> str:
    """How any process came to its end, by its exit status; a negative one is the signal that killed it."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal has no name of its own
        return f"was killed by signal {-status}"


Shared = TypeVar("Shared", _core.Ledger, _core.Area, _core.Arrivals)


def _handed(shared: Shared) -> tuple[Callable[..., Shared], tuple[Any, ...]]:
    """What lies in a memory file, on its way to a worker process that is just being spawned; no other can share it."""
    assert_spawning(shared)
    return _attached, (type(shared), reduction.DupFd(shared.fileno()))


def _attached(kind: type[Shared], file: DupFd) -> Shared:
    return kind.attach(file.detach())


for _kind in (_core.Ledger, _core.Area, _core.Arrivals):
    reduction.register(_kind, _handed)
