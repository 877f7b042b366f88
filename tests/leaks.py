"""The cases of test_leaks.py. Each runs in a process of its own, `python leaks.py CASE URL STALLED_URL`, repeats one
use of the engine and prints as JSON what a repetition has left behind on average.

A leak shows in every round of repetitions, and what grows for another reason (a cache, a table) does not: the round
with the least growth counts.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from lanes import _core
from processes import AREA as AREA_BYTES
from processes import flown, holdings, in_a_thread, left_since, payload

MS = 10**6
SECOND = 10**9
FLYING = ("native-pthreads", "native-fork", "native-epoll")
RUNNERS = (*_core.MODELS, *(f"{model}, begun" for model in FLYING), "worker-held", "worker-released")
LEDGER = ("__new__", "attach", "fileno", "look", "begin", "add", "tally", "entries")
AREA = ("__new__", "attach", "fileno", "__len__", *(["__buffer__"] if sys.version_info >= (3, 12) else []))
ARRIVALS = ("attach", "fileno", "begin", "began", "end", "ended", "claim", "due", "admit", "reject", "start", "finish")
SEEN = ("progress", "__len__", "__getitem__", "__iter__")
"""Of arrivals, by whoever looks on."""
ROUND = 12
"""Repetitions."""
ROUNDS = 6
LEAST = {"blocks": 1, "bytes": 32, "mappings": 1}
"""What one leak in each repetition would add: an object of Python's; what malloc gives at least; a mapping."""


class Urls(NamedTuple):
    good: str
    stalled: str


class Case(NamedTuple):
    covers: set[str]
    use: Callable[[], object]


def entry_points() -> set[str]:
    """All that can be called in the engine."""
    found: set[str] = set()
    for name, thing in vars(_core).items():
        if isinstance(thing, type):
            found |= {f"{name}.{method}" for method, attribute in vars(thing).items() if callable(attribute)}
        elif callable(thing) and not name.startswith("__"):
            found.add(name)
    return found


def run(runner: str, workload: str, tasks: list[_core.TaskInput]) -> object:
    if runner in _core.MODELS:
        return _core.run(runner, workload, tasks, 2, None, None, _core.Area(AREA_BYTES))
    if runner.endswith(", begun"):
        return flown(runner.removesuffix(", begun"), workload, tasks, 2, _core.Area(AREA_BYTES))
    with _core.Worker(workload, _core.Area(AREA_BYTES)) as worker:
        return [worker.run(task, runner == "worker-released") for task in tasks]


def reads(runner: str, workload: str, tasks: list[_core.TaskInput]) -> None:
    """Run and look at all that came of it."""
    records = run(runner, workload, tasks)
    assert isinstance(records, _core.Records | list)
    assert list(records) == [records[n] for n in range(len(tasks))]
    assert len(records) == len(tasks)


@contextmanager
def alarmed(handler: Callable[[], None], every: float = 0.003) -> Iterator[None]:
    """Call this again and again."""
    signal.signal(signal.SIGALRM, lambda *_: handler())
    signal.setitimer(signal.ITIMER_REAL, every, every)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def interrupted(runner: str, workload: str, task: _core.TaskInput) -> None:
    stopped(lambda: run(runner, workload, [task] * 3))


def stopped(use: Callable[[], object]) -> None:
    """Ctrl-C comes while this lasts."""

    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt), alarmed(stop):
        use()
        raise AssertionError("it was not interrupted")


def killed() -> None:
    # Read without `open`: what its objects leave for later would be counted, too.
    def kill() -> None:
        fd = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)
        for child in os.read(fd, 100).split():
            os.kill(int(child), signal.SIGKILL)
        os.close(fd)

    with alarmed(kill, every=0.015):  # time to claim the task
        assert _core.run("native-fork", "wait", [("", 3600 * SECOND)], 1)[0][0] == "killed"


