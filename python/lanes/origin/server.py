"""The origin's process: connections on one event loop, each playing the scripts of its requests in order.

The common case, a small constant answer on an idle connection, is one dictionary look-up and one write; all else
goes through a script. Imported only where the server runs: it brings asyncio and httptools with it.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import json
import os
import resource
import signal
import socket
import struct
import sys
import termios
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import lru_cache
from typing import cast

import httptools

from lanes.origin import Load
from lanes.origin.content import view
from lanes.origin.plan import Plan, plan_of, refusal
from lanes.origin.script import End, Request, Step, answer

_BACKLOG = 4096
_SMALL = 64 * 1024  # the longest body whose whole answer is kept ready
_LONGEST_REQUEST = 256 * 1024
_MOST_WAITING = 64  # pipelined requests before the connection is read no further
_TURN = 4  # pieces one answer may send before the other connections get their turn
_LINGER_S = 1.0
_SPARE_DESCRIPTORS = 64
_CROWDED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n"
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@lru_cache(maxsize=16384)
def _planned(url: bytes) -> Plan:
    try:
        return plan_of(url.decode("ascii"))
    except UnicodeDecodeError:
        return refusal(400, "the URL must be ASCII")
    except ValueError as error:
        return refusal(400, str(error))


@lru_cache(maxsize=1024)
def _ready(url: bytes) -> bytes | None:
    """The whole answer to a GET of that URL where it is constant and small, else None."""
    plan = _planned(url)
    if url == b"/load" or not plan.constant or plan.size > _SMALL:
        return None
    steps = list(answer(Request(plan)))
    return b"".join(step for step in steps if isinstance(step, bytes | memoryview))


class Site:
    """What all connections share: the counts, and how many of them there may be."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open: set[Connection] = set()
        self.seen: Counter[str] = Counter()
        self.requests = 0
        self.bytes_sent = 0

    def load(self) -> Load:
        return Load(self.requests, self.bytes_sent, time.process_time(), time.monotonic_ns())

    def answer(self, request: Request) -> Iterator[Step]:
        plan = request.plan
        if not plan.fail_first:
            return answer(request)
        key = plan.key or request.url.decode("latin-1")
        self.seen[key] += 1
        return answer(request, self.seen[key] - 1)


