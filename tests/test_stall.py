"""Where every worker stood: real faults on real models, each ended at its deadline; what is told, and what is left."""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

import faults
import lanes
from lanes import cli, models, sample, session, stacks
from lanes.origin import Origin
from lanes.report import stall as report
from lanes.report.json import document
from lanes.stall import Frame, Process, Stall, Stand
from lanes.types import Workload
from processes import script
from support import MARK, marked

DEADLINES_S = (1.0, 4.0, 16.0, 40.0)
"""A longer one where this machine was so busy that not all workers had come to their tasks."""

WAITING = {"sleeping", "runnable"}
"""Who runs on the calling thread looks up now and then, whether it is to stop."""

NATIVE = ("native-serial", "native-pthreads", "native-fork", "native-epoll", "asyncio-native")


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No process of a test, no file of multiprocessing's, no descriptor."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    assert [pid for pid in marked(mark, patience_s=10) if pid != os.getpid()] == []
    assert list(temporary.iterdir()) == []
    assert sorted(os.listdir("/proc/self/fd")) == before


def calls(function: Callable[[Any], object], *items: object) -> Workload:
    return lanes.workload(function, items=items or range(2))


def ended(work: Workload, model: str, body: str | None, workers: int, deadline_s: float, forked: bool = False) -> Stall:
    """What is known of a sample that never ends."""
    began = time.monotonic()
    with work.serve() as served, pytest.raises(sample.SampleError) as caught:
        sample.take(served, model, body, workers, deadline_s=deadline_s, forked=forked)
    assert time.monotonic() - began >= deadline_s
    stall = caught.value.stall
    assert stall is not None
    assert str(caught.value) == f"no answer within its deadline of {deadline_s:g} s: {stall.where}"
    assert "\n" not in str(caught.value)
    assert stall.deadline_s == deadline_s
    assert json.loads(json.dumps(report.document(stall), allow_nan=False))
    return stall


def stalled(
    work: Workload, model: str, body: str | None = "python", workers: int = 2, expected: int = 2, forked: bool = False
) -> Stall:
    """The same, once so many of its workers had come to their tasks."""
    for deadline_s in DEADLINES_S:
        stall = ended(work, model, body, workers, deadline_s, forked)
        if len(stall.workers) == expected:
            break
    assert len(stall.workers) == expected, stall
    return stall


def place(function: Callable[..., object], code: str) -> str:
    """A line of a fault, as words name it: `hang (faults.py:12)`."""
    lines, begin = inspect.getsourcelines(function)
    number = next(number for number, line in enumerate(lines, begin) if line.strip() == code)
    return f"{function.__qualname__} (faults.py:{number})"


def process_of(stall: Stall, stand: Stand) -> Process:
    return next(each for each in stall.processes if any(stand is one for one in each.workers))


# ---- threads


@pytest.mark.parametrize("model", ["threading", "futures-threads", "asyncio-threads"])
def test_two_threads_that_hold_each_others_lock(model: str) -> None:
    stall = stalled(calls(faults.deadlock), model)
    where = place(faults.deadlock, "with other:")
    assert stall.where == f"2 workers stand in {where}"
    assert {worker.task for worker in stall.workers} == {0, 1}
    for worker in stall.workers:
        assert worker.telling == worker.frames[-1]
        assert worker.telling.code == "with other:"
        assert worker.telling.file == faults.__file__
        assert 0 <= (worker.for_s or -1) <= 60
        assert worker.text == str(worker.task)
        assert (worker.state, worker.system_call) == ("sleeping", "futex")
        assert worker.waits_for is None, "which lock is held by whom, Python does not know"
    (process,) = stall.processes
    assert process.source == "process"
    assert {worker.name for worker in stall.workers} < {thread.name for thread in process.threads}
    assert "MainThread" in {thread.name for thread in process.threads}
    assert len({worker.thread_id for worker in stall.workers} | {process.process_id}) == 3


