"""The origin: every word of its vocabulary on the wire, on both loops; and the child process that serves it."""

from __future__ import annotations

import errno
import gzip
import http.client
import importlib.util
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.parse
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

import lanes.origin
from lanes.origin import Load, Origin, body, crc32
from lanes.origin.plan import Plan, plan_of

CRC_OF_100_000 = 0xC886153E  # of every release: a stored record must stay comparable
PATHS = os.pathsep.join(path for path in sys.path if path)


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "uvloop":
        pytest.importorskip("uvloop")
    return name


@pytest.fixture(scope="module")
def origin(loop: str) -> Iterator[Origin]:
    with Origin(loop=loop) as running:
        yield running
        running.load()  # nothing that the tests sent has brought it down


class Answer:
    """An answer as http.client reads it."""

    def __init__(self, response: http.client.HTTPResponse, content: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.content = content


def fetch(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> Answer:
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", headers=headers or {})
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


def connect(origin: Origin) -> socket.socket:
    return socket.create_connection((origin.host, origin.port), timeout=10)


def get(target: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: here", *fields, "", ""]).encode()


def received(client: socket.socket) -> bytes:
    """All that comes until the connection ends."""
    parts = []
    while part := client.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def exchange(origin: Origin, sent: bytes) -> bytes:
    """What the origin says to this until it closes the connection by itself."""
    with connect(origin) as client:
        client.sendall(sent)
        return received(client)


def one(client: socket.socket) -> tuple[bytes, bytes]:
    """The next answer, told from what follows by its Content-Length: head and body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, f"the connection ended after {head!r}"
        head += byte
    found = re.search(rb"(?i)content-length: (\d+)", head)
    content, size = b"", int(found[1]) if found else 0
    while len(content) < size:
        content += client.recv(size - len(content))
    return head, content


def quiet(client: socket.socket, seconds: float) -> bool:
    """Whether nothing arrives, not even an end, for that long."""
    return not select.select([client], [], [], seconds)[0]


def parts_of(answer: bytes) -> tuple[bytes, bytes]:
    head, _, content = answer.partition(b"\r\n\r\n")
    return head, content


# Bodies.


def test_body_is_deterministic_and_rotated_by_seed() -> None:
    assert zlib.crc32(body(100_000)) == CRC_OF_100_000
    assert body(1000, 7) == body(1007)[7:]
    assert body(0) == b""
    assert len({body(64, seed) for seed in range(1000)}) == 1000


def test_what_bodies_are_cut_from_is_there_before_anybody_asks() -> None:
    program = """
        import os, signal
        from lanes.origin import content, server

        def announce(port):
            print(content._block.cache_info().currsize)
            os.kill(os.getpid(), signal.SIGTERM)

        server.serve(announce=announce)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_body_repeats_with_a_prime_period() -> None:
    long = body(3 * 2**20)
    period = long.index(long[:64], 1)
    assert all(period % divisor for divisor in range(2, 1025))
    assert long[period:] == long[:-period]


@pytest.mark.parametrize(("size", "seed"), [(0, 0), (1, 3), (262_144, 1), (262_145, 1_048_572), (5_000_003, 12**9)])
def test_crc_is_that_of_the_body(size: int, seed: int) -> None:
    assert crc32(size, seed) == zlib.crc32(body(size, seed))


# The plain answer.


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 262_144, 3_000_001])
def test_size_and_seed(origin: Origin, size: int) -> None:
    answer = fetch(origin.url(size=size, seed=size % 89))
    assert answer.status == 200
    assert answer.headers["Content-Length"] == str(size)
    assert answer.content == body(size, size % 89)


def test_head_has_the_head_of_get(origin: Origin) -> None:
    with connect(origin) as client:
        client.sendall(b"HEAD /?size=5000 HTTP/1.1\r\n\r\n" + get("/?size=3"))
        head = b""
        while head.count(b"\r\n\r\n") < 1:
            head += client.recv(1)
        assert b"Content-Length: 5000\r\n" in head
        assert one(client)[1] == body(3)  # so the answer to HEAD had no body


@pytest.mark.parametrize("extra", [{"chunk": 10}, {"rate": 100}, {"cut": 3}, {"gzip": True}, {"cl": "none"}])
def test_head_never_has_a_body(origin: Origin, extra: dict[str, str | float | bool]) -> None:
    target = urllib.parse.urlsplit(origin.url(size=20, close=True, **extra))  # type: ignore[arg-type]
    answer = exchange(origin, f"HEAD /?{target.query} HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"\r\n\r\n") == 1
    assert answer.endswith(b"\r\n\r\n")


def test_keep_alive(origin: Origin) -> None:
    with connect(origin) as client:
        for size in (10, 0, 70_000, 5):
            client.sendall(get(f"/?size={size}"))
            assert one(client)[1] == body(size)


def test_pipelined_requests_are_answered_in_order(origin: Origin) -> None:
    targets = [f"/?size={100 + n}&seed={n}" + ("&ms=20" if n % 5 == 0 else "") for n in range(20)]
    with connect(origin) as client:
        client.sendall(b"".join(get(target) for target in targets))
        for n in range(20):
            assert one(client)[1] == body(100 + n, n)


def test_many_pipelined_requests_to_a_slow_reader(origin: Origin) -> None:
    count = 3000
    with connect(origin) as client, ThreadPoolExecutor(1) as sender:
        requests = get("/?size=20000&ms=1") + get("/?size=20000") * (count - 1)
        sending = sender.submit(client.sendall, requests + get("/?size=1&close"))
        time.sleep(0.2)
        content = received(client)
        sending.result()
    assert content.count(b"HTTP/1.1 200 OK") == count + 1
    assert content.endswith(b"Connection: close\r\n\r\n" + body(1))


def test_a_request_byte_by_byte(origin: Origin) -> None:
    with connect(origin) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in get("/?size=12&seed=5&etag", "If-None-Match: x"):
            client.sendall(bytes([byte]))
        assert one(client)[1] == body(12, 5)


def test_absolute_form_and_any_path(origin: Origin) -> None:
    with connect(origin) as client:
        client.sendall(get("http://here/some/path?size=4"))
        assert one(client)[1] == body(4)


def test_body_of_a_get_is_passed_over(origin: Origin) -> None:
    with connect(origin) as client:
        client.sendall(get("/?size=4", "Content-Length: 5") + b"hello" + get("/?size=6"))
        assert [one(client)[1], one(client)[1]] == [body(4), body(6)]


def test_upgrade_is_declined(origin: Origin) -> None:
    with connect(origin) as client:
        client.sendall(get("/?size=4", "Connection: Upgrade", "Upgrade: h2c") + get("/?size=6"))
        assert [one(client)[1], one(client)[1]] == [body(4), body(6)]


def test_the_client_may_ask_to_close(origin: Origin) -> None:
    answer = exchange(origin, get("/?size=9", "Connection: close") + get("/?size=3"))
    assert b"Connection: close" in answer
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.endswith(body(9))


@pytest.mark.parametrize("query", ["size=9", "size=9&chunk=3"])
def test_http_1_0_gets_an_unframed_body_and_an_end(origin: Origin, query: str) -> None:
    head, content = parts_of(exchange(origin, f"GET /?{query} HTTP/1.0\r\n\r\n".encode()))
    assert b"chunked" not in head
    assert content == body(9)


def test_close(origin: Origin) -> None:
    head, content = parts_of(exchange(origin, get("/?size=9&close")))
    assert b"Connection: close" in head
    assert content == body(9)


@pytest.mark.parametrize("status", [200, 201, 206, 302, 404, 429, 500, 599])
def test_status(origin: Origin, status: int) -> None:
    answer = fetch(origin.url(size=30, status=status))
    assert (answer.status, answer.content) == (status, body(30))


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(origin: Origin, status: int) -> None:
    with connect(origin) as client:
        client.sendall(get(f"/?size=30&status={status}&chunk=4") + get("/?size=2"))
        head, _ = one(client)
        assert f" {status} ".encode() in head
        assert b"Content-Length" not in head
        assert b"chunked" not in head
        assert one(client)[1] == body(2)


@pytest.mark.parametrize("when", ["7", "Wed, 21 Oct 2065 07:28:00 GMT"])
def test_retry_after(origin: Origin, when: str) -> None:
    answer = fetch(origin.url(size=0, status=429, retry_after=when))
    assert (answer.status, answer.headers["Retry-After"]) == (429, when)


# Time.


@pytest.mark.parametrize("latency_s", [0.0123, 0.05, 0.2])
def test_latency_is_never_less_than_asked(origin: Origin, latency_s: float) -> None:
    with connect(origin) as client:
        began = time.monotonic()
        client.sendall(get(f"/?size=5&ms={latency_s * 1000}"))
        client.recv(1)
        assert time.monotonic() - began >= latency_s


def test_latencies_of_many_connections_overlap(origin: Origin) -> None:
    clients = [connect(origin) for _ in range(100)]
    began = time.monotonic()
    for client in clients:
        client.sendall(get("/?size=5&ms=100&close"))
    answers = [received(client) for client in clients]
    taken = time.monotonic() - began
    for client in clients:
        client.close()
    assert all(answer.endswith(body(5)) for answer in answers)
    assert taken < 100 * 0.1 / 2  # one after another they would take twice that at least


@pytest.mark.parametrize(("size", "rate"), [(30, 100), (100_000, 400_000), (4_000_000, 20_000_000)])
def test_rate_takes_the_time_it_should(origin: Origin, size: int, rate: int) -> None:
    began = time.monotonic()
    answer = fetch(origin.url(size=size, rate=rate))
    assert time.monotonic() - began >= size / rate
    assert answer.content == body(size)


def test_rate_sends_steadily(origin: Origin) -> None:
    with connect(origin) as client:
        began = time.monotonic()
        client.sendall(get("/?size=40&rate=100&close"))
        arrivals: list[float] = []
        content = b""
        while part := client.recv(1 << 16):
            content += part
            arrivals += [time.monotonic() - began] * (len(parts_of(content)[1]) - len(arrivals))
    assert parts_of(content)[1] == body(40)
    assert all(at >= (n + 1) / 100 for n, at in enumerate(arrivals))


def test_chunks(origin: Origin) -> None:
    head, content = parts_of(exchange(origin, get("/?size=25&chunk=10&close")))
    data = body(25)
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    expected = b"a\r\n%b\r\na\r\n%b\r\n5\r\n%b\r\n0\r\n\r\n"
    assert content == expected % (data[:10], data[10:20], data[20:])


def test_chunk_pauses_lie_between_the_chunks(origin: Origin) -> None:
    began = time.monotonic()
    answer = fetch(origin.url(size=25, chunk=10, chunk_ms=60))
    assert time.monotonic() - began >= 2 * 0.06
    assert answer.content == body(25)


def test_chunked_answer_keeps_the_connection(origin: Origin) -> None:
    with connect(origin) as client:
        client.sendall(get("/?size=0&chunk=10"))
        assert one(client)[0].endswith(b"chunked\r\n\r\n")
        assert client.recv(5) == b"0\r\n\r\n"
        client.sendall(get("/?size=3"))
        assert one(client)[1] == body(3)


# Lengths, cuts, resets, stalls.


@pytest.mark.parametrize(
    ("cl", "stated"),
    [("true", ["20"]), ("wrong", ["21"]), ("none", []), ("dup", ["20", "21"]), ("-5", ["-5"]), ("7", ["7"])],
)
def test_content_length(origin: Origin, cl: str, stated: list[str]) -> None:
    fields = ["Connection: close"] if cl == "true" else []
    head, content = parts_of(exchange(origin, get(f"/?size=20&cl={cl}", *fields)))
    assert [found.decode() for found in re.findall(rb"Content-Length: (\S+)", head)] == stated
    assert content == body(20)


def test_cut(origin: Origin) -> None:
    head, content = parts_of(exchange(origin, get("/?size=500000&cut=300001")))
    assert b"Content-Length: 500000" in head
    assert content == body(300_001)


def test_cut_of_a_chunked_body_leaves_out_its_end(origin: Origin) -> None:
    _, content = parts_of(exchange(origin, get("/?size=20&chunk=20&cut=20")))
    assert content == b"14\r\n" + body(20) + b"\r\n"


def test_cut_at_the_end_strikes_the_idle_connection(origin: Origin) -> None:
    with connect(origin) as client:
        client.sendall(get("/?size=20&cut=20"))
        assert one(client)[1] == body(20)
        assert client.recv(1) == b""


@pytest.mark.parametrize("query", ["size=20&cut=headers", "size=20&empty"])
def test_empty(origin: Origin, query: str) -> None:
    assert exchange(origin, get(f"/?{query}")) == b""


@pytest.mark.parametrize("at", [0, 1, 20, 3_000_000])
def test_reset_comes_after_that_many_bytes(origin: Origin, at: int) -> None:
    with connect(origin) as client:
        client.sendall(get(f"/?size=4000000&rst={at}"))
        time.sleep(0.05)
        content = b""
        with pytest.raises(ConnectionResetError):
            while True:
                part = client.recv(1 << 16)
                assert part, "ended in order"
                content += part
    assert parts_of(content)[1] == body(at)


def test_reset_before_the_headers(origin: Origin) -> None:
    with pytest.raises(ConnectionResetError):
        exchange(origin, get("/?size=20&rst=headers"))


@pytest.mark.parametrize(("at", "sent"), [("7", 7), ("20", 20)])
def test_stall(origin: Origin, at: str, sent: int) -> None:
    with connect(origin) as client:
        client.sendall(get(f"/?size=20&chunk=100&stall={at}") + get("/?size=1"))
        expected = b"%x\r\n%b\r\n" % (sent, body(sent))
        content = b""
        while not content.endswith(expected):
            content += client.recv(1 << 16)
        assert quiet(client, 0.2)


def test_stall_before_the_headers(origin: Origin) -> None:
    with connect(origin) as client:
        client.sendall(get("/?size=20&stall=headers"))
        assert quiet(client, 0.2)


def test_bad_chunk(origin: Origin) -> None:
    with pytest.raises(http.client.IncompleteRead) as caught:
        fetch(origin.url(size=1000, badchunk=True))
    assert caught.value.partial == body(500)


def test_garbage(origin: Origin) -> None:
    with pytest.raises(http.client.BadStatusLine):
        fetch(origin.url(size=10, garbage=True))


def test_faults_wait_for_their_latency(origin: Origin) -> None:
    began = time.monotonic()
    assert exchange(origin, get("/?size=0&empty&ms=80")) == b""
    assert time.monotonic() - began >= 0.08


# Encodings, redirects, failures, conditions.


def test_gzip(origin: Origin) -> None:
    answer = fetch(origin.url(size=100_000, seed=3, gzip=True))
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.content) == body(100_000, 3)


def test_gzip_cut_short_and_gzip_that_is_none(origin: Origin) -> None:
    _, content = parts_of(exchange(origin, get("/?size=1000&gzip&cut=500")))
    assert len(content) == 500
    with pytest.raises(EOFError):
        gzip.decompress(content)
    answer = fetch(origin.url(size=1000, gzip="bad"))
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.content == body(1000)


@pytest.mark.parametrize("status", [None, 301, 303, 307, 308])
def test_redirects_end_in_the_plain_answer(origin: Origin, status: int | None) -> None:
    url = origin.url(size=50, seed=2, redirect=3, **({"status": status} if status else {}))
    for _ in range(3):
        answer = fetch(url)
        assert (answer.status, answer.content) == (status or 302, b"")
        url = urllib.parse.urljoin(url, answer.headers["Location"])
    assert (fetch(url).status, fetch(url).content) == (200, body(50, 2))


def test_redirect_loop(origin: Origin) -> None:
    url = origin.url(size=50, redirect="loop")
    assert urllib.parse.urljoin(url, fetch(url).headers["Location"]) == url


@pytest.mark.parametrize("scheme", ["file", "ftp"])
def test_redirect_out_of_http(origin: Origin, scheme: str) -> None:
    answer = fetch(origin.url(size=50, redirect=scheme))
    assert answer.status == 302
    assert answer.headers["Location"].startswith(f"{scheme}://")


def test_fail_first_counts_by_key(origin: Origin) -> None:
    url = origin.url(size=5, fail_first=2, key="a", retry_after="1")
    answers = [fetch(url) for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 200]
    assert [answer.headers["Retry-After"] for answer in answers] == ["1", "1", None]
    assert answers[-1].content == body(5)
    assert fetch(origin.url(size=6, fail_first=3, key="a")).status == 200
    assert fetch(origin.url(size=5, fail_first=1, key="b", status=429)).status == 429


def test_fail_first_without_a_key_counts_by_url(origin: Origin) -> None:
    urls = [origin.url(size=size, fail_first=1) for size in (7, 7, 8, 7, 8)]
    assert [fetch(url).status for url in urls] == [503, 200, 503, 200, 200]


def test_etag(origin: Origin) -> None:
    url = origin.url(size=50, etag=True)
    tag = fetch(url).headers["ETag"]
    assert fetch(origin.url(size=50, seed=1, etag=True)).headers["ETag"] != tag
    for known, status in ((tag, 304), (f'"x", W/{tag}', 304), ("*", 304), ('"x"', 200)):
        answer = fetch(url, headers={"If-None-Match": known})
        assert (answer.status, answer.content) == (status, body(50) if status == 200 else b"")


def test_etag_that_changes(origin: Origin) -> None:
    url = origin.url(size=50, etag="change", ranges="on")
    first, second = fetch(url).headers["ETag"], fetch(url).headers["ETag"]
    assert first != second
    assert fetch(url, headers={"Range": "bytes=10-", "If-Range": second}).status == 200


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("0-0", 0, 1), ("10-19", 10, 20), ("90-", 90, 100), ("90-500", 90, 100), ("-5", 95, 100), ("-500", 0, 100)],
)
def test_ranges(origin: Origin, asked: str, start: int, stop: int) -> None:
    answer = fetch(origin.url(size=100, ranges="on"), headers={"Range": f"bytes={asked}"})
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/100"
    assert answer.content == body(100)[start:stop]


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=-0", "bytes=5000-6000"])
def test_ranges_outside_the_body(origin: Origin, asked: str) -> None:
    answer = fetch(origin.url(size=100, ranges="on"), headers={"Range": asked})
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */100")


