"""The engine in C: native models, C bodies, and the clocks every model shares.

A task is given as a tuple of its text and at most four integers; what they mean is the workload's to say.
Time stamps are CLOCK_MONOTONIC in nanoseconds.
"""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self, TypeAlias, final

TaskInput: TypeAlias = tuple[str | int, ...]

Record: TypeAlias = tuple[str, str | None, str, tuple[int, ...], int, int, int, int, int, int, int, int]
"""status, error, detail, value, worker, thread id, process id, CPU, claimed, started, finished, CPU time."""

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

    Raises ValueError for an unknown workload. Not for two threads at once: a second caller gets a RuntimeError.
    """

    def __new__(cls, workload: str) -> Self: ...
    def run(self, task: TaskInput, release: bool, /) -> Record:
        """Do one task, with the GIL released or kept. Raises ValueError for a task the workload cannot read."""
    def close(self) -> None:
        """Free what the worker keeps. Closing twice is harmless."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

def run(model: str, workload: str, tasks: Sequence[TaskInput], workers: int, /) -> Records:
    """Run all tasks on one native model, with the GIL released throughout.

    `workers` is the number of threads or processes; for native-epoll, of tasks in flight; native-serial has one.
    Raises ValueError for an unknown name, a task the workload cannot read or fewer than one worker, OverflowError for
    a number that 64 bits cannot hold, OSError when threads, processes or descriptors run out, RuntimeError when
    native-fork cannot fork safely (in a sub-interpreter, or while other native work is under way). Ctrl-C raises
    KeyboardInterrupt within 100 ms when called from the main thread; all workers are gone by then.
    """

def here() -> Moment:
    """Who and when: the calling thread's ids, processor and clocks, in one call."""

def load(workload: str, /) -> None:
    """Load the library that a workload's C body needs (libcurl), so that forked processes share it.

    Raises ValueError for an unknown workload, ImportError when the library is missing or too old.
    """

def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends (PR_SET_PDEATHSIG)."""
