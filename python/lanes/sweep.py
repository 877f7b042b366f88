"""The same comparison over worker counts: how each model scales, how many workers are best, and from when it pays off.

Two laws are fitted to the speed-ups of a model, by least squares on their logarithms, with SciPy. Both say how many
times faster N workers are than serial, `single` being one worker's speed-up:

- Amdahl's (1967), where a part of the work, the contention, is done by one worker at a time:
  single * N / (1 + contention * (N - 1))
- the Universal Scalability Law (Gunther, 1993), where in addition each worker waits for every other, the coherence:
  single * N / (1 + contention * (N - 1) + coherence * N * (N - 1))

From when a model pays off is reckoned from the phases of its runs. With n tasks of the length L, serial takes n * L and
the model: start-up and shutdown F, and for each task the time o that its worker needs to come by it, and L / C, where C
is how many times faster the bodies ran than serial's. So it pays off where L exceeds (F / n + o) / (1 - 1 / C).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lanes import stats
from lanes.compare import Cell, Plan, Step, cells_of, measured
from lanes.comparison import Comparison, Row, label, named
from lanes.processors import usable_processors
from lanes.run import as_workload
from lanes.shown import Shown, needed
from lanes.types import Run, Workload
from lanes.units import short, whole

if TYPE_CHECKING:
    from lanes.report.picture import Picture

_MOST_COUNTS = 32
_CLOSE = 1.05
"""Who takes no more than this many times as long as the fastest is close to it."""

_OVERLAP = 1.05
"""Bodies that ran no more than this many times faster than serial's will not make up for anything."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A law of scaling, fitted: Amdahl's (1967), or the Universal Scalability Law (Gunther, 1993).

    single: the speed-up of one worker, over serial.
    contention: the share of the work that one worker does at a time, from 0 to 1.
    coherence: what each worker costs every other, as a share of the work; 0 with Amdahl.
    r_squared: how much of the variation of the logarithms the law explains, 1 for all.
    """

    single: float
    contention: float
    coherence: float
    r_squared: float

    def speedup(self, workers: float) -> float:
        """What the law expects of so many workers: how many times faster than serial."""
        return self.single * math.exp(_log_scaling(workers, self.contention, self.coherence))

    @property
    def peak(self) -> float | None:
        """The number of workers beyond which more do harm; None where they never do."""
        return max(1.0, math.sqrt((1 - self.contention) / self.coherence)) if self.coherence > 1e-9 else None


@dataclass(frozen=True, slots=True)
class Curve:
    """How one model scales: its rows by number of workers, and what is made of them.

    model, family, body: as in a `Row`. rows: one for each number of workers, the fewest first.
    amdahl, usl: the laws fitted; None with too few counts: three are needed, and four.
    best:        the least number of workers that comes within 5 % of the fastest; None without a row that ran.
    pays_off_s:  the length of a task of serial, in seconds, above which the model with its best number of workers is
                 faster, given as many tasks; infinite where it is never.
    """

    model: str
    family: str
    body: str | None
    rows: tuple[Row, ...]
    amdahl: Fit | None
    usl: Fit | None
    best: int | None
    pays_off_s: float | None

    @property
    def name(self) -> str:
        """Of the cell: "threading/python"."""
        return label(self.model, self.body)


@dataclass(frozen=True, slots=True)
class Sweep(Shown):
    """A comparison over several numbers of workers. `result["threading"]` is one of its curves.

    comparison: all rows, those of one cell with different numbers of workers included.
    workers: the numbers, the smallest first.
    curves: one for each cell, in the order of the grid.
    """

    comparison: Comparison
    workers: tuple[int, ...]
    curves: tuple[Curve, ...]

    def __getitem__(self, key: str | tuple[str, str | None]) -> Curve:
        """The curve of a model, or of a model and a body. A Python model alone gives its Python body.

        Raises KeyError where there is none, which says what there is.
        """
        return named(self.curves, key, "curve")

    def __str__(self) -> str:
        """The tables, as `lanes sweep` shows them."""
        from lanes.report import sweep  # printing stands above measuring, and is not loaded to measure

        return sweep.text(self)

    def plot(self) -> Picture:
        """Of each model the speed-ups measured, with their intervals, and the laws fitted to them: a matplotlib figure
        that shows itself in a notebook, and is saved by `.savefig(path)`.

        Raises ImportError without matplotlib: pip install "gil-lanes[plot]".
        """
        needed("matplotlib", "plot")
        from lanes.report import plot_sweep

        return plot_sweep.plot(self)


def comparison_of(result: Comparison | Sweep) -> Comparison:
    """A comparison itself, or the one that a sweep is."""
    return result.comparison if isinstance(result, Sweep) else result


def sweep(
    workload: Workload | Callable[[Any], object],
    items: Iterable[object] | None = None,
    *,
    workers: str | Iterable[int] | None = None,
    models: str | Iterable[str] = "all",
    bodies: str | Iterable[str] = "python",
    rounds: int | None = None,
    budget: str | float | None = None,
    deadline: str | float | None = None,
    progress: Callable[[Step], None] | None = None,
    seed: int | None = None,
) -> Sweep:
    """Compare `workload` on every model over several numbers of workers, in the same rounds.

    workers: numbers, in a list or parted by commas; powers of two up to four times the processors when left out.

    The rest is as for `lanes.compare`, but that of the bodies only Python's is taken when nothing is said.

    >>> result = lanes.sweep(lanes.wait(tasks=4, duration="2ms"), workers=[1, 2], models="threading", rounds=1)
    >>> [row.workers for row in result["threading"].rows]
    [1, 2]

    Raises ValueError for what does not exist or is more than the limits of this machine allow.
    """
    workload = as_workload(workload, items)
    plan = Plan.made(rounds, budget, deadline, seed=seed)
    counts = _counts(workers)
    cells: dict[tuple[str, str | None, int], Cell] = {}
    for count in counts:
        for cell in cells_of(workload, models, bodies, count):
            cells.setdefault((cell.model, cell.body, cell.workers), cell)
    order = list(dict.fromkeys((model, body) for model, body, _ in cells))
    in_order = sorted(cells.values(), key=lambda cell: (order.index((cell.model, cell.body)), cell.workers))
    comparison = measured(in_order, workload, plan, progress)
    curves = (_curve([row for row in comparison if (row.model, row.body) == key], comparison) for key in order)
    return Sweep(comparison, counts, tuple(curves))


def _counts(workers: str | Iterable[int] | None) -> tuple[int, ...]:
    if workers is None:
        return tuple(2**n for n in range((4 * usable_processors()).bit_length()))
    try:
        listed = [int(word) for word in workers.split(",")] if isinstance(workers, str) else list(workers)
    except (ValueError, TypeError):
        raise ValueError(
            f"workers must be whole numbers parted by commas, such as 1,2,4,8, not {short(workers)}"
        ) from None
    if not 1 <= len(listed) <= _MOST_COUNTS:
        raise ValueError(f"workers must be from 1 to {_MOST_COUNTS} numbers, not {len(listed)}")
    return tuple(sorted({whole(each, "workers") for each in listed}))


def _curve(rows: Sequence[Row], comparison: Comparison) -> Curve:
    ran = [row for row in rows if row.ratios and not row.broken and row.error is None]
    best = _best(ran)
    return Curve(
        rows[0].model,
        rows[0].family,
        rows[0].body,
        tuple(rows),
        fit(_points(ran), coherent=False),
        fit(_points(ran), coherent=True),
        best.workers if best else None,
        break_even_s(best.typical, comparison.baseline.typical) if best else None,
    )


def _best(rows: Sequence[Row]) -> Row | None:
    """The row with the fewest workers of those that are close to the fastest."""
    fastest = min(rows, key=lambda row: row.wall or math.inf, default=None)
    if fastest is None:
        return None
    longer = ((row, stats.median(stats.paired_ratios(row.walls, fastest.walls))) for row in rows)
    return next(row for row, times in longer if times is not None and times <= _CLOSE)


def _points(rows: Sequence[Row]) -> list[tuple[int, float]]:
    return [(row.workers, ratio) for row in rows for ratio in row.ratios]


def fit(points: Sequence[tuple[int, float]], coherent: bool) -> Fit | None:
    """The Universal Scalability Law for these numbers of workers and speed-ups, or Amdahl's when not `coherent`.

    None when there are not more numbers of workers than parameters but one: the law would fit anything.
    """
    if len({workers for workers, _ in points}) < (4 if coherent else 3):
        return None
    import numpy as np
    from scipy.optimize import least_squares

    workers = np.array([workers for workers, _ in points], float)
    logs = np.log([speedup for _, speedup in points])

    def residuals(parameters: Any) -> Any:
        single, contention, coherence = parameters if coherent else (*parameters, 0.0)
        return single + _log_scaling(workers, contention, coherence) - logs

    start, low, high = [float(logs[workers.argmin()]), 0.1, 0.01], [-np.inf, 0.0, 0.0], [np.inf, 1.0, 1.0]
    many = 3 if coherent else 2
    found = least_squares(residuals, start[:many], bounds=(low[:many], high[:many]), x_scale=[1.0, 0.1, 0.01][:many])
    single, contention, coherence = (*found.x, 0.0)[:3]
    spread = float(((logs - logs.mean()) ** 2).sum())
    r_squared = 1.0 - float((found.fun**2).sum()) / spread if spread > 0 else 1.0
    return Fit(math.exp(single), float(contention), float(coherence), r_squared)


def _log_scaling(workers: Any, contention: float, coherence: float) -> Any:
    import numpy as np

    return np.log(workers / (1 + contention * (workers - 1) + coherence * workers * (workers - 1)))


def break_even_s(run: Run | None, serial: Run | None) -> float | None:
    """The length of a serial task above which a run like this one, with as many tasks, is faster than serial.

    Infinite where its bodies ran no faster than serial's; None when there is nothing to reckon with.
    """
    if run is None or serial is None or not run.spans:
        return None
    many = len(run.spans)
    fixed_s, per_task_s = run.startup_s + run.shutdown_s, _gap_s(run)
    bodies_s = run.work_s / many - per_task_s
    faster = serial.work_s / many / bodies_s if bodies_s > 0 else math.inf
    return (fixed_s / many + per_task_s) / (1 - 1 / faster) if faster > _OVERLAP else math.inf


def _gap_s(run: Run) -> float:
    """Seconds per task that a lane stands still between two tasks, by the median; lanes stand still side by side."""
    lanes: dict[int, list[tuple[int, int]]] = {}
    for span in run.spans:
        lanes.setdefault(span.worker, []).append((span.started_ns, span.finished_ns))
    gaps = [after[0] - before[1] for spans in lanes.values() for before, after in pairwise(sorted(spans))]
    return max(0.0, stats.median(gaps) or 0.0) / 1e9 / len(lanes)
