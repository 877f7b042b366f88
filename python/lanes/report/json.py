"""A comparison as JSON, version 1. Fields are added, never renamed.

One comparison:

    schema    1
    workload  name, params (the user's choices) and tasks (how many)
    machine   what the result depends on: see lanes/machine.py
    rounds    how many samples each row was to have
    seed      of the random order of the samples
    distance  from Python threads to native threads: interpreter, gil, dispatch, total; null without the rows it needs
    rows      in the order of the grid

A row:

    model, family, body      body is null for native models
    workers                  threads, processes or tasks in flight
    wall_s                   samples, one a round, and median; seconds, start-up and shutdown of workers included
    speedup                  samples and median of the baseline's wall over this row's in the same round
    cpu_s, cores             medians: CPU seconds of the process and its children; processors kept busy
    startup_s, shutdown_s    of the typical run: before the first task was taken, after the last had ended
    start_method             how worker processes were started; null where there were none
    agrees                   whether all outcomes are the baseline's (serial, python); null when it did not run
    differences              task, text, round, expected and got (status, value, error, detail)
    error                    why its runs ended early, in one line, or null
    reason                   why the cell makes no sense, or null; such a row has no samples
    origin_busy              share of a run's wall for which the embedded origin computed, at its worst, or null
    spans                    of the typical run, the one with the median wall, in the order of the tasks

A span: task, worker, thread_id, process_id, cpu, and in seconds since the start of its run claimed_s, started_s,
finished_s; cpu_s is the CPU time of its worker's thread. Several comparisons written at once are
{"schema": 1, "comparisons": [...]}, each as above. Numbers that are not known are null.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from lanes.compare import Comparison, Difference, Row
from lanes.types import Outcome, Run, Span

SCHEMA = 1

Document: TypeAlias = dict[str, Any]
"""A comparison as it was read."""


def document(comparison: Comparison) -> dict[str, object]:
    """A comparison as what JSON can hold."""
    workload, distance = comparison.workload, comparison.distance
    return {
        "schema": SCHEMA,
        "workload": {"name": workload.name, "params": dict(workload.params), "tasks": len(workload.tasks)},
        "machine": dict(comparison.machine),
        "rounds": comparison.rounds,
        "seed": comparison.seed,
        "distance": distance
        and {
            "interpreter": distance.interpreter,
            "gil": distance.gil,
            "dispatch": distance.dispatch,
            "total": distance.total,
        },
        "rows": [_row(row) for row in comparison],
    }


def text(comparisons: Sequence[Comparison]) -> str:
    """One comparison as itself, several as a list."""
    documents = [document(comparison) for comparison in comparisons]
    whole = documents[0] if len(documents) == 1 else {"schema": SCHEMA, "comparisons": documents}
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


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


def write(comparisons: Sequence[Comparison], path: Path) -> None:
    """Write the file as a whole or not at all; a pipe or a device is written to as it is."""
    write_text(text(comparisons), path)


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


def _row(row: Row) -> dict[str, object]:
    run = row.typical
    return {
        "model": row.model,
        "family": row.family,
        "body": row.body,
        "workers": row.workers,
        "wall_s": {"samples": list(row.walls), "median": row.wall},
        "speedup": {"samples": list(row.ratios), "median": row.speedup},
        "cpu_s": row.cpu_s,
        "cores": row.cores,
        "startup_s": run.startup_s if run else None,
        "shutdown_s": run.shutdown_s if run else None,
        "start_method": row.start_method,
        "agrees": row.agrees,
        "differences": [_difference(difference) for difference in row.differences],
        "error": row.error,
        "reason": row.reason,
        "origin_busy": row.origin_busy,
        "spans": [_span(task, span, run) for task, span in enumerate(row.spans)] if run else [],
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
        "value": list(outcome.value),
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
