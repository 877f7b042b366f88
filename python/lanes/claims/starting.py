"""Starting: what it costs to begin a thread or a process, and to hand it a task."""

from __future__ import annotations

from collections.abc import Iterator

from lanes.claims.claim import Case, Claim, Figure, at_least, at_most, between, processors
from lanes.claims.lab import Lab, compared, crew, measurement, of_runs, ran, speedup, void
from lanes.comparison import Comparison, Row
from lanes.stats import paired_ratios
from lanes.sweep import break_even_s
from lanes.workloads.compute import compute
from lanes.workloads.wait import wait

_GLUED = ("futures-threads", "multiprocessing-pool", "futures-processes", "asyncio-threads", "asyncio-processes")
"""Models that hand over every task by itself."""

_PAYING = ("multiprocessing", *_GLUED, "native-pthreads")

_TINY_S = 20e-6


@measurement(
    "2 workers that are started for two tasks of no length: threads, and processes in each way to start them",
    computes=True,
)
def starting(lab: Lab) -> Comparison:
    models = "threading,multiprocessing[fork],multiprocessing[spawn],multiprocessing[forkserver]"
    return compared(lab, wait(tasks=2, duration=0), models, 2)


@measurement(
    "compute, 500 tasks of about 20 us in Python, on models that hand over every task by itself", computes=True
)
def chatty(lab: Lab) -> Comparison:
    return _glue(lab, 500, 8)


@measurement("compute, 120 tasks of about 0.5 ms in Python, on the same models and some others", computes=True)
def longer(lab: Lab) -> Comparison:
    return _glue(lab, 120, 300)


def _glue(lab: Lab, tasks: int, size: int) -> Comparison:
    return compared(lab, compute(tasks=tasks, task_size=size), _PAYING, crew())


def _starts(lab: Lab) -> Iterator[Figure]:
    grid = lab(starting)
    seconds: dict[str, tuple[float, ...]] = {}
    for words, model in (
        ("threads", "threading"),
        *((method, f"multiprocessing[{method}]") for method in ("fork", "forkserver", "spawn")),
    ):
        figure = of_runs(words, "s", grid[model], lambda run: run.startup_s)
        seconds[words] = figure.samples
        yield figure
    fork_over_thread = paired_ratios(seconds["fork"], seconds["threads"])
    spawn_over_fork = paired_ratios(seconds["spawn"], seconds["fork"])
    laws = void(*grid)
    yield Figure("fork over threads", "x", fork_over_thread, laws)
    yield Figure("spawn over fork", "x", spawn_over_fork, laws)
    yield Figure("the second over the first", "x", paired_ratios(spawn_over_fork, fork_over_thread), laws)


def _chatty(lab: Lab) -> Iterator[Figure]:
    tiny, long = lab(chatty), lab(longer)
    for model in _GLUED:
        yield speedup(f"{model}, tasks of 20 us", tiny[model], tiny.baseline)
    for model in _PAYING:
        yield Figure(f"{model} pays off from", "s", _pays_off(long[model], long.baseline), void(long[model]))


def _pays_off(row: Row, serial: Row) -> tuple[float, ...]:
    pairs = zip(ran(row).runs, ran(serial).runs, strict=True)
    return tuple(length for length in (break_even_s(run, other) for run, other in pairs) if length is not None)


CLAIMS = (
    Claim(
        14,
        "process-start",
        "A process costs more to start than a thread, and how it starts (fork, spawn, forkserver) matters as much.",
        _starts,
        (
            Case(
                (
                    at_least("fork over threads", 3),
                    at_least("spawn over fork", 3),
                    at_least("the second over the first", 1 / 3),
                )
            ),
        ),
        hinges=("the interpreter",),
        told=("threads", "fork", "forkserver", "spawn", "fork over threads", "spawn over fork"),
        note="Times are from the call to the first task taken, of two workers each; forkserver's hold the start of its"
        " server. As much means that spawn is as many times dearer than fork as fork is than threads, or a third of"
        " that at least.",
    ),
    Claim(
        18,
        "chatty-tasks",
        "Tiny chatty tasks lose to their glue; the length above which each model pays is measured.",
        _chatty,
        (
            Case(
                (
                    *(at_most(f"{model}, tasks of 20 us", 1.0) for model in _GLUED),
                    between("multiprocessing pays off from", _TINY_S, 0.1, "s"),
                )
            ),
        ),
        hinges=("the GIL", "the processors"),
        needs=(processors(2),),
        told=(
            *(f"{model}, tasks of 20 us" for model in ("futures-threads", "futures-processes")),
            *(f"{model} pays off from" for model in ("multiprocessing", "futures-processes", "native-pthreads")),
        ),
        note="The length is that of a task on serial, reckoned from the phases of each run as in lanes sweep. Threads"
        " never pay off for bodies in Python where there is a GIL.",
    ),
)
