"""`download`: each task is one HTTP GET, read to its end.

Its value is the HTTP status, the number of bytes and the CRC-32 of the body as it came over the wire: nothing is
decompressed. Any status is a good outcome; a failure is one of the classes below, the same words on every client.
The two interpreted clients live beside this file, the one in C in csrc/workloads/.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, ClassVar, Self, TypeAlias
from urllib.parse import urlsplit

from lanes.types import Outcome, Task
from lanes.units import format_size, in_turn, parse_duration, parse_rate, parse_size, short, whole

if TYPE_CHECKING:
    from lanes.origin import Origin

ABOUT = "each task is one HTTP GET, read to its end, of a URL or from an embedded origin"
INPUT = ("URL", "http or https; without any, the origin is embedded")
OPTIONS = {
    "size": ("SIZE,...", "of the origin's bodies, such as 64KiB; several are used in turn"),
    "latency": ("TIME,...", "of the origin before its first byte, such as 50ms; several are used in turn"),
    "rate": ("RATE", "at which the origin sends a body, such as 10MiB/s"),
    "warm": (None, "every worker has a connection before the work begins"),
}
EXAMPLES = (
    "lanes compare download --tasks 4 --latency 300ms,200ms,200ms,200ms --workers 2",
    "lanes compare download --size 1MiB --rate 10MiB/s --models python",
    "lanes compare download https://example.org/ https://example.com/ --tasks 20",
    "lanes compare download --urls list.txt --quiet --json -",
)

ERRORS = {
    "DNSError": "the host has no address",
    "ConnectError": "refused, or not to be reached",
    "ConnectTimeout": "no connection, TLS included, in time",
    "TLSError": "the certificate or the handshake was bad",
    "ReadTimeout": "connected, and then silent for too long",
    "ConnectionReset": "reset, or closed before the first byte of a response",
    "ProtocolError": "what came was not HTTP",
    "PartialBody": "the body ended early",
    "TooManyRedirects": "more than ten redirects",
    "UnsafeRedirect": "a redirect to something else than http or https",
    "DownloadError": "anything else",
}
"""The error classes of a download."""

MAX_REDIRECTS = 10
HEADERS = {"User-Agent": "lanes", "Accept": "*/*", "Accept-Encoding": "identity"}
"""What every client sends, so that all are served the same."""


@dataclass(frozen=True, slots=True)
class Download:
    """`count` downloads from these URLs in turn or, without any, from an origin of our own.

    The origin's answers have `sizes` and `latencies_ns` in turn, each at `rate` bytes per second (None: unlimited).
    With `warm` every worker has a connection before its first task: it has asked the origin for nothing at all, or for
    the first of the URLs.

    A task's text is its URL; its arguments are the connect and the read time-out in nanoseconds, the latter for each
    wait for data rather than for the whole, and whether proxies named in the environment are used.
    """

    name: ClassVar[str] = "download"
    compiled: ClassVar[bool] = True
    blocking: ClassVar[bool] = True
    twins: ClassVar[bool] = True
    default_workers: ClassVar[int] = 4

    urls: tuple[str, ...]
    count: int
    sizes: tuple[int, ...] = ()
    latencies_ns: tuple[int, ...] = ()
    rate: int | None = None
    connect_timeout_ns: int = 10 * 10**9
    read_timeout_ns: int = 30 * 10**9
    proxies: bool = True
    warm: bool = False
    warm_url: str = ""
    origin: Origin | None = field(default=None, compare=False, repr=False)
    """The origin that serves this, while it does; it stays behind when the workload travels to another process."""

    @property
    def params(self) -> dict[str, object]:
        warm: dict[str, object] = {"warm": True} if self.warm else {}
        if self.proxies:
            return {"urls": list(self.urls), **warm}
        latencies = [ns / 1e9 for ns in self.latencies_ns]
        return {"size": list(self.sizes), "latency_s": latencies, "rate": self.rate, **warm}

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Until it is served, a workload without URLs has tasks without text."""
        urls = self.urls or ("",)
        return tuple(Task(n, urls[n % len(urls)], self._args) for n in range(self.count))

    @property
    def warm_up(self) -> Task | None:
        return Task(0, self.warm_url or self.urls[0], self._args) if self.warm and self.urls else None

    @property
    def _args(self) -> tuple[int, ...]:
        return self.connect_timeout_ns, self.read_timeout_ns, int(self.proxies)

    @contextmanager
    def serve(self) -> Iterator[Self]:
        if self.urls:
            yield self
            return
        from lanes.origin import Origin

        with Origin() as origin:
            urls = (
                origin.url(
                    size=self.sizes[n % len(self.sizes)],
                    seed=n,
                    latency_s=self.latencies_ns[n % len(self.latencies_ns)] / 1e9,
                    rate=self.rate,
                )
                for n in range(self.count)
            )
            yield replace(self, urls=tuple(urls), warm_url=origin.url(size=0), origin=origin)

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        from lanes.workloads import download_requests

        with download_requests.client(self.proxies) as get:
            yield get

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
        from lanes.workloads import download_aiohttp

        async with download_aiohttp.client(self.proxies) as get:
            yield get

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), tuple(getattr(self, each.name) for each in fields(self) if each.name != "origin")


