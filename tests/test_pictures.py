"""The pictures of the README: they are what was measured, on paper of their own, and ask for nothing from elsewhere."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import lanes
from support import BASE, make_comparison, make_row

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".docs" / "pictures.py"
if not SCRIPT.exists():
    pytest.skip("needs a checkout", allow_module_level=True)


def _loaded() -> Any:
    spec = spec_from_file_location("pictures", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pictures: Any = _loaded()


def grid() -> lanes.Comparison:
    rows = [make_row(model, "python", [wall / 2 for wall in BASE], BASE) for model in pictures.LANES[1:4]]
    return make_comparison(*rows, make_row("native-pthreads", None, BASE, BASE))


def words(drawn: str) -> str:
    return " ".join(" ".join(ElementTree.fromstring(drawn).itertext()).replace("\xa0", " ").split())


def test_the_terminal_shows_command_table_and_verdict() -> None:
    told = words(pictures.terminal(grid(), "compare wait"))
    assert "$ lanes compare wait wait : 2 tasks, duration 50 ms" in told
    assert re.search(r"threading +python +4 +550.0 +2.00x +2.00-2.00 +faster", told)
    assert "is fastest: 2.00x (2.00-2.00) faster than serial/python." in told


def test_the_timeline_has_one_of_each_kind() -> None:
    drawn = pictures.timeline(grid())
    for name in ("serial/python", "threading/python", "multiprocessing/python", "asyncio/python", "native-pthreads"):
        assert f"<!-- {name} -->" in drawn, "what glyphs make up"
    assert drawn == pictures.timeline(grid()), "a picture that is made again changes where its figures do"


@pytest.mark.parametrize("picture", [lambda: pictures.timeline(grid()), lambda: pictures.terminal(grid(), "compare")])
def test_they_ask_for_nothing_and_have_paper_of_their_own(picture: Any) -> None:
    drawn = picture()
    asked = re.findall(r"(?:url\(|src=|href=)[\"']?(?!#)([^\"')]+)", drawn)
    assert asked == []
    assert "@font-face" not in drawn
    assert re.search(r"#ffffff|#0d1117", drawn, re.IGNORECASE)
    ElementTree.fromstring(drawn)


def test_those_that_the_readme_shows_are_there_and_whole() -> None:
    shown = re.findall(r"\.docs/pictures/([\w.-]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    made = {f"{kind}-{name}.svg" for kind in ("table", "timeline") for name in pictures.COMMANDS}
    assert {*shown} <= made
    for name in shown:
        assert ElementTree.parse(pictures.HERE / name).getroot().tag.endswith("svg")
        assert (pictures.HERE / name).stat().st_size < 300_000
