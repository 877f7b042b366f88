"""A page is whole, needs nothing else, and shows what it was given as text and as nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lanes import cli
from lanes.comparison import Comparison
from lanes.report import html
from lanes.report.page import lanes
from lanes.shown import Shown
from lanes.types import Task
from results import NASTY, RESULTS, make_comparisons, make_load
from support import make_comparison, make_row

VOID = {"link", "meta"}
HOSTILE = "</script><script>boom()</script> <!-- ]]> <img src=x onerror=boom()> \"'><b>&amp;%{y}\u2028\u2029 $x$"


class Page(HTMLParser):
    """The elements of a page in their order, and its texts with what each stands in; refuses what does not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.comments = 0
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, (tag, self._open[-3:], self.getpos())

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def handle_comment(self, data: str) -> None:
        self.comments += 1

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]

    def inside(self, tag: str) -> list[str]:
        return [data for name, data in self.texts if name == tag]

    @property
    def shown(self) -> str:
        """All text that somebody can see, with single blanks."""
        return " ".join(" ".join(data for name, data in self.texts if name not in ("script", "style")).split())

    @property
    def drawings(self) -> dict[str, Any]:
        found = json.loads(self.inside("script")[0])
        assert isinstance(found, dict)
        return found


def page_of(*results: Shown, title: str | None = None) -> Page:
    return Page(html.text(results, title))


@pytest.fixture(scope="module")
def whole() -> tuple[str, Page]:
    """A page of one result of every kind."""
    text = html.text(list(RESULTS.values()), "all kinds")
    return text, Page(text)


@pytest.mark.parametrize("name", RESULTS)
def test_every_kind_of_result_makes_a_page(name: str) -> None:
    page = page_of(RESULTS[name])
    assert len([each for each in page.all("section") if each["id"].startswith("result-")]) == 1
    assert page.inside("h1") == page.inside("title")


def test_a_heading_sets_the_name_apart_from_its_parameters() -> None:
    assert page_of(RESULTS["function"]).inside("h2")[0] == "builtins:len"


def test_a_page_tells_its_language_title_and_landmarks(whole: tuple[str, Page]) -> None:
    text, page = whole
    assert text.startswith("<!doctype html>\n")
    assert page.all("html")[0]["lang"] == "en"
    assert page.inside("title") == page.inside("h1") == ["all kinds"]
    assert [len(page.all(tag)) for tag in ("main", "header", "footer", "h1")] == [1, 1, 1, 1]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")


def test_headings_go_down_one_level_at_a_time(whole: tuple[str, Page]) -> None:
    levels = [int(tag[1]) for tag, _ in whole[1].elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(level <= before + 1 for before, level in pairwise(levels))


def test_ids_stand_once_and_what_is_referred_to_is_there() -> None:
    page = page_of(*RESULTS.values(), *RESULTS.values())
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(set(ids)) == len(ids)
    named = [attrs.get(name) for _, attrs in page.elements for name in ("aria-labelledby", "aria-describedby", "for")]
    linked = [attrs["href"].removeprefix("#") for attrs in page.all("a")]
    assert {*filter(None, named), *linked} <= set(ids)


def test_tables_have_captions_and_heads_and_a_box_of_their_own(whole: tuple[str, Page]) -> None:
    page = whole[1]
    boxes = [attrs for attrs in page.all("div") if attrs.get("class") == "scroll"]
    assert len(page.all("table")) == len(page.all("caption")) > 10
    assert all(attrs["scope"] in ("col", "row") for attrs in page.all("th"))
    assert all(attrs["tabindex"] == "0" and attrs["role"] == "region" and attrs["aria-label"] for attrs in boxes)


def test_charts_say_what_they_show_and_each_is_drawn_once(whole: tuple[str, Page]) -> None:
    plots = [attrs for attrs in whole[1].all("div") if attrs.get("class") == "plot"]
    drawn = whole[1].drawings["charts"]
    assert [int(attrs["data-chart"]) for attrs in plots] == list(range(len(drawn)))
    assert all(attrs["aria-label"] for attrs in plots)


def test_nothing_is_loaded_and_only_its_own_scripts_may_run(whole: tuple[str, Page]) -> None:
    text, page = whole
    for _, attrs in page.elements:
        assert attrs.get("href", "#")[0] == "#" or attrs["href"].startswith("data:")
        assert "src" not in attrs
        assert not [name for name in attrs if name.startswith("on")]
    policy = dict(
        part.strip().split(" ", 1)
        for part in next(attrs["content"] for attrs in page.all("meta") if "http-equiv" in attrs).split(";")
    )
    scripts = page.inside("script")[1:]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in scripts]
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"].split() == hashes
    assert policy["img-src"] == "data:"
    styles = "".join(page.inside("style"))
    assert "url(" not in styles
    assert "@import" not in styles
    assert "http" not in text.replace(scripts[0], "").replace(_ICON_SPACE, "").replace("http-equiv", "").replace(
        "http://127.0.0.1:9/", ""
    ).replace("http://x/", "")


_ICON_SPACE = "http://www.w3.org/2000/svg"


