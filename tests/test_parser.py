"""The grammar of the command line: the help of everything has examples, which mean something; and the version."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import pytest

import lanes
from lanes import cli, interpreter
from lanes.cli.parser import make_parser
from lanes.report import json as json_report
from support import BASE, make_comparison, make_row

MEASURING = ("compare", "sweep", "load", "anatomy")


def parsers(parser: argparse.ArgumentParser, path: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command, and every workload of each, by what is typed for it."""
    yield path, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from parsers(below, f"{path} {name}".strip())


def examples_of(parser: argparse.ArgumentParser) -> list[str]:
    return [line.strip() for line in parser.format_help().partition("examples:\n")[2].splitlines()]


PARSERS = dict(parsers(make_parser()))
EXAMPLES = {each: path for path, parser in PARSERS.items() for each in examples_of(parser)}
"""Every example of every help, and where it stands."""


def words_of(example: str) -> list[str]:
    """The words after `lanes`; of one in a substitution or before a pipe, too."""
    found = re.search(r"(?:^|\$\()lanes( [^)|#]*|$)", example)
    assert found, example
    return shlex.split(found[1])


def test_everything_has_a_help() -> None:
    assert {"", "compare", "compare download", "load exchange", "sweep module:function", "report"} <= set(PARSERS)


@pytest.mark.parametrize("path", PARSERS)
def test_every_help_has_examples_that_are_about_it(path: str) -> None:
    examples = examples_of(PARSERS[path])
    assert examples
    command, _, row = path.partition(" ")
    for example in examples:
        assert len(example) <= 118, "it stands on one line"
        if "lanes" not in example.split():  # what there is to do with a command
            assert command in ("completion", "origin"), example
            continue
        words = words_of(example)
        make_parser().parse_args(words)
        assert words[:1] == [command] or not command
        assert not row or words[1] == row or (row == "module:function" and ":" in words[1])


class Enough(Exception):  # noqa: N818 - it is no error
    """All that was asked for has been found good."""


def enough(*_: object, **__: object) -> NoReturn:
    raise Enough


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where all the files are that the examples name, and nothing is measured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mypkg").mkdir()
    (tmp_path / "mypkg/__init__.py").touch()
    (tmp_path / "mypkg/mymod.py").write_text("def function(item):\n    return item\n")
    (tmp_path / "items.json").write_text("[1, 2, 3]")
    (tmp_path / "list.txt").write_text("http://127.0.0.1/\n")
    results = {word for example in EXAMPLES for word in example.split() if example.startswith("lanes report")}
    for name in (word for word in results if word.endswith(".json")):
        json_report.write([make_comparison(make_row("native-fork", None, BASE, BASE))], tmp_path / name)
    measuring = {"compare": "measured", "sweep": "measured", "load": "_expected", "anatomy": "_look", "claims": "_try"}
    for module, name in measuring.items():
        monkeypatch.setattr(import_module(f"lanes.{module}"), name, enough)
    monkeypatch.setattr("lanes.origin.run_foreground", enough)
    return tmp_path


@pytest.mark.parametrize("example", [each for each in EXAMPLES if re.search(r"(^|\$\()lanes\b", each)])
def test_what_an_example_asks_for_is_there(example: str, here: Path) -> None:
    """The cheap ones run; the others come as far as the first measurement."""
    words = words_of(example)
    if words[:1] and words[0] in (*MEASURING, "claims", "origin"):
        with pytest.raises(Enough):
            cli.main(words)
    else:
        assert cli.main(words) == 0


def version_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_the_version_names_lanes_python_libcurl_and_the_state_of_the_gil(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = re.escape(".".join(map(str, sys.version_info[:3])))
    about = rf"lanes {re.escape(lanes.__version__)}, Python {python}\S*, libcurl \d+\.\d+\.\d+\S*, GIL "
    state = "on" if interpreter.gil() else "off"
    assert re.fullmatch(about + state + r"\n", version_of(["--version"], capsys))
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)  # as a build without one says it
    assert re.fullmatch(about + r"off\n", version_of(["--version"], capsys))


@pytest.mark.parametrize("words", ["--version x", "compare --version", "compare wait --version", "report --version"])
def test_the_version_is_said_wherever_it_is_asked_for_and_nothing_else_done(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(import_module("lanes.compare"), "measured", enough)
    assert version_of(words.split(), capsys) == version_of(["--version"], capsys)


def test_a_help_has_no_colours_where_nobody_looks(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lanes", "compare", "--help"], capture_output=True, text=True, check=True
    )
    assert "\x1b" not in done.stdout + done.stderr
    assert "--version" not in done.stdout, "once is enough, in the help of lanes"
