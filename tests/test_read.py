"""What is read from a file is what was written: the same document, and the same words about it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import lanes
from lanes.comparison import Comparison
from lanes.report import claims, table
from lanes.report import json as report
from lanes.report.read import Result
from lanes.shown import Shown
from lanes.stats import Verdict
from results import RESULTS, make_comparisons, make_load, make_measuring, make_sweep, make_trials
from support import make_comparison, make_row


def again(result: Shown, folder: Path) -> Result:
    path = folder / "result.json"
    result.to_json(path)
    return lanes.read(path)


def comparison_again(result: Comparison, folder: Path) -> Comparison:
    found = again(result, folder)
    assert isinstance(found, Comparison)
    return found


@pytest.mark.parametrize("kind", RESULTS)
def test_the_round_trip_changes_nothing(kind: str, tmp_path: Path) -> None:
    result = RESULTS[kind]
    found = again(result, tmp_path)
    assert type(found) is type(result)
    assert report.document(found) == report.document(result)
    assert str(found) == str(result)


FORMS = ("to_csv", "to_markdown", "_repr_html_", "to_html", "to_trace", "to_pyperf")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", RESULTS)
def test_every_form_of_it_is_the_same(kind: str, form: str, tmp_path: Path) -> None:
    result, found = RESULTS[kind], again(RESULTS[kind], tmp_path)
    try:
        expected = getattr(result, form)()
    except ValueError as error:  # there is no such form of this kind
        with pytest.raises(ValueError, match=re.escape(str(error))):
            getattr(found, form)()
    else:
        assert getattr(found, form)() == expected


REAL: dict[str, Callable[[], Shown]] = {
    "comparison": lambda: lanes.compare(lanes.wait(tasks=4, duration="2ms"), models="asyncio,native-epoll", rounds=2),
    "download": lambda: lanes.compare(lanes.download(tasks=2), models="threading", rounds=1, bodies="python"),
    "counter": lambda: lanes.compare(lanes.counter(tasks=2, updates=1000), models="threading", rounds=1, pulse=True),
    "exchange": lambda: lanes.compare(lanes.exchange(tasks=2), models="threading", rounds=1, bodies="python"),
    "function": lambda: lanes.compare(str.upper, ["a", "b|c"], models="threading", rounds=1),
    "sweep": lambda: lanes.sweep(lanes.wait(tasks=4, duration="2ms"), models="threading", workers="1,2,4", rounds=2),
    "load": lambda: lanes.load(lanes.wait(duration="2ms"), rate=50, duration="200ms", models="threading,native-epoll"),
    "claims": lambda: lanes.claims("callbacks"),
    "anatomy": lambda: lanes.anatomy(lanes.wait(tasks=4, duration="300ms"), models="threading,native-fork"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REAL)
def test_so_it_is_with_what_was_measured(kind: str, tmp_path: Path) -> None:
    result = REAL[kind]()
    found = again(result, tmp_path)
    assert report.document(found) == report.document(result)
    assert str(found) == str(result)


def test_the_details_are_the_same(tmp_path: Path) -> None:
    def details(result: Comparison) -> str:
        shown = io.StringIO()
        table.show(result, Console(file=shown, width=80, markup=False), details=True)
        return shown.getvalue()

    result = make_comparisons()
    assert details(comparison_again(result, tmp_path)) == details(result)


def test_the_evidence_of_claims_is_the_same(tmp_path: Path) -> None:
    def evidence(trials: lanes.Trials) -> str:
        shown = io.StringIO()
        claims.show_evidence(trials, Console(file=shown, width=80, markup=False))
        return shown.getvalue()

    found = again(make_trials(), tmp_path)
    assert isinstance(found, lanes.Trials)
    assert evidence(found) == evidence(make_trials())
    with pytest.raises(ValueError, match="this claim was read from a file"):
        found[1].claim.experiment(None)  # type: ignore[arg-type]


def test_what_is_asked_of_a_row_is_as_it_was(tmp_path: Path) -> None:
    result = make_comparisons()
    found = comparison_again(result, tmp_path)
    for row, other in zip(found, result, strict=True):
        same = "name walls ratios speedup verdict measured is_sound agrees figures in_flight stall closeup split"
        assert [getattr(row, name) for name in same.split()] == [getattr(other, name) for name in same.split()]
        assert [run.cpu_s for run in row.runs] == [run.cpu_s for run in other.runs]
    assert found["native-epoll"].faster_than("threading")
    one, before = found["threading"].spans[1], result["threading"].spans[1]
    assert one.finished_ns - one.started_ns == before.finished_ns - before.started_ns
    assert found.distance == result.distance


def test_figures_are_those_of_their_rounds(tmp_path: Path) -> None:
    result = make_measuring()
    found = comparison_again(result, tmp_path)
    for row, other in zip(found, result, strict=True):
        assert [dict(run.figures) for run in row.runs] == [dict(run.figures) for run in other.runs]


def test_its_workload_is_known_and_cannot_be_run(tmp_path: Path) -> None:
    result = make_comparison()
    work = comparison_again(result, tmp_path).workload
    assert (work.name, dict(work.params), len(work.tasks)) == ("wait", {"duration_s": [0.05]}, 2)
    with pytest.raises(ValueError, match="wait was read from a file") as caught:
        lanes.compare(work)
    assert "\n" not in str(caught.value)
    texts = [task.text for task in lanes.download(["http://127.0.0.1:9/a"], tasks=2).tasks]
    urls = comparison_again(replace(result, workload=lanes.download(["http://127.0.0.1:9/a"], tasks=2)), tmp_path)
    assert [task.text for task in urls.workload.tasks] == texts


# ---- several, older and later files


def test_several_results_are_read_together(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    report.write([make_comparison(), make_measuring()], path)
    assert report.text(lanes.read_all(path)) == path.read_text()
    with pytest.raises(ValueError, match=r"has 2 results, wait and counter: lanes\.read_all gives them"):
        lanes.read(path)
    make_sweep().to_json(path)
    assert [type(each) for each in lanes.read_all(str(path))] == [lanes.Sweep]


NEWER = ("measured", "counters", "runs", "failed", "closeup_error", "pulse_error", "log_error", "laws")
"""Fields of rows that earlier files have not."""


def test_a_file_of_an_earlier_lanes_is_read(tmp_path: Path) -> None:
    result = make_comparisons()
    document = report.document(result)
    older: Any = json.loads(json.dumps(document))
    for field in ("texts", "compiled", "units", "remarks"):
        del older["workload"][field]
    del older["label"]
    for row in older["rows"]:
        for field in NEWER:
            del row[field]
        del row["memory"]["series"]
        for usage in row["workers_used"]:
            del usage["gil_waits"]
    (tmp_path / "older").write_text(json.dumps(older))
    found = lanes.read(tmp_path / "older")
    assert isinstance(found, Comparison)
    assert [row.walls for row in found] == [row.walls for row in result]
    assert found["threading"].measured == Verdict("faster", 2.0, found["threading"].interval or (0, 0))  # type: ignore[arg-type]
    assert str(found).splitlines()[:6] == str(replace(result, label=None)).splitlines()[:6]
    assert "took turns" in str(found) or "computed" in str(found)


def test_figures_of_an_earlier_lanes_are_read(tmp_path: Path) -> None:
    older: Any = json.loads(make_measuring().to_json())
    for field in ("texts", "compiled", "units", "remarks"):
        del older["workload"][field]
    for row in older["rows"]:
        for field in NEWER:
            del row[field]
    (tmp_path / "older").write_text(json.dumps(older))
    found = lanes.read(tmp_path / "older")
    assert isinstance(found, Comparison)
    assert found["threading"].figures == make_measuring()["threading"].figures
    assert "what the workload measured" in str(found)


def test_a_load_of_an_earlier_lanes_is_read(tmp_path: Path) -> None:
    older: Any = json.loads(make_load().to_json())
    for row in older["load"]["rows"]:
        del row["memory"], row["log_error"]
    (tmp_path / "older").write_text(json.dumps(older))
    assert str(lanes.read(tmp_path / "older")).splitlines()[:9] == str(make_load()).splitlines()[:9]


def test_claims_of_an_earlier_lanes_are_read(tmp_path: Path) -> None:
    older: Any = json.loads(make_trials().to_json())
    for claim in older["claims"]:
        del claim["cases"], claim["depends"], claim["needs"], claim["told"]
    (tmp_path / "older").write_text(json.dumps(older))
    assert "depends" in str(lanes.read(tmp_path / "older"))


def test_fields_that_a_later_lanes_adds_do_no_harm(tmp_path: Path) -> None:
    document: Any = report.document(make_comparisons())
    later = {**document, "news": 1, "rows": [{**row, "news": 1} for row in document["rows"]]}
    (tmp_path / "later").write_text(json.dumps(later))
    assert report.document(lanes.read(tmp_path / "later")) == report.document(make_comparisons())


# ---- what is no result


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'{"schema": NaN}', "it is not JSON"),
        (b"[]", "it is no result of lanes"),
        (b"{}", "it is no result of lanes"),
        (b'{"schema": 1}', "it is no result of lanes: it has none of "),
        (b'{"schema": 1, "rows": 5}', "it is no result of lanes: "),
        (b'{"schema": 1, "comparisons": []}', "it is no result of lanes: it is empty"),
        (b'{"schema": 1, "comparisons": 5}', "it is no result"),
        (b'{"schema": 1, "comparisons": ["rows"]}', "it is no result"),
        (b'{"schema": 1, "machine": {}, "findings": []}', "it is no result"),
        (b'{"schema": 1, "rows": 1' + b"0" * 5000 + b"}", "it has a number that is too large"),
        (b'{"schema": 1, "rows": -1e308}', "it has a number that is too large"),
        (b'{"schema": 2}', "it is of version 2, and this lanes knows version 1"),
    ],
)
def test_what_is_no_result_is_refused_in_one_line(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=rf"cannot read .*/file: {words}") as caught:
        lanes.read(tmp_path / "file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("machine", {"gil": True}, "python must not be None"),
        ("rows", [], "it has no row of serial with the Python body"),
        ("workload", {"name": "x", "params": {}, "tasks": 1}, "there must be spans, of 1 tasks"),
        ("workload", {"name": "x", "params": {}, "tasks": 2, "texts": [""]}, "there are 1 texts for 2 tasks"),
        ("workload", {"name": "x", "params": {}, "tasks": 10**12}, "tasks must be a whole number from 1 to 1,000,000"),
    ],
)
def test_what_every_table_needs_must_be_there(field: str, value: object, words: str, tmp_path: Path) -> None:
    document = {**report.document(make_comparison()), field: value}
    (tmp_path / "file").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=f"it is no result of lanes: {words}"):
        lanes.read(tmp_path / "file")


@pytest.mark.parametrize("walls", ["[0]", "[-1.0]", '["1"]', "null", "[1e999]", "[true]", "[1.0, 2.0]"])
def test_times_that_are_none_are_refused(walls: str, tmp_path: Path) -> None:
    document: Any = report.document(make_comparison(base=[1.0]))
    document["rows"][0]["wall_s"]["samples"] = "HERE"
    (tmp_path / "file").write_text(json.dumps(document).replace('"HERE"', walls))
    with pytest.raises(ValueError, match=r"it is no result|too large"):
        lanes.read(tmp_path / "file")


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [
        ("load", ("load", "for_s"), 0),
        ("load", ("load", "rows", 0, "most_backlog"), 31),
        ("load", ("load", "rows", 0, "series", 1, "backlog"), -1),
        ("load", ("load", "rows", 1, "working_s", "max"), -1.0),
        ("sweep", ("sweep", "curves", 1, "usl", "contention"), 1.5),
        ("sweep", ("sweep", "curves", 1, "usl", "coherence"), -0.5),
        ("sweep", ("sweep", "curves", 1, "model"), "a\nb"),
    ],
)
def test_what_cannot_be_shown_is_refused(kind: str, place: tuple[Any, ...], value: object, tmp_path: Path) -> None:
    document = target = json.loads(RESULTS[kind].to_json())
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    (tmp_path / "file").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"it is no result of lanes: [^\n]+$"):
        lanes.read(tmp_path / "file")


def places(found: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every field is, and the first entry of every list."""
    for key in list(found)[:1] if isinstance(found, list) else found:
        key = 0 if isinstance(found, list) else key
        yield (*at, key)
        if isinstance(found[key], dict | list):
            yield from places(found[key], (*at, key))


