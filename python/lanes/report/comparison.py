"""A comparison as JSON, and back: see lanes/report/json.py for what the fields are.

What is read is the same comparison, and says the same. Times are of the run's beginning, which is moment 0; of the runs
but the typical one the spans were not written, nor were the values of outcomes that went well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from lanes.comparison import Comparison, Row
from lanes.laws import Judgement
from lanes.report import parts, stall, workload
from lanes.report.fields import made, typed
from lanes.report.files import SCHEMA
from lanes.stats import Interval, Verdict
from lanes.types import Closeup, Counters, InFlight, Measuring, Outcome, Run, Span, Usage, Workload


def document(comparison: Comparison) -> dict[str, object]:
    """The comparison as what JSON can hold."""
    work, distance = comparison.workload, comparison.distance
    units = work.units if isinstance(work, Measuring) else {}
    return {
        "schema": SCHEMA,
        "label": comparison.label,
        "workload": workload.document(work, comparison.machine),
        "machine": dict(comparison.machine),
        "rounds": comparison.rounds,
        "budget_s": comparison.budget_s,
        "seed": comparison.seed,
        "distance": distance and {**asdict(distance), "total": distance.total},
        "rows": [_row(row, comparison.explanation(row), units) for row in comparison],
    }


def _row(row: Row, why: str | None, units: Mapping[str, str]) -> dict[str, object]:
    run = row.typical
    return {
        "model": row.model,
        "family": row.family,
        "body": row.body,
        "variant": row.variant,
        "switching": row.switching,
        "processors": row.processors,
        "workers": row.workers,
        "wall_s": {"samples": list(row.walls), "median": row.wall, "ci95": row.wall_interval},
        "speedup": {
            "samples": list(row.ratios),
            "median": row.speedup,
            "ci95": row.interval,
            "outliers": row.outliers,
        },
        "verdict": row.verdict.word if row.verdict else None,
        "measured": row.measured
        and {"word": row.measured.word, "factor": row.measured.factor, "ci95": row.measured.interval},
        "laws": [asdict(each) for each in row.judgements],
        "cpu_s": row.cpu_s,
        "cores": row.cores,
        "in_flight": row.in_flight and row.in_flight._asdict(),
        "startup_s": run.startup_s if run else None,
        "work_s": run.work_s if run else None,
        "shutdown_s": run.shutdown_s if run else None,
        "split": _split(row),
        "gil": _gil(row),
        "switches": _switches(row),
        "cpus": len({span.cpu for span in row.spans}) if run else None,
        "workers_used": [_usage(usage, run) for usage in _usages(row)] if run else [],
        "counters": _counters(run.counters if run else None),
        "runs": [_run(each) for each in row.runs],
        "failed": _failed(row),
        "figures": _figures(row, units),
        **_closeup(row),
        "closeup_error": row.closeup_error,
        "pulse": row.pulse and asdict(row.pulse),
        "pulse_error": row.pulse_error,
        "log_error": row.log_error,
        "why": why,
        "start_method": row.start_method,
        "agrees": row.agrees,
        "differences": [parts.difference(difference) for difference in row.differences],
        "error": row.error,
        "stall": row.stall and stall.document(row.stall),
        "reason": row.reason,
        "origin_busy": row.origin_busy,
        "spans": [_span(task, span, run) for task, span in enumerate(row.spans)] if run else [],
    }


def _figures(row: Row, units: Mapping[str, str]) -> dict[str, object]:
    return {
        name: {"unit": units[name], "median": median, "samples": list(row.samples_of(name))}
        for name, median in row.figures.items()
    }


def _run(run: Run) -> dict[str, object]:
    counters = run.counters
    return {
        "cpu_s": run.cpu_s,
        "in_flight": run.in_flight._asdict(),
        "figures": dict(run.figures),
        "throttled_s": counters.throttled_s if counters else None,
        "others_s": counters.others_s if counters else None,
    }


def _failed(row: Row) -> list[dict[str, object]]:
    outcomes = enumerate(row.runs[0].outcomes if row.runs else ())
    return [{"task": task, **parts.outcome(each)} for task, each in outcomes if each.status != "ok"]


def _counters(counters: Counters | None) -> dict[str, object] | None:
    if counters is None:
        return None
    return {
        "gil": counters.gil,
        "gil_method": counters.gil_method,
        "gil_cost_s": counters.gil_cost_s,
        "handovers": counters.handovers,
    }


def _usages(row: Row) -> tuple[Usage, ...]:
    return row.typical.counters.usages if row.typical and row.typical.counters else ()


def _split(row: Row) -> dict[str, object] | None:
    split = row.split
    if split is None:
        return None
    return {
        "total_s": split.total_s,
        "cpu_user_s": split.cpu_user_s,
        "cpu_system_s": split.cpu_system_s,
        "run_queue_s": split.run_queue_s,
        "gil_wait_s": split.gil_wait_s,
        "blocked_s": split.blocked_s,
    }


def _gil(row: Row) -> dict[str, object] | None:
    split, counters = row.split, row.typical.counters if row.typical else None
    if row.family != "python" or split is None or counters is None:
        return None
    known = counters.gil_method is not None
    return {
        "wait_s": split.gil_wait_s if known else None,
        "wait_share": split.share(split.gil_wait_s or 0.0) if known else None,
        "handovers": counters.handovers,
        "method": counters.gil_method,
        "cost_s": counters.gil_cost_s * sum(usage.gil_waits for usage in counters.usages) if known else None,
    }


def _switches(row: Row) -> dict[str, object] | None:
    usages = _usages(row)
    return (
        {
            "voluntary": sum(usage.voluntary for usage in usages),
            "involuntary": sum(usage.involuntary for usage in usages),
        }
        if usages
        else None
    )


def _usage(usage: Usage, run: Run) -> dict[str, object]:
    return {
        "process_id": usage.process_id,
        "thread_id": usage.thread_id,
        "ready_s": (usage.began_ns - run.began_ns) / 1e9,
        "ended_s": (usage.ended_ns - run.began_ns) / 1e9,
        "cpu_user_s": usage.cpu_user_s,
        "cpu_system_s": usage.cpu_system_s,
        "run_queue_s": usage.run_queue_s,
        "gil_wait_s": usage.gil_wait_s,
        "gil_waits": usage.gil_waits,
        "voluntary": usage.voluntary,
        "involuntary": usage.involuntary,
    }


def _closeup(row: Row) -> dict[str, object]:
    seen = row.closeup or Closeup()
    return {
        "memory": {
            "peak_pss_bytes": seen.peak_pss_bytes,
            "peak_rss_bytes": list(seen.peak_rss_bytes),
            "series": parts.memory(seen.memory),
        },
        "pickle": None if seen.pickle_s is None else {"bytes": seen.pickled_bytes, "seconds": seen.pickle_s},
        "loop_lag": None if seen.loop_lag_s is None else {"sum_s": seen.loop_lag_s, "max_s": seen.max_loop_lag_s},
    }


def _span(task: int, span: Span, run: Run) -> dict[str, object]:
    return {
        "task": task,
        "worker": span.worker,
        "thread_id": span.thread_id,
        "process_id": span.process_id,
        "cpu": span.cpu,
        "claimed_s": (span.claimed_ns - run.began_ns) / 1e9,
        "started_s": (span.started_ns - run.began_ns) / 1e9,
        "finished_s": (span.finished_ns - run.began_ns) / 1e9,
        "cpu_s": span.cpu_ns / 1e9,
    }


# ---- and back


def read(found: dict[str, Any]) -> Comparison:
    """The comparison of such a document. Raises ValueError, KeyError or TypeError for any other."""
    work = workload.read({**_units_of_old(found["rows"]), **found["workload"]})
    rows = tuple(_read_row(row, work) for row in found["rows"])
    if not any(row.is_baseline for row in rows):
        raise ValueError("it has no row of serial with the Python body, which all are compared with")
    return made(Comparison, found, workload=work, machine=parts.read_machine(found), rows=rows)


def _read_row(found: dict[str, Any], work: Workload) -> Row:
    found = {**_of_old(found), **found}
    speedup = found["speedup"]
    return made(
        Row,
        found,
        runs=tuple(_read_runs(found, work)),
        ratios=typed(tuple[float, ...], speedup["samples"], "speedup"),
        differences=tuple(map(parts.read_difference, found["differences"])),
        stall=None if found.get("stall") is None else stall.read(found["stall"]),
        wall_interval=typed(Interval | None, found["wall_s"]["ci95"], "ci95"),
        interval=typed(Interval | None, speedup["ci95"], "ci95"),
        closeup=_read_closeup(found),
        judgements=typed(tuple[Judgement, ...], found.get("laws", []), "laws"),
        measured=_read_verdict(found),
    )


def _of_old(found: dict[str, Any]) -> dict[str, Any]:
    """What is taken for fields that earlier versions did not write: what others say, as far as they say it. In which
    rounds a figure was not known is not among that: it is taken for the last ones."""
    many, gil, speedup = len(found["wall_s"]["samples"]), found["gil"], found["speedup"]
    samples = {name: each["samples"] for name, each in found["figures"].items()}
    runs = [
        {
            "cpu_s": found["cpu_s"],
            "in_flight": found["in_flight"],
            "figures": {name: values[turn] if turn < len(values) else None for name, values in samples.items()},
        }
        for turn in range(many)
    ]
    told = {"word": found["verdict"], "factor": speedup["median"], "ci95": speedup["ci95"]}
    method = gil and gil["method"]
    counters = {"gil": method is not None, "gil_method": method, "gil_cost_s": 0.0}
    return {
        "runs": runs,
        "failed": [],
        "measured": told if found["verdict"] else None,
        "counters": {**counters, "handovers": gil and gil["handovers"]} if found["workers_used"] else None,
    }


def _units_of_old(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The same for its workload, whose figures have had their units with every row."""
    units = {name: figure["unit"] for row in rows for name, figure in row["figures"].items()}
    return {"units": units or None, "remarks": []}


