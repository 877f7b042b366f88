"""What a page says of each result: the verdict in a sentence, tables, and where its charts are to be drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from rich.text import Text

from lanes.anatomy import Anatomy
from lanes.claims import Trial, Trials
from lanes.comparison import Comparison
from lanes.load import Load
from lanes.report import anatomy, claims, load, sentences, sweep, table, timeline
from lanes.report.blocks import title
from lanes.report.markup import boxed
from lanes.report.markup import rows as worded
from lanes.report.markup import table as tabled
from lanes.report.page import charts, lanes, panels
from lanes.report.page.charts import Chart
from lanes.shown import Shown
from lanes.sweep import Sweep


@dataclass(slots=True)
class Page:
    """What is collected while the sections are made: the charts, and where each section is, by id, with its name."""

    charts: list[Chart] = field(default_factory=list)
    places: list[tuple[str, str]] = field(default_factory=list)

    def chart(self, chart: Chart, label: str) -> str:
        """Where a chart will be drawn. The label says what it shows, and which table says the same."""
        self.charts.append(chart)
        height = chart["layout"].get("height", 300)
        return (
            f'<div class="plot" role="img" aria-label="{escape(label)}" data-chart="{len(self.charts) - 1}"'
            f' style="height:{height}px"></div>'
        )


def section(result: Shown, page: Page) -> str:
    """The section of one result. Raises TypeError for what is none."""
    match result:
        case Comparison():
            name, parts = result.label or result.workload.name, _comparison(result, page)
        case Sweep():
            name, parts = f"{result.comparison.workload.name}, sweep", _sweep(result, page)
        case Load():
            name, parts = f"{result.workload.name}, load", _load(result, page)
        case Trials():
            name, parts = "claims", _claims(result, page)
        case Anatomy():
            name, parts = f"{result.workload.name}, anatomy", _anatomy(result)
        case _:
            raise TypeError(f"{type(result).__name__} is no result of lanes")
    place = f"result-{len(page.places) + 1}"
    page.places.append((place, name))
    first, *more = title(result) or ("claims put to the test",)
    head, colon, params = first.partition(": ")  # a name may have colons, as in module:function
    params = f'<span class="params">{colon}{escape(params)}</span>' if params else ""
    facts = "".join(f'<p class="facts">{escape(line)}</p>' for line in more)
    return f"""<section id="{place}" aria-labelledby="{place}-title">
