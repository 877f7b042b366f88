"""The engine in C: native models, C bodies, and the clocks every model shares.

A task is given as a tuple of its text and at most four integers; what they mean is the workload's to say.
Time stamps are CLOCK_MONOTONIC in nanoseconds.
"""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self, TypeAlias, final

TaskInput: TypeAlias = tuple[str | int, ...]

Record: TypeAlias = tuple[
    str, str | None, str, tuple[int, ...], int, int, int, int, int, int, int, int, tuple[int, ...]
]
"""status, error, detail, value, worker, thread id, process id, CPU, claimed, started, finished, CPU time, figures."""

Moment: TypeAlias = tuple[int, int, int, int, int]
"""process id, thread id, CPU, time, CPU time of the thread."""

MODELS: tuple[str, ...]
"""The native models, in the order of the grid."""

WORKLOADS: tuple[str, ...]
"""The workloads that have a C body."""

@final
class Records:
    """What came of a native run: one record per task, made when it is asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Record: ...
    def __iter__(self) -> Iterator[Record]: ...

@final
class Worker:
    """One worker's C body: does one task a call and keeps what it needs between calls (a libcurl handle).

    `area` is what it shares with other workers, where its work shares something. Raises ValueError for an unknown
    workload. Not for two threads at once: a second caller gets a RuntimeError.
    """

    def __new__(cls, workload: str, area: Area | None = None) -> Self: ...
    def run(self, task: TaskInput, release: bool, /) -> Record:
        """Do one task, with the GIL released or kept.

        Raises ValueError for a task the workload cannot read, or that needs more of an area than there is.
        """
    def close(self) -> None:
        """Free what the worker keeps. Closing twice is harmless."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

@final
class Flight:
    """A native run that goes on while its caller waits for other things, too, such as a loop of asyncio.

    Step once when it has begun, then whenever the descriptor is readable, until that says that all is over; then
    finish. Nothing else is needed: no thread, and no looking again and again.

    For the thread that began it: there only may it be stepped, as forked workers die with it. Leaving its context, or
    freeing it, cancels what is under way.
    """

    def fileno(self) -> int:
        """The descriptor that is readable when a step has something to do; not to be read or closed."""
    def step(self) -> bool:
        """Do what is due, without waiting, and say whether all is over. RuntimeError once it has ended."""
    def finish(self) -> Records:
        """End what is over, and return what came of it, once; raises what `run` would raise.

        RuntimeError while it is under way, and once it has ended.
        """
    def cancel(self) -> None:
        """Stop what is under way; all workers are gone on return, which is within 100 ms.

        Harmless once it has ended, and in a forked child, whose copy has no workers.
        """
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

Entry: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int, int, int]
"""process id, thread id, first look, last look; then, of the thread between the two: CPU time, its user and its system
part as the kernel's ticks divide it, time in the run queue, time waiting for the GIL, how often it waited for that,
voluntary and involuntary context switches."""

@final
class Ledger:
    """What the workers of a run have used of the machine; forked processes write to the same one.

    Each worker has an entry, which begins with its first look; threads that another than the one that made the ledger
    has started count from their own start. Looks of workers beyond the room for them are lost.
    """

    def __new__(cls, workers: int) -> Self: ...
    @classmethod
    def attach(cls, descriptor: int, /) -> Self:
        """The ledger whose file this is, in a process that was not forked; the descriptor is the ledger's from now on.

        Raises OSError when it is no ledger's.
        """
    def fileno(self) -> int:
        """The descriptor of its file, for `attach`."""
    def look(self, now: bool = False, /) -> None:
        """Note what the calling thread has used so far. Skipped, unless `now`, within 0.1 ms of its last look."""
    def begin(self) -> None:
        """What the calling thread has used so far was no work: its entry begins now."""
    def add(self, size: int, ns: int, /) -> None:
        """Note that so many bytes were pickled or unpickled, in so long."""
    def tally(self) -> tuple[int, int]:
        """The sums of what was added: bytes, nanoseconds."""
    def entries(self) -> list[Entry]:
        """What each worker has used, in the order in which they came."""

@final
class Area:
    """Memory that the workers of a run share: zeros at first, on pages of its own, in a memory file.

    Threads and forked processes have it as it is; a process that is being spawned attaches to its file. Python reads
    and writes it through the buffer protocol, as bytes: `memoryview(area).cast("q")` are its 64-bit numbers. C bodies
    have it as `batch->area`. Nothing in it is locked: whoever writes to it sees to that. Raises ValueError for less
    than a byte, OSError or MemoryError for more than there is.
    """

    def __new__(cls, size: int) -> Self: ...
    @classmethod
    def attach(cls, descriptor: int, /) -> Self:
        """The area whose file this is, in a process that was not forked; the descriptor is the area's from now on.

        Raises OSError when it is no file that can be shared, or an empty one.
        """
    def fileno(self) -> int:
        """The descriptor of its file, for `attach`."""
    def __len__(self) -> int:
        """Its size in bytes."""
    def __buffer__(self, flags: int, /) -> memoryview: ...

Arrival: TypeAlias = tuple[int, int | None, int | None, int | None, bool, int | None]
"""When it was due, was admitted by a producer, started and finished, in nanoseconds since the beginning; None while it
has not come so far. Whether it was rejected. And when a worker claimed it by itself: out of the queue or, where that is
before it was due, ahead of it."""

