"""Where the time of a run went, in one sentence, by a fixed rule.

The first of these that holds, of the workers' time (workers times work, see `lanes.measure.Split`):

1. a fifth or more waiting for the GIL:        "took turns on the GIL: 48 % of its time waiting for it"
2. a fifth or more in the run queue:           "waited for a processor for 42 % of its time: 4 workers on 2"
   Then, where waits for the GIL are not known and a fifth or more is blocked: that it is not known.
3. half or more blocked, 1.5 tasks in flight:  "overlapped 15.8 waits; 3 % CPU"
4. half or more blocked, fewer in flight:      "waited for one task at a time; 3 % CPU"
5. half or more on a processor, on 1.2 or more at once: "computed on 1.9 processors at once"
6. half or more on a processor, on fewer:      "computed on one processor; 98 % CPU"
7. else the parts: "45 % CPU, 15 % run queue, 12 % GIL, 28 % blocked"

Of less than a millisecond of work nothing is said: what a worker did before its first task would weigh too much.
Start-up and shutdown that take half of the wall or more come first: "62 % start-up and shutdown; then ...".
"""

from __future__ import annotations

from lanes.measure import Split, split
from lanes.types import Run

_MUCH, _MOST = 0.2, 0.5
_TOGETHER, _PARALLEL = 1.5, 1.2
LEAST_S = 0.001
"""A run whose work is shorter says nothing of where its time went."""


def where_time_went(run: Run, processors: int) -> str | None:
    """The sentence; None for a run without counters."""
    parts = split(run)
    if parts is None:
        return None
    if run.work_s < LEAST_S:
        return "too short to tell"
    aside = (run.startup_s + run.shutdown_s) / run.wall_s
    said = _of_work(run, parts, processors)
    return f"{aside:.0%} start-up and shutdown; then {said}" if aside >= _MOST else said


def _of_work(run: Run, parts: Split, processors: int) -> str:
    spent = parts.cpu_s, parts.run_queue_s, parts.gil_wait_s or 0.0, parts.blocked_s
    # The counters begin a moment before the work, so of very short work a part may seem to be more than all of it.
    cpu, queue, gil, blocked = (min(1.0, parts.share(each)) for each in spent)
    if gil >= _MUCH:
        return f"took turns on the GIL: {gil:.0%} of its time waiting for it"
    if queue >= _MUCH:
        crew = f"{parts.workers} worker{'s' if parts.workers > 1 else ''}"
        return f"waited for a processor for {queue:.0%} of its time: {crew} on {processors}"
    if blocked >= _MUCH and parts.gil_wait_s is None and parts.workers > 1:
        return f"{cpu:.0%} CPU, {queue:.0%} run queue; the rest waited, for the GIL or else, which is not known here"
    if blocked >= _MOST:
        many = run.in_flight.mean
        how = f"overlapped {many:.1f} waits" if many >= _TOGETHER else "waited for one task at a time"
        return f"{how}; {cpu:.0%} CPU"
    if cpu >= _MOST:
        at_once = parts.cpu_s / run.work_s if run.work_s else 0.0
        if at_once >= _PARALLEL:
            return f"computed on {at_once:.1f} processors at once"
        return f"computed on one processor; {cpu:.0%} CPU"
    return f"{cpu:.0%} CPU, {queue:.0%} run queue, {gil:.0%} GIL, {blocked:.0%} blocked"
