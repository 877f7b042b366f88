"""Starving: what a coroutine that computes does to its neighbours on the loop, and who keeps the loop moving."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lanes import stats
from lanes.claims.claim import Case, Claim, Figure, at_least, at_most
from lanes.claims.lab import ExperimentError, Lab, Look, Looks, crew, crowded, looked_at, measurement
from lanes.types import Pulse, Run
from lanes.workloads.compute import compute

_HANDED = {"threads": "asyncio-threads", "processes": "asyncio-processes"}


@measurement(
    "compute, 4 tasks of about 50 ms in Python: on the loop itself, handed to threads and to processes; and beside them"
    " on the loop something that tries to beat every 5 ms, untimed"
)
def pulses(lab: Lab) -> Looks:
    work = compute(tasks=4, task_size=15_000)
    models = {"inline": "asyncio", **_HANDED}
    return looked_at(lab, "pulse", {name: Look(work, model, "python", crew()) for name, model in models.items()})


def _starved(lab: Lab) -> Iterator[Figure]:
    inline = lab(pulses)["inline"]
    lengths = [stats.median([span.finished_ns - span.started_ns for span in run.spans]) or 0.0 for run in inline]
    late = [_late(run, lambda pulse: pulse.max_s) for run in inline]
    yield Figure("length of a task", "s", tuple(length / 1e9 for length in lengths))
    yield Figure("neighbour late by, at most", "s", tuple(late))
    longest = tuple(seconds / (length / 1e9) for seconds, length in zip(late, lengths, strict=True))
    yield Figure("neighbour late by, over the length of a task", "x", longest)


def _moving(lab: Lab) -> Iterator[Figure]:
    runs = lab(pulses)
    late = {name: tuple(_late(run, lambda pulse: pulse.p99_s) for run in each) for name, each in runs.items()}
    for name in ("inline", *_HANDED):
        yield Figure(f"late by (p99), {name}", "s", late[name])
    for name in _HANDED:
        ratios = stats.paired_ratios(late[name], late["inline"])
        yield Figure(f"late by (p99), {name} over inline", "x", ratios, crowded(runs[name], runs["inline"]))


def _late(run: Run, how: Callable[[Pulse], float | None]) -> float:
    late = how(run.pulse) if run.pulse else None
    if late is None:
        raise ExperimentError(f"{run.model}: there was no time for a pulse")
    return late


CLAIMS = (
    Claim(
        20,
        "starving-loop",
        "A CPU-heavy coroutine starves its neighbours.",
        _starved,
        (Case((at_least("neighbour late by, over the length of a task", 0.8),)),),
        told=("neighbour late by, at most", "length of a task"),
        note="What computes gives no way before it is done, and a worker of lanes takes the next task at once: so a"
        " neighbour may have to wait for several.",
    ),
    Claim(
        21,
        "moving-loop",
        "Handing what computes to threads or to processes keeps the loop moving.",
        _moving,
        (Case(tuple(at_most(f"late by (p99), {name} over inline", 1 / 3, sturdy=True) for name in _HANDED)),),
        hinges=("the GIL",),
        told=tuple(f"late by (p99), {name}" for name in ("inline", *_HANDED)),
        note="Threads share the GIL with the loop, which waits for it up to the switch interval whenever it wakes;"
        " processes do not.",
    ),
)
