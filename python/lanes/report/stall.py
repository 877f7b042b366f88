"""Where the workers of a sample stood when its deadline came, as people read it and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from lanes.report.fields import made, typed
from lanes.stall import Process, Stall, Stand

_SHOWN = 8
"""So many lines are shown; all else is in the JSON."""
_CALLS = 4
"""And of a chain of calls the innermost."""
_WIDEST = 60
"""So many characters of what is somebody else's text."""


def lines(stall: Stall) -> list[str]:
    """A line for each deadlock and each worker; then for all else: what stands in the user's own code beside them, and
    processes that said nothing."""
    found = [*_deadlocks(stall), *_workers(stall), *_others(stall)]
    left = len(found) - _SHOWN
    return found if left <= 1 else [*found[:_SHOWN], f"and {left} more: all are in the JSON"]


def _deadlocks(stall: Stall) -> Iterator[str]:
    for process in stall.processes:
        for ring in process.deadlocks:
            names = [each.name for each in (*ring, ring[0])]
            yield "deadlock: " + ", ".join(f"{one} waits for what {other} holds" for one, other in pairwise(names))


def _workers(stall: Stall) -> Iterator[str]:
    pairs = [(stand, process) for process in stall.processes for stand in process.workers]
    for stand, process in sorted(pairs, key=lambda pair: (pair[0].task is None, pair[0].task or 0)):
        yield f"{_task(stand)}: {_who(stand, process)} {_where(stand)}"


def _others(stall: Stall) -> Iterator[str]:
    for process in stall.processes:
        yield from (f"beside: {_who(stand, process)} {_where(stand)}" for stand in process.beside)
        if process.source == "faulthandler":
            states = Counter(each.state for each in process.threads if each.state)
            told = ", ".join(f"{count} {state}" for state, count in states.most_common())
            yield f"process {process.process_id} never came to answer, but for its faulthandler: of its threads {told}"
        if process.source == "kernel" and not process.helps and not process.native:
            yield f"process {process.process_id} ({process.name}) does not say where it stands: {process.kernel}"


def _task(stand: Stand) -> str:
    number = "a task" if stand.task is None else f"task {stand.task}"
    text = f" ({_cut(stand.text)})" if stand.text else ""
    return f"{number}{text}" + (f", for {stand.for_s:.1f} s" if stand.for_s is not None else "")


def _who(stand: Stand, process: Process) -> str:
    if stand.worker is not None:
        return f"worker {stand.worker} of {stand.name}, process {process.process_id}"
    if any(stand is each for each in process.coroutines):
        return f"asyncio task {stand.name}"
    return f"{stand.name} of process {process.process_id}"


def _where(stand: Stand) -> str:
    """The calls from the user's first to the innermost, what that waits for, and how the kernel saw it."""
    told = stand.telling
    if told is None or stand.worker is not None:
        return f"is {stand.kernel}"
    chain = f"in {' > '.join(map(str, stand.own[-_CALLS:])) or stand.where}"
    if stand.own and stand.called:
        chain += f" in {stand.called.function}"
    elif stand.own and told.code:
        chain += f" at `{_cut(told.code)}`"
    waits = f", waits for {stand.waits_for}" if stand.waits_for else ""
    seen = f"; {stand.kernel}" if stand.state and not chain.endswith(stand.kernel) else ""
    return f"{chain}{waits}{seen}"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


# ---- JSON


def document(stall: Stall) -> dict[str, object]:
    """A stall as what JSON can hold."""
    return {"deadline_s": stall.deadline_s, "processes": [_process(each) for each in stall.processes]}


def _process(process: Process) -> dict[str, object]:
    return {
        "process_id": process.process_id,
        "parent_id": process.parent_id,
        "name": process.name,
        "state": process.state,
        "source": process.source,
        "threads": [_stack(each) | {"held_by": each.held_by} | _kernel_of(each) for each in process.threads],
        "coroutines": [_stack(each) for each in process.coroutines],
        "native": [{"worker": each.worker, **_doing(each), **_kernel_of(each)} for each in process.native],
    }


def _doing(stand: Stand) -> dict[str, object]:
    return {
        "name": stand.name,
        "at_work": stand.at_work,
        "task": stand.task,
        "text": stand.text if stand.task is not None else None,
        "for_s": stand.for_s,
    }


def _stack(stand: Stand) -> dict[str, object]:
    frames = [
        {"function": each.function, "file": each.file, "line": each.line, "code": each.code} for each in stand.frames
    ]
    return {**_doing(stand), "waits_for": stand.waits_for, "frames": frames}


def _kernel_of(stand: Stand) -> dict[str, object]:
    return {
        "thread_id": stand.thread_id,
        "state": stand.state,
        "system_call": stand.system_call,
        "waits_in": stand.waits_in,
    }


def read(found: dict[str, Any]) -> Stall:
    """The stall of such a document. Raises ValueError, KeyError or TypeError for any other."""
    return made(Stall, found, processes=tuple(map(_read_process, found["processes"])))


def _read_process(found: dict[str, Any]) -> Process:
    stands = {kind: tuple(map(_read_stand, found[kind])) for kind in ("threads", "coroutines", "native")}
    return made(Process, found, **stands)


def _read_stand(found: dict[str, Any]) -> Stand:
    return made(Stand, found, text=typed(str | None, found["text"], "text") or "")
