"""What a shell completes: asked of bash itself, and of zsh and fish where these are installed."""

from __future__ import annotations

import argparse
import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanes import cli, models, workloads
from lanes.claims import listed
from lanes.cli import completion
from lanes.cli.parser import make_parser
from lanes.types import BODIES

FILES = ("one.json", "two words.json", "other.txt")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the scripts and some files."""
    directory = tmp_path_factory.mktemp("here")
    for shell in completion.SHELLS:
        (directory / f"lanes.{shell}").write_text(completion.script(make_parser(), shell))
    for name in FILES:
        (directory / name).touch()
    return directory


def completed(here: Path, *words: str) -> list[str]:
    """What bash's script has to say of the last word."""
    asked = f"""
        source lanes.bash
        COMP_WORDS=({shlex.join(("lanes", *words))}) COMP_CWORD={len(words)}
        _shtab_lanes
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "--norc", "-c", asked], cwd=here, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    return list(filter(None, done.stdout.split("\n")))


MODELS = ["all", "python", "native", "variants", *models.names(), *models.variants()]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("co", ["compare", "completion"]),
        ("--v", ["--version"]),
        ("compare ", list(workloads.names())),
        ("sweep do", ["download"]),
        ("compare wait --du", ["--duration"]),
        ("compare download --lat", ["--latency"]),
        ("load download --rat", ["--rate"]),
        ("load download --down", ["--download-rate"]),
        ("compare --la", []),  # an option of one workload
        ("compare mypkg.mymod:function --mod", ["--models"]),
        ("compare --models ", MODELS),
        ("compare --models multiprocessing[s", ["multiprocessing[spawn]"]),
        ("sweep wait --models threading,native-e", ["threading,native-epoll"]),
        ("anatomy --models asyncio,serial,", [f"asyncio,serial,{each}" for each in MODELS]),
        ("compare wait --bodies python,", [f"python,{each}" for each in ("all", *BODIES)]),
        ("load wait --arrivals ", ["constant", "poisson"]),
        ("load wait --full r", ["reject"]),
        ("compare compute --kernel ", ["primes", "squares", "mandelbrot"]),
        ("compare counter --step lo", ["locked"]),
        ("compare exchange --via p", ["pipe"]),
        ("compare wait --json o", ["one.json", "other.txt"]),
        ("compare wait --log o", ["one.json", "other.txt"]),
        ("compare mypkg.mymod:function --json two", ["two words.json"]),
        ("claims --markdown oth", ["other.txt"]),
        ("claims ", [claim.name for claim in listed()]),
        ("claims four-downloads unb", ["unbounded-queue"]),
        ("report one.json o", ["one.json", "other.txt"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("models --h", ["--help"]),
    ],
)
def test_bash_completes(here: Path, words: str, found: list[str]) -> None:
    assert sorted(completed(here, *words.split(" "))) == sorted(found)


def test_every_option_of_every_command_is_completed(here: Path) -> None:
    def options_of(parser: argparse.ArgumentParser) -> set[str]:
        shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
        return {option for action in shown for option in action.option_strings if option.startswith("--")}

    (commands,) = (each for each in make_parser()._actions if isinstance(each, argparse._SubParsersAction))
    for name, parser in commands.choices.items():
        assert set(completed(here, name, "--")) == options_of(parser), name
    load = next(each for each in commands.choices["load"]._actions if isinstance(each, argparse._SubParsersAction))
    for name in workloads.names():
        assert set(completed(here, "load", name, "--")) == options_of(load.choices[name]), name


def test_it_is_there_once_bash_has_read_it(here: Path) -> None:
    done = subprocess.run(
        ["bash", "--norc", "-c", "source lanes.bash; complete -p lanes"], cwd=here, capture_output=True, text=True
    )
    assert done.stdout.split()[-2:] == ["_shtab_lanes", "lanes"]


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source lanes.bash"),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -u -D; eval "$(<lanes.zsh)"'),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_on_a_terminal(here: Path, shell: str) -> None:
    command, read_in = SHELLS[shell]
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    with_tab = "lanes load wait --arrivals po\t"
    for line, wanted in (
        (with_tab, "--arrivals poisson"),
        ("lanes sweep --models serial,native-ep\t", "serial,native-epoll"),
    ):
        assert wanted in _typed(command, here, [f"{read_in}; echo re''ady\n", line], wanted), line


def _typed(command: list[str], here: Path, lines: list[str], wanted: str) -> str:
    """What a terminal shows once these have been typed, each when the one before has come to its end."""
    screen, side = pty.openpty()
    env = {**os.environ, "TERM": "dumb", "HOME": str(here), "PS1": "$ "}
    process = subprocess.Popen(command, cwd=here, env=env, stdin=side, stdout=side, stderr=side, start_new_session=True)
    os.close(side)
    shown = ""
    with process:
        for line, awaited in zip(lines, ("ready", wanted), strict=True):
            os.write(screen, line.encode())
            for part in _read(screen):
                shown += part
                if awaited in shown:
                    break
        process.kill()
    os.close(screen)
    return shown


def _read(screen: int) -> Iterator[str]:
    until = time.monotonic() + 20
    while (left := until - time.monotonic()) > 0:
        if select.select([screen], [], [], left)[0]:
            try:
                yield os.read(screen, 65536).decode(errors="replace")
            except OSError:
                return


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("lanes load wait --arrivals ", ["constant", "poisson"]),
        ("lanes sweep --models serial,native-e", ["serial,native-epoll"]),
        ("lanes compare --models multiprocessing[sp", ["multiprocessing[spawn]"]),
        ("lanes anatomy wait --json one", ["one.json"]),
    ],
)
def test_fish_completes(here: Path, line: str, found: list[str]) -> None:
    asked = f"source lanes.fish; complete -C {shlex.quote(line)}"
    done = subprocess.run(["fish", "--no-config", "-c", asked], cwd=here, capture_output=True, text=True, check=True)
    assert [each.partition("\t")[0] for each in done.stdout.splitlines()] == found


def test_the_command_prints_the_script(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    for shell in completion.SHELLS:
        assert cli.main(["completion", shell]) == 0
        assert capsys.readouterr().out == (here / f"lanes.{shell}").read_text()


def test_no_command_but_this_loads_what_makes_it() -> None:
    code = "import sys; from lanes.cli.parser import make_parser; make_parser(); assert 'shtab' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
