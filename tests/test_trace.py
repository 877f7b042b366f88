"""Results in the Chrome trace event format: what stands in a trace, and that it keeps the format's rules."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lanes
from lanes.anatomy import Anatomy
from lanes.backlog import Point
from lanes.claims import Trials
from lanes.comparison import Comparison, Difference
from lanes.laws import Judgement
from lanes.load import Load, LoadRow, Terms
from lanes.report import trace
from lanes.shown import Shown
from lanes.sweep import Sweep
from lanes.types import Closeup, MemoryAt, Outcome, Run, Span, Task
from lanes.workloads.wait import Wait
from results import RESULTS
from support import BASE, MACHINE, make_comparison, make_row, make_run

MS = 1_000_000
BEGAN = 10_000 * MS
"""When the runs of `make_run` begin."""

Event = dict[str, Any]


def valid(text: str) -> dict[str, Any]:
    """The document, if it keeps all rules of the format and those of lanes; else an AssertionError."""
    document = json.loads(text, parse_constant=_refuse, object_pairs_hook=_no_key_twice)
    assert isinstance(document, dict)
    assert set(document) == {"displayTimeUnit", "otherData", "traceEvents"}
    assert document["displayTimeUnit"] in ("ms", "ns")
    events = document["traceEvents"]
    kinds = [event["ph"] for event in events]
    assert "M" not in kinds[kinds.count("M") :], "what all is called comes first"
    timed = events[kinds.count("M") :]
    assert [event["ts"] for event in timed] == sorted(event["ts"] for event in timed)
    for event in events:
        _check(event)
    _check_names(events)
    _check_slices(timed)
    _check_pairs(timed)
    _check_counters(timed)
    return document


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not in JSON")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


FIELDS = {
    "M": {"args"},
    "X": {"cat", "ts", "dur"},
    "b": {"cat", "ts", "id2", "args"},
    "e": {"cat", "ts", "id2"},
    "C": {"ts", "args"},
    "i": {"cat", "ts", "s"},
}
MAY = {"X": {"tdur", "args"}}


def _check(event: Event) -> None:
    fields = {"ph", "name", "pid", "tid"} | FIELDS[event["ph"]]
    assert fields <= set(event) <= fields | MAY.get(event["ph"], set()), event
    assert isinstance(event["name"], str)
    assert event["name"]
    assert all(type(event[key]) is int and event[key] > 0 for key in ("pid", "tid"))
    for key in {"ts", "dur", "tdur"} & set(event):
        assert type(event[key]) is float
        assert 0.0 <= event[key] < math.inf, event
    assert event.get("s", "p") in ("g", "p", "t")
    args = event.get("args", {})
    assert isinstance(args, dict)
    assert all(isinstance(value, str | int | float) for value in args.values())
    json.dumps(event).encode("ascii")
    json.dumps(event, ensure_ascii=False).encode()  # no half of a pair of surrogates, at which readers stop


def _check_names(events: list[Event]) -> None:
    """Each process and each thread with slices has one name and one place, and a number of its own."""
    names = defaultdict(list)
    for event in events:
        if event["ph"] == "M":
            key = "name" if event["name"].endswith("_name") else "sort_index"
            assert set(event["args"]) == {key}
            assert type(event["args"][key]) is (str if key == "name" else int)
            names[event["name"], event["pid"], *([event["tid"]] if "thread" in event["name"] else [])].append(event)
    assert all(len(those) == 1 for those in names.values())
    for event in events:
        for what in ("name", "sort_index"):
            assert (f"process_{what}", event["pid"]) in names
            assert event["ph"] != "X" or (f"thread_{what}", event["pid"], event["tid"]) in names
    owners = defaultdict(set)
    for event in events:
        owners[event["tid"]].add(event["pid"])
    assert all(len(processes) == 1 for processes in owners.values()), "some readers go by the thread's number alone"


def _ns(us: float) -> int:
    """As Perfetto reads it: what is behind the third digit is cut off."""
    return int(us * 1000.0)


def _check_slices(events: list[Event]) -> None:
    """On one thread they lie within each other or apart."""
    threads = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            began = _ns(event["ts"])
            threads[event["tid"]].append((began, began + _ns(event["dur"])))
    for slices in threads.values():
        around: list[int] = []
        for began, ended in slices:
            while around and around[-1] <= began:
                around.pop()
            assert not around or ended <= around[-1], "it begins within another one and ends after it"
            around.append(ended)


def _check_pairs(events: list[Event]) -> None:
    begun: dict[tuple[object, ...], Event] = {}
    over = set()
    for event in events:
        if event["ph"] in "be":
            assert set(event["id2"]) == {"local"}
            key = event["pid"], event["cat"], event["id2"]["local"]
            assert isinstance(event["id2"]["local"], str)
            if event["ph"] == "b":
                assert key not in begun, "an id is used once"
                begun[key] = event
            else:
                assert key not in over
                over.add(key)
                assert begun[key]["name"] == event["name"]
                assert begun[key]["ts"] < event["ts"]
    assert over == set(begun), "whatever begins ends"


def _check_counters(events: list[Event]) -> None:
    series: dict[tuple[int, str], set[str]] = {}
    for event in events:
        if event["ph"] == "C":
            assert event["args"]
            assert all(type(value) in (int, float) and value >= 0 for value in event["args"].values())
            counted = series.setdefault((event["pid"], event["name"]), set(event["args"]))
            assert counted == set(event["args"]), "a counter has the same series each time"


def events_of(result: Shown, **choices: int) -> list[Event]:
    found: list[Event] = valid(trace.text([result], **choices))["traceEvents"]
    return found


def names_of(events: list[Event], what: str) -> dict[int, str]:
    return {
        event["pid" if what == "process" else "tid"]: event["args"]["name"]
        for event in events
        if event["name"] == f"{what}_name"
    }


def counted(events: list[Event], pid: int, name: str) -> list[tuple[float, dict[str, int]]]:
    return [(event["ts"], event["args"]) for event in events if (event["pid"], event["name"]) == (pid, name)]


def span(worker: int, start_ms: float, end_ms: float, cpu_ms: float = 0.0, *, thread: int = 1) -> Span:
    began, ended = BEGAN + round(start_ms * MS), BEGAN + round(end_ms * MS)
    return Span(worker, thread, 77, 3, began - MS, began, ended, round(cpu_ms * MS))


def run_of(model: str, body: str | None, *spans: Span, wall_s: float = 1.0) -> Run:
    return replace(make_run(model, body, wall_s, [Outcome("ok")] * len(spans)), spans=spans)


def result_of(*runs: Run, closeup: Closeup | None = None) -> Comparison:
    """A comparison of rows with one such run each, and a baseline of two tasks."""
    return make_comparison(*(replace(make_row(run.model, run.body, closeup=closeup), runs=(run,)) for run in runs))


def test_each_task_of_a_thread_is_a_complete_event_with_all_that_is_known_of_it() -> None:
    run = run_of("threading", "held", span(0, 20, 60, 10, thread=8), span(1, 30, 50.000001, 20, thread=9))
    events = events_of(result_of(run))
    (pid,) = (pid for pid, name in names_of(events, "process").items() if name == "threading/held")
    threads = {tid: name for tid, name in names_of(events, "thread").items() if name.startswith("thread")}
    assert list(threads.values()) == ["thread 0", "thread 1"]
    first, second = (event for event in events if event["pid"] == pid and event.get("cat") == "task")
    assert first == {
        "ph": "X",
        "name": "task 0",
        "cat": "task",
        "pid": pid,
        "tid": min(threads),
        "ts": 20_000.0,
        "dur": 40_000.0,
        "tdur": 10_000.0,
        "args": {
            "task": 0,
            "text": "",
            "body": "held",
            "worker": 0,
            "thread_id": 8,
            "process_id": 77,
            "cpu": 3,
            "claimed_s": 0.019,
            "started_s": 0.02,
            "finished_s": 0.06,
            "cpu_s": 0.01,
            "outcome": "ok",
        },
    }
    assert (second["tid"], second["ts"]) == (max(threads), 30_000.0)
    assert second["dur"] == pytest.approx(20_000.001, abs=1e-6), "to the nanosecond"


@pytest.mark.parametrize("model", ["asyncio", "native-epoll", "asyncio-native", "of-a-later-lanes"])
def test_tasks_that_overlap_on_a_loop_are_pairs(model: str) -> None:
    run = run_of(model, None, span(0, 10, 50), span(1, 10, 70), span(0, 50, 50), span(1, 70, 90))
    events = events_of(result_of(run))
    pairs = [event for event in events if event["ph"] in "be"]
    place = "worker" if model == "of-a-later-lanes" else "place"
    assert [(event["ph"], event["name"], event["id2"]["local"], event["ts"]) for event in pairs] == [
        ("b", f"{place} 0", "0x0", 10_000.0),
        ("b", f"{place} 1", "0x1", 10_000.0),
        ("e", f"{place} 0", "0x0", 50_000.0),
        ("b", f"{place} 0", "0x2", 50_000.0),
        ("e", f"{place} 0", "0x2", pytest.approx(50_000.001)),  # it took no time that the clock could tell
        ("e", f"{place} 1", "0x1", 70_000.0),
        ("b", f"{place} 1", "0x3", 70_000.0),
        ("e", f"{place} 1", "0x3", 90_000.0),
    ]
    assert pairs[0]["args"]["task"] == 0
    assert pairs[0]["args"]["thread_id"] == 1
    (pid,) = {event["pid"] for event in pairs}
    assert not [event for event in events if event["pid"] == pid and event["ph"] == "X" and event["cat"] == "task"]


def test_a_loop_with_one_place_has_pairs_as_well() -> None:
    events = events_of(result_of(run_of("asyncio", "python", span(0, 10, 50), span(0, 50, 60))))
    assert [event["ph"] for event in events if event["ph"] in "be"] == ["b", "e", "b", "e"]


def test_all_rows_begin_at_the_same_time_in_the_order_of_the_grid() -> None:
    later = replace(
        run_of("threading", "python", span(0, 5000, 5100)), began_ns=BEGAN + 4990 * MS, ended_ns=BEGAN + 5200 * MS
    )
    events = events_of(result_of(later, run_of("native-fork", None, span(0, 10, 20))))
    assert list(names_of(events, "process").values()) == ["serial/python", "threading/python", "native-fork"]
    order = [event["args"]["sort_index"] for event in events if event["name"] == "process_sort_index"]
    assert order == sorted(order)
    assert min(event["ts"] for event in events if event.get("cat") == "task" and event["args"]["worker"] == 0) == 10_000
    phases = [(event["name"], event["ts"], event["dur"]) for event in events if event.get("cat") == "run"]
    # The baseline, of 1.1 s, is of equal parts: two tasks, start-up and shutdown.
    assert [phase for phase in phases if phase[0] == "start-up"] == [
        ("start-up", 0.0, 275_000.0), ("start-up", 0.0, 9_000.0), ("start-up", 0.0, 9_000.0)
    ]  # fmt: skip
    assert ("shutdown", 110_000.0, 100_000.0) in phases


def test_the_workers_of_all_rows_have_numbers_of_their_own() -> None:
    """The kernel's come again: each row's worker is thread 1 of process 77."""
    events = events_of(result_of(*(run_of(model, None, span(0, 1, 2)) for model in ("threading", "native-pthreads"))))
    tasks = [event for event in events if event.get("cat") == "task" and event["args"]["process_id"] == 77]
    assert len({(event["pid"], event["tid"]) for event in tasks}) == 2
    assert {event["args"]["thread_id"] for event in tasks} == {1}


def test_counters_tell_what_was_in_flight_and_what_nobody_had_claimed() -> None:
    run = run_of("threading", "python", span(0, 10, 30), span(1, 20, 40, thread=2), span(0, 30, 50))
    events = events_of(result_of(run))
    pid = max(names_of(events, "process"))
    assert counted(events, pid, "tasks") == [
        (0.0, {"in flight": 0, "not claimed": 3}),
        (9_000.0, {"in flight": 0, "not claimed": 2}),
        (10_000.0, {"in flight": 1, "not claimed": 2}),
        (19_000.0, {"in flight": 1, "not claimed": 1}),
        (20_000.0, {"in flight": 2, "not claimed": 1}),
        (29_000.0, {"in flight": 2, "not claimed": 0}),
        (30_000.0, {"in flight": 2, "not claimed": 0}),  # one ended as another began
        (40_000.0, {"in flight": 1, "not claimed": 0}),
        (50_000.0, {"in flight": 0, "not claimed": 0}),
    ]


def test_a_counter_that_changes_often_leaves_some_changes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_MOST_POINTS", 50)
    run = run_of("serial", "held", *(span(0, 10 + n, 11 + n) for n in range(200)))
    events = events_of(result_of(run))
    points = counted(events, max(names_of(events, "process")), "tasks")
    assert 10 < len(points) <= 51
    assert points[-1] == (210_000.0, {"in flight": 0, "not claimed": 0}), "it ends as it ended"


def test_memory_is_a_counter_where_it_was_looked_at_while_it_changed() -> None:
    seen = Closeup(peak_pss_bytes=9000, memory=(MemoryAt(0.1, 4096), MemoryAt(0.2, 8192)))
    run = run_of("threading", "python", span(0, 10, 30), wall_s=0.5)
    events = events_of(result_of(run, closeup=seen))
    assert counted(events, max(names_of(events, "process")), "memory") == [
        (100_000.0, {"bytes": 4096}),
        (200_000.0, {"bytes": 8192}),
        (500_000.0, {"bytes": 0}),  # its process is gone
    ]
    alone = events_of(result_of(run, closeup=Closeup(peak_pss_bytes=9000)))
    assert not [event for event in alone if event["name"] == "memory"], "a peak is no series"


def test_rows_that_did_not_run_or_are_void_say_so() -> None:
    broken = (Judgement("in time", True, "yes"), Judgement("not throttled", False, "it stood still"))
    different = Difference(0, 0, "", Outcome("ok", (1,)), Outcome("ok", (2,)))
    result = make_comparison(
        make_row("asyncio", "released", reason="the loop waits"),
        make_row("threading", "held", error="the process of this sample was killed\ud800"),
        make_row("native-fork", None, BASE, BASE, judgements=broken),
        make_row("native-epoll", None, BASE, BASE, differences=(different,)),
    )
    events = events_of(result)
    names = names_of(events, "process")
    said = [(names[event["pid"]], event["name"], event["ts"]) for event in events if event["ph"] == "i"]
    assert said == [
        ("asyncio/released", "no sense: the loop waits", 0.0),
        ("threading/held", "error: the process of this sample was killed\\ud800", 0.0),
        ("native-fork", "void: broken law: not throttled (it stood still)", 0.0),
        ("native-epoll", "DIFFERS", 0.0),
    ]
    assert {names[event["pid"]] for event in events if event.get("cat") == "task"} == {
        "serial/python", "native-fork", "native-epoll"
    }  # fmt: skip


def test_outcomes_are_told_where_they_are_known() -> None:
    failed = (Outcome("ok", (1,)), Outcome("failed", (), "Connect\ud800Error", "refused"))
    kept = make_run("threading", "python", 1.2, failed)
    others = [replace(make_run("threading", "python", wall), outcomes=()) for wall in (1.0, 1.1)]

    def told(agrees: bool) -> list[object]:
        difference = Difference(1, 0, "", Outcome("ok", (1,)), Outcome("ok", (2,)))
        row = replace(
            make_row("threading", "python", differences=() if agrees else (difference,)),
            runs=(kept, *others),
            ratios=(1.0, 1.0, 1.0),
        )
        events = events_of(make_comparison(row))
        pid = max(names_of(events, "process"))
        found = [event["args"].get("outcome") for event in events if event.get("cat") == "task" and event["pid"] == pid]
        assert len(found) == 2
        return found

    assert told(agrees=True) == ["ok", "failed: Connect\\ud800Error"], "those of the first run, which all others gave"
    assert told(agrees=False) == [None, None], "what came of it in the typical run is not kept"


def test_spans_for_which_there_is_no_room_are_dropped_and_counted() -> None:
    many = run_of("threading", "python", *(span(n % 2, 10 + n, 12 + n, thread=n % 2) for n in range(20)))
    few = run_of("native-pthreads", None, span(0, 10, 12), span(0, 13, 14))
    result = result_of(many, few)
    whole = valid(trace.text([result]))
    assert (whole["otherData"]["overflow"], whole["otherData"]["spans_dropped"]) == (False, 0)
    document = valid(trace.text([result], most_spans=15))
    events = document["traceEvents"]
    assert (document["otherData"]["overflow"], document["otherData"]["spans_dropped"]) == (True, 9)
    names = names_of(events, "process")
    shown = [(names[event["pid"]], event["args"]["task"]) for event in events if event.get("cat") == "task"]
    assert [task for name, task in shown if name == "threading/python"] == [*range(11)], "those that began first"
    assert len(shown) == 15, "the others have all of theirs"
    (instant,) = (event for event in events if event["ph"] == "i")
    assert (names[instant["pid"]], instant["ts"]) == ("threading/python", 21_000.0), "where the first is missing"
    assert instant["name"] == "9 spans dropped: there was room for 11 of this row"
    pid = next(pid for pid, name in names.items() if name == "threading/python")
    assert counted(events, pid, "tasks")[-1] == (31_000.0, {"in flight": 0, "not claimed": 0}), "counters know of all"
    with pytest.raises(ValueError, match="most_spans must be"):
        trace.text([result], most_spans=0)


def test_whatever_a_user_has_put_there_is_text(tmp_path: Path) -> None:
    texts = ("http://x/?a=\"b\"&c=</script>", "\ud83d half of a pair \x00\n\u2028")  # fmt: skip
    workload = Wait(2, (50_000_000,))
    result = result_of(run_of("threading", "python", span(0, 10, 30), span(0, 30, 40)))

    class Named:
        name = workload.name
        params = workload.params
        tasks = tuple(Task(n, text) for n, text in enumerate(texts))

    result = replace(result, workload=Named())  # type: ignore[arg-type]
    events = events_of(result)
    pid = max(names_of(events, "process"))
    told = [event["args"]["text"] for event in events if event.get("cat") == "task" and event["pid"] == pid]
    assert told == [texts[0], "\\ud83d half of a pair \x00\n\u2028"]


@pytest.mark.parametrize("ns", [1, 999, 1001, 123_456_789, 10**12 + 7, *range(1_000_003, 1_000_400, 7)])
def test_a_reader_that_cuts_off_reads_every_nanosecond(ns: int) -> None:
    assert int(trace._us(ns / 1e9) * 1000.0) == ns
    assert int(json.loads(json.dumps(trace._us(ns / 1e9))) * 1000.0) == ns


def test_what_is_known_of_the_machine_comes_along() -> None:
    about = valid(trace.text([make_comparison()]))["otherData"]
    assert about["lanes"] == lanes.__version__
    assert about["results"] == [
        {"workload": "wait", "params": {"duration_s": [0.05]}, "seed": 7, "machine": MACHINE},
    ]


def test_a_sweep_has_a_process_for_every_number_of_workers() -> None:
    rows = [make_row("threading", "python", BASE, BASE, workers=workers) for workers in (1, 2)]
    events = events_of(Sweep(make_comparison(*rows), (1, 2), ()))
    assert list(names_of(events, "process").values()) == [
        "serial/python", "threading/python, 1 worker", "threading/python, 2 workers"
    ]  # fmt: skip


def test_several_results_say_which_workload_is_which() -> None:
    events = valid(trace.text([make_comparison(), make_load(LOAD_ROW)]))["traceEvents"]
    assert list(names_of(events, "process").values()) == ["wait: serial/python", "wait: threading/python"]


LOAD_ROW = LoadRow(
    "threading", "python", "python", 2, 10, 6, 0, 0, 4,
    series=(Point(0.5, 3, 0, 1, 20.0, 0.02), Point(1.0, 7, 2, 2, 10.0, None)), memory=(MemoryAt(0.3, 4096),),
)  # fmt: skip


def make_load(*rows: LoadRow) -> Load:
    terms = Terms(100.0, "constant", 1.0, 64, "reject", 3.0)
    return Load(Wait(2, (20_000_000,)), terms, 100, 5, MACHINE, rows)


def test_a_load_has_counters_of_what_waited_and_what_was_at_work() -> None:
    ended = replace(LOAD_ROW, model="asyncio", error="killed", series=(), memory=())
    senseless = LoadRow("native-fork", "native", None, 2, reason="because")
    events = events_of(make_load(LOAD_ROW, ended, senseless))
    first, second, third = names_of(events, "process")
    assert counted(events, first, "tasks") == [
        (0.0, {"at work": 1, "backlog": 3, "outside": 0}),
        (500_000.0, {"at work": 2, "backlog": 7, "outside": 2}),
        (1_000_000.0, {"at work": 0, "backlog": 0, "outside": 0}),
    ]
    assert counted(events, first, "memory") == [(300_000.0, {"bytes": 4096}), (1_000_000.0, {"bytes": 0})]
    said = [(event["pid"], event["name"]) for event in events if event["ph"] == "i"]
    assert said == [(second, "error: killed"), (third, "no sense: because")]


@pytest.mark.parametrize("kind", [Trials, Anatomy])
def test_what_has_no_lanes_is_refused_in_one_line(kind: type[Shown]) -> None:
    with pytest.raises(ValueError, match=rf"^a trace shows a Comparison, a Sweep or a Load: {kind.__name__} has no "):
        kind.__new__(kind).to_trace()


def test_a_trace_is_returned_and_written(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    result = make_comparison(make_row("threading", "python", BASE, BASE))
    assert result.to_trace(path) == path.read_text() == trace.text([result])
    assert result.to_trace() == path.read_text()
    with pytest.raises(FileNotFoundError, match=r"cannot write .*: there is no directory"):
        result.to_trace(tmp_path / "nowhere" / "trace.json")


@pytest.mark.parametrize("kind", [kind for kind, result in RESULTS.items() if not isinstance(result, Trials | Anatomy)])
def test_a_result_from_a_file_has_the_same_trace(kind: str, tmp_path: Path) -> None:
    RESULTS[kind].to_json(tmp_path / "result.json")
    valid(trace.text([RESULTS[kind]]))
    assert trace.text([lanes.read(tmp_path / "result.json")]) == trace.text([RESULTS[kind]])


def test_what_was_really_run_keeps_the_rules() -> None:
    chosen = ["threading", "multiprocessing", "asyncio", "native-pthreads", "native-epoll", "native-fork"]
    result = lanes.compare(lanes.wait(tasks=12, duration="4ms"), models=chosen, bodies="python", workers=3, rounds=2)
    events = events_of(result)
    names = names_of(events, "process")
    for kind, models in (("X", chosen[:2]), ("b", ["asyncio", "native-epoll"])):
        for model in models:
            pid = next(pid for pid, name in names.items() if name.partition("/")[0] == model)
            tasks = [event for event in events if (event["pid"], event["ph"], event.get("cat")) == (pid, kind, "task")]
            assert sorted(event["args"]["task"] for event in tasks) == list(range(12))
            assert {event["args"]["outcome"] for event in tasks} == {"ok"}
            row = result[model]
            assert max(args["in flight"] for _, args in counted(events, pid, "tasks")) <= 3
            (most,) = (run.in_flight.max for run in (row.typical,) if run)
            assert max(args["in flight"] for _, args in counted(events, pid, "tasks")) == most
            # A run may be over too soon for a look.
            seen = [args["bytes"] for _, args in counted(events, pid, "memory")]
            assert seen[:-1] == [size for _, size in row.closeup.memory] if row.closeup else not seen
    assert any(event["args"]["bytes"] > 2**20 for event in events if event["name"] == "memory")


def test_a_load_that_was_really_run_keeps_the_rules() -> None:
    result = lanes.load(
        lanes.wait(tasks=2, duration="5ms"), rate=100, duration="0.5s", models="native-epoll", workers=1
    )
    events = events_of(result)
    (pid,) = names_of(events, "process")
    assert max(args["at work"] for _, args in counted(events, pid, "tasks")) == 1
    assert counted(events, pid, "memory")
