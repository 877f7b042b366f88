"""What a process holds and a run must give back; what goes on beside a run. Imported by the scripts of tests, too."""

from __future__ import annotations

import gc
import os
import select
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lanes import _core

AREA = 4096
"""Bytes: so much of an area is enough for any work of the tests, also for that which needs none."""


class Holdings(NamedTuple):
    threads: frozenset[int]
    children: frozenset[int]
    """Zombies included."""
    descriptors: frozenset[tuple[int, str]]
    """Each with what it is open on: a number may be used again."""


def holdings(pid: int | None = None) -> Holdings:
    proc = Path("/proc", str(pid or "self"))
    threads = [int(thread) for thread in os.listdir(proc / "task")]
    descriptors = set()
    for fd in os.listdir(proc / "fd"):
        try:
            descriptors.add((int(fd), os.readlink(proc / "fd" / fd)))
        except FileNotFoundError:  # the one that this listing was read from
            continue
    return Holdings(frozenset(threads), frozenset(children(pid or os.getpid())), frozenset(descriptors))


def children(pid: int) -> set[int]:
    """The children of all threads of a process."""
    found: set[int] = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            found.update(map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split()))
        except OSError:  # it has just ended
            continue
    return found


def settled() -> Holdings:
    """The holdings of this process, once they stay the same: what an earlier test ended may need a moment to go."""
    gc.collect()
    now, since = holdings(), time.monotonic()
    while time.monotonic() - since < 0.05:
        time.sleep(0.001)
        if (later := holdings()) != now:
            now, since = later, time.monotonic()
    return now


def left_since(before: Holdings) -> str:
    """What this process holds more, or less, than then; "" when all is as it was.

    A thread that has been joined may need a moment more to leave the kernel's list, so that is given.
    """
    until = time.monotonic() + 1
    while (now := holdings()) != before and time.monotonic() < until:
        time.sleep(0.001)
    return "" if now == before else f"before: {before}, after: {now}"


def asleep(pid: int) -> bool:
    """Whether a worker of native-fork sleeps in a task: it has settled, which is to ignore SIGINT, and waits."""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    except OSError:
        return False
    return bool(int(status["SigIgn"], 16) & 1 << 1) and status["State"].split()[0] == "S"


def until(true: Callable[[], object]) -> None:
    """Look until it is true; that it never is, pytest's time-out says."""
    while not true():
        time.sleep(0.001)


@contextmanager
def in_a_thread(call: Callable[[], object]) -> Iterator[list[object]]:
    """Run this beside the block; what it returned, or raised, is in the list when the block is left."""
    result: list[object] = []

    def main() -> None:
        try:
            result.append(call())
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=main)
    thread.start()
    try:
        yield result
    finally:
        thread.join()
        until(lambda: str(thread.native_id) not in os.listdir("/proc/self/task"))


def script(code: str, *args: str) -> str:
    """What a fresh interpreter prints that runs this, and finds modules where we do."""
    code = f"import sys; sys.path[:] = {sys.path!r}\n{code}"
    shown = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stderr) == (0, ""), shown.stderr
    return shown.stdout


def flown(
    model: str, workload: str, tasks: list[_core.TaskInput], workers: int, area: _core.Area | None = None
) -> _core.Records:
    """The same as `_core.run`, begun, stepped and finished by a caller that waits for the descriptor only."""
    with _core.begin(model, workload, tasks, workers, None, None, area) as flight:
        while not flight.step():
            select.select([flight], [], [])
        return flight.finish()


def payload(via: str, size: int, first: int = 0) -> _core.TaskInput:
    """A task of `exchange`."""
    period = bytes(range(251))
    return via, size, first, zlib.crc32((period * (size // 251 + 2))[first : first + size])


def recorded(
    model: str, workload: str, tasks: list[_core.TaskInput], workers: int, area: _core.Area | None = None
) -> list[_core.Record]:
    """Run all tasks on this model; what came of each."""
    records = _core.run(model, workload, tasks, workers, None, None, area)
    return [records[n] for n in range(len(records))]
