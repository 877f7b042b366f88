"""One workload on many models: which cells, in what order, and whether they all gave the same answers.

Every round takes one sample of each cell, in a random order of its own, so that what drifts (heat, neighbours) falls
on all alike. A speed-up is paired by round: the baseline's wall time over the row's in the same round. The baseline is
`serial` with the Python body; it is always among the rows, and its outcomes are what every other row must give.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lanes import machine, sample, stats
from lanes.models import load, names, pick, select
from lanes.run import as_workload, bodies_of, crew, no_c_body, senseless
from lanes.types import BODIES, Outcome, Run, Span, Workload
from lanes.units import whole

if TYPE_CHECKING:
    from lanes.origin import Origin

ROUNDS = 3
BASELINE = ("serial", "python")


@dataclass(frozen=True, slots=True)
class Step:
    """How far a comparison has come. `cell` is what runs next, None when all is done."""

    done: int
    total: int
    round: int
    cell: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One task whose outcome is not the baseline's, in the first round in which it was not."""

    round: int
    task: int
    text: str
    expected: Outcome
    got: Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of the grid: a model with a body, and its runs, one a round.

    reason: why the cell makes no sense; error: why its runs ended early. Both are None where all is well.
    ratios: the baseline's wall time over this row's, round by round.
    origin_busy: the share of a run's wall time for which the embedded origin computed, at its worst; None without one.
    """

    model: str
    family: str
    body: str | None
    workers: int
    runs: tuple[Run, ...] = field(default=(), repr=False)
    ratios: tuple[float, ...] = ()
    differences: tuple[Difference, ...] = ()
    error: str | None = None
    reason: str | None = None
    origin_busy: float | None = None

    @property
    def name(self) -> str:
        return label(self.model, self.body)

    @property
    def walls(self) -> tuple[float, ...]:
        """Wall seconds, round by round."""
        return tuple(run.wall_s for run in self.runs)

    @property
    def wall(self) -> float | None:
        """Median wall seconds."""
        return stats.median(self.walls)

    @property
    def speedup(self) -> float | None:
        """Median of the ratios."""
        return stats.median(self.ratios)

    @property
    def cpu_s(self) -> float | None:
        """Median CPU seconds of the process and its children."""
        return stats.median([run.cpu_s for run in self.runs])

    @property
    def cores(self) -> float | None:
        """Processors kept busy: the median over the runs."""
        return stats.median([run.cores for run in self.runs])

    @property
    def agrees(self) -> bool | None:
        """Whether every outcome of every run is the baseline's; None where there was nothing to compare."""
        return not self.differences if self.ratios else None

    @property
    def typical(self) -> Run | None:
        """The run with the median wall time, the faster one of two."""
        by_wall = sorted(self.runs, key=lambda run: run.wall_s)
        return by_wall[(len(by_wall) - 1) // 2] if by_wall else None

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans of the typical run."""
        return self.typical.spans if self.typical else ()

    @property
    def start_method(self) -> str | None:
        """How worker processes were started; None where there were none."""
        return self.typical.start_method if self.typical else None


@dataclass(frozen=True, slots=True)
class Distance:
    """How far Python threads are from native threads, as three factors.

    interpreter: serial/python over native-serial. gil: threading/held over threading/released. dispatch:
    threading/released over native-pthreads. Each is a median of ratios paired by round.
    """

    interpreter: float
    gil: float
    dispatch: float

    @property
    def total(self) -> float:
        return self.interpreter * self.gil * self.dispatch


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rows of one workload, in the order of the grid. `result["threading", "released"]` is one of them."""

    workload: Workload
    rounds: int
    seed: int
    machine: Mapping[str, object]
    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: str | tuple[str, str | None]) -> Row:
        """The row of a model, or of a model and a body. A Python model alone gives its Python body."""
        model, body = (key, None) if isinstance(key, str) else key
        for row in self.rows:
            if row.model == model and row.body in (body, "python" if body is None else body):
                return row
        there = ", ".join(row.name for row in self.rows)
        raise KeyError(f"no row {label(model, body)}; there are {there}")

    def __str__(self) -> str:
        """The table, as `lanes compare` shows it."""
        from lanes.report import table  # printing stands above measuring, and is not loaded to measure

        return table.text(self)

    @property
    def baseline(self) -> Row:
        return self[BASELINE]

    @property
    def ok(self) -> bool:
        """Whether every row ran and gave the baseline's outcomes."""
        return all(row.reason is not None or (row.agrees and row.error is None) for row in self.rows)

    @property
    def distance(self) -> Distance | None:
        """From Python threads to native threads; None unless all the rows it needs are there."""
        walls = {(row.model, row.body): row.walls for row in self.rows}
        held, released = walls.get(("threading", "held"), ()), walls.get(("threading", "released"), ())
        interpreter = stats.median(stats.paired_ratios(walls[BASELINE], walls.get(("native-serial", None), ())))
        gil = stats.median(stats.paired_ratios(held, released))
        dispatch = stats.median(stats.paired_ratios(released, walls.get(("native-pthreads", None), ())))
        if interpreter is None or gil is None or dispatch is None:
            return None
        return Distance(interpreter, gil, dispatch)


