"""Results as JSON, version 1. Fields are added, never renamed. `lanes.read` makes results of it again.

One comparison:

    schema    1
    label     what it was made for, such as the name of a test; null where nobody said
    workload  name, params (the user's choices) and tasks (how many); texts, of each task, or none where all are empty;
              compiled, whether there is a C body; units of its figures and remarks on them, null where it has none
    machine   what the result depends on: see lanes/machine.py
    rounds    how many samples each row was to have
    budget_s  the time that they were to take; null where the number of rounds was given
    seed      of all that was left to chance, the order of the samples first; --seed repeats it
    distance  from Python threads to native threads: interpreter, gil, dispatch, total; null without the rows it needs
    rows      in the order of the grid

A row:

    model, family, body      model as typed, brackets included: "multiprocessing[spawn]"; body is null for native models
    variant                  what stands in the brackets of the model, or null
    switching                who decides when one worker gives way to another
    processors               how many its workers can use, with this body on this interpreter: "1" or "many"
    workers                  threads, processes or tasks in flight
    wall_s                   samples, one a round, median and ci95; seconds, start-up and shutdown of workers included
    speedup                  samples, median and ci95 of the baseline's wall over this row's in the same round; outliers
    verdict                  "faster", "slower" or "cannot tell" than the baseline; null for that and for void rows
    measured                 the same whatever the laws say: word, factor and its ci95, or null
    laws                     name, held and why of each law that applies; a broken one voids the verdict
    cpu_s, cores             medians: CPU seconds of the process and its children; processors kept busy
    in_flight                tasks begun and not finished: mean over the work (the median of the runs), max of all runs;
                             more of them than cores is concurrency, no more is parallelism
    startup_s                of the typical run, until the first task was taken
    work_s, shutdown_s       then until the last had ended; and from there to the end
    split                    of the typical run, seconds of its workers while at work: cpu_user_s, cpu_system_s,
                             run_queue_s, gil_wait_s, blocked_s; they add up to total_s, workers times work_s
    gil                      of the typical run: wait_s of all workers, wait_share of their time, handovers, method and
                             cost_s of measuring; null for native models. method is null where there is no GIL, and
                             where waits for it cannot be measured; handovers are those of the process that runs the
                             model, not of worker processes
    switches                 voluntary and involuntary context switches of the typical run's workers
    cpus                     how many processors its tasks started on
    workers_used             of the typical run, per worker: process_id, thread_id, ready_s and ended_s since the start
                             of the run, its parts of the split but blocked, and its context switches
    counters                 of the typical run: gil, whether there is one; gil_method; gil_cost_s, of timing one wait;
                             handovers; null for a run that was not counted
    runs                     of each round cpu_s, in_flight, figures, throttled_s (how long its control group stood
                             still) and others_s (CPU seconds of others)
    failed                   of the first round the outcomes that are not "ok", each with its task; all others are
    figures                  what the workload measured of itself, by name: unit, median, and samples, one for each
                             round in which it was known; {} where it measures nothing but time. Which there are, and
                             how they are measured, stands at the top of its file in lanes/workloads
    memory                   peak_pss_bytes of the process and its children, peak_rss_bytes of each; series, the first
                             as it changed: at_s since the start of the run, and as many pss_bytes; a run of its own
    pickle                   bytes and seconds, in a run of its own; null where nothing is pickled
    loop_lag                 sum_s and max_s that callbacks stood ready, in a run of its own; null without a loop
    pulse                    in a run of its own, how late something came that tried to beat every period_s beside the
                             work: where ("loop" or "thread"), beats that were due, missed, the ones that came no sooner
                             than the next was due, p50_s, p99_s and max_s; null without --pulse
    closeup_error            why such a run showed nothing, or null; pulse_error and log_error (of --log) likewise
    why                      where the time of the typical run went, in one sentence
    start_method             how worker processes were started; null where there were none
    agrees                   whether all outcomes are the baseline's (serial, python); null when it did not run
    differences              task, text, round, expected and got: status, value (whole numbers, or a function's result
                             in words), error, detail
    error                    why its runs ended early, in one line, or null
    stall                    where every worker stood when the deadline came, see below; null where none came
    reason                   why the cell makes no sense, or null; such a row has no samples
    origin_busy              share of a run's wall for which the embedded origin computed, at its worst, or null
    spans                    of the typical run, the one with the median wall, in the order of the tasks

A sweep has rows for every number of workers and, under "sweep", these workers and curves: model, body, workers and
speedup (the medians); amdahl and usl, each with single, contention, coherence, r_squared and peak_workers, or null;
best_workers; pays_off_s, the length of a serial task above which the model is faster, null where never_pays_off.

A stall: deadline_s and processes, each with process_id, parent_id, name, state, source (who said where its threads
stood: "process" itself, its "faulthandler", where it did not come to say so, or only the "kernel") and

    threads                  name, thread_id; frames, the innermost last: function, file, line, code; waits_for, and
                             held_by, a thread_id, where they are certain; state, system_call and waits_in, as the
                             kernel saw the thread
    coroutines               the asyncio tasks of its loops: name, waits_for and frames, the chain of what it awaits
    native                   the native tasks: name (the model), worker, thread_id, state, system_call, waits_in

of which each says with at_work, task, text and for_s whether it did a task of lanes, which, and for how long. Where
faulthandler was the source, threads with frames have no thread_id, but for the main one, and stand beside the kernel's.

What `lanes anatomy --json` writes has schema, workload, machine and seed, and under "anatomy" a list of looks, in the
order of the grid; sizes are in bytes. A look:

    model, body, workers     as in a row
    tasks, repeats           how many tasks there were, each of the workload's so many times, to make the work last
    at_s, work_s, took_s     when it was taken, since the first task was; how long the work took, and the look
    in_flight                tasks begun and not finished at that moment
    pss_bytes                of all processes together
    kernel                   stack_bytes: of a thread's stack in the kernel, the machine's average, or null; structures:
                             the size of one of each by name, as slabinfo tells root; else empty
    processes                each before its children: process_id, parent_id, name (the kernel's), command, forked,
                             resident_bytes, pss_bytes, page_tables_bytes, descriptor_slots; and
      threads                thread_id, name, state, wchan, cpu (where it was last), cpu_user_s, cpu_system_s,
                             run_queue_s, voluntary, involuntary, stack_bytes, tasks (those that it was at)
      areas                  code, read-only data, data and heap, stacks, shared memory, reserved, kernel's; of each
                             mappings, and size, resident, pss, shared_clean, shared_dirty, private_clean,
                             private_dirty and swap, each with _bytes. They add up to the kernel's totals
      since_fork             of a copy of its parent shared_bytes, copied_bytes and new_bytes: of the pages that it can
                             write to; null for others
      descriptors            number, kind (file, pipe, socket, eventfd, epoll, memfd, ...), target
    reason, error            why the cell makes no sense, or why there was nothing to be seen; or null

A load has schema, workload, machine and seed as above, no rows of a comparison, and under "load":

    rate                     arrivals a second; arrivals, "constant" or "poisson"; for_s, for how long they came
    queue, full              how many may wait, null for any number; "wait" or "reject", what comes to a full one
    open_s                   what had not begun so long after the beginning is left
    offered                  how many tasks arrived at each model
    unchecked                why no outcomes could be held against the baseline's, or null
    rows                     in the order of the grid: model, family, body, workers; arrived, and what adds up to it:
                             completed, failed, rejected, left; waiting_s (from due to started), working_s (from there
                             to finished), latency_s (from due to finished) and slip_s (from due to admitted, the
                             producer's), each with p50, p90, p99 and max, or null where no task came so far;
                             most_backlog (in the queue) and most_at_work (begun and not finished); served, tasks
                             finished a second; peak_pss_bytes, and memory, which has at_s since the beginning and
                             as many pss_bytes; series; agrees, differences, error, stall and reason
    series                   of a row, in intervals of equal length: until_s; the most in it of backlog, outside (due,
                             and kept waiting by a full queue) and at_work; served a second; service_s, the median of
                             working_s of those finished in it, or null

A span: task, worker, thread_id, process_id, cpu, and in seconds since the start of its run claimed_s, started_s,
finished_s; cpu_s is the CPU time of its worker's thread. Several comparisons written at once are
{"schema": 1, "comparisons": [...]}, each as above. Numbers that are not known are null.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lanes.anatomy import Anatomy
from lanes.claims import Trials
from lanes.comparison import Comparison
from lanes.load import Load
from lanes.report import anatomy, claims, comparison, load, sweep
from lanes.report.files import SCHEMA, dumped, write_text
from lanes.shown import Shown
from lanes.sweep import Sweep


def document(result: Shown) -> dict[str, object]:
    """A result as what JSON can hold."""
    match result:
        case Comparison():
            return comparison.document(result)
        case Sweep():
            return sweep.document(result)
        case Load():
            return load.document(result)
        case Trials():
            return claims.document(result)
        case Anatomy():
            return anatomy.document(result)
    raise TypeError(f"{type(result).__name__} is no result of lanes")


def text(results: Sequence[Shown]) -> str:
    """One result as itself, several as a list."""
    documents = [document(result) for result in results]
    return dumped(documents[0] if len(documents) == 1 else {"schema": SCHEMA, "comparisons": documents})


def write(results: Sequence[Shown], path: Path) -> None:
    """Write the file as a whole or not at all; a pipe or a device is written to as it is."""
    write_text(text(results), path)
