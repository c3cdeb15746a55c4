"""The finance domain: what it knows at each close, and that it knows nothing more."""

import numpy as np
import pandas as pd
import pytest

from tasks.domains.finance import DOMAIN
from tasks.forecasters.returns.garch import MODELS, one_step
from tasks.forecasters.returns.scale_regression import REGRESSIONS, measures
from tasks.runtime.errors import BasinError
from tasks.runtime.params import FeatureParams

PARAMS = FeatureParams(refit=200, min_rows=300)


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    """The first 1,100 days of the shipped S&P 500 and NASDAQ."""
    from arch.data import nasdaq, sp500

    tables = {}
    for name, source in (("sp500", sp500), ("nasdaq", nasdaq)):
        table = source.load().iloc[:1100].reset_index()
        table.columns = [c.lower() for c in table.columns]
        tables[name] = table.rename(columns={"date": "time"})
    return DOMAIN.parse(tables)


@pytest.fixture(scope="module")
def prepared(raw, in_process):
    return DOMAIN.features(raw, PARAMS)


def test_target_is_the_next_return_in_per_cent(raw, prepared):
    inputs, _ = prepared
    close = raw[raw["series"] == "nasdaq"].set_index("time")["close"]
    row = inputs[inputs["series"] == "nasdaq"].iloc[5]
    assert row["target"] == pytest.approx(100 * np.log(close[row["time"]] / close[row["origin"]]))


def test_the_last_origin_asks_for_the_next_new_york_session(prepared):
    inputs, _ = prepared
    last = inputs[inputs["target"].isna()]
    assert list(last["series"]) == ["sp500", "nasdaq"]
    assert (last["origin"] == pd.Timestamp("2003-05-20")).all()
    assert (last["time"] == pd.Timestamp("2003-05-21")).all()


def test_holidays_are_skipped():
    assert DOMAIN.following(pd.Timestamp("2018-12-31")) == np.datetime64("2019-01-02")


def test_features_on_data_cut_at_a_date_are_the_same_to_the_bit(raw, prepared):
    inputs, classical = prepared
    cut = pd.Timestamp("2003-01-15")
    again = DOMAIN.features(raw[raw["time"] <= cut], PARAMS, start=cut - pd.Timedelta(days=20))
    keys = ["series", "origin", "lead"]
    values = [c for c in inputs if c.startswith("x_")]
    both = again[0].merge(inputs, on=keys, suffixes=("", "_full"))
    assert len(both) > 10
    assert all((both[c] == both[f"{c}_full"]).all() for c in values)
    both = again[1].merge(classical, on=[*keys, "model"], suffixes=("", "_full"))
    assert all((both[c] == both[f"{c}_full"]).all() for c in ("loc", "scale", "eta", "lam"))


def test_every_model_has_a_density_for_every_row(prepared):
    inputs, classical = prepared
    counts = classical.groupby("model").size()
    assert set(counts.index) == {*REGRESSIONS, *MODELS}
    assert (counts == len(inputs)).all()
    assert (classical["scale"] > 0).all()
    assert (classical["eta"] > 2).all()


def test_volatility_forecast_is_that_of_the_recursion():
    """GARCH(1,1): σ²(t+1) = ω + α ε² + β σ²(t), one step at a time."""
    returns = np.random.default_rng(0).standard_t(5, 800)
    table = one_step("garch-t", returns, 700, 760)
    variance = table["scale"].to_numpy() ** 2
    squared = (returns[700:760] - table["loc"]) ** 2
    design = np.column_stack([np.ones(59), squared[1:], variance[:-1]])
    coefficients, residual, *_ = np.linalg.lstsq(design, variance[1:], rcond=None)
    assert residual.sum() < 1e-12
    assert 0 <= coefficients[1] + coefficients[2] <= 1


def test_measures_use_the_origins_day_and_earlier_only(raw):
    group = raw[raw["series"] == "sp500"].reset_index(drop=True)
    models = {
        m: pd.DataFrame({"row": np.arange(len(group)), "scale": 1.0}) for m in ("egarch-skewt", "gjr-skewt")
    }
    full = measures(DOMAIN, group, models)
    spoiled = group.copy()
    spoiled.loc[900:, ["open", "high", "low", "close"]] *= 3
    pd.testing.assert_frame_equal(full.iloc[:900], measures(DOMAIN, spoiled, models).iloc[:900])


def test_historical_simulation_is_the_returns_up_to_the_origin(raw, prepared):
    inputs, classical = prepared
    rows = inputs[(inputs["series"] == "nasdaq") & (inputs["origin"] >= "2003-01-02")].head(3)
    sample = DOMAIN.empirical(rows, raw, classical, "historical-simulation")
    close = np.log(raw[raw["series"] == "nasdaq"].set_index("time")["close"])
    known = 100 * close.diff()[: rows["origin"].iloc[1]].to_numpy()[-1000:]
    np.testing.assert_allclose(sample[1], known)


def test_historical_simulation_without_a_thousand_returns_behind_it_is_refused(raw, prepared):
    inputs, classical = prepared
    early = inputs[inputs["series"] == "sp500"].head(1).assign(origin=pd.Timestamp("2002-12-09"))
    with pytest.raises(BasinError, match=r"sp500: historical simulation needs 1000 returns.*2002-12-09"):
        DOMAIN.empirical(early, raw, classical, "historical-simulation")


def test_filtered_simulation_draws_from_the_errors_up_to_the_origin(raw, prepared):
    inputs, classical = prepared
    rows = inputs[(inputs["series"] == "nasdaq") & (inputs["origin"] >= "2003-01-02")].head(3)
    sample = DOMAIN.empirical(rows, raw, classical, "gjr-filtered-simulation")
    later = raw["time"] > rows["origin"].iloc[1]
    spoiled = raw.assign(close=raw["close"].where(~later, 2 * raw["close"]))
    again = DOMAIN.empirical(rows, spoiled, classical, "gjr-filtered-simulation")
    np.testing.assert_array_equal(sample[:2], again[:2])
    assert (sample[2] != again[2]).any()
    gjr = classical[(classical["series"] == "nasdaq") & (classical["model"] == "gjr-skewt")]
    at = gjr[gjr["origin"] == rows["origin"].iloc[0]].iloc[0]
    assert ((sample[0] - at["loc"]) / at["scale"]).std() == pytest.approx(1, abs=0.1)


def test_regimes_cover_calm_and_turbulent_days(raw):
    assert set(DOMAIN.regimes(raw)["regime"]) >= {"normal", "turbulent"}


def test_short_history_and_missing_columns_are_named(raw):
    with pytest.raises(BasinError, match=r"sp500: 500 rows.*more than 701.*min_rows"):
        DOMAIN.features(raw.iloc[:500], PARAMS)
    with pytest.raises(BasinError, match="source sp500: no column high"):
        DOMAIN.parse({"sp500": raw.drop(columns=["series", "high"]), "nasdaq": raw})
