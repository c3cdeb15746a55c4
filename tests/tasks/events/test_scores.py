"""Events, alarms and episodes, counted by hand."""

import re
import shlex

import numpy as np
import pytest

from tasks.events.event import parse
from tasks.events.scores import (
    _resampled,
    caught,
    episodes,
    events,
    false_alarms,
    intervals,
    scores,
    threshold,
)
from tasks.runtime.errors import BasinError


def flags(size: int, *rows: int) -> np.ndarray:
    found = np.zeros(size, dtype=bool)
    found[list(rows)] = True
    return found


def test_statistics_of_a_path_by_hand() -> None:
    path = np.array([[-0.1, 0.1, 0.21]])
    assert parse("min<=-0.08@3").statistic(path) == pytest.approx([-0.1])
    assert parse("max>=0.2@3").statistic(path) == pytest.approx([0.21])
    assert parse("end>=0.2@3").statistic(path) == pytest.approx([0.21])
    assert parse("sum>=0.1@3").statistic(path) == pytest.approx([-0.1 + 0.2 / 0.9 + 0.1])


def test_labels_know_the_whole_horizon_or_nothing() -> None:
    event = parse("min<=-0.08@2")
    observed = event.observed(np.array([100.0, 99.0, 90.0, 95.0, 96.0]))
    np.testing.assert_allclose(observed[:3], [-0.1, -0.0909091, 5 / 90], atol=1e-6)
    assert np.isnan(observed[3:]).all()
    assert list(event.happened(observed)) == [True, True, False, False, False]


@pytest.mark.parametrize(
    "text", ["min<-0.08@21", "low<=-0.1@5", "min<=-0.08", "min<=-0.08@0", "min<=0.08@21", "max>=-0.1@5"]
)
def test_what_is_no_event_is_one_line(text: str) -> None:
    with pytest.raises(BasinError, match="--event"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("min<-0.08@21", "min<=-0.08@21"),
        ("MAX >= .08 @ 5", "max>=.08@5"),
        ("min ≤ -0.08@21", "min<=-0.08@21"),
        ("end=>0.1@3", "end>=0.1@3"),
    ],
)
def test_the_likely_meaning_of_what_is_no_event_is_given(text: str, meant: str) -> None:
    with pytest.raises(BasinError, match=re.escape(f"(did you mean {meant}?)")):
        parse(text)
    assert parse(meant).steps > 0


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("min<=-8@21", "write -0.08 for 8 %, as in min<=-0.08@21"),
        ("min <= -1 @ 21", "write -0.01 for 1 %, as in min<=-0.01@21"),
        ("end<=-12.5@5", "write -0.125 for 12.5 %, as in end<=-0.125@5"),
        ("max<=-2@3", "write -0.02 for 2 %, as in max<=-0.02@3"),
        ("sum<=-8@5", "5 returns of a price, each above -1, sum to more than -5"),
        ("min<=-800@21", "give a threshold above -1, such as min<=-0.08@21 for 8 %"),
    ],
)
def test_a_fall_that_no_price_can_have_is_refused_with_its_likely_meaning(text: str, remedy: str) -> None:
    with pytest.raises(BasinError, match=f"^--event {re.escape(shlex.quote(text))}: .*{re.escape(remedy)}"):
        parse(text)


@pytest.mark.parametrize("text", ["min<=-0.999@21", "max>=8@21", "end>=1@5", "sum<=-4@5", "sum>=9@5"])
def test_large_moves_that_a_price_can_have_are_events(text: str) -> None:
    event = parse(text)
    assert np.isfinite(event.barrier(np.array([0.5, 1.25]))).all()


def test_an_episode_ends_after_21_quiet_rows() -> None:
    assert episodes(flags(100, 5, 26, 48, 90)) == [(5, 26), (48, 48), (90, 90)]


def test_an_episode_is_false_only_if_no_day_of_it_saw_the_event_follow() -> None:
    alarm = flags(100, 5, 20, 60)
    assert len(false_alarms(alarm, flags(100, 15))) == 1
    assert false_alarms(alarm, flags(100, 15, 60)) == []
    assert len(false_alarms(alarm, flags(100))) == 2


