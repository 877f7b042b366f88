"""The comparisons of a session of tests as people read them at its end, beside those of an earlier one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from lanes import machine, stats
from lanes.comparison import Comparison
from lanes.report import changes, sentences, sweep, table, wording
from lanes.sweep import Sweep, comparison_of


def text(
    results: Sequence[Comparison | Sweep],
    earlier: tuple[str, Sequence[Comparison]] | None,
    notes: Iterable[str],
    verbosity: int,
    width: int,
    colour: bool,
) -> str:
    """A table for each, with the name of its test, and what has changed since an earlier session, by the name of its
    file. Where pytest is verbose that is all that is known of a comparison, and where it is quiet one line above what
    has changed. At the end stand the notes."""
    comparisons = [comparison_of(result) for result in results]
    name, before = earlier or ("", [])
    partners = changes.partners(comparisons, before)

    def show(console: Console) -> None:
        for result, old in zip(results, partners, strict=True) if verbosity > -2 else ():
            new = comparison_of(result)
            if verbosity < 0:
                console.print(Text(f"{new.label}: {next(sentences.verdict(new))}"), soft_wrap=True)
            else:
                _show(result, console, verbosity)
            for line in _since(old, new) if earlier else ():
                console.print(Text(f"Since {name}: {line}", "yellow" if "slower" in line else ""), soft_wrap=True)
            if verbosity >= 0:
                console.print()
        for line in (*_warnings(name, partners, comparisons), *notes):
            console.print(Text(line, "yellow"), soft_wrap=True)

    shown = wording.as_text(show, width, colour)
    return f"{shown}\n" if shown else ""


def _show(result: Comparison | Sweep, console: Console, verbosity: int) -> None:
    if isinstance(result, Sweep):
        sweep.show(result, console)
    elif verbosity > 0:
        table.show(result, console)
    else:
        console.print(table.title(result), soft_wrap=not console.is_terminal)
        wording.print_table(table.speedups(result), console)
        console.print()
        for note in sentences.notes(result):
            console.print(note, soft_wrap=not console.is_terminal)


def _since(before: Comparison | None, now: Comparison) -> Iterator[str]:
    """The rows that became faster or slower, one line each, and how many did not as far as one can tell."""
    if before is None:
        yield "nothing there is the same comparison of this test."
        return
    alike = 0
    for old, new in changes.rows_of_both(before, now):
        verdict = stats.unpaired(new.walls, old.walls) if all(map(changes.comparable, (old, new))) else None
        if verdict is not None and verdict.word != "cannot tell":
            yield f"{new.name} is {sentences.compared(verdict)}."
        else:
            alike += 1
    if alike:
        yield f"no difference can be told of {wording.count(alike, 'row')}."


def _warnings(name: str, before: Sequence[Comparison | None], now: Sequence[Comparison]) -> list[str]:
    """What differs between the machines."""
    pairs = [(old, new) for old, new in zip(before, now, strict=True) if old is not None]
    found = [each for old, new in pairs for each in machine.differences(old.machine, new.machine)]
    if not found:
        return []
    return [f"The machine of {name} was another, so what is slower may not be the code:", *dict.fromkeys(found)]
