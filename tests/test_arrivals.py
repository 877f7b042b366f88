"""When tasks arrive: even and random schedules, and what is refused."""

from __future__ import annotations

import statistics
from fractions import Fraction
from itertools import pairwise

import pytest

from lanes.arrivals import MOST, schedule

SECOND = 10**9


def test_constant_arrivals_begin_at_once_and_are_evenly_spaced() -> None:
    assert schedule(Fraction(4), SECOND) == (0, 250_000_000, 500_000_000, 750_000_000)
    assert schedule(Fraction(1, 2), SECOND) == (0,)
    thirds = schedule(Fraction(3), 100 * SECOND)
    assert len(thirds) == 300
    assert thirds[-1] == 299 * SECOND // 3, "nothing adds up"


def test_poisson_arrivals_have_the_mean_and_the_spread_of_their_rate() -> None:
    times = schedule(Fraction(1000), 20 * SECOND, "poisson", seed=1)
    gaps = [after - before for before, after in pairwise((0, *times))]
    # 20,000 gaps: the standard error of either is under 1 %, and five of them are allowed.
    assert statistics.fmean(gaps) == pytest.approx(1e6, rel=0.04)
    assert statistics.stdev(gaps) == pytest.approx(1e6, rel=0.05)
    assert len(times) == pytest.approx(20_000, abs=5 * 20_000**0.5)
    # Of an exponential distribution 1 - 1/e lie below the mean; evenly spaced ones all or none.
    assert sum(gap < 1e6 for gap in gaps) / len(gaps) == pytest.approx(0.632, abs=0.02)
    assert list(times) == sorted(times)
    assert times[-1] < 20 * SECOND


def test_the_seed_decides_alone() -> None:
    assert schedule(Fraction(100), SECOND, "poisson", 5) == schedule(Fraction(100), SECOND, "poisson", 5)
    assert schedule(Fraction(100), SECOND, "poisson", 5) != schedule(Fraction(100), SECOND, "poisson", 6)
    assert schedule(Fraction(100), SECOND, "constant", 5) == schedule(Fraction(100), SECOND, "constant", 6)


def test_what_is_too_much_too_little_or_unknown_is_refused_in_one_line() -> None:
    assert len(schedule(Fraction(MOST), SECOND)) == MOST
    with pytest.raises(
        ValueError, match=r"100,001/s for 1 s are more than 100,000 arrivals: take a lower rate or less"
    ):
        schedule(Fraction(MOST + 1), SECOND)
    with pytest.raises(ValueError, match=r"0\.001/s for 1 ms brings no arrival: take a higher rate or more time"):
        schedule(Fraction(1, 1000), SECOND // 1000, "poisson", 3)
    with pytest.raises(ValueError, match="unknown arrivals 'bursts': choose from constant, poisson"):
        schedule(Fraction(1), SECOND, "bursts")
