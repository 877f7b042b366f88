"""The command `lanes`.

Exit status: 0; 1 when outcomes differ or a model failed; 2 for bad input, with one line that says what is allowed;
130 after Ctrl-C, with nothing left running.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import lanes
from lanes import models, workloads
from lanes.compare import ROUNDS, Comparison, Step, compare
from lanes.types import BODIES, Workload

if TYPE_CHECKING:
    from rich.console import Console

    Subparsers: TypeAlias = "argparse._SubParsersAction[_Parser]"

BY_DEFAULT = ("download", "compute")
"""What `lanes compare` compares when it is not told."""

_ABOUT = {
    "download": "each task is one HTTP GET, read to its end, of a URL or from an embedded origin",
    "compute": "each task is a share of a kernel's work: it needs the processor and never waits",
    "wait": "each task is a pure timer, so that the ideal time is known beforehand",
}
_OPTIONS = {
    "download": {
        "--size": ("SIZE,...", "of the origin's bodies, such as 64KiB; several are used in turn"),
        "--latency": ("TIME,...", "of the origin before its first byte, such as 50ms; several are used in turn"),
        "--rate": ("RATE", "at which the origin sends a body, such as 10MiB/s"),
    },
    "compute": {
        "--kernel": ("NAME", "primes (counts them; the default), squares (sums them) or mandelbrot"),
        "--task-size": ("N", "how many numbers a task looks at, or the side of its tile"),
    },
    "wait": {
        "--duration": ("TIME,...", "of a timer, such as 50ms; several are used in turn"),
    },
}
_EXAMPLES = {
    "": ("lanes compare", "lanes compare wait --duration 20ms", "lanes models"),
    "compare": (
        "lanes compare",
        "lanes compare --models native,asyncio --rounds 5",
        "lanes compare download --latency 20ms --workers 8",
        "lanes compare compute --json results.json",
    ),
    "download": (
        "lanes compare download --tasks 4 --latency 300ms,200ms,200ms,200ms --workers 2",
        "lanes compare download --size 1MiB --rate 10MiB/s --models python",
        "lanes compare download https://example.org/ https://example.com/ --tasks 20",
        "lanes compare download --urls list.txt --quiet --json -",
    ),
    "compute": (
        "lanes compare compute --kernel mandelbrot --workers 2",
        "lanes compare compute --bodies python --task-size 20000 --tasks 16",
    ),
    "wait": ("lanes compare wait --tasks 4 --duration 300ms,200ms,200ms,200ms --workers 2",),
    "models": ("lanes models",),
    "workloads": ("lanes workloads",),
    "origin": ("lanes origin --port 8080", "curl 'http://127.0.0.1:8080/?size=65536&ms=50' -o body"),
}


class _Parser(argparse.ArgumentParser):
    """What is not given leaves no default behind, and what is wrong is said in one line, without the usage."""

    def __init__(self, command: str = "", prog: str | None = None, description: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog="\n  ".join(("examples:", *_EXAMPLES[command])),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


class _Misplaced(argparse.Action):
    """An option of one workload, given before its name or without it."""

    def __call__(self, parser: object, namespace: object, values: object, option: str | None = None) -> NoReturn:
        raise ValueError(f"{option} is an option of one workload: write lanes compare {self.dest} {option} ...")


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        options = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = options.command
        status = command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us has seen enough; what is still to be flushed goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError) as error:
        print(f"lanes: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return status


def _parser() -> _Parser:
    parser = _Parser("", "lanes", "Run one workload on every concurrency model, Python's own and native ones.")
    parser.set_defaults(command=_help)
    parser.add_argument("--version", action="store_true", help="of lanes, Python and libcurl, and the state of the GIL")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_compare(commands)
    _add(commands, "models", "the models: who decides to switch, how many processors, which bodies", _models)
    _add(commands, "workloads", "the workloads: what a task is, and the options", _workloads)
    origin = _add(commands, "origin", "serve the embedded HTTP origin until Ctrl-C", _origin)
    origin.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    origin.add_argument("--port", metavar="N", type=int, default=0, help="the port to listen on (any free one)")
    return parser


def _add_compare(commands: Subparsers) -> None:
    about = f"one workload on many models; if none is named, {' and '.join(BY_DEFAULT)}"
    parser = _add(commands, "compare", about, _compare)
    _add_common_options(parser)
    rows = parser.add_subparsers(title="workloads", metavar="WORKLOAD", dest="workload")
    for name in workloads.names():
        row = _add(rows, name, _ABOUT[name], _compare)
        if name == "download":
            row.add_argument("url", metavar="URL", nargs="*", help="http or https; without any, the origin is embedded")
            row.add_argument("--urls", metavar="FILE", help="with one URL a line; # begins a comment")
        for option, (metavar, words) in _OPTIONS[name].items():
            parser.add_argument(option, dest=name, action=_Misplaced, help=argparse.SUPPRESS)
            row.add_argument(option, metavar=metavar, type=int if metavar == "N" else str, help=words)
        _add_common_options(row)


def _add_common_options(parser: _Parser) -> None:
    group = parser.add_argument_group("common options")
    names = ", ".join(models.names())
    group.add_argument("--models", metavar="NAME,...", help=f"all, python, native or any of {names}")
    group.add_argument("--bodies", metavar="NAME,...", help=f"of Python models: all or any of {', '.join(BODIES)}")
    group.add_argument("--workers", metavar="N", type=int, help="threads, processes or tasks in flight")
    group.add_argument("--tasks", metavar="N", type=int, help="how many tasks")
    group.add_argument("--rounds", metavar="N", type=int, help=f"samples of every row ({ROUNDS})")
    group.add_argument("--json", metavar="FILE", help="write the result here; - is standard output, without the table")
    group.add_argument("--quiet", action="store_true", help="neither progress nor table: only what went wrong")


def _add(commands: Subparsers, name: str, about: str, command: Callable[[argparse.Namespace], int]) -> _Parser:
    parser = commands.add_parser(name, command=name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    parser.set_defaults(command=command)
    return parser


def _help(options: argparse.Namespace) -> int:
    if "version" not in options:
        _parser().print_help()
        return 0
    from lanes import _core, machine

    python, gil = platform.python_version(), "on" if machine.gil() else "off"
    print(f"lanes {lanes.__version__}, Python {python}, libcurl {_core.libcurl_version()}, GIL {gil}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from lanes.report import json, table

    to_stdout = getattr(options, "json", None) == "-"
    path = Path(options.json) if "json" in options and not to_stdout else None
    if path:
        json.check_writable(path)
    chosen: str | None = getattr(options, "workload", None)
    made = [_workload(name, options) for name in ([chosen] if chosen else BY_DEFAULT)]
    results = []
    for workload in made:
        results.append(_measure(workload, options))
        if "quiet" in options:
            for line in table.problems(results[-1]):
                print(line, file=sys.stderr)
        else:
            console = _console(stderr=to_stdout)
            if len(results) > 1:
                console.print()
            table.show(results[-1], console)
    if path:
        json.write(results, path)
    elif to_stdout:
        print(json.text(results), end="")
    return 0 if all(result.ok for result in results) else 1


def _workload(name: str, options: argparse.Namespace) -> Workload:
    """The workload, made from those of its options that were given."""
    given = vars(options)
    choices = {key: given[key] for key in ("tasks", *map(_attribute, _OPTIONS[name])) if key in given}
    urls = [*given.get("url", []), *(_read_urls(Path(options.urls)) if "urls" in given else [])]
    if urls or "urls" in given:
        for option in _OPTIONS[name]:
            if _attribute(option) in given:
                raise ValueError(f"{option} is a choice for the embedded origin: leave it out when there are URLs")
        choices["urls"] = urls
    make: Callable[..., Workload] = getattr(workloads.load(name), name)
    return make(**choices)


def _attribute(option: str) -> str:
    return option.lstrip("-").replace("-", "_")


def _read_urls(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {path}: it is not UTF-8 text") from None
    urls = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not urls:
        raise ValueError(f"there are no URLs in {path}: it must have one a line")
    return urls


def _measure(workload: Workload, options: argparse.Namespace) -> Comparison:
    choices = {key: value for key, value in vars(options).items() if key in ("models", "bodies", "workers", "rounds")}
    with _display(workload.name, "quiet" not in options) as progress:
        return compare(workload, **choices, progress=progress)


@contextmanager
def _display(title: str, wanted: bool) -> Iterator[Callable[[Step], None] | None]:
    """A bar on standard error while it runs, gone when it is done; none where that is no terminal."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console(stderr=True), transient=True) as display:
        bar = display.add_task(title, total=None)

        def show(step: Step) -> None:
            what = f"{title}: {step.cell or 'done'}"
            display.update(bar, description=f"{what:<40}", completed=step.done, total=step.total)

        yield show


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # for `main`; rich would exit with 1, which means something else here

    return Quiet(stderr=stderr, highlight=False, markup=False, emoji=False)


def _models(options: argparse.Namespace) -> int:
    from lanes.report import table

    table.show_models([models.load(name) for name in models.names()], _console())
    return 0


def _workloads(options: argparse.Namespace) -> int:
    from lanes.workloads.compute import KERNELS

    for name in workloads.names():
        print(f"{name:<10}{_ABOUT[name]}")
        if name == "download":
            print(f"{'':<10}URL ... or --urls FILE; else an origin is embedded, with")
        for option, (metavar, words) in _OPTIONS[name].items():
            print(f"{'':<10}{f'{option} {metavar}':<20}{words}")
        if name == "compute":
            for kernel, how in KERNELS.items():
                print(f"{'':<10}{f'kernel {kernel}':<20}default task size {how.default_size}")
    return 0


def _origin(options: argparse.Namespace) -> int:
    from lanes.origin import run_foreground

    if not 0 <= options.port <= 65535:
        raise ValueError(f"port {options.port}: choose 0 (any free one) to 65535")
    return run_foreground(options.host, options.port)
