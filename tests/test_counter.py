"""One number that all workers share: what is lost of it, what is not, and what a lock costs."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import lanes
from lanes import _core, interpreter, models, sample
from lanes.processors import usable_processors
from lanes.run import senseless
from lanes.types import BODIES, By, Task, Updating
from lanes.workloads.counter import STEPS, Holds
from processes import AREA, children, until
from support import make_run

SECOND = 10**9
GIL = interpreter.gil()
CELLS: list[tuple[str, str | None]] = [
    *((model, body) for model in models.FAMILIES["python"] for body in BODIES),
    *((model, None) for model in models.FAMILIES["native"]),
]
LOSSLESS = [
    (step, model, body)
    for step in ("locked", "atomic")
    for model, body in CELLS
    if senseless(lanes.counter(step), models.load(model), body) is None
]


@contextmanager
def switching(every_s: float) -> Iterator[None]:
    """Threads that wait for the GIL are given it so soon."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(every_s)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def lost(step: str, model: str, body: str | None = None, *, updates: int, workers: int = 4, tasks: int = 8) -> float:
    """How many updates were lost, of a run with so many."""
    made = lanes.run(lanes.counter(step, tasks=tasks, updates=updates), model, body, workers)
    assert all(outcome.value == (updates,) for outcome in made.outcomes)
    figure = made.figures["lost"]
    assert figure is not None
    assert made.figures["lost_share"] == figure / (tasks * updates)
    return figure


# ---- what is lost


@pytest.mark.parametrize("model", ["threading", "futures-threads", "asyncio-threads"])
def test_a_thread_may_be_interrupted_at_a_call_inside_of_an_update(model: str) -> None:
    # Some thousand switches, every second of which falls between a read and a write.
    with switching(1e-5):
        assert lost("call", model, updates=200_000) > 1000


@pytest.mark.skipif(not GIL, reason="without a GIL threads read and write at the same time")
@pytest.mark.parametrize("step", ["plain", "atomic"])
def test_with_a_gil_nothing_comes_between_without_a_call(step: str) -> None:
    with switching(1e-6):
        assert lost(step, "threading", updates=300_000) == 0


@pytest.mark.skipif(GIL, reason="this Python has a GIL")
def test_without_a_gil_threads_lose_what_others_write() -> None:
    assert lost("plain", "threading", updates=1_000_000) > 0


def test_a_coroutine_gives_way_at_an_await_and_nowhere_else() -> None:
    assert lost("await", "asyncio", updates=500) >= 0.5 * 8 * 500
    assert lost("await", "asyncio", updates=500, workers=1) == 0
    with switching(1e-6):
        assert lost("plain", "asyncio", updates=20_000) == 0
        assert lost("call", "asyncio", updates=20_000) == 0


@pytest.mark.skipif(usable_processors() < 2, reason="one processor does one thing after another")
@pytest.mark.parametrize(
    ("model", "body", "updates"),
    [
        ("native-pthreads", None, 20_000_000),
        ("native-fork", None, 20_000_000),
        ("threading", "released", 20_000_000),
        ("multiprocessing", "held", 20_000_000),
        ("multiprocessing", "python", 300_000),
    ],
)
def test_what_runs_at_the_same_time_loses_plain_updates(model: str, body: str | None, updates: int) -> None:
    # On a machine that is busy elsewhere one worker may have to wait until the other is done.
    assert any(lost("plain", model, body, updates=updates, workers=2) > 0 for _ in range(10))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("model", "body"), [("serial", "python"), ("serial", "held"), ("native-serial", None)])
def test_alone_nobody_loses_anything(step: str, model: str, body: str | None) -> None:
    if senseless(lanes.counter(step), models.load(model), body) is None:
        assert lost(step, model, body, updates=100) == 0


@pytest.mark.parametrize(("step", "model", "body"), LOSSLESS)
def test_locked_and_atomic_lose_nothing_anywhere(step: str, model: str, body: str | None) -> None:
    many = 200_000 if body != "python" else 1000 if step == "locked" else 20_000
    with switching(1e-5):
        assert lost(step, model, body, updates=many, workers=3) == 0


@pytest.mark.parametrize("variant", ["multiprocessing[spawn]", "futures-processes[forkserver]"])
@pytest.mark.parametrize("body", ["python", "released"])
def test_processes_that_are_no_forks_share_the_same_number(variant: str, body: str) -> None:
    made = sample.take(lanes.counter("locked", tasks=4, updates=500), variant, body, 2)
    assert made.figures["lost"] == 0
    assert sum(outcome.value == (500,) for outcome in made.outcomes) == 4


# ---- the lock


