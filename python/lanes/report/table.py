"""A comparison as people read it: the rows, and below them in words what stands out.

Plain text that fits 80 columns; colour only where the console takes it.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lanes import stats
from lanes.compare import Comparison, Difference, Row, label
from lanes.types import BODIES, Model, Outcome
from lanes.units import format_duration, format_rate, format_size

ORIGIN_LIMIT = 0.6
"""An origin that is busy for a larger share of a run may be what limits it."""

_SHOWN = 5
"""Of many differing tasks or equal rows, so many are named."""


def text(comparison: Comparison, width: int = 80) -> str:
    """The table as plain text."""
    shown = io.StringIO()
    show(comparison, Console(file=shown, width=width, no_color=True, force_terminal=False, force_jupyter=False))
    return shown.getvalue().rstrip("\n")


def show(comparison: Comparison, console: Console) -> None:
    """Print the table and what there is to say about it."""
    console.print(_title(comparison), soft_wrap=not console.is_terminal)
    _print_table(_table(comparison), console)
    console.print()
    for note in _notes(comparison):
        # In a pipe a note stays one line, for whoever searches it.
        console.print(note, soft_wrap=not console.is_terminal)


def show_models(columns: Iterable[Model], console: Console) -> None:
    """Print the columns of the grid, and its cells that make no sense."""
    columns = list(columns)
    table = _bare_table()
    for name in ("model", "family", "who decides to switch", "processors", "bodies"):
        # Wide enough that in 80 columns no row has more than two lines.
        table.add_column(name, no_wrap=name in ("model", "family"), min_width=21 if name.startswith("who") else None)
    for column in columns:
        bodies = [body for body in BODIES if body not in column.reasons] if column.family == "python" else ["C, no GIL"]
        table.add_row(column.name, column.family, column.switching, column.processors, ", ".join(bodies))
    _print_table(table, console)
    for column in columns:
        for body, reason in column.reasons.items():
            console.print(Text(f"{label(column.name, body)} makes no sense: {reason}", "dim"))


def _print_table(table: Table, console: Console) -> None:
    """Outside of a terminal, lines end where their text does."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        console.print(Text(line.rstrip()), soft_wrap=True)


def problems(comparison: Comparison) -> Iterator[str]:
    """What makes a comparison fail, one line each."""
    baseline = comparison.baseline.name
    for row in comparison:
        if row.error is not None:
            yield f"{row.name}: {row.error}"
        elif row.differences:
            many = len({difference.task for difference in row.differences})
            against = "its own first round" if row.name == baseline else baseline
            yield f"{row.name}: {many} of {_count(len(comparison.workload.tasks), 'task')} differ from {against}"
            lines = [f"  {line}" for line in _differences(comparison, row)]
            yield from lines[:_SHOWN]
            if len(lines) > _SHOWN:
                yield f"  and {len(lines) - _SHOWN} more"


def factor(ratio: float) -> str:
    """A ratio to three digits: 1.02x, 31.2x, 118x."""
    return f"{ratio:.0f}x" if ratio >= 99.5 else f"{ratio:.1f}x" if ratio >= 9.95 else f"{ratio:.2f}x"


def _title(comparison: Comparison) -> Text:
    workload, machine = comparison.workload, comparison.machine
    params = {key: value for key, value in workload.params.items() if value != workload.name}
    facts = [f"{_count(len(workload.tasks), 'task')}", *_params(params)]
    title = Text.assemble((workload.name, "bold"), f": {', '.join(facts)}")
    return title.append(
        f"\n{_count(comparison.rounds, 'round')}, Python {machine['python']}{'' if machine['gil'] else ' without GIL'},"
        f" {_count(machine['processors_usable'], 'processor')}",
        style="dim",
    )


def _params(params: object) -> Iterator[str]:
    """A workload's parameters in words: sizes, durations and rates by the last part of their names."""
    assert isinstance(params, dict)
    for key, value in params.items():
        if key == "urls":
            yield _count(len(set(value)), "URL")
        elif value is not None:
            values = value if isinstance(value, list) else [value]
            kind = key.removesuffix("_s") if key.endswith("_s") else key
            yield f"{kind.replace('_', ' ')} {', '.join(_quantity(key, each) for each in values)}"


def _quantity(key: str, value: object) -> str:
    if isinstance(value, (int, float)):
        if key.endswith("_s"):
            return format_duration(value * 1e9)
        if key in ("size", "rate"):
            return format_size(value) if key == "size" else format_rate(value)
    return str(value)


def _table(comparison: Comparison) -> Table:
    unit, scale, digits = _time_unit([row.wall for row in comparison if row.wall is not None])
    best = None if _failures(comparison.baseline) else _fastest(comparison, comparison.rows)
    table = _bare_table()
    for name in ("model", "body"):
        table.add_column(name, no_wrap=True)
    for name in ("workers", f"wall, {unit}", "speed-up", "CPU s", "cores", "agrees"):
        table.add_column(name, no_wrap=True, justify="right")
    for row, following in zip(comparison.rows, [*comparison.rows[1:], None], strict=True):
        wall = "-" if row.wall is None else f"{row.wall * scale:,.{digits}f}"
        style = "dim" if row.reason else "red" if row.error or row.differences else "bold" if row is best else ""
        table.add_row(
            *(row.model, row.body or "", str(row.workers), wall),
            "-" if row.speedup is None else factor(row.speedup),
            "-" if row.cpu_s is None else f"{row.cpu_s:.3f}",
            "-" if row.cores is None else f"{row.cores:.2f}",
            _agreement(row),
            style=style,
            end_section=following is not None and following.family != row.family,
        )
    return table


