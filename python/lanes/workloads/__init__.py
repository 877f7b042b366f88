"""The rows of the grid. A new one is a file here and a line below; it is imported when it is first asked for.

The file has the name of the row, and in it a function of that name makes the workload from the user's choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

_NAMES = ("download", "compute", "wait")


def names() -> tuple[str, ...]:
    """All workloads, in the order of the grid."""
    return _NAMES


def load(name: str) -> ModuleType:
    """The module of the workload of that name."""
    if name not in _NAMES:
        raise ValueError(f"unknown workload {name!r}: the workloads are {', '.join(_NAMES)}")
    return import_module(f"lanes.workloads.{name}")


def select(wanted: str | Sequence[str]) -> tuple[str, ...]:
    """The names meant by "all" or by a list ("download,wait"), each once."""
    words = [word.strip() for word in wanted.split(",")] if isinstance(wanted, str) else wanted
    allowed = f"choose all or any of {', '.join(_NAMES)}"
    chosen: dict[str, None] = {}
    for word in words:
        if word != "all" and word not in _NAMES:
            raise ValueError(f"unknown workload {word!r}: {allowed}")
        chosen.update(dict.fromkeys(_NAMES if word == "all" else (word,)))
    if not chosen:
        raise ValueError(f"no workload: {allowed}")
    return tuple(chosen)
