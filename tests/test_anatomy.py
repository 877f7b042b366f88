"""The anatomy of models at work: known processes, threads, memory and descriptors are found as what they are."""

from __future__ import annotations

import io
import json
import mmap
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import lanes
from lanes import cli, models, names, proc, sample
from lanes.anatomy import (
    AREAS,
    Anatomy,
    Area,
    Kernel,
    Look,
    Process,
    SinceFork,
    Thread,
    Watch,
    _chosen,
    _Moment,
    area_of,
    kernel,
    processes_of,
    repeated,
    since_fork,
    stacks_of,
)
from lanes.report import anatomy as report
from lanes.report.files import dumped
from lanes.types import Outcome, Receiving, Sharing
from processes import until
from support import make_run
from test_sample import trick

MODULE = sys.modules["lanes.anatomy"]  # under its own name the package has the function
PAGE = mmap.PAGESIZE
MIB = 2**20


@contextmanager
def subject(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs this up to its `wait()`, and on after the next line of its standard input."""
    head = f"import sys; sys.path[:] = {sys.path!r}\ndef wait():\n    print('ready', flush=True); input()\n"
    with subprocess.Popen(
        [sys.executable, "-c", head + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def go_on(process: subprocess.Popen[str]) -> None:
    """Up to its next `wait()`."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"


def looked_at(pid: int) -> tuple[Process, ...]:
    """What is there, once nobody comes or goes."""
    while not (found := processes_of(pid)):
        time.sleep(0.01)
    return found


# ---- threads


def test_threads_are_found_with_their_names_and_what_they_wait_for() -> None:
    code = """
import threading, time
from lanes import _core
def main(n):
    _core.name_thread(f"known/{n}")
    started.release()
    time.sleep(3600)
started = threading.Semaphore(0)
for n in range(5):
    threading.Thread(target=main, args=(n,), daemon=True).start()
    started.acquire()
wait()
"""
    with subject(code) as process:
        [found] = looked_at(process.pid)
    assert [thread.name for thread in found.threads[1:]] == [f"known/{n}" for n in range(5)]
    assert found.threads[0].thread_id == found.process_id == process.pid
    assert found.parent_id == os.getpid()
    for thread in found.threads[1:]:
        assert thread.state == "sleeping"
        assert thread.wchan is None or report.waits_for(thread.wchan) == "a timer"
        assert thread.cpu_user_s + thread.cpu_system_s < 0.5
        assert thread.voluntary >= 1
        assert thread.stack_bytes is None or 0 < thread.stack_bytes < MIB
    assert len({thread.thread_id for thread in found.threads}) == 6


def test_who_computes_is_runnable_and_has_used_its_processor() -> None:
    with subject("wait()\nprint('ready', flush=True)\nwhile True: pass") as process:
        go_on(process)
        until(lambda: looked_at(process.pid)[0].threads[0].cpu_user_s > 0.05)
        [found] = looked_at(process.pid)
    [thread] = found.threads
    assert thread.state == "runnable"
    assert thread.cpu in range(os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("wchan", "words"),
    [
        ("futex_do_wait", "a lock"),
        ("futex_wait_queue_me", "a lock"),
        ("hrtimer_nanosleep", "a timer"),
        ("do_epoll_wait", "epoll"),
        ("ep_poll", "epoll"),
        ("poll_schedule_timeout.constprop.0", "poll"),
        ("anon_pipe_read", "a pipe"),
        ("do_wait", "a child"),
        ("unix_stream_read_generic", "a socket"),
        ("something_else.isra.0", "something_else"),
    ],
)
def test_what_a_thread_waits_for_is_said_in_words(wchan: str, words: str) -> None:
    assert report.waits_for(wchan) == words


# ---- memory


@pytest.mark.parametrize(
    ("how", "area", "kind"),
    [
        ("mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)", "data and heap", "private_dirty"),
        ("mmap.mmap(-1, 4 << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)", "shared memory", "private_dirty"),
        ("mmap.mmap(memory, 4 << 20, flags=mmap.MAP_SHARED)", "shared memory", "private_dirty"),
        ("mmap.mmap(memory, 4 << 20, flags=mmap.MAP_PRIVATE, prot=READ)", "read-only data", "private_dirty"),
        ("mmap.mmap(memory, 4 << 20, flags=mmap.MAP_PRIVATE, prot=READ | mmap.PROT_EXEC)", "code", "private_dirty"),
        ("bytearray(4 << 20)", "data and heap", "private_dirty"),
    ],
)
def test_memory_of_a_known_size_and_kind_is_found_in_its_area(how: str, area: str, kind: str) -> None:
    code = f"""
import mmap, os
READ = mmap.PROT_READ
memory = os.memfd_create("known")
os.write(memory, b"x" * (4 << 20))
wait()
held = {how}
for at in range(0, 4 << 20, mmap.PAGESIZE):
    try:
        held[at] = 1
    except TypeError:  # it may only be read
        held[at]
wait()
"""
    with subject(code) as process:
        [before] = looked_at(process.pid)
        go_on(process)
        [after] = looked_at(process.pid)
    grown = {name: after.areas[name].resident - before.areas[name].resident for name in AREAS}
    assert 3.9 * MIB <= grown.pop(area) <= 4.5 * MIB, "Python may give back or take a few pages of its own"
    assert all(abs(size) < MIB / 2 for size in grown.values()), grown
    assert getattr(after.areas[area], kind) - getattr(before.areas[area], kind) >= 4 * MIB - MIB / 2
    assert after.pss_bytes - before.pss_bytes == pytest.approx(4 * MIB, abs=MIB / 2)


def test_the_areas_add_up_to_the_kernels_own_totals() -> None:
    with subject("import threading; threading.Thread(target=wait).start()") as process:
        os.kill(process.pid, signal.SIGSTOP)  # nothing of it moves between the two files
        until(lambda: {each.state for each in looked_at(process.pid)[0].threads} == {"stopped"})
        [found] = looked_at(process.pid)
        smaps, rollup, status = (
            Path(f"/proc/{process.pid}/{f}").read_text() for f in ("smaps", "smaps_rollup", "status")
        )
    every = found.areas.values()
    for field, line in (
        ("resident", "Rss"),
        ("shared_clean", "Shared_Clean"),
        ("shared_dirty", "Shared_Dirty"),
        ("private_clean", "Private_Clean"),
        ("private_dirty", "Private_Dirty"),
        ("swap", "Swap"),
    ):
        total = int(proc.fields(rollup)[line].split()[0]) * 1024
        assert sum(getattr(area, field) for area in every) == total, field
    assert found.mappings == smaps.count("\nSize:")
    assert sum(area.size for area in every) == sum(each.size for each in proc.mappings(smaps))
    assert found.resident_bytes == sum(area.resident for area in every)
    assert found.resident_bytes == sum(area.shared + area.private for area in every)
    # Of each mapping the kernel rounds the shares of its pages down to a whole KiB.
    assert 0 <= found.pss_bytes - sum(area.pss for area in every) < 1024 * found.mappings
    assert found.page_tables_bytes == int(proc.fields(status)["VmPTE"].split()[0]) * 1024 > 0
    assert found.descriptor_slots == int(proc.fields(status)["FDSize"])


def mapping(start: int, end: int, flags: str = "rw-p", name: str = "") -> proc.Mapping:
    return proc.Mapping(start, end, flags, name, end - start, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("flags", "name", "area"),
    [
        ("r-xp", "/usr/lib/libc.so", "code"),
        ("r-xp", "", "code"),
        ("r--p", "/usr/lib/libc.so", "read-only data"),
        ("rw-p", "/usr/lib/libc.so", "data and heap"),
        ("rw-p", "[heap]", "data and heap"),
        ("rw-p", "", "data and heap"),
        ("rw-p", "[anon:arena]", "data and heap"),
        ("rw-p", "[stack]", "stacks"),
        ("rw-s", "/memfd:lanes-ledger (deleted)", "shared memory"),
        ("r--s", "/usr/lib/gconv-modules.cache", "shared memory"),
        ("---p", "", "reserved"),
        ("r-xp", "[vdso]", "kernel's"),
        ("--xp", "[vsyscall]", "kernel's"),
    ],
)
def test_every_mapping_has_one_area(flags: str, name: str, area: str) -> None:
    assert area_of(mapping(0, PAGE, flags, name), []) == area


def test_stacks_are_where_stack_pointers_are() -> None:
    guard, stack, heap, main = (
        mapping(0x1000, 0x2000, "---p"),
        mapping(0x2000, 0xA000),
        mapping(0xA000, 0xF000),
        mapping(0x20000, 0x30000, name="[stack]"),
    )
    every = [guard, stack, heap, main]
    told = {1: "230 0x1 0x1 0x0 0x0 0x0 0x0 0x2f000 0x7f", 2: "202 0x1 0x1 0x0 0x0 0x0 0x0 0x9000 0x7f"}
    assert stacks_of(told, every) == {1: main, 2: stack}
    assert stacks_of({**told, 2: "running"}, every) == {1: main, 2: stack}, "the only one that is left"
    unknown = stacks_of({1: "running", 2: None}, every)
    assert set(unknown.values()) == {main, stack}
    assert all(thread < 0 for thread in unknown), "nobody knows whose they are"
    assert stacks_of({1: "-1 0x2f000 0x7f"}, [main]) == {1: main}


def test_the_heap_above_an_arena_is_no_stack() -> None:
    tail, arena = mapping(0x1000, 0x1000 + (64 << 20), "---p"), mapping(0x1000 + (64 << 20), 0x1000 + (65 << 20))
    assert stacks_of({1: "running"}, [tail, arena]) == {}


# ---- what was copied


def test_pages_that_a_forked_child_touches_are_copied_and_its_own() -> None:
    filled, touched, added = 200, 37, 5
    code = f"""
import ctypes, mmap, os, signal, sys
PAGE = mmap.PAGESIZE
area = mmap.mmap(-1, {filled + added} * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for n in range({filled}):
    area[n * PAGE] = 1
at = ctypes.addressof(ctypes.c_char.from_buffer(area))
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    for n in (*range({touched}), *range({filled}, {filled + added})):
        area[n * PAGE] = 2
    os.write(writing, b"x")
    signal.pause()
os.read(reading, 1)
print(at, flush=True)
wait()
"""
    with subject("print('ready', flush=True)\n" + code) as process:
        assert process.stdout is not None
        at = int(process.stdout.readline())
        assert process.stdout.readline() == "ready\n"
        parent, child = looked_at(process.pid)
        span = [(at, at + (filled + added) * PAGE)]
        found = since_fork(*(proc.pages(each.process_id, span) for each in (child, parent)))
        os.kill(child.process_id, signal.SIGKILL)
    expected = SinceFork(shared=(filled - touched) * PAGE, copied=touched * PAGE, new=added * PAGE)
    assert found == expected
    assert (parent.forked, child.forked) == (False, True)
    assert parent.since_fork is None
    assert child.since_fork is not None
    assert child.since_fork.shared >= (filled - touched) * PAGE
    assert child.since_fork.copied >= touched * PAGE
    assert child.since_fork.new >= added * PAGE
    # The kernel's other file says the same: what is private and dirty was copied, or is new.
    own = child.areas["data and heap"].private_dirty + child.areas["stacks"].private_dirty
    assert child.since_fork.copied + child.since_fork.new == pytest.approx(own, abs=32 * PAGE)


def test_a_program_of_its_own_is_no_copy() -> None:
    code = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"], stdin=-1, stdout=-1)
child.stdout.readline()
wait()
"""
    with subject(code) as process:
        parent, child = looked_at(process.pid)
        os.kill(child.process_id, signal.SIGKILL)
    assert child.parent_id == parent.process_id
    assert (child.forked, child.since_fork) == (False, None)
    assert child.command.endswith("-c print('up', flush=True); input()")


# ---- descriptors, and who ends meanwhile


def test_descriptors_are_counted_by_kind() -> None:
    code = """
import os, select, socket
kept = [socket.socketpair(), select.epoll(), os.eventfd(0), os.memfd_create("known"), os.pipe(), open(os.devnull)]
wait()
"""
    with subject(code) as process:
        [found] = looked_at(process.pid)
    kinds = [each.kind for each in found.descriptors if each.number > 2]
    assert sorted(kinds) == ["device", "epoll", "eventfd", "memfd", "pipe", "pipe", "socket", "socket"]


def test_looks_at_processes_that_come_and_go_are_no_looks_and_do_no_harm() -> None:
    code = """
import os, threading
print("ready", flush=True)
while True:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
"""
    with subject(code) as process:
        looks = [processes_of(process.pid) for _ in range(100)]
    for look in filter(None, looks):
        assert look[0].process_id == process.pid
        assert all(each.threads for each in look)
    assert processes_of(process.pid) == (), "it is gone"


def test_one_that_has_ended_and_nobody_waited_for_is_there_without_memory() -> None:
    code = "import os, time\nif os.fork() == 0: os._exit(0)\ntime.sleep(0.2)\nwait()"
    with subject(code) as process:
        _, child = looked_at(process.pid)
    assert child.threads[0].state == "ended"
    assert (child.resident_bytes, child.mappings, child.descriptors) == (0, 0, ())


def test_a_thread_that_ends_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    own = Path("/proc/self/task") / str(os.getpid())
    for thread, files in (("5", ("stat", "status", "comm")), ("6", ("comm",))):
        folder = tmp_path / "5/task" / thread
        folder.mkdir(parents=True)
        for file in files:
            (folder / file).write_text((own / file).read_text())
    for file in ("cmdline", "smaps", "smaps_rollup"):
        (tmp_path / "5" / file).write_text("")
    [found] = processes_of(5, tmp_path)
    assert [thread.thread_id for thread in found.threads] == [5]
    (tmp_path / "5/smaps").unlink()
    assert processes_of(5, tmp_path) == (), "the process has ended"


# ---- the kernel's own


def test_what_the_kernel_does_not_tell_is_not_guessed(tmp_path: Path) -> None:
    assert kernel(tmp_path) == Kernel(None, {})
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nKernelStack:        2560 kB\n")
    (tmp_path / "loadavg").write_text("0.1 0.2 0.3 2/160 999\n")
    (tmp_path / "slabinfo").write_text(
        "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize>\n"
        "task_struct 170 170 5888 5 8 : tunables 0 0 0\ntask_struct_other 1 1 1 1\nfilp 1 2 192 4\n"
    )
    assert kernel(tmp_path) == Kernel(16384, {"task_struct": 5888, "filp": 192})


# ---- which look counts


def moment(began_ns: int, ended_ns: int) -> _Moment:
    return _Moment(began_ns, (began_ns + ended_ns) // 2, ended_ns, ())


def test_the_look_that_counts_is_in_the_middle_with_most_in_flight() -> None:
    run = make_run(wall_s=3.0, outcomes=[Outcome("ok")] * 4)  # from second 10; tasks end to end from 10.5 to 12.5
    span = run.spans[0]
    second = 10**9
    long = replace(span, claimed_ns=span.claimed_ns, started_ns=11 * second, finished_ns=11 * second + second // 5)
    run = replace(run, spans=(*run.spans, long))
    at = [moment(int(t * second), int(t * second) + 1000) for t in (10.6, 10.95, 11.1, 11.15, 11.52, 12.1)]
    assert _chosen(at, run) == at[3], "two in flight, and nearer to the middle than the one before"
    assert _chosen(at[4:], run) == at[4], "the last is not in the middle half"
    assert _chosen([at[0], at[5]], run) is None
    begun_too_early = moment(int(10.9 * second), int(11.2 * second))
    assert _chosen([begun_too_early], run) is None


def test_looks_are_spread_over_all_of_it_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**12, 10**6))
    monkeypatch.setattr(MODULE, "_moment", lambda pid, root: moment(now := next(clock), now + 500))
    watch = Watch()
    pauses = []
    for _ in range(100):
        watch.look(1)
        pauses.append(watch.pause_s)
        assert len(watch._moments) < 16
    assert pauses[0] == pytest.approx(0.01)
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 8 * pauses[0]


def test_a_look_that_takes_long_is_followed_by_a_long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "_moment", lambda pid, root: moment(0, 10**9))
    watch = Watch()
    watch.look(1)
    assert watch.pause_s == 2.0


def test_tasks_are_repeated_with_new_numbers_and_all_else_stays() -> None:
    work = lanes.wait(tasks=3, duration="1ms,2ms,3ms")
    twice = pickle.loads(pickle.dumps(repeated(work, 2)))
    assert [task.index for task in twice.tasks] == list(range(6))
    assert [task.args for task in twice.tasks] == [task.args for task in work.tasks] * 2
    assert (twice.name, twice.compiled, twice.default_workers) == (work.name, work.compiled, work.default_workers)
    assert repeated(work, 1) is work
    assert not isinstance(twice, Sharing)
    with twice.serve() as served:
        assert len(served.tasks) in (3, 6)
    for model in ("threading", "multiprocessing", "native-fork", "asyncio"):
        assert len(sample.take(twice, model, None if "native" in model else "python", 2).outcomes) == 6


@pytest.mark.parametrize("model", ["threading", "multiprocessing", "multiprocessing[spawn]", "native-fork"])
def test_what_workers_share_they_share_in_repeated_tasks_as_well(model: str) -> None:
    work = lanes.counter(tasks=2, updates=100, step="locked")
    twice = repeated(work, 2)
    assert isinstance(twice, Sharing)
    expected = sample.take(work, "serial", "python", 1)
    run = sample.take(twice, model, None if "native" in model else "python", 2)
    assert run.outcomes == expected.outcomes * 2
    assert run.figures == {}, "which would be those of another number of tasks"


@pytest.mark.parametrize("via", ["argument", "pipe"])
def test_what_repeated_tasks_send_home_is_looked_at_there(via: str) -> None:
    work = lanes.exchange(tasks=2, payload="64KiB", via=via)
    twice = repeated(work, 2)
    run = sample.take(twice, "multiprocessing", "python", 2)
    assert run.outcomes == sample.take(work, "serial", "python", 1).outcomes * 2
    assert isinstance(twice, Receiving)
    assert twice.most_tasks == (2**15 if via == "argument" else None)


# ---- models at work


@pytest.mark.parametrize("model", [*models.names(), *models.variants()])
def test_every_model_is_looked_at_while_it_works(model: str) -> None:
    workers = 1 if model.endswith("serial") else 3
    [look] = lanes.anatomy(lanes.wait(tasks=12, duration="100ms"), models=model, workers=workers)
    assert look.error is None
    assert 0 < look.at_s < look.work_s
    assert look.workers == workers
    assert 1 <= look.in_flight <= workers
    threads = [(process, thread) for process in look.processes for thread in process.threads]
    busy = [(process, thread) for process, thread in threads if thread.tasks]
    assert sum(len(thread.tasks) for _, thread in busy) == look.in_flight
    column = models.load(model)
    if column.start_method:
        assert all(process is not look.processes[0] for process, _ in busy)
        assert all(process.forked is (column.start_method != "spawn") for process, _ in busy)
        assert all((process.since_fork is not None) is process.forked for process, _ in busy)
    else:
        assert all(process is look.processes[0] for process, _ in busy)
    if column.start_method or "threads" in model:
        assert {thread.name for _, thread in busy} <= {names.in_kernel(names.of(model, n)) for n in range(workers)}
    assert look.pss_bytes > MIB


def test_work_that_is_over_at_once_is_repeated_until_it_lasts() -> None:
    [look] = lanes.anatomy(lanes.wait(tasks=2, duration="500us"), models="native-pthreads", workers=2)
    assert look.error is None
    assert look.repeats > 1
    assert look.tasks == 2 * look.repeats
    assert look.in_flight >= 1


def test_work_that_cannot_be_made_to_last_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    result = lanes.anatomy(lanes.wait(tasks=2, duration=0), models="native-serial")
    assert result["native-serial"].error is not None
    assert result["native-serial"].error.startswith("all was over within ")
    assert not result.ok
    assert "too soon to be looked at: give longer tasks" in str(result)


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_functions_of_ones_own_are_looked_at_on_several_models() -> None:
    result = lanes.anatomy(nap, [0.2] * 6, models="threading,multiprocessing,asyncio", workers=2)
    assert [look.name for look in result] == ["threading/python", "multiprocessing/python", "asyncio/python"]
    assert result.ok
    assert [len(look.processes) for look in result] == [1, 3, 1]
    assert len(result) == 3


def test_what_goes_wrong_is_an_error_of_its_look_and_the_others_go_on() -> None:
    code = "import multiprocessing, os, time; time.sleep(0.1); multiprocessing.parent_process() and os._exit(7)"
    result = lanes.anatomy(trick(code), models="serial,multiprocessing", bodies="python")
    assert result["serial"].error is None
    assert "ended with status 7" in (result["multiprocessing"].error or "")
    assert list(report.problems(result)) == [f"multiprocessing/python: {result['multiprocessing'].error}"]


def test_cells_without_sense_are_told_with_their_reason() -> None:
    result = lanes.anatomy(lanes.wait(tasks=4), models="asyncio,threading", bodies="released")
    look = result["asyncio", "released"]
    assert (look.processes, look.error) == ((), None)
    assert result.ok
    assert f"asyncio/released makes no sense: {look.reason}" in str(result)


@pytest.mark.parametrize(
    ("choices", "refusal"),
    [
        ({"models": "nonsense"}, "unknown model 'nonsense'"),
        ({"bodies": "nonsense"}, "unknown body 'nonsense'"),
        ({"workers": 0}, "workers"),
        ({"deadline": "0s"}, "deadline must be longer than nothing"),
        ({"items": [1]}, "items are for functions"),
    ],
)
def test_bad_input_is_refused(choices: dict[str, object], refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        lanes.anatomy(lanes.wait(tasks=1), **choices)  # type: ignore[arg-type]


def test_it_is_the_function_of_the_package() -> None:
    assert lanes.anatomy is MODULE.anatomy


# ---- drawn, and as JSON


def thread(number: int, name: str, state: str = "runnable", tasks: tuple[int, ...] = ()) -> Thread:
    wchan = "futex_do_wait" if state == "sleeping" else None
    return Thread(number, name, state, wchan, 1, 12.34, 0.5, 0.25, 12_345, 67_890, 4096, tasks)


def process(number: int, parent: int, name: str, forked: bool, *threads: Thread) -> Process:
    empty = {area: Area(*[0] * 9) for area in AREAS}
    areas = {**empty, "code": Area(3, 9 * MIB, 8 * MIB, MIB, 6 * MIB, MIB, MIB // 2, MIB // 2, 0)}
    return Process(
        process_id=number,
        parent_id=parent,
        name=name,
        command="" if parent == 1 else "/usr/bin/python -B -c from multiprocessing.spawn import spawn_main; spawn(4)",
        forked=forked,
        threads=threads or (thread(number, name, tasks=(number,)),),
        areas=areas,
        resident_bytes=8 * MIB,
        pss_bytes=MIB,
        since_fork=SinceFork(2 * MIB, MIB, MIB // 2) if forked else None,
        descriptors=(proc.Descriptor(0, "pipe", "pipe:[1]"), proc.Descriptor(1, "pipe", "pipe:[2]")),
        page_tables_bytes=64 << 10,
        descriptor_slots=64,
    )


KERNEL = Kernel(16384, {"task_struct": 5888, "mm_struct": 1024, "vm_area_struct": 192})
LOOK = Look(
    model="multiprocessing-pool[forkserver]",
    body="released",
    workers=3,
    tasks=48,
    repeats=3,
    at_s=0.5,
    work_s=1.0,
    took_s=0.01,
    in_flight=3,
    processes=(
        process(4_000_001, 1, "mp-pool:server", False, *(thread(n, f"a-long-name/{n}", "sleeping") for n in range(12))),
        process(4_000_002, 4_000_001, "python", False),
        *(process(4_000_003 + n, 4_000_002, f"mp-pool:serv/{n}", True) for n in range(4)),
    ),
    kernel=KERNEL,
)


def drawn(*looks: Look, terminal: bool = False) -> list[str]:
    shown = io.StringIO()
    result = Anatomy(lanes.wait(tasks=16), 7, {}, looks)
    report.show(result, Console(file=shown, width=80, force_terminal=terminal, no_color=True))
    return shown.getvalue().splitlines()


def test_a_tree_fits_80_columns_and_has_no_blanks_at_the_ends() -> None:
    lines = drawn(LOOK)
    assert max(map(len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)
    assert lines[0] == "wait: 16 tasks, duration 50 ms"
    text = " ".join(lines)
    assert "3 workers, 3 of 48 tasks in flight 0.50 s" in text
    assert "each done 3 times; 6 processes, 17 threads, 6 MiB in all" in text


def test_a_tree_shows_who_started_whom_and_what_is_alike_in_a_line_each() -> None:
    lines = drawn(LOOK)
    found = [line.strip("│├└─ ") for line in lines]
    assert "process 4000001 mp-pool:server" in found
    assert "process 4000002 python, runs multiprocessing.spawn" in found
    assert "process 4000003 mp-pool:serv/0, a copy of its parent" in found
    assert not any("process 4000004" in line for line in found)
    assert any(
        line.split() == ["4000004", "mp-pool:serv/1", "runnable", "1", "12.84", "4000004", "1.00", "1.00"]
        for line in found
    )
    assert "and 4 more: 4 awaits a lock; 0 at a task" in found
    assert "since fork: 2.00 MiB still shared, 1.00 copied, 0.50 new" in found
    assert "descriptors: 2 pipes" in found
    assert any(line.split() == ["code", "8.00", "7.00", "1.00", "1.50", "1.00"] for line in found)
    assert any(line.startswith("kernel: 64 KiB of page tables, 12 stacks of 16 KiB, 12 task_structs") for line in found)


def test_what_the_kernel_did_not_tell_is_not_drawn() -> None:
    text = " ".join(drawn(replace(LOOK, kernel=Kernel())))
    assert "task_struct" not in text
    assert "stacks of" not in text
    assert "3 mappings, room for 64 descriptors" in text


def test_as_json_it_has_all_that_was_seen() -> None:
    result = Anatomy(lanes.wait(tasks=16), 7, {"gil": True}, (LOOK, Look("serial", "held", 1, error="e")))
    found = json.loads(dumped(report.document(result)))
    assert (found["schema"], found["seed"], found["machine"]) == (1, 7, {"gil": True})
    assert (found["workload"]["name"], found["workload"]["tasks"]) == ("wait", 16)
    look, nothing = found["anatomy"]
    processes = look.pop("processes")
    assert look == {
        "model": "multiprocessing-pool[forkserver]",
        "body": "released",
        "workers": 3,
        "tasks": 48,
        "repeats": 3,
        "at_s": 0.5,
        "work_s": 1.0,
        "took_s": 0.01,
        "in_flight": 3,
        "reason": None,
        "error": None,
        "pss_bytes": 6 * MIB,
        "kernel": {"stack_bytes": 16384, "structures": dict(KERNEL.structures)},
    }
    assert (nothing["error"], nothing["processes"], nothing["pss_bytes"]) == ("e", [], None)
    worker = processes[2]
    areas = worker.pop("areas")
    assert list(areas) == list(AREAS)
    assert areas["code"] == {
        "mappings": 3,
        "size_bytes": 9 * MIB,
        "resident_bytes": 8 * MIB,
        "pss_bytes": MIB,
        "shared_clean_bytes": 6 * MIB,
        "shared_dirty_bytes": MIB,
        "private_clean_bytes": MIB // 2,
        "private_dirty_bytes": MIB // 2,
        "swap_bytes": 0,
    }
    assert worker == {
        "process_id": 4_000_003,
        "parent_id": 4_000_002,
        "name": "mp-pool:serv/0",
        "command": "/usr/bin/python -B -c from multiprocessing.spawn import spawn_main; spawn(4)",
        "forked": True,
        "threads": [
            {
                "thread_id": 4_000_003,
                "name": "mp-pool:serv/0",
                "state": "runnable",
                "wchan": None,
                "cpu": 1,
                "cpu_user_s": 12.34,
                "cpu_system_s": 0.5,
                "run_queue_s": 0.25,
                "voluntary": 12_345,
                "involuntary": 67_890,
                "stack_bytes": 4096,
                "tasks": [4_000_003],
            }
        ],
        "resident_bytes": 8 * MIB,
        "pss_bytes": MIB,
        "since_fork": {"shared_bytes": 2 * MIB, "copied_bytes": MIB, "new_bytes": MIB // 2},
        "descriptors": [
            {"number": 0, "kind": "pipe", "target": "pipe:[1]"},
            {"number": 1, "kind": "pipe", "target": "pipe:[2]"},
        ],
        "page_tables_bytes": 64 << 10,
        "descriptor_slots": 64,
    }


# ---- the command

WAIT = ["anatomy", "wait", "--tasks", "4", "--duration", "200ms"]


def test_the_command_draws_and_writes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "anatomy.json"
    assert cli.main([*WAIT, "--models", "threading", "--workers", "2", "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "threading/0" in shown
    assert "memory, MiB" in shown
    [look] = json.loads(file.read_text())["anatomy"]
    assert [each["name"] for each in look["processes"][0]["threads"]] == ["threading", "threading/0", "threading/1"]


def test_json_goes_to_standard_output_and_the_tree_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*WAIT, "--models", "native-serial", "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["anatomy"][0]["model"] == "native-serial"
    assert "native-serial" in captured.err


def test_quiet_says_only_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["anatomy", "wait", "--duration", "0", "--models", "native-serial", "--quiet"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("native-serial: all was over within")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["anatomy"], "lanes anatomy needs a workload: choose from"),
        ([*WAIT, "--models", "x"], "unknown model 'x'"),
        ([*WAIT, "--json", "/nowhere/file"], "cannot write /nowhere/file"),
        (["anatomy", "wait", "--rounds", "3"], "unrecognized arguments: --rounds"),
    ],
)
def test_the_command_refuses_bad_input_in_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    [told] = capsys.readouterr().err.splitlines()
    assert line in told