@pytest.mark.parametrize("asked", ["bytes=9-3", "bytes=1-2,4-5", "bytes=a-b", "bytes=-", "lines=1-2", "bytes=\xb2-"])
def test_ranges_that_cannot_be_served_are_ignored(origin: Origin, asked: str) -> None:
    answer = fetch(origin.url(size=100, ranges="on"), headers={"Range": asked})
    assert (answer.status, answer.content) == (200, body(100))


def test_ranges_off_and_unmentioned(origin: Origin) -> None:
    off = fetch(origin.url(size=100, ranges="off"), headers={"Range": "bytes=1-2"})
    assert (off.status, off.headers["Accept-Ranges"], off.content) == (200, "none", body(100))
    unmentioned = fetch(origin.url(size=100), headers={"Range": "bytes=1-2"})
    assert (unmentioned.status, unmentioned.headers["Accept-Ranges"]) == (200, None)


def test_ranges_that_lie(origin: Origin) -> None:
    answer = fetch(origin.url(size=100, ranges="lie"), headers={"Range": "bytes=10-"})
    assert (answer.status, answer.headers["Content-Range"]) == (206, "bytes 11-100/100")
    assert answer.content == body(100)[10:]


def test_if_range(origin: Origin) -> None:
    url = origin.url(size=100, ranges="on", etag=True)
    tag = fetch(url).headers["ETag"]
    for condition, status in ((tag, 206), ('"old"', 200)):
        assert fetch(url, headers={"Range": "bytes=1-", "If-Range": condition}).status == status


