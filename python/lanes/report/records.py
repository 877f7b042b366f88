"""Results as plain records: a list of rows with named columns, for CSV and pandas. Numbers are raw, in the units that
the names end with; what is not known is None.

The columns of each table, by the kind of the result:

Comparison and Sweep

    rows       label (what it was made for, such as a test), workload, tasks, model, variant, family, body, workers,
               rounds; wall_s, the median, and wall_low_s and wall_high_s, its 95 % interval; speedup, speedup_low and
               speedup_high; outliers; verdict; agrees; broken, the names of the laws it breaks; cpu_s and cores,
               medians; in_flight_mean and in_flight_max. Of the typical run startup_s, work_s, shutdown_s; cpu_user_s,
               cpu_system_s, run_queue_s, gil_wait_s and blocked_s, of all its workers; voluntary and involuntary
               switches, handovers of the GIL. Of runs of their own peak_pss_bytes, pickled_bytes, pickle_s, loop_lag_s,
               max_loop_lag_s, pulse_p50_s, pulse_p99_s and pulse_max_s. origin_busy, a share; start_method; error;
               reason; and the medians of the figures
    samples    label, workload, model, body, workers, round; wall_s, speedup, cpu_s, in_flight_mean, in_flight_max;
               figures
    spans      of the typical runs: label, workload, model, body, workers, task, text, worker, thread_id, process_id,
               cpu; claimed_s, started_s and finished_s since the run began; cpu_s
    curves     of a sweep alone: label, workload, model, family, body; best_workers; pays_off_s, infinite where it never
               does; and for each of the laws amdahl and usl its _single, _contention, _coherence, _r_squared,
               _peak_workers

Load

    rows       workload, model, family, body, workers; arrived, completed, failed, rejected, left; waiting, working,
               latency and slip, each with _p50_s, _p90_s, _p99_s and _max_s; most_backlog, most_at_work; served_per_s;
               kept_up; peak_pss_bytes; agrees; error; reason
    series     workload, model, body, workers; until_s, backlog, outside, at_work, served_per_s, service_s
    memory     workload, model, body, workers; at_s, pss_bytes

Trials

    rows       number, name, sentence, verdict, why, here, error, took_s
    figures    number, name, figure, unit, median, low, high, void
    samples    number, name, figure, unit, round, value

Anatomy

    rows       workload, model, body, workers, tasks, repeats, at_s, work_s, in_flight, processes, threads, pss_bytes,
               error, reason
    processes  workload, model, body, workers; process_id, parent_id, name, forked, threads, resident_bytes, pss_bytes,
               shared_bytes, copied_bytes, new_bytes (since its fork), descriptors, page_tables_bytes
    threads    workload, model, body, workers; process_id, thread_id, name, state, wchan, cpu, cpu_user_s, cpu_system_s,
               run_queue_s, voluntary, involuntary, stack_bytes, tasks (how many it was at)

A figure's column is its name with its unit: `cost_s`, `copied_bytes:64 KiB`, `lost`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, TypeAlias

from lanes.anatomy import Anatomy, Look, Process
from lanes.backlog import Times
from lanes.claims import Trials
from lanes.comparison import Comparison, Row
from lanes.load import Load, LoadRow
from lanes.report.claims import why
from lanes.shown import Shown
from lanes.sweep import Curve, Fit, Sweep
from lanes.types import Closeup, Measuring

Record: TypeAlias = dict[str, Any]
Maker: TypeAlias = Callable[[Any], Iterable[Record]]

ROWS = "rows"
"""The table that every result has: one record for each row that it shows."""


def records(results: Sequence[Shown], table: str = ROWS) -> tuple[list[str], list[Record]]:
    """The columns of a table, in their order, and the records of all results, one after the other.

    Raises ValueError, which names the tables there are, for another one.
    """
    found: list[Record] = []
    for result in results:
        tables = _tables(result)
        if table not in tables:
            kind = type(result).__name__
            raise ValueError(f"a {kind} has no table {table!r}: choose from {', '.join(tables)}")
        found += tables[table](result)
    return list(dict.fromkeys(name for record in found for name in record)), found


def _tables(result: Shown) -> Mapping[str, Maker]:
    match result:
        case Comparison():
            return _COMPARISON
        case Sweep():
            return {**{name: partial(_inside, make) for name, make in _COMPARISON.items()}, "curves": _curves}
        case Load():
            return {ROWS: _load_rows, "series": _series, "memory": _memory}
        case Trials():
            return {ROWS: _trials, "figures": _figures, "samples": _claim_samples}
        case Anatomy():
            return {ROWS: _looks, "processes": _processes, "threads": _threads}
    raise TypeError(f"{type(result).__name__} is no result of lanes")


# ---- comparisons and sweeps


def _rows(comparison: Comparison) -> Iterator[Record]:
    for row in comparison:
        run, split, seen, pulse = row.typical, row.split, row.closeup or Closeup(), row.pulse
        counters = run.counters if run else None
        usages = counters.usages if counters else ()
        yield {
            "label": comparison.label,
            "workload": comparison.workload.name,
            "tasks": len(comparison.workload.tasks),
            "model": row.model,
            "variant": row.variant,
            "family": row.family,
            "body": row.body,
            "workers": row.workers,
            "rounds": len(row.runs),
            "wall_s": row.wall,
            **_interval("wall", row.wall_interval, "_s"),
            "speedup": row.speedup,
            **_interval("speedup", row.interval),
            "outliers": row.outliers,
            "verdict": row.verdict and row.verdict.word,
            "agrees": row.agrees,
            "broken": ", ".join(law.name for law in row.broken) or None,
            "cpu_s": row.cpu_s,
            "cores": row.cores,
            "in_flight_mean": row.in_flight and row.in_flight.mean,
            "in_flight_max": row.in_flight and row.in_flight.max,
            "startup_s": run and run.startup_s,
            "work_s": run and run.work_s,
            "shutdown_s": run and run.shutdown_s,
            **{
                name: split and getattr(split, name)
                for name in ("cpu_user_s", "cpu_system_s", "run_queue_s", "gil_wait_s", "blocked_s")
            },
            "voluntary": sum(usage.voluntary for usage in usages) if usages else None,
            "involuntary": sum(usage.involuntary for usage in usages) if usages else None,
            "handovers": counters and counters.handovers,
            "peak_pss_bytes": seen.peak_pss_bytes,
            "pickled_bytes": seen.pickled_bytes,
            "pickle_s": seen.pickle_s,
            "loop_lag_s": seen.loop_lag_s,
            "max_loop_lag_s": seen.max_loop_lag_s,
            "pulse_p50_s": pulse and pulse.p50_s,
            "pulse_p99_s": pulse and pulse.p99_s,
            "pulse_max_s": pulse and pulse.max_s,
            "origin_busy": row.origin_busy,
            "start_method": row.start_method,
            "error": row.error,
            "reason": row.reason,
            **_measured(comparison, row.figures),
        }


def _interval(name: str, interval: tuple[float, float] | None, unit: str = "") -> Record:
    low, high = interval or (None, None)
    return {f"{name}_low{unit}": low, f"{name}_high{unit}": high}


_UNITS = {"s": "_s", "B": "_bytes", "B/s": "_bytes_per_s", "/s": "_per_s", "share": "_share"}


def _measured(comparison: Comparison, figures: Mapping[str, float | None]) -> Record:
    """The figures by the names of their columns."""
    workload = comparison.workload
    units = workload.units if isinstance(workload, Measuring) else {}
    return {_column(name, unit): figures.get(name) for name, unit in units.items()}


def _column(name: str, unit: str) -> str:
    words, colon, thing = name.partition(":")
    ending = _UNITS.get(unit, "")
    return words.removesuffix(ending) + ending + colon + thing


def _samples(comparison: Comparison) -> Iterator[Record]:
    for row in comparison:
        for turn, run in enumerate(row.runs):
            yield {
                "label": comparison.label,
                **_cell(comparison, row),
                "round": turn,
                "wall_s": run.wall_s,
                "speedup": row.ratios[turn] if turn < len(row.ratios) else None,
                "cpu_s": run.cpu_s,
                "in_flight_mean": run.in_flight.mean,
                "in_flight_max": run.in_flight.max,
                **_measured(comparison, run.figures),
            }


def _spans(comparison: Comparison) -> Iterator[Record]:
    texts = [task.text for task in comparison.workload.tasks]
    for row in comparison:
        began_ns = row.typical.began_ns if row.typical else 0
        for task, span in enumerate(row.spans):
            yield {
                "label": comparison.label,
                **_cell(comparison, row),
                "task": task,
                "text": texts[task],
                "worker": span.worker,
                "thread_id": span.thread_id,
                "process_id": span.process_id,
                "cpu": span.cpu,
                "claimed_s": (span.claimed_ns - began_ns) / 1e9,
                "started_s": (span.started_ns - began_ns) / 1e9,
                "finished_s": (span.finished_ns - began_ns) / 1e9,
                "cpu_s": span.cpu_ns / 1e9,
            }


_COMPARISON: Mapping[str, Maker] = {ROWS: _rows, "samples": _samples, "spans": _spans}


def _cell(result: Comparison | Load | Anatomy, row: Row | LoadRow | Look) -> Record:
    """Which cell of the grid a record is of."""
    return {"workload": result.workload.name, "model": row.model, "body": row.body, "workers": row.workers}


def _inside(make: Maker, sweep: Sweep) -> Iterable[Record]:
    return make(sweep.comparison)


def _curves(sweep: Sweep) -> Iterator[Record]:
    for curve in sweep.curves:
        yield {
            "label": sweep.comparison.label,
            "workload": sweep.comparison.workload.name,
            "model": curve.model,
            "family": curve.family,
            "body": curve.body,
            "best_workers": curve.best,
            "pays_off_s": curve.pays_off_s,
            **_fit(curve, "amdahl"),
            **_fit(curve, "usl"),
        }


def _fit(curve: Curve, law: str) -> Record:
    fit: Fit | None = getattr(curve, law)
    names = ("single", "contention", "coherence", "r_squared")
    return {
        **{f"{law}_{name}": fit and getattr(fit, name) for name in names},
        f"{law}_peak_workers": fit and fit.peak,
    }


# ---- loads


def _load_rows(load: Load) -> Iterator[Record]:
    for row in load:
        yield {
            "workload": load.workload.name,
            "model": row.model,
            "family": row.family,
            "body": row.body,
            "workers": row.workers,
            **{name: getattr(row, name) for name in ("arrived", "completed", "failed", "rejected", "left")},
            **_times("waiting", row.waiting),
            **_times("working", row.working),
            **_times("latency", row.latency),
            **_times("slip", row.slip),
            "most_backlog": row.most_backlog,
            "most_at_work": row.most_at_work,
            "served_per_s": row.served,
            "kept_up": row.kept_up(load.terms) if row.reason is None else None,
            "peak_pss_bytes": row.peak_pss_bytes,
            "agrees": row.ok if load.unchecked is None and row.error is None and row.reason is None else None,
            "error": row.error,
            "reason": row.reason,
        }


def _times(name: str, times: Times | None) -> Record:
    return {f"{name}_{share}_s": times and getattr(times, share) for share in ("p50", "p90", "p99", "max")}


def _series(load: Load) -> Iterator[Record]:
    for row in load:
        for point in row.series:
            record = {**_cell(load, row), **asdict(point)}
            yield {("served_per_s" if name == "served" else name): value for name, value in record.items()}


def _memory(load: Load) -> Iterator[Record]:
    for row in load:
        for point in row.memory:
            yield {**_cell(load, row), **point._asdict()}


# ---- claims


def _trials(trials: Trials) -> Iterator[Record]:
    for trial in trials:
        yield {
            "number": trial.claim.number,
            "name": trial.name,
            "sentence": trial.claim.sentence,
            "verdict": trial.verdict and trial.verdict.word,
            "why": why(trial) or None,
            "here": trial.here,
            "error": trial.error,
            "took_s": trial.seconds,
        }


def _figures(trials: Trials) -> Iterator[Record]:
    for trial in trials:
        for figure in trial.figures:
            low, high = figure.interval or (None, None)
            yield {
                "number": trial.claim.number,
                "name": trial.name,
                "figure": figure.name,
                "unit": figure.unit,
                "median": figure.median,
                "low": low,
                "high": high,
                "void": figure.void or None,
            }


def _claim_samples(trials: Trials) -> Iterator[Record]:
    for trial in trials:
        for figure in trial.figures:
            about = {"number": trial.claim.number, "name": trial.name, "figure": figure.name, "unit": figure.unit}
            yield from ({**about, "round": turn, "value": value} for turn, value in enumerate(figure.samples))


# ---- anatomies


def _looks(anatomy: Anatomy) -> Iterator[Record]:
    for look in anatomy:
        yield {
            **_cell(anatomy, look),
            **{name: getattr(look, name) for name in ("tasks", "repeats", "at_s", "work_s", "in_flight")},
            "processes": len(look.processes),
            "threads": sum(len(process.threads) for process in look.processes),
            "pss_bytes": look.pss_bytes if look.processes else None,
            "error": look.error,
            "reason": look.reason,
        }


def _seen(anatomy: Anatomy) -> Iterator[tuple[Record, Process]]:
    for look in anatomy:
        yield from ((_cell(anatomy, look), process) for process in look.processes)


def _processes(anatomy: Anatomy) -> Iterator[Record]:
    for cell, process in _seen(anatomy):
        since = process.since_fork
        yield {
            **cell,
            **{name: getattr(process, name) for name in ("process_id", "parent_id", "name", "forked")},
            "threads": len(process.threads),
            "resident_bytes": process.resident_bytes,
            "pss_bytes": process.pss_bytes,
            **{f"{name}_bytes": since and getattr(since, name) for name in ("shared", "copied", "new")},
            "descriptors": len(process.descriptors),
            "page_tables_bytes": process.page_tables_bytes,
        }


def _threads(anatomy: Anatomy) -> Iterator[Record]:
    for cell, process in _seen(anatomy):
        for thread in process.threads:
            yield {**cell, "process_id": process.process_id, **asdict(thread), "tasks": len(thread.tasks)}
