"""What is reckoned from the times of a load, with known answers."""

from __future__ import annotations

import pytest

from lanes import _core
from lanes.backlog import Book, Times

SECOND = 10**9

QUEUED: list[_core.Arrival] = [
    # due, admitted, started, finished, rejected; as a producer and one worker of two seconds would have it, with room
    # for one that waits
    (0, 0, 0, 2 * SECOND, False, None),
    (1 * SECOND, 1 * SECOND, 2 * SECOND, 4 * SECOND, False, None),
    (1 * SECOND, 2 * SECOND, 4 * SECOND, 6 * SECOND, False, None),
    (3 * SECOND, None, None, None, True, None),
    (5 * SECOND, 5 * SECOND, None, None, False, None),
]


def test_times_are_quantiles_of_what_was_measured() -> None:
    assert Times.of([]) is None
    assert Times.of([3 * SECOND]) == Times(3.0, 3.0, 3.0, 3.0)
    assert Times.of(n * SECOND for n in range(1000, 0, -1)) == Times(500.0, 900.0, 990.0, 1000.0)


def test_latency_counts_from_when_a_task_was_due() -> None:
    book = Book.of(QUEUED, 1, rejects=False)
    assert book.waiting == Times(1.0, 3.0, 3.0, 3.0)
    assert book.working == Times(2.0, 2.0, 2.0, 2.0)
    assert book.latency == Times(3.0, 5.0, 5.0, 5.0)
    assert book.slip == Times(0.0, 1.0, 1.0, 1.0)


def test_backlog_and_work_at_once() -> None:
    book = Book.of(QUEUED, 1, rejects=False)
    assert book.most_backlog == 1, "one was started at the very moment when the next was admitted"
    assert book.most_at_work == 1
    assert book.ended_ns == 6 * SECOND
    assert book.served == 0.5


def test_a_series_has_what_was_most_in_each_interval() -> None:
    points = Book.of(QUEUED, 1, rejects=False).series(6)
    assert [point.until_s for point in points] == pytest.approx([1, 2, 3, 4, 5, 6])
    assert [point.backlog for point in points] == [1, 1, 1, 1, 1, 1]
    assert [point.outside for point in points] == [1, 1, 0, 0, 0, 0], "the third waited for room for a second"
    assert [point.at_work for point in points] == [1, 1, 1, 1, 1, 1]
    assert [point.served for point in points] == pytest.approx([0, 0, 1, 0, 1, 1])
    assert [point.service_s for point in points] == [None, None, 2.0, None, 2.0, 2.0]


def pulled(due: list[int], claimed: list[int | None]) -> list[_core.Arrival]:
    """Started as soon as they were claimed and due."""
    starts = [None if claim is None else max(when, claim) for when, claim in zip(due, claimed, strict=True)]
    return [(when, None, start, start, False, claim) for when, start, claim in zip(due, starts, claimed, strict=True)]


def test_where_nobody_admits_tasks_come_in_when_they_are_due() -> None:
    assert Book.of(pulled([0, 1, 2], [0, 5, None]), None, rejects=False).admitted == (0, 1, 2)
    assert Book.of(pulled([0, 1, 2], [0, 5, None]), 1, rejects=True).admitted == (0, 1, 2)
    rejected: list[_core.Arrival] = [*pulled([0, 1], [0, 5]), (2, None, None, None, True, None)]
    assert Book.of(rejected, 1, rejects=True).admitted == (0, 1, None)


def test_where_nobody_admits_a_full_queue_holds_up_what_comes() -> None:
    """Room for two: the third comes in when the first is started, the fourth when the second is, and never before the
    one in front of it."""
    book = Book.of(pulled([0, 0, 0, 0, 9], [4, 7, 8, 9, 10]), 2, rejects=False)
    assert book.admitted == (0, 0, 4, 7, 9)
    assert book.most_backlog == 2
    never = Book.of(pulled([0, 0, 0, 0], [4, None, None, None]), 2, rejects=False)
    assert never.admitted == (0, 0, 4, None)


def test_what_was_claimed_ahead_has_never_stood_in_the_queue_however_late_it_is_started() -> None:
    late: list[_core.Arrival] = [(5, None, 9, 10, False, 2), (6, None, 8, 9, False, 3)]
    assert Book.of(late, 1, rejects=True).most_backlog == 0
    queued: list[_core.Arrival] = [(5, None, 9, 10, False, 7), (6, None, 9, 10, False, 7)]
    assert Book.of(queued, 1, rejects=True).most_backlog == 2


def test_nothing_at_all() -> None:
    book = Book.of([], 3, rejects=False)
    assert (book.waiting, book.slip, book.most_backlog, book.served, book.series()) == (None, None, 0, 0.0, ())
