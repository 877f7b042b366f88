"""What a function gave: when two are the same, and what of them arrives in another process."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import NoReturn

import pytest

from lanes.types import Done, Outcome, Span, Task
from lanes.value import Lost, UnpicklableError, Value, check_items, check_outcomes, sent, shown, words

SPAN = Span(0, 1, 1, 0, 1, 1, 2, 1)


class Plain:
    """No `__eq__`, and an attribute's value that is also an attribute's name: one string here, two when unpickled."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.name = "value"


class Array:
    """Like numpy's: what `==` gives is no truth value."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = numbers

    def __eq__(self, other: object) -> Array:  # type: ignore[override]
        assert isinstance(other, Array)
        return Array(*(one == two for one, two in zip(self.numbers, other.numbers, strict=True)))

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> NoReturn:
        raise ValueError("the truth value of an array is ambiguous")


class OneWayError(Exception):
    """Pickled without an error, and then nothing that can be unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


class Grumpy:
    def __repr__(self) -> str:
        raise RuntimeError("no comment")


class Odd(list[int]):
    def __len__(self) -> int:
        raise RuntimeError("no comment")


Odd.__name__ = "list"  # which is what reprlib goes by


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no comment")


SAME: list[Callable[[], object]] = [
    lambda: 1,
    lambda: [1, {"a": (2.5, None)}],
    lambda: float("nan"),
    lambda: {"a": [float("nan")]},
    lambda: Array(1, 2),
    lambda: Plain([1, Array(3)]),
    lambda: threading.Lock(),
    lambda: (n for n in range(3)),
    lambda: OneWayError("a", "b"),
]
DIFFERENT: list[tuple[object, object]] = [
    (1, 2),
    (None, 0),
    ([1], (1,)),
    (float("nan"), 0.0),
    (Array(1, 2), Array(1, 3)),
    (Plain(1), Plain(2)),
    (Plain(1), 1),
    (threading.Lock(), threading.Event()),
    (threading.Lock(), 1),
]


@pytest.mark.parametrize("make", SAME)
def test_the_same_is_the_same_here_and_after_a_journey(make: Callable[[], object]) -> None:
    one, other = Value(make()), Value(make())
    assert one == other
    assert sent(one) == other
    assert one == sent(sent(other))
    assert (Outcome("ok", (one,)) == Outcome("ok", (sent(other),))) is True


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_differs_differs_here_and_after_a_journey(one: object, other: object) -> None:
    assert Value(one) != Value(other)
    assert sent(Value(one)) != Value(other)
    assert sent(Value(one)) != sent(Value(other))


def test_what_cannot_travel_arrives_as_its_kind_and_the_reason() -> None:
    lock = sent(Value(threading.Lock()))
    assert lock.content is None
    assert lock.lost == Lost("lock", "cannot be pickled: TypeError: cannot pickle '_thread.lock' object")
    assert sent(lock) == lock
    error = sent(Value(OneWayError("a", "b")))
    assert error.lost is not None
    assert error.lost.kind == "OneWayError"
    assert error.lost.why.startswith("cannot be unpickled: TypeError: ")
    assert (repr(lock), repr(error)) == ("<lock>", "<OneWayError>")


def test_what_can_travel_does() -> None:
    assert sent(Value({"a": [1]})).content == {"a": [1]}
    assert repr(Value([1, "a\nb"])) == "[1, 'a\\nb']"
    with pytest.raises(TypeError, match="unhashable"):
        hash(Value(1))


def test_whatever_things_say_of_themselves_is_one_short_line() -> None:
    assert "Grumpy" in shown(Grumpy())
    assert shown(Odd()) == "<Odd>"
    assert shown("x" * 1000).count("x") < 100
    assert len(shown([["x" * 1000] * 1000] * 1000)) <= 200
    assert words(MuteError()) == ""
    assert words(ValueError("one\n  two")) == "one two"
    assert words(ValueError("\udc80")) == "\\udc80"
    assert len(words(ValueError("x" * 1000))) == 200


def test_an_item_that_reaches_no_worker_is_named() -> None:
    check_items("m:f", [Task(0), Task(1, item=[1, "a"])])
    with pytest.raises(
        UnpicklableError, match=r"^what m:f is given for task 1, <lock .*>, cannot be pickled: TypeError"
    ):
        check_items("m:f", [Task(0, item=1), Task(1, "<lock ...>", item=threading.Lock())])
    with pytest.raises(UnpicklableError, match=r"^what m:f is given for task 7, it, cannot be unpickled: TypeError"):
        check_items("m:f", [Task(7, "it", item=OneWayError("a", "b"))])


def test_a_result_that_does_not_come_home_is_named() -> None:
    lost = sent(Value(threading.Lock()))
    check_outcomes("m:f", [Done(0, Outcome("ok", (Value(threading.Lock()),)), SPAN), Done(1, Outcome("ok"), SPAN)])
    with pytest.raises(UnpicklableError, match=r"^what m:f gave for task 2, lock, cannot be pickled: TypeError"):
        check_outcomes("m:f", [Done(2, Outcome("ok", (lost,)), SPAN)])
    with pytest.raises(
        UnpicklableError, match=r"^what m:f raised for task 3, OneWayError, cannot be unpickled: TypeError"
    ):
        check_outcomes("m:f", [Done(3, Outcome("failed", raised=sent(Value(OneWayError("a", "b")))), SPAN)])


def test_outcomes_with_values_are_pickled_whatever_is_in_them() -> None:
    outcomes = (
        Outcome("ok", (Value(threading.Lock()),)),
        Outcome("failed", error="E", raised=Value(OneWayError("a", "b"))),
    )
    assert pickle.loads(pickle.dumps(outcomes)) == outcomes
