"""The command `lanes`.

Exit status: 0; 1 when outcomes differ or a model failed; 2 for bad input, with one line that says what is allowed;
130 after Ctrl-C, with nothing left running; 141 when whoever read the output has gone away.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVar

import lanes
from lanes import models, workloads
from lanes.compare import BUDGET_S, Step, compare
from lanes.comparison import Comparison
from lanes.sample import DEADLINE_S
from lanes.types import BODIES, Workload
from lanes.units import whole
from lanes.workloads import function

if TYPE_CHECKING:
    from rich.console import Console

    from lanes.sweep import Sweep

    Subparsers: TypeAlias = "argparse._SubParsersAction[_Parser]"

Result = TypeVar("Result", "Comparison", "Sweep")

BY_DEFAULT = ("download", "compute")
"""What `lanes compare` compares when it is not told."""

_EXAMPLES = {
    "": ("lanes compare", "lanes compare wait --duration 20ms", "lanes models"),
    "compare": (
        "lanes compare",
        "lanes compare --models native,asyncio --rounds 5",
        "lanes compare download --latency 20ms --workers 8",
        "lanes compare compute --json results.json",
        function.EXAMPLES[0],
    ),
    "sweep": (
        "lanes sweep compute --workers 1,2,4,8",
        "lanes sweep download --latency 20ms --models python --budget 90s",
        "lanes sweep mypkg.mymod:function --items items.json",
    ),
    "doctor": ("lanes doctor", "lanes doctor --json machine.json"),
    "report": ("lanes report before.json after.json",),
    "models": ("lanes models",),
    "workloads": ("lanes workloads",),
    "origin": ("lanes origin --port 8080", "curl 'http://127.0.0.1:8080/?size=65536&ms=50' -o body"),
}


class _Parser(argparse.ArgumentParser):
    """What is not given leaves no default behind, and what is wrong is said in one line, without the usage."""

    def __init__(self, examples: Sequence[str], prog: str | None = None, description: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog="\n  ".join(("examples:", *examples)),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
        )
        # "-5ms" is no option either, but a value to be refused as such.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def error(self, message: str) -> NoReturn:
        raise ValueError(message + (": write lanes compare download URL" if "choice: 'http" in message else ""))


class _Misplaced(argparse.Action):
    """An option of one workload, given before its name or without it."""

    def __call__(self, parser: object, namespace: object, values: object, option: str | None = None) -> NoReturn:
        raise ValueError(f"{option} is an option of one workload: write {self.const} {option} ...")


class _Rows(dict[str, _Parser]):
    """The parsers of the workloads, by name; the path of any function is a name of the one for functions."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(_row(name))

    def __getitem__(self, name: str) -> _Parser:
        return super().__getitem__(_row(name))


def _row(name: str) -> str:
    return function.FORM if ":" in name and "://" not in name else name


def main(arguments: Sequence[str] | None = None) -> int:
    _open_closed_descriptors()
    try:
        try:
            options = _parser().parse_args(arguments)
        except ValueError as error:
            _refuse(error)
        command: Callable[[argparse.Namespace], int] = options.command
        status = command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us has seen enough; what is still to be flushed goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def _refuse(error: ValueError | OSError) -> NoReturn:
    """End with one line for bad input. To be called for that alone: any other error is ours, and leaves its trace."""
    if isinstance(error, BrokenPipeError):
        raise error
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    print(f"lanes: {' '.join(text.split())}", file=sys.stderr)
    raise SystemExit(2)


