"""`%lanes` and `%%lanes`: what stands in a cell, on the models named. `%load_ext lanes` brings them.

There is one rule: **what stands before `for` is the work of one task, and what it goes through are the tasks.** It is
what one would write to have it done one by one, without the brackets:

    %lanes --models threading,futures-processes digest(path) for path in paths

For more than an expression there is the cell, whose first line ends with the `for`. The cell is then a function's body:
what it assigns is its own, and its last line, if that is an expression, is what comes of the task:

    %%lanes --models threading,futures-processes -o result for path in paths
    with open(path, "rb") as file:
        data = file.read()
    hashlib.sha256(data).hexdigest()

Without a `for` the same is done --tasks times, 8 when left out. An expression that gives a workload is compared as it
is; it is evaluated once, here, to see whether it does. One that awaits is for `asyncio`:

    %lanes --models python --budget 20s sum(range(1_000_000))
    %lanes --models threading,native lanes.download(tasks=16)
    %lanes --models asyncio fetch(session, url) for url in urls

What comes of it is a `Comparison`, the value of the cell like that of any other expression: `result = %lanes ...`.
Names of the notebook travel to the samples by value, as they do for `lanes.compare`: see lanes/parcel.py.
"""

from __future__ import annotations

import ast
import builtins
import dis
from argparse import REMAINDER
from collections.abc import Callable, Iterator
from functools import partial
from inspect import iscoroutinefunction
from keyword import iskeyword
from types import CodeType
from typing import Any, NoReturn, cast

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from lanes.cli.measuring import unless_refused
from lanes.cli.screen import display_of
from lanes.compare import compare
from lanes.comparison import Comparison
from lanes.types import Workload
from lanes.units import short, whole
from lanes.value import told
from lanes.workloads.function import workload

_TASKS = 8
_WORK, _ITEM = "_work_", "_item_"
"""The function that a cell becomes, and what it is given, before that is parted among the names after `for`."""

_LONGEST = 40
"""Characters of the code by which a workload is called."""

