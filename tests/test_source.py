"""Where models take their tasks from: all at once, or as they come; what a bound does on every model and variant."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise

import pytest

import lanes
from lanes import models, sample
from lanes.arrivals import schedule
from lanes.source import Coming, Full, Gate
from lanes.types import Done, Outcome, Run, Span, Task
from lanes.work import Work
from processes import holdings, left_since

MS = 10**6
SECOND = 10**9
TASKS = tuple(Task(n) for n in range(6))
EVERY = [*models.names(), *models.variants()]
PULLING = ("serial", "asyncio", "asyncio[uvloop]", "asyncio[eager]")
"""The models in Python whose workers take their tasks themselves: no producer admits any."""


@contextmanager
def gate(due: Sequence[int], bound: int | None = None, rejects: bool = False, open_s: float = 30) -> Iterator[Gate]:
    made = Gate.made(due, bound, rejects, int(open_s * SECOND))
    try:
        yield made
    finally:
        made.close()


def taken(model: str, way: Gate, *, nap: str = "20ms", workers: int = 2, tasks: int = 3) -> Run:
    """Timers through this gate, in a fresh process."""
    column = models.load(model)
    body = None if column.family == "native" else "python"
    workers = 1 if column.switching == "nobody" else workers
    return sample.take(lanes.wait(tasks=tasks, duration=nap), model, body, workers, gate=way)


def most_queued(way: Gate) -> int:
    """The most that a producer had admitted and no worker started, at any time."""
    events = []
    for _, admitted, started, _, _, _ in way.arrivals:
        if admitted is not None:
            events.append((admitted, 1))
            if started is not None:
                events.append((started, -1))
    queued = most = 0
    for _, change in sorted(events):  # what is started makes room first
        queued += change
        most = max(most, queued)
    return most


# ---- every model, at twice what it can serve

DUE = schedule(Fraction(200), 150 * MS)


@pytest.mark.parametrize("model", [*models.names(), "futures-processes[chunked]", "asyncio-threads[uvloop]"])
def test_what_comes_is_done_once_and_never_before_its_time(model: str) -> None:
    with gate(DUE) as way:
        run = taken(model, way, nap="1ms")
        entries = list(way.arrivals)
    assert [outcome.status for outcome in run.outcomes] == ["ok"] * len(DUE)
    for due, (when, admitted, started, finished, rejected, claimed) in zip(DUE, entries, strict=True):
        assert when == due
        assert not rejected
        assert started is not None
        assert finished is not None
        assert due <= started < finished
        pulls = model in PULLING or models.load(model).family == "native"
        assert (admitted is None) == (claimed is not None) == pulls
        assert admitted is None or due <= admitted <= started
    starts = [entry[2] or 0 for entry in entries]
    if "chunked" not in model:
        # In order, but for workers that start at the same moment.
        assert all(after > before - 50 * MS for before, after in pairwise(starts))


@pytest.mark.parametrize("model", EVERY)
def test_a_full_queue_that_rejects_stays_within_its_bound_and_loses_nothing(model: str) -> None:
    with gate(DUE, 4, rejects=True) as way:
        run = taken(model, way)
        assert most_queued(way) <= 4
        entries = list(way.arrivals)
    counts = Counter(outcome.status for outcome in run.outcomes)
    assert set(counts) == {"ok", "rejected"}
    assert counts["rejected"] >= 5  # 30 came, 4 had room, and 8 ms are 1.6 tasks for each that one worker does in 20
    for outcome, (_, admitted, started, _, rejected, _) in zip(run.outcomes, entries, strict=True):
        assert (outcome.status == "rejected") == rejected == (started is None)
        assert not (rejected and admitted)


@pytest.mark.parametrize("model", EVERY)
def test_a_full_queue_that_makes_its_producer_wait_stays_within_its_bound(model: str) -> None:
    with gate(DUE, 4) as way:
        run = taken(model, way)
        assert most_queued(way) <= 4
        entries = list(way.arrivals)
    assert [outcome.status for outcome in run.outcomes] == ["ok"] * len(DUE)
    slips = [admitted - due for due, admitted, _, _, _, _ in entries if admitted is not None]
    assert not slips or slips[-1] > 50 * MS  # the producer is late in the end: 15 tasks for each worker take 300 ms


@pytest.mark.parametrize("model", models.names())
def test_what_has_not_begun_when_all_is_over_is_left(model: str) -> None:
    """Also where a producer still waits for room."""
    for bound in (None, 1):
        with gate(DUE, bound, open_s=0.3) as way:
            run = taken(model, way, nap="100ms", workers=1)
            started = way.arrivals.progress()[2]
        counts = Counter(outcome.status for outcome in run.outcomes)
        assert counts["left"] == len(DUE) - started
        assert counts["ok"] == started <= 4


# ---- the parts


def test_a_full_source_gives_all_at_once() -> None:
    source = Full(TASKS)
    assert tuple(source) == tuple(source.claims()) == TASKS
    put: list[Task | None] = []
    with source.feed(put.append, 2):
        assert put == [*TASKS, None, None]
    assert source.attended(do) is do

    async def gathered() -> list[Task]:
        return [task async for task in source]

    assert asyncio.run(gathered()) == list(TASKS)


def do(task: Task) -> Done:
    return Done(task.index, Outcome("ok"), Span(0, 0, 0, 0, 0, 0, 0, 0))


def test_a_producer_gets_each_task_when_it_has_come() -> None:
    with gate([n * 10 * MS for n in range(6)]) as way:
        began = time.monotonic_ns()
        for n, task in enumerate(Coming(TASKS, way)):
            assert task is TASKS[n]
            assert time.monotonic_ns() - began >= n * 10 * MS


def test_a_worker_that_starts_a_task_lets_the_producer_go_on() -> None:
    with gate([0] * 6, bound=2) as way:
        came: list[int] = []

        def produce() -> None:
            came.extend(task.index for task in Coming(TASKS, way))

        producer = threading.Thread(target=produce)
        producer.start()
        for n in range(6):
            while way.arrivals[n][1] is None:
                time.sleep(0.001)
            time.sleep(0.01)
            assert sum(entry[1] is not None for entry in way.arrivals) <= n + 2
            assert way.start(n)
        producer.join()
        assert came == list(range(6))


def test_a_producer_on_a_loop_lets_the_loop_go_on_while_it_waits() -> None:
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    async def produce(way: Gate) -> list[int]:
        ticking = asyncio.create_task(tick())
        came: list[int] = []
        async for task in Coming(TASKS, way):
            came.append(task.index)
            asyncio.get_running_loop().call_later(0.02, way.start, task.index)
        ticking.cancel()
        return came

    with gate([0] * 5 + [100 * MS], bound=1) as way:
        assert asyncio.run(produce(way)) == list(range(6))
    assert turns >= 20  # 180 ms; the loop of a busy machine still turns


def test_who_claims_ahead_waits_for_the_time() -> None:
    with gate([0, 30 * MS]) as way:
        source = Coming(TASKS[:2], way)
        attend = source.attended(do)
        began = time.monotonic_ns()
        assert [attend(task).outcome.status for task in source.claims()] == ["ok", "ok"]
        assert time.monotonic_ns() - began >= 30 * MS
        assert way.arrivals.progress()[:4] == (2, 0, 2, 2)


@pytest.mark.parametrize("ends", [0, 3])
def test_leaving_early_ends_a_producer_that_waits(ends: int) -> None:
    put: list[Task | None] = []
    before = holdings()
    with gate([0, 3600 * SECOND], open_s=7200) as way:
        began = time.monotonic()
        with pytest.raises(KeyError), Coming(TASKS[:2], way).feed(put.append, ends):
            while not put:
                time.sleep(0.001)
            raise KeyError
        assert time.monotonic() - began < 5
        assert put == [TASKS[0], *[None] * ends]
        assert way.arrivals.ended()
        assert Coming(TASKS[:2], way).attended(do)(TASKS[1]).outcome.status == "left"
        del way
    assert left_since(before) == ""


def test_what_a_model_did_not_get_to_is_completed_and_what_it_lost_is_not() -> None:
    with gate([0, 0, 0, 0], bound=1, rejects=True) as way:
        way.arrivals.begin()
        for n in (0, 3):
            way.arrivals.admit(n)
            way.start(n)
        way.arrivals.reject(1)
        complete = {each.task: each.outcome.status for each in way.complete([do(TASKS[0])], 2)}
    assert complete == {0: "ok", 1: "rejected", 2: "left"}, "the fourth was started, and a model has to answer for it"


def test_equal_outcomes_of_the_same_task_travel_once() -> None:
    def gave(n: int, value: int) -> Done:
        return do(TASKS[n])._replace(outcome=Outcome("ok", (value,)))

    with gate([0] * 6) as way:
        way.arrivals.begin()
        finished = [gave(n, value) for n, value in enumerate([1000, 2000, 1000, 2000, 3000, 2000])]
        for n in range(6):
            way.start(n)
        outcomes = [each.outcome for each in way.complete(finished, 2)]
    assert [outcome.value for outcome in outcomes] == [(1000,), (2000,), (1000,), (2000,), (3000,), (2000,)]
    assert outcomes[0] is outcomes[2]
    assert outcomes[1] is outcomes[3] is outcomes[5]


def test_tasks_are_taken_in_turn_for_as_many_as_come() -> None:
    with gate([0] * 5) as way:
        work = Work(lanes.wait(tasks=2, duration="1ms,2ms"), "python", gate=way)
    assert [(task.index, task.args[0]) for task in work.tasks] == [(0, MS), (1, 2 * MS), (2, MS), (3, 2 * MS), (4, MS)]
    assert work.inputs[4] == ("", MS)


def test_a_process_is_handed_the_files() -> None:
    with gate([0], bound=3, rejects=True) as way:
        other = Gate.at(*way.files)
        assert (other.bound, other.rejects, len(other.arrivals)) == (3, True, 1)
        way.arrivals.end()
        assert other.arrivals.ended()
        assert os.readlink(f"/proc/self/fd/{way.bell}") == "anon_inode:[eventfd]"
