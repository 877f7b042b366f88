"""Pages in a real browser: they need no network, show a span where one points, zoom, and run nobody else's scripts."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lanes.report import html
from lanes.report.palette import DARK, LIGHT, luminance
from lanes.shown import Shown
from processes import holdings, left_since
from results import RESULTS, make_comparisons
from support import BASE, make_comparison, make_row
from test_html import HOSTILE, hostile

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright comes with lanes' extra test")

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def browser_path() -> str | None:
    """A Chromium or Chrome of this machine; one in a snap has no way to the files of a test."""
    for name in ("chromium", "google-chrome", "google-chrome-stable", "chrome"):
        path = shutil.which(name)
        if path and "snap" not in Path(os.path.realpath(path)).parts:
            return path
    return None


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One for all tests here, of which nothing is left at the end."""
    before = holdings()
    with playwright.sync_playwright() as found:
        path = browser_path()
        if path is None and not Path(found.chromium.executable_path).exists():
            pytest.skip(
                "no Chromium or Chrome: .ci/setup test gets one on Debian, playwright install chromium elsewhere"
            )
        # Chromium's sandbox refuses root, and is not there in many containers.
        running = found.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()
    assert not left_since(before)


class Visit:
    """A page in the browser, and all that it should not do: requests, words on the console, errors."""

    def __init__(self, browser: Any, path: Path, early: str = "", **context: Any) -> None:
        self.heard: list[str] = []
        self.context = browser.new_context(offline=True, **{"viewport": WIDE, **context})
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.heard.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))
        self.page.on("dialog", self._dismiss)
        self.page.on("request", lambda request: self.heard.extend({request.url} - {path.as_uri()}))
        self.page.add_init_script(f"window.boom = () => console.log('boom'); {early}")
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-drawn]")

    def _dismiss(self, dialog: Any) -> None:
        self.heard.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def js(self, expression: str, argument: object = None) -> Any:
        return self.page.evaluate(expression, argument)

    def close(self) -> None:
        self.context.close()
        assert self.heard == []

    # ---- of the first timeline

    @property
    def plot(self) -> Any:
        return self.page.locator(".timeline .plot").first

    @property
    def tip(self) -> Any:
        return self.page.locator(".tip").first

    @property
    def told(self) -> str:
        return str(self.page.locator(".timeline [role=status]").first.text_content())

    @property
    def range(self) -> list[float]:
        """What of the time is in sight, in ms."""
        found = self.js("document.querySelector('.timeline .plot')._fullLayout.xaxis.range")
        return [float(bound) for bound in found]

    def comes_to(self, expected: list[float]) -> None:
        """Wait until that part of the time is in sight: each step is drawn in its turn."""
        self.page.wait_for_function(
            """([low, high]) => {
                const [from, to] = document.querySelector('.timeline .plot')._fullLayout.xaxis.range;
                return Math.abs(from - low) + Math.abs(to - high) < 0.02 * (high - low);
            }""",
            arg=expected,
        )

    def at(self, lane: int, share: float) -> tuple[float, float]:
        """The place in the window of what lies there: so many lanes down, and so far into what is in sight."""
        self.plot.scroll_into_view_if_needed()
        x, y = self.js(
            """([lane, share]) => {
                const plot = document.querySelector('.timeline .plot');
                const { xaxis, yaxis } = plot._fullLayout;
                const box = plot.getBoundingClientRect();
                const at = yaxis.d2p(yaxis.tickvals[lane]);
                return [box.left + xaxis._offset + share * xaxis._length, box.top + yaxis._offset + at];
            }""",
            [lane, share],
        )
        return x, y

    def swipe(self, x: float, y: float, right: float, down: float) -> None:
        """With a finger, in steps."""
        session = self.context.new_cdp_session(self.page)
        for step in range(11):
            point = {"x": x + right * step / 10, "y": y + down * step / 10}
            kind = "touchMove" if step else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
            self.page.wait_for_timeout(20)
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Makes a page of results and opens it; at the end nothing may have been heard of it that it should not do."""
    made: list[Visit] = []

    def open_page(*results: Shown, title: str | None = None, **context: Any) -> Visit:
        path = tmp_path / "page.html"
        path.write_text(html.text(results, title), encoding="utf-8")
        made.append(Visit(browser, path, **context))
        return made[-1]

    yield open_page
    for each in made:
        each.close()


def compared() -> Shown:
    """Rows of two tasks, on a lane each: the runs last 1.1 s, 0.55 s and 0.275 s."""
    return make_comparison(
        make_row("threading", "python", [wall / 2 for wall in BASE], BASE),
        make_row("native-pthreads", None, [wall / 4 for wall in BASE], BASE),
    )


@pytest.fixture(scope="module")
def stays(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """A page that several tests look at."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(compared().to_html(), encoding="utf-8")
    opened = Visit(browser, path)
    yield opened
    opened.close()


