"""A log of every event of a run, one JSON object a line, for whoever follows one task through it.

A line:

    event          arrived, claimed, started, then finished or failed: each task has one of each, and one end
    time_ns        on the monotonic clock, which all processes of a machine share
    time_s         the same since the run began
    workload, model, body, worker, thread, thread_id, process_id, asyncio_task, task, attempt
                   who it was: see `lanes.Identity`. Nobody has taken a task yet that has just arrived: its worker is
                   null, and thread and process are those that run the model
    error, detail  of what failed: the class of the failure, and the failure in words. Of tasks that come with time, one
                   that nobody began has failed as well: "rejected" by a full queue, or "left" when time was up

A task arrives when the run begins, or when it was scheduled to, however late it really came.

Every worker appends to the file as it goes, by one write a line to a descriptor that appends, which the kernel does not
take apart: lines of several processes never mix, and a process that dies leaves whole lines. Python's models write when
a worker takes a task, when it begins and when it has ended. Native workers never meet the interpreter: what they noted
is written when the run is over. Of a sample that dies, whoever waited for it writes the end of what had none; of tasks
that come with time nothing is known then but what workers had begun to write.

A log costs some microseconds per event, and so is a pass of its own, one run of each row; nothing of it is timed.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lanes import identity, names
from lanes.identity import Identity, Worker
from lanes.source import UNDONE
from lanes.types import Done, Task
from lanes.value import words

if TYPE_CHECKING:
    from lanes.work import Work

_APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_ENDS = ("finished", "failed")


class EventLog:
    """The log as one process of a run writes to it. Forked processes have it, others are handed the path."""

    def __init__(self, path: Path, workload: str, began_ns: int) -> None:
        self._path, self._workload, self._began_ns = path, workload, began_ns
        self._descriptor = os.open(path, _APPENDING, 0o666)

    def __reduce__(self) -> tuple[object, ...]:
        return EventLog, (self._path, self._workload, self._began_ns)

    @classmethod
    @contextmanager
    def opened(cls, path: Path, workload: str) -> Iterator[Self]:
        """The log of a run in this process, which then says when it begins and what came of it."""
        log = cls(path, workload, 0)
        try:
            yield log
        finally:
            os.close(log._descriptor)

    def begin(self, work: Work, body: str | None) -> None:
        """The run begins, and all its tasks are there, unless they come with time."""
        self._began_ns = time.monotonic_ns()
        if work.gate is None:
            for task in work.tasks:
                self._write("arrived", _caller(work, body, task.index), self._began_ns, worker=None)

    def end(self, work: Work, body: str | None, finished: Sequence[Done]) -> None:
        """The run is over, which shows what nobody in Python could see before: when tasks came that came with time,
        which of them nobody did, and what native workers did."""
        undone = {done.task: done for done in finished if done.outcome.status in UNDONE}
        if work.gate is not None:
            for task in work.tasks:
                who, due_ns = _caller(work, body, task.index), work.gate.arrivals.due(task.index)
                self._write("arrived", who, due_ns, worker=None)
                if found := undone.get(task.index):
                    gone_ns = max(due_ns, found.span.finished_ns)
                    self._write("failed", who, gone_ns, worker=None, error=found.outcome.status, detail="")
        if body is None:
            self._replay(work.model, [done for done in finished if done.task not in undone])

    def followed(self, who: Worker, do: Callable[[Task], Done]) -> Callable[[Task], Done]:
        """What a worker does with each task, and the events of it."""

        def follow(task: Task) -> Done:
            with self._taken(who, task):
                done = do(task)
            self._end(identity.identify(who, task.index), done)
            return done

        return follow

    def followed_async(
        self, places: Sequence[Worker], do: Callable[[Task, int], Awaitable[Done]]
    ) -> Callable[[Task, int], Awaitable[Done]]:
        """The same for the places of a loop."""

        async def follow(task: Task, place: int) -> Done:
            who = places[place]
            with self._taken(who, task):
                done = await do(task, place)
            self._end(identity.identify(who, task.index), done)
            return done

        return follow

    def _replay(self, model: str, finished: Iterable[Done]) -> None:
        """What native workers noted, in the order of time."""
        moments = [
            (when_ns, event, done)
            for done in finished
            for event, when_ns in (
                ("claimed", done.span.claimed_ns),
                ("started", done.span.started_ns),
                ("ended", done.span.finished_ns),
            )
        ]
        for when_ns, event, done in sorted(moments, key=itemgetter(0)):  # which leaves alike ones in their order
            who = _native(model, done)
            if event == "ended":
                self._end(who, done)
            else:
                self._write(event, who, when_ns)

    @contextmanager
    def _taken(self, who: Worker, task: Task) -> Iterator[None]:
        """A worker is at the task inside. What raises there is not the work that failed, but what was to do it; or it
        was cancelled."""
        taken = identity.identify(who, task.index)
        self._write("claimed", taken, time.monotonic_ns())
        self._write("started", taken, time.monotonic_ns())
        try:
            yield
        except BaseException as error:
            taken = identity.identify(who, task.index)
            self._write("failed", taken, time.monotonic_ns(), error=type(error).__name__, detail=words(error))
            raise

    def _end(self, who: Identity, done: Done) -> None:
        outcome = done.outcome
        if outcome.status == "ok":
            self._write("finished", who, done.span.finished_ns)
        else:
            error = outcome.error or outcome.status
            self._write("failed", who, done.span.finished_ns, error=error, detail=outcome.detail)

    def _write(self, event: str, who: Identity, when_ns: int, **more: object) -> None:
        identified = {name: getattr(who, name) for name in Identity.__slots__}
        head = {"event": event, "time_ns": when_ns, "time_s": (when_ns - self._began_ns) / 1e9}
        _append(self._descriptor, {**head, "workload": self._workload, **identified, **more})


def _caller(work: Work, body: str | None, task: int) -> Identity:
    """Whoever runs the model, for a task that has no worker."""
    return identity.identify(Worker(work.model, body, 0), task)


def _native(model: str, done: Done) -> Identity:
    """Who did a task without Python: on no asyncio task, and on a thread that is called as the kernel calls it, but in
    full, unless the caller did it itself."""
    span = done.span
    caller = span.thread_id == threading.get_native_id()
    return Identity(
        model=model,
        body=None,
        worker=span.worker,
        thread=threading.current_thread().name if caller else names.of(model, span.worker),
        thread_id=span.thread_id,
        process_id=span.process_id,
        asyncio_task=None,
        task=done.task,
    )


def begin(path: Path, anew: bool = False) -> None:
    """Make sure that events can be appended to this file, which is emptied where the log is to begin anew.

    Raises OSError, in one line that names the file, where they cannot.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"cannot write {path}: a log must be a regular file, to which several processes append")
    try:
        os.close(os.open(path, _APPENDING | (os.O_TRUNC if anew else 0), 0o666))
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror}") from None


