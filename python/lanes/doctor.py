"""What this machine allows, and what will disturb a measurement. It looks and advises, and changes nothing.

Every finding is a fact in words. Beyond one of the thresholds below it comes with advice: one sentence that says what
is disturbed and what to do. What cannot be read is unknown, never guessed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from lanes import host, limits, machine
from lanes.interpreter import SWITCH_INTERVAL_S
from lanes.limits import Limit
from lanes.processors import ticks
from lanes.units import format_duration, format_size

WATCH_S = 0.3
"""For so long the processors are watched. The kernel counts steps of 10 ms: on two processors, one is 1.7 %."""

BUSY = 0.05
"""Others that take more than this share of the processors blur differences of a few per cent."""

STOLEN = 0.01
"""The same for what a hypervisor gives to other machines; no clock of a process tells that from its own work."""

LOAD = 0.5
"""A quiet machine had fewer tasks per processor that ran or waited in the last minute."""

PRESSURE = {"cpu": 10.0, "io": 10.0, "memory": 1.0}
"""Some task was held up for this percentage of ten seconds; for want of memory hardly any is normal."""

PROCESSORS = 3
"""With fewer, the embedded origin has none to itself beside two workers."""

WORKERS = 64
"""More than so many are seldom asked for; limits that leave them no room are worth a word beforehand."""

MEMORY = 512 * 2**20
"""Less does not hold the processes of a few workers; then the kernel begins to drop and to swap pages."""

SLOW_CLOCKS = ("acpi_pm", "hpet", "jiffies", "pit", "refined-jiffies")
"""Clocks that only the kernel can read, or whose steps are long."""

Facts: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    group, name: what it is: "interpreter", "build". value: what was found, in words; None where it is unknown.
    advice: what is disturbed and what to do, in one sentence; None where there is nothing to advise.
    """

    group: str
    name: str
    value: str | None
    advice: str | None = None


class Moment(NamedTuple):
    """What became of the processors' time while they were watched, as shares of it; None where that cannot be read."""

    busy: float | None = None
    stolen: float | None = None


def examine(facts: Facts | None = None) -> tuple[Finding, ...]:
    """Look at this interpreter and this machine, which takes about half a second, and say what to make of them.

    facts: what `lanes.machine.facts()` gave, where it is at hand.

    >>> [finding.name for finding in lanes.doctor()][:3]
    ['lanes', 'Python', 'build']
    """
    return judge(machine.facts() if facts is None else facts, watch(WATCH_S))


def judge(facts: Facts, moment: Moment) -> tuple[Finding, ...]:
    """The findings, group by group. The limits alone are asked for again, as facts do not tell what is in use."""
    return (*_interpreter(facts), *_processors(facts), *_limits(facts), *_now(facts, moment))


def _look(group: str, name: str, value: str | None, *advice: tuple[object, str]) -> Finding:
    """A finding with the first advice whose condition holds."""
    return Finding(group, name, value, next((text for holds, text in advice if holds), None))


def _interpreter(facts: Facts) -> Iterator[Finding]:
    """How Python was built and how it is set."""
    look = partial(_look, "interpreter")
    yield look("lanes", f"{facts['lanes']}, libcurl {facts['libcurl']}")
    yield look("Python", f"{facts['implementation']} {facts['python']}, {facts['compiler']}")
    yield look(
        "build",
        _build(facts),
        (
            facts["debug_build"],
            "a debug build checks itself at every step, and what is interpreted takes several times as long: measure "
            "with a release build",
        ),
        (
            facts["pgo_build"] is False,
            "without --enable-optimizations what is interpreted takes longer than in the builds that most people use: "
            "hold its times only against those of such a build",
        ),
    )
    yield look(
        "GIL",
        "on, in a free-threaded build" if facts["free_threaded_build"] and facts["gil"] else _on(facts["gil"]),
        (
            facts["free_threaded_build"] and facts["gil"],
            "PYTHON_GIL, -X gil or an extension has switched the GIL on, and threads take turns though the build could "
            "do without: set PYTHON_GIL=0",
        ),
    )
    yield look("JIT", _on(facts["jit"]))
    yield look(
        "switch interval",
        format_duration(facts["switch_interval_s"] * 1e9),
        (
            facts["switch_interval_s"] != SWITCH_INTERVAL_S,
            f"Python starts with {format_duration(SWITCH_INTERVAL_S * 1e9)}, and all models with Python threads change "
            "with it: leave out sys.setswitchinterval unless that is what you study",
        ),
    )
    yield look("start method", f"{facts['start_method']}; Python's own choice is {facts['start_methods'][0]}")
    yield from _hooks(facts)


