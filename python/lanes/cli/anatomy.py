"""`lanes anatomy`: look at models while they work, and draw what is there."""

from __future__ import annotations

import argparse

from lanes.anatomy import anatomy
from lanes.cli.measuring import measured, workload_of
from lanes.cli.rows import modules
from lanes.cli.screen import hand_out, json_of, make_console, refuse, say


def run_anatomy(options: argparse.Namespace) -> int:
    from lanes.report import anatomy as report
    from lanes.report import json

    if not getattr(options, "workload", None):
        refuse(ValueError(f"lanes anatomy needs a workload: choose from {', '.join(modules())}"))
    try:
        to_stdout, path = json_of(options)
        workload = workload_of(options.workload, options)
    except (ValueError, OSError) as error:
        refuse(error)
    result = measured(workload, options, anatomy)
    if "quiet" in options:
        say(report.problems(result))
    else:
        report.show(result, make_console(stderr=to_stdout, least_width=80))
    hand_out(lambda: json.text([result]), to_stdout, path)
    return 0 if result.ok else 1
