"""The kernels' own numbers, against what is known of them, and what `compute` refuses."""

from __future__ import annotations

import pickle
import zlib

import pytest

import lanes
from lanes.processors import usable_processors
from lanes.types import Task
from lanes.workloads.compute import KERNELS, mandelbrot, primes, squares


def escapes(c: complex) -> int:
    """The textbook's definition."""
    z, n = 0j, 0
    while n < 100 and abs(z) <= 2:
        z, n = z * z + c, n + 1
    return n


def test_primes() -> None:
    assert primes((0, 100)) == (25,)
    assert primes((0, 10_000)) == (1229,)
    assert primes((2, 3)) == primes((9, 12)) == (1,)
    assert primes((5, 5)) == primes((24, 29)) == (0,)
    assert primes((1_000_000, 1_000_100)) == (6,)


def test_squares() -> None:
    assert squares((0, 4)) == (14,)
    top = 2**40
    assert squares((top, top + 2)) == ((top**2 + (top + 1) ** 2) % 2**63,)


def test_mandelbrot() -> None:
    counts = [
        escapes(complex(-2 + 2.5 * (col + 0.5) / 8, -1.25 + 2.5 * (row + 0.5) / 8))
        for row in range(8)
        for col in range(8)
    ]
    assert mandelbrot((0, 1, 8)) == (sum(counts), zlib.crc32(bytes(counts)))
    upper, lower = mandelbrot((0, 2, 8)), mandelbrot((1, 2, 8))
    assert upper[0] == lower[0], "the set is symmetric"
    assert upper[1] != lower[1], "its halves are not the same picture"


def test_tasks_share_the_work_without_a_gap() -> None:
    assert lanes.compute("primes", tasks=2, task_size=10).tasks == (
        Task(0, "primes", (1_000_000, 1_000_010)),
        Task(1, "primes", (1_000_010, 1_000_020)),
    )
    assert [task.args for task in lanes.compute("squares", tasks=2, task_size=10).tasks] == [(0, 10), (10, 20)]
    assert [task.args for task in lanes.compute("mandelbrot", tasks=2, task_size=9).tasks] == [(0, 2, 9), (1, 2, 9)]


def test_defaults() -> None:
    workload = lanes.compute()
    assert (workload.kernel, workload.count, workload.size) == ("primes", 16, KERNELS["primes"].default_size)
    assert workload.default_workers == usable_processors()
    assert workload.params == {"kernel": "primes", "task_size": workload.size}
    assert pickle.loads(pickle.dumps(workload)) == workload


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kernel 'pi': the kernels are primes, squares, mandelbrot"):
        lanes.compute("pi")
    with pytest.raises(ValueError, match="unknown kernel None: the kernels are"):
        lanes.compute(None)  # type: ignore[arg-type]
    for tasks in (0, -1, 2**17):
        with pytest.raises(ValueError, match=f"^tasks must be a whole number from 1 to 65,536, not {tasks}$"):
            lanes.compute(tasks=tasks)
    for size in (0, 2**50):
        with pytest.raises(ValueError, match=f"^task size must be a whole number from 1 to 65,536, not {size}$"):
            lanes.compute("mandelbrot", task_size=size)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_largest_tasks_allowed_are_understood_by_c(kernel: str) -> None:
    from lanes import _core

    with _core.Worker("compute") as worker:
        *_, last = lanes.compute(kernel, tasks=2**16, task_size=1).tasks
        assert worker.run((last.text, *last.args), True)[0] == "ok"
        start, stop = 2**61, 2**61 + 1000
        if kernel == "squares":
            assert worker.run((kernel, start, stop), True)[3] == squares((start, stop))
