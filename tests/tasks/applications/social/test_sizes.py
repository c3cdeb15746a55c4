"""Distributions of sizes: the forest's, what a zero energy leaves, scores against closed forms."""

import numpy as np
import pytest

from tasks.applications.social import sizes
from tasks.applications.social.sizes import (
    Steps,
    crps_log,
    fit_size_model,
    forest_distribution,
    log_score,
    median,
)

SIZES = np.array([1.0, 2, 2, 5, 9, 9, 9, 40])


def test_steps_hold_each_size_and_those_beyond() -> None:
    steps = Steps.of(SIZES)
    assert steps.place(np.array([1, 2, 5, 9, 40])).tolist() == [0, 1, 2, 3, 4]
    assert steps.place(np.array([0.1, 3, 10_000])).tolist() == [0, 1, 4]


def test_a_forest_of_one_leaf_gives_the_shares_of_the_sizes() -> None:
    class Stump:
        def apply(self, x: np.ndarray) -> np.ndarray:
            return np.zeros((len(x), 3), int)

    steps = Steps.of(SIZES)
    x = np.zeros((len(SIZES), 1))
    found = forest_distribution(Stump(), x, steps.place(SIZES), x[:1], 5)
    assert found[0] == pytest.approx([1 / 8, 3 / 8, 4 / 8, 7 / 8, 1])


def test_scores_of_a_distribution_that_is_linear_in_log_size() -> None:
    """Uniform in log size over (a, b): density 1/(b − a), median at the middle."""
    steps = Steps(np.exp(np.linspace(0, 2, 201)))
    cumulative = np.linspace(0, 1, 201)[None, 1:]
    assert log_score(cumulative, steps, np.array([3.0])) == pytest.approx([-np.log(2)], abs=1e-6)
    assert median(cumulative, steps) == pytest.approx([np.e], abs=1e-6)
    # ∫₀² (t/2 − 1{t ≥ 1})² dt = 1/6 for an outcome in the middle
    assert crps_log(cumulative, steps, np.array([np.e + 1e-9])) == pytest.approx([1 / 6], abs=0.01)


def test_the_tilted_distribution_is_one_and_the_seed_decides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "TREES", 20)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 3))
    size = np.round(np.exp(3 + 0.7 * x[:, 0] + 0.3 * rng.normal(size=240)))
    model = fit_size_model(x, size, float(np.quantile(size, 0.9)), 0)
    tilted, base = model.cumulative(x[:20])
    assert (np.diff(tilted, axis=1) >= -1e-9).all() and tilted[:, -1] == pytest.approx(np.ones(20))
    assert np.abs(tilted - base).max() < 0.3
    again = fit_size_model(x, size, float(np.quantile(size, 0.9)), 0).cumulative(x[:20])[0]
    assert (tilted == again).all()
