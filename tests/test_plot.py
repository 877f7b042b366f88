"""The picture of a comparison: marks, intervals and parts where their figures say, and words where there are none."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer

import lanes
from lanes.comparison import Comparison, Row
from lanes.laws import Judgement
from lanes.report.palette import ASIDE, LIGHT, PARTS
from lanes.report.picture import Picture
from lanes.stats import Interval
from lanes.types import Outcome
from support import BASE, make_comparison, make_counters, make_row, make_usage

HALF = [wall / 2 for wall in BASE]
PARTED = make_counters(make_usage(0.3, system_s=0.1, queue_s=0.05, gil_s=0.1), make_usage(0.3, gil_s=0.2))


def sides(picture: Picture) -> tuple[Axes, Axes]:
    left, right = picture.axes
    return left, right


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def mark(picture: Picture, row: str) -> tuple[float, float, float, str, str]:
    """Of the row's mark where it stands, from where to where its interval goes, and its colours: outside and inside."""
    found = {each.get_label(): each for each in sides(picture)[0].containers if isinstance(each, ErrorbarContainer)}
    line, _, (bar,) = found[row].lines
    assert line is not None
    (low, _), (high, _) = bar.get_segments()[0]
    colours = to_hex(line.get_color()).upper(), to_hex(line.get_markerfacecolor()).upper()
    return float(np.asarray(line.get_xdata())[0]), float(low), float(high), *colours


def bars(picture: Picture, place: float) -> list[tuple[float, float, str]]:
    """Of a row's bar the parts: where each begins, how wide it is, and its colour."""
    found = [
        patch
        for container in sides(picture)[1].containers
        if isinstance(container, BarContainer)
        for patch in container.patches
    ]
    return [
        (patch.get_x(), patch.get_width(), to_hex(patch.get_facecolor()).upper())
        for patch in found
        if patch.get_y() < place < patch.get_y() + patch.get_height()
    ]


def saved(picture: Picture) -> bytes:
    """As PNG; warnings are errors here."""
    found = io.BytesIO()
    picture.savefig(found, format="png", dpi=50)
    return found.getvalue()


def test_a_mark_stands_at_the_speedup_within_its_interval() -> None:
    row = replace(make_row("threading", "python", HALF, BASE), interval=Interval(1.5, 2.5))
    picture = make_comparison(row).plot()
    assert mark(picture, "threading/python")[:3] == pytest.approx((2.0, 1.5, 2.5))
    assert mark(picture, "serial/python")[:3] == pytest.approx((1.0, 1.0, 1.0))
    left, _ = sides(picture)
    assert left.get_xscale() == "linear"
    low, high = left.get_xlim()
    assert low < 1.0
    assert high > 2.5
    assert saved(picture).startswith(b"\x89PNG")


def test_the_words_of_the_table_stand_beside_it() -> None:
    rows = [
        make_row("threading", "python", HALF, BASE),
        make_row("threading", "held", [2 * wall for wall in BASE], BASE),
        make_row("native-epoll", None, BASE, BASE),
    ]
    picture = make_comparison(*rows).plot()
    left, _ = sides(picture)
    assert words(left) == ["1.00x  baseline", "2.00x  faster", "0.50x  slower", "1.00x  cannot tell"]
    assert [mark(picture, row.name)[3] for row in rows] == [
        LIGHT.verdicts[word] for word in ("faster", "slower", "cannot tell")
    ]
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["serial/python", "threading/python", "threading/held", "native-epoll"]
    heights = left.get_yticks()
    assert heights[3] - heights[2] > heights[2] - heights[1], "another family begins"


def test_factors_that_are_far_apart_stand_on_a_logarithmic_axis() -> None:
    fast = make_row("native-epoll", None, [wall / 40 for wall in BASE], BASE)
    left, _ = sides(make_comparison(fast).plot())
    assert left.get_xscale() == "log"
    assert [label.get_text() for label in left.get_xticklabels()] == ["1x", "2x", "5x", "10x", "20x"]
    assert "log scale" in left.get_title(loc="left")


def test_what_is_void_is_hollow_and_says_so() -> None:
    broken = make_row("threading", "python", HALF, BASE, judgements=(Judgement("one at a time", False, "too fast"),))
    picture = make_comparison(broken).plot()
    assert mark(picture, "threading/python")[3:] == (LIGHT.verdicts["void"], LIGHT.paper)
    assert words(sides(picture)[0])[1] == "2.00x  void"


def test_what_did_not_run_says_why_and_has_no_mark() -> None:
    rows = [
        make_row("threading", "python", error="killed by\nSIGKILL, and it cost $5 and $6"),
        make_row("asyncio", "released", reason="the loop waits inside the call " + "whether or not " * 10),
        make_row("native-epoll", None, BASE, BASE),
    ]
    picture = make_comparison(*rows).plot()
    left, right = sides(picture)
    assert words(left)[1:3] == ["error", "no sense"]
    error, reason = (word for word in words(right) if ":" in word)
    assert error == r"error: killed by SIGKILL, and it cost \$5 and \$6"
    assert reason.startswith("no sense: the loop waits")
    assert len(reason) == 60
    labels = [each.get_label() for each in left.containers]
    assert labels == ["serial/python", "native-epoll"]
    assert saved(picture)


