"""What a run used and for what it waited: known answers, on threads whose time is known to go one way.

Of N threads that only ever compute and take turns on the GIL, one has it and N - 1 wait for it: a share of (N - 1)/N of
their time. That takes a processor that is always there for the one. On a machine that is busy with other things threads
stand in the run queue instead, and what stands there need not be waiting for the GIL. So each measurement says how much
of the threads' time went there; a busy one is taken again, and if the machine is never idle the answer must be right by
as much as the run queue leaves open.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

import lanes
from lanes import _core, explain, interpreter, laws, measure, models
from lanes.measure import Split
from lanes.processors import Throttling, Ticks
from lanes.run import execute
from lanes.types import Counters, Run, Task
from lanes.workloads.compute import Compute
from processes import holdings, left_since
from support import make_counters, make_row, make_run, make_usage

MS = 10**6
CPUS = len(os.sched_getaffinity(0))
IDLE = 0.03
"""With less than this share of the threads' time in the run queue, the machine was idle enough."""
TRIES = 4
TOLERANCE = 0.05

with_a_gil = pytest.mark.skipif(not interpreter.gil(), reason="there is no GIL to wait for")
on_two_processors = pytest.mark.skipif(CPUS < 2, reason="a processor for the threads and one for all else")


@dataclass(frozen=True, slots=True)
class Turns:
    """What became of the time of some threads: their number, shares of it, and the hand-overs of the GIL."""

    threads: int
    gil: float
    queue: float
    cpu: float
    handovers: int


def known(low: float, high: float, measured: Callable[[], Turns]) -> Turns:
    """A measurement whose GIL wait must be within these bounds; that of an idle machine, if it ever is.

    For each thread in the run queue that would wait for the GIL there is less waiting; for the one that has the GIL, or
    is to have it, all the others wait longer.
    """
    busy = []
    for _ in range(TRIES):
        found = measured()
        if found.queue <= IDLE:
            assert low <= found.gil <= high, found
            return found
        busy.append(found)
    best = min(busy, key=lambda each: each.queue)
    assert low - best.queue <= best.gil <= high + (best.threads - 1) * best.queue, f"on a busy machine: {busy}"
    return best


def near(share: float) -> tuple[float, float]:
    return share - TOLERANCE, share + TOLERANCE


Body = Callable[[], Callable[[], object]]
"""What a thread repeats, made by the thread itself."""


def python_body() -> Callable[[], object]:
    return lambda: None


def c_body(release: bool) -> Body:
    worker_task = ("squares", 0, 2_000_000)  # about a millisecond

    def body() -> Callable[[], object]:
        worker = _core.Worker("compute")
        return lambda: worker.run(worker_task, release)

    return body


def asleep() -> Callable[[], object]:
    return lambda: time.sleep(0.01)


def taking_turns(count: int, body: Body, seconds: float = 0.5) -> Turns:
    """So many threads that begin and end at the same time, and meanwhile repeat a body."""
    ledger = _core.Ledger(count)
    begin = time.monotonic() + 0.02 + 0.002 * count

    def work() -> None:
        do = body()
        time.sleep(max(0.0, begin - time.monotonic()))
        ledger.look(True)
        while time.monotonic() < begin + seconds:
            do()
        ledger.look(True)

    threads = [threading.Thread(target=work) for _ in range(count)]
    timed = _core.watch_gil(True)
    try:
        assert timed
        for thread in threads:
            thread.start()
        before = _core.gil_handovers()
        for thread in threads:
            thread.join()
        after = _core.gil_handovers()
    finally:
        _core.watch_gil(False)
        _core.rest()
    entries = ledger.entries()
    assert len(entries) == count
    assert before is not None
    assert after is not None
    whole = count * (max(entry[3] for entry in entries) - begin * 1e9)
    gil, queue, cpu = (sum(entry[n] for entry in entries) / whole for n in (8, 7, 4))
    return Turns(count, gil, queue, cpu, after - before)


# ---- waiting for the GIL: known answers


