"""The tables of a result: their columns are documented, and what is in them is what was measured."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from lanes.report import records
from lanes.shown import Shown
from results import DIFFERENCE, NASTY, RESULTS, make_comparisons, make_load, make_measuring, make_sweep, make_trials
from support import BASE

TABLES = [(kind, table) for kind in RESULTS for table in records._tables(RESULTS[kind])]


def of(result: Shown, table: str = records.ROWS) -> list[dict[str, Any]]:
    return records.records([result], table)[1]


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_every_record_has_the_columns_in_their_order(kind: str, table: str) -> None:
    columns, found = records.records([RESULTS[kind]], table)
    assert found or table in ("series", "memory")
    for record in found:
        assert list(record) == columns
        assert {type(value) for value in record.values()} <= {str, int, float, bool, type(None)}


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_every_column_is_documented_but_figures(kind: str, table: str) -> None:
    words = set(re.findall(r"\w+", records.__doc__ or ""))
    ending = re.compile(r"_(p50_s|p90_s|p99_s|max_s|single|contention|coherence|r_squared|peak_workers)$")
    work = make_measuring()
    known = words | {column for column in of(work)[0] if column not in of(make_comparisons())[0]}
    for column in records.records([RESULTS[kind]], table)[0]:
        assert column in known or ending.sub("", column) in known, column


def test_a_row_of_a_comparison() -> None:
    result = make_comparisons()
    row, described = result["threading"], of(result)[1]
    assert (described["label"], described["model"]) == (NASTY, "threading")
    assert described["wall_s"] == row.wall
    assert (described["wall_low_s"], described["wall_high_s"]) == row.wall_interval
    assert (described["speedup"], described["speedup_low"], described["verdict"]) == (2.0, 2.0, "faster")
    assert described["gil_wait_s"] == pytest.approx(0.09)
    assert described["handovers"] == 41
    broken = of(result)[7]
    assert (broken["broken"], broken["verdict"]) == ("split adds up", None)
    senseless = of(result)[4]
    assert (senseless["reason"], senseless["wall_s"], senseless["rounds"]) == ("because", None, 0)
    assert of(result)[5]["error"] == NASTY


def test_samples_are_those_of_the_rounds() -> None:
    found = of(make_comparisons(), "samples")
    assert [each["wall_s"] for each in found if each["model"] == "serial"] == list(BASE)
    assert [each["round"] for each in found[:6]] == [0, 1, 2, 3, 4, 5]


def test_spans_are_those_of_the_typical_run_since_it_began() -> None:
    found = [
        each for each in of(make_comparisons(), "spans") if (each["model"], each["body"]) == ("threading", "python")
    ]
    assert [each["task"] for each in found] == [0, 1]
    assert found[0]["claimed_s"] == pytest.approx(0.1375)
    assert found[1]["finished_s"] == pytest.approx(0.4125)


def test_figures_have_units_in_their_names() -> None:
    first = of(make_measuring())[0]
    assert {"lost", "lost_share", "cost_s", "waited_s", "held_s"} <= set(first)
    assert records._column("copied:64 KiB", "B") == "copied_bytes:64 KiB"
    assert records._column("handed", "/s") == "handed_per_s"


def test_a_sweep_has_its_rows_and_its_curves() -> None:
    result = make_sweep()
    assert [row["workers"] for row in of(result)] == [1, 1, 2, 4]
    baseline, curve = of(result, "curves")
    assert baseline["pays_off_s"] == math.inf
    assert (curve["amdahl_contention"], curve["usl_coherence"], curve["pays_off_s"]) == (0.1, 0.02, 0.25)
    assert baseline["usl_single"] is None


def test_a_load_has_rows_and_series() -> None:
    result = make_load()
    first, *_, senseless = of(result)
    assert (first["waiting_p50_s"], first["slip_max_s"], first["served_per_s"]) == (0.01, 0.04, 80.0)
    assert (first["kept_up"], senseless["kept_up"], senseless["agrees"]) == (False, None, None)
    assert [point["backlog"] for point in of(result, "series")] == [30, 32]
    assert of(result, "memory")[0]["pss_bytes"] == 1 << 24
    assert DIFFERENCE in result["native-epoll"].differences


def test_claims_have_figures() -> None:
    result = make_trials()
    assert [row["verdict"] for row in of(result)] == ["depends", "holds", None]
    assert [row["why"] for row in of(result)][2] == NASTY
    figure = of(result, "figures")[2]
    assert (figure["median"], figure["void"]) == (math.inf, "crowded: a law")
    assert len(of(result, "samples")) == 30


@pytest.mark.parametrize("kind", RESULTS)
def test_another_table_is_refused_and_the_tables_are_named(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"a {type(RESULTS[kind]).__name__} has no table 'x': choose from rows, "):
        records.records([RESULTS[kind]], "x")


def test_several_results_stand_below_each_other_with_the_columns_of_all() -> None:
    columns, found = records.records([make_comparisons(), make_measuring()])
    assert "lost" in columns
    assert [row["workload"] for row in found] == ["wait"] * 9 + ["counter"] * 2
