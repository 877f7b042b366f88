"""One run in this process: what is refused, what is recorded, what stays out of its time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

import lanes
from lanes import _core, models
from lanes.run import execute, senseless
from lanes.types import By, Done, Kind, Means, Outcome, Span, Task
from lanes.work import Work
from lanes.workloads.wait import Wait

QUICK = lanes.wait(tasks=3, duration="1ms")


@pytest.mark.parametrize(
    ("model", "body", "workers", "message"),
    [
        ("nonsense", None, None, "native-epoll"),
        ("threading", "nonsense", None, "python, held, released"),
        ("native-epoll", "held", None, "body of its own"),
        ("asyncio", "released", None, "makes no sense"),
        ("threading", None, 0, "from 1 to"),
        ("serial", None, -1, "from 1 to"),
        ("native-pthreads", None, 900_000, "pid_max|threads-max|pids.max|RLIMIT_NPROC"),
    ],
)
def test_bad_input_is_refused_and_says_what_is_allowed(
    model: str, body: str | None, workers: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        lanes.run(QUICK, model, body, workers)


def test_a_run_records_what_ran_and_when() -> None:
    run = lanes.run(QUICK, "threading", "released", workers=2)
    assert (run.workload, run.model, run.body, run.workers) == ("wait", "threading", "released", 2)
    assert run.outcomes == (Outcome("ok"),) * 3
    assert run.start_method is None
    assert all(run.began_ns <= span.claimed_ns <= span.finished_ns <= run.ended_ns for span in run.spans)
    assert run.startup_s + run.work_s + run.shutdown_s == pytest.approx(run.wall_s)


def test_python_models_default_to_the_python_body_and_native_ones_have_none() -> None:
    assert lanes.run(QUICK, "serial").body == "python"
    assert lanes.run(QUICK, "native-serial").body is None


def test_workers_default_to_the_workloads_own() -> None:
    assert lanes.run(QUICK, "native-epoll").workers == QUICK.default_workers


@pytest.mark.parametrize("model", ["serial", "native-serial"])
def test_serial_has_one_worker_whatever_is_asked(model: str) -> None:
    assert lanes.run(QUICK, model, workers=7).workers == 1


def test_outcomes_stand_in_the_order_of_the_tasks() -> None:
    work = lanes.compute("squares", tasks=5, task_size=50)
    backwards = Made(lambda work: reversed(list(models.load("serial").run(work, 1))))
    assert execute(work, backwards, "python", 1).outcomes == lanes.run(work, "serial").outcomes


@pytest.mark.parametrize("keep", [[0, 1], [0, 1, 1], [0, 1, 2, 2]])
def test_every_task_must_come_back_exactly_once(keep: list[int]) -> None:
    def some(work: Work) -> Iterable[Done]:
        done = list(models.load("serial").run(work, 1))
        return [done[n] for n in keep]

    with pytest.raises(RuntimeError, match="made did not give back each of 3 tasks exactly once"):
        execute(QUICK, Made(some), "python", 1)


def test_lanes_are_numbered_by_first_start_across_processes_and_places() -> None:
    def spans(work: Work) -> Iterable[Done]:
        who = [(9, 1, 0, 300), (8, 1, 0, 100), (8, 1, 5, 200)]  # process, thread, worker, start
        for task, (process, thread, worker, start) in enumerate(who):
            yield Done(task, Outcome("ok"), Span(worker, thread, process, 0, start, start, start + 1, 0))

    run = execute(QUICK, Made(spans), "python", 1)
    assert [span.worker for span in run.spans] == [2, 0, 1]


def test_cpu_time_includes_that_of_worker_processes() -> None:
    run = lanes.run(lanes.compute("primes", tasks=4, task_size=3000), "multiprocessing", workers=2)
    assert run.start_method == "fork"
    assert all(span.process_id != os.getpid() for span in run.spans)
    assert run.cpu_s >= sum(span.cpu_ns for span in run.spans) / 1e9 * 0.9


def test_asyncio_inside_a_running_loop_runs_in_a_process_of_its_own() -> None:
    async def notebook() -> lanes.Run:
        return lanes.run(QUICK, "asyncio")

    run = asyncio.run(notebook())
    assert run.outcomes == (Outcome("ok"),) * 3
    assert {span.process_id for span in run.spans} != {os.getpid()}


def test_the_workload_is_served_around_the_run() -> None:
    log: list[str] = []

    @dataclass(frozen=True, slots=True)
    class Logged(Wait):
        @contextmanager
        def serve(self) -> Iterator[Logged]:
            log.append("begin")
            try:
                yield self
            finally:
                log.append("end")

    lanes.run(Logged(1, (0,)), "serial")
    assert log == ["begin", "end"]


@pytest.mark.parametrize(("model", "library"), [("threading", "requests"), ("asyncio", "aiohttp")])
def test_what_a_body_imports_is_imported_before_the_clock_starts(model: str, library: str) -> None:
    code = f"""
