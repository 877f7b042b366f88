"""Two dozen claims about concurrency in Python, each put to the test on this machine.

A lesson is a file here that lists its claims and what is measured for them; a new one is a file and a line below. How
the verdicts are shown is no business of theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from lanes.claims.claim import Case, Claim, Figure, Need, Verdict, Within, Word
from lanes.shown import Shown
from lanes.units import short

if TYPE_CHECKING:
    from lanes.claims.lab import Lab

__all__ = [
    "Case",
    "Claim",
    "Figure",
    "Need",
    "Stage",
    "Trial",
    "Trials",
    "Verdict",
    "Within",
    "Word",
    "claims",
    "listed",
]

_LESSONS = ("waiting", "computing", "counting", "memory", "starting", "starving", "talking", "overload", "callbacks")


@dataclass(frozen=True, slots=True)
class Stage:
    """How far `claims` has come.

    claim: what is being tried, None when all is done; done: how many have been, of so `many`.
    share: how much of it all is done, from 0 to 1.
    """

    claim: str | None
    done: int
    many: int
    share: float


@dataclass(frozen=True, slots=True)
class Trial:
    """A claim and what came of it.

    claim:   what was put to the test. figures: what its rules are about, measured here. verdict: what they say.
    measured: the measurements that the figures come from, in words.
    seconds: of this claim alone; what others had measured before it costs nothing more.
    error:   why its experiment did not come about, in one line; then there is no verdict.
    """

    claim: Claim
    figures: tuple[Figure, ...]
    measured: tuple[str, ...]
    seconds: float
    verdict: Verdict | None
    error: str | None = None

    @property
    def name(self) -> str:
        """Of the claim: "threads-compute"."""
        return self.claim.name

    @property
    def here(self) -> str:
        """What was measured, in short: the figures that tell it, with their intervals."""
        told = self.claim.told or dict.fromkeys(rule.figure for rule in self.claim.rules)
        by_name = {figure.name: figure for figure in self.figures}
        return "; ".join(str(by_name[name]) for name in told if name in by_name)


@dataclass(frozen=True, slots=True)
class Trials(Shown):
    """The trials in the order of the list, by name or by number: `trials["one-processor"]`, `trials[9]`.

    trials: one for each claim. machine: the facts on which the verdicts hang, as in a comparison; seed: of the order of
    all samples; seconds: that it all took.
    """

    trials: tuple[Trial, ...]
    machine: Mapping[str, object] = field(repr=False)
    seed: int
    seconds: float

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def __len__(self) -> int:
        return len(self.trials)

    def __getitem__(self, key: str | int) -> Trial:
        """The trial of the claim of this name or number. Raises KeyError where there is none."""
        for trial in self.trials:
            if key in (trial.claim.name, trial.claim.number):
                return trial
        raise KeyError(f"no claim {key!r}; there are {', '.join(trial.name for trial in self.trials)}")

    def __str__(self) -> str:
        """The list, as `lanes claims` shows it."""
        from lanes.report import claims  # printing stands above measuring, and is not loaded to measure

        return claims.text(self)

    @property
    def ok(self) -> bool:
        """Whether every experiment ended with a verdict, whatever that is."""
        return all(trial.verdict is not None for trial in self.trials)


def listed() -> tuple[Claim, ...]:
    """All claims, by number."""
    found = (claim for lesson in _LESSONS for claim in import_module(f"lanes.claims.{lesson}").CLAIMS)
    return tuple(sorted(found, key=lambda claim: claim.number))


def claims(
    names: str | int | Iterable[str | int] | None = None,
    *,
    seed: int | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> Trials:
    """Put claims about concurrency to the test, here and now: all, which takes some minutes, or those named.

    names:    names or numbers, in a list or parted by commas.
    seed:     of the order of all samples; the one that was used stands in the result.
    progress: called with a Stage again and again, and once at the end.

    Raises ValueError for a claim that does not exist.
    """
    from lanes import machine
    from lanes.claims.lab import Lab
    from lanes.compare import seed_of

    chosen = _chosen(names)
    seed = seed_of(seed)
    began = time.monotonic()
    told = _Progress(progress or (lambda stage: None), len(chosen))
    lab = Lab(seed, told.tell)
    facts = machine.facts()
    trials = []
    for claim in chosen:
        told.begin(claim.name)
        trials.append(_try(claim, lab, facts))
    told.begin(None)
    return Trials(tuple(trials), facts, seed, time.monotonic() - began)


@dataclass(slots=True)
class _Progress:
    """Tells how far all is by how far the measurements of the claim in hand are. It never goes back, though a claim may
    need several, or one that is taken once more."""

    listener: Callable[[Stage], None]
    many: int
    claim: str | None = None
    done: int = -1
    share: float = 0.0

    def begin(self, claim: str | None) -> None:
        self.claim, self.done = claim, self.done + 1
        self.tell(0.0)

    def tell(self, share: float) -> None:
        self.share = max(self.share, (self.done + share) / self.many)
        self.listener(Stage(self.claim, self.done, self.many, self.share))


def _chosen(names: str | int | Iterable[str | int] | None) -> tuple[Claim, ...]:
    known = listed()
    if names is None:
        return known
    words = [names] if isinstance(names, int) else names.split(",") if isinstance(names, str) else list(names)
    keys = {key: claim for claim in known for key in (claim.name, str(claim.number))}
    for word in words:
        if str(word).strip() not in keys:
            raise ValueError(
                f"unknown claim {short(word)}: the claims are {', '.join(claim.name for claim in known)}, or their"
                f" numbers, 1 to {len(known)}"
            )
    wanted = {keys[str(word).strip()].number for word in words}
    if not wanted:
        raise ValueError("no claim: leave the names out for all, or give one")
    return tuple(claim for claim in known if claim.number in wanted)


def _try(claim: Claim, lab: Lab, facts: Mapping[str, object]) -> Trial:
    from lanes.claims.lab import ExperimentError

    began = time.monotonic()
    lab.used.clear()
    figures: tuple[Figure, ...] = ()
    verdict = error = None
    try:
        figures = tuple(claim.experiment(lab))
        verdict = claim.judge(figures, facts)
    except ExperimentError as failure:
        error = str(failure)
    about = tuple(dict.fromkeys(each.about for each in lab.used))
    return Trial(claim, figures, about, time.monotonic() - began, verdict, error)
