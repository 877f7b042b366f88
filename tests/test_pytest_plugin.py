"""The pytest plugin: its fixtures, marker and options, what it shows, and what it refuses.

Sessions of pytest run inside this one where comparisons are made by hand, and in a process of their own where they are
measured or where other plugins matter.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import scipy.stats  # noqa: F401  # what a session inside this one is the first to load is lost with it: numpy for ever

import lanes
import lanes.report.tests
from lanes import guard, pytest_plugin
from lanes.comparison import Comparison, Difference, Row
from lanes.laws import Judgement
from lanes.types import Outcome
from results import make_load
from support import BASE, copy_checkout, make_comparison, make_counters, make_row, make_usage

HALF = tuple(wall / 2 for wall in BASE)
QUIET = "-p no:asyncio", "-p no:anyio"
INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"

Compared = list[tuple[object, object, dict[str, Any]]]
Answer = Callable[..., Compared]


@pytest.fixture(autouse=True)
def ini(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """What `lanes.compare` gives from now on, one after another, again and again; and what it is asked for."""

    def prepared(*rows: Row, results: Iterable[Comparison] = ()) -> Compared:
        given = list(results) or [make_comparison(*(rows or [make_row("threading", "python", HALF, BASE)]))]
        asked: Compared = []

        def compare(workload: object, items: object = None, **choices: object) -> Comparison:
            asked.append((workload, items, choices))
            return given[(len(asked) - 1) % len(given)]

        monkeypatch.setattr(lanes, "compare", compare)
        return asked

    return prepared


def run(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """A session of this one test file."""
    pytester.makepyfile(f"import pytest\n{test}")
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *options)


def shown(result: pytest.RunResult, *lines: str) -> None:
    result.stdout.fnmatch_lines([f"*{line}*" for line in lines])


ONE = """
def test_one(lanes):
    result = lanes.compare("work")
    assert result["threading"].speedup > 1
"""
GUARDED = """
@pytest.mark.lanes({})
def test_one(lanes_compare):
    assert lanes_compare("work").rounds == 6
"""


# ---- measured


def test_the_fixtures_measure_and_a_table_stands_at_the_end(pytester: pytest.Pytester) -> None:
    """What the documentation shows."""
    result = run(
        pytester,
        """
        import time

        def nap(seconds):
            time.sleep(seconds)
            return seconds

        def test_waits_overlap(lanes):
            waits = lanes.wait(tasks=4, duration="10ms")
            result = lanes.compare(waits, models=["threading", "native-epoll"], bodies="python", rounds=2)
            assert result["threading"].speedup > 0
            assert result["native-epoll"].faster_than("threading") is not None

        @pytest.mark.lanes(models="threading", workers=4, rounds=1, min_speedup={"threading": 0.01})
        def test_my_function(lanes_compare):
            lanes_compare(nap, [0.01] * 4)

        def test_a_function_of_the_test(lanes):
            far = 0.01

            def nap_and_tell(more):
                time.sleep(far + more)
                return lanes.current().task

            result = lanes.compare(nap_and_tell, [0, 0.01], models="futures-processes", rounds=1, closeup=False)
            assert result.ok
            assert [outcome.value[0].content for outcome in result.baseline.runs[0].outcomes] == [0, 1]

        def test_a_sweep(lanes):
            found = lanes.sweep(nap, [0.01] * 2, workers=[1, 2], models="threading", rounds=1)
            assert found["threading"].rows[1].speedup > 0
        """.replace("\n        ", "\n"),
    )
    result.assert_outcomes(passed=4)
    shown(
        result,
        "= lanes =",
        "wait: 4 tasks, duration 10 ms",
        "test_the_fixtures_measure_*.py::test_waits_overlap",
        "native-epoll *4 *x ",
        "test_*:nap: 4 tasks",
        "test_*.py::test_my_function",
        "test_*.py::test_a_sweep",
        "speed-up over serial/python, by number of workers",
        "= 4 passed in",
    )


def test_a_function_of_a_test_module_that_nothing_can_import_is_compared(pytester: pytest.Pytester) -> None:
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests/test_far.py").write_text(
        "def double(n): return 2 * n\n"
        "def test_it(lanes):\n"
        "    models = 'threading,multiprocessing'\n"
        "    assert lanes.compare(double, range(2), models=models, rounds=1, closeup=False).ok\n"
    )
    done = pytester.runpytest_subprocess("--import-mode=importlib", "-p", "no:cacheprovider", "tests")
    done.assert_outcomes(passed=1)


# ---- what is compared


def test_what_a_test_says_goes_above_its_marker_and_that_above_options_and_those_above_the_file(
    pytester: pytest.Pytester, answer: Answer
) -> None:
    asked = answer()
    test = """
