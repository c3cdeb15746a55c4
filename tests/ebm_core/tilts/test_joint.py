"""Joint tilts against closed forms: a shifted Gaussian is learned, weighed and resampled."""

import math

import pytest
import torch

from ebm_core.tilts import joint
from ebm_core.tilts.joint import JointEnergy, JointTilt, fit_ranking, ranking_loss


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_untrained_energy_is_its_base_exactly():
    energy = JointEnergy(2, 3, 4, 5, 2, generator())
    value = energy(torch.randn(7, 6, 3, 2), torch.randn(7, 3, 3))
    assert torch.equal(value, torch.zeros(2, 7, 6))
    assert ranking_loss(value).abs().max() < 1e-6
    tilt = JointTilt(value[0, 0].double())
    assert abs(tilt.log_z.item()) < 1e-12 and tilt.log_z_error < 1e-7
    assert tilt.effective_size.item() == pytest.approx(6)
    assert tilt.resample(6, generator()).tolist() == list(range(6))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_importance_sampling_shifts_a_gaussian_the_right_way(sign):
    shift = 0.5
    y = torch.randn(200_000, generator=generator(), dtype=torch.float64)
    tilt = JointTilt(-sign * shift * y)
    mean, error = tilt.expectation(y)
    assert mean.item() == pytest.approx(sign * shift, abs=4 * error.item())
    assert tilt.log_z.item() == pytest.approx(shift**2 / 2, abs=4 * tilt.log_z_error.item())
    assert tilt.log_z_error.item() == pytest.approx(math.sqrt(math.expm1(shift**2) / len(y)), rel=0.03)
    drawn = y[tilt.resample(len(y), generator(1))]
    assert drawn.mean().item() == pytest.approx(sign * shift, abs=0.02)
    assert drawn.std().item() == pytest.approx(1, abs=0.02)


def tilted_mean(sign):
    """Where x is 1 and −½ the mean that ranking finds for truth N(±x/2, I) in two members, base N(0, I)."""
    g = generator(3)
    x = torch.randn(4000, 2, 1, generator=g)
    truth = 0.5 * sign * x + torch.randn(4000, 2, 1, generator=g)
    proposals = torch.randn(4000, 32, 2, 1, generator=g)
    fit = fit_ranking(
        JointEnergy(1, 1, 4, 6, 2, g),
        truth,
        proposals,
        x,
        validation=1000,
        steps=200,
        learning_rate=0.03,
        weight_decay=0.01,
        generator=g,
    )
    draws = torch.randn(1, 20_000, 2, 1, generator=g)
    at = torch.tensor([[[1.0], [-0.5]]])
    with torch.no_grad():
        tilt = JointTilt(fit.module(draws, at).mean(0)[0])
    mean, _ = tilt.expectation(draws[0, :, :, 0])
    return mean.tolist()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_ranking_recovers_a_joint_shift_and_with_its_sign_flipped_does_not(sign, monkeypatch):
    shift = pytest.approx([0.5 * sign, -0.25 * sign], abs=0.09)
    assert tilted_mean(sign) == shift
    monkeypatch.setattr(joint, "ranking_loss", lambda energy: -ranking_loss(energy))
    assert tilted_mean(sign) != shift


def test_ranking_refuses_shapes_that_differ():
    with pytest.raises(ValueError, match="proposals"):
        fit_ranking(
            JointEnergy(1, 1, 1, 1, 1, generator()),
            torch.zeros(3, 1, 1),
            torch.zeros(2, 4, 1, 1),
            torch.zeros(3, 1, 1),
        )
