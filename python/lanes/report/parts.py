"""What documents of several kinds of results have in common: outcomes, how they differ, memory as it changed, the
machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lanes.comparison import Difference
from lanes.report.fields import made, typed
from lanes.types import MemoryAt, Outcome


def outcome(outcome: Outcome) -> dict[str, object]:
    return {
        "status": outcome.status,
        "value": [each if isinstance(each, int) else str(each) for each in outcome.value],
        "error": outcome.error,
        "detail": outcome.detail,
    }


def read_outcome(found: dict[str, Any]) -> Outcome:
    """With the value in words where it was no whole number; what its figures and its exception were is not written."""
    return Outcome(
        typed(str, found["status"], "status"),
        typed(tuple[object, ...], found.get("value", []), "value"),
        typed(str | None, found["error"], "error"),
        typed(str, found["detail"], "detail"),
    )


def difference(difference: Difference) -> dict[str, object]:
    return {
        "task": difference.task,
        "text": difference.text,
        "round": difference.round,
        "expected": outcome(difference.expected),
        "got": outcome(difference.got),
    }


def read_difference(found: dict[str, Any]) -> Difference:
    return made(Difference, found, expected=read_outcome(found["expected"]), got=read_outcome(found["got"]))


def memory(series: Sequence[MemoryAt]) -> dict[str, object]:
    return {"at_s": [point.at_s for point in series], "pss_bytes": [point.pss_bytes for point in series]}


def read_memory(found: dict[str, Any]) -> tuple[MemoryAt, ...]:
    times = typed(tuple[float, ...], found["at_s"], "at_s")
    return tuple(map(MemoryAt, times, typed(tuple[int, ...], found["pss_bytes"], "pss_bytes")))


def read_machine(found: dict[str, Any]) -> dict[str, object]:
    """The machine's facts, with those that every table names."""
    facts: dict[str, object] = typed(dict[str, object], found["machine"], "machine")
    for name, kind in (("python", str), ("gil", bool), ("processors_usable", int)):
        typed(kind, facts.get(name), name)
    return facts
