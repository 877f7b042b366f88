"""Shared by the tests of the comparison: results made by hand, and what a command left running."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import lanes
from lanes import models, stats
from lanes.comparison import Comparison, Difference, Row
from lanes.laws import Judgement
from lanes.stats import Verdict
from lanes.types import Closeup, Counters, Outcome, Pulse, Run, Span, Usage
from lanes.workloads.wait import Wait

MARK = "LANES_TEST_MARK"
"""An environment variable that every process of a test inherits."""

MACHINE = {"python": "3.11.7", "gil": True, "processors_usable": 2}


def copy_checkout(tree: Path) -> None:
    """What it takes to build from, and nothing that was built."""
    root = Path(__file__).parent.parent
    for name in ("csrc", "python"):
        shutil.copytree(root / name, tree / name, ignore=shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, tree / name)


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


def make_usage(
    cpu_s: float = 0.0,
    system_s: float = 0.0,
    queue_s: float = 0.0,
    gil_s: float = 0.0,
    *,
    waits: int = 0,
    voluntary: int = 0,
    involuntary: int = 0,
    thread_id: int = 1,
) -> Usage:
    """One worker's: cpu_s is user and system together, of which system_s is the system's."""
    return Usage(
        process_id=os.getpid(),
        thread_id=thread_id,
        began_ns=10 * 10**9,
        ended_ns=11 * 10**9,
        cpu_user_s=cpu_s - system_s,
        cpu_system_s=system_s,
        run_queue_s=queue_s,
        gil_wait_s=gil_s,
        gil_waits=waits,
        voluntary=voluntary,
        involuntary=involuntary,
    )


def make_counters(
    *usages: Usage,
    method: str | None = "timed waits",
    gil: bool = True,
    cost_s: float = 0.000_002,
    handovers: int | None = 0,
    throttled_s: float | None = 0.0,
    others_s: float | None = 0.0,
) -> Counters:
    return Counters(usages, gil, method, cost_s, handovers, throttled_s, others_s)


def make_run(
    model: str = "serial",
    body: str | None = "python",
    wall_s: float = 1.0,
    outcomes: Iterable[Outcome] = (Outcome("ok"), Outcome("ok")),
    cpu_s: float = 0.5,
    workers: int = 1,
    counters: Counters | None = None,
    closeup: Closeup | None = None,
    aside: int = 1,
) -> Run:
    """A run that began at second 10, on tasks of equal length, as long as which start-up and shutdown are each; or
    `aside` times as long."""
    outcomes = tuple(outcomes)
    began = 10 * 10**9
    ended = began + round(wall_s * 1e9)
    share = (ended - began) // (len(outcomes) + 2 * aside)
    times = [began + share * (n + aside) for n in range(len(outcomes))]
    spans = tuple(Span(0, os.getpid(), os.getpid(), 0, at, at, at + share, share // 2) for at in times)
    return Run(
        "wait",
        model,
        body,
        workers,
        outcomes,
        spans,
        began,
        ended,
        cpu_s,
        counters=counters,
        closeup=closeup,
        variant=models.parted(model)[1],
        switching="the operating system",
        processors="many",
    )


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
    cpu_s: float = 0.5,
    counters: Counters | None = None,
    closeup: Closeup | None = None,
    pulse: Pulse | None = None,
    judgements: tuple[Judgement, ...] = (),
    measured: Verdict | None = None,
) -> Row:
    """A row of such runs, all with the same counters. Its verdict is that of its walls, if it is not given."""
    walls, outcomes, baseline = tuple(walls), tuple(outcomes), tuple(baseline)
    ratios = stats.paired_ratios(baseline, walls)
    return Row(
        model=model,
        family="native" if model.startswith("native") else "python",
        body=body,
        workers=workers,
        runs=tuple(make_run(model, body, wall, outcomes, cpu_s, workers, counters) for wall in walls),
        ratios=ratios,
        differences=differences,
        error=error,
        reason=reason,
        origin_busy=origin_busy,
        wall_interval=stats.interval(walls),
        interval=stats.interval(ratios),
        closeup=closeup,
        pulse=pulse,
        judgements=judgements,
        measured=measured or stats.verdict(walls, baseline),
    )


BASE = (1.0, 1.2, 1.1) * 2
"""As many rounds as a verdict needs."""

FAST = tuple(wall / 4 for wall in BASE)
FASTER = tuple(wall / 40 for wall in BASE)


def make_comparison(*rows: Row, base: Iterable[float] = BASE) -> Comparison:
    """These rows below a baseline, of a wait of two tasks."""
    base = tuple(base)
    baseline = make_row("serial", "python", base, base, workers=1)
    return Comparison(Wait(2, (50_000_000,)), len(base), 7, MACHINE, (baseline, *rows))


def lines_of(*rows: Row, base: Iterable[float] = BASE) -> list[str]:
    """What is printed of them."""
    from lanes.report import table  # samples of what stands in tests load this file, and must not load that

    return table.text(make_comparison(*rows, base=base)).splitlines()


def dies_when_it_is_logged(path: str) -> int:
    """A function whose run is killed where every event is written down, and only there."""
    found = lanes.current()
    assert found is not None
    if found.model == "threading" and '"threading"' in Path(path).read_text():
        os.kill(os.getpid(), signal.SIGKILL)
    return 1
