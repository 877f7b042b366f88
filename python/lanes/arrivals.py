"""When tasks arrive: at a rate, evenly or at random, for a while. Made beforehand, and known from the seed.

Random arrivals are a Poisson process: nobody who sends a request knows of the others, so that each moment is as good
as any other, and the gaps between two are distributed exponentially.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import count

from lanes.units import format_duration, format_frequency

KINDS = ("constant", "poisson")

MOST = 100_000
"""Arrivals of one load: each is kept, with its outcome, in some kilobytes."""


def schedule(rate: Fraction, for_ns: int, kind: str = "constant", seed: int = 0) -> tuple[int, ...]:
    """The times of all arrivals in nanoseconds since the beginning, in order, each before `for_ns`.

    rate: how many a second. kind: "constant" for one after the other, the first at once; "poisson" for arrivals that
    know nothing of each other, which the seed decides.

    Raises ValueError for another kind, for more than `MOST` and for none at all.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown arrivals {kind!r}: choose from {', '.join(KINDS)}")
    times: list[int] = []
    for at in _constant(rate) if kind == "constant" else _poisson(rate, seed):
        if at >= for_ns:
            break
        if len(times) == MOST:
            raise ValueError(f"{_given(rate, for_ns)} are more than {MOST:,} arrivals: take a lower rate or less time")
        times.append(at)
    if not times:
        raise ValueError(f"{_given(rate, for_ns)} brings no arrival: take a higher rate or more time")
    return tuple(times)


def _given(rate: Fraction, for_ns: int) -> str:
    return f"{format_frequency(float(rate))} for {format_duration(for_ns)}"


def _constant(rate: Fraction) -> Iterator[int]:
    gap = Fraction(10**9) / rate
    return (int(n * gap) for n in count())


def _poisson(rate: Fraction, seed: int) -> Iterator[int]:
    gaps = random.Random(seed)
    at, per_ns = 0.0, float(rate) / 1e9
    while True:
        at += gaps.expovariate(per_ns)
        yield int(at)
