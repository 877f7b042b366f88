"""What a result depends on besides the code: the interpreter, the processors, and what this process may use of them."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from lanes.processors import usable_processors


def facts() -> dict[str, object]:
    """The facts, ready for JSON. Nothing in them tells whose machine it is."""
    import sysconfig  # slow to import, and only a finished comparison asks

    import lanes
    from lanes import _download  # with libcurl: slow to load

    return {
        "lanes": lanes.__version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "compiler": platform.python_compiler(),
        "free_threaded_build": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil": gil(),
        "switch_interval_s": sys.getswitchinterval(),
        "libcurl": _download.libcurl_version(),
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu": _cpu(),
        "processors": os.cpu_count(),
        "processors_allowed": len(os.sched_getaffinity(0)),
        "processors_usable": usable_processors(),
    }


def gil() -> bool:
    """Whether this interpreter has a GIL, and has it on."""
    enabled = getattr(sys, "_is_gil_enabled", None)  # new in 3.13
    return True if enabled is None else bool(enabled())


def _cpu() -> str | None:
    """The processor's name, where the kernel gives it one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {key.strip(): value.strip() for key, value in fields.items()}
    return names.get("model name") or names.get("Model") or names.get("Hardware")