# Refusals.

BAD_QUERIES = [
    ("sise=3", "unknown parameter 'sise'; known are badchunk, "),
    ("size=3&size=4", "size is given twice"),
    ("size=", "size must be a whole number"),
    ("size=-1", "size must be a whole number"),
    ("size=1_000", "size must be a whole number"),
    ("size=%C2%B2", "size must be a whole number"),
    (f"size={'9' * 5000}", "size must be a whole number"),
    ("ms=nan", "ms must be a number of milliseconds"),
    ("ms=inf", "ms must be a number of milliseconds"),
    ("ms=-1", "ms must be a number of milliseconds"),
    ("rate=0", "rate must be a whole number from 1"),
    ("chunk=0", "chunk must be a whole number from 1"),
    ("chunk_ms=5", "chunk_ms needs chunk"),
    ("status=100", "status must be a whole number from 200 to 599"),
    ("retry_after=%0d%0aX:%20y", "retry_after must be printable ASCII"),
    ("cl=maybe", "cl must be true, wrong, none, dup or a whole number"),
    ("cl=-", "cl must be true, wrong, none, dup or a whole number"),
    ("cl=none&chunk=4", "cl does not go with chunk"),
    ("size=4&cut=5", "cut must not be beyond size"),
    ("size=4&cut=1&rst=1", "only one of cut, rst at a time"),
    ("garbage&empty", "only one of garbage, empty at a time"),
    ("garbage=2", "garbage must be 1"),
    ("gzip=maybe", "gzip must be on or bad"),
    ("gzip&size=20000000", "gzip takes a size of at most"),
    ("redirect=0", "redirect must be 1 to 1000, loop, file or ftp"),
    ("redirect=1&status=200", "status of a redirect must be 300 to 399"),
    ("redirect=1&fail_first=1", "redirect does not go with fail_first"),
    ("key=a", "key needs fail_first"),
    ("etag=weak", "etag must be on or change"),
    ("ranges=maybe", "ranges must be on or off or lie"),
]


