"""What a run used and for what it waited: counters that do not disturb it, and the split of its workers' time.

Where each figure comes from:

- CPU time: the thread's CPU clock, exact; its division into user and system: getrusage, which goes by ticks.
- Run queue: the second number of /proc/thread-self/schedstat, exact.
- GIL wait: the interpreter's own waits for the GIL's condition variables, timed where it makes them (csrc/lockwait.h).
  Exact, and free of cost for a thread that finds the GIL free. Of a wait that ends because the GIL is free, time spent
  in the run queue after waking counts there; a wait that ran out (5 ms) counts as a whole.
- Blocked: what is left of the workers' time. It holds the waits of the work itself, waits for tasks and for locks.
- GIL hand-overs: the interpreter's own count of them.
- Others' CPU time: the machine's busy and stolen time in /proc/stat, less that of this process and its children. The
  kernel counts it in ticks of 10 ms.
- Throttling: the control group's cpu.stat.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from lanes import _core, interpreter
from lanes.processors import Throttling, throttlings, ticks
from lanes.types import Counters, Run, Usage

Number = TypeVar("Number", int, float)

GIL_METHOD = "timed waits"
"""The interpreter's own waits for the GIL, timed."""

TOLERANCE = 0.05
"""By so much of the workers' time may the parts of a split exceed it; and by a trifle, as a worker's counters begin a
moment before its first task and end one after its last: a process fetches the one and sends what came of the other."""

_TRIFLE_S = 0.001

_SPARE = 16
"""A pool replaces workers that die: each takes an entry of its own."""


@dataclass(frozen=True, slots=True)
class Split:
    """Where the time of a run's workers went, in seconds. The parts add up to total_s, or `adds_up` says they do not.

    workers: threads or processes; a loop is one.
    total_s: these times the work, from the first claim to the last finish.
    cpu_user_s, cpu_system_s: on a processor; their sum is exact, the kernel's ticks divide it.
    run_queue_s: ready to run, and no processor was free.
    gil_wait_s: waiting for the GIL; None where a GIL was there and waits for it could not be measured: they are in
    blocked_s, then.
    blocked_s: what the other parts leave: waits of the work itself, for tasks, for locks; it also holds the time before
    a worker had started and after there were no tasks left.
    """

    workers: int
    total_s: float
    cpu_user_s: float
    cpu_system_s: float
    run_queue_s: float
    gil_wait_s: float | None
    blocked_s: float

    @property
    def cpu_s(self) -> float:
        """Seconds on a processor."""
        return self.cpu_user_s + self.cpu_system_s

    @property
    def sum_s(self) -> float:
        """Of the parts, in seconds."""
        return self.cpu_s + self.run_queue_s + (self.gil_wait_s or 0.0) + self.blocked_s

    @property
    def adds_up(self) -> bool:
        """Whether the parts are total_s, within 5 % and 1 ms a worker."""
        return abs(self.sum_s - self.total_s) <= TOLERANCE * self.total_s + _TRIFLE_S * self.workers

    def share(self, part_s: float) -> float:
        """A part, in seconds, as a share of the workers' time, from 0 to 1."""
        return part_s / self.total_s if self.total_s else 0.0


def split(run: Run) -> Split | None:
    """Where the time of a run's workers went; None for a run without counters or tasks."""
    if run.counters is None or not run.counters.usages or not run.spans:
        return None
    usages = run.counters.usages
    total = len(usages) * run.work_s
    user, system, queue, gil = (
        sum(values)
        for values in zip(
            *((each.cpu_user_s, each.cpu_system_s, each.run_queue_s, each.gil_wait_s) for each in usages), strict=True
        )
    )
    known = run.body is None or not run.counters.gil or run.counters.gil_method is not None
    blocked = max(0.0, total - user - system - queue - gil)
    return Split(len(usages), total, user, system, queue, gil if known else None, blocked)