def label(model: str, body: str | None) -> str:
    """How a cell is named in words: `threading/released`, `native-epoll`."""
    return f"{model}/{body}" if body else model


def compare(
    workload: Workload | Callable[[Any], object],
    items: Iterable[object] | None = None,
    *,
    models: str | Iterable[str] = "all",
    bodies: str | Iterable[str] = "all",
    workers: int | None = None,
    rounds: int | None = None,
    progress: Callable[[Step], None] | None = None,
    seed: int | None = None,
) -> Comparison:
    """Run `workload` on every model and body asked for, in fresh processes, and compare times and outcomes.

    The workload may be a function of your own, called once with each of `items`; an `async def` runs on asyncio and,
    for the baseline, one call after another. See `lanes.workload` for a function together with its async twin.

    models:   "all", "python", "native" or names, in a list or parted by commas.
    bodies:   "all" or bodies of the Python models: python, held, released. Native models have one of their own.
    workers:  threads, processes or tasks in flight; the workload's own default when left out.
    rounds:   samples per row, 3 when left out.
    progress: called with a Step before every sample and once at the end.
    seed:     of the order of the samples; the one that was used stands in the result.

    Raises ValueError for what does not exist or is more than the limits of this machine allow.
    """
    workload = as_workload(workload, items)
    rounds = ROUNDS if rounds is None else whole(rounds, "rounds")
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    cells = _cells(workload, models, bodies, workers)
    runnable = [cell for cell in cells if cell.reason is None]
    total = rounds * len(runnable)
    shuffle = random.Random(seed).shuffle
    tell = progress or (lambda step: None)
    with workload.serve() as served:
        for turn in range(rounds):
            shuffle(runnable)
            for place, cell in enumerate(runnable):
                tell(Step(turn * len(runnable) + place, total, turn, label(cell.model, cell.body)))
                cell.sample(served)
        baseline = next(cell.runs for cell in cells if (cell.model, cell.body) == BASELINE)
        rows = tuple(cell.row(baseline, served) for cell in cells)
    tell(Step(total, total, rounds, None))
    return Comparison(workload, rounds, seed, machine.facts(), rows)


@dataclass(slots=True)
class _Cell:
    """A row in the making."""

    model: str
    family: str
    body: str | None
    workers: int
    reason: str | None
    runs: list[Run] = field(default_factory=list)
    error: str | None = None
    origin_busy: float | None = None

    def sample(self, served: Workload) -> None:
        """Add one run. After an error there are no more, so that the n-th run is always that of the n-th round."""
        if self.error is not None:
            return
        origin: Origin | None = getattr(served, "origin", None)
        try:
            before = origin.load().cpu_s if origin else 0.0
            run = sample.take(served, self.model, self.body, self.workers)
            after = origin.load().cpu_s if origin else 0.0
        except (sample.SampleError, OSError) as error:
            self.error = " ".join(str(error).split())
            return
        self.runs.append(run)
        if origin:
            # Nobody else asks the origin anything, so all its work since then fell into this run's wall time.
            self.origin_busy = max((after - before) / run.wall_s, self.origin_busy or 0.0)

    def row(self, baseline: Sequence[Run], workload: Workload) -> Row:
        return Row(
            model=self.model,
            family=self.family,
            body=self.body,
            workers=self.workers,
            runs=tuple(self.runs),
            ratios=stats.paired_ratios([run.wall_s for run in baseline], [run.wall_s for run in self.runs]),
            differences=_differences(workload, baseline, self.runs),
            error=self.error,
            reason=self.reason,
            origin_busy=self.origin_busy,
        )


def _cells(
    workload: Workload, models: str | Iterable[str], bodies: str | Iterable[str], workers: int | None
) -> list[_Cell]:
    """The cells asked for and the baseline, in the order of the grid; native models have one body, without a name."""
    wanted_models = select(models)
    wanted_bodies = pick("body", bodies, BODIES, {"all": BODIES})
    cells, asked = [], 0
    for name in names():
        column = load(name) if name in wanted_models or name == BASELINE[0] else None
        if column is None:
            continue
        for body in bodies_of(workload, column):
            wanted = name in wanted_models and (body is None or body in wanted_bodies)
            if not wanted and (name, body) != BASELINE:
                continue
            asked += wanted
            reason = senseless(workload, column, body)
            cells.append(_Cell(name, column.family, body, crew(workload, column, workers), reason))
    if not asked:
        raise no_c_body(workload)
    return cells


def _differences(workload: Workload, baseline: Sequence[Run], runs: Sequence[Run]) -> tuple[Difference, ...]:
    """Where the outcomes are not the baseline's of the same round; the baseline itself must repeat its first ones."""
    found: dict[int, Difference] = {}
    for turn, (reference, run) in enumerate(zip(baseline, runs, strict=False)):
        expected = baseline[0] if run is reference else reference
        for task, one, other in zip(workload.tasks, expected.outcomes, run.outcomes, strict=True):
            if one != other:
                found.setdefault(task.index, Difference(turn, task.index, task.text, one, other))
    return tuple(found[index] for index in sorted(found))
