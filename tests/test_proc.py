"""What /proc tells: read from real processes, from text as the kernel writes it, and from processes that have ended."""

from __future__ import annotations

import mmap
import os
import select
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from lanes import proc

SMAPS = """\
55d0c0000000-55d0c0003000 r-xp 00001000 fe:00 26723                      /usr/bin/a program
Size:                 12 kB
Rss:                   8 kB
Pss:                   3 kB
Shared_Clean:          4 kB
Shared_Dirty:          1 kB
Private_Clean:         2 kB
Private_Dirty:         1 kB
Swap:                  5 kB
VmFlags: rd ex mr mw me
7f0000000000-7f0000002000 rw-p 00000000 00:00 0
Size:                  8 kB
Rss:                   0 kB
VmFlags: rd wr mr mw me ac
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
"""


def test_mappings_have_their_addresses_flags_names_and_sizes() -> None:
    program, anonymous, kernels = proc.mappings(SMAPS)
    assert program == (
        0x55D0C0000000, 0x55D0C0003000, "r-xp", "/usr/bin/a program", 8192, 3072, 4096, 1024, 2048, 1024, 5120
    )  # fmt: skip
    assert program.size == 3 * 4096
    assert (anonymous.name, anonymous.flags, anonymous.resident, anonymous.size) == ("", "rw-p", 0, 8192)
    assert (kernels.name, kernels.resident) == ("[vsyscall]", 0)
    assert proc.private_writable(SMAPS) == [(0x7F0000000000, 0x7F0000002000)]
    assert proc.mappings("") == []


def test_a_stat_is_read_whatever_the_name_is() -> None:
    numbers = " ".join(str(n) for n in range(4, 53))
    found = proc.stat(f"77 (a (b) c) R 3 {numbers}\n")
    tick = os.sysconf("SC_CLK_TCK")
    # The numbers are those of the fields, less one.
    assert found == ("a (b) c", "R", 3, 5, 13 / tick, 14 / tick, 38, (25, 27))


def test_our_own_stat_is_ours() -> None:
    found = proc.stat(Path("/proc/self/stat").read_text())
    assert (found.state, found.parent) == ("R", os.getppid())
    assert found.cpu in range(os.cpu_count() or 1)


def test_fields_keep_what_stands_behind_the_first_colon() -> None:
    assert proc.fields("Name:\ta:b\nVmPTE:\t  12 kB\n") == {"Name": "a:b", "VmPTE": "12 kB"}


def test_the_main_thread_comes_first() -> None:
    ready = threading.Event()
    threads = [threading.Thread(target=ready.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    found = proc.threads(os.getpid())
    ready.set()
    for thread in threads:
        thread.join()
    assert found[0] == os.getpid()
    assert {thread.native_id for thread in threads} <= set(found)


def test_what_has_ended_is_empty_or_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    pid = process.pid
    assert proc.threads(pid) == []
    assert list(proc.tree(pid)) == [pid]
    assert proc.descriptors(pid) == []
    assert proc.read(Path(f"/proc/{pid}/status")) is None
    assert proc.size(Path(f"/proc/{pid}/status"), "VmRSS:") == 0
    assert proc.pages(pid, [(0, 4096)]) == []


def test_what_is_not_there_yet_when_a_thread_is_listed(tmp_path: Path) -> None:
    (tmp_path / "1/task/1").mkdir(parents=True)  # it has no list of children
    assert list(proc.tree(1, tmp_path)) == [1]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("socket:[123]", "socket"),
        ("pipe:[123]", "pipe"),
        ("anon_inode:[eventfd]", "eventfd"),
        ("anon_inode:[eventpoll]", "epoll"),
        ("anon_inode:[timerfd]", "timerfd"),
        ("anon_inode:[pidfd]", "pidfd"),
        ("pidfd:[123]", "pidfd"),
        ("anon_inode:inotify", "inotify"),
        ("anon_inode:[io_uring]", "io_uring"),
        ("/memfd:lanes-job (deleted)", "memfd"),
        ("/dev/shm/psm_1", "shm file"),
        ("/proc/7/task/7/schedstat", "proc file"),
        ("/dev/pts/3", "terminal"),
        ("/dev/null", "device"),
        ("/tmp/a pipe:[b]", "file"),
        ("mnt:[4026531840]", "mnt"),
    ],
)
def test_a_descriptor_has_a_kind(target: str, kind: str) -> None:
    assert proc.kind_of(target) == kind


def test_our_own_descriptors_are_of_the_kinds_that_we_opened(tmp_path: Path) -> None:
    before = Counter(each.kind for each in proc.descriptors(os.getpid()))
    one, other = socket.socketpair()
    with one, other, (tmp_path / "file").open("w"), select.epoll(), Path("/dev/null").open():
        opened = [*os.pipe(), os.eventfd(0), os.memfd_create("known"), os.pidfd_open(os.getpid())]
        found = proc.descriptors(os.getpid())
        for descriptor in opened:
            os.close(descriptor)
    kinds = Counter(each.kind for each in found)
    kinds.subtract(before)
    assert +kinds == {"socket": 2, "pipe": 2, "file": 1, "epoll": 1, "eventfd": 1, "memfd": 1, "pidfd": 1, "device": 1}
    assert next(each.target for each in found if each.number == opened[3]) == "/memfd:known (deleted)"


def test_pages_are_those_of_the_range() -> None:
    page = mmap.PAGESIZE
    with mmap.mmap(-1, 8 * page, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
        area[3 * page] = 1
        start = next(
            each.start
            for each in proc.mappings(Path("/proc/self/smaps").read_text())
            if each.start <= address_of(area) < each.end
        )
        skipped = address_of(area) - start
        [(begin, entries)] = proc.pages(os.getpid(), [(address_of(area), address_of(area) + 8 * page)])
    assert begin == start + skipped
    assert [entries[8 * n + 7] >> 7 for n in range(8)] == [0, 0, 0, 1, 0, 0, 0, 0], "the one that is present"


def address_of(area: mmap.mmap) -> int:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(area))
