"""The pulse beside a model: how late it is counted to be, and what each kind of model does to it."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator

import pytest

import lanes
from lanes import interpreter, models, sample
from lanes.pulse import PERIOD_NS, Beat
from lanes.run import execute
from lanes.types import Done, Pulse, Workload
from lanes.work import Work
from processes import script
from test_run import Made

MS = 10**6
FORKING = ("multiprocessing", "multiprocessing-pool", "futures-processes")


# ---- the schedule


def test_what_blocks_the_pulse_makes_every_beat_late_that_was_due_meanwhile() -> None:
    beat = Beat()
    beat.begin(1000 * MS)
    beat.beat(1400 * MS)
    assert beat.late_ns == [n * 5 * MS for n in range(79, -1, -1)]
    taken = beat.taken()
    assert (taken.beats, taken.missed) == (80, 79), "the last comes when it is due"
    assert (taken.p50_s, taken.p99_s, taken.max_s) == (0.195, 0.395, 0.395)


def test_after_a_block_the_schedule_is_what_it_was() -> None:
    beat = Beat()
    beat.begin(0)
    for now in (5 * MS, 11 * MS, 27 * MS, 30 * MS, 34 * MS):
        beat.beat(now)
    assert beat.late_ns == [0, 1 * MS, 12 * MS, 7 * MS, 2 * MS, 0]
    assert beat.due_ns == 35 * MS
    assert beat.taken().missed == 2


def test_who_comes_too_early_has_not_beaten() -> None:
    beat = Beat()
    beat.begin(0)
    beat.beat(PERIOD_NS - 1)
    assert beat.taken() == Pulse("thread", 0.005, 0, 0, None, None, None)


def test_the_percentiles_are_beats_that_were() -> None:
    beat = Beat()
    beat.late_ns = [n * MS for n in range(1, 201)]
    taken = beat.taken()
    assert (taken.p50_s, taken.p99_s, taken.max_s) == (0.1, 0.198, 0.2)
    beat.late_ns = [3 * MS]
    assert (beat.taken().p50_s, beat.taken().p99_s) == (0.003, 0.003)


# ---- what models do to it


def spin(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def spinning(tasks: int = 1, seconds: float = 0.1) -> Workload:
    return lanes.workload(spin, items=[seconds] * tasks)


def pulse(workload: Workload, model: str, body: str | None = "python", workers: int = 2) -> Pulse:
    found = sample.take(workload, model, body, workers, "pulse").pulse
    assert found is not None
    assert found.p50_s is not None
    assert found.p99_s is not None
    assert found.max_s is not None
    assert 0 <= found.p50_s <= found.p99_s <= found.max_s
    return found


def alone(workload: Workload, model: str, body: str | None, workers: int = 1) -> bool:
    """Whether half of all beats or more come in less than half a switch interval. One try of several does: on a busy
    machine a pulse is late that no model has kept from beating."""
    tries = (pulse(workload, model, body, workers).p50_s for _ in range(10))
    return any(late_s is not None and late_s < SWITCH_S / 2 for late_s in tries)


SWITCH_S = 0.04


@pytest.fixture
def rare_switches() -> Iterator[None]:
    """A thread that computes gives the GIL away when it is asked for, after 40 ms instead of 5: then it is plain to see
    what waits for it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("model", ["asyncio", "asyncio[uvloop]"])
def test_inline_compute_blocks_the_loop_for_as_long_as_it_takes(model: str) -> None:
    found = pulse(spinning(), model)
    assert found.where == "loop"
    assert found.max_s is not None
    assert found.max_s >= 0.09
    assert found.beats >= 19
    assert found.missed >= 17


def test_tasks_without_an_await_between_them_block_the_loop_together() -> None:
    found = pulse(spinning(3), "asyncio", workers=1)
    assert found.max_s is not None
    assert found.max_s >= 0.28


@pytest.mark.usefixtures("rare_switches")
def test_a_loop_that_waits_lets_the_pulse_beat() -> None:
    assert alone(lanes.wait(tasks=4, duration="100ms"), "asyncio", "python")


@pytest.mark.parametrize("model", ["serial", "threading", "asyncio"])
def test_a_body_that_holds_the_gil_blocks_the_whole_process(model: str) -> None:
    # Its C body waits for 100 ms and does not let go.
    found = pulse(lanes.wait(tasks=1, duration="100ms"), model, "held")
    assert found.max_s is not None
    assert found.max_s >= 0.09
    assert found.missed >= 17


@pytest.mark.usefixtures("rare_switches")
@pytest.mark.parametrize(("model", "body"), [("serial", "released"), ("threading", "released"), ("native-epoll", None)])
def test_a_body_that_lets_go_of_it_does_not(model: str, body: str | None) -> None:
    assert alone(lanes.wait(tasks=2, duration="200ms"), model, body, 2)


