"""Stored classical models forecast as those of the walk-forward did, with nothing refitted."""

import json

import numpy as np
import pandas as pd
import pytest

from tasks.forecasters.returns.frozen import classical_fits, forecast_frozen, frozen_parameters
from tasks.runtime.calendar import Calendar
from tasks.runtime.errors import BasinError
from tasks.runtime.params import FeatureParams
from tasks.userdata.series import OwnReturns


def test_what_was_frozen_forecasts_as_it_did_in_the_walk():
    rng = np.random.default_rng(0)
    volatility = np.exp(0.3 * np.sin(np.arange(700) / 30))
    close = 100 * np.exp(np.cumsum(0.01 * volatility * rng.standard_t(6, 700)))
    raw = pd.DataFrame({"time": pd.bdate_range("2010-01-01", periods=700), "series": "own", "close": close})
    asked = {
        "ohlc": False,
        "exog": (),
        "logged": (),
        "peers": (),
        "calm": 0.0,
        "wild": 0.0,
        "market": Calendar("B"),
    }
    domain = OwnReturns(name="own", title="", frequency="B", kind="price", **asked)
    params = FeatureParams(refit=120, min_rows=200)
    inputs, classical = domain.features(raw, params)
    stored = json.loads(json.dumps(frozen_parameters(domain, raw, classical, params)))
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
    with pytest.raises(BasinError, match="stored by an earlier version; fit it again"):
        forecast_frozen(domain, raw, {"series": kept})

    fits = classical_fits(stored, "own")
    assert set(fits) == set(frozen.index)
    assert fits["egarch-skewt"]["converged"] and fits["egarch-skewt"]["params"] == kept["own"]["egarch-skewt"]
    regression = fits["scale-regression"]["params"]
    assert regression["log scale: egarch"] == kept["own"]["scale-regression"]["beta"][1]
    assert list(regression)[-2:] == ["eta", "lambda"] and len(regression) == 4 + 9 + 2 + 1
