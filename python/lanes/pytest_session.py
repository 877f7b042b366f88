"""A session of pytest as lanes sees it: its options, what its tests have compared, and what came of it before.

Here, too, nothing is imported until an option or a result needs it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import lanes

if TYPE_CHECKING:
    import pytest

    from lanes.comparison import Comparison
    from lanes.guard import Limit
    from lanes.sweep import Sweep

R = TypeVar("R", "Comparison", "Sweep")
T = TypeVar("T")

NOT_BESIDE_OTHERS = (
    "lanes measures nothing beside other workers of pytest-xdist: run these tests in a session of their own, without -n"
)
_TRACED = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COV_CORE_DATAFILE")
"""With one of these in its environment every Python starts to measure coverage, a sample's, too."""


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("lanes", "comparisons of concurrency models (lanes)")
    for name, metavar, words in (
        ("rounds", "N", "samples of each row, where a test says nothing else"),
        ("budget", "TIME", "the time that a comparison may take, such as 20s, where a test says nothing else"),
        ("models", "NAMES", "models, parted by commas, or python, native, all, where a test names none"),
        (
            "fail",
            "LIMITS",
            "fail tests with a row that is worse than before: speedup:10%%,wall:20%%; with --lanes-compare",
        ),
    ):
        group.addoption(f"--lanes-{name}", metavar=metavar, help=words)
        parser.addini(f"lanes_{name}", f"the default of --lanes-{name}", default=None)
    group.addoption("--lanes-json", metavar="PATH", help="write all comparisons of the session to this file")
    group.addoption("--lanes-compare", metavar="PATH", help="show what has changed since this file of --lanes-json")
    group.addoption("--lanes-skip", action="store_true", help="skip all tests that compare")


@dataclass(slots=True)
class Session:
    """What the tests share: how to compare, what came of it, and what an earlier session had found.

    refusal: why nothing is measured; None where it is. path: of the file for all results.
    """

    choices: dict[str, Any]
    refusal: str | None
    path: Path | None
    limits: tuple[Limit, ...]
    earlier: Path | None
    before: list[Comparison]
    results: list[Comparison | Sweep] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, config: pytest.Config) -> Session:
        """That of the options; ValueError or OSError, in one line, for what is wrong with them."""
        path, earlier = _path(config, "lanes_json"), _path(config, "lanes_compare")
        limits, shared = _limits(config), bool(config.getoption("tx", None))
        if shared and (path or earlier):
            raise ValueError(f"{'--lanes-json' if path else '--lanes-compare'}: {NOT_BESIDE_OTHERS}")
        if config.getoption("lanes_fail") and earlier is None:
            raise ValueError("--lanes-fail needs --lanes-compare PATH, a file of --lanes-json from before")
        if path is not None:
            from lanes.report.files import check_writable

            check_writable(path)
        refusal = "--lanes-skip was given" if config.getoption("lanes_skip") else None
        if refusal is None and hasattr(config, "workerinput"):
            refusal = NOT_BESIDE_OTHERS
        return cls(_given(config), refusal, path, limits, earlier, [] if earlier is None else _read(earlier))

    def kept(self, result: R, label: str) -> R:
        """A result of the test of this name."""
        from lanes.sweep import Sweep

        if isinstance(result, Sweep):
            result = replace(result, comparison=replace(result.comparison, label=label))
        else:
            result = replace(result, label=label)
        self.results.append(result)
        return result

    def look_back(self, made: Iterable[Comparison | Sweep]) -> list[str]:
        """How the results of one test are worse than before by more than is allowed. What may be noise is a note."""
        from lanes import guard
        from lanes.sweep import comparison_of

        found = list(guard.steps_back(self.before, [comparison_of(each) for each in made], self.limits))
        self.notes += [f"may be noise: {each.text}" for each in found if not each.sure]
        return [each.text for each in found if each.sure]

    def write(self) -> None:
        """All results, where they were wanted; OSError where that has become impossible since the session began."""
        if self.path is None:
            return
        if not self.results:
            self.notes.append(f"nothing was compared, so {self.path} was not written")
            return
        from lanes.report import json

        json.write(self.results, self.path)

    def text(self, verbosity: int, width: int, colour: bool) -> str:
        """What there is to show at the end."""
        if not self.results and not self.notes:
            return ""
        from lanes.report import tests

        if self.results and (traced := [name for name in _TRACED if name in os.environ]):
            self.notes.append(f"coverage was measured in samples as well ({traced[0]}), which takes time of its own")
        earlier = None if self.earlier is None else (self.earlier.name, self.before)
        return tests.text(self.results, earlier, self.notes, verbosity, width, colour)


def _path(config: pytest.Config, option: str) -> Path | None:
    given: str | None = config.getoption(option)
    if given == "":
        raise ValueError(f"--{option.replace('_', '-')} needs the name of a file")
    return None if given is None else Path(given)


def _limits(config: pytest.Config) -> tuple[Limit, ...]:
    option, ini = config.getoption("lanes_fail"), config.getini("lanes_fail")
    if option is None and ini is None:
        return ()
    from lanes.guard import Limit

    where = "lanes_fail" if option is None else "--lanes-fail"
    return tuple(_checked(Limit.parsed, text, where) for text in (ini if option is None else option).split(","))


def _read(path: Path) -> list[Comparison]:
    from lanes.report import changes

    return changes.comparisons(lanes.read_all(path), str(path))


def _given(config: pytest.Config) -> dict[str, Any]:
    """What the configuration says of how to compare, and above it the command line."""
    return over(_level(config.getini, "lanes_{}"), _level(config.getoption, "--lanes-{}"))


def _level(ask: Callable[[str], Any], form: str) -> dict[str, object]:
    given = {name: text for name in _CHECKS if (text := ask(f"lanes_{name}")) is not None}
    if given.keys() >= {"rounds", "budget"}:
        both = f"{form.format('rounds')} and {form.format('budget')}"
        raise ValueError(f"give one of {both}: the one says how many rounds, the other how long they take")
    return {name: _checked(_CHECKS[name], given[name], form.format(name)) for name in given}


def _checked(check: Callable[[str], T], text: str, where: str) -> T:
    try:
        return check(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _rounds(text: str) -> int:
    from lanes.units import whole

    return whole(int(text) if text.isdecimal() else text, "rounds")


def _budget(text: str) -> str:
    from lanes.compare import Plan

    Plan.made(None, text, None)
    return text


def _models(text: str) -> str:
    from lanes.models import select

    select(text)
    return text


_CHECKS: dict[str, Callable[[str], object]] = {"rounds": _rounds, "budget": _budget, "models": _models}


def over(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, and defaults for all else. Rounds and a budget exclude each other, so either displaces both."""
    displaced = {"rounds", "budget"} if given.keys() & {"rounds", "budget"} else set()
    return {name: value for name, value in defaults.items() if name not in displaced} | dict(given)