@final
class Arrivals:
    """Tasks that come with time, and what becomes of each, in memory that all who take part share.

    due:     when each task arrives, in order, in nanoseconds since the beginning.
    bound:   how many may wait in the queue; 0 for any number.
    rejects: whether what comes to a full queue is rejected; else whoever brings it waits.
    open:    nothing is begun so many nanoseconds after the beginning, or later.

    Who takes part is either a producer, which admits one after another to a queue, or a worker that claims the next by
    itself. Raises ValueError for times out of order and a bound below 0, OSError or MemoryError when there is no room.
    """

    def __new__(cls, due: Sequence[int], bound: int, rejects: bool, open: int) -> Self: ...
    @classmethod
    def attach(cls, descriptor: int, /) -> Self:
        """The arrivals whose file this is, in a process that was not forked; the descriptor is theirs from now on.

        Raises OSError when it is no file of arrivals.
        """
    def fileno(self) -> int:
        """The descriptor of their file, for `attach`."""
    def begin(self) -> int:
        """Begin, unless that is done already; when that was, on the monotonic clock."""
    def began(self) -> int | None:
        """When it began, on the monotonic clock; None before."""
    def end(self) -> None:
        """Have nothing more begun, from now on."""
    def ended(self) -> bool:
        """Whether nothing more is to be begun: `end` was called, or it is no longer open."""
    def claim(self) -> int | None:
        """For a worker: the first in the queue, else the next one to come, to be started when it is due.

        What the queue had no room for has been rejected by then. None when there is none left, or it has ended.
        """
    def due(self, n: int, /) -> int:
        """When one is due, on the monotonic clock. This and what follows raise IndexError where there is none."""
    def admit(self, n: int, /) -> bool:
        """For a producer: enter the queue; False when that is full."""
    def reject(self, n: int, /) -> None:
        """For a producer: send one away."""
    def start(self, n: int, /) -> bool:
        """It leaves the queue and is started, now; False when it has ended, and the task is to be left alone."""
    def finish(self, n: int, /) -> None:
        """It is finished, now."""
    def progress(self) -> tuple[int, int, int, int, int]:
        """How many have arrived, were rejected, have started and finished by now; and the sum, in nanoseconds, of the
        latencies of the finished, each since it was due."""
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Arrival: ...
    def __iter__(self) -> Iterator[Arrival]: ...

def run(
    model: str,
    workload: str,
    tasks: Sequence[TaskInput],
    workers: int,
    ledger: Ledger | None = None,
    warm_up: TaskInput | None = None,
    area: Area | None = None,
    arrivals: Arrivals | None = None,
    /,
) -> Records:
    """Run all tasks on one native model, with the GIL released throughout.

    `workers` is the number of threads or processes; for native-epoll, of tasks in flight; native-serial has one.
    Each worker first does `warm_up`, off the record; from then on what it uses is entered in the ledger. What the
    workers share, where their work shares something, lies in `area`, which keeps it. With
    `arrivals`, one for each task, tasks come at their times; what is rejected, or left, stays pending.
    Raises ValueError for an unknown name, fewer than one worker, or a task the workload cannot read or that needs more
    of an area than there is; OverflowError for a number that 64 bits cannot hold, OSError when threads, processes or
    descriptors run out, RuntimeError when native-fork cannot fork safely (in a sub-interpreter, or while other native
    work is under way). Ctrl-C raises KeyboardInterrupt within 100 ms when called from the main thread; all workers are
    gone by then.
    """

def begin(
    model: str,
    workload: str,
    tasks: Sequence[TaskInput],
    workers: int,
    ledger: Ledger | None = None,
    warm_up: TaskInput | None = None,
    area: Area | None = None,
    arrivals: Arrivals | None = None,
    /,
) -> Flight:
    """Start to run all tasks on one native model, and return as soon as its workers are there.

    All is as with `run`, but that it does not ask for signals: whoever waits for it does. Raises ValueError, too, for
    what `can_begin` denies.
    """

def can_begin(model: str, workload: str, /) -> bool:
    """Whether `begin` takes this workload on this model, which is not to do work on the calling thread.

    native-serial would, and native-epoll with work that never waits (compute). Raises ValueError for an unknown name,
    ImportError when the library of the workload is missing.
    """

UnderWay: TypeAlias = tuple[str, int, int, int, int, int]
"""model, index of the task, worker, process id, thread id, started."""

def under_way() -> list[UnderWay]:
    """The tasks of native runs of this process, forked workers included, that were begun and have not been finished.

    A look from outside, for a signal handler or another thread: a task may finish while it is looked at.
    """

def system_call(number: int, /) -> str | None:
    """The name of a system call in which threads wait; None for any other. Raises OverflowError for what is no number
    of one."""

def here() -> Moment:
    """Who and when: the calling thread's ids, processor and clocks, in one call."""

def load(workload: str, /) -> None:
    """Load the library that a workload's C body needs (libcurl), so that forked processes share it.

    Raises ValueError for an unknown workload, ImportError when the library is missing or too old.
    """

def watch_gil(on: bool, /) -> bool:
    """Time waits for this interpreter's GIL from now on, or no longer; says whether they are timed.

    Exact: the interpreter's own waits for the GIL's condition variables are timed, where it makes them. False where
    that cannot be done: on a free-threaded build, on a Python whose GIL is not known, and while another interpreter of
    this process does it. What said True must be ended with False, as often.
    """

def gil_handovers() -> int | None:
    """How often this interpreter's GIL has gone from one thread to another; None where that is not known."""

def gil_wait_cost() -> int:
    """Nanoseconds that timing one wait for the GIL takes the thread that waits, measured now."""

def rest() -> None:
    """Give back the descriptor that looks and timed waits take on this thread, which else stays open until it ends."""

def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends (PR_SET_PDEATHSIG)."""

def name_thread(name: str, /) -> None:
    """Have the kernel call the calling thread so (PR_SET_NAME): the first 15 bytes. Of a process it is the main
    thread's name that counts. What a thread starts begins with its name."""
