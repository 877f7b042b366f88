"""Payloads handed over and back: by what, between whom, what that took, and what is left when it goes wrong."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

import lanes
from lanes import models, names, sample
from lanes.models.variant import Variant
from lanes.run import senseless
from lanes.types import Done, Outcome, Run, Span, Task
from lanes.workloads import exchange
from lanes.workloads.exchange import WAYS, Measured
from processes import holdings, left_since, settled, until
from support import MARK, marked

THREADS = ("threading", "futures-threads", "asyncio-threads")
PROCESSES = ("multiprocessing", "multiprocessing-pool", "futures-processes", "asyncio-processes")
BY_REFERENCE = ("argument", "queue", "condition")
PICKLED = ("argument", "queue", "pipe")

# ---- what a task is


def test_payloads_are_taken_in_turn_and_no_two_in_a_row_are_alike() -> None:
    workload = lanes.exchange(tasks=5, payload="10B,1KiB")
    assert [task.args[:2] for task in workload.tasks] == [(10, 0), (1024, 0), (10, 1), (1024, 1), (10, 0)]
    assert [task.args[2] for task in workload.tasks[:3:2]] == [
        zlib.crc32(bytes(range(10))),
        zlib.crc32(bytes(range(1, 11))),
    ]
    assert {task.text for task in workload.tasks} == {"queue"}
    assert {task.item for task in workload.tasks} == {None}
    assert workload.params == {"payload": [10, 1024], "via": "queue"}
    assert pickle.loads(pickle.dumps(workload)) == workload
    assert lanes.exchange(payload=7).sizes == (7,)


def test_by_argument_the_payload_goes_with_the_task() -> None:
    workload = lanes.exchange(tasks=3, payload="10B,300B", via="argument")
    assert [task.item for task in workload.tasks] == [
        bytes(range(10)),
        bytes(range(251)) + bytes(range(49)),
        bytes(range(1, 11)),
    ]


@pytest.mark.parametrize(
    ("choices", "refusal"),
    [
        ({"via": "pigeon"}, r"^unknown way 'pigeon': the ways are argument, queue, .*, eventfd$"),
        ({"payload": "0"}, r"^a payload has from 1 B to 64 MiB, not 0 B$"),
        ({"payload": "64B,65MiB"}, r"^a payload has from 1 B to 64 MiB, not 68157440 B$"),
        ({"payload": "much"}, "'much' does not parse: a size is a number of bytes"),
        ({"payload": ()}, "an empty list"),
        ({"tasks": 0}, "tasks must be a whole number from 1 to"),
        (
            {"tasks": 1000, "payload": "64MiB", "via": "argument"},
            "all answers of a run are in memory .* 62.5 GiB: take",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(choices: dict[str, object], refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        lanes.exchange(**choices)  # type: ignore[arg-type]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lanes", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("via", "chosen", "words"),
    [
        ("queue", "native-fork", "native-fork makes no sense: a reference means nothing to another process"),
        (
            "condition",
            "native-epoll,asyncio-native",
            "native-epoll makes no sense, nor does anything else that was asked for: a loop waits for",
        ),
        (
            "argument",
            "native",
            "native-serial makes no sense, nor does anything else that was asked for: the payload goes",
        ),
        ("shared-memory", "asyncio", "asyncio/python makes no sense: coroutines have all memory in common"),
    ],
)
def test_a_way_that_no_model_named_has_is_one_clear_line(via: str, chosen: str, words: str) -> None:
    done = command("compare", "exchange", "--via", via, "--models", chosen, "--bodies", "python")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr


def test_a_way_that_some_models_lack_is_a_row_with_its_reason() -> None:
    result = lanes.compare(
        lanes.exchange(tasks=3, payload="1KiB", via="shared-memory"),
        models="asyncio,native-fork,native-epoll,multiprocessing",
        rounds=1,
        closeup=False,
    )
    assert result.ok
    reasons = {row.name: row.reason for row in result if row.reason}
    assert reasons.keys() == {
        *("asyncio/python", "asyncio/released", "native-epoll"),
        *("multiprocessing/held", "multiprocessing/released"),
    }
    assert "a futex has none" in str(reasons["native-epoll"])
    assert "would go to another process" in str(reasons["multiprocessing/held"])
    assert all(row.figures["copied:1 KiB"] == 4096 for row in result if not row.reason)


# ---- what was measured


def run(via: str, model: str, payload: str = "64B,64KiB", tasks: int = 8, body: str | None = None) -> Run:
    """A run that went well, with one worker."""
    found = lanes.run(lanes.exchange(tasks=tasks, payload=payload, via=via), model, body, workers=1)
    assert {outcome.status for outcome in found.outcomes} == {"ok"}, found.outcomes
    return found


@pytest.mark.parametrize("model", ["serial", *THREADS])
@pytest.mark.parametrize("via", WAYS)
def test_between_threads_references_are_not_copied(via: str, model: str) -> None:
    figures = run(via, model).figures
    for size, label in ((64, "64 B"), (65536, "64 KiB")):
        assert figures[f"copied:{label}"] == (0 if via in BY_REFERENCE else 4 * size)
        assert figures[f"pickled:{label}"] is figures[f"pickling:{label}"] is None
        assert (figures[f"handovers:{label}"] or 0) > 0
    assert figures["copying:64 B"] == 0, "too short to be timed"
    copying = figures["copying:64 KiB"]
    assert copying == 0 if via in BY_REFERENCE else copying is not None and copying > 0


@pytest.mark.parametrize("model", PROCESSES)
@pytest.mark.parametrize("via", WAYS)
def test_between_processes_everything_is_copied_and_some_of_it_pickled(via: str, model: str) -> None:
    figures = run(via, model).figures
    for size, label in ((64, "64 B"), (65536, "64 KiB")):
        assert figures[f"copied:{label}"] == 4 * size
        pickled, pickling = figures[f"pickled:{label}"], figures[f"pickling:{label}"]
        if via in PICKLED:  # a pickle has some bytes more than the payload; with a task around it, some hundreds
            assert pickled is not None
            assert 2 * size < pickled < 2 * size + 2000
            assert pickling is not None
            assert pickling > 0
        else:
            assert pickled is pickling is None
        assert (figures[f"handovers:{label}"] or 0) > 0
    copying = figures["copying:64 KiB"]
    assert copying is None if via == "argument" else copying is not None and copying > 0


@pytest.mark.parametrize("via", ["queue", "condition", "pipe", "file"])
def test_between_coroutines(via: str) -> None:
    figures = run(via, "asyncio").figures
    assert figures["copied:64 KiB"] == (0 if via in BY_REFERENCE else 4 * 65536)
    assert (figures["copying:64 KiB"] == 0) is (via in BY_REFERENCE)
    assert (figures["handovers:64 B"] or 0) > 0


def test_what_is_pickled_is_what_a_close_up_counts() -> None:
    workload = lanes.exchange(tasks=6, payload="1MiB", via="argument")
    for model in ("multiprocessing", "multiprocessing[spawn]"):
        seen = sample.take(workload, model, "python", 2, "closeup")
        pickled = seen.figures["pickled:1 MiB"]
        assert pickled is not None
        assert seen.closeup is not None
        assert seen.closeup.pickled_bytes == pytest.approx(6 * pickled, rel=0.01)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("via", WAYS)
def test_however_processes_are_started(via: str, method: str) -> None:
    workload = lanes.exchange(tasks=4, payload="64B,64KiB", via=via)
    expected = lanes.run(workload, "serial").outcomes
    found = sample.take(workload, f"multiprocessing[{method}]", "python", 2)
    assert found.outcomes == expected
    assert (found.figures["pickled:64 KiB"] is not None) is (via in PICKLED)


def test_partners_compute_on_the_account_of_the_run() -> None:
    """Not on that of others, who would seem to overload the machine."""
    found = lanes.run(lanes.exchange(tasks=12, payload="16MiB", via="pipe"), "multiprocessing", workers=1)
    workers_s = sum(span.cpu_ns for span in found.spans) / 1e9
    assert found.cpu_s > 1.2 * workers_s, "a partner does about as much as its worker"


def made(sizes: tuple[int, ...], *trips_ns: int) -> Run:
    """A run of tasks with these payloads in turn, that took so long."""
    outcomes = tuple(
        Outcome("ok", (sizes[n % len(sizes)], 0), figures=Measured(ns, 0, 0)) for n, ns in enumerate(trips_ns)
    )
    spans = tuple(Span(0, 1, 1, 0, n, n, n, 0) for n in range(len(outcomes)))
    return Run("exchange", "threading", "python", 1, outcomes, spans, 0, 1, 0.0)


def figures_of(payload: str, *trips_ns: int) -> dict[str, float | None]:
    workload = lanes.exchange(tasks=len(trips_ns), payload=payload)
    return dict(workload.figures(made(workload.sizes, *trips_ns)))


def test_what_erases_the_gain_of_a_second_core() -> None:
    """Where handing over takes as long as the task: 1 ms at 1000 B times 10 by half the way, in logarithms."""
    found = figures_of("1000B,100000B", 100_000, 10_000_000)
    assert found["erases_1_ms"] == pytest.approx(10_000)
    assert found["erases_10_ms"] == pytest.approx(100_000)
    assert found["handovers:1000 B"] == pytest.approx(20_000), "two in 0.1 ms"
    assert figures_of("10B,1MiB", 1000, 2000)["erases_1_ms"] is None, "even the largest costs less"
    assert figures_of("10B,1MiB", 2_000_000, 3_000_000)["erases_1_ms"] == 0, "even the smallest costs more"
    medians = figures_of("10B", 1_000, 3_000, 1_000_000)
    assert medians["handovers:10 B"] == pytest.approx(2 / 3e-6)


def test_sizes_that_read_alike_are_told_apart() -> None:
    assert {name for name in lanes.exchange(payload="1024B,1025B").units if name.startswith("copied")} == {
        "copied:1024 B",
        "copied:1025 B",
    }


def test_figures_are_there_for_every_name_that_has_a_unit() -> None:
    workload = lanes.exchange(tasks=2, payload="1B,2B")
    assert lanes.run(workload, "serial").figures.keys() == workload.units.keys()
    assert len(list(workload.remarks({}))) == 2


def test_the_table_has_a_part_for_each_payload() -> None:
    shown = command(
        *("compare", "exchange", "--via", "pipe", "--payload", "64B,64KiB", "--tasks", "4", "--rounds", "1"),
        *("--models", "native-fork,multiprocessing", "--bodies", "python"),
    )
    assert shown.returncode == 0, shown.stderr
    heads = [line for line in shown.stdout.splitlines() if line.startswith("what the workload measured")]
    assert [head.partition(":")[0] for head in heads] == [
        "what the workload measured, 64 B",
        "what the workload measured, 64 KiB",
        *["what the workload measured"] * (len(heads) - 2),
    ]
    assert "handovers/s" in shown.stdout
    assert max(map(len, shown.stdout.partition("Bytes and times")[0].splitlines())) <= 80


# ---- what goes wrong


def test_an_answer_that_is_not_the_payload_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from lanes.workloads import exchange_lines as lines

    monkeypatch.setattr(lines.Desk, "exchange", lambda self, payload: payload[::-1])
    found = lanes.run(lanes.exchange(tasks=3, payload="1KiB"), "threading", workers=1)
    assert {(outcome.status, outcome.error, outcome.figures) for outcome in found.outcomes} == {
        ("failed", "Corrupted", ())
    }
    assert found.figures["handovers:1 KiB"] is None


def test_what_came_home_by_argument_is_checked() -> None:
    workload = lanes.exchange(tasks=1, payload="10B", via="argument")
    (task,) = workload.tasks
    size, first, crc = task.args
    answer = exchange.Answer(size, first, crc, b"0123456789")
    span = Span(0, 1, 1, 0, 0, 0, 0, 0)
    received = workload.received(Done(0, Outcome("ok", (answer,)), span)).outcome
    assert (received.status, received.error) == ("failed", "Corrupted")
    failed = Done(0, Outcome("failed", (), "KeyError"), span)
    assert workload.received(failed) == failed


class NoRoomError(Exception):
    pass


@pytest.mark.parametrize("model", ["serial", *THREADS, "asyncio"])
@pytest.mark.parametrize("via", ["queue", "condition", "pipe", "file"])
def test_a_partner_that_fails_ends_the_run(model: str, via: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lanes.workloads import exchange_lines as lines
    from lanes.workloads import exchange_loop as loop

    sent = 0

    def failing(send: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object) -> object:
            nonlocal sent
            sent += 1
            if sent == 4:  # of the second exchange the way back
                raise NoRoomError("no room")
            return send(*args)

        return wrapped

    plain = loop.Desk if model == "asyncio" else lines.Desk

    class Desk(plain):  # type: ignore[misc,valid-type]
        def __init__(self, *args: object) -> None:
            super().__init__(*args)
            for line in [self._there, self._back] if model == "asyncio" else [self.there, self.back]:
                line.send = failing(line.send)

    monkeypatch.setattr(loop if model == "asyncio" else lines, "Desk", Desk)
    before = settled()
    with pytest.raises(RuntimeError, match="the partner has left in the middle of an exchange") as caught:
        lanes.run(lanes.exchange(tasks=5, payload="64B", via=via), model, workers=1)
    assert isinstance(caught.value.__cause__, NoRoomError)
    del caught  # which holds what the run had in its hands
    gc.collect()
    assert left_since(before) == ""


PROGRAM = """
import sys, lanes
from lanes import models
via, model, workers = sys.argv[1:]
print("ready", flush=True)
lanes.run(lanes.exchange(tasks=3000, payload="64B,16MiB", via=via), model, workers=int(workers))
"""


@contextmanager
def started(
    via: str, model: str, workers: int = 2, folder: Path | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A program that runs this for long, in a group of its own, once it has begun; and the mark of its processes."""
    mark = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, via, model, str(workers)],
        env=os.environ | {MARK: mark} | ({"TMPDIR": str(folder)} if folder else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            time.sleep(0.5)  # well into it
            assert process.poll() is None, process.communicate()
            yield process, mark
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def named_memory(pids: list[int]) -> list[str]:
    """Memory of these processes that has a name in /dev/shm, where it would stay when they are killed."""
    found = []
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                if "/dev/shm/" in line and not line.endswith("(deleted)"):
                    found.append(line.split()[-1])
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize(
    ("via", "model"),
    [
        *((via, "multiprocessing") for via in WAYS if via != "argument"),
        ("pipe", "serial"),
        ("shared-memory", "futures-processes"),
        ("queue", "multiprocessing-pool"),
        ("pipe", "asyncio"),
        ("pipe", "threading"),
        *((via, "native-fork") for via in ("pipe", "file", "shared-memory", "eventfd")),
        ("condition", "native-pthreads"),
        ("eventfd", "native-epoll"),
    ],
)
def test_whatever_ends_a_run_nothing_is_left(via: str, model: str, how: signal.Signals, tmp_path: Path) -> None:
    with started(via, model, folder=tmp_path) as (process, mark):
        assert named_memory(marked(mark)) == []
        os.killpg(process.pid, how) if how == signal.SIGINT else process.send_signal(how)
        process.communicate(timeout=60)
        assert process.returncode == -how
        assert marked(mark, patience_s=10) == []
        assert list(tmp_path.iterdir()) == []


def below(pid: int, name: str) -> list[int]:
    """The processes below this one that the kernel calls so."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().strip() == name:
                found.append(int(child))
            found += below(int(child), name)
    return found


def found_below(pid: int, name: str) -> int:
    """The one process below this one that is called so, once it is there."""
    until(lambda: below(pid, name))
    (found,) = below(pid, name)
    return found


@pytest.mark.parametrize("model", PROCESSES)
@pytest.mark.parametrize("via", ["queue", "condition", "pipe", "file", "shared-memory", "eventfd"])
def test_a_partner_process_that_is_killed_ends_the_run(via: str, model: str) -> None:
    with started(via, model, workers=1) as (process, mark):
        os.kill(found_below(process.pid, "partner/0"), signal.SIGKILL)
        _, words = process.communicate(timeout=60)
        assert process.returncode == 1
        # A pool replaces its worker and says nothing; the other then finds no desk.
        assert any(said in words for said in ("worker process", "BrokenProcessPool", "every desk")), words
        assert marked(mark, patience_s=10) == []


@pytest.mark.parametrize("via", ["shared-memory", "pipe"])
def test_a_worker_process_that_is_killed_takes_its_partner_along(via: str) -> None:
    with started(via, "multiprocessing", workers=1) as (process, mark):
        os.kill(found_below(process.pid, names.in_kernel("multiprocessing/0")), signal.SIGKILL)
        _, words = process.communicate(timeout=60)
        assert "was killed by SIGKILL" in words
        assert marked(mark, patience_s=10) == []


# ---- nobody is there for nothing


@pytest.mark.parametrize("model", [*THREADS, "multiprocessing", "asyncio", "native-pthreads", "native-fork"])
def test_partners_are_gone_with_their_workers(model: str) -> None:
    run("pipe", model)  # what is made once for all stays
    before = settled()
    run("pipe", model)
    gc.collect()
    assert left_since(before) == ""
    assert [thread.name for thread in threading.enumerate()] == ["MainThread"], "and none that Python made up"


def test_no_partner_is_started_for_a_body_that_is_only_opened() -> None:
    workload = lanes.exchange(via="pipe")
    before = holdings()
    with workload.open():
        assert left_since(before) == ""


def test_every_cell_either_runs_or_says_why_not() -> None:
    """What the reasons leave is what the grid test runs."""
    workload = lanes.exchange(via="queue")
    assert senseless(workload, models.load("serial"), "python") is None
    for via in WAYS:
        lacking = {
            name
            for name in models.names()
            if senseless(replace(workload, via=via), models.load(name), None if "native" in name else "python")
        }
        native = {name for name in models.names() if "native" in name}
        assert (
            lacking
            == {
                "argument": native,
                "queue": {"native-fork"},
                "condition": {"native-fork", "native-epoll", "asyncio-native"},
                "pipe": set(),
                "file": set(),
                "shared-memory": {"asyncio", "native-epoll", "asyncio-native"},
                "eventfd": {"asyncio"},
            }[via]
        ), via


def test_a_variant_has_the_kind_of_its_model() -> None:
    spawn = models.load("multiprocessing[spawn]")
    assert isinstance(spawn, Variant)
    assert models.kind(spawn, "exchange") == "processes"
    assert models.kind(models.load("asyncio-native"), "exchange") == "places"
    assert models.kind(models.load("asyncio-native"), "compute") == "threads"
    assert models.kind(models.load("native-fork"), "exchange") == "children"
    assert models.kind(models.load("asyncio-threads"), "exchange") == "threads"
    assert Task(0).item is None
