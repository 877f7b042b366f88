"""Where a transfer points: one handle after another URL asks for just what that URL says, whatever came before."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from lanes import _core

TIMEOUTS = (5 * 10**9, 5 * 10**9, 0)

PATHS = {  # as written, and as it must be asked for
    "/a?x=1": "/a?x=1",
    "/a": "/a",
    "/b?": "/b?",
    "/b?q=/../c?d": "/b?q=/../c?d",
    "": "/",
    "?only=query": "/?only=query",
    "/x/../y": "/y",
    "/x/./y/.hidden": "/x/y/.hidden",
    "/f#fragment": "/f",
    "/f?q#fragment": "/f?q",
    "/%7Euser/%2F?%20": "/%7Euser/%2F?%20",
    "//double//": "//double//",
    "/" + "long/" * 200: "/" + "long/" * 200,
    "/ab:8080/": "/ab:8080/",
    "/last": "/last",
}


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    """A server's port, and what it is asked for: "host target" of each request."""
    asked: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    head = connection.recv(65536).decode("latin-1")
                    host = head.lower().split("\r\nhost: ")[1].split("\r\n")[0]
                    asked.append(f"{host} {head.split()[1]}")
                    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], asked
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


@pytest.mark.parametrize("model", ["native-serial", "native-epoll"])
def test_each_url_is_asked_for_as_it_is_written(model: str, server: tuple[int, list[str]]) -> None:
    port, asked = server
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}", f"127.0.0.1:{port}"]
    pairs = [(host, path) for host in hosts for path in PATHS]
    # Hosts by turns, too: then no two neighbours share a site.
    pairs += [(host, path) for path in PATHS for host in hosts[:2]]
    tasks = [(f"http://{host}{path}", *TIMEOUTS) for host, path in pairs]
    records = _core.run(model, "download", tasks, 1)
    assert [record[:4] for record in records] == [("ok", None, "", (200, 0, 0))] * len(tasks)
    assert asked == [f"{host} {PATHS[path]}" for host, path in pairs]


@pytest.mark.parametrize("model", ["native-serial", "native-epoll"])
def test_a_url_libcurl_cannot_read_fails_alone(model: str, server: tuple[int, list[str]]) -> None:
    port, asked = server
    texts = [f"http://127.0.0.1:{port}/a", "http://127.0.0.1:99999/", "http://", f"http://127.0.0.1:{port}/b"]
    records = _core.run(model, "download", [(text, *TIMEOUTS) for text in texts], 1)
    assert [record[0] for record in records] == ["ok", "failed", "failed", "ok"]
    assert [record[1] for record in records] == [None, "DownloadError", "DownloadError", None]
    assert [each.split()[1] for each in asked] == ["/a", "/b"]
