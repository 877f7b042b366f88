"""A user's own function on every Python model: what it gives, how it fails, and what may be handed to it."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lanes
from lanes import models, sample
from lanes.run import execute
from lanes.types import Outcome
from lanes.value import UnpicklableError, Value
from lanes.workloads.function import Function, label, workload

PYTHON = models.FAMILIES["python"]
PROCESSES = ("multiprocessing", "multiprocessing-pool", "futures-processes", "asyncio-processes")
INSIDE = [name for name in PYTHON if name not in PROCESSES]
NOT_AWAITING = [name for name in PYTHON if name not in ("serial", "asyncio")]


def square(n: int) -> int:
    return n * n


async def slow_square(n: int) -> int:
    await asyncio.sleep(0.02)
    return n * n


class Library(BaseException):
    """What some libraries raise is no Exception."""


class TwoPartsError(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} {second}")


def moody(n: int) -> int:
    match n:
        case 1:
            raise KeyError("one\ntwo")
        case 2:
            sys.exit(3)
        case 3:
            raise Library("three")
        case 4:
            raise asyncio.CancelledError
    return n


async def moody_async(n: int) -> int:
    await asyncio.sleep(0)
    return moody(n)


MOODS = (
    Outcome("ok", (Value(0),)),
    Outcome("failed", error="KeyError"),
    Outcome("failed", error="SystemExit"),
    Outcome("failed", error="Library"),
    Outcome("failed", error="CancelledError"),
    Outcome("ok", (Value(5),)),
)


def values(run: lanes.Run) -> list[object]:
    assert all(isinstance(value, Value) for outcome in run.outcomes for value in outcome.value)
    return [value.content for outcome in run.outcomes for value in outcome.value if isinstance(value, Value)]


def both(function: Callable[..., object], items: list[object]) -> Iterator[lanes.Run]:
    """Runs on the models that stay in one process, here and as samples."""
    for model in INSIDE:
        yield lanes.run(function, model, items=items, workers=2)
        yield sample.take(workload(function, items=items), model, "python", 2)


@pytest.mark.parametrize("model", PYTHON)
def test_a_function_gives_what_it_gives(model: str) -> None:
    run = lanes.run(square, model, items=range(5), workers=2)
    assert values(run) == [0, 1, 4, 9, 16]
    assert (run.workload, run.body) == ("test_function:square", "python")
    assert run.outcomes == sample.take(workload(square, items=range(5)), model, "python", 2).outcomes


@pytest.mark.parametrize("model", PYTHON)
def test_an_exception_is_the_outcome_of_its_task(model: str) -> None:
    run = lanes.run(moody, model, items=range(6), workers=2)
    assert run.outcomes == MOODS
    assert run.outcomes[1].detail == "'one\\ntwo'"
    (raised,) = (run.outcomes[2].raised,)
    assert isinstance(raised, Value)
    assert isinstance(raised.content, SystemExit)
    assert raised.content.code == 3


@pytest.mark.parametrize("model", ["serial", "asyncio"])
def test_an_exception_is_the_outcome_of_its_coroutine(model: str) -> None:
    assert lanes.run(moody_async, model, items=range(6), workers=2).outcomes == MOODS


def test_a_coroutine_alone_overlaps_on_asyncio_and_is_awaited_in_turn_on_serial() -> None:
    runs = {model: lanes.run(slow_square, model, items=range(4), workers=4) for model in ("serial", "asyncio")}
    assert all(values(run) == [0, 1, 4, 9] for run in runs.values())
    starts = {model: [span.started_ns for span in run.spans] for model, run in runs.items()}
    ends = {model: [span.finished_ns for span in run.spans] for model, run in runs.items()}
    assert max(starts["asyncio"]) < min(ends["asyncio"])
    assert all(end <= start for end, start in zip(ends["serial"], starts["serial"][1:], strict=False))


@pytest.mark.parametrize("model", NOT_AWAITING)
def test_a_coroutine_alone_makes_no_sense_without_a_loop(model: str) -> None:
    with pytest.raises(ValueError, match=r"an async def needs a loop: give it a sync twin with lanes.workload\(sync"):
        lanes.run(slow_square, model, items=[1])


def test_a_function_alone_blocks_the_loop() -> None:
    run = lanes.run(lambda n: time.sleep(n), "asyncio", items=[0.01] * 3, workers=3)
    first, second, third = run.spans
    assert first.finished_ns <= second.started_ns
    assert second.finished_ns <= third.started_ns


@pytest.mark.parametrize("model", PYTHON)
def test_of_twins_each_model_takes_its_own(model: str) -> None:
    async def here(n: int) -> str:
        return "async"

    twins = workload(lambda n: "sync", coroutine=here, items=[1, 2])
    assert values(lanes.run(twins, model)) == ["async" if model == "asyncio" else "sync"] * 2


@pytest.mark.parametrize("model", ["serial", "asyncio"])
def test_a_coroutine_runs_inside_a_running_loop(model: str) -> None:
    async def notebook() -> lanes.Run:
        return lanes.run(slow_square, model, items=[3])

    run = asyncio.run(notebook())
    assert values(run) == [9]
    assert run.spans[0].process_id != os.getpid()


def test_the_rows_are_the_python_models_with_a_python_body() -> None:
    result = lanes.compare(square, [1, 2], rounds=1)
    assert [row.name for row in result] == [f"{model}/python" for model in PYTHON]
    assert result.ok, [(row.name, row.error, row.differences) for row in result]
    assert "held, released and native models are left out: a Python function has no C body" in str(result)
    assert str(result).startswith("test_function:square: 2 tasks\n")
    result = lanes.compare(slow_square, [1, 2], rounds=1)
    assert result.ok
    assert [row.model for row in result if row.reason is None] == ["serial", "asyncio"]
    assert [row.model for row in result if row.reason] == NOT_AWAITING


@pytest.mark.parametrize("choices", [{"models": "native"}, {"bodies": "held"}, {"models": "native-fork,native-serial"}])
def test_when_no_cell_is_left_that_is_said(choices: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^test_function:square is a Python function without a body in C"):
        lanes.compare(square, [1], **choices)  # type: ignore[arg-type]  # of several types
    with pytest.raises(ValueError, match="without a body in C"):
        lanes.run(square, "native-fork", items=[1])
    with pytest.raises(ValueError, match="without a body in C"):
        lanes.run(square, "serial", "released", items=[1])


def test_a_difference_shows_the_item() -> None:
    result = lanes.compare(lambda _: os.getpid(), [{"a": 1}], models="threading", rounds=1)
    (difference,) = result["threading"].differences
    assert (difference.text, result.ok) == ("{'a': 1}", False)


def test_results_that_cannot_be_pickled_cost_the_process_models_their_rows() -> None:
    result = lanes.compare(lambda n: (each for each in range(n)), [1, 2], rounds=1)
    for row in result:
        if row.model in PROCESSES:
            assert row.error is not None
            assert row.error.startswith("what test_function:test_results_that_cannot_be_pickled")
            assert row.error.endswith(
                "gave for task 0, generator, cannot be pickled: TypeError: cannot pickle 'generator' object"
            )
        else:
            assert row.error is None
            assert row.agrees


def test_exceptions_that_cannot_be_unpickled_cost_the_process_models_their_rows() -> None:
    def fail(n: int) -> None:
        raise TwoPartsError(n, n)

    for run in both(fail, [1, 2]):
        assert run.outcomes == (Outcome("failed", error="TwoPartsError"),) * 2
        assert [outcome.detail for outcome in run.outcomes] == ["1 1", "2 2"]
    for model in PROCESSES:
        with pytest.raises(
            UnpicklableError, match="raised for task 0, TwoPartsError, cannot be unpickled: TypeError: "
        ):
            execute(workload(fail, items=[1, 2]), models.load(model), "python", 2)
        with pytest.raises(
            sample.SampleError, match=r"^what test_function.* raised for task 0, TwoPartsError, cannot be un"
        ):
            sample.take(workload(fail, items=[1, 2]), model, "python", 2)


def test_items_that_cannot_be_pickled_cost_the_process_models_their_rows() -> None:
    lock = threading.Lock()
    for run in both(lambda each: each.locked(), [lock]):
        assert values(run) == [False]
    result = lanes.compare(lambda each: 1, [1, lock], models=PROCESSES, rounds=1)
    for row in result:
        if row.model in PROCESSES:
            assert row.error is not None
            assert "is given for task 1, <unlocked _thread.lock" in row.error
            assert "cannot be pickled: TypeError: cannot pickle '_thread.lock' object" in row.error
        else:
            assert row.agrees


@pytest.mark.parametrize("model", PYTHON)
def test_a_function_that_uses_what_cannot_be_pickled_runs_on_every_model(model: str) -> None:
    lock = threading.Lock()

    def locked(n: int) -> int:
        with lock:
            return n + 1

    assert values(sample.take(workload(locked, items=[1, 2]), model, "python", 2)) == [2, 3]


def test_a_worker_process_that_ends_is_an_error_of_its_row() -> None:
    result = lanes.compare(lambda n: os._exit(7), [1], models="multiprocessing", rounds=1)
    assert "ended with status 7" in (result["multiprocessing"].error or "")


SCRIPT = """
import asyncio, sys, lanes
from dataclasses import dataclass

