"""The notebooks: that they run from top to bottom, and that what is saved is what a reader of the page needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

import notebooks
from processes import script

PATHS = notebooks.paths()
LONGEST_FUNCTION, LONGEST_CELL, MOST_CELLS = 6, 14, 24
"""Lines of a function and of a cell, and cells with code: what is longer is logic, and belongs into lanes."""

each = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])


@pytest.mark.timeout(240)
@each
def test_it_runs_from_top_to_bottom(path: Path) -> None:
    """In an interpreter of its own, which the threads and the loop of a kernel's client end with."""
    script("import pathlib, notebooks; notebooks.execute(pathlib.Path(sys.argv[1]))", str(path))


def test_there_are_seven_and_each_leads_to_the_next() -> None:
    assert [path.name.partition("-")[0] for path in PATHS] == list("1234567")
    for path, following in pairwise(PATHS):
        assert f"({following.name})" in saved(path).cells[-1].source


@each
def test_all_links_lead_somewhere(path: Path) -> None:
    text = "\n".join(cell.source for cell in saved(path).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!http)([^)#]+)", text)
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


@each
def test_it_is_saved_with_what_it_shows(path: Path) -> None:
    code = list(cells(path))
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    shown = [output for cell in code for output in cell.outputs]
    assert shown
    assert [output for output in shown if output.output_type == "error" or output.get("name") == "stderr"] == []
    assert any("image/png" in output.get("data", {}) for output in shown)


@each
def test_nothing_is_saved_of_where_it_ran(path: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:root|home|work|tmp|usr|Users)/[^\s\"']*", path.read_text()) == []
    assert saved(path).metadata == notebooks.METADATA
    assert all(not cell.metadata for cell in saved(path).cells)


@each
def test_it_is_short_and_defines_no_logic(path: Path) -> None:
    code = list(cells(path))
    assert len(code) <= MOST_CELLS
    for cell in code:
        assert len(cell.source.splitlines()) <= LONGEST_CELL, cell.source
        for node in ast.walk(ast.parse(TransformerManager().transform_cell(cell.source))):
            assert not isinstance(node, ast.ClassDef), cell.source
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, cell.source


@each
def test_what_it_claims_is_held(path: Path) -> None:
    """In every part with a heading of its own that has code something is asserted."""
    part: list[str] = []
    parts = [part]
    for cell in saved(path).cells:
        if cell.cell_type == "markdown" and re.match("##", cell.source):
            parts.append(part := [])
        if cell.cell_type == "code":
            part.append(cell.source)
    silent = [part for part in parts[1:] if part and not any("assert " in source for source in part)]
    assert silent == []


def saved(path: Path) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def cells(path: Path) -> Iterator[NotebookNode]:
    """Those with code."""
    return (cell for cell in saved(path).cells if cell.cell_type == "code")
