"""Landscapes against closed forms: a normal's energy and entropy, and a plane that is known."""

import numpy as np
import pytest
import torch

from ebm_core.views.landscapes import PrincipalPlane, contour_levels, local_mean, near_data, slice_energy


def test_a_slice_of_a_normal_is_its_parabola():
    loc, scale = torch.tensor([0.0, 1.5], dtype=torch.float64), torch.tensor([1.0, 2.0], dtype=torch.float64)
    normal = torch.distributions.Normal(loc, scale)
    energy = slice_energy(normal.log_prob, np.array([-1.0, 0.0, 4.0]))
    assert energy.shape == (3, 2)
    assert energy[2, 1] == pytest.approx(0.5 * np.log(2 * np.pi * 4) + 0.5 * (2.5 / 2) ** 2, abs=1e-12)


def test_plane_recovers_two_known_directions_and_lifts_back():
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((5000, 2)) * [3, 1]
    inputs = np.column_stack([hidden[:, 0], -hidden[:, 0], hidden[:, 1], np.full(5000, 7.0)]) + 5
    plane = PrincipalPlane.of(inputs)
    np.testing.assert_allclose(np.abs(plane.axes[0]), [np.sqrt(0.5), np.sqrt(0.5), 0, 0], atol=0.05)
    assert plane.axes[1].max() == pytest.approx(1, abs=0.01)
    assert plane.share.sum() == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(plane.lift(plane.project(inputs)), inputs, atol=1e-9)


def test_a_plane_needs_two_columns():
    with pytest.raises(ValueError, match="2 or more columns"):
        PrincipalPlane.of(np.zeros((10, 1)))


def test_places_without_data_are_not_near():
    points = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [5.0, 5.0]])
    near = near_data(np.array([[0.05, 0.05], [5.0, 5.0], [9.0, 0.0]]), points, radius=0.5)
    assert near.tolist() == [True, False, False]


def test_local_mean_is_exact_for_a_symmetric_neighbourhood_and_finite_far_away():
    points = np.linspace(-3, 3, 601)[:, None]
    values = np.column_stack([2 * points[:, 0] + 1, np.ones(601)])
    at = np.array([[0.0], [100.0]])
    mean = local_mean(at, points, values, bandwidth=0.2)
    assert mean[0] == pytest.approx([1, 1], abs=1e-9)
    assert mean[1, 0] == pytest.approx(7, abs=0.01)


def test_contour_levels_grow_and_start_at_the_bottom():
    levels = contour_levels(np.array([[1.0, 2.0], [np.nan, 21.0]]), count=8)
    assert levels[0] == 1 and levels[-1] == pytest.approx(21)
    steps = np.diff(levels[1:])
    assert (np.diff(steps) > 0).all()
