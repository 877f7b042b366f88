"""What every result shows of itself where people work: a script, a notebook, a page, another tool.

Each method hands the result to the module of `lanes.report` that makes this form of it, which is loaded when it is
first asked for: printing stands above measuring. A form that is text is returned, and written to a file as well if
`path` names one.
"""

from __future__ import annotations

import os
from pathlib import Path


class Shown:
    """A result: `Comparison`, `Sweep`, `Load`, `Trials` or `Anatomy`."""

    __slots__ = ()


def given_out(text: str, path: str | os.PathLike[str] | None) -> str:
    """The text, which the file then holds as well: as a whole or not at all."""
    if path is not None:
        from lanes.report.json import check_writable, write_text

        check_writable(Path(path))
        write_text(text, Path(path))
    return text
