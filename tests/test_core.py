"""The engine as Python sees it: what it promises, what it computes, what it refuses, where it may be used."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import select
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import pytest

import lanes
from lanes import _core, _download
from lanes.origin import Origin, crc32
from lanes.work import done
from processes import AREA, asleep, children, holdings, in_a_thread, left_since, payload, recorded, script, until

MS = 10**6
SECOND = 10**9
LONG = ("", 3600 * SECOND)
PARENT = Path(lanes.__file__).parents[1]
"""The directory that `lanes` is imported from."""

Tasks: TypeAlias = "list[_core.TaskInput]"


def values(model: str, workload: str, tasks: Tasks, workers: int = 2) -> list[tuple[int, ...]]:
    """What the tasks gave; all must have gone well."""
    records = recorded(model, workload, tasks, workers)
    assert {record[0] for record in records} <= {"ok"}, records
    return [record[3] for record in records]


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


def gets(origin: Origin, count: int) -> Tasks:
    return [(origin.url(size=1000 * n, seed=n), SECOND, SECOND) for n in range(count)]


# ---- the stub


def test_the_stub_and_the_module_agree(tmp_path: Path) -> None:
    aliases = r"lanes\._core\.(TaskInput|Record|Moment|Entry|Arrival|UnderWay)"  # for annotations only
    (tmp_path / "allowed").write_text(aliases + "\n" + r"(lanes\._core\.Area\.__buffer__)?")  # seen from 3.12 on
    checked = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "lanes._core", "--allowlist", str(tmp_path / "allowed")],
        cwd=PARENT,
        env=os.environ | {"PYTHONPATH": str(PARENT), "MYPY_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_names_of_the_grid() -> None:
    assert _core.MODELS == ("native-serial", "native-pthreads", "native-fork", "native-epoll")
    assert set(_core.WORKLOADS) == {"download", "compute", "wait", "counter", "exchange"}


# ---- what it computes


def escape_count(c: complex) -> int:
    z = 0j
    for n in range(100):
        if abs(z) > 2:
            return n
        z = z * z + c
    return 100


def mandelbrot(index: int, tiles: int, side: int) -> tuple[int, int]:
    counts = [
        escape_count(complex(-2 + 2.5 * (col + 0.5) / side, -1.25 + 2.5 * (row + 0.5) / (tiles * side)))
        for row in range(index * side, (index + 1) * side)
        for col in range(side)
    ]
    return sum(counts), zlib.crc32(bytes(counts))


def primes(start: int, stop: int) -> tuple[int]:
    return (sum(n > 1 and all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(start, stop)),)


def squares(start: int, stop: int) -> tuple[int]:
    return (sum(n * n for n in range(start, stop)) % 2**63,)


KERNELS: dict[str, tuple[Callable[..., tuple[int, ...]], list[tuple[int, ...]]]] = {
    "primes": (primes, [(0, 0), (0, 3), (2, 3), (9, 10), (24, 29), (0, 500), (10_000, 10_100), (999_983, 999_984)]),
    "squares": (squares, [(5, 5), (0, 4), (3, 1000), (2**31, 2**31 + 9), (2**40, 2**40 + 3), (2**62 - 2, 2**62)]),
    "mandelbrot": (mandelbrot, [(0, 1, 1), (0, 1, 24), (0, 2, 16), (1, 2, 16), (3, 7, 9)]),
}


@pytest.mark.parametrize("kernel", KERNELS)
def test_known_answers(kernel: str) -> None:
    compute, inputs = KERNELS[kernel]
    tasks: Tasks = [(kernel, *args) for args in inputs]
    expected = [compute(*args) for args in inputs]
    for model in _core.MODELS:
        assert values(model, "compute", tasks) == expected
    with _core.Worker("compute") as worker:
        assert [worker.run(task, release)[3] for release in (True, False) for task in tasks] == expected * 2


def test_a_large_known_answer() -> None:
    assert values("native-pthreads", "compute", [("primes", 0, 500_000), ("primes", 500_000, 1_000_000)]) == [
        (41538,),
        (78498 - 41538,),
    ]


# ---- what it refuses

TASKS: list[tuple[str, object, type[Exception], str]] = [
    *(("wait", task, TypeError, "a task is a tuple of a str and at most 4 integers") for task in (
        None, "", 1, [""], (), (1,), (b"", 1), (None, 1), ("", 1, 2, 3, 4, 5),
    )),
    *(("wait", ("", wrong), TypeError, "int") for wrong in (1.0, "1", None, b"1", [1])),
    ("wait", ("", 2**63), OverflowError, "int too"),
    ("wait", ("", 0, 0, 0, -(2**63) - 1), OverflowError, "int too"),
    ("wait", ("", -1), ValueError, "wait: a wait takes a duration of 0 to"),
    ("wait", ("", -(2**63)), ValueError, "0 to 2"),
    *((workload, ("prim\0es", 1, 2), ValueError, f"{workload}: a text must not contain a null character")
      for workload in _core.WORKLOADS),
    ("compute", ("primes\ud800", 1, 2), UnicodeEncodeError, "surrogates"),
    ("compute", ("", 1, 2), ValueError, "compute: the kernels are primes, squares and mandelbrot"),
    ("compute", ("Primes", 1, 2), ValueError, "the kernels are"),
    *(("compute", (kernel, *args), ValueError, r"0 <= start <= stop <= 2\*\*62") for kernel in ("primes", "squares")
      for args in ((2, 1), (-1, 1), (0, 2**62 + 1))),
    *(("compute", ("mandelbrot", *args), ValueError, "0 <= index < tiles <= 65536 and a side of 1 to 65536")
      for args in ((-1, 1, 1), (1, 1, 1), (0, 0, 1), (0, 65537, 1), (0, 1, 0), (0, 1, 65537), ())),
    *(("counter", (step, 1), ValueError, "counter: the steps are plain, atomic and locked") for step in ("", "call")),
    *(("counter", ("plain", n), ValueError, r"a task makes from 1 to 2\*\*40 updates") for n in (0, -1, 2**40 + 1)),
    *(("counter", ("locked", 1, ns), ValueError, r"a lock is held for 0 to 2\*\*51 ns") for ns in (-1, 2**51 + 1)),
    *(("download", (url, SECOND, SECOND), ValueError, "takes an http:// or https:// URL")
      for url in ("", "ftp://127.0.0.1/", "file:///etc/hostname", "127.0.0.1", " http://127.0.0.1/")),
    *(("download", ("http://127.0.0.1/", *args), ValueError, "download: a download takes time-outs of 1 ms to")
      for args in ((), (SECOND,), (0, SECOND), (SECOND, MS - 1), (SECOND, -1))),
    ("exchange", ("argument", 1, 0, 0), ValueError, "the ways are queue, condition, shared-memory, eventfd, pipe and"),
    *(("exchange", ("pipe", size, 0, 0), ValueError, "exchange: a payload has 1 byte to 64 MiB")
      for size in (0, -1, 2**26 + 1)),
    *(("exchange", ("pipe", 1, *args), ValueError, "begins with a byte of 0 to 250, and has a CRC-32")
      for args in ((251,), (-1,), (0, -1), (0, 2**32))),
]  # fmt: skip


@pytest.mark.parametrize(("workload", "task", "error", "words"), TASKS)
def test_bad_tasks(workload: str, task: _core.TaskInput, error: type[Exception], words: str) -> None:
    good: dict[str, _core.TaskInput] = {
        "wait": ("", 0),
        "compute": ("squares", 0, 4),
        "counter": ("locked", 9),
        "download": ("http://", SECOND, SECOND),
        "exchange": payload("pipe", 1),
    }
    for model in _core.MODELS:
        with pytest.raises(error, match=words):
            _core.run(model, workload, [good[workload], task], 1, None, None, _core.Area(AREA))
    with _core.Worker(workload, _core.Area(AREA)) as worker:
        for release in (True, False):
            with pytest.raises(error, match=words):
                worker.run(task, release)
            assert worker.run(good[workload], release)[0] == ("failed" if workload == "download" else "ok")


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((), TypeError, "4 arguments"),
        (("native-serial", "wait", []), TypeError, "4 arguments"),
        (("native-serial", "wait", [], 1, 1), TypeError, "ledger must be a Ledger or None"),
        (("native-serial", "wait", [], 1, None, 1), TypeError, "a task is a tuple"),
        (("native-serial", "wait", [], 1, None, None, 1), TypeError, "area must be an Area or None"),
        (("native-serial", "wait", [], 1, None, None, None, None, 1), TypeError, "8 arguments"),
        ((None, "wait", [], 1), TypeError, "str"),
        ((b"native-serial", "wait", [], 1), TypeError, "str"),
        (("native-serial", 1, [], 1), TypeError, "str"),
        (("native-serial", "wait", None, 1), TypeError, "iterable"),
        (("native-serial", "wait", 1, 1), TypeError, "iterable"),
        (("native-serial", "wait", "text", 1), TypeError, "a task is a tuple"),
        (("native-serial", "wait", [], "1"), TypeError, "int"),
        (("native-serial", "wait", [], 1.0), TypeError, "int"),
        (("native-serial", "wait", [], None), TypeError, "int"),
        (("native", "wait", [], 1), ValueError, "unknown native model 'native': .*'native-serial', .*'native-epoll'"),
        (("", "wait", [], 1), ValueError, "unknown native model ''"),
        (
            ("native-serial", "Wait", [], 1),
            ValueError,
            "unknown workload 'Wait': .*'download', 'compute', 'wait', 'counter', 'exchange'",
        ),
        (("native-serial\0", "wait", [], 1), ValueError, "null character"),
        (("native-serial", "wait\0", [], 1), ValueError, "null character"),
        (("native-\ud800", "wait", [], 1), UnicodeEncodeError, "surrogates"),
        (("native-serial", "wait", [], 0), ValueError, "workers must be from 1 to 1000000, not 0"),
        (("native-serial", "wait", [], -1), ValueError, "not -1"),
        (("native-serial", "wait", [], 1_000_001), ValueError, "not 1000001"),
        (("native-serial", "wait", [], 2**63), OverflowError, "int too large"),
    ],
)
def test_bad_arguments_of_run(
    args: tuple[str, str, Tasks, int, _core.Ledger], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        _core.run(*args)


def test_all_arguments_of_run_are_positional() -> None:
    names: dict[str, str] = {"workers": "1"}
    with pytest.raises(TypeError, match="keyword"):
        _core.run("native-serial", "wait", [], **names)  # type: ignore[call-arg]


def test_an_exception_of_the_list_of_tasks_comes_out_as_itself() -> None:
    def broken() -> Iterator[_core.TaskInput]:
        yield ("", 0)
        raise KeyError("half-way")

    with pytest.raises(KeyError, match="half-way"):
        _core.run("native-serial", "wait", broken(), 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((), TypeError, "argument"),
        ((1,), TypeError, "str"),
        (("wait", 1), TypeError, "area must be an Area or None"),
        (("wait", None, 1), TypeError, "argument"),
        (("waiting",), ValueError, "unknown workload 'waiting': the engine has .*'wait'"),
        (("wait\0",), ValueError, "null character"),
    ],
)
def test_bad_arguments_of_a_worker(args: tuple[str], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        _core.Worker(*args)


class Undecided:
    def __bool__(self) -> bool:
        raise KeyError("neither")


def test_bad_arguments_of_a_workers_run() -> None:
    with _core.Worker("wait") as worker:
        with pytest.raises(TypeError, match="a task and whether to release"):
            worker.run(("", 0))  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="keyword"):
            worker.run(("", 0), release=True)  # type: ignore[call-arg]
        with pytest.raises(KeyError, match="neither"):
            worker.run(("", 0), Undecided())  # type: ignore[arg-type]
        assert worker.run(("", 0), True)[0] == "ok"


def test_a_task_may_be_any_tuple_and_its_integers_any_integers() -> None:
    class Number:
        def __index__(self) -> int:
            # Other native work meanwhile, from within the reading of a task.
            return values("native-serial", "compute", [("squares", 0, 3)])[0][0]

    class Named(tuple[str | int, ...]):
        pass

    class Text(str):
        pass

    task = Named((Text("squares"), False, Number()))  # type: ignore[arg-type]
    assert values("native-pthreads", "compute", [task]) == [squares(0, 5)]
    with _core.Worker("compute") as worker:
        assert worker.run(task, True)[3] == squares(0, 5)


@pytest.mark.parametrize("model", _core.MODELS)
@pytest.mark.parametrize("workload", _core.WORKLOADS)
def test_no_tasks_at_all(model: str, workload: str) -> None:
    records = _core.run(model, workload, (), 3)
    assert len(records) == 0
    with pytest.raises(IndexError):
        records[0]


# ---- a worker's life


def test_a_closed_worker() -> None:
    for workload in _core.WORKLOADS:
        with _core.Worker(workload) as worker:
            pass
        with pytest.raises(RuntimeError, match="the worker is closed"):
            worker.run(("", 0), True)
        worker.close()
        with worker:  # entering opens nothing
            worker.close()


def test_a_worker_closes_when_an_exception_leaves_its_context() -> None:
    with pytest.raises(KeyError), _core.Worker("download") as worker:
        raise KeyError
    with pytest.raises(RuntimeError, match="closed"):
        worker.run(("http://", SECOND, SECOND), True)


def test_a_worker_is_made_once_and_stays_what_it_is() -> None:
    with pytest.raises(TypeError):
        _core.Worker.__new__(_core.Worker)  # type: ignore[call-arg]
    with _core.Worker("wait") as worker:
        worker.__init__("compute")  # type: ignore[call-arg]
        assert worker.run(("", 0), True)[0] == "ok"


def test_a_worker_is_not_for_two_threads_at_once() -> None:
    worker = _core.Worker("wait")
    with in_a_thread(lambda: worker.run(("", 300 * MS), True)) as result:
        error = None
        while error is None:  # until the other thread is inside
            try:
                worker.run(("", 0), True)
            except RuntimeError as raised:
                error = raised
        assert "the worker is busy in another thread" in str(error)
        with pytest.raises(RuntimeError, match="busy"):
            worker.close()
        assert not result
    (record,) = result
    assert isinstance(record, tuple)
    assert record[0] == "ok"
    worker.run(("", 0), True)
    worker.close()


def test_a_worker_serves_one_thread_after_another() -> None:
    with _core.Worker("wait") as worker:
        with in_a_thread(lambda: (threading.get_native_id(), worker.run(("", 0), True))) as result:
            pass
        (there,) = result
        assert isinstance(there, tuple)
        assert there[1][5] == there[0] != threading.get_native_id()
        assert worker.run(("", 0), True)[5] == threading.get_native_id()


def in_a_child(code: Callable[[], object]) -> str:
    """What this gives in a forked child, in words; an exception's too."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = repr(code())
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as answers:
        words = answers.read()
    os.waitpid(pid, 0)
    return words