def test_options(lanes):
    lanes.compare("a", [1])
    lanes.compare("b", models="native", budget="1s")
@pytest.mark.lanes(models="asyncio", workers=3)
class TestClass:
    @pytest.mark.lanes(rounds=7)
    def test_marked(self, lanes_compare):
        lanes_compare("c")
        lanes_compare("d", workers=4, budget="2s")
"""
    pytester.makeini(f"{INI}lanes_rounds = 9\nlanes_models = serial\n")
    run(pytester, test, "--lanes-models=python", "--lanes-budget=3s").assert_outcomes(passed=2)
    assert asked == [
        ("a", [1], {"models": "python", "budget": "3s"}),
        ("b", None, {"models": "native", "budget": "1s"}),
        ("c", None, {"models": "asyncio", "workers": 3, "rounds": 7}),
        ("d", None, {"models": "asyncio", "workers": 4, "budget": "2s"}),
    ]
    del asked[:]
    run(pytester, test).assert_outcomes(passed=2)
    assert asked[0] == ("a", [1], {"models": "serial", "rounds": 9})


def test_tasks_of_the_marker_are_those_of_a_function(pytester: pytest.Pytester, answer: Answer) -> None:
    asked = answer()
    test = "@pytest.mark.lanes(tasks=5)\ndef test_one(lanes_compare): lanes_compare(len, ['ab', 'c'])"
    run(pytester, test).assert_outcomes(passed=1)
    [(workload, items, choices)] = asked
    assert isinstance(workload, lanes.workload(len, items=[""]).__class__)
    assert (len(workload.tasks), items, choices) == (5, None, {})


def test_the_fixture_is_the_package_but_for_what_it_keeps(pytester: pytest.Pytester) -> None:
    test = """
import pickle, lanes as package
def test_one(lanes):
    assert lanes.wait is package.wait and lanes.Row is package.Row
    assert dir(lanes) == dir(package)
    assert pickle.loads(pickle.dumps(lanes)) is package
    with pytest.raises(AttributeError, match="frobnicate"):
        lanes.frobnicate
"""
    result = run(pytester, test)
    result.assert_outcomes(passed=1)
    assert "= lanes =" not in result.stdout.str()


# ---- what fails


def test_a_test_that_fails_shows_the_row_its_interval_and_the_laws(pytester: pytest.Pytester, answer: Answer) -> None:
    broken = make_row(
        "native-epoll", None, HALF, BASE, judgements=(Judgement("split adds up", False, "it makes 120%"),)
    )
    answer(make_row("threading", "python", HALF, BASE), broken)
    test = """
def test_factor(lanes):
    assert lanes.compare("work")["threading"].speedup > 3
def test_faster(lanes):
    assert lanes.compare("work")["threading"].faster_than("serial")
    assert lanes.compare("work")["native-epoll"].faster_than("threading")
