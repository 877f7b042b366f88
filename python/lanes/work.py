"""A workload with one body chosen: what a Python model runs, task by task, without knowing either.

A model opens it once per worker and calls what it gets for each task; spans are recorded here, so that every model
records them alike. It is picklable: workers in other processes get a copy.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from lanes import _core, identity, names, stacks
from lanes.identity import CURRENT
from lanes.source import Coming, Full, Gate, Source
from lanes.types import Done, Outcome, Sharing, Span, Task, Workload

if TYPE_CHECKING:
    from lanes.events import EventLog


@dataclass(frozen=True, slots=True)
class Work:
    """The tasks of `workload`, done by the body named ("python", "held", "released").

    Tasks and the engine's view of them are made once, here, so that no model is timed while making them. Workers note
    in the ledger, if there is one, what they use: threads and processes write to the same. `pickling` says that they
    note what they pickle as well, which disturbs them. A worker that is just being spawned is handed the ledger and
    what the workload shares; no other pickle can have them. `model` is the name of the model that runs it, as in a
    table; `area` is what C bodies share, if anything. From the `seed`, if there is one, `random` begins anew in every
    worker process. With a `gate` the tasks come with time, each of them in turn for as many as will come. `beside` is
    what goes on on a model's loop around the work, in the process that runs the model. Into the `log`, if there is one,
    workers write what becomes of each task.
    """

    workload: Workload
    body: str
    ledger: _core.Ledger | None = field(default=None, repr=False, compare=False)
    pickling: bool = False
    model: str = ""
    seed: int | None = None
    gate: Gate | None = field(default=None, repr=False, compare=False)
    beside: Callable[[], AbstractAsyncContextManager[None]] | None = field(default=None, repr=False, compare=False)
    log: EventLog | None = field(default=None, repr=False, compare=False)
    tasks: tuple[Task, ...] = field(init=False, repr=False)
    inputs: tuple[_core.TaskInput, ...] = field(init=False, repr=False)
    warm_up: _core.TaskInput | None = field(init=False, repr=False)
    area: _core.Area | None = field(init=False, repr=False)
    source: Source = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tasks = self.workload.tasks if self.gate is None else _in_turn(self.workload.tasks, len(self.gate.arrivals))
        object.__setattr__(self, "tasks", tasks)
        object.__setattr__(self, "source", Full(tasks) if self.gate is None else Coming(tasks, self.gate))
        object.__setattr__(self, "inputs", tuple(map(_input, tasks)))
        warm_up = self.workload.warm_up
        object.__setattr__(self, "warm_up", warm_up and _input(warm_up))
        object.__setattr__(self, "area", self.workload.area if isinstance(self.workload, Sharing) else None)

    def __reduce__(self) -> tuple[object, ...]:
        parts = self.ledger, self.pickling, self.model, self.seed, self.gate, self.log, stacks.installed()
        return _arrived, (self.workload, self.body, *parts)

    @property
    def arrivals(self) -> _core.Arrivals | None:
        """When the tasks come, for the engine; None where all are there."""
        return None if self.gate is None else self.gate.arrivals

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Done]]:
        """What one worker calls for each task. Leaving the context frees what the worker kept."""
        if self.body == "python":
            with self.workload.open() as body:
                if self.workload.warm_up:
                    body(self.workload.warm_up)
                    self._begin()
                with self._counted() as look, identity.kept():
                    who = identity.Worker(self.model, self.body, self.place())

                    def do(task: Task) -> Done:
                        CURRENT.set((who, task.index))
                        return look(_timed(body, task))

                    yield self.source.attended(self._logged(who, do))
        else:
            release = self.body == "released"
            with _core.Worker(self.workload.name, self.area) as worker:
                if self.warm_up:
                    worker.run(self.warm_up, release)
                    self._begin()
                with self._counted() as look:
                    compiled = partial(_compiled, worker, self.inputs, release, look)
                    who = identity.Worker(self.model, self.body, self.place())
                    yield self.source.attended(self._logged(who, compiled))

    def _logged(self, who: identity.Worker, do: Callable[[Task], Done]) -> Callable[[Task], Done]:
        return do if self.log is None else self.log.followed(who, do)

    def place(self) -> int:
        """The number of the calling worker, as its name has it."""
        return names.number(self.model)

    def _begin(self) -> None:
        """The warm-up is over: what the worker used for it counts for nothing."""
        if self.ledger is not None:
            self.ledger.begin()

    @contextmanager
    def _counted(self) -> Iterator[Callable[[Done], Done]]:
        """Takes the looks of the thread inside: at first, after each task, at last. Hands on what it is given."""
        if self.ledger is None:
            yield lambda each: each
            return
        look = self.ledger.look

        def after(each: Done) -> Done:
            look()
            return each

        look(True)
        try:
            yield after
        finally:
            look(True)

    @asynccontextmanager
    async def open_async(self, places: int) -> AsyncIterator[Callable[[Task, int], Awaitable[Done]]]:
        """What the places of a loop call for each task, giving their own index. C bodies block the loop."""
        workers = [identity.Worker(self.model, self.body, place) for place in range(places)]
        if self.body == "python":
            async with self.workload.open_async() as body:
                if self.workload.warm_up:
                    await _at_once(body, self.workload.warm_up, min(places, len(self.tasks)))
                    self._begin()
                with self._counted() as look:
                    timed = partial(_timed_async, body, workers, look)
                    logged = timed if self.log is None else self.log.followed_async(workers, timed)
                    yield self.source.attended_async(logged)
        else:
            with (self if self.log is None else replace(self, log=None)).open() as blocking:

                async def inline(task: Task, place: int) -> Done:
                    index, outcome, span = blocking(task)
                    return Done(index, outcome, replace(span, worker=place))

                yield inline if self.log is None else self.log.followed_async(workers, inline)


def _arrived(
    workload: Workload,
    body: str,
    ledger: _core.Ledger | None,
    pickling: bool,
    model: str,
    seed: int | None,
    gate: Gate | None,
    log: EventLog | None,
    answers: bool,
) -> Work:
    """In a new worker process. One of a sample answers, as the sample does, when it is asked where it stands."""
    if answers and not stacks.installed():
        stacks.install()
    if ledger is not None and pickling:
        from lanes.closeup import note_pickling  # a forked process has been watched since before

        note_pickling(ledger)
    return Work(workload, body, ledger, pickling, model, seed, gate, log=log)


def _in_turn(tasks: Sequence[Task], count: int) -> tuple[Task, ...]:
    return tuple(replace(tasks[n % len(tasks)], index=n) for n in range(count))


def _input(task: Task) -> _core.TaskInput:
    return task.text, *task.args


async def _at_once(body: Callable[[Task], Awaitable[Outcome]], task: Task, times: int) -> None:
    import asyncio  # only where a loop runs already

    await asyncio.gather(*(body(task) for _ in range(times)))


def done(index: int, record: _core.Record) -> Done:
    """A task as the engine recorded it."""
    # Neither a star nor a keyword: this is on the path of every task of a body in C.
    status, error, detail, value, worker, thread, process, cpu, claimed, started, finished, used, figures = record
    outcome = Outcome(status, value, error, detail, None, figures)
    return Done(index, outcome, Span(worker, thread, process, cpu, claimed, started, finished, used))


def span_between(begin: _core.Moment, end: _core.Moment, worker: int = 0) -> Span:
    """The span between two calls of `_core.here()` on one thread."""
    process, thread, cpu, started, cpu_before = begin
    return Span(worker, thread, process, cpu, started, started, end[3], end[4] - cpu_before)


def _timed(body: Callable[[Task], Outcome], task: Task) -> Done:
    begin = _core.here()
    outcome = body(task)
    return Done(task.index, outcome, span_between(begin, _core.here()))


async def _timed_async(
    body: Callable[[Task], Awaitable[Outcome]],
    workers: Sequence[identity.Worker],
    look: Callable[[Done], Done],
    task: Task,
    place: int,
) -> Done:
    CURRENT.set((workers[place], task.index))  # in the context of this place alone, which ends with it
    begin = _core.here()
    outcome = await body(task)
    return look(Done(task.index, outcome, span_between(begin, _core.here(), place)))


def _compiled(
    worker: _core.Worker,
    inputs: Sequence[_core.TaskInput],
    release: bool,
    look: Callable[[Done], Done],
    task: Task,
) -> Done:
    return look(done(task.index, worker.run(inputs[task.index], release)))


# What a pool's workers keep between tasks. A pool hands its workers one function and no place for state; its own
# idiom is an initializer and a global, here one per thread, which serves threads and processes alike.
_kept = threading.local()


def start_thread(work: Work) -> None:
    """The initializer of a pool of threads, which has named them after the model: model_0, model_1."""
    thread = threading.current_thread()
    thread.name = thread.name.replace("_", "/")
    names.call_thread()
    start_worker(work)


def start_worker(work: Work) -> None:
    """The initializer of a pool: open the work on this worker.

    What a pool does about an initializer that raises is to break, or to try for ever, and to lose the error. So the
    error is kept, and is what comes of the worker's first task; after which no more come of tasks that come with time.
    """
    _kept.stack, _kept.error, _kept.gate = ExitStack(), None, work.gate
    try:
        _kept.do = _kept.stack.enter_context(work.open())
    except BaseException as error:
        _kept.error = error


def do_tasks(tasks: Sequence[Task]) -> list[Done]:
    """The same for several at a time."""
    return [do_task(task) for task in tasks]


def do_task(task: Task) -> Done:
    """The function of a pool: do one task on the worker that `start_worker` prepared."""
    if _kept.error is not None:
        if _kept.gate is not None:
            _kept.gate.arrivals.end()
        raise _kept.error
    do: Callable[[Task], Done] = _kept.do
    return do(task)
