"""Runs that a loop awaits: what they give, how little they take of the loop, and how they end when cancelled."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

import lanes
from lanes import _core, flight
from lanes.flight import AWAITABLE, fly
from lanes.origin import Origin, crc32
from lanes.types import Outcome, Workload
from lanes.work import Work, done
from processes import AREA, asleep, children, flown, holdings, in_a_thread, left_since, recorded, script, until

T = TypeVar("T")

MS = 10**6
SECOND = 10**9
SHARED = _core.Area(AREA)
HOUR = ("", 3600 * SECOND)
ENGINES = ("native-pthreads", "native-fork", "native-epoll")
LOOPS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]
ENDLESS: dict[str, _core.TaskInput] = {
    "wait": HOUR,
    "compute": ("squares", 0, 2**60),
    "counter": ("locked", 2**40, 3600 * SECOND),
    "download": ("", SECOND, 3600 * SECOND),
}
CELLS = [(engine, workload) for engine in ENGINES for workload in ENDLESS if _core.can_begin(engine, workload)]


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


def awaited(coroutine: Coroutine[Any, Any, T], loop: str = "asyncio") -> T:
    with asyncio.Runner(loop_factory=factory(loop)) as runner:
        return runner.run(coroutine)


def factory(loop: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if loop == "asyncio":
        return None
    import uvloop

    new_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return new_loop


def work_of(workload: str, tasks: list[_core.TaskInput]) -> Work:
    """What `fly` looks at of a work."""
    return cast(
        Work,
        SimpleNamespace(
            workload=SimpleNamespace(name=workload),
            inputs=tasks,
            ledger=None,
            warm_up=None,
            area=SHARED,
            arrivals=None,
        ),
    )


def in_time(attempt: Callable[[], float], what: str) -> None:
    """Two of at most six tries within 100 ms are in time: a single late one is the fault of a busy machine."""
    late: list[float] = []
    while len(late) < 6 and sum(each < 0.1 for each in late) < 2:
        late.append(attempt())
    print(f"{what}: cancelled after", ", ".join(f"{took * 1e3:.1f} ms" for took in late))
    assert sum(each < 0.1 for each in late) == 2, late


def endless(workload: str, origin: Origin) -> list[_core.TaskInput]:
    _, *args = task = ENDLESS[workload]
    return [(origin.url(size=1000, stall=500), *args) if workload == "download" else task] * 6


# ---- the engine's flights


def test_which_runs_can_be_begun() -> None:
    can = {(model, row): _core.can_begin(model, row) for model in _core.MODELS for row in _core.WORKLOADS}
    assert {cell for cell, yes in can.items() if not yes} == {
        *(("native-serial", row) for row in _core.WORKLOADS),
        ("native-epoll", "compute"),
        ("native-epoll", "counter"),
    }
    for model, row in can:
        if can[model, row]:
            _core.begin(model, row, [], 1).cancel()
        else:
            refusal = f"{model} would do {row} on the calling thread, .*: take native-pthreads or native-fork"
            with pytest.raises(ValueError, match=refusal):
                _core.begin(model, row, [], 1)
    with pytest.raises(ValueError, match="unknown native model 'native'"):
        _core.can_begin("native", "wait")
    with pytest.raises(ValueError, match="unknown workload 'waiting'"):
        _core.can_begin("native-fork", "waiting")


@pytest.mark.parametrize("workers", [1, 3, 20])
@pytest.mark.parametrize(("engine", "workload"), CELLS)
def test_a_flight_gives_what_a_run_gives(engine: str, workload: str, workers: int, origin: Origin) -> None:
    tasks: dict[str, list[_core.TaskInput]] = {
        "wait": [("", n % 3 * MS) for n in range(12)],
        "compute": [*[("squares", 0, 1000 * n) for n in range(6)], *[("mandelbrot", n, 6, 9) for n in range(6)]],
        "counter": [("locked", 100 * n) for n in range(1, 13)],
        "download": [(origin.url(size=30_000 * n, seed=n), SECOND, SECOND) for n in range(12)],
    }
    before = holdings()
    records = flown(engine, workload, tasks[workload], workers, SHARED)
    assert left_since(before) == ""
    expected = recorded("native-serial", workload, tasks[workload], 1, SHARED)
    assert [record[:4] for record in records] == [record[:4] for record in expected]
    for n, record in enumerate(records):
        span = done(n, record).span
        assert span.claimed_ns <= span.started_ns <= span.finished_ns
        assert 0 <= span.worker < workers


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flight_without_tasks(engine: str) -> None:
    assert list(flown(engine, "wait", [], 2)) == []


def test_a_flight_takes_what_a_run_takes() -> None:
    ledger = _core.Ledger(2)
    bad: list[tuple[Any, ...]] = [(), ("native-fork", "wait", []), ("native-fork", "wait", [], 0)]
    for args in (*bad, ("native-fork", "wait", [1], 1)):
        with pytest.raises((TypeError, ValueError)):
            _core.begin(*args)
    with pytest.raises(TypeError, match="ledger must be a Ledger or None"):
        _core.begin("native-fork", "wait", [], 1, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="cannot create"):
        _core.Flight()
    began = time.monotonic_ns()
    with _core.begin("native-epoll", "wait", [("", 0)], 1, ledger, ("", 30 * MS)) as begun:
        until(begun.step)
        (record,) = begun.finish()
    assert record[8] - began >= 30 * MS, "after the warm-up"
    assert len(ledger.entries()) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flight_is_finished_once_and_only_when_it_is_over(engine: str) -> None:
    begun = _core.begin(engine, "wait", [("", 20 * MS)], 1)
    assert not begun.step()
    with pytest.raises(RuntimeError, match="the flight is under way: step until it is over"):
        begun.finish()
    until(begun.step)
    assert begun.step(), "it stays over"
    assert begun.finish()[0][0] == "ok"
    for use in (begun.finish, begun.step, begun.fileno):
        with pytest.raises(RuntimeError, match="the flight has ended"):
            use()
    begun.cancel()
    with begun:
        pass


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flight_ends_with_its_context_and_with_its_last_reference(engine: str) -> None:
    before = holdings()
    with pytest.raises(KeyError), _core.begin(engine, "wait", [HOUR] * 3, 3) as begun:
        raise KeyError
    assert left_since(before) == ""
    with pytest.raises(RuntimeError, match="the flight has ended"):
        begun.step()
    begun = _core.begin(engine, "wait", [HOUR] * 3, 3)
    del begun
    assert left_since(before) == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flight_is_stepped_by_the_thread_that_began_it_and_cancelled_by_any(engine: str) -> None:
    before = holdings()
    begun = _core.begin(engine, "wait", [HOUR] * 3, 3)
    with in_a_thread(begun.step) as result:
        pass
    assert str(result[0]) == "the flight was begun by another thread"
    with in_a_thread(begun.cancel) as result:
        pass
    assert result == [None]
    assert left_since(before) == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_forked_child_has_only_a_copy_of_a_flight(engine: str) -> None:
    begun = _core.begin(engine, "wait", [("", 100 * MS)] * 2, 2)
    begun.step()
    pid = os.fork()
    if pid == 0:
        try:
            for use in (begun.step, begun.finish):
                with pytest.raises(RuntimeError, match="the flight was begun in another process"):
                    use()
            begun.cancel()
            del begun
            recorded("native-fork", "wait", [("", 0)], 1)  # nothing is under way here
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    until(begun.step)
    assert [record[0] for record in begun.finish()] == ["ok", "ok"], "the parent's goes on"


def test_native_fork_flies_alone() -> None:
    alone = "native-fork and other native work of this process must follow one another, not overlap"
    for engine in ("native-pthreads", "native-epoll"):
        with _core.begin(engine, "wait", [HOUR], 1):
            assert list(flown("native-pthreads", "wait", [], 1)) == [], "others may overlap"
            with pytest.raises(RuntimeError, match=alone):
                _core.begin("native-fork", "wait", [], 1)
    with _core.begin("native-fork", "wait", [HOUR], 1):
        for model in _core.MODELS:
            with pytest.raises(RuntimeError, match=alone):
                _core.run(model, "wait", [], 1)
        with pytest.raises(RuntimeError, match=alone):
            _core.begin("native-pthreads", "wait", [], 1)
    assert list(flown("native-fork", "wait", [], 1)) == []


def test_a_child_killed_in_flight_costs_its_task_and_no_other() -> None:
    before = holdings()
    with _core.begin("native-fork", "wait", [HOUR, ("", 0), HOUR, ("", 0)], 1) as begun:
        for _ in range(2):
            until(lambda: any(map(asleep, children(os.getpid()) - before.children)))
            (child,) = children(os.getpid()) - before.children
            os.kill(child, signal.SIGKILL)
            until(lambda: child not in children(os.getpid()) or begun.step())  # noqa: B023 - ends with the turn
        until(begun.step)
        assert [record[0] for record in begun.finish()] == ["killed", "ok", "killed", "ok"]
    assert left_since(before) == ""


# ---- what is awaited


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("model", AWAITABLE)
def test_run_async_gives_what_run_gives(model: str, loop: str, origin: Origin) -> None:
    urls = [origin.url(size=1000 * n, seed=n) for n in range(5)]
    workloads: list[Workload] = [lanes.wait(tasks=5, duration="1ms"), lanes.download(urls)]
    if model != "native-epoll":
        workloads.append(lanes.compute("primes", tasks=5, task_size=200))
    expected = [lanes.run(workload, "serial").outcomes for workload in workloads]
    awaited(asyncio.sleep(0), loop)  # uvloop keeps a pipe from its first loop on
    before = holdings()
    for workload, outcomes in zip(workloads, expected, strict=True):
        run = awaited(lanes.run_async(workload, model, workers=3), loop)
        assert run.outcomes == outcomes
        assert (run.workload, run.model, run.body, run.workers) == (workload.name, model, None, 3)
        assert run.start_method == ("fork" if model == "native-fork" else None)
        assert run.counters is None
        for span in run.spans:
            assert run.began_ns <= span.claimed_ns <= span.finished_ns <= run.ended_ns
            assert 0 <= span.worker < 3
    assert left_since(before) == ""


def test_asyncio_native_waits_on_the_loops_thread_and_computes_on_others() -> None:
    here = {threading.get_native_id()}
    waiting = lanes.run(lanes.wait(tasks=4, duration="1ms"), "asyncio-native", workers=2)
    assert {span.thread_id for span in waiting.spans} == here
    computing = lanes.run(lanes.compute("squares", tasks=4), "asyncio-native", workers=2)
    assert not {span.thread_id for span in computing.spans} & here


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("engine", "workload"), CELLS)
def test_cancelling_is_in_time_and_leaves_nothing(engine: str, workload: str, loop: str, origin: Origin) -> None:
    work = work_of(workload, endless(workload, origin))

    async def cancelled() -> float:
        before = holdings()
        task = asyncio.create_task(fly(engine, work, 3))
        await asyncio.sleep(0.05)  # into the tasks
        sent = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        took = time.monotonic() - sent
        assert left_since(before) == ""
        return took

    in_time(lambda: awaited(cancelled(), loop), f"{engine}, {workload}, {loop}")


def test_cancelling_ends_stopped_children_too() -> None:
    async def main() -> float:
        before = holdings()
        task = asyncio.create_task(fly("native-fork", work_of("wait", [HOUR] * 3), 3))
        while len(found := [child for child in children(os.getpid()) - before.children if asleep(child)]) < 3:
            await asyncio.sleep(0.005)
        for child in found:
            os.kill(child, signal.SIGSTOP)
        sent = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        took = time.monotonic() - sent
        assert left_since(before) == ""
        return took

    in_time(lambda: awaited(main()), "stopped children")


def test_a_time_out_and_a_task_group_cancel() -> None:
    before = holdings()
    hours = lanes.wait(tasks=3, duration="60min")

    async def timed_out() -> None:
        async with asyncio.timeout(0.05):
            await lanes.run_async(hours, "native-pthreads")

    async def fails() -> None:
        await asyncio.sleep(0.05)
        raise KeyError("enough")

    async def grouped() -> None:
        async with asyncio.TaskGroup() as group:
            for model in ("native-pthreads", "native-epoll", "asyncio-native"):
                group.create_task(lanes.run_async(hours, model))
            group.create_task(fails())

    with pytest.raises(TimeoutError):
        awaited(timed_out())
    with pytest.raises(ExceptionGroup) as raised:
        awaited(grouped())
    assert raised.value.subgroup(KeyError) is not None
    assert left_since(before) == ""


def test_a_loop_that_is_left_leaves_nothing() -> None:
    """As with Ctrl-C on a loop that handles no signals: the coroutine is never resumed, only freed."""
    before = holdings()
    loop = asyncio.new_event_loop()
    task = loop.create_task(fly("native-pthreads", work_of("wait", [HOUR] * 3), 3))
    loop.call_later(0.02, loop.stop)
    loop.run_forever()
    assert left_since(before) != ""
    task.cancel()
    with suppress(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    assert left_since(before) == ""


@pytest.mark.parametrize("loop", LOOPS)
def test_several_at_once(loop: str) -> None:
    waits = lanes.wait(tasks=4, duration="50ms")
    sums = lanes.compute("squares", tasks=4, task_size=1000)

    async def main() -> list[lanes.Run]:
        cells: list[tuple[Workload, str]] = [
            (waits, "native-epoll"),
            (waits, "native-pthreads"),
            (sums, "asyncio-native"),
        ]
        return await asyncio.gather(*(lanes.run_async(*cell, workers=4) for cell in cells * 3))

    began = time.monotonic()
    runs = awaited(main(), loop)
    assert time.monotonic() - began < 6 * 0.05, "side by side"
    expected = {each.name: lanes.run(each, "serial").outcomes for each in (waits, sums)}
    assert [run.outcomes for run in runs] == [expected[run.workload] for run in runs]


def test_native_fork_is_refused_beside_others_and_they_beside_it() -> None:
    waits = lanes.wait(tasks=1, duration="50ms")

    async def main(*models: str) -> list[str | type[BaseException]]:
        runs = await asyncio.gather(*(lanes.run_async(waits, model) for model in models), return_exceptions=True)
        return [run.outcomes[0].status if isinstance(run, lanes.Run) else type(run) for run in runs]

    assert awaited(main("native-pthreads", "native-fork")) == ["ok", RuntimeError]
    assert awaited(main("native-fork", "native-pthreads", "native-fork")) == ["ok", RuntimeError, RuntimeError]
    assert awaited(main("native-fork")) == ["ok"]


# ---- what it takes of the loop


class Counting(selectors.EpollSelector):
    """How often the loop waited, and whether anything was there then."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.waits += 1
        return super().select(timeout)


