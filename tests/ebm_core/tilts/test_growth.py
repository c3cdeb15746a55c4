"""A widened energy is the one it grew from until it is trained, and then learns what that could not."""

import pytest
import torch

from ebm_core import BilinearEnergy, fit_tilt, widened


def trained(hidden: int) -> BilinearEnergy:
    generator = torch.Generator().manual_seed(0)
    energy = BilinearEnergy(3, hidden, 4, 2, generator)
    with torch.no_grad():
        for parameter in energy.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return energy


@pytest.mark.parametrize("hidden", [0, 5])
def test_widening_changes_nothing(hidden):
    energy = trained(hidden)
    wider = widened(energy, 8, torch.Generator().manual_seed(1))
    x, score = torch.randn(20, 3), torch.randn(7, 1)
    assert wider.hidden == 8
    torch.testing.assert_close(wider(score, x), energy(score, x))


def test_new_units_are_there_to_be_trained():
    """The shift is |x|: nothing that a linear energy can learn."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(3000, 1, generator=generator)
    score = 1.2 * (x[:, 0].abs() - 0.8) + torch.randn(3000, generator=generator)
    options = {"validation": 600, "steps": 400, "learning_rate": 0.02, "weight_decay": 0.01}
    lean = fit_tilt(BilinearEnergy(1, 0, 6, 2, generator), score, x, generator=generator, **options)
    grown = widened(lean.module, 8, generator)
    fit = fit_tilt(grown, score, x, generator=generator, **options)
    torch.testing.assert_close(fit.validation[0], lean.validation.min(0).values)
    assert (fit.validation.min(0).values < fit.validation[0] - 0.05).all()


def test_an_energy_cannot_be_widened_to_fewer_units():
    with pytest.raises(ValueError, match="expected at least 5"):
        widened(trained(5), 4, torch.Generator())
