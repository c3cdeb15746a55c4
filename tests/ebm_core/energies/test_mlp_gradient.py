"""The hand-written derivatives of ∇ₓE in the weights are those of autograd."""

import pytest
import torch

from ebm_core.energies.networks import MLPEnergy


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("hidden", [(5,), (6, 4), (3, 7, 5)])
def test_derivatives_of_the_input_gradient_are_those_of_differentiating_twice(
    hidden: tuple[int, ...],
) -> None:
    energy = MLPEnergy(3, hidden, generator=seeded(0)).double()
    x = 2 * torch.randn(11, 3, generator=seeded(1), dtype=torch.float64)
    pull = torch.randn(11, 3, generator=seeded(2), dtype=torch.float64)
    parameters = list(energy.parameters())[:-1]  # the last bias moves no gradient

    at = x.clone().requires_grad_()
    (twice,) = torch.autograd.grad(energy(at).sum(), at, create_graph=True)
    once = energy.input_gradient(x)
    assert torch.allclose(once, twice, atol=1e-12)
    by_hand = torch.autograd.grad(once, parameters, pull)
    for found, exact in zip(by_hand, torch.autograd.grad(twice, parameters, pull), strict=True):
        assert torch.allclose(found, exact, atol=1e-12)
