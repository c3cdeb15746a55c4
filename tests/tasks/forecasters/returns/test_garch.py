"""A volatility model of a series whose volatility does not move stays near the size of its returns."""

import numpy as np
import pytest

from tasks.forecasters.returns import garch


@pytest.mark.parametrize("model", garch.MODELS)
def test_a_fit_that_ran_away_is_not_taken(model):
    """Independent returns: the optimiser alone ends at an EGARCH scale of 10⁵ on some of these."""
    for seed in range(3):
        returns = 1.6 * np.random.default_rng(seed).standard_t(4, 1100)
        for at in (500, 800):
            found = garch.one_step(model, returns, at, at + 126)
            ratio = found["scale"] / returns[:at].std()
            assert ratio.between(0.2, 8).all(), (seed, at, ratio.min(), ratio.max())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("model", garch.MODELS)
def test_returns_of_any_size_are_fitted_without_a_warning(model):
    returns = np.random.default_rng(0).standard_t(4, 600)
    for size in (1e-3, 1.0, 1e3):
        assert garch.one_step(model, size * returns, 500, 600)["scale"].gt(0).all()


@pytest.mark.parametrize("model", garch.MODELS)
def test_an_estimate_has_what_arch_reports(model):
    returns = np.random.default_rng(1).standard_t(5, 900)
    found = garch.estimate(model, returns)
    assert found["params"] == garch.fit(model, returns) and found["converged"] is True
    assert found["std_errors"].keys() == found["params"].keys() and min(found["std_errors"].values()) > 0
    assert found["log_likelihood"] < 0


def test_an_estimate_says_where_the_optimiser_did_not_converge(monkeypatch):
    monkeypatch.setattr(garch, "DEGENERATE", -1.0)  # no fit is accepted
    found = garch.estimate("egarch-skewt", np.random.default_rng(1).standard_t(5, 900))
    assert found["converged"] is False and found["std_errors"] is None


def test_a_volatility_that_runs_away_is_bounded_by_the_latest_moves():
    """Parameters fitted to 120 weekly closes, with which a fall in a calm time gives many times its size."""
    params = dict(zip(("mu", "omega", "alpha[1]", "gamma[1]", "beta[1]", "eta", "lambda"),
                      (0.19, 0.148, 0.144, -0.487, 0.873, 50.0, -0.243), strict=True))  # fmt: skip
    returns = np.r_[1.7 * np.random.default_rng(0).standard_normal(120), np.full(40, 0.6), -5.0, np.zeros(3)]
    scale = garch.forecasts("egarch-skewt", params, returns, 120)["scale"]
    assert scale.min() < 0.5
    assert scale.max() == pytest.approx(5.19)
