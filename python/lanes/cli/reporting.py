"""`lanes report`: what is in the files of results, shown again, or two of them held against each other."""

from __future__ import annotations

import argparse

from lanes.cli.screen import make_console, refuse


def run_report(options: argparse.Namespace) -> int:
    from lanes.report import changes
    from lanes.report.read import read_all

    names = options.before, options.after
    try:
        before, after = (changes.comparisons(read_all(name), name) for name in names)
        changes.pairs(before, after)
    except (ValueError, OSError) as error:
        refuse(error)
    changes.show(before, after, names, make_console(least_width=80))
    return 0
