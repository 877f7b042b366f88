"""What a claim is, and how it is judged: a sentence, what is measured for it, and a rule on intervals.

A rule says where the 95 % interval of a figure must lie. If it lies there as a whole, the rule is met; if it lies
elsewhere as a whole, it is broken; an interval that crosses a bound says nothing. Nor does a figure from rows that
broke a law, such as that the machine must not be overloaded, unless what disturbs can never be why the rule is met. So
a disturbed machine gives *cannot tell* and no wrong word. How figures are measured, and how shown, is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from lanes import stats
from lanes.stats import FEWEST, Interval
from lanes.units import format_duration, format_size

if TYPE_CHECKING:
    from lanes.claims.lab import Lab

Word: TypeAlias = Literal["holds", "does not hold", "depends", "cannot tell"]
Unit: TypeAlias = Literal["x", "s", "B", "%", ""]
"""Of a figure: a factor, seconds, bytes, a share (1 is all), or a plain number."""


_LEAST = 1e-12
"""A reciprocal is taken of nothing smaller."""


def quantity(number: float, unit: Unit) -> str:
    """A number with its unit, to three digits: 1.02x, 31 ms, 4 KiB, 12 %. A time without end is never."""
    return "".join(_parted(number, unit))


def _parted(number: float, unit: Unit) -> tuple[str, str]:
    """The digits, and the unit with its blank."""
    if unit == "s":
        text = "never" if math.isinf(number) else format_duration(number * 1e9)
    elif unit == "B":
        text = ("-" if number < 0 else "") + format_size(abs(number))
    else:
        return _short(number * 100 if unit == "%" else number), " %" if unit == "%" else unit
    digits, blank, suffix = text.partition(" ")
    return digits, blank + suffix


def _short(number: float) -> str:
    """Three significant digits, but no fewer than the whole part has, and none where there is nothing behind it."""
    if abs(number) >= 99.95 or float(number).is_integer():
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 9.995 else f"{number:.2f}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, measured once in every round.

    name: in words, such as "threading over serial"; the rules of a claim call it so.
    unit: "x" for factors, "s", "B" (bytes), "%" for shares where 1 is all, "" for plain numbers.
    samples: one for each round, in this unit; infinite for a time without end.
    void: which law was broken where it was measured; "" where none was.
    """

    name: str
    unit: Unit
    samples: tuple[float, ...]
    void: str = ""

    @property
    def median(self) -> float | None:
        """Of the samples; None where there are none."""
        return stats.median(self.samples)

    @property
    def interval(self) -> Interval | None:
        """Of the median, at 95 %; None with fewer rounds than a verdict needs.

        Where some samples are infinite, it is that of their reciprocals, turned round: between a number and infinity
        there is nothing to be found by resampling, between a number and 0 there is.
        """
        if len(self.samples) < FEWEST:
            return None
        if not any(map(math.isinf, self.samples)):
            return stats.interval(self.samples)
        turned = stats.interval([1 / max(sample, _LEAST) for sample in self.samples])
        return turned and Interval(*(1 / bound if bound else math.inf for bound in reversed(turned)))

    def __str__(self) -> str:
        """What was measured: "threading over serial 1.02x (0.98-1.05)"."""
        if self.median is None:
            return f"{self.name} unknown"
        told = f"{self.name} {quantity(self.median, self.unit)}"
        return f"{told} ({self.spread})" if self.spread else told

    @property
    def spread(self) -> str:
        """The interval in words: the unit where it is not the median's; "" where it has no width to speak of."""
        middle, sure = self.median, self.interval
        if middle is None or sure is None:
            return ""
        low, high, unit = _parted(sure.low, self.unit), _parted(sure.high, self.unit), _parted(middle, self.unit)[1]
        if low == high:
            return ""
        return f"{low[0]}-{high[0]}" if low[1] == high[1] == unit else f"{''.join(low)} - {''.join(high)}"


@dataclass(frozen=True, slots=True)
class Within:
    """A rule: the whole interval of a figure lies between two bounds, which count as inside.

    figure: its name. unit: of the bounds, as in a `Figure`. low, high: the bounds; infinite where there is none.
    sturdy: what disturbs a machine may break the rule, but never be the reason that it is met.
    """

    figure: str
    unit: Unit
    low: float = -math.inf
    high: float = math.inf
    sturdy: bool = False

    @property
    def bound(self) -> str:
        """The bounds in words: "at least 1.50x"."""
        if self.low == self.high:
            return f"exactly {quantity(self.low, self.unit)}"
        if math.isinf(self.high):
            return f"at least {quantity(self.low, self.unit)}"
        high = quantity(self.high, self.unit)
        return f"at most {high}" if math.isinf(self.low) else f"from {quantity(self.low, self.unit)} to {high}"

    def __str__(self) -> str:
        return f"{self.figure}: {self.bound}"

    def met(self, figures: Mapping[str, Figure]) -> bool | None:
        """Whether it is; None where the interval crosses a bound, or is not known, or the figure is void."""
        figure = figures[self.figure]
        sure = figure.interval
        if sure is None:
            return None
        inside = self.low <= sure.low and sure.high <= self.high
        if figure.void:
            return True if inside and self.sturdy else None
        return True if inside else False if sure.high < self.low or sure.low > self.high else None


