"""Where claims are put to the test: measurements, each taken once however many claims read from it.

A measurement is what lanes can do anyway, with chosen rows, sizes and rounds: a comparison, a sweep, a load, or a
function of ours in a fresh process. Rounds are interleaved, and as many as a verdict needs.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from lanes import laws, limits, sample, stats
from lanes.claims.claim import Figure, Unit
from lanes.compare import Step, compare
from lanes.comparison import Comparison, Row
from lanes.measure import Split, split
from lanes.processors import usable_processors
from lanes.run import Pass
from lanes.types import Run, Workload
from lanes.value import Value

T = TypeVar("T")

ROUNDS = stats.FEWEST
"""No interval of fewer rounds bears a verdict; more would take longer than people wait for two dozen claims."""

_MOST_WORKERS = 4


class ExperimentError(RuntimeError):
    """A measurement failed; the text says which and why, in one line."""


@dataclass(frozen=True, slots=True)
class Measurement(Generic[T]):
    """What is measured, in words, and how: with the seed of a laboratory, which is told how far it is.

    computes: it takes processors that others leave alone, so that on an overloaded machine little can be told of it.
    """

    about: str
    take: Callable[[Lab], T]
    computes: bool = False


def measurement(about: str, *, computes: bool = False) -> Callable[[Callable[[Lab], T]], Measurement[T]]:
    """What makes a measurement of a function."""
    return lambda take: Measurement(about, take, computes)


@dataclass(slots=True)
class Lab:
    """Takes each measurement once; and what computes once more, as long as there is time, where the machine was
    overloaded meanwhile.

    used:    the measurements that were asked for since it was last emptied.
    spare_s: how long all that is taken once more may last.
    """

    seed: int
    tell: Callable[[float], None]
    used: list[Measurement[Any]] = field(default_factory=list)
    spare_s: float = 30.0
    _results: dict[int, Any] = field(default_factory=dict)

    def __call__(self, wanted: Measurement[T]) -> T:
        """The result; a measurement that failed fails again, at once."""
        self.used.append(wanted)
        if id(wanted) not in self._results:
            self._results[id(wanted)] = self._take(wanted)
        result = self._results[id(wanted)]
        if isinstance(result, ExperimentError):
            raise result
        return cast(T, result)

    def _take(self, wanted: Measurement[T]) -> T | ExperimentError:
        try:
            began = time.monotonic()
            result = wanted.take(self)
            lasted_s = time.monotonic() - began
            # The first result counts for nothing then, whatever it was: chosen is by the machine's state alone.
            if wanted.computes and _overloaded(result) and lasted_s < self.spare_s:
                self.spare_s -= lasted_s
                result = wanted.take(self)
        except (ValueError, OSError, RuntimeError) as error:
            return ExperimentError(" ".join(str(error).split()) or type(error).__name__)
        return result

    def progress(self, step: Step) -> None:
        """For whatever takes such steps: how far the measurement is."""
        self.tell(step.share)


def _overloaded(result: object) -> bool:
    if isinstance(result, Comparison):
        return any(law.name == OVERLOAD for row in result for law in row.broken)
    return isinstance(result, Looks) and any(crowded(runs) for runs in result.values())


def crew() -> int:
    """As many workers as processors; of many more than four only four are used, or the work would take too long."""
    return min(_MOST_WORKERS, usable_processors())


@contextmanager
def one_processor() -> Iterator[None]:
    """What is started inside, by this thread, runs on one processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def asked(lab: Lab, function: Callable[[Any], T], items: Iterable[object] = (None,)) -> list[list[T]]:
    """What the function answers to each item, in so many fresh processes; in the order of the items, a list each."""
    from lanes.workloads.function import workload

    calls = workload(function, items=items)
    answers: list[list[T]] = [[] for _ in calls.tasks]
    for turn in range(ROUNDS):
        lab.tell(turn / ROUNDS)
        for place, outcome in enumerate(sample.take(calls, "serial", "python", 1, seed=lab.seed).outcomes):
            if outcome.status != "ok":
                raise ExperimentError(f"{calls.name}: {outcome.error}: {outcome.detail}")
            answers[place].append(cast(T, cast(Value, outcome.value[0]).content))
    return answers