@with_a_gil
def test_one_busy_thread_alone_waits_for_nobody() -> None:
    known(0.0, 0.02, lambda: taking_turns(1, python_body))


@with_a_gil
@on_two_processors
@pytest.mark.parametrize("count", [2, 4, 8])
def test_all_busy_python_threads_but_one_wait_for_the_gil(count: int) -> None:
    found = known(*near((count - 1) / count), lambda: taking_turns(count, python_body))
    assert found.gil + found.queue + found.cpu == pytest.approx(1.0, abs=TOLERANCE)


@with_a_gil
@pytest.mark.parametrize("count", [1, 2, 8])
def test_threads_asleep_do_not_wait_for_the_gil(count: int) -> None:
    known(0.0, 0.02, lambda: taking_turns(count, asleep))


@with_a_gil
@pytest.mark.parametrize("count", sorted({1, 2, CPUS} & set(range(CPUS + 1))))
def test_threads_that_compute_in_c_without_the_gil_do_not_wait_for_it(count: int) -> None:
    known(0.0, 0.05, lambda: taking_turns(count, c_body(release=True)))


@with_a_gil
@on_two_processors
@pytest.mark.parametrize("count", [2, 4])
def test_all_threads_but_one_that_compute_in_c_with_the_gil_wait_for_it(count: int) -> None:
    found = known(*near((count - 1) / count), lambda: taking_turns(count, c_body(release=False)))
    assert found.gil + found.queue + found.cpu == pytest.approx(1.0, abs=TOLERANCE)


@with_a_gil
@on_two_processors
def test_two_busy_threads_hand_the_gil_over_at_every_switch_interval() -> None:
    found = known(*near(0.5), lambda: taking_turns(2, python_body, 0.5))
    assert found.handovers <= 115, "at least 5 ms apart"
    if found.queue <= IDLE:
        assert found.handovers >= 85


def test_nothing_is_timed_unless_it_is_watched() -> None:
    ledger = _core.Ledger(2)

    def work() -> None:
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            pass
        ledger.look(True)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry[8:10] for entry in ledger.entries()] == [(0, 0)] * 2


# ---- the same through models


def turns(run: Run) -> Turns:
    split = split_of(run)
    assert run.counters is not None
    return Turns(
        split.workers,
        split.share(split.gil_wait_s or 0.0),
        split.share(split.run_queue_s),
        split.share(split.cpu_s),
        run.counters.handovers or 0,
    )


def split_of(run: Run) -> Split:
    split = measure.split(run)
    assert split is not None
    return split


PIECES = {"python": 100_000, "held": 5_000_000, "released": 5_000_000}
"""What each body does in about three milliseconds. There are so many of them that no thread is without one for long:
not at the beginning, where each must wait for the GIL to start the next, and not at the end."""


@with_a_gil
@on_two_processors
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("body", ["python", "held"])
def test_workers_that_compute_under_the_gil_wait_for_it(body: str, count: int) -> None:
    work = lanes.compute("squares", tasks=100 * count, task_size=PIECES[body])
    known(*near((count - 1) / count), lambda: turns(lanes.run(work, "threading", body, count)))


@with_a_gil
@on_two_processors
def test_workers_that_compute_without_it_do_not() -> None:
    work = lanes.compute("squares", tasks=200, task_size=PIECES["released"])
    known(0.0, 0.05, lambda: turns(lanes.run(work, "threading", "released", 2)))


@with_a_gil
def test_a_loop_is_one_worker_that_waits_for_nobody() -> None:
    work = lanes.compute("squares", tasks=60, task_size=PIECES["python"])
    found = known(0.0, 0.02, lambda: turns(lanes.run(work, "asyncio", workers=4)))
    assert found.threads == 1
    assert found.cpu + found.queue >= 0.9


# ---- the split

