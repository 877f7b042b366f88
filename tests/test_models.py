"""The columns: found by name, true to their order of tasks, and clean when something goes wrong under them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

import lanes
from lanes import _core, interpreter, models, sample
from lanes.models import (
    futures_processes,
    futures_threads,
    loop,
    loop_native,
    loop_processes,
    loop_threads,
    native,
    pool,
    processes,
    serial,
    threads,
)
from lanes.run import execute
from lanes.types import Done, Model, Outcome, Task
from lanes.work import Work, done
from lanes.workloads.wait import Wait

# mypy checks here that modules and engine models alike keep the contract.
COLUMNS: list[Model] = [
    serial,
    threads,
    futures_threads,
    processes,
    pool,
    futures_processes,
    loop,
    loop_threads,
    loop_processes,
    native.SERIAL,
    native.PTHREADS,
    native.FORK,
    native.EPOLL,
    loop_native,
]
PROCESSES = ("multiprocessing", "multiprocessing-pool", "futures-processes")
CONCURRENT = [name for name in models.names() if not name.endswith("serial")]


def test_the_grid_has_the_columns_of_the_design() -> None:
    assert [column.name for column in COLUMNS] == list(models.names())
    assert [models.load(name) for name in models.names()] == COLUMNS
    assert models.FAMILIES["native"] == (*_core.MODELS, "asyncio-native")
    for column in COLUMNS:
        assert column.name in models.FAMILIES[column.family]
        assert column.switching
        assert column.processors
    assert {column.name: set(column.reasons) for column in COLUMNS if column.reasons} == {"asyncio": {"released"}}
    forking = {*PROCESSES, "asyncio-processes", "native-fork"}
    assert {column.name for column in COLUMNS if column.start_method == "fork"} == forking
    looping = ["asyncio", "asyncio-threads", "asyncio-processes", "asyncio-native"]
    assert [column.name for column in COLUMNS if column.loop] == looping
    assert [column.name for column in COLUMNS if column.coroutines] == ["asyncio"]


def test_select() -> None:
    assert models.select("all") == models.names()
    assert models.select("native") == models.FAMILIES["native"]
    assert models.select("asyncio, native,serial,native-epoll") == ("asyncio", *models.FAMILIES["native"], "serial")
    assert models.select(["python"]) == models.FAMILIES["python"]
    assert models.select(name for name in ["asyncio", "native"]) == ("asyncio", *models.FAMILIES["native"])


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"^unknown model 'greenlets': the models are serial, threading, .*asyncio-native$"
    ):
        models.load("greenlets")
    allowed = "choose all, python, native, variants or any of serial, "
    with pytest.raises(ValueError, match=f"^unknown model 'greenlets': {allowed}"):
        models.select("serial,greenlets")
    for nothing in ("", (), iter(())):
        with pytest.raises(ValueError, match="choose all, python, native, variants or any of serial, "):
            models.select(nothing)


def test_a_model_is_imported_only_when_it_is_asked_for() -> None:
    program = (
        "import sys, lanes, lanes.models, lanes.workloads; lanes.models.select('all');"
        "print(sorted({'asyncio', 'multiprocessing', 'concurrent.futures', 'requests', 'aiohttp'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize("model", CONCURRENT)
def test_tasks_are_claimed_in_order_whenever_a_worker_is_free(model: str) -> None:
    run = lanes.run(lanes.wait(tasks=4, duration="400ms,1ms,1ms,1ms"), model, workers=2)
    first, *others = [span.worker for span in run.spans]
    assert others == [1 - first] * 3, "one worker has the long task, the other all the rest"
    claimed = [span.claimed_ns for span in run.spans[1:]]
    assert claimed == sorted(claimed)


@dataclass(frozen=True, slots=True)
class Faulty:
    """A row whose third task does what no body should; or that cannot be opened at all."""

    fault: str
    name: str = "wait"
    compiled: bool = True
    blocking: bool = True
    twins: bool = False
    warm_up: None = None
    default_workers: int = 2

    @property
    def params(self) -> dict[str, object]:
        return {}

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(Task(n) for n in range(8))

    @contextmanager
    def serve(self) -> Iterator[Self]:
        yield self

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        if self.fault == "open":
            raise KeyError("no way in")
        yield self.do

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
        async def do(task: Task) -> Outcome:
            return body(task)

        with self.open() as body:
            yield do

    def do(self, task: Task) -> Outcome:
        if task.index == 2:
            if self.fault == "raise":
                raise KeyError("lost")
            if self.fault == "leave":
                raise SystemExit("enough")
            if self.fault == "exit":
                os._exit(7)
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome("ok")


def settled() -> None:
    """Wait for threads and children that pools leave to end by themselves."""
    wait_until(lambda: threading.active_count() == 1 and not multiprocessing.active_children())


def run_faulty(model: str, fault: str) -> None:
    models.load(model).run(Work(Faulty(fault), "python"), 2)


@pytest.mark.parametrize("model", models.FAMILIES["python"])
def test_an_exception_of_a_body_comes_out_as_itself(model: str) -> None:
    with pytest.raises(KeyError, match="lost"):
        run_faulty(model, "raise")
    settled()


@pytest.mark.parametrize("model", [name for name in models.FAMILIES["python"] if name != "multiprocessing-pool"])
def test_a_body_that_leaves_the_program_ends_the_run(model: str) -> None:
    with pytest.raises(SystemExit, match="enough"):
        run_faulty(model, "leave")
    settled()


def test_a_pool_lets_a_body_end_its_worker() -> None:
    with pytest.raises(RuntimeError, match=r"^worker process \d+ ended with status 1$"):
        run_faulty("multiprocessing-pool", "leave")
    settled()


@pytest.mark.parametrize("model", models.FAMILIES["python"])
def test_a_worker_that_cannot_begin_ends_the_run(model: str) -> None:
    with pytest.raises(KeyError, match="no way in"):
        run_faulty(model, "open")
    settled()


@pytest.mark.parametrize("model", PROCESSES)
@pytest.mark.parametrize(("fault", "told"), [("kill", "was killed by SIGKILL"), ("exit", "ended with status 7")])
def test_a_worker_that_dies_is_an_error_and_not_a_hang(model: str, fault: str, told: str) -> None:
    if model == "futures-processes":  # its own words, which name no signal before Python 3.15
        with pytest.raises(BrokenProcessPool):
            run_faulty(model, fault)
    else:
        with pytest.raises(RuntimeError, match=rf"^worker process \d+ {told}$"):
            run_faulty(model, fault)


@pytest.mark.parametrize("model", models.names())
def test_tasks_are_made_once_and_for_all(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    tasks = tuple(Task(n, "", (0,)) for n in range(50))

    def make(workload: Wait) -> tuple[Task, ...]:
        made.append(os.getpid())
        return tasks

    monkeypatch.setattr(Wait, "tasks", property(make))
    assert len(execute(Wait(50, (0,)), models.load(model), None, 2).outcomes) == 50
    assert made == [os.getpid()]


def test_what_the_engine_recorded_is_not_converted_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[int] = []

    def watched(index: int, record: _core.Record) -> Done:
        converted.append(index)
        return done(index, record)

    monkeypatch.setattr(native, "done", watched)
    results = native.SERIAL.run(Work(lanes.wait(tasks=3, duration=0), "released"), 1)
    assert converted == []
    assert [each.task for each in results] == converted == [0, 1, 2]


SCRIPT = """
import threading, lanes
print("top")
threading.Thread(target=threading.Event().wait, daemon=True).start()
run = lanes.run(lanes.compute("primes", tasks=4, task_size=3000), "{model}", workers=2)
work_s = sum(span.cpu_ns for span in run.spans) / 1e9
print(run.start_method, len(set(span.process_id for span in run.spans)), run.cpu_s >= 0.9 * work_s > 0)
"""


@pytest.mark.parametrize("model", PROCESSES)
def test_beside_other_threads_a_run_forks_from_a_process_of_its_own(model: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(model=model))
    shown = subprocess.run([sys.executable, "-W", "error", str(script)], capture_output=True, text=True)
    assert (shown.stdout, shown.stderr) == ("top\nfork 2 True\n", "")


def test_more_tasks_than_a_pipe_holds() -> None:
    workload = lanes.wait(tasks=2000, duration=0)
    for model in models.names():
        assert len(lanes.run(workload, model, workers=2).outcomes) == 2000


@pytest.mark.parametrize("model", models.names())
def test_a_run_leaves_no_thread_and_no_child(model: str) -> None:
    lanes.run(lanes.wait(tasks=4, duration="1ms"), model, workers=2)
    assert threading.active_count() == 1
    assert not multiprocessing.active_children()


PROGRAM = """
import sys
import lanes
print("ready", flush=True)
lanes.run(lanes.wait(tasks=100, duration=sys.argv[2]), sys.argv[1], workers=2)
"""


@contextmanager
def a_long_run(tmp_path: Path, model: str, duration: str, workers: int) -> Iterator[subprocess.Popen[str]]:
    """A script that runs `model`, once it has all its workers; in a group of its own, killed at the end."""
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(script), model, duration],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            wait_until(lambda: len(workers_under(process.pid)) == workers or process.poll() is not None)
            assert process.poll() is None
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_until(true: Callable[[], bool]) -> None:
    """Look until it is true; that it never is, pytest's time-out says."""
    while not true():
        time.sleep(0.01)


