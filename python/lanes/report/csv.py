"""A table of results as CSV: a head with the names of the columns, then a line for each record.

See lanes/report/records.py for the tables and their columns. What is not known is empty; true and false are words. A
text that a spreadsheet would take for a formula, such as what an error says, has a ' before it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from types import SimpleNamespace

from lanes.report.records import ROWS, records
from lanes.shown import Shown


def text(results: Sequence[Shown], table: str = ROWS) -> str:
    """The table of all these results, one below the other; columns that one of them lacks are empty there."""
    columns, found = records(results, table)
    lines: list[str] = []
    # What ends a line is quoted within a cell, before Python 3.13 no other: hence both, and the end of each is cut.
    writer = csv.writer(SimpleNamespace(write=lines.append), lineterminator="\r\n")
    writer.writerow(map(_no_formula, columns))
    writer.writerows([_no_formula(record.get(name)) for name in columns] for record in found)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


def _no_formula(value: object) -> object:
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
