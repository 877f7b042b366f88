"""The values that travel: task, outcome, span, run; and the contracts of a row and of a column.

Every time stamp is CLOCK_MONOTONIC in whole nanoseconds (`time.monotonic_ns()`), which is one clock for all threads
and processes of a machine, so spans from any model line up without alignment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from lanes import _core
    from lanes.work import Work

BODIES = ("python", "held", "released")
"""The bodies of a Python model: interpreted; C with the GIL kept; C with the GIL released."""


@dataclass(frozen=True, slots=True)
class Task:
    """One unit of work: its place in the workload, what to do and how much of it.

    index: from 0.
    text, args: what they mean is the workload's to say (a URL and its time-outs, a kernel and its range); C reads the
    same text and at most four integers.
    item: what a user's function is called with, whatever it is; the text then shows it in short.
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
    figures: whole numbers that the work measured of itself, which differ from run to run and so do not count; what each
            means is the workload's to say.
    """

    status: str
    value: tuple[object, ...] = ()
    error: str | None = None
    detail: str = field(default="", compare=False)
    raised: object = field(default=None, repr=False, compare=False)
    figures: tuple[int, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Span:
    """Where and when one task ran.

    worker:      index of the lane, from 0: a thread, a process, or one of the places of a loop.
    thread_id, process_id: of that, the kernel's.
    cpu:         the processor it was on when it started, from 0.
    claimed_ns:  when a worker took the task, on CLOCK_MONOTONIC; started_ns and finished_ns: when the body began and
                 ended.
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
    """A finished task as a model hands it back: which one (`task`, its index), its outcome, and its span."""

    task: int
    outcome: Outcome
    span: Span


@dataclass(frozen=True, slots=True)
class Usage:
    """What one worker (a thread, a process, a loop) has used of the machine, from when it was ready to its last task.

    process_id, thread_id: the kernel's. began_ns, ended_ns: that time, on CLOCK_MONOTONIC.
    cpu_user_s, cpu_system_s: seconds on a processor, of its thread, as all that follows. The sum is exact; how it
    divides is as the kernel's ticks see it.
    run_queue_s: seconds that it was ready to run and had no processor.
    gil_wait_s: seconds that it waited for the GIL; gil_waits: how often.
    voluntary, involuntary: its context switches.
    """

    process_id: int
    thread_id: int
    began_ns: int
    ended_ns: int
    cpu_user_s: float
    cpu_system_s: float
    run_queue_s: float
    gil_wait_s: float
    gil_waits: int
    voluntary: int
    involuntary: int


@dataclass(frozen=True, slots=True)
class Counters:
    """What was counted beside a run without disturbing it.

    usages:      of every worker that was ready.
    gil:         whether there was a GIL to wait for.
    gil_method:  how waits for it were measured; None where they were not, or there is none.
    gil_cost_s:  what timing one of them takes, in seconds.
    handovers:   how often the GIL of the calling process went from one thread to another; None where not known.
    throttled_s: for how long the control group stood still, its quota used up; None without control groups.
    others_s:    CPU seconds of the processors allowed that were not this run's, stolen ones too; None where not known.
    """

    usages: tuple[Usage, ...]
    gil: bool
    gil_method: str | None
    gil_cost_s: float
    handovers: int | None
    throttled_s: float | None
    others_s: float | None


class MemoryAt(NamedTuple):
    """How much memory a process and its children had at one moment: `at_s`, seconds since the run began, and
    `pss_bytes`, the sum of their proportional set sizes."""

    at_s: float
    pss_bytes: int


@dataclass(frozen=True, slots=True)
class Closeup:
    """What only perturbing measurements show, from a run of its own that is never timed.

    peak_pss_bytes: the largest sum of the proportional set sizes of the process and its children; None if not seen.
    peak_rss_bytes: the largest resident size of each of these processes, its VmHWM, in the order of their ids.
    memory:         that sum as the run went, in the order of time; empty for a run that was over too soon for a look.
    pickled_bytes:  bytes that objects were turned into for other processes; pickle_s: seconds for that, and for
                    turning them back. Both None where nothing is pickled.
    loop_lag_s:     seconds that callbacks of a loop stood ready and did not run, summed over all; max_loop_lag_s: the
                    longest. Both None where there is no loop.
    """

    peak_pss_bytes: int | None = None
    peak_rss_bytes: tuple[int, ...] = ()
    pickled_bytes: int | None = None
    pickle_s: float | None = None
    loop_lag_s: float | None = None
    max_loop_lag_s: float | None = None
    memory: tuple[MemoryAt, ...] = ()