@pytest.mark.parametrize("workload", _core.WORKLOADS)
def test_a_worker_does_not_work_in_a_forked_child(workload: str, origin: Origin) -> None:
    tasks: dict[str, _core.TaskInput] = {
        "wait": ("", 0),
        "compute": ("squares", 0, 4),
        "counter": ("locked", 9),
        "download": gets(origin, 1)[0],
        "exchange": payload("condition", 100),
    }
    task = tasks[workload]
    with _core.Worker(workload, _core.Area(AREA)) as worker:
        before = worker.run(task, True)
        told = in_a_child(lambda: worker.run(task, True))
        assert told == "RuntimeError: the worker was opened in another process"
        assert in_a_child(worker.close) == "None"
        after = worker.run(task, True)
        assert (before[0], before[3]) == (after[0], after[3]), "the parent's is as good as before"


# ---- who may fork


def answers_of_all_models() -> list[list[tuple[int, ...]]]:
    return [values(model, "compute", [("squares", 0, 4)] * 3) for model in _core.MODELS]


def test_a_forked_child_owes_nothing_for_its_parents_native_work() -> None:
    all_well = repr([[(14,)] * 3] * 4)
    with _core.Worker("download"):
        assert in_a_child(answers_of_all_models) == all_well
    program = (
        "from lanes import _core\n"
        "from test_core import *\n"
        "import warnings; warnings.simplefilter('ignore')\n"  # of 3.12 and later: fork beside threads
        "with in_a_thread(lambda: _core.run('native-fork', 'wait', [('', 300 * MS)], 1)) as result:\n"
        "    until(lambda: holdings().children)\n"
        "    print(in_a_child(answers_of_all_models))\n"
    )
    assert script(program) == all_well + "\n"


