"""What is looked at, when advice is given, and that none is given without a reason."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import lanes
from lanes import limits, machine
from lanes.doctor import BUSY, LOAD, MEMORY, PRESSURE, STOLEN, WORKERS, Finding, Moment, judge, watch
from lanes.report import doctor as report

QUIET: dict[str, Any] = {
    "lanes": "1",
    "python": "3.13.1",
    "implementation": "CPython",
    "compiler": "GCC",
    "libcurl": "8.1",
    "debug_build": False,
    "pgo_build": True,
    "lto_build": True,
    "shared_library": False,
    "free_threaded_build": False,
    "gil": True,
    "jit": False,
    "switch_interval_s": 0.005,
    "start_method": "fork",
    "start_methods": ["fork", "spawn"],
    "dev_mode": False,
    "malloc": None,
    "watchers": [],
    "gc_enabled": True,
    "gc_thresholds": [700, 10, 10],
    "gc_frozen": 0,
    "system": "Linux",
    "kernel": "6.1",
    "kernel_hz": 250,
    "clocksource": "tsc",
    "cpu": "Xeon",
    "virtual": False,
    "processors": 8,
    "processors_allowed": 4,
    "processors_usable": 4,
    "processors_isolated": 0,
    "cores_allowed": 4,
    "affinity": "0-3",
    "processor_quota": None,
    "throttled_periods": 0,
    "throttled_s": 0.0,
    "smt": False,
    "governor": "performance",
    "frequency_driver": "acpi",
    "boost": False,
    "memory_bytes": 2**33,
    "memory_available_bytes": 2**32,
    "memory_limit_bytes": None,
    "load": [0.1, 0.2, 0.3],
    "pressure": {"cpu": 0.0, "io": 0.0, "memory": 0.0},
}
"""Those of a machine that disturbs nothing."""

HIDDEN = (
    *("cpu", "virtual", "clocksource", "kernel_hz", "processors_isolated", "cores_allowed", "throttled_periods"),
    *("throttled_s", "smt", "governor", "frequency_driver", "boost", "memory_bytes", "memory_available_bytes"),
    *("load", "jit", "pgo_build", "lto_build"),
)
"""What a container may not show."""

QUIET_MOMENT = Moment(0.0, 0.0)


@pytest.fixture
def without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "task_limits", lambda: iter([]))
    monkeypatch.setattr(limits, "descriptor_limits", lambda: iter([]))


def look(moment: Moment = QUIET_MOMENT, **facts: object) -> dict[str, Finding]:
    """The findings on a quiet machine but for these facts, by name."""
    return {finding.name: finding for finding in judge({**QUIET, **facts}, moment)}


def advised(found: dict[str, Finding]) -> list[str]:
    return [name for name, finding in found.items() if finding.advice]


def unknown(found: dict[str, Finding]) -> set[str]:
    return {name for name, finding in found.items() if finding.value is None}


@pytest.mark.usefixtures("without_limits")
def test_a_quiet_machine_gets_no_advice() -> None:
    found = look()
    assert {finding.group for finding in found.values()} == {"interpreter", "processors", "limits", "right now"}
    assert (advised(found), unknown(found)) == ([], set())


@pytest.mark.usefixtures("without_limits")
@pytest.mark.parametrize(
    ("facts", "name", "value", "advice"),
    [
        ({"debug_build": True}, "build", "for debugging, optimised by a profile", "release build"),
        ({"pgo_build": False}, "build", "not optimised by a profile", "--enable-optimizations"),
        ({"free_threaded_build": True}, "GIL", "on, in a free-threaded build", "PYTHON_GIL=0"),
        ({"switch_interval_s": 0.001}, "switch interval", "1 ms", "starts with 5 ms"),
        ({"dev_mode": True, "malloc": "debug"}, "debug hooks", "development mode, PYTHONMALLOC=debug", "-X dev"),
        ({"watchers": ["sys.settrace"]}, "watchers", "sys.settrace", "profiler"),
        ({"gc_enabled": False}, "garbage collector", "off, at 700", "gc.enable"),
        ({"clocksource": "hpet"}, "clock", "hpet", "spans of short tasks"),
        ({"processors_usable": 1}, "usable", "1 of 8", "no gain on one"),
        ({"processors_usable": 2}, "usable", "2 of 8", "embedded origin"),
        ({"cores_allowed": 2}, "cores", "2 for 4 processors", "one thread a core"),
        ({"processors_isolated": 4}, "isolated", "4", "all workers may stay on one"),
        ({"processor_quota": 1.5}, "quota", "1.5 of 4 processors", "grant whole processors, or take fewer workers"),
        ({"processor_quota": 3.0}, "quota", "3 of 4 processors", "bind lanes to as many"),
        ({"throttled_periods": 7, "throttled_s": 0.25}, "throttled", "7 times, 0.25 s in all", "fewer workers"),
        ({"governor": "powersave"}, "governor", "powersave, by acpi", "cpupower"),
        ({"boost": True}, "boost", "on", "speed-ups come out too small"),
        ({"memory_limit_bytes": MEMORY - 1}, "memory", "512 MiB of 8 GiB", "the kernel kills"),
        ({"memory_available_bytes": MEMORY - 1}, "memory available", "512 MiB", "swapped"),
        ({"load": [4 * LOAD + 0.1, 0.0, 0.0]}, "load", "2.10, 0.00, 0.00", "in the last minute"),
        ({"pressure": {"cpu": 0.0, "io": 0.0, "memory": 2.0}}, "pressure", "memory 2.0%", "the want of memory,"),
        ({"moment": Moment(BUSY + 0.01, 0.0)}, "others' work", "6.0%", "somebody else computes"),
        ({"moment": Moment(0.0, STOLEN + 0.01)}, "stolen time", "2.0%", "dedicated machine"),
    ],
)
def test_what_disturbs_gets_advice_and_nothing_else_does(
    facts: dict[str, Any],
    name: str,
    value: str,
    advice: str,
) -> None:
    found = look(**facts)
    assert found[name].value is not None
    assert value in str(found[name].value)
    assert advice in str(found[name].advice)
    assert advised(found) == [name]


@pytest.mark.usefixtures("without_limits")
def test_what_is_just_at_its_threshold_gets_none() -> None:
    found = look(
        Moment(BUSY, STOLEN),
        pressure=PRESSURE,
        load=[3 * LOAD, 9.0, 9.0],
        memory_available_bytes=MEMORY,
        memory_limit_bytes=MEMORY,
        processor_quota=4.0,
        processors_usable=3,
    )
    assert advised(found) == []


@pytest.mark.usefixtures("without_limits")
def test_what_cannot_be_read_is_unknown_and_gets_no_advice() -> None:
    blank = {"cpu": None, "io": None, "memory": None}
    found = look(Moment(), pressure=blank, **dict.fromkeys(HIDDEN))
    assert advised(found) == []
    assert unknown(found) == {
        *("JIT", "processor", "virtual machine", "clock", "cores", "isolated", "throttled", "governor", "boost"),
        *("memory", "load", "others' work", "stolen time", "pressure", "memory available"),
    }
    assert "of unknown optimisation" in str(found["build"].value)
    assert "unknown ticks" in str(found["kernel"].value)


def test_the_limit_with_the_least_room_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, descriptors = limits.most_needed(WORKERS)
    wide = limits.Limit("wide", 10**6, 0, "a")
    tight = limits.Limit("tight", descriptors + 9, 10, "ulimit -n NUMBER")
    monkeypatch.setattr(limits, "descriptor_limits", lambda: iter([wide, tight]))
    monkeypatch.setattr(limits, "task_limits", lambda: iter([limits.Limit("room", tasks + 5, 5, "b"), wide]))
    found = look()
    assert found["descriptors"].value == f"{descriptors + 9} by tight, 10 in use"
    assert "raise it with ulimit -n NUMBER" in str(found["descriptors"].advice)
    assert found["threads, processes"].value == f"{tasks + 5} by room, 5 in use"
    assert found["threads, processes"].advice is None


def test_the_processors_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 0 50 800 10 0 0 40 7 0\ncpu1 0 0 0 0 0 0 0 0 0 0\nintr 9\n")

    def pass_time(seconds: float) -> None:
        assert seconds == 0.3
        stat.write_text(
            "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 110 1 55 860 14 1 3 56 9 0\ncpu1 99 0 0 0 0 0 0 0 0 0\nintr 9\n"
        )

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(time, "sleep", pass_time)
    assert watch(0.3, tmp_path) == (0.2, 0.16), "20 of 100 ticks at work, 16 stolen; what is a guest's is work already"


def test_without_counters_nothing_is_known_of_the_processors(tmp_path: Path) -> None:
    assert watch(0.0, tmp_path) == (None, None)


def test_this_machine_is_examined_for_real() -> None:
    assert QUIET.keys() <= machine.facts().keys(), "the facts made up here are those that there are"
    found = {finding.name: finding for finding in lanes.doctor()}
    assert found["lanes"].value == f"{lanes.__version__}, libcurl {machine.facts()['libcurl']}"
    assert str(found["others' work"].value).endswith("% of the processors")
    assert "in use" in str(found["threads, processes"].value)


@pytest.fixture
def findings() -> tuple[Finding, ...]:
    return (
        Finding("interpreter", "GIL", "on"),
        Finding("processors", "boost", None),
        Finding("processors", "quota", "1.5 of 4", "the kernel stops all workers " * 4 + "often"),
    )


def test_the_list_fits_80_columns_and_marks_advice(findings: tuple[Finding, ...]) -> None:
    shown = io.StringIO()
    report.show(findings, Console(file=shown, width=80))
    lines = shown.getvalue().splitlines()
    assert lines[:5] == ["interpreter", "  GIL    on", "", "processors", "  boost  unknown"]
    assert lines[5:7] == [
        "  quota  1.5 of 4",
        "         ! the kernel stops all workers the kernel stops all workers the kernel",
    ]
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "1 of 3 may disturb a measurement; nothing was changed."


def test_the_json_has_the_facts_and_the_findings(findings: tuple[Finding, ...]) -> None:
    document = json.loads(report.text(findings, {"gil": True}))
    assert (document["schema"], document["machine"]) == (1, {"gil": True})
    assert document["findings"][1] == {"group": "processors", "name": "boost", "value": None, "advice": None}
