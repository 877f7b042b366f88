"""The command: what it prints where, its exit status, and that it leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

import lanes
from lanes import cli, models, workloads
from lanes.cli import measuring, screen
from lanes.compare import Step
from lanes.comparison import Comparison, Difference
from lanes.report import json as json_report
from lanes.types import Outcome, Workload
from lanes.workloads import function
from support import BASE, MARK, make_comparison, make_row, marked

QUICK = ("compare", "wait", "--tasks", "2", "--duration", "1ms", "--models", "native-epoll", "--rounds", "1")
FIRST = Step(0, 1, "serial/python", None, 0.0)
LANES = (sys.executable, "-m", "lanes")


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ("compare nonsense", "download.*compute.*wait"),
        ("nonsense", "compare.*models.*workloads.*origin"),
        ("compare wait --models nonsense", "all, python, native.*native-epoll"),
        ("compare wait --bodies nonsense", "python, held, released"),
        ("compare compute --kernel nonsense", "primes, squares, mandelbrot"),
        ("compare wait --workers 0", "workers must be a whole number from 1 to 1,000,000, not 0"),
        ("compare wait --workers two", "workers must be a whole number from 1 to 1,000,000, not 'two'"),
        ("compare wait --workers 1_0", "workers must be a whole number .*, not '1_0'"),
        ("compare wait --tasks 0", "tasks must be a whole number from 1 to 1,000,000, not 0"),
        ("compare wait --rounds 0", "rounds must be a whole number from 1 to"),
        ("compare wait --rounds 2 --budget 3s", "rounds or a budget, not both"),
        ("compare wait --budget soon", "'soon' does not parse: a duration is a number of seconds"),
        ("compare wait --budget 0", "budget must be longer than nothing, not '0'"),
        ("compare wait --budget -1s", "'-1s' is negative: a duration is"),
        ("compare wait --budget", "argument --budget: expected one argument"),
        ("compare wait --deadline never", "'never' does not parse: a duration is a number of seconds"),
        ("compare wait --deadline 0ms", "deadline must be longer than nothing, not '0ms'"),
        ("compare wait --seed -1", "seed must be a whole number from 0 to .*, not -1"),
        ("claims nonsense", "unknown claim 'nonsense': the claims are four-downloads, .*, or their numbers, 1 to"),
        ("claims 1 0", "unknown claim '0'"),
        ("claims --seed soon", "seed must be a whole number from 0 to .*, not 'soon'"),
        ("claims --json nowhere/at.json", "there is no directory"),
        ("claims --markdown nowhere/at.md", "there is no directory"),
        ("claims --markdown - --json -", "both want standard output"),
        ("sweep wait --seed soon", "seed must be a whole number from 0 to .*, not 'soon'"),
        ("compare wait --log=", "--log needs the name of a file"),
        ("compare wait --log /no/such/file", "cannot write /no/such/file: No such file or directory"),
        ("compare wait --log /dev/null", "cannot write /dev/null: a log must be a regular file"),
        ("sweep wait --pulse", "unrecognized arguments: --pulse"),
        ("compare compute --task-size -1", "task size must be a whole number from 1 to .*, not -1"),
        ("compare wait --duration soon", "number of seconds, or one followed by ns, us, ms, s or min"),
        ("compare download --size 1parsec", "number of bytes"),
        ("compare download --latency never", "number of seconds"),
        ("compare download --rate fast", "bytes per second"),
        ("compare download ftp://host/", "http://.*https://"),
        ("compare download --urls /no/such/file", "cannot read /no/such/file: No such file"),
        ("compare download --urls /dev/null", "no URLs in /dev/null"),
        ("compare download http://127.0.0.1/ --rate 1", "rate is a choice for the embedded origin"),
        ("compare download --size 9000GiB", "the origin sends at most 1024 GiB"),
        ("compare wait --duration -5ms", "'-5ms' is negative: a duration is"),
        ("compare wait --duration=-5ms", "'-5ms' is negative: a duration is"),
        ("compare --kernel primes", "write lanes compare compute --kernel"),
        ("compare --urls list", "write lanes compare download --urls"),
        ("compare http://127.0.0.1/", "write lanes compare download URL"),
        ("compare wait --json=", "--json needs the name of a file"),
        ("compare download --urls=", "--urls needs the name of a file"),
        ("compare wait --json /no/such/file", "cannot write /no/such/file: there is no directory"),
        ("compare wait --nonsense", "unrecognized arguments: --nonsense"),
        ("compare wait --work 2", "unrecognized arguments: --work"),
        ("doctor --json=", "--json needs the name of a file"),
        ("doctor --json /no/such/file", "cannot write /no/such/file: there is no directory"),
        ("doctor nonsense", "unrecognized arguments: nonsense"),
        ("report", "required: RESULT.json"),
        ("report /no/such/file /dev/null", "cannot read /no/such/file: No such file"),
        ("report /dev/null /dev/null", "cannot read /dev/null: it is not JSON"),
        ("origin --port 65536", "port must be a whole number from 0 to 65,535, not 65536"),
        ("origin --host 192.0.2.1", "cannot listen on 192.0.2.1:0: [^[]*"),
        ("origin --host=", "--host needs an address"),
    ],
)
def test_bad_input_gets_one_line_and_status_2(arguments: str, allowed: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(arguments.split())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(rf"lanes: .*{allowed}.*\n", captured.err)


def test_a_url_file_that_is_no_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "urls").write_bytes(b"\xff\xfe")
    refused(["compare", "download", "--urls", str(tmp_path / "urls")])
    assert "not UTF-8 text" in capsys.readouterr().err


MODULE = """
print("imported")
number = 3
def double(n):
    return 2 * n
