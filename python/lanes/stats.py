"""What is said of many samples: medians and their intervals, ratios paired by round, and which of two is faster.

The figures are SciPy's: percentile bootstrap intervals (Efron and Tibshirani, 1993), the tests of Wilcoxon (1945) and
of Mann and Whitney (1947), Tukey's fences (1977). What is ours is the rule that makes a word of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

CONFIDENCE = 0.95
"""Of the intervals."""

LEVEL = 0.05
"""Chance alone would set two alike so far apart in no more cases than this."""

FEWEST = 6
"""With fewer pairs no rank test can reach its level: five alike come about by chance one time in sixteen."""

MARGIN = 1.02
"""A median ratio below this is no difference worth a word."""

NARROW = 0.03
"""An interval this wide, as a share of its median, is narrow enough."""

FAR = 0.1
"""So is one whose width is this share of its distance from 1: nobody needs to know 31x to three per cent."""

_RESAMPLES = 4999

Word: TypeAlias = Literal["faster", "slower", "cannot tell"]


class Interval(NamedTuple):
    """The 95 % confidence interval of a median, from low to high, in its unit."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which of two is faster, how many times, and how sure that is.

    word: "faster", "slower" or "cannot tell". factor: the time of the other over that of the one; interval: that of
    the factor.
    """

    word: Word
    factor: float
    interval: Interval

    @property
    def times(self) -> float:
        """How many times faster or slower, never below 1 unless one cannot tell."""
        return 1 / self.factor if self.word == "slower" else self.factor


def median(values: Sequence[float]) -> float | None:
    """The middle of the values; None when there are none."""
    import statistics  # slow to import, and `import lanes` has no use for it

    return statistics.median(values) if values else None


def paired_ratios(over: Sequence[float], under: Sequence[float]) -> tuple[float, ...]:
    """One ratio a round, as far as both go. What disturbs a round disturbs both and falls out of the ratio."""
    return tuple(a / b for a, b in zip(over, under, strict=False))


def interval(values: Sequence[float]) -> Interval | None:
    """The percentile bootstrap interval of the median (Efron and Tibshirani, 1993); None for fewer than two values.

    The same values give the same interval.
    """
    if len(values) < 2:
        return None
    if min(values) == max(values):
        return Interval(values[0], values[0])
    import numpy
    from scipy import stats

    found = stats.bootstrap(
        (values,),
        numpy.median,
        confidence_level=CONFIDENCE,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=numpy.random.default_rng(0),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))


def verdict(walls: Sequence[float], others: Sequence[float]) -> Verdict | None:
    """Whether the first of two, paired by round, was faster; None without two rounds.

    It was when all of this holds: six rounds or more; the signed-rank test (Wilcoxon, 1945) of the logarithms of the
    ratios gives a p of 0.05 or less; the interval of the median ratio is on one side of 1; and that median is 2 % or
    more away from it.
    """
    ratios = paired_ratios(others, walls)
    sure, factor = interval(ratios), median(ratios)
    if sure is None or factor is None:
        return None

    def chance() -> float:
        from scipy import stats

        return float(stats.wilcoxon([math.log(ratio) for ratio in ratios]).pvalue)

    return Verdict(_word(factor, sure, chance) if len(ratios) >= FEWEST else "cannot tell", factor, sure)


def unpaired(walls: Sequence[float], others: Sequence[float]) -> Verdict:
    """Whether the first is faster, of samples that no common round ties together: those of two files.

    The rule is that of `verdict`, with the test of Mann and Whitney (1947) and the interval of the ratio of the
    medians; without samples there is nothing to ask. With too few for any test the interval is from nothing to
    infinity.
    """
    import numpy as np
    from scipy import stats

    factor = float(np.median(others) / np.median(walls))
    if not enough(len(walls), len(others)):
        return Verdict("cannot tell", factor, Interval(0.0, math.inf))
    found = stats.bootstrap(
        (others, walls),
        lambda others, walls, axis: np.median(others, axis) / np.median(walls, axis),
        vectorized=True,
        batch=500,  # for thousands of samples, too, it fits in memory
        confidence_level=CONFIDENCE,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    sure = Interval(float(found.low), float(found.high))
    return Verdict(_word(factor, sure, lambda: float(stats.mannwhitneyu(walls, others).pvalue)), factor, sure)


def _word(factor: float, sure: Interval, chance: Callable[[], float]) -> Word:
    """Factor, interval and test must all say so; chance is how often two alike would come out as far apart."""
    if 1 / MARGIN < factor < MARGIN or sure.low <= 1.0 <= sure.high or chance() > LEVEL:
        return "cannot tell"
    return "faster" if factor > 1 else "slower"


def enough(some: int, others: int) -> bool:
    """Whether so many samples can tell at all: of all their orders, the two in which they do not mix must be rare.

    More than eight do not make up for a single one on the other side.
    """
    some, others = min(some, 8), min(others, 8)
    return 2 / math.comb(some + others, some) <= LEVEL


def is_narrow(ratios: Sequence[float]) -> bool:
    """Whether more rounds would tell little more: six are there, and the interval of their median is narrow.

    Looking after every round finds the moment at which an interval happens to be short. The one looked at is therefore
    another than the one that is told, by order statistics and wider: with it, by simulation, a told interval of 95 %
    holds the truth in 92 to 93 of 100 cases; with itself in 86 to 91.
    """
    middle = median(ratios)
    if len(ratios) < FEWEST or middle is None:
        return False
    from scipy import stats

    sure = stats.quantile_test(ratios, p=0.5).confidence_interval(CONFIDENCE)
    return math.log(sure.high / sure.low) <= max(NARROW, FAR * abs(math.log(middle)))


def outliers(values: Sequence[float]) -> int:
    """How many values lie beyond Tukey's fences (1977), one and a half times the distance of the quartiles from these;
    0 for fewer than four values. None is left out."""
    if len(values) < 4:
        return 0
    import statistics

    low, _, high = statistics.quantiles(values, method="inclusive")
    fence = 1.5 * (high - low)
    return sum(not low - fence <= value <= high + fence for value in values)
