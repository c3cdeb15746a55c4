"""The tilt of a simulated statistic: a known one is recovered, and nothing known leaves the prior."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from tasks.events.simulation import EXACT, Origins
from tasks.events.tilt import PRIOR, USUAL, tilted

STEPS = 5


def drawn(count: int, shift: float, slope: float, depth: float) -> tuple[Origins, np.ndarray]:
    """Origins whose barriers are reached with the odds of a tilt; 500 rows a year."""
    rng = np.random.default_rng(0)
    led = rng.normal(0, 1.5, (count, 1)) + np.array([1.5, 0.6, 0.0, -0.5])
    fallen = rng.gamma(2, 0.25, count)
    u = rng.random((count, 1))
    beyond = u < special.expit(shift + slope * led + depth * (fallen[:, None] - USUAL))
    known = np.arange(count) + STEPS
    origins = Origins(led, led, beyond, fallen, pd.DataFrame(), beyond[:, EXACT], known)
    return origins, 2000 + np.arange(count) // 500


def test_a_known_tilt_is_recovered() -> None:
    truth = {"shift": 0.2, "slope": 0.8, "depth": -0.6}
    found, years = drawn(60000, **truth)
    probability, used = tilted(found, STEPS, years)
    last = used[int(years[-1])]
    assert last == pytest.approx(truth, abs=0.1), "also against the sign of the prior"
    at = years == years[-1]
    x = found.depth.clip(0, 3) - USUAL
    expected = special.expit(last["shift"] + last["slope"] * found.led[:, EXACT] + last["depth"] * x)
    np.testing.assert_allclose(probability[at], expected[at])


def test_with_no_outcome_known_the_tilt_is_its_prior() -> None:
    found, years = drawn(400, 2.0, 1.0, 0.0)
    _, used = tilted(found, STEPS, years)
    assert used[2000] == {name: mean for name, (mean, _) in PRIOR.items()}


def test_the_prior_that_changes_nothing_leaves_the_simulation(monkeypatch) -> None:
    nothing = {"shift": (0.0, 1e-6), "slope": (1.0, 1e-6), "depth": (0.0, 1e-6)}
    monkeypatch.setattr("tasks.events.tilt.PRIOR", nothing)
    found, years = drawn(2000, 0.5, 0.7, 0.5)
    probability, _ = tilted(found, STEPS, years)
    np.testing.assert_allclose(probability, found.probability, atol=1e-4)
