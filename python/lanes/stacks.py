"""In a process of a sample: how it says where each of its threads and asyncio tasks stands, when it is asked.

Who is outside and gave up waiting asks by a signal. Its handler, in Python, writes down the stacks of all threads, the
asyncio tasks with what they await, and the native tasks under way. It runs in the main thread as soon as that is at
Python's code or in a wait that signals interrupt, such as that for a lock. Where the main thread gets to neither, as
within a regular expression that never ends, a second signal has faulthandler write the bare stacks, which needs no
GIL.

Answers go to a memory file, one for each process, whose name tells the two signals: so whoever may read the process in
/proc needs nothing else, and a process that was started anyhow, or has undone all this, does no harm. A forked process
has all of it from its parent, and gets a file of its own; a new interpreter is told to install it.

Nothing here does anything before the signal comes.
"""

from __future__ import annotations

import marshal
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import AsyncGeneratorType, FrameType, ModuleType
from typing import Any, Final, TypeAlias

from lanes import _core

NAME: Final = "lanes-stacks"
"""What the names of the memory files begin with; the numbers of the two signals follow."""

MARK: Final = b"\0"
"""Stands before the answer: faulthandler writes no such byte. Then come its length, in eight bytes, and itself."""

_MOST_FRAMES = 100
"""Of a stack that is deeper, these are the innermost."""

Answer: TypeAlias = dict[str, Any]
"""What can be marshalled: that needs no import, which a process that hangs might not come back from."""

_file = -1
_inode = 0


def installed() -> bool:
    """Whether this process answers."""
    return _file >= 0


def install() -> None:
    """Have this process answer from now on. To be called in the main thread; does nothing anywhere else."""
    global _file, _inode
    if threading.current_thread() is not threading.main_thread():
        return
    if _is_ours():  # a sample within a sample, which has no handlers any more
        os.close(_file)
    elif not installed():
        os.register_at_fork(after_in_child=_renew)
    ask, dump = _free_signals()
    _file = os.memfd_create(f"{NAME}-{ask}-{dump}")
    _inode = os.fstat(_file).st_ino
    signal.signal(ask, _answer)
    import faulthandler  # no sub-interpreter may import it, and none of them is a sample

    faulthandler.register(dump, _file, all_threads=True)


def _free_signals() -> tuple[int, int]:
    """Two real-time signals that nobody here has a handler for, nor ignores; libraries take such from below."""
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    taken = int(lines["SigCgt"], 16) | int(lines["SigIgn"], 16) | int(lines["SigBlk"], 16)
    free = [number for number in range(signal.SIGRTMAX - 1, signal.SIGRTMIN, -1) if not taken >> (number - 1) & 1]
    return free[0], free[1]


def _renew() -> None:
    """In a forked process: an answer of its own, at the number that faulthandler knows."""
    global _file, _inode
    if not _is_ours():
        _file = -1
        return
    name = os.readlink(f"/proc/self/fd/{_file}").removeprefix("/memfd:").split()[0]
    with suppress(OSError):
        fresh = os.memfd_create(name)
        _inode = os.fstat(fresh).st_ino
        os.dup2(fresh, _file, inheritable=False)
        os.close(fresh)


def _is_ours() -> bool:
    """Whether the descriptor still is: whoever closes them all may have opened another at its number."""
    try:
        return _file >= 0 and os.fstat(_file).st_ino == _inode
    except OSError:
        return False


def _answer(number: int, frame: FrameType | None) -> None:
    try:
        answer = marshal.dumps(_standing(frame))
        if _is_ours():
            os.write(_file, MARK + len(answer).to_bytes(8, "little") + answer)
    except BaseException:  # at the end of its memory or stack: the work must not see it, and the other signal will come
        return


def _standing(frame: FrameType | None) -> Answer:
    return {"threads": _threads(frame), "coroutines": _coroutines(), "native": _core.under_way()}


# ---- threads


def _threads(interrupted: FrameType | None) -> list[Answer]:
    """All that run Python; the frame is the main thread's, below that of the handler."""
    # Not enumerate(), which takes a lock that the interrupted thread may hold.
    known: dict[int, threading.Thread] = getattr(threading, "_active", {}).copy()
    frames = {**sys._current_frames(), threading.get_ident(): interrupted}
    return [_thread(known.get(ident), frame, known) for ident, frame in frames.items()]


def _thread(thread: threading.Thread | None, innermost: FrameType | None, known: dict[int, threading.Thread]) -> Answer:
    stack = list(_outwards(innermost))
    holder = known.get(_holder(stack) or -1)
    return {
        "name": None if thread is None else thread.name,
        "thread_id": None if thread is None else thread.native_id,
        "waits_for": _waited_for(stack) or (None if holder is None else f"the RLock that {holder.name} holds"),
        "held_by": None if holder is None else holder.native_id,
        **_task(stack),
        "frames": _places(stack),
    }


def _holder(stack: list[FrameType]) -> int | None:
    from lanes import locks  # what it needs is long there

    with suppress(Exception):  # what is read may be anybody's
        return locks.owner(stack[0])
    return None


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _places(stack: list[FrameType]) -> list[tuple[str, str, int]]:
    """Function, file and line, the innermost last."""
    return [(each.f_code.co_qualname, each.f_code.co_filename, each.f_lineno or 0) for each in stack[_MOST_FRAMES::-1]]


