"""What a result depends on besides the code: the interpreter, the processors, and what this process may use of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lanes import host, interpreter, limits
from lanes.units import format_size

_COUNTED = {
    "lanes": "lanes",
    "python": "Python",
    "implementation": "implementation",
    "compiler": "compiler of Python",
    "debug_build": "debug build",
    "pgo_build": "build optimised by a profile",
    "lto_build": "build optimised at link time",
    "shared_library": "Python in a shared library",
    "free_threaded_build": "free-threaded build",
    "gil": "GIL",
    "jit": "JIT",
    "switch_interval_s": "switch interval in seconds",
    "start_method": "start method",
    "dev_mode": "development mode",
    "malloc": "PYTHONMALLOC",
    "gc_enabled": "garbage collector",
    "gc_thresholds": "thresholds of the garbage collector",
    "libcurl": "libcurl",
    "system": "system",
    "kernel": "kernel",
    "kernel_hz": "ticks a second",
    "clocksource": "clock",
    "architecture": "architecture",
    "cpu": "processor",
    "virtual": "virtual machine",
    "processors": "processors there",
    "processors_allowed": "processors allowed",
    "processors_usable": "processors usable",
    "processors_isolated": "processors isolated",
    "cores_allowed": "cores allowed",
    "processor_quota": "quota of processors",
    "smt": "two threads a core",
    "governor": "frequency governor",
    "frequency_driver": "frequency driver",
    "boost": "boost",
}
"""The facts that change results, in words. Load and pressure do as well, but a machine has others every minute."""

_NONE = {"malloc", "processor_quota"}
"""Of these, null does not say that nobody knows, but that there is none."""


def facts() -> dict[str, object]:
    """The facts, ready for JSON; see there what they mean. Nothing in them tells whose machine it is."""
    import lanes

    return {"lanes": lanes.__version__, **interpreter.facts(), **host.facts(), **limits.facts()}


def differences(one: Mapping[str, object], other: Mapping[str, object]) -> tuple[str, ...]:
    """What of two machines' facts may make their results differ, each in a few words.

    A fact that one of them does not know, or an older lanes did not ask for, is not known to differ.
    """
    return tuple(
        f"{words}: {_said(one[name])} and {_said(other[name])}"
        for name, words in _COUNTED.items()
        if _known(name, one) and _known(name, other) and one[name] != other[name]
    )


def in_words(facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Every fact with its words. What nobody knows is left out."""
    for name, value in facts.items():
        if not _known(name, facts):
            continue
        if name.endswith("_bytes") and isinstance(value, int):
            yield name.removesuffix("_bytes").replace("_", " "), format_size(value)
        else:
            words = _COUNTED.get(name) or re.sub("_s$", " for, in seconds", name).replace("_", " ")
            yield words, _said(value)


def _known(name: str, facts: Mapping[str, object]) -> bool:
    return name in facts and (facts[name] is not None or name in _NONE)


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
