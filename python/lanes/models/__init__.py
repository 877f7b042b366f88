"""The columns of the grid. A new one is a file here and a line below; it is imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence
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


def select(wanted: str | Sequence[str]) -> tuple[str, ...]:
    """The names meant by "all", by a family or by a list of either ("native" or "serial,native-epoll"), each once."""
    words = [word.strip() for word in wanted.split(",")] if isinstance(wanted, str) else wanted
    families = {"all": names(), **FAMILIES}
    allowed = f"choose all, {', '.join(FAMILIES)} or any of {', '.join(names())}"
    chosen: dict[str, None] = {}
    for word in words:
        if word not in families and word not in names():
            raise ValueError(f"unknown model {word!r}: {allowed}")
        chosen.update(dict.fromkeys(families.get(word, (word,))))
    if not chosen:
        raise ValueError(f"no model: {allowed}")
    return tuple(chosen)
