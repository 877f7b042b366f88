"""One execution of a workload by one model, in the calling process.

Everything a run may need is checked, served and imported before its clock starts, so that what is timed is the model:
the start of its workers, the work, and their end.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from lanes import _core, limits, models
from lanes.measure import Meter
from lanes.source import Gate
from lanes.types import (
    BODIES,
    Accompanied,
    By,
    Closeup,
    Done,
    Means,
    Measuring,
    Model,
    Receiving,
    Run,
    Sharing,
    Span,
    Workload,
)
from lanes.units import short, whole
from lanes.value import check_items, check_outcomes
from lanes.work import Work

if TYPE_CHECKING:
    from pathlib import Path

    from lanes.events import EventLog
    from lanes.pulse import Beat

Pass: TypeAlias = Literal["timed", "bare", "closeup", "pulse", "log"]
"""What is measured beside outcomes and spans: counters, which do not disturb; nothing; memory, pickling and lag, which
disturb the run; how late something beside it comes, which does as well; and every event, which is written to a log."""


def run(
    workload: Workload | Callable[[Any], object],
    model: str,
    body: str | None = None,
    workers: int | None = None,
    *,
    items: Iterable[object] | None = None,
) -> Run:
    """Run all tasks of `workload` once on `model`, in this process where that can be, and return what came of it.

    model:   one name, which may have a variant: "threading", "multiprocessing[spawn]".
    items:   what your own function is called with, where the workload is one.
    body:    "python" (the default), "held" or "released" for a Python model; native models have one of their own.
    workers: threads, processes or tasks in flight; the workload's own default when left out.

    >>> run = lanes.run(lanes.compute("primes", tasks=4, task_size=100), "native-pthreads", workers=2)
    >>> [outcome.value for outcome in run.outcomes]
    [(6,), (10,), (8,), (8,)]

    Raises ValueError for what does not exist, makes no sense or is more than the limits of this machine allow.
    """
    workload = as_workload(workload, items)
    column, body = choose(workload, model, body)
    workers = crew(workload, column, workers)
    with workload.serve() as served:
        if _at_home(served, column):
            return execute(served, column, body, workers)
        from lanes import sample  # which imports this module

        return sample.take(served, column.name, body, workers)


def as_workload(given: Workload | Callable[[Any], object], items: Iterable[object] | None) -> Workload:
    """The workload itself; or that of a function, which must come with items."""
    if callable(given):
        from lanes.workloads.function import workload

        return workload(given, items=items)
    if not hasattr(given, "tasks"):
        raise ValueError(f"{short(given)} is neither a workload, such as lanes.wait(), nor a function")
    if items is not None:
        raise ValueError(f"items are for functions of your own: {given.name} has its own tasks")
    return given


def bodies_of(workload: Workload, column: Model) -> tuple[str | None, ...]:
    """The bodies of the workload on this model, of which some may make no sense; a native one has no name."""
    if column.family == "native":
        return (None,) if workload.compiled else ()
    return BODIES if workload.compiled else BODIES[:1]


def senseless(workload: Workload, column: Model, body: str | None) -> str | None:
    """Why the cell makes no sense, if it makes none."""
    if reason := column.reasons.get(body or ""):
        return reason
    if column.switching == "nobody" and body == "python":  # alone it can do anything, and all else is held against it
        return None
    if isinstance(workload, Sharing) and (
        reason := workload.lacks(by_what(column, body), models.kind(column, workload.name))
    ):
        return reason
    if not workload.blocking and not column.coroutines and column.switching != "nobody":
        return "an async def needs a loop: give it a sync twin with lanes.workload(sync=...)"
    return None


def by_what(column: Model, body: str | None) -> By:
    """What the workers of this model have in common with this body."""
    if body != "python":
        return "memory"
    return "coroutines" if column.coroutines else "processes" if column.start_method else "threads"


def sharing(workload: Workload, column: Model, body: str | None, workers: int) -> AbstractContextManager[Workload]:
    """The workload with what the workers of one run share; as it is where they share nothing."""
    if not isinstance(workload, Sharing):
        return nullcontext(workload)
    return workload.share(Means(by_what(column, body), workers, column.start_method))


def no_c_body(name: str) -> ValueError:
    return ValueError(f"{name} is a Python function without a body in C: only Python models can run it")


def choose(workload: Workload, model: str, body: str | None) -> tuple[Model, str | None]:
    """The column of this name and the body to run on it; ValueError when there is no such cell."""
    column = models.load(model)
    if column.family == "native":
        if body is not None:
            raise ValueError(f"{model} has a body of its own, in C without the GIL: leave out body={body!r}")
        if not workload.compiled:
            raise no_c_body(workload.name)
    else:
        body = "python" if body is None else body
        if body not in BODIES:
            raise ValueError(f"unknown body {body!r}; choose from {', '.join(BODIES)}")
        if body not in bodies_of(workload, column):
            raise no_c_body(workload.name)
    if reason := senseless(workload, column, body):
        raise ValueError(f"{model}{f' with body {body!r}' if body else ''} makes no sense: {reason}")
    return column, body


def crew(workload: Workload, column: Model, workers: int | None) -> int:
    """How many workers a run has: as asked, else the workload's default; one where nobody ever switches."""
    workers = workload.default_workers if workers is None else whole(workers, "workers")
    if column.switching == "nobody":
        return 1
    limits.check(column.name, workload, workers)
    return workers


