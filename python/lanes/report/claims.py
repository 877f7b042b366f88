"""Claims that were put to the test, as people read them, as Markdown, and as JSON, version 1:

schema      1
machine     the facts on which the verdicts hang, as in a comparison
seed        of the order of all samples
took_s      seconds for all
claims      number, name, sentence; rule (its lines), hinges (what may turn the verdict elsewhere), note
            cases     the same rule in numbers: when (a condition, or ""), and rules: figure, unit, low, high, of which
                      null is no bound, and sturdy (what disturbs may break it, and never be why it is met)
            depends   on what, where there are several cases; needs, what must be so for any verdict; told, the figures
                      that tell in short what was measured, none for those of the rules
            verdict   word ("holds", "does not hold", "depends", "cannot tell") and why; null where an experiment failed
            error     why it failed, in one line, or null
            here      what was measured, in short
            measured  the measurements that the figures come from, in words
            figures   name, unit ("x", "s", "B", "%" where 1 is all, ""), samples (one a round), median, ci95 and void,
                      the law that was broken, or null; null stands for a length of time that has no end
            took_s    seconds for this one; what an earlier one has measured costs nothing more
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lanes.claims import Case, Claim, Figure, Need, Trial, Trials, Within, Word
from lanes.claims.claim import quantity
from lanes.report import parts
from lanes.report.fields import made, typed
from lanes.report.files import SCHEMA
from lanes.report.wording import as_text, bare_table, count, print_table

if TYPE_CHECKING:
    from lanes.claims.lab import Lab

_WIDEST = 100
"""Longer lines are hard to read, however wide the terminal is."""

_MARGIN = 17
"""The number and the longest verdict, with their blanks."""

_STYLES: Mapping[Word, str] = {"holds": "green", "does not hold": "red", "depends": "cyan", "cannot tell": "yellow"}


def text(trials: Trials, width: int = 80) -> str:
    """The list as plain text."""
    return as_text(lambda console: show(trials, console), width)


def show(trials: Trials, console: Console) -> None:
    """Print every claim, what was measured here and the verdict; and on what machine that is so."""
    width = min(console.width, _WIDEST)
    for trial in trials:
        verdict = word(trial)
        head = Text(f"{trial.claim.number:>2} ")
        head.append(f"{verdict.plain:<{_MARGIN - 3}}", verdict.style).append(trial.name, "dim")
        console.print(head)
        for line in _wrapped(trial.claim.sentence, width):
            console.print(Text(line, "bold"))
        for line in _wrapped(f"here: {trial.here}", width) if trial.here else ():
            console.print(line)
        for line in _wrapped(why(trial), width):
            console.print(Text(line, verdict.style))
    console.print()
    console.print(summary(trials), soft_wrap=not console.is_terminal)
    for line in textwrap.wrap(circumstances(trials), width):
        console.print(Text(line, "dim"))


def show_evidence(trials: Trials, console: Console) -> None:
    """Print of every claim the rule, what was measured, and where each figure lies."""
    width = min(console.width, _WIDEST)
    for trial in trials:
        claim, verdict = trial.claim, word(trial)
        console.print(Text.assemble((f"{claim.number} {claim.name}", "bold"), ": ", verdict))
        for words in filter(None, (claim.sentence, why(trial), claim.note)):
            console.print("\n".join(textwrap.wrap(words, width)))
        console.print()
        for line in claim.rule:
            console.print(textwrap.fill(line, width, subsequent_indent=" " * (len(line) - len(line.lstrip()))))
        console.print()
        for measured in trial.measured:
            console.print("\n".join(textwrap.wrap(f"measured: {measured}", width, subsequent_indent=" " * 10)))
        if trial.figures:
            print_table(figures(trial), console)
        broken = {figure.void.partition(":")[0]: figure for figure in trial.figures if figure.void}
        for figure in broken.values():  # of each law one figure is enough
            console.print(Text(f"void: {figure.name}: {figure.void}", "yellow"), soft_wrap=not console.is_terminal)
        if claim.hinges:
            console.print(Text(f"Elsewhere the verdict may turn on {' and '.join(claim.hinges)}.", "dim"))
        console.print()
    for line in textwrap.wrap(circumstances(trials), width):
        console.print(Text(line, "dim"))


def verdicts(trials: Trials) -> Table:
    """A table for a page: every claim, what was measured here, and the verdict."""
    table = bare_table()
    for name in ("", "claim", "measured here", "verdict"):
        table.add_column(name, no_wrap=not name)
    for trial in trials:
        verdict = word(trial)
        if more := why(trial):
            verdict = Text.assemble(verdict, f" {more}")
        table.add_row(str(trial.claim.number), trial.claim.sentence, trial.here, verdict)
    return table


def document(trials: Trials) -> dict[str, object]:
    """What JSON can hold of it."""
    return {
        "schema": SCHEMA,
        "machine": dict(trials.machine),
        "seed": trials.seed,
        "took_s": trials.seconds,
        "claims": [_trial(trial) for trial in trials],
    }


def show_list(claims: tuple[Claim, ...], console: Console) -> None:
    """Print the names and sentences, untried."""
    widest = max(len(claim.name) for claim in claims)
    for claim in claims:
        console.print(f"{claim.number:>2} {claim.name:<{widest}} {claim.sentence}", soft_wrap=True)


def _trial(trial: Trial) -> dict[str, object]:
    claim, verdict = trial.claim, trial.verdict
    return {
        "number": claim.number,
        "name": claim.name,
        "sentence": claim.sentence,
        "rule": list(claim.rule),
        "hinges": list(claim.hinges),
        "note": claim.note,
        "cases": [{"when": case.when, "rules": [_bounds(rule) for rule in case.rules]} for case in claim.cases],
        "depends": claim.depends,
        "needs": [need.words for need in claim.needs],
        "told": list(claim.told),
        "verdict": verdict and {"word": verdict.word, "why": verdict.why},
        "error": trial.error,
        "here": trial.here,
        "measured": list(trial.measured),
        "figures": [_figure(figure) for figure in trial.figures],
        "took_s": trial.seconds,
    }


def _figure(figure: Figure) -> dict[str, object]:
    sure = figure.interval
    return {
        "name": figure.name,
        "unit": figure.unit,
        "samples": [_finite(sample) for sample in figure.samples],
        "median": _finite(figure.median),
        "ci95": sure and [_finite(sure.low), _finite(sure.high)],
        "void": figure.void or None,
    }


def _bounds(rule: Within) -> dict[str, object]:
    return {**asdict(rule), "low": _finite(rule.low), "high": _finite(rule.high)}


def _finite(number: float | None) -> float | None:
    return None if number is None or math.isinf(number) else number


def read(found: dict[str, Any]) -> Trials:
    """The trials of such a document. Raises ValueError, KeyError or TypeError for any other."""
    trials = tuple(map(_read_trial, found["claims"]))
    return made(Trials, found, trials=trials, machine=parts.read_machine(found), seconds=_seconds(found))


def _read_trial(found: dict[str, Any]) -> Trial:
    cases = tuple(made(Case, case, rules=tuple(map(_read_rule, case["rules"]))) for case in found.get("cases", ()))
    needs = tuple(Need(words, _unknown) for words in typed(tuple[str, ...], found.get("needs", []), "needs"))
    claim = made(Claim, found, cases=cases, needs=needs, experiment=_recorded)
    figures = tuple(map(_read_figure, found["figures"]))
    return made(Trial, found, claim=claim, figures=figures, seconds=_seconds(found))


def _read_rule(found: dict[str, Any]) -> Within:
    low, high = (typed(float | None, found[name], name) for name in ("low", "high"))
    return made(Within, found, low=-math.inf if low is None else low, high=math.inf if high is None else high)


def _read_figure(found: dict[str, Any]) -> Figure:
    samples = typed(tuple[float | None, ...], found["samples"], "samples")
    return made(
        Figure,
        found,
        samples=tuple(math.inf if each is None else each for each in samples),
        void=typed(str | None, found["void"], "void") or "",
    )


def _seconds(found: dict[str, Any]) -> float:
    seconds: float = typed(float, found["took_s"], "took_s")
    return seconds


def _recorded(lab: Lab) -> NoReturn:
    raise ValueError("this claim was read from a file, which has what came of it and not its experiment")


def _unknown(machine: Mapping[str, object], figures: Mapping[str, Figure]) -> str:
    return "the claim was read from a file, which has the verdict and not how to come to it"


def figures(trial: Trial) -> Table:
    """The table of the figures, and what each rule says of its own."""
    table = bare_table()
    table.add_column("figure", no_wrap=True)
    rounds = {len(figure.samples) for figure in trial.figures}
    for name in (f"median of {max(rounds)}" if len(rounds) == 1 else "median", "95 %"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("rule", no_wrap=True)
    figures = {figure.name: figure for figure in trial.figures}
    bounds = {rule.figure: rule for rule in trial.claim.rules}
    for figure in trial.figures:
        rule, middle = bounds.get(figure.name), figure.median
        table.add_row(
            figure.name,
            "-" if middle is None else quantity(middle, figure.unit),
            figure.spread or "-",
            "" if rule is None else f"{rule.bound}: {MET[rule.met(figures)]}",
        )
    return table


MET = {True: "met", False: "broken", None: "cannot tell"}
"""A rule in words."""


def word(trial: Trial) -> Text:
    if trial.verdict is None:
        return Text("failed", "bold red")
    return Text(trial.verdict.word, _STYLES[trial.verdict.word])


def why(trial: Trial) -> str:
    return trial.error or (trial.verdict.why if trial.verdict else "")


def _wrapped(words: str, width: int) -> Iterator[str]:
    blank = " " * _MARGIN
    yield from textwrap.wrap(words, width, initial_indent=blank, subsequent_indent=blank)


def summary(trials: Trials) -> Text:
    """How many of each verdict."""
    words = [word(trial).plain for trial in trials]
    return Text(", ".join(f"{words.count(word)} {word}" for word in (*_STYLES, "failed") if word in words), "bold")


def circumstances(trials: Trials) -> str:
    facts = trials.machine
    gil = "with its GIL" if facts["gil"] else "without a GIL"
    processors = count(facts["processors_usable"], "processor")
    return (
        f"So it is with Python {facts['python']} {gil} and {processors}: {count(len(trials), 'claim')} in"
        f" {trials.seconds:.0f} s, seed {trials.seed}. Another interpreter or another machine may say otherwise."
    )