Scope = dict[str, Any]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What `%load_ext lanes` calls."""
    shell.register_magics(LanesMagics)


@magics_class
class LanesMagics(Magics):
    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument("-m", "--models", help="all, python, native or names, parted by commas (all)")
    @argument("-b", "--bodies", help="of Python models, for a workload: all, python, held, released (all)")
    @argument("-w", "--workers", type=int, help="threads, processes or tasks in flight")
    @argument("-t", "--tasks", type=int, help=f"how many, where no for says it ({_TASKS}); or, where one does, in turn")
    @argument("--rounds", type=int, help="samples of every row; as many as it takes if left out")
    @argument("--budget", help="the time that as many may take, such as 20s (about a minute)")
    @argument("--deadline", help="a sample that takes longer is killed, such as 10s (120s)")
    @argument("--seed", type=int, help="of all that is left to chance")
    @argument("--pulse", action="store_true", default=None, help="whether something beats beside each model's work")
    @argument("-o", "--output", metavar="NAME", help="the variable that is to hold the result")
    @argument("code", metavar="EXPRESSION", nargs=REMAINDER, help="the work of one task, `for` what it is given")
    @line_cell_magic
    def lanes(self, line: str, cell: str | None = None, local_ns: Scope | None = None) -> Comparison:
        """Run what stands here on every model named, and compare.

        What stands before `for` is the work of one task; without `for` it is done --tasks times. Of `%%lanes` the cell
        is the work, and its last expression what comes of it. A workload is compared as it is.
        """
        shell: Any = self.shell
        words = line.split()
        options = vars(cast(Any, self.lanes).parser.parse_args(words))
        written = len(options.pop("code"))
        # With the blanks between its words, which may be within quotes.
        code = line.split(maxsplit=len(words) - written)[-1] if written else ""
        output, tasks = options.pop("output"), options.pop("tasks")
        if output is not None and (iskeyword(output) or not output.isidentifier()):
            raise UsageError(f"--output needs the name of a variable, not {output!r}")
        scope = {**shell.user_ns, **(local_ns or {})}
        work = _workload(code, cell, tasks, scope)
        choices = {name: value for name, value in options.items() if value is not None}
        with display_of(work.name, wanted=True) as show:
            result = unless_refused(partial(compare, work, **choices), show, None, _refuse)
        if output is not None:
            shell.push({output: result})
        return result


def _refuse(error: Exception) -> NoReturn:
    """In one line, as IPython shows it."""
    raise UsageError(" ".join(str(error).split())) from None


def _workload(code: str, cell: str | None, tasks: int | None, scope: Scope) -> Workload:
    """What is to be compared; what makes none is refused."""
    try:
        return _line(code, tasks, scope) if cell is None else _cell(code, cell, tasks, scope)
    except SyntaxError as error:
        _refuse(ValueError(f"{error.msg}{f': {error.text.strip()}' if error.text else ''}"))
    except ValueError as error:
        _refuse(error)


def _line(code: str, tasks: int | None, scope: Scope) -> Workload:
    """`EXPRESSION for NAME in ITEMS`, or an expression alone."""
    if not code:
        raise ValueError("no work: write %lanes EXPRESSION for NAME in ITEMS, or a workload such as lanes.download()")
    found = ast.parse(f"({code}\n)", mode="eval").body
    if isinstance(found, ast.GeneratorExp):
        return _work(code, [ast.Expr(found.elt)], found.generators, tasks, scope)
    return _alone(code, [ast.Expr(found)], tasks, scope)


def _cell(head: str, cell: str, tasks: int | None, scope: Scope) -> Workload:
    """`for NAME in ITEMS` or nothing, and below it the body."""
    body = ast.parse(cell).body
    if not body:
        raise ValueError("no work: the cell is empty")
    if not head:
        return _alone("cell", body, tasks, scope)
    over = ast.parse(f"(0 {head.removesuffix(':')}\n)", mode="eval").body if head.startswith("for ") else None
    if not isinstance(over, ast.GeneratorExp):
        raise ValueError(f"the work is the cell; what stands above it is `for NAME in ITEMS`, not {short(head)}")
    return _work(f"cell {head}", body, over.generators, tasks, scope)


def _alone(title: str, body: list[ast.stmt], tasks: int | None, scope: Scope) -> Workload:
    """A workload as it is; anything else so many times."""
    function = _function(title, body, "", scope)
    if len(body) == 1 and isinstance(body[0], ast.Expr) and not iscoroutinefunction(function):
        value = _evaluated(body[0].value, scope)
        if callable(value):
            raise ValueError(f"{short(value)} is not called: write what one task is, such as f(item) for item in items")
        if hasattr(value, "tasks"):
            if tasks is not None:
                raise ValueError(f"{value.name} is a workload, which has its own tasks: leave out --tasks")
            return cast(Workload, value)
    return workload(function, items=range(_TASKS if tasks is None else whole(tasks, "tasks")))


def _work(title: str, body: list[ast.stmt], over: list[ast.comprehension], tasks: int | None, scope: Scope) -> Workload:
    """Once for each of what the `for` goes through."""
    names = ", ".join(ast.unparse(each.target) for each in over)
    items = ast.ListComp(ast.parse(f"({names})", mode="eval").body, over)
    return workload(_function(title, body, names, scope), items=_evaluated(items, scope), tasks=tasks)


def _function(title: str, body: list[ast.stmt], names: str, scope: Scope) -> Callable[[Any], Any]:
    """What does this, with its one argument parted among these names, and returns the last expression; an `async def`
    where it awaits."""
    *others, last = body
    returned = ast.Return(last.value) if isinstance(last, ast.Expr) else last
    parted = f"({names}) = {_ITEM}" if names else "pass"
    compiled = failure = None
    for kind in ("def", "async def"):
        module = ast.parse(f"{kind} {_WORK}({_ITEM}): {parted}")
        module.body[0].body += [*others, returned]  # type: ignore[attr-defined]  # which a def has
        try:
            compiled = _compiled(module, "exec")
            break
        except SyntaxError as error:
            failure = failure or error
    if compiled is None:
        raise failure or AssertionError
    if unknown := sorted({*_globals(compiled)} - scope.keys() - vars(builtins).keys()):
        raise ValueError(f"{unknown[0]} is not defined")
    exec(compiled, scope)
    function: Callable[[Any], Any] = scope.pop(_WORK)
    function.__qualname__ = _short(title)
    return function


def _globals(code: CodeType) -> Iterator[str]:
    """The names that it looks for outside, and so do the functions within it."""
    for step in dis.get_instructions(code):
        if step.opname == "LOAD_GLOBAL":
            yield step.argval
        elif isinstance(step.argval, CodeType):
            yield from _globals(step.argval)


def _evaluated(found: ast.expr, scope: Scope) -> Any:
    """What it is here; what it raises is told in a line."""
    try:
        return eval(_compiled(ast.Expression(found), "eval"), scope)
    except Exception as error:
        raise ValueError(f"{_short(ast.unparse(found))} raises {told(error)}") from error


def _compiled(tree: ast.Module | ast.Expression, mode: str) -> CodeType:
    code: CodeType = compile(ast.fix_missing_locations(tree), "<lanes>", mode)
    return code


def _short(code: str) -> str:
    """In one line, without its end where that is long."""
    text = " ".join(code.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
