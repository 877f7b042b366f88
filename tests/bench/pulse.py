"""What the rest of a program pays for work beside it: the lateness of a thread that tries to beat every 5 ms.

    python tests/bench --only pulse

Both sides compute the same kernel for about as long, so that as many beats are due.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from figures import CannotMeasureError, Figure, Meter, Pair, Target, in_any_order

import lanes
from lanes import sample
from lanes.types import Workload

TASK_SIZE = 6_000
PYTHON = lanes.compute(tasks=50, task_size=TASK_SIZE)
NATIVE = lanes.compute(tasks=1_000, task_size=TASK_SIZE)
"""About 0.5 s each."""


def late_s(workload: Workload, model: str, body: str | None) -> float:
    """The lateness of the pulse beside one worker, its 99th percentile in seconds."""
    pulse = sample.take(workload, model, body, 1, "pulse").pulse
    if pulse is None or pulse.p99_s is None:
        raise CannotMeasureError("no beat was due")
    return pulse.p99_s


@contextmanager
def beside_one_worker() -> Iterator[Meter]:
    def sampled() -> Pair:
        return Pair(
            *in_any_order(
                lambda: late_s(NATIVE, "native-pthreads", None), lambda: late_s(PYTHON, "threading", "python")
            )
        )

    yield Meter(sampled, "compute, about 0.5 s, p99 of about 100 beats")


FIGURES = (
    Figure(
        name="pulse/p99",
        lanes="lateness of the pulse beside one worker of native-pthreads that computes",
        other="beside one Python thread that computes",
        unit="ms",
        target=Target(1 / 5),
        open=beside_one_worker,
    ),
)
