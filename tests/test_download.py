"""The download clients: every class of failure is met on the wire, and all clients call it by the same name."""

from __future__ import annotations

import pickle
import socket
import ssl
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from lanes import models
from lanes.types import Outcome
from lanes.units import short
from lanes.work import Work
from lanes.workloads.download import ERRORS, Download, check_url, download

CLIENTS = {"requests": "serial", "aiohttp": "asyncio", "libcurl": "native-serial", "libcurl-loop": "native-epoll"}
SECOND = 10**9

Answer = Callable[[socket.socket], None]
"""What a faulty server does with one connection, once a request has come in."""

Server = Callable[[Answer], str]


@pytest.fixture
def faulty_server() -> Iterator[Callable[[Answer], str]]:
    """Start a server that treats every connection alike; gives its URL. What is left open is closed after the test."""
    with ExitStack() as servers:
        yield lambda answer: servers.enter_context(_serve(answer))


@contextmanager
def _serve(answer: Answer) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    connections: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                with suppress(OSError):
                    connection.recv(65536)
                    answer(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        thread.join()
        for each in (listener, *connections):
            each.close()


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return CLIENTS[request.param]


def fetch(model: str, *urls: str, connect_s: float = 5, read_s: float = 5) -> list[Outcome]:
    workload = replace(
        download(urls), proxies=False, connect_timeout_ns=int(connect_s * SECOND), read_timeout_ns=int(read_s * SECOND)
    )
    done = models.load(model).run(Work(workload, "python"), workers=1)
    return [each.outcome for each in sorted(done, key=lambda each: each.task)]


def sends(text: bytes) -> Answer:
    """Say this and close in good order."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)

    return answer


def stalls_after(text: bytes) -> Answer:
    return lambda connection: connection.sendall(text)


def pausing(first: bytes, then: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(first)
        threading.Event().wait(0.1)
        sends(then)(connection)

    return answer


def resets_after(text: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(text)
        threading.Event().wait(0.1 if text else 0)  # let it be read: a reset discards what was not
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return answer


def redirect_to(url: bytes) -> Answer:
    return sends(b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % url)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FAULTS: dict[str, tuple[str, Answer]] = {
    "closed before a response": ("ConnectionReset", sends(b"")),
    "reset before a response": ("ConnectionReset", resets_after(b"")),
    "reset in the body": ("ConnectionReset", resets_after(OK + b"Content-Length: 1000\r\n\r\nhalf")),
    "reset in a chunk": ("ConnectionReset", resets_after(CHUNKED + b"64\r\nhalf")),
    "silence": ("ReadTimeout", stalls_after(b"")),
    "silence in the head": ("ReadTimeout", stalls_after(OK + b"Content-")),
    "silence in the body": ("ReadTimeout", stalls_after(OK + b"Content-Length: 1000\r\n\r\nhalf")),
    "shorter than its length": ("PartialBody", sends(OK + b"Content-Length: 1000\r\n\r\nhalf")),
    "cut in a chunk": ("PartialBody", sends(CHUNKED + b"64\r\nhalf")),
    "cut between chunks": ("PartialBody", sends(CHUNKED + b"4\r\nhalf\r\n")),
    "a bad chunk size": ("ProtocolError", sends(CHUNKED + b"4\r\nhalf\r\nzz\r\n")),
    "a bad chunk size, later": ("ProtocolError", pausing(CHUNKED + b"4\r\nhalf\r\n", b"zz\r\n")),
    "not HTTP": ("ProtocolError", sends(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)),
    "redirected in circles": ("TooManyRedirects", redirect_to(b"/")),
    "redirected to a file": (
        "UnsafeRedirect",
        redirect_to(b"file:///etc/hostname"),
    ),
    "redirected to ftp": (
        "UnsafeRedirect",
        redirect_to(b"ftp://127.0.0.1/"),
    ),
    "redirected to nowhere": (
        "DownloadError",
        redirect_to(b"http://127.0.0.1:99999/"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_server_is_named_alike_by_all_clients(fault: str, client: str, faulty_server: Server) -> None:
    error, answer = FAULTS[fault]
    (outcome,) = fetch(client, faulty_server(answer), read_s=0.3)
    assert outcome == Outcome("failed", error=error), outcome.detail
    assert outcome.detail


def test_a_refused_connection(client: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (outcome,) = fetch(client, f"http://127.0.0.1:{port}/")
    assert outcome == Outcome("failed", error="ConnectError"), outcome.detail


def test_a_name_without_an_address(client: str) -> None:
    # Too long for any name server, so none is asked.
    (outcome,) = fetch(client, f"http://{'.'.join(['a' * 60] * 5)}/")
    assert outcome == Outcome("failed", error="DNSError"), outcome.detail


def test_a_server_that_accepts_nobody(client: str) -> None:
    with ExitStack() as sockets:
        # Linux ignores further connection requests while the backlog is full.
        listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        (outcome,) = fetch(client, f"http://127.0.0.1:{listener.getsockname()[1]}/", connect_s=0.3)
    assert outcome == Outcome("failed", error="ConnectTimeout"), outcome.detail


def test_a_server_that_does_not_speak_tls(client: str, faulty_server: Server) -> None:
    url = faulty_server(sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")).replace("http:", "https:")
    (outcome,) = fetch(client, url)
    assert outcome == Outcome("failed", error="TLSError"), outcome.detail


def test_a_handshake_that_never_ends_is_no_connection(client: str, faulty_server: Server) -> None:
    (outcome,) = fetch(client, faulty_server(stalls_after(b"")).replace("http:", "https:"), connect_s=0.3)
    assert outcome == Outcome("failed", error="ConnectTimeout"), outcome.detail


@pytest.fixture
def tls_server(faulty_server: Server, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A good HTTPS server whose certificate nobody trusts, and the certificate of who signed it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(connection, server_side=True) as secure:
                        secure.recv(65536)
                        secure.sendall(OK + b"Content-Length: 4\r\nConnection: close\r\n\r\nbody")
                        secure.unwrap()
                except OSError:
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/", trusted
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_unknown_certificate(client: str, tls_server: tuple[str, Path]) -> None:
    (outcome,) = fetch(client, tls_server[0])
    assert outcome == Outcome("failed", error="TLSError"), outcome.detail


def test_a_certificate_known_from_the_environment(
    client: str, tls_server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a process of its own: aiohttp reads the variable when it is imported.
    url, trusted = tls_server
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    program = (
        "import sys; from lanes import models; from lanes.work import Work;"
        "from lanes.workloads.download import download;"
        "print(*[d.outcome for d in models.load(sys.argv[1]).run(Work(download(sys.argv[2]), 'python'), 1)])"
    )
    shown = subprocess.run([sys.executable, "-c", program, client, url], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str(Outcome("ok", (200, 4, zlib.crc32(b"body")))), shown.stderr


def redirects(times: int) -> Answer:
    left = [times]

    def answer(connection: socket.socket) -> None:
        left[0] -= 1
        head = b"HTTP/1.1 302 Found\r\nLocation: /\r\n" if left[0] >= 0 else OK
        sends(head + b"Connection: close\r\nContent-Length: 4\r\n\r\nbody")(connection)

    return answer


def test_ten_redirects_are_followed_and_no_more(client: str, faulty_server: Server) -> None:
    assert fetch(client, faulty_server(redirects(10))) == [Outcome("ok", (200, 4, zlib.crc32(b"body")))]
    assert fetch(client, faulty_server(redirects(11))) == [Outcome("failed", error="TooManyRedirects")]


BODIES: dict[str, tuple[bytes, bytes]] = {
    "a length": (OK + b"Content-Length: 4\r\n\r\nbody", b"body"),
    "chunks": (CHUNKED + b"3;x=y\r\nbod\r\n1\r\ny\r\n0\r\n\r\n", b"body"),
    "until it closes": (OK + b"\r\nbody", b"body"),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "an error page": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbody", b"body"),
    "gzip left alone": (OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbody", b"body"),
    "large": (OK + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000000, b"x" * 1000000),
}


@pytest.mark.parametrize("framing", BODIES)
def test_a_body_is_counted_as_it_came(framing: str, client: str, faulty_server: Server) -> None:
    text, body = BODIES[framing]
    status = int(text.split()[1])
    assert fetch(client, faulty_server(sends(text))) == [Outcome("ok", (status, len(body), zlib.crc32(body)))]


def test_all_clients_ask_alike_and_keep_no_cookies(client: str, faulty_server: Server) -> None:
    asked: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        request = b"GET first"
        while request:
            connection.sendall(OK + b"Set-Cookie: seen=yes\r\nContent-Length: 0\r\n\r\n")
            request = connection.recv(65536)
            asked.append(request)

    url = faulty_server(answer)
    assert [outcome.status for outcome in fetch(client, url, url)] == ["ok", "ok"]
    head, *lines = asked[0].decode().split("\r\n")
    sent = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    assert head == "GET / HTTP/1.1"
    assert sent["user-agent"] == "lanes"
    assert sent["accept"] == "*/*"
    assert "cookie" not in sent
    assert sent.get("accept-encoding", "identity") == "identity"


@pytest.mark.parametrize("allowed", [True, False], ids=["with proxy", "without"])
def test_a_proxy_of_the_environment_is_used_only_when_allowed(
    allowed: bool, client: str, faulty_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", faulty_server(sends(OK + b"Content-Length: 5\r\n\r\nproxy")))
    url = faulty_server(sends(OK + b"Content-Length: 6\r\n\r\norigin"))
    workload = replace(download(url), proxies=allowed)
    (done,) = models.load(client).run(Work(workload, "python"), 1)
    assert done.outcome.value[1] == len("proxy" if allowed else "origin")


def test_every_class_of_error_is_met_above() -> None:
    elsewhere = {"DNSError", "ConnectError", "ConnectTimeout", "TLSError"}
    assert {error for error, _ in FAULTS.values()} | elsewhere == set(ERRORS)


def test_a_list_of_urls_is_taken_in_turn() -> None:
    workload = download(["http://a/", "https://b/x?y"], tasks=3)
    assert [task.text for task in workload.tasks] == ["http://a/", "https://b/x?y", "http://a/"]
    assert [task.args for task in workload.tasks] == [(10 * SECOND, 30 * SECOND, 1)] * 3
    assert download("http://a/").count == 1
    with workload.serve() as served:
        assert served is workload


def test_the_origin_serves_sizes_and_latencies_in_turn() -> None:
    with download(tasks=3, size="1KiB,10", latency=[0, 0.001]).serve() as served:
        (first, second, third) = fetch("serial", *(task.text for task in served.tasks))
        assert served.origin is not None
        with served.serve() as again:
            assert again is served
    assert [outcome.value[:2] for outcome in (first, second, third)] == [(200, 1024), (200, 10), (200, 1024)]
    assert first != third, "bodies of different tasks differ, or a mix-up would go unseen"


def test_a_served_download_travels_without_its_origin() -> None:
    with download(tasks=2, size=10, latency=0).serve() as served:
        copy: Download = pickle.loads(pickle.dumps(served))
        assert copy == served
        assert copy.tasks == served.tasks
        assert copy.origin is None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/",
        "file:///etc/hostname",
        "http://",
        "a.example",
        "",
        "http://a/ b",
        "http://a/\n",
        "http://a:x/",
        "http://[a/",
        "http://[127.0.0.1]/",
        "http://[fe80::1%eth0]/",
        "http://a\\b/",
        "http://a/\\b",
        "http://ä.example/",
        "http://a/ä",
        "http://a_b/",
        "http://a./",
        "http://a..b/",
        f"http://{'a' * 64}/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://127.0.0.01/",
        "http://1.2.3.4.5/",
        b"http://a/",
        None,
    ],
)
def test_a_bad_url_is_named_with_what_is_allowed(url: object) -> None:
    with pytest.raises(ValueError, match="is no URL to download: it must be http://host/") as info:
        download(["http://good/", url])  # type: ignore[list-item]
    assert short(url) in str(info.value)


@pytest.mark.parametrize(
    "url",
    [
        "HTTP://A.Example:80/x?y#z",
        "https://xn--mller-kva.example/%C3%A4",
        "http://127.0.0.1:8080",
        "http://[::1]:80/",
        "http://user:word@1a.2b/",
    ],
)
def test_a_good_url_is_left_as_it_is(url: str) -> None:
    assert check_url(url) == url


def test_choices_for_the_origin_are_refused_beside_urls() -> None:
    with pytest.raises(ValueError, match=r"^size is a choice for the embedded origin: leave it out"):
        download("http://a/", size="junk")
    with pytest.raises(ValueError, match=r"^latency is a choice"):
        download("http://a/", latency=0)
    with pytest.raises(ValueError, match=r"^rate is a choice"):
        download(["http://a/"], rate="1")


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^tasks must be a whole number from 1 to 1,000,000, not 0$"):
        download(tasks=0)
    with pytest.raises(ValueError, match="tasks must be a whole number"):
        download("http://a/", tasks=True)
    with pytest.raises(ValueError, match="'2000GiB' is too large: the origin sends at most 1024 GiB"):
        download(size="2000GiB")
    with pytest.raises(ValueError, match="no URLs"):
        download([])
    with pytest.raises(ValueError, match="a size is"):
        download(size="big")
    with pytest.raises(ValueError, match="a duration is"):
        download(latency="soon")
    with pytest.raises(ValueError, match="at least one byte per second"):
        download(rate=0)