HANDED = {"serial": "thread", "threading": "thread", "asyncio-threads": "loop"}


@pytest.mark.skipif(not interpreter.gil(), reason="there is no GIL to wait for")
@pytest.mark.usefixtures("rare_switches")
@pytest.mark.parametrize("model", HANDED)
def test_beside_python_threads_it_waits_for_the_gil_to_be_handed_over(model: str) -> None:
    found = pulse(spinning(2, 0.25), model)
    assert found.where == HANDED[model]
    assert found.max_s is not None
    assert found.max_s >= 0.9 * SWITCH_S


@pytest.mark.parametrize("model", ["asyncio-threads", "threading"])
def test_threads_hand_over_long_before_the_work_is_done(model: str) -> None:
    tries = (pulse(spinning(2, 0.5), model).max_s for _ in range(10))
    assert any(late_s is not None and late_s < 0.25 for late_s in tries)


@pytest.mark.usefixtures("rare_switches")
@pytest.mark.parametrize("model", ["multiprocessing", "futures-processes[spawn]", "asyncio-processes"])
def test_processes_leave_the_pulse_alone(model: str) -> None:
    assert alone(spinning(1, 0.3), model, "python")


@pytest.mark.usefixtures("rare_switches")
@pytest.mark.parametrize("model", ["native-serial", "native-pthreads", "native-fork", "asyncio-native"])
def test_native_models_leave_the_pulse_alone(model: str) -> None:
    assert alone(lanes.compute("primes", tasks=100, task_size=20_000), model, None)


# ---- when it beats, and what stays of it


def test_beats_are_due_from_when_the_model_begins_until_it_ends() -> None:
    for model in ("serial", "asyncio"):
        run = sample.take(lanes.wait(tasks=1, duration="300ms"), model, "python", 1, "pulse")
        assert run.pulse is not None
        assert 59 <= run.pulse.beats <= run.wall_s / 0.005
        assert run.pulse.beats >= run.work_s / 0.005 - 1


def test_work_shorter_than_a_period_has_no_beat() -> None:
    runs = [sample.take(lanes.wait(tasks=1, duration=0), "serial", "python", 1, "pulse") for _ in range(5)]
    run = min(runs, key=lambda run: run.wall_s)
    assert run.pulse is not None
    if run.wall_s < 0.005:
        assert run.pulse == Pulse("thread", 0.005, 0, 0, None, None, None)


@pytest.mark.parametrize("model", [*FORKING, *(f"{model}[fork]" for model in FORKING), "asyncio-processes"])
def test_forks_beside_it_are_clean(model: str) -> None:
    """In an interpreter of its own: another test's threads would be warned of, too."""
    assert script(f"import test_pulse; test_pulse.fork_beside_it({model!r})") == ""


def fork_beside_it(model: str) -> None:
    with warnings.catch_warnings(record=True) as warned:  # as an error it would be lost: `os.fork` goes on regardless
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        run = execute(spinning(4, 0.02), models.load(model), "python", 2, "pulse")
        assert warnings.filters == filters
    assert [str(each.message) for each in warned] == []
    assert run.pulse is not None
    assert run.pulse.beats > 0
    assert [outcome.status for outcome in run.outcomes] == ["ok"] * 4


@pytest.mark.parametrize("where", ["thread", "loop"])
def test_nothing_stays_of_it_when_the_model_fails(where: str) -> None:
    def fails(work: Work) -> Iterable[Done]:
        if where == "thread":
            raise KeyError("no")
        from lanes.models.loop import run_on_loop

        async def main() -> list[Done]:
            raise KeyError("no")

        return run_on_loop(main(), work)

    class Failing(Made):
        loop = where == "loop"

    threads, filters = threading.enumerate(), list(warnings.filters)
    with pytest.raises(KeyError, match="no"):
        execute(lanes.wait(tasks=1, duration=0), Failing(fails), "python", 1, "pulse")
    assert threading.enumerate() == threads
    assert warnings.filters == filters


def test_other_passes_have_none() -> None:
    for kind in ("timed", "bare", "closeup"):
        assert execute(lanes.wait(tasks=1, duration=0), models.load("asyncio"), "python", 1, kind).pulse is None


def test_a_comparison_has_it_of_every_row_when_it_is_asked_for() -> None:
    work = lanes.wait(tasks=2, duration="20ms")
    result = lanes.compare(work, models="threading,asyncio,native-epoll", bodies="python", rounds=1, pulse=True)
    where = {row.name: row.pulse and row.pulse.where for row in result}
    assert where == {
        "serial/python": "thread",
        "threading/python": "thread",
        "asyncio/python": "loop",
        "native-epoll": "thread",
    }
    assert all(row.pulse is None for row in lanes.compare(work, models="serial", bodies="python", rounds=1))
