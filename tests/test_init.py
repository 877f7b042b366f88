"""The package: what it exports, and what importing it does not import."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import cloudpickle
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


NAMESAKES = ("anatomy", "claims", "compare", "doctor", "load", "run", "sweep")
"""Functions with the names of modules."""


@pytest.mark.parametrize("name", NAMESAKES)
def test_functions_are_not_hidden_by_the_modules_of_the_same_name(name: str) -> None:
    first = f"import lanes.{name}, lanes; one = lanes.{name}"
    asked = f"import lanes; one = lanes.{name}; import lanes.{name}"
    another = f"import lanes.cli, lanes.claims.waiting, lanes.sample, lanes; one = lanes.{name}"
    for way in (first, asked, another):
        assert python(f"{way}; print(callable(one) and one is lanes.{name})") == "True"


def test_all_namesakes_are_known() -> None:
    modules = {each.stem for each in Path(lanes.__file__).parent.iterdir()}
    assert {*NAMESAKES} == modules & {*lanes.__all__}


def test_import_is_light() -> None:
    heavy = (
        "IPython rich requests aiohttp asyncio multiprocessing statistics ssl concurrent.futures scipy numpy sysconfig"
    )
    assert python(f"import sys, lanes; print(sys.modules.keys() & set({heavy!r}.split()))") == "set()"


def test_import_loads_no_other_module_of_its_own() -> None:
    """pytest imports the package in every session, wherever it is installed."""
    assert python("import sys, lanes; print([name for name in sys.modules if name.startswith('lanes.')])") == "[]"


def test_a_sample_loads_nothing_that_only_its_caller_needs() -> None:
    others = "anatomy arrivals claims cli closeup compare comparison doctor events laws load pulse stall sweep witness"
    code = f"import sys, lanes.sample; print([name for name in {others!r}.split() if f'lanes.{{name}}' in sys.modules])"
    assert python(code) == "[]"


def test_version_is_that_of_the_distribution() -> None:
    assert lanes.__version__[0].isdigit()


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_package_travels_by_name() -> None:
    assert pickle.loads(pickle.dumps(lanes)) is lanes
    assert cloudpickle.loads(cloudpickle.dumps(lanes)) is lanes