"""
    result = run(pytester, test)
    result.assert_outcomes(failed=2)
    told = "Broken law: split adds up *it makes 120%*"
    shown(
        result,
        "_ test_factor _",
        "where 2.0 = <Row threading/python with 4 workers: 550 ms, 2.00x (2.00-2.00) faster>.speedup",
        "- lanes -",
        "threading *2.00x 2.00-2.00 *faster",
        told,
        "_ test_faster _",
        "assert <False: native-epoll with 4 workers: 550 ms, 2.00x (2.00-2.00), void, split adds up: it makes 120%*",
        "- lanes -",
        told,
    )


def test_a_marker_fails_what_does_not_keep_it(pytester: pytest.Pytester, answer: Answer) -> None:
    answer()
    run(pytester, GUARDED.format('min_speedup={"threading": 2}')).assert_outcomes(passed=1)
    result = run(pytester, GUARDED.format('min_speedup={"threading": 2.5}, faster={"serial": "threading"}'))
    result.assert_outcomes(failed=1)
    shown(
        result,
        "lanes: threading/python: speed-up 2.00x (2.00-2.00), and 2.50x is asked for",
        "lanes: serial/python: not faster: serial/python against threading/python: 2.00x (2.00-2.00) slower, 6 rounds",
        "- lanes -",
        "threading *2.00x",
    )
    assert "Traceback" not in result.stdout.str()
    assert "def test_one" not in result.stdout.str()


def test_other_outcomes_and_errors_fail_without_a_threshold(pytester: pytest.Pytester, answer: Answer) -> None:
    differs = Difference(0, 1, "x", Outcome("ok", (1,)), Outcome("ok", (2,)))
    answer(make_row("threading", "python", HALF, BASE, differences=(differs,)), make_row("asyncio", error="killed"))
    result = run(pytester, GUARDED.format(""))
    result.assert_outcomes(failed=1)
    shown(result, "lanes: threading/python: 1 of 2 tasks differ from serial/python", "lanes: asyncio: killed")


@pytest.mark.parametrize(
    ("test", "why"),
    [
        (GUARDED.format("min_spedup={}"), "the marker knows no 'min_spedup': choose from models, *min_speedup"),
        (GUARDED.format("'threading'"), "the marker takes keywords only, such as min_speedup="),
        (GUARDED.format("max_memory={'serial': 'big'}"), "the marker says what makes no sense: 'big' does not parse"),
        (
            "@pytest.mark.lanes(rounds=1)\ndef test_one(): pass",
            "the marker is for tests with the fixture lanes_compare",
        ),
    ],
)
def test_a_marker_that_is_wrong_is_an_error_in_one_line(pytester: pytest.Pytester, test: str, why: str) -> None:
    result = run(pytester, test)
    result.assert_outcomes(errors=1)
    shown(result, "ERROR at setup of test_one", f"lanes: {why}")
    assert "Traceback" not in result.stdout.str()
    assert "During handling" not in result.stdout.str()


def test_a_marker_of_a_class_may_stand_above_tests_that_compare_nothing(
    pytester: pytest.Pytester, answer: Answer
) -> None:
    answer()
    test = "pytestmark = pytest.mark.lanes(rounds=1)\ndef test_one(): pass\ndef test_two(lanes): lanes.compare(1)"
    run(pytester, test).assert_outcomes(passed=2)


def test_the_marker_knows_all_thresholds_and_all_choices() -> None:
    """They are named twice, for the plugin loads neither."""
    assert tuple(guard.THRESHOLDS) == pytest_plugin._GUARDS
    choices = inspect.signature(lanes.compare).parameters.keys() - {"workload", "items", "log", "progress"}
    assert choices | {"tasks"} == {*pytest_plugin._CHOICES}


def test_a_guard_that_is_never_called_does_not_pass(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_one(lanes_compare): pass")
    result.assert_outcomes(failed=1)
    shown(result, "lanes: lanes_compare was never called: nothing was compared")


# ---- options


def test_all_comparisons_are_written_under_the_names_of_their_tests(pytester: pytest.Pytester, answer: Answer) -> None:
    answer()
    result = run(pytester, f"{ONE}\ndef test_two(lanes): lanes.compare(1); lanes.compare(2)", "--lanes-json=all.json")
    result.assert_outcomes(passed=2)
    documents = json.loads((pytester.path / "all.json").read_text())["comparisons"]
    name = next(pytester.path.glob("test_*.py")).name
    assert [each["label"] for each in documents] == [f"{name}::test_one"] + [f"{name}::test_two"] * 2
    found = lanes.read_all(pytester.path / "all.json")
    assert [each.label for each in found if isinstance(each, Comparison)] == [each["label"] for each in documents]


def test_where_nothing_was_compared_nothing_is_written(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_one(): pass", "--lanes-json=all.json")
    shown(result, "= lanes =", "nothing was compared, so all.json was not written")
    assert not (pytester.path / "all.json").exists()
    assert "lanes" not in run(pytester, "def test_one(): pass", "--lanes-json=all.json", "--co", "-q").stdout.str()


def test_a_file_that_can_no_longer_be_written_is_told_and_ends_the_session_with_an_error(
    pytester: pytest.Pytester, answer: Answer
) -> None:
    answer()
    folder = pytester.mkdir("folder")
    test = f"import os\ndef test_one(lanes):\n    lanes.compare(1)\n    os.rmdir({str(folder)!r})"
    result = run(pytester, test, "--lanes-json=folder/all.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    shown(result, "= lanes =", "cannot write folder/all.json: No such file or directory")


def before(pytester: pytest.Pytester, walls: Iterable[float], **machine: object) -> str:
    """A file of an earlier session, with other wall times of threads."""
    pytester.makepyfile(f"import pytest\n{ONE}")
    name = next(pytester.path.glob("test_*.py")).name
    result = replace(make_comparison(make_row("threading", "python", walls, BASE)), label=f"{name}::test_one")
    if machine:
        result = replace(result, machine={**result.machine, **machine})
    from lanes.report import json as report

    report.write([result], pytester.path / "before.json")
    return "--lanes-compare=before.json"


THIRD = tuple(wall / 3 for wall in BASE)


def test_a_row_that_is_worse_than_before_fails_its_test(pytester: pytest.Pytester, answer: Answer) -> None:
    answer()
    earlier = before(pytester, THIRD)
    result = run(pytester, ONE, earlier, "--lanes-fail=speedup:10%,wall:60%")
    result.assert_outcomes(failed=1)
    figures = "speed-up fell by 33%, and 10% is allowed: 3.00x (3.00-3.00) before, 2.00x (2.00-2.00) now"
    shown(result, "_ test_one _", f"lanes: threading/python: {figures}", "- lanes -", "= lanes =")
    shown(
        result,
        "Since before.json: threading/python is 1.50x (*) slower.",
        "Since before.json: no difference can be told of 1 row.",
    )
    run(pytester, ONE, earlier, "--lanes-fail=speedup:34%,wall:60%").assert_outcomes(passed=1)
    run(pytester, ONE, earlier).assert_outcomes(passed=1)
    pytester.makeini(f"{INI}lanes_fail = speedup:10%\n")
    run(pytester, ONE, earlier).assert_outcomes(failed=1)
    run(pytester, ONE).assert_outcomes(passed=1)


def test_what_may_be_noise_is_told_and_fails_nothing(pytester: pytest.Pytester, answer: Answer) -> None:
    answer(make_row("threading", "python", (0.3, 1.2, 0.4, 0.9, 0.5, 1.0), BASE))
    result = run(pytester, ONE, before(pytester, HALF), "--lanes-fail=wall:5%")
    result.assert_outcomes(passed=1)
    shown(result, "may be noise: threading/python: wall time rose by")


def test_what_has_no_partner_or_another_machine_is_told(pytester: pytest.Pytester, answer: Answer) -> None:
    answer()
    result = run(pytester, ONE, before(pytester, HALF, processors_usable=64))
    shown(result, "The machine of before.json was another", "processors usable: 64 and 2")
    result = run(pytester, ONE.replace("test_one", "test_other"), "--lanes-compare=before.json")
    shown(result, "Since before.json: nothing there is the same comparison of this test.")
    result = run(pytester, ONE.replace("test_one", "test_other"), "--lanes-compare=before.json", "-q")
    shown(
        result, "::test_other: threading/python is fastest*", "Since before.json: nothing there is the same comparison"
    )


def test_what_cannot_be_held_against_a_test_is_refused(pytester: pytest.Pytester) -> None:
    make_load().to_json(pytester.path / "load.json")
    result = run(pytester, ONE, "--lanes-compare=load.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: load.json is of the kind load, and only comparisons and sweeps are held*"])


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("--lanes-rounds=0", "--lanes-rounds: rounds must be a whole number from 1 to 1,000,000, not 0"),
        ("--lanes-rounds=many", "--lanes-rounds: rounds must be a whole number from 1 to 1,000,000, not 'many'"),
        ("--lanes-budget=soon", "--lanes-budget: 'soon' does not parse: a duration is"),
        ("--lanes-budget=0", "--lanes-budget: budget must be longer than nothing, not '0'"),
        ("--lanes-models=pthreads", "--lanes-models: unknown model 'pthreads': choose all"),
        ("--lanes-json=none/all.json", "cannot write none/all.json: there is no directory"),
        ("--lanes-json=", "--lanes-json needs the name of a file"),
        ("--lanes-compare=none.json", "cannot read none.json: No such file or directory"),
        ("--lanes-fail=speedup:10%", "--lanes-fail needs --lanes-compare PATH"),
        ("--lanes-rounds=1 --lanes-budget=1s", "give one of --lanes-rounds and --lanes-budget"),
    ],
)
def test_a_bad_option_is_refused_in_one_line(pytester: pytest.Pytester, option: str, why: str) -> None:
    result = run(pytester, ONE, *option.split())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.errlines if line]
    assert line.startswith(f"ERROR: {why}")


def test_a_bad_line_in_the_file_is_refused_by_its_name(pytester: pytest.Pytester) -> None:
    for line, why in (("lanes_rounds = x", "lanes_rounds: rounds must be"), ("lanes_fail = 5%", "lanes_fail: '5%' is")):
        pytester.makeini(f"{INI}{line}\n")
        result = run(pytester, ONE)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: {why}*"])


def test_skip_leaves_all_that_compare_out(pytester: pytest.Pytester, answer: Answer) -> None:
    asked = answer()
    result = run(pytester, f"{ONE}{GUARDED.format('')}def test_two(): pass", "--lanes-skip", "-rs")
    result.assert_outcomes(skipped=1, passed=1)  # the second test of the same name hides the first
    shown(result, "--lanes-skip was given")
    assert not asked


def test_beside_other_workers_nothing_is_measured_and_the_reason_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"import pytest\n{ONE}def test_two(): pass")
    done = pytester.runpytest_subprocess("-n2", "-rs", "-p", "no:cacheprovider")
    done.assert_outcomes(skipped=1, passed=1)
    shown(
        done, "lanes measures nothing beside other workers of pytest-xdist: run these tests in a session of their own"
    )
    done = pytester.runpytest_subprocess("-n2", "--lanes-json=all.json")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: --lanes-json: lanes measures nothing beside other workers*"])


# ---- what is shown


def test_a_quiet_session_shows_a_line_a_quieter_one_none_and_a_verbose_one_all(
    pytester: pytest.Pytester, answer: Answer
) -> None:
    answer(make_row("threading", "python", HALF, BASE, counters=make_counters(make_usage(0.5))))
    line = "::test_one: threading/python is fastest: 2.00x (2.00-2.00) faster than serial/python."
    normal, quiet, quieter = (run(pytester, ONE, *options) for options in ([], ["-q"], ["-qq"]))
    shown(normal, "wait: 2 tasks, duration 50 ms", "::test_one", "threading *2.00x")
    shown(quiet, line)
    assert "wait: 2 tasks" not in quiet.stdout.str()
    assert "lanes" not in quieter.stdout.str()
    told = "where the time went"
    assert told not in normal.stdout.str()
    assert told in run(pytester, ONE, "-v").stdout.str()


def test_colours_are_those_of_the_terminal(pytester: pytest.Pytester, answer: Answer) -> None:
    answer()
    assert "\x1b" not in run(pytester, ONE, "--color=no").stdout.str()
    assert "\x1b[1;32m  faster\x1b[0m" in run(pytester, ONE, "--color=yes").stdout.str()


def test_coverage_of_the_samples_is_told(
    pytester: pytest.Pytester, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer()
    monkeypatch.setenv("COVERAGE_PROCESS_START", "")
    shown(run(pytester, ONE), "coverage was measured in samples as well (COVERAGE_PROCESS_START)")


# ---- async tests


ASYNC = """
import asyncio

