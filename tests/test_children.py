"""Worker processes: what they are handed when they are started in another way than by a fork."""

from __future__ import annotations

import pickle
from multiprocessing.queues import SimpleQueue
from multiprocessing.reduction import ForkingPickler

import pytest

from lanes import _core, children

Shared = tuple[_core.Ledger, _core.Area]


def note(shared: Shared, answers: SimpleQueue[int]) -> None:
    ledger, area = shared
    ledger.add(3, 4)
    memoryview(area)[1] += 5
    answers.put(len(area))


@pytest.mark.parametrize("method", children.START_METHODS)
def test_memory_files_reach_worker_processes_however_they_are_started(method: str) -> None:
    context = children.context("multiprocessing", method)
    shared = _core.Ledger(1), _core.Area(300)
    answers = context.SimpleQueue()
    for _ in range(2):
        process = context.Process(target=note, args=(shared, answers))
        process.start()
        process.join()
        assert process.exitcode == 0
        assert answers.get() == 300
    assert shared[0].tally() == (6, 8)
    assert bytes(shared[1])[:3] == b"\0\x0a\0"


@pytest.mark.parametrize("kind", [_core.Ledger, _core.Area])
def test_no_other_pickle_has_them(kind: type[_core.Ledger] | type[_core.Area]) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(kind(1))
    with pytest.raises(RuntimeError, match="through inheritance"):
        ForkingPickler.dumps(kind(1))
