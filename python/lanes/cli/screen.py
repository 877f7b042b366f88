"""What the commands share: how bad input is refused, files are named, and results and progress are shown."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lanes.compare import Step
from lanes.shown import CONTROLS

if TYPE_CHECKING:
    from rich.console import Console


def refuse(error: ValueError | OSError) -> NoReturn:
    """End with one line for bad input. To be called for that alone: any other error is ours, and leaves its trace."""
    if isinstance(error, BrokenPipeError):
        raise error
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    say([f"lanes: {' '.join(text.split())}"])
    raise SystemExit(2)


def say(lines: Iterable[str]) -> None:
    """These lines on standard error, where all stands that is no result."""
    for line in lines:
        print(line.translate(CONTROLS), file=sys.stderr)


def file_of(option: str, options: argparse.Namespace) -> Path:
    name: str = getattr(options, option)
    if not name:
        raise ValueError(f"--{option} needs the name of a file")
    return Path(name)


def json_of(options: argparse.Namespace) -> tuple[bool, Path | None]:
    """Whether JSON goes to standard output, and the file it goes to if any, which must be writable."""
    from lanes.report.files import check_writable

    if getattr(options, "json", None) in (None, "-"):
        return "json" in options, None
    path = file_of("json", options)
    check_writable(path)
    return False, path


def hand_out(text: Callable[[], str], to_stdout: bool, path: Path | None) -> None:
    """A whole document where it was wanted, if anywhere."""
    if to_stdout:
        print(text(), end="")
    if path:
        from lanes.report.files import write_text

        try:
            write_text(text(), path)
        except OSError as error:
            refuse(error)


def make_console(stderr: bool = False, least_width: int = 0) -> Console:
    from lanes.report.wording import Quiet

    class Screen(Quiet):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # for `main`; rich would exit with 1, which means something else here

    console = Screen(stderr=stderr, highlight=False, markup=False, emoji=False)
    if console.width < least_width:  # a terminal breaks lines; rich would leave out what does not fit
        console.width = least_width
    return console


def draws() -> bool:
    """Whether standard error is a terminal on which a line can be drawn over and wiped out again."""
    return sys.stderr.isatty() and not make_console(stderr=True).is_dumb_terminal


@contextmanager
def bar_of(title: str, wanted: bool) -> Iterator[Callable[[str, float, str], None]]:
    """A bar on standard error while it runs, gone when it is done; none where that is no terminal. It is told what is
    under way, the share that is done, and what else there is to say."""
    if not wanted or not draws():
        yield lambda what, share, state: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[state]}"))
    # Refreshed between samples only: a thread of its own would run beside them.
    with Progress(*columns, console=make_console(stderr=True), transient=True, auto_refresh=False) as display:
        bar = display.add_task(title, total=1.0, state="")

        def show(what: str, share: float, state: str) -> None:
            display.update(bar, description=f"{f'{title}: {what}':<40}", completed=share, state=state, refresh=True)

        yield show


@contextmanager
def display_of(title: str, wanted: bool) -> Iterator[Callable[[Step], None]]:
    """Such a bar for the steps of a comparison."""
    with bar_of(title, wanted) as show:
        yield lambda step: show(step.cell or "done", step.share, state_of(step))


def state_of(step: Step) -> str:
    """Rounds done, and the time left."""
    done = f"{step.round} of {step.rounds} rounds" if step.rounds else f"{step.round} rounds"
    return done if step.left_s is None else f"{done}, {step.left_s:.0f} s left"
