"""Who holds the lock that a thread stands at, where that is certain: an RLock knows its owner, a Lock does not.

A thread that waits for a lock is within the lock's own code, in C; which lock it is only its innermost frame tells, by
the expression it is evaluating: `with self.lock:` or `lock.acquire()`. It is evaluated once more, as far as that runs
nobody's code: names, and attributes that are stored as they are read.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import threading
from types import FrameType
from typing import Final

_RLOCK: Final = type(threading.RLock())
_ENTERED = ("acquire", "__enter__")
_OWNER = re.compile(r" owner=(\d+) ")


def owner(frame: FrameType) -> int | None:
    """The identity of the thread that holds the RLock for which this innermost frame waits; None for all else."""
    expression = _waited_at(frame)
    lock = None if expression is None else _value(expression, frame)
    if isinstance(lock, threading.Condition):
        lock = inspect.getattr_static(lock, "_lock", None)
    if type(lock) is not _RLOCK:
        return None
    match = _OWNER.search(repr(lock))
    return int(match[1]) or None if match else None


def _waited_at(frame: FrameType) -> ast.expr | None:
    """What stands after `with`, where that is one thing on one line; or before `.acquire()`, which has no time-out."""
    line, _, column, end = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    text = linecache.getline(frame.f_code.co_filename, line or 0).rstrip("\n")
    if not text or column is None or end is None:
        return None
    encoded = text.encode()  # columns count bytes
    here = encoded[column:].decode()
    if here.startswith("with "):
        found = _parsed(f"{here}\n pass") or _parsed(here)
        return found.items[0].context_expr if isinstance(found, ast.With) and len(found.items) == 1 else None
    found = _parsed(encoded[column:end].decode())
    if not isinstance(found, ast.Expr):
        return None
    match found.value:
        case ast.Call(ast.Attribute(lock, name), args=[], keywords=[]) if name in _ENTERED:
            return lock
        case ast.Name() | ast.Attribute() as lock if re.search(r"\bwith\b", encoded[:column].decode()):
            return lock  # Python 3.13 tells the place of what is entered
    return None


def _parsed(text: str) -> ast.stmt | None:
    try:
        (statement,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    return statement


def _value(expression: ast.expr, frame: FrameType) -> object:
    match expression:
        case ast.Name(name):
            return frame.f_locals.get(name, frame.f_globals.get(name))
        case ast.Attribute(of, name):
            return inspect.getattr_static(_value(of, frame), name, None)
    return None
