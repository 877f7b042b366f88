"""A comparison as a picture: the speed-up of each row with its interval, and beside it where its time went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lanes.report import sentences, table, wording
from lanes.report.layout import is_hollow, places, scale_of_factors, shares, span_of_factors
from lanes.report.palette import ASIDE, PARTS, Palette
from lanes.report.picture import SMALL, USUAL, Picture, dress, shortened, tell
from lanes.report.timeline import chosen, names, remark

if TYPE_CHECKING:
    from lanes.comparison import Comparison, Row

_ROW, _BESIDE = 0.24, 1.7
"""Inches: the height of a row, and of all above and below them."""

_THICK = 0.62
"""Of a row, is a bar."""

_REASON = 60
"""Characters of a reason, where a row did not run."""

_SHAPES = {"python": "o", "native": "D"}
"""Of the mark of a speed-up, by family."""


def plot(comparison: Comparison, models: str | Iterable[str | tuple[str, str | None]] | None = None) -> Picture:
    """All rows, or those of `models` (see `timeline.chosen`)."""
    rows = list(comparison) if models is None else chosen(comparison, models)
    where = places(rows)
    picture = Picture(10.5, _BESIDE + _ROW * (where[-1] + 1))
    left, right = picture.subplots(1, 2, sharey=True, width_ratios=[1.0, 1.0])
    _speedups(left, rows, where, picture.palette)
    _parts(right, rows, where, picture.palette)
    tell(left, "y", where, names(comparison, rows))
    left.tick_params(axis="y", labelsize=USUAL, labelcolor=picture.palette.ink)
    left.set_ylim(where[-1] + 0.7, -0.7)
    _explain(picture, rows)
    picture.entitle("\n".join((table.title(comparison).plain, next(sentences.verdict(comparison)))))
    return picture


# ---- the speed-ups


def _speedups(axes: Axes, rows: Sequence[Row], where: Sequence[float], colours: Palette) -> None:
    dress(axes, colours)
    low, high = span_of_factors(rows, 0.05)
    axes.set_xlim(low, high)
    logarithmic, ticks = scale_of_factors(low, high)
    if logarithmic:
        axes.set_xscale("log")
    tell(axes, "x", ticks, [wording.factor(tick) if not logarithmic else f"{tick:g}x" for tick in ticks])
    axes.axvline(1.0, color=colours.edge, linewidth=1.0, zorder=1)
    for row, place in zip(rows, where, strict=True):
        word = sentences.word(row).plain
        colour = colours.verdicts[word]
        if row.speedup is not None:
            _mark(axes, row, place, colour)
        told = word if row.speedup is None else f"{wording.factor(row.speedup)}  {word}"
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
        markerfacecolor=axes.get_facecolor() if is_hollow(row) else colour,
        elinewidth=1.4,
        capsize=3.5,
        zorder=3,
        label=row.name,
    )


# ---- where the time went


def _parts(axes: Axes, rows: Sequence[Row], where: Sequence[float], colours: Palette) -> None:
    dress(axes, colours)
    unit, scale, digits = wording.time_unit([row.wall for row in rows if row.wall is not None])
    for row, place in zip(rows, where, strict=True):
        said = remark(row) if row.typical is None else None
        at = 0.0
        for part, share in shares(row):
            colour = colours.aside if part == "aside" else colours.parts.get(part, colours.paper)
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


def _explain(picture: Picture, rows: Sequence[Row]) -> None:
    colours = picture.palette
    families = [family for family in _SHAPES if any(row.family == family for row in rows)]
    marks = [
        Line2D([], [], marker=_SHAPES[each], linestyle="", color=colours.faint, markersize=5.5, label=f"{each} model")
        for each in families
    ]
    parts = [Patch(color=colours.parts[part], label=words) for part, words in PARTS.items()]
    picture.explain([*marks, Patch(color=colours.aside, label=ASIDE), *parts])
