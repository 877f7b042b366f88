"""One workload on many models: which cells, in what order, and whether they all gave the same answers.

Every round takes one sample of each cell, in a random order of its own, so that what drifts (heat, neighbours) falls
on all alike. A speed-up is paired by round: the baseline's wall time over the row's in the same round. The baseline is
`serial` with the Python body; it is always among the rows, and its outcomes are what every other row must give.

There are as many rounds as it takes for the interval of every speed-up to be narrow, and no more than the budget has
time for; one that nobody has set stretches where it would bear no verdict. After them come passes that are not timed:
each takes one more sample of each cell, for what only disturbing it shows.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanes import interpreter, laws, machine, processors, sample, stats
from lanes.comparison import BASELINE, Comparison, Difference, Row, label
from lanes.models import in_order, load, pick, select
from lanes.run import Pass, as_workload, bodies_of, crew, no_c_body, senseless
from lanes.types import BODIES, Accompanied, Run, Updating, Workload
from lanes.units import parse_duration, short, whole

if TYPE_CHECKING:
    from lanes.origin import Origin
    from lanes.stall import Stall

BUDGET_S = 60.0
_STRETCH = 2.0
"""So many times that may be spent where it takes the rounds that a verdict needs, and nobody has set a budget."""

_MOST_ROUNDS = 1000
_LARGEST_SEED = 2**63 - 1


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


def compare(
    workload: Workload | Callable[[Any], object],
    items: Iterable[object] | None = None,
    *,
    models: str | Iterable[str] = "all",
    bodies: str | Iterable[str] = "all",
    workers: int | None = None,
    rounds: int | None = None,
    budget: str | float | None = None,
    deadline: str | float | None = None,
    closeup: bool = True,
    pulse: bool = False,
    log: str | os.PathLike[str] | None = None,
    progress: Callable[[Step], None] | None = None,
    seed: int | None = None,
) -> Comparison:
    """Run `workload` on every model and body asked for, in fresh processes, and compare times and outcomes.

    The workload may be a function of your own, called once with each of `items`; an `async def` runs on asyncio and,
    for the baseline, one call after another. See `lanes.workload` for a function together with its async twin.

    models:   "all", "python", "native" or names, in a list or parted by commas.
    bodies:   "all" or bodies of the Python models: python, held, released. Native models have one of their own.
    workers:  threads, processes or tasks in flight; the workload's own default when left out.
    rounds:   samples per row; when left out, until the interval of every speed-up is narrow (`stats.is_narrow`).
    budget:   the time that all may take; there is at least one round. Not with `rounds`. When left out "60s", or what
              the six rounds take that a verdict needs, should that be no more than twice as long.
    deadline: of one sample, "120s" when left out; one that takes longer is asked where its workers stand, and killed;
              its row has an error that says so, and `stall` has all of it.
    closeup:  whether a sample of each row follows that is not timed, for memory, pickling and the lag of loops.
    pulse:    whether one more follows, for how late something beside the work comes that tries to beat every 5 ms.
    log:      a file to which the events of one more run of each row are appended, one JSON object a line: see
              lanes/events.py.
    progress: called with a Step before every sample and once at the end.
    seed:     of all that is left to chance: the order of the samples; what `random` draws in them, which all begin
              alike; and the order of sets there, unless PYTHONHASHSEED is set. The result has the one that was used.

    >>> workload = lanes.wait(tasks=4, duration="20ms")
    >>> result = lanes.compare(workload, models="threading,native-epoll", bodies="python", rounds=1)
    >>> [row.name for row in result]
    ['serial/python', 'threading/python', 'native-epoll']
    >>> result["native-epoll"].speedup > 2
    True

    Raises ValueError for what does not exist or is more than the limits of this machine allow; OSError for a log that
    nobody can write.
    """
    workload = as_workload(workload, items)
    wanted: dict[Pass, bool] = {"closeup": closeup, "pulse": pulse, "log": log is not None}
    passes = tuple(kind for kind in wanted if wanted[kind])
    plan = Plan.made(rounds, budget, deadline, passes, seed, None if log is None else Path(log))
    return measured(cells_of(workload, models, bodies, workers), workload, plan, progress)


def measured(
    cells: Sequence[Cell],
    workload: Workload,
    plan: Plan,
    progress: Callable[[Step], None] | None = None,
) -> Comparison:
    """Take the samples of these cells, and say what came of them; progress is that of `compare`."""
    with workload.serve() as served:
        turns = _measure(cells, served, plan, progress or (lambda step: None))
        baseline = next(cell.runs for cell in cells if (cell.model, cell.body) == BASELINE)
        rows = _judged([cell.row(baseline) for cell in cells], workload)
    return Comparison(workload, turns, plan.seed, machine.facts(), rows, plan.budget_s)


def _seconds(duration: str | float, name: str) -> float:
    seconds = parse_duration(duration) / 1e9
    if seconds <= 0:
        raise ValueError(f"{name} must be longer than nothing, not {short(duration)}")
    return seconds


def seed_of(seed: int | None) -> int:
    """The seed that was given, or one by chance."""
    return random.SystemRandom().getrandbits(32) if seed is None else whole(seed, "seed", 0, _LARGEST_SEED)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rounds, or for how long, and whether for a verdict a little longer; how long a sample may take; which
    passes follow that are not timed; the seed of all that is left to chance; and the log of events."""

    rounds: int | None
    budget_s: float | None
    stretches: bool
    deadline_s: float
    passes: tuple[Pass, ...]
    seed: int
    log: Path | None

    @classmethod
    def made(
        cls,
        rounds: int | None,
        budget: str | float | None,
        deadline: str | float | None,
        passes: tuple[Pass, ...] = (),
        seed: int | None = None,
        log: Path | None = None,
    ) -> Plan:
        """The plan of a user's choices, which are described in `compare`."""
        if log is not None:
            from lanes import events  # only where they are wanted

            events.begin(log)
        if rounds is not None and budget is not None:
            raise ValueError("give rounds or a budget, not both: rounds says how many, a budget how long")
        return cls(
            None if rounds is None else whole(rounds, "rounds"),
            None if rounds is not None else BUDGET_S if budget is None else _seconds(budget, "budget"),
            budget is None,
            sample.DEADLINE_S if deadline is None else _seconds(deadline, "deadline"),
            passes,
            seed_of(seed),
            log and log.absolute(),
        )


