"""Two result files side by side: what became faster or slower from the first, A, to the second, B.

Comparisons belong together when their workload, its choices and the number of tasks are the same; rows when model, body
and workers are. What is in one file only is named. Nothing ties the n-th round of one file to the n-th of the other, so
their samples are not paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lanes import machine, stats
from lanes.comparison import label
from lanes.report.json import Document
from lanes.report.table import STYLES, bare_table, count, factor, listed, params_of, print_table, time_unit

Row: TypeAlias = dict[str, Any]
"""A row as it was read."""

Pair: TypeAlias = tuple[Document, Document]


def pairs(one: Sequence[Document], other: Sequence[Document]) -> list[Pair]:
    """The comparisons that belong together. Raise ValueError if there are none."""
    left, found = list(other), []
    for document in one:
        match = next((each for each in left if _workload(each) == _workload(document)), None)
        if match is not None:
            left.remove(match)
            found.append((document, match))
    if not found:
        raise ValueError("no workload is in both files with the same choices and number of tasks")
    return found


def show(one: Sequence[Document], other: Sequence[Document], names: tuple[str, str], console: Console) -> None:
    """Print a table for every workload that both files have."""
    matched = pairs(one, other)
    _print((f"{letter}: {name}" for letter, name in zip("AB", names, strict=True)), console)
    _print((Text(line, "yellow") for line in _warnings(matched)), console)
    for letter, documents, place in (("A", one, 0), ("B", other, 1)):
        alone = [document for document in documents if not any(document is pair[place] for pair in matched)]
        _print((Text(f"Only in {letter}: {_title(document)}", "yellow") for document in alone), console)
    for first, second in matched:
        console.print()
        _print([Text(_title(first), "bold")], console)
        both = _both(first, second)
        print_table(_table(both), console)
        console.print()
        _print(_notes(first, second, both), console)


def _print(lines: Iterable[str | Text], console: Console) -> None:
    """In a pipe a line stays one line, for whoever searches it."""
    for line in lines:
        console.print(line, soft_wrap=not console.is_terminal)


def _workload(document: Document) -> list[object]:
    return [document["workload"][key] for key in ("name", "params", "tasks")]


def _title(document: Document) -> str:
    name, params, tasks = _workload(document)
    return f"{name}: {', '.join([count(tasks, 'task'), *params_of(params)])}"


def _warnings(matched: Sequence[Pair]) -> list[str]:
    """What differs between the machines, once for all workloads."""
    found = [each for first, second in matched for each in machine.differences(first["machine"], second["machine"])]
    if not found:
        return []
    return ["A and B are of machines that differ, so what is faster may not be the code:", *dict.fromkeys(found)]


def _both(first: Document, second: Document) -> list[tuple[Row, Row]]:
    """The rows that both have and that make sense, in the order of the first."""
    rows = {_key(row): row for row in second["rows"] if row["reason"] is None}
    return [(row, rows[_key(row)]) for row in first["rows"] if row["reason"] is None and _key(row) in rows]


def _key(row: Row) -> tuple[object, ...]:
    return row["model"], row["body"], row["workers"]


def _table(both: Sequence[tuple[Row, Row]]) -> Table:
    unit, scale, digits = time_unit([wall for pair in both for row in pair if (wall := stats.median(_walls(row)))])
    table = bare_table()
    for name in ("model", "body"):
        table.add_column(name, no_wrap=True)
    for name in ("workers", f"A, {unit}", f"B, {unit}", "factor"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("B is", no_wrap=True)
    for before, after in both:
        walls = (stats.median(_walls(row)) for row in (before, after))
        table.add_row(
            *(before["model"], before["body"] or "", str(before["workers"])),
            *("-" if wall is None else f"{wall * scale:,.{digits}f}" for wall in walls),
            *_judged(before, after),
        )
    return table


def _walls(row: Row) -> list[float]:
    walls: list[float] = row["wall_s"]["samples"]
    return walls


def _judged(before: Row, after: Row) -> tuple[str, Text]:
    """The factor and the verdict. What failed, answered otherwise than the baseline, or broke a law is not compared."""
    if before["error"] is not None or after["error"] is not None or not (_walls(before) and _walls(after)):
        return "-", Text("error", "red")
    if not before["agrees"] or not after["agrees"]:
        return "-", Text("DIFFERS", "bold red")
    if _broken(before) or _broken(after):
        return "-", Text("void", "bold red")
    verdict = stats.unpaired(_walls(after), _walls(before))
    return factor(verdict.factor), Text(verdict.word, STYLES.get(verdict.word, "dim"))


def _broken(row: Row) -> list[str]:
    """What laws it breaks, and how. Earlier versions knew no laws."""
    return [law["why"] for law in row.get("laws", []) if not law["held"]]


def _notes(first: Document, second: Document, both: Sequence[tuple[Row, Row]]) -> Iterator[Text]:
    counts = {(len(_walls(before)), len(_walls(after))) for before, after in both if _walls(before) and _walls(after)}
    for some, others in sorted(counts):
        if not stats.enough(some, others):
            yield Text(f"{count(some, 'round')} and {others} are too few to tell anything: take 4 of each.", "yellow")
    keys = {_key(before) for before, _ in both}
    for letter, document in (("A", first), ("B", second)):
        alone = [row for row in document["rows"] if row["reason"] is None and _key(row) not in keys]
        if alone:
            yield Text(f"Only in {letter}: {listed([_name(row) for row in alone])}")
        for row in document["rows"]:
            if row["error"] is not None:
                yield Text(f"{letter}: {_name(row)}: {row['error']}", "red")
            elif row["agrees"] is False:
                yield Text(f"{letter}: {_name(row)} gave other outcomes than the baseline", "red")
            elif broken := _broken(row):
                yield Text(f"{letter}: {_name(row)} is void: {'; '.join(broken)}", "red")


def _name(row: Row) -> str:
    return f"{label(row['model'], row['body'])} with {count(row['workers'], 'worker')}"
