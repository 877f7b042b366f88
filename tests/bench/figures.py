"""What a benchmark here is: a ratio of two quantities measured right after each other, and the bound it must keep.

A figure is measured in rounds, one pair each; the rounds of all figures are interleaved, and what disturbs the machine
for a while disturbs both sides of a ratio. A bound is a goal, never a test: what misses it is told, and no more.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace


class CannotMeasureError(Exception):
    """Why a figure cannot be measured here, in one line."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One round: lanes' quantity and the one it is compared with, both in seconds or both in tasks a second."""

    lanes: float
    other: float

    @property
    def ratio(self) -> float:
        return self.lanes / self.other


@dataclass(frozen=True, slots=True)
class Target:
    """The bound of a ratio."""

    bound: float
    at_most: bool = True

    def is_reached(self, ratio: float) -> bool:
        return ratio <= self.bound if self.at_most else ratio >= self.bound


@dataclass(frozen=True, slots=True)
class Meter:
    """A figure ready to be measured: what takes one pair, and what was found out about the two sides."""

    sample: Callable[[], Pair]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio worth a line of the table. `open` sets up what measuring takes, and takes it down again.

    name:  "engine/wreq"; the part before the slash selects all of a kind.
    lanes, other: what is compared with what.
    unit:  what both are shown in ("us", "ms", "/s"); the pairs hold seconds, or tasks a second.
    pairs: how many are measured; one a round when None.
    counts: whether a pair is one case that is counted or not, against 1; then the figure is a share of all cases.
    """

    name: str
    lanes: str
    other: str
    unit: str
    target: Target
    open: Callable[[], AbstractContextManager[Meter]]
    pairs: int | None = None
    counts: bool = False

    @property
    def kind(self) -> str:
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Result:
    """A figure and its pairs, one a round; or the reason why it could not be measured."""

    figure: Figure
    pairs: tuple[Pair, ...] = ()
    note: str = ""
    reason: str | None = None

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple(pair.ratio for pair in self.pairs)

    @property
    def value(self) -> float | None:
        """The median ratio, or the share of the cases that were counted."""
        if not self.pairs:
            return None
        return statistics.fmean(self.ratios) if self.figure.counts else statistics.median(self.ratios)

    @property
    def is_reached(self) -> bool | None:
        """Whether the value keeps the bound; None when the figure could not be measured."""
        value = self.value
        return None if value is None or self.reason is not None else self.figure.target.is_reached(value)

    def side(self, name: str) -> float:
        """The median of one side of all pairs, "lanes" or "other"; of cases, how many there were."""
        values: list[float] = [getattr(pair, name) for pair in self.pairs]
        return sum(values) if self.figure.counts else statistics.median(values)


def select(figures: Sequence[Figure], names: Sequence[str]) -> list[Figure]:
    """The figures of these names or kinds, in their own order; ValueError for a name that none has."""
    for name in names:
        if not any(name in (figure.name, figure.kind) for figure in figures):
            raise ValueError(f"there is no figure {name!r}: choose from {', '.join(f.name for f in figures)}")
    return [figure for figure in figures if figure.name in names or figure.kind in names]


def measure(figures: Sequence[Figure], rounds: int, tell: Callable[[str], None]) -> list[Result]:
    """All figures, set up first and then measured round by round in random order, as results in the order given.

    Whatever goes wrong with one figure is its result, and the others go on without it.
    """
    results = {figure.name: Result(figure) for figure in figures}
    with ExitStack() as stack:
        samples: dict[str, Callable[[], Pair]] = {}
        for name, result in results.items():
            tell(f"{name}: setting up")
            try:
                meter = stack.enter_context(result.figure.open())
            except Exception as error:
                results[name] = replace(result, reason=_words(error))
            else:
                samples[name] = meter.sample
                results[name] = replace(result, note=meter.note)
        for number in range(rounds):
            due = [name for name in samples for _ in range(_due(results[name].figure.pairs or rounds, number, rounds))]
            for name in random.sample(due, len(due)):
                if name not in samples:
                    continue
                tell(f"round {number + 1} of {rounds}: {name}")
                try:
                    pair = samples[name]()
                except Exception as error:
                    results[name] = replace(results[name], reason=_words(error))
                    del samples[name]
                else:
                    results[name] = replace(results[name], pairs=(*results[name].pairs, pair))
    return list(results.values())


def _due(pairs: int, number: int, rounds: int) -> int:
    """How many of so many pairs fall into a round, when they are spread over all."""
    return pairs * (number + 1) // rounds - pairs * number // rounds


def in_any_order(*calls: Callable[[], float]) -> Iterator[float]:
    """Call each once, in random order, as neither side of a pair shall always come first; what they gave, in order."""
    given = {n: calls[n]() for n in random.sample(range(len(calls)), len(calls))}
    return (given[n] for n in range(len(calls)))


def _words(error: Exception) -> str:
    """An error in one line. What was not foreseen also tells its type."""
    text = " ".join(str(error).split())
    return text if isinstance(error, CannotMeasureError) else f"{type(error).__name__}: {text}"
