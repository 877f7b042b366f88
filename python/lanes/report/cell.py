"""A result in a notebook's cell: its tables as HTML, and below them in words what stands out; asides are folded away.

A cell stands on the paper of whoever shows it, light or dark, and cannot ask which. So text has the ink of the page
around it, and a colour that means something is mixed with that ink, which makes it darker on light paper and lighter on
dark. Without scripts, and without a network.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from rich.table import Table
from rich.text import Text

from lanes.report.blocks import Block, Drawing, blocks, title
from lanes.report.markup import boxed, inline, table
from lanes.report.palette import DARK, LIGHT
from lanes.shown import Shown

INK = 0.3
"""The share of the ink in a colour."""

COLOURS = {
    "green": (LIGHT.verdicts["faster"], DARK.verdicts["faster"]),
    "yellow": (LIGHT.verdicts["slower"], DARK.verdicts["slower"]),
    "red": (LIGHT.verdicts["void"], DARK.verdicts["void"]),
    "cyan": (LIGHT.families["python"], DARK.families["python"]),
}
"""The styles of the terminal that have a colour: what it is on light paper and on dark."""

_STYLE = """
.lanes{font-size:13px;line-height:1.45;overflow-wrap:anywhere}
.lanes p{margin:.3em 0}.lanes p.below{margin-left:1.5em}
.lanes table{border-collapse:collapse;margin:.4em 0;font-variant-numeric:tabular-nums}
.lanes caption{text-align:left;opacity:.75;padding:.2em 0;caption-side:top;white-space:nowrap}
.lanes th,.lanes td{text-align:left;padding:.15em .7em .15em 0;border:0;background:none;white-space:nowrap;\
vertical-align:top;font-weight:inherit;color:inherit}
.lanes thead th{font-weight:600;border-bottom:1px solid;border-color:color-mix(in srgb,currentColor 30%,transparent)}
.lanes tbody+tbody tr:first-child>*{border-top:1px solid;\
border-color:color-mix(in srgb,currentColor 20%,transparent)}
.lanes .number{text-align:right}.lanes .long{white-space:normal;min-width:12em}
.lanes .bold{font-weight:600}.lanes .dim{opacity:.75}
.lanes .scroll{overflow-x:auto;max-width:100%}
.lanes pre{font-size:12px;line-height:1.3;margin:.4em 0;overflow-x:auto;background:none;color:inherit}
.lanes summary{cursor:pointer;opacity:.75}
"""


def html(result: Shown) -> str:
    """The result for a cell. All that somebody has named is escaped."""
    return f'<div class="lanes"><style>{_style()}</style>{"".join(_parts(result))}</div>'


def between(light: str, dark: str) -> str:
    """A colour in the middle of two, as it is before it meets the ink."""
    return "#" + "".join(f"{(int(light[n : n + 2], 16) + int(dark[n : n + 2], 16)) // 2:02X}" for n in (1, 3, 5))


def _style() -> str:
    """Where a browser cannot mix, the colour for light paper."""
    rules = (
        f".lanes .{style}{{color:{light};color:color-mix(in srgb,currentColor {INK:.0%},{between(light, dark)})}}"
        for style, (light, dark) in COLOURS.items()
    )
    # Named twice, the class weighs more than two of Jupyter's, which set all tables to the right.
    return (_STYLE + "\n".join(rules)).replace(".lanes", ".lanes.lanes")


def _parts(result: Shown) -> Iterator[str]:
    first, *more = title(result) or ("",)
    if first:
        yield f'<p><span class="bold">{escape(first)}</span></p>'
    yield from (f'<p class="dim">{escape(line)}</p>' for line in more)
    for block in blocks(result):
        shown = "".join(_block(block))
        yield f"<details><summary>{escape(block.heading)}</summary>{shown}</details>" if block.aside else shown


def _block(block: Block) -> Iterator[str]:
    for place, part in enumerate(block.parts):
        heading = block.heading if place == 0 and not block.aside else ""
        match part:
            case Table():
                yield table(part, heading)
            case Drawing():
                yield f'<p class="dim">{escape(heading)}</p>' if heading else ""
                yield boxed(f"<pre>{escape(part.lines)}</pre>", heading or "a drawing")
            case Text():
                below = ' class="below"' if part.plain.startswith(" ") else ""
                yield f"<p{below}>{inline(part)}</p>"