def test_native_fork_runs_alone() -> None:
    must_follow = "native-fork and other native work of this process must follow one another, not overlap"
    task = ("", 300 * MS)
    with _core.Worker("compute"), pytest.raises(RuntimeError, match=must_follow):
        _core.run("native-fork", "wait", [task], 1)
    for running in ("native-serial", "native-pthreads", "native-epoll"):
        with in_a_thread(lambda: _core.run(running, "wait", [task], 1)) as result:  # noqa: B023 - ends with the turn
            error = None
            while error is None:  # until the other thread is inside
                try:
                    _core.run("native-fork", "wait", [], 1)
                except RuntimeError as raised:
                    error = raised
            assert must_follow in str(error)
            assert not result
            assert values("native-pthreads", "wait", [("", 0)] * 3) == [()] * 3, "the others may overlap"
        assert isinstance(result[0], _core.Records)
    idle = holdings().children
    with in_a_thread(lambda: _core.run("native-fork", "wait", [task] * 2, 2)) as result:
        until(lambda: holdings().children != idle)
        for model in _core.MODELS:
            with pytest.raises(RuntimeError, match=must_follow):
                _core.run(model, "wait", [("", 0)], 1)
        with pytest.raises(RuntimeError, match=must_follow):
            _core.Worker("wait")
    assert isinstance(result[0], _core.Records)
    assert answers_of_all_models() == [[(14,)] * 3] * 4


@pytest.mark.parametrize("pair", [*product(_core.MODELS, repeat=2)], ids=" then ".join)
def test_models_follow_one_another_in_any_order(pair: tuple[str, str], origin: Origin) -> None:
    before = holdings()
    tasks = gets(origin, 6)
    for model in pair:
        assert values(model, "download", tasks, 3) == [(200, 1000 * n, crc32(1000 * n, n)) for n in range(6)]
        assert values(model, "compute", [("squares", 0, 4)] * 6, 3) == [(14,)] * 6
    assert left_since(before) == ""


@pytest.mark.parametrize("model", _core.MODELS)
def test_a_run_from_another_thread(model: str, origin: Origin) -> None:
    with in_a_thread(lambda: values(model, "download", gets(origin, 4))) as result:
        pass
    assert result == [[(200, 1000 * n, crc32(1000 * n, n)) for n in range(4)]]


# ---- records and spans


def test_records_are_a_sequence() -> None:
    records = _core.run("native-serial", "compute", [("squares", 0, n) for n in range(4)], 1)
    assert len(records) == 4
    assert [record[3] for record in records] == [(0,), (0,), (1,), (5,)]
    assert records[3] == records[-1]
    assert records[0] == records[-4]
    for index in (4, -5, 2**62, -(2**62)):
        with pytest.raises(IndexError, match="there is no such task"):
            records[index]
    with pytest.raises((IndexError, OverflowError)):
        records[2**64]
    with pytest.raises(TypeError):
        records["0"]  # type: ignore[index]
    with pytest.raises(TypeError, match="cannot create"):
        _core.Records()