def _bare_table() -> Table:
    """Columns one blank apart, a line below the head and nothing else."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False, header_style="bold")


def _time_unit(walls: Sequence[float]) -> tuple[str, int, int]:
    """One unit for a whole column, so that it can be read down: its name, how many make a second, and digits."""
    longest = max(walls, default=0.0)
    if longest >= 100.0:
        return "s", 1, 1
    return ("s", 1, 3) if longest >= 10.0 else ("ms", 1000, 1) if longest >= 0.1 else ("ms", 1000, 2)


def _agreement(row: Row) -> Text:
    if row.reason is not None:
        return Text("no sense")
    if row.error is not None:
        return Text("error")
    if row.agrees is None:
        return Text("-")
    return Text("yes", "green") if row.agrees else Text("NO", "bold red")


def _notes(comparison: Comparison) -> Iterator[Text]:
    if failed := _failures(comparison.baseline):
        yield Text(failed, "yellow")
    for line in _verdict(comparison):
        yield Text(line, "bold")
    if distance := comparison.distance:
        yield Text(
            f"Python threads to native threads: interpreter {factor(distance.interpreter)} * GIL {factor(distance.gil)}"
            f" * dispatch {factor(distance.dispatch)} = {factor(distance.total)}"
        )
    for line in problems(comparison):
        yield Text(line, "red")
    if busy := _busy_origin(comparison):
        yield Text(busy, "yellow")
    for reason, names in _reasons(comparison).items():
        yield Text(f"{_listed(names)} {'makes' if len(names) == 1 else 'make'} no sense: {reason}", "dim")
    if not comparison.workload.compiled:
        yield Text("held, released and native models are left out: a Python function has no C body", "dim")


def _verdict(comparison: Comparison) -> Iterator[str]:
    """The fastest row; then, where that has no Python model or not the Python body, the fastest that has.

    None when the baseline is not there to be compared with, or was fast because its tasks failed.
    """
    baseline = comparison.baseline
    if not _good([baseline]) or _failures(baseline):
        return
    best = _fastest(comparison, comparison.rows)
    if best is None:
        yield f"Nothing is faster than {baseline.name} here, as far as these rounds can tell."
        return
    yield f"{best.name} is fastest: {factor(best.speedup or 0.0)} the speed of {baseline.name}."
    others = [row for row in _good(comparison.rows) if row is not best]
    if equals := [row.name for row in others if not stats.is_faster(best.walls, row.walls)]:
        yield f"Cannot tell it from: {_listed(equals)}."
    told = best
    for kind, rows in (
        ("Python model", [row for row in comparison if row.family == "python"]),
        ("with a Python body", [row for row in comparison if row.body == "python"]),
    ):
        row = _fastest(comparison, rows)
        if row is not None and row is not best and row is not told:
            told = row
            yield f"The fastest {kind} is {row.name}: {factor(row.speedup or 0.0)}."


def _good(rows: Iterable[Row]) -> list[Row]:
    """The rows that ran, and agree."""
    return [row for row in rows if row.agrees and row.error is None]


def _fastest(comparison: Comparison, rows: Iterable[Row]) -> Row | None:
    """Of those that are faster than the baseline, the one with the shortest median; a lucky one is not among them."""
    walls = comparison.baseline.walls
    faster = (row for row in _good(rows) if stats.is_faster(row.walls, walls))
    return min(faster, key=lambda row: row.wall or 0.0, default=None)


def _failures(baseline: Row) -> str | None:
    """Failing alike is agreeing, but it is not what anybody meant to compare."""
    outcomes = baseline.runs[0].outcomes if baseline.runs else ()
    kinds = Counter(outcome.error or outcome.status for outcome in outcomes if outcome.status != "ok")
    if not kinds:
        return None
    words = ", ".join(f"{many} {kind}" for kind, many in kinds.most_common())
    return f"{sum(kinds.values())} of {_count(len(outcomes), 'task')} failed with {baseline.name}: {words}"


def _busy_origin(comparison: Comparison) -> str | None:
    busy = {row.name: row.origin_busy for row in comparison if (row.origin_busy or 0.0) > ORIGIN_LIMIT}
    if not busy:
        return None
    most = max(share for share in busy.values() if share is not None)
    return f"The origin, not the model, was the limit: busy up to {most:.0%} of the time under {_listed(list(busy))}"


def _reasons(comparison: Comparison) -> dict[str, list[str]]:
    """The cells that make no sense, by reason."""
    names: dict[str, list[str]] = {}
    for row in comparison:
        if row.reason is not None:
            names.setdefault(row.reason, []).append(row.name)
    return names


def _differences(comparison: Comparison, row: Row) -> Iterator[str]:
    """One line per task; or per URL, with the first of its differences, where several tasks may have the same."""
    by_url = "urls" in comparison.workload.params
    alike: dict[object, list[Difference]] = {}
    for each in row.differences:
        alike.setdefault(each.text if by_url else each.task, []).append(each)
    for first, *more in alike.values():
        tasks = f"{len(more) + 1} tasks" if more else f"task {first.task}"
        what = f"{tasks} {first.text}".rstrip()
        yield f"{what}: expected {_outcome(first.expected)}, got {_outcome(first.got)}"


def _outcome(outcome: Outcome) -> str:
    if outcome.status == "ok":
        return f"ok {' '.join(map(str, outcome.value))}".rstrip()
    detail = f" ({outcome.detail})" if outcome.detail else ""
    return " ".join(filter(None, (outcome.status, outcome.error))) + detail


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_SHOWN])
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _count(number: object, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
