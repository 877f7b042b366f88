"""What the kernel tells of processes, threads, memory and descriptors, from the files of /proc.

Nothing here fails because a process has ended meanwhile: what is gone is empty, None or left out, and it is for the
caller to see whether a look at several files was a look at one moment. All sizes are in bytes, as what /proc writes in
kB counts 1024.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")

STATES = {
    "R": "runnable",
    "S": "sleeping",
    "D": "waiting for a device",
    "T": "stopped",
    "t": "traced",
    "Z": "ended",
    "X": "ended",
    "I": "idle",
}
"""The kernel's letters. Who is runnable is on a processor or waits for one; which, it does not tell."""

_KIB = 1024


def tree(pid: int, proc: Path = PROC) -> Iterator[int]:
    """A process and all that it started, as far as they still run: each before its children."""
    yield pid
    for thread in threads(pid, proc):
        for child in (read(proc / f"{pid}/task/{thread}/children") or "").split():
            yield from tree(int(child), proc)


def threads(pid: int, proc: Path = PROC) -> list[int]:
    """The ids of a process's threads, the main one first; none of one that has ended."""
    try:
        return sorted(map(int, os.listdir(proc / str(pid) / "task")), key=lambda thread: (thread != pid, thread))
    except OSError:
        return []


def read(path: Path) -> str | None:
    """A file of a process as text; None when the process, or the file, is not there, or not for us."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def size(path: Path, name: str) -> int:
    """What a line such as "Pss:  1234 kB" says; 0 where the process has ended or the kernel has no such file."""
    lines = (read(path) or "").splitlines()
    return next((int(line.split()[1]) * _KIB for line in lines if line.startswith(name)), 0)


def fields(text: str) -> dict[str, str]:
    """What `status` says, by name."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


class Stat(NamedTuple):
    """Of what `stat` says of a thread or a process: its name, its state as a letter, who started it, its session, CPU
    seconds, the processor it ran on last, and where its program and its main stack began, which only an `exec`
    changes."""

    name: str
    state: str
    parent: int
    session: int
    user_s: float
    system_s: float
    cpu: int
    program: tuple[int, int]


def stat(text: str) -> Stat:
    """A name may hold anything, brackets and blanks too; what follows the last bracket is numbers."""
    head, _, rest = text.rpartition(")")
    words = rest.split()
    tick = os.sysconf("SC_CLK_TCK")
    return Stat(
        head.partition("(")[2],
        words[0],
        int(words[1]),
        int(words[3]),
        int(words[11]) / tick,
        int(words[12]) / tick,
        int(words[36]),
        (int(words[23]), int(words[25])),
    )


class Mapping(NamedTuple):
    """One mapping of a process, and what of it is in memory. `flags` are those of the kernel, such as "rw-p"; `name` is
    a path, one of the kernel's names such as [heap], or empty."""

    start: int
    end: int
    flags: str
    name: str
    resident: int
    pss: int
    shared_clean: int
    shared_dirty: int
    private_clean: int
    private_dirty: int
    swap: int

    @property
    def size(self) -> int:
        return self.end - self.start


_HEADER = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$", re.MULTILINE)
_SIZES = ("Rss", "Pss", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Swap")


def mappings(smaps: str) -> list[Mapping]:
    """All mappings of a process, as its `smaps` tells them, by address."""
    heads = list(_HEADER.finditer(smaps))
    ends = [*(head.start() for head in heads), len(smaps)][1:]  # of one that has ended there are none
    return [_mapping(head, smaps[head.end() : end]) for head, end in zip(heads, ends, strict=True)]


def _mapping(head: re.Match[str], body: str) -> Mapping:
    found = {name: int(value.split()[0]) * _KIB for name, value in fields(body).items() if name in _SIZES}
    sizes = (found.get(name, 0) for name in _SIZES)
    return Mapping(int(head[1], 16), int(head[2], 16), head[3], head[4], *sizes)


def private_writable(smaps: str) -> list[tuple[int, int]]:
    """Where the mappings lie whose pages are copied on write: begin and end of each."""
    return [(int(head[1], 16), int(head[2], 16)) for head in _HEADER.finditer(smaps) if head[3].startswith("rw-p")]


class Descriptor(NamedTuple):
    """An open descriptor: its number, its kind in a word ("pipe", "socket"), and the target that the kernel names."""

    number: int
    kind: str
    target: str


def descriptors(pid: int, proc: Path = PROC) -> list[Descriptor]:
    """The open descriptors of a process, by number."""
    folder = proc / str(pid) / "fd"
    found = []
    try:
        numbers = sorted(map(int, os.listdir(folder)))
    except OSError:
        return []
    for number in numbers:
        try:
            target = os.readlink(folder / str(number))
        except OSError:  # closed meanwhile
            continue
        found.append(Descriptor(number, kind_of(target), target))
    return found


_ANONYMOUS = {"eventpoll": "epoll"}


def kind_of(target: str) -> str:
    """The kind of what a descriptor leads to: what the kernel calls it, or where in the file system it is."""
    if match := re.match(r"anon_inode:\[?(\w+)", target):
        return _ANONYMOUS.get(match[1], match[1])
    if match := re.match(r"(\w+):\[", target):  # pipe:[1234]
        return match[1]
    if target.startswith("/memfd:"):
        return "memfd"
    if target.startswith("/dev/shm/"):
        return "shm file"
    if target.startswith(("/proc/", "/sys/")):
        return "proc file"
    if target.startswith(("/dev/pts/", "/dev/tty")):
        return "terminal"
    return "device" if target.startswith("/dev/") else "file"


def pages(pid: int, ranges: list[tuple[int, int]], proc: Path = PROC) -> list[tuple[int, bytes]]:
    """What `pagemap` says of these parts of a process's memory: where each begins, and 8 bytes for each page."""
    page = os.sysconf("SC_PAGE_SIZE")
    found = []
    try:
        descriptor = os.open(proc / str(pid) / "pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        for start, end in ranges:
            found.append((start, os.pread(descriptor, (end - start) // page * 8, start // page * 8)))
    except OSError:
        return []
    finally:
        os.close(descriptor)
    return found
