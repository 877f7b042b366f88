"""What all charts of a page have in common, and those of a comparison: as Plotly has them, made without it.

Plotly takes what stands between < and > for markup, so all words pass through `plain`. In a narrow window names stand
above what they name instead of beside it; what is otherwise there is in `narrow`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

from lanes.report import sentences, wording
from lanes.report.layout import is_hollow, places, scale_of_factors, shares, span_of_factors
from lanes.report.palette import ASIDE, PARTS
from lanes.report.timeline import names

if TYPE_CHECKING:
    from lanes.comparison import Comparison, Row

Chart: TypeAlias = dict[str, Any]
"""data and layout as Plotly has them, and narrow: what of the layout is otherwise in a narrow window."""

_ROW, _NARROW_ROW, _BELOW = 23, 44, 56
"""Pixels: a row; one whose name stands above it; the axis."""

_LETTER = 7
"""Pixels, about."""

_THICK = 0.62
"""Of a row, is a bar."""

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
}
"""What all charts have in common."""

BARE = {"showgrid": False, "zeroline": False, "fixedrange": True, "ticks": ""}
"""An axis of names alone."""


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


def factors(rows: Iterable[Row], title: str, room: float) -> tuple[Chart, bool]:
    """An axis of speed-ups, and whether it is logarithmic."""
    low, high = span_of_factors(rows, room)
    logarithmic, ticks = scale_of_factors(low, high)
    ends = [math.log10(low), math.log10(high)] if logarithmic else [low, high]
    words = [f"{tick:.4g}x" for tick in ticks]
    kind = "log" if logarithmic else "linear"
    return axis(title, type=kind, range=ends, tickvals=ticks, ticktext=words), logarithmic


def speedups(comparison: Comparison) -> Chart:
    """Of each row the median ratio as a mark on a stem from 1x, with its interval across."""
    rows = [row for row in comparison if row.speedup is not None]
    where = places(rows)
    scale, logarithmic = factors(rows, "times as fast as serial/python", 0.06)
    if logarithmic:
        scale["title"]["text"] += ", on a logarithmic scale"
    stems = {
        "type": "scatter",
        "mode": "lines",
        "x": [x for row in rows for x in (1.0, row.speedup, None)],
        "y": [y for place in where for y in (place, place, None)],
        "line": {"color": "var(--rule)", "width": 3},
        "hoverinfo": "skip",
    }
    one = {"type": "line", "x0": 1, "x1": 1, "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "between"}
    layout = {"xaxis": scale, "shapes": [one | {"line": {"color": "var(--edge)", "width": 1.5}}]}
    told = [
        (f"{wording.factor(row.speedup or 0.0)} {sentences.word(row).plain.strip('-')}", colour(row)) for row in rows
    ]
    data = [stems, marks(rows, [row.speedup or 0.0 for row in rows], where, "x")]
    return by_row(names(comparison, rows), where, data, layout, told)


def marks(rows: Sequence[Row], xs: Sequence[float], ys: Sequence[float], along: str, best: int | None = None) -> Chart:
    """Speed-ups with their intervals, which lie along this axis; the best number of workers is larger."""
    speedups = [row.speedup or 0.0 for row in rows]
    ends = [row.interval or (speedup, speedup) for row, speedup in zip(rows, speedups, strict=True)]
    colours = [colour(row) for row in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(xs),
        "y": list(ys),
        f"error_{along}": {
            "type": "data",
            "symmetric": False,
            "array": [high - speedup for (_, high), speedup in zip(ends, speedups, strict=True)],
            "arrayminus": [speedup - low for (low, _), speedup in zip(ends, speedups, strict=True)],
            "color": "var(--edge)",
            "thickness": 1.6,
            "width": 4,
        },
        "marker": {
            "size": [14 if row.workers == best else 10 for row in rows],
            "symbol": [_symbol(row) for row in rows],
            "color": colours,
            "opacity": 1,
            "line": {"width": 1.5, "color": colours},
        },
        "hovertext": [_said(row) for row in rows],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


_PIECES = (
    ("start-up", "aside", "start-up"),
    *((part, f"part-{part}", words) for part, words in PARTS.items()),
    ("", "paper", "work, too short to be told apart"),
    ("shutdown", "aside", "shutdown"),
)
"""Of a wall time, in the order in which they are stacked: name, colour and words."""

_QUARTERS = [0, 25, 50, 75, 100]

LEGEND = (("aside", ASIDE), *((f"part-{part}", words) for part, words in PARTS.items()))
"""The colours of them with their words."""


def parts(comparison: Comparison) -> Chart:
    """Of each row's typical run where its wall time went, as a stacked bar."""
    rows = [row for row in comparison if any(shares(row))]
    where = places(rows)
    unit, scale, digits = wording.time_unit([row.wall for row in rows if row.wall is not None])
    split = [_split(row) for row in rows]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "width": _THICK,
            "x": [100 * each.get(piece, 0.0) for each in split],
            "y": where,
            "marker": {"color": f"var(--{name})", "line": {"width": 1, "color": "var(--paper)"}},
            "hovertext": [plain(row.name) for row in rows],
            "hovertemplate": f"%{{hovertext}}<br>{words}: %{{x:.1f}} % of the wall time<extra></extra>",
        }
        for piece, name, words in _PIECES
    ]
    walls = ["" if row.wall is None else f"{row.wall * scale:,.{digits}f} {unit}" for row in rows]
    across = axis("of the wall time", range=[0, 100], tickvals=_QUARTERS, ticktext=[f"{each} %" for each in _QUARTERS])
    layout = {"barmode": "stack", "xaxis": across}
    return by_row(names(comparison, rows), where, data, layout, [(words, "var(--ink)") for words in walls])


