"""Counting: one number that all add to, what is lost of it where nothing is locked, and what a lock costs."""

from __future__ import annotations

from collections.abc import Iterator

from lanes import stats
from lanes.claims.claim import Case, Claim, Figure, at_least, exactly
from lanes.claims.lab import Lab, Look, Looks, crowded, looked_at, measurement
from lanes.types import Run
from lanes.workloads.counter import counter

_TASKS, _CROWD = 4, 4
_HOLDS = ("20us", "100us")


@measurement(
    "counter, 4 tasks that add to one number on 4 workers: threads with x += 1, with x = x + f(), and with a lock that"
    " is held for 0, 20 and 100 us; coroutines without and with an await between read and write",
    computes=True,
)
def counters(lab: Lab) -> Looks:
    plain = counter("plain", tasks=_TASKS, updates=500_000)
    call = counter("call", tasks=_TASKS, updates=300_000)
    threads = {"x += 1": plain, "x = x + f()": call, "lock": counter("locked", tasks=_TASKS, updates=20_000)}
    threads |= {f"lock, {hold}": counter("locked", tasks=_TASKS, updates=200, hold=hold) for hold in _HOLDS}
    loops = {"without an await": call, "with an await": counter("await", tasks=_TASKS, updates=2_000)}
    looks = {name: Look(work, "threading", "python", _CROWD) for name, work in threads.items()}
    looks |= {name: Look(work, "asyncio", "python", _CROWD) for name, work in loops.items()}
    return looked_at(lab, "timed", looks)


def _of(runs: list[Run], figure: str) -> tuple[float, ...]:
    """What the workload measured of itself in each run."""
    return tuple(value for run in runs if (value := run.figures[figure]) is not None)


def _interrupted(lab: Lab) -> Iterator[Figure]:
    runs = lab(counters)
    for step in ("x += 1", "x = x + f()"):
        yield Figure(f"{step}: updates lost", "", _of(runs[step], "lost"))
        yield Figure(f"{step}: share lost", "%", _of(runs[step], "lost_share"))


def _awaits(lab: Lab) -> Iterator[Figure]:
    runs = lab(counters)
    for how in ("without an await", "with an await"):
        yield Figure(f"{how}: updates lost", "", _of(runs[how], "lost"))
        yield Figure(f"{how}: share lost", "%", _of(runs[how], "lost_share"))


def _locks(lab: Lab) -> Iterator[Figure]:
    runs = lab(counters)
    unlocked, locked = _of(runs["x = x + f()"], "cost"), _of(runs["lock"], "cost")
    short, long = (_of(runs[f"lock, {hold}"], "cost") for hold in _HOLDS)
    lost = (_of(runs[name], "lost") for name in ("lock", *(f"lock, {hold}" for hold in _HOLDS)))
    yield Figure("updates lost with a lock", "", tuple(map(sum, zip(*lost, strict=True))))
    for name, cost in (("no lock", unlocked), ("lock", locked), ("held 20 us", short), ("held 100 us", long)):
        yield Figure(f"an update, {name}", "s", cost)
    law = crowded(*runs.values())
    yield Figure("lock over no lock", "x", stats.paired_ratios(locked, unlocked), law)
    yield Figure("held 20 us over at once", "x", stats.paired_ratios(short, locked), law)
    yield Figure("held 100 us over 20 us", "x", stats.paired_ratios(long, short), law)


CLAIMS = (
    Claim(
        11,
        "interrupted-anywhere",
        "A thread can be interrupted anywhere, even inside x = x + 1.",
        _interrupted,
        tuple(
            Case((at_least(f"{step}: updates lost", 1, "", sturdy=True),), step) for step in ("x += 1", "x = x + f()")
        ),
        "on the statement and on the interpreter",
        hinges=("the interpreter", "the GIL"),
        told=("x += 1: share lost", "x = x + f(): share lost"),
        note="With a GIL, CPython from 3.10 on looks for a reason to switch at calls and at the ends of loops only, so"
        " that nothing comes between the read and the write of x += 1. That is no promise of the language, and without"
        " a GIL it is not so.",
    ),
    Claim(
        12,
        "interrupted-at-await",
        "A coroutine is interrupted only at an await, so an unlocked counter is safe without one and not with one.",
        _awaits,
        (
            Case(
                (
                    exactly("without an await: updates lost", 0),
                    at_least("with an await: updates lost", 1, "", sturdy=True),
                )
            ),
        ),
        told=("without an await: share lost", "with an await: share lost"),
    ),
    Claim(
        13,
        "locks",
        "A lock makes it right, and the longer it is held the more it costs.",
        _locks,
        (
            Case(
                (
                    exactly("updates lost with a lock", 0),
                    at_least("lock over no lock", 1.1),
                    at_least("held 20 us over at once", 1.5),
                    at_least("held 100 us over 20 us", 2),
                )
            ),
        ),
        told=(
            "updates lost with a lock",
            *(f"an update, {how}" for how in ("no lock", "lock", "held 20 us", "held 100 us")),
        ),
    ),
)
