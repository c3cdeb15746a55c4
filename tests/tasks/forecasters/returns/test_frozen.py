"""Stored classical models forecast as those of the walk-forward did, with nothing refitted."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.forecasters.returns import garch
from tasks.forecasters.returns.frozen import classical_fits, forecast_frozen, frozen_parameters
from tasks.runtime.calendar import Calendar
from tasks.runtime.errors import BasinError
from tasks.runtime.params import FeatureParams
from tasks.userdata.series import OwnReturns

PARAMS = FeatureParams(refit=120, min_rows=200)


def prices(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    volatility = np.exp(0.3 * np.sin(np.arange(rows) / 30))
    close = 100 * np.exp(np.cumsum(0.01 * volatility * rng.standard_t(6, rows)))
    return pd.DataFrame({"time": pd.bdate_range("2010-01-01", periods=rows), "series": "own", "close": close})


def own() -> OwnReturns:
    asked = {
        "ohlc": False,
        "exog": (),
        "logged": (),
        "peers": (),
        "calm": 0.0,
        "wild": 0.0,
        "market": Calendar("B"),
    }
    return OwnReturns(name="own", title="", frequency="B", kind="price", **asked)


def fitted(raw: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return inputs, classical forecasts and the content of ``classical.json``."""
    inputs, classical = own().features(raw, PARAMS)
    stored = json.loads(json.dumps(frozen_parameters(own(), raw, classical, PARAMS)))
    return inputs, classical, stored


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return fitted(prices(600))[2]


def test_what_was_frozen_forecasts_as_it_did_in_the_walk():
    raw, domain = prices(700), own()
    inputs, classical, stored = fitted(raw)
    kept = stored["series"]
    now, models = forecast_frozen(domain, raw, stored)

    last = inputs["origin"].max()
    walked = classical[classical["origin"] == last].set_index("model")
    frozen = models.set_index("model")
    columns = ["loc", "scale", "eta", "lam"]
    assert set(frozen.index) == set(walked.index)
    np.testing.assert_allclose(
        frozen.loc[walked.index, columns].to_numpy(float),
        walked[columns].to_numpy(float),
        rtol=1e-6,
    )
    x = [c for c in inputs if c.startswith("x_")]
    then = inputs[inputs["origin"] == last]
    np.testing.assert_allclose(now[x].to_numpy(float), then[x].to_numpy(float), rtol=1e-6, atol=1e-9)
    with pytest.raises(BasinError, match="knows no series other"):
        forecast_frozen(domain, raw.assign(series="other"), stored)
    for past in ({}, {"past": {"own": {"times": []}}}):
        with pytest.raises(BasinError, match="stored by an earlier version of Basin; fit it again"):
            forecast_frozen(domain, raw, {"series": kept, **past})

    fits = classical_fits(stored, "own")
    assert set(fits) == set(frozen.index)
    assert fits["egarch-skewt"]["converged"] and fits["egarch-skewt"]["params"] == kept["own"]["egarch-skewt"]
    regression = fits["scale-regression"]["params"]
    assert regression["log scale: egarch"] == kept["own"]["scale-regression"]["beta"][1]
    assert list(regression)[-2:] == ["eta", "lambda"] and len(regression) == 4 + 9 + 2 + 1


@pytest.mark.parametrize("rows", [420, 540, 599, 600, 601, 650])
def test_a_stored_model_has_the_same_inputs_at_a_date_whatever_comes_after_it(stored, rows):
    raw = prices(650)
    alone, models = forecast_frozen(own(), raw[:rows], stored)
    among, of_all = forecast_frozen(own(), raw, stored, since=raw["time"][0])
    origin = alone["origin"][0]
    known = [c for c in alone if c not in ("target", "time")]
    for one, all_of in ((alone[known], among[known]), (models, of_all)):
        found = all_of[all_of["origin"] == origin].reset_index(drop=True)
        pd.testing.assert_frame_equal(one, found, rtol=1e-12)


@pytest.mark.parametrize("first", [0, 520, 599])
def test_revised_prices_are_filtered_from_the_first_revised_one_on(stored, first):
    raw = prices(600)
    revised = raw.assign(close=raw["close"].where(raw.index < first, raw["close"] ** 1.5))
    _, models = forecast_frozen(own(), revised, stored, since=raw["time"][0])
    found = models[models["model"] == "egarch-skewt"].set_index("origin")["scale"]
    filtered = garch.forecasts(
        "egarch-skewt", stored["series"]["own"]["egarch-skewt"], own().steps(revised), 0
    )
    expected = pd.Series(filtered["scale"].to_numpy(), raw["time"][filtered["row"] + 1])
    since = raw["time"][max(first, 500)]
    np.testing.assert_allclose(found[since:], expected[since:], rtol=1e-12)
    before = raw["time"][first - 1] if first else raw["time"][0]
    kept = stored["past"]["own"]
    were = pd.Series(np.exp(kept["egarch"]), pd.DatetimeIndex(kept["times"]))[:before]
    np.testing.assert_allclose(found[were.index], were, rtol=1e-12)
    assert len(were) == max(0, first - 500)
