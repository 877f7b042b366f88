"""The values that travel: task, outcome, span, run; and the contracts of a row and of a column.

Every time stamp is CLOCK_MONOTONIC in whole nanoseconds (`time.monotonic_ns()`), which is one clock for all threads
and processes of a machine, so spans from any model line up without alignment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from lanes.work import Work

BODIES = ("python", "held", "released")
"""The bodies of a Python model: interpreted; C with the GIL kept; C with the GIL released."""


@dataclass(frozen=True, slots=True)
class Task:
    """One unit of work: its place in the workload, what to do and how much of it.

    What `text` and `args` mean is the workload's to say (a URL and its time-outs, a kernel and its range); C reads
    the same text and at most four integers. `item` is what a user's function is called with, whatever it is; the text
    then shows it in short.
    """

    index: int
    text: str = ""
    args: tuple[int, ...] = ()
    item: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one task, whoever ran it. Two outcomes are equal when status, value and error class are.

    status: "ok", "failed" (the work failed, as work may) or "killed" (its worker died under it).
    value:  whole numbers that every model must agree on, or a user's function's result as one `Value`; empty unless ok.
    error:  the class of the failure, such as "ConnectError"; None when ok.
    detail: the failure in words. Libraries word it differently, so it does not count for equality.
    raised: the exception of a user's function as a `Value`, else None; it does not count either.
    """

    status: str
    value: tuple[object, ...] = ()
    error: str | None = None
    detail: str = field(default="", compare=False)
    raised: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Span:
    """Where and when one task ran.

    worker:      index of the lane, from 0: a thread, a process, or one of the places of a loop.
    cpu:         the processor it was on when it started.
    claimed_ns:  when a worker took the task; started_ns and finished_ns: when the body began and ended.
    cpu_ns:      CPU time of the worker's thread between start and finish, in the engine to 10 us. The places of a
                 loop share one thread, so their CPU times overlap and do not add up.
    """

    worker: int
    thread_id: int
    process_id: int
    cpu: int
    claimed_ns: int
    started_ns: int
    finished_ns: int
    cpu_ns: int


class Done(NamedTuple):
    """A finished task as a model hands it back: which one, what came of it, where and when."""

    task: int
    outcome: Outcome
    span: Span


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a workload by one model. `outcomes` and `spans` stand in the order of the tasks.

    began_ns and ended_ns enclose the model's whole run, start-up and shutdown of its workers included; cpu_s is the
    CPU time (user and system, seconds) of this process and its children over that time. start_method says how worker
    processes were started, None where a model starts none.
    """

    workload: str
    model: str
    body: str | None
    workers: int
    outcomes: tuple[Outcome, ...]
    spans: tuple[Span, ...]
    began_ns: int
    ended_ns: int
    cpu_s: float
    start_method: str | None = None

    @property
    def wall_s(self) -> float:
        """Seconds from the call to its return: start-up, work and shutdown."""
        return (self.ended_ns - self.began_ns) / 1e9

    @property
    def startup_s(self) -> float:
        """Seconds until the first task was claimed."""
        return (min(span.claimed_ns for span in self.spans) - self.began_ns) / 1e9

    @property
    def work_s(self) -> float:
        """Seconds from the first claim to the last finish."""
        return (max(s.finished_ns for s in self.spans) - min(s.claimed_ns for s in self.spans)) / 1e9

    @property
    def shutdown_s(self) -> float:
        """Seconds from the last finish to the return."""
        return (self.ended_ns - max(span.finished_ns for span in self.spans)) / 1e9

    @property
    def cores(self) -> float:
        """Processors kept busy on average: CPU seconds over wall seconds."""
        return self.cpu_s / self.wall_s


class Workload(Protocol):
    """The contract of a row: a kind of task and a list of them. Picklable; knows no model.

    Its C twin, if any, is found in the engine under the same name.
    """

    @property
    def name(self) -> str: ...

    @property
    def compiled(self) -> bool:
        """Whether there is a C twin; without one there are no `held` and `released` bodies and no native models."""
        ...

    @property
    def blocking(self) -> bool:
        """Whether the Python body is there as a plain function; else it is a coroutine function alone."""
        ...

    @property
    def params(self) -> Mapping[str, object]:
        """The user's choices, ready for JSON."""
        ...

    @property
    def tasks(self) -> tuple[Task, ...]: ...

    @property
    def default_workers(self) -> int: ...

    def serve(self) -> AbstractContextManager[Workload]:
        """The same workload, ready to run, with what it needs outside (an origin) alive until exit."""
        ...

    def open(self) -> AbstractContextManager[Callable[[Task], Outcome]]:
        """One worker's interpreted body, with what it keeps from task to task (a session)."""
        ...

    def open_async(self) -> AbstractAsyncContextManager[Callable[[Task], Awaitable[Outcome]]]:
        """The same as a coroutine function, one for all the tasks of a loop."""
        ...


class Model(Protocol):
    """The contract of a column: a way to run tasks on workers. A module with these names satisfies it."""

    @property
    def name(self) -> str: ...

    @property
    def family(self) -> str:
        """Either "python" or "native"."""
        ...

    @property
    def switching(self) -> str:
        """Who decides when one worker gives way to another."""
        ...

    @property
    def processors(self) -> str:
        """How many processors its workers can use at once."""
        ...

    @property
    def reasons(self) -> Mapping[str, str]:
        """The bodies that make no sense here, each with the reason."""
        ...

    @property
    def start_method(self) -> str | None:
        """How its worker processes are started, such as "fork"; None where it starts none."""
        ...

    @property
    def coroutines(self) -> bool:
        """Whether its workers are coroutines, on a loop that it starts itself."""
        ...

    def run(self, work: Work, workers: int) -> Iterable[Done]:
        """Do every task of the work once, on this many workers; the order of what comes back is free."""
        ...
