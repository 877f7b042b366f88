"""What cannot be measured without disturbing the run: memory, pickling and the lag of a loop, in a run of its own.

Memory is read from outside, while the run goes on: the sum of the proportional set sizes (PSS, where a page shared by
n processes counts 1/n in each) of the process and its children, and of each its largest resident size (VmHWM). The sum
of resident sizes would count what they share again and again, and ru_maxrss keeps what a process inherited.

Pickling is what multiprocessing's own pickler does, in all processes of the run. Lag is how long the callbacks of a
loop stood in its queue of what is ready: a timer since it was due, a descriptor only since the loop last looked.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanes import _core, proc
from lanes.types import Closeup, MemoryAt, Model

if TYPE_CHECKING:
    from asyncio import Handle

_PAUSE_S = 0.003
_DUTY = 10
"""Reading a large process takes long, and stops it meanwhile: so many times as long it is then left alone."""

MOST_POINTS = 200
"""Of memory as a run goes. Where there are more looks, a point is that one of several that saw the most."""


class MemoryWatch:
    """The memory of a process and its children, looked at from outside again and again."""

    def __init__(self, root: Path = proc.PROC) -> None:
        self.pause_s = _PAUSE_S
        self.peak_pss: int | None = None
        self._proc = root
        self._rss: dict[int, int] = {}
        self._points: list[tuple[int, int]] = []
        self._looks = 0
        self._each = 1

    def series(self, began_ns: int, ended_ns: int | None = None) -> tuple[MemoryAt, ...]:
        """What was seen from one moment of the monotonic clock to another, in seconds since the first."""
        points = (point for point in self._points if began_ns <= point[0] <= (ended_ns or point[0]))
        return tuple(MemoryAt((at_ns - began_ns) / 1e9, size) for at_ns, size in points)

    @property
    def peak_rss(self) -> tuple[int, ...]:
        """The largest resident size of each process seen, by process id."""
        return tuple(size for _, size in sorted(self._rss.items()))

    def look(self, pid: int) -> None:
        began_ns = time.monotonic_ns()
        total = 0
        tree = list(proc.tree(pid, self._proc))
        for each in tree:
            total += proc.size(self._proc / str(each) / "smaps_rollup", "Pss:")
            if peak := proc.size(self._proc / str(each) / "status", "VmHWM:"):
                self._rss[each] = peak
        # A kernel that does not tell a process's children would have us take one process for them all; and where one
        # came or went meanwhile, shares before and after were added, and some pages counted twice.
        steady = tree == list(proc.tree(pid, self._proc))
        if total and steady and (self._proc / f"{pid}/task/{pid}/children").exists():
            self.peak_pss = max(total, self.peak_pss or 0)
            self._keep(began_ns, total)
        self.pause_s = max(_PAUSE_S, _DUTY * (time.monotonic_ns() - began_ns) / 1e9)

    def _keep(self, at_ns: int, size: int) -> None:
        if self._looks % self._each:
            self._points[-1] = max(self._points[-1], (at_ns, size), key=itemgetter(1))
        else:
            if len(self._points) == MOST_POINTS:
                pairs = zip(self._points[::2], self._points[1::2], strict=True)
                self._points = [max(pair, key=itemgetter(1)) for pair in pairs]
                self._each *= 2
            self._points.append((at_ns, size))
        self._looks += 1


class Lags:
    """How long the callbacks of all loops stood ready, in seconds: the sum and the longest; and how many loops."""

    def __init__(self) -> None:
        self.total_s = self.longest_s = 0.0
        self.loops = 0

    def add(self, seconds: float) -> None:
        self.total_s += seconds
        self.longest_s = max(self.longest_s, seconds)


class _Ready(deque["Handle"]):
    """A loop's queue of what is ready, which it fills at one end and empties at the other."""

    def __init__(self, lags: Lags) -> None:
        super().__init__()
        self._lags = lags
        self._since: deque[float] = deque()

    def append(self, handle: Handle, /) -> None:
        due = getattr(handle, "_when", None)  # only a timer has it
        # First the time: another thread may append, and the loop take the handle at once.
        self._since.append(time.monotonic() if due is None else due)
        super().append(handle)

    def popleft(self) -> Handle:
        handle = super().popleft()
        self._lags.add(max(0.0, time.monotonic() - self._since.popleft()))
        return handle


@contextmanager
def lags() -> Iterator[Lags]:
    """Every loop made inside is watched. It is CPython's own queue that is replaced, under the name it has had since
    3.4; uvloop's loops have none and add nothing."""
    from asyncio import base_events

    found = Lags()
    plain = base_events.BaseEventLoop.__init__

    def watched(self: Any) -> None:
        plain(self)
        self._ready = _Ready(found)
        found.loops += 1

    base_events.BaseEventLoop.__init__ = watched  # type: ignore[method-assign]
    try:
        yield found
    finally:
        base_events.BaseEventLoop.__init__ = plain  # type: ignore[method-assign]


@contextmanager
def pickling(ledger: _core.Ledger) -> Iterator[None]:
    """What multiprocessing pickles inside, in this process and those it starts, is added to the ledger."""
    undo = note_pickling(ledger)
    try:
        yield
    finally:
        undo()


def note_pickling(ledger: _core.Ledger) -> Callable[[], None]:
    """The same from now on; what is returned ends it."""
    return count_pickling(ledger.add, lambda size, ns: ledger.add(0, ns))


def count_pickling(made: Callable[[int, int], object], read: Callable[[int, int], object]) -> Callable[[], None]:
    """Tell of each pickle that multiprocessing makes or reads in this process, from now on, how many bytes it has and
    how many nanoseconds that took; what is returned ends it."""
    from multiprocessing.reduction import ForkingPickler

    pickler: Any = ForkingPickler
    dumps, loads = pickler.dumps, pickler.loads
    as_they_were = {name: vars(pickler)[name] for name in ("dumps", "loads")}

    def timed_dumps(_: object, value: object, *args: object) -> Any:
        began = time.perf_counter_ns()
        pickled = dumps(value, *args)
        made(len(pickled), time.perf_counter_ns() - began)
        return pickled

    def timed_loads(pickled: Any, *args: Any, **options: Any) -> Any:
        began = time.perf_counter_ns()
        value = loads(pickled, *args, **options)
        read(len(pickled), time.perf_counter_ns() - began)
        return value

    def undo() -> None:
        for name, value in as_they_were.items():
            setattr(pickler, name, value)

    pickler.dumps, pickler.loads = classmethod(timed_dumps), staticmethod(timed_loads)
    return undo


@contextmanager
def of(column: Model, ledger: _core.Ledger) -> Iterator[list[Closeup]]:
    """Watch what runs inside from within its own process; what was seen is in the list afterwards."""
    seen: list[Closeup] = []
    pickles = column.family == "python" and column.start_method is not None
    with lags() if column.loop else nullcontext() as found, pickling(ledger) if pickles else nullcontext():
        yield seen
    size, ns = ledger.tally() if pickles else (None, 0)
    watched = found if found is not None and found.loops else None
    seen.append(
        Closeup(
            pickled_bytes=size,
            pickle_s=ns / 1e9 if pickles else None,
            loop_lag_s=watched.total_s if watched else None,
            max_loop_lag_s=watched.longest_s if watched else None,
        )
    )
