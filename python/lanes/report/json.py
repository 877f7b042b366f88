"""A comparison as JSON, version 1. Fields are added, never renamed.

One comparison:

    schema    1
    label     what it was made for, such as the name of a test; null where nobody said
    workload  name, params (the user's choices) and tasks (how many)
    machine   what the result depends on: see lanes/machine.py
    rounds    how many samples each row was to have
    budget_s  the time that they were to take; null where the number of rounds was given
    seed      of all that was left to chance, the order of the samples first; --seed repeats it
    distance  from Python threads to native threads: interpreter, gil, dispatch, total; null without the rows it needs
    rows      in the order of the grid

A row:

    model, family, body      model as typed, brackets included: "multiprocessing[spawn]"; body is null for native models
    variant                  what stands in the brackets of the model, or null
    switching                who decides when one worker gives way to another
    processors               how many its workers can use, with this body on this interpreter: "1" or "many"
    workers                  threads, processes or tasks in flight
    wall_s                   samples, one a round, median and ci95; seconds, start-up and shutdown of workers included
    speedup                  samples, median and ci95 of the baseline's wall over this row's in the same round; outliers
    verdict                  "faster", "slower" or "cannot tell" than the baseline; null for that and for void rows
    laws                     name, held and why of each law that applies; a broken one voids the verdict
    cpu_s, cores             medians: CPU seconds of the process and its children; processors kept busy
    in_flight                tasks begun and not finished: mean over the work (the median of the runs), max of all runs;
                             more of them than cores is concurrency, no more is parallelism
    startup_s                of the typical run, until the first task was taken
    work_s, shutdown_s       then until the last had ended; and from there to the end
    split                    of the typical run, seconds of its workers while at work: cpu_user_s, cpu_system_s,
                             run_queue_s, gil_wait_s, blocked_s; they add up to total_s, workers times work_s
    gil                      of the typical run: wait_s of all workers, wait_share of their time, handovers, method and
                             cost_s of measuring; null for native models. method is null where there is no GIL, and
                             where waits for it cannot be measured; handovers are those of the process that runs the
                             model, not of worker processes
    switches                 voluntary and involuntary context switches of the typical run's workers
    cpus                     how many processors its tasks started on
    workers_used             of the typical run, per worker: process_id, thread_id, ready_s and ended_s since the start
                             of the run, its parts of the split but blocked, and its context switches
    figures                  what the workload measured of itself, by name: unit, median, and samples, one for each
                             round in which it was known; {} where it measures nothing but time. Which there are, and
                             how they are measured, stands at the top of its file in lanes/workloads
    memory                   peak_pss_bytes of the process and its children, peak_rss_bytes of each; series, the first
                             as it changed: at_s since the start of the run, and as many pss_bytes; a run of its own
    pickle                   bytes and seconds, in a run of its own; null where nothing is pickled
    loop_lag                 sum_s and max_s that callbacks stood ready, in a run of its own; null without a loop
    pulse                    in a run of its own, how late something came that tried to beat every period_s beside the
                             work: where ("loop" or "thread"), beats that were due, missed, the ones that came no sooner
                             than the next was due, p50_s, p99_s and max_s; null without --pulse
    why                      where the time of the typical run went, in one sentence
    start_method             how worker processes were started; null where there were none
    agrees                   whether all outcomes are the baseline's (serial, python); null when it did not run
    differences              task, text, round, expected and got: status, value (whole numbers, or a function's result
                             in words), error, detail
    error                    why its runs ended early, in one line, or null
    stall                    where every worker stood when the deadline came, see below; null where none came
    reason                   why the cell makes no sense, or null; such a row has no samples
    origin_busy              share of a run's wall for which the embedded origin computed, at its worst, or null
    spans                    of the typical run, the one with the median wall, in the order of the tasks

A sweep has rows for every number of workers and, under "sweep", these workers and curves: model, body, workers and
speedup (the medians); amdahl and usl, each with single, contention, coherence, r_squared and peak_workers, or null;
best_workers; pays_off_s, the length of a serial task above which the model is faster, null where never_pays_off.

A stall: deadline_s and processes, each with process_id, parent_id, name, state, source (who said where its threads
stood: "process" itself, its "faulthandler", where it did not come to say so, or only the "kernel") and

    threads                  name, thread_id; frames, the innermost last: function, file, line, code; waits_for, and
                             held_by, a thread_id, where they are certain; state, system_call and waits_in, as the
                             kernel saw the thread
    coroutines               the asyncio tasks of its loops: name, waits_for and frames, the chain of what it awaits
    native                   the native tasks: name (the model), worker, thread_id, state, system_call, waits_in

of which each says with at_work, task, text and for_s whether it did a task of lanes, which, and for how long. Where
faulthandler was the source, threads with frames have no thread_id, but for the main one, and stand beside the kernel's.

What `lanes anatomy --json` writes has schema, workload, machine and seed, and under "anatomy" a list of looks, in the
order of the grid; sizes are in bytes. A look:

    model, body, workers     as in a row
    tasks, repeats           how many tasks there were, each of the workload's so many times, to make the work last
    at_s, work_s, took_s     when it was taken, since the first task was; how long the work took, and the look
    in_flight                tasks begun and not finished at that moment
    pss_bytes                of all processes together
    kernel                   stack_bytes: of a thread's stack in the kernel, the machine's average, or null; structures:
                             the size of one of each by name, as slabinfo tells root; else empty
    processes                each before its children: process_id, parent_id, name (the kernel's), command, forked,
                             resident_bytes, pss_bytes, page_tables_bytes, descriptor_slots; and
      threads                thread_id, name, state, wchan, cpu (where it was last), cpu_user_s, cpu_system_s,
                             run_queue_s, voluntary, involuntary, stack_bytes, tasks (those that it was at)
      areas                  code, read-only data, data and heap, stacks, shared memory, reserved, kernel's; of each
                             mappings, and size, resident, pss, shared_clean, shared_dirty, private_clean,
                             private_dirty and swap, each with _bytes. They add up to the kernel's totals
      since_fork             of a copy of its parent shared_bytes, copied_bytes and new_bytes: of the pages that it can
                             write to; null for others
      descriptors            number, kind (file, pipe, socket, eventfd, epoll, memfd, ...), target
    reason, error            why the cell makes no sense, or why there was nothing to be seen; or null

A load has schema, workload, machine and seed as above, no rows of a comparison, and under "load":

    rate                     arrivals a second; arrivals, "constant" or "poisson"; for_s, for how long they came
    queue, full              how many may wait, null for any number; "wait" or "reject", what comes to a full one
    open_s                   what had not begun so long after the beginning is left
    offered                  how many tasks arrived at each model
    unchecked                why no outcomes could be held against the baseline's, or null
    rows                     in the order of the grid: model, family, body, workers; arrived, and what adds up to it:
                             completed, failed, rejected, left; waiting_s (from due to started), working_s (from there
                             to finished), latency_s (from due to finished) and slip_s (from due to admitted, the
                             producer's), each with p50, p90, p99 and max, or null where no task came so far;
                             most_backlog (in the queue) and most_at_work (begun and not finished); served, tasks
                             finished a second; peak_pss_bytes, and memory, which has at_s since the beginning and
                             as many pss_bytes; series; agrees, differences, error, stall and reason
    series                   of a row, in intervals of equal length: until_s; the most in it of backlog, outside (due,
                             and kept waiting by a full queue) and at_work; served a second; service_s, the median of
                             working_s of those finished in it, or null

A span: task, worker, thread_id, process_id, cpu, and in seconds since the start of its run claimed_s, started_s,
finished_s; cpu_s is the CPU time of its worker's thread. Several comparisons written at once are
{"schema": 1, "comparisons": [...]}, each as above. Numbers that are not known are null.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from lanes.backlog import Point, Times
from lanes.comparison import Comparison, Difference, Row
from lanes.load import Load, LoadRow
from lanes.report import stall
from lanes.sweep import Curve, Fit, Sweep
from lanes.types import Closeup, Measuring, MemoryAt, Outcome, Pulse, Run, Span, Usage

SCHEMA = 1

Document: TypeAlias = dict[str, Any]
"""A comparison as it was read."""


def document(result: Comparison | Sweep | Load) -> dict[str, object]:
    """A comparison, a sweep or a load as what JSON can hold."""
    if isinstance(result, Load):
        return _load(result)
    if isinstance(result, Sweep):
        curves = [_curve(curve) for curve in result.curves]
        return {**document(result.comparison), "sweep": {"workers": list(result.workers), "curves": curves}}
    comparison = result
    workload, distance = comparison.workload, comparison.distance
    units = workload.units if isinstance(workload, Measuring) else {}
    return {
        "schema": SCHEMA,
        "label": comparison.label,
        "workload": {"name": workload.name, "params": dict(workload.params), "tasks": len(workload.tasks)},
        "machine": dict(comparison.machine),
        "rounds": comparison.rounds,
        "budget_s": comparison.budget_s,
        "seed": comparison.seed,
        "distance": distance
        and {
            "interpreter": distance.interpreter,
            "gil": distance.gil,
            "dispatch": distance.dispatch,
            "total": distance.total,
        },
        "rows": [_row(row, comparison.explanation(row), units) for row in comparison],
    }


def _load(load: Load) -> dict[str, object]:
    workload, terms = load.workload, load.terms
    return {
        "schema": SCHEMA,
        "workload": {"name": workload.name, "params": dict(workload.params), "tasks": len(workload.tasks)},
        "machine": dict(load.machine),
        "seed": load.seed,
        "load": {
            "rate": terms.rate,
            "arrivals": terms.arrivals,
            "for_s": terms.seconds,
            "queue": terms.bound,
            "full": terms.full,
            "open_s": terms.open_s,
            "offered": load.offered,
            "unchecked": load.unchecked,
            "rows": [_load_row(row, load.unchecked is None) for row in load],
        },
    }


def _load_row(row: LoadRow, checked: bool) -> dict[str, object]:
    return {
        "model": row.model,
        "family": row.family,
        "body": row.body,
        "workers": row.workers,
        "arrived": row.arrived,
        "completed": row.completed,
        "failed": row.failed,
        "rejected": row.rejected,
        "left": row.left,
        "waiting_s": _times(row.waiting),
        "working_s": _times(row.working),
        "latency_s": _times(row.latency),
        "slip_s": _times(row.slip),
        "most_backlog": row.most_backlog,
        "most_at_work": row.most_at_work,
        "served": row.served,
        "peak_pss_bytes": row.peak_pss_bytes,
        "memory": _memory(row.memory),
        "series": [_point(point) for point in row.series],
        "agrees": not row.differences if checked and row.error is None and row.reason is None else None,
        "differences": [_difference(difference) for difference in row.differences],
        "error": row.error,
        "stall": row.stall and stall.document(row.stall),
        "reason": row.reason,
    }


def _times(times: Times | None) -> dict[str, float] | None:
    return None if times is None else {"p50": times.p50, "p90": times.p90, "p99": times.p99, "max": times.max}


def _point(point: Point) -> dict[str, object]:
    return {
        "until_s": point.until_s,
        "backlog": point.backlog,
        "outside": point.outside,
        "at_work": point.at_work,
        "served": point.served,
        "service_s": point.service_s,
    }


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


def text(results: Sequence[Comparison | Sweep | Load]) -> str:
    """One result as itself, several as a list."""
    documents = [document(result) for result in results]
    whole = documents[0] if len(documents) == 1 else {"schema": SCHEMA, "comparisons": documents}
    return dumped(whole)


def dumped(document: Mapping[str, object]) -> str:
    """A document as it stands in a file."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def check_writable(path: Path) -> None:
    """Raise OSError, naming the path, if `write` could not write there. To be asked before a long run."""
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a directory")
    if is_special(path):
        needed = [path]
    else:
        # The directory, too, as the file is replaced.
        target = path.resolve()
        if not target.parent.is_dir():
            raise FileNotFoundError(f"cannot write {path}: there is no directory {target.parent}")
        needed = [target, target.parent] if target.exists() else [target.parent]
    if not all(os.access(each, os.W_OK) for each in needed):
        raise PermissionError(f"cannot write {path}: permission denied")


