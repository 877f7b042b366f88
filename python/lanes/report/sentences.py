"""What stands out in a comparison, in words: verdicts, what voids them, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.text import Text

from lanes.comparison import Comparison, Difference, Faster, Row
from lanes.laws import LAWS
from lanes.report import stall
from lanes.report.wording import SHOWN, STYLES, count, factor, listed, senseless, surely
from lanes.stats import FEWEST, Interval, Verdict
from lanes.types import Outcome
from lanes.units import format_duration


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
            yield from lines[:SHOWN]
            if len(lines) > SHOWN:
                yield f"  and {len(lines) - SHOWN} more"


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
