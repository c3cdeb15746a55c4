"""The energy of tables: what it ranks high, what its parts are in closed form, that a seed decides all."""

import numpy as np
import pytest

from tasks.applications.anomaly.experts import Experts, TabularEnergy


@pytest.fixture(scope="module")
def normal() -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 4))
    x[:, 1] = x[:, 0] + 0.2 * x[:, 1]
    return np.column_stack([x, np.full(150, 3.0)])  # a column that never varies


def test_the_experts_are_what_they_are_by_hand() -> None:
    x = np.arange(1.0, 101)[:, None] * np.array([1.0, 0.0]) + np.array([[0.0, 1.0], [0.0, -1.0]] * 50)
    experts = Experts(x)
    marginals, dependence, neighbours = experts.energies(np.array([[100.0, 1.0], [1e9, 1.0]])).T
    # the largest of 100 values: twice the upper tail is 2 · 1.5/101; all values of ±1 have the tail ½
    second = -np.log(min(1, 2 * 50.5 / 101))
    assert marginals[0] == pytest.approx((-np.log(2 * 1.5 / 101) + second) / 2)
    assert marginals[1] == pytest.approx((-np.log(2 * 0.5 / 101) + second) / 2)
    z = (100 - x[:, 0].mean()) / x[:, 0].std()
    assert dependence[0] == pytest.approx(np.log(2 + z**2 + 1), abs=0.05)
    steps = 2 * np.arange(5)  # rows of the other sign begin at the same place, those of this one a step away
    others = np.r_[(steps + 1) / x[:, 0].std(), np.hypot(2, steps / x[:, 0].std())]
    others = np.sort(others)[:5]
    assert neighbours[0] == pytest.approx(np.log(others.mean() + 1e-3 * np.sqrt(2)))


def test_rows_unlike_the_normal_ones_have_a_high_energy_and_the_column_is_named(normal: np.ndarray) -> None:
    energy = TabularEnergy(normal, 0)
    strange = normal[:3].copy()
    strange[:, 2] += 6
    assert energy(strange).min() > np.quantile(energy(normal), 0.99)
    assert (energy.contributions(strange).argmax(1) == 2).all()
    assert np.isfinite(energy(1e9 * np.ones((1, 5)))).all()


def test_the_same_seed_gives_the_same_energy(normal: np.ndarray) -> None:
    one, two = TabularEnergy(normal[:60], 3), TabularEnergy(normal[:60], 3)
    assert (one(normal) == two(normal)).all()
