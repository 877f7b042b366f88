"""Waiting: downloads, sockets, pipes and timers, which need no processor while they last."""

from __future__ import annotations

from collections.abc import Iterator

from lanes import stats
from lanes.claims.claim import GIL, Case, Claim, Figure, at_least, at_most, between, exactly
from lanes.claims.fifo import Fifo
from lanes.claims.lab import (
    ROUNDS,
    ExperimentError,
    Lab,
    Look,
    Looks,
    compared,
    crowded,
    looked_at,
    measurement,
    of_runs,
    of_workers,
    one_processor,
    ran,
    speedup,
    void,
)
from lanes.comparison import Comparison
from lanes.sweep import sweep
from lanes.types import Run
from lanes.workloads.download import download
from lanes.workloads.wait import wait

_LATENCIES_S = (0.3, 0.2, 0.2, 0.2)
_QUEUES_S = 0.5
"""Two workers: the one takes 300 and 200 ms, the other 200 and 200 ms and stands idle for the last 100."""

_OVERHEAD = 1.1
"""So many times its ideal may a time be: a tenth for connections, and for who starts the workers."""

_TIMERS = 8
_MANY = 2_000


@measurement("download, 4 tasks of 300, 200, 200 and 200 ms from the embedded origin, on 2 and on 4 threads")
def four_downloads(lab: Lab) -> Comparison:
    return sweep(
        download(tasks=4, size="1KiB", latency=_LATENCIES_S),
        workers=(2, 4),
        models="serial,threading",
        rounds=ROUNDS,
        seed=lab.seed,
        progress=lab.progress,
    ).comparison


@measurement("wait, 8 timers of 40 ms on 1, 2, 4, 8 and 16 threads")
def more_workers(lab: Lab) -> Comparison:
    return sweep(
        wait(tasks=_TIMERS, duration="40ms"),
        workers=(1, 2, 4, 8, 16),
        models="serial,threading",
        rounds=ROUNDS,
        seed=lab.seed,
        progress=lab.progress,
    ).comparison


@measurement(
    "download, 8 tasks of 25 ms from the embedded origin, on 8 threads, in Python and in C that keeps the lock"
)
def sockets(lab: Lab) -> Comparison:
    work = download(tasks=8, size="1KiB", latency="25ms", warm=True)
    return compared(lab, work, "serial,threading", 8, "python,held")


@measurement("8 reads of named pipes, each of which has something to read 25 ms after it was opened, on 8 threads")
def files(lab: Lab) -> Comparison:
    return compared(lab, Fifo(8, 0.025), "threading", 8)


@measurement("wait, 8 timers of 25 ms on 8 threads and on a loop that are allowed one processor")
def waits_on_one_processor(lab: Lab) -> Comparison:
    with one_processor():
        return compared(lab, wait(tasks=_TIMERS, duration="25ms"), "threading,asyncio", _TIMERS)


@measurement(f"wait, {_MANY:,} timers of 400 ms at once, and one alone, on threads and on a loop: memory, untimed")
def thousands(lab: Lab) -> Looks:
    """Runs of the models, with one wait and with many, each looked at from outside while it goes on."""
    alone, many = wait(tasks=1, duration="50ms"), wait(tasks=_MANY, duration="400ms")
    looks = {}
    for model in ("threading", "asyncio"):
        looks[f"{model}, one"] = Look(alone, model, "python", 1)
        looks[f"{model}, many"] = Look(many, model, "python", _MANY)
    return looked_at(lab, "closeup", looks)


def _four_downloads(lab: Lab) -> Iterator[Figure]:
    grid = lab(four_downloads)
    for words, row, ideal_s in (
        ("one by one", grid.baseline, sum(_LATENCIES_S)),
        ("one thread each", of_workers(grid, "threading", 4), max(_LATENCIES_S)),
        ("two workers", of_workers(grid, "threading", 2), _QUEUES_S),
    ):
        yield Figure(words, "s", ran(row).walls, void(row))
        against = f"{words}, against {ideal_s * 1000:.0f} ms"
        yield Figure(against, "x", tuple(wall / ideal_s for wall in row.walls), void(row))


def _more_workers(lab: Lab) -> Iterator[Figure]:
    grid = lab(more_workers)
    rows = {count: of_workers(grid, "threading", count) for count in (1, 2, 4, 8, 16)}
    for fewer, more in ((1, 2), (2, 4), (4, 8), (8, 16)):
        yield speedup(f"{more} workers over {fewer}", rows[more], rows[fewer])


def _io(lab: Lab) -> Iterator[Figure]:
    sockets_grid, files_grid = lab(sockets), lab(files)
    yield speedup("sockets, 8 threads over serial", sockets_grid["threading"], sockets_grid.baseline)
    yield speedup("pipes, 8 threads over serial", files_grid["threading"], files_grid.baseline)
    yield speedup("sockets, lock kept", sockets_grid["threading", "held"], sockets_grid["serial", "held"])


