"""The picture of a sweep: what was measured with its intervals, the curves of the laws, the best number of workers."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

import lanes
from lanes.laws import Judgement
from lanes.report.palette import LIGHT
from lanes.stats import Interval
from lanes.sweep import Curve, Fit, Sweep
from support import BASE, make_comparison, make_row

AMDAHL, USL = Fit(1.0, 0.1, 0.0, 0.99), Fit(1.0, 0.1, 0.02, 0.99)
VOID = (Judgement("one at a time", False, "too fast"),)


def made(**changes: object) -> Sweep:
    """Threads on 1, 2 and 4 workers, 1, 1.6 and 2.5 times as fast as serial; and one that was killed."""
    rows = tuple(
        replace(
            make_row("threading", "python", [wall / times for wall in BASE], BASE, workers=workers),
            interval=Interval(times - 0.2, times + 0.3),
        )
        for workers, times in ((1, 1.0), (2, 1.6), (4, 2.5))
    )
    killed = make_row("native-fork", None, error="killed by SIGKILL")
    result = make_comparison(*rows, killed)
    serial = (result["serial"],)
    curves = (
        Curve("serial", "python", "python", serial, None, None, 1, None),
        Curve("threading", "python", "python", rows, AMDAHL, USL, 4, 0.001),
        Curve("native-fork", "native", None, (killed,), None, None, None, None),
    )
    changed = tuple(replace(curve, **changes) if curve.model == "threading" else curve for curve in curves)  # type: ignore[arg-type]
    return Sweep(result, (1, 2, 4), changed)


def panel(sweep: Sweep, name: str) -> Axes:
    return next(axes for axes in sweep.plot().axes if axes.get_title(loc="left") == name)


def lines(axes: Axes, label: str) -> list[tuple[float, float]]:
    (found,) = (line for line in axes.lines if line.get_label() == label)
    return [(float(x), float(y)) for x, y in np.asarray(found.get_xydata())]


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_each_speedup_stands_over_its_number_of_workers_within_its_interval() -> None:
    axes = panel(made(), "threading/python")
    found = []
    for each in axes.containers:
        assert isinstance(each, ErrorbarContainer)
        line, _, (bar,) = each.lines
        assert line is not None
        ((x, y),) = np.asarray(line.get_xydata())
        (_, low), (_, high) = bar.get_segments()[0]
        found.append((x, y, low, high))
    assert np.array(found) == pytest.approx(np.array([(1, 1, 0.8, 1.3), (2, 1.6, 1.4, 1.9), (4, 2.5, 2.3, 2.8)]))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "4 workers"]


def test_the_laws_are_drawn_as_they_were_fitted() -> None:
    axes = panel(made(), "threading/python")
    for name, law in (("Amdahl", AMDAHL), ("USL", USL)):
        curve = lines(axes, name)
        assert (curve[0][0], curve[-1][0]) == pytest.approx((1, 4))
        assert [y for _, y in curve] == pytest.approx([law.speedup(x) for x, _ in curve])
    told = [text.get_text() for text in made().plot().legends[0].get_texts()]
    assert told == ["measured, with its 95 % interval", "best", "Amdahl's law", "Universal Scalability Law"]


def test_a_law_that_was_not_fitted_is_not_drawn() -> None:
    sweep = made(usl=None)
    axes = panel(sweep, "threading/python")
    assert [line.get_label() for line in axes.lines if line.get_label() in ("Amdahl", "USL")] == ["Amdahl"]
    assert [text.get_text() for text in sweep.plot().legends[0].get_texts()][-1] == "Amdahl's law"
    assert words(axes) == ["best 4: 2.50x\ncontention 10%"]


def test_the_best_has_a_ring_and_the_peak_is_said() -> None:
    axes = panel(made(), "threading/python")
    assert np.array(lines(axes, "best")) == pytest.approx(np.array([(4, 2.5)]))
    assert words(axes) == ["best 4: 2.50x\npeak at 7, contention 10%"]
    assert words(panel(made(usl=replace(USL, coherence=0.0)), "threading/python")) == [
        "best 4: 2.50x\nno peak, contention 10%"
    ]


def test_what_is_void_is_hollow() -> None:
    rows = tuple(replace(row, judgements=VOID) for row in made()["threading"].rows)
    sweep = made(rows=rows, best=None)
    (first, *_) = panel(sweep, "threading/python").containers
    assert isinstance(first, ErrorbarContainer)
    assert first.lines[0] is not None
    assert to_hex(first.lines[0].get_markerfacecolor()).upper() == LIGHT.paper
    assert to_hex(first.lines[0].get_color()).upper() == LIGHT.verdicts["void"]
    assert "void" in [text.get_text() for text in sweep.plot().legends[0].get_texts()]


def test_what_did_not_run_says_why() -> None:
    axes = panel(made(), "native-fork")
    assert words(axes) == ["error: killed by SIGKILL"]
    assert len(axes.containers) == 0


def test_all_panels_have_the_same_scales_and_it_is_saved() -> None:
    picture = made().plot()
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in picture.axes}) == 1
    low, high = picture.axes[0].get_ylim()
    assert low < 0.8
    assert high > 2.8
    found = io.BytesIO()
    picture.savefig(found, format="png", dpi=50)
    assert found.getvalue().startswith(b"\x89PNG")


def test_serial_has_its_place_where_one_worker_was_not_asked_for() -> None:
    picture = replace(made(), workers=(2, 4)).plot()
    assert picture.axes[0].get_xlim()[0] < 1


def test_a_real_one() -> None:
    sweep = lanes.sweep(lanes.wait(tasks=4, duration="5ms"), workers="1,2,4", models="native-epoll", rounds=1)
    axes = panel(sweep, "native-epoll")
    assert [each.get_label() for each in axes.containers] == ["1", "2", "4"]
    assert words(axes)[0].startswith(f"best {sweep['native-epoll'].best}: ")
