"""Forecasts of levels are described in the unit of the level, and no quantile is below its least value."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from ebm_core.tilts.skewt import SkewT
from ebm_core.tilts.tilted import TiltedDistribution, untilted
from tasks.scoring.describe import describe, steps_ahead

EVENTS = ("<= -1", ">= 1")


class Untilted:
    """Model whose forecast is its base, a normal distribution."""

    def base(self, classical: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        return classical

    def distribution(self, rows: pd.DataFrame, base: pd.DataFrame) -> TiltedDistribution:
        return normal(base["loc"].to_numpy(), base["scale"].to_numpy())

    def weight(self, lead: int) -> float:
        return 0.0


def normal(loc: np.ndarray, scale: np.ndarray) -> TiltedDistribution:
    return TiltedDistribution(SkewT(torch.tensor(loc), torch.tensor(scale), eta=1e6), untilted)


def rows(normals: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "series": "sst",
            "origin": pd.Timestamp("2020-12-01"),
            "time": pd.to_datetime(["2021-01-01", "2021-02-01"]),
            "lead": [1, 2],
            "normal": normals,
            "normal_from": pd.Timestamp("1991-01-01"),
            "normal_to": pd.Timestamp("2020-12-01"),
        }
    )


BASE = pd.DataFrame({"loc": [0.5, -0.5], "scale": [1.0, 2.0]})


def test_a_level_is_its_anomaly_plus_its_normal() -> None:
    anomalies = rows([26.0, 27.0]).drop(columns=["normal", "normal_from", "normal_to"])
    plain = steps_ahead(Untilted(), anomalies, BASE, EVENTS)["sst"]["steps"]  # type: ignore[arg-type]
    steps = steps_ahead(Untilted(), rows([26.0, 27.0]), BASE, EVENTS)["sst"]["steps"]  # type: ignore[arg-type]
    for anomaly, level, shift in zip(plain, steps, (26.0, 27.0), strict=True):
        assert "anomaly" not in anomaly and "mass_at_lowest" not in level
        assert level["normal"] == shift and level["base_period"] == ["1991-01-01", "2020-12-01"]
        assert level["mean"] == pytest.approx(anomaly["mean"] + shift)
        assert level["anomaly"] == {key: anomaly[key] for key in ("mean", "interval_90")}
        assert level["interval_90"] == pytest.approx(np.array(anomaly["interval_90"]) + shift)
        assert level["quantiles"]["0.50"] == pytest.approx(anomaly["quantiles"]["0.50"] + shift)
        assert level["density"]["y"] == pytest.approx(np.array(anomaly["density"]["y"]) + shift)
        assert level["density"]["p"] == anomaly["density"]["p"] and level["events"] == anomaly["events"]


def test_what_lies_below_the_least_value_is_moved_to_it() -> None:
    (near, far) = steps_ahead(Untilted(), rows([0.3, 50.0]), BASE, EVENTS, lowest=0.0)["sst"]["steps"]  # type: ignore[arg-type]
    law = stats.norm(0.8, 1.0)
    assert near["mass_at_lowest"] == pytest.approx(law.cdf(0), abs=1e-6)
    assert far["mass_at_lowest"] == pytest.approx(0, abs=1e-9)
    assert min(near["quantiles"].values()) == near["interval_90"][0] == near["density"]["y"][0] == 0
    assert near["quantiles"]["0.90"] == pytest.approx(law.ppf(0.9), abs=1e-4)
    assert near["mean"] == pytest.approx(law.expect(lambda y: max(y, 0)), abs=1e-4)
    y, p = near["density"]["y"], near["density"]["p"]
    assert near["mass_at_lowest"] + np.trapezoid(p, y) == pytest.approx(0.999, abs=1e-3)
    # The anomaly of the least value is −0.3, so that an anomaly of −1 is impossible.
    assert near["events"]["<= -1"] == 0 and near["events"][">= 1"] == pytest.approx(law.sf(1.3), abs=1e-6)
    assert near["mean"] == pytest.approx(near["anomaly"]["mean"] + 0.3)


def test_a_forecast_that_lies_wholly_below_the_least_value_is_that_value() -> None:
    floor = torch.tensor([50.0], dtype=torch.float64)
    (step,) = describe(normal(np.array([0.0]), np.array([1.0])), (">= 40", "<= 40"), floor)
    assert step["mean"] == step["quantiles"]["0.99"] == 50 and step["mass_at_lowest"] == 1
    assert step["events"] == {">= 40": 1.0, "<= 40": 0.0}
    assert (np.diff(step["density"]["y"]) > 0).all()
