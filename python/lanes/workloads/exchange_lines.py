"""The ways in which two threads, or two processes, hand each other payloads: what they have from Python's library.

A line leads from one to the other; two of them, there and back, make a desk, at which a worker sits with its partner.
Both ends of a line are one object: threads share it, forked processes have it twice, and it travels to processes that
are being spawned.

Shared memory is a memory file (`_core.Area`), which is what `multiprocessing.shared_memory` has as well, but without a
name in /dev/shm, which a killed program leaves behind, and without the process that is to remove it then.
"""

from __future__ import annotations

import os
import queue
import select
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from lanes import _core
from lanes.types import Means

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

Payload: TypeAlias = bytes | None
"""None tells the partner to leave."""

HEAD = struct.Struct("q")
"""The size of a payload, where it goes before it."""

TIMED = 4096
"""Bytes: of smaller payloads copying is not timed, for reading the clock takes longer."""

_LEAVE = -1


class Line(Protocol):
    """One way, for one payload at a time."""

    def send(self, payload: Payload, /) -> None: ...
    def receive(self) -> Payload: ...
    def end(self) -> None:
        """Nothing more will be sent: to whoever waits for it, or will, comes None."""

    def leave(self) -> None:
        """Nothing more will be received: whoever still sends need not wait."""

    def close(self) -> None:
        """Neither end is in use any more."""


class Desk:
    """Two lines, of which the worker sends by the first."""

    def __init__(self, make: Callable[[], Line]) -> None:
        self.error: BaseException | None = None
        self.is_left = False
        self.there = make()
        try:
            self.back = make()
        except BaseException:
            self.there.close()
            raise

    def exchange(self, payload: bytes) -> bytes:
        """The worker's side: hand over the payload and wait for the answer."""
        answer = None
        if not self.is_left:  # a pool goes on with other tasks after one that has raised
            self.there.send(payload)
            answer = self.back.receive()
        if answer is None:
            self.is_left = True
            raise RuntimeError("the partner has left in the middle of an exchange") from self.error
        return answer

    def answer(self) -> None:
        """The partner's side, for as long as the worker stays."""
        try:
            for payload in iter(self.there.receive, None):
                self.back.send(payload)
        except BrokenPipeError:  # it left half-way
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.back.end()

    def hang_up(self) -> None:
        """The worker leaves, and perhaps in the middle of a payload."""
        self.there.end()
        self.back.leave()

    def close(self) -> None:
        self.there.close()
        self.back.close()


class _Open:
    """A line that needs no ending: there is always room for None."""

    send: Callable[[Payload], None]

    def end(self) -> None:
        self.send(None)

    def leave(self) -> None:
        pass

    def close(self) -> None:
        pass


# ---- by reference, between threads


class Queue(_Open):
    """A queue of the library's: of references between threads, of pickles between processes."""

    def __init__(self, library: Any) -> None:
        self.send: Callable[[Payload], None] = library.put
        self.receive: Callable[[], Payload] = library.get
        self._library = library

    def close(self) -> None:
        # One between processes has two descriptors, and perhaps a thread that feeds it.
        if hasattr(self._library, "close"):
            self._library.cancel_join_thread()
            self._library.close()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._library,)


class Slot(_Open):
    """Room for one reference, and a condition for whoever waits for it to be filled."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._is_full = False
        self._payload: Payload = None

    def send(self, payload: Payload) -> None:
        with self._condition:
            self._payload, self._is_full = payload, True
            self._condition.notify()

    def receive(self) -> Payload:
        with self._condition:
            while not self._is_full:
                self._condition.wait()
            payload, self._payload, self._is_full = self._payload, None, False
            return payload


# ---- by a descriptor


class Descriptor:
    """A descriptor that is closed with its last owner, and travels to a process that is being spawned."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        if self.number >= 0:
            os.close(self.number)
        self.number = -1

    def __del__(self) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        from multiprocessing import context, reduction

        context.assert_spawning(self)
        return _arrived, (reduction.DupFd(self.number),)


def _arrived(descriptor: Any) -> Descriptor:
    return Descriptor(descriptor.detach())


class Pipe:
    """A pipe, with the size before each payload."""

    def __init__(self) -> None:
        self._reader, self._writer = map(Descriptor, os.pipe())

    def send(self, payload: Payload) -> None:
        assert payload is not None
        _write_all(self._writer.number, HEAD.pack(len(payload)), payload)

    def receive(self) -> Payload:
        head = _read_all(self._reader.number, HEAD.size)
        return head and _read_all(self._reader.number, *HEAD.unpack(head))

    def end(self) -> None:
        self._writer.close()

    def leave(self) -> None:
        self._reader.close()

    def close(self) -> None:
        self.end()
        self.leave()


