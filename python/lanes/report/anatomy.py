"""What is there while a model works, as people read it and as JSON.

A tree: of each process its threads, its memory, its descriptors, what the kernel keeps for it, and the processes that
it started. Children that are alike take a line each after the first, and threads after the first ones are counted; JSON
has all of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lanes.anatomy import Anatomy, Area, Kernel, Look, Process, SinceFork, Thread
from lanes.proc import Descriptor
from lanes.report import workload
from lanes.report.fields import made, typed
from lanes.report.files import SCHEMA
from lanes.report.wording import as_text, count, params_of
from lanes.units import format_size

_THREADS = 8
"""So many threads of a process are shown."""

_COMMAND = 44
"""Of the command of a process, so many characters."""

_WHOLE = 1
"""Of processes that are alike, so many are shown whole, where there are more than two."""

_LEAST = 2**20 // 200
"""An area with less in memory, which would be 0.00 MiB, is not shown; all adds it, too."""

_WAITS = {
    r"futex": "a lock",
    r"nanosleep|timer": "a timer",
    r"ep_poll|epoll": "epoll",
    r"poll|select": "poll",
    r"pipe|fifo": "a pipe",
    r"wait4|waitid|do_wait|wait_consider": "a child",
    r"sk_wait|unix_stream|skb|inet|tcp|accept": "a socket",
    r"eventfd": "an eventfd",
    r"sigsuspend|sigtimedwait": "a signal",
    r"lock_page|folio|io_schedule|blk|jbd2|ext4|xfs|btrfs": "a disk",
}
"""What a thread waits for, by the function of the kernel that it sleeps in; the kernel's own word where none fits."""


def text(anatomy: Anatomy, width: int = 80) -> str:
    """The trees as plain text."""
    return as_text(lambda console: show(anatomy, console), width)


def show(anatomy: Anatomy, console: Console) -> None:
    """Print the trees, one after the other."""
    console.print(title(anatomy), soft_wrap=not console.is_terminal)
    for look in anatomy:
        console.print()
        if look.processes:
            _print(_tree(look), console)
        else:
            console.print(_nothing(look), soft_wrap=not console.is_terminal)


def trees(anatomy: Anatomy) -> Iterator[tuple[str, str]]:
    """Of each model its tree as plain text; of one that was not looked at, why."""
    for look in anatomy:
        if look.processes:
            yield look.name, as_text(partial(_print, _tree(look)), 100)
        else:
            yield look.name, _nothing(look).plain


def problems(anatomy: Anatomy) -> Iterator[str]:
    """What could not be looked at, a line each."""
    for look in anatomy:
        if look.error is not None:
            yield f"{look.name}: {look.error}"


def document(anatomy: Anatomy) -> dict[str, object]:
    """The looks as what JSON can hold: see lanes/report/json.py."""
    return {
        "schema": SCHEMA,
        "workload": workload.document(anatomy.workload, anatomy.machine),
        "machine": dict(anatomy.machine),
        "seed": anatomy.seed,
        "anatomy": [_look(look) for look in anatomy],
    }


def _look(look: Look) -> dict[str, object]:
    return {
        **{field: value for field, value in asdict(look).items() if field not in ("processes", "kernel")},
        "pss_bytes": look.pss_bytes if look.processes else None,
        "kernel": {"stack_bytes": look.kernel.stack, "structures": dict(look.kernel.structures)},
        "processes": [_process(process) for process in look.processes],
    }


def _process(process: Process) -> dict[str, Any]:
    return {
        **asdict(process),
        "descriptors": [each._asdict() for each in process.descriptors],
        "areas": {name: _area(area) for name, area in process.areas.items()},
        "since_fork": process.since_fork and {f"{k}_bytes": v for k, v in asdict(process.since_fork).items()},
    }


def _area(area: Area) -> dict[str, int]:
    sizes = {f"{name}_bytes": value for name, value in asdict(area).items() if name != "mappings"}
    return {"mappings": area.mappings, **sizes}


def read(found: dict[str, Any]) -> Anatomy:
    """The looks of such a document. Raises ValueError, KeyError or TypeError for any other."""
    looks = tuple(map(_read_look, found["anatomy"]))
    return made(Anatomy, found, workload=workload.read(found["workload"]), looks=looks)