def _measure(cells: Sequence[Cell], served: Workload, plan: Plan, tell: Callable[[Step], None]) -> int:
    """Take all samples; how many rounds there were."""
    order = random.Random(plan.seed)
    clock = _Clock(plan)
    runnable = [cell for cell in cells if cell.reason is None]
    baseline = next(cell for cell in runnable if (cell.model, cell.body) == BASELINE)

    def take(kind: Pass, before: int = 0) -> None:
        order.shuffle(runnable)
        for place, cell in enumerate(runnable):
            tell(clock.step(cell.name, before + place / len(runnable)))
            cell.sample(served, kind, plan)

    while True:
        take("timed")
        # The baseline last: all others need its outcomes of this round.
        for cell in sorted(runnable, key=lambda cell: cell is baseline):
            cell.check(baseline, served, clock.turn)
        clock.turn += 1
        if clock.is_over() or (plan.rounds is None and all(cell.is_settled(baseline) for cell in runnable)):
            break
    turns = clock.turn
    for before, kind in enumerate(plan.passes):
        take(kind, before)
    tell(Step(turns, turns, None, 0.0, 1.0))
    return turns


class _Clock:
    """When the rounds of a plan must end, and how far they have come."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.turn = 0
        self.began = time.monotonic()

    def is_over(self) -> bool:
        """Whether there is no round left, or no time for one more."""
        if self.plan.rounds is not None or self.plan.budget_s is None:
            return self.turn >= (self.plan.rounds or 1)
        spent = time.monotonic() - self.began
        pace_s = spent / self.turn
        return self._needed_s(self.turn + 1, pace_s) > self._allowed_s(pace_s) or self.turn >= _MOST_ROUNDS

    def _needed_s(self, rounds: int, pace_s: float) -> float:
        """What so many rounds take at this pace, and the passes after them, each of which takes about as long."""
        return pace_s * (rounds + len(self.plan.passes))

    def _allowed_s(self, pace_s: float) -> float:
        """The budget; or what a verdict needs, if that is not much more and may be spent."""
        budget_s = self.plan.budget_s or 0.0
        verdict_s = self._needed_s(stats.FEWEST, pace_s)
        if self.plan.stretches and budget_s < verdict_s <= _STRETCH * budget_s:
            return verdict_s
        return budget_s

    def step(self, cell: str, part: float) -> Step:
        """The step at this part of a round, or of the passes after the last one."""
        spent = time.monotonic() - self.began
        turns = self.turn + part
        if self.plan.rounds is None:
            allowed_s = self._allowed_s(spent / turns if turns >= 1 else 0.0)
            return Step(self.turn, None, cell, max(0.0, allowed_s - spent), min(1.0, spent / allowed_s))
        share = min(1.0, turns / (self.plan.rounds + len(self.plan.passes)))
        return Step(self.turn, self.plan.rounds, cell, spent / share - spent if turns >= 1 else None, share)


def _judged(rows: Sequence[Row], workload: Workload) -> tuple[Row, ...]:
    """The same rows, with what the laws say of them; and no verdict over a baseline that is void itself."""
    grid = laws.Grid(
        {(row.model, row.body): row for row in rows},
        processors.allowed_processors(),
        len(os.sched_getaffinity(0)),
        interpreter.gil(),
        workload.twins,
        isinstance(workload, Updating) and workload.lossless,
        isinstance(workload, Accompanied),
    )
    judged = [replace(row, judgements=tuple(laws.judge(row, grid))) for row in rows]
    if next(row for row in judged if row.is_baseline).is_sound:
        return tuple(judged)
    return tuple(replace(row, measured=None) for row in judged)


@dataclass(slots=True)
class Cell:
    """A row in the making."""

    model: str
    family: str
    body: str | None
    workers: int
    reason: str | None
    runs: list[Run] = field(default_factory=list)
    error: str | None = None
    stall: Stall | None = None
    origin_busy: float | None = None
    asides: dict[Pass, Run] = field(default_factory=dict)
    aside_errors: dict[Pass, str] = field(default_factory=dict)
    differences: dict[int, Difference] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return label(self.model, self.body)

    def check(self, baseline: Cell, workload: Workload, turn: int) -> None:
        """Compare the outcomes of a round with the baseline's, which itself must repeat its first ones.

        Those of the first round are kept: what a user's function gives may be large.
        """
        if len(self.runs) <= turn or len(baseline.runs) <= turn:
            return
        expected = baseline.runs[0 if self is baseline else turn].outcomes
        for task, one, other in zip(workload.tasks, expected, self.runs[turn].outcomes, strict=True):
            if one != other:
                self.differences.setdefault(task.index, Difference(turn, task.index, task.text, one, other))
        if turn > 0:
            self.runs[turn] = replace(self.runs[turn], outcomes=())

    def is_settled(self, baseline: Cell) -> bool:
        """Whether more rounds would tell little more of this cell."""
        if self.error is not None or self is baseline or baseline.error is not None:
            return True
        return stats.is_narrow(self._ratios(baseline.runs))

    def _ratios(self, baseline: Sequence[Run]) -> tuple[float, ...]:
        return stats.paired_ratios([run.wall_s for run in baseline], [run.wall_s for run in self.runs])

    def sample(self, served: Workload, kind: Pass, plan: Plan) -> None:
        """Add one run. After an error there are no more, so that the n-th run is always that of the n-th round."""
        if self.error is not None:
            return
        origin: Origin | None = getattr(served, "origin", None)
        try:
            before = origin.load().cpu_s if origin else 0.0
            run = self._taken(served, kind, plan)
            after = origin.load().cpu_s if origin else 0.0
        except (sample.SampleError, OSError) as error:
            words = " ".join(str(error).split())
            self.stall = getattr(error, "stall", None) or self.stall  # a pass before this one may have had one
            if kind == "timed":
                self.error = words
            else:  # what was timed stands
                self.aside_errors[kind] = words
            return
        if kind != "timed":
            self.asides[kind] = run
            return
        if origin:
            # Nobody else asks the origin anything, so all its work since then fell into this run's wall time.
            self.origin_busy = max((after - before) / run.wall_s, self.origin_busy or 0.0)
            run = _without_origin(run, after - before)
        self.runs.append(run)

    def _taken(self, served: Workload, kind: Pass, plan: Plan) -> Run:
        cell = served, self.model, self.body, self.workers
        if kind != "log" or plan.log is None:
            return sample.take(*cell, kind, plan.deadline_s, seed=plan.seed)
        from lanes import events

        with events.ended(plan.log):
            return sample.take(*cell, kind, plan.deadline_s, seed=plan.seed, log=plan.log)

    def row(self, baseline: Sequence[Run]) -> Row:
        ratios, walls = self._ratios(baseline), [run.wall_s for run in self.runs]
        return Row(
            model=self.model,
            family=self.family,
            body=self.body,
            workers=self.workers,
            runs=tuple(self.runs),
            ratios=ratios,
            differences=tuple(self.differences[index] for index in sorted(self.differences)),
            error=self.error,
            stall=self.stall,
            reason=self.reason,
            origin_busy=self.origin_busy,
            wall_interval=stats.interval(walls),
            interval=stats.interval(ratios),
            closeup=self.asides["closeup"].closeup if "closeup" in self.asides else None,
            closeup_error=self.aside_errors.get("closeup"),
            pulse=self.asides["pulse"].pulse if "pulse" in self.asides else None,
            pulse_error=self.aside_errors.get("pulse"),
            log_error=self.aside_errors.get("log"),
            measured=stats.verdict(walls, [run.wall_s for run in baseline]),
        )


def _without_origin(run: Run, origin_s: float) -> Run:
    """The same run, with the CPU time of our own origin no longer among that of others."""
    if run.counters is None or run.counters.others_s is None:
        return run
    others_s = max(0.0, run.counters.others_s - origin_s)
    return replace(run, counters=replace(run.counters, others_s=others_s))


def cells_of(
    workload: Workload,
    models: str | Iterable[str],
    bodies: str | Iterable[str],
    workers: int | None,
    baseline: bool = True,
) -> list[Cell]:
    """The cells asked for and the baseline, which a comparison needs, in the order of the grid; native models have one
    body, without a name."""
    wanted_models = select(models)
    wanted_bodies = pick("body", bodies, BODIES, {"all": BODIES})
    cells, asked = [], list[Cell]()
    for name in in_order([*wanted_models, BASELINE[0]]):
        column = load(name)
        for body in bodies_of(workload, column):
            wanted = name in wanted_models and (body is None or body in wanted_bodies)
            if not wanted and not (baseline and (name, body) == BASELINE):
                continue
            reason = senseless(workload, column, body)
            cells.append(Cell(name, column.family, body, crew(workload, column, workers), reason))
            asked += cells[-1:] if wanted else []
    if not asked:
        raise no_c_body(workload.name)
    if all(cell.reason for cell in asked):
        others = ", nor does anything else that was asked for" if asked[1:] else ""
        raise ValueError(f"{asked[0].name} makes no sense{others}: {asked[0].reason}")
    return cells
