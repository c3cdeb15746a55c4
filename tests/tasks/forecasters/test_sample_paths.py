"""Sample paths: what they keep of the past, and scores against hand calculation."""

import numpy as np
import pytest

from tasks.forecasters import sample_paths
from tasks.runtime.errors import BasinError


def prices(rows: int = 1500, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    move = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], rows) * 0.01
    move[-40:] *= 4
    return 100 * np.exp(move.cumsum(axis=0))


@pytest.mark.parametrize("sampler", [sample_paths.filtered_bootstrap, *list(sample_paths.PEERS.values())[:2]])
def test_paths_keep_dependence_and_repeat_with_the_seed(sampler):
    values = prices()
    first = sampler(values, 20, 4000, np.random.default_rng(1))
    assert first.shape == (4000, 20, 2)
    np.testing.assert_array_equal(first, sampler(values, 20, 4000, np.random.default_rng(1)))
    end = np.log(first[:, -1] / values[-1])
    assert np.corrcoef(end.T)[0, 1] == pytest.approx(0.8, abs=0.06)
    assert np.median(end, axis=0) == pytest.approx([0, 0], abs=0.04)


def test_filtered_paths_start_as_wide_as_the_present():
    values = prices()
    wide = np.log(
        sample_paths.filtered_bootstrap(values, 1, 4000, np.random.default_rng(0))[:, 0] / values[-1]
    ).std(0)
    past = np.log(
        sample_paths.random_walk_bootstrap(values, 1, 4000, np.random.default_rng(0))[:, 0] / values[-1]
    )
    assert (wide > 1.8 * past.std(0)).all()


def test_every_path_has_its_mirror_image():
    path = sample_paths.filtered_bootstrap(prices(), 10, 200, np.random.default_rng(2))
    move = np.log(path / prices()[-1])
    np.testing.assert_allclose(move[:100], -move[100:], atol=1e-12)


def test_a_pegged_series_neither_explodes_nor_dies():
    values = prices()
    values[:, 1] = 7.0
    values[700:, 1] = 7.5
    values[1200:, 1] = np.where(np.arange(300) % 50 == 0, 7.5001, 7.5)
    path = sample_paths.filtered_bootstrap(values, 60, 2000, np.random.default_rng(3))
    assert np.isfinite(path).all()
    inner = np.abs(np.log(path[:, -1, 1] / values[-1, 1]))
    assert np.median(inner) < 0.01 and inner.max() < 1.0


def test_levels_may_be_negative_and_prices_may_not():
    values = prices() - 150
    assert np.isfinite(
        sample_paths.filtered_bootstrap(values, 5, 10, np.random.default_rng(0), kind="level")
    ).all()
    with pytest.raises(BasinError, match="row 0, series 0"):
        sample_paths.filtered_bootstrap(values, 5, 10, np.random.default_rng(0))


def test_losses_are_those_of_the_evaluator_by_hand():
    sample = np.linspace(0, 1, 101)[:, None, None] * np.ones((1, 1, 2))
    loss = sample_paths.path_loss(sample, np.array([[0.5, 2.0]]))
    level = np.arange(1, 20) / 20
    half = (2 * (0.5 - level) * (level - (level > 0.5))).mean()
    assert loss.loss == pytest.approx(half + (2 * (2.0 - level) * level).mean())
    assert loss.scale == 2.5 and loss.sum_scale == 2.5
    assert loss.sum_loss == pytest.approx((2 * (2.5 - 2 * level) * (level - (2 * level > 2.5))).mean())


def test_paired_bootstrap_finds_a_gain_and_its_sign():
    rng = np.random.default_rng(0)
    reference = rng.uniform(1, 2, 40)
    better = sample_paths.paired_bootstrap(0.95 * reference, reference, rng)
    assert better["gain_pct"] == pytest.approx(5) and better["interval"] == pytest.approx([5, 5])
    assert better["p"] < 0.01
    assert sample_paths.paired_bootstrap(reference, 0.95 * reference, rng)["gain_pct"] < 0
    assert sample_paths.paired_bootstrap(reference, reference, rng)["p"] == 1