COMPUTE = lanes.compute("primes", tasks=16, task_size=6000)
COMPUTE_IN_C = lanes.compute("primes", tasks=16, task_size=150_000)
"""As long: a wait for a processor between the counters of a worker and its tasks must be nothing beside it."""
SLEEP = lanes.wait(tasks=8, duration="50ms")
SPLIT_MODELS = ("serial", "threading", "futures-threads", "multiprocessing", "futures-processes", "asyncio",
                *models.FAMILIES["native"])  # fmt: skip
ONE_LOOP = ("asyncio", "native-epoll", "asyncio-native")
"""One thread waits for all that these have to wait for."""


def undisturbed(run: Callable[[], Run]) -> Run:
    """A run while the machine was idle; if it never is, the one that was disturbed least."""
    runs = []
    for _ in range(TRIES):
        runs.append(run())
        if queued(runs[-1]) <= IDLE:
            break
    return min(runs, key=queued)


def queued(run: Run) -> float:
    split = split_of(run)
    return split.share(split.run_queue_s)


@pytest.mark.parametrize("model", SPLIT_MODELS)
def test_the_split_of_what_computes_adds_up(model: str) -> None:
    work = COMPUTE_IN_C if model in models.FAMILIES["native"] else COMPUTE
    run = undisturbed(lambda: lanes.run(work, model, workers=2))
    split = split_of(run)
    assert split.adds_up, split
    assert split.total_s == pytest.approx(split.workers * run.work_s)
    assert split.workers == (1 if model in ("serial", "asyncio", "native-serial", "native-epoll") else 2)
    assert split.gil_wait_s is not None
    parts = (split.cpu_user_s, split.cpu_system_s, split.run_queue_s, split.gil_wait_s, split.blocked_s)
    assert min(parts) >= 0.0
    spans = sum(span.cpu_ns for span in run.spans) / 1e9
    if model != "asyncio":  # the places of a loop share its thread, and their spans overlap
        assert split.cpu_s == pytest.approx(spans, rel=0.1), "nothing else takes time"
    assert split.cpu_user_s >= split.cpu_s / 2, "it does not ask the kernel for anything"


@pytest.mark.parametrize("model", SPLIT_MODELS)
def test_sleeping_workers_are_blocked(model: str) -> None:
    run = undisturbed(lambda: lanes.run(SLEEP, model, workers=2))
    split = split_of(run)
    assert split.adds_up, split
    assert split.share(split.blocked_s) >= 0.8, split
    assert run.counters is not None
    assert sum(usage.voluntary for usage in run.counters.usages) >= (4 if model in ONE_LOOP else 8)


@pytest.mark.parametrize("model", ["native-pthreads", "native-fork"])
def test_more_busy_workers_than_processors_stand_in_the_run_queue(model: str) -> None:
    split = split_of(lanes.run(lanes.compute("squares", tasks=4 * CPUS, task_size=10**8), model, workers=2 * CPUS))
    assert split.adds_up, split
    assert split.share(split.run_queue_s) >= 0.3, "half of them at any time, while all of them run"
    assert split.gil_wait_s == 0.0


@pytest.mark.parametrize("model", models.names())
def test_a_run_that_is_over_at_once_has_a_split_of_which_nothing_is_said(model: str) -> None:
    # A thread's counters begin with the thread, and to start it takes much longer than this task.
    body = None if model in models.FAMILIES["native"] else "python"
    row = replace(make_row(model, body), runs=(lanes.run(lanes.wait(tasks=1, duration=0), model, workers=1),))
    (run,) = row.runs
    assert split_of(run).workers == 1
    if run.work_s < explain.LEAST_S:  # else it had to wait for a processor
        assert explain.where_time_went(run, CPUS) == "too short to tell"
        judged = laws.judge(row, laws.Grid({}, CPUS, CPUS, interpreter.gil()))
        assert "split adds up" not in {each.name for each in judged}


