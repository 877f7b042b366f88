"""Tasks that arrive at a rate: what a load measures, on queues whose answer is known; and how it is shown."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

import pytest

import lanes
from lanes import models, sample
from lanes.backlog import Book, Point, Times
from lanes.comparison import Difference
from lanes.load import Instant, Load, LoadRow, Terms
from lanes.report import load as report
from lanes.source import Gate
from lanes.types import Outcome, Workload
from lanes.workloads.wait import Wait
from processes import holdings, left_since
from support import MACHINE, dies_when_it_is_logged

PAIR = "threading,native-pthreads,asyncio,native-epoll"
NAP = lanes.wait(tasks=3, duration="20ms")


def sums_up(row: LoadRow) -> bool:
    return row.arrived == row.completed + row.failed + row.rejected + row.left


# ---- known answers


def test_below_what_it_serves_there_is_no_backlog_and_nobody_waits() -> None:
    result = lanes.load(NAP, rate="40/s", duration="0.7s", models=PAIR, workers=4, seed=1)
    assert result.ok
    assert (result.offered, result.seed) == (28, 1)
    for row in result:
        assert (row.arrived, row.completed, row.failed, row.rejected, row.left) == (28, 28, 0, 0, 0)
        assert row.waiting is not None
        assert row.working is not None
        assert row.waiting.p50 < 0.1
        assert 0.02 <= row.working.p50 < 0.1
        assert row.most_backlog <= 14
        assert 20 < row.served < 45
        assert row.kept_up(result.terms)


def test_above_what_it_serves_the_backlog_grows_steadily_to_its_known_end() -> None:
    """One worker of 20 ms serves 50 a second; at 200 a second, 150 a second pile up."""
    result = lanes.load(NAP, rate="200/s", duration="1s", queue="unbounded", models=PAIR, workers=1, seed=1)
    for row in result:
        assert sums_up(row)
        assert row.left > 0
        assert row.most_backlog <= 199
        # On a busy machine a producer may be late: what it has not handed over stands outside.
        at = {round(point.until_s, 1): point.backlog + point.outside for point in row.series}
        assert 60 <= at[0.5] <= 102
        assert 140 <= at[1.0] <= 199
        assert row.most_at_work == 1
        assert 15 < row.served < 55
        assert not row.kept_up(result.terms)
        assert row.latency is not None
        assert row.latency.max > 1.0, "who came in the middle waited for those before it"


def test_a_bound_holds_on_every_model_and_what_is_rejected_is_counted() -> None:
    result = lanes.load(
        NAP, rate="300/s", duration="0.4s", queue=5, full="reject", models="all", workers=2, seed=1, arrivals="poisson"
    )
    assert result.ok
    assert len(result.rows) == len(models.names())
    for row in result:
        assert sums_up(row)
        assert row.arrived == result.offered
        assert row.rejected > 0
        assert (row.failed, row.left) == (0, 0)
        assert 1 <= row.most_backlog <= 5
        assert max(point.backlog for point in row.series) <= 5


def test_a_bound_that_makes_them_wait_makes_the_producer_late() -> None:
    result = lanes.load(NAP, rate="200/s", duration="0.3s", queue=5, models="all", workers=2, seed=1)
    assert result.ok
    for row in result:
        assert sums_up(row)
        assert row.rejected == 0
        assert 1 <= row.most_backlog <= 5
        assert row.slip is not None
        assert row.waiting is not None
        assert row.slip.max > 0.15, "60 tasks of 20 ms take two workers 0.6 s, and come in half of that"
        # The slip grows: early ones had room.
        assert row.slip.p50 < row.slip.max
        assert max(point.outside for point in row.series) > 10
        assert row.waiting.max >= row.slip.max


def test_the_same_seed_gives_the_same_arrivals() -> None:
    terms: dict[str, Any] = {"rate": "200/s", "arrivals": "poisson", "duration": "0.3s", "models": "native-epoll"}
    one, two, other = (lanes.load(NAP, **terms, seed=seed) for seed in (7, 7, 8))
    assert one.offered == two.offered
    assert (one.seed, other.seed) == (7, 8)
    assert one.terms == two.terms == other.terms


# ---- functions of one's own


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds * 2


async def nap_async(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds * 2


def test_functions_of_ones_own() -> None:
    result = lanes.load(nap, [0.001, 0.002], rate="100/s", duration="0.3s", models="threading,multiprocessing,serial")
    assert result.ok
    assert [row.completed for row in result] == [30, 30, 30]
    result = lanes.load(nap_async, [0.001], rate="100/s", duration="0.3s", models="asyncio", workers=3)
    assert result.ok
    assert result["asyncio"].completed == 30


def test_an_outcome_that_is_not_the_baselines_is_found() -> None:
    result = lanes.load(os.path.basename, ["a"], rate="100/s", duration="0.1s", models="threading")
    assert result.ok
    result = lanes.load(
        lambda _: os.getpid(), [1, 2], rate="100/s", duration="0.1s", models="threading,futures-threads"
    )
    assert not result.ok
    assert not result["threading"].ok
    assert [difference.task for difference in result["threading"].differences] == [0, 1], "each once"
    assert "2 of 2 tasks differ from serial/python, the first: task 0" in str(result)


def raising(number: int) -> int:
    raise KeyError(number)


def test_work_that_fails_is_counted_and_no_difference() -> None:
    result = lanes.load(raising, [1], rate="100/s", duration="0.1s", models="threading")
    assert result.ok
    assert (result["threading"].completed, result["threading"].failed) == (0, 10)


# ---- faults


def test_nothing_is_left_in_the_process_that_asked() -> None:
    before = holdings()
    lanes.load(NAP, rate="100/s", duration="0.1s", models="threading,multiprocessing,native-fork")
    assert left_since(before) == ""


PROCESSES = [name for name in models.names() if name.endswith("processes") or name.startswith("multiprocessing")]


def fatal(number: int) -> int:
    if number == 7:
        import multiprocessing

        if multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("model", PROCESSES)
@pytest.mark.parametrize("queue", [2, "unbounded"])
def test_a_killed_worker_ends_a_model_of_pythons_with_what_is_known(model: str, queue: int | str) -> None:
    began = time.monotonic()
    result = lanes.load(
        fatal, range(50), rate="100/s", duration="0.5s", queue=queue, models=model, workers=2, deadline="60s"
    )
    assert time.monotonic() - began < 40
    row = result[model]
    assert row.error is not None
    assert "SIGKILL" in row.error or "terminated abruptly" in row.error or "worker process" in row.error
    assert sums_up(row)
    assert 0 < row.completed < 50
    assert not result.ok


@pytest.mark.parametrize("model", ["futures-processes", "futures-processes[chunked]", "asyncio-processes"])
def test_a_pool_that_breaks_ends_the_load_though_its_producer_waits_for_room(model: str) -> None:
    began = time.monotonic()
    result = lanes.load(fatal, [7], rate="100/s", duration="30s", queue=3, models=model, workers=1, deadline="120s")
    assert time.monotonic() - began < 25, "sooner than tasks end to arrive; and the queue is open for as long again"
    row = result[model]
    assert "terminated abruptly" in (row.error or "")
    assert row.completed == 0


class Closed:
    """A workload that no worker can open, once it runs under a load."""

    def __init__(self, workload: Any) -> None:
        self._workload = workload

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._workload, name)

    def open(self) -> Any:
        if "/" in threading.current_thread().name or multiprocessing.parent_process() is not None:
            raise KeyError("no way in")
        return self._workload.open()


@pytest.mark.parametrize("model", ["futures-threads", "asyncio-threads", "futures-processes", "multiprocessing-pool"])
def test_a_worker_that_cannot_begin_ends_the_load(model: str) -> None:
    work, due = Closed(NAP), [n * 10**7 for n in range(200)]
    gate = Gate.made(due, 3, False, 60 * 10**9)
    began = time.monotonic()
    try:
        with pytest.raises(sample.SampleError, match="KeyError: 'no way in'"):
            sample.take(cast(Workload, work), model, "python", 2, "bare", gate=gate)
    finally:
        gate.close()
    assert time.monotonic() - began < 25


def test_a_model_that_does_not_end_is_killed_at_its_deadline() -> None:
    result = lanes.load(
        lanes.wait(tasks=1, duration="100s"), rate="10/s", duration="0.2s", models="threading", deadline="3s"
    )
    assert result.unchecked is not None, "nor does the baseline"
    row = result["threading"]
    assert row.error is not None
    assert "deadline of 3 s" in row.error
    assert (row.completed, row.left) == (0, 2)
    assert not result.ok


def test_cells_that_make_no_sense_have_a_reason_and_the_others_are_measured() -> None:
    result = lanes.load(NAP, rate="50/s", duration="0.1s", models="asyncio", bodies="python,released")
    assert result[("asyncio", "released")].reason is not None
    assert result[("asyncio", "python")].completed == 5
    assert "asyncio/released makes no sense" in str(result)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"rate": "often"}, "a rate of arrivals is"),
        ({"queue": "long"}, "a queue has room for"),
        ({"full": "panic"}, "unknown rule for a full queue 'panic': choose from wait, reject"),
        ({"queue": None, "full": "reject"}, "an unbounded queue is never full and rejects nothing"),
        ({"arrivals": "bursts"}, "unknown arrivals 'bursts': choose from constant, poisson"),
        ({"duration": "soon"}, "a duration is a number of seconds"),
        ({"rate": "1000000/s"}, "are more than 100,000 arrivals: take a lower rate or less time"),
        ({"models": "none"}, "unknown model 'none'"),
        ({"workers": 0}, "workers must be a whole number"),
        ({"deadline": 0}, "deadline must be longer than nothing"),
        ({"seed": "abc"}, "seed must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"items": [1]}, "items are for functions of your own"),
    ],
)
def test_bad_input_is_refused_in_one_line(choices: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lanes.load(NAP, **({"rate": "10/s"} | choices))


def test_no_more_answers_come_home_than_there_is_room_for() -> None:
    work = lanes.exchange(tasks=2, payload="64MiB", via="argument")
    with pytest.raises(ValueError, match="of 33 arrivals the answers of 32 have room: take a lower rate or less time"):
        lanes.load(work, rate="33/s", duration="1s", models="threading")


# ---- the log


def events_of(path: Path) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """By model and task, in the order of time."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for line in path.read_text().splitlines():
        event = json.loads(line)
        found.setdefault((event["model"], event["task"]), []).append(event)
    return {key: sorted(events, key=itemgetter("time_ns")) for key, events in found.items()}


