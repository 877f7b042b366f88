"""What only a run of its own shows: memory from outside, pickling and the lag of loops from inside."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from asyncio import base_events
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest
import uvloop

import lanes
from lanes import _core, closeup, models, proc, sample
from lanes.closeup import MOST_POINTS, Lags, MemoryWatch
from lanes.run import execute
from lanes.types import Closeup
from test_sample import trick

MIB = 2**20


# ---- memory

GROWS = """
import os, time
held = b"x" * (64 << 20)
if os.fork() == 0:
    time.sleep(0.5)
    os._exit(0)
os.wait()
"""


def test_what_processes_share_counts_once_and_each_has_its_peak() -> None:
    seen = sample.take(trick(GROWS), "serial", "python", 1, "closeup").closeup
    assert seen is not None
    assert seen.peak_pss_bytes is not None
    assert 64 * MIB <= seen.peak_pss_bytes <= 120 * MIB, "not twice"
    assert len(seen.peak_rss_bytes) >= 3, "the work, and a child for each of its two tasks"
    assert sum(peak >= 64 * MIB for peak in seen.peak_rss_bytes) >= 3
    assert 0 <= seen.memory[0].at_s < seen.memory[-1].at_s, "from the beginning of the run"
    # What was seen before it began, or after, is not in the series.
    assert 64 * MIB <= max(size for _, size in seen.memory) <= seen.peak_pss_bytes


def test_what_each_process_has_alone_adds_up() -> None:
    # Filled after the fork, so nothing of it is shared.
    code = "import time; held = b'x' * (32 << 20); time.sleep(0.3)"
    one, three = (
        sample.take(trick(code), model, "python", 2, "closeup").closeup for model in ("serial", "multiprocessing")
    )
    assert one is not None
    assert three is not None
    assert one.peak_pss_bytes is not None
    assert three.peak_pss_bytes is not None
    assert len(one.peak_rss_bytes) == 1
    assert one.peak_rss_bytes[0] >= 32 * MIB
    assert len(three.peak_rss_bytes) == 3
    assert three.peak_pss_bytes >= one.peak_pss_bytes + 24 * MIB, "two workers hold 32 MiB each"


def test_a_sample_that_is_timed_has_no_closeup() -> None:
    assert sample.take(lanes.wait(tasks=1, duration=0), "asyncio", "python", 1).closeup is None


def process(proc: Path, pid: int, pss: int, peak: int, *children: int) -> None:
    (proc / f"{pid}/task/{pid}").mkdir(parents=True)
    (proc / f"{pid}/task/{pid}/children").write_text("".join(f"{child} " for child in children))
    (proc / f"{pid}/smaps_rollup").write_text(f"00-ff ---p 0 0 0 [rollup]\nRss: 9 kB\nPss:  {pss} kB\nPss_Anon: 7 kB\n")
    (proc / f"{pid}/status").write_text(f"Name:\tpython\nVmPeak:\t999 kB\nVmHWM:\t{peak} kB\n")


def test_a_tree_is_a_process_and_all_below_it(tmp_path: Path) -> None:
    process(tmp_path, 1, 10, 20, 2, 3)
    process(tmp_path, 2, 30, 40, 4)
    process(tmp_path, 3, 50, 60)
    process(tmp_path, 4, 70, 80)
    process(tmp_path, 5, 900, 900)
    watch = MemoryWatch(tmp_path)
    watch.look(1)
    assert watch.peak_pss == (10 + 30 + 50 + 70) * 1024
    assert watch.peak_rss == (20 * 1024, 40 * 1024, 60 * 1024, 80 * 1024)


def test_a_look_in_which_a_process_came_or_went_is_no_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A page that the first one has alone, and then shares with the second, would count once and a half.
    process(tmp_path, 1, 100, 100)
    children = tmp_path / "1/task/1/children"
    turns = iter(("2 ", ""))
    size = proc.size

    def then_the_tree_changes(path: Path, name: str) -> int:
        found = size(path, name)
        if path == tmp_path / "1/smaps_rollup":
            children.write_text(next(turns))
        return found

    process(tmp_path, 2, 50, 100)
    monkeypatch.setattr(proc, "size", then_the_tree_changes)
    watch = MemoryWatch(tmp_path)
    watch.look(1)
    assert watch.peak_pss is None, "2 came"
    watch.look(1)
    assert watch.peak_pss is None, "2 went"
    assert watch.peak_rss == (100 * 1024, 100 * 1024), "of each, it holds all the same"
    monkeypatch.undo()
    watch.look(1)
    assert watch.peak_pss == 100 * 1024


def test_memory_is_kept_as_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process(tmp_path, 1, 10, 20)
    moments = iter(range(10**9, 10**12, 10**9))
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(moments))
    watch = MemoryWatch(tmp_path)
    for size in (1, 3, 2):  # at 1, 3 and 5 s: each look asks when it began, and when it was over
        (tmp_path / "1/smaps_rollup").write_text(f"Pss: {size} kB\n")
        watch.look(1)
    assert watch.series(2 * 10**9) == ((1.0, 3072), (3.0, 2048)), "not what was there before it began"
    assert watch.series(10**9, 3 * 10**9) == ((0.0, 1024), (2.0, 3072)), "nor what there was when it was over"


@pytest.mark.parametrize("looks", [1, MOST_POINTS, MOST_POINTS + 1, 2 * MOST_POINTS, 7 * MOST_POINTS + 5])
def test_of_many_looks_those_stay_that_saw_the_most(tmp_path: Path, looks: int) -> None:
    process(tmp_path, 1, 10, 20)
    watch = MemoryWatch(tmp_path)
    sizes = [1000 + 7 * n % 500 for n in range(looks)]
    for at, size in enumerate(sizes):
        watch._keep(at, size)
    series = watch.series(0)
    assert MOST_POINTS / 2 < len(series) <= MOST_POINTS or len(series) == looks
    assert [round(point.at_s * 1e9) for point in series] == sorted({round(point.at_s * 1e9) for point in series})
    assert all(sizes[round(point.at_s * 1e9)] == point.pss_bytes for point in series), "each was seen, and then"
    each = -(-looks // len(series))
    largest = [max(sizes[at : at + each]) for at in range(0, looks, each)]
    assert [point.pss_bytes for point in series] == largest, "of looks in a row, as many each"


def test_children_of_every_thread_count(tmp_path: Path) -> None:
    process(tmp_path, 1, 10, 20, 2)
    process(tmp_path, 2, 30, 40)
    process(tmp_path, 3, 50, 60)
    (tmp_path / "1/task/11").mkdir()
    (tmp_path / "1/task/11/children").write_text("3 ")
    watch = MemoryWatch(tmp_path)
    watch.look(1)
    assert watch.peak_pss == 90 * 1024


def test_the_peak_of_the_sum_stays_and_so_does_that_of_who_has_ended(tmp_path: Path) -> None:
    process(tmp_path, 1, 10, 20, 2)
    process(tmp_path, 2, 30, 40)
    watch = MemoryWatch(tmp_path)
    watch.look(1)
    for file in ("smaps_rollup", "status", "task/2/children"):
        (tmp_path / "2" / file).unlink()
    (tmp_path / "1/smaps_rollup").write_text("Pss: 15 kB\n")
    (tmp_path / "1/status").write_text("VmHWM: 25 kB\n")
    watch.look(1)
    assert watch.peak_pss == 40 * 1024
    assert watch.peak_rss == (25 * 1024, 40 * 1024)
    (tmp_path / "1/smaps_rollup").write_text("Pss: 41 kB\n")
    watch.look(1)
    assert watch.peak_pss == 41 * 1024


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    watch = MemoryWatch(tmp_path)
    watch.look(1)
    assert (watch.peak_pss, watch.peak_rss) == (None, ())


def test_a_kernel_that_does_not_tell_of_children_tells_of_no_sum(tmp_path: Path) -> None:
    process(tmp_path, 1, 10, 20)
    (tmp_path / "1/task/1/children").unlink()
    watch = MemoryWatch(tmp_path)
    watch.look(1)
    assert (watch.peak_pss, watch.peak_rss) == (None, (20 * 1024,))


def test_reading_what_takes_long_is_done_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process(tmp_path, 1, 10, 20)
    watch = MemoryWatch(tmp_path)
    clock = iter([5_000_000_000, 5_000_010_000, 6_000_000_000, 6_250_000_000])
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
    watch.look(1)
    assert watch.pause_s == 0.003
    watch.look(1)
    assert watch.pause_s == 2.5


# ---- pickling


def test_the_bytes_of_a_known_payload_and_the_time_for_both_ways() -> None:
    ledger = _core.Ledger(1)
    payload = {"text": "x" * 10_000, "numbers": list(range(1000))}
    expected = len(ForkingPickler.dumps(payload))
    reader, writer = multiprocessing.Pipe(duplex=False)
    with closeup.pickling(ledger), reader, writer:
        for _ in range(3):
            writer.send(payload)
            dumped = ledger.tally()
            assert reader.recv() == payload
            assert ledger.tally()[1] > dumped[1], "turning it back takes time, too"
        assert ledger.tally()[0] == 3 * expected
    assert ledger.tally()[1] > 0


def test_forked_processes_add_to_the_same_ledger() -> None:
    ledger = _core.Ledger(1)
    expected = len(ForkingPickler.dumps(b"x" * 1000))
    with closeup.pickling(ledger):
        pid = os.fork()
        if pid == 0:
            ForkingPickler.dumps(b"x" * 1000)
            os._exit(0)
        os.waitpid(pid, 0)
    assert ledger.tally()[0] == expected > 1000


@pytest.mark.parametrize("model", ["multiprocessing", "multiprocessing-pool", "futures-processes"])
def test_process_models_pickle_what_goes_there_and_back(model: str) -> None:
    items = [bytes([n]) * 100_000 for n in range(4)]
    work = lanes.workload(invert, items=items)
    with work.serve() as served:
        seen = execute(served, models.load(model), "python", 2, "closeup").closeup
    assert seen is not None
    assert seen.pickled_bytes is not None
    assert seen.pickle_s is not None
    assert 800_000 < seen.pickled_bytes < 900_000
    assert seen.pickle_s > 0.0
    assert seen.loop_lag_s is None


def invert(data: bytes) -> bytes:
    return bytes(255 - byte for byte in data[:1]) * len(data)


@pytest.mark.parametrize("model", ["serial", "threading", "futures-threads", *_core.MODELS])
def test_other_models_have_nothing_to_be_seen_from_within(model: str) -> None:
    work = lanes.wait(tasks=2, duration=0)
    assert execute(work, models.load(model), "python", 2, "closeup").closeup == Closeup()


# ---- the lag of a loop


def lags_of(make: Callable[[], object]) -> Lags:
    with closeup.lags() as found:
        make()
    return found


def test_a_callback_that_blocks_makes_all_that_is_ready_wait() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(time.sleep, 0.05)
        for _ in range(3):
            loop.call_soon(int)
        await asyncio.sleep(0)

    found = lags_of(lambda: asyncio.run(main()))
    assert found.longest_s >= 0.05
    assert found.total_s >= 0.15, "three of them"


def test_a_timer_lags_since_it_was_due() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, int)
        loop.call_later(0, time.sleep, 0.07)
        await asyncio.sleep(0.1)

    found = lags_of(lambda: asyncio.run(main()))
    assert found.longest_s >= 0.049
    assert found.total_s >= found.longest_s


def test_waiting_for_a_timer_is_no_lag() -> None:
    # On a busy machine a loop may be late by much more than a moment; not every time.
    assert min(lags_of(lambda: asyncio.run(asyncio.sleep(0.1))).total_s for _ in range(5)) < 0.05


def test_loops_of_other_makes_add_nothing() -> None:
    with closeup.lags() as found, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.sleep(0.001))
    assert (found.total_s, found.longest_s, found.loops) == (0.0, 0.0, 0)


def test_a_loop_does_what_it_does_without_being_watched() -> None:
    async def main() -> list[int]:
        loop, order = asyncio.get_running_loop(), list[int]()
        for n in range(3):
            loop.call_soon(order.append, n)
        cancelled = loop.call_soon(order.append, 99)
        cancelled.cancel()
        loop.call_later(0.001, order.append, 4)
        loop.call_soon(order.append, 3)
        await asyncio.gather(*(asyncio.sleep(0.002) for _ in range(20)))
        return order

    with closeup.lags() as found:
        assert asyncio.run(main(), debug=True) == [0, 1, 2, 3, 4]
    assert found.total_s > 0.0


def test_the_lag_of_the_asyncio_model_is_seen() -> None:
    # The first of its coroutines computes without an await until there are no tasks left, and three others are ready.
    work = lanes.compute("squares", tasks=4, task_size=200_000)
    run = execute(work, models.load("asyncio"), "python", 4, "closeup")
    assert run.closeup is not None
    assert run.closeup.loop_lag_s is not None
    assert run.closeup.max_loop_lag_s is not None
    assert run.closeup.max_loop_lag_s >= 0.9 * run.work_s
    assert run.closeup.loop_lag_s >= 2.7 * run.work_s
    assert run.closeup.pickled_bytes is None


# ---- nothing stays


def test_what_was_put_in_place_is_taken_out_again() -> None:
    init = vars(base_events.BaseEventLoop)["__init__"]
    dumps, loads = vars(ForkingPickler)["dumps"], vars(ForkingPickler)["loads"]
    ledger = _core.Ledger(1)
    for error in (None, KeyError()):
        try:
            with closeup.lags(), closeup.pickling(ledger):
                assert vars(base_events.BaseEventLoop)["__init__"] is not init
                assert vars(ForkingPickler)["dumps"] is not dumps
                if error:
                    raise error
        except KeyError:
            pass
        assert vars(base_events.BaseEventLoop)["__init__"] is init
        assert vars(ForkingPickler)["dumps"] is dumps
        assert vars(ForkingPickler)["loads"] is loads
    before = ledger.tally()
    ForkingPickler.loads(ForkingPickler.dumps(b"x"))
    assert ledger.tally() == before
