"""The values that travel, and what they say of themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

import lanes
from lanes.types import Run, Span
from support import make_run


def run_of(*spans: tuple[int, int]) -> Run:
    """A run with spans from one nanosecond to another."""
    made = tuple(Span(n, 1, 1, 0, start, start, end, 0) for n, (start, end) in enumerate(spans))
    return replace(make_run(), spans=made)


@pytest.mark.parametrize(
    ("spans", "mean", "most"),
    [
        ([(0, 10)], 1.0, 1),
        ([(0, 10), (10, 20)], 1.0, 1),  # the one begins as the other ends
        ([(0, 10), (9, 20)], 1.05, 2),
        ([(0, 10), (20, 30)], 2 / 3, 1),  # with a pause between
        ([(0, 40), (5, 10), (6, 9), (10, 20), (30, 40)], 68 / 40, 3),
        ([(30, 40), (0, 40), (10, 20), (6, 9), (5, 10)], 68 / 40, 3),  # in any order
        ([(0, 10)] * 7, 7.0, 7),
        ([(5, 5)], 0.0, 1),  # shorter than the clock can tell
        ([(5, 5), (5, 5), (0, 10)], 1.0, 3),
    ],
)
def test_what_is_in_flight_is_read_from_the_edges_of_the_spans(
    spans: list[tuple[int, int]], mean: float, most: int
) -> None:
    many = run_of(*spans).in_flight
    assert many.mean == pytest.approx(mean)
    assert many.max == most >= many.mean


@pytest.mark.parametrize(
    ("model", "workers", "mean", "most"),
    [("serial", 1, 1.0, 1), ("threading", 4, 3.0, 4), ("asyncio", 8, 6.0, 8), ("native-epoll", 8, 6.0, 8)],
)
def test_waits_that_overlap_are_in_flight_at_once_on_no_core(model: str, workers: int, mean: float, most: int) -> None:
    run = lanes.run(lanes.wait(tasks=8, duration="100ms"), model, workers=workers)
    assert run.in_flight.max == most
    assert mean * 0.6 <= run.in_flight.mean <= most
    assert run.cores < 0.5
