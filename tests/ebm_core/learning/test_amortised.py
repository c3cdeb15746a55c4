"""A generator taught by an energy samples it, and without the entropy term collapses."""

import pytest
import torch
from torch import Tensor, nn

from ebm_core.energies.networks import initialise
from ebm_core.learning.amortised import AmortisedSampler

MEAN = torch.tensor([0.5, -0.3])
COVARIANCE = torch.tensor([[0.64, 0.40], [0.40, 0.61]])
PRECISION = COVARIANCE.inverse()


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def energy(x: Tensor) -> Tensor:
    return ((x - MEAN) @ PRECISION * (x - MEAN)).sum(1) / 2


def taught(entropy_weight: float) -> Tensor:
    network = nn.Sequential(nn.Linear(2, 16), nn.SiLU(), nn.Linear(16, 2))
    initialise(network, seeded(1))
    sampler = AmortisedSampler(network, 2, 0.3, learning_rate=1e-2, entropy_weight=entropy_weight)
    generator = seeded(0)
    for step in range(400):
        for group in sampler.optimiser.param_groups:
            group["lr"] = 1e-2 * (1 - step / 400)
        sampler.draw(energy, torch.empty(128, 2), generator)
    return sampler.sample(20_000, generator)


def test_a_generator_recovers_the_moments_of_an_energy() -> None:
    x = taught(1.0)
    assert torch.allclose(x.mean(0), MEAN, atol=0.08)
    assert torch.allclose(x.T.cov(), COVARIANCE, atol=0.1)


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_without_entropy_it_collapses(weight: float) -> None:
    assert taught(weight).T.cov().trace() < 0.5 * COVARIANCE.trace()


def test_the_entropy_gradient_of_a_linear_generator_has_its_closed_form() -> None:
    """x = A z + σ ξ is N(0, A Aᵀ + σ² I): ∇ log q(x) = −(A Aᵀ + σ² I)⁻¹ x."""
    linear = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[0.7, 0.0], [0.5, 0.5]]))
    sampler = AmortisedSampler(linear, 2, 0.3, proposals=256)
    z, noise = torch.randn(1000, 2, generator=seeded(0)), torch.randn(1000, 2, generator=seeded(1))
    image = linear(z).detach()
    x = image + 0.3 * noise
    covariance = linear.weight.detach() @ linear.weight.detach().T + 0.09 * torch.eye(2)
    exact = -x @ covariance.inverse()
    sampler.spread.fill_(0.5)
    for _ in range(10):
        found = sampler._score(x, z, seeded(2))
    assert (found - exact).square().mean() < 0.1 * exact.square().mean()
    # what bends the generator is the covariance with its image, where a biased estimate would vanish
    assert (found * image).sum().item() == pytest.approx((exact * image).sum().item(), rel=0.03)


def test_a_generator_of_another_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"^network: gave"):
        AmortisedSampler(nn.Linear(2, 3), 2, 0.3).draw(energy, torch.empty(8, 2), seeded(0))
    with pytest.raises(ValueError, match=r"^noise_scale"):
        AmortisedSampler(nn.Linear(2, 2), 2, 0.0)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (nn.Linear(3, 2), r"failed on latents of shape \(8, 2\)"),
        (nn.Sequential(nn.Linear(2, 2), nn.Flatten(0)), r"gave \(16,\); expected one row per latent"),
    ],
)
def test_a_network_that_does_not_map_latents_to_rows_is_named(network: nn.Module, said: str) -> None:
    sampler = AmortisedSampler(network, 2, 0.3)
    with pytest.raises(ValueError, match=f"^network: {said}"):
        sampler.sample(8, seeded(0))
    with pytest.raises(ValueError, match=f"^network: {said}"):
        sampler.draw(energy, torch.empty(8, 2), seeded(0))


def test_a_network_with_nothing_to_train_is_named() -> None:
    with pytest.raises(ValueError, match=r"^network: has no parameters"):
        AmortisedSampler(nn.Identity(), 2, 0.3)