class Connection(asyncio.Protocol):
    """One client: parses what it sends and answers in the same order.

    steps:  the answer under way, None between answers.
    turn:   what will take its next step, when that waits for a time and not for the client.
    deaf:   nothing more is wanted from the client; ended: nothing more will be sent to it.
    """

    __slots__ = (
        "deaf", "ended", "headers", "loop", "parser", "paused", "refused", "site", "steps", "transport", "turn",
        "unread", "url", "waiting",
    )  # fmt: skip

    def __init__(self, site: Site, loop: asyncio.AbstractEventLoop) -> None:
        self.site = site
        self.loop = loop
        self.parser: httptools.HttpRequestParser | None = None
        self.waiting: deque[Request] = deque()
        self.steps: Iterator[Step] | None = None
        self.turn: asyncio.Handle | None = None
        self.headers: dict[bytes, bytes] = {}
        self.url = b""
        self.unread = 0
        self.paused = self.deaf = self.ended = self.refused = False

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.parser = httptools.HttpRequestParser(self)
        self.site.open.add(self)
        if len(self.site.open) > self.site.most:
            self.deaf = True
            self.transport.write(_CROWDED)
            self._end(End.CLOSE)

    def connection_lost(self, exc: Exception | None) -> None:
        self.site.open.discard(self)
        self.deaf = self.ended = True
        if self.turn is not None:
            self.turn.cancel()
        self.waiting.clear()
        self.parser = self.steps = None  # parser and connection hold each other; let go without the collector

    def data_received(self, data: bytes) -> None:
        if self.deaf or self.parser is None:
            return
        self.unread += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # The answer to an upgrade we do not know is the plain one; what follows is HTTP as before.
            self.parser = httptools.HttpRequestParser(self)
            self.data_received(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            if not self.deaf:
                self._refuse(400, f"not an HTTP request: {error}")
        if self.unread > _LONGEST_REQUEST:
            self._refuse(431, f"a request must be shorter than {_LONGEST_REQUEST} bytes")

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.turn is None:
            self._go_on()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self.url = b""
        if self.headers:
            self.headers = {}

    def on_url(self, url: bytes) -> None:
        self.url += url  # comes in parts when it arrives in parts

    def on_header(self, name: bytes, value: bytes) -> None:
        if b"=" in self.url and _planned(self.url).reads_headers:
            self.headers[name.lower()] = value

    def on_message_complete(self) -> None:
        parser = self.parser
        if self.deaf or parser is None:
            return
        self.unread = 0
        keep_alive = parser.should_keep_alive()
        method = parser.get_method()
        if method == b"GET" and keep_alive and self.steps is None and not self.paused:
            wire = _ready(self.url)
            if wire is not None:
                self.site.requests += 1
                self.site.bytes_sent += len(wire)
                self.transport.write(wire)
                return
        self.deaf = not keep_alive
        if self.url == b"/load":
            plan = refusal(200, json.dumps(asdict(self.site.load())))
        else:
            self.site.requests += 1
            plan = _planned(self.url) if method in (b"GET", b"HEAD") else refusal(405, "only GET and HEAD are served")
        old = parser.get_http_version() == "1.0"
        self._take(Request(plan, self.url, method == b"HEAD", keep_alive, old, self.headers))

    # Playing the answers.

    def _refuse(self, status: int, why: str) -> None:
        """Answer, after all that came before, that the connection cannot go on."""
        self.deaf = self.refused = True
        self._take(Request(refusal(status, why), keep_alive=False))

    def _take(self, request: Request) -> None:
        self.waiting.append(request)
        if len(self.waiting) > _MOST_WAITING:
            self.transport.pause_reading()
        if self.steps is None and not self.paused:
            self._go_on()

    def _go_on(self) -> None:
        """Play on, from one answer to the next, until something has to be waited for."""
        self.turn = None
        while not (self.paused or self.ended or self.turn):
            if self.steps is None:
                if not self.waiting:
                    return
                self.steps = self.site.answer(self.waiting.popleft())
                if len(self.waiting) == _MOST_WAITING:
                    self.transport.resume_reading()
            self._play(self.steps)

    def _play(self, steps: Iterator[Step]) -> None:
        for number, step in enumerate(steps, 1):
            if isinstance(step, float):
                self.turn = self.loop.call_later(step, self._go_on)
                return
            if isinstance(step, End):
                self._end(step)
                return
            self.transport.write(step)
            self.site.bytes_sent += len(step)
            if self.paused:
                return
            if number == _TURN:
                self.turn = self.loop.call_soon(self._go_on)
                return
        self.steps = None

    def _end(self, end: End) -> None:
        self.ended = self.deaf = True
        if end is End.RESET:
            self._reset()
        elif self.refused:
            # Closing with input unread resets the connection and may take the answer with it: let the client end it.
            self.transport.write_eof()
            self.turn = self.loop.call_later(_LINGER_S, self.transport.close)
        else:
            self.transport.close()

    def _reset(self) -> None:
        """Reset the connection once the client's kernel has everything; a reset discards what is still under way."""
        link = cast(socket.socket, self.transport.get_extra_info("socket"))
        (queued,) = struct.unpack("i", fcntl.ioctl(link.fileno(), termios.TIOCOUTQ, bytes(4)))
        if queued or self.transport.get_write_buffer_size():
            self.turn = self.loop.call_later(0.001, self._reset)
            return
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    announce: Callable[[int], None],
    loop: str = "auto",
    with_parent: bool = False,
) -> Load:
    """Serve until SIGINT or SIGTERM, and return what was served. `announce` gets the port once it listens.

    `loop` is "uvloop", "asyncio", or "auto" for uvloop where it is installed. `with_parent` ends the service when
    the other end of standard input closes or the parent process is gone. Raises OSError when it cannot listen.
    """
    with asyncio.Runner(loop_factory=_loop_factory(loop)) as runner:
        return runner.run(_serve(host, port, announce, with_parent))


async def _serve(host: str, port: int, announce: Callable[[int], None], with_parent: bool) -> Load:
    parent = os.getppid()  # before anybody knows the port: from then on the parent may be gone at any time
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_on_error)
    site = Site(_raise_descriptor_limit() - _SPARE_DESCRIPTORS)
    try:
        server = await loop.create_server(lambda: Connection(site, loop), host, port, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise OSError(error.errno, f"the origin cannot listen on {host}:{port}: {reason}") from None
    view(0, 1)  # makes what all bodies are cut from: not at the cost of who asks first
    gc.collect()
    gc.freeze()  # what start-up made stays; the collector need not look at it again
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        announce(server.sockets[0].getsockname()[1])
        if with_parent:
            await _wait_with(parent, stop)
        else:
            await stop.wait()
    finally:  # uvloop leaves its handlers behind when it is closed
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    server.close()
    for connection in tuple(site.open):
        connection.transport.abort()
    await asyncio.sleep(0)
    return site.load()


async def _wait_with(parent: int, stop: asyncio.Event) -> None:
    """Wait for the event, for the end of standard input, or for another parent.

    The end of input comes at once, but not while some forked child of the parent still holds the pipe.
    """
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    while not stop.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(stop.wait(), 1.0)
        except TimeoutError:
            continue


def _on_error(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Out of descriptors, clients wait in the backlog until some are free; all else is a bug and is shown."""
    error = context.get("exception")
    if not (isinstance(error, OSError) and error.errno in _OUT_OF_DESCRIPTORS):
        loop.default_exception_handler(context)


def _raise_descriptor_limit() -> int:
    """Allow this process all the descriptors it may have; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2**20 if hard == resource.RLIM_INFINITY else min(hard, 2**20)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name != "asyncio":
        try:
            import uvloop
        except ImportError:
            if name == "uvloop":
                raise
        else:
            return uvloop.new_event_loop
    return asyncio.new_event_loop
