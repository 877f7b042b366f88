"""A comparison as people read it: the rows, and below them in words what stands out.

Plain text that fits 80 columns; colour only where the console takes it.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lanes.comparison import Comparison, Difference, Faster, Row, label
from lanes.explain import LEAST_S
from lanes.laws import LAWS
from lanes.measure import Split
from lanes.report import stall
from lanes.stats import FEWEST, Interval, Verdict
from lanes.types import BODIES, Closeup, InFlight, Measuring, Model, Outcome, Run
from lanes.units import format_duration, format_rate, format_size

_WIDEST = 500
"""No table has more columns."""

STYLES = {"faster": "green", "slower": "yellow"}
"""Of verdicts."""

SPLIT = "where the time went: ms of wall; % of the workers' time at work"
USED = "tasks in flight: mean/max; context switches; GIL: hand-overs; peak memory; lag"
PULSE = "the pulse beside the work, a beat every 5 ms: how late it came, ms"
"""What stands above the tables that follow the first."""

_SHOWN = 5
"""Of many differing tasks or equal rows, so many are named."""


def text(comparison: Comparison, width: int = 80) -> str:
    """The table as plain text."""
    return as_text(lambda console: show(comparison, console), width)


def as_text(print_to: Callable[[Console], None], width: int, colour: bool = False) -> str:
    """What is printed, as plain text, or as a terminal with colours gets it; brackets are text like any other."""
    shown = io.StringIO()
    print_to(
        Console(
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


def print_table(table: Table, console: Console) -> None:
    """Lines end where their text does. A narrow terminal breaks them; nothing is left out, as rich would."""
    widest = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    for line in console.render_lines(table, console.options.update(width=max(widest, console.width)), pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        console.print(text, soft_wrap=True)


def problems(comparison: Comparison) -> Iterator[str]:
    """What makes a comparison fail, one line each."""
    baseline = comparison.baseline.name
    for row in comparison:
        if row.error is not None:
            yield f"{row.name}: {row.error}"
            yield from (f"  {line}" for line in (stall.lines(row.stall) if row.stall else ()))
        elif row.differences:
            many = len({difference.task for difference in row.differences})
            against = "its own first round" if row.name == baseline else baseline
            yield f"{row.name}: {many} of {count(len(comparison.workload.tasks), 'task')} differ from {against}"
            lines = [f"  {line}" for line in _differences(comparison, row)]
            yield from lines[:_SHOWN]
            if len(lines) > _SHOWN:
                yield f"  and {len(lines) - _SHOWN} more"


def factor(ratio: float) -> str:
    """A ratio to three digits: 1.02x, 31.2x, 118x."""
    return f"{ratio:.0f}x" if ratio >= 99.5 else f"{ratio:.1f}x" if ratio >= 9.95 else f"{ratio:.2f}x"


def title(comparison: Comparison) -> Text:
    """What was compared, in a line; what for, if anybody said, in another; and where."""
    workload, machine = comparison.workload, comparison.machine
    params = {key: value for key, value in workload.params.items() if value != workload.name}
    facts = [f"{count(len(workload.tasks), 'task')}", *params_of(params)]
    title = Text.assemble((workload.name, "bold"), f": {', '.join(facts)}")
    if comparison.label is not None:
        title.append(f"\n{comparison.label}", style="cyan")
    return title.append(
        f"\n{count(comparison.rounds, 'round')}, Python {machine['python']}{'' if machine['gil'] else ' without GIL'},"
        f" {count(machine['processors_usable'], 'processor')}",
        style="dim",
    )


def params_of(params: object) -> Iterator[str]:
    """A workload's parameters in words: sizes, durations and rates by the last part of their names."""
    assert isinstance(params, dict)
    for key, value in params.items():
        if key == "urls":
            yield count(len(set(value)), "URL")
        elif value is True:
            yield key
        elif value is not None:
            values = value if isinstance(value, list) else [value]
            kind = key.removesuffix("_s") if key.endswith("_s") else key
            yield f"{kind.replace('_', ' ')} {', '.join(_quantity(key, each) for each in values)}"


def _quantity(key: str, value: object) -> str:
    if isinstance(value, (int, float)):
        if key.endswith("_s"):
            return format_duration(value * 1e9)
        if key in ("size", "payload", "rate"):
            return format_rate(value) if key == "rate" else format_size(value)
    return str(value)


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
            "-" if row.interval is None or row.is_baseline else _interval(row.interval),
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


