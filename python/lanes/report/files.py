"""How a document comes to a file: as a whole or not at all; and what can be known before the work is done."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

SCHEMA = 1
"""The version of all documents. Fields are added, never renamed."""

_BELOW = 1e100
"""No number in a document is as large as this, so that all can be counted with."""

Document: TypeAlias = dict[str, Any]
"""A document as it was read."""

N = TypeVar("N", int, float)


def dumped(document: Mapping[str, object]) -> str:
    """A document as it stands in a file."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def loaded(path: Path) -> Document:
    """The document of a file; OSError or ValueError, in one line, for what is none of this version of lanes."""
    try:
        found = json.loads(
            path.read_bytes(),
            parse_constant=_refused,
            parse_int=partial(_number, int),
            parse_float=partial(_number, float),
        )
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror}") from None
    except OverflowError as error:
        raise ValueError(f"cannot read {path}: {error}") from None
    except (ValueError, RecursionError):
        raise ValueError(f"cannot read {path}: it is not JSON") from None
    known: Document = found if isinstance(found, dict) else {}
    schema = known.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise ValueError(f"cannot read {path}: it is of version {schema}, and this lanes knows version {SCHEMA}")
    if schema != SCHEMA:
        raise ValueError(f"cannot read {path}: it is no result of lanes")
    return known


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _number(made: Callable[[str], N], text: str) -> N:
    if abs(float(text)) < _BELOW:
        return made(text)
    raise OverflowError("it has a number that is too large")


def check_writable(path: Path) -> None:
    """Raise OSError, naming the path, if `write` could not write there. To be asked before a long run."""
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a directory")
    if is_special(path):
        needed = [path]
    else:
        # The directory, too, as the file is replaced.
        target = path.resolve()
        if not target.parent.is_dir():
            raise FileNotFoundError(f"cannot write {path}: there is no directory {target.parent}")
        needed = [target, target.parent] if target.exists() else [target.parent]
    if not all(os.access(each, os.W_OK) for each in needed):
        raise PermissionError(f"cannot write {path}: permission denied")


def write_text(text: str, path: Path) -> None:
    """Write the file as a whole or not at all; a pipe or a device is written to as it is.

    What UTF-8 cannot hold, such as a byte of a file's name that is no text, is spelled.
    """
    if is_special(path):
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        return
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
        if target.exists():
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def is_special(path: Path) -> bool:
    """Whether it is there and no regular file, and so is written to once: replacing /dev/null would be a surprise.

    To be asked of the path as it was given: what /dev/stdout leads to may be a pipe, which has no other path.
    """
    return path.exists() and not path.is_file()
