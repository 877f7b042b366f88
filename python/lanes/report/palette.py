"""The colours of pictures and pages, on light paper and on dark.

What a colour means is never left to the colour alone: each stands beside its word or in a legend, and neighbours differ
in lightness. All that must be told apart can be by people who see two of three primaries (simulated as by Machado,
Oliveira and Fernandes, 2009), text has at least 4.5 times and lines at least 3 times the luminance of the paper, or
that much less (WCAG 2.2, 1.4.3 and 1.4.11). A pale area, which has not, is drawn with the `edge` around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PARTS = {"user": "user", "system": "system", "queue": "run queue", "gil": "GIL wait", "blocked": "blocked"}
"""Of a split, in the order in which they are stacked, each with its words."""

ASIDE = "start-up, shutdown"
"""The words for what a run takes beside its work."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as #RRGGBB.

    paper: what all is drawn on; ink: text; faint: text of less weight; edge: the outline of what is pale; rule: lines
    that only guide the eye.
    working, waiting: the solid and the pale part of a bar on a lane. aside: start-up and shutdown.
    parts: of a split, by the names of PARTS. families: "python", "native". verdicts: by the words of a table.
    """

    dark: bool
    paper: str
    ink: str
    faint: str
    edge: str
    rule: str
    working: str
    waiting: str
    aside: str
    parts: Mapping[str, str]
    families: Mapping[str, str]
    verdicts: Mapping[str, str]


LIGHT = Palette(
    dark=False,
    paper="#FFFFFF",
    ink="#1F2328",
    faint="#59636E",
    edge="#818B98",
    rule="#E4E8EC",
    working="#00508F",
    waiting="#BBD4EA",
    aside="#6E7781",
    parts={"user": "#00508F", "system": "#4498D2", "queue": "#CC8400", "gil": "#B3261E", "blocked": "#D8DEE4"},
    families={"python": "#2F6FB3", "native": "#B35900"},
    verdicts={
        "faster": "#007F4F",
        "slower": "#BC4C00",
        "cannot tell": "#6E7781",
        "baseline": "#1F2328",
        "void": "#8A1F6B",
        "DIFFERS": "#8A1F6B",
        "error": "#8A1F6B",
        "no sense": "#59636E",
        "-": "#59636E",
    },
)

DARK = Palette(
    dark=True,
    paper="#0D1117",
    ink="#E6EDF3",
    faint="#9198A1",
    edge="#6E7781",
    rule="#262C34",
    working="#4FA9F0",
    waiting="#22405C",
    aside="#868E99",
    parts={"user": "#3B9EE8", "system": "#B3E0FA", "queue": "#F0B429", "gil": "#F0553C", "blocked": "#343B44"},
    families={"python": "#5BA8F5", "native": "#F0A33C"},
    verdicts={
        "faster": "#2FBF8F",
        "slower": "#F0743C",
        "cannot tell": "#9198A1",
        "baseline": "#E6EDF3",
        "void": "#F7A8DE",
        "DIFFERS": "#F7A8DE",
        "error": "#F7A8DE",
        "no sense": "#9198A1",
        "-": "#9198A1",
    },
)


def luminance(colour: str) -> float:
    """How light #RRGGBB is, from 0 to 1, as WCAG reckons it."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