def _read_look(found: dict[str, Any]) -> Look:
    kernel = made(Kernel, found["kernel"], stack=typed(int | None, found["kernel"]["stack_bytes"], "stack_bytes"))
    return made(Look, found, kernel=kernel, processes=tuple(map(_read_process, found["processes"])))


def _read_process(found: dict[str, Any]) -> Process:
    since = found["since_fork"]
    return made(
        Process,
        found,
        areas={name: made(Area, _without_bytes(area)) for name, area in found["areas"].items()},
        since_fork=since and made(SinceFork, _without_bytes(since)),
    )


def _without_bytes(found: dict[str, Any]) -> dict[str, Any]:
    return {name.removesuffix("_bytes"): value for name, value in found.items()}


# ---- the tree


def title(anatomy: Anatomy) -> Text:
    work = anatomy.workload
    facts = ", ".join([count(len(work.tasks), "task"), *params_of(work)])
    return Text.assemble((work.name, "bold"), f": {facts}")


def _nothing(look: Look) -> Text:
    if look.reason is not None:
        return Text(f"{look.name} makes no sense: {look.reason}", "dim")
    return Text.assemble((look.name, "bold"), (f": {look.error}", "red"))


def _tree(look: Look) -> Tree:
    root = Tree(_heading(look), guide_style="dim")
    for process in look.children():
        _add(root, look, process)
    return root


def _heading(look: Look) -> Text:
    repeats = f", each done {look.repeats} times" if look.repeats > 1 else ""
    return Text.assemble(
        (look.name, "bold"),
        f": {count(look.workers, 'worker')}, {look.in_flight} of {count(look.tasks, 'task')} in flight"
        f" {look.at_s:.2f} s into {look.work_s:.2f} s of work{repeats}; {count(len(look.processes), 'process')},"
        f" {count(sum(len(each.threads) for each in look.processes), 'thread')},"
        f" {format_size(look.pss_bytes)} in all",
    )


