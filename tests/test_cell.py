"""What a notebook's cell shows: the tables and words of a terminal, as HTML that is safe, to be read on any paper."""

from __future__ import annotations

import re

import pytest

from lanes.report import cell, sentences
from lanes.report.palette import DARK, LIGHT, luminance
from lanes.shown import Shown
from results import NASTY, RESULTS, make_comparisons
from test_html import Page


@pytest.mark.parametrize("kind", RESULTS)
def test_every_result_is_well_formed_and_all_text_escaped(kind: str) -> None:
    html = RESULTS[kind]._repr_html_()
    known = {"div", "style", "p", "span", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary"}
    assert {tag for tag, _ in Page(html).elements} <= known | {"pre"}, "no script, no link, nothing that loads anything"
    assert "url(" not in html
    assert "@import" not in html


def test_it_says_what_the_terminal_says() -> None:
    result = make_comparisons()
    seen = Page(result._repr_html_()).shown
    for note in sentences.notes(result):
        assert " ".join(note.plain.split()) in seen
    assert "wait: 2 tasks, duration 50 ms" in seen
    assert NASTY in seen, "as text"


def test_verdicts_have_their_colours_and_the_winner_is_bold() -> None:
    html = make_comparisons()._repr_html_()
    assert re.search(r'<tr class="bold"><th scope="row">native-epoll</th>', html)
    assert '<span class="green">faster</span>' in html
    assert '<span class="yellow">slower</span>' in html
    assert '<span class="bold red">void</span>' in html


@pytest.mark.parametrize("kind", ["sweep", "load", "trials", "anatomy"])
def test_every_kind_has_its_words(kind: str) -> None:
    words = {
        "sweep": "speed-up over serial/python, by number of workers",
        "load": "waiting, from due to started",
        "trials": "measured here",
        "anatomy": "3 of 48 tasks in flight",
    }
    result: Shown = RESULTS[kind]
    assert words[kind] in Page(result._repr_html_()).shown


def mixed(colour: str, ink: str) -> str:
    """What a browser makes of it."""
    parts = ((int(ink[n : n + 2], 16), int(colour[n : n + 2], 16)) for n in (1, 3, 5))
    return "#" + "".join(f"{round(cell.INK * one + (1 - cell.INK) * other):02X}" for one, other in parts)


@pytest.mark.parametrize("style", cell.COLOURS)
@pytest.mark.parametrize(("paper", "ink"), [("#FFFFFF", "#1F2328"), ("#111111", "#E6EDF3"), ("#1E1E1E", "#CCCCCC")])
def test_colours_can_be_read_on_light_and_on_dark_paper(style: str, paper: str, ink: str) -> None:
    colour = mixed(cell.between(*cell.COLOURS[style]), ink)
    lighter, darker = sorted((luminance(colour), luminance(paper)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_colours_are_those_of_the_palette() -> None:
    assert cell.COLOURS["green"] == (LIGHT.verdicts["faster"], DARK.verdicts["faster"])
    assert cell.between("#000000", "#FF8010") == "#7F4008"


def test_its_rules_outweigh_those_of_jupyter() -> None:
    """`:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon td` sets all tables to the right."""
    style = RESULTS["comparison"]._repr_html_().partition("<style>")[2].partition("</style>")[0]
    selectors = [each for rule in style.split("}")[:-1] for each in rule.partition("{")[0].split(",")]
    assert any(selector.endswith(" td") for selector in selectors)
    assert [selector for selector in selectors if selector.count(".") < 2] == []


def test_a_notebook_gets_both_the_cell_and_the_text() -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    shown, _ = formatters.DisplayFormatter().format(RESULTS["sweep"])
    assert shown["text/html"] == RESULTS["sweep"]._repr_html_()
    assert shown["text/plain"] == str(RESULTS["sweep"])
