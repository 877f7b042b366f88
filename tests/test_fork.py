"""A sample in a fork: like one in a new interpreter, but with all that the caller has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import lanes
from lanes import fork, sample
from lanes.types import Outcome, Run
from lanes.value import Value
from support import MARK, marked
from test_sample import trick

LOCK = threading.Lock()


def take(code: str, model: str = "serial", workers: int = 1) -> Run:
    return sample.take(trick(code), model, "python", workers, forked=True)


def test_it_runs_in_another_process_with_what_the_caller_has() -> None:
    run = take("import test_fork; assert test_fork.LOCK.locked()") if LOCK.acquire() else None
    LOCK.release()
    assert run is not None
    assert run.outcomes == (Outcome("ok"),) * 2
    assert os.getpid() not in {span.process_id for span in run.spans}


def test_it_has_streams_of_its_own() -> None:
    code = """
import os, sys
from lanes import sample
from test_sample import trick
print("unwritten", end="")
code = "import sys; print('hello'); assert sys.stdin.read() == ''; print('world', file=sys.stderr)"
sample.take(trick(code), "serial", "python", 1, forked=True)
"""
    program = f"import sys; sys.path[:0] = [{os.path.dirname(__file__)!r}]\n{code}"
    done = subprocess.run([sys.executable, "-c", program], input="mine", capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("unwritten", "hello\nworld\n" * 2)


@contextmanager
def handling(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_it_has_no_handlers_and_no_traces_of_the_caller() -> None:
    code = (
        "import signal, sys; assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL; assert sys.gettrace() is None"
    )
    code += "; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    code += "; assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])"
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        with handling(signal.SIGTERM), handling(signal.SIGINT):
            assert len(take(code).outcomes) == 2
    finally:
        sys.settrace(before)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("import os; os._exit(3)", "ended with status 3"),
        ("raise LookupError('one\\n  two')", "^LookupError: one two$"),
    ],
)
def test_it_may_fail(code: str, message: str) -> None:
    with pytest.raises(sample.SampleError, match=message):
        take(code)


def test_what_goes_wrong_before_an_answer_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise LookupError("lost")

    assert fork.start(main).wait() == 1
    assert capfd.readouterr().err.endswith("LookupError: lost\n")


def test_other_threads_are_no_reason_for_a_warning() -> None:
    event = threading.Event()
    thread = threading.Thread(target=event.wait)
    thread.start()
    try:
        for model in ("serial", "threading", "multiprocessing", "futures-processes"):
            assert len(take("pass", model, 2).outcomes) == 2
    finally:
        event.set()
        thread.join()


def test_the_status_may_be_lost() -> None:
    child = fork.start(lambda: None)
    os.waitpid(child.pid, 0)
    assert child.wait() == 0
    child.kill()


@pytest.mark.parametrize("model", ["serial", "multiprocessing"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_a_caller_that_is_interrupted_or_killed(
    model: str, how: signal.Signals, tmp_path: Path
) -> None:
    mark = uuid.uuid4().hex
    script = tmp_path / "script.py"
    script.write_text(f"""
import threading, time, lanes
lock = threading.Lock()
def f(n):
    with lock:
        time.sleep(1000)
lanes.compare(f, [1, 2], models="{model}", workers=2, rounds=1)
""")
    process = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, MARK: mark}, stderr=subprocess.PIPE, text=True
    )
    with process:
        until = time.monotonic() + 30
        while len(marked(mark)) < 2 and time.monotonic() < until:  # a fork of a script has its environment
            time.sleep(0.02)
        assert len(marked(mark)) >= 2
        process.send_signal(how)
        assert process.wait(30) == -how
        assert marked(mark, patience_s=10) == []
        assert process.stderr is not None
        assert process.stderr.read().count("Traceback") == (how is signal.SIGINT)


def test_descriptors_are_closed_and_children_reaped() -> None:
    before = os.listdir("/proc/self/fd")
    take("pass")
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_lock_as_an_item() -> None:
    run = sample.take(lanes.workload(lambda lock: lock.locked(), items=[LOCK]), "threading", "python", 1)
    assert run.outcomes == (Outcome("ok", (Value(False),)),)
