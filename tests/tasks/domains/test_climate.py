"""The climate domain: point-in-time, one shift for all models, and seasonal models that do what they say."""

import numpy as np
import pandas as pd
import pytest

from tasks.domains.climate import DOMAIN, MODELS
from tasks.forecasters.levels.monthly import (
    averaged,
    climatology,
    damped_persistence,
    damped_ridge,
    kernel_ridge,
    persistence,
    seasonal_ridge,
    slow_ridge,
    switched,
)
from tasks.runtime.errors import BasinError
from tasks.runtime.params import FeatureParams

PARAMS = FeatureParams(refit=12, min_rows=240)


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    """The shipped record up to 1979."""
    from statsmodels.datasets import elnino

    values = elnino.load_pandas().data.iloc[:30, 1:].to_numpy().ravel()
    time = pd.date_range("1950-01-01", periods=len(values), freq="MS")
    return DOMAIN.parse({"elnino": pd.DataFrame({"time": time, "sst": values})})


@pytest.fixture(scope="module")
def prepared(raw, in_process):
    return DOMAIN.features(raw, PARAMS)


def test_every_origin_has_every_lead_and_the_last_ones_ask_for_the_unknown(raw, prepared):
    inputs, _ = prepared
    assert (inputs.groupby("origin").size() == len(DOMAIN.leads)).all()
    last = inputs[inputs["origin"] == raw["time"].iloc[-1]]
    assert last["target"].isna().all()
    assert list(last["time"]) == [pd.Timestamp("1979-12-01") + pd.DateOffset(months=h) for h in DOMAIN.leads]


def test_target_is_the_temperature_less_the_climatology_of_the_30_years_before_the_refit(raw, prepared):
    inputs, _ = prepared
    row = inputs[(inputs["origin"] == "1975-03-01") & (inputs["lead"] == 6)].iloc[0]
    sst = raw.set_index("time")["sst"]
    known = sst[:"1974-12-01"]
    normal = known[known.index.month == 9].mean()
    assert row["target"] == pytest.approx(sst["1975-09-01"] - normal)


def test_features_on_data_cut_at_a_date_are_the_same_to_the_bit(raw, prepared):
    inputs, classical = prepared
    cut = raw[raw["time"] <= "1976-05-01"]
    again = DOMAIN.features(cut, PARAMS, start=pd.Timestamp("1976-01-01"))
    both = again[0].merge(inputs, on=["series", "origin", "lead"], suffixes=("", "_full"))
    assert len(both) == 5 * len(DOMAIN.leads)
    assert all((both[c] == both[f"{c}_full"]).all() for c in inputs if c.startswith("x_"))
    both = again[1].merge(classical, on=["series", "origin", "lead", "model"], suffixes=("", "_full"))
    assert len(both) == 5 * len(DOMAIN.leads) * len(MODELS)
    assert all((both[c] == both[f"{c}_full"]).all() for c in ("loc", "scale", "eta", "lam"))


def test_spread_is_positive_and_that_of_climatology_is_the_spread_of_the_anomalies(prepared):
    inputs, classical = prepared
    assert (classical["scale"] > 0).all()
    flat = classical[classical["model"] == "climatology"]
    assert (flat["loc"] == 0).all()
    assert flat["scale"].mean() == pytest.approx(inputs["target"].std(), rel=0.2)


def damped_series(slope: np.ndarray, months: int = 12000) -> np.ndarray:
    """a(t + 1) = slope[month of t + 1] · a(t) + noise."""
    generator = np.random.default_rng(0)
    values = np.zeros(months)
    for t in range(1, months):
        values[t] = slope[t % 12] * values[t - 1] + generator.normal()
    return values


def test_damped_persistence_finds_the_season_of_the_damping():
    slope = 0.6 + 0.3 * np.cos(2 * np.pi * np.arange(12) / 12)
    values = damped_series(slope)
    predict = damped_persistence(values, np.arange(12, 11000), 1, 0)
    origins = np.arange(11005, 11017)
    ratio = predict(values, origins) / values[origins]
    smooth = (slope + np.roll(slope, 1) + np.roll(slope, -1)) / 3
    np.testing.assert_allclose(ratio, smooth[(origins + 1) % 12], atol=0.05)


def test_ridges_recover_a_seasonal_autoregression_and_shrink_where_they_say():
    slope = 0.6 + 0.3 * np.cos(2 * np.pi * np.arange(12) / 12)
    values = damped_series(slope)
    training, origins = np.arange(12, 11000), np.arange(11100, 11200)
    exact = slope[(origins + 1) % 12] * values[origins]
    for fit in (seasonal_ridge((0, 1), 10.0), damped_ridge((0, 1), 10.0)):
        assert np.abs(fit(values, training, 1, 0)(values, origins) - exact).max() < 0.25
    harsh = seasonal_ridge((0, 1), 1e12)(values, training, 1, 0)(values, origins)
    np.testing.assert_allclose(harsh, climatology(values, training, 1, 0)(values, origins), atol=1e-4)
    harsh = damped_ridge((0, 1), 1e12)(values, training, 1, 0)(values, origins)
    np.testing.assert_allclose(harsh, damped_persistence(values, training, 1, 0)(values, origins), atol=1e-4)


def test_kernel_ridge_recovers_the_conditional_mean_and_returns_to_climatology():
    values = damped_series(np.full(12, 0.8), 1500)
    training, origins = np.arange(12, 1200), np.arange(1300, 1400)
    predict = kernel_ridge(climatology, (0,), 1.0, 2.0)(values, training, 1, 0)
    error = predict(values, origins) - 0.8 * values[origins]
    assert np.sqrt((error**2).mean()) < 0.2
    far = values.copy()
    far[1300] = 100.0
    assert predict(far, np.array([1300]))[0] == pytest.approx(0, abs=1e-6)


def test_before_the_barrier_one_model_beyond_it_the_mean_of_two():
    values = damped_series(np.full(12, 0.9))
    training, origins = np.arange(12, 11000), np.arange(11100, 11110)
    both = switched(6, persistence, averaged(persistence, climatology))
    np.testing.assert_array_equal(both(values, training, 3, 0)(values, origins), values[origins])
    np.testing.assert_array_equal(both(values, training, 6, 0)(values, origins), values[origins] / 2)


def test_slow_ridge_recovers_what_drives_the_anomaly():
    """a(t + 1) = 0.6·a(t) − 0.3·(mean of 12 months), the same in all seasons."""
    generator = np.random.default_rng(0)
    values = np.zeros(12000)
    for t in range(12, len(values)):
        values[t] = 0.6 * values[t - 1] - 0.3 * values[t - 12 : t].mean() + generator.normal()
    training, origins = np.arange(12, 11000), np.arange(11100, 11200)
    slow = np.array([values[o - 11 : o + 1].mean() for o in origins])
    found = slow_ridge(1.0)(values, training, 1, 0)(values, origins)
    np.testing.assert_allclose(found, 0.6 * values[origins] - 0.3 * slow, atol=0.06)


def test_gaps_and_short_records_are_named(raw):
    with pytest.raises(BasinError, match=r"nino: 359 rows.*first problem: 1963-05"):
        DOMAIN.features(raw[raw["time"] != "1963-05-01"], PARAMS)
    with pytest.raises(BasinError, match=r"nino: 200 months.*more than 252"):
        DOMAIN.features(raw.iloc[:200], PARAMS)
    with pytest.raises(BasinError, match="source elnino: no column sst"):
        DOMAIN.parse({"elnino": raw[["time"]]})
