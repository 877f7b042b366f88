"""One workload on many models: which cells, in what order, and whether they all gave the same answers.

Every round takes one sample of each cell, in a random order of its own, so that what drifts (heat, neighbours) falls
on all alike. A speed-up is paired by round: the baseline's wall time over the row's in the same round. The baseline is
`serial` with the Python body; it is always among the rows, and its outcomes are what every other row must give.

There are as many rounds as it takes for the interval of every speed-up to be narrow, and no more than the budget has
time for. After them comes a pass that is not timed: one more sample of each cell, for what only disturbing it shows.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lanes import explain, laws, machine, measure, processors, sample, stats
from lanes.laws import Judgement
from lanes.measure import Split
from lanes.models import load, names, pick, select
from lanes.run import Pass, crew
from lanes.stats import Interval, Verdict
from lanes.types import BODIES, Closeup, Outcome, Run, Span, Workload
from lanes.units import parse_duration, short, whole

if TYPE_CHECKING:
    from lanes.origin import Origin

BUDGET_S = 60.0
BASELINE = ("serial", "python")
_MOST_ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """How far a comparison has come.

    round: of the sample that runs next, from 0; rounds: how many there will be, None while that is open.
    cell:  what runs next, None when all is done.
    left_s: seconds that the rest may take, at most; None before the first round has shown it.
    share: how much of it all is done, from 0 to 1.
    """

    round: int
    rounds: int | None
    cell: str | None
    left_s: float | None
    share: float


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
    wall_interval, interval: 95 % intervals of the median wall seconds, and of the median ratio.
    closeup: what a run of its own showed that could not be timed as well.
    judgements: of the laws that apply. measured: the verdict on the ratios, whatever the laws say of them.
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
    wall_interval: Interval | None = None
    interval: Interval | None = None
    closeup: Closeup | None = None
    judgements: tuple[Judgement, ...] = ()
    measured: Verdict | None = None

    @property
    def name(self) -> str:
        return label(self.model, self.body)

    @property
    def broken(self) -> tuple[Judgement, ...]:
        """The laws that the row breaks."""
        return tuple(each for each in self.judgements if not each.held)

    @property
    def verdict(self) -> Verdict | None:
        """Against the baseline; None for that itself, for a row that broke a law, and where there is none."""
        return None if self.broken or (self.model, self.body) == BASELINE else self.measured

    @property
    def outliers(self) -> int:
        """How many of the ratios are. They count like all others."""
        return stats.outliers(self.ratios)

    @property
    def split(self) -> Split | None:
        """Where the time of the typical run's workers went."""
        return measure.split(self.typical) if self.typical else None

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
    budget_s: float | None = None

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

    def versus(self, one: str | tuple[str, str | None], other: str | tuple[str, str | None]) -> Verdict | None:
        """Whether one row is faster than another, paired by round; None when either is void or has too few rounds."""
        first, second = self[one], self[other]
        return None if first.broken or second.broken else stats.verdict(first.walls, second.walls)

    def explanation(self, row: Row) -> str | None:
        """Where the time of a row's typical run went, in one sentence; None for a row that did not run."""
        usable = self.machine["processors_usable"]
        return explain.where_time_went(row.typical, usable) if row.typical and isinstance(usable, int) else None

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
    workload: Workload,
    *,
    models: str | Iterable[str] = "all",
    bodies: str | Iterable[str] = "all",
    workers: int | None = None,
    rounds: int | None = None,
    budget: str | float | None = None,
    deadline: str | float | None = None,
    closeup: bool = True,
    progress: Callable[[Step], None] | None = None,
    seed: int | None = None,
) -> Comparison:
    """Run `workload` on every model and body asked for, in fresh processes, and compare times and outcomes.

    models:   "all", "python", "native" or names, in a list or parted by commas.
    bodies:   "all" or bodies of the Python models: python, held, released. Native models have one of their own.
    workers:  threads, processes or tasks in flight; the workload's own default when left out.
    rounds:   samples per row; when left out, until the interval of every speed-up is narrow (`stats.is_narrow`).
    budget:   the time that all may take, "60s" when left out; there is at least one round. Not with `rounds`.
    deadline: of one sample, "120s" when left out; one that takes longer is killed, and its row has an error.
    closeup:  whether a sample of each row follows that is not timed, for memory, pickling and the lag of loops.
    progress: called with a Step before every sample and once at the end.
    seed:     of the order of the samples; the one that was used stands in the result.

    Raises ValueError for what does not exist or is more than the limits of this machine allow.
    """
    if rounds is not None and budget is not None:
        raise ValueError("give rounds or a budget, not both: rounds says how many, a budget how long")
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    plan = _Plan(
        None if rounds is None else whole(rounds, "rounds"),
        None if rounds is not None else BUDGET_S if budget is None else _seconds(budget, "budget"),
        sample.DEADLINE_S if deadline is None else _seconds(deadline, "deadline"),
        closeup,
    )
    cells = _cells(workload, models, bodies, workers)
    with workload.serve() as served:
        turns = _measure(cells, served, plan, random.Random(seed), progress or (lambda step: None))
        baseline = next(cell.runs for cell in cells if (cell.model, cell.body) == BASELINE)
        rows = _judged([cell.row(baseline, served) for cell in cells])
    return Comparison(workload, turns, seed, machine.facts(), rows, plan.budget_s)


def _seconds(duration: str | float, name: str) -> float:
    seconds = parse_duration(duration) / 1e9
    if seconds <= 0:
        raise ValueError(f"{name} must be longer than nothing, not {short(duration)}")
    return seconds


@dataclass(frozen=True, slots=True)
class _Plan:
    """How many rounds, or for how long; how long a sample may take; and whether a close-up follows."""

    rounds: int | None
    budget_s: float | None
    deadline_s: float
    closeup: bool


