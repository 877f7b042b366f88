"""What is public is described: docstrings that name every field, examples that run, pages that leave nothing out."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import inspect
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, cast

import pytest
from IPython.core.inputtransformer2 import TransformerManager

import lanes
from lanes.cli.parser import make_parser

ROOT = Path(__file__).parents[1]
DOCS = ROOT / ".docs"
if not DOCS.exists():
    pytest.skip("needs a checkout", allow_module_level=True)


def _loaded(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


prose: Any = _loaded(DOCS / "prose.py")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {str(page.relative_to(DOCS)): page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}
MADE = {name: make() for name, make in prose.PAGES.items()}
PATHS = [path for text in (PAGES | MADE).values() for path in prose.DIRECTIVE.findall(text)]
"""Whatever has its docstring on a page."""
DESCRIBED = {path: prose.found(path) for path in PATHS}
CLASSES = {path: each for path, each in DESCRIBED.items() if inspect.isclass(each)}
FUNCTIONS = {path: each for path, each in DESCRIBED.items() if inspect.isfunction(each)}


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """The public functions of a class, those behind its properties included, but for what matplotlib adds."""
    for name, member in vars(cls).items():
        if (name.startswith("_") and name != "__getitem__") or (cls.__name__, name) == ("Picture", "set"):
            continue
        if isinstance(member, property):
            yield name, member.fget
        elif isinstance(member, classmethod | staticmethod) or inspect.isfunction(member):
            yield name, getattr(cls, name)


def test_the_pages_describe_each_public_name_once() -> None:
    assert {path: many for path, many in Counter(PATHS).items() if many > 1} == {}
    assert {f"lanes.{name}" for name in lanes.__all__} <= {*PATHS}


@pytest.mark.parametrize("path", CLASSES)
def test_classes_and_their_members_are_described(path: str) -> None:
    cls = CLASSES[path]
    assert described(cls.__doc__)
    silent = [name for name, function in members(cls) if not described(function.__doc__)]
    assert silent == []


@pytest.mark.parametrize("path", CLASSES)
def test_every_field_is_named(path: str) -> None:
    """In the docstring of its class, or in one of its own below it."""
    cls = CLASSES[path]
    own = commented(cls)
    assert [name for name in fields(cls) if not re.search(rf"\b{name}\b", cls.__doc__ or "") and name not in own] == []


@pytest.mark.parametrize("path", [*CLASSES, *FUNCTIONS])
def test_everything_is_annotated(path: str) -> None:
    thing = DESCRIBED[path]
    functions = dict(members(thing)) if inspect.isclass(thing) else {path: thing}
    for name, function in functions.items():
        parameters = [each for each in inspect.signature(function).parameters if each not in ("self", "cls")]
        assert {*parameters, "return"} <= {*function.__annotations__}, name


@pytest.mark.parametrize("path", FUNCTIONS)
def test_functions_are_described(path: str) -> None:
    assert described(FUNCTIONS[path].__doc__)


def test_the_stub_describes_the_engine() -> None:
    """Each class and function, but for methods with two underscores, which say it by their names."""
    tree = ast.parse((Path(lanes.__file__).parent / "_core.pyi").read_text(encoding="utf-8"))
    named = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert [node.name for node in named if not node.name.startswith("__") and not ast.get_docstring(node)] == []


@pytest.mark.parametrize("name", [name for name in lanes.__all__ if callable(getattr(lanes, name))])
def test_examples_run(name: str) -> None:
    """And print what they say they do."""
    tests = doctest.DocTestFinder(recurse=False).find(getattr(lanes, name), name, globs={"lanes": lanes})
    for test in tests:
        assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0


def examples() -> dict[str, str]:
    """Pieces of Python that nobody runs, by where they stand."""
    texts = {"README.md": README, **PAGES}
    blocks = {name: re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) for name, text in texts.items()}
    cell = cast(Any, TransformerManager)().transform_cell  # what a notebook makes of %magics
    found = {f"{name}, {n}": cell(code) for name, codes in blocks.items() for n, code in enumerate(codes)}
    for name, module in {**sys.modules}.items():
        if name.partition(".")[0] == "lanes" and module.__doc__:
            lines = [each.source for each in doctest.DocTestParser().get_examples(module.__doc__)]
            found |= {name: "".join(lines)} if lines else {}
    return found


@pytest.mark.parametrize("where", examples())
def test_examples_compile_and_name_what_there_is(where: str) -> None:
    tree = compile(examples()[where], where, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    named = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "lanes"
    ]
    assert [name for name in named if name not in lanes.__all__] == []


def commands() -> list[str]:
    """The command lines of the README and of the pages: those in blocks, and those between words."""
    text = "\n".join((README, *PAGES.values()))
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.M | re.S)
    in_blocks = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    between = re.findall(r"`(lanes\s[^`]*)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    lines = [*in_blocks, *(" ".join(each.split()) for each in between)]
    return list(dict.fromkeys(line for line in lines if re.match(r"lanes [a-z-]", line)))


@pytest.mark.parametrize("line", commands())
def test_command_lines_parse(line: str) -> None:
    """WORKLOAD stands for any; a command alone is one that there is."""
    words = shlex.split(line.replace("WORKLOAD", "wait"), comments=True)[1:]
    if len(words) > 1:
        make_parser().parse_args(words)
    else:
        with pytest.raises(SystemExit, match="0"):
            make_parser().parse_args([*words, "--help"])


def test_docstrings_become_markdown() -> None:
    """Lists, examples and columns are told apart; what is public is linked, but in code."""
    docstring = """Does a thing. See `lanes.run`, lanes/events.py.

    x, y: two; z: another: with colons,
          and lines.

    >>> lanes.run
    1

    plain   as `lanes.run` does
    call    another

        code

        more
    """
    done = prose.markdown(inspect.cleandoc(docstring), {"x": "int", "y": "", "z": "str"})
    assert done.split("\n\n") == [
        "Does a thing. See [`lanes.run`][lanes.run.run],"
        ' <autoref optional identifier="lanes.events">lanes/events.py</autoref>.',
        "- **x** (<code>int</code>), **y**: two.\n- **z** (<code>str</code>): another: with colons, and lines.",
        "```pycon\n>>> lanes.run\n1\n```",
        "```text\nplain   as `lanes.run` does\ncall    another\n```",
        "```text\ncode",
        "more\n```",
    ]


def test_what_the_readme_shows_comes_along(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "a.png").touch()
    text = "![a](a.png) [all](notebooks/) [web](https://example.org/) [below](#below) [gone](gone.md) <img src='a.png'>"
    done, files = prose.linked_files(text, tmp_path)
    assert done == text.replace("[all](notebooks/)", "all")
    assert files == ["a.png"]


def described(text: str | None) -> bool:
    """What dataclasses and named tuples are given where nobody has said anything is no description."""
    return text is not None and not re.match(r"\w+\(.*\)( -> None)?$", text)


def fields(cls: type) -> Sequence[str]:
    if dataclasses.is_dataclass(cls):
        return [each.name for each in dataclasses.fields(cls)]
    return getattr(cls, "_fields", ())


def commented(cls: type) -> set[str]:
    """The fields of a class that have a text of their own below them."""
    if not dataclasses.is_dataclass(cls):
        return set()
    (tree,) = ast.parse(dedent(inspect.getsource(cls))).body
    assert isinstance(tree, ast.ClassDef)
    pairs = zip(tree.body, tree.body[1:], strict=False)
    return {
        field.target.id
        for field, text in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }
