"""A comparison as a picture: the speed-up of each row with its interval, and beside it where its time went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lanes.explain import LEAST_S
from lanes.report import table
from lanes.report.palette import ASIDE, PARTS, Palette
from lanes.report.picture import SMALL, USUAL, Picture, dress, scale_of_factors, shortened, tell
from lanes.report.timeline import chosen, names, remark

if TYPE_CHECKING:
    from lanes.comparison import Comparison, Row

_ROW, _BESIDE = 0.24, 1.7
"""Inches: the height of a row, and of all above and below them."""

_GAP = 0.6
"""Of a row, between families."""

_THICK = 0.62
"""Of a row, is a bar."""

_REASON = 60
"""Characters of a reason, where a row did not run."""

_SHAPES = {"python": "o", "native": "D"}
"""Of the mark of a speed-up, by family."""


def plot(comparison: Comparison, models: str | Iterable[str | tuple[str, str | None]] | None = None) -> Picture:
    """All rows, or those of `models` (see `timeline.chosen`)."""
    rows = list(comparison) if models is None else chosen(comparison, models)
    places = list(_places(rows))
    picture = Picture(10.5, _BESIDE + _ROW * (places[-1] + 1))
    left, right = picture.subplots(1, 2, sharey=True, width_ratios=[1.0, 1.0])
    _speedups(left, rows, places, picture.palette)
    _parts(right, rows, places, picture.palette)
    tell(left, "y", places, names(comparison, rows))
    left.tick_params(axis="y", labelsize=USUAL, labelcolor=picture.palette.ink)
    left.set_ylim(places[-1] + 0.7, -0.7)
    _explain(picture, rows)
    picture.entitle("\n".join((table.title(comparison).plain, next(table.verdict(comparison)))))
    return picture


def _places(rows: Sequence[Row]) -> Iterator[float]:
    """Of each row, from above, with a gap where another family begins."""
    at = 0.0
    yield at
    for before, row in pairwise(rows):
        at += 1.0 + (_GAP if row.family != before.family else 0.0)
        yield at


# ---- the speed-ups


def _speedups(axes: Axes, rows: Sequence[Row], places: Sequence[float], colours: Palette) -> None:
    dress(axes, colours)
    known = [1.0, *(row.speedup for row in rows if row.speedup is not None)]
    known += [bound for row in rows if row.interval is not None for bound in row.interval]
    low, high = min(known), max(known)
    room = max((high / low) ** 0.05, 1.005)
    low, high = low / room, high * room
    axes.set_xlim(low, high)
    logarithmic, ticks = scale_of_factors(low, high)
    if logarithmic:
        axes.set_xscale("log")
    tell(axes, "x", ticks, [table.factor(tick) if not logarithmic else f"{tick:g}x" for tick in ticks])
    axes.axvline(1.0, color=colours.edge, linewidth=1.0, zorder=1)
    for row, place in zip(rows, places, strict=True):
        word = table.word(row).plain
        colour = colours.verdicts[word]
        if row.speedup is not None:
            _mark(axes, row, place, colour)
        told = word if row.speedup is None else f"{table.factor(row.speedup)}  {word}"
        axes.text(1.02, place, told, transform=axes.get_yaxis_transform(), va="center", color=colour, size=USUAL)
    axes.set_title(
        f"speed-up over serial/python with its 95 % interval{', log scale' if logarithmic else ''}",
        loc="left",
        size=USUAL,
        color=colours.faint,
    )


def _mark(axes: Axes, row: Row, place: float, colour: str) -> None:
    """A stem from the baseline, on it the mark; hollow where it is void. The interval lies across it."""
    speedup = row.speedup or 1.0
    axes.plot([1.0, speedup], [place, place], color=colour, linewidth=1.2, alpha=0.45, zorder=2, solid_capstyle="butt")
    low, high = row.interval or (speedup, speedup)
    axes.errorbar(
        [speedup],
        [place],
        xerr=[[max(0.0, speedup - low)], [max(0.0, high - speedup)]],
        fmt=_SHAPES[row.family],
        color=colour,
        markersize=5.5,
        markerfacecolor=axes.get_facecolor() if row.broken or row.error or row.differences else colour,
        elinewidth=1.4,
        capsize=3.5,
        zorder=3,
        label=row.name,
    )


# ---- where the time went


def _parts(axes: Axes, rows: Sequence[Row], places: Sequence[float], colours: Palette) -> None:
    dress(axes, colours)
    unit, scale, digits = table.time_unit([row.wall for row in rows if row.wall is not None])
    for row, place in zip(rows, places, strict=True):
        said = remark(row) if row.typical is None else None
        at = 0.0
        for share, colour in _shares(row, colours):
            axes.barh(place, share, _THICK, at, color=colour, edgecolor=colours.paper, linewidth=0.6)
            at += share
        if said is not None:
            axes.text(0.0, place, shortened(said, _REASON), va="center", size=SMALL, color=colours.faint).set_in_layout(
                False
            )
        elif at == 0.0:
            axes.text(0.0, place, "not known", va="center", size=SMALL, color=colours.faint)
        if row.wall is not None:
            wall = f"{row.wall * scale:,.{digits}f} {unit}"
            axes.text(
                1.02, place, wall, transform=axes.get_yaxis_transform(), va="center", size=USUAL, color=colours.ink
            )
    axes.set_xlim(0.0, 1.0)
    tell(axes, "x", [0.0, 0.25, 0.5, 0.75, 1.0], ["0", "25", "50", "75", "100 %"])
    axes.set_title(
        "where the wall time went; work as its workers spent it", loc="left", size=USUAL, color=colours.faint
    )


def _shares(row: Row, colours: Palette) -> Iterator[tuple[float, str]]:
    """Of the typical run's wall, one after the other: start-up, the work divided as its workers' time was, shutdown.

    Of work that is too short for its counters nothing is known but its length, which stays empty.
    """
    run, split = row.typical, row.split
    if run is None or split is None:
        return
    work = run.work_s / run.wall_s
    yield run.startup_s / run.wall_s, colours.aside
    if run.work_s < LEAST_S:
        yield work, colours.paper
    else:
        parts = split.cpu_user_s, split.cpu_system_s, split.run_queue_s, split.gil_wait_s or 0.0, split.blocked_s
        for part_s, colour in zip(parts, colours.parts.values(), strict=True):
            yield work * part_s / (split.sum_s or 1.0), colour
    yield run.shutdown_s / run.wall_s, colours.aside


def _explain(picture: Picture, rows: Sequence[Row]) -> None:
    colours = picture.palette
    families = [family for family in _SHAPES if any(row.family == family for row in rows)]
    marks = [
        Line2D([], [], marker=_SHAPES[each], linestyle="", color=colours.faint, markersize=5.5, label=f"{each} model")
        for each in families
    ]
    parts = [Patch(color=colours.parts[part], label=words) for part, words in PARTS.items()]
    picture.explain([*marks, Patch(color=colours.aside, label=ASIDE), *parts])