@pytest.mark.parametrize(("query", "why"), BAD_QUERIES)
def test_bad_queries_get_one_clear_line(origin: Origin, query: str, why: str) -> None:
    with connect(origin) as client:
        client.sendall(get(f"/?{query}"))
        head, content = one(client)
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert content.decode().startswith(why)
        assert content.count(b"\n") == 1
        client.sendall(get("/?size=3"))  # the request was sound HTTP, so the connection goes on
        assert one(client)[1] == body(3)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client",
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00" * 1_000_000,
    ],
)
def test_garbage_from_the_client_gets_a_400(origin: Origin, sent: bytes) -> None:
    head, content = parts_of(exchange(origin, sent))
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close" in head
    assert content.startswith(b"not an HTTP request")


def test_garbage_waits_for_the_answers_before_it(origin: Origin) -> None:
    answer = exchange(origin, get("/?size=5&ms=50") + b"garbage\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"400"]


def test_endless_headers_are_refused(origin: Origin) -> None:
    answer = exchange(origin, b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"x" * 400_000)
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_other_methods_are_refused(origin: Origin) -> None:
    with connect(origin) as client:
        client.sendall(b"POST /?size=3 HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd" + get("/?size=3"))
        assert one(client)[0].startswith(b"HTTP/1.1 405 ")
        assert one(client)[1] == body(3)


def test_the_documented_vocabulary_is_the_one_understood() -> None:
    assert lanes.origin.__doc__
    documented = set(re.findall(r"^    ([a-z_]+)(?:=\S+)?  ", lanes.origin.__doc__, re.MULTILINE))
    with pytest.raises(ValueError, match="unknown parameter 'nonsense'") as caught:
        plan_of("/?nonsense=1")
    assert documented - {"parameter"} == set(str(caught.value).partition("known are ")[2].split(", "))


# The URL.


def test_url_says_what_was_asked(origin: Origin) -> None:
    assert origin.url(size=5) == f"http://127.0.0.1:{origin.port}/?size=5"
    url = origin.url(size=5, seed=2, latency_s=0.05, rate=1000, key="a b&c", fail_first=1, close=True, garbage=False)
    assert plan_of(url) == Plan(
        size=5, seed=2, latency_s=0.05, rate=1000, key="a b&c", fail_first=1, status=503, close=True
    )


def test_url_refuses_what_the_origin_would(origin: Origin) -> None:
    with pytest.raises(ValueError, match="unknown parameter 'colour'"):
        origin.url(size=5, colour="red")
    with pytest.raises(ValueError, match="size must be a whole number"):
        origin.url(size=-5)


# Large bodies, many connections.


def test_a_large_body_does_not_pile_up_before_a_slow_reader(origin: Origin) -> None:
    with connect(origin) as client:
        client.sendall(get(f"/?size={2**40}"))
        time.sleep(0.3)
        status = Path(f"/proc/{origin.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    assert int(found[1]) < 400 * 1024  # what is kept ready counts too


def test_an_endless_body_does_not_keep_others_waiting(origin: Origin) -> None:
    enough = threading.Event()

    def drain() -> int:
        """Read as fast as the origin sends; how much came."""
        taken = 0
        with connect(origin) as client:
            client.sendall(get(f"/?size={2**40}"))
            while not enough.is_set():
                taken += len(client.recv(1 << 20))
        return taken

    with ThreadPoolExecutor(1) as pool:
        draining = pool.submit(drain)
        try:
            for _ in range(10):
                assert fetch(origin.url(size=10)).content == body(10)
        finally:
            enough.set()
        assert draining.result() > 0


def test_a_large_body_arrives_whole(origin: Origin) -> None:
    assert zlib.crc32(fetch(origin.url(size=200_000_000, seed=11)).content) == crc32(200_000_000, 11)


def test_more_connections_than_descriptors(loop: str) -> None:
    """Clients in excess wait; the origin goes on, and serves again when they have left."""
    script = f"""
        import resource, socket
        from lanes.origin import Origin
        with Origin(loop={loop!r}) as origin:
            resource.prlimit(origin.pid, resource.RLIMIT_NOFILE, (300, 300))
            for _ in range(2):
                clients = [socket.create_connection((origin.host, origin.port), timeout=10) for _ in range(800)]
                for client in clients:
                    client.close()
            print(origin.load().requests)
    """
    assert run_script(script) == "0\n"


def test_connections_in_excess_are_turned_away(loop: str) -> None:
    """The origin knows how many it may have, and tells the others so."""
    script = f"""
        import resource, sys
        from lanes.origin import Origin
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
        with Origin(loop={loop!r}) as origin:
            print(origin.port, flush=True)
            sys.stdin.read()
            origin.load()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": PATHS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        with ExitStack() as stack:
            clients = [
                stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10)) for _ in range(180)
            ]
            assert one(clients[-1])[1] == b"too many connections\n"
            served = [client for client in clients[:-1] if quiet(client, 0)]
            assert served == clients[: 200 - 64]
            served[0].sendall(get("/?size=3"))
            assert one(served[0])[1] == body(3)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


# The process.


def run_script(script: str) -> str:
    """What a script prints, run by a fresh interpreter; what it complains of fails the test."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def gone(pid: int, within_s: float = 10.0) -> bool:
    """Whether the process ends. A zombie has ended: who reaps an orphan, and when, is the system's affair."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def test_load_counts_and_busy_share() -> None:
    with Origin() as origin:
        before = origin.load()
        for _ in range(10):
            fetch(origin.url(size=1000))
        after = origin.load()
        assert after.requests - before.requests == 10
        assert 10 * 1000 < after.bytes_sent - before.bytes_sent < 10 * 1000 + 10 * 500 + 2000
        time.sleep(0.3)
        idle = origin.load()
        assert 0.0 <= idle.busy_since(after) < 0.5
        fetch(origin.url(size=300_000_000))
        assert origin.load().busy_since(idle) > idle.busy_since(after)
        assert abs(origin.load().time_ns - time.monotonic_ns()) < 10**9


def test_busy_share_is_a_share() -> None:
    earlier = Load(requests=0, bytes_sent=0, cpu_s=1.0, time_ns=0)
    assert Load(0, 0, 1.5, 10**9).busy_since(earlier) == 0.5
    assert Load(0, 0, 9.0, 10**9).busy_since(earlier) == 1.0
    with pytest.raises(ValueError, match="not earlier"):
        earlier.busy_since(earlier)


def test_load_of_an_origin_that_died() -> None:
    with Origin() as origin:
        os.kill(origin.pid, signal.SIGKILL)
        with pytest.raises(OSError, match="ended with status -9"):
            origin.load()
    with pytest.raises(OSError, match="not running"):
        origin.load()


def test_child_is_gone_after_exit_and_after_an_exception() -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    with Origin() as origin:
        pid = origin.pid
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(KeyError), Origin() as origin:
        pid = origin.pid
        raise KeyError
    assert not Path(f"/proc/{pid}").exists()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    with pytest.raises(RuntimeError, match="not running"):
        assert origin.pid


def test_origin_can_be_entered_again_but_not_twice() -> None:
    origin = Origin()
    for _ in range(2):
        with origin:
            assert fetch(origin.url(size=3)).content == body(3)
            with pytest.raises(RuntimeError, match="already running"):
                origin.__enter__()
            assert fetch(origin.url(size=3)).content == body(3)


@pytest.mark.parametrize("forked", [False, True])
def test_child_ends_when_the_parent_is_killed(forked: bool) -> None:
    """Also when a forked child of the parent survives it, with the parent's pipes still open."""
    script = f"""
        import os, time
        from lanes.origin import Origin
        with Origin() as origin:
            other = os.fork() if {forked} else 0
            if {forked} and other == 0:
                time.sleep(60)
                os._exit(0)
            print(origin.pid, other, flush=True)
            time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], env={**os.environ, "PYTHONPATH": PATHS}, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        pid, other = map(int, parent.stdout.readline().split())
        try:
            parent.kill()
            parent.wait()
            assert gone(pid)
        finally:
            if other:
                os.kill(other, signal.SIGKILL)


def test_ctrl_c_leaves_one_traceback_and_no_child() -> None:
    script = """
        import time
        from lanes.origin import Origin
        with Origin() as origin:
            print(origin.pid, flush=True)
            time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": PATHS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout
        assert parent.stderr
        pid = int(parent.stdout.readline())
        os.killpg(parent.pid, signal.SIGINT)
        errors = parent.stderr.read()
        parent.wait()
    assert not Path(f"/proc/{pid}").exists()
    assert errors.count("Traceback") == 1
    assert errors.count("KeyboardInterrupt") == 1


def test_port_in_use() -> None:
    with Origin() as origin:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{origin.port}: Address already in use"):
            Origin(origin.port).__enter__()
        with pytest.raises(OSError, match="Address already in use") as caught:
            lanes.origin.run_foreground(port=origin.port)
        assert caught.value.errno == errno.EADDRINUSE


def test_a_child_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match=r"did not start: .*invalid choice: 'twisted'"):
        Origin(loop="twisted").__enter__()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(FileNotFoundError):
        Origin().__enter__()


def test_auto_is_uvloop_where_it_is_installed() -> None:
    with Origin() as origin:
        mapped = Path(f"/proc/{origin.pid}/maps").read_text()
    assert ("uvloop" in mapped) == (importlib.util.find_spec("uvloop") is not None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_foreground(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; from lanes.origin import run_foreground; sys.exit(run_foreground())"],
        env={**os.environ, "PYTHONPATH": PATHS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        found = re.search(r"'(http://\S+)'", process.stdout.readline())
        assert found
        assert fetch(found[1]).content == body(65536)
        with socket.create_connection(urllib.parse.urlsplit(found[1]).netloc.split(":"), timeout=10) as client:  # type: ignore[arg-type]
            client.sendall(get("/?size=1&stall=headers"))
            process.send_signal(number)
            output, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    assert output.startswith("served ")


def test_the_module_runs_as_a_program() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lanes.origin"],
        env={**os.environ, "PYTHONPATH": PATHS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert fetch(f"http://127.0.0.1:{int(process.stdout.readline())}/?size=7").content == body(7)
        _, errors = process.communicate(timeout=10)  # closes its input
    assert (process.returncode, errors) == (0, "")


def test_importing_the_client_side_brings_no_server_in() -> None:
    heavy = json.dumps(["lanes.origin.server", "httptools", "uvloop"])
    script = f"""
        import sys
        sys.modules["asyncio"] = None
        import lanes.origin
        print([name for name in {heavy} if name in sys.modules])
    """
    if "lanes" in sys.modules and getattr(sys.modules["lanes"], "__file__", None):
        script = script.replace('sys.modules["asyncio"] = None', "")  # the rest of lanes may have use for asyncio
    assert run_script(script) == "[]\n"