def surely(ratio: float, sure: Interval | None) -> str:
    """A ratio and how sure it is: 1.42x (1.38-1.47)."""
    return factor(ratio) + (f" ({_interval(sure)})" if sure else "")


def _interval(interval: Interval) -> str:
    """1.38-1.47: the unit stands beside it."""
    return f"{factor(interval.low)[:-1]}-{factor(interval.high)[:-1]}"


def bare_table() -> Table:
    """Columns one blank apart, a line below the head and nothing else."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False, header_style="bold")


def time_unit(walls: Sequence[float]) -> tuple[str, int, int]:
    """One unit for a whole column, so that it can be read down: its name, how many make a second, and digits."""
    longest = max(walls, default=0.0)
    if longest >= 100.0:
        return "s", 1, 1
    return ("s", 1, 3) if longest >= 10.0 else ("ms", 1000, 1) if longest >= 0.1 else ("ms", 1000, 2)


def word(row: Row) -> Text:
    """The verdict, or why there is none."""
    if row.reason is not None:
        return Text("no sense")
    if row.error is not None:
        return Text("error")
    if row.differences:
        return Text("DIFFERS", "bold red")
    if row.broken:
        return Text("void", "bold red")
    if row.is_baseline:
        return Text("baseline", "dim")
    if row.verdict is None:
        return Text("-")
    return Text(row.verdict.word, STYLES.get(row.verdict.word, ""))


def notes(comparison: Comparison) -> Iterator[Text]:
    if words := failed(comparison.baseline):
        yield Text(words, "yellow")
    if comparison.rounds < FEWEST:
        yield Text(
            f"Too few rounds for a verdict: it takes {FEWEST}; give more --rounds, or a longer --budget.", "yellow"
        )
    for line in verdict(comparison):
        yield Text(line, "bold")
    if distance := comparison.distance:
        yield Text(
            f"Python threads to native threads: interpreter {factor(distance.interpreter)} * GIL {factor(distance.gil)}"
            f" * dispatch {factor(distance.dispatch)} = {factor(distance.total)}"
        )
    for line in problems(comparison):
        yield Text(line, "red")
    for line in broken_laws(comparison):
        yield Text(line, "yellow")
    for row in comparison:
        errors = {"no close-up": row.closeup_error, "no pulse": row.pulse_error, "its log ends early": row.log_error}
        for what, error in errors.items():
            if error is not None:
                yield Text(f"{row.name}: {what}: {error}", "yellow")
    if strays := [f"{row.outliers} of {row.name}" for row in comparison if row.outliers]:
        yield Text(f"Outliers among the ratios, which count like all others: {listed(strays)}.", "dim")
    for line in reasons(comparison):
        yield Text(line, "dim")
    if not comparison.workload.compiled:
        yield Text("held, released and native models are left out: a Python function has no C body", "dim")


def verdict(comparison: Comparison) -> Iterator[str]:
    """The fastest row; then, where that has no Python model or not the Python body, the fastest that has.

    None when the baseline is nothing to compare with: void, or fast because its tasks failed.
    """
    baseline = comparison.baseline
    if not baseline.is_sound:
        yield f"No verdicts: {baseline.name}, which all are compared with, is void."
        return
    best = fastest(comparison.rows)
    if best is None:
        yield f"Nothing is faster than {baseline.name} here, as far as these rounds can tell."
        return
    yield f"{best.name} is fastest: {compared(best.verdict)} than {baseline.name}."
    rivals = [row for row in _good(comparison.rows) if row is not best and row is not baseline]
    verdicts = {row.name: comparison.versus((best.model, best.body), (row.model, row.body)) for row in rivals}
    if equals := [name for name, verdict in verdicts.items() if verdict is not None and verdict.word != "faster"]:
        yield f"Cannot tell it from: {listed(equals)}."
    told = best
    for kind, rows in (
        ("Python model", [row for row in comparison if row.family == "python"]),
        ("with a Python body", [row for row in comparison if row.body == "python"]),
    ):
        row = fastest(rows)
        if row is not None and row is not best and row is not told:
            told = row
            yield f"The fastest {kind} is {row.name}: {compared(row.verdict)} than {baseline.name}."


def said(row: Row) -> str:
    """A row in one line: its median wall time, how it compares with the baseline, and the laws that it breaks."""
    facts = []
    if row.reason is not None:
        facts.append(f"makes no sense: {row.reason}")
    if row.error is not None:
        facts.append(row.error)
    if row.wall is not None:
        facts.append(format_duration(row.wall * 1e9))
    if row.is_baseline:
        facts.append("baseline")
    elif row.verdict is not None:
        facts.append(compared(row.verdict))
    elif row.speedup is not None:
        facts.append(surely(row.speedup, row.interval))
    facts += [f"void, {law.name}: {law.why}" for law in row.broken]
    return f"{row.name} with {count(row.workers, 'worker')}: {', '.join(facts)}"


def against(faster: Faster) -> str:
    """Whether a row is faster than another, in one line."""
    row, other, verdict = faster.row, faster.other, faster.verdict
    if verdict is not None:
        rounds = count(min(len(row.walls), len(other.walls)), "round")
        return f"{row.name} against {other.name}: {compared(verdict)}, {rounds}"
    return "; ".join(said(each) for each in (row, other))


def compared(verdict: Verdict | None) -> str:
    """A verdict in words: "1.42x (1.38-1.47) faster"."""
    if verdict is None:
        return "void"
    low, high = verdict.interval
    ends = Interval(1 / high, 1 / low) if verdict.word == "slower" else verdict.interval
    return f"{surely(verdict.times, ends)} {verdict.word}"


def _good(rows: Iterable[Row]) -> list[Row]:
    """The rows that ran, and agree."""
    return [row for row in rows if row.agrees and row.error is None]


def fastest(rows: Iterable[Row]) -> Row | None:
    """Of those that are faster than the baseline, the one with the shortest median; a lucky one is not among them."""
    faster = (row for row in _good(rows) if row.verdict is not None and row.verdict.word == "faster")
    return min(faster, key=lambda row: row.wall or 0.0, default=None)


def failed(baseline: Row) -> str | None:
    """Failing alike is agreeing, but it is not what anybody meant to compare."""
    outcomes = baseline.runs[0].outcomes if baseline.runs else ()
    kinds = Counter(outcome.error or outcome.status for outcome in outcomes if outcome.status != "ok")
    if not kinds:
        return None
    words = ", ".join(f"{many} {kind}" for kind, many in kinds.most_common())
    return f"{sum(kinds.values())} of {count(len(outcomes), 'task')} failed with {baseline.name}: {words}"


def broken_laws(comparison: Comparison) -> Iterator[str]:
    """One line per law that is broken; outcomes that differ are told elsewhere, one by one."""
    for law in LAWS[1:]:
        why = [(row.name, each.why) for row in comparison for each in row.broken if each.name == law.name]
        if why:
            names = list(dict.fromkeys(name for name, _ in why))
            yield f"Broken law: {law.name} ({law.says}). {why[0][0]}: {why[0][1]}. Void: {listed(names)}."


def reasons(comparison: Comparison) -> Iterator[str]:
    """The cells that make no sense, one line per reason."""
    yield from senseless((row.name, row.reason) for row in comparison)


def senseless(rows: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    """The same for names of cells, each with its reason if there is one."""
    cells: dict[str, list[str]] = {}
    for name, reason in rows:
        if reason is not None:
            cells.setdefault(reason, []).append(name)
    for reason, names in cells.items():
        yield f"{listed(names)} {'makes' if len(names) == 1 else 'make'} no sense: {reason}"


def _differences(comparison: Comparison, row: Row) -> Iterator[str]:
    """One line per task; or per URL, with the first of its differences, where several tasks may have the same."""
    by_url = "urls" in comparison.workload.params
    alike: dict[object, list[Difference]] = {}
    for each in row.differences:
        alike.setdefault(each.text if by_url else each.task, []).append(each)
    for first, *more in alike.values():
        tasks = f"{len(more) + 1} tasks" if more else f"task {first.task}"
        yield differs(first, tasks)


def differs(difference: Difference, what: str | None = None) -> str:
    """A difference in words; it may stand for several tasks."""
    what = f"{what or f'task {difference.task}'} {difference.text}".rstrip()
    return f"{what}: expected {_outcome(difference.expected)}, got {_outcome(difference.got)}"


def _outcome(outcome: Outcome) -> str:
    if outcome.status == "ok":
        return f"ok {' '.join(map(str, outcome.value))}".rstrip()
    detail = f" ({outcome.detail})" if outcome.detail else ""
    return " ".join(filter(None, (outcome.status, outcome.error))) + detail


def listed(names: Sequence[str]) -> str:
    shown = list(names[:_SHOWN])
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def count(number: object, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
