"""The sentence that says where the time went: one rule after the other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lanes.explain import where_time_went
from lanes.types import Outcome, Usage
from support import make_counters, make_run, make_usage

MANY = 9
"""So many tasks that start-up and shutdown are a small part of the run."""


def said(*usages: Usage, tasks: int = MANY, wall_s: float = 1.1, aside: int = 1) -> str | None:
    """Of a run of 1.1 s, of which 0.9 s are work."""
    run = make_run(wall_s=wall_s, outcomes=[Outcome("ok")] * tasks, counters=make_counters(*usages), aside=aside)
    return where_time_went(run, processors=2)


@pytest.mark.parametrize(
    ("usages", "sentence"),
    [
        # A fifth or more waiting for the GIL comes before all else.
        ([make_usage(0.45, gil_s=0.45)] * 2, "took turns on the GIL: 50% of its time waiting for it"),
        ([make_usage(0.3, queue_s=0.4, gil_s=0.19)], "took turns on the GIL: 21% of its time waiting for it"),
        # Then a fifth or more in the run queue.
        (
            [make_usage(0.45, queue_s=0.45)] * 4,
            "waited for a processor for 50% of its time: 4 workers on 2",
        ),
        ([make_usage(0.1, queue_s=0.2, gil_s=0.17)], "waited for a processor for 22% of its time: 1 worker on 2"),
        # Counters begin a moment before the work, so a part may seem to be more than all of it.
        ([make_usage(queue_s=1.0)], "waited for a processor for 100% of its time: 1 worker on 2"),
        ([make_usage(0.95)], "computed on one processor; 100% CPU"),
        # Then half or more blocked, with one task in flight.
        ([make_usage(0.027)], "waited for one task at a time; 3% CPU"),
        ([make_usage(0.44)], "waited for one task at a time; 49% CPU"),
        # Then half or more on a processor; on 1.2 or more at once.
        ([make_usage(0.882)], "computed on one processor; 98% CPU"),
        ([make_usage(0.53)] * 2, "computed on one processor; 59% CPU"),
        ([make_usage(0.55)] * 2, "computed on 1.2 processors at once"),
        ([make_usage(0.855)] * 2, "computed on 1.9 processors at once"),
        # Else the parts.
        (
            [make_usage(0.36, queue_s=0.09, gil_s=0.09)],
            "40% CPU, 10% run queue, 10% GIL, 40% blocked",
        ),
    ],
)
def test_the_first_rule_that_holds_speaks(usages: list[Usage], sentence: str) -> None:
    assert said(*usages) == sentence


@pytest.mark.parametrize(
    ("usages", "sentence"),
    [
        (
            [make_usage(0.27, queue_s=0.09)] * 2,
            "30% CPU, 10% run queue; the rest waited, for the GIL or else, which is not known here",
        ),
        ([make_usage(0.36, queue_s=0.36)] * 2, "waited for a processor for 40% of its time: 2 workers on 2"),
        ([make_usage(0.81)] * 2, "computed on 1.8 processors at once"),
        ([make_usage(0.027)], "waited for one task at a time; 3% CPU"),
    ],
)
def test_where_waits_for_the_gil_are_not_known_those_of_several_workers_are_not_guessed(
    usages: list[Usage], sentence: str
) -> None:
    run = make_run(wall_s=1.1, outcomes=[Outcome("ok")] * MANY, counters=make_counters(*usages, method=None))
    assert where_time_went(run, 2) == sentence


def test_where_there_is_no_gil_or_nobody_meets_it_nobody_waits_for_it() -> None:
    usages = [make_usage(0.027)] * 2
    free = make_counters(*usages, gil=False, method=None)
    blind = make_counters(*usages, method=None)
    for body, counters in (("python", free), (None, blind)):
        run = make_run(body=body, wall_s=1.1, outcomes=[Outcome("ok")] * MANY, counters=counters)
        assert where_time_went(run, 2) == "waited for one task at a time; 3% CPU"


@pytest.mark.parametrize(
    ("at_once", "sentence"),
    [
        (4, "overlapped 4.0 waits; 3% CPU"),
        (3, "overlapped 3.0 waits; 3% CPU"),
        (1, "waited for one task at a time; 3% CPU"),
    ],
)
def test_waits_that_overlap_are_counted(at_once: int, sentence: str) -> None:
    run = make_run(wall_s=1.0, outcomes=[Outcome("ok")] * at_once, aside=0)
    first, last = min(span.started_ns for span in run.spans), max(span.finished_ns for span in run.spans)
    together = [replace(span, claimed_ns=first, started_ns=first, finished_ns=last) for span in run.spans]
    counters = make_counters(make_usage(0.03 * run.work_s))
    assert where_time_went(replace(run, spans=tuple(together), counters=counters), 2) == sentence


def test_start_up_and_shutdown_of_half_the_wall_come_first() -> None:
    assert said(make_usage(0.27), tasks=2, wall_s=1.1, aside=1) == (
        "50% start-up and shutdown; then waited for one task at a time; 49% CPU"
    )
    assert said(make_usage(0.2), tasks=1, wall_s=1.0, aside=2) == (
        "80% start-up and shutdown; then computed on one processor; 100% CPU"
    )
    assert said(make_usage(0.5), tasks=3, wall_s=1.0) == "computed on one processor; 83% CPU"


def test_of_less_than_a_millisecond_of_work_nothing_is_said() -> None:
    assert said(make_usage(0.0007), wall_s=0.0011) == "too short to tell"
    assert said(make_usage(0.0009), wall_s=0.00123) == "computed on one processor; 89% CPU"


def test_of_a_run_without_counters_nothing_is_said() -> None:
    assert where_time_went(make_run(), 2) is None
    assert where_time_went(make_run(counters=make_counters()), 2) is None
