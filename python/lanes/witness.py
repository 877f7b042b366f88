"""A process of a sample as a witness: asked from outside where it stands, and what it says. See `lanes.stacks`."""

from __future__ import annotations

import marshal
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from lanes import proc, session, stacks

ANSWER_S = 3.0
DUMP_S = 1.0
"""How long is waited for answers; as soon as all are there no longer."""

_PAUSE_S = 0.01
_STILL = 10
"""A dump that has not grown for so many looks is whole: faulthandler does not say when it is done."""
_NAME = re.compile(rf"/memfd:{stacks.NAME}-(\d+)-(\d+) ")
_THREAD = re.compile(r"(?:Current thread|Thread) 0x[0-9a-f]+(?: \[(.*)\])? \(most recent call first\):")
_FRAME = re.compile(r'  File "(.*)", line (\d+) in (.*)')


class Witness:
    """A process that may answer, and what it has said so far.

    answer: what it says of itself; dump: what its faulthandler says. None and "" until they do.
    """

    def __init__(self, process: session.Task) -> None:
        self.answer: stacks.Answer | None = None
        self.dump = ""
        self._still = 0
        self._stopped = process.state == "stopped"
        self._process = self._file = -1
        self._signals: dict[str, int] = {}
        with suppress(OSError):
            self._process = os.pidfd_open(process.id)
            self._open(process.id)

    def _open(self, pid: int) -> None:
        """The file of its answers, and those signals of which it has a handler: others would kill it."""
        for each in proc.descriptors(pid):
            if match := _NAME.match(each.target):
                self._file = os.open(proc.PROC / f"{pid}/fd/{each.number}", os.O_RDONLY | os.O_CLOEXEC)
                caught = _caught(pid)
                numbers = {"ask": int(match[1]), "dump": int(match[2])}
                self._signals = {what: number for what, number in numbers.items() if caught >> (number - 1) & 1}
                return

    def ask(self) -> bool:
        """Whether it could be asked."""
        return self._send("ask")

    def demand(self) -> bool:
        """The same of its faulthandler."""
        return self._send("dump")

    def _send(self, what: str) -> bool:
        """One that is stopped answers when it goes on, which it may for a moment: its end has come."""
        if what not in self._signals:
            return False
        try:
            signal.pidfd_send_signal(self._process, self._signals[what])
            if self._stopped:
                signal.pidfd_send_signal(self._process, signal.SIGCONT)
        except OSError:
            return False
        return True

    def has_answered(self) -> bool:
        self._listen()
        return self.answer is not None

    def has_dumped(self) -> bool:
        """Whether what its faulthandler writes has begun, and grows no more; or the answer has come after all."""
        before = self.dump
        self._listen()
        self._still = self._still + 1 if self.dump == before != "" else 0
        return self.answer is not None or self._still >= _STILL

    def _listen(self) -> None:
        text = os.pread(self._file, os.fstat(self._file).st_size, 0)
        dump, mark, rest = text.partition(stacks.MARK)
        self.dump = dump.decode(errors="replace")
        length = int.from_bytes(rest[:8], "little")
        if mark and len(rest) >= 8 + length:
            with suppress(ValueError, EOFError, TypeError):
                self.answer = marshal.loads(rest[8:])

    def close(self) -> None:
        for descriptor in (self._process, self._file):
            if descriptor >= 0:
                os.close(descriptor)


def hear(witnesses: Sequence[Witness]) -> None:
    """Ask them all where they stand, and of those that are silent their faulthandlers."""
    _wait(Witness.has_answered, [each for each in witnesses if each.ask()], ANSWER_S)
    silent = [each for each in witnesses if each.answer is None]
    _wait(Witness.has_dumped, [each for each in silent if each.demand()], DUMP_S)


def _wait(done: Callable[[Witness], bool], asked: Sequence[Witness], patience_s: float) -> None:
    until = time.monotonic() + patience_s
    while [each for each in asked if not done(each)] and time.monotonic() < until:
        time.sleep(_PAUSE_S)


def _caught(pid: int) -> int:
    """The signals that a process has handlers for, as the kernel tells it: one bit each."""
    return int(proc.fields(proc.read(proc.PROC / f"{pid}/status") or "").get("SigCgt", "0"), 16)


def parse(dump: str) -> list[stacks.Answer]:
    """The threads in a dump of faulthandler's, in its order, the main thread last; it knows no ids and few names."""
    threads: list[stacks.Answer] = []
    for line in dump.splitlines():
        if match := _THREAD.fullmatch(line):
            threads.append({"name": match[1], "frames": []})
        elif threads and (match := _FRAME.fullmatch(line)):
            threads[-1]["frames"].insert(0, (match[3], match[1], int(match[2])))
    return threads
