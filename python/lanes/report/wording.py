"""What all reports share: how numbers, names and intervals are written, how a table looks, and how it is printed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from lanes.shown import CONTROLS
from lanes.stats import Interval
from lanes.types import Workload
from lanes.units import format_duration, format_rate, format_size

_WIDEST = 500
"""No table has more columns."""

STYLES = {"faster": "green", "slower": "yellow"}
"""Of the words of verdicts."""

SHOWN = 5
"""Of many, so many are named."""


def count(number: object, noun: str) -> str:
    """1 task, 2 tasks, 2 processes."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{'es' if noun.endswith('s') else 's'}"


def listed(names: Sequence[str]) -> str:
    """a, b and c; of many the first few and how many more."""
    shown = list(names[:SHOWN])
    if len(names) > SHOWN:
        shown.append(f"{len(names) - SHOWN} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def factor(ratio: float) -> str:
    """A ratio to three digits: 1.02x, 31.2x, 118x."""
    return f"{ratio:.0f}x" if ratio >= 99.5 else f"{ratio:.1f}x" if ratio >= 9.95 else f"{ratio:.2f}x"


def surely(ratio: float, sure: Interval | None) -> str:
    """A ratio and how sure it is: 1.42x (1.38-1.47)."""
    return factor(ratio) + (f" ({interval(sure)})" if sure else "")


def interval(ends: Interval) -> str:
    """1.38-1.47: the unit stands beside it."""
    return f"{factor(ends.low)[:-1]}-{factor(ends.high)[:-1]}"


def time_unit(walls: Sequence[float]) -> tuple[str, int, int]:
    """One unit for a whole column, so that it can be read down: its name, how many make a second, and digits."""
    longest = max(walls, default=0.0)
    if longest >= 100.0:
        return "s", 1, 1
    return ("s", 1, 3) if longest >= 10.0 else ("ms", 1000, 1) if longest >= 0.1 else ("ms", 1000, 2)


def params_of(workload: Workload) -> Iterator[str]:
    """A workload's parameters in words, but for its name: sizes, durations and rates by the last part of theirs."""
    for key, value in workload.params.items():
        if value == workload.name:
            continue
        if key == "urls" and isinstance(value, list):
            yield count(len(set(value)), "URL")
        elif value is True:
            yield key
        elif value is not None:
            values = value if isinstance(value, list) else [value]
            kind = key.removesuffix("_s").replace("_", " ")
            yield f"{kind} {', '.join(_quantity(key, each) for each in values)}"


def _quantity(key: str, value: object) -> str:
    if isinstance(value, (int, float)):
        if key.endswith("_s"):
            return format_duration(value * 1e9)
        if key in ("size", "payload", "rate"):
            return format_rate(value) if key == "rate" else format_size(value)
    return str(value)


def senseless(rows: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    """Cells that make no sense, each with its reason if there is one: a line per reason."""
    cells: dict[str, list[str]] = {}
    for name, reason in rows:
        if reason is not None:
            cells.setdefault(reason, []).append(name)
    for reason, names in cells.items():
        yield f"{listed(names)} {'makes' if len(names) == 1 else 'make'} no sense: {reason}"


def writable(text: str) -> str:
    """Text that UTF-8 can hold, whatever a user has put there."""
    return text.encode("utf-8", "backslashreplace").decode()


def bare_table() -> Table:
    """Columns one blank apart, a line below the head and nothing else."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False, header_style="bold")


def print_table(table: Table, console: Console) -> None:
    """Lines end where their text does. A narrow terminal breaks them; nothing is left out, as rich would."""
    widest = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    for line in console.render_lines(table, console.options.update(width=max(widest, console.width)), pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        console.print(text, soft_wrap=True)


class Quiet(Console):
    """A console that hands on no control characters but its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else text.translate(CONTROLS), style, control)


def as_text(print_to: Callable[[Console], None], width: int, colour: bool = False) -> str:
    """What is printed, as plain text, or as a terminal with colours gets it; brackets are text like any other."""
    shown = io.StringIO()
    print_to(
        Quiet(
            file=shown,
            width=width,
            color_system="standard" if colour else None,
            no_color=not colour,
            markup=False,
            emoji=False,
            force_terminal=colour,
            force_jupyter=False,
        )
    )
    return shown.getvalue().rstrip("\n")
