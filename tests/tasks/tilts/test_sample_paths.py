"""The joint tilt of paths: off where the past holds nothing, on and of the right sign where it does."""

import dataclasses

import numpy as np
import pytest
import torch

from ebm_core.tilts.joint import JointTilt
from tasks.forecasters.sample_paths import VOLATILITY, filtered_bootstrap
from tasks.scoring.predictive import from_sample, monte_carlo_error
from tasks.tilts.sample_paths import PARAMS, PathTilt, fit_path_tilt, untrained

FAST = dataclasses.replace(PARAMS, proposals=24, stride=6, seeds=2)


def trending(strength: float) -> np.ndarray:
    """Three prices with a common drift of random sign that lasts 300 rows."""
    rng = np.random.default_rng(5)
    drift = np.repeat(rng.choice([-1.0, 1.0], 10), 300)[:, None] * strength
    return 100 * np.exp((0.01 * (rng.standard_normal((3000, 3)) + drift)).cumsum(axis=0))


def test_a_tilt_of_weight_zero_is_a_draw_of_the_base():
    values = trending(0)[:900]
    tilt, _ = fit_path_tilt(values, 10, seed=0, params=FAST)
    tilt = dataclasses.replace(tilt, weight=0.0)
    path, plain, weights, half = tilt.sample(values, 10, 64, seed=3)
    np.testing.assert_array_equal(path, plain)
    np.testing.assert_array_equal(half, np.arange(64) % 2)
    base = filtered_bootstrap(values, 10, 64, np.random.default_rng(3))
    np.testing.assert_array_equal(path, base)
    assert weights.log_z.item() == 0 and weights.effective_size.item() == 64


class Steep(PathTilt):
    """Tilt by −weight · the end of the first series, with which few draws have most of the mass."""

    def of(self, path: np.ndarray, values: np.ndarray) -> JointTilt:
        end = np.log(path[:, -1, 0] / values[-1, 0]) / (0.01 * np.sqrt(path.shape[1]))
        return JointTilt(torch.tensor(-self.weight * end))


@pytest.mark.parametrize("weight", [0.0, 1.0, 1.5])
def test_the_monte_carlo_error_of_tilted_paths_is_their_spread_over_seeds(weight: float):
    values = trending(0)[:600]
    tilt = Steep(untrained(0), "price", VOLATILITY, weight)
    at = np.log(values[-1:, 0]) + 0.01 * np.sqrt(5) * weight
    density, error, base = [], [], []
    for seed in range(60):
        tilted, plain, _, half = tilt.sample(values, 5, 128, seed)
        draws, of_base = (np.log(each[None, :, -1, 0]) for each in (tilted, plain))
        density.append(from_sample(draws, at).log_density[0])
        error.append(monte_carlo_error(draws, at, half[None])[0])
        base.append(monte_carlo_error(of_base, at)[0])
    assert np.std(density) == pytest.approx(np.sqrt(np.mean(np.square(error))), rel=0.3)
    assert (error == base) == (weight == 0)


@pytest.mark.parametrize("first", [0, 1, 2])
def test_the_monte_carlo_error_is_large_if_one_half_has_hardly_any_draws(first: int):
    draws = np.random.default_rng(0).standard_normal((1, 128))
    half = (np.arange(128) >= first)[None].astype(int)
    assert 0.1 < abs(monte_carlo_error(draws, np.zeros(1), half)[0]) < 100


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("rows", "horizon"), [(900, 2), (1400, 300)])
def test_the_gain_over_a_short_horizon_has_an_error_and_over_a_long_one_is_not_known(rows: int, horizon: int):
    values = np.concatenate([trending(0), trending(0)])[:rows]
    _, evidence = fit_path_tilt(values, horizon, seed=0, params=dataclasses.replace(PARAMS, proposals=24))
    assert np.isfinite(evidence["gain"])
    assert np.isfinite(evidence["se"]) == (rows == 900)  # too few rows are left to evaluate 300 steps


def test_a_trend_in_the_past_is_learned_with_its_sign():
    values = trending(0.25)
    params = dataclasses.replace(FAST, learning_rate=0.02, weight_decay=0.1)
    tilt, evidence = fit_path_tilt(values, 10, seed=0, params=params)
    assert tilt.weight == 1 and evidence["gain"] > evidence["se"]
    for sign in (1, -1):
        end = values[-1:] * np.exp(0.004 * sign * np.arange(1, 301)[:, None])
        known = np.concatenate(
            [values, end * np.exp(0.01 * np.random.default_rng(1).standard_normal((300, 3)))]
        )
        path = filtered_bootstrap(known, 10, 2000, np.random.default_rng(2))
        tilted = tilt.of(path, known)
        move = torch.as_tensor(np.log(path[:, -1] / known[-1]))
        shift = sign * (tilted.expectation(move)[0] - move.mean(0))
        assert (shift > 0).all()
