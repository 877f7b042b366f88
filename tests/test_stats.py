"""Medians, intervals and verdicts: known answers, and what it takes to be called faster."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from lanes import sample, stats
from lanes.stats import Interval, Verdict, Word
from test_sample import trick


def word(ratios: Sequence[float]) -> Word:
    """What is said of a row that was so many times faster in each round."""
    found = stats.verdict([1 / ratio for ratio in ratios], [1.0] * len(ratios))
    assert found is not None
    return found.word


# ---- medians and intervals


def test_medians() -> None:
    assert stats.median([]) is None
    assert stats.median([3.0]) == 3.0
    assert stats.median((9.0, 1.0, 2.0)) == 2.0
    assert stats.median([4.0, 1.0, 2.0, 9.0]) == 3.0


def test_ratios_are_paired_by_round_as_far_as_both_go() -> None:
    assert stats.paired_ratios([2.0, 9.0, 4.0], [1.0, 3.0]) == (2.0, 3.0)
    assert stats.paired_ratios([], [1.0]) == ()


def test_of_one_value_there_is_no_interval_and_of_equal_ones_no_doubt() -> None:
    assert stats.interval([]) is None
    assert stats.interval([1.0]) is None
    assert stats.interval([1.5, 1.5]) == Interval(1.5, 1.5)


def test_an_interval_has_the_ends_that_theory_gives() -> None:
    # The median of a resample of 11 is at most the k-th value when six or more of 11 draws are, each with a chance of
    # k/11: 0.9 % for k = 2 and 5.3 % for k = 3. So 2.5 % is the third value, and the ninth from the other end.
    assert stats.interval([float(n) for n in (7, 1, 11, 4, 9, 2, 10, 3, 8, 5, 6)]) == (3.0, 9.0)
    assert stats.interval([-float(n) for n in range(1, 12)]) == (-9.0, -3.0)


def test_the_same_values_give_the_same_interval() -> None:
    values = [random.Random(1).gauss(1.0, 0.1) for _ in range(15)]
    assert stats.interval(values) == stats.interval(list(values))


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    draw = random.Random(7).gauss
    held = 0
    for _ in range(200):
        low, high = stats.interval([draw(1.0, 0.1) for _ in range(15)]) or (0.0, 0.0)
        held += low <= 1.0 <= high
    # Of 200 at 95 % it is 190, give or take 3; of so few values a bootstrap says a little more than it can hold.
    assert 180 <= held <= 198


def test_an_interval_gets_narrower_with_more_values() -> None:
    draw = random.Random(3).gauss
    widths = []
    for count in (6, 24, 96):
        found = stats.interval([draw(1.0, 0.1) for _ in range(count)])
        assert found is not None
        widths.append(found.high - found.low)
    assert all(wider > narrower for wider, narrower in pairwise(widths))


# ---- verdicts


def test_without_two_rounds_there_is_no_verdict() -> None:
    assert stats.verdict([], []) is None
    assert stats.verdict([1.0], [9.0]) is None
    assert stats.verdict([1.0, 1.0], [9.0]) is None, "one pair"


@pytest.mark.parametrize("rounds", [2, 5])
def test_fewer_than_six_rounds_never_tell(rounds: int) -> None:
    assert word([9.0] * rounds) == "cannot tell"
    assert word([0.1] * rounds) == "cannot tell"


@pytest.mark.parametrize("rounds", [6, 7, 12, 60])
def test_six_rounds_that_agree_tell(rounds: int) -> None:
    assert word([9.0] * rounds) == "faster"
    assert word([0.1] * rounds) == "slower"


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        ([1.019] * 12, "cannot tell"),
        ([1.0201] * 12, "faster"),
        ([1 / 1.019] * 12, "cannot tell"),
        ([1 / 1.0201] * 12, "slower"),
        ([1.0] * 12, "cannot tell"),
    ],
)
def test_what_is_closer_than_two_per_cent_is_no_difference_worth_a_word(ratios: list[float], expected: Word) -> None:
    assert word(ratios) == expected


def test_an_interval_with_1_in_it_cannot_tell() -> None:
    ratios = [0.9, 0.95, 1.1, 1.2, 1.3, 1.4, 1.5, 0.97, 1.25]
    assert word(ratios) == "cannot tell"
    sure = stats.interval(ratios)
    assert sure is not None
    assert sure.low < 1.0 < sure.high


def test_the_rank_test_has_a_say_of_its_own() -> None:
    # The interval of six such is above 1, but one in six against the rest comes about by chance one time in sixteen.
    ratios = [0.999, 1.5, 1.51, 1.52, 1.53, 1.54]
    sure = stats.interval(ratios)
    assert sure is not None
    assert sure.low > 1.0
    assert word(ratios) == "cannot tell"
    assert word([1.001, *ratios[1:]]) == "faster"


def test_what_disturbs_a_round_disturbs_both_and_falls_out() -> None:
    disturbed = [1.0, 3.0, 1.1, 8.0, 1.0, 2.0]
    found = stats.verdict(disturbed, [1.3 * wall for wall in disturbed])
    assert found is not None
    assert found.word == "faster"
    assert found.factor == pytest.approx(1.3)
    assert found.interval == pytest.approx((1.3, 1.3))


def test_one_wild_round_changes_little() -> None:
    found = stats.verdict([1.0] * 9, [1.3] * 8 + [99.0])
    assert found is not None
    assert (found.word, found.factor) == ("faster", 1.3)


def test_rounds_that_are_exactly_alike_are_no_error() -> None:
    assert word([1.0] * 4 + [1.1] * 10) == "faster"
    assert word([1.0] * 5 + [1.1] * 5) == "cannot tell"
    assert word([1.1, 1.1, 1.2, 1.2, 1.3, 1.3, 1.0]) == "faster"


def test_a_verdict_says_how_many_times() -> None:
    assert Verdict("faster", 1.42, Interval(1.38, 1.47)).times == 1.42
    assert Verdict("slower", 0.5, Interval(0.4, 0.6)).times == 2.0
    assert Verdict("cannot tell", 0.98, Interval(0.9, 1.1)).times == 0.98


def test_like_samples_are_seldom_told_apart_and_a_planted_difference_is_found() -> None:
    draw = random.Random(11).gauss

    def words(factor: float) -> list[Word]:
        return [word([draw(1.0, 0.03) * factor / draw(1.0, 0.03) for _ in range(15)]) for _ in range(100)]

    assert 100 - words(1.0).count("cannot tell") <= 5
    assert words(1.1).count("faster") >= 95
    assert words(1 / 1.1).count("slower") >= 95


# ---- when there are rounds enough


def test_rounds_are_enough_when_six_agree_within_three_per_cent() -> None:
    assert not stats.is_narrow([])
    assert not stats.is_narrow([1.5] * 5)
    assert stats.is_narrow([1.5] * 6)
    assert stats.is_narrow([1.0, 1.01] * 6)
    assert not stats.is_narrow([1.0, 1.04] * 3)
    assert not stats.is_narrow([0.5, 1.0, 2.0] * 4)


def test_what_is_far_from_1_need_not_be_known_as_well() -> None:
    def spread(middle: float) -> list[float]:
        return [middle * factor for factor in (0.9, 0.95, 1.0, 1.0, 1.05, 1.1)]

    assert stats.is_narrow(spread(31.0))
    assert stats.is_narrow(spread(1 / 31.0)), "slower, as well"
    assert not stats.is_narrow(spread(1.2))


# ---- outliers


def test_outliers_lie_beyond_the_fences() -> None:
    # The quartiles of 1 to 9 are 3 and 7, so the fences stand at -3 and 13.
    values = [float(n) for n in range(1, 10)]
    assert stats.outliers(values) == 0
    assert stats.outliers([*values[1:8], -2.0, 12.0]) == 0
    assert stats.outliers([1.0] * 7 + [1.5]) == 1
    assert stats.outliers([*values, *values, 50.0, -50.0]) == 2
    assert stats.outliers([1.0, 1.0, 99.0]) == 0, "of three nobody knows which is one"
    assert stats.outliers([]) == 0


# ---- what it costs


def test_a_sample_does_not_load_what_only_statistics_need() -> None:
    loaded = "{'scipy', 'numpy', 'statistics', 'rich'} & set(sys.modules)"
    run = sample.take(trick(f"import sys\nif {loaded}: raise SystemExit(str({loaded}))"), "serial", "python", 1)
    assert run.outcomes
