"""Results as GitHub's Markdown: tables whose cells stay cells, and the verdict below them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import lanes
from lanes.report import markdown
from lanes.stats import FEWEST
from results import NASTY, RESULTS, make_comparisons
from support import BASE, make_comparison, make_row

HALF = [wall / 2 for wall in BASE]


def test_a_comparison_is_a_table_and_its_verdict(tmp_path: Path) -> None:
    result = make_comparison(make_row("native-epoll", None, HALF, BASE))
    text = result.to_markdown(tmp_path / "result.md")
    assert text == (tmp_path / "result.md").read_text()
    assert text == (
        "**wait: 2 tasks, duration 50 ms**\n\n"
        f"{FEWEST} rounds, Python 3.11.7, 2 processors\n\n"
        "| model | body | workers | wall, ms | speed-up | 95 % | verdict |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |\n"
        "| serial | python | 1 | 1,100.0 | 1.00x | - | baseline |\n"
        "| **native-epoll** | | **4** | **550.0** | **2.00x** | **2.00-2.00** | ***faster*** |\n\n"
        "**native-epoll is fastest: 2.00x (2.00-2.00) faster than serial/python.**\n"
    )


@pytest.mark.parametrize("kind", RESULTS)
def test_every_row_has_as_many_cells_as_its_head_and_nothing_is_markup(kind: str) -> None:
    head = None
    for line in RESULTS[kind].to_markdown().split("```")[::2]:  # what is fenced is text
        for row in line.splitlines():
            cells = len(re.findall(r"(?<!\\)\|", row)) if row.startswith("|") else None
            assert cells is None or head is None or cells == head
            head = cells
        assert "<script" not in line
        assert "[bold]" not in line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a|b", r"a\|b"),
        ("a\nb  c", "a b c"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("~~gone~~ $x$ \x1b[2J", r"\~\~gone\~\~ \$x\$ \[2J"),
        ("snake_case _emphasis_ *bold*", r"snake_case \_emphasis\_ \*bold\*"),
        ("[x](javascript:y) `code` back\\slash", r"\[x\](javascript:y) \`code\` back\\slash"),
    ],
)
def test_text_stays_text(words: str, expected: str) -> None:
    assert markdown.escaped(words) == expected


def test_details_of_what_went_wrong_are_a_list_below_it() -> None:
    text = make_comparisons().to_markdown()
    assert "threading/held: 1 of 2 tasks differ from serial/python\n\n- task 1 http" in text
    assert "\n- task 4 (four): worker 2 of native-epoll, process 10 is in a state that is not known\n- beside" in text


def test_a_drawing_is_fenced_and_cannot_end_its_fence() -> None:
    anatomy = RESULTS["anatomy"]
    assert isinstance(anatomy, lanes.Anatomy)
    look = replace(anatomy.looks[2], error=f"```` {NASTY}")
    text = replace(anatomy, looks=(look,)).to_markdown()
    assert text.count("`````\n") == 2
    assert f"serial/python: ```` {NASTY}" in text


def test_several_results_stand_one_below_the_other() -> None:
    one = make_comparison()
    assert markdown.text([one, one]).count("**wait: 2 tasks") == 2
