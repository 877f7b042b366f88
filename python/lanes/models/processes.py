"""`multiprocessing`: one Process per worker; all take tasks from one Queue, each reports through a Pipe of its own.

A Pipe that only its worker can write to comes to its end when the worker does, however that dies; a Queue for the
results would stay open, and the parent wait for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from typing import TYPE_CHECKING, TypeAlias

from lanes import children
from lanes.types import Done, Task
from lanes.work import Work

name = "multiprocessing"
family = "python"
switching = "the operating system, pre-emptively"
processors = "many"
reasons: dict[str, str] = {}
start_method = children.START_METHOD
loop = False
coroutines = False
variants = children.START_METHODS

if TYPE_CHECKING:
    Results: TypeAlias = Connection[Done | BaseException, Done | BaseException]
    Crew: TypeAlias = dict[Results, BaseProcess]


def run(work: Work, workers: int, variant: str | None = None) -> list[Done]:
    context = children.context(work.model, variant)
    tasks: Queue[Task | None] = context.Queue()
    crew: Crew = {}
    try:
        for _ in range(workers):
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(target=_worker, args=(work, tasks, writer), daemon=True)
            process.start()
            writer.close()
            crew[reader] = process
        # Only now: the first put starts a thread, after which it is too late to fork.
        with work.source.feed(tasks.put, workers):
            done = list(_collect(crew))
        tasks.close()
        tasks.join_thread()
        return done
    finally:
        # After a clean end there is nobody left to kill and no task left to send; else nobody waits for these tasks.
        tasks.cancel_join_thread()
        tasks.close()
        for worker in crew.values():
            worker.kill()
        for reader, worker in crew.items():
            worker.join()
            reader.close()


def _worker(work: Work, tasks: Queue[Task | None], results: Results) -> None:
    children.settle()
    try:
        with work.open() as do:
            children.reseed(work)
            for task in iter(tasks.get, None):
                results.send(do(task))
    except BaseException as error:
        results.send(error)


def _collect(crew: Crew) -> Iterator[Done]:
    readers = list(crew)
    while readers:
        ready = wait(readers)
        for reader in [each for each in readers if each in ready]:
            try:
                result = reader.recv()
            except (EOFError, OSError):
                crew[reader].join()
                if crew[reader].exitcode:
                    raise RuntimeError(children.last_words(crew[reader])) from None
                readers.remove(reader)
                continue
            if isinstance(result, BaseException):
                raise result
            yield result