import sys, lanes
from lanes import models, run
from lanes.run import execute
column = models.load({model!r})
before = {library!r} in sys.modules
class Probe:
    name, family, start_method, coroutines = column.name, column.family, column.start_method, column.coroutines
    def run(self, work, workers):
        print(before, {library!r} in sys.modules)
        raise SystemExit
execute(lanes.download("http://127.0.0.1/"), Probe(), "python", 1)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False True"


@dataclass(frozen=True, slots=True)
class Tally(Wait):
    """Each task adds one to what all share, and measures what was there before."""

    units: ClassVar[dict[str, str]] = {"sum": "tasks", "firsts": "tasks", "unknown": "s"}
    box: Any = None
    area: _core.Area | None = None

    def lacks(self, by: By, kind: Kind) -> str | None:
        return "C does not add" if by == "memory" and self.count == 1 else None

    @contextmanager
    def share(self, means: Means) -> Iterator[Tally]:
        log.append(("share", *means))
        if means.by == "memory":
            yield replace(self, area=_core.Area(8))
        else:
            yield replace(self, box=means.context.Value("q", 0) if means.by == "processes" else Number())
        log.append("end")

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        yield self.add

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
        async def add(task: Task) -> Outcome:
            return self.add(task)

        yield add

    def add(self, task: Task) -> Outcome:
        with self.box.get_lock():
            self.box.value += 1
            return Outcome("ok", figures=(self.box.value - 1,))

    def figures(self, run: lanes.Run) -> dict[str, float | None]:
        log.append("figures")
        firsts = sum(outcome.figures == (0,) for outcome in run.outcomes)
        total = memoryview(self.area)[0] if self.area is not None else self.box.value
        return {"sum": total, "firsts": firsts, "unknown": None}

    def remarks(self, machine: object) -> Iterator[str]:
        yield f"seen on {machine}"


class Number:
    """As much of a `multiprocessing.Value` as threads and coroutines need."""

    value = 0

    def get_lock(self) -> AbstractContextManager[object]:
        return nullcontext()


log: list[object] = []


@pytest.mark.parametrize(
    ("model", "body", "means"),
    [
        ("serial", "python", ("threads", 1, None)),
        ("threading", "python", ("threads", 2, None)),
        ("asyncio-threads", "python", ("threads", 2, None)),
        ("asyncio", "python", ("coroutines", 2, None)),
        ("multiprocessing", "python", ("processes", 2, "fork")),
        ("futures-processes", "python", ("processes", 2, "fork")),
        ("multiprocessing[spawn]", "python", ("processes", 2, "spawn")),
        ("multiprocessing-pool[forkserver]", "python", ("processes", 2, "forkserver")),
    ],
)
def test_workers_share_what_they_can_for_as_long_as_the_run(
    model: str, body: str, means: tuple[str, int, str | None]
) -> None:
    log.clear()
    run = execute(Tally(5, (0,)), models.load(model), body, means[1])
    assert log == [("share", *means), "figures", "end"]
    assert run.figures == {"sum": 5, "firsts": 1, "unknown": None}


@pytest.mark.parametrize(
    ("model", "body"),
    [("threading", "held"), ("multiprocessing[spawn]", "released"), ("asyncio", "held"), ("native-fork", None)],
)
def test_c_bodies_share_an_area(model: str, body: str | None) -> None:
    log.clear()
    column = models.load(model)
    run = execute(Tally(5, (0,)), column, body, 2)
    assert log == [("share", "memory", 2, column.start_method), "figures", "end"]
    assert run.figures == {"sum": 0, "firsts": 0, "unknown": None}, "timers add nothing"


def test_a_run_that_a_loop_awaits_shares_as_well() -> None:
    log.clear()
    run = asyncio.run(lanes.run_async(Tally(5, (0,)), "native-epoll", 2))
    assert log == [("share", "memory", 2, None), "figures", "end"]
    assert run.figures["sum"] == 0


def test_what_the_workers_of_a_model_cannot_do_makes_no_sense_and_is_refused() -> None:
    work = Tally(1, (0,))
    for model, body in (("threading", "held"), ("native-pthreads", None)):
        assert senseless(work, models.load(model), body) == "C does not add"
        with pytest.raises(ValueError, match="makes no sense: C does not add"):
            lanes.run(work, model, body)
    assert senseless(work, models.load("multiprocessing"), "python") is None
    assert senseless(Tally(2, (0,)), models.load("native-pthreads"), None) is None


def test_other_workloads_share_and_measure_nothing() -> None:
    assert lanes.run(QUICK, "threading").figures == {}


class Made:
    """A model made of one function."""

    name = "made"
    family = "python"
    switching = "nobody"
    processors = "1"
    reasons: dict[str, str] = {}  # noqa: RUF012  # as the protocol has it
    start_method = None
    loop = False
    coroutines = False
    variants: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, function: object) -> None:
        self._function = function

    def run(self, work: Work, workers: int, variant: str | None = None) -> Iterable[Done]:
        assert callable(self._function)
        done: Iterable[Done] = self._function(work)
        return done