<h2 id="{place}-title">{escape(head)}{params}</h2>{facts}
{"".join(parts)}
</section>
"""


# ---- what is said of a result


def _notes(notes: Iterable[Text]) -> str:
    """The notes that stand below a table in a terminal: verdicts first, then what went wrong, then what there is to
    know besides. A line that begins with blanks belongs to that before it."""
    verdicts: list[str] = []
    asides: list[str] = []
    wrong: list[tuple[str, list[str]]] = []
    mild = True
    for note in notes:
        style = str(note.style)
        if style in ("red", "yellow"):
            mild &= style == "yellow"
            if note.plain.startswith(" ") and wrong:
                wrong[-1][1].append(note.plain.strip())
            else:
                wrong.append((note.plain, []))
        elif style == "dim":
            asides.append(note.plain)
        else:
            verdicts.append(note.plain)
    paragraphs = [f'<p class="{_weight(n, words)}">{escape(words)}</p>' for n, words in enumerate(verdicts)]
    listed = f'<ul class="asides">{"".join(f"<li>{escape(words)}</li>" for words in asides)}</ul>' if asides else ""
    return "".join((*paragraphs, _problems(wrong, mild), listed))


def _weight(place: int, verdict: str) -> str:
    """How a verdict looks: the first stands out, and says by its colour whether something was found to be faster."""
    if place:
        return "also"
    return "verdict" if "is fastest" in verdict or "kept up" in verdict else "verdict open"


def _problems(wrong: Sequence[tuple[str, Sequence[str]]], mild: bool) -> str:
    if not wrong:
        return ""
    items = (
        f"<li>{escape(words)}{f'<pre>{escape(chr(10).join(more))}</pre>' if more else ''}</li>" for words, more in wrong
    )
    return f'<div class="problems{" mild" if mild else ""}"><h3>To be heeded</h3><ul>{"".join(items)}</ul></div>'


def _folded(summary: str, *contents: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{''.join(contents)}</details>"


def _figure(plot: str, caption: str, *more: str) -> str:
    return f"<figure>{''.join(more)}{plot}<figcaption>{escape(caption)}</figcaption></figure>"


# ---- a comparison


def _comparison(comparison: Comparison, page: Page) -> Iterator[str]:
    yield _notes(sentences.notes(comparison))
    yield "<h3>Speed-up</h3>"
    if any(row.speedup is not None for row in comparison):
        plot = page.chart(
            charts.speedups(comparison), "Speed-up of each row with its interval; the table below has the same."
        )
        yield _figure(
            plot,
            "A disc is a Python model, a diamond a native one; hollow is what is void. The line across each is the 95 %"
            " interval of the median over the rounds.",
        )
    yield tabled(table.speedups(comparison), "speed-up over serial/python, the median of its rounds")
    yield from _where(comparison, page)
    yield from _timeline(comparison, page)
    yield from _besides(comparison)


def _where(comparison: Comparison, page: Page) -> Iterator[str]:
    said = [(row.name, words) for row in comparison if (words := comparison.explanation(row))]
    if not any(row.split for row in comparison):
        return
    yield "<h3>Where the time went</h3>"
    plot = page.chart(
        charts.parts(comparison), "Where each row's wall time went; the table that can be unfolded below has the same."
    )
    yield _figure(
        plot,
        "Each bar is one run's wall time, of which the median is at its right; the part of the work is divided as its"
        " workers spent it.",
        charts.legend(charts.LEGEND),
    )
    yield _folded(
        "In words and as a table",
        worded(("model", "where its time went"), said, "in words"),
        tabled(table.splits(comparison), table.SPLIT),
    )


def _timeline(comparison: Comparison, page: Page) -> Iterator[str]:
    tracks = timeline.timeline(comparison)
    bars = [bar for track in tracks for lane in track.lanes for bar in lane.bars]
    if not bars:
        return
    number = len(page.charts)
    few = [track for track in tracks if track.row in timeline.chosen(comparison)]
    which = ""
    if len(few) < len(tracks):
        which = (
            f'<label class="unseen" for="rows-{number}">Rows shown</label><select id="rows-{number}">'
            f'<option value="usual">one of each model ({len(few)} rows)</option>'
            f'<option value="all">all {len(tracks)} rows</option></select>'
        )
    plot = page.chart(lanes.chart(comparison, tracks), "").replace(
        'role="img" aria-label=""',
        f'tabindex="0" role="application" aria-roledescription="timeline" aria-label="Lanes of the workers"'
        f' aria-describedby="keys-{number}"',
    )
    yield "<h3>Timeline</h3>"
    yield (
        '<p class="hint">One lane a worker, one bar a task, all rows on one time scale. A bar is as long as its task'
        " took, and its solid part as high as the share of that time for which it was on a processor: pale is"
        " waiting.</p>"
    )
    if len(bars) > lanes.MOST:
        each = lanes.drawn(tracks)
        yield f'<p class="hint">Of {len(bars):,} tasks the first {each:,} of each row are drawn.</p>'
    yield f"""<figure class="timeline">
