"""The geometry of lanes: what stands where, whose CPU time is whose, what a lane is called, and what has no lanes."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

import lanes
from lanes.comparison import Comparison, Difference, Row
from lanes.laws import Judgement
from lanes.report.timeline import Lane, chosen, timeline
from lanes.types import Outcome, Span
from support import BASE, make_comparison, make_row, make_run

MS = 1_000_000
BEGAN = 10_000 * MS
"""When the runs of `make_run` begin."""


def span(worker: int, start_ms: float, end_ms: float, cpu_ms: float, *, thread: int = 1, process: int = 1) -> Span:
    began, ended = BEGAN + round(start_ms * MS), BEGAN + round(end_ms * MS)
    return Span(worker, thread, process, 0, began - MS, began, ended, round(cpu_ms * MS))


def of(model: str, body: str | None, *spans: Span) -> tuple[Lane, ...]:
    """The lanes of a row with one such run."""
    run = replace(make_run(model, body, outcomes=[Outcome("ok")] * len(spans)), spans=spans)
    row = replace(make_row(model, body), runs=(run,))
    return timeline(make_comparison(row), [row])[0].lanes


def test_a_bar_stands_where_its_task_ran() -> None:
    (lane,) = of("serial", "python", span(0, 10, 60, 20, thread=8, process=7), span(0, 70, 90, 20, thread=8, process=7))
    assert (lane.worker, lane.label) == (0, "caller")
    first, second = lane.bars
    assert (first.task, first.worker, first.thread_id, first.process_id, first.cpu) == (0, 0, 8, 7, 0)
    assert (first.claimed_s, first.started_s, first.finished_s) == pytest.approx((0.009, 0.010, 0.060))
    assert (first.cpu_s, first.working) == pytest.approx((0.020, 0.4))
    assert second.task == 1
    assert second.working == pytest.approx(1.0)


def test_each_worker_has_a_lane_with_its_tasks_in_the_order_of_their_beginning() -> None:
    lanes = of(
        "threading",
        "python",
        *(span(1, 50, 60, 0, thread=2), span(0, 0, 9, 0, thread=1), span(1, 20, 30, 0, thread=2)),
    )
    assert [(lane.label, [bar.task for bar in lane.bars]) for lane in lanes] == [
        ("thread 0", [1]),
        ("thread 1", [2, 0]),
    ]


@pytest.mark.parametrize(
    ("model", "body", "label"),
    [
        ("serial", "python", "caller"),
        ("native-serial", None, "caller"),
        ("threading", "python", "thread 0"),
        ("asyncio-threads", "held", "thread 0"),
        ("native-pthreads", None, "thread 0"),
        ("multiprocessing[spawn]", "python", "process 0"),
        ("native-fork", None, "process 0"),
        ("asyncio", "python", "place 0"),
        ("asyncio[uvloop]", "python", "place 0"),
        ("native-epoll", None, "place 0"),
        ("asyncio-native", None, "place 0"),
        ("of-a-later-lanes", None, "worker 0"),
    ],
)
def test_a_lane_is_called_what_its_worker_is(model: str, body: str | None, label: str) -> None:
    assert [lane.label for lane in of(model, body, span(0, 0, 9, 0))] == [label]


def test_where_the_tasks_of_a_thread_overlap_its_cpu_time_is_divided() -> None:
    """Two places of a loop for 100 ms, of which it computes 40; then one alone for 20 ms, all of them computing."""
    lanes = of("asyncio", "python", span(0, 0, 100, 40), span(1, 0, 100, 40), span(0, 100, 120, 20))
    bars = sorted((bar for lane in lanes for bar in lane.bars), key=lambda bar: bar.task)
    assert [bar.cpu_s for bar in bars] == pytest.approx([0.020] * 3)
    assert [bar.working for bar in bars] == pytest.approx([0.2, 0.2, 1.0])


def test_it_is_divided_only_while_they_overlap() -> None:
    lanes = of("asyncio", "python", span(0, 0, 100, 100), span(1, 50, 100, 50))
    assert [bar.cpu_s for lane in lanes for bar in lane.bars] == pytest.approx([0.075, 0.025])


def test_other_threads_and_processes_have_cpu_time_of_their_own() -> None:
    lanes = of(
        "multiprocessing",
        "python",
        *(span(0, 0, 100, 90, process=1), span(1, 0, 100, 80, process=2), span(2, 0, 100, 70, thread=2)),
    )
    assert [bar.working for lane in lanes for bar in lane.bars] == pytest.approx([0.9, 0.8, 0.7])


def test_nothing_works_for_more_than_all_of_the_time() -> None:
    """The clocks of wall and CPU are read one after the other; and a task may be shorter than either can tell."""
    lanes = of("threading", "python", span(0, 0, 10, 10.1), span(0, 20, 20, 0.01), span(0, 20, 20, 0))
    assert [bar.working for lane in lanes for bar in lane.bars] == [1.0, 0.0, 0.0]


def test_every_row_has_a_track_in_the_order_of_the_table() -> None:
    result = make_comparison(make_row("threading", "python", BASE, BASE), make_row("native-epoll", None, BASE, BASE))
    tracks = timeline(result)
    assert [track.name for track in tracks] == ["serial/python", "threading/python", "native-epoll"]
    assert [track.row for track in tracks] == list(result)
    assert [track.wall_s for track in tracks] == [1.1] * 3
    assert [track.remark for track in tracks] == [None] * 3
    assert [track.name for track in timeline(result, [result["native-epoll"]])] == ["native-epoll"]


def test_rows_of_the_same_name_are_told_apart_by_their_workers() -> None:
    rows = [make_row("threading", "python", BASE, BASE, workers=workers) for workers in (1, 2)]
    assert [track.name for track in timeline(make_comparison(*rows))] == [
        "serial/python",
        "threading/python, 1 worker",
        "threading/python, 2 workers",
    ]


@pytest.mark.parametrize(
    ("row", "remark"),
    [
        (make_row("asyncio", "released", reason="the same as held"), "no sense: the same as held"),
        (make_row("threading", "python", error="killed by SIGKILL"), "error: killed by SIGKILL"),
        (make_row("threading", "python"), "it did not run"),
    ],
)
def test_a_row_that_did_not_run_has_no_lanes_and_says_why(row: Row, remark: str) -> None:
    (track,) = timeline(make_comparison(row), [row])
    assert (track.lanes, track.wall_s, track.remark) == ((), None, remark)


def test_what_is_void_is_said_beside_its_lanes() -> None:
    broken = make_row("threading", "python", BASE, BASE, judgements=(Judgement("one at a time", False, "1.9 of 1.05"),))
    (track,) = timeline(make_comparison(broken), [broken])
    assert track.remark == "void: broken law: one at a time (1.9 of 1.05)"
    assert len(track.lanes) == 1


def test_outcomes_that_differ_are_said_beside_its_lanes() -> None:
    row = make_row("threading", "python", BASE, BASE, differences=(Difference(0, 1, "", Outcome("ok"), Outcome("ok")),))
    (track,) = timeline(make_comparison(row), [row])
    assert track.remark == "DIFFERS"
    (track,) = timeline(make_comparison(row), [replace(row, judgements=(Judgement("agree", False, "1 task differs"),))])
    assert track.remark == "DIFFERS: 1 task differs"


def all_bodies() -> Comparison:
    names = [("serial", "held"), ("threading", "python"), ("threading", "held"), ("asyncio", "held")]
    return make_comparison(*(make_row(*name, BASE, BASE) for name in names), make_row("native-epoll", None, BASE, BASE))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (None, ["serial/python", "threading/python", "asyncio/held", "native-epoll"]),
        ("native-epoll, threading", ["native-epoll", "threading/python"]),
        ("threading/held,threading/held", ["threading/held"]),
        ("native,python", ["native-epoll", "serial/python", "threading/python", "asyncio/held"]),
        ([("serial", "held"), ("native-epoll", None)], ["serial/held", "native-epoll"]),
        (["asyncio"], ["asyncio/held"]),
    ],
)
def test_rows_are_chosen_by_name_model_and_family(wanted: str | list[str] | None, names: list[str]) -> None:
    assert [row.name for row in chosen(all_bodies(), wanted)] == names


@pytest.mark.parametrize("wanted", ["fibers", "", [("threading", "released")], [7]])
def test_what_is_not_there_is_refused_with_what_is(wanted: str | list[str]) -> None:
    with pytest.raises(
        ValueError, match=r"^no row .*: there are serial/python, serial/held, threading/python, .*epoll$"
    ):
        chosen(all_bodies(), wanted)


def test_no_row_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no row: leave the models out for all"):
        chosen(all_bodies(), [])


def test_of_a_sweep_a_model_is_its_row_with_the_fewest_workers() -> None:
    rows = [make_row("threading", "python", BASE, BASE, workers=workers) for workers in (2, 4)]
    assert [row.workers for row in chosen(make_comparison(*rows), "threading")] == [2]


def test_a_real_one() -> None:
    """Waits overlap on a loop and barely work; a computation is at work all the time."""
    waits = lanes.compare(lanes.wait(tasks=8, duration="20ms"), models=["serial", "asyncio"], bodies="python", rounds=1)
    alone, loop = timeline(waits)
    assert [lane.label for lane in loop.lanes] == ["place 0", "place 1", "place 2", "place 3"]
    assert sorted(bar.task for lane in loop.lanes for bar in lane.bars) == list(range(8))
    assert loop.wall_s is not None
    for lane in (*alone.lanes, *loop.lanes):
        for bar in lane.bars:
            assert bar.process_id != os.getpid()
            assert 0 <= bar.claimed_s <= bar.started_s
            assert bar.finished_s - bar.started_s >= 0.02
            assert bar.working < 0.5
    used_s = sum(bar.cpu_s for lane in loop.lanes for bar in lane.bars)
    assert 0 < used_s <= loop.row.runs[0].cpu_s + 0.01
    work = lanes.compare(lanes.compute(tasks=2, task_size=3000), models="serial", bodies="python", rounds=1)
    (alone,) = timeline(work)
    assert [bar.text for bar in alone.lanes[0].bars] == ["primes"] * 2
    computed_s = sum(bar.cpu_s for bar in alone.lanes[0].bars)
    used = work["serial"].split
    assert used is not None
    assert 0.8 * used.cpu_s <= computed_s <= used.cpu_s + 0.001
