"""lanes in pytest: comparisons as tests, with thresholds, and a table of all of them at the end of the session.

    def test_threads_overlap_downloads(lanes):
        result = lanes.compare(lanes.download(tasks=16, latency="50ms"), models=["serial", "threading"])
        assert result["threading"].speedup > 2

    @pytest.mark.lanes(models="python", workers=4, min_speedup={"futures-processes": 1.3})
    def test_my_function(lanes_compare):
        lanes_compare(my_function, items)

What a test says goes above its marker, that above the command line, and that above the configuration. A test that fails
shows all that it has compared; `--lanes-compare` and `--lanes-fail` hold the session against an earlier one, and fail
the tests in which a row is worse. An `async def` runs on the loop of pytest-asyncio or anyio where it is marked for one
of them, and else on a loop of its own. Beside other workers of pytest-xdist nothing that is measured means anything:
there these tests are skipped with that reason, and the options that hand results on are refused.

pytest loads this by its entry point wherever lanes is installed, so it imports nothing until a test or an option wants
it. What is asked of a comparison, and what counts as a step back, stands in lanes/guard.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import pytest

import lanes as package
from lanes.pytest_session import Session, add_options, over

if TYPE_CHECKING:
    from lanes.comparison import Comparison
    from lanes.sweep import Sweep
    from lanes.types import Workload

_Function: TypeAlias = Callable[[Any], object]
R = TypeVar("R", "Comparison", "Sweep")

_SESSION = pytest.StashKey[Session]()
_MADE = pytest.StashKey[list["Comparison | Sweep"]]()
"""What one test has compared."""

_FIXTURES = {"lanes", "lanes_compare"}
_CHOICES = ("models", "bodies", "workers", "rounds", "budget", "deadline", "closeup", "pulse", "seed", "tasks")
_GUARDS = ("min_speedup", "faster", "max_gil_wait", "max_memory")
_MARKER = f"lanes({', '.join(f'{name}=' for name in (*_CHOICES, *_GUARDS))}): what lanes_compare compares and asks for"


# ---- the session


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    try:
        config.stash[_SESSION] = Session.of(config)
    except (ValueError, OSError) as error:
        raise pytest.UsageError(str(error)) from None


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    ours = session.config.stash[_SESSION]
    try:
        ours.write()
    except OSError as error:
        ours.notes.append(f"cannot write {ours.path}: {error.strerror}")
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    writer = config.get_terminal_writer()
    if text := config.stash[_SESSION].text(config.get_verbosity(), writer.fullwidth, writer.hasmarkup):
        terminalreporter.section("lanes")
        terminalreporter.write(text)


# ---- fixtures


class Lanes:
    """The package as a test sees it: all that `lanes` offers, but what it compares and sweeps goes by the options of
    the session, where the test says nothing else, and stands in the table at its end."""

    def __init__(self, session: Session, label: str, made: list[Comparison | Sweep]) -> None:
        self._session, self._label, self._made = session, label, made

    def __getattr__(self, name: str) -> Any:
        return getattr(package, name)

    def __dir__(self) -> list[str]:
        return dir(package)

    def __reduce__(self) -> tuple[object, ...]:
        """As the package: a function that is defined in a test and uses the fixture takes it to other processes."""
        return import_module, (package.__name__,)

    def compare(
        self, workload: Workload | _Function, items: Iterable[object] | None = None, **choices: Any
    ) -> Comparison:
        """As `lanes.compare`."""
        __tracebackhide__ = True
        return self._kept(package.compare(workload, items, **over(self._session.choices, choices)))

    def sweep(self, workload: Workload | _Function, items: Iterable[object] | None = None, **choices: Any) -> Sweep:
        """As `lanes.sweep`."""
        __tracebackhide__ = True
        return self._kept(package.sweep(workload, items, **over(self._session.choices, choices)))

    def _kept(self, result: R) -> R:
        result = self._session.kept(result, self._label)
        self._made.append(result)
        return result


class LanesCompare:
    """`lanes.compare` by the choices of the test's marker, which fails where one of its thresholds is not kept, where
    any outcome is not the baseline's, and where a row did not come to its end."""

    def __init__(self, lanes: Lanes, marked: Mapping[str, Any]) -> None:
        self._lanes, self._marked = lanes, marked
        self.called = False

    def __call__(
        self, workload: Workload | _Function, items: Iterable[object] | None = None, **choices: Any
    ) -> Comparison:
        """The comparison. What is given here, choices as well as thresholds, goes above what the marker says."""
        __tracebackhide__ = True
        from lanes import guard

        self.called = True
        choices = over(self._marked, choices)
        demands = guard.demands({name: choices.pop(name) for name in _GUARDS if name in choices})
        if (tasks := choices.pop("tasks", None)) is not None:
            workload, items = package.workload(cast(_Function, workload), items=items, tasks=tasks), None
        result = self._lanes.compare(workload, items, **choices)
        if missed := list(guard.failures(result, demands)):
            _fail(missed)
        return result


