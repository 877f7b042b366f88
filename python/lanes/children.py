"""Worker processes, for the models that start them through `multiprocessing`: how they begin and how they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.process import BaseProcess
from typing import Final

from lanes import _core
from lanes.work import Work, start_worker

START_METHOD: Final = "fork"
"""How worker processes are started: by a process with one thread, for which `run` cares."""

CONTEXT = multiprocessing.get_context(START_METHOD)


def settle() -> None:
    """Called first in a worker process: leave Ctrl-C to the parent, and do not outlive it.

    The kernel's own signal comes when the thread that forked ends, and so serves only where that was the parent's main
    thread. A Pool replaces a dead worker from a thread that ends before its workers do.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if threading.current_thread().name != "MainThread":
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
        return
    _core.die_with_parent()
    if os.getppid() != parent.pid:  # it died before the kernel knew
        os._exit(1)


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def start_process(work: Work) -> None:
    """The initializer of a pool of processes."""
    settle()
    start_worker(work)


def last_words(process: BaseProcess) -> str:
    """How a worker process that has ended came to its end."""
    return f"worker process {process.pid} {ending(process.exitcode or 0)}"


def ending(status: int) -> str:
    """How any process came to its end, by its exit status; a negative one is the signal that killed it."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal has no name of its own
        return f"was killed by signal {-status}"
