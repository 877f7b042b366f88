"""What commands show on a terminal and what they do not: progress and colours; a pipe gets text alone."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from lanes import cli
from lanes.cli import screen
from lanes.report import json
from support import make_comparison, make_row

WAIT = "wait --tasks 2 --duration 1ms --models native-epoll"
LONG = {
    "compare": f"compare {WAIT} --rounds 1",
    "sweep": f"sweep {WAIT} --rounds 1 --workers 1,2",
    "load": "load wait --duration 1ms --rate 100/s --for 0.3s --models native-epoll",
    "anatomy": "anatomy wait --duration 20ms --models native-epoll",
    "claims": "claims threads-compute",
}
"""The commands that take their time."""

SHORT = ("claims --list", "doctor", "models", "workloads", "report before.json after.json", "--help", "--version")

CLAIMS = """
import sys
from lanes import cli
from lanes.claims import Stage
from lanes.cli import claims as command
from test_claims import make_trials

def quick(names, seed, progress):
    for share in (0.0, 0.5):
        progress(Stage("threads-compute", 0, 1, share))
    progress(Stage(None, 1, 1, 1.0))
    return make_trials()

command.claims = quick
sys.exit(cli.main())
"""
"""The command, but that it takes no time: these claims have been tried elsewhere."""

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d|10\d)[;m]")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two results to hold against each other: one row became faster."""
    directory = tmp_path_factory.mktemp("here")
    for name, walls in (("before", (2.0, 2.1, 2.2) * 2), ("after", (1.0, 1.1, 1.2) * 2)):
        json.write([make_comparison(make_row("native-fork", None, walls, walls))], directory / f"{name}.json")
    return directory


def words_of(command: str) -> list[str]:
    quick = command.startswith("claims") and "--list" not in command
    return [sys.executable, *(["-c", CLAIMS] if quick else ["-m", "lanes"]), *command.split()]


def environment(**variables: str) -> dict[str, str]:
    """This one without what says something of colours and sizes; but with these."""
    silent = ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TERM", "COLUMNS", "LINES", "PYTHON_COLORS")
    kept = {name: value for name, value in os.environ.items() if name not in silent}
    return {**kept, "PYTHONPATH": str(Path(__file__).parent), **variables}


@cache
def on_terminal(command: str, here: Path, term: str = "xterm-256color", no_color: str = "") -> str:
    """All that a terminal shows of a command."""
    ours, side = pty.openpty()
    env = environment(TERM=term, NO_COLOR=no_color)
    process = subprocess.Popen(words_of(command), cwd=here, env=env, stdin=subprocess.DEVNULL, stdout=side, stderr=side)
    os.close(side)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0, shown.decode()
    return shown.decode()


def in_pipe(command: str, here: Path, **variables: str) -> tuple[str, str]:
    """What it writes to standard output and to standard error when nobody looks."""
    env = environment(TERM="xterm-256color", **variables)
    done = subprocess.run(words_of(command), cwd=here, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("command", [*LONG.values(), *SHORT])
def test_a_pipe_gets_text_alone(command: str, here: Path) -> None:
    out, err = in_pipe(command, here)
    assert not CONTROL.search(out)
    assert err == "", "no progress"
    assert out


@pytest.mark.parametrize("name", LONG)
def test_a_long_command_shows_progress_on_a_terminal_and_wipes_it_out(name: str, here: Path) -> None:
    shown = on_terminal(LONG[name], here)
    what = "claims: threads-compute" if name == "claims" else "wait: native-epoll"
    assert f"\x1b[2K{what}" in shown, "it is drawn over what was there"
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor is there again"
    table = shown.rpartition("\x1b[2K")[2]
    assert what not in table, "it is gone in the end"
    assert table.count("\n") > 3


@pytest.mark.parametrize("name", ["compare", "load"])
def test_quiet_shows_nothing_on_a_terminal_either(name: str, here: Path) -> None:
    assert on_terminal(f"{LONG[name]} --quiet", here) == ""


@pytest.mark.parametrize("command", [*LONG.values(), "doctor", "report before.json after.json"])
def test_a_terminal_gets_colours(command: str, here: Path) -> None:
    """An empty NO_COLOR says nothing."""
    shown = on_terminal(command, here)
    assert "\x1b[1m" in shown
    assert bool(COLOUR.search(shown)) is not command.startswith("load"), "whose tables are bold and dim"


@pytest.mark.parametrize("command", [LONG["compare"], "doctor"])
def test_who_wants_no_colours_gets_none(command: str, here: Path) -> None:
    assert not COLOUR.search(on_terminal(command, here, no_color="1"))


@pytest.mark.parametrize("command", [LONG["compare"], LONG["load"]])
def test_a_terminal_that_can_do_nothing_is_asked_for_nothing(command: str, here: Path) -> None:
    shown = on_terminal(command, here, term="dumb").replace("\r\n", "\n")
    assert not CONTROL.search(shown)
    assert not shown.startswith("\n"), "no line that was meant for progress"


@pytest.mark.parametrize("command", [LONG["compare"], LONG["load"]])
def test_colours_can_be_had_in_a_pipe_but_no_progress(command: str, here: Path) -> None:
    out, err = in_pipe(command, here, FORCE_COLOR="1")
    assert "\x1b[1m" in out
    assert err == ""
    assert not re.search(r"\x1b\[(?!\d+(?:;\d+)*m)", out), "nothing but colours"


NASTY = "\x1b]0;mine\x07 \x1b[31m\x9b2J red"


def test_what_an_error_or_a_file_holds_tells_a_terminal_nothing(here: Path) -> None:
    lost = make_row("threading", "held", (1.0, 1.1), (1.0, 1.1), error=f"killed {NASTY}")
    json.write([make_comparison(lost)], here / "nasty.json")
    out, err = in_pipe("report nasty.json", here)
    assert "killed ]0;mine [31m2J red" in re.sub(r"\s+", " ", out)
    assert not CONTROL.search(out + err)
    assert "\x1b]" not in on_terminal("report nasty.json", here)


def test_what_is_refused_is_named_in_letters(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["report", str(here / NASTY)])
    assert re.fullmatch(
        r"lanes: cannot read [ -~]*\]0;mine \[31m2J red: No such file or directory\n", capsys.readouterr().err
    )
    screen.say([f"threading: {NASTY}"])
    assert capsys.readouterr().err == "threading: ]0;mine [31m2J red\n"
