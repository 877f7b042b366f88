"""The fresh process: what comes back from it, how it dies, and that nothing of it is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pytest

import lanes
from lanes import sample
from lanes.run import Pass
from lanes.types import Outcome, Task
from lanes.value import Value
from lanes.workloads.wait import Wait
from processes import holdings, settled
from support import MARK, marked


@dataclass(frozen=True, slots=True)
class Trick(Wait):
    """A wait whose Python body runs `code` first."""

    code: str = ""

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        def do(task: Task) -> Outcome:
            exec(self.code)
            return Outcome("ok")

        yield do


def trick(code: str) -> Trick:
    return Trick(2, (0,), code)


def test_a_sample_is_a_run_in_another_process() -> None:
    workload = lanes.compute("squares", tasks=3, task_size=100)
    run = sample.take(workload, "native-pthreads", None, 2)
    assert run.outcomes == lanes.run(workload, "serial").outcomes
    assert {span.process_id for span in run.spans}.isdisjoint({os.getpid()})


def test_what_the_work_prints_goes_to_standard_error_and_harms_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    run = sample.take(trick("import os; print('hello'); os.write(1, b'world')"), "serial", "python", 1)
    captured = capfd.readouterr()
    assert run.outcomes == (Outcome("ok"),) * 2
    assert captured.out == ""
    assert "hello" in captured.err
    assert "world" in captured.err


def test_the_work_finds_an_empty_standard_input() -> None:
    assert sample.take(trick("import sys; assert sys.stdin.read() == ''"), "serial", "python", 1).outcomes


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 1)", "killed by signal 35"),
        ("import os; os._exit(3)", "ended with status 3"),
        ("import os; os._exit(0)", "ended without an answer"),
        ("raise LookupError('one\\n  two')", "^LookupError: one two$"),
        ("raise SystemExit(4)", "^SystemExit: 4$"),
    ],
)
def test_a_sample_that_fails_says_how_in_one_line(code: str, message: str) -> None:
    with pytest.raises(sample.SampleError, match=message) as caught:
        sample.take(trick(code), "serial", "python", 1)
    assert "\n" not in str(caught.value)


HANGS = {
    "sleep": "import time; time.sleep(1000)",
    "deaf": "import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); time.sleep(1000)",
    "stopped": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "waits": "import subprocess; subprocess.run(['sleep', '1000'])",
}


@pytest.mark.parametrize("how", HANGS)
@pytest.mark.parametrize("model", ["threading", "multiprocessing", "futures-processes"])
def test_a_sample_that_hangs_is_killed_at_its_deadline_and_so_are_its_workers(
    model: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    before = settled().descriptors
    began = time.monotonic()
    with pytest.raises(sample.SampleError, match=r"^no answer within its deadline of 1 s: "):
        sample.take(trick(HANGS[how]), model, "python", 2, deadline_s=1.0)
    assert time.monotonic() - began >= 1.0
    assert marked(mark, patience_s=10) == []
    assert holdings().descriptors <= before


def test_a_native_sample_that_hangs_is_killed_and_so_are_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    with pytest.raises(sample.SampleError, match=r"deadline of 0\.5 s"):
        sample.take(lanes.wait(tasks=2, duration=1000), "native-fork", None, 2, deadline_s=0.5)
    assert marked(mark, patience_s=10) == []


def test_the_close_up_has_the_same_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    with pytest.raises(sample.SampleError, match="no answer within its deadline of 1 s: "):
        sample.take(lanes.wait(tasks=2, duration=1000), "multiprocessing", "python", 2, "closeup", 1.0)
    assert marked(mark, patience_s=10) == []


def test_a_sample_that_ends_in_time_knows_nothing_of_its_deadline() -> None:
    began = time.monotonic()
    assert sample.take(lanes.wait(tasks=1, duration=0), "serial", "python", 1, deadline_s=1000.0).outcomes
    assert time.monotonic() - began < 500, "it does not wait for it"


@pytest.mark.parametrize("kind", ["timed", "bare", "closeup", "pulse"])
def test_what_is_measured_depends_on_the_pass(kind: Pass) -> None:
    run = sample.take(lanes.wait(tasks=2, duration="1ms"), "asyncio", "python", 2, kind)
    assert (run.counters is None) is (kind == "bare")
    assert (run.closeup is None) is (kind != "closeup")
    assert (run.pulse is None) is (kind != "pulse")


def test_threads_that_never_end_do_not_hold_it_up() -> None:
    code = "import threading, time; threading.Thread(target=time.sleep, args=(1000,)).start()"
    assert sample.take(trick(code), "serial", "python", 1).outcomes == (Outcome("ok"),) * 2


def test_children_that_the_work_leaves_behind_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    sample.take(trick("import subprocess; subprocess.Popen(['sleep', '1000'])"), "serial", "python", 1)
    assert marked(mark, patience_s=10) == []


def test_descriptors_are_closed_whatever_happens() -> None:
    before = os.listdir("/proc/self/fd")
    sample.take(trick("pass"), "serial", "python", 1)
    with pytest.raises(sample.SampleError):
        sample.take(trick("import os; os._exit(3)"), "serial", "python", 1)
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("model", ["serial", "multiprocessing", "futures-processes", "native-fork"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_a_parent_that_is_interrupted_or_killed(model: str, how: signal.Signals) -> None:
    mark = uuid.uuid4().hex
    workers = 1 if model == "serial" else 2
    body = None if model.startswith("native") else "python"
    take = f"sample.take(lanes.wait(duration=1000), {model!r}, {body!r}, {workers})"
    code = f"import lanes; from lanes import sample; {take}"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, MARK: mark}, stderr=subprocess.PIPE, text=True
    )
    with process:
        expected = 2 if model == "serial" else 4  # the parent, the sample, its workers
        until = time.monotonic() + 30
        while len(marked(mark)) < expected and time.monotonic() < until:
            time.sleep(0.02)
        assert len(marked(mark)) >= expected
        process.send_signal(how)
        assert process.wait(30) == -how
        assert marked(mark, patience_s=10) == []
        assert process.stderr is not None
        assert ("KeyboardInterrupt" in process.stderr.read()) == (how is signal.SIGINT)


def test_modules_of_the_current_directory_do_not_get_into_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('the wrong pickle')")
    monkeypatch.chdir(tmp_path)
    assert sample.take(lanes.wait(tasks=1, duration=0), "serial", "python", 1).outcomes == (Outcome("ok"),)


CALLER = """
import os, signal, sys, lanes
from lanes import sample
from lanes.run import Pass
sys.path[:0] = {path!r}
from test_sample import trick
{before}
run = sample.take(trick({code!r}), "serial", "python", 1)
assert len(run.outcomes) == 2
"""


def call(before: str = "", code: str = "pass", flags: Sequence[str] = (), path: Sequence[str] = ()) -> None:
    """Take a sample in a program of its own, which must end well."""
    program = CALLER.format(path=[*path, os.path.dirname(__file__)], before=before, code=code)
    shown = subprocess.run([sys.executable, *flags, "-c", program], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr


def test_a_sample_has_the_interpreter_flags_of_its_caller() -> None:
    call(flags=["-O", "-X", "dev"], code="import sys\nif __debug__ or not sys.flags.dev_mode: raise SystemExit('lost')")


def test_a_sample_has_the_switch_interval_of_its_caller() -> None:
    code = "import sys\nif sys.getswitchinterval() != 0.5: raise SystemExit('lost')"
    call(before="sys.setswitchinterval(0.5)", code=code)


def test_a_sample_has_the_module_path_of_its_caller_whatever_is_in_it(tmp_path: Path) -> None:
    odd = tmp_path / "a:b 'c'"
    odd.mkdir()
    (odd / "an_odd_module.py").touch()
    call(path=[str(odd)], code="import an_odd_module")


@pytest.mark.parametrize("before", ["signal.SIG_IGN", "lambda *_: os.waitpid(-1, 0)"])
def test_a_caller_that_takes_no_interest_in_its_children_gets_its_sample(before: str) -> None:
    # The sample itself must not inherit that: its own children have an end that counts.
    code = "import subprocess\nif subprocess.call(['false']) != 1: raise SystemExit('lost')"
    call(before=f"signal.signal(signal.SIGCHLD, {before})", code=code)


def test_ctrl_c_just_after_the_start_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)

    start = sample._start

    def interrupted(file: BinaryIO, answer: BinaryIO, job: sample.Job) -> subprocess.Popen[bytes]:
        process = start(file, answer, job)
        signal.raise_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(sample, "_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sample.take(lanes.wait(duration=1000), "serial", "python", 1)
    assert marked(mark) == []
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


# ---- chance


def draw(_: object) -> tuple[float, int]:
    return random.random(), hash("a text")


def drawn(model: str, seed: int | None, forked: bool = False) -> list[tuple[float, int]]:
    work = lanes.workload(draw, items=range(4))
    run = sample.take(work, model, "python", 2, forked=forked, seed=seed)
    return [cast(Value, outcome.value[0]).content for outcome in run.outcomes]  # type: ignore[misc]


@pytest.mark.parametrize("model", ["serial", "asyncio", "multiprocessing", "futures-processes[spawn]"])
def test_from_one_seed_comes_the_same_chance(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    # Which of two worker processes takes a task is not left to chance, but to the operating system.
    first, again, other, none = (drawn(model, seed) for seed in (7, 7, 2**63 - 1, None))
    if "processes" in model or "multi" in model:
        workers = [random.Random(f"7/{worker}") for worker in range(2)]
        possible = {worker.random() for worker in workers for _ in range(4)}
        assert {number for number, _ in (*first, *again)} <= possible
    else:
        assert first == again
    assert {text for _, text in first} == {text for _, text in again}
    assert not {number for number, _ in first} & {number for number, _ in other}
    assert not {number for number, _ in first} & {number for number, _ in none}
    assert {text for _, text in first}.isdisjoint({text for _, text in other})


def test_a_fork_draws_from_the_seed_as_well() -> None:
    numbers = [[number for number, _ in drawn("serial", seed, forked=True)] for seed in (7, 7, 8)]
    assert numbers[0] == numbers[1] != numbers[2]


@pytest.mark.parametrize("model", ["multiprocessing", "multiprocessing-pool", "futures-processes"])
def test_no_two_worker_processes_draw_the_same(model: str) -> None:
    numbers = [number for number, _ in drawn(model, 7)]
    assert len(set(numbers)) == 4


def test_the_environment_has_the_last_word_on_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    hashes = {text for seed in (1, 2) for _, text in drawn("serial", seed)}
    assert len(hashes) == 1
