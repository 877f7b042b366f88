"""What all pictures share: they show themselves, stand on the right paper, and name their axes."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.colors import to_hex

from lanes.report.palette import DARK, LIGHT
from lanes.report.picture import Picture, palette, shortened, tell


def test_it_is_a_picture_in_a_notebook_without_pyplot() -> None:
    picture = Picture(4, 2)
    picture.subplots().plot([1, 2])
    shown, about = DisplayFormatter().format(picture)  # type: ignore[no-untyped-call]
    assert about["image/png"] == {"width": 384, "height": 192}
    header = shown["image/png"][:24]
    assert header.startswith(b"\x89PNG")
    assert struct.unpack(">II", header[16:24]) == (768, 384), "twice as fine as it is shown"


def test_pictures_load_no_pyplot_and_open_nothing() -> None:
    code = "import sys, lanes.report.plot_timeline as p; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("face", "expected"),
    [("white", LIGHT), ("#fafafa", LIGHT), ("none", LIGHT), ("0.75", LIGHT), ("black", DARK), ("#0d1117", DARK)],
)
def test_the_paper_follows_the_style(face: str, expected: object) -> None:
    with matplotlib.rc_context({"figure.facecolor": face}):
        assert palette() is expected
        assert to_hex(Picture(1, 1).get_facecolor()).upper() == palette().paper


def test_a_title_takes_the_room_it_needs() -> None:
    def top(title: str) -> float:
        picture = Picture(6, 3)
        axes = picture.subplots()
        picture.entitle(title)
        picture.canvas.draw_idle()
        picture.draw_without_rendering()
        return float(axes.get_position().y1)

    assert top("one") > top("one\ntwo") > top("one\ntwo\nthree")


def test_a_title_has_no_formulas() -> None:
    picture = Picture(6, 3)
    picture.entitle("f: 2 tasks\ntest_it[$\\frac$]\n$5 or $6")
    picture.draw_without_rendering()
    assert [text.get_text() for text in picture.texts[1:]] == ["f: 2 tasks", "test_it[$\\frac$]\n$5 or $6"]
    assert not any(text.get_parse_math() for text in picture.texts[1:])


def test_only_the_places_told_have_names() -> None:
    axes = Picture(3, 2).subplots()
    axes.set_xscale("log")
    axes.set_xlim(1, 8)
    tell(axes, "x", [1, 2, 8], ["one", "two", "eight"])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one", "two", "eight"]
    assert len(axes.get_xticks(minor=True)) == 0


def test_what_others_have_worded_is_one_line_without_formulas() -> None:
    assert shortened("killed\n  by SIGKILL", 60) == "killed by SIGKILL"
    assert shortened("word " * 20, 10) == "word word…"
    picture = Picture(3, 1)
    picture.text(0, 0, shortened(r"of $5 and $\frac", 60))
    picture.draw_without_rendering()


def test_what_no_picture_can_hold_is_left_out_or_spelled() -> None:
    nasty = "half \ud800 of\x00 a\x1b[31m pair"
    assert shortened(nasty, 60) == r"half \ud800 of a[31m pair"
    picture = Picture(4, 2)
    picture.entitle(f"{nasty}\n{nasty}")
    found = io.BytesIO()
    picture.savefig(found, format="svg")
    ElementTree.fromstring(found.getvalue())


def test_a_picture_can_be_copied() -> None:
    """As every figure of matplotlib, by whoever keeps results."""
    picture = Picture(3, 2)
    tell(picture.subplots(), "x", [0.2, 0.8], ["low", "high"])
    again = pickle.loads(pickle.dumps(picture))
    again.draw_without_rendering()
    assert [label.get_text() for label in again.axes[0].get_xticklabels()] == ["low", "high"]
