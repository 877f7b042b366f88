"""Whether this machine lets a run have the threads, processes and descriptors that it will need.

Asked before anything is started: half-way through, running out looks like the fault of the model. What a model needs
was found by lowering RLIMIT_NOFILE until it failed, and is rounded up; what is already in use is counted.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lanes import cgroup, models
from lanes.types import Accompanied, Workload

_SPARE = 16
"""Threads and descriptors that a run needs whatever its workers: queues, wake-ups, a manager thread."""


class _Need(NamedTuple):
    """What one worker of a model costs: threads or processes; descriptors of the process that runs the model,
    always and when the workers download (where the body is C, libcurl has its wake-ups and its resolver)."""

    tasks: int = 0
    descriptors: int = 0
    downloading: int = 0


_NEEDS = {
    "threading": _Need(tasks=1, descriptors=1, downloading=4),
    "futures-threads": _Need(tasks=1, descriptors=1, downloading=4),
    "multiprocessing": _Need(tasks=1, descriptors=3),
    "multiprocessing-pool": _Need(tasks=1, descriptors=2),
    "futures-processes": _Need(tasks=1, descriptors=2),
    "asyncio": _Need(downloading=1),
    "asyncio-threads": _Need(tasks=1, descriptors=1, downloading=4),
    "asyncio-processes": _Need(tasks=1, descriptors=2),
    "native-pthreads": _Need(tasks=1, descriptors=1, downloading=4),
    "native-fork": _Need(tasks=1, descriptors=1),
    "native-epoll": _Need(downloading=1),
}


_PARTNER = _Need(tasks=1, descriptors=12)
"""What the partner of a worker costs at most, where workers have one: a thread or a process, and a way to it."""


class Limit(NamedTuple):
    """A limit as the kernel states it, how much of it is in use, and how it is raised."""

    name: str
    most: int
    used: int
    remedy: str

    @property
    def room(self) -> int:
        return self.most - self.used


def facts(proc: Path = cgroup.SELF) -> dict[str, object]:
    """The limits themselves, ready for JSON; null where there is none. How much is in use takes longer to tell."""
    soft, hard = (_finite(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    pids = [cgroup.number(directory / "pids.max") for directory in cgroup.directories("pids", proc)]
    return {
        "descriptors_limit": soft,
        "descriptors_limit_hard": hard,
        "processes_limit": _finite(resource.getrlimit(resource.RLIMIT_NPROC)[0]),
        "pids_limit": min((most for most in pids if most is not None), default=None),
    }


def most_needed(workers: int) -> tuple[int, int]:
    """The threads or processes, and the descriptors, of so many workers of the model that needs most of them."""
    needs = _NEEDS.values()
    tasks, descriptors = max(need.tasks for need in needs), max(need.descriptors + need.downloading for need in needs)
    return workers * tasks + _SPARE, workers * descriptors + _SPARE


def check(model: str, workload: Workload, workers: int) -> None:
    """Raise ValueError, naming the limit, when it leaves no room for that many workers."""
    need = _NEEDS.get(models.engine(models.parted(model)[0], workload.name), _Need())
    partner = _PARTNER if isinstance(workload, Accompanied) else _Need()
    if need.tasks:
        tasks = need.tasks + partner.tasks
        _fit(model, workers, workers * tasks + _SPARE, "threads or processes", task_limits())
    descriptors = workers * (need.descriptors + partner.descriptors)
    if workload.name == "download":
        # There are no more connections than tasks; one each is at the origin, too.
        descriptors += min(workers, len(workload.tasks)) * need.downloading
    if descriptors:
        _fit(model, workers, descriptors + _SPARE, "descriptors", descriptor_limits())


def _fit(model: str, workers: int, needed: int, what: str, limits: Iterator[Limit]) -> None:
    for limit in limits:
        if limit.room < needed:
            raise ValueError(
                f"{model} with {workers} workers needs about {needed} {what}, but {limit.name} is {limit.most}"
                f" and {limit.used} are in use: take fewer workers, or raise it with {limit.remedy}"
            )


def descriptor_limits() -> Iterator[Limit]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        yield Limit("RLIMIT_NOFILE", soft, len(os.listdir("/proc/self/fd")), f"ulimit -n {_up_to(hard)}")


def task_limits() -> Iterator[Limit]:
    """The kernel counts threads and processes alike, and calls both tasks or pids."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if soft != resource.RLIM_INFINITY and os.getuid() != 0:  # which does not bind root
        yield Limit("RLIMIT_NPROC", soft, _tasks_of_user(), f"ulimit -u {_up_to(hard)}")
    everyone = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    for name in ("threads-max", "pid_max"):
        most = cgroup.number(Path("/proc/sys/kernel", name))
        if most is not None:
            yield Limit(f"kernel.{name}", most, everyone, f"sysctl kernel.{name}=NUMBER")
    for directory in cgroup.directories("pids"):
        most, used = cgroup.number(directory / "pids.max"), cgroup.number(directory / "pids.current")
        if most is not None and used is not None:
            yield Limit(f"pids.max of {directory}", most, used, "the container's pids limit, or systemd's TasksMax")


def _finite(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit


def _up_to(hard: int) -> str:
    return "NUMBER" if hard == resource.RLIM_INFINITY else f"NUMBER, up to {hard}"


def _tasks_of_user() -> int:
    """The threads of all processes of this user."""
    count = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = status.read_bytes().split(b"\n")
        except OSError:  # it has just ended
            continue
        # As bytes, for the name of a process may be no text.
        fields = {line.split()[0]: int(line.split()[1]) for line in lines if line.startswith((b"Uid:", b"Threads:"))}
        if fields[b"Uid:"] == os.getuid():
            count += fields[b"Threads:"]
    return count