async def fetch(n):
    return n
class Group:
    @staticmethod
    def member(n):
        return n
"""
FILES = {
    "mod.py": MODULE,
    "raising.py": "raise RuntimeError('not\\n today')",
    "lacking.py": "import no_such_thing",
    "leaving.py": "import sys; sys.exit(3)",
    "wrong.py": "def f(:",
    "items.json": '\ufeff[1, 2.5, "ab"]',
    "object.json": "{}",
    "number.json": "3",
    "true.json": "true",
    "bad.json": "[1,",
    "empty.json": "[]",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory with these files, and afterwards nothing of them left in this process."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ("mod:duoble --items items.json", "mod has no duoble; it has Group, double, fetch"),
        ("mod:Group.x --items items.json", "mod.Group has no x; it has member"),
        ("math:nothing --items items.json", "math has no nothing; it has acos, .* and [0-9]+ more"),
        ("mod:number --items items.json", "mod:number is no function but 3"),
        ("mood:f --items items.json", "there is no module mood in /.* or where Python looks"),
        ("mod.sub:f --items items.json", "there is no module mod.sub in"),
        ("mod.py:f --items items.json", "there is no module mod.py in .*: write it without .py"),
        ("./mod.py:f --items items.json", "'./mod.py:f' is no path to a function: write mypkg.mymod:function"),
        ("mod: --items items.json", "'mod:' is no path"),
        (":f --items items.json", "':f' is no path"),
        ("raising:f --items items.json", "cannot import raising: RuntimeError: not today"),
        ("lacking:f --items items.json", "cannot import lacking: ModuleNotFoundError: No module named 'no_such_thing'"),
        ("leaving:f --items items.json", "cannot import leaving: SystemExit: 3"),
        ("wrong:f --items items.json", "cannot import wrong: SyntaxError: invalid syntax .wrong.py, line 1."),
        ("mod:double", "mod:double needs --items FILE: with a JSON list"),
        ("mod:double --items=", "--items needs the name of a file"),
        ("mod:double --items no.json", "cannot read no.json: No such file"),
        ("mod:double --items mod.py", "mod.py is not JSON: Expecting value: line 2 column 1"),
        ("mod:double --items bad.json", "bad.json is not JSON: Expecting value"),
        ("mod:double --items object.json", "object.json is not a JSON list: it holds an object"),
        ("mod:double --items number.json", "number.json is not a JSON list: it holds a number"),
        ("mod:double --items true.json", "true.json is not a JSON list: it holds true or false"),
        ("mod:double --items empty.json", "empty.json is an empty list"),
        ("mod:double --items items.json --tasks 0", "tasks must be a whole number"),
        ("mod:double --items items.json --models native", "mod:double is a Python function without a body in C"),
        ("--items items.json mod:double", "write lanes compare module:function --items"),
        ("mod:double --size 3", "unrecognized arguments: --size 3"),
    ],
)
def test_a_function_or_items_that_are_not_there_get_one_line(
    arguments: str, allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(["compare", *arguments.split()])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(rf"lanes: .*{allowed}.*\n", captured.err.removeprefix("imported\n"))


@pytest.mark.usefixtures("here")
def test_a_function_is_found_and_gets_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = captured_comparisons(monkeypatch)
    assert (
        cli.main(
            ["compare", "--rounds", "2", "mod:Group.member", "--items", "items.json", "--tasks", "4", "--workers", "3"]
        )
        == 0
    )
    assert cli.main(["compare", "mod:fetch", "--items", "items.json"]) == 0
    (one, choices), (other, _) = seen
    assert isinstance(one, function.Function)
    assert isinstance(other, function.Function)
    assert (one.name, one.items, other.blocking) == ("mod:Group.member", (1, 2.5, "ab", 1), False)
    assert choices == {"rounds": 2, "workers": 3}


@pytest.mark.usefixtures("here")
def test_a_function_of_the_current_directory_runs_and_its_module_may_print() -> None:
    command = ["compare", "mod:double", "--items", "items.json", "--rounds", "1", "--json", "-"]
    script = Path(sys.executable).with_name("lanes")  # whose module path does not begin with the current directory
    done = subprocess.run([script, *command], capture_output=True, text=True)
    rows = json.loads(done.stdout)["rows"]
    assert [row["model"] for row in rows] == list(models.FAMILIES["python"]), done.stderr
    assert all(row["agrees"] for row in rows)
    assert (done.returncode, "imported" in done.stderr) == (0, True)


def test_options_may_stand_before_the_workload_and_reach_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = captured_comparisons(monkeypatch)
    arguments = "compare --models native --rounds 2 download --size 1KiB,2KiB --latency 0 --tasks 3 --workers 5"
    assert cli.main(arguments.split()) == 0
    ((workload, choices),) = seen
    assert workload == lanes.download(tasks=3, size="1KiB,2KiB", latency=0)
    assert choices == {"models": "native", "rounds": 2, "workers": 5}
    assert cli.main(["compare", "wait", "--budget", "90s", "--deadline", "5s"]) == 0
    assert seen[1][1] == {"budget": "90s", "deadline": "5s"}
    assert cli.main(["compare", "wait", "--seed", "0", "--pulse"]) == 0
    assert seen[2][1] == {"seed": 0, "pulse": True}


def test_without_a_workload_downloads_and_compute_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = captured_comparisons(monkeypatch)
    assert cli.main(["compare"]) == 0
    assert [workload for workload, _ in seen] == [lanes.download(), lanes.compute()]
    assert [choices for _, choices in seen] == [{}, {}]


def test_urls_come_from_the_command_line_and_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = captured_comparisons(monkeypatch)
    (tmp_path / "urls").write_text("\ufeff# mine\n\nhttp://b/#part\n  http://c/  \r\n")
    assert cli.main(["compare", "download", "--urls", str(tmp_path / "urls"), "http://a/"]) == 0
    assert seen[0][0] == lanes.download(["http://a/", "http://b/#part", "http://c/"])


def test_a_difference_is_told_and_the_status_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = Difference(0, 1, "http://b/", Outcome("ok", (200,)), Outcome("ok", (404,)))
    captured_comparisons(monkeypatch, make_comparison(make_row("native-fork", None, BASE, BASE, differences=(bad,))))
    assert cli.main(["compare", "wait"]) == 1
    assert "http://b/: expected ok 200, got ok 404" in capsys.readouterr().out
    assert cli.main(["compare", "wait", "--quiet"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "http://b/: expected ok 200, got ok 404" in captured.err


def test_a_row_with_an_error_makes_the_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    captured_comparisons(monkeypatch, make_comparison(make_row("native-fork", error="killed by SIGSEGV")))
    assert cli.main(["compare", "wait", "--quiet"]) == 1


def test_the_table_goes_to_standard_output_without_colour_or_progress() -> None:
    done = subprocess.run([*LANES, *QUICK], capture_output=True, text=True, check=True)
    assert "native-epoll" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_json_alone_goes_to_standard_output_and_the_table_to_standard_error() -> None:
    done = subprocess.run([*LANES, *QUICK, "--json", "-"], capture_output=True, text=True, check=True)
    assert [row["model"] for row in json.loads(done.stdout)["rows"]] == ["serial", "native-epoll"]
    assert "native-epoll" in done.stderr
    done = subprocess.run([*LANES, *QUICK, "--json", "-", "--quiet"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["workload"]["name"] == "wait"
    assert done.stderr == ""


def test_json_goes_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*QUICK, "--json", str(tmp_path / "out"), "--quiet"]) == 0
    assert json.loads((tmp_path / "out").read_text())["rounds"] == 1
    assert capsys.readouterr() == ("", "")


def test_a_log_begins_anew_with_each_command_that_was_found_good(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    refused([*QUICK, "--log", str(log), "--deadline", "never"])
    assert log.read_text() == "old\n"
    for _ in range(2):
        assert cli.main([*QUICK, "--log", str(log), "--quiet", "--pulse", "--seed", "7"]) == 0
        events = [json.loads(line) for line in log.read_text().splitlines()]
        assert sorted(event["model"] for event in events) == ["native-epoll"] * 8 + ["serial"] * 8


def test_all_workloads_of_a_command_share_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "BY_DEFAULT", ("wait", "compute"))
    log = tmp_path / "log"
    few = ("--tasks", "2", "--models", "native-serial", "--bodies", "python", "--rounds", "1", "--quiet")
    assert cli.main(["compare", *few, "--log", str(log)]) == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["workload"] for event in events] == ["wait"] * 16 + ["compute"] * 16


def test_json_goes_to_a_pipe_that_has_a_path() -> None:
    command = shlex.join([*LANES, *QUICK, "--quiet", "--json", "/dev/stdout"])
    done = subprocess.run(f"{command} | cat", shell=True, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["rounds"] == 1, done.stderr
    substituted = ["bash", "-c", f"{shlex.join([*LANES, *QUICK, '--quiet'])} --json >(cat)"]
    done = subprocess.run(substituted, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["rounds"] == 1, done.stderr


def test_what_is_measured_is_written_before_the_next_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = iter([make_comparison()])
    monkeypatch.setattr(measuring, "compare", lambda *_, **__: next(results))
    with pytest.raises(StopIteration):
        cli.main(["compare", "--quiet", "--json", str(tmp_path / "out")])
    assert json.loads((tmp_path / "out").read_text())["workload"]["name"] == "wait"


@pytest.mark.parametrize("error", [ValueError("bug"), OSError("bug")])
def test_an_error_after_the_start_is_no_bad_input(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def compare(*_: object, progress: Callable[[Step], None], **__: object) -> NoReturn:
        progress(FIRST)
        raise error

    monkeypatch.setattr(measuring, "compare", compare)
    with pytest.raises(type(error), match="bug"):
        cli.main(["compare", "wait"])


@pytest.mark.parametrize("closed", ["0<&-", ">&-", "2>&-", "0<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_failure(closed: str, tmp_path: Path) -> None:
    command = shlex.join([*LANES, *QUICK, "--json", str(tmp_path / "out")])
    done = subprocess.run(f"{command} {closed}", shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "out").read_text())["rounds"] == 1
    assert (done.stdout == "") is (">&-" in closed.replace("2>&-", ""))
    assert subprocess.run(f"{shlex.join(LANES)} models {closed}", shell=True, capture_output=True).returncode == 0


def test_a_terminal_sees_progress() -> None:
    screen, side = pty.openpty()
    done = subprocess.run([*LANES, *QUICK], stdout=subprocess.PIPE, stderr=side, env={**os.environ, "TERM": "xterm"})
    os.close(side)
    shown = os.read(screen, 1 << 16).decode()
    os.close(screen)
    assert done.returncode == 0
    assert "wait: " in shown
    assert "0 of 1 rounds" in shown
    assert re.search(r"1 of 1 rounds, \d+ s left", shown)


@pytest.mark.parametrize(
    ("step", "state"),
    [
        (FIRST, "0 of 1 rounds"),
        (Step(2, 5, "serial/python", 12.4, 0.4), "2 of 5 rounds, 12 s left"),
        (Step(2, None, "serial/python", 48.0, 0.2), "2 rounds, 48 s left"),
        (Step(7, 7, None, 0.0, 1.0), "7 of 7 rounds, 0 s left"),
    ],
)
def test_progress_is_the_rounds_done_and_the_time_left(step: Step, state: str) -> None:
    assert screen.state_of(step) == state


def test_progress_needs_no_thread_beside_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", shown)
    before = threading.active_count()
    with screen.display_of("wait", True) as show:
        show(FIRST)
        assert threading.active_count() == before
        assert "wait: serial/python" in shown.getvalue()


def test_a_narrow_terminal_gets_the_whole_table() -> None:
    narrow = {**os.environ, "COLUMNS": "40"}
    done = subprocess.run([*LANES, *QUICK], env=narrow, capture_output=True, text=True, check=True)
    assert re.search(r"^model +body +workers +wall, ms +speed-up +95 % +verdict$", done.stdout, re.MULTILINE)


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    process = subprocess.Popen([*LANES, *QUICK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 141


@pytest.mark.parametrize("command", ["models", "completion bash"])
def test_no_room_for_the_output_is_told_in_a_line(command: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*LANES, *command.split()], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "lanes: No space left on device\n")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_after_ctrl_c_or_a_kill(how: signal.Signals) -> None:
    mark = uuid.uuid4().hex
    slow = [*LANES, "compare", "download", "--latency", "1000s", "--models", "multiprocessing", "--bodies", "python"]
    process = subprocess.Popen(
        slow, env={**os.environ, MARK: mark}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 30
    while len(marked(mark)) < 3 and time.monotonic() < until:  # the command, its origin, a sample
        time.sleep(0.02)
    assert len(marked(mark)) >= 3
    process.send_signal(how)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == (130 if how is signal.SIGINT else -how)
    assert marked(mark, patience_s=10) == []


def test_models_and_workloads_name_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in models.names())
    assert cli.main(["workloads"]) == 0
    text = capsys.readouterr().out
    assert all(
        word in text
        for word in (
            *workloads.names(),
            "module:function",
            "--items FILE",
            "primes",
            "squares",
            "mandelbrot",
            "--latency",
        )
    )


def test_doctor_prints_a_list_and_writes_the_facts(tmp_path: Path) -> None:
    command = [*LANES, "doctor", "--json", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"^  GIL +(on|off)", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("may disturb a measurement; nothing was changed.\n")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert ("\x1b" in done.stdout, done.stderr) == (False, "")
    written = json.loads((tmp_path / "out").read_text())
    assert written["machine"]["lanes"] == lanes.__version__
    assert {"group", "name", "value", "advice"} == written["findings"][0].keys()


def test_doctor_leaves_standard_output_to_the_json() -> None:
    done = subprocess.run([*LANES, "doctor", "--json", "-"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["findings"]
    assert "nothing was changed" in done.stderr


def test_report_holds_two_files_against_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, walls in (("slow", [2.0, 2.1, 2.2, 2.3]), ("fast", [1.0, 1.1, 1.2, 1.3])):
        json_report.write([make_comparison(make_row("native-fork", None, walls, walls))], tmp_path / name)
    assert cli.main(["report", str(tmp_path / "slow"), str(tmp_path / "fast")]) == 0
    assert re.search(r"^native-fork .* 1\.87x faster$", capsys.readouterr().out, re.MULTILINE)


def test_report_of_files_with_nothing_in_common_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = make_comparison()
    json_report.write([one], tmp_path / "one")
    json_report.write([replace(one, workload=lanes.wait(tasks=3))], tmp_path / "other")
    refused(["report", str(tmp_path / "one"), str(tmp_path / "other")])
    assert "no workload is in both files with the same choices and number of tasks" in capsys.readouterr().err


def refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2


def captured_comparisons(
    monkeypatch: pytest.MonkeyPatch, result: Comparison | None = None
) -> list[tuple[Workload, dict[str, str | int]]]:
    """What would be compared, instead of comparing."""
    seen: list[tuple[Workload, dict[str, str | int]]] = []

    def compare(workload: Workload, progress: Callable[[Step], None] | None = None, **choices: str | int) -> Comparison:
        seen.append((workload, choices))
        assert progress
        return result or make_comparison()

    monkeypatch.setattr(measuring, "compare", compare)
    return seen
