"""The command `lanes`.

Exit status: 0; 1 when outcomes differ or a model failed; 2 for bad input, with one line that says what is allowed, and
when there is no room for what is written; 130 after Ctrl-C, with nothing left running; 141 when whoever read the output
has gone away.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence

from lanes.cli.parser import make_parser
from lanes.cli.screen import refuse


def main(arguments: Sequence[str] | None = None) -> int:
    _open_closed_descriptors()
    try:
        try:
            options = make_parser().parse_args(arguments)
        except ValueError as error:
            refuse(error)
        command: Callable[[argparse.Namespace], int] = options.command
        status = command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _flush_nowhere()  # whoever read us has seen enough
        return 141
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _flush_nowhere()
        refuse(error)
    return status


def _flush_nowhere() -> None:
    """What is still to be flushed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_descriptors() -> None:
    """Let a standard stream that the caller has closed lead nowhere, or the next file opened would take its place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            os.set_inheritable(null, True)
            setattr(sys, name, os.fdopen(null, "w" if number else "r", closefd=False))
