"""`make bench`: the figures of the README, as ratios measured in one run.

    python tests/bench [--only NAME[,NAME]] [--rounds N] [--json FILE]

Timing never fails it: it exits with 0 whenever it could run, and the table says what was reached.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import arrivals
import bridge
import dispatch
import engine
import exchange
import figures
import pulse
import report
import scaling
import truth
from peers import BUILD
from rich.console import Console

from lanes import machine
from lanes.report.files import check_writable

FIGURES = (
    *dispatch.FIGURES,
    *bridge.FIGURES,
    *exchange.FIGURES,
    *scaling.FIGURES,
    *engine.FIGURES,
    *pulse.FIGURES,
    *arrivals.FIGURES,
    *truth.FIGURES,
)

OUTPUT = BUILD / "bench.json"


def at_least_one(text: str) -> int:
    """The type of an option, which argparse names when it refuses a value."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bench", description="ratios measured in one run")
    parser.add_argument("--only", metavar="NAME[,NAME]", help="only these figures, or all of a kind such as engine")
    parser.add_argument("--rounds", type=at_least_one, default=9, metavar="N", help="pairs of each figure (9)")
    parser.add_argument("--json", type=Path, default=OUTPUT, metavar="FILE", help="where JSON goes")
    options = parser.parse_args()
    try:
        chosen = figures.select(FIGURES, options.only.split(",")) if options.only else list(FIGURES)
        if options.json == OUTPUT:
            OUTPUT.parent.mkdir(parents=True, exist_ok=True)
        check_writable(options.json)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    progress = Console(stderr=True)

    def tell(what: str) -> None:
        # One line, written over; and nothing that draws by itself, as its thread would take part in what is measured.
        if progress.is_terminal:
            progress.print(f"\r\x1b[K{what}", end="", highlight=False, soft_wrap=True)

    facts = {**machine.facts(), "load_before": os.getloadavg()[0]}
    try:
        results = figures.measure(chosen, options.rounds, tell)
    except KeyboardInterrupt:
        return 130
    finally:
        tell("")
    report.show(results, facts, options.rounds, Console())
    report.write(options.json, results, facts, options.rounds)
    print(f"\nJSON: {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