def _measure(
    cells: Sequence[_Cell], served: Workload, plan: _Plan, order: random.Random, tell: Callable[[Step], None]
) -> int:
    """Take all samples; how many rounds there were."""
    clock = _Clock(plan)
    runnable = [cell for cell in cells if cell.reason is None]
    baseline = next(cell for cell in runnable if (cell.model, cell.body) == BASELINE)

    def take(kind: Pass) -> None:
        order.shuffle(runnable)
        for place, cell in enumerate(runnable):
            tell(clock.step(cell.name, place / len(runnable)))
            cell.sample(served, kind, plan.deadline_s)

    while True:
        take("timed")
        clock.turn += 1
        if clock.is_over() or (plan.rounds is None and all(cell.is_settled(baseline) for cell in runnable)):
            break
    turns = clock.turn
    if plan.closeup:
        take("closeup")
    tell(Step(turns, turns, None, 0.0, 1.0))
    return turns


class _Clock:
    """When the rounds of a plan must end, and how far they have come."""

    def __init__(self, plan: _Plan) -> None:
        self.plan = plan
        self.turn = 0
        self.began = time.monotonic()

    def is_over(self) -> bool:
        """Whether there is no round left, or no time for one more."""
        if self.plan.rounds is not None or self.plan.budget_s is None:
            return self.turn >= (self.plan.rounds or 1)
        spent = time.monotonic() - self.began
        # A close-up takes about as long as a round.
        return spent + spent / self.turn * (1 + self.plan.closeup) > self.plan.budget_s or self.turn >= _MOST_ROUNDS

    def step(self, cell: str, part: float) -> Step:
        """The step at this part of a round."""
        spent = time.monotonic() - self.began
        turns = self.turn + part
        if self.plan.rounds is None:
            left, whole_s = max(0.0, (self.plan.budget_s or 0.0) - spent), self.plan.budget_s or spent
            return Step(self.turn, None, cell, left, min(1.0, spent / whole_s))
        share = min(1.0, turns / (self.plan.rounds + self.plan.closeup))
        return Step(self.turn, self.plan.rounds, cell, spent / share - spent if turns >= 1 else None, share)


def _judged(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The same rows, with what the laws say of them."""
    grid = laws.Grid(
        {(row.model, row.body): row for row in rows},
        processors.allowed_processors(),
        len(os.sched_getaffinity(0)),
        machine.gil(),
    )
    return tuple(replace(row, judgements=tuple(laws.judge(row, grid))) for row in rows)


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
    closeup: Closeup | None = None

    @property
    def name(self) -> str:
        return label(self.model, self.body)

    def is_settled(self, baseline: _Cell) -> bool:
        """Whether more rounds would tell little more of this cell."""
        if self.error is not None or self is baseline:
            return True
        return stats.is_narrow(self._ratios(baseline.runs))

    def _ratios(self, baseline: Sequence[Run]) -> tuple[float, ...]:
        return stats.paired_ratios([run.wall_s for run in baseline], [run.wall_s for run in self.runs])

    def sample(self, served: Workload, kind: Pass, deadline_s: float) -> None:
        """Add one run. After an error there are no more, so that the n-th run is always that of the n-th round."""
        if self.error is not None:
            return
        origin: Origin | None = getattr(served, "origin", None)
        try:
            before = origin.load().cpu_s if origin else 0.0
            run = sample.take(served, self.model, self.body, self.workers, kind, deadline_s)
            after = origin.load().cpu_s if origin else 0.0
        except (sample.SampleError, OSError) as error:
            self.error = " ".join(str(error).split())
            return
        if kind == "closeup":
            self.closeup = run.closeup
            return
        if origin:
            # Nobody else asks the origin anything, so all its work since then fell into this run's wall time.
            self.origin_busy = max((after - before) / run.wall_s, self.origin_busy or 0.0)
            run = _without_origin(run, after - before)
        self.runs.append(run)

    def row(self, baseline: Sequence[Run], workload: Workload) -> Row:
        ratios, walls = self._ratios(baseline), [run.wall_s for run in self.runs]
        return Row(
            model=self.model,
            family=self.family,
            body=self.body,
            workers=self.workers,
            runs=tuple(self.runs),
            ratios=ratios,
            differences=_differences(workload, baseline, self.runs),
            error=self.error,
            reason=self.reason,
            origin_busy=self.origin_busy,
            wall_interval=stats.interval(walls),
            interval=stats.interval(ratios),
            closeup=self.closeup,
            measured=stats.verdict(walls, [run.wall_s for run in baseline]),
        )


def _without_origin(run: Run, origin_s: float) -> Run:
    """The same run, with the CPU time of our own origin no longer among that of others."""
    if run.counters is None or run.counters.others_s is None:
        return run
    others_s = max(0.0, run.counters.others_s - origin_s)
    return replace(run, counters=replace(run.counters, others_s=others_s))


def _cells(
    workload: Workload, models: str | Iterable[str], bodies: str | Iterable[str], workers: int | None
) -> list[_Cell]:
    """The cells asked for and the baseline, in the order of the grid; native models have one body, without a name."""
    wanted_models = select(models)
    wanted_bodies = pick("body", bodies, BODIES, {"all": BODIES})
    cells = []
    for name in names():
        column = load(name) if name in wanted_models or name == BASELINE[0] else None
        if column is None:
            continue
        for body in BODIES if column.family == "python" else (None,):
            wanted = name in wanted_models and (body is None or body in wanted_bodies)
            if not wanted and (name, body) != BASELINE:
                continue
            reason = column.reasons.get(body) if body else None
            cells.append(_Cell(name, column.family, body, crew(workload, column, workers), reason))
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
