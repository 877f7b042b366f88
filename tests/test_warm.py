"""Warm connections: every worker has one before its first task, off the record, on every model and body."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import lanes
from lanes import models, sample
from lanes.types import BODIES

CELLS = [
    (name, body)
    for name in models.names()
    for body in (BODIES if models.load(name).family == "python" else (None,))
    if body not in models.load(name).reasons
]
WORKERS, TASKS = 3, 9


class Counting(ThreadingHTTPServer):
    """Answers every request with two bytes, and counts connections and requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = self.requests = 0
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Counting

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.requests += 1
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Counting]:
    with Counting() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_worker_has_asked_once_before_and_keeps_its_connection(
    cell: tuple[str, str | None], server: Counting
) -> None:
    model, body = cell
    url = f"http://127.0.0.1:{server.server_port}/"
    workers = 1 if models.load(model).switching == "nobody" else WORKERS
    run = sample.take(lanes.download([url], tasks=TASKS, warm=True), model, body, workers)
    assert {(outcome.status, outcome.value[:2]) for outcome in run.outcomes} == {("ok", (200, 2))}
    assert len(run.spans) == TASKS
    # A loop whose C body blocks has one worker for all its places, as that has one connection.
    asked = 1 if (model, body) == ("asyncio", "held") else workers
    assert server.requests == TASKS + asked
    assert server.connections == asked


def test_without_it_nobody_asks_before(server: Counting) -> None:
    url = f"http://127.0.0.1:{server.server_port}/"
    sample.take(lanes.download([url], tasks=TASKS), "native-epoll", None, WORKERS)
    assert server.requests == TASKS


def test_the_origin_is_asked_for_nothing_at_all() -> None:
    workload = lanes.download(tasks=2, latency="1ms", warm=True)
    assert workload.warm_up is None  # nobody serves it yet
    assert workload.params["warm"] is True
    with workload.serve() as served:
        assert served.warm_up is not None
        assert served.warm_up.text.endswith("/?size=0")
        before = served.origin.load().requests if served.origin else 0
        run = sample.take(served, "native-pthreads", None, 2)
        after = served.origin.load().requests if served.origin else 0
    assert [outcome.status for outcome in run.outcomes] == ["ok", "ok"]
    assert after - before == 4


def test_workloads_that_need_none_have_none() -> None:
    assert lanes.wait().warm_up is None
    assert lanes.compute().warm_up is None
    assert "warm" not in lanes.download().params
