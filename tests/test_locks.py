"""Who holds the lock that a thread stands at: known where that is certain, and else not guessed."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, cast

import pytest

from lanes import locks

RLOCK = threading.RLock()


class Owner:
    asked = 0

    def __init__(self, lock: object) -> None:
        self.lock = lock

    @property
    def computed(self) -> object:
        """What runs anybody's code is not evaluated a second time."""
        Owner.asked += 1
        return self.lock


@contextmanager
def standing(wait: Callable[[Any], object], lock: Any) -> Iterator[FrameType]:
    """The innermost frame of a thread that waits, in this way, for a lock that this thread holds."""
    thread = threading.Thread(target=wait, args=(lock,))
    with lock:
        thread.start()
        yield settled(cast(int, thread.ident))
    thread.join()


def settled(ident: int) -> FrameType:
    """Where a thread stands, when it has stood there for a while: it is within the lock by then."""
    while True:
        before = sys._current_frames()[ident]
        place = before, before.f_lasti
        time.sleep(0.2)
        after = sys._current_frames()[ident]
        if (after, after.f_lasti) == place and after.f_code.co_name != "_bootstrap_inner":
            return after


def by_with(lock: Any) -> None:
    with lock:
        pass


def by_with_on_one_line(lock: Any) -> None:
    with lock: pass  # noqa: E701  # fmt: skip


def by_call(lock: Any) -> None:
    lock.acquire()
    lock.release()


def by_attribute(lock: Any) -> None:
    owner = Owner(lock)
    with owner.lock:  # type: ignore[attr-defined]
        pass


def by_global(lock: object) -> None:
    with RLOCK:
        pass


def with_a_time_out(lock: Any) -> None:
    if lock.acquire(timeout=60):
        lock.release()


def by_property(lock: Any) -> None:
    owner = Owner(lock)
    with owner.computed:  # type: ignore[attr-defined]
        pass


def by_index(lock: Any) -> None:
    locks = [lock]
    with locks[0]:
        pass


@pytest.mark.parametrize("wait", [by_with, by_with_on_one_line, by_call, by_attribute, by_global])
def test_an_rlock_tells_who_holds_it(wait: Callable[[Any], object]) -> None:
    with standing(wait, RLOCK) as frame:
        assert locks.owner(frame) == threading.get_ident()


def test_the_lock_of_a_condition_is_one() -> None:
    with standing(by_with, threading.Condition()) as frame:
        assert frame.f_code.co_name in ("__enter__", "by_with")
        assert locks.owner(frame) == threading.get_ident()


@pytest.mark.parametrize("wait", [with_a_time_out, by_property, by_index])
def test_what_is_not_certain_is_not_told(wait: Callable[[Any], object]) -> None:
    with standing(wait, RLOCK) as frame:
        asked = Owner.asked
        assert locks.owner(frame) is None
        assert Owner.asked == asked


def test_a_lock_knows_nobody() -> None:
    with standing(by_with, threading.Lock()) as frame:
        assert locks.owner(frame) is None


def test_a_frame_without_its_source_tells_nothing() -> None:
    names: dict[str, Any] = {}
    exec("def wait(lock):\n    with lock:\n        pass\n", names)
    with standing(names["wait"], RLOCK) as frame:
        assert locks.owner(frame) is None