def test_who_worked_and_how_long_is_in_the_counters() -> None:
    run = lanes.run(SLEEP, "multiprocessing", workers=2)
    assert run.counters is not None
    assert {usage.process_id for usage in run.counters.usages} == {span.process_id for span in run.spans}
    for usage in run.counters.usages:
        assert run.began_ns <= usage.began_ns <= usage.ended_ns <= run.ended_ns
        first = min(span.started_ns for span in run.spans if span.process_id == usage.process_id)
        last = max(span.finished_ns for span in run.spans if span.process_id == usage.process_id)
        assert usage.began_ns <= first
        assert usage.ended_ns >= last


@dataclass(frozen=True, slots=True)
class Warm(Compute):
    """Its tasks are small, and what a worker does to warm up is large."""

    warm_up: ClassVar[Task] = Task(0, "squares", (0, 6_000_000))


@pytest.mark.parametrize("model", SPLIT_MODELS)
def test_what_a_worker_does_to_warm_up_is_not_its_work(model: str) -> None:
    run = undisturbed(lambda: lanes.run(Warm("squares", 40, 100_000), model, workers=2))
    split = split_of(run)
    spans = sum(span.cpu_ns for span in run.spans) / 1e9
    assert split.adds_up, split
    if model != "asyncio":
        assert split.cpu_s <= 2 * spans, (split, spans)


def test_a_worker_that_was_killed_counts_as_blocked() -> None:
    run = make_run(wall_s=1.0, counters=make_counters(make_usage(0.5), make_usage()))
    split = split_of(run)
    assert (split.workers, split.total_s, split.cpu_s, split.blocked_s) == (2, 1.0, 0.5, 0.5)


@pytest.mark.parametrize(("cpu_s", "adds_up"), [(0.5, True), (0.525, True), (0.53, False), (0.0, True)])
def test_parts_that_exceed_the_whole_by_more_than_five_per_cent_do_not_add_up(cpu_s: float, adds_up: bool) -> None:
    split = split_of(make_run(wall_s=1.0, counters=make_counters(make_usage(cpu_s))))
    assert split.total_s == 0.5
    assert split.adds_up is adds_up
    assert split.blocked_s == max(0.0, 0.5 - cpu_s)


def test_without_counters_or_tasks_there_is_no_split() -> None:
    assert measure.split(make_run()) is None
    assert measure.split(make_run(counters=make_counters())) is None
    assert measure.split(make_run(outcomes=[], counters=make_counters(make_usage()))) is None


# ---- what is counted beside


def test_a_bare_run_counts_nothing() -> None:
    run = execute(lanes.wait(tasks=1, duration=0), models.load("serial"), "python", 1, "bare")
    assert run.counters is None
    assert run.cpu_s >= 0.0


@with_a_gil
def test_the_method_its_cost_and_the_hand_overs_are_told() -> None:
    counters = lanes.run(COMPUTE, "threading", "python", 2).counters
    assert counters is not None
    assert counters.gil_method == measure.GIL_METHOD
    assert 0.0 < counters.gil_cost_s < 0.001
    assert counters.handovers is not None
    assert counters.handovers >= 2
    assert sum(usage.gil_waits for usage in counters.usages) >= 2


def test_without_a_gil_no_wait_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "gil", lambda: False)
    counters = lanes.run(COMPUTE, "threading", "python", 2).counters
    assert counters is not None
    assert (counters.gil_method, counters.gil_cost_s) == (None, 0.0)
    assert [usage.gil_wait_s for usage in counters.usages] == [0.0, 0.0]


def test_others_are_all_but_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    hz = os.sysconf("SC_CLK_TCK")
    busy = iter([(1, 0.5), (1.25, 0.75), (5, 2), (5, 2), (7, 2), (8, 2)])  # seconds of work, seconds stolen

    def ticks() -> Ticks:
        work, stolen = next(busy)
        return Ticks(round(work * hz), round(stolen * hz), 10**6)

    monkeypatch.setattr(measure, "ticks", ticks)
    own = iter([1.0, 1.2, 2.0, 2.5, 3.0, 3.25])
    monkeypatch.setattr(measure, "_cpu_s", lambda: next(own))
    assert counted().others_s == pytest.approx(0.3)
    assert counted().others_s == 0.0, "ticks: never less than nothing"
    assert counted().others_s == pytest.approx(0.75)


