"""What reports print on a terminal, as HTML: their tables, and their lines with the styles of their parts as classes.

All text is somebody else's until it is escaped here: names of functions, URLs, errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import groupby

from rich.table import Column, Table
from rich.text import Text

_NAMES = ("model", "body", "figure")
"""The columns that say what a row is about."""


def inline(text: str | Text) -> str:
    """A line, with a span for each part that has a style."""
    if isinstance(text, str):
        return escape(text)
    parts, at = [], 0
    for span in sorted(text.spans):
        parts += [escape(text.plain[at : span.start]), _styled(escape(text.plain[span.start : span.end]), span.style)]
        at = span.end
    return _styled("".join(parts) + escape(text.plain[at:]), text.style)


def _styled(markup: str, style: object) -> str:
    return f'<span class="{escape(str(style))}">{markup}</span>' if str(style) else markup


def table(shown: Table, caption: str) -> str:
    """A table that scrolls in a box of its own where it is too wide, and can be scrolled with the keyboard."""
    heads = [str(column.header) for column in shown.columns]
    classes = [_class(column) for column in shown.columns]
    named = [head in _NAMES for head in heads]
    head = "".join(f'<th scope="col"{each}>{escape(word)}</th>' for each, word in zip(classes, heads, strict=True))
    lines, section = [], 0
    for row, *cells in zip(shown.rows, *(column.cells for column in shown.columns), strict=True):
        style = f' class="{escape(str(row.style))}"' if row.style else ""
        marked = "".join(
            f'<th scope="row">{_cell(cell)}</th>' if name else f"<td{each}>{_cell(cell)}</td>"
            for cell, each, name in zip(cells, classes, named, strict=True)
        )
        lines.append((section, f"<tr{style}>{marked}</tr>"))
        section += row.end_section
    body = "".join(
        f"<tbody>{''.join(line for _, line in part)}</tbody>" for _, part in groupby(lines, lambda line: line[0])
    )
    return boxed(f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>{body}</table>", caption)


def _class(column: Column) -> str:
    return ' class="number"' if column.justify == "right" else "" if column.no_wrap else ' class="long"'


def _cell(cell: object) -> str:
    return inline(cell if isinstance(cell, Text) else str(cell))


def boxed(markup: str, label: str) -> str:
    """What may be wider than the page, in a box that scrolls."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">{markup}</div>'


def rows(heads: tuple[str, str], lines: Iterable[tuple[str, str]], caption: str) -> str:
    """A table of names, each with a sentence."""
    shown = Table(Column(heads[0], no_wrap=True), heads[1])
    for line in lines:
        shown.add_row(*line)
    return table(shown, caption)
