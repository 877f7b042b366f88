"""What every result shows of itself where people work: a script, a notebook, a page, another tool.

Each method hands the result to the module of `lanes.report` that makes this form of it, which is loaded when it is
first asked for: printing stands above measuring. A form that is text is returned, and written to a file as well if
`path` names one.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas


CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) != "\n"}
"""What would tell a terminal something, whoever has put it into an error, a name or a file. Where text is shown to
people it is left out, by `str.translate`."""


class Shown:
    """A result: `Comparison`, `Sweep`, `Load`, `Trials` or `Anatomy`."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """In a notebook: the tables, and below them in words what stands out."""
        from lanes.report import cell

        return cell.html(self)

    def _repr_mimebundle_(self, **wanted: object) -> dict[str, str]:
        """In IPython's terminal, and where a notebook is read as text: what `print` shows."""
        return {"text/plain": str(self)}

    def to_csv(self, path: str | os.PathLike[str] | None = None, table: str = "rows") -> str:
        """A table of it as CSV, raw, with units in the names of the columns: see lanes/report/records.py for the tables
        and their columns.

        Raises ValueError for a table that there is not, OSError where the file cannot be written.
        """
        from lanes.report import csv

        return given_out(csv.text([self], table), path)

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """A page that needs nothing else, to be opened offline in any browser: the verdict in a sentence, tables,
        charts and, of what was compared, a timeline to zoom into. See `lanes.report.html`.

        Raises ImportError without Plotly, which the extra `html` brings; OSError where the file cannot be written.
        """
        from lanes.report import html

        return given_out(html.text([self]), path)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """All of it as JSON, which `lanes.read` makes a result again; see lanes/report/json.py for its fields.

        Raises OSError where the file cannot be written.
        """
        from lanes.report import json

        return given_out(json.text([self]), path)

    def to_markdown(self, path: str | os.PathLike[str] | None = None) -> str:
        """Its tables as GitHub's Markdown has them, and below them in words what stands out.

        Raises OSError where the file cannot be written.
        """
        from lanes.report import markdown

        return given_out(markdown.text([self]), path)

    def to_pandas(self, table: str = "rows") -> pandas.DataFrame:
        """A table of it as a DataFrame, a record a row: "rows", as `to_csv` has them, or another one, such as "spans"
        of a comparison, "curves" of a sweep or "series" of a load: see lanes/report/records.py.

        Raises ValueError for a table that there is not, and ImportError without pandas.
        """
        from lanes.report import frame

        return frame.frame([self], table)

    def to_pyperf(self, path: str | os.PathLike[str] | None = None) -> str:
        """The rows of a comparison or a sweep as benchmarks of pyperf: `python -m pyperf compare_to a.json b.json`.

        Raises ValueError for other results, and where no row ran well; OSError where the file cannot be written.
        """
        from lanes.report import pyperf

        return given_out(pyperf.text([self]), path)

    def to_trace(self, path: str | os.PathLike[str] | None = None) -> str:
        """Its lanes in the Chrome trace event format, to be opened in Perfetto (https://ui.perfetto.dev): a process for
        each row, a thread for each worker, a slice for each task, and counters. See `lanes.report.trace`.

        Raises ValueError for what has no lanes: what claims came to, an anatomy. OSError where it cannot be written.
        """
        from lanes.report import trace

        return given_out(trace.text([self]), path)


def given_out(text: str, path: str | os.PathLike[str] | None) -> str:
    """The text, which the file then holds as well: as a whole or not at all."""
    if path is not None:
        from lanes.report.files import check_writable, write_text

        check_writable(Path(path))
        write_text(text, Path(path))
    return text


def needed(module: str, extra: str) -> ModuleType:
    """The module, which comes with an extra of lanes; without it an ImportError says in one line how to get it.

    Only what is not there is told so: a module that is there and fails on its own says why itself.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name not in (package, module):
            raise
        raise ImportError(f'this needs {package}: pip install "gil-lanes[{extra}]"', name=error.name) from None