<div class="tools">
<button type="button" value="in" aria-label="Zoom in">+</button>
<button type="button" value="out" aria-label="Zoom out">&minus;</button>
<button type="button" value="left" aria-label="Earlier">&larr;</button>
<button type="button" value="right" aria-label="Later">&rarr;</button>
<button type="button" value="reset">Whole</button>{which}
</div>
{
        charts.legend(
            (
                ("working", "working, on a processor"),
                ("waiting", "waiting"),
                ("aside", "taken, not begun"),
                ("rule", "the rest of the run"),
            )
        )
    }
{plot}<div class="outline" hidden></div><div class="tip" hidden></div>
<p class="unseen" role="status"></p>
<figcaption class="keys" id="keys-{number}">Drag to zoom, double-click for the whole. With the keyboard:
<kbd>&larr;</kbd> <kbd>&rarr;</kbd> move, <kbd>+</kbd> <kbd>&minus;</kbd> zoom, <kbd>0</kbd> whole; <kbd>Enter</kbd>
goes to a task, then the arrows to the next one and to other lanes, <kbd>Esc</kbd> back.</figcaption>
</figure>"""
    yield _folded("The lanes as a table", tabled(lanes.as_table(tracks), "lanes of the typical run of each row"))


def _besides(comparison: Comparison) -> Iterator[str]:
    measured = list(table.measured(comparison))
    if measured:
        yield "<h3>What the workload measured of itself</h3>"
        yield from (tabled(shown, heading) for heading, shown in measured)
        yield from (f'<p class="hint">{escape(remark)}</p>' for remark in table.remarks(comparison))
    if any(row.pulse for row in comparison):
        yield "<h3>The pulse beside the work</h3>"
        yield tabled(table.pulses(comparison), table.PULSE)
    if any(row.typical and row.typical.counters for row in comparison):
        yield _folded("Tasks in flight, context switches, memory, pickling", tabled(table.used(comparison), table.USED))


# ---- a sweep, a load


def _sweep(found: Sweep, page: Page) -> Iterator[str]:
    yield _notes(sweep.notes(found))
    yield "<h3>Speed-up by number of workers</h3>"
    yield charts.legend(
        (("working", "Gunther's law (USL)"), ("faint", "Amdahl's law")),
        {"working": "line", "faint": "line dotted"},
    )
    drawn = [
        (
            curve.name,
            page.chart(
                panels.curve(curve, found), f"Speed-up of {curve.name} by number of workers; the table has the same."
            ),
        )
        for curve in found.curves
        if any(row.speedup is not None for row in curve.rows)
    ]
    yield _panels(drawn)
    yield tabled(sweep.speedups(found), sweep.SPEEDUPS)
    yield tabled(sweep.fits(found), sweep.FITS)
    yield _folded(
        "Every number of workers as a row", tabled(table.speedups(found.comparison), "speed-up over serial/python")
    )
    yield from _timeline(found.comparison, page)


def _panels(drawn: Iterable[tuple[str, str]]) -> str:
    figures = (f"<figure><h4>{escape(name)}</h4>{plot}</figure>" for name, plot in drawn)
    return f'<div class="panels">{"".join(figures)}</div>'


def _load(found: Load, page: Page) -> Iterator[str]:
    ran = [row for row in found if row.reason is None]
    yield _notes(load.notes(found))
    yield "<h3>What became of the tasks</h3>"
    yield tabled(load.counts(ran), "tasks, the most that waited and that were at work at once, and memory")
    yield tabled(load.times(ran), load.TIMES)
    yield "<h3>Backlog beside service time</h3>"
    yield charts.legend(
        (
            ("waiting", "waiting in the queue"),
            ("part-queue", "waiting for room in it"),
            ("family-native", "service, the median"),
        ),
        {"family-native": "line"},
    )
    drawn = [
        (
            row.name,
            page.chart(
                panels.backlog(row, found),
                f"Backlog and service time of {row.name} over time; the table below has the same.",
            ),
        )
        for row in ran
        if row.series
    ]
    yield _panels(drawn)
    yield _folded(
        "As tables", *(tabled(panels.series_table(row), f"{row.name} over time") for row in ran if row.series)
    )


# ---- claims, an anatomy


def _claims(trials: Trials, page: Page) -> Iterator[str]:
    yield f'<p class="verdict open">{escape(claims.summary(trials).plain)}</p>'
    yield f'<p class="facts">{escape(claims.circumstances(trials))}</p>'
    yield charts.legend((("waiting", "where the rule wants the figure, with its 95 % interval, to lie"),))
    for trial in trials:
        yield _claim(trial, page)


def _claim(trial: Trial, page: Page) -> str:
    claim, word = trial.claim, claims.word(trial)
    place = f"{page.places[-1][0]}-{escape(claim.name)}"
    said = [f"<p>{escape(words)}</p>" for words in (trial.here, claims.why(trial)) if words]
    label = (
        f"The figures of claim {claim.number} and where its rule wants them; the table of its evidence has the same."
    )
    drawn = [f"<figure>{page.chart(chart, label)}</figure>" for chart in panels.evidence(trial)]
    rule = "".join(f"<li>{escape(line.strip())}</li>" for line in claim.rule)
    measured = "".join(f"<li>{escape(words)}</li>" for words in trial.measured)
    turns = escape(" and ".join(claim.hinges))
    evidence = (
        f"<p>{escape(claim.note)}</p>" if claim.note else "",
        tabled(claims.figures(trial), "figures") if trial.figures else "",
        f'<p>The rule:</p><ul class="rule">{rule}</ul>',
        f'<p>Measured:</p><ul class="rule">{measured}</ul>' if measured else "",
        f'<p class="hint">Elsewhere the verdict may turn on {turns}.</p>' if turns else "",
    )
    return (
        f'<article class="claim" id="{place}"><h3>{claim.number}. {escape(claim.sentence)}'
        f'<span class="badge {escape(str(word.style))}">{escape(word.plain)}</span></h3>{"".join((*said, *drawn))}'
        f"{_folded('The evidence', *evidence)}</article>"
    )


def _anatomy(found: Anatomy) -> Iterator[str]:
    for words in anatomy.problems(found):
        yield _problems([(words, [])], mild=False)
    for name, tree in anatomy.trees(found):
        yield f"<h3>{escape(name)}</h3>{boxed(f'<pre class=tree>{escape(tree)}</pre>', name)}"
