"""Numbers as people give them: sizes, durations and rates ("64KiB", "50ms", "10MiB/s"), and whole numbers in bounds."""

from __future__ import annotations

import operator
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T")

_SIZES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_DURATIONS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9}
_QUANTITY = re.compile(r"(-?(?:\d+\.?\d*|\.\d+))\s*([a-zµ]*)", re.IGNORECASE | re.ASCII)

_FACTOR = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,2})?", re.IGNORECASE | re.ASCII)
"""A number with no exponent that would take for ever to write out."""

_LARGEST = 2**53
"""No size or duration is larger: both must pass through C and through JSON unharmed (9 PB, or 104 days)."""

_SIZE = "a size is a number of bytes, or one followed by B, kB, MB, GB, KiB, MiB or GiB"
_DURATION = "a duration is a number of seconds, or one followed by ns, us, ms, s or min"
_RATE = "a rate is a number of bytes per second, or a size followed by /s, such as 10MiB/s"
_FREQUENCY = "a rate of arrivals is a number per second, or one followed by /s, /min or /ms, such as 200/s"
_BOUND = "a queue has room for a whole number of tasks from 1 to 1,000,000, or is unbounded"


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
short = _short.repr
"""What was given, for the line that refuses it: as Python writes it, without its middle when it is long."""


def whole(value: object, name: str, least: int = 1, most: int = 1_000_000) -> int:
    """A whole number from `least` to `most`; what is none, or is a truth value, is refused by its name."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]  # it says so itself
        if least <= number <= most:
            return number
    except TypeError:
        pass
    raise ValueError(f"{name} must be a whole number from {least:,} to {most:,}, not {short(value)}")


def parse_size(size: str | float) -> int:
    """Bytes from "64KiB", "1MB", "100" or a number of bytes."""
    return _units(size, _SIZES, 1, _SIZE)


def parse_duration(duration: str | float) -> int:
    """Nanoseconds from "50ms", "1.5s", "10us" or a number of seconds."""
    return _units(duration, _DURATIONS, 10**9, _DURATION)


def parse_rate(rate: str | float) -> int:
    """Bytes per second, at least one, from "10MiB/s" or a number."""
    parsed = _units(rate.strip().removesuffix("/s") if isinstance(rate, str) else rate, _SIZES, 1, _RATE)
    if parsed == 0:
        raise ValueError(f"{short(rate)} is no rate: it must be at least one byte per second")
    return parsed


def parse_frequency(rate: str | float) -> Fraction:
    """How many a second, from "200/s", "12000/min", "1/ms", "200" or a number; more than none."""
    number, slash, unit = rate.partition("/") if isinstance(rate, str) else (rate, "", "")
    try:
        if isinstance(number, bool) or (isinstance(number, str) and not _FACTOR.fullmatch(number.strip())):
            raise ValueError
        parsed = Fraction(number) * Fraction(10**9, _DURATIONS[unit.strip().lower()] if slash else 10**9)
    except (ValueError, KeyError, OverflowError, TypeError, ZeroDivisionError):
        raise ValueError(f"{short(rate)} does not parse: {_FREQUENCY}") from None
    if not Fraction(1, _LARGEST) <= parsed <= _LARGEST:
        raise ValueError(f"{short(rate)} is {'too large' if parsed > 1 else 'no rate'}: {_FREQUENCY}")
    return parsed


def parse_bound(queue: str | int | None) -> int | None:
    """How many tasks may wait, from "64" or a number; None for "unbounded" and for None."""
    if queue is None or (isinstance(queue, str) and queue.strip().lower() == "unbounded"):
        return None
    try:
        return whole(int(queue) if isinstance(queue, str) else queue, "queue")
    except ValueError:
        raise ValueError(f"{short(queue)} is no queue: {_BOUND}") from None


def in_turn(values: str | float | Iterable[str | float], parse: Callable[[str | float], T]) -> tuple[T, ...]:
    """Every one of "1s", "300ms,200ms" or a list of such, parsed."""
    if isinstance(values, str):
        values = values.split(",")
    if isinstance(values, bytes) or not isinstance(values, Iterable):
        return (parse(values),)  # type: ignore[arg-type]  # which refuses what is no number
    parsed = tuple(parse(value) for value in values)
    if not parsed:
        raise ValueError("an empty list: give one value, or several to be used in turn")
    return parsed


def format_size(size: float) -> str:
    """64 KiB, 1.5 MiB."""
    return _formatted(size, {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10}, "B")


def format_duration(ns: float) -> str:
    """50 ms, 1.24 s."""
    return _formatted(ns, {"s": 10**9, "ms": 10**6, "us": 10**3}, "ns")


def format_rate(rate: float) -> str:
    """10 MiB/s."""
    return f"{format_size(rate)}/s"


def format_frequency(rate: float) -> str:
    """200/s, 0.25/s, 1,500/s."""
    return f"{rate:,.0f}/s" if rate >= 999.5 else f"{rate:.3g}/s"


def _units(value: str | float, units: Mapping[str, int], plain: int, allowed: str) -> int:
    """The number of smallest units nearest to what was written; `plain` is the unit of a bare number."""
    try:
        if isinstance(value, str):
            match = _QUANTITY.fullmatch(value.strip())
            if match is None:
                raise ValueError
            number, unit = match.groups()
            exact = Fraction(number) * (units[unit.lower()] if unit else plain)
        elif isinstance(value, bool):
            raise ValueError
        else:
            exact = Fraction(value) * plain
        # Fraction cannot hold infinity or a NaN and says so.
    except (ValueError, KeyError, OverflowError, TypeError):
        raise ValueError(f"{short(value)} does not parse: {allowed}") from None
    if not 0 <= exact <= _LARGEST:
        raise ValueError(f"{short(value)} is {'negative' if exact < 0 else 'too large'}: {allowed}")
    return round(exact)


def _formatted(number: float, units: Mapping[str, int], smallest: str) -> str:
    """Three significant digits in the largest unit that leaves at least one before the point."""
    for unit, factor in units.items():
        if number >= factor:
            scaled = number / factor
            return f"{scaled:.3g} {unit}" if scaled < 999.5 else f"{scaled:.0f} {unit}"
    return f"{number:.3g} {smallest}" if number < 999.5 else f"{number:.0f} {smallest}"
