"""The workloads as the command line names them and their choices."""

from __future__ import annotations

from types import ModuleType

from lanes import workloads
from lanes.workloads import function


def modules() -> dict[str, ModuleType]:
    """The workloads by the form of their names."""
    return {**{name: workloads.load(name) for name in workloads.names()}, function.FORM: function}


def option_of(key: str) -> str:
    """The option for a choice: --task-size for task_size."""
    return f"--{key.replace('_', '-')}"


TERMS = ("rate", "arrivals", "queue", "full", "for")
"""The choices of `lanes load` itself."""


def written(command: str, row: str, key: str) -> str:
    """How a choice of a workload is called there: with the workload's name before it where the command has one of the
    same name, `--download-rate`."""
    return f"{row}_{key}" if command == "load" and key in TERMS else key


def input_of(module: ModuleType) -> tuple[str, str] | None:
    """The form and the meaning of what a workload is given besides its choices, if anything."""
    described: tuple[str, str] | None = getattr(module, "INPUT", None)
    return described


def row_of(name: str) -> str:
    return function.FORM if ":" in name and "://" not in name else name
