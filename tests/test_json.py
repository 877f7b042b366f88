"""The JSON, version 1: nothing of it may be renamed."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

import lanes
from lanes.comparison import Difference
from lanes.report import json as report
from lanes.types import Outcome
from support import BASE, make_comparison, make_row

ROW = make_row(
    "native-fork",
    None,
    [0.5, 0.25, 0.5],
    BASE,
    differences=(Difference(2, 1, "text", Outcome("ok", (1,)), Outcome("failed", (), "X", "why")),),
    origin_busy=0.25,
)
RESULT = make_comparison(
    ROW, make_row("asyncio", "released", reason="because"), make_row("threading", "held", error="e")
)


def test_the_top_level_is_that_of_version_1() -> None:
    document = json.loads(report.text([RESULT]))
    assert document["schema"] == 1
    assert document["workload"] == {"name": "wait", "params": {"duration_s": [0.05]}, "tasks": 2}
    assert document["machine"] == dict(RESULT.machine)
    assert (document["rounds"], document["seed"], document["distance"]) == (3, 7, None)
    assert [row["model"] for row in document["rows"]] == ["serial", "native-fork", "asyncio", "threading"]


def test_a_row_has_the_fields_of_version_1() -> None:
    row = json.loads(report.text([RESULT]))["rows"][1]
    spans = row.pop("spans")
    assert row == {
        "model": "native-fork",
        "family": "native",
        "body": None,
        "workers": 4,
        "wall_s": {"samples": [0.5, 0.25, 0.5], "median": 0.5},
        "speedup": {"samples": [2.0, 4.8, 2.2], "median": 2.2},
        "cpu_s": 0.5,
        "cores": 1.0,
        "startup_s": 0.125,
        "shutdown_s": 0.125,
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
        "reason": None,
        "origin_busy": 0.25,
    }
    assert spans[1] == {
        "task": 1,
        "worker": 0,
        "thread_id": os.getpid(),
        "process_id": os.getpid(),
        "cpu": 0,
        "claimed_s": 0.25,
        "started_s": 0.25,
        "finished_s": 0.375,
        "cpu_s": 0.0625,
    }


def test_a_row_that_did_not_run_has_nulls_and_its_reason_or_error() -> None:
    rows = json.loads(report.text([RESULT]))["rows"]
    assert (rows[2]["reason"], rows[2]["error"], rows[2]["agrees"]) == ("because", None, None)
    assert rows[2]["wall_s"] == {"samples": [], "median": None}
    assert rows[2]["spans"] == []
    assert (rows[3]["error"], rows[3]["speedup"]["median"]) == ("e", None)


def test_several_comparisons_are_a_list_of_such_documents() -> None:
    one = json.loads(report.text([RESULT]))
    assert json.loads(report.text([RESULT, RESULT])) == {"schema": 1, "comparisons": [one, one]}


def test_what_a_real_comparison_says_of_machine_and_distance_is_json() -> None:
    result = lanes.compare(lanes.wait(tasks=2, duration=0), models="threading,native", rounds=1)
    document = json.loads(report.text([result]))
    assert set(document["distance"]) == {"interpreter", "gil", "dispatch", "total"}
    assert {"lanes", "python", "gil", "libcurl", "kernel", "cpu", "processors", "processors_usable"} <= set(
        document["machine"]
    )


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    path.chmod(0o640)
    report.check_writable(path)
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
    report.check_writable(Path("/dev/null"))
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
        report.check_writable(tmp_path)
    with pytest.raises(OSError, match=r"cannot write .*: there is no directory"):
        report.check_writable(tmp_path / "no" / "file")
    report.check_writable(tmp_path / "new")
    assert os.listdir(tmp_path) == []
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(OSError, match=r"cannot write .*: permission denied"):
        report.check_writable(tmp_path / "new")


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    report.write([RESULT], path)
    assert report.read(path) == [json.loads(path.read_text())]
    report.write([RESULT, RESULT], path)
    assert report.read(path) == json.loads(path.read_text())["comparisons"]


def test_fields_that_a_later_lanes_adds_do_no_harm(tmp_path: Path) -> None:
    document = json.loads(report.text([RESULT]))
    later = {**document, "news": 1, "rows": [{**row, "news": 1} for row in document["rows"]]}
    (tmp_path / "later").write_text(json.dumps(later))
    assert report.read(tmp_path / "later") == [later]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[]", "it is no result of lanes compare --json"),
        (b"{}", "it is no result"),
        (b'{"schema": 1}', "it is no result"),
        (b'{"schema": 1, "comparisons": []}', "it is no result"),
        (b'{"schema": 1, "comparisons": 5}', "it is no result"),
        (b'{"schema": 1, "machine": {}, "findings": []}', "it is no result"),
        (b'{"schema": 2}', "it is of version 2, and this lanes knows version 1"),
    ],
)
def test_what_is_no_result_is_refused_in_one_line(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=rf"cannot read .*/file: {words}"):
        report.read(tmp_path / "file")


@pytest.mark.parametrize("walls", [[0], [-1.0], ["1"], None, [1e999]])
def test_times_that_are_none_are_refused(walls: object, tmp_path: Path) -> None:
    document = json.loads(report.text([RESULT]))
    document["rows"][1]["wall_s"]["samples"] = walls
    (tmp_path / "file").write_text(json.dumps(document))
    with pytest.raises(ValueError, match="it is no result"):
        report.read(tmp_path / "file")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot read .*/none: No such file"):
        report.read(tmp_path / "none")
    with pytest.raises(OSError, match=r"cannot read .*: Is a directory"):
        report.read(tmp_path)