@pytest.mark.parametrize(
    ("engine", "workload", "most"),
    [
        ("native-pthreads", "compute", 6),  # the end of the last thread
        ("native-fork", "compute", 8),  # the end of each child
        ("native-pthreads", "wait", 6),
        ("native-epoll", "wait", 8),  # each timer
    ],
)
def test_the_loop_wakes_when_there_is_something_to_do_and_never_else(engine: str, workload: str, most: int) -> None:
    tasks: dict[str, list[_core.TaskInput]] = {
        "compute": [("primes", 10**9, 10**9 + 36_000)] * 12,
        "wait": [("", 150 * MS)] * 4,
    }
    selector = Counting()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.get_loop()
        records = runner.run(fly(engine, work_of(workload, tasks[workload]), 2))
        waits = selector.waits
    assert {record[0] for record in records} == {"ok"}
    work_ns = max(record[10] for record in records) - min(record[8] for record in records)
    assert work_ns > 200 * MS, "in which looking every 30 ms would show"
    print(f"{engine}, {workload}: {waits} waits")
    assert waits <= most


async def ticked(workload: Workload, model: str, every_s: float) -> tuple[lanes.Run, list[float]]:
    """A run of two workers, and when the loop beside it had a turn for a timer, on the monotonic clock in seconds."""
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(every_s)

    ticker = asyncio.create_task(tick())
    try:
        return await lanes.run_async(workload, model, workers=2), ticks
    finally:
        ticker.cancel()


