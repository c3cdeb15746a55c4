"""The Gaussian base of fields against dense linear algebra, and the convolutional energy's promises."""

import pytest
import torch

from ebm_core.fields import FieldEnergy, PatternNormal


@pytest.fixture
def law() -> PatternNormal:
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randn(7, 3, generator=generator, dtype=torch.double)
    return PatternNormal(patterns, 0.1 + torch.rand(7, generator=generator, dtype=torch.double))


def covariance(law: PatternNormal) -> torch.Tensor:
    return torch.diag(law.local) + law.patterns @ law.patterns.T


def test_colour_is_a_root_of_the_covariance_and_whiten_its_inverse(law):
    root = law.colour(torch.eye(7, dtype=torch.double))
    assert torch.allclose(root.T @ root, covariance(law))
    assert torch.allclose(law.whiten(root), torch.eye(7, dtype=torch.double))
    assert torch.allclose(law.log_scale, torch.logdet(covariance(law)) / 2)


def test_missing_cells_given_the_seen_ones_are_those_of_the_dense_law(law):
    seen = torch.tensor([True, False, True, True, False, True, False])
    whole = covariance(law)
    gain, root = law.given(seen)
    cross = whole[~seen][:, seen]
    assert torch.allclose(gain, cross @ torch.linalg.inv(whole[seen][:, seen]))
    assert torch.allclose(root @ root.T, whole[~seen][:, ~seen] - gain @ cross.T)


def test_a_variance_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="local variances must be positive"):
        PatternNormal(torch.ones(2, 1), torch.tensor([1.0, 0.0]))


def test_an_untrained_energy_is_zero_and_cells_outside_the_mask_are_not_there():
    mask = torch.tensor([[True, True, False], [True, False, True]])
    generator = torch.Generator().manual_seed(1)
    energy = FieldEnergy(mask, fields=1, numbers=2, width=4, generator=generator)
    error, mean, context = (torch.randn(5, *shape, generator=generator) for shape in ((4,), (4,), (1, 4)))
    numbers = torch.randn(5, 2, generator=generator)
    assert torch.equal(energy(error, mean, context, numbers), torch.zeros(5))
    grid = energy.grid(context)
    assert grid.shape == (5, 1, 2, 3)
    assert torch.equal(grid[..., mask], context)
    assert not grid[..., ~mask].any()
    with torch.no_grad():
        energy.last.bias.fill_(1.0)
    assert torch.allclose(energy(error, mean, context, numbers), error.sum(-1))
