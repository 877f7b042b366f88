"""The charts of a page, as what Plotly draws: plain data, made without it.

Colours are names of CSS variables, which the page gives the values of its light or its dark paper. Plotly takes what is
between < and > for markup, so all words pass through `plain`. In a narrow window names stand above what they name
instead of beside it; what differs then is in `narrow`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from lanes.explain import LEAST_S
from lanes.report import table
from lanes.report.palette import ASIDE, PARTS
from lanes.report.timeline import Bar, Track, chosen
from lanes.units import format_duration, format_frequency

if TYPE_CHECKING:
    from rich.table import Table

    from lanes.comparison import Comparison, Row
    from lanes.load import Load, LoadRow
    from lanes.sweep import Curve, Sweep

Chart: TypeAlias = dict[str, Any]
"""data and layout as Plotly has them, and narrow: what of the layout is otherwise in a narrow window."""

_ROW, _NARROW_ROW = 23, 44
"""Pixels of a row; and where its name stands above it."""

_POINTS = 40
"""Of a curve that is drawn."""

_BARE = {"showgrid": False, "zeroline": False, "fixedrange": True, "ticks": ""}

LAYOUT: Chart = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif", "size": 12, "color": "var(--ink)"},
    "hoverlabel": {
        "bgcolor": "var(--paper)",
        "bordercolor": "var(--edge)",
        "font": {"color": "var(--ink)", "size": 12},
        "align": "left",
    },
    "margin": {"l": 10, "r": 10, "t": 8, "b": 44, "pad": 4},
    "showlegend": False,
    "dragmode": False,
    "hovermode": "closest",
    "uirevision": "kept",
}
"""What all charts have in common."""


def plain(words: str) -> str:
    """Words as Plotly shows them, not taken for its markup."""
    return escape(words, quote=False).replace("\n", " ")


def axis(title: str, **more: object) -> Chart:
    """An axis with lines that only guide the eye."""
    return {
        "title": {"text": plain(title), "font": {"size": 12, "color": "var(--faint)"}, "standoff": 8},
        "gridcolor": "var(--rule)",
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"color": "var(--faint)"},
        **more,
    }


# ---- a comparison


def speedups(comparison: Comparison) -> Chart:
    """Of each row the median ratio and its interval, as a mark with whiskers."""
    rows = [row for row in comparison if row.speedup is not None]
    low, high = _range([each for row in rows for each in (row.speedup, *(row.interval or ()))] + [1.0])
    logarithmic, ticks = factors(low, high)
    marks = [(row, place, row.speedup or 1.0) for row, place in zip(rows, _places(rows), strict=True)]
    words = [table.word(row).plain for row in rows]
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [speedup for _, _, speedup in marks],
            "y": [place for _, place, _ in marks],
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": [row.interval.high - speedup if row.interval else 0.0 for row, _, speedup in marks],
                "arrayminus": [speedup - row.interval.low if row.interval else 0.0 for row, _, speedup in marks],
                "color": "var(--edge)",
                "thickness": 1.6,
                "width": 4,
            },
            "marker": {
                "size": 10,
                "symbol": [_symbol(row) for row in rows],
                "color": [colour(word) for word in words],
                "line": {"width": 1.5, "color": [colour(word) for word in words]},
            },
            "hovertext": [_said(row) for row in rows],
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
    ]
    told = [
        (place, f"{table.factor(speedup)} {word}", colour(word))
        for (_, place, speedup), word in zip(marks, words, strict=True)
    ]
    scale = axis(f"times as fast as serial/python{', on a logarithmic scale' if logarithmic else ''}")
    ends = [math.log10(low), math.log10(high)] if logarithmic else [low, high]
    scale |= {"type": "log" if logarithmic else "linear", "range": ends, "tickvals": ticks}
    scale |= {"ticktext": [f"{tick:.3g}x" for tick in ticks]}
    one = {"type": "line", "x0": 1, "x1": 1, "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "between"}
    shapes = [one | {"line": {"color": "var(--edge)", "width": 1.5}}]
    return _by_row(rows, marks[-1][1] if marks else 0.0, data, {"xaxis": scale, "shapes": shapes}, told)


def parts(comparison: Comparison) -> Chart:
    """Of each row's typical run where its wall time went: start-up and shutdown, and the work as its workers' was."""
    rows = [row for row in comparison if row.split is not None and row.typical and row.typical.work_s >= LEAST_S]
    places = _places(rows)
    unit, scale, digits = table.time_unit([row.wall for row in rows if row.wall is not None])
    shares = [dict(_shares(row)) for row in rows]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "width": 0.62,
            "x": [100 * share.get(part, 0.0) for share in shares],
            "y": places,
            "marker": {"color": f"var(--{name})", "line": {"width": 1, "color": "var(--paper)"}},
            "hovertext": [plain(row.name) for row in rows],
            "hovertemplate": f"%{{hovertext}}<br>{words}: %{{x:.1f}} % of the wall time<extra></extra>",
        }
        for part, name, words in PIECES
    ]
    walls = [f"{row.wall * scale:,.{digits}f} {unit}" if row.wall is not None else "" for row in rows]
    told = [(place, wall, "var(--ink)") for place, wall in zip(places, walls, strict=True)]
    layout = {
        "barmode": "stack",
        "xaxis": axis("of the wall time", range=[0, 100], ticksuffix=" %", tickvals=[0, 25, 50, 75, 100]),
    }
    return _by_row(rows, places[-1] if places else 0.0, data, layout, told)


PIECES = (
    ("start-up", "aside", "start-up"),
    *((part, f"part-{part}", words) for part, words in PARTS.items()),
    ("shutdown", "aside", "shutdown"),
)
"""Of a wall time, in the order in which they are stacked: name, colour and words."""

LEGEND = [("aside", ASIDE), *((f"part-{part}", words) for part, words in PARTS.items())]
"""The colours of them with their words."""


def _shares(row: Row) -> Iterator[tuple[str, float]]:
    """By piece, the share of the typical run's wall; the work is divided as the time of its workers was."""
    run, split = row.typical, row.split
    if run is None or split is None:
        return
    yield "start-up", run.startup_s / run.wall_s
    times = split.cpu_user_s, split.cpu_system_s, split.run_queue_s, split.gil_wait_s or 0.0, split.blocked_s
    for part, part_s in zip(PARTS, times, strict=True):
        yield part, run.work_s / run.wall_s * part_s / (split.sum_s or 1.0)
    yield "shutdown", run.shutdown_s / run.wall_s


