"""What is there while a model works: processes, threads, memory, descriptors, and what the kernel keeps for each.

All of it is read from the kernel's files in /proc, from outside, while a sample runs that is not timed:

- Threads: task/*/comm, stat, status, schedstat, and wchan, the function of the kernel that a thread sleeps in.
- Memory: smaps, mapping by mapping, of which each belongs to one area; the totals and PSS from smaps_rollup. A stack is
  the mapping that a thread's stack pointer (task/*/syscall) lies in; of threads that run just then the kernel tells no
  pointer, and theirs are known by their shape: above a guard of a page or so without access.
- What was copied since a fork: pagemap, page by page. Of the pages that both a process and its parent have at the same
  place, those that nobody else maps any more were copied, on either side, when one of the two wrote to them.
- Descriptors: fd. Page tables and room for descriptors: VmPTE and FDSize in status. What the kernel's own structures
  take: slabinfo, which only root may read; its stacks: KernelStack in meminfo over all threads of the machine, as it
  tells no thread's own.

The tree is looked at again and again, evenly over the sample's life. Nothing is stopped for it: who is stopped no
longer shows what it waited for. So a look takes some milliseconds, and is not of one moment; where a process came or
went meanwhile it counts for nothing. Only afterwards, when spans say when the work began and ended, one is chosen:
that with the most tasks in flight among those that lie in the middle half of the work, and of these the one nearest to
its middle. Work that is over too soon for that, or before all workers are at it, has its tasks repeated until it lasts.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple, cast

from lanes import _core, machine, proc, sample
from lanes.compare import Cell, Plan, Step, cells_of
from lanes.comparison import label, named
from lanes.proc import Descriptor
from lanes.run import as_workload
from lanes.shown import Shown
from lanes.types import By, Done, Kind, Means, Receiving, Run, Sharing, Span, Task, Workload

BY_DEFAULT = ("serial", "threading", "multiprocessing", "asyncio", "native-pthreads", "native-fork")
"""The models that are looked at when none is named: one of each kind."""

AREAS = ("code", "read-only data", "data and heap", "stacks", "shared memory", "reserved", "kernel's")
"""What a mapping may be for: programs and libraries; their constants and other files; what they write to, and what was
allocated; stacks of threads; memory mapped as shared; addresses without access; what the kernel maps (vdso)."""

_PAUSE_S = 0.01
_DUTY = 2
"""So many times as long as a look took, the tree is left alone."""

_LOOKS = 16
"""When there are as many, every other is forgotten, and from then on they are half as frequent."""

_LASTS_S = 1.0
"""Work that could not be looked at is repeated until it should last as long; twice that at the next attempt."""

_ATTEMPTS = 4
_MOST_TASKS = 20_000
"""More are not made of a few, which would take longer than the work."""

_GUARD = 1 << 16
"""Below a stack lies no more than this without access; below a part of the heap there may be megabytes."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread of a process: what it is called in the kernel, what it did at the moment, and what it has used so far.

    thread_id: the kernel's; name: the kernel's as well, of 15 bytes at most.
    state:    a word of proc.STATES; wchan: the function of the kernel that it slept in, None where that is not told.
    cpu:      the processor that it was on last.
    cpu_user_s, cpu_system_s: seconds that it has computed.
    run_queue_s: seconds that it was ready and had no processor; None where that is not told.
    voluntary, involuntary: its context switches.
    stack_bytes: of its stack what is in memory; None where its stack was not found.
    tasks:    those that it was at, by index; a loop may be at many.
    """

    thread_id: int
    name: str
    state: str
    wchan: str | None
    cpu: int
    cpu_user_s: float
    cpu_system_s: float
    run_queue_s: float | None
    voluntary: int
    involuntary: int
    stack_bytes: int | None
    tasks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Area:
    """All mappings of a process that are for the same.

    mappings: how many. size: bytes of addresses. resident: bytes of them that are in memory. pss: the same, with what
    several share divided among them. swap: bytes that are on a disk instead.
    shared_clean, shared_dirty, private_clean, private_dirty: bytes; together what is resident.

    A page is shared when others map it as well, be it a file or what a fork left; else it is private, and dirty when
    somebody wrote to it. Of a page that n processes share, 1/n counts for the PSS, rounded down for each mapping.
    """

    mappings: int
    size: int
    resident: int
    pss: int
    shared_clean: int
    shared_dirty: int
    private_clean: int
    private_dirty: int
    swap: int

    @property
    def shared(self) -> int:
        """Bytes that others map as well."""
        return self.shared_clean + self.shared_dirty

    @property
    def private(self) -> int:
        """Bytes that nobody else maps."""
        return self.private_clean + self.private_dirty


@dataclass(frozen=True, slots=True)
class SinceFork:
    """What became of the memory that a forked process began with, in bytes of pages that it can write to.

    shared: pages that it still shares with its parent or others; copied: pages that both have, each its own, because
    one of them wrote; new: pages that the parent has not.
    """

    shared: int
    copied: int
    new: int


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its threads, its memory, its descriptors, and what the kernel keeps for it.

    process_id, parent_id, name: as the kernel has them. threads: the main one first. areas: memory by what it is for,
    the names in `AREAS`. descriptors: those that are open, by number.
    resident_bytes, pss_bytes: the kernel's own totals, as are the sums over the areas.
    forked: whether it is a copy of its parent, and has not loaded a program of its own; since_fork: what became of its
    memory then; None for others, and where the kernel does not tell.
    command: how its program was called; empty for the process of the sample itself, which is lanes' own business.
    page_tables_bytes: of the tables that translate its addresses; descriptor_slots: room for descriptors.
    """

    process_id: int
    parent_id: int
    name: str
    command: str
    forked: bool
    threads: tuple[Thread, ...]
    areas: Mapping[str, Area]
    resident_bytes: int
    pss_bytes: int
    since_fork: SinceFork | None
    descriptors: tuple[Descriptor, ...]
    page_tables_bytes: int
    descriptor_slots: int

    @property
    def mappings(self) -> int:
        """How many there are, in all areas."""
        return sum(area.mappings for area in self.areas.values())


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the kernel keeps for every thread, process and mapping, in bytes.

    stack: of a thread's stack in the kernel, on the machine's average; None where that is not told. structures: the
    size of each by its name in slabinfo; none where that may not be read. A thread has a task_struct; a process an
    mm_struct, signal_cache, sighand_cache and files_cache; a mapping a vm_area_struct; an open file a filp.
    """

    stack: int | None = None
    structures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """What was there while one model worked, with one body: the process of the sample and all below it.

    model, body, workers: as in a `Row`.
    tasks:     how many there were, those that were repeated to make the work last included, `repeats` times each.
    at_s:      when the threads were looked at, seconds since the first task was taken; work_s: how long the work took.
    took_s:    how long the look took.
    in_flight: tasks begun and not finished at that moment.
    processes: that of the sample first, each before its children. kernel: what the kernel keeps for them.
    reason: why the cell makes no sense; error: why there is nothing to be seen. Both are None where all is well.
    """

    model: str
    body: str | None
    workers: int
    tasks: int = 0
    repeats: int = 1
    at_s: float = 0.0
    work_s: float = 0.0
    took_s: float = 0.0
    in_flight: int = 0
    processes: tuple[Process, ...] = ()
    kernel: Kernel = field(default_factory=Kernel)
    reason: str | None = None
    error: str | None = None

    @property
    def name(self) -> str:
        """Of the cell: "threading/python"."""
        return label(self.model, self.body)

    @property
    def pss_bytes(self) -> int:
        """Bytes that all of it takes, with what they share counted once."""
        return sum(process.pss_bytes for process in self.processes)

    def children(self, parent: int | None = None) -> tuple[Process, ...]:
        """The processes that this one started; for None the one at the root."""
        if parent is None:
            return self.processes[:1]
        return tuple(each for each in self.processes[1:] if each.parent_id == parent)


@dataclass(frozen=True, slots=True)
class Anatomy(Shown):
    """Looks at several models at work, one after the other. `result["threading"]` is one.

    workload: what they worked at. seed: of what `random` drew. looks: in the order of the grid.
    machine: the facts that the result depends on: see `lanes.machine.facts`.
    """

    workload: Workload
    seed: int
    machine: Mapping[str, object]
    looks: tuple[Look, ...]

    def __iter__(self) -> Iterator[Look]:
        return iter(self.looks)

    def __len__(self) -> int:
        return len(self.looks)

    def __getitem__(self, key: str | tuple[str, str | None]) -> Look:
        """The look at a model, or at a model with a body. A Python model alone gives its Python body."""
        return named(self.looks, key, "look")

    def __str__(self) -> str:
        """The trees, as `lanes anatomy` shows them."""
        from lanes.report import anatomy as report  # printing stands above measuring, and is not loaded to measure

        return report.text(self)

    @property
    def ok(self) -> bool:
        """Whether every cell that makes sense was looked at."""
        return all(look.error is None for look in self.looks)


def anatomy(
    workload: Workload | Callable[[Any], object],
    items: Iterable[object] | None = None,
    *,
    models: str | Iterable[str] = BY_DEFAULT,
    bodies: str | Iterable[str] = "python",
    workers: int | None = None,
    deadline: str | float | None = None,
    progress: Callable[[Step], None] | None = None,
    seed: int | None = None,
) -> Anatomy:
    """Run `workload` on each of these models in a fresh process, and look at what is there while it works.

    models, bodies, workers, items: as in `lanes.compare`; one model of each kind when left out, with the Python body.
    deadline: of one sample, "120s" when left out; one that takes longer is killed, and its look has an error.
    progress: called with a Step before every model and once at the end.
    seed:     of what `random` draws in the samples; the one that was used stands in the result.

    Where the work of a model is over too soon, its tasks are done several times over (see `Look.repeats`).

    >>> result = lanes.anatomy(lanes.wait(tasks=2, duration="300ms"), models="threading", workers=2)
    >>> result["threading"].in_flight
    2

    Raises ValueError for what does not exist or is more than the limits of this machine allow.
    """
    workload = as_workload(workload, items)
    plan = Plan.made(1, None, deadline, (), seed)
    cells = cells_of(workload, models, bodies, workers, baseline=False)
    tell = progress or (lambda step: None)
    looks = []
    with workload.serve() as served:
        for n, cell in enumerate(cells):
            tell(Step(n, len(cells), cell.name, None, n / len(cells)))
            looks.append(_look(served, cell, plan))
    tell(Step(len(cells), len(cells), None, 0.0, 1.0))
    return Anatomy(workload, plan.seed, machine.facts(), tuple(looks))


def _look(served: Workload, cell: Cell, plan: Plan) -> Look:
    """Run the workload on one cell, again and for longer where there was no time to look."""
    nothing = Look(cell.model, cell.body, cell.workers, reason=cell.reason)
    if cell.reason is not None:
        return nothing
    repeats, lasts_s, look = 1, _LASTS_S, None
    for _ in range(_ATTEMPTS):
        watch, work = Watch(), repeated(served, repeats)
        try:
            run = sample.take(
                work, cell.model, cell.body, cell.workers, deadline_s=plan.deadline_s, seed=plan.seed, watch=watch
            )
        except (sample.SampleError, OSError) as error:
            return replace(nothing, error=" ".join(str(error).split()))
        if seen := watch.seen(run):
            look = replace(seen, repeats=repeats)
            if seen.in_flight == run.in_flight.max or run.work_s >= _LASTS_S / 2:
                return look
        room = served.most_tasks if isinstance(served, Receiving) else None
        most = max(1, min(_MOST_TASKS, room or _MOST_TASKS) // len(served.tasks))
        if repeats == most:
            break
        repeats = min(most, ceil(repeats * max(2.0, lasts_s / max(run.work_s, 1e-6))))
        lasts_s *= 2
    over = f"all was over within {run.work_s * 1000:.1f} ms, too soon to be looked at: give longer tasks"
    return look or replace(nothing, error=over)


def repeated(workload: Workload, times: int) -> Workload:
    """The same workload, whose tasks are done several times over, one round after the other."""
    if times == 1:
        return workload
    made = _RepeatedSharing if isinstance(workload, Sharing) else _Repeated
    return cast(Workload, made(workload, times))


@dataclass(frozen=True, slots=True)
class _Repeated:
    """A workload with its tasks several times; all else is the workload's own, but no figures: they would be wrong."""

    workload: Workload
    times: int

    @property
    def tasks(self) -> tuple[Task, ...]:
        tasks = self.workload.tasks
        return tuple(
            replace(task, index=turn * len(tasks) + task.index) for turn in range(self.times) for task in tasks
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in dir(Workload):
            raise AttributeError(name)
        return getattr(self.workload, name)


class _RepeatedSharing(_Repeated):
    """The same for one whose workers share something."""

    __slots__ = ()

    @property
    def area(self) -> _core.Area | None:
        return cast(Sharing, self.workload).area

    def lacks(self, by: By, kind: Kind) -> str | None:
        return cast(Sharing, self.workload).lacks(by, kind)

    @property
    def most_tasks(self) -> int | None:
        return self.workload.most_tasks if isinstance(self.workload, Receiving) else None

    def received(self, done: Done) -> Done:
        return self.workload.received(done) if isinstance(self.workload, Receiving) else done

    @contextmanager
    def share(self, means: Means) -> Iterator[Workload]:
        with cast(Sharing, self.workload).share(means) as sharing:
            yield repeated(sharing, self.times)


class _ThreadText(NamedTuple):
    """What the files of a thread said."""

    thread_id: int
    name: str
    stat: str
    status: str
    schedstat: str | None
    wchan: str | None
    syscall: str | None


class _ProcessText(NamedTuple):
    """What the files of a process said."""

    process_id: int
    threads: tuple[_ThreadText, ...]
    command: str
    descriptors: tuple[Descriptor, ...]
    smaps: str
    rollup: str
    pages: list[tuple[int, bytes]]


class _Moment(NamedTuple):
    """One look at the tree, from its first to its last file, by the monotonic clock; `at_ns` is that of the threads."""

    began_ns: int
    at_ns: int
    ended_ns: int
    processes: tuple[_ProcessText, ...]


class Watch:
    """Looks at a process and all below it again and again, and keeps what it reads as it is: it is made sense of when
    all is over, and so is the choice of the look that counts."""

    def __init__(self, root: Path = proc.PROC) -> None:
        self.pause_s = _PAUSE_S
        self._root = root
        self._every_s = _PAUSE_S
        self._moments: list[_Moment] = []

    def look(self, pid: int) -> None:
        moment = _moment(pid, self._root)
        if moment is None:
            return
        self._moments.append(moment)
        if len(self._moments) >= _LOOKS:
            del self._moments[::2]
            self._every_s *= 2
        self.pause_s = max(self._every_s, _DUTY * (moment.ended_ns - moment.began_ns) / 1e9)

    def seen(self, run: Run) -> Look | None:
        """The look that is chosen, now that it is known when the run was at work; None where there is none."""
        moment = _chosen(self._moments, run)
        if moment is None:
            return None
        began_ns = min(span.claimed_ns for span in run.spans)
        return Look(
            model=run.model,
            body=run.body,
            workers=run.workers,
            tasks=len(run.spans),
            at_s=(moment.at_ns - began_ns) / 1e9,
            work_s=run.work_s,
            took_s=(moment.ended_ns - moment.began_ns) / 1e9,
            in_flight=len(_at_work(run.spans, moment.at_ns)),
            processes=_processes(moment, run.spans),
            kernel=kernel(self._root),
        )


def processes_of(pid: int, root: Path = proc.PROC) -> tuple[Process, ...]:
    """A process and all below it, as they are now; empty where one came or went meanwhile."""
    moment = _moment(pid, root)
    return () if moment is None else _processes(moment, ())


def _at_work(spans: Sequence[Span], at_ns: int) -> list[int]:
    """The tasks that were begun and not finished at that moment."""
    return [task for task, span in enumerate(spans) if span.started_ns <= at_ns < span.finished_ns]


def _chosen(moments: Sequence[_Moment], run: Run) -> _Moment | None:
    """Of the moments in the middle half of the work that with most tasks in flight; of equals that in the middle."""
    began = min(span.claimed_ns for span in run.spans)
    quarter = round(run.work_s * 1e9 / 4)
    inside = [each for each in moments if began + quarter <= each.began_ns and each.ended_ns <= began + 3 * quarter]

    def worth(moment: _Moment) -> tuple[int, int]:
        return len(_at_work(run.spans, moment.at_ns)), -abs(moment.at_ns - began - 2 * quarter)

    return max(inside, key=worth, default=None)


def _moment(pid: int, root: Path) -> _Moment | None:
    """What is there now; None where a process came or went meanwhile. First the threads, whose state is that of a
    moment, then the descriptors, then memory, which takes longest."""
    began_ns = time.monotonic_ns()
    tree = list(proc.tree(pid, root))
    threads = {each: tuple(_thread_texts(each, root)) for each in tree}
    at_ns = (began_ns + time.monotonic_ns()) // 2
    processes = [_process_text(each, threads[each], root) for each in tree]
    whole = [process for process in processes if process is not None]
    if len(whole) < len(tree) or tree != list(proc.tree(pid, root)):
        return None
    return _Moment(began_ns, at_ns, time.monotonic_ns(), tuple(whole))


def _thread_texts(pid: int, root: Path) -> Iterator[_ThreadText]:
    for thread in proc.threads(pid, root):
        folder = root / f"{pid}/task/{thread}"
        # What it does now comes first, and together.
        stat, wchan, syscall, status, name, schedstat = (
            proc.read(folder / file) for file in ("stat", "wchan", "syscall", "status", "comm", "schedstat")
        )
        if stat and status and name:  # else it has just ended
            yield _ThreadText(thread, name.rstrip("\n"), stat, status, schedstat, wchan, syscall)


def _process_text(pid: int, threads: tuple[_ThreadText, ...], root: Path) -> _ProcessText | None:
    folder = root / str(pid)
    command, smaps, rollup = (proc.read(folder / file) for file in ("cmdline", "smaps", "smaps_rollup"))
    if not threads or command is None or smaps is None:
        return None
    pages = proc.pages(pid, proc.private_writable(smaps), root)
    # One that has ended and was not waited for has neither memory nor a rollup of it.
    return _ProcessText(pid, threads, command, tuple(proc.descriptors(pid, root)), smaps, rollup or "", pages)


# ---- what the files say


def _processes(moment: _Moment, spans: Sequence[Span]) -> tuple[Process, ...]:
    texts = {text.process_id: text for text in moment.processes}
    at_work: dict[tuple[int, int], list[int]] = {}
    for task in _at_work(spans, moment.at_ns):
        at_work.setdefault((spans[task].process_id, spans[task].thread_id), []).append(task)
    return tuple(_process(text, texts, at_work) for text in moment.processes)


def _process(
    text: _ProcessText, others: Mapping[int, _ProcessText], at_work: Mapping[tuple[int, int], list[int]]
) -> Process:
    main = proc.stat(text.threads[0].stat)
    status = proc.fields(text.threads[0].status)
    mappings = proc.mappings(text.smaps)
    totals = proc.mappings(text.rollup)
    stacks = stacks_of({each.thread_id: each.syscall for each in text.threads}, mappings)
    parent = others.get(main.parent)
    forked = parent is not None and _is_copy(text, parent)
    return Process(
        process_id=text.process_id,
        parent_id=main.parent,
        name=text.threads[0].name,
        command=" ".join(text.command.rstrip("\0").split("\0")) if parent else "",
        forked=forked,
        threads=tuple(
            _thread(each, stacks.get(each.thread_id), at_work.get((text.process_id, each.thread_id), ()))
            for each in text.threads
        ),
        areas=areas_of(mappings, [stack.start for stack in stacks.values()]),
        resident_bytes=sum(each.resident for each in totals),
        pss_bytes=sum(each.pss for each in totals),
        since_fork=since_fork(text.pages, parent.pages) if forked and parent and text.pages and parent.pages else None,
        descriptors=text.descriptors,
        page_tables_bytes=_kib(status.get("VmPTE")),
        descriptor_slots=int(status.get("FDSize", 0)),
    )


def _is_copy(text: _ProcessText, parent: _ProcessText) -> bool:
    """Whether a process runs the program of its parent at the very addresses: what it loads itself lies elsewhere."""
    own, its = (proc.stat(each.threads[0].stat).program for each in (text, parent))
    return own == its != (0, 0) and text.command == parent.command


def _thread(text: _ThreadText, stack: proc.Mapping | None, tasks: Iterable[int]) -> Thread:
    stat, status = proc.stat(text.stat), proc.fields(text.status)
    queued = (text.schedstat or "").split()
    return Thread(
        thread_id=text.thread_id,
        name=text.name,
        state=proc.STATES.get(stat.state, stat.state),
        wchan=text.wchan if text.wchan and text.wchan != "0" else None,
        cpu=stat.cpu,
        cpu_user_s=stat.user_s,
        cpu_system_s=stat.system_s,
        run_queue_s=int(queued[1]) / 1e9 if len(queued) > 1 else None,
        voluntary=int(status.get("voluntary_ctxt_switches", 0)),
        involuntary=int(status.get("nonvoluntary_ctxt_switches", 0)),
        stack_bytes=stack.resident if stack else None,
        tasks=tuple(tasks),
    )


def _kib(words: str | None) -> int:
    """ "1234 kB" in bytes; nothing for what is not there."""
    return int(words.split()[0]) * 1024 if words else 0


def stacks_of(syscalls: Mapping[int, str | None], mappings: Sequence[proc.Mapping]) -> dict[int, proc.Mapping]:
    """The mappings that are stacks, by thread, from what the `syscall` file of each said.

    A thread that was running has shown no stack pointer. When one mapping of the shape of a stack is left, it is that
    thread's; when more are, they are the stacks of such threads, but nobody knows whose is whose: they have negative
    numbers for threads.
    """
    found: dict[int, proc.Mapping] = {}
    for thread, syscall in syscalls.items():
        words = (syscall or "").split()
        pointer = int(words[-2], 16) if len(words) > 2 else 0
        stack = next((each for each in mappings if each.start <= pointer < each.end and "w" in each.flags), None)
        if stack is not None:
            found[thread] = stack
    known = {each.start for each in found.values()}
    left = [each for each in _stack_shaped(mappings) if each.start not in known]
    missing = [thread for thread in syscalls if thread not in found]
    if len(left) == len(missing) == 1:
        return {**found, missing[0]: left[0]}
    return {**found, **{-1 - n: each for n, each in enumerate(left)}}


def _stack_shaped(mappings: Sequence[proc.Mapping]) -> Iterator[proc.Mapping]:
    """The main stack; and what is anonymous, and lies right above a small part without access."""
    for below, each in zip((None, *mappings), mappings, strict=False):
        guarded = below is not None and below.end == each.start and below.flags[:3] == "---" and below.size <= _GUARD
        if each.name == "[stack]" or (guarded and not each.name and each.flags == "rw-p"):
            yield each


def area_of(mapping: proc.Mapping, stacks: Iterable[int]) -> str:
    """The one area that a mapping belongs to; `stacks` are where stacks begin."""
    flags, name = mapping.flags, mapping.name
    if name == "[stack]" or mapping.start in stacks:
        return "stacks"
    if name.startswith("[") and name != "[heap]" and not name.startswith("[anon"):
        return "kernel's"
    if flags.endswith("s"):
        return "shared memory"
    if flags.startswith("---"):
        return "reserved"
    if "x" in flags:
        return "code"
    return "data and heap" if "w" in flags else "read-only data"


def areas_of(mappings: Iterable[proc.Mapping], stacks: Iterable[int]) -> dict[str, Area]:
    """All mappings by area; an area without any is there too, and empty."""
    stacks = set(stacks)
    sums = {name: [0] * 9 for name in AREAS}
    for each in mappings:
        sizes = (1, each.size, *each[4:])
        sums[area_of(each, stacks)] = [one + more for one, more in zip(sums[area_of(each, stacks)], sizes, strict=True)]
    return {name: Area(*values) for name, values in sums.items()}


_PRESENT, _SWAPPED, _FILE, _EXCLUSIVE = (1 << bit for bit in (63, 62, 61, 56))
"""Of an entry of `pagemap`: in memory; swapped out; a file's, or shared memory; mapped here alone."""


def since_fork(pages: Sequence[tuple[int, bytes]], parents: Sequence[tuple[int, bytes]]) -> SinceFork:
    """What became of the pages of a forked process, from its own `pagemap` and its parent's."""
    page = os.sysconf("SC_PAGE_SIZE")
    had = {address for address, _ in _own(parents, page)}
    shared = copied = new = 0
    for address, entry in _own(pages, page):
        if not entry & _EXCLUSIVE:
            shared += page
        elif address in had:
            copied += page
        else:
            new += page
    return SinceFork(shared, copied, new)


def _own(pages: Iterable[tuple[int, bytes]], page: int) -> Iterator[tuple[int, int]]:
    """The pages that are no file's, each with where it lies and its entry."""
    for start, entries in pages:
        for n, entry in enumerate(array("Q", entries[: len(entries) // 8 * 8])):
            if entry & (_PRESENT | _SWAPPED) and not entry & _FILE:
                yield start + n * page, entry


_STRUCTURES = ("task_struct", "mm_struct", "signal_cache", "sighand_cache", "files_cache", "vm_area_struct", "filp")


def kernel(root: Path = proc.PROC) -> Kernel:
    """What the kernel keeps for each, as far as it tells us."""
    total = proc.size(root / "meminfo", "KernelStack:")
    threads = (proc.read(root / "loadavg") or "").split()[3:4]  # "2/159": of 159 threads 2 are running
    count = int(threads[0].partition("/")[2]) if threads else 0
    structures = {}
    for line in (proc.read(root / "slabinfo") or "").splitlines():
        words = line.split()
        if len(words) > 3 and words[0] in _STRUCTURES:
            structures[words[0]] = int(words[3])
    return Kernel(total // count if total and count else None, structures)
