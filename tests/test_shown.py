"""What results need to show themselves, and what is said where it is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter

from lanes.shown import given_out, needed
from support import BASE, make_comparison, make_row


def test_ipython_shows_what_print_does() -> None:
    result = make_comparison(make_row("threading", "python", BASE, BASE))
    formatter: Any = DisplayFormatter()  # which has no types
    data, _ = formatter.format(result)
    assert data["text/plain"] == str(result)


def test_a_module_of_an_extra_is_imported() -> None:
    assert needed("json.decoder", "plot") is sys.modules["json.decoder"]


@pytest.mark.parametrize("module", ["lanes_missing", "lanes_missing.figure"])
def test_a_missing_extra_is_told_in_one_line(module: str) -> None:
    with pytest.raises(ImportError) as caught:
        needed(module, "plot")
    assert str(caught.value) == 'this needs lanes_missing: pip install "gil-lanes[plot]"'


def test_what_fails_inside_a_module_says_so_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lanes_broken.py").write_text("import lanes_missing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'lanes_missing'"):
        needed("lanes_broken", "plot")


def test_a_text_is_given_back_and_written_if_a_file_is_named(tmp_path: Path) -> None:
    assert given_out("text\n", None) == "text\n"
    assert given_out("text\n", tmp_path / "new") == "text\n"
    assert (tmp_path / "new").read_text() == "text\n"


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        given_out("text\n", tmp_path / "missing" / "new")
