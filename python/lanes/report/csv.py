"""A table of results as CSV: a head with the names of the columns, then a line for each record.

See lanes/report/records.py for the tables and their columns. What is not known is empty; true and false are words.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from lanes.report.records import ROWS, records
from lanes.shown import Shown


def text(results: Sequence[Shown], table: str = ROWS) -> str:
    """The table of all these results, one below the other; columns that one of them lacks are empty there."""
    columns, found = records(results, table)
    written = io.StringIO()
    writer = csv.DictWriter(written, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return written.getvalue()