def test_a_deadlock_is_one_where_locks_know_their_owners() -> None:
    stall = stalled(calls(faults.deadlock_of_owners), "threading")
    with_one = place(faults.deadlock_of_owners, "with other.lock:  # for ever")
    acquire = place(faults.deadlock_of_owners, "other.lock.acquire()")
    assert set(stall.where.removesuffix("; it is a deadlock").split(", ")) in (
        {f"1 worker stands in {with_one}", f"1 in {acquire}"},
        {f"1 worker stands in {acquire}", f"1 in {with_one}"},
    )
    assert stall.where.endswith("; it is a deadlock")
    one, other = sorted(stall.workers, key=lambda worker: worker.task or 0)
    assert (one.held_by, other.held_by) == (other.thread_id, one.thread_id)
    assert one.waits_for == f"the RLock that {other.name} holds"
    (ring,) = stall.processes[0].deadlocks
    assert {each.name for each in ring} == {one.name, other.name}
    assert report.lines(stall)[0] in (
        f"deadlock: {one.name} waits for what {other.name} holds, {other.name} waits for what {one.name} holds",
        f"deadlock: {other.name} waits for what {one.name} holds, {one.name} waits for what {other.name} holds",
    )


@pytest.mark.parametrize("model", ["threading", "multiprocessing"])
def test_a_lost_wakeup(model: str) -> None:
    stall = stalled(calls(faults.lost_wakeup, 0), model, workers=1, expected=1)
    assert stall.where == f"1 worker stands in {place(faults.lost_wakeup, 'news.wait()')} in Condition.wait"
    assert stall.workers[0].waits_for == "a Condition to be notified"


@pytest.mark.parametrize(
    "model",
    [
        "threading",
        "multiprocessing",
        "multiprocessing[spawn]",
        "multiprocessing-pool",
        "multiprocessing-pool[forkserver]",
        "futures-processes",
        "futures-processes[spawn]",
        "asyncio-processes[forkserver]",
    ],
)
def test_a_queue_that_nobody_fills(model: str) -> None:
    stall = stalled(calls(faults.starve), model)
    assert stall.where == f"2 workers stand in {place(faults.starve, 'return orders.get()')} in Queue.get"
    assert {worker.task for worker in stall.workers} == {0, 1}
    assert {worker.waits_for for worker in stall.workers} == {"an empty Queue"}
    processes = {process_of(stall, worker).process_id for worker in stall.workers}
    assert len(processes) == (1 if model == "threading" else 2)
    assert all(process.source == "process" for process in stall.processes if not process.helps)
    assert any(process.helps for process in stall.processes) is ("spawn" in model or "server" in model)


def test_a_thread_of_the_users_own() -> None:
    stall = stalled(calls(faults.joins_a_thread, 0), "threading", workers=1, expected=1)
    join = place(faults.joins_a_thread, "helper.join()")
    assert (
        stall.where == f"1 worker stands in {join} in Thread.join; beside 1 in {place(faults.hang, 'time.sleep(3600)')}"
    )
    assert stall.workers[0].waits_for == "the end of thread helper"
    (beside,) = stall.processes[0].beside
    assert (beside.name, beside.task, beside.at_work) == ("helper", None, False)


# ---- processes


@pytest.mark.parametrize("fault", [faults.parent_of_hanging, faults.forks_by_hand])
@pytest.mark.parametrize("model", ["threading", "futures-processes"])
def test_a_child_that_hangs(model: str, fault: Callable[[int], None]) -> None:
    stall = stalled(calls(fault, 0), model, workers=1, expected=1)
    (worker,) = stall.workers
    parent = process_of(stall, worker)
    (child,) = [each for each in stall.processes if each.parent_id == parent.process_id]
    assert child.source == "process", "it answers for itself"
    assert list(child.workers) == [], "what it has on its stack is its parent's task"
    (beside,) = child.beside
    assert str(beside.telling) == place(faults.hang, "time.sleep(3600)")
    assert stall.where.endswith(f"; beside 1 in {beside.telling}")
    if fault is faults.parent_of_hanging:
        assert worker.waits_for == f"the end of process {child.process_id}"


def test_a_program_that_hangs_in_a_session_of_its_own_ends_as_well() -> None:
    stall = stalled(calls(faults.run_a_program, 0), "multiprocessing", workers=1, expected=1)
    (worker,) = stall.workers
    (program,) = [each for each in stall.processes if each.parent_id == process_of(stall, worker).process_id]
    assert program.source == "kernel"
    assert worker.waits_for == f"the end of process {program.process_id}"
    words = report.lines(stall)
    assert any(f"process {program.process_id} " in line and "does not say where it stands" in line for line in words)


def test_a_worker_that_is_stopped() -> None:
    stall = stalled(calls(faults.stop), "multiprocessing")
    assert {worker.state for worker in stall.workers} == {"stopped"}
    assert stall.where.startswith(f"2 workers stand in {place(faults.stop, 'os.kill(os.getpid(), signal.SIGSTOP)')}")