@dataclass(frozen=True, slots=True)
class Pulse:
    """How late something was that tried to beat every `period_s` beside a model at work, in a run of its own.

    where:  what tried to: "loop", a coroutine on the model's loop, or "thread", a Python thread of the calling process.
    period_s: seconds between two beats.
    beats:  that were due while the model worked, on a fixed schedule; missed: those that came no sooner than the next
            was due.
    p50_s, p99_s, max_s: seconds of lateness against that schedule; None where no beat was due.
    """

    where: str
    period_s: float
    beats: int
    missed: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None


class InFlight(NamedTuple):
    """How many tasks were begun and not finished: on average over the work (mean), and at most (max).

    Beside `cores`, which says how many processors were busy, it tells concurrency from parallelism. Tasks in flight are
    concurrent, whoever works on them: sixteen waits on a loop are sixteen in flight and 0.0 cores, four threads that
    take turns on the GIL are four in flight and 1.0 cores. They run in parallel as far as the cores go: four in flight
    on 2.0 cores are two at a time. One in flight on two cores is the reverse, work that runs in parallel inside of
    one task.
    """

    mean: float
    max: int


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a workload by one model.

    workload:   its name.
    model:      as it was typed, what stands in brackets included; variant: that alone, None without.
    body:       "python", "held" or "released"; None for native models.
    workers:    threads, processes or tasks in flight.
    outcomes, spans: one for each task, in the order of the tasks.
    began_ns, ended_ns: enclose it all, start-up and shutdown of its workers included, on CLOCK_MONOTONIC.
    cpu_s:      CPU time (user and system, seconds) of this process and its children over that time.
    start_method: how worker processes were started; None where a model starts none.
    counters:   what was counted beside it; None for a run that recorded spans only.
    closeup, pulse: only of the passes that are about them, which are never timed.
    switching:  who decides when one worker gives way to another.
    processors: how many the model's workers can use with this body on this interpreter: "1" or "many".
    figures:    what a workload that is `Measuring` makes of the run; empty for any other.
    known_in_flight: what `in_flight` was while the spans were there; None where they are. A file has the spans of the
                typical run of a row alone.
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
    counters: Counters | None = None
    closeup: Closeup | None = None
    variant: str | None = None
    switching: str = ""
    processors: str = ""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    pulse: Pulse | None = None
    known_in_flight: InFlight | None = field(default=None, repr=False)

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
    def in_flight(self) -> InFlight:
        """Tasks begun and not finished, from the edges of the spans: exact as far as the clock is."""
        if self.known_in_flight is not None:
            return self.known_in_flight
        work_ns = max(span.finished_ns for span in self.spans) - min(span.claimed_ns for span in self.spans)
        mean = sum(span.finished_ns - span.started_ns for span in self.spans) / max(1, work_ns)
        # One that begins in the instant in which another ends takes its place. None is over before it has begun: a
        # task may be shorter than the clock can tell.
        starts = sorted(span.started_ns for span in self.spans)
        ends = sorted(max(span.finished_ns, span.started_ns + 1) for span in self.spans)
        most = ended = 0
        for begun, start in enumerate(starts, start=1):
            while ends[ended] <= start:
                ended += 1
            most = max(most, begun - ended)
        return InFlight(mean, most)

    @property
    def cores(self) -> float:
        """Processors kept busy on average: CPU seconds over wall seconds."""
        return self.cpu_s / self.wall_s


class Workload(Protocol):
    """The contract of a row: a kind of task and a list of them. Picklable; knows no model.

    Its C twin, if any, is found in the engine under the same name.
    """

    @property
    def name(self) -> str:
        """As it is typed: "download"; of a function its path."""
        ...

    @property
    def compiled(self) -> bool:
        """Whether there is a C twin; without one there are no `held` and `released` bodies and no native models."""
        ...

    @property
    def blocking(self) -> bool:
        """Whether the Python body is there as a plain function; else it is a coroutine function alone."""
        ...

    @property
    def twins(self) -> bool:
        """Whether the coroutine function is other code than the plain one, so that the two may differ in speed."""
        ...

    @property
    def params(self) -> Mapping[str, object]:
        """The user's choices, ready for JSON."""
        ...

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All of them; the index of each is its place."""
        ...

    @property
    def default_workers(self) -> int:
        """How many workers a run has where nobody says it."""
        ...

    @property
    def warm_up(self) -> Task | None:
        """What every worker does once when it is ready, before its first task and off the record; None for nothing."""
        ...

    def serve(self) -> AbstractContextManager[Workload]:
        """The same workload, ready to run, with what it needs outside (an origin) alive until exit."""
        ...

    def open(self) -> AbstractContextManager[Callable[[Task], Outcome]]:
        """One worker's interpreted body, with what it keeps from task to task (a session)."""
        ...

    def open_async(self) -> AbstractAsyncContextManager[Callable[[Task], Awaitable[Outcome]]]:
        """The same as a coroutine function, one for all the tasks of a loop."""
        ...