@dataclass
class Point:
    x: int

class Plain(Point.__mro__[-1]):
    def __init__(self, x):
        self.x = x

class Odd(Exception):
    pass

def double(n):
    return 2 * n

def f(point):
    if point.x == 3:
        raise Odd(Plain(3))
    return [Point(double(point.x)), Plain(point.x), double]

async def g(point):
    await asyncio.sleep(0)
    return f(point)

items = [Point(n) for n in range(5)]
result = lanes.compare(lanes.workload(f, coroutine=g, items=items), rounds=1)
print([(row.name, row.error, row.differences) for row in result if not row.agrees])
outcomes = result["multiprocessing"].runs[0].outcomes
print(type(outcomes[1].value[0].content[0]) is Point, outcomes[1].value, outcomes[3].error)
print(type(lanes.run(f, "serial", items=items).outcomes[3].raised.content) is Odd)
"""


@pytest.mark.parametrize("how", ["script", "prompt"])
def test_functions_and_classes_of_a_script_or_a_notebook_work_everywhere(how: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = [str(tmp_path / "script.py")] if how == "script" else ["-c", SCRIPT]
    done = subprocess.run([sys.executable, "-W", "error", *arguments], capture_output=True, text=True)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "[]"
    assert lines[1].startswith("True ([Point(x=2), <__main__.Plain object at ")
    assert lines[1].endswith(" Odd")
    assert lines[2] == "True"


def test_modules_beside_a_notebook_are_found(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def f(n):\n    return n + 1\n")
    (tmp_path / "pickle.py").write_text("raise SystemExit('the wrong pickle')")
    code = "import sys; here = sys.path.pop(0); import lanes, pickle; sys.path.insert(0, here); import helper;"
    code += "print([row.error for row in lanes.compare(helper.f, [1, 2], rounds=1)])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{[None] * len(PYTHON)}\n", "")


def test_a_module_that_only_the_caller_has_is_no_hindrance() -> None:
    module = type(sys)("made_here")
    exec("def f(n):\n    return n + 1\n", module.__dict__)
    sys.modules["made_here"] = module
    try:
        assert values(sample.take(workload(module.f, items=[1]), "multiprocessing", "python", 1)) == [2]
    finally:
        del sys.modules["made_here"]


SPAWN = """
import multiprocessing, lanes
from lanes.models import serial
from lanes.run import execute
from lanes.work import Work

