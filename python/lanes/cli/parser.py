"""The command line's grammar: commands, options, examples."""

from __future__ import annotations

import argparse
import platform
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TypeAlias

import lanes
from lanes import models
from lanes.anatomy import BY_DEFAULT as LOOKED_AT
from lanes.cli.anatomy import run_anatomy
from lanes.cli.claims import run_claims
from lanes.cli.commands import serve_origin, show_doctor, show_models, show_workloads
from lanes.cli.completion import SHELLS, run_completion
from lanes.cli.loading import FULL, KINDS, LASTING, QUEUE, run_load
from lanes.cli.measuring import BY_DEFAULT, run_compare, run_sweep
from lanes.cli.reporting import FORMS, run_report
from lanes.cli.rows import input_of, modules, option_of, row_of, written
from lanes.compare import BUDGET_S
from lanes.sample import DEADLINE_S
from lanes.types import BODIES
from lanes.workloads import function

Subparsers: TypeAlias = "argparse._SubParsersAction[_Parser]"

_EXAMPLES = {
    "": ("lanes compare", "lanes compare wait --duration 20ms", "lanes models"),
    "compare": (
        "lanes compare",
        "lanes compare --models native,asyncio --rounds 5",
        "lanes compare download --latency 20ms --workers 8",
        "lanes compare compute --json results.json",
        "lanes compare compute --models asyncio,asyncio-threads,asyncio-processes --pulse",
        "lanes compare wait --log events.jsonl --seed 7",
        function.EXAMPLES[0],
    ),
    "sweep": (
        "lanes sweep compute --workers 1,2,4,8",
        "lanes sweep download --latency 20ms --models python --budget 90s",
        "lanes sweep mypkg.mymod:function --items items.json",
    ),
    "load": (
        "lanes load wait --duration 20ms --rate 150/s --workers 4",
        "lanes load compute --rate 100/s --arrivals poisson --queue 16 --full reject",
        "lanes load wait --rate 500/s --queue unbounded --for 2s --models threading,asyncio,native-epoll",
        "lanes load wait --rate 50/s --for 1s --log events.jsonl --seed 7",
        "lanes load mypkg.mymod:function --items items.json --rate 50/s",
    ),
    "anatomy": (
        "lanes anatomy compute --models threading,multiprocessing",
        "lanes anatomy wait --models asyncio,native-epoll --workers 100 --tasks 1000",
        "lanes anatomy compute --models 'multiprocessing[fork],multiprocessing[spawn]' --json anatomy.json",
        "lanes anatomy mypkg.mymod:function --items items.json",
    ),
    "claims": (
        "lanes claims",
        "lanes claims threads-compute 9",
        "lanes claims --markdown claims.md --json claims.json",
    ),
    "doctor": ("lanes doctor", "lanes doctor --json machine.json"),
    "report": (
        "lanes report result.json",
        "lanes report result.json --html page.html --csv rows.csv",
        "lanes report result.json --markdown - --pyperf benchmarks.json",
        "lanes report before.json after.json",
        "lanes report before.json after.json --markdown comment.md",
    ),
    "models": ("lanes models",),
    "workloads": ("lanes workloads",),
    "completion": (
        "lanes completion bash",
        'eval "$(lanes completion bash)"  # in ~/.bashrc',
        'eval "$(lanes completion zsh)"  # in ~/.zshrc, after compinit',
        "lanes completion fish | source  # in ~/.config/fish/config.fish",
    ),
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
        words = "of lanes, Python and libcurl, and the state of the GIL" if " " not in self.prog else argparse.SUPPRESS
        self.add_argument("--version", action=_Version, nargs=0, help=words)

    def error(self, message: str) -> NoReturn:
        raise ValueError(message + (": write lanes compare download URL" if "choice: 'http" in message else ""))


class _Version(argparse.Action):
    """Wherever it stands, it is said at once, and nothing else is done."""

    def __call__(self, parser: object, namespace: object, values: object, option: str | None = None) -> NoReturn:
        from lanes import _download, interpreter

        python, gil = platform.python_version(), "on" if interpreter.gil() else "off"
        print(
            f"lanes {lanes.__version__}, Python {python}, libcurl {_download.libcurl_version()}, GIL {gil}", flush=True
        )
        raise SystemExit(0)


class _Misplaced(argparse.Action):
    """An option of one workload, given before its name or without it."""

    def __call__(self, parser: object, namespace: object, values: object, option: str | None = None) -> NoReturn:
        raise ValueError(f"{option} is an option of one workload: write {self.const} {option} ...")


class _Rows(dict[str, _Parser]):
    """The parsers of the workloads, by name; the path of any function is a name of the one for functions."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(row_of(name))

    def __getitem__(self, name: str) -> _Parser:
        return super().__getitem__(row_of(name))


def make_parser() -> _Parser:
    parser = _Parser(
        _EXAMPLES[""], "lanes", "Run one workload on every concurrency model, Python's own and native ones."
    )
    parser.set_defaults(command=_help)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    about = f"one workload on many models; if none is named, {' and '.join(BY_DEFAULT)}"
    _add_measuring(commands, "compare", about, run_compare)
    about = "the same over worker counts: how each model scales, how many workers are best, from when it pays off"
    _add_measuring(commands, "sweep", about, run_sweep)
    about = "tasks that arrive at a rate: how long they wait, how many wait, what a full queue sends away or holds up"
    _add_measuring(commands, "load", about, run_load)
    about = "what is there while a model works: processes, threads, memory, descriptors, as the kernel tells them"
    _add_measuring(commands, "anatomy", about, run_anatomy)
    _add_claims(commands)
    _add_doctor(commands)
    _add_report(commands)
    about = "the models: who decides to switch, how many processors, which bodies"
    _add(commands, "models", about, _EXAMPLES["models"], show_models)
    _add(
        commands, "workloads", "the workloads: what a task is, and the options", _EXAMPLES["workloads"], show_workloads
    )
    about = f"a script by which a shell completes all this: {', '.join(SHELLS)}"
    completion = _add(commands, "completion", about, _EXAMPLES["completion"], run_completion)
    completion.add_argument("shell", metavar="SHELL", help=f"which one: {', '.join(SHELLS)}")
    origin = _add(commands, "origin", "serve the embedded HTTP origin until Ctrl-C", _EXAMPLES["origin"], serve_origin)
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
    for name, module in modules().items():
        examples = [_example(example, command, name, module.OPTIONS) for example in module.EXAMPLES]
        row = _add(rows, name, module.ABOUT, examples, perform)
        options = {option_of(written(command, name, key)): described for key, described in module.OPTIONS.items()}
        if described := input_of(module):
            row.add_argument("input", metavar=described[0], nargs="*", help=described[1])
            options["--urls"] = ("FILE", "with one URL a line; a line that begins with # is a comment")
        for option, (metavar, words) in options.items():
            where = f"lanes {command} {name}"
            # A choice without a form is a switch.
            nothing = None if metavar else 0
            parser.add_argument(option, const=where, nargs=nothing, action=_Misplaced, help=argparse.SUPPRESS)
            if metavar is None:
                row.add_argument(option, action="store_true", help=words)
            else:
                row.add_argument(option, metavar=metavar, type=_number if metavar == "N" else str, help=words)
        _add_common_options(row, command)


def _example(example: str, command: str, row: str, keys: Iterable[str]) -> str:
    """An example of `compare` as one of another command."""
    for key in keys:
        example = example.replace(f"{option_of(key)} ", f"{option_of(written(command, row, key))} ")
    return example.replace("lanes compare", f"lanes {command}") + " --rate 100/s" * (command == "load")


def _add_claims(commands: Subparsers) -> None:
    about = "what is said about concurrency in Python, each claim measured and judged on this machine, in some minutes"
    parser = _add(commands, "claims", about, _EXAMPLES["claims"], run_claims)
    parser.add_argument(
        "claim", metavar="NAME", nargs="*", help="only these, names or numbers, with the evidence; all if left out"
    )
    parser.add_argument("--list", action="store_true", help="the claims and their names; nothing is measured")
    parser.add_argument("--json", metavar="FILE", help="write the evidence here; - is standard output")
    parser.add_argument("--markdown", metavar="FILE", help="write a table for a page here; - is standard output")
    parser.add_argument("--seed", metavar="N", type=_number, help="of all that is left to chance")
    parser.add_argument("--quiet", action="store_true", help="neither progress nor list")


def _add_doctor(commands: Subparsers) -> None:
    about = "what this machine allows, and what will disturb a measurement; nothing is changed"
    parser = _add(commands, "doctor", about, _EXAMPLES["doctor"], show_doctor)
    parser.add_argument(
        "--json", metavar="FILE", help="write the facts here; - is standard output, with the list on standard error"
    )


def _add_report(commands: Subparsers) -> None:
    about = (
        "a result that --json wrote, shown again or in another form; with a second one, what is faster or slower there"
    )
    parser = _add(commands, "report", about, _EXAMPLES["report"], run_report)
    parser.add_argument("result", metavar="RESULT.json", help="what compare, sweep, load, claims or anatomy wrote")
    parser.add_argument("other", metavar="OTHER.json", nargs="?", help="a comparison or a sweep held against the first")
    for form, words in FORMS.items():
        parser.add_argument(f"--{form}", metavar="FILE", help=f"{words}; - is standard output")
    parser.add_argument("--details", action="store_true", help="all tables of a comparison, the evidence of claims")


def _number(text: str) -> int | str:
    """A whole number as written in digits; what is none is left to whoever says what is allowed."""
    return int(text) if re.fullmatch("-?[0-9]{1,18}", text) else text


def _add_common_options(parser: _Parser, command: str) -> None:
    group = parser.add_argument_group("common options")
    names = ", ".join(models.names())
    default = f" ({', '.join(LOOKED_AT)})" if command == "anatomy" else ""
    group.add_argument("--models", metavar="NAME,...", help=f"all, python, native or any of {names}{default}")
    default = " (python)" if command == "anatomy" else ""
    group.add_argument(
        "--bodies", metavar="NAME,...", help=f"of Python models: all or any of {', '.join(BODIES)}{default}"
    )
    if command == "sweep":
        group.add_argument("--workers", metavar="N,...", help="how many, each in turn; powers of two if left out")
    else:
        group.add_argument("--workers", metavar="N", type=_number, help="threads, processes or tasks in flight")
    words = "how many there are, which come in turn" if command == "load" else "how many tasks"
    group.add_argument("--tasks", metavar="N", type=_number, help=words)
    if command == "load":
        _add_terms(group)
    elif command != "anatomy":
        group.add_argument(
            "--rounds", metavar="N", type=_number, help="samples of every row; as many as it takes if left out"
        )
        group.add_argument("--budget", metavar="TIME", help=f"the time that as many may take (about {BUDGET_S:g}s)")
    longest = f"{DEADLINE_S:g}s{' after all is over' * (command == 'load')}"
    words = f"a sample that takes longer says where its workers stand, and is killed ({longest})"
    group.add_argument("--deadline", metavar="TIME", help=words)
    group.add_argument(
        "--seed", metavar="N", type=_number, help="of all that is left to chance; the result has the one that was used"
    )
    group.add_argument(
        "--json", metavar="FILE", help="write the result here; - is standard output, with the table on standard error"
    )
    if command == "compare":
        words = "a third table: switches, hand-overs of the GIL, memory, pickling, lag"
        group.add_argument("--details", action="store_true", help=words)
        words = "how late something beside the work comes that tries to beat every 5 ms: the price the rest pays"
        group.add_argument("--pulse", action="store_true", help=words)
    if command in ("compare", "load"):
        words = "write every event of one more run of each row here, one JSON object a line"
        group.add_argument("--log", metavar="FILE", help=words)
    group.add_argument("--quiet", action="store_true", help="neither progress nor table: only what went wrong")


def _add_terms(group: argparse._ArgumentGroup) -> None:
    """On what terms tasks come."""
    group.add_argument("--rate", metavar="RATE", help="how many arrive, such as 200/s or 12000/min; must be given")
    group.add_argument("--arrivals", metavar="KIND", help=f"{' or '.join(KINDS)} ({KINDS[0]})")
    group.add_argument("--queue", metavar="N", help=f"how many may wait for a worker, or unbounded ({QUEUE})")
    words = f"what becomes of a task when the queue is full: {' or '.join(FULL)} ({FULL[0]})"
    group.add_argument("--full", metavar="RULE", help=words)
    group.add_argument("--for", metavar="TIME", help=f"for how long tasks arrive ({LASTING})")


def _add(
    commands: Subparsers, name: str, about: str, examples: Sequence[str], command: Callable[[argparse.Namespace], int]
) -> _Parser:
    parser = commands.add_parser(name, examples=examples, help=about, description=f"{about[0].upper()}{about[1:]}.")
    parser.set_defaults(command=command)
    return parser


def _help(options: argparse.Namespace) -> int:
    make_parser().print_help()
    return 0