def compared(
    lab: Lab,
    work: Workload | Callable[[Any], object],
    models: str | Iterable[str],
    workers: int,
    bodies: str | Iterable[str] = "python",
) -> Comparison:
    """A comparison of these rows, with the baseline, in as many rounds as a verdict needs."""
    return compare(
        work,
        models=models,
        bodies=bodies,
        workers=workers,
        rounds=ROUNDS,
        closeup=False,
        seed=lab.seed,
        progress=lab.progress,
    )


@dataclass(frozen=True, slots=True)
class Look:
    """A row to look at in a pass that is not timed: what `sample.take` is given."""

    workload: Workload
    model: str
    body: str | None
    workers: int


class Looks(dict[str, list[Run]]):
    """The runs of each row, one a round, by the names that the rows were given."""


def looked_at(lab: Lab, kind: Pass, looks: Mapping[str, Look]) -> Looks:
    """A run of each row in every round. There is no baseline among them: they may be of several workloads."""
    for look in looks.values():
        limits.check(look.model, look.workload, look.workers)
    runs = Looks((name, []) for name in looks)
    order = random.Random(lab.seed)
    for turn in range(ROUNDS):
        names = order.sample(list(looks), len(looks))
        for place, name in enumerate(names):
            lab.tell((turn + place / len(names)) / ROUNDS)
            row = looks[name]
            run = sample.take(row.workload, row.model, row.body, row.workers, kind, seed=lab.seed)
            for outcome in run.outcomes:
                if outcome.status != "ok":
                    raise ExperimentError(f"{name}, {row.model}: {outcome.error}: {outcome.detail}")
            runs[name].append(run)
    return runs


def crowded(*rows: Sequence[Run]) -> str:
    """Whether others took the processors meanwhile, as the law has it; "" where they did not."""
    found = (laws.overload(runs, len(os.sched_getaffinity(0))) for runs in rows)
    return next((f"{OVERLOAD}: {why}" for held, why in filter(None, found) if not held), "")


def ran(row: Row) -> Row:
    """The row, when all its runs came about and gave the right outcomes."""
    if row.error is not None:
        raise ExperimentError(f"{row.name}: {row.error}")
    if row.differences:
        raise ExperimentError(f"{row.name}: {len(row.differences)} tasks have other outcomes than serial/python")
    return row


OVERLOAD = "machine not overloaded"
_FOR_CLAIMS = ("one at a time", "split adds up")
"""Laws that void nothing here: that threads and loops do not speed up what computes is for the claims to find out, and
few figures are of the split."""


def void(*rows: Row) -> str:
    """The first law that one of the rows broke, in words; "" where none did."""
    broken = (each for row in rows for each in row.broken if each.name not in _FOR_CLAIMS)
    return next((f"{each.name}: {each.why}" for each in broken), "")


def of_workers(comparison: Comparison, model: str, workers: int, body: str | None = "python") -> Row:
    """The row of a sweep with so many workers."""
    return next(row for row in comparison if (row.model, row.body, row.workers) == (model, body, workers))


def speedup(name: str, row: Row, over: Row, *beside: Row) -> Figure:
    """How many times faster than another row, paired by round; void also where a row beside them is."""
    return Figure(name, "x", stats.paired_ratios(ran(over).walls, ran(row).walls), void(row, over, *beside))


def of_runs(name: str, unit: Unit, row: Row, value: Callable[[Run], float], *beside: Row) -> Figure:
    """What each run of the row came to."""
    return Figure(name, unit, tuple(map(value, ran(row).runs)), void(row, *beside))


def faster(name: str, runs: Sequence[Run], over: Sequence[Run]) -> Figure:
    """How many times faster than others of the same rounds."""
    return Figure(name, "x", stats.paired_ratios(walls(over), walls(runs)), crowded(runs, over))


def walls(runs: Sequence[Run]) -> list[float]:
    return [run.wall_s for run in runs]


def share(part: Callable[[Split], float]) -> Callable[[Run], float]:
    """A part of the workers' time, as a share of it."""

    def of(run: Run) -> float:
        parts = split(run)
        if parts is None:
            raise ExperimentError(f"{run.model}: nothing was counted")
        return parts.share(part(parts))

    return of


def busy(run: Run) -> float:
    """Processors that its workers kept busy, on average over the work: their threads' own CPU clocks, exact."""
    if run.counters is None:
        raise ExperimentError(f"{run.model}: nothing was counted")
    return sum(each.cpu_user_s + each.cpu_system_s for each in run.counters.usages) / run.work_s