@pytest.mark.parametrize("model", ["threading", "asyncio", "multiprocessing[spawn]"])
@pytest.mark.parametrize("fault", [faults.hold_the_gil, faults.backtrack])
def test_a_worker_that_holds_the_gil_in_c(model: str, fault: Callable[[int], None]) -> None:
    stall = stalled(calls(fault, 0), model, workers=1, expected=1)
    (worker,) = stall.workers
    assert worker.telling is not None
    assert worker.telling.function == fault.__name__
    process = process_of(stall, worker)
    if fault is faults.hold_the_gil or model == "threading":  # a regular expression asks for signals on the main thread
        assert process.source == "faulthandler"
        assert any("never came to answer" in line for line in report.lines(stall))
        assert {thread.state for thread in process.threads} >= {"runnable"}
    else:
        assert process.source == "process"


@pytest.mark.parametrize("fault", [faults.deaf, faults.deaf_by_mask])
def test_a_process_that_answers_no_more_is_known_by_what_the_kernel_says(fault: Callable[[int], None]) -> None:
    for deadline_s in DEADLINES_S:
        stall = ended(calls(fault), "multiprocessing", "python", 2, deadline_s)
        silent = [each for each in stall.processes if each.source == "kernel"]
        if [each.kernel for each in silent] == ["sleeping in clock_nanosleep"] * 2:
            break
    assert stall.where == "2 processes do not say where, sleeping in clock_nanosleep"
    assert all(not each.threads[0].frames for each in silent)


def test_a_users_file_at_the_number_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "the user's"
    for deadline_s in DEADLINES_S:
        stall = ended(calls(faults.close_all_and_open, str(path)), "multiprocessing", "python", 1, deadline_s)
        if path.exists():
            break
    assert path.read_bytes() == b""
    assert {each.source for each in stall.processes} == {"process", "kernel"}


# ---- asyncio


@pytest.mark.parametrize("model", ["asyncio", "asyncio[uvloop]", "asyncio[eager]", "serial"])
def test_a_chain_of_awaits(model: str) -> None:
    if model not in (*models.names(), *models.variants()):
        pytest.skip(f"there is no {model} here")
    count = 1 if model == "serial" else 2
    stall = stalled(calls(faults.outer), model, expected=count)
    many = "1 worker stands" if count == 1 else "2 workers stand"
    assert stall.where == f"{many} in {place(faults.inner, 'await never.wait()')} in Event.wait"
    for worker in stall.workers:
        assert [frame.function for frame in worker.own] == ["outer", "middle", "inner"]
        assert worker.waits_for == "an Event to be set"
        assert worker.thread_id is None
    assert {worker.task for worker in stall.workers} == set(range(count))
    assert " > ".join(str(frame) for frame in stall.workers[0].own) in report.lines(stall)[0]


def test_what_a_task_of_a_loop_gathers() -> None:
    stall = stalled(calls(faults.gather, 0), "asyncio", workers=1, expected=1)
    assert stall.workers[0].waits_for == "2 futures, gathered"
    (process,) = stall.processes
    assert "an empty Queue" in {each.waits_for for each in process.coroutines}


def test_a_function_that_blocks_the_loop() -> None:
    stall = stalled(calls(faults.starve), "asyncio", expected=1)
    (worker,) = stall.workers
    assert (worker.name, worker.task) == ("MainThread", 0)
    assert worker.waits_for == "an empty Queue"


# ---- bodies in C, native models


@pytest.mark.parametrize("model", ["threading", "multiprocessing", "asyncio"])
@pytest.mark.parametrize("body", ["held", "released"])
def test_bodies_in_c(model: str, body: str) -> None:
    if (model, body) == ("asyncio", "released"):
        pytest.skip("makes no sense")
    # With the GIL held nobody else comes to work, nor to answer.
    alone = model == "asyncio" or (model, body) == ("threading", "held")
    stall = stalled(lanes.wait(tasks=2, duration=3600), model, body, expected=1 if alone else 2)
    if (model, body) == ("threading", "held"):
        assert stall.processes[0].source == "faulthandler"
        return
    assert {worker.task for worker in stall.workers} == ({0} if alone else {0, 1})
    assert all(worker.where == f"a body in C, {worker.kernel}" for worker in stall.workers)
    assert {worker.state for worker in stall.workers} <= WAITING


