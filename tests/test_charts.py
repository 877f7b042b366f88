"""What the charts of a page draw: what was measured, in terms that Plotly knows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from plotly import graph_objects

from lanes.claims import Figure
from lanes.report import timeline
from lanes.report.page import charts, lanes, panels
from lanes.report.page.sections import Page, section
from results import NASTY, RESULTS, make_comparisons, make_load, make_sweep, make_trials
from support import BASE, make_comparison, make_counters, make_row, make_usage

COUNTERS = make_counters(make_usage(0.3, 0.1, 0.05, 0.2))


def drawn(name: str) -> list[charts.Chart]:
    page = Page()
    section(RESULTS[name], page)
    return page.charts


@pytest.mark.parametrize("name", [name for name in RESULTS if name != "anatomy"])
def test_plotly_knows_all_that_it_is_given(name: str) -> None:
    found = drawn(name)
    assert found
    for chart in found:
        assert set(chart) <= {"data", "layout", "narrow", "tracks", "texts", "unit", "lane_px", "heading"}
        for layout in (chart["layout"], chart.get("narrow", {})):
            graph_objects.Figure(data=blackened(chart.get("data", [])), layout=blackened(layout))
        json.dumps(chart, allow_nan=False)


def blackened(value: Any) -> Any:
    """With colours that Plotly knows by themselves: a browser puts these of the page there first."""
    if isinstance(value, dict):
        return {name: blackened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [blackened(each) for each in value]
    return "#000" if isinstance(value, str) and value.startswith("var(--") else value


def test_speedups_stand_with_their_intervals_verdicts_and_names() -> None:
    rows = (
        make_row("threading", "python", [wall / 2 for wall in BASE], BASE),
        make_row("asyncio", "released", reason="because"),
        make_row("native-epoll", None, [wall * n for wall, n in zip(BASE, (2, 3) * 3, strict=True)], BASE),
    )
    chart = charts.speedups(make_comparison(*rows))
    _, marks = chart["data"]
    assert marks["x"] == pytest.approx([1.0, 2.0, rows[2].speedup])
    low, high = rows[2].interval or (0.0, 0.0)
    assert marks["x"][2] - marks["error_x"]["arrayminus"][2] == pytest.approx(low)
    assert marks["x"][2] + marks["error_x"]["array"][2] == pytest.approx(high)
    assert marks["marker"]["color"] == ["var(--baseline)", "var(--faster)", "var(--slower)"]
    assert marks["marker"]["symbol"] == ["circle", "circle", "diamond"]
    assert chart["layout"]["yaxis"]["ticktext"] == ["serial/python", "threading/python", "native-epoll"]
    assert [each["text"] for each in chart["layout"]["annotations"]][1] == "2.00x faster"


def test_a_void_row_is_hollow() -> None:
    marks = charts.speedups(make_comparisons())["data"][1]
    names = [text.partition("</b>")[0].removeprefix("<b>") for text in marks["hovertext"]]
    hollow = {name for name, symbol in zip(names, marks["marker"]["symbol"], strict=True) if symbol.endswith("-open")}
    assert hollow == {
        "threading/held with 4 workers",
        "multiprocessing[spawn]/python with 4 workers",
        "native-pthreads with 4 workers",
    }


def test_the_parts_of_each_bar_make_its_whole() -> None:
    short = make_row("native-fork", None, [1e-5] * 6, BASE, counters=COUNTERS)
    row = make_row("threading", "python", BASE, BASE, counters=COUNTERS)
    chart = charts.parts(make_comparison(row, short))
    assert [sum(each["x"][n] for each in chart["data"]) for n in range(2)] == pytest.approx([100.0, 100.0])
    known = {each["marker"]["color"]: each["x"] for each in chart["data"]}
    assert known["var(--paper)"][0] == 0.0
    assert known["var(--paper)"][1] > 0.0


def test_names_stand_above_in_a_narrow_window() -> None:
    chart = charts.speedups(make_comparisons())
    names = dict(zip(chart["layout"]["yaxis"]["ticktext"], chart["layout"]["yaxis"]["tickvals"], strict=True))
    above = {each["text"]: each["y"] for each in chart["narrow"]["annotations"] if each["x"] == 0}
    assert set(above) == set(names)
    assert all(above[name] < place for name, place in names.items())
    assert chart["narrow"]["margin"]["l"] < chart["layout"]["margin"]["l"]
    assert chart["narrow"]["height"] > chart["layout"]["height"]


def test_a_curve_is_the_law_fitted() -> None:
    sweep = make_sweep()
    curve = sweep["native-fork"]
    amdahl, usl, marks = panels.curve(curve, sweep)["data"]
    assert curve.amdahl
    assert curve.usl
    assert amdahl["y"] == pytest.approx([curve.amdahl.speedup(x) for x in amdahl["x"]])
    assert usl["y"][-1] == pytest.approx(curve.usl.speedup(4))
    assert marks["x"] == [1, 2, 4]
    assert marks["marker"]["size"] == [10, 10, 14]


def test_a_backlog_is_the_series() -> None:
    load = make_load()
    queue, before, service = panels.backlog(load["threading"], load)["data"]
    assert (queue["y"], before["y"]) == ([30, 32], [2, 0])
    assert service["y"] == [pytest.approx(10.0), None]  # ms; nothing was finished in the second half
    assert panels.series_table(load["threading"]).row_count == 2


def test_evidence_lies_before_the_zone_of_its_rule() -> None:
    trial = make_trials()[1]
    factors, seconds = panels.evidence(trial)
    assert factors["data"][0]["x"] == [2.0]
    assert [shape["x0"] for shape in factors["layout"]["shapes"] if shape["type"] == "rect"] == [1.0]
    assert [each["text"] for each in seconds["layout"]["annotations"]] == ["550 ms broken", "b"]


def test_evidence_without_an_end_stands_in_the_table_alone() -> None:
    trial = make_trials()[1]
    endless = replace(trial, figures=(Figure("a", "x", (math.inf,) * 6), *trial.figures[1:]))
    assert len(list(panels.evidence(endless))) == 1


def test_lanes_hold_every_task_once_with_its_words_and_ids() -> None:
    made = make_comparison(make_row("threading", "python", BASE, BASE))
    tracks = timeline.timeline(made)
    chart = lanes.chart(made, tracks)
    assert [track["name"] for track in chart["tracks"]] == ["serial/python", "threading/python"]
    (lane,) = chart["tracks"][1]["lanes"]
    task, text, thread, process, cpu, claimed, started, finished, worked, working = lane["bars"][0]
    first = tracks[1].lanes[0].bars[0]
    assert (task, chart["texts"][text], thread, process, cpu) == (0, first.text, first.thread_id, first.process_id, 0)
    assert claimed == started
    assert finished - started == round(1e6 * (first.finished_s - first.started_s))
    assert worked == finished - started - worked
    assert working == 500
    assert lanes.as_table(tracks).row_count == 2


def test_a_track_says_whether_it_is_void_and_why_it_is_empty() -> None:
    made = make_comparisons()
    said = {track["name"]: track["heading"] for track in lanes.chart(made, timeline.timeline(made))["tracks"]}
    assert "void<" in said["native-pthreads"]
    assert "because<" in said["asyncio/released"]
    assert "void" not in said["threading/python"]


@pytest.mark.parametrize(("most", "each"), [(100, 2), (4, 2), (3, 1), (2, 1), (1, 0)])
def test_bars_that_are_too_many_are_left_out_of_all_tracks_alike(
    most: int, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "MOST", most)
    tracks = timeline.timeline(make_comparison(make_row("threading", "python", BASE, BASE)))
    assert lanes.drawn(tracks) == each


def test_words_are_no_markup_of_plotlys() -> None:
    assert charts.plain(f"{NASTY}\nx") == "&lt;script&gt;alert(1)&lt;/script&gt; a|b [bold]&amp; `c` x"
