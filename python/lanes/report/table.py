"""A comparison as people read it: the rows, and below them in words what stands out.

Plain text that fits 80 columns; colour only where the console takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lanes.comparison import Comparison, Row, label
from lanes.explain import LEAST_S
from lanes.measure import Split
from lanes.report.sentences import fastest, notes, word
from lanes.report.wording import as_text, bare_table, count, factor, interval, params_of, print_table, time_unit
from lanes.types import BODIES, Closeup, InFlight, Measuring, Model, Run
from lanes.units import format_rate, format_size

SPLIT = "where the time went: ms of wall; % of the workers' time at work"
USED = "tasks in flight: mean/max; context switches; GIL: hand-overs; peak memory; lag"
PULSE = "the pulse beside the work, a beat every 5 ms: how late it came, ms"
"""What stands above the tables that follow the first."""


def text(comparison: Comparison, width: int = 80) -> str:
    """The table as plain text."""
    return as_text(lambda console: show(comparison, console), width)


def show(comparison: Comparison, console: Console, details: bool = False) -> None:
    """Print the tables and what there is to say about them; with details also what else was counted."""
    console.print(title(comparison), soft_wrap=not console.is_terminal)
    print_table(speedups(comparison), console)
    console.print()
    _show_figures(comparison, console)
    if any(row.split for row in comparison):
        console.print(SPLIT, style="dim")
        print_table(splits(comparison), console)
        console.print()
        for row in comparison:
            if said := comparison.explanation(row):
                console.print(f"{row.name:<{_widest(comparison)}} {said}", soft_wrap=not console.is_terminal)
        console.print()
    if details:
        console.print(USED, style="dim", soft_wrap=not console.is_terminal)
        print_table(used(comparison), console)
        console.print()
    if any(row.pulse for row in comparison):
        console.print(PULSE, style="dim")
        print_table(pulses(comparison), console)
        console.print()
    for note in notes(comparison):
        # In a pipe a note stays one line, for whoever searches it.
        console.print(note, soft_wrap=not console.is_terminal)


def show_models(columns: Iterable[Model], console: Console) -> None:
    """Print the columns of the grid, and its cells that make no sense."""
    columns = list(columns)
    table = bare_table()
    for name in ("model", "family", "who decides to switch", "processors", "bodies"):
        # Wide enough that in 80 columns no row has more than two lines.
        table.add_column(name, no_wrap=name in ("model", "family"), min_width=21 if name.startswith("who") else None)
    for column in columns:
        bodies = [body for body in BODIES if body not in column.reasons] if column.family == "python" else ["C, no GIL"]
        table.add_row(column.name, column.family, column.switching, column.processors, ", ".join(bodies))
    print_table(table, console)
    for column in columns:
        for body, reason in column.reasons.items():
            console.print(Text(f"{label(column.name, body)} makes no sense: {reason}", "dim"))


def title(comparison: Comparison) -> Text:
    """What was compared, in a line; what for, if anybody said, in another; and where."""
    workload, machine = comparison.workload, comparison.machine
    facts = [f"{count(len(workload.tasks), 'task')}", *params_of(workload)]
    title = Text.assemble((workload.name, "bold"), f": {', '.join(facts)}")
    if comparison.label is not None:
        title.append(f"\n{comparison.label}", style="cyan")
    return title.append(
        f"\n{count(comparison.rounds, 'round')}, Python {machine['python']}{'' if machine['gil'] else ' without GIL'},"
        f" {count(machine['processors_usable'], 'processor')}",
        style="dim",
    )


def speedups(comparison: Comparison) -> Table:
    unit, scale, digits = time_unit([row.wall for row in comparison if row.wall is not None])
    best = None if not comparison.baseline.is_sound else fastest(comparison.rows)
    table = bare_table()
    for name in ("model", "body"):
        table.add_column(name, no_wrap=True)
    for name in ("workers", f"wall, {unit}", "speed-up", "95 %", "verdict"):
        table.add_column(name, no_wrap=True, justify="right")
    for row, ends_family in _by_family(comparison.rows):
        style = "dim" if row.reason else "red" if row.error or row.differences else "bold" if row is best else ""
        table.add_row(
            *(row.model, row.body or "", str(row.workers)),
            "-" if row.wall is None else f"{row.wall * scale:,.{digits}f}",
            "-" if row.speedup is None else factor(row.speedup),
            "-" if row.interval is None or row.is_baseline else interval(row.interval),
            word(row),
            style=style,
            end_section=ends_family,
        )
    return table


def _show_figures(comparison: Comparison, console: Console) -> None:
    """The tables of what the workload measured of itself, and what there is to know about that."""
    for heading, table in measured(comparison):
        console.print(heading, style="dim")
        print_table(table, console)
        console.print()
    if found := remarks(comparison):
        for remark in found:
            console.print(remark, soft_wrap=not console.is_terminal)
        console.print()


def measured(comparison: Comparison) -> Iterator[tuple[str, Table]]:
    """What the workload measured of itself, if it did: tables, each below its heading."""
    workload = comparison.workload
    for thing, units in _by_thing(workload.units).items() if isinstance(workload, Measuring) else ():
        table = _figures(comparison, units)
        if table is not None:
            yield f"what the workload measured{f', {thing}' if thing else ''}: medians of the rounds", table


def remarks(comparison: Comparison) -> list[str]:
    """What there is to know about these figures."""
    workload = comparison.workload
    if isinstance(workload, Measuring) and any(row.figures for row in comparison):
        return list(workload.remarks(comparison.machine))
    return []


def _by_thing(units: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The units of figures by what these are of, which stands behind a colon, if at all."""
    found: dict[str, dict[str, str]] = {}
    for name, unit in units.items():
        found.setdefault(name.partition(":")[2], {})[name] = unit
    return found


