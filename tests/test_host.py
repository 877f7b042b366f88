"""The machine's facts, read from trees that look like /proc and /sys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lanes import host

INTEL = {
    "cpuinfo": "processor: 0\nmodel name\t: Xeon\nflags\t\t: fpu tsc hypervisor\n\nprocessor: 1\nmodel name\t: Xeon\n",
    "meminfo": "MemTotal:        2048 kB\nMemAvailable:     512 kB\n",
    "loadavg": "0.50 1.25 2.00 1/90 4000\n",
    "pressure/cpu": "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=9.00 avg60=0.00 avg300=0.00 total=1\n",
    "self/cgroup": "0::/box\n",
}
CORES = "devices/system/cpu"


@pytest.fixture(autouse=True)
def three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 3})
    monkeypatch.delenv("PYTHON_CPU_COUNT", raising=False)


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def facts(tmp_path: Path, proc: dict[str, str] | None = None, sys: dict[str, str] | None = None) -> dict[str, Any]:
    return host.facts(plant(tmp_path / "proc", proc or {}), plant(tmp_path / "sys", sys or {}))


def per_processor(name: str, *texts: str) -> dict[str, str]:
    return {f"{CORES}/cpu{number}/{name}": text for number, text in zip((0, 1, 3), texts, strict=True)}


def test_proc(tmp_path: Path) -> None:
    group = plant(tmp_path / "group", {"box/cpu.max": "150000 100000", "box/memory.max": "1048576"})
    (group / "box/cpu.stat").write_text("nr_throttled 3\nthrottled_usec 250000\n")
    mounts = {"self/mountinfo": f"31 22 0:28 / {group} rw - cgroup2 cgroup2 rw\n"}
    found = facts(tmp_path, INTEL | mounts)
    assert (found["cpu"], found["virtual"]) == ("Xeon", True)
    assert (found["memory_bytes"], found["memory_available_bytes"]) == (2**21, 2**19)
    assert found["memory_limit_bytes"] == 2**20
    assert found["load"] == [0.5, 1.25, 2.0]
    assert found["pressure"] == {"cpu": 1.5, "io": None, "memory": None}
    assert (found["processor_quota"], found["processors_usable"], found["processors_allowed"]) == (1.5, 2, 3)
    assert (found["throttled_periods"], found["throttled_s"]) == (3, 0.25)
    assert found["affinity"] == "0-1,3"


def test_sys(tmp_path: Path) -> None:
    files = {
        "devices/system/clocksource/clocksource0/current_clocksource": "hpet\n",
        f"{CORES}/isolated": "1-2,3\n",
        f"{CORES}/smt/active": "1\n",
        f"{CORES}/cpufreq/boost": "1\n",
        **per_processor("topology/thread_siblings_list", "0,2", "1,3", "1,3"),
        **per_processor("cpufreq/scaling_governor", "powersave", "performance", "powersave"),
        **per_processor("cpufreq/scaling_driver", "acpi", "acpi", "acpi"),
    }
    found = facts(tmp_path, sys=files)
    assert found["clocksource"] == "hpet"
    assert found["processors_isolated"] == 2
    assert found["cores_allowed"] == 2
    assert (found["smt"], found["boost"]) == (True, True)
    assert (found["governor"], found["frequency_driver"]) == ("performance, powersave", "acpi")
    assert facts(tmp_path, sys={f"{CORES}/intel_pstate/no_turbo": "1"})["boost"] is False


def test_what_is_hidden_is_null_and_never_guessed(tmp_path: Path) -> None:
    found = facts(tmp_path)
    unknown = {name for name, value in found.items() if value is None}
    assert unknown == {
        *("cpu", "virtual", "clocksource", "processors_isolated", "cores_allowed", "smt", "governor", "boost", "load"),
        *("processor_quota", "throttled_periods", "throttled_s", "memory_bytes", "memory_available_bytes"),
        *("memory_limit_bytes", "frequency_driver"),
    }
    assert set(found["pressure"].values()) == {None}
    assert facts(tmp_path, {"cpuinfo": "Model : Raspberry Pi 5\n"})["virtual"] is None, "Arm has no such flag"


def test_bare_metal_is_told_from_unknown(tmp_path: Path) -> None:
    assert facts(tmp_path, {"cpuinfo": "flags : fpu tsc\n"})["virtual"] is False


def test_a_memory_limit_that_is_none(tmp_path: Path) -> None:
    group = plant(tmp_path / "group", {"memory.limit_in_bytes": "9223372036854771712"})
    mounts = f"31 22 0:28 / {group} rw - cgroup cgroup rw,memory\n"
    own = {"self/mountinfo": mounts, "self/cgroup": "4:memory:/\n", "meminfo": "MemTotal: 2048 kB\n"}
    assert facts(tmp_path, own)["memory_limit_bytes"] is None
    (group / "memory.limit_in_bytes").write_text("4096")
    assert facts(tmp_path, own)["memory_limit_bytes"] == 4096


def test_the_kernel_ticks_at_a_rate_that_kernels_have(tmp_path: Path) -> None:
    assert facts(tmp_path)["kernel_hz"] in (100, 250, 300, 1000)
