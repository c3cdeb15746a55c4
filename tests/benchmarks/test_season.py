"""The benchmark of seasonal records: climatology is scored about the season, not about 0."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.forecasting.files import mirrored
from benchmarks.forecasting.season import seasonal_climatology


def test_the_season_of_a_simulated_record_is_removed_from_every_start() -> None:
    time = pd.date_range("1950-01-01", "2017-12-01", freq="MS")
    anomaly = np.zeros(len(time))
    shocks = np.random.default_rng(0).normal(0, 0.36, len(time))
    for t in range(1, len(time)):
        anomaly[t] = 0.9 * anomaly[t - 1] + shocks[t]
    value = 27 + 0.7 * np.cos(2 * np.pi * time.month / 12) + anomaly
    row = seasonal_climatology(pd.DataFrame({"time": time, "sst": value}), (1950, 1982, 1992), "sst")
    assert row.met, row.measured


@pytest.mark.mirror
@pytest.mark.usefixtures("mirror")
def test_the_season_of_nino34_is_removed() -> None:
    record = pd.read_csv(mirrored("climate/nino34_sst_1871.csv"), parse_dates=["time"])
    row = seasonal_climatology(record, (1951, 1982, 1992), "NINO34_MEAN")
    assert row.met, row.measured