By: TypeAlias = Literal["threads", "coroutines", "processes", "memory"]
"""What the workers of a run have in common, by which they can share something:

threads:    Python's objects, and they may be interrupted anywhere. Also what a worker has that is alone.
coroutines: Python's objects, and they give way at an `await` and nowhere else.
processes:  what multiprocessing makes for its processes to share; of all else each has a copy.
memory:     an `_core.Area`. These run the C body, whatever they are: threads, processes, Python's or native.
"""


Kind: TypeAlias = Literal["threads", "coroutines", "processes", "children", "places"]
"""What the workers of a run are, whatever body they run:

threads:    of Python or of the engine, the calling one included.
coroutines: on one loop.
processes:  that multiprocessing has started.
children:   that the engine has forked.
places:     on the engine's loop.
"""


class Means(NamedTuple):
    """How the workers of one run can share something: by what, how many workers they are, and by which start_method
    of multiprocessing their processes are started, None where there are none."""

    by: By
    workers: int
    start_method: str | None = None

    @property
    def context(self) -> BaseContext:
        """The part of multiprocessing whose locks and values these processes can share."""
        import multiprocessing  # only where processes are started

        return multiprocessing.get_context(self.start_method)


@runtime_checkable
class Sharing(Protocol):
    """What a `Workload` has besides if its workers share something. Those that are not Sharing share nothing."""

    @property
    def area(self) -> _core.Area | None:
        """What C bodies share; None before `share`, and where they share nothing."""
        ...

    def lacks(self, by: By, kind: Kind) -> str | None:
        """Why the tasks make no sense for workers of this kind that have this in common; None where they do."""
        ...

    def share(self, means: Means) -> AbstractContextManager[Workload]:
        """The same workload with what the workers of one run share, fresh, and alive until exit.

        It travels to the workers with the workload: areas, and what `means.context` made, reach processes that are
        being spawned as well as forked ones. Entered before the clock starts, and left after `Measuring.figures`.
        """
        ...


@runtime_checkable
class Updating(Protocol):
    """What a `Workload` has besides if its workers update what they share, and updates may get lost. It is `Measuring`,
    and one of its figures is `lost`."""

    @property
    def lossless(self) -> bool:
        """Whether no update may be lost, whoever makes it: a law, which voids a row that breaks it."""
        ...


@runtime_checkable
class Receiving(Protocol):
    """What a `Workload` has besides if what its tasks send home is to be looked at before it is an outcome."""

    @property
    def most_tasks(self) -> int | None:
        """How many tasks a run may have, as all that they send home is in memory at its end; None for any number."""
        ...

    def received(self, done: Done) -> Done:
        """A task that has come home, as it is to be recorded. Called for each once the clock has stopped."""
        ...


@runtime_checkable
class Accompanied(Protocol):
    """What a `Workload` has besides if its workers have partners, which compute as well, and not on their account."""

    def partners_cpu_s(self) -> float:
        """CPU seconds so far of partners that are processes of their own. Asked of what `share` gave."""
        ...


@runtime_checkable
class Measuring(Protocol):
    """What a `Workload` has besides if it measures more than time, in figures that the tables and JSON show.

    A task notes what it measured in `Outcome.figures`, its C body with `lanes_task_measured()`.
    """

    @property
    def units(self) -> Mapping[str, str]:
        """The unit of each figure, in the order in which they are shown: "s", "B", "B/s", "/s", "share" (of 1), or what
        is counted, such as "updates". Figures whose names end with one thing behind a colon, such as "copied:64 KiB"
        and "copying:64 KiB", are of that thing, and have a table of their own."""
        ...

    def figures(self, run: Run) -> Mapping[str, float | None]:
        """The figures of a run, by name; None for what is not known. Asked of what `share` gave, which is still alive,
        so what the workers have shared can be looked at."""
        ...

    def remarks(self, machine: Mapping[str, object]) -> Iterable[str]:
        """What there is to know about the figures on this machine (lanes/machine.py), a line each."""
        ...


class Model(Protocol):
    """The contract of a column: a way to run tasks on workers. A module with these names satisfies it."""

    @property
    def name(self) -> str:
        """As it is typed: "threading"."""
        ...

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
    def loop(self) -> bool:
        """Whether it starts an asyncio loop."""
        ...

    @property
    def coroutines(self) -> bool:
        """Whether its workers are coroutines, on that loop."""
        ...

    @property
    def variants(self) -> Mapping[str, str]:
        """Other ways to run it, by the name that stands in brackets: "spawn"; each with what it means."""
        ...

    def run(self, work: Work, workers: int, variant: str | None = None) -> Iterable[Done]:
        """Do every task of the work once, on this many workers; the order of what comes back is free."""
        ...