def execute(
    workload: Workload,
    column: Model,
    body: str | None,
    workers: int,
    kind: Pass = "timed",
    seed: int | None = None,
    gate: Gate | None = None,
    log: Path | None = None,
) -> Run:
    """Run a workload that is served already; nothing is checked any more. From a seed, `random` begins in the processes
    that the model starts; in this one it is left to the caller. Through a gate the tasks come with time. Every
    event is appended to the log, if there is one; it is not for runs that are timed."""
    beat = _beat(kind)
    with sharing(workload, column, body, workers) as shared, _events(log, workload.name) as events:
        partners = shared.partners_cpu_s if isinstance(shared, Accompanied) else None
        meter = Meter(workers, kind != "bare", column.start_method == "forkserver", partners)
        work = Work(
            shared,
            body or "released",
            meter.ledger,
            pickling=kind == "closeup",
            model=column.name,
            seed=seed,
            gate=gate,
            beside=beat.on_loop if beat else None,
            log=events,
        )
        if column.start_method:
            check_items(workload.name, work.tasks)
        _warm_up(work, column)
        with _closeup(kind, column, meter.ledger) as seen:
            if events is not None:
                events.begin(work, body)
            with meter, beat.beside(column) if beat else nullcontext():
                finished = column.run(work, workers)
        if gate is not None:
            finished = gate.complete(finished, len(shared.tasks))
        if events is not None:
            finished = list(finished)
            events.end(work, body, finished)
        run = account(work, column, body, workers, finished, meter, seen[0] if seen else None)
        return replace(run, pulse=beat.taken()) if beat else run


def _events(log: Path | None, workload: str) -> AbstractContextManager[EventLog | None]:
    if log is None:
        return nullcontext()
    from lanes.events import EventLog  # only where it is wanted

    return EventLog.opened(log, workload)


def _closeup(kind: Pass, column: Model, ledger: _core.Ledger | None) -> AbstractContextManager[list[Closeup]]:
    if kind != "closeup" or ledger is None:
        return nullcontext([])
    from lanes import closeup  # only where it is wanted

    return closeup.of(column, ledger)


def _beat(kind: Pass) -> Beat | None:
    if kind != "pulse":
        return None
    from lanes.pulse import Beat  # only where it is wanted

    return Beat()


