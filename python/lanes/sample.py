"""A run in a fresh process, so that no model inherits threads, memory or warm caches from the one before.

The job and the answer travel through two memory files that only these two processes hold: whatever the work prints
cannot corrupt them, and a process that dies half-way leaves an empty answer instead of a reader that waits. The child
leads a session of its own. Ctrl-C therefore reaches the parent alone, which then kills the whole group; and when the
parent is killed itself, the kernel kills the child, and the child's workers as they die with their parent.
"""

from __future__ import annotations

import math
import os
import pickle
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol, TypeAlias

from lanes import _core, fork, models, names, session, stacks
from lanes.run import Pass, execute
from lanes.source import Gate
from lanes.types import Closeup, Run, Workload
from lanes.value import UnpicklableError

if TYPE_CHECKING:
    from pathlib import Path

    from lanes.closeup import MemoryWatch
    from lanes.stall import Stall

_SEED = random.SystemRandom().getrandbits(32)
"""Of all samples of this process that are given none, so that a set has the same order, and the same pickle, in all."""

DEADLINE_S = 120.0
"""A sample that takes longer is taken to hang."""


class Job(NamedTuple):
    """What to run; `random` begins from the seed, and threads switch as the caller's do. With files of a gate, which
    the process has inherited, tasks come with time. In the directory, if there is one, multiprocessing has its
    sockets."""

    workload: Workload
    model: str
    body: str | None
    workers: int
    kind: Pass
    seed: int | None
    switch_interval_s: float
    gate: tuple[int, int, int | None, bool] | None = None
    directory: str | None = None
    log: Path | None = None


Answer: TypeAlias = Run | tuple[str, str] | None
"""A run, or the type and the text of the error that prevented it; None from an interpreter that cannot load the job."""


class Watch(Protocol):
    """What looks at a sample's process from outside: at once, and again after each pause."""

    pause_s: float

    def look(self, pid: int) -> None: ...


class SampleError(RuntimeError):
    """The fresh process brought no run; the text says why, in one line. stall: where its workers stood when its
    deadline came, None for all other reasons."""

    def __init__(self, words: str, stall: Stall | None = None) -> None:
        super().__init__(words)
        self.stall = stall


def take(
    workload: Workload,
    model: str,
    body: str | None,
    workers: int,
    kind: Pass = "timed",
    deadline_s: float = DEADLINE_S,
    forked: bool = False,
    seed: int | None = None,
    gate: Gate | None = None,
    watch: Watch | None = None,
    log: Path | None = None,
) -> Run:
    """Run a served workload once in a fresh process. Whatever ends this call, nothing of that process is left.

    That process is a new interpreter or, where the workload cannot be handed to one, a fork of this one. All that is
    left to chance there comes from the seed, if there is one: what `random` draws, and in a new interpreter, unless the
    environment says otherwise, the order of sets. Through a gate its tasks come with time. A watch looks at it from
    outside, again and again. Every event is appended to the log, if there is one.
    """
    memory = _memory_watch() if kind == "closeup" else None
    watch = watch or memory
    files = None if gate is None else gate.files
    with _memory_file("job") as file, _memory_file("answer") as answer, _directory(model) as directory:
        job = Job(workload, model, body, workers, kind, seed, sys.getswitchinterval(), files, directory, log)
        forked = forked or not _written(job, file)
        # Ctrl-C may not come between the start of the process and the `try` that ends it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process = _fork(job, answer) if forked else _start(file, answer, job)
            status = _finish(process, mask, deadline_s, watch, job)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        answer.seek(0)
        text = answer.read()
    if not isinstance(status, int):
        raise SampleError(f"no answer within its deadline of {deadline_s:g} s: {status.where}", status)
    if status or not text:
        from lanes.children import ending  # it brings multiprocessing along

        how = ending(status) if status else "ended without an answer"
        raise SampleError(f"the process of this sample {how}")
    result: Answer = pickle.loads(text)
    if result is None:
        return take(workload, model, body, workers, kind, deadline_s, True, seed, gate, watch, log)
    if not isinstance(result, Run):
        raise SampleError(": ".join(filter(None, result)))
    if memory is None:
        return result
    seen = replace(
        result.closeup or Closeup(),
        peak_pss_bytes=memory.peak_pss,
        peak_rss_bytes=memory.peak_rss,
        memory=memory.series(result.began_ns, result.ended_ns),
    )
    return replace(result, closeup=seen)


def _memory_watch() -> MemoryWatch:
    from lanes.closeup import MemoryWatch  # only where it is wanted

    return MemoryWatch()


def _written(job: Job, file: BinaryIO) -> bool:
    """Whether the job, which may hold anything of a user's, can be pickled; then it is in the file."""
    try:
        pickle.dump(job, file)
    except Exception:
        return False
    file.flush()
    file.seek(0)
    return True


def _memory_file(name: str) -> BinaryIO:
    return open(os.memfd_create(f"lanes-{name}"), "w+b")


