"""The processes of a sample, from outside: which they are, what the kernel says of their threads, and their end.

The sample leads a session of its own, so all that it started is found by that, or as the child of what was found.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lanes import _core, proc

_TRACKER = "multiprocessing.resource_tracker"
_HELPERS = re.compile(r"multiprocessing\.(?:resource_tracker|forkserver)")
_CLEAN_UP_S = 5.0
"""How long a tracker of multiprocessing's resources may take, once nobody has any."""


@dataclass(frozen=True, slots=True)
class Task:
    """A process or a thread, as the kernel sees it; it calls both a task.

    state:       "runnable", "sleeping", "stopped", ...: see `proc.STATES`.
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

    @property
    def runs(self) -> bool:
        """Whether it has not ended. One that has may be there still, until somebody asks how."""
        return self.state != "ended"


def members(leader: int) -> list[Task]:
    """The process that leads the session, all others in it and all that these started, by their ids; as far as they
    still run."""
    running = [each for each in _all() if each.runs]
    found = {each.id for each in running if leader in (each.id, each.session_id)}
    while more := {each.id for each in running if each.parent_id in found} - found:
        found |= more
    return [each for each in running if each.id in found]


def threads(process: int) -> list[Task]:
    """The threads of a process, the first started at first, which has the id of the process."""
    found = (_task(proc.PROC / f"{process}/task/{thread}", waits=True) for thread in proc.threads(process))
    return [each for each in found if each is not None]


def helper(process: Task) -> str | None:
    """The module of multiprocessing's that a process runs to help others, None for any other process.

    What a fork server forks still has its command line.
    """
    found = _module(process.id)
    return None if found == _module(process.parent_id) else found


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


def _all() -> Iterator[Task]:
    for number in sorted(int(name) for name in os.listdir(proc.PROC) if name.isdigit()):
        task = _task(proc.PROC / str(number))
        if task is not None:
            yield task


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _runs(process: int) -> bool:
    task = _task(proc.PROC / str(process))
    return task is not None and task.runs


def _module(process: int) -> str | None:
    match = _HELPERS.search(proc.read(proc.PROC / str(process) / "cmdline") or "")
    return match[0] if match else None


def _task(directory: Path, waits: bool = False) -> Task | None:
    """A process or a thread by its directory; None when it has just ended."""
    text = proc.read(directory / "stat")
    if not text:
        return None
    stat = proc.stat(text)
    waits = waits and stat.state in "SD"
    return Task(
        int(directory.name),
        stat.parent,
        stat.session,
        stat.name,
        proc.STATES.get(stat.state, stat.state),
        _system_call(directory) if waits else None,
        _waits_in(directory) if waits else None,
    )


def _system_call(directory: Path) -> str | None:
    """Kernels may be built without it, and may deny it."""
    words = (proc.read(directory / "syscall") or "").split()
    return _core.system_call(int(words[0])) if words and words[0].lstrip("-").isdigit() else None


def _waits_in(directory: Path) -> str | None:
    function = (proc.read(directory / "wchan") or "").strip()
    return function if function not in ("", "0") else None
