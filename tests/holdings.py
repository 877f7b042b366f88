"""What a process holds and a run must give back: threads, children, descriptors. Imported by scripts of tests, too."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple


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


def left_since(before: Holdings) -> str:
    """What this process holds more, or less, than then; "" when all is as it was.

    A thread that has been joined may need a moment more to leave the kernel's list, so that is given.
    """
    until = time.monotonic() + 1
    while (now := holdings()) != before and time.monotonic() < until:
        time.sleep(0.001)
    return "" if now == before else f"before: {before}, after: {now}"