def _print(tree: Tree, console: Console) -> None:
    """Lines end where their text does."""
    for line in console.render_lines(tree, console.options.update(width=max(80, console.width)), pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        console.print(text, soft_wrap=True)


def _add(parent: Tree, look: Look, process: Process) -> None:
    """A process and those below it."""
    node = parent.add(_process_line(process).append(_origin(process, process is look.processes[0])))
    for each in _contents(process, look.kernel):
        node.add(each)
    for alike in _groups(look.children(process.process_id)):
        shown = len(alike) if len(alike) <= 2 else _WHOLE
        for child in alike[:shown]:
            _add(node, look, child)
        if alike[shown:]:
            node.add(_others(alike[shown:]))


def _groups(children: Iterable[Process]) -> list[list[Process]]:
    """Children of one process that run the same program, together; numbers in its command make no difference."""
    groups: dict[tuple[bool, str], list[Process]] = {}
    for child in children:
        groups.setdefault((child.forked, re.sub(r"\d+", "", child.command)), []).append(child)
    return list(groups.values())


def _others(processes: Sequence[Process]) -> Table:
    """Processes in a line each."""
    table = _table("process", "name", "state", "core", "CPU, s", "task", "PSS", "copied")
    for process in processes:
        main = process.threads[0]
        table.add_row(
            str(process.process_id),
            Text(process.name, "cyan"),
            _state(main),
            str(main.cpu),
            f"{main.cpu_user_s + main.cpu_system_s:.2f}",
            _tasks(main),
            _mib(process.pss_bytes),
            _mib(process.since_fork.copied) if process.since_fork else "-",
        )
    return table


def _process_line(process: Process) -> Text:
    return Text.assemble(f"process {process.process_id} ", (process.name, "bold cyan"))


def _origin(process: Process, is_root: bool) -> str:
    """Where its program is from; that of the sample itself says nothing about the model."""
    if is_root or not process.command:
        return ""
    if process.forked:
        return ", a copy of its parent"
    code = re.search(r" -c from (\S+) import", process.command)  # how multiprocessing starts its interpreters
    command = code[1] if code else process.command
    return f", runs {command if len(command) <= _COMMAND else f'{command[: _COMMAND - 3]}...'}"


def _contents(process: Process, kernel: Kernel) -> Iterator[RenderableType]:
    more = [_more(process.threads[_THREADS:])] if len(process.threads) > _THREADS else []
    yield Group(_threads(process.threads), *more)
    yield _memory(process)
    if since := process.since_fork:
        yield _words(
            "since fork",
            f"{_mib(since.shared)} MiB still shared, {_mib(since.copied)} copied, {_mib(since.new)} new",
        )
    yield _words("descriptors", _kinds(process.descriptors))
    yield _words("kernel", ", ".join(_kept(process, kernel)))


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column(first, no_wrap=True, min_width=14 if first.startswith("memory") else None)
    for name in others:
        left = name in ("name", "state")
        table.add_column(name, no_wrap=True, justify="left" if left else "right")
    return table


def _threads(threads: Sequence[Thread]) -> Table:
    table = _table("thread", "name", "state", "core", "CPU, s", "vol.", "invol.", "task")
    for thread in threads[:_THREADS]:
        table.add_row(
            str(thread.thread_id),
            Text(thread.name, "cyan"),
            _state(thread),
            str(thread.cpu),
            f"{thread.cpu_user_s + thread.cpu_system_s:.2f}",
            f"{thread.voluntary:,}",
            f"{thread.involuntary:,}",
            _tasks(thread),
        )
    return table


def _state(thread: Thread) -> str:
    """What it does, or what it waits for."""
    if thread.state != "sleeping" or thread.wchan is None:
        return thread.state
    return f"awaits {waits_for(thread.wchan)}"


def waits_for(wchan: str) -> str:
    """In a word or two."""
    for pattern, words in _WAITS.items():
        if re.search(pattern, wchan):
            return words
    return wchan.partition(".")[0]


def _tasks(thread: Thread) -> str:
    if len(thread.tasks) > 1:
        return f"{len(thread.tasks)} tasks"
    return str(thread.tasks[0]) if thread.tasks else "-"


def _more(threads: Sequence[Thread]) -> Text:
    kinds = Counter(_state(thread) for thread in threads)
    busy = sum(bool(thread.tasks) for thread in threads)
    words = ", ".join(f"{many} {state}" for state, many in kinds.most_common())
    return Text(f"and {len(threads)} more: {words}; {busy} at a task", "dim")


def _memory(process: Process) -> Table:
    table = _table("memory, MiB", "resident", "shared", "private", "dirty", "PSS")
    for name, area in process.areas.items():
        if area.resident >= _LEAST:
            dirty = area.shared_dirty + area.private_dirty
            table.add_row(name, *map(_mib, (area.resident, area.shared, area.private, dirty, area.pss)))
    every = process.areas.values()
    sums = [
        sum(getattr(area, name) for area in every) for name in ("shared", "private", "shared_dirty", "private_dirty")
    ]
    table.add_row("all", *map(_mib, (process.resident_bytes, sums[0], sums[1], sums[2] + sums[3], process.pss_bytes)))
    return table


def _mib(size: int) -> str:
    return f"{size / 2**20:.2f}"


def _words(what: str, words: str) -> Text:
    return Text.assemble((f"{what}: ", "dim"), words)


def _kinds(descriptors: Sequence[Descriptor]) -> str:
    kinds = Counter(each.kind for each in descriptors).most_common()
    return ", ".join(count(number, kind) for kind, number in kinds) or "none"


def _kept(process: Process, kernel: Kernel) -> Iterator[str]:
    yield f"{format_size(process.page_tables_bytes)} of page tables"
    if kernel.stack is not None:
        yield f"{count(len(process.threads), 'stack')} of {format_size(kernel.stack)}"
    sizes = kernel.structures
    if "task_struct" in sizes:
        yield f"{count(len(process.threads), 'task_struct')} of {format_size(sizes['task_struct'])}"
    own = [name for name in ("mm_struct", "signal_cache", "sighand_cache", "files_cache") if name in sizes]
    if own:
        yield f"{format_size(sum(sizes[name] for name in own))} for the process"
    each = f" of {format_size(sizes['vm_area_struct'])}" if "vm_area_struct" in sizes else ""
    yield f"{process.mappings} mappings{each}"
    yield f"room for {process.descriptor_slots} descriptors"