def hostile() -> Comparison:
    """One that bears such words wherever somebody else's words may stand."""
    made = make_comparisons()
    tasks = [Task(n, HOSTILE) for n in range(2)]
    work = SimpleNamespace(name=HOSTILE, compiled=True, params={HOSTILE: HOSTILE}, tasks=tasks)
    rows = tuple(
        replace(
            row,
            model=row.model if row.is_baseline else HOSTILE,
            body=row.body if row.is_baseline else HOSTILE,
            error=row.error and HOSTILE,
            reason=row.reason and HOSTILE,
        )
        for row in made
    )
    return replace(made, workload=work, rows=rows, machine={**made.machine, "cpu": HOSTILE})


def test_hostile_words_are_words() -> None:
    page = page_of(hostile(), title=HOSTILE)
    assert page.inside("title") == [HOSTILE]
    assert page.comments == 0
    assert len(page.all("script")) == 3
    assert [page.all(tag) for tag in ("img", "b", "svg")] == [[], [], []]
    assert page.shown.count("<img src=x onerror=boom()>") > 20


def test_nothing_ends_the_drawings_before_their_end() -> None:
    text = html.text([hostile()])
    script = text.partition('id="drawings">')[2].partition("</script>")[0]
    assert not set("<\u2028\u2029") & set(script)
    assert HOSTILE in {text for chart in json.loads(script)["charts"] for text in chart.get("texts", ())}


def test_what_plotly_takes_for_markup_is_none_of_ours() -> None:
    """All that it shows is escaped, but for the tags that are put there around it."""
    drawings = page_of(hostile(), *RESULTS.values()).drawings
    found = [
        text
        for chart in drawings["charts"]
        for text in strings({name: each for name, each in chart.items() if name != "texts"})
        if "<" in text
    ]
    allowed = re.compile(r"</?b>|<br>|<span style=\"font-weight:400\">|</span>|<extra></extra>")
    names = {track["name"] for chart in drawings["charts"] for track in chart.get("tracks", ())}
    assert len(found) > 10
    assert all("<" not in allowed.sub("", text) for text in found if text not in names)


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


def test_verdict_problems_and_facts_are_told() -> None:
    shown = page_of(make_comparisons()).shown
    assert "native-epoll is fastest: 5.36x (" in shown
    assert "Broken law: split adds up" in shown
    assert "1 of 2 tasks differ from serial/python" in shown
    assert "asyncio/released makes no sense: because" in shown
    assert "for 1.5 s: Thread-1 of process 10 in work (mine.py:12)" in shown
    assert "processors usable 2" in shown
    assert NASTY in shown


def test_of_too_many_bars_the_first_are_drawn_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MOST", 5)
    page = page_of(
        make_comparison(make_row("threading", "python", [0.5] * 6, [1.0] * 6), make_row("asyncio", "python"))
    )
    assert "Of 4 tasks" not in page.shown
    monkeypatch.setattr(lanes, "MOST", 3)
    page = page_of(
        make_comparison(make_row("threading", "python", [0.5] * 6, [1.0] * 6), make_row("asyncio", "python"))
    )
    assert "Of 4 tasks the first 1 of each row are drawn." in page.shown


def test_results_of_one_machine_have_its_facts_once() -> None:
    one, other = make_comparison(), make_comparison()
    assert page_of(one, other).shown.count("processors usable") == 1
    elsewhere = replace(other, machine={**other.machine, "processors_usable": 64})
    page = page_of(one, elsewhere, make_load())
    assert page.shown.count("processors usable") == 2


def test_a_page_is_named_after_its_results() -> None:
    named = [replace(make_comparison(), label=name) for name in "abcde"]
    assert page_of(*named[:2]).inside("title") == ["lanes: a; b"]
    assert page_of(*named).inside("title") == ["lanes: 5 results"]
    assert page_of(named[0], title="mine").inside("title") == ["mine"]


def test_the_same_results_make_the_same_page() -> None:
    assert html.text([make_comparisons()]) == html.text([make_comparisons()])


def test_a_result_gives_its_page_and_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert make_comparison().to_html(path) == path.read_text(encoding="utf-8") == make_comparison().to_html()
    with pytest.raises(OSError, match="no directory"):
        make_comparison().to_html(tmp_path / "none" / "page.html")


def test_the_name_of_a_file_that_is_no_text_is_spelled(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    replace(make_comparison(), label="b\udcff.json").to_html(path)
    assert Page(path.read_text(encoding="utf-8")).inside("h1") == [r"lanes: b\udcff.json"]


def test_the_command_writes_the_page_of_a_file(tmp_path: Path) -> None:
    file, page = tmp_path / "result.json", tmp_path / "page.html"
    made = make_comparisons().to_json(file)
    assert cli.main(["report", str(file), "--html", str(page)]) == 0
    assert Page(page.read_text(encoding="utf-8")).inside("h1") == [f"lanes: {NASTY}"]
    assert file.read_text(encoding="utf-8") == made


def test_without_plotly_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*(name for name in sys.modules if name.startswith("plotly")), "plotly"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"this needs plotly: pip install \"gil-lanes\[html\]\""):
        make_comparison().to_html()


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(TypeError, match="Shown is no result of lanes"):
        html.text([Shown()])