def test_a_log_is_of_one_more_run_of_each_row(tmp_path: Path) -> None:
    log = tmp_path / "log"
    told: list[Instant] = []
    result = lanes.load(
        NAP,
        rate="200/s",
        duration="0.3s",
        queue=2,
        full="reject",
        models="threading,native-epoll",
        workers=1,
        log=log,
        progress=told.append,
        seed=3,
    )
    assert result.ok
    assert [row.arrived for row in result] == [60, 60], "those of the run without a log alone"
    found = events_of(log)
    assert set(found) == {(model, task) for model in ("threading", "native-epoll") for task in range(60)}
    whole, sent_away = ["arrived", "claimed", "started", "finished"], ["arrived", "failed"]
    kinds = [[event["event"] for event in events] for events in found.values()]
    assert all(sorted(each) in (sorted(whole), sorted(sent_away)) for each in kinds)
    assert kinds.count(whole) > 0
    assert any(events[-1].get("error") == "rejected" for events in found.values())
    assert {(instant.place, instant.places) for instant in told} == {(place, 4) for place in range(4)}
    began = {model: min(event["time_s"] for event in events) for (model, n), events in found.items() if n == 0}
    for (model, task), events in found.items():
        arrived = next(event for event in events if event["event"] == "arrived")
        assert arrived["time_s"] - began[model] == pytest.approx(task / 200, abs=1e-6), "when it was due"


