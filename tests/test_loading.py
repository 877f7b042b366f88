"""The command `lanes load`: what it prints where, its exit status, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

import lanes
from lanes import cli
from lanes.cli import parser
from lanes.cli.loading import said
from lanes.load import Instant
from support import MARK, marked

QUICK = "load wait --duration 1ms --rate 100/s --for 0.1s --models native-epoll"
LANES = (sys.executable, "-m", "lanes")


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ("load", "lanes load needs a workload: choose from download, compute, wait, .*module:function"),
        ("load --rate 5/s", "lanes load needs a workload"),
        ("load wait", "lanes load needs a rate at which tasks arrive: --rate 200/s"),
        ("load wait --rate fast", "a rate of arrivals is a number per second, or one followed by /s, /min or /ms"),
        ("load wait --rate 5/s --queue 0", "a queue has room for a whole number of tasks from 1 to 1,000,000"),
        ("load wait --rate 5/s --full maybe", "choose from wait, reject"),
        ("load wait --rate 5/s --queue unbounded --full reject", "an unbounded queue is never full"),
        ("load wait --rate 5/s --arrivals odd", "choose from constant, poisson"),
        ("load wait --rate 5/s --for 0", "brings no arrival"),
        ("load wait --rate 5/s --for soon", "a duration is a number of seconds"),
        ("load wait --rate 1e6/s", "are more than 100,000 arrivals"),
        ("load wait --rate 5/s --rounds 3", "unrecognized arguments: --rounds"),
        ("load wait --rate 5/s --json /nowhere/x", "cannot write /nowhere/x: there is no directory"),
        ("load --download-rate 1MiB/s download --rate 5/s", "write lanes load download --download-rate"),
        ("load math:sqrt --rate 5/s", "needs --items FILE"),
        ("load wait --rate 5/s --seed one", "seed must be a whole number from 0"),
        ("load wait --rate 5/s --log=", "--log needs the name of a file"),
        ("load wait --rate 5/s --log /no/such/file", "cannot write /no/such/file: No such file or directory"),
        ("load wait --rate 5/s --log /dev/null", "cannot write /dev/null: a log must be a regular file"),
    ],
)
def test_bad_input_gets_one_line(arguments: str, allowed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_status:
        cli.main(arguments.split())
    assert exit_status.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(rf"lanes: .*{allowed}.*\n", captured.err)


def test_a_table_on_standard_output_and_json_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "load.json"
    assert cli.main([*QUICK.split(), "--json", str(path), "--seed", "3", "--queue", "8"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(
        "wait: 8 tasks in turn, duration 1 ms\n100/s for 100 ms, constant: 10 arrivals; a queue of 8"
    )
    assert captured.err == ""
    found = json.loads(path.read_text())
    assert (found["schema"], found["workload"]["name"], found["seed"]) == (1, "wait", 3)
    assert found["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))
    terms = {key: value for key, value in found["load"].items() if key != "rows"}
    assert terms == {
        "rate": 100.0,
        "arrivals": "constant",
        "for_s": 0.1,
        "queue": 8,
        "full": "wait",
        "open_s": 1.2,
        "offered": 10,
        "unchecked": None,
    }
    (row,) = found["load"]["rows"]
    assert (row["model"], row["body"], row["arrived"], row["completed"], row["left"]) == (
        "native-epoll",
        None,
        10,
        10,
        0,
    )
    assert (row["agrees"], row["differences"], row["error"], row["reason"]) == (True, [], None, None)
    for key in ("waiting_s", "working_s", "latency_s", "slip_s"):
        assert 0 <= row[key]["p50"] <= row[key]["p90"] <= row[key]["p99"] <= row[key]["max"]
    assert row["working_s"]["p50"] >= 0.001
    assert len(row["series"]) == 100
    assert set(row["series"][0]) == {"until_s", "backlog", "outside", "at_work", "served", "service_s"}


def test_json_on_standard_output_leaves_the_table_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*QUICK.split(), "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["load"]["offered"] == 10
    assert captured.err.startswith("wait: 8 tasks in turn")


def test_quiet_says_only_what_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*QUICK.split(), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    (tmp_path / "fickle.py").write_text("import os\ndef f(item):\n    return os.getpid()\n")
    (tmp_path / "items.json").write_text("[1]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    command = "load fickle:f --items items.json --rate 100/s --for 0.1s --models threading --quiet"
    assert cli.main(command.split()) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("threading/python: 1 of 1 task differ from serial/python, the first: task 0")
    sys.modules.pop("fickle", None)


def test_a_log_begins_anew_with_each_load_that_was_found_good(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    with pytest.raises(SystemExit):
        cli.main([*QUICK.split(), "--log", str(log), "--full", "maybe"])
    assert log.read_text() == "old\n"
    for _ in range(2):
        assert cli.main([*QUICK.split(), "--log", str(log), "--quiet"]) == 0
        events = [json.loads(line) for line in log.read_text().splitlines()]
        assert [event["event"] for event in events].count("finished") == 10
        assert len(events) == 40


def test_a_load_is_held_against_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "load.json"
    assert cli.main([*QUICK.split(), "--quiet", "--json", str(path)]) == 0
    with pytest.raises(SystemExit) as exit_status:
        cli.main(["report", str(path), str(path)])
    assert exit_status.value.code == 2
    assert capsys.readouterr().err == (
        f"lanes: {path} is of the kind load, and only comparisons and sweeps are held against others\n"
    )


def test_the_rate_of_a_body_has_another_name_than_that_of_arrivals() -> None:
    options = parser.make_parser().parse_args(
        ["load", "download", "--rate", "5/s", "--download-rate", "1MiB/s", "--size", "1KiB"]
    )
    from lanes.cli.measuring import workload_of

    assert workload_of("download", options, "load").params["rate"] == 2**20
    assert vars(options)["rate"] == "5/s"


def test_the_examples_in_the_help_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    for row in ("", "download", "compute", "wait"):
        with pytest.raises(SystemExit) as exit_status:
            cli.main(["load", *([row] if row else []), "--help"])
        assert exit_status.value.code == 0
        _, _, examples = capsys.readouterr().out.partition("examples:\n")
        for example in filter(None, map(str.strip, examples.splitlines())):
            options = parser.make_parser().parse_args(shlex.split(example)[1:])
            assert "rate" in options, example


def test_a_live_line_says_how_it_goes() -> None:
    instant = Instant("threading/python", 2, 14, 1.26, 4, 1200, 199.4, 0.0231)
    assert said(instant) == ("threading/python (3 of 14), 1.3 s: 4 in flight, backlog 1,200, 199/s, latency 23.1 ms")
    assert said(Instant("serial/python", 0, 1, 0.0, 0, 0, 0.0, None)).endswith("backlog 0, 0/s, latency -")


def test_it_is_drawn_on_a_terminal_and_gone_in_the_end() -> None:
    ours, theirs = pty.openpty()
    command = [
        *LANES,
        *["load", "wait", "--duration", "1ms", "--rate", "100/s", "--for", "1s", "--models", "native-epoll"],
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, text=True, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    drawn = b""
    try:
        while part := os.read(ours, 4096):
            drawn += part
    except OSError:  # the other end is closed
        pass
    assert process.stdout is not None
    with process.stdout:
        table = process.stdout.read()
    assert process.wait(30) == 0
    os.close(ours)
    assert re.search(rb"wait: native-epoll \(1 of 1\), 0\.\d s: \d in\s+flight, backlog \d, \d+", drawn), drawn
    assert "in flight" not in table
    assert b"\x1b[2K" in drawn, "it is wiped out again"


@pytest.mark.parametrize("model", ["threading", "futures-processes", "native-fork", "asyncio-native"])
def test_ctrl_c_ends_it_and_leaves_nothing(model: str) -> None:
    mark = uuid.uuid4().hex
    command = f"load wait --tasks 1 --duration 0.3s --rate 20/s --for 60s --queue 2 --workers 2 --models {model}"
    process = subprocess.Popen(
        [*LANES, *command.split()],
        env={**os.environ, MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while not _is_at_it(mark) and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert process.communicate(timeout=30) == ("", "")
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert marked(mark, patience_s=10) == []


def _is_at_it(mark: str) -> bool:
    """Whether there are the command and a sample that has been at it for longer than the baseline takes."""
    return len(marked(mark)) >= 2


def test_a_load_from_python_is_shown_as_by_the_command() -> None:
    result = lanes.load(lanes.wait(duration="1ms"), rate="100/s", duration="0.1s", models="native-epoll")
    assert str(result).startswith("wait: 8 tasks in turn, duration 1 ms")