def test_a_comparison_in_which_nothing_ran_is_drawn() -> None:
    failed = make_comparison(make_row("threading", "python", error="killed"), base=())
    picture = failed.plot()
    assert words(sides(picture)[0]) == ["baseline", "error"]
    assert saved(picture)


def test_the_parts_are_those_of_the_wall() -> None:
    """Of a run of 1 s start-up and shutdown take a quarter each; the rest is divided as its workers' second was."""
    row = make_row("threading", "python", [1.0] * 6, BASE, counters=PARTED)
    picture = make_comparison(row).plot()
    widths = [width for _, width, _ in bars(picture, 1.0)]
    assert widths == pytest.approx([0.25, *(part / 2 for part in (0.5, 0.1, 0.05, 0.3, 0.05)), 0.25])
    begins = [begin for begin, _, _ in bars(picture, 1.0)]
    assert begins == pytest.approx([sum(widths[:n]) for n in range(7)])
    assert [colour for _, _, colour in bars(picture, 1.0)] == [LIGHT.aside, *LIGHT.parts.values(), LIGHT.aside]
    assert words(sides(picture)[1])[-1] == "1,000.0 ms"


def test_parts_that_make_more_than_the_whole_still_end_where_it_does() -> None:
    """The counters begin a moment before the work."""
    row = make_row("serial", "held", [1.0] * 6, BASE, counters=make_counters(make_usage(0.51)))
    found = bars(make_comparison(row).plot(), 1.0)
    assert sum(width for _, width, _ in found) == pytest.approx(1.0)
    assert found[1][1] == pytest.approx(0.5)


def test_without_counters_nothing_is_known() -> None:
    picture = make_comparison(make_row("threading", "python", BASE, BASE)).plot()
    assert bars(picture, 1.0) == []
    assert "not known" in words(sides(picture)[1])


def test_of_work_too_short_for_its_counters_only_the_length_is_shown() -> None:
    row = make_row("threading", "python", [0.001] * 6, BASE, counters=PARTED)
    found = bars(make_comparison(row).plot(), 1.0)
    assert [colour for _, _, colour in found] == [LIGHT.aside, LIGHT.paper, LIGHT.aside]
    assert [width for _, width, _ in found] == pytest.approx([0.25, 0.5, 0.25])


def test_the_legend_says_what_marks_and_colours_mean() -> None:
    picture = make_comparison(make_row("native-epoll", None, BASE, BASE)).plot()
    told = [text.get_text() for text in picture.legends[0].get_texts()]
    assert told == ["python model", "native model", ASIDE, *PARTS.values()]


def test_the_title_says_what_was_compared_and_what_came_of_it() -> None:
    picture = make_comparison(make_row("threading", "python", HALF, BASE)).plot()
    assert [text.get_text() for text in picture.texts if text.get_text().strip()] == [
        "wait: 2 tasks, duration 50 ms",
        "6 rounds, Python 3.11.7, 2 processors\n"
        "threading/python is fastest: 2.00x (2.00-2.00) faster than serial/python.",
    ]


def grid() -> Comparison:
    rows = [make_row(model, body, BASE, BASE) for model in ("threading", "asyncio") for body in ("python", "held")]
    return make_comparison(*rows, make_row("native-epoll", None, BASE, BASE))


def test_rows_are_all_unless_some_are_named() -> None:
    def names(*models: str) -> list[str]:
        left, _ = sides(grid().plot(*models))
        return [label.get_text() for label in left.get_yticklabels()]

    assert names() == [row.name for row in grid()]
    assert names("native-epoll, threading/held") == ["native-epoll", "threading/held"]
    with pytest.raises(ValueError, match=r"^no row 'fibers': there are serial/python, threading/python, .*epoll$"):
        names("fibers")


def test_more_rows_make_it_higher_and_no_wider() -> None:
    few, many = make_comparison(), make_comparison(*(make_row("threading", "held", BASE, BASE) for _ in range(30)))
    assert few.plot().get_figwidth() == many.plot().get_figwidth()
    assert 6 < many.plot().get_figheight() - few.plot().get_figheight() < 9


def test_rows_of_a_sweep_are_told_apart() -> None:
    rows = [make_row("threading", "python", BASE, BASE, workers=workers) for workers in (1, 2)]
    left, _ = sides(make_comparison(*rows).plot())
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names[1:] == ["threading/python, 1 worker", "threading/python, 2 workers"]


def test_without_matplotlib_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (make_comparison().plot, make_comparison().timeline):
        with pytest.raises(ImportError, match=r'^this needs matplotlib: pip install "gil-lanes\[plot\]"$'):
            draw()


def test_a_real_one() -> None:
    found = lanes.compare(lanes.wait(tasks=4, duration="20ms"), models="serial,native-epoll", bodies="python", rounds=6)
    picture = found.plot()
    row: Row = found["native-epoll"]
    assert row.interval is not None
    assert mark(picture, "native-epoll")[:3] == pytest.approx((row.speedup, *row.interval))
    parts = bars(picture, 1 + 0.6)
    assert sum(width for _, width, _ in parts) == pytest.approx(1.0)
    work = [part for part in parts if part[2] != LIGHT.aside]  # beside which a busy machine may take longer
    assert max(work, key=lambda part: part[1])[2] == LIGHT.parts["blocked"], "it waits"
    assert saved(picture)
    assert row.runs[0].outcomes == (Outcome("ok"),) * 4
