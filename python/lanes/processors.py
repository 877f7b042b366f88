"""How many processors this process may use: not what the machine has, but what it is allowed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path


def usable_processors() -> int:
    """The affinity mask, cut down to the cgroup's CPU quota; or what PYTHON_CPU_COUNT or -X cpu_count says instead."""
    told = _told()
    if told is not None:
        return told
    return min([len(os.sched_getaffinity(0)), *_quotas(Path("/proc/self"))])


def _told() -> int | None:
    """The user's word for it, which CPython itself heeds from 3.13 on."""
    environment = None if sys.flags.ignore_environment else os.environ.get("PYTHON_CPU_COUNT")
    word = sys._xoptions.get("cpu_count", environment)
    return int(word) if isinstance(word, str) and word.isdecimal() and int(word) > 0 else None


def _quotas(proc: Path) -> Iterator[int]:
    """The CPU quotas of this process's control groups and of all above them, a part of a processor as a whole one."""
    try:
        mounts = [line.split() for line in (proc / "mountinfo").read_text().splitlines()]
        groups = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
    except OSError:
        return
    for fields in mounts:
        root, mount = fields[3:5]
        kind, _, options = fields[fields.index("-") + 1 :][:3]
        for _, controllers, path in groups:
            if kind == "cgroup2" and not controllers:
                read = _quota_v2
            elif kind == "cgroup" and "cpu" in options.split(",") and "cpu" in controllers.split(","):
                read = _quota_v1
            else:
                continue
            # In a container the mount may show only a subtree, and the path may be that of the host.
            inside = os.path.relpath(path, root) if os.path.commonpath([path, root]) == root else "."
            group = Path(os.path.normpath(Path(mount, inside)))
            for directory in (group, *group.parents):
                if directory.is_relative_to(mount):
                    quota = read(directory)
                    if quota is not None:
                        yield quota


def _quota_v2(directory: Path) -> int | None:
    try:
        quota, period = (directory / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else _ceiling(int(quota), int(period))


def _quota_v1(directory: Path) -> int | None:
    try:
        quota = int((directory / "cpu.cfs_quota_us").read_text())
        period = int((directory / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return None if quota <= 0 else _ceiling(quota, period)


def _ceiling(quota: int, period: int) -> int:
    return -(-quota // period)
