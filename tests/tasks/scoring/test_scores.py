"""Scores and tests against closed forms and published examples."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scoringrules
import torch
from scipy import stats

from ebm_core import SkewT, TiltedDistribution, untilted
from tasks.forecasters.mixture_density import MixtureDensityNetwork
from tasks.reporting.verdict import clear
from tasks.scoring.predictive import (
    LEVELS,
    TAIL_LEVELS,
    from_mixture,
    from_sample,
    from_tilted,
    monte_carlo_error,
)
from tasks.scoring.scores import christoffersen, confidence_set, fz0, kupiec, paired_test
from tasks.scoring.summary import summarise

OBSERVED = np.array([-2.3, -0.4, 0.0, 0.9, 3.1])


def normal_scores():
    base = SkewT(torch.full((5,), 0.2), 1.5)
    return from_tilted(TiltedDistribution(base, untilted, 128), OBSERVED), stats.norm(0.2, 1.5)


def test_a_normal_is_scored_as_its_closed_forms_say():
    found, law = normal_scores()
    np.testing.assert_allclose(found.log_density, law.logpdf(OBSERVED), atol=1e-5)
    np.testing.assert_allclose(found.pit, law.cdf(OBSERVED), atol=1e-5)
    np.testing.assert_allclose(found.crps, scoringrules.crps_normal(OBSERVED, 0.2, 1.5), atol=2e-4)
    np.testing.assert_allclose(found.quantiles[0], law.ppf(LEVELS), atol=1e-4)
    np.testing.assert_allclose(found.var[0], law.ppf(TAIL_LEVELS), atol=1e-4)
    exact = [0.2 - 1.5 * stats.norm.pdf(stats.norm.ppf(p)) / p for p in TAIL_LEVELS]
    np.testing.assert_allclose(found.shortfall[0], exact, rtol=5e-3)


def test_the_crps_of_a_student_t_is_its_closed_form():
    eta, scale = 5.0, 1.2
    base = SkewT(torch.zeros(5), scale, eta)
    found = from_tilted(TiltedDistribution(base, untilted, 128), OBSERVED)
    exact = scoringrules.crps_t(OBSERVED, eta, 0.0, scale * np.sqrt((eta - 2) / eta))
    np.testing.assert_allclose(found.crps, exact, atol=2e-4)


def test_a_large_normal_sample_scores_like_the_normal():
    generator = np.random.default_rng(0)
    sample = generator.normal(0.2, 1.5, size=(5, 20000))
    found, (exact, _) = from_sample(sample, OBSERVED), normal_scores()
    np.testing.assert_allclose(found.crps, exact.crps, atol=0.02)
    np.testing.assert_allclose(found.log_density, exact.log_density, atol=0.08)
    np.testing.assert_allclose(found.shortfall, exact.shortfall, rtol=0.05)


def test_a_mixture_network_is_scored_in_the_unit_of_the_target():
    network = MixtureDensityNetwork(1, 2, 3, torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.bias.zero_()
    found = from_mixture(network, torch.zeros(5, 1), 0.2, 1.5, OBSERVED)
    exact, _ = normal_scores()
    np.testing.assert_allclose(found.log_density, exact.log_density, atol=1e-5)
    np.testing.assert_allclose(found.crps, exact.crps, atol=2e-4)
    np.testing.assert_allclose(found.quantiles, exact.quantiles, atol=1e-4)
    np.testing.assert_allclose(found.shortfall, exact.shortfall, rtol=5e-3)


def test_paired_test_is_the_t_test_without_autocorrelation_and_wider_with_it():
    generator = np.random.default_rng(1)
    independent = generator.normal(0.1, 1, 4000)
    time = pd.Series(pd.date_range("2000-01-01", periods=4000))
    found = paired_test(independent, time, 1)
    assert found["se"] == pytest.approx(independent.std() / np.sqrt(4000), rel=0.1)
    assert found["t"] == pytest.approx(found["mean"] / found["se"])
    smooth = np.convolve(generator.normal(size=4011), np.ones(12) / np.sqrt(12), "valid")
    assert paired_test(smooth, time, 12)["se"] > 2.5 * smooth.std() / np.sqrt(4000)


def test_paired_test_averages_by_date_first():
    difference = np.array([1.0, 3.0, -1.0, 1.0, 0.5, 1.5])
    time = pd.Series(pd.to_datetime(["2000-01-03"] * 2 + ["2000-01-04"] * 2 + ["2000-01-05"] * 2))
    once = paired_test(np.array([2.0, 0.0, 1.0]), time.drop_duplicates(), 1)
    assert paired_test(difference, time, 1) == once


DATES = pd.Series(pd.date_range("2020-01-01", periods=40, freq="MS"))


@pytest.mark.parametrize(
    ("difference", "error", "verdict"),
    [
        (np.zeros(40), None, "equal"),
        (np.zeros(1), np.ones(1), "equal"),
        (np.full(40, 0.5), None, "better"),
        (np.full(40, -0.5), None, "worse"),
        (0.3 + np.arange(40) - np.arange(40), None, "better"),
        (np.full(4, 0.5), None, "no clear difference"),
        (np.full(40, 0.5), np.ones(40), "better"),
        (np.full(40, 0.5), np.full(40, 4.0), "no clear difference"),
        (np.tile([0.25, -0.25], 20), None, "no clear difference"),
        (np.array([0.5, 0.1]), np.ones(2), "no clear difference"),
        (np.array([0.5]), None, "no clear difference"),
    ],
)
def test_differences_without_variance_have_a_verdict(difference, error, verdict):
    found = paired_test(difference, DATES[: len(difference)], 1, error)
    assert clear({"log_score_gain": found["mean"], **found}) == verdict
    assert np.isfinite(list(found.values())).all()
    if error is not None:
        assert found["se"] >= np.sqrt((error**2).sum()) / len(error)


def test_differences_that_cancel_at_every_date_are_not_equal():
    found = paired_test(np.tile([0.25, -0.25], 20), DATES[:20].repeat(2), 1)
    assert found == {"mean": 0, "se": 0, "t": 0, "p": 1, "equal": False}


def test_kupiec_knows_the_published_example():
    """Jorion (2007): 7 exceptions in 250 days at 1 % give LR = 5.50."""
    hits = np.zeros(250, bool)
    hits[:7] = True
    assert stats.chi2.isf(kupiec(hits, 0.01), 1) == pytest.approx(5.50, abs=0.01)
    assert kupiec(np.zeros(1000, bool), 0.01) < 1e-4
    assert kupiec(np.arange(1000) % 100 == 0, 0.01) == pytest.approx(1.0)


def test_christoffersen_sees_clusters():
    spread, clustered = np.zeros(1000, bool), np.zeros(1000, bool)
    spread[::50] = True
    clustered[100:120] = True
    assert christoffersen(spread) > 0.05
    assert christoffersen(clustered) < 1e-6


def test_fz0_is_least_at_the_true_value_at_risk_and_shortfall():
    y = np.random.default_rng(2).normal(size=200_000)
    var, shortfall = stats.norm.ppf(0.05), -stats.norm.pdf(stats.norm.ppf(0.05)) / 0.05
    best = fz0(y, np.full_like(y, var), np.full_like(y, shortfall), 0.05)
    for v, e in ((1.2 * var, 1.2 * shortfall), (0.8 * var, 0.8 * shortfall), (var, 1.3 * shortfall)):
        assert fz0(y, np.full_like(y, v), np.full_like(y, e), 0.05) > best


def test_the_confidence_set_leaves_out_what_is_clearly_beaten_and_keeps_what_is_alike():
    noise = np.random.default_rng(0).normal(size=(600, 3))
    noise -= noise.mean(0)
    losses = pd.DataFrame({"best": noise[:, 0], "alike": noise[:, 1] + 0.02, "worse": noise[:, 2] + 0.4})
    losses["twin"], losses["broken"] = losses["best"], losses["worse"].where(losses.index > 0, np.inf)
    chance = confidence_set(losses, 1)
    assert chance["best"] == chance["twin"] >= 0.1
    assert chance["alike"] >= 0.1
    assert chance["worse"] < 0.01
    assert chance["broken"] == 0
    assert confidence_set(losses, 1) == chance


@pytest.mark.parametrize("dates", [1, 2, 3])
def test_the_confidence_set_of_a_few_dates_holds_all_models(dates):
    chance = confidence_set(pd.DataFrame({"a": [0.1, 0.3, 0.2], "b": [0.5, 0.4, 0.1]}).head(dates), 1)
    assert min(chance.values()) >= 0.1


WINDOWS, AHEAD = 20, 5


def sampled(draws: dict[str, np.ndarray], seed: int) -> pd.DataFrame:
    """Return forecasts of windows that do not overlap, from draws ``(windows, draws)`` of each model."""
    origins = pd.date_range("2020-01-01", periods=WINDOWS, freq=f"{AHEAD}D")
    observed = np.random.default_rng([seed, 1]).standard_normal(WINDOWS)
    keys = {"series": "a", "lead": AHEAD, "target": observed, "origin": origins}
    rows = pd.DataFrame(keys | {"time": origins + pd.Timedelta(days=AHEAD)})
    parts = [
        from_sample(draw, observed).table(rows, m).assign(monte_carlo=monte_carlo_error(draw, observed))
        for m, draw in draws.items()
    ]
    return pd.concat(parts, ignore_index=True)


def drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((WINDOWS, 200))


def test_models_with_the_same_draws_are_equal():
    forecasts = sampled({"ebm": drawn(0), "base": drawn(0)}, 0)
    domain = SimpleNamespace(unit="", returns=True)
    found = summarise(domain, forecasts)["leads"][str(AHEAD)]["paired"]["base"]
    same = {"se": 0, "t": 0, "p": 1, "equal": True}
    assert found == {"log_score_gain": 0, "crps_gain_pct": 0, "crps": {"gain": 0, **same}, **same}
    assert clear(found) == clear(found["crps"]) == "equal"


def test_independent_draws_of_one_distribution_are_rarely_different():
    t = []
    for seed in range(200):
        forecasts = sampled({"ebm": drawn(2 * seed), "base": drawn(2 * seed + 1)}, seed)
        ours, theirs = (forecasts[forecasts["model"] == m].reset_index(drop=True) for m in ("ebm", "base"))
        error = (ours["monte_carlo"] - theirs["monte_carlo"]).to_numpy()
        difference = (ours["log_density"] - theirs["log_density"]).to_numpy()
        t.append(paired_test(difference, ours["time"], 1, error)["t"])
    assert 0.01 <= np.mean(np.abs(t) > 2) <= 0.08


def test_the_variance_has_the_lag_of_windows_that_do_not_overlap():
    forecasts = sampled({"ebm": drawn(0), "base": drawn(1)}, 0).drop(columns="monte_carlo")
    domain = SimpleNamespace(unit="", returns=True)
    found = summarise(domain, forecasts)["leads"][str(AHEAD)]["paired"]["base"]
    ours, theirs = (forecasts[forecasts["model"] == m].reset_index(drop=True) for m in ("ebm", "base"))
    difference = (ours["log_density"] - theirs["log_density"]).to_numpy()
    assert found["se"] == paired_test(difference, ours["time"], 1)["se"]
    assert found["se"] != paired_test(difference, ours["time"], AHEAD)["se"]
