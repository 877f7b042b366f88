"""What the threads and processes of a run are called: by model and worker, `futures-threads/3`.

Python's names are whole. The kernel's, which ps, top and gdb show, have room for 15 characters; there the words of a
model's name give way to short forms, one after the other from the last, until twelve characters hold it, and a variant
stands behind a colon: `futures-thr/3`, `asyncio-proc/12`, `mp-pool:spawn/0`. What is longer all the same is cut so that
the number is whole. Two models never have the same name in the kernel, for up to 999 workers.
"""

from __future__ import annotations

import re
import sys
import threading

from lanes import _core

_SHORT = {
    "multiprocessing": "mp",
    "futures": "fut",
    "asyncio": "aio",
    "processes": "proc",
    "threads": "thr",
    "pthreads": "pthr",
    "native": "nat",
    "forkserver": "server",
}
_ROOM, _USUAL = 15, 12
"""Of the kernel, for a name; and what a number of two digits leaves of it."""


def of(model: str, worker: int) -> str:
    """What a worker is called in Python."""
    return f"{model}/{worker}"


def number(model: str) -> int:
    """The number of the calling worker of this model, which the name of its thread or of its process says; 0 where the
    caller does the work itself."""
    processes = sys.modules.get("multiprocessing.process")  # without it, this is no worker process
    for name in (threading.current_thread().name, processes.current_process().name if processes else ""):
        whose, _, digits = name.rpartition("/")
        if whose == model and digits.isdecimal():
            return int(digits)
    return 0


def in_kernel(name: str) -> str:
    """The same for the kernel; the name of a model, of which there is one, has no number."""
    model, slash, number = name.partition("/")
    parts = re.split(r"([-:])", model.replace("[", ":").rstrip("]"))
    for place in reversed(range(0, len(parts), 2)):
        if sum(map(len, parts)) > _USUAL:
            parts[place] = _SHORT.get(parts[place], parts[place])
    return "".join(parts)[: _ROOM - len(slash + number)] + slash + number


def call_thread() -> None:
    """Have the kernel call this thread as Python does."""
    call(threading.current_thread().name)


def call(name: str) -> None:
    """Have the kernel call this thread so: only one that lanes has started. Of a process it is the main thread's."""
    _core.name_thread(in_kernel(name))