def partner_killed() -> None:
    """Again and again, until the alarm has come between the start of a partner and its last answer."""

    def kill() -> None:
        pid = os.getpid()
        for _ in range(2):
            fd = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY)
            found = os.read(fd, 100).split()
            os.close(fd)
            if not found:
                return
            pid = int(found[0])
        with suppress(ProcessLookupError):  # its worker has ended meanwhile
            os.kill(pid, signal.SIGKILL)

    with alarmed(kill):
        records = _core.run("native-fork", "exchange", [payload("shared-memory", 2**20)] * 100, 1)
        assert {record[1] for record in records} <= {None, "PartnerKilled"}


def refused(use: Callable[..., object], *args: object) -> None:
    """What the engine must refuse."""
    with suppress(TypeError, ValueError, OverflowError, RuntimeError, IndexError):
        use(*args)
        raise AssertionError(f"{args} was not refused")


def worker_refuses() -> None:
    worker = _core.Worker("wait")
    refused(worker.run, ("", 0))
    refused(worker.run, ("", -1), True)
    refused(worker.run, ("\0",), True)
    refused(worker.run, ("", 2**63), False)
    refused(worker.run, ["", 1], False)
    refused(_core.run, "native-fork", "wait", [], 1)
    worker.close()
    worker.close()
    refused(worker.run, ("", 0), True)
    refused(_core.Worker)
    refused(_core.Worker, "none")
    refused(_core.Worker, "wait\0")


def run_refuses(model: str) -> None:
    refused(_core.run)
    refused(_core.run, model, "wait", [("", 0)])
    refused(_core.run, model, "none", [], 1)
    refused(_core.run, "none", "wait", [], 1)
    refused(_core.run, model, "wait", [], 0)
    refused(_core.run, model, "wait", 1, 1)
    for bad in (None, ("", -1), ("", 2**63), ("\0",), ("\ud800",), ("", 1.0), ("", 1, 2, 3, 4, 5)):
        refused(_core.run, model, "wait", [("", 0), bad], 2)
    refused(_core.run, model, "compute", [("primes", 0, 1), ("pi", 0, 1)], 2)
    refused(_core.run, model, "download", [("ftp://127.0.0.1/", SECOND, SECOND)], 2)


def records_refuse() -> None:
    records = _core.run("native-serial", "wait", [("", 0)] * 3, 1)
    for index in (3, -4, 2**70):
        refused(records.__getitem__, index)
    refused(_core.Records)


