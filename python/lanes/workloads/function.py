"""A user's own function as a workload: each task is one call, with one item.

It may come as a function, as a coroutine function or as a pair of twins: models whose workers are coroutines await the
coroutine, all others call the function. It has no body in C. An exception is the task's outcome. What a call gives is
compared by value, whatever it is: see lanes/value.py; how functions reach other processes, see lanes/parcel.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from inspect import iscoroutinefunction
from itertools import islice
from typing import Any, ClassVar, Self, TypeAlias, cast

from lanes import parcel
from lanes.processors import usable_processors
from lanes.types import Outcome, Task
from lanes.units import short, whole
from lanes.value import Value, shown, words

FORM = "module:function"
ABOUT = "each task is a call of a function of yours, which may be an async def, with one item"
OPTIONS = {"items": ("FILE", "with a JSON list; each of its elements is the argument of one call")}
EXAMPLES = (
    "lanes compare mypkg.mymod:function --items items.json",
    "lanes compare mypkg.mymod:function --items items.json --models threading,futures-processes",
)

Sync: TypeAlias = Callable[[Any], object]
Coroutine: TypeAlias = Callable[[Any], Awaitable[object]]

_MOST_ITEMS = 1_000_000


@dataclass(frozen=True, slots=True)
class Function:
    """Calls of `sync`, of `coroutine` or, where there are both, of the one that suits the model; one for each item."""

    compiled: ClassVar[bool] = False
    warm_up: ClassVar[Task | None] = None

    sync: Sync | None
    coroutine: Coroutine | None
    items: tuple[object, ...] = field(repr=False)
    tasks: tuple[Task, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tasks = tuple(Task(n, shown(item), item=item) for n, item in enumerate(self.items))
        object.__setattr__(self, "tasks", tasks)

    @property
    def name(self) -> str:
        return label(self.coroutine if self.sync is None else self.sync)

    @property
    def params(self) -> dict[str, object]:
        given = {"function": self.sync, "coroutine": self.coroutine}
        return {role: None if each is None else label(each) for role, each in given.items()}

    @property
    def blocking(self) -> bool:
        return self.sync is not None

    @property
    def twins(self) -> bool:
        return self.coroutine is not None

    @property
    def default_workers(self) -> int:
        """Nobody knows whether the function waits or computes: as many as there are processors, 4 at least."""
        return min(len(self.items), max(4, usable_processors()))

    @contextmanager
    def serve(self) -> Iterator[Self]:
        yield self

    @contextmanager
    def open(self) -> Iterator[Callable[[Task], Outcome]]:
        """Without a function to call, the coroutine is awaited for one task after another, on a loop of its own."""
        if self.sync is not None:
            yield partial(_call, self.sync)
            return
        import asyncio

        with asyncio.Runner() as runner:
            yield lambda task: runner.run(_await(cast(Coroutine, self.coroutine), task))

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[Callable[[Task], Awaitable[Outcome]]]:
        """Without a coroutine, the function is called on the loop, which it blocks."""
        if self.coroutine is not None:
            yield partial(_await, self.coroutine)
            return
        sync = cast(Sync, self.sync)

        async def inline(task: Task) -> Outcome:
            return _call(sync, task)

        yield inline

    def __reduce__(self) -> tuple[object, ...]:
        return _unpacked, parcel.pack((self.sync, self.coroutine, self.items))


def _unpacked(*packed: Any) -> Function:
    return Function(*cast(tuple[Sync | None, Coroutine | None, tuple[object, ...]], parcel.unpack(*packed)))


def _call(function: Sync, task: Task) -> Outcome:
    try:
        return Outcome("ok", (Value(function(task.item)),))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() and a library's own kinds, too: none may end the run
        return _failed(error)


async def _await(coroutine: Coroutine, task: Task) -> Outcome:
    try:
        return Outcome("ok", (Value(await coroutine(task.item)),))
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        if _cancelled(error):
            raise
        return _failed(error)


def _cancelled(error: BaseException) -> bool:
    """Whether it is the run that is being cancelled, and not something that the coroutine awaited."""
    import asyncio  # a loop runs already

    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _failed(error: BaseException) -> Outcome:
    # Without its traceback, which would keep all that the function had in its hands.
    return Outcome("failed", (), type(error).__name__, words(error), Value(error.with_traceback(None)))


def label(function: object) -> str:
    """How a function is named: `mypkg.mymod:function`; a callable object by its class."""
    while isinstance(function, partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{getattr(named, '__module__', None) or 'builtins'}:{named.__qualname__}"


def workload(
    sync: Sync | None = None,
    *,
    coroutine: Coroutine | None = None,
    items: Iterable[object] | None = None,
    tasks: int | None = None,
) -> Function:
    """Calls of your own function, one for each item, which is its one argument.

    sync:      a function, which blocks; or an `async def`, which is then taken as `coroutine`.
    coroutine: its twin as an `async def`, for asyncio; both must give the same.
    items:     any objects; what processes are to be given must be picklable.
    tasks:     how many, with items taken in turn; as many as there are items when left out.

    >>> run = lanes.run(lanes.workload(len, items=["a", "bc"], tasks=3), "futures-threads")
    >>> [outcome.value[0].content for outcome in run.outcomes]
    [1, 2, 1]

    Raises ValueError without a function or without items, and for what is no such function.
    """
    if coroutine is None and _is_async(sync):
        sync, coroutine = None, cast(Coroutine, sync)
    _check(sync, "plain function")
    _check(coroutine, "coroutine function")
    if sync is None and coroutine is None:
        raise ValueError("no function: give one, or coroutine=, an async def, or both")
    listed = _listed(items, label(coroutine if sync is None else sync))
    count = len(listed) if tasks is None else whole(tasks, "tasks")
    return Function(sync, coroutine, tuple(listed[n % len(listed)] for n in range(count)))


def _check(function: object, role: str) -> None:
    """A `coroutine` may be anything that gives something to await: what wraps an `async def` need not be one."""
    if function is not None and (not callable(function) or (role == "plain function" and _is_async(function))):
        raise ValueError(f"{short(function)} is no {role}")


def _is_async(function: object) -> bool:
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(type(function), "__call__", None))  # noqa: B004


def _listed(items: Iterable[object] | None, name: str) -> tuple[object, ...]:
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        given = "" if items is None else f", not {short(items)}"
        raise ValueError(f"{name} needs items: a list of what it is called with, one for each task{given}")
    listed = tuple(islice(items, _MOST_ITEMS + 1))
    if not 1 <= len(listed) <= _MOST_ITEMS:
        raise ValueError(f"{name} needs from 1 to {_MOST_ITEMS:,} items, not {'more' if listed else 'none'}")
    return listed