def _write_all(descriptor: int, *parts: bytes) -> None:
    left = [memoryview(part) for part in parts]
    while left:
        written = os.writev(descriptor, left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]


def _read_all(descriptor: int, size: int) -> Payload:
    """So many bytes; None where the pipe ends before."""
    payload = bytearray(size)
    left = memoryview(payload)
    while left:
        read = os.readv(descriptor, [left])
        if not read:
            return None
        left = left[read:]
    return bytes(payload)


class File:
    """A file without a name, and a pipe that tells how much is in it."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile(buffering=0) as file:
            self._file = Descriptor(os.dup(file.fileno()))
        try:
            self._told = Pipe()
        except BaseException:
            self._file.close()
            raise

    def send(self, payload: Payload) -> None:
        assert payload is not None
        left, at = memoryview(payload), 0
        while left:
            written = os.pwrite(self._file.number, left, at)
            left, at = left[written:], at + written
        self._told.send(HEAD.pack(at))

    def receive(self) -> Payload:
        told = self._told.receive()
        if told is None:
            return None
        payload, at = bytearray(*HEAD.unpack(told)), 0
        while at < len(payload):
            read = os.preadv(self._file.number, [memoryview(payload)[at:]], at)
            if not read:
                raise EOFError("the file is shorter than was told")
            at += read
        return bytes(payload)

    def end(self) -> None:
        self._told.end()

    def leave(self) -> None:
        self._told.leave()

    def close(self) -> None:
        self._file.close()
        self._told.close()


class Connection(_Open):
    """`multiprocessing.Pipe`: what it sends it pickles."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self._reader, self._writer = reader, writer
        self.send: Callable[[Payload], None] = writer.send
        self.receive: Callable[[], Payload] = reader.recv

    def close(self) -> None:
        self._writer.close()
        self._reader.close()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._reader, self._writer)


# ---- by memory that both have


class Signal(Protocol):
    """One tells, the other waits to be told."""

    def tell(self) -> None: ...
    def wait(self) -> None: ...
    def close(self) -> None: ...


class Semaphore:
    """Of threads or of processes."""

    def __init__(self, library: Any) -> None:
        self.tell: Callable[[], None] = library.release
        self.wait: Callable[[], None] = library.acquire
        self._library = library

    def close(self) -> None:
        pass

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._library,)


class Condition:
    """Of processes; what they wait for stands in memory that they share."""

    def __init__(self, library: Any, flag: _core.Area) -> None:
        self._library, self._flag = library, flag
        self._told = memoryview(flag)

    def tell(self) -> None:
        with self._library:
            self._told[0] = 1
            self._library.notify()

    def wait(self) -> None:
        with self._library:
            while not self._told[0]:
                self._library.wait()
            self._told[0] = 0

    def close(self) -> None:
        pass

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._library, self._flag)


class EventFd:
    """A counter of the kernel's with a descriptor."""

    def __init__(self, descriptor: Descriptor | None = None) -> None:
        self._descriptor = descriptor or Descriptor(os.eventfd(0))

    def tell(self) -> None:
        os.eventfd_write(self._descriptor.number, 1)

    def wait(self) -> None:
        os.eventfd_read(self._descriptor.number)

    def close(self) -> None:
        self._descriptor.close()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._descriptor,)


class Memory(_Open):
    """A piece of memory that a payload is copied into and out of, and a signal that it is there."""

    def __init__(self, area: _core.Area, signal: Signal) -> None:
        self._area, self._signal = area, signal
        self._bytes = memoryview(area)

    def send(self, payload: Payload) -> None:
        size = _LEAVE if payload is None else len(payload)
        HEAD.pack_into(self._bytes, 0, size)
        if payload is not None:
            self._bytes[HEAD.size : HEAD.size + size] = payload
        self._signal.tell()

    def receive(self) -> Payload:
        self._signal.wait()
        (size,) = HEAD.unpack_from(self._bytes)
        return None if size == _LEAVE else bytes(self._bytes[HEAD.size : HEAD.size + size])

    def close(self) -> None:
        self._signal.close()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._area, self._signal)


# ---- which there are


def between_threads(via: str, largest: int) -> Callable[[], Line]:
    """What makes a line between threads, for payloads of at most so many bytes."""
    ways: dict[str, Callable[[], Line]] = {
        "queue": lambda: Queue(queue.Queue()),
        "condition": Slot,
        "pipe": Pipe,
        "file": File,
        "shared-memory": lambda: Memory(_area(largest), Semaphore(threading.Semaphore(0))),
        "eventfd": lambda: Memory(_area(largest), EventFd()),
    }
    return ways[via]


