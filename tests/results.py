"""A result of each kind, made by hand, with all that it may have: stalls, differences, errors, infinities, markup."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import lanes
from lanes import proc
from lanes.anatomy import AREAS, Anatomy, Area, Kernel, Look, SinceFork
from lanes.anatomy import Process as Seen
from lanes.anatomy import Thread as SeenThread
from lanes.backlog import Point, Times
from lanes.claims import Case, Claim, Figure, Need, Trial, Trials, Verdict
from lanes.claims import claim as judging
from lanes.comparison import Comparison, Difference
from lanes.laws import Judgement
from lanes.load import Load, LoadRow, Terms
from lanes.shown import Shown
from lanes.stall import Frame, Process, Stall, Stand
from lanes.sweep import Curve, Fit, Sweep
from lanes.types import Closeup, MemoryAt, Outcome, Pulse
from lanes.workloads.wait import Wait
from support import BASE, MACHINE, make_comparison, make_counters, make_row, make_usage

NASTY = "<script>alert(1)</script> a|b [bold]& `c`"
"""What a user may have called something."""

HALF = (0.5, 0.6, 0.55) * 2
DIFFERENCE = Difference(
    2, 1, f"http://x/?{NASTY}", Outcome("ok", (200, NASTY)), Outcome("failed", (), "ConnectError", NASTY)
)
FACTS = {**MACHINE, "cpu": NASTY}

_LOCKED = Stand(
    "Thread-1",
    thread_id=11,
    at_work=True,
    task=3,
    text=NASTY,
    for_s=1.5,
    frames=(Frame("work", "/home/me/mine.py", 12, "lock.acquire()"),),
    waits_for="a lock",
    held_by=12,
    state="sleeping",
    system_call="futex",
    waits_in="futex_wait",
)
STALL = Stall(
    2.0,
    (
        Process(
            10,
            1,
            "python",
            "sleeping",
            "process",
            (_LOCKED, replace(_LOCKED, name="Thread-2", thread_id=12, held_by=11, task=None, text="", at_work=False)),
            (Stand("Task-1", frames=_LOCKED.frames),),
            (Stand("native-epoll", thread_id=13, worker=2, at_work=True, task=4, text="four"),),
        ),
        Process(14, 10, "child", "runnable", "kernel"),
    ),
)


@cache
def make_comparisons() -> Comparison:
    """One with a row for each thing that can come of a row."""
    usages = (
        make_usage(0.2, 0.05, 0.02, 0.04, waits=30, voluntary=7, involuntary=2, thread_id=1),
        make_usage(0.1, 0.0, 0.03, 0.05, waits=20, voluntary=5, involuntary=1, thread_id=2),
    )
    pulse, without_gil = Pulse("loop", 0.005, 9, 3, 0.001, 1.0, 2.0), make_counters(usages[0], gil=False)
    failed = (Outcome("ok", (1,)), Outcome("failed", (), "TimeoutError", NASTY))
    made = make_comparison(
        make_row("threading", "python", HALF, BASE, counters=make_counters(*usages, handovers=41), origin_busy=0.25),
        make_row("threading", "held", HALF, BASE, differences=(DIFFERENCE,), outcomes=failed),
        make_row("asyncio", "python", [2 * wall for wall in BASE], BASE, pulse=pulse),
        make_row("asyncio", "released", reason="because"),
        replace(make_row("multiprocessing[spawn]", "python", HALF[:2], BASE, error=NASTY), stall=STALL),
        make_row("native-serial", None, [1.1 * wall for wall in HALF], BASE, counters=without_gil),
        make_row(
            "native-pthreads",
            None,
            [0.3, 0.31, 0.29] * 2,
            BASE,
            judgements=(Judgement("not throttled", True, "so much"), Judgement("split adds up", False, NASTY)),
        ),
        replace(
            make_row(
                "native-epoll",
                None,
                [0.2, 0.21, 0.19, 0.2, 0.2, 0.3],
                BASE,
                counters=make_counters(usages[1], method=None, handovers=None, throttled_s=None, others_s=None),
                closeup=Closeup(4096, (2048, 8192), 77, 0.5, 0.25, 0.125, (MemoryAt(0.1, 4096), MemoryAt(0.2, 2048))),
            ),
            closeup_error="too soon",
            pulse_error="no loop",
            log_error=NASTY,
        ),
    )
    return replace(made, machine=FACTS, budget_s=60.0, label=NASTY)


@cache
def make_measuring() -> Comparison:
    """One whose workload measures more than time, not known in one round."""
    work = lanes.counter(tasks=2)
    made = make_comparison(make_row("threading", "python", HALF, BASE))
    figures: list[dict[str, float | None]] = [dict.fromkeys(work.units, float(turn)) for turn in range(6)]
    figures[1]["lost"] = None
    rows = [
        replace(row, runs=tuple(replace(run, figures=each) for run, each in zip(row.runs, figures, strict=True)))
        for row in made
    ]
    return replace(made, workload=work, rows=tuple(rows))


@cache
def make_sweep() -> Sweep:
    rows = [
        make_row("native-fork", None, [wall / n for wall in BASE], BASE, workers=n, judgements=judgements)
        for n, judgements in ((1, ()), (2, ()), (4, (Judgement("not throttled", False, "it was"),)))
    ]
    made = make_comparison(*rows)
    baseline, *others = made.rows
    amdahl, usl = Fit(1.0, 0.1, 0.0, 0.99), Fit(1.0, 0.1, 0.02, 0.9)
    curves = (
        Curve("serial", "python", "python", (baseline,), None, None, 1, math.inf),
        Curve("native-fork", "native", None, tuple(others), amdahl, usl, 4, 0.25),
    )
    return Sweep(replace(made, machine=FACTS), (1, 2, 4), curves)


@cache
def make_load() -> Load:
    times = Times(0.01, 0.02, 0.03, 0.04)
    rows = (
        LoadRow(
            "threading", "python", "python", 4, 100, 80, 5, 10, 5, times, times, times, times, 32, 4, 80.0, 1 << 24,
            (Point(0.5, 30, 2, 4, 80.0, 0.01), Point(1.0, 32, 0, 4, 80.0, None)),
            memory=(MemoryAt(0.3, 1 << 24),),
        ),
        LoadRow("asyncio", "python", "python", 4, 9, 9, working=times, latency=times, served=100.0, log_error=NASTY),
        LoadRow("native-epoll", "native", None, 4, 9, 3, left=6, differences=(DIFFERENCE,), error=NASTY, stall=STALL),
        LoadRow("asyncio", "python", "held", 4, reason="because"),
    )  # fmt: skip
    return Load(Wait(2, (20_000_000,)), Terms(100.0, "poisson", 1.0, None, "wait", 3.0), 100, 5, FACTS, rows, NASTY)


@cache
def make_trials() -> Trials:
    claim = Claim(
        1,
        "made",
        f"It is made of {NASTY}.",
        lambda lab: (),
        (
            Case((judging.at_least("a", 1.0), judging.at_most("b", 0.7, "s", sturdy=True)), "mornings"),
            Case((judging.between("b", 1.0, 2.0, "s"),), "nights"),
        ),
        "on the time of day",
        ("the weather",),
        (Need("luck", lambda machine, figures: None),),
        ("a", "b"),
        "It is made up.",
    )
    figures = (
        Figure("a", "x", (2.0,) * 6),
        Figure("b", "s", (0.5, 0.6) * 3),
        Figure("c", "s", (math.inf,) * 6, "crowded: a law"),
    )
    sure = Trial(claim, figures, ("what was measured",), 1.0, claim.judge(figures, FACTS))
    other = replace(claim, number=2, name="other", sentence="It | holds. " * 20, told=())
    holds = Trial(other, figures[:2], (), 1.0, Verdict("holds"))
    failed = Trial(replace(claim, number=3, name="failed"), (), (), 0.5, None, NASTY)
    return Trials((sure, holds, failed), FACTS, 7, 2.5)


@cache
def make_anatomy() -> Anatomy:
    def process(number: int, parent: int, forked: bool) -> Seen:
        thread = SeenThread(number, NASTY[:15], "sleeping", "futex_wait", 1, 12.34, 0.5, None, 12, 34, None, (1, 2))
        areas = {name: Area(*[0] * 9) for name in AREAS} | {
            "code": Area(3, 9 << 20, 8 << 20, 1 << 20, 6 << 20, 0, 0, 0, 0)
        }
        since = SinceFork(2 << 20, 1 << 20, 0) if forked else None
        pipes = (proc.Descriptor(0, "pipe", "pipe:[1]"),)
        return Seen(
            number, parent, "python", NASTY, forked, (thread,), areas, 8 << 20, 1 << 20, since, pipes, 65536, 64
        )

    kernel = Kernel(16384, {"task_struct": 5888})
    look = Look(
        "multiprocessing", "python", 3, 48, 3, 0.5, 1.0, 0.01, 3, (process(2, 1, False), process(3, 2, True)), kernel
    )
    looks = (look, Look("asyncio", "held", 1, reason="because"), Look("serial", "python", 1, error=NASTY))
    return Anatomy(lanes.wait(tasks=16), 7, FACTS, looks)


RESULTS: dict[str, Shown] = {
    "comparison": make_comparisons(),
    "measuring": make_measuring(),
    "function": replace(make_comparison(), workload=lanes.workload(len, items=[NASTY, "b"])),
    "urls": replace(make_comparison(), workload=lanes.download(["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"])),
    "sweep": make_sweep(),
    "load": make_load(),
    "trials": make_trials(),
    "anatomy": make_anatomy(),
}
