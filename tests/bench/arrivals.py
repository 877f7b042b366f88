"""How late tasks that come a thousand times a second are started, against a bound of one millisecond.

    python tests/bench --only arrivals

Lateness is from when a task was due to when it was started; there are more places than tasks, so that none waits for
one. On a machine that does something else beside it, this is what that costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from figures import CannotMeasureError, Figure, Meter, Pair, Target

import lanes

RATE = 1000
BOUND_S = 0.001


def late_s() -> float:
    """The 99th percentile, in seconds, of 1,000 arrivals."""
    row = lanes.load(
        lanes.wait(duration="1ms"),
        rate=f"{RATE}/s",
        duration="1s",
        queue="unbounded",
        models="native-epoll",
        workers=64,
    )["native-epoll"]
    if row.waiting is None or not row.ok:
        raise CannotMeasureError(row.error or "not all came")
    return row.waiting.p99


@contextmanager
def on_time() -> Iterator[Meter]:
    yield Meter(lambda: Pair(late_s(), BOUND_S), f"wait, {RATE:,}/s for 1 s, p99 of {RATE:,} arrivals")


FIGURES = (
    Figure(
        name="arrivals/p99",
        lanes="lateness of arrivals on native-epoll against their schedule",
        other="one millisecond",
        unit="ms",
        target=Target(1.0),
        open=on_time,
    ),
)
