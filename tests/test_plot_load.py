"""The picture of a load: the backlog over time beside the service time, and words where there is neither."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import StepPatch

import lanes
from lanes.backlog import Point, Times
from lanes.load import Load, LoadRow, Terms
from lanes.report.palette import LIGHT
from lanes.report.picture import Picture
from lanes.workloads.wait import Wait
from support import MACHINE

TERMS = Terms(rate=300.0, arrivals="constant", seconds=1.0, bound=16, full="wait", open_s=3.0)
TIMES = Times(0.02, 0.03, 0.04, 0.05)
ROW = LoadRow(
    "threading",
    "python",
    "python",
    4,
    arrived=300,
    completed=300,
    waiting=TIMES,
    working=TIMES,
    served=197.0,
    series=(
        Point(0.5, 16, 40, 4, 200.0, 0.02),
        Point(1.0, 16, 90, 4, 200.0, None),
        Point(1.5, 8, 0, 4, 100.0, 0.06),
    ),
)


def made(*rows: LoadRow, terms: Terms = TERMS) -> Load:
    return Load(Wait(8, (20_000_000,)), terms, 300, 7, MACHINE, rows)


def steps(picture: Picture, row: int, label: str) -> StepPatch:
    (found,) = (
        each for each in picture.axes[2 * row].patches if isinstance(each, StepPatch) and each.get_label() == label
    )
    return found


def words(picture: Picture, row: int) -> list[str]:
    return [text.get_text() for axes in picture.axes[2 * row : 2 * row + 2] for text in axes.texts]


def told(picture: Picture) -> list[str]:
    return [text.get_text() for text in picture.legends[0].get_texts()]


def test_the_backlog_is_drawn_as_steps_and_what_waits_outside_on_top_of_it() -> None:
    picture = made(ROW).plot()
    values, edges, _ = steps(picture, 0, "backlog").get_data()
    assert (list(values), list(edges)) == ([16, 16, 8], [0.0, 0.5, 1.0, 1.5])
    values, edges, below = steps(picture, 0, "outside").get_data()
    assert (list(values), np.asarray(below).tolist()) == ([56, 106, 8], [16, 16, 8])
    assert picture.axes[0].get_ylim()[1] == pytest.approx(106 * 1.1)
    assert told(picture) == [
        "in the queue",
        "outside: come, and waiting for room in it",
        "its bound",
        "median of the tasks finished",
    ]


def test_beside_it_stands_the_service_time_in_the_middle_of_each_interval() -> None:
    picture = made(ROW).plot()
    (line,) = (line for line in picture.axes[1].lines if line.get_label() == "service")
    assert np.asarray(line.get_xydata()) == pytest.approx(np.array([(0.25, 0.02), (1.25, 0.06)]))
    assert words(picture, 0) == ["197/s served\n20 ms each\nwait p99 40 ms"]
    assert picture.axes[1].get_yscale() == "log", "from 20 to 60 ms"


def test_the_bound_is_a_line_where_there_is_one() -> None:
    (bound,) = (line for line in made(ROW).plot().axes[0].lines if line.get_label() == "bound")
    assert list(np.asarray(bound.get_ydata())) == [16, 16]
    inside = replace(ROW, series=tuple(replace(point, outside=0) for point in ROW.series))
    unbounded = made(inside, terms=replace(TERMS, bound=None)).plot()
    assert not any(line.get_label() == "bound" for line in unbounded.axes[0].lines)
    assert told(unbounded) == ["in the queue", "median of the tasks finished"]


def test_all_rows_have_the_same_scales_and_their_names() -> None:
    slow = replace(ROW, model="native-epoll", body=None, family="native", series=(Point(4.0, 400, 0, 4, 9.0, 0.5),))
    picture = made(ROW, slow).plot()
    left, right, *others = picture.axes
    assert left.get_xlim() == right.get_xlim() == (0.0, 4.0)
    assert [axes.get_ylim() for axes in others] == [left.get_ylim(), right.get_ylim()]
    assert [axes.get_ylabel() for axes in picture.axes[::2]] == ["threading", "native-epoll"]
    assert left.get_ylim()[1] == pytest.approx(440)
    assert right.get_ylim()[1] == pytest.approx(0.55)


def test_what_did_not_come_about_says_why() -> None:
    rows = [
        LoadRow("asyncio", "python", "released", 4, reason="the same as held"),
        LoadRow("threading", "python", "python", 4, error="killed by SIGKILL"),
        LoadRow("native-epoll", "native", None, 4),
        replace(ROW, model="native-fork", error="no answer within its deadline of 2 s"),
    ]
    picture = made(*rows).plot()
    assert [words(picture, n) for n in range(3)] == [
        ["no sense: the same as held"],
        ["error: killed by SIGKILL"],
        ["nothing came"],
    ]
    (text,) = picture.axes[7].texts
    assert text.get_text().endswith("wait p99 40 ms\nerror: no answer within…")
    assert text.get_color() == LIGHT.verdicts["error"]
    found = io.BytesIO()
    picture.savefig(found, format="png", dpi=50)
    assert found.getvalue().startswith(b"\x89PNG")


def test_a_load_in_which_nothing_ran_is_drawn() -> None:
    picture = made(LoadRow("threading", "python", "python", 4, error="killed")).plot()
    picture.draw_without_rendering()
    assert words(picture, 0) == ["error: killed"]


def test_a_real_one() -> None:
    load = lanes.load(lanes.wait(duration="10ms"), rate="200/s", duration="0.3s", models="native-epoll", workers=1)
    picture = load.plot()
    values, edges, _ = steps(picture, 0, "backlog").get_data()
    assert max(values) == load["native-epoll"].most_backlog
    assert edges[-1] == load["native-epoll"].series[-1].until_s
    assert picture.axes[0].get_xlim()[1] >= 0.3
    titles = [text.get_text() for text in picture.texts if text.get_text().strip()]
    assert titles[0] == "wait: 8 tasks in turn, duration 10 ms"
