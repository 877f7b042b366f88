"""How true the comparison itself is: what it says of two alike, whether it sees a small difference, what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from figures import CannotMeasureError, Figure, Meter, Pair, Target, in_any_order

import lanes
from lanes import sample
from lanes.compare import Cell, Plan, measured
from lanes.comparison import Row
from lanes.run import Pass
from lanes.types import Workload

SHORT = lanes.compute(tasks=4, task_size=3_000)
"""About 20 ms."""

LONG, LONGER = lanes.compute(task_size=6_000), lanes.compute(task_size=6_300)
"""The latter looks at 5 % more numbers, which are as large."""

PAIRS_OF_COST = 60
ALLOWED_S = 0.5


class Planted(Cell):
    """A cell whose runs are of another workload than it says."""

    __slots__ = ("instead",)
    instead: Workload

    def sample(self, served: Workload, kind: Pass, plan: Plan) -> None:
        super().sample(self.instead, kind, plan)


def cell(kind: type[Cell] = Cell) -> Cell:
    return kind("serial", "python", "python", 1, None)


def second_row(workload: Workload, second: Cell) -> Row:
    """What a comparison by default says of `second`, held against the plain cell."""
    plan = Plan.made(rounds=None, budget=None, deadline=None)
    row = measured([cell(), second], workload, plan).rows[1]
    if row.error is not None or row.measured is None:
        raise CannotMeasureError(row.error or "there is no verdict")
    return row


@contextmanager
def alike() -> Iterator[Meter]:
    def said_otherwise() -> Pair:
        verdict = second_row(SHORT, cell()).measured
        return Pair(float(verdict is not None and verdict.word != "cannot tell"), 1)

    yield Meter(said_otherwise, "compute, 4 tasks, about 20 ms")


@contextmanager
def power() -> Iterator[Meter]:
    def found() -> Pair:
        planted = cell(Planted)
        assert isinstance(planted, Planted)
        planted.instead = LONGER
        verdict = second_row(LONG, planted).measured
        return Pair(float(verdict is not None and verdict.word == "slower"), 1)

    yield Meter(found, "compute, 16 tasks, about 170 ms")


@contextmanager
def cost() -> Iterator[Meter]:
    def wall(kind: Pass) -> Callable[[], float]:
        return lambda: sample.take(LONG, "threading", "python", 4, kind).wall_s

    yield Meter(lambda: Pair(*in_any_order(wall("timed"), wall("bare"))), "threading/python, 4 workers, compute")


@contextmanager
def overhead() -> Iterator[Meter]:
    workload = lanes.wait(tasks=4, duration="1ms")

    def per_sample() -> Pair:
        began = time.perf_counter()
        rows = lanes.compare(workload, bodies="python", rounds=3).rows
        elapsed = time.perf_counter() - began
        runs = [run for row in rows for run in row.runs]
        closeups = sum(row.closeup is not None for row in rows)
        return Pair((elapsed - sum(run.wall_s for run in runs)) / (len(runs) + closeups), ALLOWED_S)

    yield Meter(per_sample, "all models")


FIGURES = (
    Figure(
        name="truth/alike",
        lanes="comparisons of a model with itself that say anything but: cannot tell",
        other="comparisons, with the rounds that it takes by default",
        unit="",
        target=Target(0.05),
        open=alike,
        pairs=100,
        counts=True,
    ),
    Figure(
        name="truth/power",
        lanes="comparisons that find a model slower, whose tasks are 5 % longer",
        other="comparisons, within the default budget",
        unit="",
        target=Target(0.90, at_most=False),
        open=power,
        pairs=20,
        counts=True,
    ),
    Figure(
        name="truth/cost",
        lanes="wall time of a run with all its counters",
        other="the same run with spans only",
        unit="ms",
        target=Target(1.01),
        open=cost,
        pairs=PAIRS_OF_COST,
    ),
    Figure(
        name="truth/overhead",
        lanes="time of a comparison outside of its samples' runs, per sample",
        other="what is allowed",
        unit="ms",
        target=Target(1.0),
        open=overhead,
    ),
)
