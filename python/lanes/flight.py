"""Native runs that a loop awaits: asyncio's own, or another that has `add_reader`, such as uvloop's.

The engine has a descriptor for each run, which becomes readable when a step is due: workers have ended, or what they
wait for has come. So the loop waits for it beside everything else: there is no thread, nobody looks again and again,
and whatever cancels the coroutine stops the workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import starmap

from lanes import _core, models
from lanes.measure import Meter
from lanes.run import account, as_workload, choose, crew, no_c_body, sharing
from lanes.types import Run, Workload
from lanes.units import short
from lanes.work import Work, done

AWAITABLE = ("native-pthreads", "native-fork", "native-epoll", "asyncio-native")


async def run_async(workload: Workload, model: str, workers: int | None = None) -> Run:
    """Run all tasks of `workload` once on a native `model`, while the loop goes on with whatever else it has to do.

    model:   "native-epoll", which shares the loop's thread and takes work that waits (download, wait);
             "native-pthreads"; "native-fork", which forks this process; or "asyncio-native", the first of these where
             it can be, else the second.
    workers: as in `lanes.run`.

    Several may be awaited at once, but native-fork only alone. When this is cancelled, by a time-out or otherwise, all
    workers are gone within 100 ms, and before this is left. The run's cpu_s counts all of the process, and so what else
    the loop did; counters there are none.

    >>> import asyncio
    >>> run = asyncio.run(lanes.run_async(lanes.wait(tasks=100, duration="10ms"), "native-epoll", workers=100))
    >>> run.in_flight.max
    100

    An embedded origin, which takes a moment to start, is started by a helper thread. To have none, or to keep the
    origin for several runs, serve the workload yourself, with `with workload.serve() as served:`, and give that.

    Raises ValueError for what does not exist, makes no sense or is more than the limits of this machine allow;
    RuntimeError for native-fork beside other native work, and for that beside native-fork.
    """
    if callable(workload):
        raise no_c_body(short(workload))
    workload = as_workload(workload, None)
    column, _ = choose(workload, model, None)
    if model not in AWAITABLE:
        raise ValueError(f"a loop cannot await {model}: choose from {', '.join(AWAITABLE)}")
    workers = crew(workload, column, workers)
    async with _serving(workload) as served:
        with sharing(served, column, None, workers) as shared:
            work = Work(shared, "released", model=model)
            _core.load(served.name)
            with Meter(workers, counting=False) as meter:
                records = await fly(model, work, workers)
            return account(work, column, None, workers, starmap(done, enumerate(records)), meter)


async def fly(model: str, work: Work, workers: int) -> _core.Records:
    """Run all tasks of the work on a native model. However this is left, all workers are gone by then."""
    workload = work.workload.name
    engine = models.engine(model, workload)
    shared = work.ledger, work.warm_up, work.area, work.arrivals
    with _core.begin(engine, workload, work.inputs, workers, *shared) as flight:
        if not flight.step():
            await _landing(flight)
        return flight.finish()


async def _landing(flight: _core.Flight) -> None:
    """Step whenever a step is due, until all is over."""
    loop = asyncio.get_running_loop()
    landed: asyncio.Future[None] = loop.create_future()

    def step() -> None:
        if landed.done():  # cancelled in this very turn of the loop
            return
        try:
            if flight.step():
                landed.set_result(None)
        except Exception as error:  # the loop would tell its log, and call again at once
            landed.set_exception(error)

    descriptor = flight.fileno()
    loop.add_reader(descriptor, step)
    try:
        await landed
    finally:
        loop.remove_reader(descriptor)


@asynccontextmanager
async def _serving(workload: Workload) -> AsyncIterator[Workload]:
    """Serve a workload. That takes long only where it starts an origin: for downloads that have no URLs yet."""
    serving = workload.serve()
    if getattr(workload, "urls", None) != ():
        with serving as served:
            yield served
        return

    def leave(entered: Future[Workload]) -> None:
        if not entered.cancelled() and entered.exception() is None:
            serving.__exit__(None, None, None)

    helper = ThreadPoolExecutor(1, "lanes-serve")
    entering = helper.submit(serving.__enter__)
    helper.shutdown(wait=False)  # its thread ends with the call
    try:
        yield await asyncio.wrap_future(entering)
    finally:
        entering.add_done_callback(leave)  # at once; or by the helper, where it is still at it and nobody waits for it
