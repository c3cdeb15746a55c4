"""Tilts in NumPy are resolved or refused as those of PyTorch are."""

import numpy as np
import pytest

from ebm_core.tilts.mixture import SkewTMixture
from ebm_core.tilts.normalised import NormalisedTilt

NORMAL = SkewTMixture(*np.array([[0.0, 1.0], [1.0, 2.0], [1e6, 1e6], [0.0, 0.0], [1.0, 1.0]])[:, None])


def test_energies_that_the_first_panels_do_not_resolve_get_more_panels() -> None:
    """A steep energy needs narrower panels, and one that moves the mass far out a wider reach."""
    first = NormalisedTilt(NORMAL, np.zeros_like, 128).rule
    steep = NormalisedTilt(NORMAL, lambda s: 30 * np.sin(7 * s), 128)
    assert steep.rule.count > first.count
    assert steep.log_z.tolist() == pytest.approx([27.3847014] * 2, abs=1e-6)
    moved = NormalisedTilt(NORMAL, lambda s: -8.5 * s, 128)
    assert moved.rule.reach > first.reach
    assert moved.log_z.tolist() == pytest.approx([8.5**2 / 2] * 2, abs=1e-8)
    assert moved.icdf(np.array([0.5])).tolist() == pytest.approx([8.5, 18.0], abs=1e-3)
    infinite = NormalisedTilt(NORMAL, lambda s: np.where(s < 0, np.inf, 0.0), 128)
    assert infinite.log_z.tolist() == pytest.approx([np.log(0.5)] * 2, abs=1e-5)


@pytest.mark.parametrize(
    ("energy", "words"),
    [
        (lambda s: -0.6 * s**2, "no normaliser"),
        (lambda s: s * np.nan, "NaN"),
        (lambda s: s * 0 + np.inf, "at all normal scores of a row"),
        (lambda s: 1000 * np.sin(1e5 * s), "not resolved"),
    ],
)
def test_an_energy_without_a_normaliser_is_refused(energy, words) -> None:
    with pytest.raises(ValueError, match=f"^energy: .*{words}"):
        NormalisedTilt(NORMAL, energy, 128)


@pytest.mark.parametrize("level", [-0.1, 1.5, np.nan])
def test_quantiles_of_numbers_that_are_no_probabilities_are_refused(level) -> None:
    with pytest.raises(ValueError, match=r"^value: .*; expected probabilities in \[0, 1\]"):
        NormalisedTilt(NORMAL, np.zeros_like).icdf(np.array([level]))