@contextmanager
def _directory(model: str) -> Iterator[str | None]:
    """Where a fork server has its socket. It would make a directory itself, and a sample that is killed leave it."""
    if models.parted(model)[1] != "forkserver":
        yield None
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="lanes-", ignore_cleanup_errors=True) as directory:
        yield directory


def _start(file: BinaryIO, answer: BinaryIO, job: Job) -> subprocess.Popen[bytes]:
    """Start a Python that runs `main`, with the flags and the module path of this one."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # multiprocessing's way
    # Without the empty entry: a random.py in the current directory is not part of the sample. Not -m, which would load
    # this module a second time, under another name.
    path = [entry for entry in sys.path if entry]
    code = f"import sys; sys.path[:] = {path!r}; from lanes.sample import main; main()"
    return subprocess.Popen(
        [sys.executable, *flags, "-c", code, str(os.getpid()), str(answer.fileno())],
        env={"PYTHONHASHSEED": str((_SEED if job.seed is None else job.seed) % 2**32)} | os.environ,
        stdin=file,
        stdout=2,
        pass_fds=[answer.fileno(), *(job.gate[:2] if job.gate else ())],
        start_new_session=True,
    )


def _fork(job: Job, answer: BinaryIO) -> fork.Fork:
    parent = os.getpid()
    return fork.start(lambda: _answer(parent, answer.fileno(), lambda: job))


def _finish(
    process: subprocess.Popen[bytes] | fork.Fork,
    mask: set[int],
    deadline_s: float,
    watch: Watch | None,
    job: Job,
) -> int | Stall:
    """Wait for the child's end, then kill what it may have left behind. Its status, where a negative one is the signal
    that killed it; when it had to be killed at its deadline, where it stood.

    WNOWAIT leaves the child unreaped, so that its process group cannot be anybody else's when it is killed. Where
    SIGCHLD is ignored, or somebody reaps whatever ends, the status is lost, and the group must be left alone.
    """
    ours, ended = True, False
    stood: Stall | None = None
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if _wait(process.pid, time.monotonic() + deadline_s, watch):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            ended = True
        else:
            stood = _look(process.pid, deadline_s, job.workload)
    except ChildProcessError:
        ours = False
    finally:
        if ours:
            if not ended or _has_helpers(job.model):
                with suppress(OSError):  # no descriptor may be left to read /proc with: the group ends all the same
                    session.end(process.pid)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()  # a fork that has just begun leads no group yet
        process.wait()
    return process.returncode if stood is None else stood


def _has_helpers(model: str) -> bool:
    """Whether multiprocessing has processes beside the workers, which have something to tidy up."""
    return models.parted(model)[1] in ("spawn", "forkserver")


def _look(pid: int, deadline_s: float, workload: Workload) -> Stall:
    from lanes import stall  # only where it is wanted

    return stall.look(pid, deadline_s, workload.tasks)


def _wait(pid: int, until: float, watch: Watch | None) -> bool:
    """Whether a child ended before that moment of the monotonic clock; meanwhile its memory is watched."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:  # it has ended, and somebody has reaped it
        return True
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        while (left := until - time.monotonic()) > 0:
            pause = min(left, watch.pause_s) if watch else left
            if ended.poll(math.ceil(pause * 1000)):
                return True
            if watch:
                watch.look(pid)
        return False
    finally:
        os.close(descriptor)


def main() -> None:
    """The child's side of `take`."""
    parent, answer = map(int, sys.argv[1:])
    _answer(parent, answer, lambda: pickle.load(sys.stdin.buffer))


def _answer(parent: int, answer: int, load: Callable[[], Job]) -> None:
    """Do the job and write what came of it to this descriptor."""
    # What the parent had, and a process inherits: Ctrl-C blocked, and perhaps the ends of children ignored.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _core.die_with_parent()
    if os.getppid() != parent:  # it died before the kernel knew
        return
    stacks.install()
    result = _perform(load)
    with open(answer, "wb") as file:
        pickle.dump(result, file)
    with suppress(Exception):  # the work may have closed them
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)  # not waiting for threads that the work left running: the parent kills what is left


def _perform(load: Callable[[], Job]) -> Answer:
    """The run, or what went wrong in one line."""
    try:
        job = load()
    except BaseException:  # what a user's module does when it is imported, or an object when it is made
        return None
    try:
        sys.setswitchinterval(job.switch_interval_s)
        # At the deadline the trackers of multiprocessing's resources clean up, which is no news to anybody.
        sys.warnoptions.append("ignore:resource_tracker:UserWarning")
        if job.directory is not None:
            from multiprocessing import process  # which the model needs in any case

            process.current_process()._config["tempdir"] = job.directory  # type: ignore[attr-defined]
        if job.seed is not None:
            random.seed(job.seed)
        names.call(job.model)
        gate = None if job.gate is None else Gate.at(*job.gate)
        column = models.load(job.model)
        return execute(job.workload, column, job.body, job.workers, job.kind, job.seed, gate, job.log)
    except UnpicklableError as error:
        return "", str(error)
    except BaseException as error:
        return type(error).__name__, " ".join(str(error).split())
