"""Whatever the engine is used for, and however that ends, it gives back what it took: memory, threads, children and
descriptors. The cases stand in leaks.py. Then the same when the system does not give what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

import leaks
from lanes import _core
from lanes.origin import Origin
from processes import script

CASES = leaks.cases(leaks.Urls("", ""))
RUNS = [runner for runner in leaks.RUNNERS if runner.startswith("native")]


@pytest.fixture(scope="module")
def urls() -> Iterator[leaks.Urls]:
    with Origin() as origin:
        yield leaks.Urls(origin.url(size=3000), origin.url(size=1000, stall=500))


def test_every_entry_point_has_a_case() -> None:
    assert set.union(*(case.covers for case in CASES.values())) == leaks.entry_points()


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_left(case: str, urls: leaks.Urls) -> None:
    shown = subprocess.run(
        [sys.executable, leaks.__file__, case, *urls],
        # A thread's cache of freed memory counts as allocated, and fills up for long.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    left, growth = json.loads(shown.stdout)
    assert left == ""
    for kind, least in leaks.LEAST.items():
        assert growth[kind] < least / 2, growth


# ---- limits

LIMITED = """
import errno, json, os, resource, sys
from processes import flown, holdings, left_since, payload
from lanes import _core

SECOND = 10**9

def attempt(model, workload, tasks, workers):
    "What came of it: the name of the error, or the outcomes."
    model, begun, _ = model.partition(", begun")
    try:
        records = (flown if begun else _core.run)(model, workload, tasks, workers)
    except MemoryError:
        return "ENOMEM"
    except OSError as error:
        assert model in str(error) or "the batch" in str(error), error
        return errno.errorcode[error.errno]
    return sorted({str(record[1] or record[0]) for record in records})

def limited(limit, most, *args):
    before = holdings()
    soft, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (most, hard))
    try:
        answer = attempt(*args)
    finally:
        resource.setrlimit(limit, (soft, hard))
    left = left_since(before)
    assert left == "", left
    return answer
"""

DESCRIPTORS = """
model, workload, text = sys.argv[1:]
times = 10**6 if workload == "wait" else 5 * SECOND, 5 * SECOND
tasks = [payload(text, 9999) if workload == "exchange" else (text, *times)] * 6
attempt(model, workload, tasks, 3)
while (last := os.open("/dev/null", os.O_RDONLY)) < max(fd for fd, _ in holdings().descriptors):
    pass  # no gap is left below the last
answers = [limited(resource.RLIMIT_NOFILE, last + 1 + room, model, workload, tasks, 3) for room in range(40)]
print(json.dumps(answers))
"""


@pytest.mark.parametrize("workload", ["wait", "download", "exchange"])
@pytest.mark.parametrize("model", RUNS)
def test_descriptors_run_out_at_every_step(model: str, workload: str, urls: leaks.Urls) -> None:
    text = {"wait": "", "download": urls.good, "exchange": "file"}[workload]
    answers = json.loads(script(LIMITED + DESCRIPTORS, model, workload, text))
    assert answers[0] == "EMFILE"
    assert answers[-1] == ["ok"]
    # libcurl says that it could not connect when it gets no socket, and that it is out of memory when it gets no
    # descriptor for itself.
    kinds = {"download": {"ConnectError", "DownloadError"}, "exchange": {"ExchangeError"}}
    failures = {"ok", *kinds.get(workload, ())}
    for answer in answers:
        assert answer in ("EMFILE", "ENOMEM") or set(answer) <= failures, answers


PROCESSES = """
if os.getuid() == 0:  # whom the limit does not bind; a user of our own has no other process, either
    os.setgid(54321)
    os.setuid(54321)
    rooms = range(4)
else:
    rooms = range(1)
answers = [limited(resource.RLIMIT_NPROC, 1 + room, sys.argv[1], "wait", [("", 10**6)] * 6, 3) for room in rooms]
print(json.dumps(answers))
"""


@pytest.mark.parametrize("model", RUNS)
def test_threads_and_processes_run_out(model: str) -> None:
    answers = json.loads(script(LIMITED + PROCESSES, model))
    if model.startswith(("native-pthreads", "native-fork")):
        assert answers[:3] == ["EAGAIN"] * len(answers[:3])
        assert answers[3:] in ([], [["ok"]])
    else:
        assert answers == [["ok"]] * len(answers)


MEMORY = """
model = sys.argv[1]
attempt(model, "wait", [("", 0)] * 6, 3)
pages = int(open("/proc/self/statm").read().split()[0])
most = pages * os.sysconf("SC_PAGESIZE") + 2**26
print(json.dumps([
    limited(resource.RLIMIT_AS, most, model, "wait", [("", 0)] * 500_000, 3),
    limited(resource.RLIMIT_AS, most, model, "wait", [("", 0)] * 6, 100),
    limited(resource.RLIMIT_AS, most, model, "wait", [("", 0)] * 6, 1),
]))
"""


@pytest.mark.parametrize("model", _core.MODELS)
def test_memory_runs_out(model: str) -> None:
    # 500,000 tasks take more than 64 MiB; so do the stacks of 100 threads.
    too_many = "EAGAIN" if model == "native-pthreads" else ["ok"]
    assert json.loads(script(LIMITED + MEMORY, model)) == ["ENOMEM", too_many, ["ok"]]
