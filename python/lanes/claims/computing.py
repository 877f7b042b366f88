"""Computing: what threads, processes and loops do for work that needs the processor and never waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from lanes.claims.claim import GIL, Case, Claim, Figure, at_least, at_most, exactly, processors
from lanes.claims.lab import (
    Lab,
    Look,
    Looks,
    busy,
    compared,
    crew,
    crowded,
    faster,
    looked_at,
    measurement,
    of_runs,
    one_processor,
    share,
    speedup,
)
from lanes.comparison import Comparison
from lanes.models import load
from lanes.run import execute
from lanes.workloads.compute import compute
from lanes.workloads.function import workload

_FASTER, _AS_FAST = 1.2, 1.1
"""A speed-up of so much is one; of no more than that, none."""

_ALONE, _TOGETHER = 1.1, 1.3
"""No more processors busy than that are one, with what the clocks differ by; so many are more than one."""


@measurement(
    "compute, 16 tasks of about 20 ms in Python: threads, processes and a loop beside serial, with as many"
    " workers as processors, 4 at most",
    computes=True,
)
def computing(lab: Lab) -> Comparison:
    return compared(lab, compute(tasks=16), "threading,multiprocessing,asyncio", crew())


@measurement(
    "compute, 16 tasks of about 10 ms in C, which releases the GIL, and which keeps it: one by one, and on as many"
    " threads as processors, 4 at most",
    computes=True,
)
def bodies_in_c(lab: Lab) -> Looks:
    work = compute(tasks=16, task_size=60_000)
    rows = (
        ("serial", "released", 1),
        ("threading", "released", crew()),
        ("serial", "held", 1),
        ("threading", "held", crew()),
    )
    return looked_at(lab, "timed", {f"{model}/{body}": Look(work, model, body, many) for model, body, many in rows})


@measurement(
    "compute, 8 tasks of about 10 ms in Python, on 2 threads and on 2 processes that are allowed one processor"
)
def on_one_processor(lab: Lab) -> Comparison:
    with one_processor():
        return compared(lab, compute(tasks=8, task_size=3_000), "threading,multiprocessing", 2)


def spread(tasks: int) -> int:
    """One task that spreads its own work over the processors, by native threads: how many primes they found."""
    found = execute(compute(tasks=tasks, task_size=9_000), load("native-pthreads"), None, crew(), "bare")
    return sum(cast(int, outcome.value[0]) for outcome in found.outcomes)


@measurement(
    "8 tasks, one after another, each of which spreads the work of 30 ms in C over as many native threads as"
    " there are processors, 4 at most",
    computes=True,
)
def inside_of_one(lab: Lab) -> Comparison:
    return compared(lab, workload(spread, items=[20] * 8), "serial", 1)


def _threads(lab: Lab) -> Iterator[Figure]:
    grid = lab(computing)
    yield speedup("threads over serial", grid["threading"], grid.baseline)
    yield of_runs("threads, processors busy", "", grid["threading"], busy)


def _released(lab: Lab) -> Iterator[Figure]:
    runs = lab(bodies_in_c)
    for words, body in (("released", "released"), ("kept", "held")):
        yield faster(f"threads over serial, GIL {words}", runs[f"threading/{body}"], runs[f"serial/{body}"])


def _processes(lab: Lab) -> Iterator[Figure]:
    grid = lab(computing)
    yield speedup("processes over serial", grid["multiprocessing"], grid.baseline)
    row = grid["multiprocessing"]
    yield of_runs("processes, share of the processors busy", "%", row, lambda run: busy(run) / run.workers)


def _loop(lab: Lab) -> Iterator[Figure]:
    grid = lab(computing)
    yield speedup("asyncio over serial", grid["asyncio"], grid.baseline)


def _at_the_same_time(lab: Lab) -> Iterator[Figure]:
    grid, threads = lab(computing), lab(bodies_in_c)["threading/released"]
    for words, model in (
        ("processors busy with threads", "threading"),
        ("with asyncio", "asyncio"),
        ("with processes", "multiprocessing"),
    ):
        yield of_runs(words, "", grid[model], busy, grid.baseline)
    yield Figure("with threads that release the lock", "", tuple(map(busy, threads)), crowded(threads))


def _inside(lab: Lab) -> Iterator[Figure]:
    row = lab(inside_of_one).baseline
    yield of_runs("most tasks in flight", "", row, lambda run: float(run.in_flight.max))
    yield of_runs("processors busy", "", row, lambda run: run.cpu_s / run.work_s)


def _wall_minus_cpu(lab: Lab) -> Iterator[Figure]:
    for words, grid in (("GIL", lab(computing)), ("processor", lab(on_one_processor))):
        row = grid["threading" if words == "GIL" else "multiprocessing"]
        waits = (lambda parts: parts.gil_wait_s or 0.0) if words == "GIL" else (lambda parts: parts.run_queue_s)
        yield of_runs(f"waiting for the {words}: wall minus CPU", "%", row, share(lambda p: p.total_s - p.cpu_s))
        yield of_runs(f"waiting for the {words}: that wait", "%", row, share(waits))
        yield of_runs(f"waiting for the {words}: blocked", "%", row, share(lambda p: p.blocked_s))


CLAIMS = (
    Claim(
        4,
        "threads-compute",
        "Threads do not speed up compute in Python.",
        _threads,
        (Case((at_most("threads over serial", _AS_FAST),)),),
        hinges=("the GIL", "the processors"),
        needs=(processors(2),),
    ),
    Claim(
        5,
        "threads-release",
        "Threads do speed up compute when the C body releases the lock.",
        _released,
        (
            Case(
                (
                    at_least("threads over serial, GIL released", _FASTER, sturdy=True),
                    at_most("threads over serial, GIL kept", _AS_FAST),
                )
            ),
        ),
        hinges=("the GIL", "the processors"),
        needs=(GIL, processors(2)),
        note="The same C body with the GIL kept is what shows that the release makes the difference.",
    ),
    Claim(
        6,
        "processes-compute",
        "Processes do speed up compute in Python, on as many processors as there are.",
        _processes,
        (
            Case(
                (
                    at_least("processes over serial", _FASTER, sturdy=True),
                    at_least("processes, share of the processors busy", 0.8, "%", sturdy=True),
                )
            ),
        ),
        hinges=("the processors",),
        needs=(processors(2),),
    ),
    Claim(
        7,
        "asyncio-compute",
        "asyncio does not speed up compute.",
        _loop,
        (Case((at_most("asyncio over serial", _AS_FAST),)),),
    ),
    Claim(
        8,
        "one-at-a-time",
        "threading and asyncio run one task at a time, only multiprocessing runs several at the same time.",
        _at_the_same_time,
        (
            Case(
                (
                    at_most("processors busy with threads", _ALONE, ""),
                    at_most("with asyncio", _ALONE, ""),
                    at_least("with processes", _TOGETHER, "", sturdy=True),
                ),
                "bodies in Python",
            ),
            Case((at_most("with threads that release the lock", _ALONE, ""),), "bodies that release the lock"),
        ),
        "on whether the body keeps the GIL",
        hinges=("the GIL", "the processors"),
        needs=(processors(2),),
        note="The figures are processors kept busy, by the CPU clocks of the workers.",
    ),
    Claim(
        10,
        "parallel-not-concurrent",
        "Work that runs in parallel need not be concurrent: there may be one task at a time, whose own work is spread"
        " over the processors.",
        _inside,
        (Case((exactly("most tasks in flight", 1), at_least("processors busy", _TOGETHER, "", sturdy=True))),),
        hinges=("the processors",),
        needs=(processors(2),),
    ),
    Claim(
        24,
        "wall-minus-cpu",
        '"Wall minus CPU" is not the time spent waiting for input or output.',
        _wall_minus_cpu,
        (
            Case(
                (
                    at_least("waiting for the processor: wall minus CPU", 0.3, "%", sturdy=True),
                    at_most("waiting for the processor: blocked", 0.15, "%", sturdy=True),
                )
            ),
        ),
        hinges=("the GIL",),
        note="This work never waits for input or output: the time went to the run queue of one processor that two"
        " processes share, and to the GIL that threads share.",
    ),
)
