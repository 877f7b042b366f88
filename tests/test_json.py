"""The JSON, version 1: nothing of it may be renamed."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

import lanes
from lanes.comparison import Difference
from lanes.laws import LAWS, Judgement
from lanes.report import files
from lanes.report import json as report
from lanes.stats import Interval, Verdict, Word
from lanes.types import Closeup, MemoryAt, Outcome, Pulse, Run
from lanes.workloads.wait import Wait
from support import BASE, make_comparison, make_counters, make_row, make_usage

HALF = [0.5, 0.6, 0.55] * 2
ROW = make_row(
    "threading",
    "python",
    HALF,
    BASE,
    differences=(Difference(2, 1, "text", Outcome("ok", (1,)), Outcome("failed", (), "X", "why")),),
    origin_busy=0.25,
    # The typical run has a wall of 0.55 s, of which half is work: 0.55 s of two workers.
    counters=make_counters(
        make_usage(0.2, 0.05, 0.02, 0.04, waits=30, voluntary=7, involuntary=2, thread_id=1),
        make_usage(0.1, 0.0, 0.03, 0.05, waits=20, voluntary=5, involuntary=1, thread_id=2),
        handovers=41,
    ),
    closeup=Closeup(
        peak_pss_bytes=4096, peak_rss_bytes=(2048, 8192), pickled_bytes=77, pickle_s=0.5, loop_lag_s=0.25,
        memory=(MemoryAt(0.125, 1024), MemoryAt(0.25, 4096)),
        max_loop_lag_s=0.125,
    ),
    pulse=Pulse("loop", 0.005, 100, 3, 0.001, 0.012, 0.03),
    judgements=(Judgement("not throttled", True, "so much"),),
)  # fmt: skip
RESULT = make_comparison(
    ROW, make_row("asyncio", "released", reason="because"), make_row("threading", "held", error="e")
)


def test_the_top_level_is_that_of_version_1() -> None:
    document = json.loads(report.text([RESULT]))
    assert document["schema"] == 1
    assert document["workload"] == {
        "name": "wait",
        "params": {"duration_s": [0.05]},
        "tasks": 2,
        "texts": [],
        "compiled": True,
        "units": None,
        "remarks": [],
    }
    assert document["machine"] == dict(RESULT.machine)
    assert (document["rounds"], document["budget_s"], document["seed"], document["distance"]) == (6, None, 7, None)
    assert [row["model"] for row in document["rows"]] == ["serial", "threading", "asyncio", "threading"]


def test_a_budget_is_written_in_seconds() -> None:
    assert json.loads(report.text([replace(RESULT, budget_s=90.0)]))["budget_s"] == 90.0


def test_a_row_has_the_fields_of_version_1() -> None:
    row = json.loads(report.text([RESULT]))["rows"][1]
    spans = row.pop("spans")
    assert row == {
        "model": "threading",
        "family": "python",
        "body": "python",
        "variant": None,
        "switching": "the operating system",
        "processors": "many",
        "workers": 4,
        "wall_s": {"samples": HALF, "median": 0.55, "ci95": pytest.approx([0.5, 0.6])},
        "speedup": {"samples": [2.0] * 6, "median": 2.0, "ci95": [2.0, 2.0], "outliers": 0},
        "verdict": "faster",
        "measured": {"word": "faster", "factor": 2.0, "ci95": [2.0, 2.0]},
        "laws": [{"name": "not throttled", "held": True, "why": "so much"}],
        "cpu_s": 0.5,
        "cores": pytest.approx(0.5 / 0.55),
        "in_flight": {"mean": pytest.approx(1.0), "max": 1},
        "startup_s": 0.1375,
        "work_s": 0.275,
        "shutdown_s": 0.1375,
        "split": {
            "total_s": 0.55,
            "cpu_user_s": pytest.approx(0.25),
            "cpu_system_s": 0.05,
            "run_queue_s": 0.05,
            "gil_wait_s": pytest.approx(0.09),
            "blocked_s": pytest.approx(0.11),
        },
        "gil": {
            "wait_s": pytest.approx(0.09),
            "wait_share": pytest.approx(0.09 / 0.55),
            "handovers": 41,
            "method": "timed waits",
            "cost_s": pytest.approx(0.0001),
        },
        "switches": {"voluntary": 12, "involuntary": 3},
        "cpus": 1,
        "workers_used": [
            {
                "process_id": os.getpid(),
                "thread_id": 1,
                "cpu_user_s": pytest.approx(0.15),
                "cpu_system_s": 0.05,
                "run_queue_s": 0.02,
                "gil_wait_s": 0.04,
                "gil_waits": 30,
                "ready_s": 0.0,
                "ended_s": 1.0,
                "voluntary": 7,
                "involuntary": 2,
            },
            {
                "process_id": os.getpid(),
                "thread_id": 2,
                "cpu_user_s": 0.1,
                "cpu_system_s": 0.0,
                "run_queue_s": 0.03,
                "gil_wait_s": 0.05,
                "gil_waits": 20,
                "ready_s": 0.0,
                "ended_s": 1.0,
                "voluntary": 5,
                "involuntary": 1,
            },
        ],
        "counters": {"gil": True, "gil_method": "timed waits", "gil_cost_s": 0.000_002, "handovers": 41},
        "runs": [
            {"cpu_s": 0.5, "in_flight": {"mean": 1.0, "max": 1}, "figures": {}, "throttled_s": 0.0, "others_s": 0.0}
        ]
        * 6,
        "failed": [],
        "figures": {},
        "memory": {
            "peak_pss_bytes": 4096,
            "peak_rss_bytes": [2048, 8192],
            "series": {"at_s": [0.125, 0.25], "pss_bytes": [1024, 4096]},
        },
        "pickle": {"bytes": 77, "seconds": 0.5},
        "loop_lag": {"sum_s": 0.25, "max_s": 0.125},
        "pulse": {
            "where": "loop",
            "period_s": 0.005,
            "beats": 100,
            "missed": 3,
            "p50_s": 0.001,
            "p99_s": 0.012,
            "max_s": 0.03,
        },
        "closeup_error": None,
        "pulse_error": None,
        "log_error": None,
        "why": "50% start-up and shutdown; then computed on one processor; 55% CPU",
        "start_method": None,
        "agrees": False,
        "differences": [
            {
                "task": 1,
                "text": "text",
                "round": 2,
                "expected": {"status": "ok", "value": [1], "error": None, "detail": ""},
                "got": {"status": "failed", "value": [], "error": "X", "detail": "why"},
            }
        ],
        "error": None,
        "stall": None,
        "reason": None,
        "origin_busy": 0.25,
    }
    assert spans[1] == {
        "task": 1,
        "worker": 0,
        "thread_id": os.getpid(),
        "process_id": os.getpid(),
        "cpu": 0,
        "claimed_s": 0.275,
        "started_s": 0.275,
        "finished_s": 0.4125,
        "cpu_s": 0.06875,
    }


def test_a_row_that_did_not_run_has_nulls_and_its_reason_or_error() -> None:
    rows = json.loads(report.text([RESULT]))["rows"]
    assert (rows[2]["reason"], rows[2]["error"], rows[2]["agrees"]) == ("because", None, None)
    assert rows[2]["wall_s"] == {"samples": [], "median": None, "ci95": None}
    assert rows[2]["speedup"] == {"samples": [], "median": None, "ci95": None, "outliers": 0}
    assert (rows[2]["spans"], rows[2]["laws"], rows[2]["workers_used"]) == ([], [], [])
    assert rows[2]["memory"] == {
        "peak_pss_bytes": None,
        "peak_rss_bytes": [],
        "series": {"at_s": [], "pss_bytes": []},
    }
    measured = (
        "verdict",
        "startup_s",
        "work_s",
        "shutdown_s",
        "split",
        "gil",
        "switches",
        "cpus",
        "in_flight",
        "pickle",
        "loop_lag",
    )
    assert {rows[2][field] for field in (*measured, "why", "cpu_s", "cores")} == {None}
    assert (rows[3]["error"], rows[3]["speedup"]["median"]) == ("e", None)


def test_a_baseline_and_a_row_that_broke_a_law_have_no_verdict() -> None:
    broken = make_row("native-epoll", None, HALF, BASE, judgements=(Judgement("split adds up", False, "it does not"),))
    rows = json.loads(report.text([make_comparison(broken)]))["rows"]
    assert [row["verdict"] for row in rows] == [None, None]
    assert rows[1]["laws"] == [{"name": "split adds up", "held": False, "why": "it does not"}]
    assert rows[1]["speedup"]["median"] == 2.0, "the figures stay"


@pytest.mark.parametrize("word", ["faster", "slower", "cannot tell"])
def test_the_verdict_is_a_word(word: Word) -> None:
    row = make_row("native-fork", None, HALF, BASE, measured=Verdict(word, 1.5, Interval(1.4, 1.6)))
    assert json.loads(report.text([make_comparison(row)]))["rows"][1]["verdict"] == word


class Measured(Wait):
    units: ClassVar[dict[str, str]] = {"lost": "updates", "waited": "s"}

    def figures(self, run: Run) -> dict[str, float | None]:
        return {}

    def remarks(self, machine: object) -> list[str]:
        return []


def test_figures_have_a_unit_and_the_samples_that_are_known() -> None:
    figures: list[dict[str, float | None]] = [{"lost": 3, "waited": 0.5}, {"lost": 5, "waited": None}]
    runs = tuple(replace(run, figures=figures[n % 2]) for n, run in enumerate(ROW.runs))
    comparison = replace(make_comparison(replace(ROW, runs=runs)), workload=Measured(2, (0,)))
    assert json.loads(report.text([comparison]))["rows"][1]["figures"] == {
        "lost": {"unit": "updates", "median": 4, "samples": [3, 5, 3, 5, 3, 5]},
        "waited": {"unit": "s", "median": 0.5, "samples": [0.5, 0.5, 0.5]},
    }


def test_where_there_is_no_gil_its_wait_is_null_and_native_models_have_none() -> None:
    counters = make_counters(make_usage(0.1), method=None, handovers=None)
    python, native = (
        make_row(model, body, HALF, BASE, counters=counters)
        for model, body in (("threading", "python"), ("native-epoll", None))
    )
    rows = json.loads(report.text([make_comparison(python, native)]))["rows"]
    assert rows[1]["gil"] == dict.fromkeys(("wait_s", "wait_share", "handovers", "method", "cost_s"))
    assert rows[2]["gil"] is None
    assert rows[2]["split"]["gil_wait_s"] == 0.0


def test_several_comparisons_are_a_list_of_such_documents() -> None:
    one = json.loads(report.text([RESULT]))
    assert json.loads(report.text([RESULT, RESULT])) == {"schema": 1, "comparisons": [one, one]}


def test_what_a_real_comparison_says_of_machine_and_distance_is_json() -> None:
    result = lanes.compare(lanes.wait(tasks=2, duration=0), models="threading,native", rounds=1)
    document = json.loads(report.text([result]))
    assert set(document["distance"]) == {"interpreter", "gil", "dispatch", "total"}
    names = {law.name for law in LAWS}
    for row in document["rows"]:
        if row["reason"]:
            continue
        parts = ("cpu_user_s", "cpu_system_s", "run_queue_s", "gil_wait_s", "blocked_s")
        assert all(row["split"][part] >= 0.0 for part in parts), row
        assert all(isinstance(row[field], float) and row[field] > 0 for field in ("startup_s", "work_s", "shutdown_s"))
        assert {type(value) for value in row["switches"].values()} == {int}
        assert (row["gil"] is None) is (row["family"] == "native")
        assert row["laws"]
        assert all(law["name"] in names and isinstance(law["held"], bool) and law["why"] for law in row["laws"])
        assert row["memory"]["peak_pss_bytes"] > 1_000_000
        assert all(peak > 1_000_000 for peak in row["memory"]["peak_rss_bytes"])
        assert row["verdict"] is None, "of one round nothing can be said"
        assert isinstance(row["why"], str)
        used = row["workers_used"]
        assert len({(each["process_id"], each["thread_id"]) for each in used}) == len(used) >= 1
    assert {"lanes", "python", "gil", "libcurl", "kernel", "cpu", "processors", "processors_usable"} <= set(
        document["machine"]
    )


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    path.chmod(0o640)
    files.check_writable(path)
    assert path.read_text() == "old"
    report.write([RESULT], path)
    assert json.loads(path.read_text())["schema"] == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("")
    (tmp_path / "link").symlink_to("target")
    report.write([RESULT], tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "target").read_text())["schema"] == 1
    files.check_writable(Path("/dev/null"))
    report.write([RESULT], Path("/dev/null"))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")

    def full(self: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        report.write([RESULT], path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_what_cannot_be_written_is_known_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match=r"cannot write .*: it is a directory"):
        files.check_writable(tmp_path)
    with pytest.raises(OSError, match=r"cannot write .*: there is no directory"):
        files.check_writable(tmp_path / "no" / "file")
    files.check_writable(tmp_path / "new")
    assert os.listdir(tmp_path) == []
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(OSError, match=r"cannot write .*: permission denied"):
        files.check_writable(tmp_path / "new")
