"""Comparisons as pyperf's JSON, format 1.0: `python -m pyperf compare_to before.json after.json`, `stats`, `hist`, ...

A benchmark is a row of the grid that ran: its runs are the rounds, each a process of its own with one value, its wall
seconds. What the result depends on stands in the metadata. A row that failed, is void or answered otherwise than the
baseline is left out: pyperf has no words for it.

The format: https://pyperf.readthedocs.io/en/latest/api.html#pyperf-json
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lanes.comparison import Comparison, Row
from lanes.report.files import dumped
from lanes.report.wording import count, params_of
from lanes.shown import Shown
from lanes.sweep import Sweep

_FACTS = {
    "python": "python_version",
    "implementation": "python_implementation",
    "compiler": "python_compiler",
    "cpu": "cpu_model_name",
    "processors": "cpu_count",
    "architecture": "platform",
}
"""What pyperf calls some of the machine's facts; all others bear our names."""


def text(results: Sequence[Shown]) -> str:
    """The rows of comparisons and sweeps as benchmarks. Raises ValueError for other results, and where none is left."""
    found = [benchmark for result in results for benchmark in _benchmarks(_comparison(result))]
    if not found:
        raise ValueError("pyperf needs rows that ran, agree and break no law, and there is none")
    return dumped({"version": "1.0", "benchmarks": _apart(found)})


def _comparison(result: Shown) -> Comparison:
    if isinstance(result, Sweep):
        return result.comparison
    if isinstance(result, Comparison):
        return result
    raise ValueError(f"pyperf takes the rows of a Comparison or a Sweep: a {type(result).__name__} has none")


def _benchmarks(comparison: Comparison) -> Iterator[tuple[str, dict[str, object], Row]]:
    """Name, metadata and row of each."""
    workload, label = comparison.workload, comparison.label
    about = workload.name if label is None else f"{label}: {workload.name}"
    shared = {
        **_facts(comparison.machine),
        "unit": "second",
        "loops": 1,
        "workload": workload.name,
        "params": ", ".join(params_of(workload)),
        "tasks": len(workload.tasks),
        "seed": comparison.seed,
    }
    for row in comparison:
        if row.runs and row.error is None and row.agrees and not row.broken:
            name = f"{about} {row.name}, {count(row.workers, 'worker')}"
            yield name, {**shared, "model": row.model, "body": row.body or "C", "workers": row.workers}, row


def _facts(machine: Mapping[str, object]) -> dict[str, object]:
    """Those that are numbers or texts: pyperf takes no others."""
    return {_FACTS.get(name, name): value for name, value in machine.items() if type(value) in (int, float, str)}


def _apart(found: Sequence[tuple[str, dict[str, object], Row]]) -> list[dict[str, object]]:
    """The benchmarks, of which no two may have the same name: the later ones of a workload that is there twice are
    numbered."""
    seen: dict[str, int] = {}
    made: list[dict[str, object]] = []
    for name, metadata, row in found:
        seen[name] = turn = seen.get(name, 0) + 1
        named = {"name": f"{name} ({turn})" if turn > 1 else name, **metadata}
        made.append({"metadata": named, "runs": [{"values": [wall]} for wall in row.walls]})
    return made
