"""`lanes claims`: which are tried, how that is shown, and where it is written."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from lanes.claims import Stage, claims, listed
from lanes.cli.screen import bar_of, file_of, hand_out, json_of, make_console, refuse


def run_claims(options: argparse.Namespace) -> int:
    from lanes.report import claims as report
    from lanes.report import json, markdown

    if "list" in options:
        report.show_list(listed(), make_console(least_width=80))
        return 0
    try:
        to_stdout, path = json_of(options)
        page = _markdown_of(options)
        if to_stdout and page == Path("-"):
            raise ValueError("--json - and --markdown - both want standard output: give one of them a file")
    except (ValueError, OSError) as error:
        refuse(error)
    names = getattr(options, "claim", [])
    with bar_of("claims", "quiet" not in options) as show:

        def progress(stage: Stage) -> None:
            show(stage.claim or "done", stage.share, f"{stage.done} of {stage.many}")

        try:
            trials = claims(names or None, seed=getattr(options, "seed", None), progress=progress)
        except ValueError as error:
            refuse(error)
    if "quiet" not in options:
        console = make_console(stderr=to_stdout or page == Path("-"), least_width=80)
        (report.show_evidence if names else report.show)(trials, console)
    for text, file, shown in (
        (lambda trials: json.text([trials]), path, to_stdout),
        (lambda trials: markdown.text([trials]), page if page != Path("-") else None, page == Path("-")),
    ):
        hand_out(partial(text, trials), shown, file)
    return 0 if trials.ok else 1


def _markdown_of(options: argparse.Namespace) -> Path | None:
    """The file that Markdown goes to, which must be writable; "-" for standard output, None for nowhere."""
    from lanes.report.files import check_writable

    if "markdown" not in options:
        return None
    path = file_of("markdown", options)
    if path != Path("-"):
        check_writable(path)
    return path
