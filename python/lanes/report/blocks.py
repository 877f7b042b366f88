"""What is shown of a result, in blocks of tables and lines: the same for a page of Markdown and for a notebook's cell.

The tables and lines are those that a terminal shows, with the styles that say what they mean. A block may be an aside,
which short forms leave out or fold away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from lanes.anatomy import Anatomy
from lanes.claims import Trials
from lanes.comparison import Comparison
from lanes.load import Load
from lanes.report import anatomy, claims, load, sentences, sweep, table
from lanes.shown import Shown
from lanes.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines that only stand where each character has the same width."""

    lines: str


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, "" for none, and what stands below it."""

    heading: str
    parts: tuple[Table | Text | Drawing, ...]
    aside: bool = False


def title(result: Shown) -> tuple[str, ...]:
    """What was measured, and on what terms, in a line each; nothing where the first table says it."""
    match result:
        case Comparison():
            lines = table.title(result)
        case Sweep():
            lines = table.title(result.comparison)
        case Load():
            lines = load.title(result)
        case Trials():
            return ()
        case Anatomy():
            lines = anatomy.title(result)
        case _:
            raise TypeError(f"{type(result).__name__} is no result of lanes")
    return tuple(lines.plain.splitlines())


def blocks(result: Shown) -> Iterator[Block]:
    """All that is shown of it below its title."""
    match result:
        case Comparison():
            yield from _comparison(result)
        case Sweep():
            yield Block(sweep.SPEEDUPS, (sweep.speedups(result), *sweep.notes(result)))
            yield Block(sweep.FITS, (sweep.fits(result),), aside=True)
        case Load():
            yield from _load(result)
        case Trials():
            yield Block(
                "", (claims.verdicts(result), claims.summary(result), Text(claims.circumstances(result), "dim"))
            )
        case Anatomy():
            yield from (Block("", (Drawing(lines),)) for _, lines in anatomy.trees(result))


def _comparison(comparison: Comparison) -> Iterator[Block]:
    yield Block("", (table.speedups(comparison), *sentences.notes(comparison)))
    for heading, figures in table.measured(comparison):
        yield Block(heading, (figures,))
    if remarks := table.remarks(comparison):
        yield Block("", tuple(map(Text, remarks)))
    if any(row.split for row in comparison):
        said = ((row.name, comparison.explanation(row)) for row in comparison)
        lines = (Text(f"{name}: {words}") for name, words in said if words)
        yield Block(table.SPLIT, (table.splits(comparison), *lines), aside=True)
        yield Block(table.USED, (table.used(comparison),), aside=True)
    if any(row.pulse for row in comparison):
        yield Block(table.PULSE, (table.pulses(comparison),))


def _load(result: Load) -> Iterator[Block]:
    ran = [row for row in result if row.reason is None]
    yield Block("", (load.counts(ran), *load.notes(result)))
    yield Block(load.TIMES, (load.times(ran),))
    heading, lines = load.backlogs(result)
    yield Block(heading, (Drawing("\n".join(lines)),))


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: its style, and its cells, each with its own."""

    style: str
    cells: tuple[Text, ...]


def heads(shown: Table) -> tuple[tuple[str, bool], ...]:
    """The names of the columns, each with whether it is one of numbers."""
    return tuple((str(column.header), column.justify == "right") for column in shown.columns)


def lines(shown: Table) -> Iterator[Line]:
    """The rows of a table."""
    for row, *cells in zip(shown.rows, *(column.cells for column in shown.columns), strict=True):
        yield Line(str(row.style or ""), tuple(_texts(cells)))


def _texts(cells: Iterable[object]) -> Iterator[Text]:
    yield from (cell if isinstance(cell, Text) else Text(str(cell)) for cell in cells)
