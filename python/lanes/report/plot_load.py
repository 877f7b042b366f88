"""A load as a picture: of each model the backlog over time, and beside it how long its tasks took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lanes.report import load as words
from lanes.report.layout import scale_of_factors
from lanes.report.palette import Palette
from lanes.report.picture import SMALL, USUAL, Picture, dress, shortened, tell
from lanes.units import format_duration, format_frequency

if TYPE_CHECKING:
    from lanes.load import Load, LoadRow

_WIDTH, _PANEL, _BESIDE = 10.5, 0.72, 1.9
"""Inches: of the picture, of a panel in height, and of all above and below the panels."""

_REASON, _SAID = 60, 24
"""Characters of why a row has no curves, and of why it ended early."""


def plot(load: Load) -> Picture:
    """A pair of panels for each row, all to the same scales."""
    rows = load.rows
    picture = Picture(_WIDTH, _BESIDE + _PANEL * len(rows))
    panels = picture.subplots(len(rows), 2, sharex=True, sharey="col", squeeze=False)
    for (left, right), name, row in zip(panels, words.names(rows), rows, strict=True):
        _backlog(left, row, load, picture.palette)
        _service(right, row, picture.palette)
        left.set_ylabel(name, rotation=0, ha="right", va="center", size=USUAL, color=picture.palette.ink)
    _scales(panels[0][0], panels[0][1], rows)
    for axes, title in zip(panels[0], ("backlog: tasks that wait", "service time"), strict=True):
        axes.set_title(title, loc="left", size=USUAL, color=picture.palette.faint)
    _explain(picture, load)
    picture.entitle(words.title(load).plain)
    return picture


def _backlog(axes: Axes, row: LoadRow, load: Load, colours: Palette) -> None:
    dress(axes, colours)
    axes.grid(axis="y", color=colours.rule, linewidth=0.8)
    if load.terms.bound is not None:
        axes.axhline(load.terms.bound, color=colours.edge, linewidth=0.8, linestyle=":", label="bound")
    if not row.series:
        why = words.remark(row) or "nothing came"
        axes.text(0.01, 0.5, shortened(why, _REASON), transform=axes.transAxes, size=SMALL, color=colours.faint)
        return
    edges = [0.0, *(point.until_s for point in row.series)]
    queued = [point.backlog for point in row.series]
    axes.stairs(queued, edges, fill=True, color=colours.working, label="backlog")
    if any(point.outside for point in row.series):
        all_of_them = [point.backlog + point.outside for point in row.series]
        axes.stairs(all_of_them, edges, baseline=queued, fill=True, color=colours.parts["queue"], label="outside")


def _service(axes: Axes, row: LoadRow, colours: Palette) -> None:
    dress(axes, colours)
    axes.grid(axis="y", color=colours.rule, linewidth=0.8)
    begun = [0.0, *(point.until_s for point in row.series)]
    times = [
        ((since + point.until_s) / 2, point.service_s)
        for since, point in zip(begun, row.series, strict=False)
        if point.service_s is not None
    ]
    if times:
        axes.plot(*zip(*times, strict=True), ".", color=colours.families[row.family], markersize=3.5, label="service")
        axes.plot(*zip(*times, strict=True), "-", color=colours.families[row.family], linewidth=0.9, alpha=0.6)
    if row.series:
        axes.text(
            1.02,
            0.5,
            "\n".join(_told(row)),
            transform=axes.transAxes,
            va="center",
            size=SMALL,
            color=colours.ink if row.ok else colours.verdicts["error"],
        )


def _told(row: LoadRow) -> Iterator[str]:
    yield f"{format_frequency(row.served)} served"
    if row.working is not None:
        yield f"{format_duration(row.working.p50 * 1e9)} each"
    if row.waiting is not None:
        yield f"wait p99 {format_duration(row.waiting.p99 * 1e9)}"
    if row.error is not None:
        yield shortened(f"error: {row.error}", _SAID)
    if row.differences:
        yield "DIFFERS"


def _scales(left: Axes, right: Axes, rows: Sequence[LoadRow]) -> None:
    points = [point for row in rows for point in row.series]
    ended_s = max((point.until_s for point in points), default=1.0)
    left.set_xlim(0.0, ended_s)
    ticks = [tick for tick in left.get_xticks() if 0 <= tick <= ended_s]
    tell(left, "x", ticks, [*(f"{tick:g}" for tick in ticks[:-1]), f"{ticks[-1]:g} s"])
    highest = max((point.backlog + point.outside for point in points), default=0)
    left.set_ylim(0.0, max(1.0, highest * 1.1))
    served = [point.service_s for point in points if point.service_s]
    low, high = min(served, default=0.001), max(served, default=0.001)
    logarithmic, ticks = scale_of_factors(low / 1.1, high * 1.1)
    if logarithmic:
        right.set_yscale("log")
    right.set_ylim(low / 1.1, high * 1.1)
    step = max(1, round(len(ticks) / 4))
    ticks = ticks[::step]
    tell(right, "y", ticks, [format_duration(tick * 1e9) for tick in ticks])


def _explain(picture: Picture, load: Load) -> None:
    colours = picture.palette
    handles: list[Artist] = [Patch(color=colours.working, label="in the queue")]
    if any(point.outside for row in load for point in row.series):
        handles.append(Patch(color=colours.parts["queue"], label="outside: come, and waiting for room in it"))
    if load.terms.bound is not None:
        bound = Line2D([], [], color=colours.edge, linewidth=0.8, linestyle=":", label="its bound")
        handles.append(bound)
    handles.append(Line2D([], [], color=colours.faint, linewidth=1.0, marker=".", label="median of the tasks finished"))
    picture.explain(handles)
