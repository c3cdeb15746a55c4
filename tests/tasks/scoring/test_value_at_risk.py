"""Recalibrated value at risk: closed forms and what it may know."""

import numpy as np
import pytest

from tasks.scoring.value_at_risk import FEWEST, recalibrated_levels

LEVELS = (0.01, 0.05)


def test_a_calibrated_past_changes_nothing() -> None:
    pit = np.random.default_rng(0).permutation((np.arange(4000) + 0.5) / 4000)
    levels = recalibrated_levels(pit, LEVELS, np.full(4000, 4000))
    np.testing.assert_allclose(levels[0], LEVELS, rtol=0.25)


def test_too_many_misses_lower_the_level_and_too_few_raise_it() -> None:
    uniform = np.random.default_rng(1).uniform(size=3000)
    known = np.arange(3000)
    assert (recalibrated_levels(uniform**2, LEVELS, known)[-1] < LEVELS).all()
    assert (recalibrated_levels(np.sqrt(uniform), LEVELS, known)[-1] > LEVELS).all()


def test_only_known_outcomes_count() -> None:
    pit = np.random.default_rng(2).uniform(size=1200)
    known = np.arange(1200)
    spoiled = pit.copy()
    spoiled[1000:] = 0.0
    np.testing.assert_array_equal(
        recalibrated_levels(pit, LEVELS, known)[:1001], recalibrated_levels(spoiled, LEVELS, known)[:1001]
    )
    assert recalibrated_levels(pit, LEVELS, known)[FEWEST - 1] == pytest.approx(LEVELS)
