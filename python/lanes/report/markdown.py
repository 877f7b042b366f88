"""Results as Markdown, as GitHub has it: the tables, and below them in words what stands out.

Asides are left out: this is for a comment or a page that wants the verdict, and the whole is in the JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from lanes.report.blocks import Block, Drawing, blocks, heads, lines, title
from lanes.shown import CONTROLS, Shown

_ACTIVE = re.compile(r"[\\`*|\[\]~$]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown takes for more than itself; a _ between letters is none."""


def text(results: Sequence[Shown]) -> str:
    """The results, one below the other."""
    return "\n".join(line for result in results for line in _result(result))


def escaped(words: str) -> str:
    """Somebody's text, which is one line and stays text, in a cell of a table as well."""
    plain = " ".join(words.split()).translate(CONTROLS).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _ACTIVE.sub(r"\\\g<0>", plain)


def _result(result: Shown) -> Iterator[str]:
    first, *more = title(result) or ("",)
    if first:
        yield from (f"**{escaped(first)}**", "")
    for line in more:
        yield from (escaped(line), "")
    yield from lines_of(blocks(result))


def lines_of(shown: Iterable[Block]) -> Iterator[str]:
    """The lines of these blocks, asides left out."""
    for block in shown:
        if not block.aside:
            yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    """An empty line ends each part; a list is one."""
    if block.heading:
        yield from (escaped(block.heading), "")
    for part, following in zip(block.parts, (*block.parts[1:], None), strict=True):
        match part:
            case Table():
                yield from _table(part)
            case Drawing():
                fence = "`" * max(3, 1 + max(map(len, re.findall("`+", part.lines)), default=0))
                yield from (fence, part.lines, fence)
            case Text():
                yield f"- {escaped(part.plain)}" if _belongs(part) else _line(part)
        if not (_belongs(part) and _belongs(following)):
            yield ""


def _belongs(part: object) -> bool:
    """Whether it is a line that belongs to the one before it."""
    return isinstance(part, Text) and part.plain.startswith(" ")


def _table(shown: Table) -> Iterator[str]:
    columns = heads(shown)
    yield _row([escaped(name) for name, _ in columns])
    yield _row(["---:" if is_number else "---" for _, is_number in columns])
    for line in lines(shown):
        mark = "**" if "bold" in line.style else ""
        yield _row([f"{mark}{cell}{mark}" if cell else "" for cell in map(_cell, line.cells)])


def _row(cells: Sequence[str]) -> str:
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|"


def _cell(cell: Text) -> str:
    """What has a style is set apart: a verdict, beside the words why."""
    if cell.style and str(cell.style) != "dim":
        return f"*{escaped(cell.plain)}*"
    first = next((span for span in cell.spans if span.start == 0), None)
    if first is None:
        return escaped(cell.plain)
    return " ".join(filter(None, (f"*{escaped(cell.plain[: first.end])}*", escaped(cell.plain[first.end :]))))


def _line(line: Text) -> str:
    return f"**{escaped(line.plain)}**" if str(line.style) == "bold" else escaped(line.plain)
