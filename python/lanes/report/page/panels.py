"""Charts side by side, to the same scales: of each model of a sweep, of a load, and the evidence for a claim."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lanes.report import table
from lanes.report.page.charts import Chart, axis, factors, marks
from lanes.units import format_duration, format_frequency

if TYPE_CHECKING:
    from rich.table import Table

    from lanes.load import Load, LoadRow
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
    for fit, shade, dash in ((curve.amdahl, "faint", "dot"), (curve.usl, f"family-{curve.family}", "solid")):
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
    return {"data": data, "layout": layout}


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
