"""Two result files side by side: what became faster or slower from the first, A, to the second, B.

Comparisons belong together when their label, their workload, its choices and the number of tasks are the same; rows
when model, body and workers are. What is in one file only is named. Nothing ties the n-th round of one file to the n-th
of the other, so their samples are not paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from json import dumps
from typing import TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lanes import machine, stats
from lanes.comparison import Comparison, Row
from lanes.report.blocks import Block
from lanes.report.wording import STYLES, bare_table, count, factor, listed, params_of, print_table, time_unit
from lanes.shown import Shown
from lanes.sweep import Sweep

Pair: TypeAlias = tuple[Comparison, Comparison]


def comparisons(results: Iterable[Shown], name: str) -> list[Comparison]:
    """The comparisons that a file of this name has. Raise ValueError where it has anything else."""
    found = [result.comparison if isinstance(result, Sweep) else result for result in results]
    for result in found:
        if not isinstance(result, Comparison):
            kind = type(result).__name__.lower()
            raise ValueError(f"{name} is of the kind {kind}, and only comparisons and sweeps are held against others")
    return [result for result in found if isinstance(result, Comparison)]


def partners(ones: Iterable[Comparison], others: Iterable[Comparison]) -> list[Comparison | None]:
    """For each of the ones that of the others which it belongs to, None where there is none left: the first of several
    alike to the first, the second to the second."""
    left, found = list(others), list[Comparison | None]()
    for each in ones:
        place = next((n for n, match in enumerate(left) if _workload(match) == _workload(each)), None)
        found.append(None if place is None else left.pop(place))
    return found


def pairs(one: Sequence[Comparison], other: Sequence[Comparison]) -> list[Pair]:
    """The comparisons that belong together. Raise ValueError if there are none."""
    found = [(each, match) for each, match in zip(one, partners(one, other), strict=True) if match is not None]
    if not found:
        raise ValueError("no workload is in both files with the same choices and number of tasks")
    return found


def show(one: Sequence[Comparison], other: Sequence[Comparison], names: tuple[str, str], console: Console) -> None:
    """Print a table for every workload that both files have."""
    for place, block in enumerate(blocks(one, other, names)):
        if place:
            console.print()
        if block.heading:
            console.print(Text(block.heading, "bold"), soft_wrap=not console.is_terminal)
        for part in block.parts:
            if isinstance(part, Table):
                print_table(part, console)
                console.print()
            else:  # in a pipe a line stays one line, for whoever searches it
                console.print(part, soft_wrap=not console.is_terminal)


def blocks(one: Sequence[Comparison], other: Sequence[Comparison], names: tuple[str, str]) -> Iterator[Block]:
    """Which files they are and what differs of their machines; then a table for every workload that both have."""
    matched = pairs(one, other)
    lines = [Text(f"{letter}: {name}") for letter, name in zip("AB", names, strict=True)]
    lines += [Text(line, "yellow") for line in _warnings(matched)]
    for letter, all_of_it, place in (("A", one, 0), ("B", other, 1)):
        alone = [each for each in all_of_it if not any(each is pair[place] for pair in matched)]
        lines += [Text(f"Only in {letter}: {_title(each)}", "yellow") for each in alone]
    yield Block("", tuple(lines))
    for first, second in matched:
        both = rows_of_both(first, second)
        yield Block(_title(first), (_table(both), *_notes(first, second, both)))


def _workload(comparison: Comparison) -> tuple[str | None, str, str, int]:
    """What two comparisons of the same work have in common: what they were made for, such as a test, the name of the
    work, the choices as JSON has them, how many tasks."""
    workload = comparison.workload
    return comparison.label, workload.name, dumps(dict(workload.params)), len(workload.tasks)


def _title(comparison: Comparison) -> str:
    workload, label = comparison.workload, "" if comparison.label is None else f"{comparison.label}: "
    facts = count(len(workload.tasks), "task"), *params_of(workload)
    return f"{label}{workload.name}: {', '.join(facts)}"


def _warnings(matched: Sequence[Pair]) -> list[str]:
    """What differs between the machines, once for all workloads."""
    found = [each for first, second in matched for each in machine.differences(first.machine, second.machine)]
    if not found:
        return []
    return ["A and B are of machines that differ, so what is faster may not be the code:", *dict.fromkeys(found)]


def rows_of_both(first: Comparison, second: Comparison) -> list[tuple[Row, Row]]:
    """The rows that both have and that make sense, in the order of the first."""
    rows = {_key(row): row for row in second if row.reason is None}
    return [(row, rows[_key(row)]) for row in first if row.reason is None and _key(row) in rows]


def comparable(row: Row) -> bool:
    """Whether a row can be held against another: it came to its end, kept all laws, and gave the baseline's answers."""
    return row.is_sound and row.agrees is True


def _key(row: Row) -> tuple[object, ...]:
    return row.model, row.body, row.workers


def _table(both: Sequence[tuple[Row, Row]]) -> Table:
    unit, scale, digits = time_unit([row.wall for pair in both for row in pair if row.wall is not None])
    table = bare_table()
    for name in ("model", "body"):
        table.add_column(name, no_wrap=True)
    for name in ("workers", f"A, {unit}", f"B, {unit}", "factor"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("B is", no_wrap=True)
    for before, after in both:
        table.add_row(
            *(before.model, before.body or "", str(before.workers)),
            *("-" if row.wall is None else f"{row.wall * scale:,.{digits}f}" for row in (before, after)),
            *_judged(before, after),
        )
    return table


def _judged(before: Row, after: Row) -> tuple[str, Text]:
    """The factor and the verdict. What failed, answered otherwise than the baseline, or broke a law is not compared."""
    if before.error is not None or after.error is not None or not (before.walls and after.walls):
        return "-", Text("error", "red")
    if not before.agrees or not after.agrees:
        return "-", Text("DIFFERS", "bold red")
    if before.broken or after.broken:
        return "-", Text("void", "bold red")
    verdict = stats.unpaired(after.walls, before.walls)
    return factor(verdict.factor), Text(verdict.word, STYLES.get(verdict.word, "dim"))


def _notes(first: Comparison, second: Comparison, both: Sequence[tuple[Row, Row]]) -> Iterator[Text]:
    counts = {(len(before.walls), len(after.walls)) for before, after in both if before.walls and after.walls}
    for some, others in sorted(counts):
        if not stats.enough(some, others):
            yield Text(f"{count(some, 'round')} and {others} are too few to tell anything: take 4 of each.", "yellow")
    keys = {_key(before) for before, _ in both}
    for letter, comparison in (("A", first), ("B", second)):
        alone = [row for row in comparison if row.reason is None and _key(row) not in keys]
        if alone:
            yield Text(f"Only in {letter}: {listed([_name(row) for row in alone])}")
        for row in comparison:
            if row.error is not None:
                yield Text(f"{letter}: {_name(row)}: {row.error}", "red")
            elif row.agrees is False:
                yield Text(f"{letter}: {_name(row)} gave other outcomes than the baseline", "red")
            elif row.broken:
                yield Text(f"{letter}: {_name(row)} is void: {'; '.join(law.why for law in row.broken)}", "red")


def _name(row: Row) -> str:
    return f"{row.name} with {count(row.workers, 'worker')}"
