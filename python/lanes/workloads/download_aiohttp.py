"""A download by `aiohttp`, one session for all the tasks of a loop."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from lanes.types import Outcome, Task
from lanes.workloads.download import HEADERS, MAX_REDIRECTS, Classes, first_class


@asynccontextmanager
async def client(proxies: bool) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
    """The loop's session, as the coroutine function that does a task; with the environment's proxies or none."""
    # The number of workers is the limit, not the connector's.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=HEADERS,
        auto_decompress=False,
        trust_env=proxies,
    ) as session:

        async def get(task: Task) -> Outcome:
            connect_timeout_ns, read_timeout_ns, _ = task.args
            timeout = aiohttp.ClientTimeout(
                total=None, connect=connect_timeout_ns / 1e9, sock_read=read_timeout_ns / 1e9
            )
            size = crc = 0
            try:
                # aiohttp counts the redirect that it refuses.
                async with session.get(
                    URL(task.text, encoded=True), timeout=timeout, max_redirects=MAX_REDIRECTS + 1
                ) as response:
                    with _ended_with_its_connection(response):
                        async for chunk in response.content.iter_any():
                            size += len(chunk)
                            crc = zlib.crc32(chunk, crc)
            except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
                return Outcome("failed", error=classify(error), detail=str(error))
            return Outcome("ok", (response.status, size, crc))

        yield get


@contextmanager
def _ended_with_its_connection(response: aiohttp.ClientResponse) -> Iterator[None]:
    """Let a body fail when its connection does.

    When a later chunk is malformed, aiohttp 3.14 closes the connection, notes the error there and stops its read
    time-out; who waits for the body is told nothing, and waits for ever.
    """
    protocol = None if response.connection is None else response.connection.protocol
    closed = None if protocol is None else protocol.closed
    if protocol is None or closed is None:  # the whole body is here, or its end is
        yield
        return

    def fail(closed: asyncio.Future[None]) -> None:
        closed.exception()  # seen, so that nobody warns of it
        error = protocol.exception()
        if error is not None and response.content.exception() is None:
            response.content.set_exception(error)

    closed.add_done_callback(fail)
    try:
        yield
    finally:
        closed.remove_done_callback(fail)


def classify(error: Exception) -> str:
    """The error class for what aiohttp raised."""
    # Why a body is incomplete it says in words only.
    if isinstance(error, aiohttp.ClientPayloadError) and "ConnectionResetError" in str(error):
        return "ConnectionReset"
    return first_class(error, _CLASSES)


_CLASSES: Classes = (
    (aiohttp.TooManyRedirects, "TooManyRedirects"),
    (aiohttp.NonHttpUrlRedirectClientError, "UnsafeRedirect"),
    (aiohttp.ConnectionTimeoutError, "ConnectTimeout"),
    (aiohttp.SocketTimeoutError, "ReadTimeout"),
    ((aiohttp.ClientSSLError, ssl.SSLError), "TLSError"),
    (aiohttp.ClientConnectorDNSError, "DNSError"),
    (aiohttp.ClientConnectorError, "ConnectError"),
    (aiohttp.ClientPayloadError, "PartialBody"),
    ((ConnectionError, aiohttp.ServerDisconnectedError), "ConnectionReset"),
    (HttpProcessingError, "ProtocolError"),
)
