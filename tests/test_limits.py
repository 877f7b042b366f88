"""Too many workers are refused before any is started, with the limit that stands in the way."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import lanes
from lanes import cgroup, limits, models

WAIT = lanes.wait(tasks=100)
DOWNLOAD = lanes.download(tasks=100)
PRCTL = (
    sys.executable,
    "-c",
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(15, os.fsencode(sys.argv[1]));"  # PR_SET_NAME
    "print(1, flush=True); sys.stdin.read()",
)
"""A process that takes the name it is given."""


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 300 more descriptors than are open now."""
    in_use = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(resource, "getrlimit", lambda which: (in_use + 300, in_use + 600))


@pytest.mark.parametrize(
    ("model", "workload", "fits", "too_many"),
    [
        ("native-pthreads", DOWNLOAD, 55, 80),
        ("threading", DOWNLOAD, 55, 80),
        ("threading", WAIT, 280, 300),
        ("native-fork", DOWNLOAD, 200, 300),
        ("multiprocessing", WAIT, 90, 100),
        ("multiprocessing-pool", WAIT, 130, 150),
        ("futures-processes", WAIT, 130, 150),
    ],
)
@pytest.mark.usefixtures("scarce")
def test_descriptors(
    model: str, workload: lanes.workloads.download.Download, fits: int, too_many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)  # whom no number of processes limits
    limits.check(model, workload, fits)
    with pytest.raises(
        ValueError, match=rf"{model} with {too_many} workers .* RLIMIT_NOFILE is \d+ .*ulimit -n NUMBER"
    ):
        limits.check(model, workload, too_many)


@pytest.mark.parametrize("via", ["queue", "condition", "pipe", "file", "shared-memory", "eventfd"])
@pytest.mark.parametrize("model", ["threading", "multiprocessing", "asyncio"])
def test_partners_need_descriptors_and_no_more_than_is_taken_to_be(model: str, via: str) -> None:
    """What fits by a hair's breadth runs; what does not is refused beforehand."""
    if model == "asyncio" and via in ("shared-memory", "eventfd"):
        return
    program = (
        "import os, resource, sys, lanes\n"
        "work = lanes.exchange(tasks=40, payload='64B', via=sys.argv[2])\n"
        "lanes.run(work, sys.argv[1], workers=2)\n"
        "room = len(os.listdir('/proc/self/fd')) + 20 * 15 + 16\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (room, room))\n"
        "print({outcome.status for outcome in lanes.run(work, sys.argv[1], workers=20).outcomes})\n"
        "try:\n"
        "    lanes.run(work, sys.argv[1], workers=40)\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    shown = subprocess.run([sys.executable, "-c", program, model, via], capture_output=True, text=True, check=True)
    ran, refused = shown.stdout.splitlines()
    assert ran == "{'ok'}"
    assert refused.startswith(f"{model} with 40 workers needs about")


@pytest.mark.usefixtures("scarce")
def test_what_is_never_opened_needs_no_descriptors() -> None:
    limits.check("native-epoll", WAIT, 10_000)  # timers need none
    limits.check("native-epoll", DOWNLOAD, 10_000)  # of these, 100 have a task
    many = lanes.download(tasks=1000)
    with pytest.raises(ValueError, match="native-epoll with 1000 workers"):
        limits.check("native-epoll", many, 1000)
    with pytest.raises(ValueError, match="asyncio with 1000 workers"):
        limits.check("asyncio", many, 1000)


@pytest.mark.parametrize("model", [name for name in models.names() if models.load(name).processors.endswith("many")])
def test_every_model_with_many_workers_is_checked_for_processes(model: str) -> None:
    with pytest.raises(ValueError, match="needs about 100000016 threads or processes"):
        limits.check(model, WAIT, 10**8)


def test_users_other_than_root_have_a_limit_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_tasks_of_user", lambda: 950)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1000, resource.RLIM_INFINITY))
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    limits.check("native-pthreads", WAIT, 30)
    with pytest.raises(ValueError, match=r"RLIMIT_NPROC is 1000 and 950 are in use.*ulimit -u NUMBER$"):
        limits.check("native-pthreads", WAIT, 40)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    limits.check("native-pthreads", WAIT, 40)


def test_the_threads_of_a_user_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    with subprocess.Popen(["sleep", "1000"]) as child:
        assert limits._tasks_of_user() >= 7
        child.kill()
    stop.set()
    for thread in threads:
        thread.join()
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 5)
    assert limits._tasks_of_user() == 0


def test_names_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    name = b"\xff\rUid: \x85"
    with subprocess.Popen([*PRCTL, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(1) == b"1"
        assert name in Path(f"/proc/{child.pid}/status").read_bytes()
        assert limits._tasks_of_user() >= 2
        child.kill()
    (tmp_path / "mountinfo").write_bytes(
        b"1 1 0:1 / /\xff\x0c\xc2\x85 rw - ext4 a rw\n2 1 0:2 / /g rw - cgroup2 c rw\n"
    )
    (tmp_path / "cgroup").write_bytes(b"0::/a\xff\x0c\n")
    group = Path(os.fsdecode(b"/g/a\xff\x0c"))
    assert list(cgroup.directories("pids", tmp_path)) == [group, group.parent]


@pytest.mark.parametrize(
    ("group", "mount"),
    [
        ("0::/a/b", "30 20 0:26 / {root} rw - cgroup2 cgroup2 rw"),
        ("8:pids:/a/b", "30 20 0:26 / {root} rw - cgroup cgroup rw,pids"),
        ("0::/elsewhere/a/b", "30 20 0:26 /elsewhere {root} rw - cgroup2 cgroup2 rw"),
    ],
)
def test_the_limit_of_a_control_group_above_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, mount: str
) -> None:
    proc, root = tmp_path / "proc", tmp_path / "cgroup"
    proc.mkdir()
    (root / "a" / "b").mkdir(parents=True)
    (proc / "cgroup").write_text(f"5:cpu:/x\n{group}\n")
    (proc / "mountinfo").write_text(f"29 20 0:25 / /proc rw - proc proc rw\n{mount.format(root=root)}\n")
    (root / "a" / "b" / "pids.max").write_text("max\n")
    (root / "a" / "b" / "pids.current").write_text("1\n")
    (root / "a" / "pids.max").write_text("100\n")
    (root / "a" / "pids.current").write_text("60\n")
    assert list(cgroup.directories("pids", proc)) == [root / "a" / "b", root / "a", root]
    monkeypatch.setattr(cgroup, "directories", lambda _: iter([root / "a" / "b", root / "a", root]))
    limits.check("native-fork", WAIT, 20)
    with pytest.raises(ValueError, match=r"pids.max of .*/a is 100 and 60 are in use"):
        limits.check("native-fork", WAIT, 30)


def test_a_run_that_just_fits_its_descriptors_succeeds() -> None:
    """The figures are not only refused by: with as many descriptors as are asked for, downloads do succeed."""
    code = """
import os, resource, lanes
from lanes import limits, models
work = lanes.download(tasks=20, size=10, latency=0.05)
with work.serve() as served:
    for name in models.names():
        limit = len(os.listdir("/proc/self/fd")) + 16
        while True:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            try:
                limits.check(name, served, 20)
                break
            except ValueError:
                limit += 1
        print(name, {outcome.status for outcome in lanes.run(served, name, workers=20).outcomes})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} {{'ok'}}" for name in models.names()]
