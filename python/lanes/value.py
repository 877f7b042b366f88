"""What a user's function gave or raised, as it travels between processes.

A worker process, and after it the process of a sample, must send home whatever the function came up with. So pickling
a value never fails: where the content cannot be pickled, or not be made again from its pickle, its kind and the reason
arrive in its place. Whether that ends the run is for the run to say: to a user of processes it would be an error.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from lanes.types import Done, Task
from lanes.units import short

_LONGEST = 200
"""Of what others have to say, so many characters are kept."""


class UnpicklableError(RuntimeError):
    """Something cannot travel to a worker process or back; the text says what and why, in one line."""


class Lost(NamedTuple):
    """What stays of a content that did not arrive: its type's name, and why."""

    kind: str
    why: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Value:
    """A result or an exception of a user's function, or what stays of it.

    content: it itself. lost: its type's name and the reason, where it could not travel home; None where it did.

    Two are equal when their contents are, or have the same pickle: a NaN, an array and an object without an `__eq__`
    are the same on every model, too. Of what cannot be pickled only the types are compared.
    """

    content: object
    lost: Lost | None = None

    @property
    def kind(self) -> str:
        """The name of the content's type."""
        return self.lost.kind if self.lost else type(self.content).__qualname__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value):
            return NotImplemented
        if self.lost is None and other.lost is None and _equal(self.content, other.content):
            return True
        one, another = sent(self), sent(other)
        if one.lost or another.lost:
            return one.kind == another.kind
        return pickle.dumps(one.content) == pickle.dumps(another.content)

    # A content may be anything, and so may not be hashable.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self.kind}>" if self.lost else shown(self.content)

    def __reduce__(self) -> tuple[object, ...]:
        if self.lost is None:
            try:
                return _arrived, (pickle.dumps(self.content), self.kind)
            except Exception as error:
                return Value, (None, Lost(self.kind, f"cannot be pickled: {told(error)}"))
        return Value, (None, self.lost)


def _arrived(data: bytes, kind: str) -> Value:
    try:
        return Value(pickle.loads(data))
    except Exception as error:
        return Value(None, Lost(kind, f"cannot be unpickled: {told(error)}"))


def sent(value: Value) -> Value:
    """The value as it would arrive in another process."""
    arrived: Value = pickle.loads(pickle.dumps(value))
    return arrived


def _equal(one: object, other: object) -> bool:
    """Whether they say so themselves; arrays refuse to be a truth value, and anybody's `__eq__` may fail."""
    try:
        return bool(one == other)
    except Exception:
        return False


def shown(thing: object) -> str:
    """A thing in one short line, whatever its `__repr__` does."""
    try:
        return _cut(short(thing))
    except Exception:
        return f"<{type(thing).__qualname__}>"


def words(error: BaseException) -> str:
    """What an exception says, in one line that any terminal can print."""
    try:
        return _cut(str(error)).encode(errors="backslashreplace").decode()
    except Exception:
        return ""


def told(error: BaseException) -> str:
    """An exception's type and what it says."""
    return ": ".join(filter(None, (type(error).__name__, words(error))))


def _cut(text: str) -> str:
    line = " ".join(text[: 2 * _LONGEST].split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def check_items(name: str, tasks: Iterable[Task]) -> None:
    """Raise UnpicklableError, naming the task, for an item that would not reach a worker process.

    To be asked beforehand: the queue of `multiprocessing` pickles in a thread of its own, which prints the error and
    leaves the workers to wait for ever; and a pool's worker that cannot unpickle a task dies without a word.
    """
    for task in tasks:
        if task.item is not None and (lost := sent(Value(task.item)).lost):
            raise UnpicklableError(f"what {name} is given for task {task.index}, {task.text}, {lost.why}")


def check_outcomes(name: str, finished: Iterable[Done]) -> None:
    """Raise UnpicklableError, naming the task, for a result or an exception that did not come home from its worker."""
    for index, outcome, _ in finished:
        for verb, value in (*(("gave", each) for each in outcome.value), ("raised", outcome.raised)):
            if isinstance(value, Value) and value.lost:
                raise UnpicklableError(f"what {name} {verb} for task {index}, {value.kind}, {value.lost.why}")