def _task(stack: list[FrameType]) -> Answer:
    """The task that is being done, since when and in which process: in locals of `lanes.work`, which does every task.

    A process that a user's function forks stands below the same frames.
    """
    found: Answer = {"task": None, "started_ns": None, "process_id": None}
    for frame in stack:
        if frame.f_globals.get("__name__") not in ("lanes.work", "lanes.workloads.function"):
            continue
        seen = frame.f_locals
        if isinstance(begin := seen.get("begin"), tuple):
            found["process_id"], found["started_ns"] = begin[0], begin[3]
        if found["task"] is None and isinstance(index := getattr(seen.get("task"), "index", None), int):
            found["task"] = index
    return found


# ---- asyncio tasks


def _coroutines() -> list[Answer]:
    """The tasks of all loops that run, in whatever thread."""
    asyncio = sys.modules.get("asyncio")
    loop_type = getattr(asyncio, "AbstractEventLoop", None)
    if asyncio is None or loop_type is None:
        return []
    import gc

    loops = [each for each in gc.get_objects() if issubclass(type(each), loop_type) and each.is_running()]
    return [_coroutine(task, asyncio) for loop in loops for task in asyncio.all_tasks(loop)]


def _coroutine(task: Any, asyncio: ModuleType) -> Answer:
    chain, last = _awaited(task.get_coro())
    stack = chain[::-1]
    return {
        "name": task.get_name(),
        "running": task is asyncio.current_task(task.get_loop()),
        "waits_for": _waited_for(stack) or _future(last, asyncio),
        **_task(stack),
        "frames": _places(stack),
    }


def _awaited(outermost: object) -> tuple[list[FrameType], object]:
    """The frames of a coroutine and of all that it awaits, the innermost last; and what that waits for itself."""
    frames: list[FrameType] = []
    awaited: Any = outermost
    while awaited is not None:
        for prefix in ("cr", "gi", "ag"):
            if hasattr(awaited, f"{prefix}_frame"):
                frame = getattr(awaited, f"{prefix}_frame")
                following = getattr(awaited, f"{prefix}_{'yieldfrom' if prefix == 'gi' else 'await'}")
                break
        else:
            behind = _behind(awaited)
            if behind is None:
                return frames, awaited
            awaited = behind
            continue
        if frame is not None:
            frames.append(frame)
        if following is None:
            break
        awaited = following
    return frames, None


def _behind(awaited: object) -> object:
    """The asynchronous generator whose next item is awaited: what stands for that item keeps it to itself."""
    import gc

    if not type(awaited).__name__.startswith("async_generator_"):
        return None
    return next((each for each in gc.get_referents(awaited) if isinstance(each, AsyncGeneratorType)), None)


def _future(awaited: object, asyncio: ModuleType) -> str | None:
    """What comes at the end of a chain: the iterator of a future, which keeps that to itself."""
    import gc

    for each in (awaited, *gc.get_referents(awaited)):
        if isinstance(each, asyncio.Task):
            return f"asyncio task {each.get_name()}"
        if isinstance(each, asyncio.Future):
            children = getattr(each, "_children", None)
            return "a future" if children is None else f"{len(children)} futures, gathered"
    return None


# ---- what the standard library's own frames wait for


_LIBRARY = ("threading", "queue", "subprocess", "asyncio.", "multiprocessing.", "concurrent.")


def _waited_for(stack: list[FrameType]) -> str | None:
    """What the library was asked to wait for, by the outermost of its innermost frames that says so."""
    found = None
    for frame in stack:
        if not str(frame.f_globals.get("__name__", "")).startswith(_LIBRARY):
            break
        with suppress(Exception):  # a subclass of somebody else's
            found = _described(frame.f_locals.get("self")) or found
    return found


def _described(thing: Any) -> str | None:
    """In words; nothing is asked that might take a lock."""
    kind, module = type(thing).__name__, type(thing).__module__
    if isinstance(thing, threading.Thread):
        return f"the end of thread {thing.name}"
    if hasattr(thing, "pid") and hasattr(thing, "wait" if module == "subprocess" else "join"):
        return f"the end of process {thing.pid}"
    if module in ("queue", "asyncio.queues"):
        held = len(thing.queue if module == "queue" else thing._queue)
        return f"a full {kind}" if 0 < thing.maxsize <= held else f"a {kind} of {held}" if held else f"an empty {kind}"
    if module not in ("threading", "asyncio.locks"):
        return None
    ask = _WORDS.get(kind)
    return None if ask is None else ask(thing)


_WORDS: dict[str, Callable[[Any], str]] = {
    "Event": lambda event: "an Event that is set" if event.is_set() else "an Event to be set",
    "Condition": lambda condition: "a Condition to be notified",
    "Semaphore": lambda semaphore: f"a Semaphore at {semaphore._value}",
    "BoundedSemaphore": lambda semaphore: f"a BoundedSemaphore at {semaphore._value}",
    "Barrier": lambda barrier: f"a Barrier with {barrier.n_waiting} of {barrier.parties}",
    "Lock": lambda lock: "a Lock that is locked" if lock.locked() else "a Lock that is free",
}
"""Of what is known by the name of its class."""
