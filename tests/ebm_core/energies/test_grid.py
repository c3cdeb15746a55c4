"""The Gaussian base of fields against dense linear algebra, and the convolutional energy's promises."""

import pytest
import torch

from ebm_core.energies.grid import FieldEnergy, PatternNormal


@pytest.fixture
def law() -> PatternNormal:
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randn(7, 3, generator=generator, dtype=torch.double)
    return PatternNormal(patterns, 0.1 + torch.rand(7, generator=generator, dtype=torch.double))


def test_amplitudes_are_those_of_the_dense_law(law):
    whole = torch.diag(law.local) + law.patterns @ law.patterns.T
    error = torch.randn(4, 7, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    assert torch.allclose(law.amplitudes(error), error @ torch.linalg.inv(whole) @ law.patterns)
    z = torch.eye(3, dtype=torch.double)
    assert torch.allclose(law.colour(z), law.patterns.T)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_amplitudes_given_some_cells_are_those_of_the_dense_law(law, noise):
    seen = torch.tensor([True, False, True, True, False, True, False])
    factor = law.patterns[seen]
    known = torch.diag(law.local[seen] + noise**2) + factor @ factor.T
    gain, root = law.given(seen, noise)
    wanted = factor.T @ torch.linalg.inv(known)
    assert torch.allclose(gain, wanted)
    assert torch.allclose(root @ root.T, torch.eye(3, dtype=torch.double) - wanted @ factor)


def test_a_variance_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="expected a positive variance"):
        PatternNormal(torch.ones(2, 1), torch.tensor([1.0, 0.0]))


@pytest.fixture
def energy() -> FieldEnergy:
    mask = torch.tensor([[True, True, False], [True, False, True]])
    return FieldEnergy(mask, fields=1, numbers=2, width=4, generator=torch.Generator().manual_seed(1))


def circumstances(rows: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    return tuple(torch.randn(rows, *shape, generator=generator) for shape in ((4,), (1, 4), (2,)))


def test_an_untrained_energy_is_zero_and_cells_outside_the_mask_are_not_there(energy):
    error, context, numbers = circumstances(5)
    assert torch.equal(energy(error, context, numbers), torch.zeros(5))
    grid = energy.grid(context)
    assert grid.shape == (5, 1, 2, 3)
    assert torch.equal(grid[..., energy.mask], context)
    assert not grid[..., ~energy.mask].any()


def test_an_energy_is_even_in_the_error_so_that_it_cannot_move_the_mean(energy):
    with torch.no_grad():
        energy.last.weight.normal_(generator=torch.Generator().manual_seed(3))
    error, context, numbers = circumstances(5)
    found = energy(error, context, numbers)
    assert found.abs().min() > 1e-3
    assert torch.allclose(energy(-error, context, numbers), found)
    assert not torch.allclose(energy(error, -context, numbers), found)