def test_records_keep_no_descriptor() -> None:
    before = holdings()
    kept = [_core.run(model, "wait", [("", 0)], 1) for model in _core.MODELS]
    assert left_since(before) == ""
    assert [records[0][0] for records in kept] == ["ok"] * 4


def test_a_record_has_the_form_that_is_promised() -> None:
    (record,) = recorded("native-serial", "compute", [("squares", 0, 4)], 1)
    assert record[:5] == ("ok", None, "", (14,), 0)
    assert [type(field) for field in record[4:12]] == [int] * 8
    assert record[12:] == ((),), "it measured nothing of itself"
    (record,) = recorded("native-serial", "download", [("http://", SECOND, SECOND)], 1)
    assert record[:2] == ("failed", "DownloadError")
    assert record[2]
    assert record[3] == ()


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("workload", _core.WORKLOADS)
@pytest.mark.parametrize("model", _core.MODELS)
def test_spans_are_sane(model: str, workload: str, workers: int, origin: Origin) -> None:
    tasks: dict[str, Tasks] = {
        "wait": [("", 2 * MS)] * 12,
        "compute": [("primes", 1_000_000, 1_001_000)] * 12,
        "counter": [("atomic", 20_000)] * 12,
        "download": [(origin.url(size=50_000, ms=2), SECOND, SECOND)] * 12,
        "exchange": [payload("pipe", 50_000)] * 12,
    }
    began = time.monotonic_ns()
    records = recorded(model, workload, tasks[workload], workers, _core.Area(AREA))
    ended = time.monotonic_ns()
    spans = [done(n, record).span for n, record in enumerate(records)]
    for span in spans:
        assert 0 <= span.worker < workers
        assert began <= span.claimed_ns <= span.started_ns <= span.finished_ns <= ended
        assert 0 <= span.cpu_ns <= ended - began
        assert span.cpu in os.sched_getaffinity(0)
        if workload == "wait":
            assert span.finished_ns - span.started_ns >= 2 * MS
        if workload in ("compute", "counter"):
            assert span.cpu_ns > 0
    inside = {(span.process_id, span.thread_id) for span in spans}
    lanes_of = {(span.worker, span.process_id, span.thread_id) for span in spans}
    if model in ("native-serial", "native-epoll"):
        assert inside == {(os.getpid(), threading.get_native_id())}
    elif model == "native-pthreads":
        assert {process for process, _ in inside} == {os.getpid()}
        assert threading.get_native_id() not in {thread for _, thread in inside}
    else:
        assert os.getpid() not in {process for process, _ in inside}
        assert all(process == thread for process, thread in inside)
    if model in ("native-pthreads", "native-fork"):
        assert len(lanes_of) == len(inside) == len({span.worker for span in spans}), "a thread or process per worker"
    for worker in range(workers):
        mine = [span for span in spans if span.worker == worker]
        assert mine == sorted(mine, key=lambda span: span.claimed_ns), "in order"
        assert all(a.finished_ns <= b.started_ns for a, b in pairwise(mine)), "one at a time"


@pytest.mark.parametrize(
    ("model", "lanes_seen"),
    [("native-serial", {0}), ("native-pthreads", {0, 1, 2}), ("native-fork", {0, 1, 2}), ("native-epoll", {0, 1, 2})],
)
def test_every_worker_gets_work(model: str, lanes_seen: set[int]) -> None:
    records = recorded(model, "wait", [("", 100 * MS)] * 3, 3)
    assert {record[4] for record in records} == lanes_seen


# ---- the small ones


def test_here() -> None:
    before = time.monotonic_ns()
    process, thread, cpu, now, cpu_time = _core.here()
    assert (process, thread) == (os.getpid(), threading.get_native_id())
    assert cpu in os.sched_getaffinity(0)
    assert before <= now <= time.monotonic_ns()
    assert 0 <= cpu_time <= time.thread_time_ns()
    with in_a_thread(lambda: (_core.here()[1], threading.get_native_id())) as result:
        pass
    (there,) = result
    assert isinstance(there, tuple)
    assert there[0] == there[1] != thread
    for _ in range(10_000):
        cpu_time, earlier = _core.here()[4], cpu_time
        assert cpu_time >= earlier


def test_loading() -> None:
    code = """
from lanes import _core
def mapped():
    return any("libcurl" in line for line in open("/proc/self/maps"))
for name in ("wait", "compute"):
    _core.load(name)
print(mapped())
_core.load("download")
print(mapped())
"""
    assert script(code).split() == ["False", "True"], "who downloads nothing does not pay for libcurl"
    with pytest.raises(ValueError, match="unknown workload 'none'"):
        _core.load("none")


def test_libcurl_version() -> None:
    version = tuple(int(part) for part in _download.libcurl_version().split("-")[0].split(".")[:3])
    assert version >= (7, 85)


def test_die_with_parent() -> None:
    # A child of a child that has ended; that it ends, too, closes the pipe.
    reading, writing = os.pipe()
    go_on, over = os.pipe()
    pid = os.fork()
    if pid == 0:
        if os.fork() == 0:
            signal.alarm(60)  # should it fail
            _core.die_with_parent()
            os.write(writing, b"ready")
            time.sleep(3600)
        os.read(go_on, 1)
        os._exit(0)
    os.close(writing)
    assert os.read(reading, 9) == b"ready"
    os.write(over, b"x")
    os.waitpid(pid, 0)
    assert os.read(reading, 9) == b""
    for fd in (reading, go_on, over):
        os.close(fd)


def test_a_thread_is_named_in_the_kernel_and_no_other() -> None:
    names: list[str] = []

    def main() -> None:
        _core.name_thread("sixteen letters!")
        names.append(Path(f"/proc/self/task/{threading.get_native_id()}/comm").read_text())

    before = Path("/proc/self/comm").read_text()
    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
    assert names == ["sixteen letters\n"], "the kernel keeps 15 bytes"
    assert Path("/proc/self/comm").read_text() == before
    for wrong in (None, 1, b"name"):
        with pytest.raises(TypeError):
            _core.name_thread(wrong)  # type: ignore[arg-type]


def test_the_functions_that_take_nothing_take_nothing() -> None:
    nothing = (
        _core.here,
        _core.rest,
        _core.under_way,
        _core.die_with_parent,
        _core.gil_handovers,
        _core.gil_wait_cost,
        _download.libcurl_version,
    )
    for function in nothing:
        with pytest.raises(TypeError, match="no arguments"):
            function(1)  # type: ignore[call-arg]


