"""One transfer after another on one handle: where it points, whatever came before, and when its patience ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from lanes import _core, _download

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


# ---- silence, look-ups, and what a redirect changes


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Start a server that reads one request of each connection and then does as it is told; gives its URL."""
    with ExitStack() as servers:

        def start(answer: Callable[[socket.socket], None]) -> str:
            listener = socket.create_server(("127.0.0.1", 0), backlog=64)

            def serve() -> None:
                with suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        with connection, suppress(OSError):
                            connection.recv(65536)
                            answer(connection)

            thread = threading.Thread(target=serve)
            thread.start()
            servers.callback(listener.close)
            servers.callback(thread.join)
            servers.callback(listener.shutdown, socket.SHUT_RDWR)
            return f"http://127.0.0.1:{listener.getsockname()[1]}/"

        yield start


def get(model: str, url: str, connect_ms: int = 2000, read_ms: int = 2000) -> tuple[str, str | None]:
    (record,) = _core.run(model, "download", [(url, connect_ms * 10**6, read_ms * 10**6, 0)], 1)
    return record[0], record[1]


LOOPS = pytest.mark.parametrize("model", ["native-serial", "native-epoll"])


@LOOPS
def test_a_head_that_comes_slowly_is_not_silence(
    model: str, scripted: Callable[[Callable[[socket.socket], None]], str]
) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for n in range(6):
            time.sleep(0.1)
            connection.sendall(b"X-%d: y\r\n" % n)
        connection.sendall(b"Content-Length: 0\r\nConnection: close\r\n\r\n")

    assert get(model, scripted(answer), read_ms=400) == ("ok", None)


@LOOPS
def test_a_second_connection_has_a_time_out_of_its_own(
    model: str, scripted: Callable[[Callable[[socket.socket], None]], str]
) -> None:
    """Where a redirect leads, nobody answers: that is no connection, whatever stood before."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # more than its backlog holds: the next SYN is not answered
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        target = b"http://127.0.0.1:%d/" % full.getsockname()[1]
        url = scripted(
            lambda connection: connection.sendall(
                b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " + target + b"\r\n\r\n"
            )
        )
        assert get(model, url, connect_ms=600, read_ms=200) == ("failed", "ConnectTimeout")


@pytest.mark.parametrize("bad", ["/a b", "/x HTTP/1.1\r\nEvil: 1", "/\t", "/\x7f", "/ "])
def test_what_would_change_the_request_is_refused(bad: str) -> None:
    for model in _core.MODELS:
        with pytest.raises(ValueError, match="neither spaces nor control characters"):
            _core.run(
                model, "download", [("http://127.0.0.1:1/", *TIMEOUTS), (f"http://127.0.0.1:1{bad}", *TIMEOUTS)], 1
            )


SLOW_LOOK_UP = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    if (name != NULL && strncmp(name, "slow", 4) == 0)
        sleep(5);
    return ((look_up *)dlsym(RTLD_NEXT, "getaddrinfo"))(name, service, hints, found);
}
"""

LOOK_UPS = """
import signal, sys, threading, time, os
from lanes import _core, _download
model, what = sys.argv[1:]
second = 10**9
slow = ("http://slow.invalid/", second // 2, second // 2, 0)
began = time.monotonic()
if what == "stop":
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        _core.run(model, "download", [("http://slow.invalid/", 9 * second, 9 * second, 0)], 1)
    except KeyboardInterrupt:
        print("stopped", time.monotonic() - began < 3)
else:
    (record,) = _core.run(model, "download", [slow], 1)
    print(record[1], time.monotonic() - began < 3)
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(
    tuple(map(int, _download.libcurl_version().split(".")[:2])) < (7, 87),
    reason="libcurl before 7.87 waits for look-ups",
)
@pytest.mark.parametrize("model", _core.MODELS)
@pytest.mark.parametrize(("what", "ends"), [("stop", "stopped"), ("time out", "ConnectTimeout")])
def test_nobody_waits_for_a_look_up(model: str, what: str, ends: str, tmp_path: Path) -> None:
    """The system takes five seconds for a name; a time-out and Ctrl-C do not."""
    library = tmp_path / "slow.so"
    (tmp_path / "slow.c").write_text(SLOW_LOOK_UP)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "slow.c", "-ldl"], check=True)
    shown = subprocess.run(
        [sys.executable, "-c", LOOK_UPS, model, what],
        env=os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (shown.stdout.split(), shown.stderr) == ([ends, "True"], "")
