"""The control groups of a process: the directories in which the kernel shows what they limit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

SELF = Path("/proc/self")


def directories(controller: str, proc: Path = SELF) -> Iterator[Path]:
    """Where a controller ("cpu", "pids") keeps its files for this process: its own group and all groups above.

    Of version 2, or of version 1 where the controller has a hierarchy of its own; none without control groups.
    """
    try:
        mounts = [line.split(" ") for line in _lines(proc / "mountinfo")]
        groups = [line.split(":", 2) for line in _lines(proc / "cgroup")]
    except OSError:
        return
    for fields in mounts:
        root, mount = fields[3:5]
        kind, _, options = fields[fields.index("-") + 1 :][:3]
        for _, controllers, path in groups:
            unified = kind == "cgroup2" and not controllers
            named = controller in options.split(",") and controller in controllers.split(",")
            if not unified and not (kind == "cgroup" and named):
                continue
            # In a container the mount may show only a subtree, and the path may be that of the host.
            inside = os.path.relpath(path, root) if os.path.commonpath([path, root]) == root else "."
            group = Path(os.path.normpath(Path(mount, inside)))
            yield from (each for each in (group, *group.parents) if each.is_relative_to(mount))


def _lines(path: Path) -> list[str]:
    """A path in a line may have any bytes but a line feed and a blank, which the kernel writes in other words."""
    return path.read_text(errors="surrogateescape").removesuffix("\n").split("\n")


def number(path: Path) -> int | None:
    """The whole number in a file; None where there is none, or it says "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