# ---- what workers share


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((), TypeError, "argument"),
        (("1",), TypeError, "int"),
        ((1.0,), TypeError, "int"),
        ((1, 2), TypeError, "argument"),
        ((0,), ValueError, "an area has 1 byte or more, not 0"),
        ((-3,), ValueError, "not -3"),
        ((2**63,), OverflowError, "int"),
        ((2**62,), MemoryError, "^$"),
    ],
)
def test_bad_arguments_of_an_area(args: tuple[int], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        _core.Area(*args)


def test_an_area_is_zeros_that_can_be_written_and_are_seen_by_all_who_have_it() -> None:
    area = _core.Area(size=5000)
    assert len(area) == 5000
    assert bytes(area) == bytes(5000)
    other = _core.Area.attach(os.dup(area.fileno()))
    view = memoryview(area)
    view[:4] = b"here"
    assert bytes(memoryview(other)[:5]) == b"here\0"
    assert in_a_child(lambda: view.__setitem__(slice(4, 9), b"child")) == "None"
    assert bytes(memoryview(other)[:9]) == b"herechild"


def test_a_view_keeps_its_area_and_that_its_file() -> None:
    before = holdings()
    view = memoryview(_core.Area(16)).cast("q")
    view[1] = 7
    assert left_since(before) != ""
    assert view.tolist() == [0, 7]
    view.release()
    assert left_since(before) == ""


def test_a_file_that_is_no_areas_is_refused_and_left_to_the_caller() -> None:
    empty, reading = os.memfd_create("empty"), os.open(__file__, os.O_RDONLY)
    for descriptor, words in ((empty, "Invalid argument"), (reading, "Permission denied"), (-1, "Bad file descriptor")):
        with pytest.raises(OSError, match=f"the area: {words}"):
            _core.Area.attach(descriptor)
    with pytest.raises(TypeError, match="int"):
        _core.Area.attach("1")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no arguments"):
        _core.Area(1).fileno(1)  # type: ignore[call-arg]
    os.close(empty)
    os.close(reading)


@pytest.mark.parametrize("size", [None, 1, 127])
def test_work_that_shares_is_refused_without_an_area_for_it(size: int | None) -> None:
    area = None if size is None else _core.Area(size)
    refusal = f"counter: a task needs an area of 128 bytes, and there are {size or 0}"
    for model in _core.MODELS:
        with pytest.raises(ValueError, match=refusal):
            _core.run(model, "counter", [("plain", 1)], 1, None, None, area)
    with pytest.raises(ValueError, match=refusal):
        _core.begin("native-pthreads", "counter", [("plain", 1)], 1, None, None, area)
    with _core.Worker("counter", area) as worker, pytest.raises(ValueError, match=refusal):
        worker.run(("plain", 1), True)


@pytest.mark.parametrize("model", _core.MODELS)
def test_an_area_is_every_workers_and_as_they_left_it(model: str) -> None:
    area = _core.Area(AREA)
    for times in (1, 2):
        records = _core.run(model, "counter", [("locked", 1000)] * 6, 3, None, None, area)
        assert memoryview(area).cast("q")[0] == 6000 * times
        assert [len(record[12]) for record in records] == [2] * 6
        assert all(figure >= 0 for record in records for figure in record[12])
    worker = _core.Worker("counter", area)
    del area
    assert worker.run(("atomic", 1), True)[0] == "ok", "the worker keeps it"


def test_an_area_may_be_lent_to_work_that_needs_none() -> None:
    area = _core.Area(1)
    assert _core.run("native-fork", "wait", [("", 0)], 1, None, None, area)[0][0] == "ok"
    with _core.Worker("wait", area=area) as worker:
        assert worker.run(("", 0), True)[0] == "ok"
    assert bytes(area) == b"\0"


# ---- tasks that come with time

OPEN = 60 * SECOND


def arrivals(*due: int, bound: int = 0, rejects: bool = False, open: int = OPEN) -> _core.Arrivals:
    return _core.Arrivals(due, bound, rejects, open)


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((), TypeError, "due"),
        (([0], 0, False), TypeError, "open"),
        ((3, 0, False, OPEN), TypeError, "iterable"),
        ((["1"], 0, False, OPEN), TypeError, "int"),
        (([2**63], 0, False, OPEN), OverflowError, "int"),
        (([-1], 0, False, OPEN), ValueError, "arrivals are due in order, from 0 on"),
        (([0, 2, 1], 0, False, OPEN), ValueError, "arrivals are due in order, from 0 on"),
        (
            ([0], -1, False, OPEN),
            ValueError,
            "a queue has room for 1 task or more, .* not for -1",
        ),
    ],
)
def test_bad_arguments_of_arrivals(args: tuple[object, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        _core.Arrivals(*args)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", _core.MODELS)
def test_tasks_come_at_their_times_and_each_is_started_once(model: str) -> None:
    due = [n * 5 * MS for n in range(8)]
    coming = arrivals(*due)
    records = _core.run(model, "wait", [("", 2 * MS)] * 8, 2, None, None, None, coming)
    assert [record[0] for record in records] == ["ok"] * 8
    began = coming.began()
    assert began is not None
    for n, (arrival, record) in enumerate(zip(coming, records, strict=True)):
        when, admitted, started, finished, rejected, claimed = arrival
        assert (when, admitted, rejected) == (due[n], None, False)
        assert started is not None
        assert finished is not None
        assert when <= started <= finished
        assert claimed is not None
        assert claimed <= started
        assert (began + started, began + finished) == record[9:11]
        assert coming.due(n) == began + when
    arrived, rejected_, started_, finished_, latency = coming.progress()
    assert (arrived, rejected_, started_, finished_) == (8, 0, 8, 8)
    assert latency == sum((arrival[3] or 0) - arrival[0] for arrival in coming)
    assert coming.claim() is None


@pytest.mark.parametrize("model", _core.MODELS)
def test_what_comes_to_a_full_queue_is_rejected_by_the_count(model: str) -> None:
    coming = arrivals(*(n * 10 * MS for n in range(8)), bound=3, rejects=True)
    records = _core.run(model, "wait", [("", 200 * MS)] * 8, 1, None, None, None, coming)
    assert [record[0] for record in records] == ["ok"] * 4 + ["pending"] * 4
    assert [arrival[4] for arrival in coming] == [False] * 4 + [True] * 4
    assert coming.progress()[:4] == (8, 4, 4, 4)


@pytest.mark.parametrize("model", _core.MODELS)
def test_what_has_not_begun_when_it_closes_is_left(model: str) -> None:
    coming = arrivals(*(n * MS for n in range(50)), open=100 * MS)
    records = _core.run(model, "wait", [("", 20 * MS)] * 50, 1, None, None, None, coming)
    count = sum(record[0] == "ok" for record in records)
    assert 1 <= count <= 6
    assert coming.ended()
    assert coming.progress()[2:4] == (count, count)


def test_a_loop_that_awaits_the_engine_has_its_tasks_come_too() -> None:
    coming = arrivals(0, 10 * MS, 20 * MS)
    with _core.begin("native-epoll", "wait", [("", 0)] * 3, 2, None, None, None, coming) as flight:
        while not flight.step():
            select.select([flight], [], [])
        assert [record[0] for record in flight.finish()] == ["ok"] * 3
    assert all((started or 0) >= due for due, _, started, _, _, _ in coming)


def test_a_producer_fills_the_queue_and_workers_empty_it() -> None:
    coming = arrivals(0, 0, 0, 0, bound=2, rejects=True)
    other = _core.Arrivals.attach(os.dup(coming.fileno()))
    assert (len(other), other.began(), other.progress()) == (4, None, (0, 0, 0, 0, 0))
    assert coming.begin() == other.begin() == other.began()
    assert (coming.admit(0), coming.admit(1), coming.admit(2)) == (True, True, False)
    coming.reject(2)
    assert other.start(0)
    assert coming.admit(3)
    other.finish(0)
    assert other.progress()[:4] == (4, 1, 1, 1)
    assert [arrival[4] for arrival in other] == [False, False, True, False]
    coming.end()
    assert other.ended()
    assert not other.start(1)
    assert other[1][2] is None


def test_arrivals_are_claimed_in_order_and_ahead() -> None:
    coming = arrivals(0, 3600 * SECOND, 3600 * SECOND, open=2**50)
    assert [coming.claim() for _ in range(4)] == [0, 1, 2, None]


def test_bad_uses_of_arrivals() -> None:
    coming = arrivals(0)
    for use in (coming.due, coming.admit, coming.reject, coming.start, coming.finish):
        for wrong, error in ((1, IndexError), (-1, IndexError), ("0", TypeError)):
            with pytest.raises(error):
                use(wrong)  # type: ignore[arg-type]
    with pytest.raises(IndexError):
        coming[1]
    with pytest.raises(TypeError, match="arrivals must be Arrivals or None"):
        _core.run("native-serial", "wait", [("", 0)], 1, None, None, None, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 arrivals are not 2 tasks"):
        _core.run("native-serial", "wait", [("", 0)] * 2, 1, None, None, None, coming)
    with pytest.raises(TypeError):
        _core.Arrivals.attach("1")  # type: ignore[arg-type]
    with open("/dev/null") as file, pytest.raises(OSError, match="the arrivals: "):
        _core.Arrivals.attach(file.fileno())


@pytest.mark.parametrize("model", _core.MODELS)
def test_ctrl_c_ends_workers_that_wait_for_an_arrival(model: str) -> None:
    before = holdings()
    raising = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            _core.run(model, "wait", [LONG], 3, None, None, None, arrivals(3600 * SECOND, open=2**50))
        assert time.monotonic() - began < 5
    finally:
        signal.signal(signal.SIGALRM, raising)
    assert left_since(before) == ""


def test_a_killed_worker_takes_one_arrival_with_it() -> None:
    coming = arrivals(*(n * 10 * MS for n in range(10)))
    with in_a_thread(
        lambda: _core.run("native-fork", "wait", [("", 40 * MS)] * 10, 2, None, None, None, coming)
    ) as result:
        until(lambda: coming.progress()[2] >= 2)
        os.kill(min(children(os.getpid())), signal.SIGKILL)
    records = result[0]
    assert isinstance(records, _core.Records)
    statuses = [record[0] for record in records]
    assert statuses.count("killed") <= 1  # it may have been between two tasks
    assert statuses.count("ok") == 10 - statuses.count("killed")
    assert coming.progress()[2:4] == (10, 10)


# ---- what is under way


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of 3.12 and later: beside threads
@pytest.mark.parametrize("model", ["native-pthreads", "native-fork", "native-epoll"])
def test_what_is_under_way_is_known_while_it_is(model: str) -> None:
    me, others = os.getpid(), children(os.getpid())  # such as an origin
    began = time.monotonic_ns()
    with _core.begin(model, "wait", [("", 0), LONG, LONG, LONG], 2) as flight:
        # native-epoll works when it is stepped only.
        until(lambda: flight.step() or [each[1] for each in _core.under_way()] == [1, 2])
        seen = _core.under_way()
        assert {each[0] for each in seen} == {model}
        assert {each[2] for each in seen} == {0, 1}
        places = {(each[3], each[4]) for each in seen}
        if model == "native-fork":
            assert {process for process, _ in places} == children(me) - others
        else:
            assert {process for process, _ in places} == {me}
            assert (places == {(me, threading.get_native_id())}) is (model == "native-epoll")
        assert all(began <= each[5] <= time.monotonic_ns() for each in seen)
        # In a child nothing is: its copy of the run has no workers.
        assert in_a_child(_core.under_way) == "[]"
    assert _core.under_way() == []


def test_a_signal_handler_may_look_at_what_is_under_way() -> None:
    seen: list[list[_core.UnderWay]] = []
    at_once = 0

    def look(*_: object) -> None:
        until(lambda: len(_core.under_way()) == at_once)
        seen.append(_core.under_way())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, look)
    try:
        for model in _core.MODELS:
            at_once = 1 if "serial" in model else 2
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(KeyboardInterrupt):
                _core.run(model, "wait", [LONG] * 3, 2)
            found = seen.pop()
            assert [each[:2] for each in found] == [(model, n) for n in range(at_once)]
            assert {each[2] for each in found} == set(range(at_once)), "any worker may be the first"
            assert _core.under_way() == []
    finally:
        signal.signal(signal.SIGALRM, before)


CUT_OFF = """
import sys, threading, time
from lanes import _core

class Late:
    def __del__(self, sleep=time.sleep, look=_core.under_way, exit=__import__("os")._exit):
        sleep(0.2)  # the thread wants the GIL meanwhile, and is ended for it
        exit(len(look()))

def run(depth):
    return max([depth - 1], key=run) if depth else _core.run(sys.argv[1], "wait", [("", 3600 * 10**9)], 1)

sys.late = Late()
threading.Thread(target=run, args=(200,), daemon=True).start()
while not _core.under_way():
    time.sleep(0.001)
"""
"""A run deep in the stack of a thread that the interpreter's end takes away, and somebody who looks after that."""


@pytest.mark.parametrize("model", ["native-serial", "native-pthreads", "native-epoll"])
def test_a_run_that_the_end_of_the_interpreter_cuts_off_can_still_be_looked_at(model: str) -> None:
    assert subprocess.run([sys.executable, "-c", CUT_OFF, model]).returncode == 1


def test_system_calls_that_wait_have_names() -> None:
    with open("/proc/self/syscall") as file:
        reading = int(file.read().split()[0])
    assert _core.system_call(reading) == "read"
    assert _core.system_call(-1) is None
    assert _core.system_call(10**6) is None
    with pytest.raises(TypeError):
        _core.system_call("read")  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        _core.system_call(2**64)


# ---- what workers use

CLOCKS = MS // 10
"""A look reads one clock after the other, so that two of them may differ by so much at most."""


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((), TypeError, "argument"),
        (("1",), TypeError, "int"),
        ((1.0,), TypeError, "int"),
        ((1, 2), TypeError, "argument"),
        ((0,), ValueError, "a ledger is for 1 worker or more, not 0"),
        ((-3,), ValueError, "not -3"),
        ((2**31,), OverflowError, "int"),
    ],
)
def test_bad_arguments_of_a_ledger(args: tuple[int], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        _core.Ledger(*args)


def test_bad_arguments_of_a_ledgers_methods() -> None:
    ledger = _core.Ledger(workers=2)
    with pytest.raises(TypeError, match="at most one flag"):
        ledger.look(True, True)  # type: ignore[call-arg]
    with pytest.raises(KeyError, match="neither"):
        ledger.look(Undecided())  # type: ignore[arg-type]
    for wrong in ((), (1,), (1, 2, 3), ("1", 2), (1, 2.0)):
        with pytest.raises(TypeError, match=r"argument|int"):
            ledger.add(*wrong)
    with pytest.raises(OverflowError):
        ledger.add(2**63, 0)
    for method in (ledger.begin, ledger.tally, ledger.entries):
        with pytest.raises(TypeError, match="no arguments"):
            method(1)  # type: ignore[call-arg]
    assert (ledger.entries(), ledger.tally()) == ([], (0, 0))


@pytest.mark.parametrize("size", [0, 1, 4096, 2**16])
def test_a_file_that_is_no_ledgers_is_refused_and_left_to_the_caller(size: int) -> None:
    descriptor = os.memfd_create("no ledger")
    os.ftruncate(descriptor, size)
    with pytest.raises(OSError, match="the ledger: Invalid argument"):
        _core.Ledger.attach(descriptor)
    assert os.fstat(descriptor).st_size == size
    os.close(descriptor)


def test_a_ledger_has_an_entry_from_the_first_look_to_the_last() -> None:
    ledger = _core.Ledger(3)
    before = time.monotonic_ns()
    ledger.look()
    between = time.monotonic_ns()
    (entry,) = ledger.entries()
    assert entry[:2] == (os.getpid(), threading.get_native_id())
    assert before <= entry[2] == entry[3] <= between
    assert entry[4:] == (0,) * 8
    while time.monotonic_ns() - between < 30 * MS:
        pass
    time.sleep(0.001)
    ledger.look(True)
    after = time.monotonic_ns()
    process, thread, first, last, cpu, user, system, queue, gil, gil_waits, voluntary, involuntary = ledger.entries()[0]
    assert (process, thread, first) == entry[:3]
    assert between < last <= after
    assert 0 < cpu <= last - first + CLOCKS
    assert cpu + queue <= last - first + CLOCKS
    assert user + system <= last - first + 20 * MS, "ticks"
    assert (gil, gil_waits) == (0, 0), "nobody watches"
    assert voluntary >= 1, "it has slept"
    assert min(user, system, queue, involuntary) >= 0


def test_looks_that_follow_at_once_are_skipped_unless_they_insist() -> None:
    ledger = _core.Ledger(1)

    def looked_again(*now: bool) -> bool:
        ledger.look(True)
        (before,) = ledger.entries()
        ledger.look(*now)
        (after,) = ledger.entries()
        return after[3] > before[3]

    assert all(looked_again(True) for _ in range(100))
    # All but those between which the thread was off its processor for a tenth of a millisecond.
    assert not all(looked_again() for _ in range(100))
    assert not all(looked_again(False) for _ in range(100))
    ledger.look(True)
    time.sleep(0.001)
    before = ledger.entries()[0][3]
    ledger.look()
    assert ledger.entries()[0][3] > before


def test_looks_of_workers_beyond_the_room_are_lost() -> None:
    ledger = _core.Ledger(2)
    for _ in range(4):
        with in_a_thread(ledger.look) as result:
            pass
        assert result == [None]
    for _ in range(2):
        ledger.look(True)
    entries = ledger.entries()
    assert len(entries) == 2
    assert len({entry[1] for entry in entries} | {threading.get_native_id()}) == 3


def test_other_threads_are_workers_from_their_start_and_the_one_that_opened_it_from_its_first_look() -> None:
    ledger = _core.Ledger(2)

    def work() -> None:
        until = time.thread_time_ns() + 20 * MS
        while time.thread_time_ns() < until:
            pass
        ledger.look()

    work()
    with in_a_thread(work):
        pass
    own, other = ledger.entries()
    assert own[4] == 0
    assert other[4] >= 20 * MS
    assert other[2] == other[3]


def test_what_was_used_before_the_work_began_does_not_count() -> None:
    ledger = _core.Ledger(3)

    def work(looks: bool) -> None:
        if looks:
            ledger.look()
        until = time.thread_time_ns() + 20 * MS
        while time.thread_time_ns() < until:
            pass
        ledger.begin()
        ledger.look()

    for looks in (False, True):
        with in_a_thread(partial(work, looks)):
            pass
    work(True)
    entries = ledger.entries()
    assert len(entries) == 3
    for entry in entries:
        assert entry[4] < 10 * MS
    ledger.begin()
    assert ledger.entries()[2][2] > entries[2][3]


def test_to_begin_when_there_is_no_room_is_lost_as_well() -> None:
    ledger = _core.Ledger(1)
    with in_a_thread(ledger.look):
        pass
    before = ledger.entries()
    ledger.begin()
    ledger.begin()
    assert ledger.entries() == before


def test_forked_children_write_to_the_ledger_of_their_parent() -> None:
    ledger = _core.Ledger(4)
    ledger.look()
    ledger.add(5, 50)
    pid = os.fork()
    if pid == 0:
        try:
            ledger.look()
            until = time.thread_time_ns() + 20 * MS
            while time.thread_time_ns() < until:
                pass
            ledger.look(True)
            ledger.add(7, 70)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    own, child = ledger.entries()
    assert (own[0], child[0], child[1]) == (os.getpid(), pid, pid)
    assert child[4] >= 20 * MS
    assert child[4] <= child[3] - child[2] + CLOCKS, "what its parent had used is not its own"
    assert ledger.tally() == (12, 120)


def test_a_child_forked_from_a_child_has_an_entry_of_its_own() -> None:
    ledger = _core.Ledger(4)
    pid = os.fork()
    if pid == 0:
        try:
            ledger.look()
            grandchild = os.fork()
            ledger.look(True)
            if grandchild:
                os.waitpid(grandchild, 0)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert len({entry[0] for entry in ledger.entries()} | {os.getpid()}) == 3


def test_ledgers_know_nothing_of_one_another() -> None:
    one, other = _core.Ledger(1), _core.Ledger(1)
    one.look()
    other.add(1, 2)
    assert (len(one.entries()), one.tally()) == (1, (0, 0))
    assert (len(other.entries()), other.tally()) == (0, (1, 2))


@pytest.mark.parametrize(
    ("model", "entries"), [("native-serial", 1), ("native-pthreads", 3), ("native-fork", 3), ("native-epoll", 1)]
)
def test_native_workers_enter_what_they_use(model: str, entries: int) -> None:
    ledger = _core.Ledger(3)
    tasks: Tasks = [("", 10 * MS)] * 6
    records = list(_core.run(model, "wait", tasks, 3, ledger))
    found = ledger.entries()
    assert len(found) == entries
    assert {entry[:2] for entry in found} >= {(record[6], record[5]) for record in records}
    assert min(entry[2] for entry in found) <= min(record[8] for record in records)
    assert max(entry[3] for entry in found) >= max(record[10] for record in records)
    for entry in found:
        assert 0 < entry[4] <= entry[3] - entry[2] + CLOCKS
        assert entry[8:10] == (0, 0), "it never meets the GIL"
    assert sum(entry[10] for entry in found) >= (2 if model == "native-epoll" else 6), "each wait is a switch"


def test_the_workers_of_an_interrupted_run_stay_in_the_ledger() -> None:
    ledger = _core.Ledger(2)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            _core.run("native-pthreads", "wait", [LONG] * 2, 2, ledger)
    finally:
        signal.signal(signal.SIGALRM, before)
    entries = ledger.entries()
    assert len(entries) == 2
    assert all(20 * MS < entry[3] - entry[2] < SECOND * 60 for entry in entries)


def test_the_worker_that_is_killed_is_in_the_ledger_as_it_was_when_it_began() -> None:
    ledger = _core.Ledger(1)

    def kill() -> None:
        until(lambda: [pid for pid in children(os.getpid()) if asleep(pid)])
        for pid in children(os.getpid()):
            os.kill(pid, signal.SIGKILL)

    with in_a_thread(kill):
        records = _core.run("native-fork", "wait", [LONG], 1, ledger)
    assert records[0][0] == "killed"
    (entry,) = ledger.entries()
    assert entry[0] != os.getpid()
    assert entry[2] == entry[3]


def test_reading_keeps_a_descriptor_until_the_thread_rests_or_ends() -> None:
    _core.rest()
    ledger = _core.Ledger(2)
    before = holdings()
    with in_a_thread(lambda: ledger.look(True)):
        pass
    until(lambda: left_since(before) == "")  # that of a thread goes with it
    ledger.look(True)
    more = holdings().descriptors - before.descriptors
    assert [Path(target).name for _, target in more] == ["schedstat"]
    assert not os.get_inheritable(next(iter(more))[0])
    _core.rest()
    assert left_since(before) == ""
    _core.rest()
    ledger.look(True)
    assert holdings().descriptors - before.descriptors == more, "it is opened again"
    _core.rest()


def test_watching_the_gil_takes_one_argument_and_its_truth() -> None:
    with pytest.raises(TypeError, match="argument"):
        _core.watch_gil()  # type: ignore[call-arg]
    with pytest.raises(KeyError, match="neither"):
        _core.watch_gil(Undecided())  # type: ignore[arg-type]
    assert _core.watch_gil(0) is False  # type: ignore[arg-type]


# ---- many modules, many interpreters


def another_core() -> ModuleType:
    """A second module object of the same extension."""
    assert _core.__file__
    loader = importlib.machinery.ExtensionFileLoader("lanes._core", _core.__file__)
    spec = importlib.util.spec_from_file_location("lanes._core", _core.__file__, loader=loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_modules_share_nothing_and_are_freed() -> None:
    import gc

    gone = []
    for _ in range(50):
        module = another_core()
        assert module.Worker is not _core.Worker
        assert isinstance(module.run("native-serial", "wait", [("", 0)], 1), module.Records)
        with pytest.raises(TypeError):
            _core.Worker.run(module.Worker("wait"), ("", 0), True)
        gone.append(weakref.ref(module))
        gone.append(weakref.ref(module.Worker))
    del module
    gc.collect()
    assert [each() for each in gone] == [None] * 100


def test_a_worker_outlives_its_module() -> None:
    import gc

    worker: _core.Worker = another_core().Worker("compute")
    records: _core.Records = another_core().run("native-serial", "compute", [("squares", 0, 4)], 1)
    gc.collect()
    assert worker.run(("squares", 0, 4), True)[3] == records[0][3] == (14,)


INTERPRETERS = """
import sys
try:
    import _interpreters as interpreters  # 3.13 and later
except ImportError:
    import _xxsubinterpreters as interpreters
import threading
from lanes import _core

INSIDE = '''
from lanes import _core
tasks = [("primes", 1000000, 1010000)] * 8
for model in ("native-serial", "native-pthreads", "native-epoll"):
    for _ in range(3):
        assert [record[3] for record in _core.run(model, "compute", tasks, 2)] == [(753,)] * 8
with _core.Worker("download") as worker:
    assert worker.run(("http://", 10**9, 10**9), True)[0] == "failed"
try:
    _core.run("native-fork", "wait", [("", 0)], 1)
except RuntimeError as error:
    assert "main interpreter only" in str(error)
else:
    raise AssertionError("it has forked")
'''

def live():
    for _ in range(3):
        interpreter = interpreters.create()  # with a GIL of its own from 3.12 on
        failure = interpreters.run_string(interpreter, INSIDE)  # 3.12 and earlier raise it
        if failure is not None:
            failures.append(failure)
        interpreters.destroy(interpreter)

failures = []
threads = [threading.Thread(target=live) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failures, failures
print([record[0] for record in _core.run("native-fork", "wait", [("", 0)] * 2, 2)])
"""


def test_sub_interpreters() -> None:
    # In a process of its own: what goes wrong with interpreters takes the process with it.
    assert script(INTERPRETERS) == "['ok', 'ok']\n"


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has a GIL in any case")
def test_the_import_leaves_the_gil_off() -> None:
    assert script("import sys, lanes._core; print(sys._is_gil_enabled())") == "False\n"