def test_a_row_whose_logged_run_dies_keeps_what_was_measured(tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = lanes.load(
        dies_when_it_is_logged, [str(log)], rate="50/s", duration="0.1s", models="threading", workers=1, log=log
    )
    row = result["threading"]
    assert (row.completed, row.error) == (5, None)
    assert row.log_error == "the process of this sample was killed by SIGKILL"
    assert result.ok
    assert "threading/python: its log ends early: the process of this sample was killed by SIGKILL" in str(result)
    assert events_of(log)["threading", 0][-1]["event"] == "failed"


def test_a_log_that_nobody_can_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="a log must be a regular file"):
        lanes.load(NAP, rate="10/s", log=tmp_path)


# ---- as it goes


def test_progress_tells_how_it_goes() -> None:
    told: list[Instant] = []
    result = lanes.load(
        NAP,
        rate="100/s",
        duration="1s",
        queue="unbounded",
        models="threading,native-epoll",
        workers=1,
        progress=told.append,
        seed=3,
    )
    assert {instant.name for instant in told} == {"threading/python", "native-epoll"}
    assert {(instant.place, instant.places) for instant in told} == {(0, 2), (1, 2)}
    for row in result:
        seen = [instant for instant in told if instant.name == row.name]
        assert 25 <= max(instant.backlog for instant in seen) < 100
        assert {instant.in_flight for instant in seen} <= {0, 1}
        rates = sorted(instant.rate for instant in seen)
        assert rates[len(rates) // 2] < 80
        assert rates[-1] > 10
        assert any(instant.latency_s is not None and instant.latency_s > 0.3 for instant in seen)
        assert [instant.elapsed_s for instant in seen] == sorted(instant.elapsed_s for instant in seen)
        assert row.peak_pss_bytes is not None
        assert row.peak_pss_bytes > 2**20
        assert row.memory, "looked at about three times a second"
        assert 0 <= row.memory[0].at_s <= row.memory[-1].at_s
        assert max(size for _, size in row.memory) == row.peak_pss_bytes


# ---- as it is shown


def times(seconds: float) -> Times:
    return Times(seconds, 2 * seconds, 3 * seconds, 4 * seconds)


def points(*backlogs: int) -> tuple[Point, ...]:
    return tuple(Point(0.1 * (n + 1), backlog, 0, 1, 10.0, 0.02) for n, backlog in enumerate(backlogs))


ROWS = (
    LoadRow(
        "threading", "python", "python", 4, 100, 100, 0, 0, 0, times(0.0001), times(0.02), times(0.0201), times(0.0),
        1, 2, 98.0, 12 * 2**20, points(1, 0, 1, 0),
    ),
    LoadRow(
        "native-epoll", "native", None, 4, 100, 50, 0, 40, 10, times(1.2), times(0.03), times(1.3), times(0.5),
        64, 4, 33.3, None, points(1, 32, 64),
    ),
)  # fmt: skip


def shown(*rows: LoadRow, unchecked: str | None = None, width: int = 80) -> str:
    terms = Terms(100.0, "constant", 1.0, 64, "reject", 3.0)
    return report.text(Load(Wait(2, (20_000_000,)), terms, 100, 5, MACHINE, rows, unchecked), width)


def test_what_became_of_the_tasks_is_shown_within_80_columns() -> None:
    text = shown(*ROWS)
    assert text.splitlines()[:4] == [
        "wait: 2 tasks in turn, duration 20 ms",
        "100/s for 1 s, constant: 100 arrivals; a queue of 64, full: reject; seed 5",
        "Python 3.11.7, 2 processors",
        "model        done rejected left backlog at work slip p99 memory",
    ]
    assert "threading     100        0    0       1       2     0 ns 12 MiB" in text
    assert "native-epoll   50       40   10      64       4    1.5 s      -" in text
    assert "threading        0.10  0.20  0.30  0.40     20.0 40.0 60.0 80.0" in text
    assert "native-epoll    1,200 2,400 3,600 4,800     30.0 60.0 90.0  120" in text
    assert "1 model kept up with 100/s, threading/python the soonest: 99 of 100 tasks within 60.3 ms." in text
    assert "native-epoll fell behind 100/s: it serves 33.3/s." in text
    assert "What was left had not begun when all was over" in text
    assert "threading/python and native-epoll fell behind" not in text
    bodies = shown(ROWS[0], replace(ROWS[0], body="held"))
    assert "2 rows kept up with 100/s, threading/python the soonest" in bodies
    both = shown(ROWS[1], replace(ROWS[1], model="native-fork", served=40.0))
    assert "native-epoll and native-fork fell behind 100/s: the best of them, native-fork, serves 40/s." in both
    tables = text[: text.index("1 model kept up")]
    assert max(map(len, tables.splitlines())) <= 80


def test_the_longest_names_fit_as_well() -> None:
    long = LoadRow(
        "multiprocessing-pool", "python", "python", 4, 99_999, 99_999, 0, 99_999, 99_999, times(12.0), times(1.0),
        times(9.0), times(9.0), 99_999, 64, 9.0, 120 * 2**20, points(99_999),
    )  # fmt: skip
    text = shown(long)
    tables = text[: text.index("multiprocessing-pool/python fell")]
    assert max(map(len, tables.splitlines())) <= 80


def test_the_chart_has_a_block_for_each_part_of_the_time() -> None:
    rising = points(0, 1, 2, 3, 4, 5, 6, 7)
    line = report.chart(rising, 0.8, 7)
    assert len(line) == 36
    assert (line[0], line[-1]) == ("▁", "█")
    assert list(line) == sorted(line)
    half = report.chart(rising, 1.6, 7)
    assert len(half) == 18, "it is over after half of the time"
    assert (half[0], half[-1]) == ("▁", "█")
    assert report.chart(rising, 0.8, 7, "01234567")[-1] == "7"
    assert report.chart((), 1.0, 1) == ""


def test_what_went_wrong_is_said() -> None:
    difference = Difference(0, 1, "", Outcome("ok"), Outcome("killed", error="WorkerKilled"))
    wrong = LoadRow("native-fork", "native", None, 2, 10, 9, 1, 0, 0, differences=(difference,))
    lost = LoadRow("threading", "python", "python", 2, 10, error="the process of this sample was killed by SIGKILL")
    text = shown(wrong, lost, unchecked="no answer")
    assert "outcomes could not be checked, as the baseline failed: no answer" in text
    assert "native-fork: 1 of 2 tasks differ from serial/python, the first: task 1: expected ok" in text
    assert "threading/python: the process of this sample was killed by SIGKILL" in text


def test_a_book_of_a_model_that_never_began_is_empty() -> None:
    assert Book.of([(0, None, None, None, False, None)], None, rejects=False).waiting is None
