"""Timers: what is asked for is what is waited."""

from __future__ import annotations

import pickle
import time

import pytest

import lanes
from lanes.types import Task


def test_durations_are_taken_in_turn() -> None:
    workload = lanes.wait(tasks=3, duration="1ms,20us")
    assert workload.tasks == (Task(0, "", (1_000_000,)), Task(1, "", (20_000,)), Task(2, "", (1_000_000,)))
    assert workload.params == {"duration_s": [0.001, 0.00002]}
    assert pickle.loads(pickle.dumps(workload)) == workload


def test_numbers_are_seconds() -> None:
    assert lanes.wait(duration=0.25).durations_ns == (250_000_000,)
    assert lanes.wait(duration=["1s", 2]).durations_ns == (1_000_000_000, 2_000_000_000)


@pytest.mark.parametrize("model", ["serial", "asyncio", "native-serial", "native-epoll"])
def test_no_timer_is_early(model: str) -> None:
    before = time.monotonic_ns()
    run = lanes.run(lanes.wait(tasks=2, duration="20ms"), model, workers=1)
    assert time.monotonic_ns() - before >= 40_000_000
    assert all(span.finished_ns - span.started_ns >= 20_000_000 for span in run.spans)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^tasks must be a whole number from 1 to 1,000,000, not 0$"):
        lanes.wait(tasks=0)
    with pytest.raises(ValueError, match="'soon' does not parse: a duration is a number of seconds"):
        lanes.wait(duration="soon")
