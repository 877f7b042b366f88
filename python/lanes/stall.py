"""Where every worker of a sample stood when its deadline came: asked from outside, before the sample is killed.

All processes of the sample are asked at once (see `lanes.witness`). What the kernel says of their threads is read
before, while they are as they were; a process that does not answer is known by that alone. Nothing is guessed: what is
not known is None.
"""

from __future__ import annotations

import linecache
import os
import re
import sysconfig
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lanes import session, work
from lanes.types import Task
from lanes.witness import Witness, hear, parse

Source: TypeAlias = Literal["process", "faulthandler", "kernel"]
"""Who said where the threads of a process stood: itself, its faulthandler, or nobody but the kernel."""

Owner: TypeAlias = Literal["lanes", "library", "yours"]
"""Whose code a frame is in. An installed package is a library."""

_WORK = work.__file__
_COMPILED = work._compiled.__name__
"""The function there that does a task in C."""
_DOING = (work._timed.__name__, work._timed_async.__name__, _COMPILED)
"""All that do one."""
_OURS = str(Path(_WORK).parent) + os.sep
_LIBRARIES = ("<frozen ", *(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")))
_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")
_TOLD = 3
"""Of different places, so many are named in one line."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One call on a stack: the function, its file, the line it is at, and the code there, "" if it is not known."""

    function: str
    file: str
    line: int
    code: str = ""

    @property
    def owner(self) -> Owner:
        """Whose code it is in: "lanes", "library" (an installed package as well) or "yours"."""
        if self.file.startswith(_OURS):
            return "lanes"
        if self.function.startswith("__create_fn__"):  # a dataclass's, whoever has the dataclass
            return "library"
        return "library" if self.file.startswith(_LIBRARIES) or _INSTALLED.search(self.file) else "yours"

    def __str__(self) -> str:
        return f"{self.function} ({os.path.basename(self.file)}:{self.line})"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where one thread, asyncio task or native task stood.

    name:        of the thread or the asyncio task; the model of a native task.
    thread_id:   the kernel's; None of an asyncio task, and where only the stack of a thread is known.
    worker:      the index of the native worker; None of all else.
    at_work:     whether it was doing a task of lanes; task and text: its index and text, None and "" where there is
                 none, or it is not known which; a process that a task has forked has them, too, and is not at work.
                 for_s: seconds since the task began; None where not known.
    frames:      its stack, or the chain of what an asyncio task awaits, the innermost last; none of what is native. A
                 process that was stopped went on to answer.
    waits_for:   what it waited for, where the stack says so for certain.
    held_by:     the thread_id of the one that holds what it waits for, where that is certain.
    state:       the kernel's of its thread: "runnable", "sleeping", "stopped", ...; system_call and waits_in: where in
                 the kernel it slept. None where not known.
    """

    name: str
    thread_id: int | None = None
    worker: int | None = None
    at_work: bool = False
    task: int | None = None
    text: str = ""
    for_s: float | None = None
    frames: tuple[Frame, ...] = ()
    waits_for: str | None = None
    held_by: int | None = None
    state: str | None = None
    system_call: str | None = None
    waits_in: str | None = None

    @property
    def telling(self) -> Frame | None:
        """The frame that tells most: the innermost that is the user's; else what lanes called; else the innermost."""
        last_of_ours = max((n for n, each in enumerate(self.frames) if each.owner == "lanes"), default=None)
        called = self.frames[last_of_ours + 1 :] if last_of_ours is not None else ()
        return next(iter((*self.own[::-1], *called, *self.frames[::-1])), None)

    @property
    def own(self) -> tuple[Frame, ...]:
        """The frames that are the user's: below those of lanes, where there are any, as a fork of the caller has what
        called lanes on top."""
        work = [n for n, each in enumerate(self.frames) if each.file == _WORK]
        ours = work[:1] or [n for n, each in enumerate(self.frames) if each.owner == "lanes"][-1:] or [-1]
        return tuple(each for each in self.frames[ours[0] + 1 :] if each.owner == "yours")

    @property
    def called(self) -> Frame | None:
        """What the telling frame had called, None when it is the innermost."""
        inwards = iter(self.frames)
        told = self.telling
        return next(inwards, None) if any(each is told for each in inwards) else None

    @property
    def where(self) -> str:
        """In a few words: `consume (mymod.py:12) in Queue.get`; the state in the kernel of what has no stack."""
        if self.telling is None:
            return f"a task of {self.name}, {self.kernel}" if self.worker is not None else self.kernel
        if (self.telling.file, self.telling.function) == (_WORK, _COMPILED):
            return f"a body in C, {self.kernel}"
        return f"{self.telling} in {self.called.function}" if self.called else str(self.telling)

    @property
    def kernel(self) -> str:
        """How the kernel saw it: `sleeping in futex`."""
        place = self.system_call or self.waits_in
        return f"{self.state} in {place}" if self.state and place else self.state or "in a state that is not known"


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the sample.

    process_id, parent_id, name, state: as the kernel has them.
    source: who said where its threads stood: the "process" itself, its "faulthandler", or nobody but the "kernel".
    threads: all of them; coroutines: the asyncio tasks of its loops; native: the native tasks that it was doing.

    Where faulthandler was the source, threads with stacks have no ids, the main thread excepted, and the kernel's
    threads stand beside them.
    """

    process_id: int
    parent_id: int
    name: str
    state: str
    source: Source
    threads: tuple[Stand, ...] = ()
    coroutines: tuple[Stand, ...] = ()
    native: tuple[Stand, ...] = ()

    @property
    def kernel(self) -> str:
        """How the kernel saw its first thread."""
        return next((each.kernel for each in self.threads if each.thread_id == self.process_id), self.state)

    @property
    def helps(self) -> bool:
        """Whether it is one of multiprocessing's own, a fork server or a tracker of resources."""
        return self.name.startswith("multiprocessing.")

    @property
    def workers(self) -> Iterator[Stand]:
        """What was doing a task of lanes. A thread in whose loop an asyncio task waits for it tells less than that."""
        awaited = {each.task for each in self.coroutines if each.at_work}
        for thread in self.threads:
            if thread.at_work and not (thread.task in awaited and not thread.own):
                yield thread
        yield from (each for each in self.coroutines if each.at_work)
        yield from self.native

    @property
    def beside(self) -> Iterator[Stand]:
        """What else stands in the user's own code, such as threads and processes that a task has started."""
        workers = list(self.workers)
        for stand in (*self.threads, *self.coroutines):
            if stand.own and not any(stand is each for each in workers):
                yield stand

    @property
    def deadlocks(self) -> Iterator[tuple[Stand, ...]]:
        """Rings of threads, each of which waits for what the next one holds."""
        waiting = {each.thread_id: each for each in self.threads if each.held_by is not None}
        seen: set[int | None] = set()
        for thread in waiting:
            path: list[int | None] = []
            while thread in waiting and thread not in seen:
                seen.add(thread)
                path.append(thread)
                thread = waiting[thread].held_by
            if thread in path:
                yield tuple(waiting[each] for each in path[path.index(thread) :])


@dataclass(frozen=True, slots=True)
class Stall:
    """Where every process of a sample stood when its deadline came.

    deadline_s: after so many seconds. processes: all of the sample.
    """

    deadline_s: float
    processes: tuple[Process, ...]

    @property
    def workers(self) -> tuple[Stand, ...]:
        """What was doing a task of lanes, in all processes."""
        return tuple(worker for process in self.processes for worker in process.workers)

    @property
    def where(self) -> str:
        """Where the workers stood, in one line; else all that is known."""
        silent = [each.kernel for each in self.processes if each.source == "kernel" and not each.helps]
        threads = [each for process in self.processes for each in process.threads if each.frames]
        if self.workers:
            told = _counted("worker stands in", "workers stand in", (each.where for each in self.workers))
            beside = [each.where for process in self.processes for each in process.beside]
            rings = sum(1 for process in self.processes for _ in process.deadlocks)
            told += f"; beside {_counted('in', 'in', beside)}" if beside else ""
            return told + ("; it is a deadlock" if rings else "")
        if silent:
            return _counted("process does not say where,", "processes do not say where,", silent)
        return "no task is under way: " + _counted(
            "thread stands in", "threads stand in", (each.where for each in threads)
        )

    def __str__(self) -> str:
        """What is worth a line each, as it stands below a table."""
        from lanes.report import stall  # printing stands above measuring, and is not loaded to measure

        return "\n".join((f"no answer within its deadline of {self.deadline_s:g} s: {self.where}", *stall.lines(self)))


def _counted(one: str, many: str, places: Iterable[str]) -> str:
    """2 workers stand in a (x.py:1), 1 in b (x.py:2), 3 elsewhere."""
    common = Counter(places).most_common()
    if not common:
        return "nothing is known"
    (place, count), *others = common
    told = [f"{count} {one if count == 1 else many} {place}"]
    link = one.rpartition(" ")[2] if one.endswith(" in") else ""
    told += [" ".join(filter(None, (str(count), link, place))) for place, count in others[: _TOLD - 1]]
    if left := sum(count for _, count in others[_TOLD - 1 :]):
        told.append(f"{left} elsewhere")
    return ", ".join(told)


# ---- asking


def look(leader: int, deadline_s: float, tasks: Sequence[Task]) -> Stall:
    """Ask all processes of a session where they stand; the tasks are those that its workers do."""
    seen = [(each, session.threads(each.id)) for each in session.members(leader)]
    now = time.monotonic_ns()
    witnesses = [Witness(each) for each, _ in seen]
    try:
        hear(witnesses)
    finally:
        for witness in witnesses:
            witness.close()
    native = [each for witness in witnesses for each in (witness.answer or {}).get("native", ())]
    look = _Look(now, tasks, native)
    return Stall(deadline_s, tuple(look.process(*one, said) for one, said in zip(seen, witnesses, strict=True)))


@dataclass(frozen=True, slots=True)
class _Look:
    """One look: when it was, at the workers of which tasks, and the native tasks that were under way."""

    now: int
    tasks: Sequence[Task]
    native: Sequence[tuple[str, int, int, int, int, int]]

    def process(self, process: session.Task, threads: Sequence[session.Task], witness: Witness) -> Process:
        kernel = {each.id: each for each in threads}
        if witness.answer is not None:
            source: Source = "process"
            told = [self._thread(each, process.id, kernel) for each in witness.answer["threads"]]
        else:
            source = "faulthandler" if witness.dump else "kernel"
            told = self._dumped(witness.dump, process.id, kernel)
        known = {each.thread_id for each in told}
        rest = [_seen(Stand(each.name), each) for each in threads if each.id not in known]
        return Process(
            process.id,
            process.parent_id,
            session.helper(process) or process.name,
            process.state,
            source,
            (*told, *rest),
            tuple(self._coroutine(each) for each in (witness.answer or {}).get("coroutines", ())),
            tuple(self._native(each, kernel) for each in self.native if each[3] == process.id),
        )

    def _thread(self, told: dict[str, Any], process_id: int, kernel: dict[int, session.Task]) -> Stand:
        name = told["name"] or "a thread that Python does not know"
        frames, waits_for, held_by = _frames(told["frames"]), told["waits_for"], told["held_by"]
        stand = Stand(name, frames=frames, waits_for=waits_for, held_by=held_by)
        at_work = told["process_id"] in (None, process_id)
        stand = self._doing(stand, told["task"], told["started_ns"], at_work)
        return _seen(stand, kernel.get(told["thread_id"]))

    def _dumped(self, dump: str, process_id: int, kernel: dict[int, session.Task]) -> list[Stand]:
        """The last thread is the main one, which has the id of the process."""
        parsed = parse(dump)
        stands = [Stand(each["name"] or "a thread", frames=_frames(each["frames"])) for each in parsed]
        stands = [replace(each, at_work=any(map(_is_doing, each.frames))) for each in stands]
        if stands:
            stands[-1] = _seen(replace(stands[-1], name="MainThread"), kernel.get(process_id))
        return stands

    def _coroutine(self, told: dict[str, Any]) -> Stand:
        """One that runs is at work as the thread that runs it."""
        stand = Stand(told["name"], frames=_frames(told["frames"]), waits_for=told["waits_for"])
        return self._doing(stand, told["task"], told["started_ns"], at_work=not told["running"])

    def _native(self, told: tuple[str, int, int, int, int, int], kernel: dict[int, session.Task]) -> Stand:
        model, task, worker, _, thread, started_ns = told
        return _seen(self._doing(Stand(model, worker=worker), task, started_ns), kernel.get(thread))

    def _doing(self, stand: Stand, task: int | None, started_ns: int | None, at_work: bool = True) -> Stand:
        """The same with the task that it does, if any. There may be more than those, which are taken in turn."""
        if task is None:
            return stand
        text = self.tasks[task % len(self.tasks)].text
        for_s = None if started_ns is None else max(0.0, (self.now - started_ns) / 1e9)
        return replace(stand, task=task, text=text, for_s=for_s, at_work=at_work)


def _seen(stand: Stand, thread: session.Task | None) -> Stand:
    """The same with what the kernel says of its thread."""
    if thread is None:
        return stand
    return replace(
        stand,
        thread_id=thread.id,
        state=thread.state,
        system_call=thread.system_call,
        waits_in=thread.waits_in,
    )


def _frames(told: Sequence[tuple[str, str, int]]) -> tuple[Frame, ...]:
    """With the text of their lines, which this process can read as well as the one that stood there."""
    return tuple(Frame(*each, linecache.getline(each[1], each[2]).strip()) for each in told)


def _is_doing(frame: Frame) -> bool:
    return frame.file == _WORK and frame.function in _DOING
