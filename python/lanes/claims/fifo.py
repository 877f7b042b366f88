"""Named pipes as a workload: each task reads one to its end, and its writer writes after so long.

How long a disk takes is nobody's to choose, and what was read once is in memory. A pipe is opened, read and closed like
any file, and keeps its reader waiting for as long as we say. The writer is a process of its own, so that what holds the
reader's lock cannot hold the writer up.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from lanes.types import Outcome, Task

_TOLD = "names"

_WRITER = """
import os, sys, threading, time
def write(name):
    with open(name, "wb") as pipe:
        time.sleep({seconds!r})
        pipe.write(b"x")
def serve():
    for name in os.fdopen(os.open(sys.argv[1], os.O_RDWR), "rb", buffering=0):
        threading.Thread(target=write, args=(name[:-1],), daemon=True).start()
threading.Thread(target=serve, daemon=True).start()
sys.stdin.read()
"""
"""It is told the names of pipes through another. Opening one to write waits for who opens it to read. It ends with its
standard input, and so with whoever started it, however that ends."""


@dataclass(frozen=True, slots=True)
class Fifo:
    """`count` pipes, each of which gives its byte `wait_s` seconds after it was opened."""

    name: ClassVar[str] = "fifo"
    compiled: ClassVar[bool] = False
    blocking: ClassVar[bool] = True
    twins: ClassVar[bool] = False
    warm_up: ClassVar[Task | None] = None

    count: int
    wait_s: float
    directory: str = ""

    @property
    def params(self) -> dict[str, object]:
        return {"wait_s": self.wait_s}

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(Task(n, self.directory) for n in range(self.count))

    @property
    def default_workers(self) -> int:
        return self.count

    @contextmanager
    def serve(self) -> Iterator[Self]:
        code = _WRITER.format(seconds=self.wait_s)
        with tempfile.TemporaryDirectory(prefix="lanes-") as directory:
            os.mkfifo(Path(directory) / _TOLD)
            command = [sys.executable, "-S", "-c", code, str(Path(directory) / _TOLD)]
            # In a session of its own, as Ctrl-C is not for it.
            with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
                yield replace(self, directory=directory)

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        yield _read

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
        async def inline(task: Task) -> Outcome:
            return _read(task)

        yield inline


def _read(task: Task) -> Outcome:
    """One pipe, made for this: nobody else opens it, and its end comes when the writer has closed it."""
    name = Path(task.text) / f"{os.getpid()}-{task.index}"
    os.mkfifo(name)
    with open(Path(task.text) / _TOLD, "wb", buffering=0) as told:
        told.write(f"{name}\n".encode())
    with open(name, "rb", buffering=0) as pipe:
        return Outcome("ok", (len(pipe.read()),))
