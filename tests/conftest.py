"""What all tests share: traffic stays on the loopback interface, signals do what they did before, no helper stays."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def handlers_stay() -> Iterator[None]:
    """A handler left behind would be every forked worker's, and nobody could end it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.fixture(autouse=True)
def no_helper_stays() -> Iterator[None]:
    """Fork servers and trackers of resources are children, which other tests would count, wait for or kill."""
    yield
    for name, helper in (("forkserver", "_forkserver"), ("resource_tracker", "_resource_tracker")):
        module = sys.modules.get(f"multiprocessing.{name}")
        if module is not None:
            getattr(module, helper)._stop()
