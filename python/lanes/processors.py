"""How many processors this process may use: not what the machine has, but what it is allowed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from lanes import cgroup


def usable_processors() -> int:
    """The affinity mask, cut down to the cgroup's CPU quota; or what PYTHON_CPU_COUNT or -X cpu_count says instead."""
    told = _told()
    return allowed_processors() if told is None else told


def allowed_processors() -> int:
    """The affinity mask, cut down to the cgroup's CPU quota: what the kernel grants, whatever the user says."""
    return min([len(os.sched_getaffinity(0)), *_quotas()])


def _told() -> int | None:
    """The user's word for it, which CPython itself heeds from 3.13 on."""
    environment = None if sys.flags.ignore_environment else os.environ.get("PYTHON_CPU_COUNT")
    word = sys._xoptions.get("cpu_count", environment)
    return int(word) if isinstance(word, str) and word.isdecimal() and int(word) > 0 else None


def _quotas(proc: Path = cgroup.SELF) -> Iterator[int]:
    """The CPU quotas of this process's control groups and of all above them, a part of a processor as a whole one."""
    for directory in cgroup.directories("cpu", proc):
        quota, period = _quota_and_period(directory)
        if quota is not None and period and quota > 0:
            yield -(-quota // period)


def _quota_and_period(directory: Path) -> tuple[int | None, int | None]:
    """Microseconds of CPU time per microseconds, as version 2 or 1 says it; None for what is not limited."""
    try:
        quota, period = (directory / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return cgroup.number(directory / "cpu.cfs_quota_us"), cgroup.number(directory / "cpu.cfs_period_us")
    return None if quota == "max" else int(quota), int(period)
