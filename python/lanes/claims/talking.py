"""Talking: what it costs to hand something over, and whether it leaves anything of what processes gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lanes.claims.claim import Case, Claim, Figure, Need, at_least, at_most, processors
from lanes.claims.lab import Lab, compared, crew, measurement, speedup
from lanes.claims.objects import Objects
from lanes.comparison import Comparison

_TASKS, _NUMBERS = 4, 18_000
_LARGE, _SMALL = 16 * 2**20, 64
_MODELS = ("multiprocessing", "futures-processes")
_FASTER, _NO_FASTER = 1.2, 1.0


def _objects(lab: Lab, size: int, shared: bool) -> Comparison:
    return compared(lab, Objects(_TASKS, size, _NUMBERS, shared), _MODELS, crew())


_WORK = "4 tasks that compute for about 60 ms in Python"


@measurement(f"{_WORK}, each with 64 bytes as argument and as result, one by one and on processes", computes=True)
def small_arguments(lab: Lab) -> Comparison:
    return _objects(lab, _SMALL, False)


@measurement(f"{_WORK}, each with 16 MiB as argument and as result, one by one and on processes", computes=True)
def large_arguments(lab: Lab) -> Comparison:
    return _objects(lab, _LARGE, False)


@measurement(
    f"{_WORK}, each with 16 MiB of shared memory to read and to write, one by one and on processes", computes=True
)
def shared_memory(lab: Lab) -> Comparison:
    return _objects(lab, _LARGE, True)


def _large(lab: Lab) -> Iterator[Figure]:
    small, large = lab(small_arguments), lab(large_arguments)
    for model in _MODELS:
        yield speedup(f"{model} over serial, 64 B", small[model], small.baseline)
        yield speedup(f"{model} over serial, 16 MiB", large[model], large.baseline)


def _shared(lab: Lab) -> Iterator[Figure]:
    small, large, shared = lab(small_arguments), lab(large_arguments), lab(shared_memory)
    for model in _MODELS:
        yield speedup(f"{model} over serial, 64 B", small[model], small.baseline)
        yield speedup(f"{model} over serial, 16 MiB as argument", large[model], large.baseline)
        yield speedup(f"{model} over serial, 16 MiB shared", shared[model], shared.baseline)


def _no_gain(machine: Mapping[str, object], figures: Mapping[str, Figure]) -> str | None:
    """Of what never was nothing can be erased, or brought back."""
    rules = [at_least(name, _FASTER, sturdy=True) for name in figures if name.endswith("64 B")]
    without = [str(figures[rule.figure]) for rule in rules if not rule.met(figures)]
    return f"there is no gain to lose: {'; '.join(without)}" if without else None


_GAIN = Need(f"a gain to lose: processes over serial, 64 B, at least {_FASTER:.2f}x", _no_gain)

CLAIMS = (
    Claim(
        16,
        "large-objects",
        "Large objects passed back and forth erase the gain of processes.",
        _large,
        (
            Case(
                (
                    at_most("multiprocessing over serial, 16 MiB", _NO_FASTER),
                    at_most("futures-processes over serial, 16 MiB", _NO_FASTER),
                )
            ),
        ),
        hinges=("the processors", "the memory"),
        needs=(processors(2), _GAIN),
        told=tuple(f"{model} over serial, {size}" for model in _MODELS for size in ("64 B", "16 MiB")),
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
        needs=(processors(2), _GAIN),
        told=tuple(f"{model} over serial, 16 MiB {how}" for model in _MODELS for how in ("as argument", "shared")),
    ),
)