@pytest.mark.parametrize("model", ["native-pthreads", "native-fork", "asyncio-native"])
def test_the_loop_goes_on_while_natives_compute(model: str) -> None:
    run, ticks = awaited(ticked(lanes.compute("primes", tasks=40, task_size=100_000), model, 0.005))
    began, ended = run.began_ns / 1e9, run.ended_ns / 1e9
    inside = sum(began < at < ended for at in ticks)
    print(f"{model}: {inside} ticks in {run.wall_s * 1e3:.0f} ms")
    assert run.wall_s > 0.1
    assert inside >= run.wall_s / 0.005 / 5, "a fifth of the ticks of an idle loop, on a busy machine"


def test_python_starts_no_thread(monkeypatch: pytest.MonkeyPatch, origin: Origin) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a thread was started")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for workload in (lanes.wait(tasks=2, duration="5ms"), lanes.download([origin.url(size=9)])):
        for model in AWAITABLE:
            assert awaited(lanes.run_async(workload, model)).outcomes[0].status == "ok"


# ---- the embedded origin


def test_an_embedded_origin_is_started_beside_the_loop_and_ends_with_the_run() -> None:
    before = holdings()
    run, ticks = awaited(ticked(lanes.download(tasks=3, size="1kB", latency="1ms"), "native-epoll", 0.002))
    assert run.outcomes == tuple(Outcome("ok", (200, 1000, crc32(1000, n))) for n in range(3))
    assert sum(at < run.began_ns / 1e9 for at in ticks) >= 5, "while it started"
    assert left_since(before) == ""


