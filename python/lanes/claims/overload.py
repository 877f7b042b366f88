"""Overload: what becomes of tasks that arrive faster than they are done."""

from __future__ import annotations

from collections.abc import Iterator

from lanes.claims.claim import Case, Claim, Figure, at_least, at_most
from lanes.claims.lab import ROUNDS, ExperimentError, Lab, measurement
from lanes.load import LoadRow, load
from lanes.stats import paired_ratios
from lanes.workloads.wait import wait

_BOUND, _ARRIVALS = 8, 120
_MODEL = "futures-threads"
_QUEUES: dict[str, tuple[int | None, str]] = {"unbounded": (None, "wait"), "bounded": (_BOUND, "reject")}
"""How many may wait, and what becomes of who finds no room."""


@measurement(
    "load: waits of 20 ms arrive 800 times a second for 150 ms at 4 threads of a pool, which can serve 200 a second;"
    f" with its own queue, which has no bound, and with one of {_BOUND} that sends away whom it cannot take"
)
def arrivals(lab: Lab) -> dict[str, list[LoadRow]]:
    rows: dict[str, list[LoadRow]] = {name: [] for name in _QUEUES}
    for turn in range(ROUNDS):
        for place, (name, (bound, full)) in enumerate(_QUEUES.items()):
            lab.tell((turn + place / len(rows)) / ROUNDS)
            found = load(
                wait(duration="20ms"),
                rate="800/s",
                duration="150ms",
                queue=bound,
                full=full,
                models=_MODEL,
                workers=4,
                seed=lab.seed + turn,
            )[_MODEL]
            if found.error is not None:
                raise ExperimentError(f"{found.name}: {found.error}")
            rows[name].append(found)
    return rows


def _queues(lab: Lab) -> Iterator[Figure]:
    waits = {}
    for name, rows in lab(arrivals).items():
        waits[name] = tuple(row.waiting.max for row in rows if row.waiting is not None)
        yield Figure(f"{name}, most that wait", "", tuple(float(row.most_backlog) for row in rows))
        yield Figure(f"{name}, longest wait", "s", waits[name])
        yield Figure(f"{name}, sent away", "%", tuple(row.rejected / row.arrived for row in rows))
    yield Figure("longest wait, unbounded over bounded", "x", paired_ratios(waits["unbounded"], waits["bounded"]))


CLAIMS = (
    Claim(
        22,
        "unbounded-queue",
        "When arrivals outrun service, an unbounded queue balloons and a bounded one holds.",
        _queues,
        (
            Case(
                (
                    at_least("unbounded, most that wait", _ARRIVALS / 2, ""),
                    at_most("bounded, most that wait", _BOUND, "", sturdy=True),
                    at_least("longest wait, unbounded over bounded", 2),
                )
            ),
        ),
        told=tuple(f"{queue}, {figure}" for figure in ("most that wait", "longest wait") for queue in _QUEUES),
        note="Of 120 arrivals four threads do 30 in the time. What the bounded queue cannot take is sent away at once;"
        " it might also have to wait outside, which makes its producer late.",
    ),
)
