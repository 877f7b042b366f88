"""The facts that travel in a result, and what differs between those of two results."""

from __future__ import annotations

import getpass
import json
import os
import socket

import pytest

import lanes
from lanes import machine

ONE = {"lanes": "1", "python": "3.11.7", "gil": True, "processor_quota": None, "load": [0.1], "governor": None}


def test_the_facts_are_json_and_keep_the_names_of_version_1() -> None:
    found = machine.facts()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["lanes"] == lanes.__version__
    assert {
        *("python", "implementation", "compiler", "free_threaded_build", "gil", "switch_interval_s", "libcurl"),
        *("system", "kernel", "architecture", "cpu", "processors", "processors_allowed", "processors_usable"),
        *("start_methods", "affinity", "processor_quota", "governor", "load", "descriptors_limit", "pids_limit"),
    } <= set(found)


def test_nothing_tells_whose_machine_it_is() -> None:
    told = json.dumps(machine.facts())
    for secret in (socket.gethostname(), getpass.getuser(), os.path.expanduser("~"), os.getcwd()):
        assert f'"{secret}' not in told


def test_every_fact_that_counts_is_a_fact() -> None:
    assert set(machine._COUNTED) <= set(machine.facts())
    assert set(machine._COUNTED) >= machine._NONE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"python": "3.12.1"}, ("Python: 3.11.7 and 3.12.1",)),
        ({"gil": False}, ("GIL: yes and no",)),
        ({"processor_quota": 1.5}, ("quota of processors: none and 1.5",)),
        ({"python": "3.12.1", "lanes": "2"}, ("lanes: 1 and 2", "Python: 3.11.7 and 3.12.1")),
        ({"load": [7.0]}, ()),
        ({"governor": "powersave"}, ()),  # the other one does not know
        ({"libcurl": "8.0.1"}, ()),  # the other one was not asked
    ],
)
def test_differences_are_of_what_changes_results(change: dict[str, object], words: tuple[str, ...]) -> None:
    assert machine.differences(ONE, {**ONE, **change}) == words


def test_a_machine_does_not_differ_from_itself() -> None:
    found = machine.facts()
    assert machine.differences(found, json.loads(json.dumps(machine.facts()))) == ()
    assert machine.differences(found, {}) == ()
