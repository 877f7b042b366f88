"""`lanes report`: what is in a file shown again, in other forms, or held against another one."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from lanes import cli
from lanes.cli import reporting
from lanes.report import json as report
from results import RESULTS, make_comparisons, make_measuring, make_sweep, make_trials
from support import BASE, make_comparison, make_row

SLOW, FAST = (2.0, 2.1, 2.2, 2.3), (1.0, 1.1, 1.2, 1.3)


@pytest.fixture
def file(tmp_path: Path) -> str:
    make_comparisons().to_json(tmp_path / "result.json")
    return str(tmp_path / "result.json")


def refused(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["report", *arguments])
    assert ended.value.code == 2


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error; nothing on standard output."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lanes: ")
    assert err.count("\n") == 1
    return err.removeprefix("lanes: ").rstrip("\n")


@pytest.mark.parametrize("kind", RESULTS)
def test_a_result_of_any_kind_is_shown_again(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RESULTS[kind].to_json(tmp_path / "file")
    assert cli.main(["report", str(tmp_path / "file")]) == 0
    assert capsys.readouterr().out == f"{RESULTS[kind]}\n"


def test_several_are_shown_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.write([make_comparison(), make_sweep()], tmp_path / "file")
    assert cli.main(["report", str(tmp_path / "file")]) == 0
    assert capsys.readouterr().out == f"{make_comparison()}\n\n{make_sweep()}\n"


def test_details_are_shown_when_asked_for(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", file, "--details"]) == 0
    assert "tasks in flight: mean/max" in capsys.readouterr().out
    make_trials().to_json(tmp_path / "claims")
    assert cli.main(["report", str(tmp_path / "claims"), "--details"]) == 0
    assert "Holds when of each figure" in capsys.readouterr().out


@pytest.mark.parametrize("form", reporting.FORMS)
def test_every_form_goes_to_a_file_or_to_standard_output(
    form: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target"
    assert cli.main(["report", file, f"--{form}", str(target)]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(["report", file, f"--{form}", "-"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (target.read_text(), "")
    assert len(out) > 100


def test_several_forms_at_once_of_several_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.write([make_comparison(make_row("threading", "python", BASE, BASE)), make_measuring()], tmp_path / "file")
    forms = [word for form in ("csv", "pyperf", "trace") for word in (f"--{form}", str(tmp_path / form))]
    assert cli.main(["report", str(tmp_path / "file"), *forms, "--markdown", "-"]) == 0
    assert capsys.readouterr().out.count("**wait: ") == 1
    rows = list(csv.DictReader(io.StringIO((tmp_path / "csv").read_text())))
    assert [row["workload"] for row in rows] == ["wait", "wait", "counter", "counter"]
    assert len(json.loads((tmp_path / "pyperf").read_text())["benchmarks"]) == 4
    assert json.loads((tmp_path / "trace").read_text())["traceEvents"]


def test_what_cannot_be_is_refused_before_anything_is_written(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(tmp_path / "target")
    refused(file, "--csv", target, "--markdown", str(tmp_path / "no" / "file"))
    assert "there is no directory" in said(capsys)
    refused(file, "--csv", "-", "--markdown", "-")
    assert said(capsys) == "--csv and --markdown both want standard output: give one of them another file"
    refused(file, "--csv", target, "--trace", target)
    assert "--csv and --trace both want" in said(capsys)
    refused(file, "--csv", "")
    assert said(capsys) == "--csv needs the name of a file"
    RESULTS["anatomy"].to_json(tmp_path / "anatomy")
    refused(str(tmp_path / "anatomy"), "--csv", target, "--pyperf", str(tmp_path / "pyperf"))
    assert "pyperf takes the rows of a Comparison or a Sweep" in said(capsys)
    refused(str(tmp_path / "missing"))
    assert "missing: No such file" in said(capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["anatomy", "result.json"]


def test_a_form_whose_library_is_missing_says_how_to_get_it(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    refused(file, "--html", str(tmp_path / "page"))
    assert said(capsys) == 'this needs plotly: pip install "gil-lanes[html]"'


# ---- two files


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    for name, walls in (("slow", SLOW), ("fast", FAST)):
        made = make_comparison(make_row("native-fork", None, walls, walls), base=walls)
        made.to_json(tmp_path / name)
    return str(tmp_path / "slow"), str(tmp_path / "fast")


def test_two_are_held_against_each_other(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", *two]) == 0
    assert "1.87x faster" in capsys.readouterr().out


def test_that_can_be_markdown_as_well(two: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", *two, "--markdown", "-"]) == 0
    out = capsys.readouterr().out
    assert "| native-fork | | 4 | 2,150.0 | 1,150.0 | 1.87x | *faster* |" in out
    assert f"A: {two[0]}" in out
    assert cli.main(["report", *two, "--markdown", str(tmp_path / "file")]) == 0
    assert (tmp_path / "file").read_text() == out


@pytest.mark.parametrize("form", [form for form in reporting.FORMS if form != "markdown"])
def test_other_forms_are_of_one_result(
    form: str, two: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(*two, f"--{form}", str(tmp_path / "file"))
    assert said(capsys).startswith(f"--{form} is a form of one result")


def test_a_sweep_is_held_against_a_sweep_and_claims_against_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_sweep().to_json(tmp_path / "sweep")
    make_trials().to_json(tmp_path / "claims")
    assert cli.main(["report", str(tmp_path / "sweep"), str(tmp_path / "sweep")]) == 0
    assert "cannot tell" in capsys.readouterr().out
    refused(str(tmp_path / "sweep"), str(tmp_path / "claims"))
    assert "claims is of the kind trials, and only comparisons and sweeps are held against others" in said(capsys)