def between_processes(via: str, largest: int, context: BaseContext) -> Callable[[], Line]:
    """The same between processes that this part of multiprocessing starts."""
    ways: dict[str, Callable[[], Line]] = {
        "queue": lambda: Queue(context.Queue()),
        "condition": lambda: Memory(_area(largest), Condition(context.Condition(), _core.Area(1))),
        "pipe": lambda: Connection(*context.Pipe(duplex=False)),
        "file": File,
        "shared-memory": lambda: Memory(_area(largest), Semaphore(context.Semaphore(0))),
        "eventfd": lambda: Memory(_area(largest), EventFd()),
    }
    return ways[via]


def _area(largest: int) -> _core.Area:
    return _core.Area(HEAD.size + largest)


@contextmanager
def beside_a_thread(via: str, largest: int) -> Iterator[Desk]:
    """A desk with a thread for a partner, which is gone afterwards."""
    desk = Desk(between_threads(via, largest))
    name, has_left = f"partner of {threading.current_thread().name}", threading.Event()

    def answer() -> None:
        desk.answer()
        has_left.set()

    partner = threading.Thread(target=answer, name=name, daemon=True)
    try:
        partner.start()
        yield desk
    finally:
        desk.hang_up()
        if partner.ident is not None:
            # Not join(): a pool's worker closes this when its thread is no thread of Python's any more.
            has_left.wait()
        desk.close()


class Watch:
    """A desk whose partner may die, and then answers no more: the worker, which cannot reap it, learns it all the same.

    Between exchanges it is told by an exception. In the midst of one nothing can wake it, so its process ends: to its
    model, a worker that has ended is an error already. Never at any other moment: it might have a lock of the model's.
    """

    def __init__(self, desk: Desk, partner: Descriptor) -> None:
        self._desk, self._partner = desk, partner
        self._is_busy = self._is_alone = False
        threading.Thread(target=self._end_with_partner, name="end with partner", daemon=True).start()

    def exchange(self, payload: bytes) -> bytes:
        self._is_busy = True
        if self._is_alone:
            raise RuntimeError("the partner of this worker process has ended")
        answer = self._desk.exchange(payload)
        self._is_busy = False
        return answer

    def _end_with_partner(self) -> None:
        ended = select.poll()
        ended.register(self._partner.number, select.POLLIN)
        ended.poll()
        self._is_alone = True
        time.sleep(_GRACE_S)  # the last answer may be under way
        if self._is_busy:
            os._exit(1)


_GRACE_S = 0.05


class Office:
    """Desks with a process for a partner at each, for the worker processes of one run.

    Whoever starts the workers starts these as well, for a pool's workers may not have children of their own; a worker
    takes the next desk that is free. Partners are known by descriptors: a number may be another process's by the time
    it is asked about.
    """

    def __init__(self, desks: tuple[Desk, ...], partners: tuple[Descriptor, ...], pids: tuple[int, ...], taken: Any):
        self._desks, self._partners, self._pids, self._taken = desks, partners, pids, taken

    def take(self) -> Watch:
        """The calling worker's desk, from now on."""
        with self._taken.get_lock():
            n: int = self._taken.value
            self._taken.value += 1
        if n >= len(self._desks):
            raise RuntimeError("every desk is taken: this worker is in the place of one that died")
        return Watch(self._desks[n], self._partners[n])

    def cpu_s(self) -> float:
        """CPU seconds of the partners so far."""
        return sum(_cpu_ns(pid) for pid in self._pids) / 1e9


def _cpu_ns(pid: int) -> int:
    """Of all threads of a process, as the scheduler counts it; 0 where it does not, and once it has ended."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):
            total += int(path.read_text().split()[0])
    return total


def _partner(desk: Desk) -> None:
    from lanes import children  # it brings multiprocessing along

    children.settle()
    desk.answer()


@contextmanager
def beside_processes(via: str, largest: int, means: Means) -> Iterator[Office]:
    """As many desks as there will be workers. However this is left, the partners are gone afterwards."""
    context = means.context
    make = between_processes(via, largest, context)
    desks: list[Desk] = []
    partners: list[BaseProcess] = []
    watched: list[Descriptor] = []
    try:
        for n in range(means.workers):
            desks.append(Desk(make))
            partner: BaseProcess = context.Process(  # type: ignore[attr-defined]  # all but the base have it
                target=_partner, args=(desks[-1],), name=f"partner/{n}", daemon=True
            )
            partners.append(partner)
            partner.start()
            watched.append(Descriptor(os.pidfd_open(partner.pid or 0)))
        pids = tuple(partner.pid or 0 for partner in partners)
        yield Office(tuple(desks), tuple(watched), pids, context.Value("q", 0))
    finally:
        for partner in partners:
            if partner.pid is not None:
                partner.kill()
                partner.join()
                partner.close()
        for descriptor in watched:
            descriptor.close()
        for desk in desks:
            desk.close()