def account(
    work: Work,
    column: Model,
    body: str | None,
    workers: int,
    finished: Iterable[Done],
    meter: Meter,
    closeup: Closeup | None = None,
) -> Run:
    """What came of a run that has been metered; what it handed back is looked at only now, and what it shared."""
    done = _in_order(finished, len(work.tasks), column.name)
    if isinstance(work.workload, Receiving):
        done = [work.workload.received(each) for each in done]
    if column.start_method and not work.workload.compiled:
        check_outcomes(work.workload.name, done)
    worker = models.at_work(column, work.workload.name)
    run = Run(
        workload=work.workload.name,
        model=column.name,
        body=body,
        workers=workers,
        outcomes=tuple(each.outcome for each in done),
        spans=_number_lanes([each.span for each in done]),
        began_ns=meter.began_ns,
        ended_ns=meter.ended_ns,
        cpu_s=meter.cpu_s,
        start_method=column.start_method,
        counters=meter.counters,
        closeup=closeup,
        variant=models.parted(column.name)[1],
        switching=worker.switching,
        processors=models.processors(worker, body),
    )
    if work.gate is not None or not isinstance(work.workload, Measuring):  # which looks for its own tasks, all of them
        return run
    return replace(run, figures=work.workload.figures(run))


def _at_home(workload: Workload, column: Model) -> bool:
    """Whether the model can run in this process as it is; else it takes a fresh one.

    A notebook runs a loop already, and asyncio refuses a second one on the same thread. A fork of Python copies only
    the thread that calls it, and leaves the locks that others held locked for ever; the engine's own has no such locks.
    """
    if (column.loop or not workload.blocking) and _inside_loop():
        return False
    if column.family == "native" or column.start_method is None:
        return True
    # What spawning starts besides workers, such as a fork server, stays until its process ends.
    return column.start_method == "fork" and _one_thread()


def _inside_loop() -> bool:
    """Whether this thread is running an asyncio loop."""
    import asyncio  # the model needs it in any case; `import lanes` does not

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _one_thread() -> bool:
    """Whether this thread is alone. One that was joined may need a moment more to leave the kernel's list."""
    for _ in range(10):
        if len(os.listdir("/proc/self/task")) == 1:
            return True
        if threading.active_count() > 1:
            return False
        time.sleep(0.001)
    return False


def _warm_up(work: Work, column: Model) -> None:
    """Import what the run will: an interpreter that is slow to import a library says nothing about a model.

    multiprocessing imports its parts when they are first used. A body does as well, so it is opened and closed once;
    forked workers inherit what that imports. Of C bodies only the library is loaded: libcurl must not be used before a
    fork.
    """
    if column.family == "python" and column.start_method:
        start = column.start_method
        for part in ("connection", "pool", f"popen_{start}{'_posix' * (start == 'spawn')}", "queues", "synchronize"):
            import_module(f"multiprocessing.{part}")
    if work.body != "python":
        _core.load(work.workload.name)
        return
    if not column.coroutines:
        with work.workload.open():
            return
    import asyncio

    async def open_and_close() -> None:
        async with work.workload.open_async():
            pass

    asyncio.run(open_and_close())


def _in_order(finished: Iterable[Done], count: int, model: str) -> list[Done]:
    """What a model handed back, in the order of the tasks; each must be there exactly once."""
    done = sorted(finished, key=lambda each: each.task)
    if [each.task for each in done] != list(range(count)):
        raise RuntimeError(f"{model} did not give back each of {count} tasks exactly once")
    return done


def _number_lanes(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The same spans with their workers numbered from 0 in the order in which they first started a task.

    A worker is a process, a thread and a place on it: pools do not number their workers, and two processes may both
    call theirs 0.
    """
    lanes: dict[tuple[int, int, int], int] = {}
    for span in sorted(spans, key=lambda span: span.started_ns):
        lanes.setdefault((span.process_id, span.thread_id, span.worker), len(lanes))
    return tuple(replace(span, worker=lanes[span.process_id, span.thread_id, span.worker]) for span in spans)
