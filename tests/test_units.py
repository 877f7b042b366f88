"""Sizes, durations and rates: what is understood, and what is said about the rest."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest

from lanes.units import (
    format_duration,
    format_frequency,
    format_rate,
    format_size,
    in_turn,
    parse_bound,
    parse_duration,
    parse_frequency,
    parse_rate,
    parse_size,
    whole,
)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("64KiB", 65536),
        ("1MB", 1_000_000),
        ("100", 100),
        ("100B", 100),
        (" 1.5 kib ", 1536),
        (".5kB", 500),
        ("2GiB", 2**31),
        ("0", 0),
        (4096, 4096),
    ],
)
def test_sizes(size: str | int, expected: int) -> None:
    assert parse_size(size) == expected


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("50ms", 50_000_000),
        ("1.5s", 1_500_000_000),
        ("10us", 10_000),
        ("10µs", 10_000),
        ("7ns", 7),
        ("2min", 120_000_000_000),
        ("0.1", 100_000_000),
        ("0", 0),
        (0.05, 50_000_000),
        (3, 3_000_000_000),
    ],
)
def test_durations(duration: str | float, expected: int) -> None:
    assert parse_duration(duration) == expected


@pytest.mark.parametrize(("rate", "expected"), [("10MiB/s", 10 * 2**20), ("1kB", 1000), ("5/s", 5), (1e6, 10**6)])
def test_rates(rate: str | float, expected: int) -> None:
    assert parse_rate(rate) == expected


@pytest.mark.parametrize("text", ["", "big", "--1", "1 KB/s", "1,5kB", "1e3", "0x10", "5 parsecs", "٣kB", "1..5", "."])
def test_no_size(text: str) -> None:
    allowed = "a size is a number of bytes, or one followed by B, kB, MB, GB, KiB, MiB or GiB"
    with pytest.raises(ValueError, match=f"^{re.escape(repr(text))} .*: {allowed}$"):
        parse_size(text)


@pytest.mark.parametrize("value", [-1, -0.5, "-1", "-5ms", math.inf, math.nan, "99999999GiB", 1e300])
def test_numbers_out_of_range(value: str | float) -> None:
    for parse in (parse_size, parse_duration, parse_rate):
        with pytest.raises(ValueError, match=r"^\S+ (does not parse|is negative|is too large): a "):
            parse(value)


def test_no_duration_and_no_rate() -> None:
    with pytest.raises(ValueError, match=r"'5h' does not parse: a duration is .* ns, us, ms, s or min$"):
        parse_duration("5h")
    with pytest.raises(ValueError, match=r"'10MiB/h' does not parse: a rate is .* such as 10MiB/s$"):
        parse_rate("10MiB/h")
    with pytest.raises(ValueError, match="at least one byte per second"):
        parse_rate("0")


def test_values_in_turn() -> None:
    assert in_turn("1s, 300ms", parse_duration) == (1_000_000_000, 300_000_000)
    assert in_turn(["1kB", 5], parse_size) == (1000, 5)
    assert in_turn(0.5, parse_duration) == (500_000_000,)
    with pytest.raises(ValueError, match="empty list"):
        in_turn([], parse_size)
    for wrong, shown in (("1s,", "''"), (b"1s", "b'1s'"), (None, "None"), ([True], "True")):
        with pytest.raises(ValueError, match=f"^{shown} does not parse"):
            in_turn(wrong, parse_duration)  # type: ignore[arg-type]


def test_formats() -> None:
    assert [format_size(n) for n in (0, 1023, 65536, 1.5 * 2**20, 2**30)] == [
        "0 B",
        "1023 B",
        "64 KiB",
        "1.5 MiB",
        "1 GiB",
    ]
    assert [format_duration(n) for n in (0, 999, 1500, 50_000_000, 1_236_000_000, 120e9, 5000e9)] == [
        "0 ns",
        "999 ns",
        "1.5 us",
        "50 ms",
        "1.24 s",
        "120 s",
        "5000 s",
    ]
    assert format_rate(10 * 2**20) == "10 MiB/s"


@pytest.mark.parametrize("n", [1, 999, 1000, 1024, 65536, 999_999, 10**9, 3 * 2**30])
def test_what_is_formatted_parses_to_within_its_three_digits(n: int) -> None:
    assert parse_size(format_size(n)) == pytest.approx(n, rel=0.005)
    assert parse_duration(format_duration(n)) == pytest.approx(n, rel=0.005)
    assert parse_rate(format_rate(n)) == pytest.approx(n, rel=0.005)


def test_whole_numbers_within_bounds() -> None:
    assert (whole(1, "workers"), whole(10**6, "workers"), whole(0, "port", 0, 65535)) == (1, 10**6, 0)
    assert type(whole(Number(), "workers")) is int


class Number:
    """As numpy's integers are: no int, but an index."""

    def __index__(self) -> int:
        return 7


@pytest.mark.parametrize("value", [0, -1, 10**6 + 1, True, 1.0, "1", b"1", None, [1]])
def test_anything_else_is_no_whole_number(value: object) -> None:
    with pytest.raises(ValueError, match=rf"^workers must be .* from 1 to 1,000,000, not {re.escape(repr(value))}$"):
        whole(value, "workers")


def test_what_is_echoed_is_shortened() -> None:
    with pytest.raises(ValueError, match=r"^.{0,150}$"):
        whole("9" * 10_000, "workers")
    with pytest.raises(ValueError, match=r"^.{0,180}$"):
        parse_size("9" * 10_000)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("200/s", 200),
        (" 12000 / min ", 200),
        ("1/ms", 1000),
        ("2.5/s", Fraction(5, 2)),
        ("200", 200),
        (0.1, Fraction(0.1)),
        (7, 7),
    ],
)
def test_rates_of_arrivals(rate: str | float, expected: int | Fraction) -> None:
    assert parse_frequency(rate) == expected


@pytest.mark.parametrize(
    "rate",
    [
        "",
        "fast",
        "200/h",
        "/s",
        "0",
        "0/s",
        "-1/s",
        "1/0",
        "1e400",
        0,
        -5,
        True,
        math.nan,
        math.inf,
        None,
        "nan",
        "1e999999999/s",
        "1e-999999999/s",
        "1e-99/s",
        5e-324,
    ],
)
def test_what_is_no_rate_of_arrivals(rate: str | float) -> None:
    with pytest.raises(ValueError, match="a rate of arrivals is a number per second, or one followed by /s"):
        parse_frequency(rate)


@pytest.mark.parametrize(
    ("queue", "expected"), [("64", 64), (64, 64), (1, 1), ("unbounded", None), (" Unbounded ", None), (None, None)]
)
def test_queues(queue: str | int | None, expected: int | None) -> None:
    assert parse_bound(queue) == expected


@pytest.mark.parametrize("queue", ["", "0", 0, -1, "1.5", 1.5, "infinite", True, 1_000_001])
def test_what_is_no_queue(queue: str | int) -> None:
    with pytest.raises(ValueError, match="a queue has room for a whole number of tasks from 1 to 1,000,000, or is unb"):
        parse_bound(queue)


@pytest.mark.parametrize(
    ("rate", "shown"), [(200, "200/s"), (0.25, "0.25/s"), (1500, "1,500/s"), (999.9, "1,000/s"), (33.333, "33.3/s")]
)
def test_rates_of_arrivals_are_shown(rate: float, shown: str) -> None:
    assert format_frequency(rate) == shown
