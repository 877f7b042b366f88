"""The laws: each kept, broken, and where it does not apply; and what a broken one does to its row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lanes import laws
from lanes.comparison import Difference, Row
from lanes.laws import LAWS, Grid, Judgement
from lanes.types import Counters, Outcome
from support import BASE, make_comparison, make_counters, make_row, make_usage

BUSY = make_counters(make_usage(0.49))
"""Of a run of one second, of which half is work: one worker that only computes."""
IDLE = make_counters(make_usage(0.02))
ONES = [1.0] * 6


def grid(*rows: Row, processors: int = 2, mask: int = 2, gil: bool = True, twins: bool = False) -> Grid:
    return Grid({(row.model, row.body): row for row in rows}, processors, mask, gil, twins)


def judgement(law: str, row: Row, among: Grid | None = None) -> Judgement | None:
    """What one law says of a row; None where it does not apply."""
    found = {each.name: each for each in laws.judge(row, among or grid(row))}
    assert set(found) <= {each.name for each in LAWS}
    return found.get(law)


def held(law: str, row: Row, among: Grid | None = None) -> bool | None:
    found = judgement(law, row, among)
    return None if found is None else found.held


def why(law: str, row: Row, among: Grid | None = None) -> str:
    found = judgement(law, row, among)
    assert found is not None
    return found.why


def test_a_law_has_a_name_of_its_own_and_says_what_it_says() -> None:
    assert len({law.name for law in LAWS}) == len(LAWS) == 9
    assert all(len(law.says.split()) >= 8 for law in LAWS)


def test_what_did_not_run_breaks_no_law() -> None:
    assert list(laws.judge(make_row("asyncio", "released", reason="because"), grid())) == []
    assert list(laws.judge(make_row("native-fork", error="killed"), grid())) == []


def test_judgements_stand_in_the_order_of_the_laws() -> None:
    row = make_row("native-fork", None, ONES, BASE, counters=BUSY, origin_busy=0.1)
    names = [each.name for each in laws.judge(row, grid(row))]
    assert names == [law.name for law in LAWS if law.name in names]
    assert len(names) == 6


# ---- outcomes agree


def test_outcomes_agree_or_do_not() -> None:
    difference = Difference(0, 1, "", Outcome("ok", (1,)), Outcome("ok", (2,)))
    assert held("outcomes agree", make_row("native-fork", None, ONES, BASE)) is True
    broken = make_row("native-fork", None, ONES, BASE, differences=(difference,))
    assert held("outcomes agree", broken) is False
    assert "1 tasks have other outcomes" in why("outcomes agree", broken)
    assert held("outcomes agree", make_row("native-fork", None, ONES)) is None, "there is no baseline"


# ---- speed-up within processors

WITHIN = "speed-up within processors"


@pytest.mark.parametrize(
    ("wall", "processors", "expected"), [(0.5, 2, True), (0.51, 2, True), (0.49, 2, False), (0.49, 3, True)]
)
def test_what_computes_is_no_more_times_faster_than_there_are_processors(
    wall: float, processors: int, expected: bool
) -> None:
    serial = make_row("native-serial", None, ONES, BASE, counters=BUSY)
    row = make_row("native-fork", None, [wall] * 6, BASE)
    assert held(WITHIN, row, grid(serial, row, processors=processors)) is expected
    body = make_row("threading", "released", [wall] * 6, BASE)
    twin = make_row("serial", "released", ONES, BASE, counters=BUSY)
    assert held(WITHIN, body, grid(twin, serial, body, processors=processors)) is expected


def test_the_figures_stand_beside_it() -> None:
    serial = make_row("native-serial", None, ONES, BASE, counters=BUSY)
    row = make_row("native-fork", None, [0.25] * 6, BASE)
    assert why(WITHIN, row, grid(serial, row)) == "native-serial over it is at least 4.00, and may be 2"


def test_a_speed_up_in_the_language_is_none_of_this_laws_business() -> None:
    serial = make_row("serial", "python", ONES, ONES, counters=BUSY)
    native = make_row("native-serial", None, [0.01] * 6, ONES, counters=make_counters(make_usage(0.005)))
    row = make_row("native-fork", None, [0.008] * 6, ONES)
    assert row.ratios == pytest.approx([125.0] * 6)
    assert held(WITHIN, row, grid(serial, native, row)) is True


def test_waits_overlap_on_any_number_of_processors() -> None:
    serial = make_row("native-serial", None, ONES, BASE, counters=IDLE)
    row = make_row("native-epoll", None, [0.05] * 6, BASE)
    assert held(WITHIN, row, grid(serial, row)) is None


def test_serial_itself_and_what_has_no_serial_twin_cannot_be_told() -> None:
    serial = make_row("native-serial", None, ONES, BASE, counters=BUSY)
    assert held(WITHIN, serial, grid(serial)) is None
    row = make_row("native-fork", None, [0.1] * 6, BASE)
    assert held(WITHIN, row, grid(row)) is None
    blind = make_row("native-serial", None, ONES, BASE)
    assert held(WITHIN, row, grid(blind, row)) is None, "nothing was counted"
    failed = make_row("native-serial", error="killed")
    assert held(WITHIN, row, grid(failed, row)) is None


def test_noise_breaks_no_law() -> None:
    serial = make_row("native-serial", None, ONES, BASE, counters=BUSY)
    row = make_row("native-fork", None, [0.4, 0.45, 0.45, 0.45, 0.55, 0.55], BASE)
    assert row.wall == 0.45
    assert held(WITHIN, row, grid(serial, row)) is True, "the median says 2.2, and the interval goes down to 1.8"


# ---- one at a time

ALONE = "one at a time"


@pytest.mark.parametrize("model", ["asyncio", "threading", "futures-threads"])
@pytest.mark.parametrize(("wall", "expected"), [(1.0, True), (0.96, True), (0.94, False)])
def test_what_takes_turns_speeds_up_nothing_that_computes(model: str, wall: float, expected: bool) -> None:
    serial = make_row("serial", "python", ONES, ONES, counters=BUSY)
    row = make_row(model, "python", [wall] * 6, ONES)
    assert held(ALONE, row, grid(serial, row)) is expected
    free = held(ALONE, row, grid(serial, row, gil=False))
    assert free is (expected if model == "asyncio" else None), "without a GIL only a loop takes turns"


@pytest.mark.parametrize(
    ("model", "body"), [("multiprocessing", "python"), ("threading", "released"), ("native-epoll", None)]
)
def test_what_does_not_take_turns_may_be_faster(model: str, body: str | None) -> None:
    serial = make_row("serial", "python", ONES, ONES, counters=BUSY)
    row = make_row(model, body, [0.5] * 6, ONES)
    assert held(ALONE, row, grid(serial, row)) is None


def test_waits_overlap_though_their_tasks_take_turns() -> None:
    serial = make_row("serial", "python", ONES, ONES, counters=IDLE)
    row = make_row("asyncio", "python", [0.1] * 6, ONES)
    assert held(ALONE, row, grid(serial, row)) is None


def test_a_loop_takes_turns_whatever_its_make_and_one_in_each_thread_with_a_gil() -> None:
    serial = make_row("serial", "python", ONES, ONES, counters=BUSY)
    for model in ("asyncio[uvloop]", "asyncio-threads"):
        row = make_row(model, "python", [0.5] * 6, ONES)
        assert held(ALONE, row, grid(serial, row)) is False
    row = make_row("asyncio-processes", "python", [0.5] * 6, ONES)
    assert held(ALONE, row, grid(serial, row)) is None


def test_coroutines_that_are_other_code_are_not_measured_by_serial() -> None:
    serial = make_row("serial", "python", ONES, ONES, counters=BUSY)
    loop, threads = (make_row(model, "python", [0.3] * 6, ONES) for model in ("asyncio", "threading"))
    among = grid(serial, loop, threads, twins=True)
    assert (held(ALONE, loop, among), held(WITHIN, loop, among)) == (None, None)
    assert (held(ALONE, threads, among), held(WITHIN, threads, among)) == (False, False)


# ---- CPU time within processors


@pytest.mark.parametrize(("cpu_s", "expected"), [(2.0, True), (2.04, True), (2.1, False), (0.0, True)])
def test_cpu_seconds_are_no_more_than_processors_times_wall(cpu_s: float, expected: bool) -> None:
    row = make_row("native-fork", None, ONES, BASE, cpu_s=cpu_s)
    assert held("CPU time within processors", row) is expected
    assert held("CPU time within processors", row, grid(row, processors=3)) is True
    assert why("CPU time within processors", row) == f"{cpu_s:.3f} s of 2.000 s that the processors had"


def test_one_run_of_many_breaks_the_law() -> None:
    row = make_row("native-fork", None, [9.0, 9.0, 0.1, 9.0], BASE, cpu_s=0.5)
    assert held("CPU time within processors", row) is False
    assert why("CPU time within processors", row) == "0.500 s of 0.200 s that the processors had"


# ---- the split adds up

ADDS_UP = "split adds up"


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        (BUSY, True),
        (make_counters(make_usage(0.2, 0.1, 0.2, 0.1)), True),
        (make_counters(make_usage(0.2, 0.1, 0.2, 0.2)), False),
        (make_counters(make_usage(0.7)), False),
        (make_counters(make_usage(0.7), make_usage(0.2)), True),
        (make_counters(), None),
        (None, None),
    ],
)
def test_the_parts_are_no_more_than_the_whole(counters: Counters | None, expected: bool | None) -> None:
    assert held(ADDS_UP, make_row("native-fork", None, ONES, BASE, counters=counters)) is expected


def test_of_less_than_a_millisecond_of_work_the_parts_say_nothing() -> None:
    counters = make_counters(make_usage(0.01))
    assert held(ADDS_UP, make_row("native-fork", None, [0.0019] * 6, BASE, counters=counters)) is None
    assert held(ADDS_UP, make_row("native-fork", None, [0.0021] * 6, BASE, counters=counters)) is False


def test_the_sum_of_the_parts_is_told() -> None:
    row = make_row("native-fork", None, ONES, BASE, counters=make_counters(make_usage(0.7)))
    assert why(ADDS_UP, row) == "the parts make 140% of the workers' time"


# ---- the origin, the control group, the neighbours


@pytest.mark.parametrize(("busy", "expected"), [(0.0, True), (0.6, True), (0.61, False), (None, None)])
def test_the_origin_is_not_busy(busy: float | None, expected: bool | None) -> None:
    row = make_row("native-fork", None, ONES, BASE, origin_busy=busy)
    assert held("origin not busy", row) is expected
    assert busy is None or why("origin not busy", row) == f"it was busy for {busy:.0%} of a run at most"


@pytest.mark.parametrize(("throttled_s", "expected"), [(0.0, True), (0.001, False), (None, None)])
def test_the_control_group_was_never_stopped(throttled_s: float | None, expected: bool | None) -> None:
    row = make_row("native-fork", None, ONES, BASE, counters=make_counters(make_usage(), throttled_s=throttled_s))
    assert held("not throttled", row) is expected
    assert held("not throttled", make_row("native-fork", None, ONES, BASE)) is None


OVERLOADED = "machine not overloaded"


@pytest.mark.parametrize(
    ("others_s", "cpu_s", "expected"),
    [
        (0.0, 2.0, True),  # all to itself
        (0.39, 1.6, True),  # full, but others took less than a fifth of two processors
        (0.41, 1.5, False),  # they took more, and nothing was idle
        (0.41, 1.3, True),  # they took more, and a tenth was idle
        (1.9, 0.1, False),
        (None, 1.0, None),
    ],
)
def test_others_did_not_take_what_the_row_would_have_needed(
    others_s: float | None, cpu_s: float, expected: bool | None
) -> None:
    counters = make_counters(make_usage(), others_s=others_s)
    row = make_row("native-fork", None, ONES, BASE, counters=counters, cpu_s=cpu_s)
    assert held(OVERLOADED, row) is expected


def test_of_less_than_half_a_second_the_ticks_say_nothing() -> None:
    counters = make_counters(make_usage(), others_s=0.1)
    assert held(OVERLOADED, make_row("native-fork", None, [0.05] * 9, BASE, counters=counters, cpu_s=0.05)) is None
    assert held(OVERLOADED, make_row("native-fork", None, [0.05] * 11, BASE, counters=counters, cpu_s=0.05)) is False
    assert held(OVERLOADED, make_row("native-fork", None, ONES, BASE)) is None, "nothing was counted"


def test_a_quota_takes_no_processor_away_from_others() -> None:
    counters = make_counters(make_usage(), others_s=0.9)
    row = make_row("native-fork", None, ONES, BASE, counters=counters, cpu_s=1.0)
    assert held(OVERLOADED, row, grid(row, processors=1, mask=4)) is True, "half of four were idle"
    assert held(OVERLOADED, row, grid(row, processors=1, mask=2)) is False


# ---- what a broken law does


def test_a_broken_law_voids_the_verdict_and_leaves_the_figures() -> None:
    kept = (Judgement("not throttled", True, "0 s"),)
    broken = (*kept, Judgement("split adds up", False, "the parts make 140%"))
    sound, void = (make_row("native-fork", None, [0.5] * 6, ONES, judgements=each) for each in (kept, broken))
    assert sound.verdict is not None
    assert sound.verdict.word == "faster"
    assert sound.broken == ()
    assert void.verdict is None
    assert void.measured == sound.verdict
    assert (void.speedup, void.interval, void.wall) == (sound.speedup, sound.interval, sound.wall)
    assert [each.name for each in void.broken] == ["split adds up"]


def test_nothing_is_compared_with_a_void_row() -> None:
    broken = (Judgement("split adds up", False, "the parts make 140%"),)
    result = make_comparison(
        make_row("native-fork", None, [0.5] * 6, BASE, judgements=broken),
        make_row("native-epoll", None, [0.5] * 6, BASE),
    )
    assert result.versus("native-fork", "native-epoll") is None
    assert result.versus("native-epoll", "native-fork") is None
    assert result.versus("native-epoll", "serial") is not None


# ---- no update is lost


@pytest.mark.parametrize(
    ("lossless", "lost", "expected"),
    [(True, [0, 0], True), (True, [0, 3], False), (True, [0, -3], False), (False, [0, 3], None), (True, [None], None)],
)
def test_what_promises_to_lose_nothing_loses_nothing(
    lossless: bool, lost: list[float | None], expected: bool | None
) -> None:
    row = make_row("threading", "python", BASE, BASE)
    runs = tuple(replace(run, figures={"lost": each}) for run, each in zip(row.runs, lost, strict=False))
    among = replace(grid(row), lossless=lossless)
    assert held("no update is lost", replace(row, runs=runs), among) is expected


def test_what_measures_nothing_has_nothing_to_lose() -> None:
    row = make_row("threading", "python", BASE, BASE)
    assert held("no update is lost", row, replace(grid(row), lossless=True)) is None
