"""What the pages are made of that is written elsewhere: docstrings, the help of the command line, the grid.

Docstrings are written to be read where they stand. Here their parts are told apart and marked for Markdown: examples,
lists of fields, and columns, which are the paragraphs that would not survive being filled.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from pkgutil import resolve_name
from textwrap import dedent
from typing import Any, cast
from unittest.mock import patch

import lanes

DIRECTIVE = re.compile(r"^::: (\S+)$", re.MULTILINE)
"""Where a page has the docstring of something, by its path. That of a module ends with `.__doc__`."""

_COLUMNS = re.compile(r"\S {2,}\S")


def found(path: str) -> object:
    """What a directive means. `lanes.load` is the function, whose module has the same name."""
    return getattr(lanes, name) if (name := public(path)) else resolve_name(path)


def public(path: str) -> str | None:
    """The name that the package exports, of `lanes.NAME`."""
    package, _, name = path.partition(".")
    return name if package == "lanes" and name in lanes.__all__ else None


def _real(name: str) -> str:
    """The path where a public name is defined."""
    thing = getattr(lanes, name)
    return f"{thing.__module__}.{thing.__qualname__}" if hasattr(thing, "__qualname__") else f"lanes.{name}"


def page(text: str) -> str:
    """A page with its directives and links as mkdocstrings wants them."""
    level = 1
    lines: list[str] = []
    for line in _linked(text).splitlines():
        if heading := re.match("#+ ", line):
            level = len(heading[0]) - 1
        directive = DIRECTIVE.match(line)
        lines += _directive(directive[1], level + 1) if directive else [line]
    return "\n".join(lines)


def _directive(path: str, level: int) -> Iterator[str]:
    real, options = path, {"heading_level": str(level)}
    if path.endswith(".__doc__"):
        real = path.removesuffix(".__doc__")
        yield from (f"[](){{#{real}}}", "")  # to be led to, as there is no heading
        options |= {"members": "[]", "show_root_heading": "false", "show_root_toc_entry": "false"}
    elif name := public(path):
        real = _real(name)
        options |= {"heading": path, "toc_label": name}
    yield f"::: {real}"
    yield "    options:"
    yield from (f"      {option}: {value}" for option, value in options.items())


def _linked(text: str) -> str:
    """`lanes.run` and lanes/events.py lead to where they are described; blocks of code stay as they are."""
    parts = re.split(r"(^```.*?^```)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else _FOUND.sub(_link, part) for part in parts)


_FOUND = re.compile(r"`(lanes(?:\.\w+)+)`|(?<![\w/`])(lanes/(?:\w+/)*\w+)\.py")


def _link(found: re.Match[str]) -> str:
    """What is public must be described; of all else nobody knows here whether it is."""
    path = found[1] or found[2].replace("/", ".")
    if found[1] and (name := public(path)):
        return f"[{found[0]}][{_real(name)}]"
    return f'<autoref optional identifier="{path}">{f"<code>{path}</code>" if found[1] else found[0]}</autoref>'


def markdown(docstring: str, fields: Mapping[str, str]) -> str:
    """A docstring as Markdown. `fields` are what it may list, each before a colon, and their types."""
    paragraphs: list[str] = []
    for paragraph in re.split(r"\n\s*\n", docstring.strip("\n")):
        if paragraphs and _indented(paragraphs[-1]) and _indented(paragraph):  # a blank line ends no block of code
            paragraphs[-1] += f"\n\n{paragraph}"
        else:
            paragraphs.append(paragraph)
    return _linked("\n\n".join(_marked(paragraph, fields) for paragraph in paragraphs))


def _indented(paragraph: str) -> bool:
    return all(not line or line.startswith("    ") for line in paragraph.splitlines())


def _marked(paragraph: str, fields: Mapping[str, str]) -> str:
    lines = paragraph.splitlines()
    if lines[0].lstrip().startswith(">>>"):
        return _fenced("pycon", dedent(paragraph))
    if fields and (items := _items(" ".join(line.strip() for line in lines), fields)):
        return "\n".join(items)
    if _indented(paragraph):
        return _fenced("text", dedent(paragraph))
    if sum(bool(_COLUMNS.search(line.strip())) for line in lines) > 1:
        return _fenced("text", paragraph)
    return paragraph


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def _items(text: str, fields: Mapping[str, str]) -> list[str]:
    """A list of fields, of which several may share a line; nothing where the text begins with none."""
    one = rf"\*{{0,2}}(?:{'|'.join(map(re.escape, fields))})"
    starts = [*re.finditer(rf"(?:^|(?<=[.;:,] ))({one}(?:(?:, and|,| and) {one})*): +", text)]
    if not starts or starts[0].start():
        return []
    ends = [*(start.start() for start in starts[1:]), len(text)]
    return [
        f"- {_typed(start[1], fields)}: {text[start.end() : end].rstrip(' .;,')}."
        for start, end in zip(starts, ends, strict=True)
    ]


def _typed(names: str, fields: Mapping[str, str]) -> str:
    def one(word: re.Match[str]) -> str:
        if word[0] == "and":
            return "and"
        kind = fields[word[0].lstrip("*")]
        return f"**{word[0]}**{f' (<code>{kind}</code>)' if kind else ''}"

    return re.sub(r"[\w*]+", one, names)


def command_line() -> str:
    """The help of the command and of all below it, as they print it."""
    from lanes.cli.parser import make_parser

    return "\n\n".join(("# Command line", *_helps(make_parser(), 2)))


def _help(parser: argparse.ArgumentParser) -> str:
    """As on a terminal of 100 columns."""
    with patch.dict(os.environ, COLUMNS="100"):
        return parser.format_help()


def _helps(parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    yield f"{'#' * level} {parser.prog}\n\n{_fenced('text', _help(parser))}"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _helps(below, level + 1)


def notebook() -> str:
    """What the magics do, and their options as they print them."""
    from lanes.magics import LanesMagics

    options = _fenced("text", _help(LanesMagics.lanes.parser).lstrip(": \n"))
    return "\n\n".join(("# In a notebook", "::: lanes.magics.__doc__", "## Options", options))


def pytest() -> str:
    """What the plugin brings: fixtures, a marker with its thresholds, options."""
    from lanes.guard import THRESHOLDS

    parts = (
        "# In pytest",
        "::: lanes.pytest_plugin.__doc__",
        "## Fixtures",
        *(f"::: lanes.pytest_plugin.{name}" for name in ("lanes", "lanes_compare", "Lanes", "LanesCompare")),
        "## The marker",
        "`@pytest.mark.lanes` takes the choices of `lanes.compare`, `tasks=` of a function that is called with items in"
        " turn, and thresholds, each for the rows that are named:",
        _table(
            ("threshold", "what a row is given", "example"),
            ((f"`{each.name}`", each.wanted, f"`{each.example}`") for each in THRESHOLDS.values()),
        ),
        "::: lanes.guard.__doc__",
        "## Options",
        _fenced("text", _options_of_pytest()),
    )
    return "\n\n".join(parts)


def _options_of_pytest() -> str:
    """As its help has them, without all those that are not ours."""
    from lanes.pytest_session import add_options

    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, add_help=False)
    group = parser.add_argument_group("on the command line")
    for_configuration = parser.add_argument_group("in the configuration")

    class Options:
        getgroup = staticmethod(lambda *_: Options)
        addoption = group.add_argument
        addini = staticmethod(lambda name, words, **_: for_configuration.add_argument(name, help=words))

    add_options(cast(Any, Options))
    return _help(parser)


def grid() -> str:
    """The models and the workloads, as they say it themselves."""
    return "\n\n".join(("# The grid", *_models(), *_workloads()))


def _models() -> Iterator[str]:
    from lanes import models
    from lanes.comparison import label
    from lanes.types import BODIES

    columns = [models.load(name) for name in models.names()]
    yield "## Models"
    yield _table(
        ("model", "family", "who decides to switch", "processors", "bodies"),
        (
            (
                f"`{column.name}`",
                column.family,
                column.switching,
                column.processors,
                ", ".join(body for body in BODIES if body not in column.reasons)
                if column.family == "python"
                else "C, no GIL",
            )
            for column in columns
        ),
    )
    yield "## Variants"
    yield _table(
        ("variant", "what it means"),
        ((f"`{column.name}[{name}]`", words) for column in columns for name, words in column.variants.items()),
    )
    yield "## Cells that make no sense"
    yield _table(
        ("cell", "reason"),
        ((f"`{label(column.name, body)}`", why) for column in columns for body, why in column.reasons.items()),
    )


def _workloads() -> Iterator[str]:
    from lanes.cli.rows import input_of, modules, option_of

    yield "## Workloads"
    for name, module in modules().items():
        given = input_of(module)
        options = [(f"`{given[0]} ...`", given[1])] if given else []
        options += [
            (f"`{' '.join(filter(None, (option_of(key), form)))}`", words)
            for key, (form, words) in module.OPTIONS.items()
        ]
        yield f"### {name}\n\n{module.ABOUT[0].upper()}{module.ABOUT[1:]}."
        yield _table(("option", "what it means"), options)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


PAGES = {
    "command-line.md": command_line,
    "grid.md": grid,
    "notebook.md": notebook,
    "pytest.md": pytest,
}
"""The pages that are made, by name."""


def linked_files(text: str, root: Path) -> tuple[str, list[str]]:
    """A page of this repository whose links to pages lead to these, and to folders, which no page shows, are their
    words alone; and the other files that it leads to or shows, each once."""
    text = text.replace("](.docs/pages/", "](")
    text = re.sub(r"\[([^]]+)\]\(([^)\s]+)\)", lambda link: link[1] if (root / link[2]).is_dir() else link[0], text)
    found = re.findall(r"""(?:\]\(|(?:src|href)=["'])([^)#?"'\s]+)""", text)
    return text, [name for name in dict.fromkeys(found) if (root / name).is_file()]
