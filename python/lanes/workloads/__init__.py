"""The rows of the grid. A new one is a file here and a line below; it is imported when it is first asked for.

The file has the name of the row, and in it a function of that name makes the workload from the user's choices. ABOUT
says in words what a task is, OPTIONS each choice's form (None for a switch) and meaning, EXAMPLES how it is compared on
the command line. Where there is an INPUT, its form and meaning, the function's first argument is a list of such.

A user's own function is a row as well (function.py), but stands in no list: its name is its path.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

_NAMES = ("download", "compute", "wait", "counter", "exchange")


def names() -> tuple[str, ...]:
    """All workloads, in the order of the grid."""
    return _NAMES


def load(name: str) -> ModuleType:
    """The module of the workload of that name."""
    if name not in _NAMES:
        raise ValueError(f"unknown workload {name!r}: the workloads are {', '.join(_NAMES)}")
    return import_module(f"lanes.workloads.{name}")