@contextmanager
def ended(path: Path) -> Iterator[None]:
    """A sample inside appends to the log; when that fails, or Ctrl-C ends it, all tasks without an end have failed."""
    before = path.stat().st_size
    try:
        yield
    except BaseException as error:
        _end_all(path, before, error)
        raise


def _end_all(path: Path, begin: int, why: BaseException) -> None:
    """Of all that stands from `begin` on. What was cut off half-way, its writer killed, counts for nothing."""
    with path.open("r+b") as file:
        file.seek(begin)
        written = file.read()
        whole = written.rpartition(b"\n")[0]
        file.truncate(begin + len(whole) + bool(whole))
    last: dict[int, dict[str, Any]] = {}
    for line in whole.splitlines():
        with suppress(ValueError):  # cut off, and another process's behind it
            event = json.loads(line)
            last[event["task"]] = event
    descriptor = os.open(path, _APPENDING, 0o666)
    now_ns = time.monotonic_ns()
    for event in last.values():
        if event["event"] not in _ENDS:
            time_s = event["time_s"] + (now_ns - event["time_ns"]) / 1e9
            end = {**event, "event": "failed", "time_ns": now_ns, "time_s": time_s}
            _append(descriptor, {**end, "error": type(why).__name__, "detail": words(why)})
    os.close(descriptor)


def _append(descriptor: int, event: dict[str, object]) -> None:
    line = json.dumps(event).encode() + b"\n"
    if os.write(descriptor, line) != len(line):
        raise OSError("the log has no room for one more line")
