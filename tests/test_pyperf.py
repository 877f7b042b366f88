"""pyperf reads what is written for it, by its own commands."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lanes.report import pyperf as report
from results import FACTS, RESULTS, make_comparisons, make_sweep
from support import BASE, make_comparison, make_row

pyperf = pytest.importorskip("pyperf")

FAST, SLOW = ([wall * factor for wall in BASE] for factor in (0.5, 0.8))


def run(*arguments: str | Path) -> str:
    done = subprocess.run([sys.executable, "-m", "pyperf", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_files_are_compared(tmp_path: Path) -> None:
    for name, walls in (("before", SLOW), ("after", FAST)):
        made = make_comparison(make_row("native-epoll", None, walls, BASE), make_row("threading", "held", BASE, BASE))
        replace(made, machine=FACTS).to_pyperf(tmp_path / name)
    told = run("compare_to", tmp_path / "before", tmp_path / "after", "--table")
    assert "wait native-epoll, 4 workers" in told
    assert "1.60x faster" in told
    assert "not significant" in told


def test_it_is_shown_with_its_values_and_facts(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    replace(make_comparisons(), label=None).to_pyperf(path)
    suite = pyperf.BenchmarkSuite.load(str(path))
    names = [f"wait {name}" for name in ("serial/python, 1 worker", "threading/python, 4 workers")]
    assert suite.get_benchmark_names()[:2] == names
    benchmark = suite.get_benchmark(names[1])
    assert list(benchmark.get_values()) == list(make_comparisons()["threading"].walls)
    metadata = benchmark.get_metadata()
    assert (metadata["unit"], metadata["python_version"], metadata["tasks"]) == ("second", "3.11.7", 2)
    assert "Median +- MAD:" in run("stats", path)
    assert "Number of run: 6" in run("stats", path) or "6" in run("show", path)


def test_what_is_void_or_failed_or_differs_is_left_out() -> None:
    names = [each["metadata"]["name"] for each in json.loads(make_comparisons().to_pyperf())["benchmarks"]]
    for left_out in ("threading/held", "multiprocessing[spawn]", "native-pthreads", "asyncio/released"):
        assert not any(left_out in name for name in names)
    assert len(names) == 5


def test_names_are_apart(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(report.text([make_sweep(), make_comparison()]))
    names = [each.get_name() for each in pyperf.BenchmarkSuite.load(str(path)).get_benchmarks()]
    assert names[1:3] == ["wait native-fork, 1 worker", "wait native-fork, 2 workers"]
    assert names[-1] == "wait serial/python, 1 worker (2)"
    path.write_text(report.text([replace(make_comparison(), label=f"test_{n}") for n in "ab"]))
    names = [each.get_name() for each in pyperf.BenchmarkSuite.load(str(path)).get_benchmarks()]
    assert names == ["test_a: wait serial/python, 1 worker", "test_b: wait serial/python, 1 worker"]


@pytest.mark.parametrize("kind", ["load", "trials", "anatomy"])
def test_other_results_have_nothing_for_it(kind: str) -> None:
    with pytest.raises(ValueError, match="pyperf takes the rows of a Comparison or a Sweep"):
        RESULTS[kind].to_pyperf()


def test_without_rows_there_is_nothing_to_write() -> None:
    with pytest.raises(ValueError, match="there is none"):
        report.text([make_comparison(base=[])])
