"""The ways in which two coroutines of one loop hand each other payloads.

A partner is a coroutine on the same loop; each place of the loop has one of its own.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from lanes.workloads.exchange_lines import HEAD, TIMED, Descriptor


class Line(Protocol):
    """One way, for one payload at a time."""

    copying_ns: int
    """Nanoseconds that both ends have spent in calls that copy, as far as they are worth timing."""

    async def send(self, payload: bytes, /) -> None: ...
    async def receive(self) -> bytes: ...
    def close(self) -> None: ...


class Queue:
    """A queue of references."""

    copying_ns = 0

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.send, self.receive = self._queue.put, self._queue.get

    def close(self) -> None:
        pass


class Slot:
    """Room for one reference, and a condition for whoever waits for it to be filled."""

    copying_ns = 0

    def __init__(self) -> None:
        self._condition = asyncio.Condition()
        self._payload: bytes | None = None

    async def send(self, payload: bytes) -> None:
        async with self._condition:
            self._payload = payload
            self._condition.notify()

    async def receive(self) -> bytes:
        async with self._condition:
            while self._payload is None:
                await self._condition.wait()
            payload, self._payload = self._payload, None
            return payload

    def close(self) -> None:
        pass


class Pipe:
    """A pipe, with the size before each payload. The loop is asked only when there is nothing to read, or no room."""

    def __init__(self) -> None:
        self.copying_ns = 0
        self._reader, self._writer = map(Descriptor, os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC))

    async def send(self, payload: bytes) -> None:
        left = [memoryview(HEAD.pack(len(payload))), memoryview(payload)]
        while left:
            try:
                written = self._timed(len(payload), os.writev, self._writer.number, left)
            except BlockingIOError:
                await _ready(self._writer.number, is_writer=True)
                continue
            while left and written >= len(left[0]):
                written -= len(left.pop(0))
            if written:
                left[0] = left[0][written:]

    async def receive(self) -> bytes:
        return await self._read(*HEAD.unpack(await self._read(HEAD.size)))

    async def _read(self, size: int) -> bytes:
        payload = bytearray(size)
        left = memoryview(payload)
        while left:
            try:
                left = left[self._timed(size, os.readv, self._reader.number, [left]) :]
            except BlockingIOError:
                await _ready(self._reader.number, is_writer=False)
        return bytes(payload)

    def _timed(self, size: int, copy: Callable[[int, Any], int], descriptor: int, parts: object) -> int:
        if size < TIMED:
            return copy(descriptor, parts)
        began = time.monotonic_ns()
        copied = copy(descriptor, parts)
        self.copying_ns += time.monotonic_ns() - began
        return copied

    def close(self) -> None:
        self._writer.close()
        self._reader.close()


async def _ready(descriptor: int, is_writer: bool) -> None:
    """Wait until the descriptor can be written to, or read from."""
    loop = asyncio.get_running_loop()
    add, remove = (loop.add_writer, loop.remove_writer) if is_writer else (loop.add_reader, loop.remove_reader)
    ready: asyncio.Future[None] = loop.create_future()
    add(descriptor, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        remove(descriptor)


class File:
    """A file without a name, and a queue that tells how much is in it. The loop stands still while it is copied."""

    def __init__(self) -> None:
        self.copying_ns = 0
        self._told: asyncio.Queue[int] = asyncio.Queue()
        with tempfile.TemporaryFile(buffering=0) as file:
            self._file = Descriptor(os.dup(file.fileno()))

    async def send(self, payload: bytes) -> None:
        began = time.monotonic_ns()
        left, at = memoryview(payload), 0
        while left:
            written = os.pwrite(self._file.number, left, at)
            left, at = left[written:], at + written
        self._count(at, began)
        await self._told.put(at)

    async def receive(self) -> bytes:
        size = await self._told.get()
        began = time.monotonic_ns()
        parts, at = [], 0
        while at < size:
            parts.append(os.pread(self._file.number, size - at, at))
            if not parts[-1]:
                raise EOFError("the file is shorter than was told")
            at += len(parts[-1])
        self._count(size, began)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _count(self, size: int, began: int) -> None:
        if size >= TIMED:
            self.copying_ns += time.monotonic_ns() - began

    def close(self) -> None:
        self._file.close()


_LINES: dict[str, Callable[[], Line]] = {"queue": Queue, "condition": Slot, "pipe": Pipe, "file": File}


class Desk:
    """Two lines, of which the worker sends by the first, and the partner at their other end."""

    def __init__(self, via: str) -> None:
        self._there = _LINES[via]()
        try:
            self._back = _LINES[via]()
        except BaseException:
            self._there.close()
            raise
        self._error: Exception | None = None
        self._worker: asyncio.Task[object] | None = None
        self._partner = asyncio.create_task(self._answer(), name="partner")

    @property
    def copying_ns(self) -> int:
        return self._there.copying_ns + self._back.copying_ns

    async def exchange(self, payload: bytes) -> bytes:
        """The worker's side: hand over the payload and wait for the answer."""
        self._worker = asyncio.current_task()
        try:
            await self._there.send(payload)
            return await self._back.receive()
        except asyncio.CancelledError:
            if not self._partner.done() or self._worker is None:
                raise
            self._worker.uncancel()
            raise RuntimeError("the partner has left in the middle of an exchange") from self._error

    async def _answer(self) -> None:
        try:
            while True:
                await self._back.send(await self._there.receive())
        except Exception as error:  # else the worker would wait for ever
            self._error = error
            if self._worker is not None:
                self._worker.cancel()

    async def close(self) -> None:
        self._partner.cancel()
        with suppress(asyncio.CancelledError):
            await self._partner
        self._there.close()
        self._back.close()


class Desks:
    """As many desks as there are exchanges at a time: who needs one takes one that is free, or a new one."""

    def __init__(self, via: str) -> None:
        self._via = via
        self._all: list[Desk] = []
        self._free: list[Desk] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Desk]:
        if not self._free:
            self._free.append(Desk(self._via))
            self._all.append(self._free[-1])
        desk = self._free.pop()
        yield desk
        # Not one that was given up half-way: what is in its lines belongs to nobody.
        self._free.append(desk)

    async def close(self) -> None:
        for desk in self._all:
            await desk.close()
