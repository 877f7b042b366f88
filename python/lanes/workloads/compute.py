"""`compute`: kernels that need the processor and never wait.

Each is a plain loop, the twin of the one in csrc/workloads/compute.c: the same operations in the same order, so that
both give the same numbers to the last bit.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

from lanes.processors import usable_processors
from lanes.types import Outcome, Task
from lanes.units import short, whole

ABOUT = "each task is a share of a kernel's work: it needs the processor and never waits"
EXAMPLES = (
    "lanes compare compute --kernel mandelbrot --workers 2",
    "lanes compare compute --bodies python --task-size 20000 --tasks 16",
)

_FIRST = 1_000_000
"""Where the search for primes begins: so far out that all tasks cost about the same."""


@dataclass(frozen=True, slots=True)
class Compute:
    """`count` equal shares of a kernel's work, each of this `size`; what that means is the kernel's to say."""

    name: ClassVar[str] = "compute"
    compiled: ClassVar[bool] = True
    blocking: ClassVar[bool] = True
    twins: ClassVar[bool] = False
    warm_up: ClassVar[Task | None] = None

    kernel: str
    count: int
    size: int

    @property
    def params(self) -> dict[str, object]:
        return {"kernel": self.kernel, "task_size": self.size}

    @property
    def tasks(self) -> tuple[Task, ...]:
        share = KERNELS[self.kernel].share
        return tuple(Task(n, self.kernel, share(n, self.count, self.size)) for n in range(self.count))

    @property
    def default_workers(self) -> int:
        return usable_processors()

    @contextmanager
    def serve(self) -> Iterator[Self]:
        yield self

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        yield _compute

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
        yield _compute_async


class Kernel(NamedTuple):
    """A loop, the share of it that task n of N with some size does, and the size that keeps it busy for 20 ms."""

    run: Callable[[tuple[int, ...]], tuple[int, ...]]
    share: Callable[[int, int, int], tuple[int, ...]]
    default_size: int
    largest_size: int


def primes(args: tuple[int, ...]) -> tuple[int]:
    """How many primes there are in [start, stop), by trial division."""
    start, stop = args
    count = 0
    for n in range(start, stop):
        if _is_prime(n):
            count += 1
    return (count,)


def _is_prime(n: int) -> bool:
    if n < 2 or n % 2 == 0:
        return n == 2
    d = 3
    while d * d <= n:
        if n % d == 0:
            return False
        d += 2
    return True


def squares(args: tuple[int, ...]) -> tuple[int]:
    """The sum of n * n over [start, stop), modulo 2**63."""
    start, stop = args
    total = 0
    for n in range(start, stop):
        total += n * n
    return (total % 2**63,)


def mandelbrot(args: tuple[int, ...]) -> tuple[int, int]:
    """The sum and the CRC-32 of the escape counts of band `index` of `tiles`, each `side` pixels wide and high."""
    index, tiles, side = args
    total = crc = 0
    for row in range(index * side, (index + 1) * side):
        im = -1.25 + 2.5 * (row + 0.5) / (tiles * side)
        counts = bytes(_escape_count(-2.0 + 2.5 * (col + 0.5) / side, im) for col in range(side))
        total += sum(counts)
        crc = zlib.crc32(counts, crc)
    return total, crc


def _escape_count(re: float, im: float) -> int:
    x = y = 0.0
    n = 0
    while n < 100 and x * x + y * y <= 4.0:
        x, y = x * x - y * y + re, 2.0 * x * y + im
        n += 1
    return n


KERNELS = {
    "primes": Kernel(primes, lambda n, _, size: (_FIRST + n * size, _FIRST + (n + 1) * size), 6_000, 2**40),
    "squares": Kernel(squares, lambda n, _, size: (n * size, (n + 1) * size), 370_000, 2**40),
    "mandelbrot": Kernel(mandelbrot, lambda n, tiles, side: (n, tiles, side), 68, 2**16),
}
OPTIONS = {
    "kernel": ("NAME", "primes (counts them; the default), squares (sums them) or mandelbrot"),
    "task_size": (
        "N",
        "numbers a task looks at, or the side of its tile; by default "
        + ", ".join(f"{name} {kernel.default_size}" for name, kernel in KERNELS.items()),
    ),
}
_MOST_TASKS = 2**16
"""More are refused, so that every share stays within what the C twins can count."""


def _compute(task: Task) -> Outcome:
    return Outcome("ok", KERNELS[task.text].run(task.args))


async def _compute_async(task: Task) -> Outcome:
    return _compute(task)


def compute(kernel: str = "primes", *, tasks: int = 16, task_size: int | None = None) -> Compute:
    """A kernel's work in equal tasks.

    kernel:    "primes" (counts them), "squares" (sums them) or "mandelbrot".
    tasks:     how many.
    task_size: how many numbers one looks at, or the side of its tile in pixels; the kernel's own default when left out.

    >>> lanes.compute("mandelbrot", tasks=4).params["kernel"]
    'mandelbrot'

    Raises ValueError for an unknown kernel, and for more tasks or larger ones than it has.
    """
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {short(kernel)}: the kernels are {', '.join(KERNELS)}")
    size = KERNELS[kernel].default_size if task_size is None else task_size
    return Compute(
        kernel, whole(tasks, "tasks", most=_MOST_TASKS), whole(size, "task size", most=KERNELS[kernel].largest_size)
    )