def _split(row: Row) -> dict[str, float]:
    """The shares of a wall by the names of _PIECES."""
    (_, before), *work, (_, after) = shares(row)
    return {"start-up": before, **dict(work), "shutdown": after}


def variable(word: str) -> str:
    """The name of a verdict's colour."""
    return word.lower().replace(" ", "-") if word != "-" else "untold"


def colour(row: Row) -> str:
    """That of its verdict."""
    return f"var(--{variable(sentences.word(row).plain)})"


def _symbol(row: Row) -> str:
    """By family; hollow where the row is void."""
    shape = "circle" if row.family == "python" else "diamond"
    return f"{shape}-open" if is_hollow(row) else shape


def _said(row: Row) -> str:
    """The row in two lines."""
    name, _, facts = sentences.said(row).partition(": ")
    return f"<b>{plain(name)}</b><br>{plain(facts)}"


def by_row(
    named: Sequence[str],
    where: Sequence[float],
    data: Sequence[Chart],
    layout: Chart,
    told: Iterable[tuple[str, str]],
    always_above: bool = False,
) -> Chart:
    """A chart with rows at these places; the name of each at its left, or above in a narrow window or always; and at
    its right what is told of it, in its colour."""
    told = list(told)
    last = where[-1] if where else 0.0
    beside = [
        _note(words, place, shade) | {"x": 1, "xshift": 8} for place, (words, shade) in zip(where, told, strict=True)
    ]
    above = [_note(name, place - 0.52, "var(--ink)") | {"x": 0} for place, name in zip(where, named, strict=True)]
    left = 14 + _LETTER * max(map(len, named), default=0)
    right = 14 + _LETTER * max((len(words) for words, _ in told), default=0)
    title = layout["xaxis"]["title"]["text"].replace(", ", ",<br>")
    wide: Chart = {
        "yaxis": {**BARE, "tickvals": where, "ticktext": [plain(name) for name in named], "range": [last + 0.7, -0.7]},
        "annotations": beside,
        "margin": {"l": min(left, 260), "r": right},
        "height": round((last + 1.4) * _ROW + _BELOW),
    }
    narrow: Chart = {
        "xaxis": {"title": {"text": title}},
        "yaxis": {**BARE, "showticklabels": False, "range": [last + 0.5, -0.85]},
        "annotations": [*beside, *above],
        "margin": {"l": 16, "r": right, "b": 60 if "<br>" in title else 44},
        "height": round((last + 1.4) * _NARROW_ROW + (72 if "<br>" in title else _BELOW)),
    }
    return {
        "data": list(data),
        "layout": layout | (narrow | {"xaxis": layout["xaxis"]} if always_above else wide),
        "narrow": narrow,
    }


def _note(words: str, place: float, shade: str) -> Chart:
    """Words in a row."""
    font = {"size": 12, "color": shade}
    return {"xref": "paper", "xanchor": "left", "y": place, "text": plain(words), "font": font, "showarrow": False}


def legend(entries: Iterable[tuple[str, str]], lines: Mapping[str, str] | None = None) -> str:
    """Swatches of these colours, each with its words; those of lines have a class of the style sheet, by colour."""
    marked = []
    for name, words in entries:
        kind = (lines or {}).get(name, "")
        paint = "border-color" if kind else "background"
        marked.append(f'<li><i class="{kind}" style="{paint}: var(--{name})"></i>{escape(words)}</li>')
    return f'<ul class="legend">{"".join(marked)}</ul>'
