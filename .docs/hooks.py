"""What MkDocs calls while it builds: pages made of what is written elsewhere, names, and docstrings as Markdown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pygments.formatters import HtmlFormatter

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.append(str(HERE))
import prose  # noqa: E402

STYLES = {"light": "friendly", "dark": "github-dark"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and what the README links to, at the place where it has it."""
    readme, linked = prose.linked_files((ROOT / "README.md").read_text(encoding="utf-8"), ROOT)
    made = {
        "README.md": readme,
        "CHANGELOG.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        **{name: make() for name, make in prose.PAGES.items()},
        "colours.css": "\n".join(_colours()),
    }
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    for name in linked:
        if name not in made:
            files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    return prose.page(markdown)


class Docstrings(griffe.Extension):
    """Has all docstrings of the package marked for Markdown."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        _mark(pkg)


def _mark(thing: griffe.Object) -> None:
    if thing.docstring:
        thing.docstring.value = prose.markdown(thing.docstring.value, _fields(thing))
    for member in thing.members.values():
        if not member.is_alias:
            _mark(member)


def _fields(thing: griffe.Object) -> dict[str, str]:
    """What a docstring may list, each with its type as HTML where that is not in the signature."""
    if thing.is_function:
        return {each.name: "" for each in thing.parameters}
    members = [each for each in thing.members.values() if not each.is_alias and not each.is_private]
    fields = (each for each in members if each.is_attribute and "property" not in each.labels)
    return {each.name: "".join(_parts(each.annotation)) for each in fields}


def _parts(annotation: griffe.Expr | str | None) -> Iterator[str]:
    """Names lead to where they are described, if that is anywhere."""
    for part in annotation.iterate() if isinstance(annotation, griffe.Expr) else [annotation or ""]:
        text = escape(part if isinstance(part, str) else str(part), quote=False)
        named = isinstance(part, griffe.ExprName)
        yield f'<autoref optional identifier="{part.canonical_path}">{text}</autoref>' if named else text


def _colours() -> Iterator[str]:
    """Of code, for either kind of page."""
    for mode, style in STYLES.items():
        yield HtmlFormatter(style=style).get_style_defs(f"[data-bs-theme={mode}] .highlight")
