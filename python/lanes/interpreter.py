"""What a result depends on of the interpreter: how it was built, how it is set, and who looks on while it runs."""

from __future__ import annotations

import os
import platform
import sys

SWITCH_INTERVAL_S = 0.005
"""What CPython starts with."""


def facts() -> dict[str, object]:
    """The facts, ready for JSON; null for what is not known.

    pgo_build, lto_build   whether it was configured for optimisation by a profile, and at link time
    start_methods          of multiprocessing; the first is Python's default, start_method is what lanes uses
    malloc                 what PYTHONMALLOC says, null for nothing
    watchers               what is told of calls, lines or allocations of this process, and slows it down
    """
    import gc
    import multiprocessing
    import sysconfig  # these are slow to import, and only a finished comparison asks

    from lanes import _download  # with libcurl: slow to load
    from lanes.children import START_METHOD

    options = sysconfig.get_config_var("CONFIG_ARGS")
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "compiler": platform.python_compiler(),
        "debug_build": bool(sysconfig.get_config_var("Py_DEBUG")),
        "pgo_build": None if options is None else "--enable-optimizations" in options,
        "lto_build": None if options is None else "--with-lto" in options,
        "shared_library": bool(sysconfig.get_config_var("Py_ENABLE_SHARED")),
        "free_threaded_build": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil": gil(),
        "jit": _jit(options),
        "switch_interval_s": sys.getswitchinterval(),
        "start_method": START_METHOD,
        "start_methods": multiprocessing.get_all_start_methods(),
        "dev_mode": sys.flags.dev_mode,
        "malloc": None if sys.flags.ignore_environment else os.environ.get("PYTHONMALLOC"),
        "watchers": _watchers(),
        "gc_enabled": gc.isenabled(),
        "gc_thresholds": list(gc.get_threshold()),
        "gc_frozen": gc.get_freeze_count(),
        "libcurl": _download.libcurl_version(),
    }


def gil() -> bool:
    """Whether this interpreter has a GIL, and has it on."""
    enabled = getattr(sys, "_is_gil_enabled", None)  # new in 3.13
    return True if enabled is None else bool(enabled())


def _watchers() -> list[str]:
    """What is told of calls, lines or allocations while Python code runs: debuggers, profilers, coverage."""
    import threading
    import tracemalloc

    monitoring = getattr(sys, "monitoring", None)  # new in 3.12
    trampoline = getattr(sys, "is_stack_trampoline_active", None)  # the same
    tools = [monitoring.get_tool(number) for number in range(6)] if monitoring else []
    found = {
        "sys.settrace": sys.gettrace() or threading.gettrace(),
        "sys.setprofile": sys.getprofile() or threading.getprofile(),
        **{f"sys.monitoring by {tool}": True for tool in tools if tool is not None},
        "tracemalloc": tracemalloc.is_tracing(),
        "perf trampoline": trampoline and trampoline(),
    }
    return [name for name, active in found.items() if active]


def _jit(options: str | None) -> bool | None:
    """Whether Python code is compiled as it runs. Before 3.14 only the build tells, and not whether it is on."""
    jit = getattr(sys, "_jit", None)
    if jit is not None:
        return bool(jit.is_enabled())
    if options is None or "--enable-experimental-jit" in options:
        return None
    return False
