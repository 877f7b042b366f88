"""lanes runs one workload on every concurrency model, Python's own and native ones, side by side.

>>> import lanes
>>> result = lanes.compare(lanes.download(tasks=8, latency="50ms"))
>>> print(result)
>>> result["native-epoll"].speedup

What a name needs is imported when it is first asked for: `import lanes` costs next to nothing, nor does the fresh
process of a sample load what only its caller needs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lanes.anatomy import Anatomy, Look, anatomy
    from lanes.claims import Claim, Figure, Trial, Trials, claims
    from lanes.compare import Step, compare
    from lanes.comparison import Comparison, Difference, Distance, Faster, Row
    from lanes.doctor import Finding
    from lanes.doctor import examine as doctor
    from lanes.flight import run_async
    from lanes.identity import Identity, IdentityFilter, current
    from lanes.load import Instant, Load, LoadRow, load
    from lanes.report.read import read, read_all
    from lanes.run import run
    from lanes.sweep import Curve, Fit, Sweep, sweep
    from lanes.types import InFlight, Outcome, Run, Span, Task
    from lanes.workloads.compute import compute
    from lanes.workloads.counter import counter
    from lanes.workloads.download import download
    from lanes.workloads.exchange import exchange
    from lanes.workloads.function import workload
    from lanes.workloads.wait import wait

    __version__: str
    """Of the distribution gil-lanes: "0.1.0"; "0+unknown" in a source tree that nobody installed."""

__all__ = [
    "Anatomy",
    "Claim",
    "Comparison",
    "Curve",
    "Difference",
    "Distance",
    "Faster",
    "Figure",
    "Finding",
    "Fit",
    "Identity",
    "IdentityFilter",
    "InFlight",
    "Instant",
    "Load",
    "LoadRow",
    "Look",
    "Outcome",
    "Row",
    "Run",
    "Span",
    "Step",
    "Sweep",
    "Task",
    "Trial",
    "Trials",
    "__version__",
    "anatomy",
    "claims",
    "compare",
    "compute",
    "counter",
    "current",
    "doctor",
    "download",
    "exchange",
    "load",
    "read",
    "read_all",
    "run",
    "run_async",
    "sweep",
    "wait",
    "workload",
]


_MODULES = {
    "anatomy": "Anatomy Look anatomy",
    "claims": "Claim Figure Trial Trials claims",
    "compare": "Step compare",
    "comparison": "Comparison Difference Distance Faster Row",
    "doctor": "Finding doctor",
    "flight": "run_async",
    "identity": "Identity IdentityFilter current",
    "load": "Instant Load LoadRow load",
    "magics": "load_ipython_extension",
    "report.read": "read read_all",
    "run": "run",
    "sweep": "Curve Fit Sweep sweep",
    "types": "InFlight Outcome Run Span Task",
    "workloads.compute": "compute",
    "workloads.counter": "counter",
    "workloads.download": "download",
    "workloads.exchange": "exchange",
    "workloads.function": "workload",
    "workloads.wait": "wait",
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names.split()}
"""The module of each name that is imported when it is first asked for."""


class _Package(ModuleType):
    """Some functions bear the names of their modules. The import system puts each module that it has loaded into its
    package, under its name; here the function takes that place at once."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and _WHERE.get(name) == name:
            value = _found(value, name)
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[object, ...]:
        """By name: a function of one's own that uses lanes takes it along to other processes."""
        return import_module, (self.__name__,)


sys.modules[__name__].__class__ = _Package


def _found(module: ModuleType, name: str) -> object:
    return getattr(module, "examine" if name == "doctor" else name)


def __getattr__(name: str) -> object:
    value: object
    if name in _WHERE:
        value = _found(import_module(f"lanes.{_WHERE[name]}"), name)
    elif name == "__version__":
        value = _version()
    else:
        raise AttributeError(f"module 'lanes' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gil-lanes")
    except PackageNotFoundError:  # run from a source tree that nobody installed
        return "0+unknown"