def test_the_threshold_is_the_strictest_that_catches_most_within_the_budget() -> None:
    probability, label = np.full(400, 0.1), flags(400, 50, 150, 250)
    probability[[50, 150, 250, 350]] = 0.9, 0.6, 0.3, 0.5  # two events above the one false alarm, one below
    assert 0.5 < threshold(probability, 5 * label, 21, 1.0, 0.0) <= 0.6
    assert 0.1 < threshold(probability, 5 * label, 21, 1.0, 1.0) <= 0.3
    assert threshold(probability, np.zeros(400, int), 21, 1.0, 1.0) == np.inf


def test_an_event_has_happened_at_the_first_step_beyond_its_threshold() -> None:
    close = np.array([100.0, 99.0, 90.0, 95.0, 89.0, 90.0])
    assert list(parse("min<=-0.08@4").reached(close)) == [2, 1, 0, 0, 0, 0]
    assert list(parse("end<=-0.08@4").reached(close)) == [4, 4, 0, 0, 0, 0]
    assert list(parse("max>=0.05@3").reached(close)) == [0, 0, 1, 0, 0, 0]


def test_an_event_may_have_happened_before_its_last_step_is_known() -> None:
    close = np.array([100.0, 99.0, 90.0])
    assert list(parse("min<=-0.08@21").reached(close)) == [2, 1, 0]
    assert (
        list(parse("end<=-0.08@21").reached(close)) == list(parse("sum<=-0.08@21").reached(close)) == [0] * 3
    )


def test_an_event_begins_at_its_first_crossing_whatever_the_alarms() -> None:
    """Crossings on rows 20, 21 and 41 are one event, as 20 rows lie between them. That on 70 is another."""
    reached = np.zeros(100, int)
    reached[[10, 12, 15, 30, 60]] = 10, 8, 6, 11, 10
    assert events(reached, 21) == [20, 70]
    assert caught(flags(100, 11, 12, 15, 69), reached, 21) == ([(12, 20)], [70])
    assert caught(flags(100, 30, 60), reached, 21) == ([(60, 70)], [20])  # row 30 is after the event began
    assert events(np.zeros(100, int), 21) == []


def test_scores_of_a_perfect_and_of_a_constant_forecast() -> None:
    label = flags(10, 1, 4)
    half, everywhere = np.full(10, 0.2), np.ones(10, dtype=bool)
    perfect = scores(label.astype(float), label, half, everywhere)
    assert perfect == {"auroc": 1.0, "ap": 1.0, "brier_skill": 1.0, "calm_auroc": 1.0}
    assert scores(half, label, half, everywhere)["brier_skill"] == 0.0
    assert scores(half, label, half, everywhere)["auroc"] == 0.5


def test_resampled_scores_are_those_of_the_chosen_rows() -> None:
    rng = np.random.default_rng(0)
    label, calm = rng.random(300) < 0.2, rng.random(300) < 0.5
    probability, running = rng.random(300).round(1), np.full(300, 0.2)  # with ties
    chosen = [rng.integers(300, size=300) for _ in range(5)]
    weight = np.array([np.bincount(rows, minlength=300) for rows in chosen], dtype=float)
    one_by_one = [[*scores(probability[c], label[c], running[c], calm[c]).values()] for c in chosen]
    assert _resampled(probability, label, running, calm, weight) == pytest.approx(np.array(one_by_one))


def test_intervals_of_scores_that_no_resample_has_are_nan() -> None:
    never, everywhere = np.zeros(200, dtype=bool), np.ones(200, dtype=bool)
    models = {"ebm": np.linspace(0, 1, 200), "base": np.full(200, 0.1)}
    alone, gains = intervals(models, never, np.full(200, 0.1), everywhere)
    assert np.isnan(alone["ebm"]["auroc"]).all()
    assert np.isnan(gains["base"]["ap"]).all()
    assert alone["base"]["brier_skill"] == [0.0, 0.0]