def variable(word: str) -> str:
    """The name of a verdict's colour."""
    return word.lower().replace(" ", "-") if word != "-" else "untold"


def colour(word: str) -> str:
    """That colour."""
    return f"var(--{variable(word)})"


def _symbol(row: Row) -> str:
    return ("circle" if row.family == "python" else "diamond") + (
        "-open" if row.broken or row.differences or row.error else ""
    )


def _said(row: Row) -> str:
    """The row in two lines."""
    name, _, facts = table.said(row).partition(": ")
    return f"<b>{plain(name)}</b><br>{plain(facts)}"


def _places(rows: Sequence[Row]) -> list[float]:
    """Of each row, from above, with a gap where another family begins."""
    gaps = (0.6 * (row.family != before.family) for before, row in pairwise([*rows[:1], *rows]))
    return [n + gap for n, gap in enumerate(accumulate(gaps))]


def _by_row(
    rows: Sequence[Row], last: float, data: list[Chart], layout: Chart, told: Iterable[tuple[float, str, str]]
) -> Chart:
    """A chart with a row for each, its name at the left or above, and what there is to tell at the right."""
    places = _places(rows)
    names = [plain(name) for name in row_names(rows)]
    told = list(told)
    base = {"xref": "paper", "x": 1, "xanchor": "left", "xshift": 8, "showarrow": False}
    beside = [
        base | {"y": place, "text": plain(words), "font": {"size": 12, "color": shade}} for place, words, shade in told
    ]
    widest = max((len(name) for name in names), default=0)
    right = 14 + 7 * max((len(words) for _, words, _ in told), default=0)
    yaxis = {**_BARE, "tickvals": places, "ticktext": names, "range": [last + 0.7, -0.7]}
    above = {
        "tickvals": [place - 0.52 for place in places],
        "ticklabelposition": "inside",
        "range": [last + 0.5, -0.85],
    }
    return {
        "data": data,
        "layout": {
            **layout,
            "yaxis": yaxis,
            "annotations": beside,
            "margin": {"l": 14 + 7 * widest, "r": right},
            "height": round((last + 1.4) * _ROW + 56),
        },
        "narrow": {"yaxis": above, "margin": {"l": 4}, "height": round((last + 1.4) * _NARROW_ROW + 56)},
    }