def _one_processor(lab: Lab) -> Iterator[Figure]:
    grid = lab(waits_on_one_processor)
    for words, row in (("threads", grid["threading"]), ("asyncio", grid["asyncio"])):
        yield of_runs(f"{words}, most tasks in flight", "", row, lambda run: float(run.in_flight.max))
        yield speedup(f"{words} over serial", row, grid.baseline)
        yield of_runs(f"{words}, processors used", "", row, lambda run: float(len({span.cpu for span in run.spans})))


def _thousands(lab: Lab) -> Iterator[Figure]:
    runs = lab(thousands)
    memory: dict[str, tuple[float, ...]] = {}
    for words, model in (("asyncio", "asyncio"), ("threads", "threading")):
        many, one = runs[f"{model}, many"], runs[f"{model}, one"]
        law = crowded(many)
        threads = tuple(float(len({span.thread_id for span in run.spans})) for run in many)
        # Not all threads may be there before the first have waited enough.
        memory[model] = tuple((_pss(a) - _pss(b)) / (a.in_flight.max - 1) for a, b in zip(many, one, strict=True))
        yield Figure(f"{words}, waits at once", "", tuple(float(run.in_flight.max) for run in many), law)
        yield Figure(f"{words}, threads", "", threads, law)
        yield Figure(f"{words}, memory per wait", "B", memory[model])
    ratios = stats.paired_ratios(memory["threading"], memory["asyncio"])
    yield Figure("memory, threads over asyncio", "x", ratios)


def _pss(run: Run) -> int:
    if run.closeup is None or run.closeup.peak_pss_bytes is None:
        raise ExperimentError(f"{run.model}: the kernel did not tell its memory")
    return run.closeup.peak_pss_bytes


def _downloads_rules() -> tuple[str, ...]:
    return "one by one, against 900 ms", "one thread each, against 300 ms", "two workers, against 500 ms"


CLAIMS = (
    Claim(
        1,
        "four-downloads",
        "Of four downloads, one by one takes the sum, one thread each takes the longest, two workers take what two"
        " queues take.",
        _four_downloads,
        (Case(tuple(between(figure, 1.0, _OVERHEAD, sturdy=True) for figure in _downloads_rules())),),
        told=("one by one", "one thread each", "two workers"),
        note="A tenth more than the ideal is allowed for connections and for starting the workers.",
    ),
    Claim(
        2,
        "more-workers",
        "The number of workers decides a pool's speed on waiting work, and beyond the tasks more workers do not help.",
        _more_workers,
        (
            Case(
                (
                    at_least("2 workers over 1", 1.4, sturdy=True),
                    at_least("4 workers over 2", 1.4, sturdy=True),
                    at_least("8 workers over 4", 1.4, sturdy=True),
                    at_most("16 workers over 8", 1.1),
                )
            ),
        ),
    ),
    Claim(
        3,
        "threads-wait",
        "Threads still help sockets and files, because the lock is released while the operating system waits.",
        _io,
        (
            Case(
                (
                    at_least("sockets, 8 threads over serial", 2, sturdy=True),
                    at_least("pipes, 8 threads over serial", 2, sturdy=True),
                    at_most("sockets, lock kept", 1.1),
                )
            ),
        ),
        hinges=("the GIL",),
        needs=(GIL,),
        note="Files are named pipes: how long a disk takes is nobody's to choose. That the same downloads in C gain"
        " nothing from threads when the lock is kept shows that its release is what helps.",
    ),
    Claim(
        9,
        "one-processor",
        "Concurrency needs only one processor.",
        _one_processor,
        (
            Case(
                (
                    exactly("threads, most tasks in flight", _TIMERS),
                    exactly("asyncio, most tasks in flight", _TIMERS),
                    at_least("threads over serial", 4, sturdy=True),
                    at_least("asyncio over serial", 4, sturdy=True),
                    exactly("threads, processors used", 1),
                    exactly("asyncio, processors used", 1),
                )
            ),
        ),
    ),
    Claim(
        19,
        "thousands-of-waits",
        "asyncio holds thousands of waits without a thread each, for less memory than threads.",
        _thousands,
        (
            Case(
                (
                    exactly("asyncio, waits at once", _MANY),
                    exactly("asyncio, threads", 1),
                    at_least("threads, threads", _MANY / 4, "", sturdy=True),
                    at_least("memory, threads over asyncio", 1.1),
                )
            ),
        ),
        told=("asyncio, memory per wait", "threads, memory per wait", "asyncio, threads", "threads, threads"),
        note="Memory is the proportional set size with all waits at once, less that with one, for each wait"
        " that was under way with others.",
    ),
)
