"""The lanes of a comparison as page/timeline.js draws them, and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lanes.report import wording
from lanes.report.page.charts import BARE, Chart, axis, plain
from lanes.report.timeline import Bar, Track, chosen
from lanes.units import format_duration

if TYPE_CHECKING:
    from rich.table import Table

    from lanes.comparison import Comparison

MOST = 10_000
"""Bars that are drawn, in all: more would make each step of a zoom slow."""

_REMARK = 110
"""Characters of what is said of a track."""


def chart(comparison: Comparison, tracks: Sequence[Track]) -> Chart:
    """What page/timeline.js draws, which says what a bar is: of each track the first ones, as many as are drawn."""
    usual = chosen(comparison)
    longest = max((track.wall_s for track in tracks if track.wall_s is not None), default=1.0)
    unit, scale, _ = wording.time_unit([longest])
    each = drawn(tracks)
    texts: dict[str, int] = {"": 0}
    across = axis(f"{unit} since the run began", range=[0, longest * scale * 1.005], fixedrange=False)
    top = {"overlaying": "x", "matches": "x", "side": "top", "showgrid": False, "fixedrange": False}
    return {
        "tracks": [_track(track, track.row in usual, each, texts) for track in tracks],
        "texts": list(texts),
        "unit": 1e6 / scale,
        "lane_px": 16,
        "layout": {
            "xaxis": across,
            "xaxis2": axis("", **top),
            "yaxis": {**BARE, "tickfont": {"size": 10, "color": "var(--faint)"}},
            "margin": {"l": 70, "r": 14, "t": 26, "b": 44},
            "dragmode": "zoom",
        },
        "heading": {
            "xref": "paper",
            "x": 0,
            "xanchor": "left",
            "showarrow": False,
            "align": "left",
            "font": {"size": 12},
        },
    }


def drawn(tracks: Sequence[Track]) -> int:
    """How many bars of each track are, its first ones, so that there are no more than MOST in all."""
    counts = sorted(sum(len(lane.bars) for lane in track.lanes) for track in tracks)
    left = MOST
    for n, count in enumerate(counts):
        share = left // (len(counts) - n)
        if count > share:
            return share
        left -= count
    return max(counts, default=0)


def _track(track: Track, usual: bool, most: int, texts: dict[str, int]) -> Chart:
    first = sorted(bar.started_s for lane in track.lanes for bar in lane.bars)[:most]
    until = first[-1] if first else 0.0
    wall = "" if track.wall_s is None else f"  {format_duration(track.wall_s * 1e9)}"
    # Why it is void stands above all charts; why there is nothing to see, here.
    said = (track.remark or "").partition(":")[0] if track.lanes else track.remark
    remark = f"  {plain(_shortened(said))}" if said else ""
    faint = f'<span style="font-weight:400">{wall}{remark}</span>' if wall or remark else ""
    return {
        "name": track.name,
        "heading": f"<b>{plain(track.name)}</b>{faint}",
        "usual": usual,
        "wall": None if track.wall_s is None else round(track.wall_s * 1e6),
        "lanes": [
            {"label": plain(lane.label), "bars": [_bar(bar, texts) for bar in lane.bars if bar.started_s <= until]}
            for lane in track.lanes
        ],
    }


def _bar(bar: Bar, texts: dict[str, int]) -> list[int]:
    times = (round(each * 1e6) for each in (bar.claimed_s, bar.started_s, bar.finished_s, bar.cpu_s))
    ids = bar.thread_id, bar.process_id, bar.cpu
    return [bar.task, texts.setdefault(bar.text, len(texts)), *ids, *times, round(bar.working * 1000)]


def as_table(tracks: Iterable[Track]) -> Table:
    """What each lane comes to."""
    shown = wording.bare_table()
    for name in ("model", "lane"):
        shown.add_column(name, no_wrap=True)
    for name in ("process", "thread", "tasks", "first begun", "last finished", "busy", "on a processor"):
        shown.add_column(name, no_wrap=True, justify="right")
    for track in tracks:
        for lane in track.lanes:
            bars = lane.bars
            ids = (", ".join(dict.fromkeys(str(each) for each in many)) for many in _ids(bars))
            began, ended = min(bar.started_s for bar in bars), max(bar.finished_s for bar in bars)
            busy, cpu = sum(bar.finished_s - bar.started_s for bar in bars), sum(bar.cpu_s for bar in bars)
            times = (format_duration(max(0.0, each) * 1e9) for each in (began, ended, busy, cpu))
            shown.add_row(track.name, lane.label, *ids, str(len(bars)), *times, end_section=lane is track.lanes[-1])
    return shown


def _ids(bars: Sequence[Bar]) -> tuple[list[int], list[int]]:
    return [bar.process_id for bar in bars], [bar.thread_id for bar in bars]


def _shortened(words: str) -> str:
    return words if len(words) <= _REMARK else f"{words[: _REMARK - 3]}..."
