"""What became of tasks that came with time: how long they waited, how long they took, and how many waited at once.

All of it is reckoned from the book of a load: when each task was due, admitted to the queue, started and finished.
Latency counts from the moment a task was due. Were it to count from when a late producer came round to it, every stall
would hide the waits that it causes.

Where workers take their tasks themselves there is no producer, and so nobody has noted when a task was admitted. But
the rule is known: in order, as soon as it is due, and the queue has room once so many have been started.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from lanes import _core, stats

POINTS = 100
"""Of a series: so many intervals of equal length."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long things took, in seconds: what half (p50), nine tenths (p90) and 99 of 100 (p99) did not exceed; and the
    longest (max)."""

    p50: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, times_ns: Iterable[int]) -> Self | None:
        """None where there are none. Each is one that was measured: the nearest rank."""
        ordered = sorted(times_ns)
        if not ordered:
            return None
        p50, p90, p99 = (ordered[math.ceil(share * len(ordered)) - 1] / 1e9 for share in (0.5, 0.9, 0.99))
        return cls(p50, p90, p99, ordered[-1] / 1e9)


@dataclass(frozen=True, slots=True)
class Point:
    """An interval of a load.

    until_s:   seconds from the beginning to its end.
    backlog:   the most tasks that stood in the queue: admitted, not started.
    outside:   the most that had come and waited for room: the producer's, which is late with them.
    at_work:   the most that had been started and were not finished.
    served:    tasks finished a second.
    service_s: seconds from start to finish of those: the median; None where none was finished.
    """

    until_s: float
    backlog: int
    outside: int
    at_work: int
    served: float
    service_s: float | None


@dataclass(frozen=True, slots=True)
class Book:
    """The times of all tasks of a load, in nanoseconds since its beginning; `admitted` is reckoned where nobody
    noted it. None for what did not happen."""

    due: tuple[int, ...]
    admitted: tuple[int | None, ...]
    started: tuple[int | None, ...]
    finished: tuple[int | None, ...]
    rejected: tuple[bool, ...]
    taken: tuple[int | None, ...]
    """When it left the queue: was claimed, or started. What was claimed before it was due has never stood in it."""

    @classmethod
    def of(cls, arrivals: Iterable[_core.Arrival], bound: int | None, rejects: bool) -> Self:
        """What `_core.Arrivals` has of them."""
        entries = list(arrivals)
        due, admitted, started, finished, rejected, taken = zip(*entries, strict=True) if entries else ((),) * 6
        if all(time is None for time in admitted):
            admitted = tuple(_admissions(due, taken, rejected, None if rejects else bound))
        else:
            taken = started
        return cls(due, admitted, started, finished, rejected, taken)

    @property
    def waiting(self) -> Times | None:
        """From due to started."""
        return Times.of(_differences(self.due, self.started))

    @property
    def working(self) -> Times | None:
        """From started to finished."""
        return Times.of(_differences(self.started, self.finished))

    @property
    def latency(self) -> Times | None:
        """From due to finished."""
        return Times.of(_differences(self.due, self.finished))

    @property
    def slip(self) -> Times | None:
        """From due to admitted: how late the producer was, by itself or because there was no room."""
        return Times.of(_differences(self.due, self.admitted))

    @property
    def most_backlog(self) -> int:
        return _most(_changes(self.admitted, self.taken), [math.inf])[0]

    @property
    def most_at_work(self) -> int:
        return _most(_changes(self.started, self.finished), [math.inf])[0]

    @property
    def ended_ns(self) -> int:
        """When the last task was finished, or the last one came."""
        return max((time for times in (self.due, self.finished) for time in times if time is not None), default=0)

    @property
    def served(self) -> float:
        """Tasks finished a second."""
        return sum(time is not None for time in self.finished) / (self.ended_ns / 1e9) if self.ended_ns else 0.0

    def series(self, points: int = POINTS) -> tuple[Point, ...]:
        """The load in so many intervals of equal length."""
        if not self.ended_ns:
            return ()
        length = self.ended_ns / points
        edges = [length * (n + 1) for n in range(points)]
        came = [None if rejected else due for due, rejected in zip(self.due, self.rejected, strict=True)]
        backlog = _most(_changes(self.admitted, self.taken), edges)
        outside = _most(_changes(came, self.admitted), edges)
        at_work = _most(_changes(self.started, self.finished), edges)
        service = list(self._service(length, points))
        return tuple(
            Point(
                edges[n] / 1e9, backlog[n], outside[n], at_work[n], len(service[n]) * 1e9 / length, _median(service[n])
            )
            for n in range(points)
        )

    def _service(self, length: float, points: int) -> Iterator[list[int]]:
        """By interval, how long the tasks took that were finished in it."""
        found: list[list[int]] = [[] for _ in range(points)]
        for started, finished in zip(self.started, self.finished, strict=True):
            if started is not None and finished is not None:
                found[min(points - 1, int(finished / length))].append(finished - started)
        return iter(found)


def _differences(since: Sequence[int | None], until: Sequence[int | None]) -> Iterator[int]:
    for begin, end in zip(since, until, strict=True):
        if begin is not None and end is not None:
            yield end - begin


def _median(times_ns: Sequence[int]) -> float | None:
    middle = stats.median(times_ns)
    return None if middle is None else middle / 1e9


def _admissions(
    due: Sequence[int], taken: Sequence[int | None], rejected: Sequence[bool], bound: int | None
) -> Iterator[int | None]:
    """When each would have been admitted. With a bound, the n-th only when more than n - bound have left the queue."""
    left = sorted(max(when, time) for when, time in zip(due, taken, strict=True) if time is not None)
    before: float = 0
    for n, (when, sent_away) in enumerate(zip(due, rejected, strict=True)):
        if sent_away:
            yield None
            continue
        before = max(before, when)
        if bound is not None and n >= bound:
            before = max(before, left[n - bound]) if n - bound < len(left) else math.inf
        yield None if before == math.inf else int(before)


def _changes(entered: Sequence[int | None], left: Sequence[int | None]) -> list[tuple[int, int]]:
    """By time, one more or one less. Who leaves at the moment when another enters has made room for it."""
    changes = []
    for begin, end in zip(entered, left, strict=True):
        if begin is not None:
            changes.append((begin, 1))
            if end is not None:
                # Who leaves before it has entered was never there.
                changes.append((max(begin, end), -1))
    return sorted(changes)


def _most(changes: Sequence[tuple[int, int]], edges: Sequence[float]) -> list[int]:
    """The most there were at any time of each interval, which ends at its edge."""
    most, now, n = [], 0, 0
    for edge in edges:
        highest = now
        while n < len(changes) and (changes[n][0] <= edge or edge is edges[-1]):
            now += changes[n][1]
            highest = max(highest, now)
            n += 1
        most.append(highest)
    return most
