"""A process that is asked where it stands: by its own answer, by its faulthandler, and not at all."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lanes import session
from lanes.witness import ANSWER_S, Witness, hear, parse

PATIENCE_S = 30


@contextmanager
def asked(code: str, demand: bool = False) -> Iterator[Witness]:
    """A Python that has installed its answers and runs this, and has been asked as soon as that printed a line."""
    begin = "import signal, sys, time\nfrom lanes import stacks\nstacks.install()\n"
    code = f"import sys; sys.path[:] = {sys.path!r}\n{begin}{code}"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    with process:
        process.stdout.readline()
        witness = Witness(session.members(process.pid)[0])
        try:
            if witness.demand() if demand else witness.ask():
                soon(witness.has_dumped if demand else witness.has_answered)
            yield witness
        finally:
            process.kill()
            witness.close()


def soon(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not true() and time.monotonic() < until:
        time.sleep(0.05)


def test_an_answer_has_threads_coroutines_and_native_tasks() -> None:
    code = """
import asyncio, threading
from lanes import _core
lock = threading.Lock()
lock.acquire()
threading.Thread(target=lock.acquire, name="other", daemon=True).start()
async def forever():
    with _core.begin("native-pthreads", "wait", [("", 10**13)], 1):
        while not _core.under_way():
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_soon(print)
        asyncio.get_running_loop().call_soon(sys.stdout.flush)
        await asyncio.Event().wait()
asyncio.run(forever())
"""
    with asked(code) as witness:
        assert witness.answer is not None
        assert witness.dump == ""
        assert {each["name"] for each in witness.answer["threads"]} == {"MainThread", "other"}
        (task,) = witness.answer["coroutines"]
        assert [frame[0] for frame in task["frames"]] == ["forever", "Event.wait"]
        ((model, index, worker, *_),) = witness.answer["native"]
        assert (model, index, worker) == ("native-pthreads", 0, 0)


def test_an_answer_is_not_seen_by_the_work() -> None:
    code = """
import os
began = time.monotonic()
time.sleep(3)
os.write(1, b"slept" if time.monotonic() - began >= 3 else b"woken")
sys.exit(0)
"""
    begin = "import sys, time\nfrom lanes import stacks\nstacks.install()\nprint(flush=True)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{begin}{code}"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process:
        process.stdout.readline()
        task = next(each for each in session.members(os.getsid(0)) if each.id == process.pid)
        witness = Witness(task)
        try:
            assert witness.ask()
            soon(witness.has_answered)
            assert witness.answer is not None
        finally:
            witness.close()
        assert process.stdout.read() == b"slept"
    assert process.returncode == 0


def test_a_faulthandler_answers_without_the_gil() -> None:
    code = "import collections, itertools\nprint(flush=True)\ncollections.deque(itertools.repeat(0), maxlen=0)"
    with asked(code, demand=True) as witness:
        assert witness.answer is None
        (thread,) = parse(witness.dump)
        assert thread["frames"][-1][0] == "<module>"


def test_who_has_no_handler_is_not_asked_and_lives() -> None:
    code = """
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_DFL)
print(flush=True)
time.sleep(3600)
"""
    with asked(code) as witness:
        assert not witness.ask()
        assert not witness.demand()
        assert witness.answer is None


def test_a_stranger_is_not_asked() -> None:
    process = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    (task,) = session.members(process.pid)
    witness = Witness(task)
    try:
        began = time.monotonic()
        hear([witness])
        assert time.monotonic() - began < ANSWER_S, "nobody is waited for who cannot answer"
        assert (witness.answer, witness.dump) == (None, "")
        assert process.poll() is None
    finally:
        witness.close()
        process.kill()
        process.wait()


def test_one_that_has_ended_says_nothing() -> None:
    process = subprocess.Popen(["true"], start_new_session=True)
    before = session.Task(process.pid, os.getpid(), process.pid, "true", "runnable")
    process.wait()
    witness = Witness(before)
    hear([witness])
    witness.close()
    assert (witness.answer, witness.dump) == (None, "")


def test_a_dump_is_read_as_faulthandler_writes_it() -> None:
    lock = threading.Lock()
    with lock, tempfile.TemporaryFile("w+") as file:
        other = threading.Thread(target=lock.acquire)
        other.start()
        time.sleep(0.1)
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        threads = parse(file.read())
    other.join()
    assert len(threads) == threading.active_count() + 1
    function, path, line = threads[-1]["frames"][-1]
    assert (function, path) == ("test_a_dump_is_read_as_faulthandler_writes_it", __file__)
    assert "dump_traceback" in Path(__file__).read_text().splitlines()[line - 1]
    assert [frame[0] for frame in threads[0]["frames"]][-1] == "run"
    assert parse("") == []
    assert parse('  File "without a thread", line 1 in f\n') == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
