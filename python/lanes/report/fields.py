"""What JSON holds, made into the values that it was written from: their annotations say what each field must be.

Fields that are not known here are left alone, and those that a value has by default may be missing: a file may be of
another version of lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lanes.units import short

T = TypeVar("T")

_LATE = {"Lab": object, "Stall": object}
"""What modules import for the type checker alone: fields of these are always given."""


def made(kind: type[T], found: object, **given: object) -> T:
    """The dataclass or named tuple of these fields, but for those that are given. A named tuple may be a list, too.

    Raises ValueError, in one line, for a field that is missing or not of its kind.
    """
    which: Any = kind
    hints = _hints(which)
    if isinstance(found, list) and issubclass(kind, tuple):
        found = dict(zip(hints, found, strict=False))
    if not isinstance(found, dict):
        raise ValueError(f"{kind.__name__} must be an object, not {short(found)}")
    if missing := _needed(which) - found.keys() - given.keys():
        raise ValueError(f"{kind.__name__} has no {min(missing)}")
    known = {name: typed(hints[name], found[name], name) for name in hints.keys() & found.keys() - given.keys()}
    return kind(**known, **given)


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    """What each field must be. A result may have very many spans."""
    return get_type_hints(kind, localns=_LATE)


@cache
def _needed(kind: Any) -> set[str]:
    """The fields without a default."""
    if is_dataclass(kind):
        return {each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING}
    return set(kind._fields) - set(kind._field_defaults)


def typed(kind: Any, value: Any, name: str) -> Any:
    """The value as one of this kind. A whole number stays one where any other may stand.

    Raises ValueError, in one line, where it is none.
    """
    inner = get_args(kind)
    match get_origin(kind) or kind:
        case origin if origin in (Union, UnionType):
            (only,) = (each for each in inner if each is not NoneType)
            return None if value is None else typed(only, value, name)
        case origin if origin is Literal:
            good = value in inner
        case origin if origin is tuple:
            good = isinstance(value, list)
            value = tuple(typed(inner[0], each, name) for each in value) if good else value
        case origin if origin in (dict, Mapping):
            good = isinstance(value, dict)
            value = {key: typed(inner[1], each, name) for key, each in value.items()} if good else value
        case origin if origin is float:
            good = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        case origin if origin in (int, str, bool):
            good = type(value) is origin
        case origin if origin is object:
            good = True
        case origin:
            return made(origin, value)
    if not good:
        raise ValueError(f"{name} must not be {short(value)}")
    return value