@pytest.fixture
def opened(stays: Visit) -> Visit:
    """That page as it is when it has just been opened."""
    stays.page.set_viewport_size(WIDE)
    stays.page.emulate_media(color_scheme="light")
    stays.page.mouse.move(0, 0)
    stays.plot.press("Escape")
    stays.plot.press("0")
    # Where the focus is next begins at the top.
    stays.js("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    return stays


@pytest.fixture(
    scope="module", params=[{}, {"viewport": PHONE, "is_mobile": True, "has_touch": True}], ids=["wide", "phone"]
)
def every(request: pytest.FixtureRequest, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """A page of one result of every kind, in a wide window and on a phone."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(html.text(list(RESULTS.values())), encoding="utf-8")
    opened = Visit(browser, path, **request.param)
    yield opened
    opened.close()


def test_every_kind_of_result_opens_without_network_and_complaint(every: Visit) -> None:
    drawn = every.js("[...document.querySelectorAll('.plot')].map((plot) => plot.querySelectorAll('.main-svg').length)")
    assert len(drawn) > 10
    assert all(drawn)
    assert every.page.locator("h2").count() == len(RESULTS) + 2
    assert every.heard == []


EARLY = """new MutationObserver((_, observer) => {
    if (!document.querySelector(".main-svg")) return;
    observer.disconnect();
    const plot = document.querySelector(".timeline .plot");
    window.early = plot.querySelector(".main-svg") === null;
    for (const kind of ["pointerdown", "pointermove", "pointerleave"]) plot.dispatchEvent(new PointerEvent(kind));
    plot.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
}).observe(document, { childList: true, subtree: true });"""
"""As soon as the first chart is drawn."""


def test_who_points_at_lanes_that_are_not_drawn_yet_does_no_harm(visit: Any) -> None:
    opened = visit(compared(), early=EARLY)
    assert opened.js("early")
    opened.page.mouse.move(*opened.at(1, 0.2))
    assert opened.tip.is_visible()


def test_nothing_is_wider_than_the_page(every: Visit) -> None:
    width = every.js("innerWidth")
    assert every.js("document.documentElement.scrollWidth") <= width
    wide = every.js(
        """() => [...document.querySelectorAll("body *")].filter((each) =>
            !each.closest(".scroll, .unseen, .skip, svg") && each.getBoundingClientRect().right > innerWidth + 1
        ).map((each) => each.outerHTML.slice(0, 100))"""
    )
    assert wide == []


def test_the_policy_refuses_what_comes_from_elsewhere(opened: Visit) -> None:
    opened.js("new Image().src = 'https://example.org/x.png'")
    opened.js("document.body.append(Object.assign(document.createElement('script'), { textContent: 'boom()' }))")
    opened.js("fetch('https://example.org/').catch(() => {})")
    heard = "\n".join(opened.heard)
    opened.heard.clear()
    assert all(f"'{name}" in heard or f'"{name}' in heard for name in ("img-src", "script-src", "default-src")), heard
    assert "boom" not in heard


def test_pointing_at_a_bar_shows_its_task_worker_ids_and_times(opened: Visit) -> None:
    opened.page.mouse.move(*opened.at(1, 0.2))
    told = opened.tip.inner_text().split("\n")
    pid = os.getpid()
    # Of 0.55 s a quarter goes to start-up and as much to shutdown; then two tasks of as much.
    assert told == [
        "threading/python, thread 0",
        "task 0",
        "137.5 ms, from 137.5 ms to 275 ms",
        "on a processor for 68.75 ms, 50 % of it; taken at 137.5 ms",
        f"process {pid}, thread {pid}, processor 0",
    ]
    opened.page.mouse.move(*opened.at(1, 0.3))
    assert "task 1" in opened.tip.inner_text()
    opened.page.mouse.move(*opened.at(1, 0.9))
    assert not opened.tip.is_visible()


def test_dragging_zooms_and_a_double_click_shows_the_whole(opened: Visit) -> None:
    whole = opened.range
    (left, y), (right, _) = opened.at(1, 0.25), opened.at(1, 0.5)
    opened.page.mouse.move(left, y)
    opened.page.mouse.down()
    opened.page.mouse.move(right, y, steps=5)
    opened.page.mouse.up()
    opened.comes_to([whole[1] * 0.25, whole[1] * 0.5])
    opened.page.mouse.dblclick(*opened.at(1, 0.5))
    opened.comes_to(whole)


def test_buttons_zoom_move_and_show_the_whole(opened: Visit) -> None:
    whole = opened.range
    end = whole[1]
    for name, expected in (
        ("Zoom in", [end / 4, 3 * end / 4]),
        ("Later", [3 * end / 8, 7 * end / 8]),
        ("Earlier", [end / 4, 3 * end / 4]),
        ("Zoom out", whole),
        ("Zoom out", whole),
        ("Earlier", whole),
        ("Zoom in", [end / 4, 3 * end / 4]),
        ("Whole", whole),
    ):
        opened.page.get_by_role("button", name=name).click()
        opened.comes_to(expected)


def test_the_keyboard_comes_to_everything(opened: Visit) -> None:
    """Link, tables, buttons, timeline, in the order of the page; each shows that it has the focus."""
    seen = []
    for _ in range(40):
        opened.page.keyboard.press("Tab")
        element, outline = opened.js(
            """() => {
                const at = document.activeElement;
                const name = at.getAttribute("aria-label") || at.textContent.slice(0, 30);
                return [`${at.tagName} ${name}`, getComputedStyle(at).outlineStyle];
            }"""
        )
        seen.append(element)
        assert element.startswith("BODY") or outline == "solid", element
        if element.startswith("BODY"):
            break
    order = ["A Skip", "A wait", "DIV speed-up", "BUTTON Zoom in", "BUTTON Whole", "DIV Lanes", "SUMMARY The lanes"]
    places = [next(n for n, name in enumerate(seen) if name.startswith(words)) for words in order]
    assert places == sorted(places)
    assert seen[-1].startswith("BODY")


def test_keys_zoom_move_and_show_the_whole(opened: Visit) -> None:
    whole = opened.range
    end = whole[1]
    opened.plot.focus()
    for key, expected in (
        ("+", [end / 4, 3 * end / 4]),
        ("ArrowRight", [3 * end / 8, 7 * end / 8]),
        ("ArrowLeft", [end / 4, 3 * end / 4]),
        ("-", [0, end]),
        ("+", [end / 4, 3 * end / 4]),
        ("0", whole),
    ):
        opened.page.keyboard.press(key)
        opened.comes_to(expected)


def test_keys_go_from_span_to_span_and_what_is_shown_is_told(opened: Visit) -> None:
    opened.plot.focus()
    for key, words in (
        ("Enter", ("serial/python, caller", "task 0")),
        ("ArrowRight", ("serial/python, caller", "task 1")),
        ("ArrowRight", ("serial/python, caller", "task 1")),
        ("ArrowDown", ("threading/python, thread 0", "task 1")),
        ("ArrowLeft", ("threading/python, thread 0", "task 0")),
        ("ArrowUp", ("serial/python, caller", "task 0")),
    ):
        opened.page.keyboard.press(key)
        assert all(each in opened.told for each in words), (key, opened.told)
        assert opened.told == "; ".join(opened.tip.inner_text().split("\n"))
    opened.page.keyboard.press("Escape")
    assert opened.told == ""
    assert not opened.tip.is_visible()


def test_a_chosen_span_out_of_sight_comes_into_sight(opened: Visit) -> None:
    opened.plot.focus()
    for key in ("Enter", "+", "+", "+", "ArrowRight"):
        opened.page.keyboard.press(key)
    opened.comes_to([687.5 - 69, 687.5 + 69])  # around the middle of the last task of serial
    opened.page.wait_for_selector(".tip:not([hidden])")


def test_all_rows_are_drawn_when_asked_for(every: Visit) -> None:
    drawn = "document.querySelector('.timeline .plot').layout.annotations.length"
    rows = len(make_comparisons())
    assert every.js(drawn) < rows
    every.page.get_by_label("Rows shown").first.select_option("all")
    every.page.wait_for_function(f"{drawn} === {rows}")


def colours(opened: Visit) -> dict[str, str]:
    """Of the paper, its ink, the solid bars of a timeline and the words of its axis."""
    found = opened.js(
        """() => {
            const style = (selector) => getComputedStyle(document.querySelector(selector));
            return {
                paper: style("html").backgroundColor,
                ink: style("body").color,
                bars: getComputedStyle([...document.querySelectorAll(".timeline .plot .js-fill")].at(-1)).fill,
                words: style(".timeline .plot .xtick text").fill,
            };
        }"""
    )
    return {name: as_hex(value) for name, value in found.items()}


def redrawn(opened: Visit, colour: str) -> None:
    """Wait until the bars of the timeline have it."""
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    opened.page.wait_for_function(
        """(fill) => {
            const bars = [...document.querySelectorAll(".timeline .plot .js-fill")];
            return getComputedStyle(bars.at(-1)).fill === fill;
        }""",
        arg=f"rgb({red}, {green}, {blue})",
    )


def as_hex(colour: str) -> str:
    return "#" + "".join(f"{int(part):02X}" for part in re.findall(r"\d+", colour)[:3])


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_in_the_dark_all_is_dark_at_once_and_can_be_told_apart(opened: Visit) -> None:
    light = colours(opened)
    assert light == {"paper": LIGHT.paper, "ink": LIGHT.ink, "bars": LIGHT.working, "words": LIGHT.faint}
    opened.page.emulate_media(color_scheme="dark")
    redrawn(opened, DARK.working)
    dark = colours(opened)
    assert dark == {"paper": DARK.paper, "ink": DARK.ink, "bars": DARK.working, "words": DARK.faint}
    for found in (light, dark):
        assert contrast(found["paper"], found["ink"]) >= 7
        assert contrast(found["paper"], found["words"]) >= 4.5
        assert contrast(found["paper"], found["bars"]) >= 3


def test_charts_are_as_wide_as_the_window_lets_them(opened: Visit) -> None:
    for width in (1000, 390, 700):
        opened.page.set_viewport_size({"width": width, "height": 844})
        opened.page.wait_for_function(
            """() => [...document.querySelectorAll(".plot")].every((plot) =>
                Math.abs(plot.querySelector(".main-svg").getBoundingClientRect().width - plot.clientWidth) < 2)"""
        )
        assert opened.js("document.documentElement.scrollWidth") <= width


def test_a_finger_shows_a_span_scrolls_past_and_moves_the_lanes(visit: Any) -> None:
    opened = visit(compared(), viewport=PHONE, is_mobile=True, has_touch=True)
    opened.page.touchscreen.tap(*opened.at(1, 0.2))
    assert "threading/python" in opened.tip.inner_text()
    end = opened.range[1]
    opened.page.get_by_role("button", name="Zoom in").click()
    opened.comes_to([end / 4, 3 * end / 4])
    x, y = opened.at(1, 0.7)
    opened.swipe(x, y, -100, 0)
    opened.page.wait_for_function(f"[...page.timelines.values()][0].range[0] > {0.3 * end}")
    before, shown = opened.js("scrollY"), opened.range
    opened.swipe(x, y, 0, 200)
    opened.page.wait_for_function(f"scrollY < {before} - 100")
    assert opened.range == shown


def test_hostile_words_run_nothing_and_are_read_as_they_are(visit: Any) -> None:
    opened = visit(hostile(), title=HOSTILE)
    assert (
        opened.page.title() == HOSTILE.replace("\u2028", " ").replace("\u2029", " ") or HOSTILE in opened.page.title()
    )
    assert opened.js("document.querySelectorAll('img, iframe, svg a').length") == 0
    assert opened.js("document.querySelectorAll('script').length") == 3
    opened.plot.focus()
    opened.page.keyboard.press("Enter")
    assert "<img src=x onerror=boom()>" in opened.told
    drawn = opened.js("[...document.querySelectorAll('.plot .ytick text')].map((text) => text.textContent)")
    assert any("<script>boom()</script>" in words and "&amp;" in words for words in drawn), drawn


def test_on_paper_it_is_light_and_unfolded(opened: Visit) -> None:
    opened.page.emulate_media(color_scheme="dark")
    redrawn(opened, DARK.working)
    opened.js("dispatchEvent(new Event('beforeprint'))")
    redrawn(opened, LIGHT.working)
    assert colours(opened)["paper"] == LIGHT.paper
    assert opened.js("document.querySelectorAll('details:not([open])').length") == 0
    opened.js("dispatchEvent(new Event('afterprint'))")
    redrawn(opened, DARK.working)
    assert opened.js("document.querySelectorAll('details[open]').length") == 0
