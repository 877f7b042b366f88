"""The processes of a sample, from outside: which they are, what the kernel says of their threads, and their end.

The sample leads a session of its own, so all that it started is found by that, or as the child of what was found.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lanes import _core

_PROC = Path("/proc")
_TRACKER = "multiprocessing.resource_tracker"
_CLEAN_UP_S = 1.0
"""How long a tracker of multiprocessing's resources may take, once nobody has any."""

STATES = {
    "R": "running",
    "S": "asleep",
    "D": "in a wait that cannot be interrupted",
    "T": "stopped",
    "t": "stopped by a debugger",
    "Z": "dead",
    "X": "dead",
    "I": "idle",
}
"""The kernel's letters in words."""


@dataclass(frozen=True, slots=True)
class Task:
    """A process or a thread, as the kernel sees it; it calls both a task.

    state:       "running", "asleep", "stopped", ...: see STATES.
    system_call: the one it waits in; None for none, and where the kernel does not say.
    waits_in:    the function of the kernel, likewise.
    """

    id: int
    parent_id: int
    session_id: int
    name: str
    state: str
    system_call: str | None = None
    waits_in: str | None = None


def members(leader: int) -> list[Task]:
    """The process that leads the session, all others in it and all that these started, by their ids; no dead ones."""
    alive = [each for each in map(_process, _numbers(_PROC)) if each is not None and each.state != "dead"]
    found = {each.id for each in alive if leader in (each.id, each.session_id)}
    while more := {each.id for each in alive if each.parent_id in found} - found:
        found |= more
    return [each for each in alive if each.id in found]


def threads(process: int) -> list[Task]:
    """The threads of a process, by their ids; the first started has the id of the process."""
    directory = _PROC / str(process) / "task"
    found = (_read(directory / str(number), waits=True) for number in _numbers(directory))
    return [each for each in found if each is not None]


def end(leader: int) -> None:
    """Kill all processes of the session, and then let those that track resources of multiprocessing do what they are
    for: they unlink the semaphores and the shared memory that the others had no time to."""
    found = members(leader)
    trackers = [each.id for each in found if helper(each) == _TRACKER]
    for each in found:
        if each.id not in trackers:
            _kill(each.id)
    until = time.monotonic() + _CLEAN_UP_S
    while any(map(_runs, trackers)) and time.monotonic() < until:
        time.sleep(0.005)
    for tracker in filter(_runs, trackers):
        _kill(tracker)


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def helper(process: Task) -> str | None:
    """The module of multiprocessing's that a process runs to help others, None for any other process.

    What a fork server forks still has its command line.
    """
    found = _runs_module(process.id)
    return None if found == _runs_module(process.parent_id) else found


def _runs_module(process: int) -> str | None:
    with suppress(OSError):
        command = (_PROC / str(process) / "cmdline").read_bytes()
        match = re.search(rb"multiprocessing\.(?:resource_tracker|forkserver)", command)
        return match[0].decode() if match else None
    return None


def _runs(process: int) -> bool:
    found = _process(process)
    return found is not None and found.state != "dead"


def _process(number: int) -> Task | None:
    return _read(_PROC / str(number))


def _numbers(directory: Path) -> Iterable[int]:
    try:
        return sorted(int(name) for name in os.listdir(directory) if name.isdigit())
    except OSError:  # it has just ended
        return ()


def _read(directory: Path, waits: bool = False) -> Task | None:
    """A process or a thread by its directory; None when it has just ended."""
    try:
        text = (directory / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name stands in brackets, and may have any in it.
    number, _, rest = text.partition(" (")
    name, _, fields = rest.rpartition(") ")
    state, parent, _, session = fields.split()[:4]
    asleep = waits and state in "SD"
    return Task(
        int(number),
        int(parent),
        int(session),
        name,
        STATES.get(state, state),
        _system_call(directory) if asleep else None,
        _waits_in(directory) if asleep else None,
    )


def _system_call(directory: Path) -> str | None:
    """Kernels may be built without it, and may deny it."""
    try:
        number = (directory / "syscall").read_text().split()[0]
        return _core.system_call(int(number))
    except (OSError, ValueError, IndexError):
        return None


def _waits_in(directory: Path) -> str | None:
    with suppress(OSError):
        function = (directory / "wchan").read_text().strip()
        return function if function not in ("", "0") else None
    return None