def _hooks(facts: Facts) -> Iterator[Finding]:
    """What runs along with Python code."""
    look = partial(_look, "interpreter")
    hooks = ["development mode"] * facts["dev_mode"] + [f"PYTHONMALLOC={facts['malloc']}"] * bool(facts["malloc"])
    yield look(
        "debug hooks",
        _listed(hooks),
        (
            hooks,
            "memory is not allocated as usual, and everything that is interpreted takes longer: unset PYTHONDEVMODE "
            "and PYTHONMALLOC, and leave out -X dev",
        ),
    )
    yield look(
        "watchers",
        _listed(facts["watchers"]),
        (
            facts["watchers"],
            "they are told of calls, lines or allocations, and lanes.run in this process takes longer, with Python "
            "bodies most of all: measure without debugger, profiler and coverage",
        ),
    )
    yield look(
        "garbage collector",
        f"{_on(facts['gc_enabled'])}, at {', '.join(map(str, facts['gc_thresholds']))}",
        (
            not facts["gc_enabled"],
            "lanes.run in this process does without the collections that programs pay for: call gc.enable()",
        ),
    )


def _processors(facts: Facts) -> Iterator[Finding]:
    """What there is to compute with, how much of it is granted, and how steadily it runs."""
    look = partial(_look, "processors")
    usable, allowed, cores = facts["processors_usable"], facts["processors_allowed"], facts["cores_allowed"]
    yield look("processor", facts["cpu"])
    yield look("virtual machine", _on(facts["virtual"], "yes", "no"))
    yield look("kernel", f"{facts['system']} {facts['kernel']}, {_or_unknown(facts['kernel_hz'])} ticks a second")
    yield look(
        "clock",
        facts["clocksource"],
        (
            facts["clocksource"] in SLOW_CLOCKS,
            "reading this clock takes long or is coarse, and spans of short tasks are too long: boot with a steady TSC",
        ),
    )
    yield look(
        "usable",
        f"{usable} of {facts['processors']}, by affinity {facts['affinity']}",
        (usable == 1, "models that use many processors can show no gain on one: allow this process more"),
        (
            usable < PROCESSORS,
            "the embedded origin takes its share of them from the workers of downloads: heed what the table says of a "
            "busy origin, or serve from another machine",
        ),
    )
    yield look(
        "cores",
        cores and f"{cores} for {allowed} processors",
        (
            cores and cores < allowed,
            "two processors that are threads of one core compute less than two cores, so speed-ups level off early: "
            "bind lanes to one thread a core with taskset",
        ),
    )
    isolated = facts["processors_isolated"]
    yield look(
        "isolated",
        None if isolated is None else str(isolated or "none"),
        (
            isolated and allowed > 1,
            "the scheduler moves nothing between isolated processors, so all workers may stay on one of them: bind "
            "lanes to others with taskset",
        ),
    )
    yield from _quota(facts)
    yield from _frequency(facts)


def _quota(facts: Facts) -> Iterator[Finding]:
    look = partial(_look, "processors")
    quota, allowed, periods = facts["processor_quota"], facts["processors_allowed"], facts["throttled_periods"]
    yield look(
        "quota",
        "none" if quota is None else f"{quota:g} of {allowed} processors",
        (
            quota and quota < allowed and quota % 1,
            "the kernel stops all workers for part of each period, commonly 100 ms: grant whole processors, or take "
            "fewer workers",
        ),
        (
            quota and quota < allowed,
            "workers spread over more processors use the quota up before its period ends, and are all stopped for the "
            "rest: bind lanes to as many processors with taskset",
        ),
    )
    yield look(
        "throttled",
        None if periods is None else f"{periods:,} times, {facts['throttled_s']:.3g} s in all" if periods else "never",
        (
            periods,
            "the kernel has stopped this control group for having used its quota up, which looks as if workers had "
            "waited for each other: take fewer workers, or grant more",
        ),
    )


