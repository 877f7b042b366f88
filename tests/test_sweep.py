"""The sweep: its numbers of workers, the laws fitted to known curves, the best number, and where a model pays off."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

import lanes
from lanes import cli
from lanes.report import json as report
from lanes.report import sweep as shown
from lanes.sweep import Fit, break_even_s, fit
from lanes.types import Outcome, Run, Span

SECOND = 10**9
COUNTS = (1, 2, 4, 8, 16)


def usl(workers: int, single: float, contention: float, coherence: float) -> float:
    return single * workers / (1 + contention * (workers - 1) + coherence * workers * (workers - 1))


@pytest.mark.parametrize(("single", "contention"), [(1.0, 0.0), (0.8, 0.1), (20.0, 0.5), (1.0, 1.0)])
def test_amdahls_law_is_found_again(single: float, contention: float) -> None:
    found = fit([(n, usl(n, single, contention, 0.0)) for n in COUNTS for _ in range(3)], coherent=False)
    assert found is not None
    assert found.single == pytest.approx(single, rel=0.01)
    assert found.contention == pytest.approx(contention, abs=0.005)
    assert (found.coherence, found.peak) == (0.0, None)
    assert found.speedup(8) == pytest.approx(usl(8, single, contention, 0.0), rel=0.01)


def test_the_universal_scalability_law_is_found_again() -> None:
    found = fit([(n, usl(n, 0.9, 0.05, 0.01)) for n in COUNTS], coherent=True)
    assert found is not None
    assert found.single == pytest.approx(0.9, rel=0.01)
    assert found.contention == pytest.approx(0.05, abs=0.005)
    assert found.coherence == pytest.approx(0.01, abs=0.001)
    assert found.peak == pytest.approx(math.sqrt(0.95 / 0.01), rel=0.05)
    assert found.r_squared == pytest.approx(1.0, abs=1e-3)


def test_too_few_numbers_of_workers_are_fitted_by_no_law() -> None:
    points = [(n, float(n)) for n in (1, 2, 4)]
    assert fit(points[:2], coherent=False) is None
    assert fit(points, coherent=False) is not None
    assert fit(points, coherent=True) is None


def test_a_peak_is_one_worker_at_least() -> None:
    assert Fit(1.0, 1.0, 0.5, 1.0).peak == 1.0


def made_run(workers: int, task_s: float, gap_s: float, start_s: float, end_s: float, tasks: int = 8) -> Run:
    """`tasks` tasks of equal length on so many lanes, with a gap between two on a lane."""
    spans, at = [], [start_s] * workers
    for n in range(tasks):
        lane = n % workers
        begin, finish = round(at[lane] * SECOND), round((at[lane] + task_s) * SECOND)
        spans.append(Span(lane, lane, 1, 0, begin, begin, finish, 0))
        at[lane] += task_s + gap_s
    ended = max(span.finished_ns for span in spans) + round(end_s * SECOND)
    return Run("wait", "made", "python", workers, (Outcome("ok"),) * tasks, tuple(spans), 0, ended, 0.0)


def test_a_model_pays_off_where_its_gain_makes_up_for_its_costs() -> None:
    serial = made_run(1, 0.1, 0.0, 0.0, 0.0)
    free = break_even_s(made_run(2, 0.1, 0.0, 0.0, 0.0), serial)
    assert free == pytest.approx(0.0, abs=1e-9)
    # Two at once halve the bodies' time: 8 tasks gain 4 L, and pay 0.2 s; so L = 0.05 s.
    assert break_even_s(made_run(2, 0.1, 0.0, 0.15, 0.05), serial) == pytest.approx(0.05, rel=0.01)
    # Each task costs its lane 10 ms more, and there are two lanes: 5 ms a task, gained back at 10 ms.
    assert break_even_s(made_run(2, 0.1, 0.01, 0.0, 0.0), serial) == pytest.approx(0.01, rel=0.3)


def test_what_gains_nothing_never_pays_off() -> None:
    serial = made_run(1, 0.1, 0.0, 0.0, 0.0)
    assert break_even_s(made_run(1, 0.1, 0.0, 0.0, 0.0), serial) == math.inf
    assert break_even_s(made_run(2, 0.2, 0.0, 0.0, 0.0), serial) == math.inf
    assert break_even_s(None, serial) is None


@pytest.mark.parametrize(
    ("workers", "refusal"),
    [
        ("1,2,x", r"workers must be whole numbers parted by commas, such as 1,2,4,8, not '1,2,x'"),
        ("", r"workers must be whole numbers parted by commas, such as 1,2,4,8, not ''"),
        ([], r"workers must be from 1 to 32 numbers, not 0"),
        (range(1, 40), r"workers must be from 1 to 32 numbers, not 39"),
        ([0, 1], r"workers must be a whole number from 1 to 1,000,000, not 0"),
        (3, r"workers must be whole numbers parted by commas, such as 1,2,4,8, not 3"),
    ],
)
def test_numbers_of_workers_that_make_no_sense(workers: str | list[int], refusal: str) -> None:
    with pytest.raises(ValueError, match=f"^{refusal}$"):
        lanes.sweep(lanes.wait(), workers=workers)


@pytest.fixture(scope="module")
def swept() -> lanes.Sweep:
    work = lanes.wait(tasks=16, duration="10ms")
    return lanes.sweep(work, workers="4,1,2,4", models="threading,native-epoll,multiprocessing", rounds=2)


def test_a_sweep_has_a_row_for_every_number_of_workers_and_the_baseline_once(swept: lanes.Sweep) -> None:
    assert swept.workers == (1, 2, 4)
    assert [(row.model, row.workers) for row in swept.comparison] == [
        ("serial", 1),
        *((model, workers) for model in ("threading", "multiprocessing", "native-epoll") for workers in (1, 2, 4)),
    ]
    assert {len(row.runs) for row in swept.comparison} == {2}
    assert swept.comparison.distance is None, "which row would it be of?"


def test_waiting_scales_with_the_workers(swept: lanes.Sweep) -> None:
    curve = swept["native-epoll"]
    assert curve.name == "native-epoll"
    assert curve.best == 4
    assert curve.amdahl is not None
    assert curve.amdahl.contention < 0.1
    assert curve.usl is None, "three numbers of workers are too few for it"
    assert curve.pays_off_s is not None
    assert 0 < curve.pays_off_s < 0.01
    assert swept["serial"].best == 1
    assert swept["serial"].pays_off_s == math.inf
    slow = swept["multiprocessing"].pays_off_s
    assert slow is not None
    assert slow > curve.pays_off_s, "processes cost more to start"
    with pytest.raises(KeyError, match="there are serial/python, threading/python, multiprocessing/python, native-ep"):
        swept["asyncio"]


def test_its_tables(swept: lanes.Sweep) -> None:
    lines = str(swept).splitlines()
    assert lines[0].startswith("wait: 16 tasks")
    assert lines[3].split() == ["model", "body", "1", "2", "4", "best"]
    (epoll,) = (line.split() for line in lines[:10] if line.startswith("native-epoll"))
    assert epoll[-1] == "4"
    assert any(line.split()[-1] == "never" or line.split()[-1] == "-" for line in lines if line.startswith("serial"))
    assert shown.text(swept) == str(swept)


def test_its_json(swept: lanes.Sweep) -> None:
    document = json.loads(report.text([swept]))
    assert document["schema"] == 1
    assert len(document["rows"]) == 10
    assert document["sweep"]["workers"] == [1, 2, 4]
    curves = {curve["model"]: curve for curve in document["sweep"]["curves"]}
    assert curves["native-epoll"]["best_workers"] == 4
    assert curves["native-epoll"]["workers"] == [1, 2, 4]
    assert len(curves["native-epoll"]["speedup"]) == 3
    assert curves["native-epoll"]["amdahl"].keys() == {"single", "contention", "coherence", "r_squared", "peak_workers"}
    assert (curves["serial"]["pays_off_s"], curves["serial"]["never_pays_off"]) == (None, True)


def test_rows_that_failed_have_no_part_in_a_curve(swept: lanes.Sweep) -> None:
    from lanes.sweep import _curve

    rows = [replace(row, error="killed") for row in swept["threading"].rows]
    curve = _curve(rows, swept.comparison)
    assert (curve.best, curve.amdahl, curve.usl, curve.pays_off_s) == (None, None, None, None)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "sweep wait --tasks 4 --duration 2ms --workers 1,2 --models native-epoll --rounds 1 --json -"
    assert cli.main(arguments.split()) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["sweep"]["workers"] == [1, 2]
    assert "best" in err


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (
            "sweep",
            "lanes sweep needs a workload: choose from download, compute, wait, counter, exchange, module:function",
        ),
        ("sweep wait --workers two", "workers must be whole numbers parted by commas, such as 1,2,4,8, not 'two'"),
        ("sweep --duration 1ms", "--duration is an option of one workload: write lanes sweep wait --duration ..."),
    ],
)
def test_the_command_refuses_in_one_line(arguments: str, refusal: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"lanes: {refusal}\n"
