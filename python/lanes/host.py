"""What a result depends on of the machine below the interpreter: its processors, its kernel, and what else runs there.

All of it is read from /proc and /sys, none is measured. A virtual machine or a container hides much of it.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from pathlib import Path

from lanes import cgroup
from lanes.processors import quota, throttling, usable_processors

PROC, SYS = Path("/proc"), Path("/sys")

_MONOTONIC_COARSE = 6
"""A clock that goes on by one step each tick of the kernel; `time` has no name for it."""


def facts(proc: Path = PROC, sys: Path = SYS) -> dict[str, object]:
    """The facts, ready for JSON; null for what is not known, or not limited.

    affinity                 which processors this process may use, in the kernel's own form: 0-3,8
    processors_isolated      so many of them the scheduler leaves alone: what starts on one stays there
    cores_allowed            so many cores they are the threads of
    processor_quota          what control groups grant: 1.5 is the time of one and a half processors
    throttled_periods, _s    how often and how long they have stopped their processes since they were made
    governor, boost          how frequencies are chosen; whether a core may exceed its base frequency
    clocksource, kernel_hz   what tells the time; how often a second the scheduler looks up
    load, pressure           averages: of 1, 5 and 15 minutes; the percentage of 10 seconds that some task was held up
    """
    allowed = os.sched_getaffinity(0)
    processors = sys / "devices/system/cpu"
    info, memory = _fields(proc / "cpuinfo"), _fields(proc / "meminfo")
    total, throttled = _kib(memory.get("MemTotal")), throttling(proc / "self")
    isolated = _text(processors / "isolated")
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "kernel_hz": _kernel_hz(),
        "clocksource": _text(sys / "devices/system/clocksource/clocksource0/current_clocksource"),
        "architecture": platform.machine(),
        "cpu": info.get("model name") or info.get("Model") or info.get("Hardware"),
        "virtual": "hypervisor" in info["flags"].split() if "flags" in info else None,
        "processors": os.cpu_count(),
        "processors_allowed": len(allowed),
        "processors_usable": usable_processors(proc / "self"),
        "processors_isolated": None if isolated is None else len(allowed & _members(isolated)),
        "cores_allowed": _cores(processors, allowed),
        "affinity": _ranges(allowed),
        "processor_quota": quota(proc / "self"),
        "throttled_periods": throttled and throttled.periods,
        "throttled_s": throttled and throttled.seconds,
        "smt": _flag(processors / "smt/active"),
        "governor": _of_all(processors, allowed, "cpufreq/scaling_governor"),
        "frequency_driver": _of_all(processors, allowed, "cpufreq/scaling_driver"),
        "boost": _boost(processors),
        "memory_bytes": total,
        "memory_available_bytes": _kib(memory.get("MemAvailable")),
        "memory_limit_bytes": _memory_limit(proc / "self", total),
        "load": _load(proc / "loadavg"),
        "pressure": {kind: _pressure(proc / "pressure" / kind) for kind in ("cpu", "io", "memory")},
    }


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _fields(path: Path) -> dict[str, str]:
    """The lines `name: value` of a file; of those with the same name, the last."""
    lines = (_text(path) or "").splitlines()
    return {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


def _flag(path: Path) -> bool | None:
    return {"0": False, "1": True}.get(_text(path) or "")


def _kib(value: str | None) -> int | None:
    """Bytes, of a number of KiB that is written with the unit."""
    return None if value is None else int(value.split()[0]) * 1024


def _members(ranges: str) -> set[int]:
    """The processors of "0-3,8"."""
    members: set[int] = set()
    for part in filter(None, ranges.split(",")):
        first, _, last = part.partition("-")
        members.update(range(int(first), int(last or first) + 1))
    return members


def _ranges(members: Iterable[int]) -> str:
    """The inverse of `_members`."""
    found: list[list[int]] = []
    for member in sorted(members):
        if found and member == found[-1][1] + 1:
            found[-1][1] = member
        else:
            found.append([member, member])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in found)


def _kernel_hz() -> int | None:
    try:
        return round(1 / time.clock_getres(_MONOTONIC_COARSE))
    except OSError:
        return None


def _cores(processors: Path, allowed: Iterable[int]) -> int | None:
    """Two processors that are threads of one core name the same siblings."""
    siblings = {_text(processors / f"cpu{number}/topology/thread_siblings_list") for number in allowed}
    return None if None in siblings else len(siblings)


def _of_all(processors: Path, allowed: Iterable[int], name: str) -> str | None:
    """What the processors say, which is mostly the same."""
    words = {_text(processors / f"cpu{number}" / name) for number in allowed} - {None, ""}
    return ", ".join(sorted(word for word in words if word)) or None


def _boost(processors: Path) -> bool | None:
    """Some drivers say whether it is on, Intel's whether it is off."""
    off = _flag(processors / "intel_pstate/no_turbo")
    return _flag(processors / "cpufreq/boost") if off is None else not off


def _memory_limit(proc: Path, total: int | None) -> int | None:
    """The least that a control group sets; version 1 writes a huge number where there is none."""
    limits = [
        cgroup.number(directory / name)
        for directory in cgroup.directories("memory", proc)
        for name in ("memory.max", "memory.limit_in_bytes")
    ]
    return min((limit for limit in limits if limit is not None and limit < (total or 0)), default=None)


def _load(path: Path) -> list[float] | None:
    text = _text(path)
    return None if text is None else [float(word) for word in text.split()[:3]]


def _pressure(path: Path) -> float | None:
    """How much of the last ten seconds some task waited for it, as a percentage; None before Linux 4.20 or if off."""
    for line in (_text(path) or "").splitlines():
        kind, _, averages = line.partition(" avg10=")
        if kind == "some":
            return float(averages.split()[0])
    return None
