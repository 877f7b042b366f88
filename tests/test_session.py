"""The processes of a session, from outside: who is one of them, what the kernel says of threads, and their end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lanes import session
from support import MARK, marked

SLEEPS = "import time; time.sleep(3600)"


@contextmanager
def leading(code: str, mark: str = "") -> Iterator[subprocess.Popen[str]]:
    """A Python in a session of its own that runs this; it has printed a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {MARK: mark},
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield process
    finally:
        session.end(process.pid)
        process.wait()
        process.stdout.close()


def soon(true: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    assert true()


FAMILY = f"""
import os, subprocess, sys, time
children = [subprocess.Popen([sys.executable, "-c", {SLEEPS!r}], start_new_session=own) for own in (False, True)]
print(*(child.pid for child in children), flush=True)
time.sleep(3600)
"""


def test_members_are_the_session_and_all_that_it_started_and_they_end() -> None:
    mark = uuid.uuid4().hex
    with leading(FAMILY, mark) as process:
        soon(lambda: len(session.members(process.pid)) == 3)
        found = session.members(process.pid)
        assert found[0].id == process.pid or process.pid in {each.id for each in found}
        assert {each.id for each in found} == set(marked(mark))
        assert {each.parent_id for each in found} == {os.getpid(), process.pid}
        assert len({each.session_id for each in found}) == 2
        assert os.getpid() not in {each.id for each in found}
        session.end(process.pid)
        assert marked(mark, patience_s=10) == []
        assert session.members(process.pid) == [], "the dead are none"


THREADS = """
import threading, time
lock = threading.Lock()
lock.acquire()
threading.Thread(target=lock.acquire, daemon=True).start()
print("here", flush=True)
time.sleep(3600)
"""


def test_threads_are_what_the_kernel_says() -> None:
    with leading(THREADS) as process:
        soon(lambda: [each.system_call for each in session.threads(process.pid)] == ["clock_nanosleep", "futex"])
        main, other = session.threads(process.pid)
        assert main.id == process.pid < other.id
        assert (main.state, other.state) == ("sleeping", "sleeping")
        assert main.waits_in != ""
    assert session.threads(process.pid) == []


@pytest.mark.parametrize("name", ["a b", "a) S (b", "1 (x) R 2 3"])
def test_a_name_may_have_anything_in_it(name: str) -> None:
    code = f"from pathlib import Path; Path('/proc/self/comm').write_text({name!r}); print(flush=True); {SLEEPS}"
    with leading(code) as process:
        soon(lambda: session.members(process.pid)[0].state == "sleeping")
        (found,) = session.members(process.pid)
        assert (found.id, found.parent_id, found.session_id) == (process.pid, os.getpid(), process.pid)
        assert found.name == name


SHARED = """
import multiprocessing, sys, time
from multiprocessing import shared_memory
context = multiprocessing.get_context("forkserver")
child = context.Process(target=time.sleep, args=(3600,))
child.start()
area = shared_memory.SharedMemory(create=True, size=100)
print(area.name, flush=True)
time.sleep(3600)
"""


def test_what_is_tracked_is_tidied_up_and_helpers_are_known() -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SHARED], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    with process:
        area = process.stdout.readline().strip()
        assert area in os.listdir("/dev/shm")
        found = session.members(process.pid)
        helpers = [helper for helper in map(session.helper, found) if helper]
        assert sorted(helpers) == ["multiprocessing.forkserver", "multiprocessing.resource_tracker"]
        assert len(found) == 4, "what the fork server forked is none of them"
        session.end(process.pid)
    assert area not in os.listdir("/dev/shm")