@pytest.mark.parametrize(("model", "body"), [("threading", "python"), ("multiprocessing", "python"),
                                              ("threading", "released"), ("native-pthreads", None),
                                              ("native-fork", None)])  # fmt: skip
def test_who_waits_for_a_lock_that_is_held_waits_for_as_long(model: str, body: str | None) -> None:
    work = lanes.counter("locked", tasks=2, updates=20, hold="10ms")
    figures = lanes.run(work, model, body, workers=2).figures
    assert figures["held"] is not None
    assert figures["waited"] is not None
    assert figures["held"] >= 0.399, "every hold is timed, and none is shorter"
    # Both want it all the time. Who gives it back may take it again before the other has woken: that waits for longer.
    assert 0.02 <= figures["waited"] <= figures["held"] + 1.0
    assert figures["cost"] is not None
    assert figures["cost"] >= 0.0099, "one after the other"


@pytest.mark.parametrize(("model", "body"), [("threading", "python"), ("asyncio", "python"), ("native-fork", None)])
def test_each_of_several_holds_has_its_own_figures(model: str, body: str | None) -> None:
    work = lanes.counter("locked", tasks=6, updates=5, hold="0us,4ms,8ms")
    made = lanes.run(work, model, body, workers=2)
    figures = {name: value for name, value in made.figures.items() if value is not None}
    assert figures.keys() == work.units.keys()
    assert figures["held:hold 4 ms"] >= 0.0399, "two tasks of five updates"
    assert figures["held:hold 8 ms"] >= 0.0799
    for name in ("waited", "held"):
        each = [figures[f"{name}:hold {hold}"] for hold in ("0 ns", "4 ms", "8 ms")]
        assert sum(each) == pytest.approx(figures[name])
    assert figures["took:hold 4 ms"] >= 0.0039
    assert figures["took:hold 8 ms"] >= 0.0079
    took_s = sum(span.finished_ns - span.started_ns for span in made.spans) / 1e9
    assert sum(10 * figures[f"took:hold {hold}"] for hold in ("0 ns", "4 ms", "8 ms")) == pytest.approx(took_s)


def test_one_hold_has_no_figures_of_its_own_and_those_that_look_alike_are_told_apart() -> None:
    assert not [name for name in lanes.counter("locked", hold="1us,1us").units if ":" in name]
    names = lanes.counter("locked", hold=["1000001ns", "1000002ns"]).units
    assert {"took:hold 1000001 ns", "took:hold 1000002 ns"} <= set(names)


def test_coroutines_wait_as_well() -> None:
    figures = lanes.run(lanes.counter("locked", tasks=2, updates=5, hold="2ms"), "asyncio", workers=2).figures
    assert figures["held"] is not None
    assert figures["waited"] is not None
    assert figures["held"] >= 0.0199
    assert figures["waited"] >= 0.008


@pytest.mark.parametrize(("model", "body"), [("serial", "python"), ("serial", "released"), ("native-serial", None)])
def test_a_lock_that_is_free_is_not_waited_for(model: str, body: str | None) -> None:
    figures = lanes.run(lanes.counter("locked", tasks=2, updates=10_000), model, body).figures
    assert figures["waited"] == 0
    assert figures["held"] is not None
    assert 0 <= figures["held"] < 1


def test_of_holds_that_were_not_timed_those_that_were_tell() -> None:
    sampled, all_of_them = Holds(sampled=True), Holds(sampled=False)
    for holds in (sampled, all_of_them):
        holds.look_ns = 10
        for held_ns in (110, 210, 5, 50_010):
            holds.note(held_ns)
    assert sampled.sum_ns(64) == 300 * 64 // 3 + 50_000, "an interruption counts once"
    assert all_of_them.sum_ns(4) == 50_300
    assert Holds(sampled=True).sum_ns(0) == 0


def test_a_worker_that_is_killed_with_the_lock_leaves_it_to_the_others() -> None:
    area = _core.Area(AREA)
    tasks: list[_core.TaskInput] = [("locked", 1, 3600 * SECOND), *[("locked", 1, 0)] * 3]
    records: list[_core.Record] = []
    thread = threading.Thread(
        target=lambda: records.extend(_core.run("native-fork", "counter", tasks, 2, None, None, area))
    )
    thread.start()
    # Who holds it computes, and who waits for it does not.
    until(lambda: max(map(cpu_ticks, children(os.getpid())), default=0) >= 10)
    os.kill(max(children(os.getpid()), key=cpu_ticks), signal.SIGKILL)
    thread.join()
    assert [record[0] for record in records] == ["killed", "ok", "ok", "ok"]
    assert memoryview(area).cast("q")[0] == 4, "its update was made"