def _figures(comparison: Comparison, units: Mapping[str, str]) -> Table | None:
    """A column per figure that any row knows, each in a unit of its own; None where none knows any."""
    rows = [row for row in comparison if row.figures]
    known = {name: [value for row in rows if (value := row.figures.get(name)) is not None] for name in units}
    columns = {name: _measured_in(name, units[name], values) for name, values in known.items() if values}
    if not columns:
        return None
    table = bare_table()
    for name in ("model", "body"):
        table.add_column(name, no_wrap=True)
    for head, _ in columns.values():
        table.add_column(head, no_wrap=True, justify="right")
    for row, ends_family in _by_family(rows):
        cells = ((row.figures.get(name), form) for name, (_, form) in columns.items())
        shown = ("-" if value is None else form(value) for value, form in cells)
        table.add_row(row.model, row.body or "", *shown, end_section=ends_family)
    return table


def _measured_in(name: str, unit: str, values: Sequence[float]) -> tuple[str, Callable[[float], str]]:
    """The head of a column of figures, and how one is written: three digits of what is measured, all of a count."""
    words = name.partition(":")[0].replace("_", " ")
    if unit == "share":
        return f"{words.removesuffix(' share')}, %", lambda value: f"{value:.1%}"[:-1]
    if unit in ("B", "B/s"):
        return words, format_size if unit == "B" else format_rate
    if unit == "/s":
        return f"{words}/s", lambda value: f"{value:,.{0 if value >= 9.95 else 1}f}"
    if unit != "s":
        return words, lambda value: f"{value:,.0f}"
    small, scale = next(
        (each for each in (("s", 1e0), ("ms", 1e3), ("us", 1e6)) if max(values) * each[1] >= 10.0), ("ns", 1e9)
    )
    return f"{words}, {small}", lambda value: _three_digits(value * scale)


def _three_digits(value: float) -> str:
    return f"{value:,.{0 if value >= 99.5 else 1 if value >= 9.95 else 2}f}"


