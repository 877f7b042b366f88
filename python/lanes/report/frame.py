"""A table of a result as a pandas DataFrame. See lanes/report/records.py for the tables and their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lanes.report.records import ROWS, records
from lanes.shown import Shown, needed

if TYPE_CHECKING:
    import pandas


def frame(results: Sequence[Shown], table: str = ROWS) -> pandas.DataFrame:
    """One row for each record. What is not known is missing, as pandas has it: NaN, or None among texts.

    Raises ValueError for a table that there is not, and ImportError without pandas.
    """
    columns, found = records(results, table)
    made: pandas.DataFrame = needed("pandas", "pandas").DataFrame.from_records(found, columns=columns)
    return made