SMALL = {
    "comparison": make_comparison(make_row("threading", "python", error="e"), base=[1.0]),
    **{kind: RESULTS[kind] for kind in ("load", "trials", "anatomy")},
}


@pytest.mark.parametrize("kind", SMALL)
def test_a_field_that_is_something_else_is_told_in_a_line_and_nothing_breaks(kind: str, tmp_path: Path) -> None:
    document = json.loads(SMALL[kind].to_json())
    refused = 0
    others: list[object] = [None, "text", {}, [5]]
    for place in places(document):
        for wrong in others:
            spoiled = target = deepcopy(document)
            for key in place[:-1]:
                target = target[key]
            target[place[-1]] = wrong
            (tmp_path / "file").write_text(json.dumps(spoiled))
            try:
                found = lanes.read(tmp_path / "file")
            except ValueError as error:
                told = str(error)
                refused += told.startswith("cannot read ") and "\n" not in told
            else:
                assert str(found), (place, wrong)
    assert refused > 50


@pytest.mark.parametrize("kind", RESULTS)
def test_what_a_file_holds_tells_a_terminal_nothing(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(RESULTS[kind].to_json().replace("<script>", r"\u001b[2J\u009b2J<script>"))
    assert not re.search(r"[\x1b\x9b]", str(lanes.read(tmp_path / "file")))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot read .*/none: No such file"):
        lanes.read(tmp_path / "none")
    with pytest.raises(OSError, match=r"cannot read .*: Is a directory"):
        lanes.read(tmp_path)
