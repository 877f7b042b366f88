"""The interpreter's facts: what is set is what they say."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from typing import Any

import pytest

FACTS = "import json; from lanes import interpreter; print(json.dumps(interpreter.facts()))"


def facts(before: str = "", *options: str, **environment: str) -> dict[str, Any]:
    """Those of a fresh interpreter, after a statement."""
    command = [sys.executable, *options, "-c", f"{before}\n{FACTS}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_one_that_nobody_has_touched() -> None:
    found = facts()
    assert found["python"].split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    assert found["implementation"] == "CPython"
    assert found["debug_build"] is hasattr(sys, "gettotalrefcount")
    assert found["switch_interval_s"] == 0.005
    assert found["start_method"] in found["start_methods"]
    assert found["start_methods"][0] == ("forkserver" if sys.version_info >= (3, 14) else "fork")
    assert (found["dev_mode"], found["malloc"], found["watchers"]) == (False, None, [])
    assert found["gc_enabled"] is True
    assert found["gc_frozen"] == gc.get_freeze_count()  # from 3.12 on it may begin with some
    assert found["libcurl"].startswith(("7.", "8."))


@pytest.mark.parametrize(
    ("statement", "name", "value"),
    [
        ("import sys; sys.setswitchinterval(0.001)", "switch_interval_s", 0.001),
        ("import gc; gc.disable()", "gc_enabled", False),
        ("import gc; gc.set_threshold(50, 5, 5)", "gc_thresholds", [50, 5, 5]),
        ("import sys; sys.settrace(lambda *_: None)", "watchers", ["sys.settrace"]),
        ("import threading; threading.setprofile(lambda *_: None)", "watchers", ["sys.setprofile"]),
        ("import tracemalloc; tracemalloc.start()", "watchers", ["tracemalloc"]),
    ],
)
def test_what_was_set_is_told(statement: str, name: str, value: object) -> None:
    assert facts(statement)[name] == value


def test_frozen_objects_are_counted() -> None:
    assert facts("import gc; gc.freeze()")["gc_frozen"] > 100


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
def test_a_tool_that_monitors_is_named() -> None:
    assert facts("import sys; sys.monitoring.use_tool_id(1, 'cover')")["watchers"] == ["sys.monitoring by cover"]


def test_debug_hooks_come_from_options_and_the_environment() -> None:
    assert facts("", "-X", "dev")["dev_mode"] is True
    assert facts(PYTHONDEVMODE="1")["dev_mode"] is True
    assert facts(PYTHONMALLOC="debug")["malloc"] == "debug"
    assert facts("", "-E", PYTHONMALLOC="debug")["malloc"] is None


def test_asking_does_not_choose_a_start_method() -> None:
    code = "import multiprocessing; from lanes import interpreter; interpreter.facts();"
    code += "print(multiprocessing.get_start_method(allow_none=True))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
