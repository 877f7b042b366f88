"""What a test asks of a comparison: thresholds that rows must keep, and no step back from an earlier result.

A threshold is kept by a median, not by an interval: what is asked for has to be reached, no matter how well that is
known. Where it is missed the interval is told, and whether the threshold lies within it, so that more rounds or a
quieter machine might tell otherwise. What is void, because a law is broken, keeps no threshold.

A step back is one when both are so: the median is worse by more than is allowed, and the samples of the two results say
that it is worse at all, by the rule of `lanes.stats.unpaired`. Noise alone is therefore none, however large.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, cast, get_args

from lanes import stats
from lanes.comparison import Comparison, Row
from lanes.report import changes, sentences, wording
from lanes.units import format_duration, format_size, parse_size, short

Key: TypeAlias = str | tuple[str, str | None]
"""A row, as in `Comparison[...]`."""

Metric: TypeAlias = Literal["speedup", "wall"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A kind of threshold: what a row is given, in words and by an example, how that is read, and what is said of a row
    that does not keep it."""

    name: str
    wanted: str
    example: str
    read: Callable[[object], Any]
    missed: Callable[[Row, Any], str | None]


@dataclass(frozen=True, slots=True)
class Demand:
    """A threshold for one row."""

    threshold: Threshold
    key: Key
    value: object


def demands(given: Mapping[str, object]) -> tuple[Demand, ...]:
    """What a user asks for: by the names of THRESHOLDS, values by row. ValueError for what is none of that."""
    return tuple(
        Demand(THRESHOLDS[name], key, THRESHOLDS[name].read(value))
        for name, values in given.items()
        for key, value in _by_row(THRESHOLDS[name], values).items()
    )


def _by_row(threshold: Threshold, given: object) -> Mapping[Key, object]:
    if not isinstance(given, Mapping):
        takes = f"rows, each with {threshold.wanted}, such as {threshold.example}"
        raise ValueError(f"{threshold.name} takes {takes}, not {short(given)}")
    for key in given:
        _key(threshold.name, key)
    return given


def _key(name: str, given: object) -> Key:
    if not isinstance(given, str) and not (isinstance(given, tuple) and len(given) == 2):
        raise ValueError(f'{name}: {short(given)} is no row: write "threading" or "threading/released"')
    return given


def failures(comparison: Comparison, demands: Iterable[Demand] = ()) -> Iterator[str]:
    """What the comparison does not keep, one line each; first of all what makes it worth nothing."""
    demands = tuple(demands)
    yield from sentences.problems(comparison)
    baseline = comparison.baseline
    if baseline.broken:
        if demands:  # that all answers agree does not depend on how long they took
            yield f"{baseline.name}, which all are compared with: {_unusable(baseline)}"
            return
    elif not baseline.is_sound and baseline.error is None:
        yield sentences.failed(baseline) or ""
    for demand in demands:
        try:
            row = comparison[demand.key]
            missed = _unusable(row) or demand.threshold.missed(row, demand.value)
        except KeyError as error:  # which row, and which there are
            yield f"{demand.threshold.name}: {error.args[0]}"
        else:
            if missed:
                yield f"{row.name}: {missed}"


def _unusable(row: Row) -> str | None:
    """Why a row has no figures that anything could be asked of."""
    if row.reason is not None:
        return f"makes no sense: {row.reason}"
    if row.error is not None:
        return f"did not come to its end: {row.error}"
    if row.broken:
        return f"void, {'; '.join(f'{law.name}: {law.why}' for law in row.broken)}"
    return None


def _number(name: str, given: object, most: float = math.inf) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= most:
        raise ValueError(f"{name} is {THRESHOLDS[name].wanted}, not {short(given)}")
    return float(given)


def _slow(row: Row, least: float) -> str | None:
    if row.speedup is not None and row.speedup >= least:
        return None
    return f"speed-up {_measured('speedup', row)}, and {wording.factor(least)} is asked for{_doubt(row, least)}"


def _doubt(row: Row, threshold: float) -> str:
    """Whether more rounds might tell otherwise."""
    if row.interval is None:
        return "; one round tells little"
    if not row.interval.low <= threshold <= row.interval.high:
        return ""
    rounds = wording.count(len(row.ratios), "round")
    return f", which is within the interval: {rounds} on this machine cannot tell"


def _not_faster(row: Row, others: Sequence[Key]) -> str | None:
    found = (row.faster_than(other) for other in others)
    return "; ".join(f"not faster: {sentences.against(each)}" for each in found if not each) or None


def _waiting(row: Row, most: float) -> str | None:
    split = row.split
    if split is None or split.gil_wait_s is None:
        return "how long it waits for the GIL is not known here"
    share = split.share(split.gil_wait_s)
    return None if share <= most else f"waits for the GIL for {share:.0%} of its time, and {most:.0%} is allowed"


