"""Results as one page of HTML that needs nothing else: it opens offline, in any browser, on paper and on a phone.

Charts are drawn by Plotly, whose script stands in the page: 4.8 MB of it, 1.5 when the page is mailed or served
compressed. A page that loads it from elsewhere would be small, and show nothing where there is no network, nor in some
years. What the charts show stands in tables, too.

The page may do nothing but show itself: its policy (Content-Security-Policy) lets no script run but its own two, by
their hashes, and load nothing. Style has no hash, as Plotly makes some of its own. The same results make the same page.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources

import lanes
from lanes import machine
from lanes.comparison import Comparison
from lanes.report.page.charts import LAYOUT, variable
from lanes.report.page.sections import Page, section
from lanes.report.palette import DARK, LIGHT, Palette
from lanes.shown import Shown, needed
from lanes.sweep import Sweep

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath stroke='%234498d2' stroke-width='3' d='M1 3h9M4 8h11M1 13h6'/%3E%3C/svg%3E"
)

_NAMED = 4
"""So many results are named in the title of a page that has none."""

_READING = """<section id="reading" aria-labelledby="reading-title">
<h2 id="reading-title">How to read this page</h2>
{}</section>"""


def text(results: Sequence[Shown], title: str | None = None) -> str:
    """The page of one result or several. Raises ImportError without Plotly."""
    plotly = needed("plotly.offline", "html").get_plotlyjs()
    page = Page()
    sections = [section(result, page) for result in results]
    machines = _machines(results, page)
    explained = any(isinstance(result, Comparison | Sweep) for result in results)
    reading = _READING.format(_file("reading.html")) if explained else ""
    links = [*page.places, *([("reading", "how to read this page")] if explained else []), ("machine", "the machine")]
    names = list(dict.fromkeys(name for _, name in page.places))
    title = title or f"lanes: {'; '.join(names) if len(names) <= _NAMED else f'{len(names)} results'}"
    own = _file("page.js") + _file("timeline.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(plotly)}' '{_hash(own)}'; style-src 'unsafe-inline';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="{_ICON}">
<style>{_colours()}{_file("page.css")}</style>
</head>
<body>
<a class="skip" href="#result-1">Skip to the result</a>
<header>
<h1>{escape(title)}</h1>
{_contents(links)}
</header>
<main>
<noscript><p class="problems mild">Without JavaScript there are no charts; the tables say the same.</p></noscript>
{"".join(sections)}
{reading}
{machines}
</main>
<footer>Made by lanes {escape(lanes.__version__)}: one workload on every concurrency model, the same tasks, the
same answers, one clock. This page is complete in itself and loads nothing.</footer>
<script type="application/json" id="drawings">{_embedded(page)}</script>
<script>{plotly}</script>
<script>{own}</script>
</body>
</html>
"""


def _embedded(page: Page) -> str:
    """The drawings as JSON that nothing in it can end: no less-than sign, and ASCII alone."""
    drawings = {"layout": LAYOUT, "charts": page.charts}
    return json.dumps(drawings, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


@cache
def _file(name: str) -> str:
    return resources.files("lanes.report.page").joinpath(name).read_text(encoding="utf-8")


def _colours() -> str:
    light, dark = (" ".join(f"--{name}: {value};" for name, value in _variables(each)) for each in (LIGHT, DARK))
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root:not(.paper) {{ {dark} }} }}\n"


def _variables(palette: Palette) -> Iterator[tuple[str, str]]:
    for name in ("paper", "ink", "faint", "edge", "rule", "working", "waiting", "aside"):
        yield name, getattr(palette, name)
    yield from ((f"part-{name}", value) for name, value in palette.parts.items())
    yield from ((f"family-{name}", value) for name, value in palette.families.items())
    yield from ((variable(word), value) for word, value in palette.verdicts.items())


def _contents(places: Sequence[tuple[str, str]]) -> str:
    links = "".join(f'<li><a href="#{place}">{escape(name)}</a></li>' for place, name in places)
    return f'<nav aria-label="On this page"><ul>{links}</ul></nav>'


def _machines(results: Sequence[Shown], page: Page) -> str:
    """The facts of each machine, and of which results they are where there are several."""
    found: list[tuple[Mapping[str, object], list[str]]] = []
    for number, result in enumerate(results):
        facts = result.comparison.machine if isinstance(result, Sweep) else getattr(result, "machine", {})
        same = next((names for each, names in found if not machine.differences(each, facts)), None)
        name = page.places[number][1]
        if same is None:
            found.append((facts, [name]))
        else:
            same.append(name)
    lists = (
        (f"<h3>{escape(', '.join(names))}</h3>" if len(found) > 1 else "")
        + '<dl class="two">'
        + "".join(
            f"<div><dt>{escape(words)}</dt><dd>{escape(value)}</dd></div>" for words, value in machine.in_words(facts)
        )
        + "</dl>"
        for facts, names in found
    )
    title = '<h2 id="machine-title">The machine</h2>'
    return f'<section id="machine" aria-labelledby="machine-title">{title}{"".join(lists)}</section>'
