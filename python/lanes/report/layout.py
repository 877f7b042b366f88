"""Where rows, parts of a bar and factors on an axis stand, in pictures and on pages alike. Nothing is drawn here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from lanes.explain import LEAST_S
from lanes.report.palette import PARTS

if TYPE_CHECKING:
    from lanes.comparison import Row

_GAP = 0.6
"""Of a row, between families."""

_STEPS = (1, 2, 2.5, 5, 10)
"""Between numbers on an axis, times a power of ten."""

_NAMED = 5
"""So many steps an axis has at most, if they are equal."""


def places(rows: Sequence[Row]) -> list[float]:
    """Of each row from above, one apart, with a gap where another family begins."""
    found = [0.0] if rows else []
    for before, row in pairwise(rows):
        found.append(found[-1] + 1.0 + (_GAP if row.family != before.family else 0.0))
    return found


def shares(row: Row) -> Iterator[tuple[str, float]]:
    """Of the typical run's wall, one after the other: start-up, the work divided as its workers' time was, shutdown.

    By the names of PARTS, and "aside" for start-up and shutdown. Of work that is too short for its counters nothing is
    known but its length: it is one part, named "".
    """
    run, split = row.typical, row.split
    if run is None or split is None:
        return
    work = run.work_s / run.wall_s
    yield "aside", run.startup_s / run.wall_s
    if run.work_s < LEAST_S:
        yield "", work
    else:
        parts = split.cpu_user_s, split.cpu_system_s, split.run_queue_s, split.gil_wait_s or 0.0, split.blocked_s
        for name, part_s in zip(PARTS, parts, strict=True):
            yield name, work * part_s / (split.sum_s or 1.0)
    yield "aside", run.shutdown_s / run.wall_s


def is_hollow(row: Row) -> bool:
    """Whether the mark of a speed-up is: what is measured stands there, and is void."""
    return bool(row.broken or row.error or row.differences)


def span_of_factors(rows: Iterable[Row], room: float) -> tuple[float, float]:
    """From the lowest to the highest speed-up with its interval, 1x among them; apart by so much more, as a power."""
    known = [1.0]
    for row in rows:
        known += [each for each in (row.speedup, *(row.interval or ())) if each is not None]
    low, high = min(known), max(known)
    beside = max((high / low) ** room, 1.005)
    return low / beside, high * beside


def scale_of_factors(low: float, high: float) -> tuple[bool, list[float]]:
    """Whether factors that lie between these two need a logarithmic axis, and which to name on it."""
    if high / low >= 3:
        return True, list(_round_ones(low, high, fine=high / low < 12))
    return False, equal_steps(low, high)


def equal_steps(low: float, high: float) -> list[float]:
    """A few round numbers between two that differ."""
    power = 10.0 ** math.floor(math.log10((high - low) / _NAMED))
    step = next(step for each in _STEPS if (high - low) / (step := each * power) <= _NAMED)
    return [round(n * step, 12) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _round_ones(low: float, high: float, fine: bool) -> Iterator[float]:
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for digit in (1, 1.5, 2, 3, 5) if fine else (1, 2, 5) if high / low < 300 else (1,):
            if low <= digit * 10.0**power <= high:
                yield digit * 10.0**power
