"""%lanes and %%lanes in IPython: what stands there as a workload, where its result goes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from processes import script

SHELL = r"""
import io, json
from contextlib import redirect_stderr, redirect_stdout
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
said = {}

def run(cell):
    "What the cell gives."
    with redirect_stdout(io.StringIO()):
        result = shell.run_cell(cell)
    result.raise_error()
    return result.result

def refused(cell):
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as line:
        error = shell.run_cell(cell).error_in_exec
    assert isinstance(error, UsageError) and line.getvalue() == f"UsageError: {error}\n", error
    return str(error)

def told(comparison, model):
    "What its tasks were given, and what came of them."
    row = comparison[model]
    assert comparison.ok and row.error is None
    given = [task.text for task in comparison.workload.tasks]
    return given, [[repr(value) for value in outcome.value] for outcome in row.runs[0].outcomes]

run("%load_ext lanes")
run("import lanes, time")
"""


@pytest.fixture(autouse=True)
def nothing_stays_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))


def asked(code: str) -> dict[str, object]:
    """What the lines below come to that put something into `said`."""
    found: dict[str, object] = json.loads(script(f"{SHELL}\n{code}\nprint(json.dumps(said))"))
    return found


def test_what_stands_before_for_is_a_task() -> None:
    said = asked(r"""
run("numbers = [1, 2, 3]")
run("def double(n):\n    return 2 * n")
fast = "-m threading --rounds 1"
run(f"one = %lanes {fast} double(n) for n in numbers")
run(f"several = %lanes {fast} (n, c, len('{{n}}  x')) for n in numbers if n > 1 for c in 'ab'")
run(f"parted = %lanes {fast} (first, rest) for first, *rest in [(1, 2, 3)]")
run(f"turns = %lanes {fast} --tasks 3 n for n in numbers[:2]")
run(f"signed = %lanes {fast} -- -n for n in numbers")
for name in ("one", "several", "parted", "turns", "signed"):
    said[name] = told(shell.user_ns[name], "threading")
""")
    assert said["one"] == [["1", "2", "3"], [["2"], ["4"], ["6"]]]
    pairs = [(2, "a"), (2, "b"), (3, "a"), (3, "b")]
    assert said["several"] == [[str(pair) for pair in pairs], [[str((*pair, 6))] for pair in pairs]]
    assert said["parted"] == [["(1, 2, 3)"], [["(1, [2, 3])"]]]
    assert said["turns"] == [["1", "2", "1"], [["1"], ["2"], ["1"]]]
    assert said["signed"] == [["1", "2", "3"], [["-1"], ["-2"], ["-3"]]]


def test_a_cell_is_the_body_of_a_function() -> None:
    said = asked(r"""
run("scale = 10\nclass Point:\n    def __init__(self, x):\n        self.x = x")
head = "%%lanes -m threading,multiprocessing --rounds 1 -o kept for n in range(3):"
shown = run(f"{head}\nx = n * scale\ntime.sleep(0.001)\nPoint(x).x + 1")
said["kept"] = shell.user_ns["kept"] is shown and "x" not in shell.user_ns
said["values"] = told(shown, "multiprocessing")
said["name"] = shown.workload.name
without = run("%%lanes -m serial --rounds 1 for n in [1]\nif n:\n    pass")
said["nothing"] = told(without, "serial")
""")
    assert said["kept"] is True
    assert said["values"] == [["0", "1", "2"], [["1"], ["11"], ["21"]]]
    assert said["name"] == "__main__:cell for n in range(3):"
    assert said["nothing"] == [["1"], [["None"]]]


def test_without_for_it_is_done_so_many_times_or_is_a_workload() -> None:
    said = asked(r"""
many = run("%lanes -m threading --rounds 1 sum(range(10))")
few = run("%lanes -m threading --rounds 1 -t 2 sum(range(10))")
work = run("%lanes -m threading,native-serial -b held --rounds 1 -w 2 lanes.wait(tasks=3, duration='1ms')")
cell = run("%%lanes -m serial --rounds 1\nlanes.wait(tasks=2, duration=0)")
awaits = run("import asyncio\n%lanes -m asyncio --rounds 1 await asyncio.sleep(0, n) for n in range(2)")
said["many"], said["few"] = told(many, "threading"), told(few, "threading")
said["rows"] = [(row.name, row.workers) for row in work]
said["workloads"] = [len(work.workload.tasks), len(cell.workload.tasks)]
said["awaits"] = told(awaits, "asyncio")
""")
    assert said["many"] == [[str(n) for n in range(8)], [["45"]] * 8]
    assert said["few"] == [["0", "1"], [["45"]] * 2]
    assert said["rows"] == [["serial/python", 1], ["threading/held", 2], ["native-serial", 1]]
    assert said["workloads"] == [3, 2]
    assert said["awaits"] == [["0", "1"], [["0"], ["1"]]]


def test_names_of_a_function_that_compares_are_known() -> None:
    said = asked(r"""
run("def inner(n):\n    r = %lanes -m serial --rounds 1 n + m for m in [1]\n    return r\nresult = inner(5)")
said["values"] = told(shell.user_ns["result"], "serial")
""")
    assert said["values"] == [["1"], [["6"]]]


REFUSED = {
    "%lanes": "no work: write %lanes EXPRESSION for NAME in ITEMS, or a workload such as lanes.download()",
    "%lanes --modles threading 1": "unrecognized arguments: --modles",
    "%lanes -m frobnicate 1": "unknown model 'frobnicate': choose all, python, native",
    "%lanes --rounds 0 1": "rounds must be a whole number from 1 to 1,000,000, not 0",
    "%lanes --rounds x 1": "argument --rounds: invalid int value: 'x'",
    "%lanes --rounds 1 --budget 1s 1": "give rounds or a budget, not both",
    "%lanes -o 1x 1": "--output needs the name of a variable, not '1x'",
    "%lanes -o class 1": "--output needs the name of a variable, not 'class'",
    "%lanes missing(n) for n in [1]": "missing is not defined",
    "%lanes n for n in missing": "[n for n in missing] raises NameError: name 'missing' is not defined",
    "%lanes n for n in []": "__main__:n for n in [] needs from 1 to 1,000,000 items, not none",
    "%lanes len": "<built-in function len> is not called: write what one task is, such as f(item) for item in items",
    "%lanes 1 / 0": "1 / 0 raises ZeroDivisionError: division by zero",
    "%lanes f(": "'(' was never closed: (f(",
    "%lanes -t 3 lanes.wait()": "wait is a workload, which has its own tasks: leave out --tasks",
    "%lanes -t 0 1": "tasks must be a whole number from 1 to 1,000,000, not 0",
    "%%lanes\n\n": "no work: the cell is empty",
    "%%lanes [1, 2]\nn": "the work is the cell; what stands above it is `for NAME in ITEMS`, not '[1, 2]'",
    "%%lanes for n in [1]\nn +": "invalid syntax: n +",
    "%%lanes for n in [1]\nbreak": "'break' outside loop",
}


def test_what_is_wrong_is_said_in_a_line() -> None:
    said = asked(f"for cell in {list(REFUSED)!r}:\n    said[cell] = refused(cell)")
    for cell, words in REFUSED.items():
        assert str(said[cell]).startswith(words), cell
        assert "\n" not in str(said[cell])