@dataclass(frozen=True, slots=True)
class Case:
    """A claim under one condition: all its rules must be met. `when` names the condition, "" where there is but one."""

    rules: tuple[Within, ...]
    when: str = ""

    def holds(self, figures: Mapping[str, Figure]) -> bool | None:
        """Whether all are met; None where none is broken and one says nothing."""
        answers = [rule.met(figures) for rule in self.rules]
        return False if False in answers else None if None in answers else True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of the figures.

    word: "holds", "does not hold", "depends" or "cannot tell".
    why: what it depends on or why one cannot tell, in a few words; "" where there is nothing to add.
    """

    word: Word
    why: str = ""

    def __str__(self) -> str:
        return f"{self.word}: {self.why}" if self.why else self.word


@dataclass(frozen=True, slots=True)
class Need:
    """What must be so for a verdict: without it one cannot tell, whatever was measured.

    words: what that is.
    lacking: what is said where the facts of this machine and the figures lack it; None where all is well.
    """

    words: str
    lacking: Callable[[Mapping[str, object], Mapping[str, Figure]], str | None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that people repeat, and what decides whether it is so here.

    name:       as typed on the command line; number: its place in the list.
    sentence:   what is claimed.
    experiment: measures in a laboratory what the rules ask for, as figures.
    cases:      one, or several that the verdict may depend on; then `depends` says on what, as "on ...".
    hinges:     what on another machine may turn the verdict: the interpreter, the GIL, the processors, ...
    needs:      what must be so for any verdict.
    told:       the figures that say in short what was measured; those of the rules when left out.
    note:       what there is to know beyond the rules.
    """

    number: int
    name: str
    sentence: str
    experiment: Callable[[Lab], Iterable[Figure]] = field(repr=False)
    cases: tuple[Case, ...]
    depends: str = ""
    hinges: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    told: tuple[str, ...] = ()
    note: str = ""

    @property
    def rule(self) -> tuple[str, ...]:
        """The judgement in words, one line each."""
        return tuple(self._rule())

    @property
    def rules(self) -> tuple[Within, ...]:
        """Those of all cases."""
        return tuple(rule for case in self.cases for rule in case.rules)

    def _rule(self) -> Iterator[str]:
        yield "Holds when of each figure the whole 95 % interval lies within its bounds:"
        for case in self.cases:
            if case.when:
                yield f"{case.when}:"
            for rule in case.rules:
                yield f"  {rule}"
        yield "Does not hold when one lies outside as a whole; else, or where a law was broken, one cannot tell."
        if self.depends:
            yield f"Depends {self.depends} when it holds in some of these cases and not in others."
        for need in self.needs:
            yield f"Needs {need.words}."

    def judge(self, figures: Iterable[Figure], machine: Mapping[str, object]) -> Verdict:
        """The verdict on these figures; `machine` holds its facts."""
        named = {figure.name: figure for figure in figures}
        for need in self.needs:
            if why := need.lacking(machine, named):
                return Verdict("cannot tell", why)
        answers = {case.when: case.holds(named) for case in self.cases}
        if None in answers.values():
            return Verdict("cannot tell", self._unclear(named))
        if len(set(answers.values())) > 1:
            return Verdict("depends", f"{self.depends}: {'; '.join(_said(answers))}")
        return Verdict("holds" if all(answers.values()) else "does not hold")

    def _unclear(self, figures: Mapping[str, Figure]) -> str:
        """Why rules say nothing: the law that was broken, or what their intervals cross."""
        silent = [(rule, figures[rule.figure]) for rule in self.rules if rule.met(figures) is None]
        if void := next((figure.void for _, figure in silent if figure.void), ""):
            return void
        return "; ".join(
            f"{figure}, which is not wholly {rule.bound}" if figure.interval else f"{figure.name}: too few rounds"
            for rule, figure in silent
        )


def _said(answers: Mapping[str, bool | None]) -> Iterator[str]:
    for word, wanted in (("holds", True), ("does not hold", False)):
        if cases := [when for when, answer in answers.items() if answer is wanted]:
            yield f"{word} for {' and '.join(cases)}"


def at_least(figure: str, low: float, unit: Unit = "x", *, sturdy: bool = False) -> Within:
    return Within(figure, unit, low=low, sturdy=sturdy)


def at_most(figure: str, high: float, unit: Unit = "x", *, sturdy: bool = False) -> Within:
    return Within(figure, unit, high=high, sturdy=sturdy)


def between(figure: str, low: float, high: float, unit: Unit = "x", *, sturdy: bool = False) -> Within:
    return Within(figure, unit, low, high, sturdy)


def exactly(figure: str, number: float, unit: Unit = "") -> Within:
    """Of what is counted: the interval has no width, and what disturbs changes no count."""
    return Within(figure, unit, number, number, sturdy=True)


def processors(least: int) -> Need:
    def lacking(machine: Mapping[str, object], figures: Mapping[str, Figure]) -> str | None:
        usable = machine["processors_usable"]
        assert isinstance(usable, int)
        return None if usable >= least else f"it takes {least} processors, and there is {usable}"

    return Need(f"{least} processors", lacking)


def _no_gil(machine: Mapping[str, object], figures: Mapping[str, Figure]) -> str | None:
    return None if machine["gil"] else "this interpreter has no GIL"


GIL = Need("a GIL", _no_gil)
