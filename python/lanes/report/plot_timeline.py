"""The lanes of a comparison as a picture: one lane a worker, one bar a task, all models on one time scale.

A bar is pale over its whole length and solid up to the share of it that its worker was on a processor, so what is solid
is CPU time. The band behind a lane is as long as its run: where it is bare, the worker had no task, or was not there.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lanes.report import sentences, table, wording
from lanes.report.palette import Palette
from lanes.report.picture import SMALL, USUAL, Picture, dress, shortened, tell
from lanes.report.timeline import Bar, Lane, Track, chosen, timeline

if TYPE_CHECKING:
    from lanes.comparison import Comparison

_LANE, _BESIDE, _HIGH = 0.17, 1.5, 24.0
"""Inches: the height of a lane; of all above and below the lanes; and of a picture, if its rows have room in it."""

_WIDTH, _LANES = 10.5, 5.6
"""Inches: of a picture, and about those of them that lanes take."""

_GAP = 0.9
"""Of a lane, between two rows; twice that between families."""

_ROOMS = (16, 8, 4)
"""A row may be as high as so many lanes, which is as much as more lanes share; the largest with which all fits."""

_MOST = 64
"""More lanes of a row cannot be told from each other."""

_MANY = 3_000
"""More bars are drawn as pixels, also where all else is drawn as lines."""

_THICK = 0.82
"""Of a lane, is a bar."""

_SEEN, _NUMBERED = 0.04, 0.22
"""Inches: how long a bar is to have an outline, and its number written in it."""

_SAID = 52
"""Characters of what is said of a row, a line."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a lane stands: from the top of all, in heights of a lane."""

    track: Track
    lane: Lane
    top: float
    height: float


def plot(comparison: Comparison, models: str | Iterable[str | tuple[str, str | None]] | None = None) -> Picture:
    """The rows of `models`, or of every model one (see `timeline.chosen`)."""
    tracks = timeline(comparison, chosen(comparison, models))
    if not any(track.lanes for track in tracks):
        raise ValueError(f"there is no span to draw: {tracks[0].name}: {tracks[0].remark or 'it has no tasks'}")
    for room in _ROOMS:
        tops = list(_tops(tracks, room))
        height = _BESIDE + _LANE * tops[-1]
        if height <= _HIGH:
            break
    places = [place for track, top in zip(tracks, tops, strict=False) for place in _places(track, top, room)]
    picture = Picture(_WIDTH, height)
    axes, colours = picture.subplots(), picture.palette
    dress(axes, colours)
    ended_s = max(track.wall_s for track in tracks if track.wall_s is not None)
    _draw(axes, places, ended_s, colours)
    for track, top in zip(tracks, tops, strict=False):
        _describe(axes, comparison, track, top, colours)
    tell(axes, "y", [place.top + place.height / 2 for place in places], list(_labels(places)))
    axes.set_ylim(tops[-1], -0.3)
    _scale(axes, ended_s)
    _explain(picture)
    picture.entitle(table.title(comparison).plain)
    return picture


def _tops(tracks: Sequence[Track], room: int) -> Iterator[float]:
    """Where each begins, and at last where all end."""
    at = 0.0
    for track, after in zip(tracks, [*tracks[1:], None], strict=True):
        yield at
        at += max(1, min(len(track.lanes), room))
        if after is not None:
            at += _GAP if after.row.family == track.row.family else 2 * _GAP
    yield at


def _places(track: Track, top: float, room: int) -> Iterator[_Place]:
    shown = track.lanes[:_MOST]
    height = min(1.0, room / max(1, len(shown)))
    for n, lane in enumerate(shown):
        yield _Place(track, lane, top + n * height, height)


def _labels(places: Sequence[_Place]) -> Iterator[str]:
    """Lanes that are less than whole are too thin for names; the first one stands for all."""
    for place in places:
        yield place.lane.label if place.height == 1.0 or place.lane.worker == 0 else ""


# ---- the bars


