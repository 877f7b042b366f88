"""Results read back from the files that `--json` and `to_json` wrote."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from lanes.anatomy import Anatomy
from lanes.claims import Trials
from lanes.comparison import Comparison
from lanes.load import Load
from lanes.report import anatomy, claims, comparison, load, sweep
from lanes.report.files import Document, loaded
from lanes.report.wording import count, listed
from lanes.sweep import Sweep

Result: TypeAlias = Comparison | Sweep | Load | Trials | Anatomy

_KINDS: Mapping[str, Callable[[Document], Result]] = {
    "claims": claims.read,
    "anatomy": anatomy.read,
    "load": load.read,
    "sweep": sweep.read,
    "rows": comparison.read,
}
"""By a field that only documents of this kind have; a sweep has those of its comparison as well."""


def read(path: str | os.PathLike[str]) -> Result:
    """The result in a file: a `Comparison`, `Sweep`, `Load`, `Trials` or `Anatomy`, as `--json` or `to_json` wrote it.

    It is what it was: `print` shows the same, and so do all other forms of it. Of a run other than the typical one the
    spans are not in the file; nor are the values of outcomes that went well, nor what it takes to run its workload.

    >>> from tempfile import NamedTemporaryFile
    >>> result = lanes.compare(lanes.wait(tasks=2, duration="5ms"), models="serial", bodies="python", rounds=1)
    >>> with NamedTemporaryFile(suffix=".json") as file:
    ...     text = result.to_json(file.name)
    ...     print(lanes.read(file.name).seed == result.seed)
    True

    Raises OSError for a file that cannot be read, and ValueError for one that has no result, or several: `read_all`
    gives them all.
    """
    found = read_all(path)
    if len(found) > 1:
        names = listed([_name(result) for result in found])
        raise ValueError(f"{path} has {count(len(found), 'result')}, {names}: lanes.read_all gives them")
    return found[0]


def read_all(path: str | os.PathLike[str]) -> list[Result]:
    """All results in a file, in their order. Raises what `read` raises."""
    document = loaded(Path(path))
    try:
        several = document.get("comparisons", [document])
        found = [_result(each) for each in several]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"cannot read {path}: it is no result of lanes: {why}") from None
    if not found:
        raise ValueError(f"cannot read {path}: it is no result of lanes: it is empty")
    return found


def _result(document: Document) -> Result:
    for field, made in _KINDS.items():
        if field in document:
            return made(document)
    raise ValueError(f"it has none of {', '.join(_KINDS)}")


def _name(result: Result) -> str:
    """What it is about."""
    if isinstance(result, Trials):
        return "claims"
    return result.comparison.workload.name if isinstance(result, Sweep) else result.workload.name