def _large(row: Row, most: int) -> str | None:
    if row.closeup is None or (peak := row.closeup.peak_pss_bytes) is None:
        return f"its memory is not known: {row.closeup_error or 'it takes closeup=True'}"
    return None if peak <= most else f"peak memory {format_size(peak)}, and {format_size(most)} is allowed"


THRESHOLDS = {
    each.name: each
    for each in (
        Threshold(
            "min_speedup",
            "the least factor over the baseline",
            '{"futures-processes": 1.3}',
            lambda given: _number("min_speedup", given),
            _slow,
        ),
        Threshold(
            "faster",
            "the row, or a list of the rows, that it must be faster than",
            '{"native-epoll": "threading"}',
            lambda given: [_key("faster", key) for key in (given if isinstance(given, list) else [given])],
            _not_faster,
        ),
        Threshold(
            "max_gil_wait",
            "the largest share of its time that may go into waiting for the GIL, from 0 to 1",
            '{"threading": 0.2}',
            lambda given: _number("max_gil_wait", given, 1.0),
            _waiting,
        ),
        Threshold(
            "max_memory",
            "the most that all its processes may have at their peak",
            '{"multiprocessing": "200MiB"}',
            lambda given: parse_size(cast("str | float", given)),
            _large,
        ),
    )
}
"""All kinds, by name."""


# ---- a step back


_LIMIT = re.compile(r"\s*([a-z]+)\s*:\s*(\d+(?:\.\d+)?)\s*%\s*")


@dataclass(frozen=True, slots=True)
class Limit:
    """By which share a metric may be worse than before: the speed-up lower, or the wall time longer."""

    metric: Metric
    share: float

    @classmethod
    def parsed(cls, text: str) -> Self:
        """From "speedup:10%"; ValueError for what is none."""
        match = _LIMIT.fullmatch(text)
        if match is None or match[1] not in get_args(Metric):
            raise ValueError(f"{short(text)} is no limit: write speedup:10% or wall:20%, or both parted by a comma")
        return cls(cast(Metric, match[1]), float(match[2]) / 100)


@dataclass(frozen=True, slots=True)
class StepBack:
    """A row that is worse than before by more than its limit. sure: not only by noise."""

    text: str
    sure: bool


def steps_back(before: Iterable[Comparison], now: Sequence[Comparison], limits: Sequence[Limit]) -> Iterator[StepBack]:
    """Of these comparisons, the rows that are worse than before by more than a limit. What belongs together is said in
    lanes/report/changes.py."""
    for old, new in zip(changes.partners(now, before), now, strict=True):
        for pair in changes.rows_of_both(old, new) if old is not None else ():
            yield from filter(None, (step_back(*pair, limit) for limit in limits))


def step_back(before: Row, now: Row, limit: Limit) -> StepBack | None:
    """How a row is worse now than before by more than the limit, if it is. One that came to its end and does not now
    is; one that is void, then or now, or of which the speed-up is over what is void, is nothing to be compared."""
    if not changes.comparable(before):
        return None
    if now.error is not None:
        return StepBack(f"{now.name}: {_measured(limit.metric, before)} before, and now {now.error}", True)
    if not changes.comparable(now) or (limit.metric == "speedup" and not all(map(_over_sound, (before, now)))):
        return None
    if limit.metric == "wall":
        verdict = stats.unpaired(now.walls, before.walls)
        worse = 1 / verdict.factor - 1
    else:  # more is better: what is above of a wall time is below here
        verdict = stats.unpaired(before.ratios, now.ratios)
        worse = 1 - verdict.factor
    if worse <= limit.share:
        return None
    moved = "wall time rose" if limit.metric == "wall" else "speed-up fell"
    figures = f"{_measured(limit.metric, before)} before, {_measured(limit.metric, now)} now"
    return StepBack(
        f"{now.name}: {moved} by {worse:.0%}, and {limit.share:.0%} is allowed: {figures}", verdict.word == "slower"
    )


def _over_sound(row: Row) -> bool:
    """Whether the baseline of its comparison can be held against it."""
    return all(changes.comparable(each) for each in row.among if each.is_baseline)


def _measured(metric: Metric, row: Row) -> str:
    """A median with its interval: "1.42x (1.38-1.47)", "102 ms (98.1 ms-104 ms)"."""
    if metric == "speedup":
        return "unknown" if row.speedup is None else wording.surely(row.speedup, row.interval)
    if row.wall is None:
        return "unknown"
    sure = row.wall_interval and f" ({'-'.join(format_duration(end * 1e9) for end in row.wall_interval)})"
    return format_duration(row.wall * 1e9) + (sure or "")
