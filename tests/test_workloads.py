"""The registry of the rows."""

from __future__ import annotations

import inspect

import pytest

from lanes import _core, workloads
from lanes.types import Workload
from lanes.workloads import compute, counter, download, exchange, wait

ROWS: list[Workload] = [
    download.download(),
    compute.compute(),
    wait.wait(),
    counter.counter(),
    exchange.exchange(),
]  # mypy checks the contract here


def test_every_row_is_found_under_its_name_and_has_a_twin_in_c() -> None:
    assert workloads.names() == tuple(row.name for row in ROWS)
    assert sorted(workloads.names()) == sorted(_core.WORKLOADS)
    for row in ROWS:
        module = workloads.load(row.name)
        assert getattr(module, row.name)() == row


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_tasks_are_numbered_and_as_many_as_asked_for(row: Workload) -> None:
    counts = {"compute": 16, "counter": 16, "exchange": 24}
    assert [task.index for task in row.tasks] == list(range(counts.get(row.name, 8)))
    assert row.default_workers >= 1


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"^unknown workload 'upload': the workloads are download, compute, wait, counter, exchange$"
    ):
        workloads.load("upload")


@pytest.mark.parametrize("name", workloads.names())
def test_every_option_that_is_offered_is_a_choice_of_the_row(name: str) -> None:
    module = workloads.load(name)
    choices = inspect.signature(getattr(module, name)).parameters
    assert {*choices} - {"urls", "tasks"} == {*module.OPTIONS}
    assert module.ABOUT
    assert module.EXAMPLES