def _fail(lines: Iterable[str]) -> None:
    __tracebackhide__ = True
    pytest.fail("\n".join(f"lanes: {line}" for line in lines), pytrace=False)


@pytest.fixture
def lanes(request: pytest.FixtureRequest) -> Lanes:
    """All that the package lanes offers, with the session's options as defaults of compare and sweep."""
    session = request.config.stash[_SESSION]
    if session.refusal is not None:
        pytest.skip(session.refusal)
    made: list[Comparison | Sweep] = []
    request.node.stash[_MADE] = made
    return Lanes(session, request.node.nodeid, made)


@pytest.fixture
def lanes_compare(request: pytest.FixtureRequest, lanes: Lanes) -> LanesCompare:
    """lanes.compare with what the test's marker says; it fails where the thresholds there are not kept."""
    return LanesCompare(lanes, _marked(request.node))


def _marked(item: pytest.Item) -> dict[str, Any]:
    """What the markers say, those of the class and of the module too; the closest goes above the others."""
    marked: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("lanes"))):
        marked = over(marked, mark.kwargs)
    return marked


# ---- tests


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A marker that asks for what there is not, or that nobody reads, must not look like a test that passes."""
    fixtures = getattr(item, "fixturenames", ())
    marks = list(item.iter_markers("lanes"))
    if not marks:
        return
    if "lanes_compare" not in fixtures:
        if any(mark.name == "lanes" for mark in item.own_markers):
            _fail(["the marker is for tests with the fixture lanes_compare, which this one does not have"])
        return
    if wrong := _wrong(marks, _marked(item)):
        _fail([f"the marker {wrong}"])


def _wrong(marks: Iterable[pytest.Mark], marked: Mapping[str, object]) -> str | None:
    """What is wrong with the markers of a test, if anything."""
    if any(mark.args for mark in marks):
        return "takes keywords only, such as min_speedup={'threading': 2}"
    if unknown := [name for name in marked if name not in (*_CHOICES, *_GUARDS)]:
        return f"knows no {unknown[0]!r}: choose from {', '.join((*_CHOICES, *_GUARDS))}"
    from lanes import guard

    try:
        guard.demands({name: value for name, value in marked.items() if name in _GUARDS})
    except ValueError as error:
        return f"says what makes no sense: {error}"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that has passed so far also looks back."""
    yield
    fixture = getattr(item, "funcargs", {}).get("lanes_compare")
    if isinstance(fixture, LanesCompare) and not fixture.called:
        _fail(["lanes_compare was never called: nothing was compared"])
    if (made := item.stash.get(_MADE, [])) and (worse := item.config.stash[_SESSION].look_back(made)):
        _fail(worse)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what it compared: all rows, intervals, verdicts and laws."""
    report = yield
    if report.failed and report.when == "call":
        report.sections += [("lanes", str(result)) for result in item.stash.get(_MADE, [])]
    return report


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """An `async def` that no other plugin has run by now gets a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or _FIXTURES.isdisjoint(pyfuncitem.fixturenames):
        return None
    import asyncio

    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    with asyncio.Runner() as runner:
        runner.run(pyfuncitem.obj(**arguments))
    return True
