"""lanes runs one workload on every concurrency model, Python's own and native ones, side by side.

>>> import lanes
>>> result = lanes.compare(lanes.download(tasks=8, latency="50ms"))
>>> print(result)
>>> result["native-epoll"].speedup

What a workload needs is imported when it is first asked for, so that `import lanes` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# Not lazily: modules of these names would take the place of the functions when they are imported later.
from lanes.anatomy import Anatomy, Look, anatomy
from lanes.claims import Claim, Figure, Trial, Trials, claims
from lanes.compare import Step, compare
from lanes.comparison import Comparison, Difference, Distance, Row
from lanes.doctor import Finding
from lanes.doctor import examine as doctor
from lanes.identity import Identity, IdentityFilter, current
from lanes.load import Instant, Load, LoadRow, load
from lanes.run import run
from lanes.sweep import Curve, Fit, Sweep, sweep
from lanes.types import InFlight, Outcome, Run, Span, Task

if TYPE_CHECKING:
    from lanes.flight import run_async
    from lanes.workloads.compute import compute
    from lanes.workloads.counter import counter
    from lanes.workloads.download import download
    from lanes.workloads.exchange import exchange
    from lanes.workloads.function import workload
    from lanes.workloads.wait import wait

    __version__: str

__all__ = [
    "Anatomy",
    "Claim",
    "Comparison",
    "Curve",
    "Difference",
    "Distance",
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
    "run",
    "run_async",
    "sweep",
    "wait",
    "workload",
]


def __getattr__(name: str) -> object:
    value: object
    if name in ("compute", "counter", "download", "exchange", "wait", "workload"):
        value = getattr(import_module(f"lanes.workloads.{'function' if name == 'workload' else name}"), name)
    elif name == "run_async":
        value = import_module("lanes.flight").run_async
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
