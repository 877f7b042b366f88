"""Usable processors: affinity, cgroup quotas of both versions, and the user's own word."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lanes import processors
from lanes.processors import usable_processors


@pytest.fixture(autouse=True)
def nobody_said_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHON_CPU_COUNT", raising=False)


def control_groups(proc: Path, kind: str, options: str, group: str, mount: Path, root: str = "/") -> Path:
    proc.mkdir()
    (proc / "mountinfo").write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"31 22 0:28 {root} {mount} rw,nosuid shared:9 - {kind} cgroup rw{options}\n"
    )
    (proc / "cgroup").write_text(group)
    return proc


def test_affinity() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_processors() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert 1 <= usable_processors() <= len(allowed)


def test_a_quota_limits_what_affinity_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(processors, "_quotas", lambda _: iter([6.0, 2.5]))
    assert usable_processors() == 3, "two processors and a half keep three busy"
    assert processors.quota() == 2.5
    monkeypatch.setattr(processors, "_quotas", lambda _: iter([]))
    assert processors.quota() is None
    assert usable_processors() == 8


@pytest.mark.parametrize(("word", "expected"), [("5", 5), ("default", None), ("0", None), ("two", None)])
def test_the_user_says_how_many(word: str, expected: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    without = usable_processors()
    monkeypatch.setenv("PYTHON_CPU_COUNT", word)
    assert usable_processors() == (without if expected is None else expected)


def test_quota_of_version_2_and_of_the_groups_above(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    (mount / "outer/inner").mkdir(parents=True)
    (mount / "outer/cpu.max").write_text("250000 100000\n")
    (mount / "outer/inner/cpu.max").write_text("max 100000\n")
    proc = control_groups(tmp_path / "proc", "cgroup2", "", "0::/outer/inner\n", mount)
    assert processors.quota(proc) == 2.5
    (mount / "outer/inner/cpu.max").write_text("50000 100000\n")
    assert processors.quota(proc) == 0.5
    assert usable_processors(proc) == 1


def test_quota_of_version_1(tmp_path: Path) -> None:
    mount = tmp_path / "cpu"
    (mount / "box").mkdir(parents=True)
    (mount / "box/cpu.cfs_period_us").write_text("100000\n")
    (mount / "box/cpu.cfs_quota_us").write_text("200000\n")
    proc = control_groups(tmp_path / "proc", "cgroup", ",cpu,cpuacct", "3:cpuset:/\n2:cpu,cpuacct:/box\n", mount)
    assert processors.quota(proc) == 2
    (mount / "box/cpu.cfs_quota_us").write_text("-1\n")
    assert processors.quota(proc) is None


def test_a_container_sees_its_own_group_at_the_mount(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    mount.mkdir()
    (mount / "cpu.max").write_text("100000 100000\n")
    proc = control_groups(tmp_path / "proc", "cgroup2", "", "0::/docker/abc\n", mount, root="/docker/abc")
    assert processors.quota(proc) == 1
    (proc / "cgroup").write_text("0::/../elsewhere\n")  # a group outside this namespace
    assert processors.quota(proc) == 1


def test_no_control_groups_at_all(tmp_path: Path) -> None:
    assert processors.quota(tmp_path) is None


def test_throttling_is_that_of_the_group_that_suffered_most(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    (mount / "outer/inner").mkdir(parents=True)
    (mount / "cpu.stat").write_text("usage_usec 7\n")  # the topmost group counts no periods
    (mount / "outer/cpu.stat").write_text("nr_periods 9\nnr_throttled 4\nthrottled_usec 1500000\n")
    (mount / "outer/inner/cpu.stat").write_text("nr_periods 9\nnr_throttled 0\nthrottled_usec 0\n")
    proc = control_groups(tmp_path / "proc", "cgroup2", "", "0::/outer/inner\n", mount)
    assert processors.throttling(proc) == (4, 1.5)
    (proc / "cgroup").write_text("0::/\n")
    assert processors.throttling(proc) is None


def test_throttling_of_version_1_is_in_nanoseconds(tmp_path: Path) -> None:
    mount = tmp_path / "cpu"
    mount.mkdir()
    (mount / "cpu.stat").write_text("nr_periods 9\nnr_throttled 2\nthrottled_time 250000000\n")
    proc = control_groups(tmp_path / "proc", "cgroup", ",cpu", "2:cpu:/\n", mount)
    assert processors.throttling(proc) == (2, 0.25)


def test_ticks_are_those_of_the_processors_allowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # user, nice, system, idle, waiting for a disk, interrupts of two kinds, stolen by the host, guests (part of user)
    each = ("cpu0 1 2 4 1000 2000 8 16 32 1 1", "cpu1 100 0 0 0 0 0 0 0 0 0", "cpu10 5000 0 0 0 0 0 0 0 0 0")
    (tmp_path / "stat").write_text("\n".join(("cpu  9 9 9 9 9 9 9 9 9 9", *each, "intr 7 1", "", "ctxt 1", "")))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert processors.ticks(tmp_path) == (131, 32, 3163)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert processors.ticks(tmp_path) == (31, 32, 3063)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2})
    assert processors.ticks(tmp_path) is None
    assert processors.ticks(tmp_path / "none") is None


@pytest.mark.parametrize("line", ["cpu0 1 2 4", "cpu0 1 2 4 a b c d e"])
def test_ticks_that_do_not_read_are_none(line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(f"{line}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert processors.ticks(tmp_path) is None


def test_the_ticks_of_this_machine_go_on() -> None:
    before = processors.ticks()
    assert before is not None
    until = time.monotonic() + 10
    while (after := processors.ticks()) is not None and after.total == before.total and time.monotonic() < until:
        pass
    assert after is not None
    assert after.total > before.total
    assert after.work >= before.work