def test_what_is_not_known_of_the_machine_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ticks", lambda: None)
    monkeypatch.setattr(measure, "throttlings", dict)
    monkeypatch.setattr(_core, "gil_handovers", lambda: None)
    counters = counted()
    assert (counters.others_s, counters.throttled_s, counters.handovers) == (None, None, None)


def test_throttling_is_that_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([Throttling(3, 1.5), Throttling(5, 1.75)])
    monkeypatch.setattr(measure, "throttlings", lambda: {Path("/group"): next(seen)})
    assert counted().throttled_s == 0.25


def counted() -> Counters:
    with measure.Meter(1) as meter:
        pass
    assert meter.counters is not None
    return meter.counters


@pytest.mark.parametrize("model", models.names())
def test_nothing_is_left_open_after_a_run(model: str) -> None:
    work = lanes.wait(tasks=4, duration="1ms")
    before = holdings()
    lanes.run(work, model, workers=2)
    left_since(before)  # which gives what was joined a moment more; the first run may keep what all later ones use
    before = holdings()
    lanes.run(work, model, workers=2)
    assert left_since(before) == ""
    assert not any("schedstat" in target for _, target in before.descriptors)


@pytest.mark.parametrize("model", ["serial", "asyncio", "native-serial", "native-epoll"])
def test_nothing_is_left_open_where_no_gil_is_watched(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "gil", lambda: False)
    lanes.run(lanes.wait(tasks=1, duration=0), model)
    assert not any("schedstat" in target for _, target in holdings().descriptors)


def test_nothing_is_left_open_or_watched_after_a_run_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[bool] = []
    watch = _core.watch_gil

    def noted(on: bool) -> bool:
        watched.append(on)
        return watch(on)

    monkeypatch.setattr(_core, "watch_gil", noted)
    before = holdings()
    with pytest.raises(KeyError), measure.Meter(1) as meter:
        assert meter.ledger is not None
        meter.ledger.look(True)
        raise KeyError
    del meter  # with its ledger, which is a file
    assert left_since(before) == ""
    assert watched == ([True, False] if interpreter.gil() else [])


# ---- several at once, and nested control groups


def waits_beside_others() -> Split:
    """The split of four threads that take turns, while short runs come and go beside them."""
    seen: list[Run] = []
    busy = lanes.compute("squares", tasks=200, task_size=60_000)  # so many that no thread begins late for long
    thread = threading.Thread(target=lambda: seen.append(lanes.run(busy, "threading", workers=4)))
    thread.start()
    while thread.is_alive():
        lanes.run(lanes.wait(tasks=1, duration="1ms"), "serial")
    thread.join()
    (run,) = seen
    assert run.counters is not None
    assert run.counters.gil_method is not None
    return split_of(run)


@pytest.mark.skipif(not interpreter.gil(), reason="there is no GIL to wait for")
def test_two_runs_at_once_both_have_their_waits_timed() -> None:
    """Whoever ends first must not end the other's counting: what that missed would always be blocked.

    On a busy machine a thread may begin late, which is blocked as well; but not each time.
    """
    splits = []
    for _ in range(5):
        splits.append(waits_beside_others())
        if splits[-1].share(splits[-1].gil_wait_s or 0.0) > 0.4 and splits[-1].share(splits[-1].blocked_s) < 0.3:
            return
    pytest.fail(f"no waits were timed to their end: {splits}")


def test_throttling_is_told_group_by_group() -> None:
    """The group that has stood still for longest since the start of the machine need not be the one that does now."""
    outer, inner = Path("/outer"), Path("/outer/inner")
    before = measure._Conditions(None, {outer: Throttling(1000, 50.0), inner: Throttling(3, 1.0)})
    after = measure._Conditions(None, {outer: Throttling(1000, 50.0), inner: Throttling(9, 3.0)})
    assert measure._throttled_s(before, after) == pytest.approx(2.0)
    assert measure._throttled_s(measure._Conditions(), after) is None
