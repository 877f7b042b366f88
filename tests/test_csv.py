"""Records as CSV, read with the standard library's reader."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from lanes.report import csv as report
from lanes.report import records
from lanes.report.workload import RecordedMeasuring
from results import NASTY, RESULTS, make_comparisons, make_measuring
from support import make_comparison, make_row


@pytest.mark.parametrize("kind", RESULTS)
def test_what_is_read_is_what_was_written(kind: str, tmp_path: Path) -> None:
    text = RESULTS[kind].to_csv(tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text() == text
    columns, found = records.records([RESULTS[kind]])
    reader = csv.DictReader(io.StringIO(text))
    assert list(reader) == [{name: "" if each[name] is None else str(each[name]) for name in columns} for each in found]


def test_numbers_are_raw_and_text_is_quoted() -> None:
    rows = list(csv.DictReader(io.StringIO(make_comparisons().to_csv())))
    assert rows[1]["wall_s"] == "0.55"
    assert rows[5]["error"] == NASTY
    assert rows[4]["wall_s"] == ""


def test_any_table_can_be_asked_for_and_results_stand_below_each_other() -> None:
    spans = list(csv.DictReader(io.StringIO(make_comparisons().to_csv(table="spans"))))
    assert {"task", "worker", "thread_id", "claimed_s"} <= set(spans[0])
    rows = list(csv.DictReader(io.StringIO(report.text([make_comparisons(), make_measuring()]))))
    assert (rows[0]["lost"], rows[-1]["lost"]) == ("", "3.0")


@pytest.mark.parametrize("text", ["=1+1", "+1|x", "-1+1", "@SUM(1)", "\t=1", "\r=1"])
def test_a_text_that_a_spreadsheet_would_compute_stays_text(text: str) -> None:
    result = make_comparison(make_row("threading", "python", error=text))
    rows = list(csv.DictReader(io.StringIO(result.to_csv(), newline="")))
    assert rows[1]["error"] == f"'{text}"
    assert list(rows[0]) == records.records([result])[0]
    units = {text: "s"}
    work = RecordedMeasuring("=work", {}, result.workload.tasks, False, units=units)
    columns = next(csv.reader(io.StringIO(replace(result, workload=work).to_csv(), newline="")))
    assert f"'{text}_s" in columns


@pytest.mark.parametrize("text", ["-1", "1", "+1.5e3", "a=b", ""])
def test_a_text_that_is_a_number_is_left_alone(text: str) -> None:
    result = make_comparison(make_row("threading", "python", error=text))
    assert list(csv.DictReader(io.StringIO(result.to_csv())))[1]["error"] == text
