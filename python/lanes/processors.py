"""How many processors this process may use: not what the machine has, but what it is allowed."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lanes import cgroup


class Throttling(NamedTuple):
    """How often, and for how long in all, the kernel has stopped a control group that had used up its quota."""

    periods: int
    seconds: float


def usable_processors(proc: Path = cgroup.SELF) -> int:
    """What `allowed_processors` says; or what PYTHON_CPU_COUNT or -X cpu_count says instead."""
    told = _told()
    return allowed_processors(proc) if told is None else told


def allowed_processors(proc: Path = cgroup.SELF) -> int:
    """The affinity mask, cut down to the cgroup's CPU quota: what the kernel grants, whatever the user says.

    A part of a processor counts as a whole one.
    """
    most, allowed = quota(proc), len(os.sched_getaffinity(0))
    return allowed if most is None else min(allowed, math.ceil(most))


def quota(proc: Path = cgroup.SELF) -> float | None:
    """The processors' worth of time that the control groups of this process grant it; None when they set no limit."""
    return min(_quotas(proc), default=None)


def throttling(proc: Path = cgroup.SELF) -> Throttling | None:
    """That of the group that suffered most, of this process's own and all above it; None where nobody counts."""
    return max(throttlings(proc).values(), default=None)


class Ticks(NamedTuple):
    """How the processors allowed have spent their time since the machine started, in ticks of SC_CLK_TCK a second.

    work: of all processes; stolen: when the hypervisor let another machine run; total: idle time, too.
    """

    work: int
    stolen: int
    total: int


def ticks(proc: Path = Path("/proc")) -> Ticks | None:
    """The ticks of now; None where the kernel shows none."""
    allowed = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    try:
        lines = [line.split() for line in (proc / "stat").read_text().splitlines()]
        counts = [[int(word) for word in words[1:9]] for words in lines if words and words[0] in allowed]
        work = sum(user + nice + system + irq + softirq for user, nice, system, _, _, irq, softirq, _ in counts)
    except (OSError, ValueError):
        return None
    return Ticks(work, sum(count[-1] for count in counts), sum(map(sum, counts))) if counts else None


def _told() -> int | None:
    """The user's word for it, which CPython itself heeds from 3.13 on."""
    environment = None if sys.flags.ignore_environment else os.environ.get("PYTHON_CPU_COUNT")
    word = sys._xoptions.get("cpu_count", environment)
    return int(word) if isinstance(word, str) and word.isdecimal() and int(word) > 0 else None


def _quotas(proc: Path) -> Iterator[float]:
    """The CPU quotas of this process's control groups and of all above them."""
    for directory in cgroup.directories("cpu", proc):
        microseconds, period = _quota_and_period(directory)
        if microseconds is not None and period and microseconds > 0:
            yield microseconds / period


def _quota_and_period(directory: Path) -> tuple[int | None, int | None]:
    """Microseconds of CPU time per microseconds, as version 2 or 1 says it; None for what is not limited."""
    try:
        microseconds, period = (directory / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return cgroup.number(directory / "cpu.cfs_quota_us"), cgroup.number(directory / "cpu.cfs_period_us")
    return None if microseconds == "max" else int(microseconds), int(period)


def throttlings(proc: Path = cgroup.SELF) -> dict[Path, Throttling]:
    """That of each group; version 2 counts microseconds, version 1 nanoseconds, and the topmost group nothing."""
    found = {}
    for directory in cgroup.directories("cpu", proc):
        try:
            lines = (directory / "cpu.stat").read_text().splitlines()
        except OSError:
            continue
        counters = {name: int(value) for name, _, value in (line.partition(" ") for line in lines)}
        if "nr_throttled" in counters:
            seconds = counters.get("throttled_usec", 0) / 1e6 + counters.get("throttled_time", 0) / 1e9
            found[directory] = Throttling(counters["nr_throttled"], seconds)
    return found
