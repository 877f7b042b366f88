"""The columns of the grid. A new one is a file here and a line below; it is imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import cast

from lanes.types import Model

_PYTHON = {
    "serial": "serial",
    "threading": "threads",
    "futures-threads": "futures_threads",
    "multiprocessing": "processes",
    "multiprocessing-pool": "pool",
    "futures-processes": "futures_processes",
    "asyncio": "loop",
}
_NATIVE = {
    "native-serial": "SERIAL",
    "native-pthreads": "PTHREADS",
    "native-fork": "FORK",
    "native-epoll": "EPOLL",
}
FAMILIES: dict[str, tuple[str, ...]] = {"python": tuple(_PYTHON), "native": tuple(_NATIVE)}


def names() -> tuple[str, ...]:
    """All models, in the order of the grid."""
    return (*_PYTHON, *_NATIVE)


def load(name: str) -> Model:
    """The model of that name."""
    if name in _PYTHON:
        return cast(Model, import_module(f"lanes.models.{_PYTHON[name]}"))
    if name in _NATIVE:
        return cast(Model, getattr(import_module("lanes.models.native"), _NATIVE[name]))
    raise ValueError(f"unknown model {name!r}: the models are {', '.join(names())}")


def select(wanted: str | Iterable[str]) -> tuple[str, ...]:
    """The names meant by "all", by a family or by a list of either ("native" or "serial,native-epoll"), each once."""
    return pick("model", wanted, names(), {"all": names(), **FAMILIES})


def pick(
    what: str, wanted: str | Iterable[str], known: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The known names that are meant by a list of them or of groups, each once; a text is parted by commas."""
    allowed = f"choose {', '.join(groups)} or any of {', '.join(known)}"
    chosen: dict[str, None] = {}
    for word in map(str.strip, wanted.split(",")) if isinstance(wanted, str) else wanted:
        if word not in groups and word not in known:
            raise ValueError(f"unknown {what} {word!r}: {allowed}")
        chosen.update(dict.fromkeys(groups.get(word, (word,))))
    if not chosen:
        raise ValueError(f"no {what}: {allowed}")
    return tuple(chosen)