def flights_end(model: str) -> None:
    """In all the ways there are, and whatever the tasks do."""
    ledger = _core.Ledger(2)
    for args in ((), (ledger, ("", MS // 10))):
        for count in (0, 3):
            flight = _core.begin(model, "wait", [("", 3600 * SECOND)] * count, 2, *args)
            assert flight.fileno() > 0
            flight.step()
            flight.cancel()
            flight.cancel()
    _core.begin(model, "wait", [("", 3600 * SECOND)] * 3, 2)  # never ended: freeing it does
    _core.watch_gil(False)


def flight_refuses() -> None:
    assert _core.can_begin("native-epoll", "wait")
    refused(_core.can_begin, "native-epoll")
    refused(_core.can_begin, "native", "wait")
    refused(_core.can_begin, "native-epoll", "none")
    refused(_core.begin)
    refused(_core.begin, "native-serial", "wait", [], 1)
    refused(_core.begin, "native-epoll", "compute", [("squares", 0, 1)], 1)
    refused(_core.begin, "native-epoll", "wait", [("", 0), ("", -1)], 1)
    refused(_core.begin, "native-epoll", "wait", [("", 0)], 1, None, ("", -1))
    refused(_core.Flight)
    with _core.begin("native-pthreads", "wait", [("", 3600 * SECOND)], 1) as flight:
        refused(flight.finish)
        refused(_core.begin, "native-fork", "wait", [], 1)
        with in_a_thread(flight.step) as result:
            pass
        assert isinstance(result[0], RuntimeError)
    for use in (flight.step, flight.finish, flight.fileno):
        refused(use)


def keeps_a_ledger() -> None:
    ledger = _core.Ledger(3)
    ledger.look()
    ledger.look(True)
    ledger.begin()
    with in_a_thread(ledger.look):
        pass
    ledger.add(1, 2)
    other = _core.Ledger.attach(os.dup(ledger.fileno()))
    other.add(1, 1)
    assert (len(other.entries()), ledger.tally()) == (2, (2, 3))
    _core.rest()


def ledger_refuses() -> None:
    ledger = _core.Ledger(1)
    refused(_core.Ledger)
    refused(_core.Ledger, 0)
    refused(_core.Ledger, "1")
    refused(_core.Ledger.attach, "1")
    zeros = os.memfd_create("no ledger")
    os.ftruncate(zeros, 4096)
    for descriptor in (os.open(os.devnull, os.O_RDWR), zeros, -1):
        with suppress(OSError):
            _core.Ledger.attach(descriptor)
            raise AssertionError(f"{descriptor} is no ledger's")
        if descriptor >= 0:
            os.close(descriptor)  # it was left to us
    refused(ledger.look, True, True)
    refused(ledger.add, 1)
    refused(ledger.add, 1, 2**63)
    refused(ledger.begin, 1)
    refused(ledger.tally, 1)
    refused(ledger.entries, 1)
    refused(_core.run, "native-serial", "wait", [("", 0)], 1, 1)


def shares_an_area() -> None:
    area = _core.Area(100)
    view = memoryview(area)
    other = _core.Area.attach(os.dup(area.fileno()))
    memoryview(other)[99] = 1
    assert (len(area), view[99]) == (100, 1)
    for model in _core.MODELS:
        assert _core.run(model, "wait", [("", 0)], 2, None, None, area)[0][0] == "ok"
    with _core.Worker("wait", area) as worker:
        worker.run(("", 0), False)


def area_refuses() -> None:
    refused(_core.Area)
    refused(_core.Area, 0)
    refused(_core.Area, "1")
    refused(_core.Area, 2**63)
    refused(_core.Area.attach, "1")
    with suppress(MemoryError):
        _core.Area(2**62)
        raise AssertionError("there is no such memory")
    with suppress(OSError):
        _core.Area.attach(-1)
        raise AssertionError("there is no such file")
    refused(_core.run, "native-serial", "wait", [("", 0)], 1, None, None, 1)
    refused(_core.begin, "native-epoll", "wait", [("", 0)], 1, None, None, 1)
    refused(_core.Worker, "wait", 1)


def has_tasks_come(model: str) -> None:
    """In both ways there are, with more than the queue has room for, and with some left in the end."""
    for rejects, most in ((False, SECOND), (True, SECOND), (False, 1)):
        arrivals = _core.Arrivals([0, 0, MS // 10, MS // 5], 1, rejects, most)
        _core.run(model, "wait", [("", MS // 10)] * 4, 2, None, None, None, arrivals)
        assert len(list(arrivals)) == 4
        assert arrivals.progress()[2] <= 4
    late = _core.Arrivals([3600 * SECOND], 0, False, 2**50)
    stopped(lambda: _core.run(model, "wait", [("", 0)], 2, None, None, None, late))


def takes_part() -> None:
    arrivals = _core.Arrivals([0, 0, 0], 1, True, SECOND)
    other = _core.Arrivals.attach(os.dup(arrivals.fileno()))
    assert arrivals.began() is None
    assert other.begin() == arrivals.due(0)
    assert (arrivals.admit(0), arrivals.admit(1)) == (True, False)
    arrivals.reject(1)
    assert other.start(0)
    other.finish(0)
    assert arrivals.claim() is not None
    arrivals.end()
    assert (other.ended(), other.claim()) == (True, None)


def arrivals_refuse() -> None:
    refused(_core.Arrivals)
    refused(_core.Arrivals, [1, 0], 0, False, 1)
    refused(_core.Arrivals, [2**63], 0, False, 1)
    refused(_core.Arrivals, ["1"], 0, False, 1)
    refused(_core.Arrivals, [], -1, False, 1)
    refused(_core.Arrivals.attach, "1")
    with suppress(OSError):
        _core.Arrivals.attach(-1)
        raise AssertionError("there is no such file")
    arrivals = _core.Arrivals([0], 0, False, 1)
    for use in (arrivals.due, arrivals.admit, arrivals.reject, arrivals.start, arrivals.finish):
        refused(use, 1)
        refused(use, "0")
    refused(_core.run, "native-serial", "wait", [("", 0)] * 2, 1, None, None, None, arrivals)
    refused(_core.begin, "native-epoll", "wait", [("", 0)], 1, None, None, None, 1)


def enters(model: str) -> None:
    """A run whose workers enter what they use; more of them than there is room for."""
    for room in (2, 1):
        ledger = _core.Ledger(room)
        _core.run(model, "wait", [("", MS // 10)] * 4, 2, ledger)
        assert 1 <= len(ledger.entries()) <= room
    _core.rest()


def watches() -> None:
    """Two threads that take turns on the GIL while waits for it are timed."""
    has_gil = _core.watch_gil(True)
    try:
        before = _core.gil_handovers()
        with in_a_thread(partial(spin, 20 * MS)):
            spin(20 * MS)
        after = _core.gil_handovers()
        assert _core.gil_wait_cost() > 0
        assert not has_gil or (before is not None and after is not None and after > before)
    finally:
        _core.watch_gil(False)
        _core.rest()


def looked_at(model: str) -> None:
    """A run whose tasks are looked at while they are under way."""
    with _core.begin(model, "wait", [("", 3600 * SECOND)] * 3, 2) as flight:
        flight.step()
        _core.under_way()
    assert _core.under_way() == []


def names_system_calls() -> None:
    _core.system_call(-1)
    refused(_core.system_call, "futex")
    refused(_core.system_call, 2**64)


def spin(ns: int) -> None:
    until = time.monotonic_ns() + ns
    while time.monotonic_ns() < until:
        pass


def abandoned() -> None:
    """Never closed: freeing it does."""
    worker = _core.Worker("download")
    worker.run(("http://", SECOND, SECOND), True)


def cases(urls: Urls) -> dict[str, Case]:
    tasks: dict[str, list[_core.TaskInput]] = {
        "wait": [("", MS // 10)] * 4,
        "counter": [("plain", 9), ("atomic", 9), ("locked", 9), ("locked", 2, 1000)],
        "compute": [("squares", 2**40, 2**40 + 9), ("primes", 0, 9), ("mandelbrot", 0, 1, 3)],
        "download": [(urls.good, SECOND, SECOND)] * 4,
        "exchange": [payload(via, 70_000) for via in ("pipe", "file", "eventfd", "pipe")],
    }
    failing: list[_core.TaskInput] = [
        ("http://", SECOND, SECOND),
        ("http://127.0.0.1:1/", SECOND, SECOND),
        (urls.stalled, SECOND, 5 * MS),
    ]
    endless: dict[str, _core.TaskInput] = {
        "wait": ("", 3600 * SECOND),
        "compute": ("squares", 0, 2**60),
        "counter": ("locked", 2**40, 3600 * SECOND),
        "download": (urls.stalled, SECOND, 3600 * SECOND),
        "exchange": payload("pipe", 2**26),
    }
    found = {name: Case({name}, getattr(_core, name)) for name in ("here", "die_with_parent")}
    found["name_thread"] = Case({"name_thread"}, partial(_core.name_thread, "leaks"))
    found["load"] = Case({"load"}, partial(_core.load, "download"))
    for runner in RUNNERS:
        covers = {"Worker.__new__", "Worker.run", "Worker.__enter__", "Worker.__exit__"}
        if runner in _core.MODELS:
            covers = {"run", "Records.__len__", "Records.__getitem__", "Records.__iter__"}
            found[f"{runner}, refusing"] = Case({"run"}, partial(run_refuses, runner))
            covers_arrivals = {"run", *(f"Arrivals.{name}" for name in ("__new__", *SEEN))}
            found[f"{runner}, with time"] = Case(covers_arrivals, partial(has_tasks_come, runner))
            found[f"{runner}, counted"] = Case({"run", "Ledger.entries"}, partial(enters, runner))
        elif runner.endswith(", begun"):
            model = runner.removesuffix(", begun")
            covers = {"begin", "Flight.fileno", "Flight.step", "Flight.finish", "Flight.__enter__", "Flight.__exit__"}
            found[f"{runner}, ended"] = Case({"begin", "Flight.cancel"}, partial(flights_end, model))
        for workload in _core.WORKLOADS:
            if runner == "native-epoll, begun" and not _core.can_begin("native-epoll", workload):
                continue  # which it refuses
            found[f"{runner}, {workload}"] = Case(covers, partial(reads, runner, workload, tasks[workload]))
            stop = partial(interrupted, runner, workload, endless[workload])
            found[f"{runner}, {workload}, interrupted"] = Case(covers, stop)
        elsewhere = [payload(via, 70_000) for via in ("queue", "condition", "shared-memory")]
        found[f"{runner}, exchange by memory"] = Case(covers, partial(reads, runner, "exchange", elsewhere))
        found[f"{runner}, failing"] = Case(covers, partial(reads, runner, "download", failing))
    return found | {
        "a worker, refusing": Case({"Worker.__new__", "Worker.run", "Worker.close"}, worker_refuses),
        "a worker, abandoned": Case({"Worker.__new__", "Worker.run"}, abandoned),
        "a flight, refusing": Case({"begin", "can_begin", "Flight.step", "Flight.finish"}, flight_refuses),
        "records, refusing": Case({"Records.__getitem__"}, records_refuse),
        "native-fork, killed": Case({"run"}, killed),
        "native-fork, partner killed": Case({"run"}, partner_killed),
        "a ledger": Case({f"Ledger.{name}" for name in LEDGER}, keeps_a_ledger),
        "a ledger, refusing": Case({"Ledger.__new__", "Ledger.attach", "Ledger.look", "Ledger.add"}, ledger_refuses),
        "an area": Case({f"Area.{name}" for name in AREA}, shares_an_area),
        "an area, refusing": Case({"Area.__new__", "Area.attach"}, area_refuses),
        "arrivals": Case({f"Arrivals.{name}" for name in ARRIVALS}, takes_part),
        "arrivals, refusing": Case({"Arrivals.__new__", "Arrivals.attach", "Arrivals.admit", "run"}, arrivals_refuse),
        **{f"{model}, looked at": Case({"under_way"}, partial(looked_at, model)) for model in FLYING},
        "system calls, named": Case({"system_call"}, names_system_calls),
        "the GIL, watched": Case({"watch_gil", "gil_handovers", "gil_wait_cost", "rest"}, watches),
    }


def held() -> dict[str, int]:
    """What this process holds of memory: Python's blocks, C's bytes, mappings."""
    gc.collect()
    return {
        "blocks": sys.getallocatedblocks(),
        "bytes": _bytes_of_malloc(),
        "mappings": len(Path("/proc/self/maps").read_text().splitlines()),
    }


class _Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ["arena", "o", "s", "h", "mapped", "u", "f", "used", "free", "k"]]


_libc = ctypes.CDLL(None)
if hasattr(_libc, "mallinfo2"):  # glibc 2.33
    _libc.mallinfo2.restype = _Mallinfo


def _bytes_of_malloc() -> int:
    """Allocated by malloc and not freed, in all arenas; 0 where the C library does not say."""
    if not hasattr(_libc, "mallinfo2"):
        return 0
    info = _libc.mallinfo2()
    return int(info.mapped + info.used)


def main(name: str, *urls: str) -> None:
    use = cases(Urls(*urls))[name].use
    use()
    had, before = holdings(), held()
    least = dict.fromkeys(LEAST, float("inf"))
    for _ in range(ROUNDS):
        for _ in range(ROUND):
            use()
        after = held()
        least = {kind: min(least[kind], (after[kind] - before[kind]) / ROUND) for kind in LEAST}
        if all(least[kind] < LEAST[kind] / 2 for kind in LEAST):
            break
        before = after
    print(json.dumps([left_since(had), least]))


if __name__ == "__main__":
    main(*sys.argv[1:])
