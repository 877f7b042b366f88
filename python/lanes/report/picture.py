"""What all pictures share: a figure that shows itself in a notebook, its paper and ink, its title and its axes.

Figures are made by hand, without pyplot: nothing is kept that somebody would have to close, no window opens, and none
of the user's own figures is touched. They go on light paper, or on dark where matplotlib's style is dark
(`matplotlib.style.use("dark_background")`).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from lanes.report.palette import DARK, LIGHT, Palette, luminance
from lanes.report.wording import writable
from lanes.shown import CONTROLS

SMALL, USUAL, LARGE = 7.5, 9.0, 11.0
"""Sizes of letters, in points."""

_SHARP = 2
"""Pixels of a notebook's picture for each of its page's, so that it is sharp on all screens."""


class Picture(Figure):
    """A figure that is its own picture where it is the last line of a notebook's cell.

    A plain one is so only once pyplot has been imported, and lanes does not import it. It is saved by `savefig(path)`,
    as any figure of matplotlib.
    """

    def __init__(self, width: float, height: float) -> None:
        """Of so many inches."""
        self.palette = palette()
        super().__init__(figsize=(width, height), layout="constrained", facecolor=self.palette.paper)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        found = io.BytesIO()
        self.savefig(found, format="png", dpi=96 * _SHARP)
        width, height = self.get_size_inches()
        return found.getvalue(), {"width": round(96 * width), "height": round(96 * height)}

    def entitle(self, title: str) -> None:
        """The first line in bold, the others faint; a dollar begins no formula."""
        first, _, rest = _drawable(title).partition("\n")
        inch = 1 / self.get_size_inches()[1]
        self.suptitle("\n" * len(title.splitlines()), x=0.01, ha="left", size=USUAL)  # which the layout makes room for
        ink, faint = self.palette.ink, self.palette.faint
        self.text(0.01, 1 - 0.08 * inch, first, size=LARGE, weight="bold", color=ink, va="top", parse_math=False)
        self.text(0.01, 1 - 0.30 * inch, rest, size=USUAL, linespacing=1.3, color=faint, va="top", parse_math=False)

    def explain(self, handles: Sequence[Artist]) -> None:
        """What marks and colours mean, in a line below all."""
        self.legend(
            handles=handles,
            loc="outside lower right",
            ncols=len(handles),
            frameon=False,
            fontsize=SMALL,
            labelcolor=self.palette.ink,
            handlelength=1.4,
            columnspacing=1.4,
        )


def palette() -> Palette:
    """The one for the paper that matplotlib's style has."""
    red, green, blue, alpha = to_rgba(matplotlib.rcParams["figure.facecolor"])
    return DARK if alpha > 0 and luminance(to_hex((red, green, blue))) < 0.3 else LIGHT


def dress(axes: Axes, colours: Palette) -> None:
    """Bare axes: no frame, no ticks but faint words, and lines that guide the eye up from them."""
    axes.set_facecolor(colours.paper)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=colours.faint, which="both")
    axes.grid(axis="x", color=colours.rule, linewidth=0.8, which="major")
    axes.set_axisbelow(True)


def disc(colour: str, label: str, hollow: bool = False) -> Line2D:
    """The mark of a speed-up, for a legend."""
    fill: Literal["none", "full"] = "none" if hollow else "full"
    return Line2D([], [], marker="o", linestyle="", color=colour, fillstyle=fill, markersize=5.0, label=label)


def tell(axes: Axes, axis: str, places: Sequence[float], words: Sequence[str]) -> None:
    """Name these places of an axis, and no others."""
    named = {"x": axes.xaxis, "y": axes.yaxis}[axis]
    named.set_major_locator(FixedLocator(list(places)))
    named.set_minor_locator(NullLocator())
    named.set_major_formatter(FixedFormatter(list(words)))


def shortened(text: str, most: int) -> str:
    """What somebody else has worded: one line of so many characters at most, in which a dollar begins no formula."""
    line = " ".join(_drawable(text).split())
    return (line if len(line) <= most else f"{line[: most - 1]}…").replace("$", r"\$")


def _drawable(text: str) -> str:
    """What letters there are for, and an SVG may hold."""
    return writable(text.translate(CONTROLS))