{mark}
async def test_on_a_loop(lanes, tmp_path):
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.001)

    beside = asyncio.create_task(beat())
    run = await lanes.run_async(lanes.wait(tasks=4, duration="20ms"), "native-epoll", 4)
    beside.cancel()
    assert len(run.outcomes) == 4
    assert beats > 5, "the loop went on"
    result = lanes.compare(lanes.wait(tasks=2, duration="1ms"), models="asyncio", bodies="python", rounds=1)
    assert result.ok
    assert tmp_path.exists()

class TestMethods:
    {mark}
    async def test_a_method_that_fails(self, lanes_compare):
        await asyncio.sleep(0)
        lanes_compare(len, ["a"], models="threading", rounds=1, closeup=False, min_speedup={{"threading": 1e9}})
"""


@pytest.mark.parametrize(
    ("options", "mark"),
    [
        (["-p", "no:asyncio", "-p", "no:anyio"], ""),
        (["-p", "no:anyio"], ""),
        (["-p", "no:anyio"], "@pytest.mark.asyncio"),
        (["-p", "no:anyio", "-o", "asyncio_mode=auto"], ""),
        (["-p", "no:asyncio"], "@pytest.mark.anyio"),
        ([], "@pytest.mark.anyio"),
    ],
)
def test_async_tests_run_on_a_loop(pytester: pytest.Pytester, options: list[str], mark: str) -> None:
    """On that of the plugin which they are marked for, and else on one of their own."""
    if "no:asyncio" in options:
        pytester.makeini("[pytest]\n")
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'")
    pytester.makepyfile("import pytest\n" + ASYNC.format(mark=mark))
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-Werror", *options)
    done.assert_outcomes(passed=1, failed=1)
    shown(done, "lanes: threading/python: speed-up *, and 1000000000x is asked for")


def test_async_tests_of_others_are_left_to_others(pytester: pytest.Pytester) -> None:
    result = run(pytester, "async def test_one(): pass", "-p", "no:asyncio", "-p", "no:anyio", "-o", "addopts=")
    result.assert_outcomes(failed=1)
    shown(result, "async def functions are not natively supported.")


# ---- whoever does not use it


def test_a_session_that_compares_nothing_loads_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_one():
            heavy = "aiohttp asyncio cloudpickle numpy requests rich scipy".split()
            ours = [f"lanes.{name}" for name in ("compare", "comparison", "guard", "sample", "report.table", "stats")]
            assert sys.modules["lanes.pytest_plugin"]
            assert [name for name in heavy + ours if name in sys.modules] == []
        """
    )
    pytester.makeini("[pytest]\n")
    plugins = ("asyncio", "anyio", "xdist", "timeout")
    pytester.runpytest_subprocess(*(f"-pno:{name}" for name in plugins)).assert_outcomes(passed=1)