def row_names(rows: Sequence[Row]) -> list[str]:
    """With the number of workers where a name alone is several rows'."""
    names = [row.name for row in rows]
    return [name if names.count(name) == 1 else f"{name} x{row.workers}" for name, row in zip(names, rows, strict=True)]


def _range(values: Iterable[float | None]) -> tuple[float, float]:
    """A little more than they take."""
    known = [value for value in values if value is not None]
    low, high = min(known), max(known)
    room = max((high / low) ** 0.06, 1.01)
    return low / room, high * room


def factors(low: float, high: float) -> tuple[bool, list[float]]:
    """Whether factors that lie between these two need a logarithmic axis, and which to name on it."""
    if high / low < 3:
        step = next(
            step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 1e9) if (high - low) / step <= 7
        )
        first = math.ceil(low / step)
        return False, [n * step for n in range(first, math.floor(high / step) + 1)]
    digits = (1, 1.5, 2, 3, 5) if high / low < 12 else (1, 2, 5) if high / low < 300 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return True, [digit * 10.0**power for power in powers for digit in digits if low <= digit * 10.0**power <= high]


# ---- a sweep


def curve(curve: Curve, sweep: Sweep) -> Chart:
    """The speed-ups of one model by number of workers, and the laws fitted to them."""
    all_rows = [row for each in sweep.curves for row in each.rows if row.speedup is not None]
    low, high = _range([each for row in all_rows for each in (row.speedup, *(row.interval or ()))] + [1.0])
    logarithmic, ticks = factors(low, high)
    rows = [row for row in curve.rows if row.speedup is not None]
    most = max(sweep.workers)
    xs = [most ** (n / (_POINTS - 1)) for n in range(_POINTS)]
    data: list[Chart] = []
    for fit, dash, name in ((curve.amdahl, "dot", "Amdahl"), (curve.usl, "solid", "Gunther")):
        if fit is not None:
            ys = [fit.speedup(x) for x in xs]
            line = {"color": "var(--family-python)" if name == "Gunther" else "var(--faint)", "width": 2, "dash": dash}
            data.append({"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": line, "hoverinfo": "skip"})
    words = [table.word(row).plain for row in rows]
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": [row.workers for row in rows],
            "y": [row.speedup for row in rows],
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [row.interval.high - (row.speedup or 0.0) if row.interval else 0.0 for row in rows],
                "arrayminus": [(row.speedup or 0.0) - row.interval.low if row.interval else 0.0 for row in rows],
                "color": "var(--edge)",
                "thickness": 1.6,
                "width": 4,
            },
            "marker": {
                "size": [13 if row.workers == curve.best else 9 for row in rows],
                "symbol": [_symbol(row) for row in rows],
                "color": [colour(word) for word in words],
                "line": {"width": 1.5, "color": [colour(word) for word in words]},
            },
            "hovertext": [_said(row) for row in rows],
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
    )
    ends = [math.log10(low), math.log10(high)] if logarithmic else [low, high]
    across = axis("workers", type="log", tickvals=list(sweep.workers), range=[-0.06, math.log10(most) + 0.06])
    up = axis(
        "",
        type="log" if logarithmic else "linear",
        range=ends,
        tickvals=ticks,
        ticktext=[f"{tick:.3g}x" for tick in ticks],
    )
    layout = {"xaxis": across, "yaxis": up, "margin": {"l": 44, "t": 4, "b": 40}, "height": 210}
    return {"data": data, "layout": layout, "narrow": {}}


# ---- a load


