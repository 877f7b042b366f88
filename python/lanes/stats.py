"""What is said of many samples: medians, ratios paired by round, and which of two is faster."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MARGIN = 1.02
"""A median ratio below this is no difference worth a word."""


def median(values: Sequence[float]) -> float | None:
    """The middle of the values; None when there are none."""
    import statistics  # slow to import, and `import lanes` has no use for it

    return statistics.median(values) if values else None


def paired_ratios(over: Sequence[float], under: Sequence[float]) -> tuple[float, ...]:
    """One ratio a round, as far as both go. What disturbs a round disturbs both and falls out of the ratio."""
    return tuple(a / b for a, b in zip(over, under, strict=False))


def is_faster(walls: Sequence[float], others: Sequence[float]) -> bool:
    """Whether the first was faster in every round, and by more than a trifle; else we cannot tell, or it was not.

    One round tells nothing: it has no second one to agree with.
    """
    ratios = paired_ratios(others, walls)
    middle = median(ratios)
    return middle is not None and len(ratios) > 1 and middle >= MARGIN and min(ratios) > 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one is "faster" or "slower" than another, or we "cannot tell".

    factor is the other's median wall time over the one's: above 1 where it is faster; low and high are the ends of its
    95 % interval, 0 and infinity where there are too few samples for one.
    """

    word: str
    factor: float
    low: float
    high: float


SIGNIFICANT = 0.05
"""Chance alone would set two like samples so far apart in fewer cases than this."""


def unpaired(walls: Sequence[float], others: Sequence[float]) -> Verdict:
    """Whether the first is faster, of samples that no common round ties together: those of two files.

    It is told only when the Mann-Whitney test, the bootstrap interval and the margin all say so; without samples there
    is nothing to ask.
    """
    import numpy as np
    from scipy.stats import bootstrap, mannwhitneyu  # slow to import, and only two files need it

    factor = float(np.median(others) / np.median(walls))
    if not enough(len(walls), len(others)):
        return Verdict("cannot tell", factor, 0.0, math.inf)
    interval = bootstrap(
        (others, walls),
        lambda others, walls, axis: np.median(others, axis) / np.median(walls, axis),
        vectorized=True,
        batch=500,  # for thousands of samples, too, it fits in memory
        method="percentile",
        rng=1,  # the same files get the same verdict
    ).confidence_interval
    low, high = float(interval.low), float(interval.high)
    chance = mannwhitneyu(walls, others).pvalue
    word = "cannot tell"
    if chance <= SIGNIFICANT and factor >= MARGIN and low > 1:
        word = "faster"
    elif chance <= SIGNIFICANT and factor <= 1 / MARGIN and high < 1:
        word = "slower"
    return Verdict(word, factor, low, high)


def enough(some: int, others: int) -> bool:
    """Whether so many samples can tell at all: of all their orders, the two in which they do not mix must be rare.

    More than eight do not make up for a single one on the other side.
    """
    some, others = min(some, 8), min(others, 8)
    return 2 / math.comb(some + others, some) <= SIGNIFICANT