@pytest.mark.parametrize("model", NATIVE)
def test_a_native_wait_of_an_hour(model: str) -> None:
    count = 1 if model == "native-serial" else 2
    stall = stalled(lanes.wait(tasks=3, duration=3600), model, None, expected=count)
    engine = "native-epoll" if model == "asyncio-native" else model
    assert all(worker.where == f"a task of {engine}, {worker.kernel}" for worker in stall.workers)
    assert {worker.state for worker in stall.workers} <= WAITING
    if model in ("native-pthreads", "native-fork"):
        assert {worker.kernel for worker in stall.workers} == {"sleeping in ppoll"}
    assert sorted((worker.task, worker.name) for worker in stall.workers) == [(n, engine) for n in range(count)]
    assert sorted(worker.worker or 0 for worker in stall.workers) == list(range(count))
    places = {(process_of(stall, worker).process_id, worker.thread_id) for worker in stall.workers}
    assert len(places) == (count if model in ("native-pthreads", "native-fork") else 1)
    assert len({process for process, _ in places}) == (2 if model == "native-fork" else 1)
    assert all(0 < (worker.for_s or 0) < 60 for worker in stall.workers)


@pytest.mark.parametrize("model", ["native-epoll", "native-fork"])
def test_an_origin_that_stalls(model: str) -> None:
    with Origin() as origin:
        url = origin.url(size=1000, stall=500)
        stall = stalled(lanes.download(url, tasks=2), model, None)
    assert {worker.text for worker in stall.workers} == {url}
    assert all(worker.state in WAITING for worker in stall.workers)
    assert url in report.lines(stall)[0]


# ---- samples


@pytest.mark.parametrize("model", ["threading", "multiprocessing"])
def test_a_sample_that_is_a_fork_of_its_caller(model: str) -> None:
    """The caller's own calls are on top of all its stacks, and tell nothing."""
    stall = stalled(calls(faults.starve), model, forked=True)
    assert stall.where == f"2 workers stand in {place(faults.starve, 'return orders.get()')} in Queue.get"
    assert {len(worker.own) for worker in stall.workers} == {1}
    assert not stacks.installed()


def test_deep_stacks_are_told_from_their_end() -> None:
    stall = stalled(calls(faults.recurse, 500), "multiprocessing", workers=1, expected=1)
    (worker,) = stall.workers
    assert str(worker.telling) == place(faults.hang, "time.sleep(3600)")
    assert 50 <= len(worker.frames) <= 200


@pytest.mark.parametrize(
    "model", ["threading", "multiprocessing", "multiprocessing[spawn]", "multiprocessing-pool[forkserver]"]
)
def test_every_process_of_a_sample_can_be_asked(model: str) -> None:
    run = sample.take(calls(faults.can_be_asked), model, "python", 2)
    assert [outcome.value[0].content for outcome in run.outcomes] == [True, True]  # type: ignore[attr-defined]


def test_at_home_nothing_is_installed() -> None:
    """In an interpreter of its own, as a thread that some other test has left would have a fresh process taken."""
    code = """
import signal
import faults, lanes
from lanes import stacks
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
run = lanes.run(faults.can_be_asked, "multiprocessing", items=[0, 1])
print([outcome.value[0].content for outcome in run.outcomes], stacks.installed())
print({number: signal.getsignal(number) for number in signal.valid_signals()} == before)
"""
    assert script(code) == "[False, False] False\nTrue\n"


