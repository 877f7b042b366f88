"""What `examine` found, as people read it and as JSON, version 1:

schema      1
machine     the facts, as in a comparison
findings    group, name, value and advice; value is null where it is unknown, advice where there is none
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby

from rich.console import Console
from rich.text import Text

from lanes.doctor import Finding
from lanes.report.files import SCHEMA, dumped

_WIDEST = 100
"""Longer lines are hard to read, however wide the terminal is."""


def show(findings: Sequence[Finding], console: Console) -> None:
    """Print the findings by group, names at the left, and below each what to do about it."""
    margin = max(len(finding.name) for finding in findings) + 4
    for group, members in groupby(findings, key=lambda finding: finding.group):
        console.print(Text(group, "bold"))
        for finding in members:
            for line in _lines(finding, margin, min(console.width, _WIDEST)):
                console.print(line)
        console.print()
    advised = sum(finding.advice is not None for finding in findings)
    console.print(f"{advised} of {len(findings)} may disturb a measurement; nothing was changed.")


def _lines(finding: Finding, margin: int, width: int) -> Iterator[Text]:
    value = "unknown" if finding.value is None else finding.value
    blank = " " * margin
    first = f"  {finding.name}".ljust(margin)
    for line in textwrap.wrap(value, width, initial_indent=first, subsequent_indent=blank):
        yield Text(line, "dim" if finding.value is None else "")
    advice = finding.advice or ""
    for line in textwrap.wrap(advice, width, initial_indent=f"{blank}! ", subsequent_indent=f"{blank}  "):
        yield Text(line, "yellow")


def text(findings: Sequence[Finding], machine: Mapping[str, object]) -> str:
    """The JSON."""
    document = {"schema": SCHEMA, "machine": dict(machine), "findings": [asdict(finding) for finding in findings]}
    return dumped(document)
