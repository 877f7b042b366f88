"""Shared by the tests of the comparison: results made by hand, and what a command left running."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from lanes.comparison import Comparison, Difference, Row
from lanes.types import Outcome, Run, Span
from lanes.workloads.wait import Wait

MARK = "LANES_TEST_MARK"
"""An environment variable that every process of a test inherits."""

MACHINE = {"python": "3.11.7", "gil": True, "processors_usable": 2}


def marked(mark: str, patience_s: float = 0.0) -> list[int]:
    """The processes whose environment has the mark; waits until there are none, at most so long."""
    until = time.monotonic() + patience_s
    while True:
        found = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _has(entry, mark)]
        if not found or time.monotonic() >= until:
            return found
        time.sleep(0.02)


def _has(process: Path, mark: str) -> bool:
    """A zombie has no environment: it no longer runs."""
    try:
        return f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def make_run(
    model: str = "serial",
    body: str | None = "python",
    wall_s: float = 1.0,
    outcomes: Iterable[Outcome] = (Outcome("ok"), Outcome("ok")),
    cpu_s: float = 0.5,
    workers: int = 1,
) -> Run:
    """A run that began at second 10, on tasks of equal length."""
    outcomes = tuple(outcomes)
    began = 10 * 10**9
    ended = began + round(wall_s * 1e9)
    share = (ended - began) // (len(outcomes) + 2)
    times = [began + share * (n + 1) for n in range(len(outcomes))]
    spans = tuple(Span(0, os.getpid(), os.getpid(), 0, at, at, at + share, share // 2) for at in times)
    return Run("wait", model, body, workers, outcomes, spans, began, ended, cpu_s)


def make_row(
    model: str,
    body: str | None = None,
    walls: Iterable[float] = (),
    baseline: Iterable[float] = (),
    *,
    workers: int = 4,
    differences: tuple[Difference, ...] = (),
    error: str | None = None,
    reason: str | None = None,
    origin_busy: float | None = None,
    outcomes: Iterable[Outcome] = (Outcome("ok"), Outcome("ok")),
) -> Row:
    walls, outcomes = tuple(walls), tuple(outcomes)
    return Row(
        model=model,
        family="native" if model.startswith("native") else "python",
        body=body,
        workers=workers,
        runs=tuple(make_run(model, body, wall, outcomes, workers=workers) for wall in walls),
        ratios=tuple(other / wall for other, wall in zip(baseline, walls, strict=False)),
        differences=differences,
        error=error,
        reason=reason,
        origin_busy=origin_busy,
    )


BASE = (1.0, 1.2, 1.1)


def make_comparison(*rows: Row, base: Iterable[float] = BASE) -> Comparison:
    """These rows below a baseline, of a wait of two tasks."""
    baseline = make_row("serial", "python", base, base, workers=1)
    return Comparison(Wait(2, (50_000_000,)), 3, 7, MACHINE, (baseline, *rows))
