"""A function and its items as the command line names them: `mypkg.mymod:function`, and a file with a JSON list."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from lanes.units import short
from lanes.value import shown, told, words

_SHOWN = 10
"""Of what a module has instead, so many names are told."""


def find(path: str) -> Callable[[Any], object]:
    """The function at `mypkg.mymod:function`, whose module is looked for in the current directory, too."""
    name, _, attributes = path.partition(":")
    if not all(map(str.isidentifier, (*name.split("."), *attributes.split(".")))):
        raise ValueError(f"{short(path)} is no path to a function: write mypkg.mymod:function, the module without .py")
    found: object = _imported(name)
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            raise ValueError(f"{name} has no {attribute}; it has {_callables(found)}")
        found, name = getattr(found, attribute), f"{name}.{attribute}"
    if not callable(found):
        raise ValueError(f"{path} is no function but {shown(found)}")
    return found


def _imported(name: str) -> ModuleType:
    directory = os.getcwd()
    if directory not in sys.path and not sys.flags.safe_path:
        sys.path.insert(0, directory)  # as `python -m` does
    try:
        with redirect_stdout(sys.stderr):  # where only the result may stand
            return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ValueError(f"cannot import {name}: {told(error)}") from error
        hint = ": write it without .py" if name.endswith(".py") else ""
        raise ValueError(f"there is no module {error.name} in {directory} or where Python looks{hint}") from None
    except (Exception, SystemExit) as error:
        raise ValueError(f"cannot import {name}: {told(error)}") from error


def _callables(owner: object) -> str:
    """The names of what can be called there: those that were made there, if there are any."""
    found = {name: getattr(owner, name, None) for name in dir(owner) if not name.startswith("_")}
    there = [name for name, each in found.items() if callable(each)]
    home = getattr(owner, "__name__", None)
    names = [name for name in there if getattr(found[name], "__module__", None) == home] or there
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more if names else "no functions"


def read_items(path: Path) -> list[object]:
    """The elements of the JSON list in this file."""
    try:
        found: object = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {words(error)}") from None
    if not isinstance(found, list):
        raise ValueError(f"{path} is not a JSON list: it holds {_JSON_KINDS[type(found)]}")
    if not found:
        raise ValueError(f"{path} is an empty list: there must be an item for each task")
    return found


_JSON_KINDS = {
    dict: "an object",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
