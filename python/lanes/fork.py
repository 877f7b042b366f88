"""A sample's process as a fork of the caller, for work that cannot be handed to a new interpreter.

A function may depend on what nobody can pickle: a lock, an open socket, a module that only the caller has. A fork has
all of it. The price: the sample begins with the caller's memory and modules instead of its own, so the models share
what the caller has warmed up; and a lock that another thread of the caller held at that moment stays locked for ever.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass


@dataclass(slots=True)
class Fork:
    """A child process; as much of `subprocess.Popen` as a sample needs."""

    pid: int
    returncode: int = 0

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        with suppress(ChildProcessError):  # somebody else has reaped it, and the status is lost
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


def start(main: Callable[[], None]) -> Fork:
    """Run this in a fork, as a new process would: in a session of its own, without the caller's streams and signals."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there may be other threads is said above
        pid = os.fork()
    if pid:
        return Fork(pid)
    try:
        _begin()
        main()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _begin() -> None:
    """What an `exec` would do, and `subprocess` around it."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    sys.settrace(None)
    sys.setprofile(None)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    # New streams: what the caller's still have in their buffers is the caller's to write.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