def write(results: Sequence[Comparison | Sweep | Load], path: Path) -> None:
    """Write the file as a whole or not at all; a pipe or a device is written to as it is."""
    write_text(text(results), path)


def write_text(text: str, path: Path) -> None:
    """The same for a text that is made already."""
    if is_special(path):
        path.write_text(text, encoding="utf-8")
        return
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        if target.exists():
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def read(path: Path) -> list[Document]:
    """The comparisons in a file that `write` wrote; OSError or ValueError, in one line, for any other."""
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ValueError(f"cannot read {path}: it is not JSON") from None
    schema = found.get("schema") if isinstance(found, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise ValueError(f"cannot read {path}: it is of version {schema}, and this lanes knows version {SCHEMA}")
    documents: object = found.get("comparisons", [found]) if schema == SCHEMA else []
    if isinstance(documents, list) and any(isinstance(each, dict) and "load" in each for each in documents):
        raise ValueError(f"cannot read {path}: it is a load, and a report needs results of lanes compare --json")
    if not isinstance(documents, list) or not documents or not all(map(_is_comparison, documents)):
        raise ValueError(f"cannot read {path}: it is no result of lanes compare --json")
    return documents


def _is_comparison(found: object) -> bool:
    """Whether it has what reports ask for."""
    match found:
        case {"workload": {"name": str(), "params": dict(), "tasks": int()}, "machine": dict(), "rows": [*rows]}:
            return all(map(_is_row, rows))
    return False


def _is_row(found: object) -> bool:
    match found:
        case {
            "model": str(),
            "body": str() | None,
            "workers": int(),
            "wall_s": {"samples": [*walls]},
            "agrees": bool() | None,
            "error": str() | None,
            "reason": str() | None,
        }:
            return all(isinstance(wall, int | float) and 0 < wall < math.inf for wall in walls)
    return False


def is_special(path: Path) -> bool:
    """Whether it is there and no regular file, and so is written to once: replacing /dev/null would be a surprise.

    To be asked of the path as it was given: what /dev/stdout leads to may be a pipe, which has no other path.
    """
    return path.exists() and not path.is_file()


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
        "laws": [{"name": each.name, "held": each.held, "why": each.why} for each in row.judgements],
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
        "figures": _figures(row, units),
        **_closeup(row),
        "pulse": _pulse(row.pulse),
        "why": why,
        "start_method": row.start_method,
        "agrees": row.agrees,
        "differences": [_difference(difference) for difference in row.differences],
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
        "voluntary": usage.voluntary,
        "involuntary": usage.involuntary,
    }