def workers_under(pid: int) -> set[int]:
    """The processes below this one that ignore SIGINT, as workers do once they have settled, and sleep in a task."""
    found: set[int] = set()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found |= workers_under(int(child))
        status = dict(line.split(":", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
        if int(status["SigIgn"], 16) & 1 << (signal.SIGINT - 1):
            found.add(int(child))
    return found


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("model", PROCESSES)
def test_workers_die_with_their_parent(model: str, tmp_path: Path) -> None:
    with a_long_run(tmp_path, model, "20s", workers=2) as process:
        crew = workers_under(process.pid)
        process.kill()
        process.wait()
        wait_until(lambda: all(map(gone, crew)))


@pytest.mark.parametrize("model", models.FAMILIES["python"])
def test_ctrl_c_ends_a_run_with_one_traceback(model: str, tmp_path: Path) -> None:
    with a_long_run(tmp_path, model, "300ms", workers=2 * (model in PROCESSES)) as process:
        time.sleep(0.3)  # well into the first tasks
        crew = workers_under(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        _, words = process.communicate()
        assert process.returncode == -signal.SIGINT
        assert words.rstrip().endswith("KeyboardInterrupt")
        assert "Process " not in words, "no worker has printed a traceback of its own"
        wait_until(lambda: all(map(gone, crew)))


# ---- who decides to switch, and how many processors there are for it


@pytest.mark.parametrize(
    ("name", "body", "with_gil", "without"),
    [
        ("serial", "python", "1", "1"),
        ("threading", "python", "1", "many"),
        ("threading", "held", "1", "many"),
        ("threading", "released", "many", "many"),
        ("futures-threads", "python", "1", "many"),
        ("asyncio", "held", "1", "1"),
        ("asyncio-threads[uvloop]", "python", "1", "many"),
        ("multiprocessing[spawn]", "python", "many", "many"),
        ("native-epoll", None, "1", "1"),
        ("native-pthreads", None, "many", "many"),
    ],
)
def test_how_many_processors_a_model_can_use_depends_on_body_and_gil(
    name: str, body: str | None, with_gil: str, without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for gil, many in ((True, with_gil), (False, without)):
        monkeypatch.setattr(interpreter, "gil", lambda gil=gil: gil)
        assert models.processors(models.load(name), body) == many


@pytest.mark.parametrize("name", [*models.names(), *models.variants()])
def test_a_run_knows_who_switches_on_how_many_processors_and_its_variant(name: str) -> None:
    column, work = models.load(name), lanes.wait(tasks=1, duration=0)
    run = sample.take(work, name, None if column.family == "native" else "held", 1)
    assert run.model == name
    assert run.variant == (name.partition("[")[2].rstrip("]") or None)
    assert run.processors in ("1", "many")
    if not name.startswith("asyncio-native"):
        assert run.switching == column.switching
    else:
        assert (run.switching, run.processors) == ("the task, when it would block", "1")


def test_what_computes_for_a_loop_uses_many_processors() -> None:
    run = lanes.run(lanes.compute("squares", tasks=2, task_size=10), "asyncio-native")
    assert (run.switching, run.processors) == ("the operating system, pre-emptively", "many")


# ---- variants


def test_a_variant_is_its_model_with_another_name() -> None:
    spawn = models.load("multiprocessing[spawn]")
    plain = models.load("multiprocessing")
    assert (spawn.name, spawn.start_method, spawn.variants) == ("multiprocessing[spawn]", "spawn", {})
    assert (spawn.family, spawn.switching, spawn.processors) == (plain.family, plain.switching, plain.processors)
    assert models.load("futures-processes[chunked]").start_method == "fork"
    assert models.load("asyncio[uvloop]").start_method is None


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("multiprocessing[x]", r"unknown variant 'multiprocessing\[x\]': there are multiprocessing\[fork\], "),
        ("serial[spawn]", r"unknown variant 'serial\[spawn\]': serial has none"),
        ("greenlets[spawn]", r"unknown model 'greenlets\[spawn\]': a variant is written model\[variant\]"),
        ("asyncio[uvloop", r"unknown model 'asyncio\[uvloop': a variant is written model\[variant\]"),
    ],
)
def test_variants_that_there_are_not(name: str, refusal: str) -> None:
    with pytest.raises(ValueError, match=f"^{refusal}"):
        models.select(name)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python has eager tasks")
def test_a_variant_that_this_python_lacks() -> None:
    with pytest.raises(ValueError, match=r"^asyncio\[eager\] needs Python 3\.12 or later$"):
        models.select("asyncio[eager]")
    assert "asyncio[eager]" not in models.select("variants")


def test_variants_stand_behind_their_models() -> None:
    chosen = models.select("asyncio[uvloop],native-fork,multiprocessing[spawn],multiprocessing,multiprocessing[fork]")
    assert models.in_order(chosen) == [
        "multiprocessing",
        "multiprocessing[fork]",
        "multiprocessing[spawn]",
        "asyncio[uvloop]",
        "native-fork",
    ]
    assert set(models.select("variants")) == set(models.variants())


@pytest.mark.parametrize("name", models.variants())
def test_every_variant_gives_the_answers_of_serial(name: str) -> None:
    for work in (lanes.compute("squares", tasks=9, task_size=50), lanes.wait(tasks=5, duration="1ms")):
        expected = lanes.run(work, "serial").outcomes
        for body in ("python", "held"):
            run = sample.take(work, name, body, 2)
            assert run.outcomes == expected
            assert run.start_method == models.load(name).start_method
            assert run.counters is not None
            assert 1 <= len(run.counters.usages) <= 3, "its workers were counted, spawned ones too"


def test_spawned_workers_count_what_they_pickle() -> None:
    work = lanes.wait(tasks=8, duration=0)
    seen = [sample.take(work, f"multiprocessing[{how}]", "python", 2, "closeup").closeup for how in ("fork", "spawn")]
    fork, spawn = (each.pickled_bytes if each else None for each in seen)
    assert fork is not None
    assert spawn == pytest.approx(fork, rel=0.05)
