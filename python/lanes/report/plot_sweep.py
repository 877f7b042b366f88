"""A sweep as a picture: of each model the speed-ups measured over numbers of workers, and the laws fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lanes.report import sentences, table, wording
from lanes.report.layout import is_hollow, scale_of_factors
from lanes.report.palette import Palette
from lanes.report.picture import SMALL, USUAL, Picture, disc, dress, shortened, tell

if TYPE_CHECKING:
    from lanes.comparison import Row
    from lanes.sweep import Curve, Fit, Sweep

_WIDTH, _PANEL, _BESIDE = 10.5, 1.8, 1.3
"""Inches: of the picture, of a panel in height, and of all above and below the panels."""

_COLUMNS = 4
_STEPS = 60
"""Points of a fitted curve."""

_REASON = 34
"""Characters of what went wrong, where nothing ran."""


def plot(sweep: Sweep) -> Picture:
    """A panel for each model, all to the same scales."""
    curves = sweep.curves
    columns = min(_COLUMNS, len(curves))
    lines = math.ceil(len(curves) / columns)
    picture = Picture(_WIDTH, _BESIDE + _PANEL * lines)
    panels = list(picture.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat)
    for panel, curve in zip(panels, curves, strict=False):
        _draw(panel, curve, sweep, picture.palette)
    for panel in panels[len(curves) :]:
        panel.set_axis_off()
    _scales(panels[0], sweep)
    _explain(picture, sweep)
    picture.entitle(f"{table.title(sweep.comparison).plain}; speed-up over serial/python by number of workers")
    return picture


def _draw(axes: Axes, curve: Curve, sweep: Sweep, colours: Palette) -> None:
    dress(axes, colours)
    axes.grid(axis="y", color=colours.rule, linewidth=0.8)
    axes.axhline(1.0, color=colours.edge, linewidth=1.0, zorder=1)
    axes.tick_params(labelbottom=True)  # of each panel: below the last of a column there may be none
    axes.set_title(curve.name, loc="left", size=USUAL, color=colours.ink)
    colour = colours.families[curve.family]
    ran = [row for row in curve.rows if row.speedup is not None]
    for law, fit, style in (("Amdahl", curve.amdahl, "--"), ("USL", curve.usl, "-")):
        if fit is not None:
            workers = _between(sweep.workers)
            axes.plot(workers, [fit.speedup(each) for each in workers], style, color=colour, linewidth=1.2, label=law)
    for row in ran:
        _mark(axes, row, row.workers == curve.best, colour, colours)
    axes.annotate(
        _words(curve) if ran else shortened(_why(curve.rows), _REASON),
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(2, -2),
        textcoords="offset points",
        va="top",
        size=SMALL,
        color=colours.faint,
        linespacing=1.3,
        bbox={"facecolor": colours.paper, "edgecolor": "none", "pad": 1.0},
    )


def _mark(axes: Axes, row: Row, best: bool, colour: str, colours: Palette) -> None:
    """With its interval; hollow where it is void, and in a ring where so many workers are best."""
    speedup = row.speedup or 1.0
    low, high = row.interval or (speedup, speedup)
    void = is_hollow(row)
    axes.errorbar(
        [row.workers],
        [speedup],
        yerr=[[max(0.0, speedup - low)], [max(0.0, high - speedup)]],
        fmt="o",
        color=colours.verdicts["void"] if void else colour,
        markerfacecolor=colours.paper if void else colour,
        markersize=4.5,
        elinewidth=1.2,
        capsize=2.5,
        zorder=3,
        label=f"{row.workers}",
    )
    if best:
        axes.plot([row.workers], [speedup], "o", markersize=10, color=colours.ink, fillstyle="none", label="best")


def _words(curve: Curve) -> str:
    """The best number of workers, and what the laws say."""
    best = next((row for row in curve.rows if row.workers == curve.best), None)
    told = []
    if best is not None and best.speedup is not None:
        told.append(f"best {best.workers}: {wording.factor(best.speedup)}")
    if curve.usl is not None and len(curve.rows) > 1:
        peak = "no peak" if curve.usl.peak is None else f"peak at {curve.usl.peak:.0f}"
        told.append(f"{peak}, contention {curve.usl.contention:.0%}")
    elif curve.amdahl is not None and len(curve.rows) > 1:
        told.append(f"contention {curve.amdahl.contention:.0%}")
    return "\n".join(told)


def _why(rows: Sequence[Row]) -> str:
    return next(
        (f"{sentences.word(row).plain}: {row.reason or row.error}" for row in rows if row.reason or row.error), ""
    )


def _between(workers: Sequence[int]) -> list[float]:
    """From the fewest to the most, as far apart on the axis."""
    low, high = workers[0], workers[-1]
    return [low * (high / low) ** (step / _STEPS) for step in range(_STEPS + 1)]


def _scales(axes: Axes, sweep: Sweep) -> None:
    """Both logarithmic, where there is far to go: doubling the workers is one step, wherever it is."""
    rows = [row for curve in sweep.curves for row in curve.rows if row.speedup is not None]
    known = [1.0, *(each for row in rows for each in (row.speedup or 1.0, *(row.interval or ())))]
    room = max((max(known) / min(known)) ** 0.1, 1.05)
    low, high = min(known) / room, max(known) * room**2.5  # above are words
    logarithmic, ticks = scale_of_factors(low, high)
    axes.set_xscale("log")
    if logarithmic:
        axes.set_yscale("log")
    axes.set_ylim(low, high)
    counts = sorted({*sweep.workers, *(row.workers for row in rows)})  # serial has one worker, whatever was asked for
    axes.set_xlim(counts[0] / 1.25, counts[-1] * 1.25)
    *few, most = counts
    tell(axes, "x", counts, [*map(str, few), wording.count(most, "worker")])
    tell(axes, "y", ticks, [f"{tick:g}x" for tick in ticks])


def _explain(picture: Picture, sweep: Sweep) -> None:
    colours = picture.palette
    fits: list[Fit | None] = [fit for curve in sweep.curves for fit in (curve.amdahl, curve.usl)]
    handles: list[Artist] = [
        disc(colours.faint, "measured, with its 95 % interval"),
        Line2D([], [], marker="o", linestyle="", color=colours.ink, markersize=9, fillstyle="none", label="best"),
    ]
    if any(is_hollow(row) for curve in sweep.curves for row in curve.rows if row.speedup is not None):
        handles.insert(1, disc(colours.verdicts["void"], "void", hollow=True))
    if any(fits[::2]):
        handles.append(Line2D([], [], linestyle="--", color=colours.faint, label="Amdahl's law"))
    if any(fits[1::2]):
        handles.append(Line2D([], [], linestyle="-", color=colours.faint, label="Universal Scalability Law"))
    picture.explain(handles)
