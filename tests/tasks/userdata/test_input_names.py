"""Names of inputs: none is that of a column that Basin adds, and each leads back to its column."""

import numpy as np
import pandas as pd
import pytest

from tasks.checks.suites import derived
from tasks.events.simulation import inputs_of
from tasks.forecasters.levels.features import SeasonalLevels
from tasks.forecasters.returns.features import Returns
from tasks.forecasters.returns.scale_regression import VOLATILITIES, measures
from tasks.runtime.params import FeatureParams
from tasks.userdata.input_names import column_name, input_name

ROWS = 120
CLOSE = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, ROWS)))


def of_returns() -> pd.DataFrame:
    """Return the inputs of an energy of prices with a range and without further inputs."""
    domain = Returns()
    domain.ohlc, domain.steps = True, lambda group: 100 * np.diff(np.log(group["close"]))
    frame = pd.DataFrame(dict.fromkeys(["open", "high", "low", "close"], CLOSE))
    models = {
        model: pd.DataFrame({"row": range(ROWS), "loc": 0.0, "scale": 1.0}) for model in VOLATILITIES.values()
    }
    return domain.energy_inputs(measures(domain, frame, models), models["egarch-skewt"])


def of_levels() -> pd.DataFrame:
    frame = pd.DataFrame({"time": pd.date_range("1990", periods=ROWS, freq="MS"), "series": "y", "y": CLOSE})
    return SeasonalLevels("y", (), (1, 6)).features(frame, FeatureParams(refit=12, min_rows=60))[0]


def test_no_input_has_the_name_of_a_column_of_ours() -> None:
    frame = pd.DataFrame({"time": pd.date_range("2020", periods=ROWS), "series": "y", "close": CLOSE})
    ours = [name for table in (of_returns(), of_levels()) for name in table if name.startswith("x_")]
    names = [name.removeprefix("x_") for name in ours]
    names += [*derived(frame), *inputs_of(CLOSE, np.full(ROWS, 0.5), {}), "value", "row", "far", "reason"]
    assert len(names) > 30
    assert not {input_name(name) for name in names} & set(names)


@pytest.mark.parametrize("name", ["vix", "vix_", "close", "close_", "close__", "vix_5", "Close", "_"])
def test_a_name_leads_back_to_its_column(name: str) -> None:
    assert column_name(input_name(name)) == name
    assert not {input_name(f"{name}{change}") for change in ("_5", "_22")} & {
        f"{input_name(name)}{change}" for change in ("_5", "_22")
    }
