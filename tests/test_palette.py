"""The colours: what contrast they have, and that nobody has to see all three primaries to tell them apart."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest

from lanes.report import sentences
from lanes.report.palette import DARK, LIGHT, PARTS, Palette, luminance
from support import BASE, make_row

PALETTES = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])

SEEN = {
    "with three cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado, Oliveira and Fernandes (2009), of linear RGB, at full severity."""


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def apart(one: str, other: str) -> float:
    """The CIE 1976 distance of two colours for those to whom they look most alike; about 2 can just be told apart."""
    return min(float(np.linalg.norm(lab(one, seen) - lab(other, seen))) for seen in SEEN.values())


def lab(colour: str, seen: object) -> np.ndarray:
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(seen) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = (np.cbrt(each) if each > 0.008856 else 7.787 * each + 16 / 116 for each in xyz / (0.9505, 1.0, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def lines(palette: Palette) -> dict[str, str]:
    """What must be seen by itself."""
    parts = {name: colour for name, colour in palette.parts.items() if name != "blocked"}
    return {"edge": palette.edge, "working": palette.working, "aside": palette.aside, **parts, **palette.families}


def test_luminance_is_that_of_wcag() -> None:
    assert [luminance(colour) for colour in ("#000000", "#FFFFFF")] == [0.0, pytest.approx(1.0)]
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)
    assert contrast("#FF0000", "#0000FF") == pytest.approx(2.15, abs=0.005)


@PALETTES
def test_text_stands_out_from_the_paper(palette: Palette) -> None:
    for name, colour in {"ink": palette.ink, "faint": palette.faint, **palette.verdicts}.items():
        assert contrast(colour, palette.paper) >= (7 if name == "ink" else 4.5), name


@PALETTES
def test_lines_and_solid_areas_stand_out_from_the_paper(palette: Palette) -> None:
    for name, colour in lines(palette).items():
        assert contrast(colour, palette.paper) >= 3, name
    assert luminance(palette.paper) > 0.5 or palette.dark


@PALETTES
def test_the_pale_parts_are_seen_and_the_solid_ones_in_them(palette: Palette) -> None:
    for pale in (palette.waiting, palette.parts["blocked"]):
        assert contrast(pale, palette.paper) >= 1.3
    assert contrast(palette.working, palette.waiting) >= 3
    assert contrast(palette.parts["user"], palette.parts["blocked"]) >= 3
    assert 1.1 < contrast(palette.rule, palette.paper) < contrast(palette.waiting, palette.paper)


@PALETTES
@pytest.mark.parametrize("group", ["parts", "families", "verdicts", "lane"])
def test_all_who_see_two_primaries_can_tell_them_apart(palette: Palette, group: str) -> None:
    words = {word: palette.verdicts[word] for word in ("faster", "slower", "cannot tell", "void")}
    groups = {
        "parts": {**palette.parts, "aside": palette.aside},
        "families": palette.families,
        "verdicts": words,
        "lane": {"working": palette.working, "waiting": palette.waiting, "paper": palette.paper},
    }
    for (one, colour), (other, another) in combinations(groups[group].items(), 2):
        assert apart(colour, another) >= 15, (one, other)


@PALETTES
def test_there_is_a_colour_for_all_there_is(palette: Palette) -> None:
    assert palette.parts.keys() == PARTS.keys()
    assert palette.families.keys() == {"python", "native"}
    rows = [
        make_row("serial", "python", BASE, BASE),
        make_row("threading", "python", BASE, BASE),
        make_row("threading", "python", [0.5] * 6, BASE),
        make_row("threading", "python", [5.0] * 6, BASE),
        make_row("threading", "python", [5.0]),
        make_row("threading", "python", error="killed"),
        make_row("threading", "python", reason="the same"),
    ]
    words = {sentences.word(row).plain for row in rows} | {"DIFFERS", "void"}
    assert words == palette.verdicts.keys()
    colours = [*lines(palette).values(), *palette.verdicts.values(), palette.paper, palette.ink, palette.rule]
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in colours)
