"""The log of every event: complete for each task on every model, however a task, a worker or a sample ends."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import lanes
from lanes import events, models, sample
from lanes.events import EventLog
from lanes.run import execute
from lanes.source import Gate
from lanes.types import Outcome, Run, Workload
from lanes.value import Value
from lanes.work import Work
from support import dies_when_it_is_logged
from test_sample import trick

MS = 10**6
Event: TypeAlias = dict[str, Any]
KEYS = {
    *("event", "time_ns", "time_s", "workload", "model", "body", "worker"),
    *("thread", "thread_id", "process_id", "asyncio_task", "task", "attempt"),
}
CELLS = [
    *((name, "python") for name in models.FAMILIES["python"]),
    *((name, None) for name in models.FAMILIES["native"]),
    ("asyncio", "held"),
    ("threading", "released"),
    ("futures-processes", "held"),
    ("multiprocessing[spawn]", "python"),
    ("multiprocessing-pool[chunked]", "python"),
    ("asyncio-processes[forkserver]", "python"),
    ("asyncio[uvloop]", "python"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def read(path: Path) -> list[Event]:
    text = path.read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def by_task(path: Path) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = defaultdict(list)
    for event in read(path):
        found[event["task"]].append(event)
    return found


def logged(workload: Workload, path: Path, model: str, body: str | None = "python", workers: int = 2) -> Run:
    return sample.take(workload, model, body, workers, "log", log=path)


# ---- on every model


@pytest.mark.parametrize(("model", "body"), CELLS)
def test_every_task_has_one_of_each(model: str, body: str | None, path: Path) -> None:
    run = logged(lanes.wait(tasks=7, duration="1ms"), path, model, body)
    workers: dict[int, int] = {}
    found = by_task(path)
    assert sorted(found) == list(range(7))
    for task, (arrived, claimed, started, finished) in found.items():
        span = run.spans[task]
        steps = [arrived, claimed, started, finished]
        assert [each["event"] for each in steps] == ["arrived", "claimed", "started", "finished"]
        assert {frozenset(each) for each in steps} == {frozenset(KEYS)}
        assert {(e["workload"], e["model"], e["body"], e["attempt"]) for e in steps} == {("wait", model, body, 1)}
        assert [e["time_ns"] for e in steps] == sorted(e["time_ns"] for e in steps)
        for each in steps:
            assert each["time_s"] == pytest.approx((each["time_ns"] - found[0][0]["time_ns"]) / 1e9)
        assert finished["time_ns"] == span.finished_ns
        assert (arrived["worker"], arrived["asyncio_task"]) == (None, None)
        for each in steps[1:]:
            assert (each["process_id"], each["thread_id"]) == (span.process_id, span.thread_id)
            assert each["worker"] in range(2)
            assert workers.setdefault(each["worker"], span.worker) == span.worker, "each number is one lane's"
            assert (each["asyncio_task"] is None) is (models.parted(model)[0] != "asyncio")
            assert each["thread"]


def test_native_workers_are_called_as_they_were(path: Path) -> None:
    run = logged(lanes.wait(tasks=4, duration="5ms"), path, "native-pthreads", None)
    names = {event["worker"]: event["thread"] for event in read(path) if event["event"] == "started"}
    assert names == {worker: f"native-pthreads/{worker}" for worker in range(2)}
    assert [event["time_ns"] for event in read(path)] == sorted(event["time_ns"] for event in read(path))
    assert run.spans[0].process_id == read(path)[0]["process_id"]
    logged(lanes.wait(tasks=1, duration=0), path, "native-serial", None)
    assert {event["thread"] for event in read(path)[-4:]} == {"MainThread"}


def whoami(_: object) -> dict[str, object]:
    found = lanes.current()
    assert found is not None
    return {name: getattr(found, name) for name in found.__slots__}


@pytest.mark.parametrize("model", ["threading", "asyncio", "futures-processes"])
def test_it_says_what_a_function_is_told(model: str, path: Path) -> None:
    run = logged(lanes.workload(whoami, items=range(5)), path, model)
    for task, steps in by_task(path).items():
        (told,) = run.outcomes[task].value
        assert isinstance(told, Value)
        assert isinstance(told.content, dict)
        for each in steps[1:]:
            assert {key: each[key] for key in told.content} == told.content


def test_many_processes_write_whole_lines(path: Path) -> None:
    logged(lanes.wait(tasks=400, duration=0), path, "multiprocessing", workers=4)
    assert len(read(path)) == 1600
    assert {event["worker"] for event in read(path)} == {None, 0, 1, 2, 3}


# ---- what fails


def moody(n: int) -> int:
    if n == 1:
        raise LookupError("no\nsuch thing")
    return n


@pytest.mark.parametrize("model", ["serial", "asyncio", "multiprocessing-pool"])
def test_a_task_that_fails_says_how(model: str, path: Path) -> None:
    logged(lanes.workload(moody, items=range(3)), path, model)
    found = by_task(path)
    assert [found[task][-1]["event"] for task in range(3)] == ["finished", "failed", "finished"]
    assert (found[1][-1]["error"], found[1][-1]["detail"]) == ("LookupError", "no such thing")


def test_so_does_one_that_a_native_worker_failed(path: Path) -> None:
    logged(lanes.download("http://127.0.0.1:1/", tasks=1), path, "native-epoll", None)
    *_, end = read(path)
    assert (end["event"], end["error"]) == ("failed", "ConnectError")
    assert end["detail"]


def test_what_raises_instead_of_a_body_is_the_end_of_its_task(path: Path) -> None:
    with pytest.raises(sample.SampleError, match="LookupError: no"), events.ended(path_of(path)):
        logged(trick("raise LookupError('no')"), path, "serial")
    found = by_task(path)
    assert [each["event"] for each in found[0]] == ["arrived", "claimed", "started", "failed"]
    assert (found[0][-1]["error"], found[0][-1]["detail"]) == ("LookupError", "no")
    assert [each["event"] for each in found[1]] == ["arrived", "failed"], "nobody came to it"
    assert (found[1][-1]["error"], found[1][-1]["detail"]) == ("SampleError", "LookupError: no")
    assert found[1][-1]["worker"] is None


def path_of(path: Path) -> Path:
    events.begin(path)
    return path


DEATHS = {
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
    "hangs": ("import time; time.sleep(1000)", "no answer within its deadline of 6 s"),
}


@pytest.mark.parametrize(
    ("model", "how"),
    [
        *((model, "killed") for model in ("serial", "threading", "multiprocessing", "asyncio-processes")),
        *((model, "hangs") for model in ("threading", "futures-processes")),
    ],
)
def test_of_a_sample_that_dies_every_task_has_an_end(model: str, how: str, path: Path) -> None:
    code, words = DEATHS[how]
    with pytest.raises(sample.SampleError), events.ended(path_of(path)):
        sample.take(trick(code), model, "python", 1, "log", 6.0 if how == "hangs" else 120.0, log=path)
    found = by_task(path)
    assert sorted(found) == [0, 1]
    begun, *_ = [steps for steps in found.values() if len(steps) == 4]
    assert [each["event"] for each in begun] == ["arrived", "claimed", "started", "failed"]
    assert begun[3]["error"] == "SampleError"
    assert begun[3]["process_id"] == begun[2]["process_id"], "where it was last seen"
    assert begun[3]["time_ns"] > begun[2]["time_ns"]
    if model in ("serial", "threading") or how == "hangs":
        assert words in begun[3]["detail"]
    assert all(steps[-1]["event"] == "failed" for steps in found.values())


def test_native_workers_that_die_leave_ends_as_well(path: Path) -> None:
    with pytest.raises(sample.SampleError), events.ended(path_of(path)):
        sample.take(lanes.wait(tasks=2, duration=1000), "native-fork", None, 2, "log", 6.0, log=path)
    found = by_task(path)
    assert sorted(found) == [0, 1]
    for steps in found.values():
        assert [each["event"] for each in steps] == ["arrived", "failed"]
        assert "deadline of 6 s" in steps[1]["detail"]


def test_a_sample_that_never_began_leaves_nothing(path: Path) -> None:
    path.write_text('{"event": "arrived", "task": 0}\n')
    with pytest.raises(sample.SampleError), events.ended(path):
        raise sample.SampleError("it could not")
    assert path.read_text() == '{"event": "arrived", "task": 0}\n', "which is another run's"


@pytest.mark.parametrize("torn", ["", '{"event": "finis', "x" * 9000])
def test_a_line_that_was_cut_off_counts_for_nothing(torn: str, path: Path) -> None:
    line = {"event": "started", "time_ns": 10**9, "time_s": 0.5, "task": 3, "worker": 1}
    path.write_text("an earlier\n")
    with pytest.raises(KeyError), events.ended(path):
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n" + torn)
        raise KeyError("why")
    earlier, begun, end = path.read_text().splitlines()
    assert earlier == "an earlier"
    assert json.loads(begun) == line
    ended = json.loads(end)
    assert ended["time_s"] - 0.5 == pytest.approx((ended["time_ns"] - 10**9) / 1e9)
    assert ended | line == ended | line
    assert (ended["event"], ended["task"], ended["worker"]) == ("failed", 3, 1)
    assert (ended["error"], ended["detail"]) == ("KeyError", "'why'")


def test_a_line_that_was_cut_off_before_another_hides_no_error(path: Path) -> None:
    arrived = [{"event": "arrived", "time_ns": 10**9, "time_s": 0.5, "task": task} for task in range(3)]
    lines = [json.dumps(each) for each in arrived]
    path_of(path)
    with pytest.raises(KeyError), events.ended(path):
        path.write_text(f"{lines[0]}\n{lines[1][:20]}{lines[2]}\n")
        raise KeyError("why")
    *_, end = path.read_text().splitlines()
    assert (json.loads(end)["event"], json.loads(end)["task"]) == ("failed", 0)


def test_ctrl_c_ends_every_task(path: Path) -> None:
    arrived = {"event": "arrived", "time_ns": 10**9, "time_s": 0.5, "task": 3}
    path_of(path)
    with pytest.raises(KeyboardInterrupt), events.ended(path):
        path.write_text(json.dumps(arrived) + "\n")
        raise KeyboardInterrupt
    end = json.loads(path.read_text().splitlines()[-1])
    assert (end["event"], end["task"], end["error"], end["detail"]) == ("failed", 3, "KeyboardInterrupt", "")


def test_a_sample_that_goes_well_is_left_as_it_is(path: Path) -> None:
    with events.ended(path_of(path)):
        logged(lanes.wait(tasks=1, duration=0), path, "serial")
    assert len(read(path)) == 4


# ---- tasks that come with time


@pytest.mark.parametrize(("model", "body"), [("threading", "python"), ("asyncio", "python"), ("native-epoll", None)])
@pytest.mark.parametrize("rejects", [True, False])
def test_what_comes_with_time_arrives_when_it_was_to(model: str, body: str | None, rejects: bool, path: Path) -> None:
    # Two workers need 200 ms for what comes within 40: a queue for two must reject some, and 100 ms leave some.
    due = [n * 2 * MS for n in range(20)]
    gate = Gate.made(due, 2 if rejects else None, rejects, 60_000 * MS if rejects else 100 * MS)
    try:
        work = lanes.wait(tasks=1, duration="20ms")
        run = sample.take(work, model, body, 2, "log", gate=gate, log=path)
        began = gate.arrivals.due(0)
    finally:
        gate.close()
    found = by_task(path)
    assert {outcome.status for outcome in run.outcomes} - {"ok"} == {"rejected" if rejects else "left"}
    for task, outcome in enumerate(run.outcomes):
        steps = sorted(found[task], key=lambda event: event["time_ns"])
        assert steps[0]["event"] == "arrived"
        assert steps[0]["time_ns"] == began + due[task]
        assert [each["event"] for each in steps[1:-1]] == (["claimed", "started"] if outcome.status == "ok" else [])
        if outcome.status == "ok":
            assert steps[-1]["event"] == "finished"
        else:
            assert (steps[-1]["event"], steps[-1]["worker"]) == ("failed", None)
            assert steps[-1]["error"] == outcome.status


# ---- the file


def test_a_log_begins_where_it_ended_or_anew(path: Path) -> None:
    path.write_text("one\n")
    events.begin(path)
    assert path.read_text() == "one\n"
    events.begin(path, anew=True)
    assert path.read_text() == ""


@pytest.mark.parametrize("what", ["directory", "nowhere", "pipe", "device"])
def test_what_cannot_be_appended_to_is_refused(what: str, tmp_path: Path) -> None:
    made: dict[str, Callable[[], Path]] = {
        "directory": lambda: tmp_path,
        "nowhere": lambda: tmp_path / "no" / "such",
        "pipe": lambda: tmp_path / "pipe",
        "device": lambda: Path("/dev/null"),
    }
    os.mkfifo(tmp_path / "pipe")
    path = made[what]()
    words = "No such file" if what == "nowhere" else "must be a regular file"
    with pytest.raises(OSError, match=rf"^cannot write {path}: .*{words}"):
        lanes.compare(lanes.wait(tasks=1, duration=0), rounds=1, log=path)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_disk_that_is_full_is_an_error() -> None:
    work = Work(lanes.wait(tasks=1), "python", model="serial")
    with EventLog.opened(Path("/dev/full"), "wait") as log, pytest.raises(OSError, match="No space left"):
        log.begin(work, "python")


def test_descriptors_are_closed(path: Path) -> None:
    work = lanes.wait(tasks=2, duration=0)
    before = os.listdir("/proc/self/fd")
    for model in ("serial", "threading", "native-fork", "asyncio", "multiprocessing"):
        column = models.load(model)
        execute(work, column, "python" if column.family == "python" else None, 2, "log", log=path)
    assert os.listdir("/proc/self/fd") == before


def test_threads_of_one_process_share_a_log(path: Path) -> None:
    work = Work(lanes.wait(tasks=500), "python", model="threading")
    with EventLog.opened(path, "wait") as log:
        threads = [threading.Thread(target=log.begin, args=(work, "python")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(read(path)) == 2000


# ---- of a comparison


def test_a_comparison_logs_one_run_of_each_row(path: Path) -> None:
    work = lanes.wait(tasks=3, duration="1ms")
    result = lanes.compare(work, models="threading,native-epoll", rounds=3, closeup=False, pulse=True, log=str(path))
    assert result.ok
    rows: dict[tuple[str, str | None], int] = defaultdict(int)
    for event in read(path):
        rows[event["model"], event["body"]] += 1
    assert rows == {(row.model, row.body): 12 for row in result}
    ran = {span.process_id for row in result for run in row.runs for span in run.spans}
    assert ran.isdisjoint(event["process_id"] for event in read(path)), "none of those that were timed"


def test_two_runs_with_one_seed_have_the_same_samples_and_tasks_in_the_same_order(tmp_path: Path) -> None:
    work = lanes.wait(tasks=2, duration="0ms,1ms")

    def order(seed: int) -> list[tuple[object, ...]]:
        path = tmp_path / f"{seed}.jsonl"
        path.unlink(missing_ok=True)
        lanes.compare(work, models="serial,threading", rounds=1, closeup=False, seed=seed, log=path)
        arrived = [event for event in read(path) if event["event"] == "arrived"]
        return [(event["model"], event["body"], event["task"]) for event in arrived]

    first = order(3)
    assert len(first) == 12
    assert order(3) == first
    assert any(order(seed) != first for seed in (4, 5))


def test_a_row_whose_logged_run_dies_keeps_what_was_timed(path: Path) -> None:
    result = lanes.compare(
        dies_when_it_is_logged, [str(path)] * 3, models="threading", rounds=1, workers=1, closeup=False, log=path
    )
    row = result["threading"]
    assert (row.error, row.log_error) == (None, "the process of this sample was killed by SIGKILL")
    assert row.runs[0].outcomes == (Outcome("ok", (Value(1),)),) * 3
    assert "threading/python: its log ends early: the process of this sample was killed by SIGKILL" in str(result)
    ends = [event for event in read(path) if event["model"] == "threading" and event["event"] == "failed"]
    assert {event["task"] for event in ends} == {0, 1, 2}
