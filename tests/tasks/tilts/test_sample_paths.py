"""The joint tilt of paths: off where the past holds nothing, on and of the right sign where it does."""

import dataclasses

import numpy as np
import pytest
import torch

from tasks.forecasters.sample_paths import filtered_bootstrap
from tasks.tilts.sample_paths import PARAMS, fit_path_tilt

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
    path, plain, weights = tilt.sample(values, 10, 64, seed=3)
    np.testing.assert_array_equal(path, plain)
    base = filtered_bootstrap(values, 10, 64, np.random.default_rng(3))
    np.testing.assert_array_equal(path, base)
    assert weights.log_z.item() == 0 and weights.effective_size.item() == 64


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