def backlog(row: LoadRow, load: Load) -> Chart:
    """How many tasks wait, in the queue and before it, and below how long service takes, over time."""
    ended = max((each.series[-1].until_s for each in load if each.series), default=1.0)
    ran = [point for each in load for point in each.series]
    most = max((point.backlog + point.outside for point in ran), default=1) or 1
    slowest = max((point.service_s or 0.0 for point in ran), default=0.0) or 1.0
    unit, scale, _ = table.time_unit([slowest])
    times = [point.until_s for point in row.series]
    area = {
        "type": "scatter",
        "mode": "lines",
        "stackgroup": "waiting",
        "x": times,
        "line": {"width": 1, "shape": "vh"},
    }
    seconds = "%{x:.2f} s"
    data = [
        area
        | {
            "y": [point.backlog for point in row.series],
            "fillcolor": "var(--waiting)",
            "line": {"width": 1.2, "shape": "vh", "color": "var(--working)"},
            "hovertemplate": f"in the queue: %{{y}} at {seconds}<extra></extra>",
        },
        area
        | {
            "y": [point.outside for point in row.series],
            "fillcolor": "var(--part-queue)",
            "line": {"width": 0, "shape": "vh"},
            "hovertemplate": f"before the queue: %{{y}} at {seconds}<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "lines",
            "x": times,
            "y": [None if point.service_s is None else point.service_s * scale for point in row.series],
            "yaxis": "y2",
            "line": {"width": 2, "color": "var(--family-native)"},
            "hovertemplate": f"service: %{{y:.3g}} {unit} at {seconds}<extra></extra>",
        },
    ]
    layout = {
        "xaxis": axis("seconds", range=[0, ended], anchor="y2"),
        "yaxis": axis("waiting", range=[0, most * 1.05], domain=[0.42, 1.0], nticks=4),
        "yaxis2": axis(f"service, {unit}", range=[0, slowest * scale * 1.15], domain=[0.0, 0.32], nticks=3),
        "margin": {"l": 58, "t": 4, "b": 40},
        "height": 260,
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout, "narrow": {}}


# ---- the lanes

MOST = 10_000
"""Bars that are drawn, in all: more would take a browser seconds for each step of a zoom."""


def lanes(comparison: Comparison, tracks: Sequence[Track]) -> Chart:
    """What page/timeline.js draws, which says what a bar is: of each track the first ones, as many as are drawn."""
    usual = chosen(comparison)
    longest = max((track.wall_s for track in tracks if track.wall_s is not None), default=1.0)
    unit, scale, _ = table.time_unit([longest])
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
            "yaxis": {**_BARE, "tickfont": {"size": 10, "color": "var(--faint)"}},
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
        "narrow": {"dragmode": "pan"},
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
    remark = f"  {plain(_shortened(track.remark))}" if track.remark else ""
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


def lane_table(tracks: Iterable[Track]) -> Table:
    """What each lane comes to."""
    shown = table.bare_table()
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


def _shortened(words: str, most: int = 70) -> str:
    return words if len(words) <= most else f"{words[: most - 3]}..."


def series_table(row: LoadRow) -> Table:
    """What became of a load over time, interval by interval."""
    shown = table.bare_table()
    for name in ("until", "in the queue", "before it", "at work", "served a second", "service"):
        shown.add_column(name, no_wrap=True, justify="right")
    for point in row.series:
        service = "-" if point.service_s is None else format_duration(point.service_s * 1e9)
        counts = (f"{each:,}" for each in (point.backlog, point.outside, point.at_work))
        shown.add_row(f"{point.until_s:.2f} s", *counts, format_frequency(point.served), service)
    return shown


def legend(entries: Iterable[tuple[str, str]], lines: Mapping[str, str] | None = None) -> str:
    """Swatches with their words; those of lines have a class of the style sheet, by colour."""
    marks = []
    for name, words in entries:
        kind = (lines or {}).get(name, "")
        paint = "border-color" if kind else "background"
        marks.append(f'<li><i class="{kind}" style="{paint}: var(--{name})"></i>{escape(words)}</li>')
    return f'<ul class="legend">{"".join(marks)}</ul>'