class Item:
    def __init__(self, n):
        self.n = n

def main():
    offset = 10
    with multiprocessing.get_context("{method}").Pool(1) as pool:
        work = Work(lanes.workload(lambda item: Item(item.n + offset), items=[Item(1), Item(2)]), "python")
        done = pool.apply(serial.run, (work, 1))
    found = [each.outcome.value[0].content for each in done]
    print([each.n for each in found], all(type(each) is Item for each in found))

main()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_work_reaches_workers_however_they_are_started(method: str) -> None:
    done = subprocess.run([sys.executable, "-c", SPAWN.format(method=method)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[11, 12] True\n", "")


class Caller:
    def __call__(self, n: int) -> int:
        return n

    def method(self, n: int) -> int:
        return n


class Awaiter:
    async def __call__(self, n: int) -> int:
        return n


def test_names() -> None:
    assert label(square) == "test_function:square"
    assert label(functools.partial(pow, 2)) == "builtins:pow"
    assert label(Caller()) == "test_function:Caller"
    assert label(Caller().method) == "test_function:Caller.method"
    assert label("abc".index) == "builtins:str.index"
    assert label(lambda n: n).endswith("<lambda>")
    twins = workload(square, coroutine=slow_square, items=[1])
    assert twins.name == "test_function:square"
    assert twins.params == {"function": "test_function:square", "coroutine": "test_function:slow_square"}
    assert workload(slow_square, items=[1]).name == "test_function:slow_square"


def test_coroutine_functions_are_recognised() -> None:
    for function in (slow_square, functools.partial(slow_square), Awaiter()):
        made = workload(function, items=[1])
        assert (made.sync, made.coroutine, made.blocking) == (None, function, False)
    assert workload(Caller(), items=[1]).blocking
    assert workload(coroutine=lambda n: slow_square(n), items=[1]).coroutine is not None


def test_items_and_tasks() -> None:
    made = workload(square, items=iter("ab"), tasks=5)
    assert [task.item for task in made.tasks] == ["a", "b", "a", "b", "a"]
    assert [(task.index, task.text) for task in made.tasks][:2] == [(0, "'a'"), (1, "'b'")]
    assert made.default_workers >= 4
    assert workload(square, items=[1, 2]).default_workers == 2
    assert isinstance(made, Function)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lanes.compare(square), "test_function:square needs items: a list of what it is called with"),
        (lambda: lanes.compare(square, []), "needs from 1 to 1,000,000 items, not none"),
        (lambda: lanes.compare(square, 3), "needs items: a list .*, not 3"),  # type: ignore[arg-type]
        (lambda: lanes.compare(square, "abc"), "needs items: a list .*, not 'abc'"),
        (lambda: lanes.compare(square, iter(int, 1)), "needs from 1 to 1,000,000 items, not more"),
        (lambda: lanes.compare(lanes.wait(), [1]), "items are for functions of your own: wait has its own tasks"),
        (lambda: lanes.compare("wait"), "'wait' is neither a workload, such as lanes.wait.., nor a function"),  # type: ignore[arg-type]
        (lambda: lanes.workload(items=[1]), "no function: give one"),
        (lambda: lanes.workload(3, items=[1]), "3 is no plain function"),  # type: ignore[arg-type]
        (lambda: lanes.workload(slow_square, coroutine=slow_square, items=[1]), "slow_square at .* is no plain"),
        (lambda: lanes.workload(square, coroutine=3, items=[1]), "3 is no coroutine function"),  # type: ignore[arg-type]
        (lambda: lanes.workload(square, items=[1], tasks=0), "tasks must be a whole number"),
        (lambda: lanes.run(square, "serial"), "needs items"),
        (lambda: lanes.run(lanes.wait(), "serial", items=[1]), "items are for functions"),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_another_workloads_sample_has_no_use_for_cloudpickle() -> None:
    code = "import sys, lanes; from lanes import sample; "
    code += "sample.take(lanes.wait(tasks=1, duration=0), 'serial', 'python', 1);"
    code += "print('cloudpickle' in sys.modules, 'lanes.workloads.function' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"


@pytest.mark.parametrize("model", ["serial", "asyncio"])
def test_ctrl_c_is_no_outcome_of_a_coroutine(model: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio, lanes\n"
        "async def f(n):\n    print('begun', flush=True)\n    await asyncio.sleep(1000)\n"
        f"lanes.run(f, {model!r}, items=[1, 2, 3])\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1].endswith("KeyboardInterrupt\n")
        assert process.returncode == -signal.SIGINT
