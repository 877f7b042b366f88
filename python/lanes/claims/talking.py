"""Talking: what it costs to hand something over, and whether it leaves anything of what processes gain."""

from __future__ import annotations

from collections.abc import Iterator

from lanes.claims.claim import Case, Claim, Figure, at_least, at_most, processors
from lanes.claims.lab import ROUNDS, Lab, crew, measurement, speedup
from lanes.claims.objects import Objects
from lanes.compare import compare
from lanes.comparison import Comparison

_TASKS, _NUMBERS = 4, 6_000
_LARGE, _SMALL = 16 * 2**20, 64
_FASTER, _NO_FASTER = 1.2, 1.0


def _objects(lab: Lab, size: int, shared: bool) -> Comparison:
    return compare(
        Objects(_TASKS, size, _NUMBERS, shared),
        models="serial,multiprocessing,futures-processes",
        workers=crew(),
        rounds=ROUNDS,
        closeup=False,
        seed=lab.seed,
        progress=lab.progress,
    )


_WORK = "4 tasks that compute for about 20 ms in Python"


@measurement(f"{_WORK}, each with 64 bytes as argument and as result, one by one and on processes")
def small_arguments(lab: Lab) -> Comparison:
    return _objects(lab, _SMALL, False)


@measurement(f"{_WORK}, each with 16 MiB as argument and as result, one by one and on processes")
def large_arguments(lab: Lab) -> Comparison:
    return _objects(lab, _LARGE, False)


@measurement(f"{_WORK}, each with 16 MiB of shared memory to read and to write, one by one and on processes")
def shared_memory(lab: Lab) -> Comparison:
    return _objects(lab, _LARGE, True)


def _large(lab: Lab) -> Iterator[Figure]:
    small, large = lab(small_arguments), lab(large_arguments)
    for model in ("multiprocessing", "futures-processes"):
        yield speedup(f"{model} over serial, 64 B", small[model], small.baseline)
        yield speedup(f"{model} over serial, 16 MiB", large[model], large.baseline)


def _shared(lab: Lab) -> Iterator[Figure]:
    large, shared = lab(large_arguments), lab(shared_memory)
    for model in ("multiprocessing", "futures-processes"):
        yield speedup(f"{model} over serial, 16 MiB as argument", large[model], large.baseline)
        yield speedup(f"{model} over serial, 16 MiB shared", shared[model], shared.baseline)


CLAIMS = (
    Claim(
        16,
        "large-objects",
        "Large objects passed back and forth erase the gain of processes.",
        _large,
        (
            Case(
                (
                    at_least("multiprocessing over serial, 64 B", _FASTER, sturdy=True),
                    at_least("futures-processes over serial, 64 B", _FASTER, sturdy=True),
                    at_most("multiprocessing over serial, 16 MiB", _NO_FASTER),
                    at_most("futures-processes over serial, 16 MiB", _NO_FASTER),
                )
            ),
        ),
        hinges=("the processors", "the memory"),
        needs=(processors(2),),
    ),
    Claim(
        17,
        "shared-memory",
        "Shared memory brings it back.",
        _shared,
        (
            Case(
                (
                    at_least("multiprocessing over serial, 16 MiB shared", _FASTER, sturdy=True),
                    at_least("futures-processes over serial, 16 MiB shared", _FASTER, sturdy=True),
                )
            ),
        ),
        hinges=("the processors", "the memory"),
        needs=(processors(2),),
        told=(
            "multiprocessing over serial, 16 MiB as argument",
            "multiprocessing over serial, 16 MiB shared",
            "futures-processes over serial, 16 MiB as argument",
            "futures-processes over serial, 16 MiB shared",
        ),
    ),
)