def splits(comparison: Comparison) -> Table:
    """Of each typical run: its phases, and the split of its workers' time at work."""
    table = bare_table()
    for name in ("model", "body"):
        table.add_column(name, no_wrap=True)
    for name in ("start", "work", "end", "cores", "user", "sys", "queue", "GIL", "blocked"):
        table.add_column(name, no_wrap=True, justify="right")
    for row, ends_family in _by_family(comparison.rows):
        run, split = row.typical, row.split
        if run is None or split is None:
            continue
        table.add_row(
            *(row.model, row.body or ""),
            *(
                f"{seconds * 1000:,.{1 if seconds < 0.1 else 0}f}"
                for seconds in (run.startup_s, run.work_s, run.shutdown_s)
            ),
            f"{run.cores:.2f}",
            *_shares(row, run, split),
            end_section=ends_family,
        )
    return table


def _shares(row: Row, run: Run, split: Split) -> Iterator[str]:
    """The parts of the workers' time. Their counters begin a moment before the work, so one may seem to be a little
    more; that of a GIL is not applicable where there is none, and may be unknown where there is one."""
    without_gil = row.family == "python" and run.counters is not None and not run.counters.gil
    for part_s in (split.cpu_user_s, split.cpu_system_s, split.run_queue_s, split.gil_wait_s, split.blocked_s):
        if run.work_s < LEAST_S:
            yield "-"
        elif part_s is None:
            yield "?"
        elif part_s is split.gil_wait_s and without_gil:
            yield "n/a"
        else:
            yield f"{min(1.0, split.share(part_s)):.0%}"


def used(comparison: Comparison) -> Table:
    """Of each typical run what was counted, and of its close-up what was seen."""
    table = bare_table()
    for name in ("model", "body"):
        table.add_column(name, no_wrap=True)
    for name in ("flight", "cores", "vol.", "invol.", "GIL", "MiB", "pickled", "lag ms"):
        table.add_column(name, no_wrap=True, justify="right")
    for row, ends_family in _by_family(comparison.rows):
        run = row.typical
        counters = run.counters if run else None
        if run is None or counters is None:
            continue
        seen, usages = row.closeup or Closeup(), counters.usages
        table.add_row(
            *(row.model, row.body or ""),
            in_flight(run.in_flight),
            f"{run.cores:.2f}",
            f"{sum(usage.voluntary for usage in usages):,}",
            f"{sum(usage.involuntary for usage in usages):,}",
            "-" if counters.handovers is None or row.family != "python" else f"{counters.handovers:,}",
            "-" if seen.peak_pss_bytes is None else f"{seen.peak_pss_bytes / 2**20:.1f}",
            "-" if seen.pickled_bytes is None else format_size(seen.pickled_bytes),
            "-" if seen.loop_lag_s is None else f"{seen.loop_lag_s * 1000:.1f}",
            end_section=ends_family,
        )
    return table


def in_flight(many: InFlight) -> str:
    """3.9/4: on average and at most."""
    return f"{many.mean:.1f}/{many.max}"


def pulses(comparison: Comparison) -> Table:
    """How late something beside each row's work was; a beat is missed that comes no sooner than the next is due."""
    table = bare_table()
    for name in ("model", "body", "pulse"):
        table.add_column(name, no_wrap=True)
    for name in ("beats", "missed", "p50", "p99", "max"):
        table.add_column(name, no_wrap=True, justify="right")
    for row, ends_family in _by_family(comparison.rows):
        if (pulse := row.pulse) is None:
            continue
        late = (pulse.p50_s, pulse.p99_s, pulse.max_s)
        table.add_row(
            *(row.model, row.body or "", f"on the {pulse.where}" if pulse.where == "loop" else f"a {pulse.where}"),
            *(f"{pulse.beats:,}", f"{pulse.missed:,}"),
            *("-" if each is None else f"{each * 1000:,.{1 if each < 0.1 else 0}f}" for each in late),
            end_section=ends_family,
        )
    return table


def _by_family(rows: Sequence[Row]) -> Iterator[tuple[Row, bool]]:
    """The rows, each with whether the next is of another family."""
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        yield row, following is not None and following.family != row.family


def _widest(comparison: Comparison) -> int:
    return max(len(row.name) for row in comparison)