class _Counted(NamedTuple):
    """What is written of every run."""

    cpu_s: float
    in_flight: InFlight
    figures: Mapping[str, float | None]
    throttled_s: float | None = None
    others_s: float | None = None


def _read_runs(found: dict[str, Any], work: Workload) -> Iterator[Run]:
    walls = typed(tuple[float, ...], found["wall_s"]["samples"], "wall_s")
    counted = typed(tuple[_Counted, ...], found["runs"], "runs")
    if len(counted) != len(walls) or any(wall <= 0 for wall in walls):
        raise ValueError("wall_s must have a time for every run")
    units = work.units if isinstance(work, Measuring) else {}
    if any(name not in units for run in counted for name in run.figures):
        raise ValueError("every figure must have a unit")
    spans = tuple(map(_read_span, found["spans"]))
    if walls and not 0 < len(spans) <= len(work.tasks):
        raise ValueError(f"there must be spans, of {len(work.tasks)} tasks")
    typical = sorted(range(len(walls)), key=walls.__getitem__)[(len(walls) - 1) // 2] if walls else None
    for turn, (wall, each) in enumerate(zip(walls, counted, strict=True)):
        yield made(
            Run,
            found,
            workload=work.name,
            outcomes=_read_outcomes(found, len(work.tasks)) if turn == 0 else (),
            spans=spans if turn == typical else (),
            began_ns=0,
            ended_ns=_ns(wall),
            cpu_s=each.cpu_s,
            counters=_read_counters(found, each, turn == typical),
            closeup=None,
            figures=each.figures,
            pulse=None,
            known_in_flight=each.in_flight,
        )


def _read_outcomes(found: dict[str, Any], tasks: int) -> tuple[Outcome, ...]:
    failed = {each["task"]: parts.read_outcome(each) for each in found["failed"]}
    return tuple(failed.get(task, Outcome("ok")) for task in range(tasks))


def _read_counters(found: dict[str, Any], run: _Counted, typical: bool) -> Counters | None:
    if found["counters"] is None:
        return None
    usages = tuple(map(_read_usage, found["workers_used"])) if typical else ()
    return made(Counters, found["counters"], usages=usages, throttled_s=run.throttled_s, others_s=run.others_s)


def _read_usage(found: dict[str, Any]) -> Usage:
    return made(Usage, {"gil_waits": 0, **found}, began_ns=_ns(found["ready_s"]), ended_ns=_ns(found["ended_s"]))


def _read_span(found: dict[str, Any]) -> Span:
    times = {f"{name}_ns": _ns(found[f"{name}_s"]) for name in ("claimed", "started", "finished", "cpu")}
    return made(Span, found, **times)


def _ns(seconds: object) -> int:
    found: float = typed(float, seconds, "a time")
    return round(found * 1e9)


def _read_closeup(found: dict[str, Any]) -> Closeup | None:
    memory, pickled, lag = found["memory"], found["pickle"] or {}, found["loop_lag"] or {}
    closeup = Closeup(
        peak_pss_bytes=typed(int | None, memory["peak_pss_bytes"], "peak_pss_bytes"),
        peak_rss_bytes=typed(tuple[int, ...], memory["peak_rss_bytes"], "peak_rss_bytes"),
        pickled_bytes=typed(int | None, pickled.get("bytes"), "bytes"),
        pickle_s=typed(float | None, pickled.get("seconds"), "seconds"),
        loop_lag_s=typed(float | None, lag.get("sum_s"), "sum_s"),
        max_loop_lag_s=typed(float | None, lag.get("max_s"), "max_s"),
        memory=parts.read_memory(memory.get("series", {"at_s": [], "pss_bytes": []})),
    )
    return None if closeup == Closeup() else closeup


def _read_verdict(found: dict[str, Any]) -> Verdict | None:
    told = found["measured"]
    return None if told is None else made(Verdict, told, interval=made(Interval, told["ci95"]))