Classes: TypeAlias = tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]
"""Exceptions of a client and the error class each stands for, the more telling ones first."""


def first_class(error: BaseException, classes: Classes) -> str:
    """The first of the classes that the error, or anything it was made from, belongs to."""
    found = tuple(causes(error))
    for kinds, word in classes:
        if any(isinstance(cause, kinds) for cause in found):
            return word
    return "DownloadError"


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that it was made from: libraries wrap what went wrong several layers deep."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]


def download(
    urls: str | Iterable[str] | None = None,
    *,
    tasks: int | None = None,
    size: str | float | Iterable[str | float] | None = None,
    latency: str | float | Iterable[str | float] | None = None,
    rate: str | float | None = None,
    warm: bool = False,
) -> Download:
    """Downloads of these URLs, in turn when there are more tasks; or from the embedded origin.

    urls:    http or https, one or several; an embedded origin serves when left out, and the next three are its.
    tasks:   how many downloads; as many as there are URLs, or 8, when left out.
    size:    of a body, as text or in bytes; several are taken in turn. "64KiB" when left out.
    latency: before the first byte, as text or in seconds; several are taken in turn. "50ms" when left out.
    rate:    at which it sends a body, as text or in bytes per second; unlimited when left out.
    warm:    whether every worker has a connection before the work begins, which is then part of its start-up.

    >>> len(lanes.download(["https://example.org/", "https://example.com/"], tasks=20).tasks)
    20

    Raises ValueError for what is no such URL, size, time or rate, and for choices of the origin beside URLs.
    """
    if urls is not None:
        for option, value in (("size", size), ("latency", latency), ("rate", rate)):
            if value is not None:
                raise ValueError(f"{option} is a choice for the embedded origin: leave it out when there are URLs")
        listed = tuple(map(check_url, (urls,) if isinstance(urls, (str, bytes)) else urls))
        if not listed:
            raise ValueError("no URLs: give at least one, or leave them out to use the embedded origin")
        return Download(listed, whole(len(listed) if tasks is None else tasks, "tasks"), warm=bool(warm))
    return Download(
        (),
        whole(8 if tasks is None else tasks, "tasks"),
        in_turn("64KiB" if size is None else size, _origin_size),
        in_turn("50ms" if latency is None else latency, parse_duration),
        None if rate is None else parse_rate(rate),
        proxies=False,
        warm=bool(warm),
    )


def _origin_size(size: str | float) -> int:
    from lanes.origin.plan import LARGEST_BODY

    parsed = parse_size(size)
    if parsed > LARGEST_BODY:
        raise ValueError(f"{short(size)} is too large: the origin sends at most {format_size(LARGEST_BODY)}")
    return parsed


def check_url(url: object) -> str:
    """The URL itself if it means the same to all clients.

    They differ on what is not ASCII, on backslashes, on hosts with an underscore or a final dot, and on addresses
    written short (127.1) or as one number: such a URL would compare libraries, not models.
    """
    if not isinstance(url, str) or not _means_one_thing(url):
        raise ValueError(
            f"{short(url)} is no URL to download: it must be http://host/... or https://host/... in ASCII, without"
            " spaces or backslashes (percent-encode what is not; a host in other letters begins with xn--), and the"
            " host a name of letters, digits and hyphens or a whole address"
        )
    return url


def _means_one_thing(url: str) -> bool:
    from ipaddress import IPv4Address, IPv6Address  # a sample, which is given checked URLs, has no use for it

    if not url.isascii() or any(c <= " " or c in "\\\x7f" for c in url):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or parts.port == 0:
            return False
        if "[" in parts.netloc:
            return not IPv6Address(host).scope_id
        if _NUMERIC.fullmatch(host):
            IPv4Address(host)
    except ValueError:  # a bad port, or what is no address
        return False
    return bool(_HOST.fullmatch(host))


_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*")
_NUMERIC = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
"""A host that ends in a number is an address, or nothing."""
