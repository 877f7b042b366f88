"""The grid: every workload on every model with every body gives what `serial` with the Python body gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

import lanes
from lanes import models
from lanes.origin import Origin, crc32
from lanes.run import senseless
from lanes.types import BODIES, Outcome, Workload
from lanes.workloads.download import Download
from lanes.workloads.exchange import WAYS

WORKLOADS: dict[str, Workload] = {
    "wait": lanes.wait(tasks=5, duration="1ms,3ms"),
    "primes": lanes.compute("primes", tasks=5, task_size=200),
    "squares": lanes.compute("squares", tasks=5, task_size=1000),
    "mandelbrot": lanes.compute("mandelbrot", tasks=5, task_size=20),
    "plain": lanes.counter("plain", tasks=5, updates=200),
    "locked": lanes.counter("locked", tasks=5, updates=200, hold="0us,5us"),
    "download": lanes.download(tasks=7, size="0,1,64KiB,300kB", latency="0,5ms"),
    **{f"exchange by {via}": lanes.exchange(tasks=5, payload="1B,100kB", via=via) for via in WAYS},
}
ANSWERS = {
    "plain": "",
    "error page": "status=404",
    "chunks": "chunk=1000",
    "no length": "cl=none",
    "closing": "close",
    "encoded": "gzip",
    "redirected": "redirect=3",
    "cut": "cut=500",
    "cut in chunks": "chunk=400&cut=500",
    "reset": "rst=500",
    "empty": "empty",
    "bad chunk": "badchunk",
    "garbage": "garbage",
    "circles": "redirect=loop",
    "file": "redirect=file",
    "ftp": "redirect=ftp",
    "stalled": "stall=500",
}
CELLS: list[tuple[str, str | None]] = [
    *((model, body) for model in models.FAMILIES["python"] for body in BODIES),
    *((model, None) for model in models.FAMILIES["native"]),
]
SENSIBLE = [(model, body) for model, body in CELLS if body not in models.load(model).reasons]


def cell_id(cell: tuple[str, str | None]) -> str:
    model, body = cell
    return f"{model}-{body}" if body else model


@pytest.fixture(scope="module")
def served() -> Iterator[dict[str, Workload]]:
    """All workloads, with the origins they need; and downloads that go well or wrong in every way there is."""
    with ExitStack() as stack:
        origin = stack.enter_context(Origin())
        urls = tuple(f"{origin.url(size=2000, seed=n)}&{answer}" for n, answer in enumerate(ANSWERS.values()))
        good_and_bad = Download(urls, len(urls), proxies=False, read_timeout_ns=300_000_000)
        yield {
            **{name: stack.enter_context(workload.serve()) for name, workload in WORKLOADS.items()},
            "download, good and bad": good_and_bad,
        }


@pytest.fixture(scope="module")
def expected(served: dict[str, Workload]) -> dict[str, tuple[Outcome, ...]]:
    return {name: lanes.run(workload, "serial").outcomes for name, workload in served.items()}


@pytest.mark.parametrize(("model", "body"), CELLS, ids=map(cell_id, CELLS))
@pytest.mark.parametrize("workload", [*WORKLOADS, "download, good and bad"])
def test_every_cell_gives_the_outcomes_of_serial(
    workload: str,
    model: str,
    body: str | None,
    served: dict[str, Workload],
    expected: dict[str, tuple[Outcome, ...]],
) -> None:
    reason = senseless(served[workload], models.load(model), body)
    if reason:
        with pytest.raises(ValueError, match=re.escape(reason)):
            lanes.run(served[workload], model, body)
        return
    run = lanes.run(served[workload], model, body, workers=3)
    assert dict(enumerate(run.outcomes)) == dict(enumerate(expected[workload])), [o.detail for o in run.outcomes]
    assert len(run.spans) == len(run.outcomes)
    for span in run.spans:
        assert run.began_ns <= span.claimed_ns <= span.started_ns <= span.finished_ns <= run.ended_ns
        assert span.cpu_ns >= 0
        assert 0 <= span.worker < 3
        assert span.thread_id > 0
        assert span.process_id > 0


def test_serial_itself_is_right(served: dict[str, Workload], expected: dict[str, tuple[Outcome, ...]]) -> None:
    assert expected["wait"] == (Outcome("ok"),) * 5
    sizes = (0, 1, 65536, 300_000, 0, 1, 65536)
    assert expected["download"] == tuple(Outcome("ok", (200, size, crc32(size, n))) for n, size in enumerate(sizes))
    errors = dict(zip(ANSWERS, (outcome.error for outcome in expected["download, good and bad"]), strict=True))
    assert {answer: error for answer, error in errors.items() if error} == {
        "cut": "PartialBody",
        "cut in chunks": "PartialBody",
        "reset": "ConnectionReset",
        "empty": "ConnectionReset",
        "bad chunk": "ProtocolError",
        "garbage": "ProtocolError",
        "circles": "TooManyRedirects",
        "file": "UnsafeRedirect",
        "ftp": "UnsafeRedirect",
        "stalled": "ReadTimeout",
    }


@pytest.mark.parametrize(("model", "body"), SENSIBLE, ids=map(cell_id, SENSIBLE))
def test_one_worker_and_more_workers_than_tasks(model: str, body: str | None) -> None:
    workload = lanes.compute("squares", tasks=2, task_size=10)
    assert lanes.run(workload, model, body, workers=1).outcomes == lanes.run(workload, model, body, workers=5).outcomes
