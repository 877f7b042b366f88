"""What a comparison comes to: its rows, what is said of each, and how two of them compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from lanes import explain, measure, models, stats
from lanes.laws import Judgement
from lanes.measure import Split
from lanes.shown import Shown, needed
from lanes.stats import Interval, Verdict
from lanes.types import Closeup, InFlight, Outcome, Pulse, Run, Span, Workload

if TYPE_CHECKING:
    from lanes.report.picture import Picture
    from lanes.stall import Stall

BASELINE = ("serial", "python")
"""The model and the body that all others are compared with."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One task whose outcome is not the baseline's, in the first round in which it was not.

    round: from 0; task: its index in the workload; text: the task in words.
    expected, got: the baseline's outcome, and the row's.
    """

    round: int
    task: int
    text: str
    expected: Outcome
    got: Outcome


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One cell of the grid: a model with a body, and its runs, one a round. Only the first has its outcomes still.

    model: as it was typed, what stands in brackets included. family: "python" or "native".
    body: "python", "held" or "released"; None for native models.
    workers: threads, processes or tasks in flight.
    runs: what came of each round.
    reason: why the cell makes no sense; error: why its runs ended early. Both are None where all is well.
    differences: tasks whose outcome is not the baseline's, each once.
    stall: where every worker stood when the deadline came; None where none came.
    ratios: the baseline's wall time over this row's, round by round.
    origin_busy: the share of a run's wall time for which the embedded origin computed, at its worst; None without one.
    wall_interval, interval: 95 % intervals of the median wall seconds, and of the median ratio.
    closeup: what a run of its own showed that could not be timed as well; closeup_error: why it showed nothing.
    pulse: how late something was that tried to beat beside another one; pulse_error: why that is not known.
    log_error: why the run whose events were written to a log came to no good end.
    judgements: of the laws that apply. measured: the verdict on the ratios, whatever the laws say of them.
    among: all rows of its comparison; none for one that stands alone.
    """

    model: str
    family: str
    body: str | None
    workers: int
    runs: tuple[Run, ...] = field(default=(), repr=False)
    ratios: tuple[float, ...] = ()
    differences: tuple[Difference, ...] = ()
    error: str | None = None
    stall: Stall | None = None
    reason: str | None = None
    origin_busy: float | None = None
    wall_interval: Interval | None = None
    interval: Interval | None = None
    closeup: Closeup | None = None
    closeup_error: str | None = None
    pulse: Pulse | None = None
    pulse_error: str | None = None
    log_error: str | None = None
    judgements: tuple[Judgement, ...] = ()
    measured: Verdict | None = None
    among: tuple[Row, ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        """What is known of it in one line: an assertion that fails shows it."""
        from lanes.report import sentences  # printing stands above measuring, and is not loaded to measure

        return f"<Row {sentences.said(self)}>"

    @property
    def name(self) -> str:
        """Of the cell: "threading/released", "native-epoll"."""
        return label(self.model, self.body)

    @property
    def is_baseline(self) -> bool:
        """Whether it is `serial` with the Python body, which all others are held against."""
        return (self.model, self.body) == BASELINE

    @property
    def broken(self) -> tuple[Judgement, ...]:
        """The laws that the row breaks."""
        return tuple(each for each in self.judgements if not each.held)

    @property
    def is_sound(self) -> bool:
        """Whether others can be compared with it: it ran, broke no law, and most of its tasks went well."""
        outcomes = self.runs[0].outcomes if self.runs else ()
        failed = sum(outcome.status != "ok" for outcome in outcomes)
        return self.error is None and not self.broken and 2 * failed < max(1, len(outcomes))

    @property
    def verdict(self) -> Verdict | None:
        """Against the baseline; None for that itself, for a row that broke a law, and where there is none."""
        return None if self.broken or self.error is not None or self.is_baseline else self.measured

    def faster_than(self, other: str | tuple[str, str | None] | Row) -> Faster:
        """Whether it is faster than another row of its comparison, which may be given as in `Comparison[...]`.

        Paired by round, by the rule of `lanes.stats.verdict`: what one cannot tell is not faster. What comes of it is
        true or false, and shows why. Raises KeyError where there is no such row.
        """
        other = other if isinstance(other, Row) else named(self.among, other, "row")
        return Faster(self, other, self.versus(other))

    def versus(self, other: Row) -> Verdict | None:
        """Whether it is faster than the other; None when either is void or ended early, or has too few rounds."""
        if self.broken or other.broken or self.error is not None or other.error is not None:
            return None
        return stats.verdict(self.walls, other.walls)

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
    def figures(self) -> dict[str, float | None]:
        """What the workload measured of itself: the median of each figure over the runs; None where it is not known."""
        names = self.runs[0].figures if self.runs else ()
        return {name: stats.median(self.samples_of(name)) for name in names}

    def samples_of(self, figure: str) -> tuple[float, ...]:
        """What a figure was, run by run, where it was known."""
        return tuple(value for run in self.runs if (value := run.figures.get(figure)) is not None)

    @property
    def in_flight(self) -> InFlight | None:
        """Tasks begun and not finished: the median of the means of the runs, and the most in any of them."""
        each = [run.in_flight for run in self.runs]
        mean = stats.median([many.mean for many in each])
        return None if mean is None else InFlight(mean, max(many.max for many in each))

    @property
    def variant(self) -> str | None:
        """What stands in brackets in the model's name; None without."""
        return models.parted(self.model)[1]

    @property
    def switching(self) -> str:
        """Who decides when one worker gives way to another."""
        return self.typical.switching if self.typical else models.load(self.model).switching

    @property
    def processors(self) -> str:
        """How many processors the workers could use: "1" or "many"; of a row that did not run, as the model says it."""
        return self.typical.processors if self.typical else models.load(self.model).processors

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


@dataclass(frozen=True, slots=True, repr=False)
class Faster:
    """Whether one row is faster than another: true or false.

    row, other: the two. verdict: what says so, by the rule of `lanes.stats.verdict`; None where there is none.
    """

    row: Row
    other: Row
    verdict: Verdict | None

    def __bool__(self) -> bool:
        return self.verdict is not None and self.verdict.word == "faster"

    def __repr__(self) -> str:
        from lanes.report import sentences  # printing stands above measuring, and is not loaded to measure

        return f"<{bool(self)}: {sentences.against(self)}>"


@dataclass(frozen=True, slots=True)
class Distance:
    """How far Python threads are from native threads, as three factors.

    interpreter: serial/python over native-serial. gil: threading/held over threading/released. dispatch:
    threading/released over native-pthreads. Each is a median of ratios paired by round, 2.0 for twice as long.
    """

    interpreter: float
    gil: float
    dispatch: float

    @property
    def total(self) -> float:
        """The product of the three: the whole distance."""
        return self.interpreter * self.gil * self.dispatch


@dataclass(frozen=True, slots=True)
class Comparison(Shown):
    """The rows of one workload, in the order of the grid. `result["threading", "released"]` is one of them, and so is
    `result["threading/released"]`.

    workload: what was run.
    rounds: how many samples each row was to have.
    seed: of all that was left to chance; the same seed gives the same samples in the same order.
    machine: the facts that the result depends on: see `lanes.machine.facts`.
    rows: one for each cell of the grid, those that make no sense included.
    budget_s: seconds that all rounds were to take; None where their number was given.
    label: what it was made for, such as the name of a test; None where nobody said.
    """

    workload: Workload
    rounds: int
    seed: int
    machine: Mapping[str, object]
    rows: tuple[Row, ...]
    budget_s: float | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        """Each row knows the others."""
        rows = tuple(replace(row, among=()) for row in self.rows)
        object.__setattr__(self, "rows", tuple(replace(row, among=rows) for row in rows))

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: str | tuple[str, str | None]) -> Row:
        """The row of a model, or of a model and a body. A Python model alone gives its Python body.

        In a sweep it is that with the fewest workers. Raises KeyError where there is none, which says what there is.
        """
        return named(self.rows, key, "row")

    def __str__(self) -> str:
        """The table, as `lanes compare` shows it."""
        from lanes.report import table  # printing stands above measuring, and is not loaded to measure

        return table.text(self)

    def plot(self, models: str | Iterable[str | tuple[str, str | None]] | None = None) -> Picture:
        """The speed-up of each row with its interval, and where its time went: a matplotlib figure that shows itself in
        a notebook, and is saved by `.savefig(path)`.

        models: rows ("threading/released"), models ("threading": with the Python body) or families ("python",
                "native"), in a list or parted by commas; all rows when left out.

        Raises ValueError for what is not there, ImportError without matplotlib: pip install "gil-lanes[plot]".
        """
        needed("matplotlib", "plot")
        from lanes.report import plot

        return plot.plot(self, models)

    def timeline(self, models: str | Iterable[str | tuple[str, str | None]] | None = None) -> Picture:
        """The lanes of each row's typical run as a figure: one lane a worker, one bar a task, on one time scale.

        A bar is pale where its task waited and solid as high as its share of CPU; see `lanes.report.timeline`.

        models: as for `plot`; every model once when left out, with the Python body where it has that.

        Raises ValueError for what is not there and where nothing ran, ImportError without matplotlib.
        """
        needed("matplotlib", "plot")
        from lanes.report import plot_timeline

        return plot_timeline.plot(self, models)

    @property
    def baseline(self) -> Row:
        """`serial` with the Python body, which is always there."""
        return self[BASELINE]

    def versus(self, one: str | tuple[str, str | None], other: str | tuple[str, str | None]) -> Verdict | None:
        """Whether one row is faster than another, paired by round; see `Row.versus`. Raises KeyError as `[]` does."""
        return self[one].versus(self[other])

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
        """From Python threads to native threads; None unless all the rows it needs are there, once each."""
        walls = {(row.model, row.body): row.walls for row in self.rows}
        if len(walls) < len(self.rows):
            return None
        held, released = walls.get(("threading", "held"), ()), walls.get(("threading", "released"), ())
        interpreter = stats.median(stats.paired_ratios(walls[BASELINE], walls.get(("native-serial", None), ())))
        gil = stats.median(stats.paired_ratios(held, released))
        dispatch = stats.median(stats.paired_ratios(released, walls.get(("native-pthreads", None), ())))
        if interpreter is None or gil is None or dispatch is None:
            return None
        return Distance(interpreter, gil, dispatch)


class Named(Protocol):
    """What is of one cell of the grid, or of several with the same name."""

    @property
    def model(self) -> str: ...

    @property
    def body(self) -> str | None: ...

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def named(things: Sequence[N], key: str | tuple[str, str | None], what: str) -> N:
    """The first of a model, or of a model and a body. A Python model alone gives its Python body."""
    model, body = _parted(key) if isinstance(key, str) else key
    for thing in things:
        if thing.model == model and thing.body in (body, "python" if body is None else body):
            return thing
    there = ", ".join(thing.name for thing in things)
    raise KeyError(f"no {what} {label(model, body)}; there are {there}")


def _parted(name: str) -> tuple[str, str | None]:
    """What `label` made one of."""
    model, _, body = name.partition("/")
    return model, body or None


def label(model: str, body: str | None) -> str:
    """How a cell is named in words: `threading/released`, `native-epoll`."""
    return f"{model}/{body}" if body else model