def _draw(axes: Axes, places: Sequence[_Place], ended_s: float, colours: Palette) -> None:
    bars = [(place, bar) for place in places for bar in place.lane.bars]
    inch = _LANES / ended_s
    pixels = len(bars) > _MANY

    def boxes(label: str, colour: str, edge: str, outlines: Sequence[float], corners: Iterable[_Box]) -> None:
        axes.add_collection(
            PolyCollection(
                [[(left, low), (right, low), (right, high), (left, high)] for left, right, low, high in corners],
                facecolors=colour,
                edgecolors=edge,
                linewidths=outlines,
                label=label,
                rasterized=pixels,
                zorder=2,
            )
        )

    boxes("run", colours.rule, "none", [0.0], (_box(place, 0.0, place.track.wall_s or 0.0) for place in places))
    outlines = [0.5 if (bar.finished_s - bar.started_s) * inch >= _SEEN else 0.0 for _, bar in bars]
    whole = (_box(place, bar.started_s, bar.finished_s) for place, bar in bars)
    boxes("waiting", colours.waiting, colours.edge, outlines, whole)
    solid = (_box(place, bar.started_s, bar.finished_s, bar.working) for place, bar in bars)
    boxes("working", colours.working, colours.waiting, outlines, solid)
    for place, bar in bars:
        if (bar.finished_s - bar.started_s) * inch >= _NUMBERED and place.height == 1.0:
            _number(axes, place, bar, colours)


def _number(axes: Axes, place: _Place, bar: Bar, colours: Palette) -> None:
    """The number of a task, in the larger part of its bar: the pale one or the solid one."""
    solid = bar.working > 0.5
    _, _, low, high = _box(place, bar.started_s, bar.finished_s)
    border = low + (high - low) * bar.working
    axes.text(
        (bar.started_s + bar.finished_s) / 2,
        (border + (low if solid else high)) / 2,
        str(bar.task),
        size=6.0,
        ha="center",
        va="center_baseline",
        color=colours.paper if solid else colours.ink,
    )


_Box = tuple[float, float, float, float]


def _box(place: _Place, start_s: float, end_s: float, share: float = 1.0) -> _Box:
    """Left, right, low, high of a bar that fills this share of its height, from below."""
    low = place.top + place.height * (1 + _THICK) / 2
    return start_s, end_s, low, low - place.height * _THICK * share


# ---- the words


def _describe(axes: Axes, comparison: Comparison, track: Track, top: float, colours: Palette) -> None:
    """What the row is called, on the left; how long it took and where its time went, on the right."""
    beside = axes.get_yaxis_transform()
    axes.annotate(
        track.name,
        (0.0, top + 0.5),
        xycoords=beside,
        xytext=(-50, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        size=USUAL,
        color=colours.ink,
        annotation_clip=False,
    )
    lines = []
    if track.wall_s is not None:
        unit, scale, digits = wording.time_unit([track.wall_s])
        lines.append(f"{track.wall_s * scale:,.{digits}f} {unit}")
    if len(track.lanes) > _MOST:
        lines.append(f"the first {_MOST} of {len(track.lanes)} lanes")
    if track.remark is not None:
        lines.append(track.remark)
    elif said := comparison.explanation(track.row):
        lines.append(said)
    told = "; ".join(lines)
    colour = colours.ink if track.remark is None else colours.verdicts[sentences.word(track.row).plain]
    axes.text(
        1.02,
        top + 0.5,
        "\n".join(textwrap.wrap(shortened(told, 2 * _SAID), _SAID)),
        transform=beside,
        va="center",
        size=SMALL,
        color=colour,
    )


def _scale(axes: Axes, ended_s: float) -> None:
    """From when the run began, in the unit of the table."""
    unit, per_s, _ = wording.time_unit([ended_s])
    axes.set_xlim(0.0, ended_s * 1.01)
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= ended_s * 1.01]
    words = [f"{tick * per_s:,.6g}" for tick in ticks]
    tell(axes, "x", ticks, [*words[:-1], f"{words[-1]} {unit}"])


def _explain(picture: Picture) -> None:
    colours = picture.palette
    parts: list[Artist] = [
        Patch(facecolor=colours.waiting, edgecolor=colours.edge, linewidth=0.5, label="waiting: pale"),
        Patch(color=colours.working, label="working: solid, as high as the share of CPU"),
        Line2D([], [], marker="$0$", linestyle="", color=colours.ink, markersize=5.0, label="the number of a task"),
        Patch(color=colours.rule, label="no task: start-up, shutdown, nothing left to do"),
    ]
    picture.explain(parts)