@pytest.mark.parametrize(
    "model", ["multiprocessing[spawn]", "futures-processes[forkserver]", "multiprocessing-pool[spawn]"]
)
def test_no_semaphore_is_left(model: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "names"
    stalled(calls(faults.semaphores_of_this_process, *[str(path)] * 2), model)
    names = set(path.read_text().split())
    assert names, "semaphores have names until all have opened them"
    assert names.isdisjoint(os.listdir("/dev/shm"))
    assert capfd.readouterr().err == ""


# ---- comparisons


R = TypeVar("R")


def patiently(measured: Callable[[str], R], good: Callable[[R], bool], *deadlines: str) -> R:
    """With longer and longer deadlines, until none is missed but by what never ends."""
    for deadline in deadlines:
        result = measured(deadline)
        if good(result):
            break
    return result


def test_the_comparison_goes_on_and_says_where_a_row_stood() -> None:
    def measured(deadline: str) -> lanes.Comparison:
        return lanes.compare(
            faults.hang_beside_the_main_thread,
            range(3),
            models="threading,multiprocessing,futures-threads",
            workers=2,
            rounds=2,
            deadline=deadline,
            closeup=False,
        )

    where = place(faults.hang, "time.sleep(3600)")
    error = f"2 workers stand in {where}"

    def good(result: lanes.Comparison) -> bool:
        return [row.error and row.error.partition(": ")[2] for row in result] == [None, error, error, None]

    result = patiently(measured, good, "1s", "5s", "25s")
    assert good(result)
    assert result["threading"].stall is not None
    error = f"no answer within its deadline of {result['threading'].stall.deadline_s:g} s: {error}"
    assert [(row.name, row.error, len(row.runs)) for row in result] == [
        ("serial/python", None, 2),
        ("threading/python", error, 0),
        ("futures-threads/python", error, 0),
        ("multiprocessing/python", None, 2),
    ]
    assert result["multiprocessing"].agrees
    assert not result.ok
    rows: Any = document(result)["rows"]
    assert [row["stall"] is None for row in rows] == [True, False, False, True]
    (process,) = rows[1]["stall"]["processes"]
    workers = [thread for thread in process["threads"] if thread["at_work"]]
    assert [worker["frames"][-1]["function"] for worker in workers] == ["hang", "hang"]
    assert {worker["task"] for worker in workers} == {0, 1}
    words = str(result)
    assert f"threading/python: {error}" in words
    assert "  task 1 (1), for" in words
    assert f"in {place(faults.hang_beside_the_main_thread, 'hang()')} > {where} at `time.sleep(3600)`" in " ".join(
        words.split()
    )


def test_a_baseline_that_stalls_leaves_no_verdicts_and_the_others_go_on() -> None:
    def measured(deadline: str) -> lanes.Comparison:
        work = faults.hang_on_the_main_thread
        return lanes.compare(work, range(2), models="threading", rounds=2, deadline=deadline, closeup=False)

    result = patiently(measured, lambda result: len(result["threading"].runs) == 2, "2s", "10s", "40s")
    assert result.baseline.stall is not None
    assert result.baseline.error is not None
    assert len(result["threading"].runs) == 2
    assert result["threading"].verdict is None
    assert not result.ok


def test_a_close_up_that_stalls_leaves_what_was_timed(tmp_path: Path) -> None:
    def measured(deadline: str) -> lanes.Row:
        first = str(tmp_path / deadline)
        work = faults.only_the_second_time
        return lanes.compare(work, [first], models="serial", rounds=1, deadline=deadline)["serial"]

    row = patiently(measured, lambda row: row.error is None and "hang" in (row.closeup_error or ""), "2s", "10s", "40s")
    assert row.error is None
    assert row.stall is not None
    where = f"1 worker stands in {place(faults.hang, 'time.sleep(3600)')}"
    assert row.closeup_error == f"no answer within its deadline of {row.stall.deadline_s:g} s: {where}"


@pytest.mark.parametrize("model", ["threading", "native-epoll"])
def test_a_load_that_stalls_says_where(model: str) -> None:
    work = calls(faults.hang_beside_the_main_thread) if model == "threading" else lanes.wait(tasks=2, duration=3600)
    for deadline in ("2s", "8s", "32s"):
        result = lanes.load(
            work, rate="20/s", duration="500ms", models=model, bodies="all", workers=2, deadline=deadline
        )
        row = next(each for each in result if each.model == model)
        if row.stall is not None and len(row.stall.workers) == 2:
            break
    assert row.stall is not None
    assert row.error == f"no answer within its deadline of {deadline[:-1]} s: {row.stall.where}"
    assert {worker.task for worker in row.stall.workers} == {0, 1}
    assert not result.ok
    found: Any = document(result)
    assert next(each["stall"] for each in found["load"]["rows"] if each["model"] == model)["deadline_s"] == float(
        deadline[:-1]
    )
    assert "  task 1" in str(result)


def test_the_command_line_says_it_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    items, path = tmp_path / "items.json", tmp_path / "result.json"
    items.write_text("[0, 1]")

    def ran(command: str, *more: str) -> Callable[[str], tuple[int, str]]:
        def run(deadline: str) -> tuple[int, str]:
            options = ("--items", str(items), "--models", "threading", "--rounds", "1", "--workers", "2")
            status = cli.main([command, "faults:hang_beside_the_main_thread", *options, "--deadline", deadline, *more])
            return status, "\n".join(capsys.readouterr())

        return run

    def good(result: tuple[int, str]) -> bool:
        return result[1].count("no answer within its deadline") == 1 and "2 workers stand in" in result[1]

    status, shown = patiently(ran("compare", "--json", str(path)), good, "3s", "25s")
    assert status == 1
    assert "s: 2 workers stand in hang (faults.py:" in shown
    assert json.loads(path.read_text())["rows"][1]["stall"]["deadline_s"] in (3.0, 25.0)
    status, shown = patiently(ran("sweep", "--quiet"), good, "3s", "25s")
    assert status == 1
    lines = shown.strip().splitlines()
    assert lines[0].startswith("threading/python: no answer within its deadline")
    assert [line.partition(" (")[0] for line in lines[1:]] == ["  task 0", "  task 1"]


# ---- words


def frame(function: str, file: str = "/home/me/mine.py", line: int = 1, code: str = "") -> Frame:
    return Frame(function, file, line, code)


LIBRARY, OURS = str(Path(os.__file__).parent / "threading.py"), lanes.__file__


def test_whose_a_frame_is() -> None:
    assert frame("f").owner == "yours"
    assert frame("f", LIBRARY).owner == "library"
    assert frame("f", "<frozen runpy>").owner == "library"
    assert frame("f", "/usr/lib/python3/dist-packages/x.py").owner == "library"
    assert frame("f", OURS).owner == "lanes"
    assert frame("f", "<string>").owner == "yours"
    assert frame("__create_fn__.<locals>.__init__", "<string>").owner == "library"


def test_the_frame_that_tells_most() -> None:
    caller, ours, mine, inner, library = (
        frame("caller"),
        frame("run", OURS),
        frame("mine"),
        frame("inner"),
        frame("wait", LIBRARY),
    )
    assert Stand("t", frames=(caller, ours, mine, inner, library)).telling == inner
    assert Stand("t", frames=(caller, ours, mine, inner, library)).where == "inner (mine.py:1) in wait"
    assert Stand("t", frames=(caller, ours, library)).telling == library, "what called lanes tells nothing"
    assert Stand("t", frames=(caller, ours)).telling == ours
    assert Stand("t", frames=(library,)).telling == library
    assert Stand("t", frames=(mine, library)).telling == mine, "of a thread that lanes has not started"
    assert Stand("t").where == "in a state that is not known"
    assert Stand("t", state="sleeping", waits_in="futex_wait").where == "sleeping in futex_wait"


def test_many_places_are_counted_and_many_lines_left_to_the_json() -> None:
    stands = tuple(
        Stand(f"t{n}", at_work=True, task=n, text="x" * 100, frames=(frame(f"f{min(n, 4)}"),)) for n in range(20)
    )
    stall = Stall(2.0, (Process(1, 0, "python", "sleeping", "process", stands[::-1]),))
    assert stall.where == "16 workers stand in f4 (mine.py:1), 1 in f3 (mine.py:1), 1 in f2 (mine.py:1), 2 elsewhere"
    lines = report.lines(stall)
    assert len(lines) == 9
    assert lines[0].startswith(f"task 0 ({'x' * 57}...): t0 of process 1 in f0 (mine.py:1)")
    assert lines[-1] == "and 12 more: all are in the JSON"
    assert str(stall).startswith("no answer within its deadline of 2 s: 16 workers stand in f4")
    nine = replace(stall, processes=(replace(stall.processes[0], threads=stands[:9]),))
    assert len(report.lines(nine)) == 9, "one line more is shown instead of saying so"


def test_what_is_said_where_no_worker_is_known() -> None:
    waiting = Stand("MainThread", thread_id=1, frames=(frame("run", OURS), frame("poll", LIBRARY, 7)))
    process = Process(1, 0, "python", "sleeping", "process", (waiting,))
    assert Stall(1.0, (process,)).where == "no task is under way: 1 thread stands in poll (threading.py:7)"
    silent = Process(2, 1, "python", "sleeping", "kernel", (Stand("python", thread_id=2, state="runnable"),))
    assert Stall(1.0, (process, silent)).where == "1 process does not say where, runnable"
    helper = replace(silent, name="multiprocessing.forkserver")
    assert Stall(1.0, (helper,)).where == "no task is under way: nothing is known"
    assert report.lines(Stall(1.0, (helper,))) == []
    assert Stall(1.0, ()).where == "no task is under way: nothing is known"


def test_a_session_is_known_by_its_leader() -> None:
    mine = session.members(os.getsid(0))
    assert os.getpid() in [each.id for each in mine]
    me = next(each for each in mine if each.id == os.getpid())
    assert (me.parent_id, me.state) == (os.getppid(), "runnable")
    assert os.getpid() in [each.id for each in session.threads(os.getpid())]
    assert session.threads(2**22 + 1) == []
    assert sys.platform == "linux"
