"""Descriptions of forecasts: moments, quantiles, tails, and levels in the unit of the level."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ebm_core.tilts.mixture import SkewTMixture
from ebm_core.tilts.normalised import NormalisedTilt
from tasks.runtime.errors import BasinError
from tasks.scoring.describe import describe, steps_ahead
from tasks.scoring.quantiles import quantile, shortfall

EVENTS = ("<= -1", ">= 1")


class Untilted:
    """Model whose forecast is its base, a normal distribution."""

    def base(self, classical: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        return classical

    def distribution(self, rows: pd.DataFrame, base: pd.DataFrame) -> NormalisedTilt:
        return normal(base["loc"].to_numpy(), base["scale"].to_numpy())

    def weight(self, lead: int) -> float:
        return 0.0


def normal(loc: np.ndarray, scale: np.ndarray) -> NormalisedTilt:
    return untilted(loc, scale, np.full_like(loc, 1e6), np.zeros_like(loc))


def untilted(*parameters: np.ndarray) -> NormalisedTilt:
    base = SkewTMixture(*(each[None] for each in parameters), weights=np.ones_like(parameters[0])[None])
    return NormalisedTilt(base, np.zeros_like)


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
    floor = np.array([50.0])
    (step,) = describe(normal(np.array([0.0]), np.array([1.0])), (">= 40", "<= 40"), floor)
    assert step["quantiles"]["0.99"] == 50 and step["mass_at_lowest"] == 1
    assert step["mean"] == pytest.approx(50, rel=1e-14)
    assert step["events"] == {">= 40": 1.0, "<= 40": 0.0}
    assert (np.diff(step["density"]["y"]) > 0).all()


def test_moments_quantiles_and_tails_are_those_of_the_distribution() -> None:
    (step,) = describe(normal(np.array([0.1]), np.array([1.3])), (), returns=True)
    law = stats.norm(0.1, 1.3)
    assert (step["mean"], step["sd"]) == (pytest.approx(0.1, abs=1e-5), pytest.approx(1.3, abs=1e-5))
    assert set(step["var"]) == set(step["es"]) >= {"0.01", "0.025", "0.05"}
    for name, value in step["es"].items():
        level = float(name)
        assert value == pytest.approx(0.1 - 1.3**2 * law.pdf(law.ppf(level)) / level, abs=1e-4)
        assert value < step["var"][name] == step["quantiles"][name]


def test_values_between_stored_levels_are_near_those_of_a_heavy_tail() -> None:
    distribution = untilted(*np.array([[0.1], [1.3], [4.0], [-0.2]]))
    (step,) = describe(distribution, (), returns=True)
    levels = np.array([0.001, 0.0017, 0.004, 0.01, 0.0123, 0.033, 0.05, 0.08])
    exact = distribution.icdf(levels[:, None])[:, 0]
    np.testing.assert_allclose(quantile(step, levels), exact, rtol=2e-3)
    assert quantile(step, [0.05])[0] == step["quantiles"]["0.05"]
    assert shortfall(step, [0.05])[0] == step["es"]["0.05"]
    draws = np.sort(distribution.icdf(np.random.default_rng(0).uniform(size=(400_000, 1)))[:, 0])
    means = [draws[: round(level * len(draws))].mean() for level in (0.01, 0.0123, 0.08, 0.3)]
    np.testing.assert_allclose(shortfall(step, [0.01, 0.0123, 0.08, 0.3]), means, rtol=0.03)
    fine = np.linspace(0.001, 0.999, 4000)
    assert (np.diff(quantile(step, fine)) >= 0).all()
    tail = fine[fine <= 0.5]
    assert (np.diff(shortfall(step, tail)) > 0).all()
    assert (shortfall(step, tail) < quantile(step, tail)).all()


@pytest.mark.parametrize(("levels", "said"), [([0.0], "from 0.001 to 0.999"), ([5], "from 0.001 to 0.999")])
def test_a_level_that_is_not_stored_is_refused(levels: list[float], said: str) -> None:
    (step,) = describe(normal(np.array([0.0]), np.array([1.0])), (), returns=True)
    with pytest.raises(BasinError, match=said):
        quantile(step, levels)
    with pytest.raises(BasinError, match=r"confidence of 99 % it is 0\.01"):
        shortfall(step, [0.99])
    (level,) = describe(normal(np.array([0.0]), np.array([1.0])), ())
    with pytest.raises(BasinError, match="this forecast has none"):
        shortfall(level, [0.01])
