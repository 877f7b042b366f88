"""Records as a pandas DataFrame."""

from __future__ import annotations

import sys

import pytest

from lanes.report import records
from results import RESULTS, make_comparisons, make_sweep
from test_records import TABLES

pandas = pytest.importorskip("pandas")


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_a_frame_has_a_row_for_each_record(kind: str, table: str) -> None:
    frame = RESULTS[kind].to_pandas(table)
    columns, found = records.records([RESULTS[kind]], table)
    assert list(frame.columns) == columns
    assert len(frame) == len(found)


def test_numbers_are_numbers_and_what_is_not_known_is_missing() -> None:
    frame = make_comparisons().to_pandas()
    assert frame["wall_s"].dtype == float
    assert frame["workers"].dtype.kind == "i"
    assert frame["wall_s"].isna().sum() == 1
    assert frame.set_index("model").loc["native-epoll", "speedup"] == pytest.approx(5.36, abs=0.01)
    spans = make_comparisons().to_pandas("spans")
    assert (spans["finished_s"] >= spans["started_s"]).all()
    assert make_sweep().to_pandas("curves")["best_workers"].tolist() == [1, 4]


def test_without_pandas_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'this needs pandas: pip install "gil-lanes\[pandas\]"'):
        make_comparisons().to_pandas()
