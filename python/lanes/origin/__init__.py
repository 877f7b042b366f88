"""The embedded origin: an HTTP server in its own process whose answers the URL chooses.

    with Origin() as origin:
        url = origin.url(size=65536, latency_s=0.05)

The path is free, except that /load tells how busy the origin is. The query is the vocabulary below; what is unknown,
cannot be read or contradicts itself is answered with 400 and one line that says so. N is a whole number, T a time in
milliseconds (a float), TEXT printable ASCII.

    parameter            the answer
    size=N               a body of N bytes (0)
    seed=N               which body: `body(size, seed)` and `crc32(size, seed)` know it (0)
    ms=T                 waits T before its first byte
    rate=N               sends the body at N bytes a second; the last byte is due after size / rate
    chunk=N              in chunks of N bytes (at most 256 KiB), with chunked transfer encoding
    chunk_ms=T           pauses T between chunks
    status=N             has this status, 200 to 599; with redirect or fail_first, it is theirs
    retry_after=TEXT     has this Retry-After, in seconds or a date; with fail_first, only the failures have it
    cl=true              states its Content-Length
    cl=wrong             states one byte more than it sends, then closes
    cl=none              states no length; its end is the end of the connection
    cl=dup               states two lengths, the true one and one more, then closes
    cl=N                 states N, negative too, and closes unless it is true
    cut=N                ends the connection after N bytes of the body
    rst=N                resets the connection after N bytes of the body, once the client's kernel has them
    stall=N              stops after N bytes of the body and keeps the connection open
    cut|rst|stall=headers   the same before the first byte
    badchunk             breaks the chunked encoding half-way, then closes
    garbage              is not HTTP
    empty                is not there: the connection is closed without a byte
    close                says Connection: close, and closes
    gzip                 is sent gzip-encoded; cut, rst and stall then count encoded bytes
    gzip=bad             says it is gzip-encoded and is not
    redirect=N           comes after N redirects (302)
    redirect=loop        never comes: redirects to itself
    redirect=file|ftp    redirects out of HTTP
    fail_first=N         fails (503) for the first N requests of this key
    key=TEXT             the key to count by (the URL)
    etag                 has an ETag, and If-None-Match gets 304
    etag=change          has a new ETag each time
    ranges=on            serves single byte ranges: 206, 416, If-Range
    ranges=off           says that it serves none, and does not
    ranges=lie           serves them with a Content-Range one byte off

Of cut, rst, stall, badchunk, garbage and empty there is at most one. A fault at the end of the body (cut=SIZE) leaves
the answer whole and strikes the idle connection after it.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import IO, Self

from lanes.origin.content import body, crc32

__all__ = ["Load", "Origin", "body", "crc32", "run_foreground"]


@dataclass(frozen=True, slots=True)
class Load:
    """What an origin had done by a moment (`time_ns`, CLOCK_MONOTONIC): since it started, all in its one process.

    bytes_sent counts heads and bodies alike.
    """

    requests: int
    bytes_sent: int
    cpu_s: float
    time_ns: int

    def busy_since(self, earlier: Load) -> float:
        """The share of the time since then that the origin was on a processor, 0 to 1. At 1 it is the limit."""
        wall_s = (self.time_ns - earlier.time_ns) / 1e9
        if wall_s <= 0:
            raise ValueError("the earlier load is not earlier")
        return min(1.0, max(0.0, (self.cpu_s - earlier.cpu_s) / wall_s))


class Origin:
    """An origin in a child process, from `with` to the end of it. It ends with this process, however that ends.

    `loop` is "auto" (uvloop where it is installed), "uvloop" or "asyncio".
    """

    host = "127.0.0.1"

    def __init__(self, port: int = 0, *, loop: str = "auto") -> None:
        self._wanted = port
        self._loop = loop
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def __enter__(self) -> Self:
        import tempfile

        if self._process is not None:
            raise RuntimeError("the origin is already running")
        # A file, because nobody reads a pipe while all goes well and a full one would stop the child.
        self._errors = tempfile.TemporaryFile()
        # The child finds modules where we do, however this process came by its path. It has a process group of its
        # own, so that a Ctrl-C meant for us does not reach it.
        start = f"import sys; sys.path[:] = {sys.path!r}; from lanes.origin.__main__ import main; sys.exit(main())"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", start, f"--port={self._wanted}", f"--loop={self._loop}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                process_group=0,
            )
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            if not line:
                self._process.wait()
                raise OSError(f"the origin did not start: {self._last_words()}")
            self._port = int(line)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def port(self) -> int:
        return self._port

    @property
    def pid(self) -> int:
        """The process of the origin, to pin it or look at it."""
        if self._process is None:
            raise RuntimeError("the origin is not running")
        return self._process.pid

    def url(
        self,
        *,
        size: int,
        seed: int = 0,
        latency_s: float = 0.0,
        rate: int | None = None,
        **faults: str | float | bool,
    ) -> str:
        """The URL of a body, with anything else of the vocabulary: `cut=100`, `cl="none"`, `close=True`.

        Raises ValueError where the origin would answer 400.
        """
        from urllib.parse import urlencode

        from lanes.origin.plan import plan_of

        query: dict[str, str | float] = {"size": size}
        if seed:
            query["seed"] = seed
        if latency_s:
            query["ms"] = f"{latency_s * 1000:.9g}"
        if rate is not None:
            query["rate"] = rate
        query.update((name, "" if value is True else value) for name, value in faults.items() if value is not False)
        path = f"/?{urlencode(query)}"
        plan_of(path)
        return f"http://{self.host}:{self._port}{path}"

    def load(self) -> Load:
        """What the origin has done so far; asking is not counted. Raises OSError when it does not answer."""
        import json
        from http.client import HTTPConnection, HTTPException

        connection = HTTPConnection(self.host, self._port, timeout=30)
        try:
            connection.request("GET", "/load", headers={"Connection": "close"})
            return Load(**json.load(connection.getresponse()))
        except (OSError, HTTPException, ValueError, TypeError) as error:
            raise OSError(f"the origin does not tell its load: {self._last_words() or error}") from error
        finally:
            connection.close()

    def _last_words(self) -> str:
        """Why the child is gone, as far as it said; empty when it is there."""
        if self._process is None or self._errors is None:
            return "it is not running"
        try:
            status = self._process.wait(0.5)  # its sockets close a little before it can be waited for
        except subprocess.TimeoutExpired:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), f"it ended with status {status}")

    def _end(self) -> None:
        """End the child at once. It keeps nothing that is worth a farewell."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if self._errors is not None:
            self._errors.close()
            self._errors = None


def run_foreground(host: str = "127.0.0.1", port: int = 0) -> int:
    """Serve until Ctrl-C or SIGTERM, saying where and, in the end, what was served; the exit status.

    Raises OSError when it cannot listen.
    """
    from lanes.origin.server import serve

    def announce(port: int) -> None:
        base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        print(f"lanes origin on {base}/  try: curl '{base}/?size=65536&ms=50' -o /dev/null", flush=True)

    load = serve(host, port, announce=announce)
    print(f"served {load.requests:,} requests, {load.bytes_sent:,} bytes; {load.cpu_s:.2f} s of CPU time", flush=True)
    return 0