class Meter:
    """The clock and the counters of one run: `with Meter(workers) as meter: ...`, then `began_ns` to `counters`. The
    model's workers enter what they use in its ledger, which is None when counting is off."""

    def __init__(
        self,
        workers: int,
        counting: bool = True,
        strangers: bool = False,
        beside: Callable[[], float] | None = None,
    ) -> None:
        """strangers: whether the workers are no children of this process, which then never learns what they used.
        beside: CPU seconds so far of other processes that work for the run and are not reaped before it ends."""
        self.ledger = _core.Ledger(workers + _SPARE) if counting else None
        self.began_ns = self.ended_ns = 0
        self.cpu_s = 0.0
        self._strangers = strangers
        self._beside = beside or (lambda: 0.0)
        self.counters: Counters | None = None
        self._timed = False
        self._handovers: int | None = None
        self._before = _Conditions()

    def __enter__(self) -> Self:
        if self.ledger is not None:
            self._before = _Conditions.now()
            self._timed = interpreter.gil() and _core.watch_gil(True)
            self._handovers = _core.gil_handovers()
        self.cpu_s = -_cpu_s() - self._beside()
        self.began_ns = time.monotonic_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended_ns = time.monotonic_ns()
        self.cpu_s += _cpu_s() + self._beside()
        if self.ledger is None:
            return
        handovers = _core.gil_handovers()
        cost_s = _core.gil_wait_cost() / 1e9 if self._timed else 0.0
        if self._timed:
            _core.watch_gil(False)
        _core.rest()
        after = _Conditions.now()
        usages = tuple(_usage(entry) for entry in self.ledger.entries())
        if self._strangers:
            self.cpu_s += sum(each.cpu_user_s + each.cpu_system_s for each in usages)
        self.counters = Counters(
            usages=usages,
            gil=interpreter.gil(),
            gil_method=GIL_METHOD if self._timed else None,
            gil_cost_s=cost_s,
            handovers=_difference(handovers, self._handovers),
            throttled_s=_throttled_s(self._before, after),
            others_s=_others(self._before, after, self.cpu_s),
        )


def _usage(entry: _core.Entry) -> Usage:
    process, thread, began, ended, cpu, user, system, queue, gil, waits, voluntary, involuntary = entry
    share = user / (user + system) if user + system > 0 else 1.0
    return Usage(
        process_id=process,
        thread_id=thread,
        began_ns=began,
        ended_ns=ended,
        cpu_user_s=cpu * share / 1e9,
        cpu_system_s=cpu * (1.0 - share) / 1e9,
        run_queue_s=max(0, queue) / 1e9,
        gil_wait_s=gil / 1e9,
        gil_waits=waits,
        voluntary=voluntary,
        involuntary=involuntary,
    )


def _cpu_s() -> float:
    """CPU seconds, user and system, of this process and of the children it has reaped."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@dataclass(frozen=True, slots=True)
class _Conditions:
    """What the machine and the control groups have counted so far; nothing where they do not."""

    busy_s: float | None = None
    throttled: Mapping[Path, Throttling] = field(default_factory=dict)

    @classmethod
    def now(cls) -> Self:
        spent = ticks()
        busy_s = None if spent is None else (spent.work + spent.stolen) / os.sysconf("SC_CLK_TCK")
        return cls(busy_s, throttlings())


def _throttled_s(before: _Conditions, after: _Conditions) -> float | None:
    """Of the group that stood still for longest meanwhile: a process stands still with each of its groups."""
    both = before.throttled.keys() & after.throttled.keys()
    return max((after.throttled[each].seconds - before.throttled[each].seconds for each in both), default=None)


def _others(before: _Conditions, after: _Conditions, own_s: float) -> float | None:
    machine_s = _difference(after.busy_s, before.busy_s)
    return None if machine_s is None else max(0.0, machine_s - own_s)


def _difference(after: Number | None, before: Number | None) -> Number | None:
    return None if after is None or before is None else after - before