def _open_closed_descriptors() -> None:
    """Let a standard stream that the caller has closed lead nowhere, or the next file opened would take its place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            os.set_inheritable(null, True)
            setattr(sys, name, os.fdopen(null, "w" if number else "r", closefd=False))


def _parser() -> _Parser:
    parser = _Parser(
        _EXAMPLES[""], "lanes", "Run one workload on every concurrency model, Python's own and native ones."
    )
    parser.set_defaults(command=_help)
    parser.add_argument("--version", action="store_true", help="of lanes, Python and libcurl, and the state of the GIL")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    about = f"one workload on many models; if none is named, {' and '.join(BY_DEFAULT)}"
    _add_measuring(commands, "compare", about, _compare)
    about = "the same over worker counts: how each model scales, how many workers are best, from when it pays off"
    _add_measuring(commands, "sweep", about, _sweep)
    _add_doctor(commands)
    _add_report(commands)
    about = "the models: who decides to switch, how many processors, which bodies"
    _add(commands, "models", about, _EXAMPLES["models"], _models)
    _add(commands, "workloads", "the workloads: what a task is, and the options", _EXAMPLES["workloads"], _workloads)
    origin = _add(commands, "origin", "serve the embedded HTTP origin until Ctrl-C", _EXAMPLES["origin"], _origin)
    origin.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    origin.add_argument("--port", metavar="N", type=_number, default=0, help="the port to listen on (any free one)")
    return parser


def _add_measuring(
    commands: Subparsers, command: str, about: str, perform: Callable[[argparse.Namespace], int]
) -> None:
    parser = _add(commands, command, about, _EXAMPLES[command], perform)
    _add_common_options(parser, command)
    rows = parser.add_subparsers(title="workloads", metavar="WORKLOAD", dest="workload")
    rows.choices = rows._name_parser_map = _Rows()  # argparse knows no other way to more names than it has listed
    for name, module in _modules().items():
        examples = [example.replace("lanes compare", f"lanes {command}") for example in module.EXAMPLES]
        row = _add(rows, name, module.ABOUT, examples, perform)
        options = {_option(key): described for key, described in module.OPTIONS.items()}
        if described := _input_of(module):
            row.add_argument("input", metavar=described[0], nargs="*", help=described[1])
            options["--urls"] = ("FILE", "with one URL a line; a line that begins with # is a comment")
        for option, (metavar, words) in options.items():
            where = f"lanes {command} {name}"
            parser.add_argument(option, const=where, action=_Misplaced, help=argparse.SUPPRESS)
            row.add_argument(option, metavar=metavar, type=_number if metavar == "N" else str, help=words)
        _add_common_options(row, command)


def _add_doctor(commands: Subparsers) -> None:
    about = "what this machine allows, and what will disturb a measurement; nothing is changed"
    parser = _add(commands, "doctor", about, _EXAMPLES["doctor"], _doctor)
    parser.add_argument(
        "--json", metavar="FILE", help="write the facts here; - is standard output, with the list on standard error"
    )


def _add_report(commands: Subparsers) -> None:
    about = "what became faster or slower between two files that compare --json wrote"
    parser = _add(commands, "report", about, _EXAMPLES["report"], _report)
    parser.add_argument("before", metavar="A.json", help="the file with the times to begin with")
    parser.add_argument("after", metavar="B.json", help="the file that is held against it")


def _modules() -> dict[str, ModuleType]:
    """The workloads by the form of their names."""
    return {**{name: workloads.load(name) for name in workloads.names()}, function.FORM: function}


def _option(key: str) -> str:
    """The option for a choice: --task-size for task_size."""
    return f"--{key.replace('_', '-')}"


def _input_of(module: ModuleType) -> tuple[str, str] | None:
    """The form and the meaning of what a workload is given besides its choices, if anything."""
    described: tuple[str, str] | None = getattr(module, "INPUT", None)
    return described


def _number(text: str) -> int | str:
    """A whole number as written in digits; what is none is left to whoever says what is allowed."""
    return int(text) if re.fullmatch("-?[0-9]{1,18}", text) else text


def _add_common_options(parser: _Parser, command: str) -> None:
    group = parser.add_argument_group("common options")
    names = ", ".join(models.names())
    group.add_argument("--models", metavar="NAME,...", help=f"all, python, native or any of {names}")
    group.add_argument("--bodies", metavar="NAME,...", help=f"of Python models: all or any of {', '.join(BODIES)}")
    if command == "sweep":
        group.add_argument("--workers", metavar="N,...", help="how many, each in turn; powers of two if left out")
    else:
        group.add_argument("--workers", metavar="N", type=_number, help="threads, processes or tasks in flight")
    group.add_argument("--tasks", metavar="N", type=_number, help="how many tasks")
    group.add_argument(
        "--rounds", metavar="N", type=_number, help="samples of every row; as many as it takes if left out"
    )
    group.add_argument("--budget", metavar="TIME", help=f"the time that as many may take ({BUDGET_S:g}s)")
    group.add_argument("--deadline", metavar="TIME", help=f"a sample that takes longer is killed ({DEADLINE_S:g}s)")
    group.add_argument(
        "--json", metavar="FILE", help="write the result here; - is standard output, with the table on standard error"
    )
    group.add_argument("--quiet", action="store_true", help="neither progress nor table: only what went wrong")


def _add(
    commands: Subparsers, name: str, about: str, examples: Sequence[str], command: Callable[[argparse.Namespace], int]
) -> _Parser:
    parser = commands.add_parser(name, examples=examples, help=about, description=f"{about[0].upper()}{about[1:]}.")
    parser.set_defaults(command=command)
    return parser


def _help(options: argparse.Namespace) -> int:
    if "version" not in options:
        _parser().print_help()
        return 0
    from lanes import _download, interpreter

    python, gil = platform.python_version(), "on" if interpreter.gil() else "off"
    print(f"lanes {lanes.__version__}, Python {python}, libcurl {_download.libcurl_version()}, GIL {gil}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from lanes.report import table

    chosen: str | None = getattr(options, "workload", None)
    return _perform([chosen] if chosen else BY_DEFAULT, options, compare, table.show)


def _sweep(options: argparse.Namespace) -> int:
    from lanes.report import sweep as report
    from lanes.sweep import sweep

    if not getattr(options, "workload", None):
        names = ", ".join(_modules())
        _refuse(ValueError(f"lanes sweep needs a workload: choose from {names}"))
    return _perform([options.workload], options, sweep, report.show)


def _perform(
    names: Sequence[str],
    options: argparse.Namespace,
    measure: Callable[..., Result],
    show: Callable[[Result, Console], None],
) -> int:
    """Measure one workload after another, show each result, and write them all."""
    from lanes.report import json, table

    to_stdout = getattr(options, "json", None) == "-"
    try:
        path = _file_of("json", options) if "json" in options and not to_stdout else None
        if path:
            json.check_writable(path)
        made = [_workload(name, options) for name in names]
    except (ValueError, OSError) as error:
        _refuse(error)
    results: list[Result] = []
    for workload in made:
        results.append(_measure(workload, options, measure))
        if "quiet" in options:
            for line in table.problems(_comparison(results[-1])):
                print(line, file=sys.stderr)
        else:
            console = _console(stderr=to_stdout, least_width=80)
            if len(results) > 1:
                console.print()
            show(results[-1], console)
        # After each, for the next may not come to its end; but a pipe takes only one document.
        if path and (len(results) == len(made) or not json.is_special(path)):
            try:
                json.write(results, path)
            except OSError as error:
                _refuse(error)
    if to_stdout:
        print(json.text(results), end="")
    return 0 if all(_comparison(result).ok for result in results) else 1


def _comparison(result: Comparison | Sweep) -> Comparison:
    return result if isinstance(result, Comparison) else result.comparison


def _workload(name: str, options: argparse.Namespace) -> Workload:
    """The workload, made from those of its choices that were given."""
    if _row(name) == function.FORM:
        return _function(name, options)
    given, module = vars(options), workloads.load(name)
    choices = {key: given[key] for key in ("tasks", *module.OPTIONS) if key in given}
    inputs = [*given.get("input", []), *(_read_urls(_file_of("urls", options)) if "urls" in given else [])]
    make: Callable[..., Workload] = getattr(module, name)
    return make(inputs, **choices) if inputs else make(**choices)


def _function(path: str, options: argparse.Namespace) -> Workload:
    if "items" not in options:
        raise ValueError(f"{path} needs --items FILE: {function.OPTIONS['items'][1]}")
    from lanes.workloads.function_path import find, read_items

    items = read_items(_file_of("items", options))
    return function.workload(find(path), items=items, tasks=getattr(options, "tasks", None))


def _file_of(option: str, options: argparse.Namespace) -> Path:
    name: str = getattr(options, option)
    if not name:
        raise ValueError(f"--{option} needs the name of a file")
    return Path(name)


def _read_urls(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {path}: it is not UTF-8 text") from None
    urls = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not urls:
        raise ValueError(f"there are no URLs in {path}: it must have one a line")
    return urls


def _measure(workload: Workload, options: argparse.Namespace, measure: Callable[..., Result]) -> Result:
    passed = ("models", "bodies", "workers", "rounds", "budget", "deadline")
    choices = {key: value for key, value in vars(options).items() if key in passed}
    begun = False
    with _display(workload.name, "quiet" not in options) as show:

        def progress(step: Step) -> None:
            nonlocal begun
            begun = True
            show(step)

        try:
            return measure(workload, **choices, progress=progress)
        except (ValueError, OSError) as error:
            if begun:  # what was asked for had all been found good
                raise
            _refuse(error)


@contextmanager
def _display(title: str, wanted: bool) -> Iterator[Callable[[Step], None]]:
    """A bar on standard error while it runs, gone when it is done; none where that is no terminal."""
    if not wanted or not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[state]}"))
    # Refreshed between samples only: a thread of its own would run beside them.
    with Progress(*columns, console=_console(stderr=True), transient=True, auto_refresh=False) as display:
        bar = display.add_task(title, total=1.0, state="")

        def show(step: Step) -> None:
            what = f"{title}: {step.cell or 'done'}"
            display.update(bar, description=f"{what:<40}", completed=step.share, state=_state(step), refresh=True)

        yield show


def _state(step: Step) -> str:
    """Rounds done, and the time left."""
    done = f"{step.round} of {step.rounds} rounds" if step.rounds else f"{step.round} rounds"
    return done if step.left_s is None else f"{done}, {step.left_s:.0f} s left"


def _console(stderr: bool = False, least_width: int = 0) -> Console:
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # for `main`; rich would exit with 1, which means something else here

    console = Quiet(stderr=stderr, highlight=False, markup=False, emoji=False)
    if console.width < least_width:  # a terminal breaks lines; rich would leave out what does not fit
        console.width = least_width
    return console


def _doctor(options: argparse.Namespace) -> int:
    from lanes import machine
    from lanes.doctor import examine
    from lanes.report import doctor, json

    to_stdout = getattr(options, "json", None) == "-"
    try:
        path = _file_of("json", options) if "json" in options and not to_stdout else None
        if path:
            json.check_writable(path)
    except (ValueError, OSError) as error:
        _refuse(error)
    facts = machine.facts()
    findings = examine(facts)
    doctor.show(findings, _console(stderr=to_stdout, least_width=80))
    if to_stdout:
        print(doctor.text(findings, facts), end="")
    if path:
        try:
            json.write_text(doctor.text(findings, facts), path)
        except OSError as error:
            _refuse(error)
    return 0


def _report(options: argparse.Namespace) -> int:
    from lanes.report import changes, json

    names = options.before, options.after
    try:
        before, after = (json.read(Path(name)) for name in names)
        changes.pairs(before, after)
    except (ValueError, OSError) as error:
        _refuse(error)
    changes.show(before, after, names, _console(least_width=80))
    return 0


def _models(options: argparse.Namespace) -> int:
    from lanes.report import table

    table.show_models([models.load(name) for name in models.names()], _console(least_width=80))
    return 0


def _workloads(options: argparse.Namespace) -> int:
    for name, module in _modules().items():
        print(f"{name:<16}{module.ABOUT}")
        if described := _input_of(module):
            print(f"{'':<16}{f'{described[0]} ...':<20}{described[1]}")
        for key, (metavar, words) in module.OPTIONS.items():
            print(f"{'':<16}{f'{_option(key)} {metavar}':<20}{words}")
    return 0


def _origin(options: argparse.Namespace) -> int:
    from lanes.origin import run_foreground

    try:
        if not options.host:
            raise ValueError("--host needs an address to listen on, such as 127.0.0.1")
        return run_foreground(options.host, whole(options.port, "port", 0, 65535))
    except (ValueError, OSError) as error:
        _refuse(error)
