"""The package: what it exports, and what importing it does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lanes


def test_all_is_sorted_and_there() -> None:
    assert sorted(lanes.__all__) == lanes.__all__
    for name in lanes.__all__:
        assert getattr(lanes, name) is not None
    assert set(lanes.__all__) <= set(dir(lanes))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="frobnicate"):
        _ = lanes.frobnicate


def test_functions_are_not_hidden_by_the_modules_of_the_same_name() -> None:
    names = "lanes.run, lanes.compare, lanes.doctor, lanes.claims"
    code = f"import lanes.cli, lanes.claims.waiting, {names}; print(*map(callable, ({names})))"
    assert python(code) == "True True True True"


def test_import_is_light() -> None:
    heavy = "rich requests aiohttp asyncio multiprocessing statistics ssl concurrent.futures scipy numpy sysconfig"
    assert python(f"import sys, lanes; print(sys.modules.keys() & set({heavy!r}.split()))") == "set()"


def test_version_is_that_of_the_distribution() -> None:
    assert lanes.__version__[0].isdigit()


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
