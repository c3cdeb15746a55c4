"""Thirds and events against closed forms and against the libraries of the field, without look-ahead."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from tasks.scoring.categories import (
    DRAWS,
    Past,
    below,
    brier_skill,
    chance,
    event_scores,
    of_thirds,
    resamples,
    rpss,
    season_order,
    seasons,
)
from tasks.scoring.predictive import LEVELS
from tasks.scoring.ranking import auroc

MONTHS = pd.date_range("1980-01-01", periods=480, freq="MS")
FIRST = pd.Timestamp("2010-01-01")


def inputs(times: pd.DatetimeIndex = MONTHS, leads: tuple[int, ...] = (1, 3)) -> pd.DataFrame:
    """Return targets that are the number of the month, at each lead."""
    parts = [pd.DataFrame({"series": "a", "time": times, "lead": lead}) for lead in leads]
    return pd.concat(parts).assign(
        target=lambda t: t["time"].dt.month.astype(float) + t["time"].dt.year / 1e4
    )


def forecasts(loc: np.ndarray, scale: float, observed: np.ndarray, times: pd.DatetimeIndex) -> pd.DataFrame:
    quantiles = {f"q{u:.2f}": stats.norm.ppf(u, loc, scale) for u in LEVELS}
    return pd.DataFrame({"series": "a", "time": times, "observed": observed, **quantiles})


def test_thirds_are_of_the_season_before_the_test_block_alone():
    table = inputs()
    rows = table[table["time"] >= FIRST]
    edges = Past(table, FIRST, "MS").thirds(rows)
    assert (np.floor(edges[:, 0]) == rows["time"].dt.month).all()
    later = table.assign(target=table["target"].where(table["time"] < FIRST, 1e6))
    np.testing.assert_array_equal(Past(later, FIRST, "MS").thirds(rows), edges)


def test_a_season_with_few_outcomes_has_the_thirds_of_all():
    table = inputs(MONTHS[-84:])
    rows = table[table["time"] >= pd.Timestamp("2019-01-01")]
    edges = Past(table, pd.Timestamp("2019-01-01"), "MS").thirds(rows)
    assert np.ptp(edges[:, 0]) == 0
    assert np.isnan(Past(table, MONTHS[0], "MS").thirds(rows)).all()


def test_probabilities_follow_from_the_quantiles():
    rows = forecasts(np.zeros(3), 1.0, np.zeros(3), MONTHS[:3])
    edge = np.array([-1.0, 0.3, 5.0])
    np.testing.assert_allclose(below(rows, edge)[:2], stats.norm.cdf(edge[:2]), atol=1e-4)
    assert below(rows, edge)[2] == 0.995
    np.testing.assert_allclose(chance(rows, ">= 0.5"), stats.norm.sf(0.5), atol=1e-4)
    np.testing.assert_allclose(chance(rows, "<= 0.5"), stats.norm.cdf(0.5), atol=1e-4)
    thirds = of_thirds(rows, np.tile(stats.norm.ppf([1 / 3, 2 / 3]), (3, 1)))
    np.testing.assert_allclose(thirds, 1 / 3, atol=1e-4)


def test_rpss_is_0_for_the_climatology_and_near_1_for_a_perfect_forecast():
    observed = np.random.default_rng(0).standard_normal(480)
    edges = np.tile(stats.norm.ppf([1 / 3, 2 / 3]), (480, 1))
    assert rpss(forecasts(np.zeros(480), 1.0, observed, MONTHS), edges) == pytest.approx(0, abs=1e-3)
    assert rpss(forecasts(observed, 0.01, observed, MONTHS), edges) > 0.95
    assert rpss(forecasts(-observed, 0.01, observed, MONTHS), edges) < -1
    assert rpss(forecasts(observed, 1.0, observed, MONTHS), np.full((480, 2), np.nan)) is None


def test_auroc_is_that_of_sklearn_with_ties_and_in_resamples():
    rng = np.random.default_rng(1)
    probability = np.round(rng.random(200), 1)
    happened = rng.random(200) < probability
    counts = rng.integers(0, 3, (5, 200))
    found = auroc(happened, probability, np.vstack([np.ones(200, int), counts]))
    assert found[0] == pytest.approx(roc_auc_score(happened, probability))
    for draw, value in zip(counts, found[1:], strict=True):
        chosen = np.repeat(np.arange(200), draw)
        assert value == pytest.approx(roc_auc_score(happened[chosen], probability[chosen]))


def test_resamples_keep_the_rows_of_a_date_together():
    time = pd.Series(MONTHS[:60].repeat(2))
    (counts,) = resamples(time, 3)
    assert counts.shape == (DRAWS, 120) and (counts[:, ::2] == counts[:, 1::2]).all()
    assert (counts.sum(axis=1) == 120).all() and (next(resamples(time, 3)) == counts).all()
    assert (next(resamples(time[:2], 12)) == 1).all()


@pytest.mark.parametrize(("dates", "series"), [(300, 60), (30_000, 1)])
def test_the_memory_for_scores_of_events_is_bounded(monkeypatch, dates, series):
    rng = np.random.default_rng(3)
    time = pd.date_range("2000-01-01", periods=dates, freq="h").repeat(series)
    signal = rng.standard_normal(len(time))
    observed = signal + rng.standard_normal(len(time))
    table = pd.DataFrame({"series": "a", "time": MONTHS, "lead": 1, "target": observed[: len(MONTHS)]})
    rows, past = forecasts(signal, 1.0, observed, time), Past(table, pd.Timestamp("2100"), "h")
    monkeypatch.setattr("tasks.scoring.categories.CELLS", 200_000)
    peaks = []
    tracemalloc.start()
    for draws in (50, 100):
        monkeypatch.setattr("tasks.scoring.categories.DRAWS", draws)
        tracemalloc.reset_peak()
        event_scores({"ebm": rows}, (">= 1",), past, 1)
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]


def test_scores_of_events_do_not_depend_on_how_many_resamples_are_drawn_at_once(monkeypatch):
    rng = np.random.default_rng(4)
    signal = rng.standard_normal(480)
    observed = signal + rng.standard_normal(480)
    table = pd.DataFrame({"series": "a", "time": MONTHS, "lead": 1, "target": observed})
    rows, past = forecasts(signal, 1.0, observed, MONTHS), Past(table, FIRST, "MS")
    found = event_scores({"ebm": rows}, (">= 1", "<= 0"), past, 1)
    monkeypatch.setattr("tasks.scoring.categories.CELLS", 480 * 7)
    assert event_scores({"ebm": rows}, (">= 1", "<= 0"), past, 1) == found


def test_brier_skill_is_0_for_the_base_rate():
    happened = np.arange(10) < 3
    assert brier_skill(np.full(10, 0.3), happened, np.full(10, 0.3)) == 0
    assert brier_skill(happened.astype(float), happened, np.full(10, 0.3)) == 1
    assert brier_skill(np.zeros(10), np.zeros(10, bool), np.zeros(10)) is None
    assert brier_skill(np.full(10, 0.01), np.zeros(10, bool), np.full(10, 0.3)) is None


def test_an_event_that_never_occurs_has_no_auroc_and_a_skilful_one_has_an_interval():
    rng = np.random.default_rng(2)
    signal = rng.standard_normal(480)
    observed = signal + 0.5 * rng.standard_normal(480)
    table = pd.DataFrame({"series": "a", "time": MONTHS, "lead": 1, "target": observed})
    rows = forecasts(signal, 0.5, observed, MONTHS)[MONTHS >= FIRST].reset_index(drop=True)
    found = event_scores({"ebm": rows}, (">= 1", ">= 99"), Past(table, FIRST, "MS"), 1)
    scores = found[">= 1"]["models"]["ebm"]
    low, high = scores["auroc_interval"]
    assert 0.5 < low < scores["auroc"] < high <= 1 and scores["brier_skill"] > 0.3
    assert found[">= 99"] == {
        "n": 0,
        "base_rate": 0.0,
        "models": {"ebm": {"brier_skill": None, "auroc": None, "auroc_interval": None}},
    }


@pytest.mark.parametrize(
    ("freq", "time", "season"),
    [("MS", "2020-03-01", "Mar"), ("W", "2020-03-04", "Mar"), ("QS", "2020-04-01", "Apr"),
     ("D", "2020-03-04", "Wed"), ("h", "2020-03-04 05:00", "05:00"), ("YS", "2020-01-01", "")],
)  # fmt: skip
def test_seasons_follow_the_frequency(freq, time, season):
    assert seasons(pd.Series(pd.to_datetime([time])), freq).tolist() == [season]
    assert season in season_order(freq)
