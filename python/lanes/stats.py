"""What is said of many samples: medians, ratios paired by round, and which of two is faster."""

from __future__ import annotations

from collections.abc import Sequence

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
