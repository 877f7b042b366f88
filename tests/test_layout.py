"""Where rows, parts of a bar and factors stand."""

from __future__ import annotations

import pytest

from lanes.report.layout import places, scale_of_factors, shares, span_of_factors
from support import BASE, make_counters, make_row, make_usage


@pytest.mark.parametrize(
    ("low", "high", "logarithmic", "named"),
    [
        (0.9, 1.1, False, [0.9, 0.95, 1.0, 1.05, 1.1]),
        (0.95, 2.0, False, [1.0, 1.25, 1.5, 1.75, 2.0]),
        (0.9, 4.1, True, [1, 1.5, 2, 3]),
        (0.4, 45, True, [0.5, 1, 2, 5, 10, 20]),
        (0.4, 1500, True, [1, 10, 100, 1000]),
    ],
)
def test_factors_far_apart_are_told_on_a_logarithmic_axis(
    low: float, high: float, logarithmic: bool, named: list[float]
) -> None:
    found, ticks = scale_of_factors(low, high)
    assert found == logarithmic
    assert ticks == pytest.approx(named)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0001), (0.5, 1.49), (1e-9, 2e-9), (900.0, 1100.0)])
def test_an_axis_has_a_few_names_within_its_ends(low: float, high: float) -> None:
    _, ticks = scale_of_factors(low, high)
    assert 2 <= len(ticks) <= 6
    assert all(low <= tick <= high for tick in ticks)


def test_rows_are_one_apart_and_families_more() -> None:
    python, native = make_row("threading", "python"), make_row("native-epoll")
    assert places([]) == []
    assert places([python, python, native, native]) == [0.0, 1.0, 2.6, 3.6]


def test_the_parts_of_a_wall_make_it_up() -> None:
    row = make_row("threading", "python", BASE, BASE, counters=make_counters(make_usage(0.3, 0.1, 0.05, 0.2)))
    found = list(shares(row))
    assert [name for name, _ in found] == ["aside", "user", "system", "queue", "gil", "blocked", "aside"]
    assert sum(share for _, share in found) == pytest.approx(1.0)
    assert found[0][1] == pytest.approx(0.25)  # as all runs made by hand


def test_of_work_too_short_for_its_counters_only_the_length_is_known() -> None:
    row = make_row("threading", "python", [1e-5] * 6, BASE, counters=make_counters(make_usage(0.3)))
    assert [name for name, _ in shares(row)] == ["aside", "", "aside"]
    assert not list(shares(make_row("asyncio", "released", reason="because")))


def test_factors_span_all_intervals_and_the_baseline() -> None:
    row = make_row("threading", "python", [wall / n for wall, n in zip(BASE, (2, 3, 4) * 2, strict=True)], BASE)
    low, high = span_of_factors([row], 0.1)
    assert low < 1.0
    assert high > 4.0