def cpu_ticks(pid: int) -> int:
    """What a process has computed, in ticks of the kernel's clock."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has just ended
        return 0
    return int(fields[11]) + int(fields[12])


def test_nothing_is_known_of_what_a_killed_worker_did() -> None:
    work = lanes.counter("atomic", tasks=2)
    killed = lanes.Outcome("killed", error="WorkerKilled")
    assert set(work.figures(make_run(outcomes=(lanes.Outcome("ok", (1,)), killed))).values()) == {None}


def test_tasks_that_were_never_begun_have_lost_nothing() -> None:
    area = _core.Area(AREA)
    work = replace(lanes.counter("atomic", tasks=2, updates=5), area=area)
    memoryview(area).cast("q")[0] = 5
    rejected = lanes.Outcome("rejected")
    assert work.figures(make_run(outcomes=(lanes.Outcome("ok", (5,)), rejected)))["lost"] == 0
    assert work.figures(make_run(outcomes=(rejected, rejected)))["lost"] is None


@pytest.mark.parametrize("step", STEPS)
def test_what_may_lose_nothing_says_so_by_contract(step: str) -> None:
    work: object = lanes.counter(step)
    assert isinstance(work, Updating)
    assert work.lossless == (step in ("locked", "atomic"))
    assert not isinstance(lanes.wait(), Updating)


# ---- steps that make no sense, and what is said of the others


@pytest.mark.parametrize(
    ("step", "by", "reason"),
    [
        ("call", "memory", "in C nothing switches"),
        ("await", "memory", "only a coroutine"),
        ("await", "threads", "only a coroutine"),
        ("await", "processes", "only a coroutine"),
        ("atomic", "processes", "no atomic step"),
    ],
)
def test_steps_that_workers_do_not_have(step: str, by: By, reason: str) -> None:
    assert (lanes.counter(step).lacks(by, "threads") or "").find(reason) >= 0


def test_a_python_without_a_gil_has_an_atomic_step_from_3_14_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from lanes.workloads import counter

    monkeypatch.setattr(interpreter, "gil", lambda: False)
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    assert counter.no_atomic().keys() == {"processes", "threads", "coroutines"}
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert counter.no_atomic().keys() == {"processes"}


@pytest.mark.parametrize("step", STEPS)
def test_a_line_says_what_python_it_was(step: str) -> None:
    work = lanes.counter(step)
    (line,) = work.remarks({"python": "3.11.7", "gil": True})
    assert line.startswith("Python 3.11.7 with a GIL: ")
    (other,) = work.remarks({"python": "3.13.0", "gil": False})
    assert other.startswith("Python 3.13.0 without a GIL: ")


def test_a_comparison_shows_what_was_lost_and_voids_nothing_that_may_lose() -> None:
    with switching(1e-5):
        result = lanes.compare(
            lanes.counter("call", updates=100_000), models="threading,asyncio", bodies="python", rounds=1, workers=4
        )
    assert result["threading"].figures["lost"] != 0
    assert result["asyncio"].figures["lost"] == 0
    assert result["threading"].agrees
    assert not [each for row in result for each in row.judgements if each.name == "no update is lost"]
    assert "what the workload measured" in str(result)


# ---- choices


def test_the_choices() -> None:
    work = lanes.counter("locked", tasks=3, updates=7, hold="0us,1us")
    assert work.tasks == (Task(0, "locked", (7, 0)), Task(1, "locked", (7, 1000)), Task(2, "locked", (7, 0)))
    assert work.params == {"step": "locked", "updates": 7, "hold_s": [0.0, 1e-6]}
    assert lanes.counter().params == {"step": "plain", "updates": 500_000}
    assert pickle.loads(pickle.dumps(work)) == work


def test_who_holds_the_lock_for_long_makes_fewer_updates() -> None:
    assert [lanes.counter("locked", hold=hold).updates for hold in (0, "1us", "10us", "1s")] == [
        10_000,
        10_000,
        2000,
        1,
    ]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^unknown step 'add': the steps are plain, call, await, locked, atomic$"):
        lanes.counter("add")
    with pytest.raises(ValueError, match="hold is work done inside the lock, and step call has none"):
        lanes.counter("call", hold="1us")
    with pytest.raises(ValueError, match="updates must be a whole number from 1 to"):
        lanes.counter(updates=0)
    with pytest.raises(ValueError, match="'long' does not parse"):
        lanes.counter("locked", hold="long")
    with pytest.raises(ValueError, match="native-serial makes no sense, nor does anything else that was asked for"):
        lanes.compare(lanes.counter("await"), models="native-fork,native-serial")
    with pytest.raises(ValueError, match="threading with body 'python' makes no sense: only a coroutine can await"):
        lanes.run(lanes.counter("await"), "threading")
