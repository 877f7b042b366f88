"""A sweep as people read it and as JSON: the speed-up of each model with each number of workers, and what is made of
them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lanes.comparison import BASELINE, Row
from lanes.report import comparison, sentences, table, wording
from lanes.report.fields import typed
from lanes.sweep import Curve, Fit, Sweep
from lanes.units import format_duration, short

SPEEDUPS = "speed-up over serial/python, by number of workers; void ones in brackets"
FITS = "the laws of Amdahl and Gunther (USL), and from which task length it pays off"
"""What stands above the tables."""


def text(sweep: Sweep, width: int = 80) -> str:
    """The tables as plain text."""
    return wording.as_text(lambda console: show(sweep, console), width)


def show(sweep: Sweep, console: Console) -> None:
    """Print the speed-ups, the fits and what went wrong."""
    console.print(table.title(sweep.comparison), soft_wrap=not console.is_terminal)
    console.print(SPEEDUPS, style="dim")
    wording.print_table(speedups(sweep), console)
    console.print()
    console.print(FITS, style="dim")
    wording.print_table(fits(sweep), console)
    console.print()
    for note in notes(sweep):
        console.print(note, soft_wrap=not console.is_terminal)


def speedups(sweep: Sweep) -> Table:
    shown = _columns("model", "body", *(str(count) for count in sweep.workers), "best")
    for curve in sweep.curves:
        by_count = {row.workers: row for row in curve.rows}
        # Where nobody switches there is one worker, whatever was asked for.
        alone = curve.rows[0] if len(curve.rows) == 1 else None
        cells = (_speedup(by_count.get(count) or (alone if count == 1 else None)) for count in sweep.workers)
        shown.add_row(curve.model, curve.body or "", *cells, "-" if curve.best is None else str(curve.best))
    return shown


def _speedup(row: Row | None) -> Text:
    if row is None:
        return Text("")
    if row.error is not None or row.speedup is None:
        return Text("error" if row.error else "-", "red")
    if row.broken:
        return Text(f"({wording.factor(row.speedup)})", "red")
    word = row.verdict.word if row.verdict else ""
    return Text(wording.factor(row.speedup), wording.STYLES.get(word, ""))


def fits(sweep: Sweep) -> Table:
    shown = _columns("model", "body", "Amdahl", "R2", "contention", "coherence", "R2", "peak", "pays off")
    for curve in sweep.curves:
        shown.add_row(curve.model, curve.body or "", *_amdahl(curve.amdahl), *_usl(curve.usl), _pays_off(curve))
    return shown


def _amdahl(fit: Fit | None) -> tuple[str, ...]:
    return ("-", "-") if fit is None else (f"{fit.contention:.0%}", f"{max(0.0, fit.r_squared):.2f}")


def _usl(fit: Fit | None) -> tuple[str, ...]:
    if fit is None:
        return "-", "-", "-", "-"
    peak = "none" if fit.peak is None else f"{fit.peak:.0f}"
    return f"{fit.contention:.3f}", f"{fit.coherence:.4f}", f"{max(0.0, fit.r_squared):.2f}", peak


def _pays_off(curve: Curve) -> str:
    if curve.pays_off_s is None or (curve.model, curve.body) == BASELINE:
        return "-"
    return "never" if math.isinf(curve.pays_off_s) else format_duration(curve.pays_off_s * 1e9)


def _columns(model: str, body: str, *numbers: str) -> Table:
    shown = wording.bare_table()
    for name in (model, body):
        shown.add_column(name, no_wrap=True)
    for name in numbers:
        shown.add_column(name, no_wrap=True, justify="right")
    return shown


def notes(sweep: Sweep) -> Iterator[Text]:
    ran = [curve for curve in sweep.curves if curve.best is not None]
    rows = [row for curve in ran for row in curve.rows if row.workers == curve.best]
    best = sentences.fastest(rows)
    if best is None:
        yield Text("Nothing is faster than serial/python here, as far as these rounds can tell.", "bold")
    else:
        workers = wording.count(best.workers, "worker")
        yield Text(
            f"{best.name} with {workers} is fastest: {sentences.compared(best.verdict)} than serial/python.", "bold"
        )
    for line in sentences.problems(sweep.comparison):
        yield Text(line, "red")
    for line in sentences.broken_laws(sweep.comparison):
        yield Text(line, "yellow")
    for line in sentences.reasons(sweep.comparison):
        yield Text(line, "dim")


# ---- JSON


def document(sweep: Sweep) -> dict[str, object]:
    """A sweep as what JSON can hold: its comparison, and what is made of that."""
    curves = [_curve(curve) for curve in sweep.curves]
    return {**comparison.document(sweep.comparison), "sweep": {"workers": list(sweep.workers), "curves": curves}}


def _curve(curve: Curve) -> dict[str, object]:
    never = curve.pays_off_s is not None and math.isinf(curve.pays_off_s)
    return {
        "model": curve.model,
        "body": curve.body,
        "workers": [row.workers for row in curve.rows],
        "speedup": [row.speedup for row in curve.rows],
        "amdahl": curve.amdahl and _fit(curve.amdahl),
        "usl": curve.usl and _fit(curve.usl),
        "best_workers": curve.best,
        "pays_off_s": None if never else curve.pays_off_s,
        "never_pays_off": never,
    }


def _fit(fit: Fit) -> dict[str, object]:
    return {
        "single": fit.single,
        "contention": fit.contention,
        "coherence": fit.coherence,
        "r_squared": fit.r_squared,
        "peak_workers": fit.peak,
    }


def read(found: dict[str, Any]) -> Sweep:
    """The sweep of such a document. Raises ValueError, KeyError or TypeError for any other."""
    measured, swept = comparison.read(found), found["sweep"]
    curves = tuple(_read_curve(curve, measured.rows) for curve in swept["curves"])
    return Sweep(measured, typed(tuple[int, ...], swept["workers"], "workers"), curves)


def _read_curve(found: dict[str, Any], rows: Sequence[Row]) -> Curve:
    own = tuple(row for row in rows if (row.model, row.body) == (found["model"], found["body"]))
    if not own:
        raise ValueError(f"there is no row for the curve of {short(found['model'])}")
    return Curve(
        own[0].model,
        own[0].family,
        own[0].body,
        own,
        _read_fit(found["amdahl"]),
        _read_fit(found["usl"]),
        typed(int | None, found["best_workers"], "best_workers"),
        math.inf if found["never_pays_off"] else typed(float | None, found["pays_off_s"], "pays_off_s"),
    )


def _read_fit(found: object) -> Fit | None:
    fit: Fit | None = typed(Fit | None, found, "a fit")
    if fit is not None and not (0 <= fit.contention <= 1 and fit.coherence >= 0):
        raise ValueError("contention must be from 0 to 1, and coherence not negative")
    return fit
