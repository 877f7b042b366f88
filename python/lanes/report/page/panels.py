"""Charts side by side, to the same scales: of each model of a sweep, of a load, and the evidence for a claim."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lanes.claims.claim import quantity
from lanes.report import wording
from lanes.report.claims import MET
from lanes.report.layout import equal_steps, scale_of_factors
from lanes.report.page.charts import Chart, axis, by_row, factors, marks, plain
from lanes.units import format_duration, format_frequency

if TYPE_CHECKING:
    from rich.table import Table

    from lanes.claims import Figure, Trial, Within
    from lanes.load import Load, LoadRow
    from lanes.stats import Interval
    from lanes.sweep import Curve, Sweep

_POINTS = 40
"""Of a curve that is drawn."""


def curve(curve: Curve, sweep: Sweep) -> Chart:
    """The speed-ups of one model by number of workers, and the laws fitted to them."""
    up, _ = factors((row for each in sweep.curves for row in each.rows), "", 0.06)
    rows = [row for row in curve.rows if row.speedup is not None]
    low, high = min(sweep.workers), max(sweep.workers)
    xs = [low * (high / low) ** (n / (_POINTS - 1)) for n in range(_POINTS)]
    data: list[Chart] = []
    for fit, shade, dash in ((curve.amdahl, "faint", "dot"), (curve.usl, "working", "solid")):
        if fit is not None:
            line = {"color": f"var(--{shade})", "width": 2, "dash": dash}
            ys = [fit.speedup(x) for x in xs]
            data.append({"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": line, "hoverinfo": "skip"})
    data.append(marks(rows, [row.workers for row in rows], [row.speedup or 0.0 for row in rows], "y", curve.best))
    counts = sorted({*sweep.workers, *(row.workers for row in rows)})
    ends = [math.log10(counts[0]) - 0.06, math.log10(counts[-1]) + 0.06]
    across = axis("workers", type="log", tickvals=counts, range=ends)
    layout = {"xaxis": across, "yaxis": up, "margin": {"l": 44, "t": 4, "b": 40}, "height": 210}
    return {"data": data, "layout": layout}


def backlog(row: LoadRow, load: Load) -> Chart:
    """How many tasks wait, in the queue and before it, and below how long service takes, over time."""
    ended = max((each.series[-1].until_s for each in load if each.series), default=1.0)
    ran = [point for each in load for point in each.series]
    most = max((point.backlog + point.outside for point in ran), default=1) or 1
    slowest = max((point.service_s or 0.0 for point in ran), default=0.0) or 1.0
    unit, scale, _ = wording.time_unit([slowest])
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
    return {"data": data, "layout": layout}


def evidence(trial: Trial) -> Iterator[Chart]:
    """Of the figures that the rules of a claim are about their intervals, and where the rules want them: a chart for
    each unit. What has no interval, or one without end, stands in the table alone."""
    rules = {rule.figure: rule for rule in trial.claim.rules}
    by_unit: dict[str, list[tuple[Figure, Within, Interval]]] = {}
    for figure in trial.figures:
        sure = figure.interval
        if figure.name in rules and sure is not None and all(map(math.isfinite, sure)):
            by_unit.setdefault(figure.unit, []).append((figure, rules[figure.name], sure))
    figures = {figure.name: figure for figure in trial.figures}
    for ruled in by_unit.values():
        yield _ruled(ruled, figures)


def _ruled(ruled: Sequence[tuple[Figure, Within, Interval]], figures: Mapping[str, Figure]) -> Chart:
    """Intervals of one unit on one scale, each before the zone that its rule wants it in."""
    unit = ruled[0][0].unit
    known = [each for _, rule, sure in ruled for each in (*sure, rule.low, rule.high) if math.isfinite(each)]
    low, high = min(known), max(known)
    logarithmic = low > 0 and high / low >= 3
    if logarithmic:
        low, high = low / (high / low) ** 0.12, high * (high / low) ** 0.12
        ticks = scale_of_factors(low, high)[1]
    else:
        room = (high - low or abs(high) or 1.0) * 0.12
        low, high = low - room, high + room
        ticks = equal_steps(low, high)
    where = [float(n) for n in range(len(ruled))]
    shades = [_SHADES[rule.met(figures)] for _, rule, _ in ruled]
    medians = [figure.median or 0.0 for figure, _, _ in ruled]
    zone = {"type": "rect", "layer": "below", "line": {"width": 0}, "fillcolor": "var(--waiting)"}
    zones = [
        zone | {"x0": max(rule.low, low), "x1": min(rule.high, high), "y0": place - 0.26, "y1": place + 0.26}
        for place, (_, rule, _) in zip(where, ruled, strict=True)
    ]
    edge = {"type": "line", "line": {"color": "var(--edge)", "width": 2}, "layer": "between"}
    edges = [
        edge | {"x0": bound, "x1": bound, "y0": place - 0.26, "y1": place + 0.26}
        for place, (_, rule, _) in zip(where, ruled, strict=True)
        for bound in (rule.low, rule.high)
        if math.isfinite(bound)
    ]
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": medians,
        "y": where,
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [sure.high - middle for middle, (_, _, sure) in zip(medians, ruled, strict=True)],
            "arrayminus": [middle - sure.low for middle, (_, _, sure) in zip(medians, ruled, strict=True)],
            "color": "var(--ink)",
            "thickness": 1.8,
            "width": 5,
        },
        "marker": {"size": 10, "color": shades},
        "hovertext": [plain(f"{figure}; the rule: {rule.bound}") for figure, rule, _ in ruled],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }
    ends = [math.log10(low), math.log10(high)] if logarithmic else [low, high]
    words = [quantity(tick, unit) for tick in ticks]
    kind = "log" if logarithmic else "linear"
    layout = {
        "xaxis": axis("", type=kind, range=ends, tickvals=ticks, ticktext=words),
        "shapes": [*zones, *edges],
    }
    told = [
        (f"{quantity(middle, unit)} {MET[rule.met(figures)]}", shade)
        for middle, shade, (_, rule, _) in zip(medians, shades, ruled, strict=True)
    ]
    chart = by_row([figure.name for figure, _, _ in ruled], where, [points], layout, told, always_above=True)
    for each in (chart["layout"], chart["narrow"]):  # the axis has no title
        each["height"] -= 20
        each["margin"]["b"] = 24
    return chart


_SHADES = {True: "var(--faster)", False: "var(--slower)", None: "var(--cannot-tell)"}
"""Of a rule that is met, that is broken, and of which one cannot tell."""


def series_table(row: LoadRow) -> Table:
    """What became of a load over time, interval by interval."""
    shown = wording.bare_table()
    for name in ("until", "in the queue", "before it", "at work", "served a second", "service"):
        shown.add_column(name, no_wrap=True, justify="right")
    for point in row.series:
        service = "-" if point.service_s is None else format_duration(point.service_s * 1e9)
        counts = (f"{each:,}" for each in (point.backlog, point.outside, point.at_work))
        shown.add_row(f"{point.until_s:.2f} s", *counts, format_frequency(point.served), service)
    return shown