@pytest.mark.parametrize("delay", [0.0, 0.005, 0.03])
def test_cancelling_while_the_origin_starts_ends_that_too(delay: float) -> None:
    before = holdings()

    async def main() -> float:
        task = asyncio.create_task(lanes.run_async(lanes.download(tasks=3), "native-epoll"))
        await asyncio.sleep(delay)
        sent = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - sent

    in_time(lambda: awaited(main()), f"after {delay}")
    assert left_since(before) == "", "as soon as it has started"


def test_an_origin_that_does_not_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", broken)
    with pytest.raises(OSError, match="no more processes"):
        awaited(lanes.run_async(lanes.download(tasks=1), "native-epoll"))


@contextmanager
def no_helper(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(flight, "ThreadPoolExecutor", None)
        yield


def test_a_workload_that_is_served_already_needs_no_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    with lanes.download(tasks=2, size="1kB", latency=0).serve() as served, no_helper(monkeypatch):
        for _ in range(2):
            assert awaited(lanes.run_async(served, "native-epoll")).outcomes[0].status == "ok"


# ---- what is refused


@pytest.mark.parametrize(
    ("workload", "model", "workers", "words"),
    [
        (lanes.wait(), "nonsense", None, "unknown model 'nonsense'"),
        (lanes.wait(), "threading", None, f"a loop cannot await threading: choose from {', '.join(AWAITABLE)}"),
        (lanes.wait(), "native-serial", None, "a loop cannot await native-serial: choose from"),
        (lanes.compute(), "native-epoll", None, "native-epoll would do compute on the calling thread"),
        (lanes.wait(), "native-epoll", 0, "from 1 to"),
        (lanes.wait(), "native-pthreads", 900_000, "pid_max|threads-max|pids.max|RLIMIT_NPROC"),
        (len, "native-pthreads", None, "len.* is a Python function without a body in C: only Python models can run it"),
        (lanes.workload(len, items=["a"]), "native-pthreads", None, "is a Python function without a body in C"),
        ("wait", "native-pthreads", None, "'wait' is neither a workload"),
    ],
)
def test_bad_input_is_refused_and_says_what_is_allowed(
    workload: Workload, model: str, workers: int | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        awaited(lanes.run_async(workload, model, workers))


NOTEBOOK = """
import asyncio, lanes

async def cell():
    work = lanes.wait(tasks=2, duration="1ms")
    print(lanes.run(work, "asyncio-native").outcomes[0].status)  # in a process of its own
    print((await lanes.run_async(work, "asyncio-native")).outcomes[0].status)

asyncio.run(cell())
print(lanes.run(lanes.wait(tasks=2, duration="1ms"), "asyncio-native[uvloop]").model)
"""


@pytest.mark.skipif("uvloop" not in LOOPS, reason="uvloop is not there")
def test_in_a_notebook_and_on_uvloop() -> None:
    assert script(NOTEBOOK) == "ok\nok\nasyncio-native[uvloop]\n"
