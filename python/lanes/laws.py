"""What must be true of every row, or its verdict is void: a number that breaks a law of nature was measured wrongly.

A law applies where its cause does: what only processors can speed up is told by serial with the same code, which must
have computed all the time. Bounds of speed-ups are compared with the lower end of an interval, so that noise breaks no
law; the other laws are about every run of a row, and one that breaks them is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lanes import explain, models, stats

if TYPE_CHECKING:
    from lanes.comparison import Row
    from lanes.types import Run

ORIGIN_LIMIT = 0.6
"""An origin that is busy for a larger share of a run may be what limits it."""

ALONE_LIMIT = 1.05
"""What takes turns on one processor is no faster than one after the other; so much is allowed for the measuring."""

_COMPUTING = 0.9
"""A serial row that is on a processor for this share of its work does nothing but compute."""

_OTHERS, _IDLE = 0.2, 0.1
"""The machine is overloaded when others take this share of it and less than that share is idle."""

_LEAST_S = 0.5
"""The kernel counts the machine's time in ticks of 10 ms: of shorter runs nothing can be said."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a row keeps a law: its name, whether it held, and why, the figures that say so."""

    name: str
    held: bool
    why: str


@dataclass(frozen=True, slots=True)
class Grid:
    """What a law may look at besides its row: the other rows, and the machine.

    processors: that affinity and quota allow; mask: those of the affinity alone; gil: whether there is one.
    twins:      whether the coroutines of the workload are other code than what all other models call.
    lossless:   whether the workload sees to it that none of its updates is lost.
    accompanied: whether workers have partners, which compute as well, and not on their account.
    """

    rows: Mapping[tuple[str, str | None], Row]
    processors: int
    mask: int
    gil: bool
    twins: bool = False
    lossless: bool = False
    accompanied: bool = False

    def serial(self, row: Row) -> Row | None:
        """The same code, one task after another."""
        if self.twins and models.load(row.model).coroutines:
            return None
        return self.rows.get(("serial", row.body) if row.body else ("native-serial", None))

    def computes(self, row: Row) -> bool:
        """Whether the row's work only computes, as far as its serial twin shows."""
        serial = None if self.accompanied else self.serial(row)
        split = serial.split if serial is not None else None
        return split is not None and split.share(split.cpu_s) >= _COMPUTING


Check: TypeAlias = Callable[["Row", Grid], tuple[bool, str] | None]
"""Whether the law is kept and why; None where it does not apply."""


@dataclass(frozen=True, slots=True)
class Law:
    """A law: its name, what it says, and the check."""

    name: str
    says: str
    check: Check


def judge(row: Row, grid: Grid) -> Iterator[Judgement]:
    """What the laws that apply say of a row that ran."""
    for law in LAWS if row.runs else ():
        found = law.check(row, grid)
        if found is not None:
            yield Judgement(law.name, *found)


def _agrees(row: Row, grid: Grid) -> tuple[bool, str] | None:
    if row.agrees is None:
        return None
    many = len(row.differences)
    return not many, f"{many} tasks have other outcomes" if many else "all outcomes are the baseline's"


def _within_processors(row: Row, grid: Grid) -> tuple[bool, str] | None:
    serial = grid.serial(row)
    if serial is None or serial is row or not grid.computes(row):
        return None
    return _at_most(stats.paired_ratios(serial.walls, row.walls), float(grid.processors), f"{serial.name} over it is")


def _alone(row: Row, grid: Grid) -> tuple[bool, str] | None:
    column = models.load(row.model)
    takes_turns = column.coroutines or (column.processors == models.WITH_GIL and grid.gil)
    if not takes_turns or row.body != "python" or not grid.computes(row):
        return None
    return _at_most(row.ratios, ALONE_LIMIT, "the speed-up is")


def _at_most(ratios: tuple[float, ...], bound: float, what: str) -> tuple[bool, str] | None:
    if not ratios:
        return None
    sure = stats.interval(ratios)
    low = ratios[0] if sure is None else sure.low
    return low <= bound, f"{what} at least {low:.2f}, and may be {bound:.4g}"


def _cpu_within_wall(row: Row, grid: Grid) -> tuple[bool, str] | None:
    most = max(row.runs, key=lambda run: run.cpu_s - grid.processors * run.wall_s)
    allowed = grid.processors * most.wall_s
    # The kernel's own accounting lags by up to a tick of a processor.
    return most.cpu_s <= allowed * 1.02 + 0.01, f"{most.cpu_s:.3f} s of {allowed:.3f} s that the processors had"


def _adds_up(row: Row, grid: Grid) -> tuple[bool, str] | None:
    split = row.split
    if split is None or row.typical is None or row.typical.work_s < explain.LEAST_S:
        return None
    return split.adds_up, f"the parts make {split.share(split.sum_s):.0%} of the workers' time"


def _origin(row: Row, grid: Grid) -> tuple[bool, str] | None:
    if row.origin_busy is None:
        return None
    return row.origin_busy <= ORIGIN_LIMIT, f"it was busy for {row.origin_busy:.0%} of a run at most"


def _nothing_lost(row: Row, grid: Grid) -> tuple[bool, str] | None:
    lost = row.samples_of("lost")
    if not grid.lossless or not lost:
        return None
    return not any(lost), f"{max(map(abs, lost)):,.0f} lost, at most, of those of a run"


def _throttled(row: Row, grid: Grid) -> tuple[bool, str] | None:
    seconds = [run.counters.throttled_s for run in row.runs if run.counters and run.counters.throttled_s is not None]
    if not seconds:
        return None
    return not any(seconds), f"its control group stood still for {sum(seconds):.3f} s"


def _overloaded(row: Row, grid: Grid) -> tuple[bool, str] | None:
    return overload(row.runs, grid.mask)


def overload(runs: Iterable[Run], mask: int) -> tuple[bool, str] | None:
    """Whether others left these runs the processors, so many as the affinity allows, and the figures that say so; None
    where they were too short to tell."""
    counted = [run for run in runs if run.counters and run.counters.others_s is not None]
    wall_s = sum(run.wall_s for run in counted)
    if wall_s < _LEAST_S:
        return None
    had_s = mask * wall_s
    others = sum(run.counters.others_s or 0.0 for run in counted if run.counters) / had_s
    idle = 1.0 - others - sum(run.cpu_s for run in counted) / had_s
    return others < _OTHERS or idle >= _IDLE, f"others took {others:.0%} of the processors, {max(0.0, idle):.0%} idle"


LAWS = (
    Law("outcomes agree", "the same inputs give the same answers on every model", _agrees),
    Law(
        "speed-up within processors",
        "what only computes is no more times faster than serial with the same body than there are processors",
        _within_processors,
    ),
    Law(
        "one at a time",
        "asyncio, and threads that take turns on the GIL, do not speed up what computes in Python: at most 1.05x",
        _alone,
    ),
    Law("CPU time within processors", "CPU seconds are no more than processors times wall", _cpu_within_wall),
    Law("split adds up", "CPU, run queue and GIL wait are no more than workers times work, within 5 %", _adds_up),
    Law("origin not busy", "the embedded origin computes for less than 60 % of a run", _origin),
    Law(
        "no update is lost",
        "under a lock, or in one atomic step, every update of what is shared counts",
        _nothing_lost,
    ),
    Law("not throttled", "the control group's CPU quota was never used up", _throttled),
    Law(
        "machine not overloaded",
        "other processes did not take 20 % of the processors while less than 10 % were idle",
        _overloaded,
    ),
)
"""All laws, in the order in which they are shown."""
