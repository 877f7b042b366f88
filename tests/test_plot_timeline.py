"""The picture of the lanes: bars as long as tasks and as high as their share of CPU, all on one time scale."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

import lanes
from lanes.comparison import Row
from lanes.laws import Judgement
from lanes.report.palette import DARK, LIGHT
from lanes.report.picture import Picture
from lanes.types import Outcome, Span
from support import make_comparison, make_row, make_run

MS = 1_000_000
BEGAN = 10_000 * MS


def made(model: str, body: str | None, spans: Iterable[tuple[int, float, float, float]], wall_s: float = 1.0) -> Row:
    """A row of one run, whose tasks are: worker, start and end, both in ms, and share of CPU between."""
    taken = tuple(
        Span(
            worker,
            worker,
            1,
            0,
            BEGAN + int(start * MS),
            BEGAN + int(start * MS),
            BEGAN + int(end * MS),
            int((end - start) * share * MS),
        )
        for worker, start, end, share in spans
    )
    run = make_run(model, body, wall_s, outcomes=[Outcome("ok")] * len(taken))
    return replace(make_row(model, body), runs=(replace(run, spans=taken),))


def boxes(picture: Picture, label: str) -> list[tuple[float, float, float, float]]:
    """Left, right, low and high of all of these; high is above, where numbers are smaller."""
    found = [each for each in picture.axes[0].collections if each.get_label() == label]
    assert len(found) == 1
    corners = [np.asarray(path.vertices) for path in found[0].get_paths()]
    return [(each[0, 0], each[1, 0], each[0, 1], each[2, 1]) for each in corners]


def heights(picture: Picture, label: str) -> list[float]:
    return [low - high for _, _, low, high in boxes(picture, label)]


def words(picture: Picture) -> list[str]:
    return [text.get_text() for text in picture.axes[0].texts]


def labels(picture: Picture) -> list[str]:
    return [label.get_text() for label in picture.axes[0].get_yticklabels()]


def saved(picture: Picture, form: str = "png") -> bytes:
    found = io.BytesIO()
    picture.savefig(found, format=form, dpi=50)
    return found.getvalue()


def test_a_bar_is_as_long_as_its_task_and_solid_up_to_its_share_of_cpu() -> None:
    row = made("threading", "python", [(0, 100, 300, 0.25), (0, 300, 900, 1.0), (1, 100, 900, 0.0)])
    picture = make_comparison(row).timeline("threading")
    assert [box[:2] for box in boxes(picture, "waiting")] == [(0.1, 0.3), (0.3, 0.9), (0.1, 0.9)]
    pale, solid = heights(picture, "waiting"), heights(picture, "working")
    assert [part / whole for part, whole in zip(solid, pale, strict=True)] == pytest.approx([0.25, 1.0, 0.0])
    for whole, part in zip(boxes(picture, "waiting"), boxes(picture, "working"), strict=True):
        assert part[2] == whole[2], "both stand on the lane"
    colours = {
        str(each.get_label()): to_hex(np.asarray(each.get_facecolor())[0]).upper()
        for each in picture.axes[0].collections
    }
    assert colours == {"run": LIGHT.rule, "waiting": LIGHT.waiting, "working": LIGHT.working}
    assert saved(picture).startswith(b"\x89PNG")


def test_each_worker_has_a_lane_of_its_own_below_the_one_before() -> None:
    row = made("asyncio", "python", [(worker, 100, 900, 0.1) for worker in range(3)])
    picture = make_comparison(row).timeline("asyncio")
    assert labels(picture) == ["place 0", "place 1", "place 2"]
    bars = boxes(picture, "waiting")
    assert all(above[2] < below[3] for above, below in pairwise(bars)), "none covers another"
    low, high = picture.axes[0].get_ylim()
    assert low > high, "the first is above"


def test_all_rows_have_one_time_scale_and_bands_as_long_as_their_runs() -> None:
    slow = made("threading", "python", [(0, 0, 2000, 1.0)], wall_s=2.0)
    fast = made("native-epoll", None, [(0, 0, 500, 1.0)], wall_s=0.5)
    picture = make_comparison(slow, fast).timeline()
    assert len(picture.axes) == 1
    assert [box[:2] for box in boxes(picture, "run")] == [(0.0, 1.1), (0.0, 2.0), (0.0, 0.5)]
    assert picture.axes[0].get_xlim() == pytest.approx((0.0, 2.02))
    ticks = [label.get_text() for label in picture.axes[0].get_xticklabels()]
    assert (ticks[0], ticks[-1]) == ("0", "2,000 ms")


def test_what_is_said_of_a_row_stands_beside_it() -> None:
    broken = replace(
        made("threading", "python", [(0, 0, 900, 1.0)]), judgements=(Judgement("one at a time", False, "1.9"),)
    )
    picture = make_comparison(
        broken,
        make_row("asyncio", "released", reason="the same as held"),
        make_row("native-epoll", None, error="killed by SIGKILL"),
    ).timeline()
    assert {
        "threading/python",
        "1,000.0 ms; void: broken law: one at a time (1.9)",
        "no sense: the same as held",
        "error: killed by SIGKILL",
    } <= set(words(picture))
    colours = {text.get_text(): text.get_color() for text in picture.axes[0].texts}
    assert colours["error: killed by SIGKILL"] == LIGHT.verdicts["error"]
    assert saved(picture)


def test_tasks_have_their_numbers_where_there_is_room() -> None:
    row = made("serial", "held", [(0, 0, 400, 1.0), (0, 400, 405, 1.0), (0, 405, 1000, 0.0)])
    picture = make_comparison(row).timeline("serial/held")
    numbers = {text.get_text(): text.get_color() for text in picture.axes[0].texts if text.get_text().isdigit()}
    assert numbers == {"0": LIGHT.paper, "2": LIGHT.ink}
    (waiting,) = (each for each in picture.axes[0].collections if each.get_label() == "waiting")
    assert np.asarray(waiting.get_linewidth()).tolist() == [0.5, 0.0, 0.5]


def test_many_lanes_share_the_height_of_sixteen_and_those_left_out_are_told() -> None:
    def of(workers: int) -> Picture:
        row = made("asyncio", "python", [(worker, 0, 1000, 0.0) for worker in range(workers)])
        return make_comparison(row).timeline("asyncio")

    few, many, most = of(16), of(32), of(200)
    assert few.get_figheight() == many.get_figheight() == most.get_figheight()
    assert heights(many, "waiting")[0] == pytest.approx(heights(few, "waiting")[0] / 2)
    assert labels(many) == ["place 0", *[""] * 31]
    assert [len(boxes(each, "waiting")) for each in (few, many, most)] == [16, 32, 64]
    assert not any("lanes" in word for word in words(many))
    assert "1,000.0 ms; the first 64 of 200 lanes" in words(most)
    assert saved(most)


def test_thousands_of_tasks_are_drawn_as_pixels() -> None:
    row = made("threading", "python", [(n % 4, n // 4, n // 4 + 1, 0.5) for n in range(4000)])
    picture = make_comparison(row).timeline("threading")
    assert len(boxes(picture, "waiting")) == 4000
    assert all(each.get_rasterized() for each in picture.axes[0].collections)
    assert len(saved(picture, "svg")) < 500_000


def test_of_many_rows_with_many_lanes_each_has_less_room() -> None:
    one = made("threading", "held", [(worker, 0, 900, 0.5) for worker in range(32)])
    assert make_comparison(one).timeline([("threading", "held")]).get_figheight() > 4
    assert make_comparison(*(replace(one, model=f"m{n}") for n in range(20))).timeline().get_figheight() < 24


def test_the_legend_says_what_is_drawn() -> None:
    told = [text.get_text() for text in make_comparison().timeline().legends[0].get_texts()]
    assert told == [
        "waiting: pale",
        "working: solid, as high as the share of CPU",
        "the number of a task",
        "no task: start-up, shutdown, nothing left to do",
    ]


def test_it_is_dark_where_the_style_is() -> None:
    with matplotlib.rc_context({"figure.facecolor": "black"}):
        picture = make_comparison().timeline()
    assert to_hex(picture.get_facecolor()).upper() == DARK.paper
    assert to_hex(picture.axes[0].get_facecolor()).upper() == DARK.paper


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (make_row("threading", "python", error="killed"), "threading/python: error: killed"),
        (make_row("threading", "python"), "threading/python: it did not run"),
        (made("threading", "python", []), "threading/python: it has no tasks"),
    ],
)
def test_without_spans_there_is_no_picture(row: Row, why: str) -> None:
    with pytest.raises(ValueError, match=f"^there is no span to draw: {why}$"):
        make_comparison(row).timeline("threading")


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^no row 'fibers': there are serial/python$"):
        make_comparison().timeline("fibers")


def test_a_real_one() -> None:
    found = lanes.compare(
        lanes.wait(tasks=4, duration="20ms"), models=["serial", "threading"], bodies="python", rounds=1, workers=2
    )
    picture = found.timeline()
    assert labels(picture) == ["caller", "thread 0", "thread 1"]
    bars = boxes(picture, "waiting")
    alone, threads = bars[:4], bars[4:]
    assert all(right - left >= 0.02 for left, right, _, _ in bars)
    assert all(before[1] <= after[0] for before, after in pairwise(alone)), "one after the other"
    assert len({low for _, _, low, _ in threads}) == 2
    assert saved(picture)