def _closeup(row: Row) -> dict[str, object]:
    seen = row.closeup or Closeup()
    return {
        "memory": {
            "peak_pss_bytes": seen.peak_pss_bytes,
            "peak_rss_bytes": list(seen.peak_rss_bytes),
            "series": _memory(seen.memory),
        },
        "pickle": None if seen.pickle_s is None else {"bytes": seen.pickled_bytes, "seconds": seen.pickle_s},
        "loop_lag": None if seen.loop_lag_s is None else {"sum_s": seen.loop_lag_s, "max_s": seen.max_loop_lag_s},
    }


def _memory(series: Sequence[MemoryAt]) -> dict[str, object]:
    return {"at_s": [point.at_s for point in series], "pss_bytes": [point.pss_bytes for point in series]}


def _pulse(pulse: Pulse | None) -> dict[str, object] | None:
    if pulse is None:
        return None
    return {
        "where": pulse.where,
        "period_s": pulse.period_s,
        "beats": pulse.beats,
        "missed": pulse.missed,
        "p50_s": pulse.p50_s,
        "p99_s": pulse.p99_s,
        "max_s": pulse.max_s,
    }


def _difference(difference: Difference) -> dict[str, object]:
    return {
        "task": difference.task,
        "text": difference.text,
        "round": difference.round,
        "expected": _outcome(difference.expected),
        "got": _outcome(difference.got),
    }


def _outcome(outcome: Outcome) -> dict[str, object]:
    return {
        "status": outcome.status,
        "value": [each if isinstance(each, int) else str(each) for each in outcome.value],
        "error": outcome.error,
        "detail": outcome.detail,
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