def _frequency(facts: Facts) -> Iterator[Finding]:
    look = partial(_look, "processors")
    governor, driver = facts["governor"], facts["frequency_driver"]
    yield look(
        "governor",
        governor and (f"{governor}, by {driver}" if driver else governor),
        (
            governor and governor != "performance",
            "frequencies rise only after work has begun, and models that wait a lot compute slowly: run "
            "cpupower frequency-set -g performance",
        ),
    )
    yield look(
        "boost",
        _on(facts["boost"]),
        (
            facts["boost"],
            "one busy core runs faster than many do, so speed-ups come out too small, and fall with heat: switch boost "
            "off to study how work scales",
        ),
    )


def _limits(facts: Facts) -> Iterator[Finding]:
    """Whether many workers find room, before a run is refused."""
    look = partial(_look, "limits")
    tasks, descriptors = limits.most_needed(WORKERS)
    yield _room("threads, processes", limits.task_limits(), tasks)
    yield _room("descriptors", limits.descriptor_limits(), descriptors)
    memory, most = facts["memory_bytes"], facts["memory_limit_bytes"]
    yield look(
        "memory",
        memory and (f"{format_size(most)} of {format_size(memory)}" if most else format_size(memory)),
        (
            most and most < MEMORY,
            "the kernel kills worker processes that do not fit: take fewer, or raise the memory limit of the container",
        ),
    )


def _room(name: str, found: Iterable[Limit], needed: int) -> Finding:
    """The limit that leaves the least room."""
    limit = min(found, key=lambda each: each.room, default=None)
    if limit is None:
        return Finding("limits", name, "no limit")
    return _look(
        "limits",
        name,
        f"{limit.most:,} by {limit.name}, {limit.used:,} in use",
        (
            limit.room < needed,
            f"{WORKERS} workers may need {needed}, and a run of too many is refused: raise it with {limit.remedy}",
        ),
    )


def _now(facts: Facts, moment: Moment) -> Iterator[Finding]:
    """What passes, and may be better in a minute."""
    look = partial(_look, "right now")
    load, usable, pressure = facts["load"], facts["processors_usable"], facts["pressure"]
    yield look(
        "load",
        load and f"{', '.join(f'{each:.2f}' for each in load)} in 1, 5, 15 minutes",
        (
            load and load[0] > LOAD * usable,
            "others were at work in the last minute, unless that was a measurement, and all times vary with them: end "
            "them, or wait",
        ),
    )
    yield look(
        "others' work",
        _share(moment.busy),
        (
            (moment.busy or 0.0) > BUSY,
            "somebody else computes on these processors, and models that use all of them lose most by it: see who with "
            "top, and end it",
        ),
    )
    yield look(
        "stolen time",
        _share(moment.stolen),
        (
            (moment.stolen or 0.0) > STOLEN,
            "the hypervisor gives this time to other machines, and no process can tell it from its own: take more "
            "rounds, or a dedicated machine",
        ),
    )
    pressed = [kind for kind, most in PRESSURE.items() if (pressure[kind] or 0.0) > most]
    yield look(
        "pressure",
        ", ".join(f"{kind} {share:.1f}%" for kind, share in pressure.items() if share is not None) or None,
        (
            pressed,
            f"in the last seconds tasks were held up by the want of {' and '.join(pressed)}, as workers will be: end "
            "what else runs, or wait",
        ),
    )
    available = facts["memory_available_bytes"]
    yield look(
        "memory available",
        available and format_size(available),
        (
            available is not None and available < MEMORY,
            "a few worker processes use that up, and then pages are swapped: end what else runs, or take fewer workers",
        ),
    )


def watch(seconds: float, proc: Path = host.PROC) -> Moment:
    """What the processors that this process may use do while it sleeps."""
    before = ticks(proc)
    time.sleep(seconds)
    after = ticks(proc)
    if before is None or after is None or after.total <= before.total:
        return Moment()
    total = after.total - before.total
    return Moment((after.work - before.work) / total, (after.stolen - before.stolen) / total)


def _on(value: bool | None, true: str = "on", false: str = "off") -> str | None:
    return None if value is None else true if value else false


def _or_unknown(value: object) -> str:
    return "unknown" if value is None else str(value)


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.1%} of the processors"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _build(facts: Facts) -> str:
    profile = {True: "optimised by a profile", False: "not optimised by a profile", None: "of unknown optimisation"}
    link, shared = facts["lto_build"], facts["shared_library"]
    return ", ".join(
        [
            *(["for debugging"] if facts["debug_build"] else []),
            profile[facts["pgo_build"]],
            *(["at link time"] if link else []),
            "in a shared library" if shared else "in one piece",
        ]
    )
