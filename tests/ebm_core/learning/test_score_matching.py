"""Denoising score matching against laws whose scores are known, and the transport that samples them."""

import math

import pytest
import torch

from ebm_core.learning.score_matching import denoising_loss, pull, rotate, transport

SHIFT = torch.tensor([0.7, -0.4, 0.0])


def moved(v: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """The energy of N(SHIFT, I): F = −SHIFT · v at every angle."""
    return -(v @ SHIFT)


def none(v: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    return 0 * v.sum(-1)


def stretched(z: torch.Tensor) -> torch.Tensor:
    return z * torch.tensor([2.0, 1.0, 0.5])


def normal(rows: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, 3, generator=torch.Generator().manual_seed(seed))


def test_rotation_keeps_the_base_and_what_is_to_be_learned_is_independent_of_it():
    angle = torch.rand(20_000, generator=torch.Generator().manual_seed(2)) * math.pi / 2
    v, wanted = rotate(normal(20_000, 0), normal(20_000, 1), angle)
    together = torch.cat([v, wanted], 1)
    assert torch.allclose(together.T.cov(), torch.eye(6), atol=0.03)


@pytest.mark.parametrize("degrees", [10.0, 45.0, 80.0])
def test_the_true_energy_has_the_least_loss_at_every_angle(degrees):
    z, noise = SHIFT + normal(20_000, 3), normal(20_000, 4)
    angle = torch.full((len(z),), math.radians(degrees))
    losses = [
        float(denoising_loss(lambda v, a, k=k: k * moved(v, a), z, noise, angle, stretched))
        for k in (0.0, 0.5, 1.0, 1.5)
    ]
    assert losses[2] == min(losses)
    assert losses[0] - losses[2] == pytest.approx(
        float((SHIFT.square() + stretched(SHIFT).square()).mean()) / 2 * math.sin(angle[0]) ** 2, abs=0.03
    )


def test_transport_moves_the_bases_own_samples_to_the_tilted_law():
    noise = normal(100, 5)
    assert torch.equal(transport(none, noise), noise)
    assert torch.allclose(transport(moved, noise), noise + SHIFT, atol=2e-3)


def test_transport_of_a_narrower_law_has_its_spread():
    """z ~ N(0, s² I): v has variance cos² s² + sin², so F = ½|v|²·(1/(…) − 1)/cos φ."""
    spread = 0.5

    def narrow(v: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
        cos, sin = torch.cos(angle), torch.sin(angle)
        of_v = cos**2 * spread**2 + sin**2
        # (1/of_v − 1) / cos without the division that fails at π/2.
        return v.square().sum(-1) / 2 * cos * (1 - spread**2) / of_v

    samples = transport(narrow, normal(4000, 6), steps=32)
    assert samples.std(0).tolist() == pytest.approx([spread] * 3, rel=0.05)


def test_the_pull_is_a_gradient_that_training_can_follow():
    weight = torch.tensor(1.0, requires_grad=True)
    angle = torch.full((4,), 0.5)
    pull(lambda v, a: weight * moved(v, a), normal(4, 7), angle, create_graph=True).sum().backward()
    assert float(weight.grad) == pytest.approx(4 * math.sin(0.5) * -float(SHIFT.sum()), rel=1e-5)