@pytest.mark.skipif(not (Path(__file__).parent.parent / "setup.py").exists(), reason="needs a checkout")
def test_a_project_that_installs_lanes_has_the_plugin(tmp_path: Path) -> None:
    """Not from the checkout: a wheel, in an environment of its own, where nobody says a word of the plugin."""
    tree, home, project = tmp_path / "tree", tmp_path / "venv", tmp_path / "stranger"
    copy_checkout(tree)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, tmp_path], cwd=tree, check=True, capture_output=True)
    venv.create(home, symlinks=True)
    python = home / "bin/python"
    # All that is installed here but lanes, which would else be found twice.
    [packages] = home.glob("lib/python3.*/site-packages")
    for entry in Path(pytest.__file__).parent.parent.iterdir():
        if not entry.name.startswith(("gil_lanes", "__editable__", "_distutils", "distutils-precedence")):
            (packages / entry.name).symlink_to(entry)
    wheel = next(tmp_path.glob("*.whl"))
    install = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    subprocess.run(install, check=True, capture_output=True)
    (project / "tests").mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "stranger"\nversion = "1"\n\n[tool.pytest.ini_options]\n'
        'addopts = ["--strict-markers", "--strict-config"]\nfilterwarnings = ["error"]\n'
        'asyncio_default_fixture_loop_scope = "function"\nlanes_rounds = "1"\n'
    )
    (project / "stranger.py").write_text("import time\n\ndef nap(ms):\n    time.sleep(ms / 1000)\n    return ms\n")
    (project / "tests/test_stranger.py").write_text(
        "import sys\nimport pytest\nfrom stranger import nap\n\n"
        "def test_where(lanes):\n    assert lanes.__file__.startswith(sys.prefix)\n\n"
        "@pytest.mark.lanes(models='threading,futures-processes', workers=4, min_speedup={'threading': 0.01})\n"
        "def test_nap(lanes_compare):\n    lanes_compare(nap, [20] * 4)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(
        [python, "-m", "pytest", "--lanes-json=all.json"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert "stranger:nap: 4 tasks\ntests/test_stranger.py::test_nap\n" in done.stdout
    assert [row["model"] for row in json.loads((project / "all.json").read_text())["rows"]] == [
        "serial",
        "threading",
        "futures-processes",
    ]
