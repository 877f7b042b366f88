"""Worker processes, for the models that start them through `multiprocessing`: how they begin and how they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.context import ForkContext, ForkServerContext
from multiprocessing.process import BaseProcess

from lanes import _core
from lanes.work import Work, start_worker


def context() -> ForkContext | ForkServerContext:
    """How worker processes are started from here: by fork, as long as this process has one thread, else by a server.

    A fork copies only the thread that calls it, and leaves the locks that others held locked for ever.
    """
    if _one_thread():
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("forkserver")


def start_method() -> str:
    """The name of that: "fork" or "forkserver"."""
    return context().get_start_method()


def _one_thread() -> bool:
    """Whether this thread is alone. One that was joined may need a moment more to leave the kernel's list."""
    for _ in range(10):
        if len(os.listdir("/proc/self/task")) == 1:
            return True
        if threading.active_count() > 1:
            return False
        time.sleep(0.001)
    return False


def settle() -> None:
    """Called first in a worker process: leave Ctrl-C to the parent, and do not outlive it.

    The kernel's own signal comes when the thread that forked ends, and so serves only where that was the parent's main
    thread. A fork server is another process, and lives as long as its workers; a Pool replaces a dead worker from a
    thread that ends before its workers do.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if os.getppid() != parent.pid or threading.current_thread().name != "MainThread":
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
    """How a process that has ended came to its end."""
    code = process.exitcode or 0
    if code >= 0:
        return f"worker process {process.pid} ended with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name of its own
        name = f"signal {-code}"
    return f"worker process {process.pid} was killed by {name}"
