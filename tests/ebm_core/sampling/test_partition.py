"""Normalisers against those that are known, and the direction in which they may err."""

import numpy as np
import pytest
import torch

from ebm_core.energies.analytic import (
    DoubleWellEnergy,
    FunnelEnergy,
    GaussianEnergy,
    GaussianMixtureEnergy,
    RastriginEnergy,
    RosenbrockEnergy,
)
from ebm_core.sampling.partition import ais, bracket, importance_log_z, reverse_ais

MIXTURE = GaussianMixtureEnergy(
    torch.tensor([[-2.0, 0.0], [2.0, 1.0]]), torch.tensor([0.5, 1.0]), torch.tensor([0.3, 0.7])
)
BASE = GaussianEnergy(torch.zeros(2), 9 * torch.eye(2))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("energy", "reach"),
    [
        (GaussianEnergy(torch.ones(2), torch.tensor([[1.0, 0.3], [0.3, 0.5]])), (8, 8)),
        (MIXTURE, (9, 9)),
        (DoubleWellEnergy(2, 3.0), (4, 9)),
        (RosenbrockEnergy(), (21, 420)),
        (RastriginEnergy(2, 1.5), (8, 8)),
        (FunnelEnergy(2, 1.0), (7, 120)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_landscapes_normalisers_are_those_of_quadrature(energy, reach):
    axes = [torch.linspace(-r, r, n, dtype=torch.float64) for r, n in zip(reach, (801, 4801), strict=True)]
    grid = torch.cartesian_prod(*axes)
    cell = torch.log((axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0]))
    assert energy.log_z == pytest.approx(float((-energy.double()(grid)).logsumexp(0) + cell), abs=3e-3)


@pytest.mark.parametrize("energy", [MIXTURE, RosenbrockEnergy(), FunnelEnergy(3, 1.0)])
def test_exact_samples_have_the_energies_of_their_law(energy):
    """E[∇E · h(x)] = E[div h] with h = x/(1 + |x|²): Stein's identity holds only for the right law."""
    x = energy.sample(200_000, generator()).double().requires_grad_()
    (gradient,) = torch.autograd.grad(energy.double()(x).sum(), x)
    square = 1 + x.square().sum(1)
    difference = (gradient * x).sum(1) / square - (x.shape[1] / square - 2 * (square - 1) / square**2)
    difference = difference.detach()
    assert abs(float(difference.mean())) < 4 * float(difference.std()) / len(x) ** 0.5
    energy.float()


def test_importance_sampling_recovers_the_normaliser_within_its_error():
    found = importance_log_z(MIXTURE, BASE, 20_000, generator())
    assert abs(found.value) < 3 * found.error < 0.1


def test_annealing_both_ways_brackets_the_truth_and_errs_to_its_own_side():
    """With few levels the mean of forward runs is below log Z = 0, that of reverse ones above."""
    forward = [ais(MIXTURE, BASE, 100, 6, [0.3], generator(seed)).value for seed in range(15)]
    reverse = [
        reverse_ais(MIXTURE, BASE, MIXTURE.sample(100, generator(seed)), 6, [0.3], generator(seed)).value
        for seed in range(15)
    ]
    assert np.mean(forward) < 0 < np.mean(reverse)
    fine = ais(MIXTURE, BASE, 1000, 150, [0.03, 0.3], generator())
    back = reverse_ais(MIXTURE, BASE, MIXTURE.sample(1000, generator(1)), 150, [0.03, 0.3], generator(2))
    low, high = bracket(fine, back)
    assert low < 0 < high < low + 0.3


def test_chains_that_start_where_the_target_has_no_mass_count_as_nothing():
    """Half of a normal law: log Z = log √(π/2), and half of all chains start outside."""
    base = GaussianEnergy(torch.zeros(1), torch.eye(1))

    def half(x):
        return torch.where(x[:, 0] > 0, x[:, 0].square() / 2, torch.inf)

    found = ais(half, base, 4000, 20, [0.3], generator())
    assert abs(found.value - 0.5 * np.log(np.pi / 2)) < 3 * found.error < 0.1


def test_annealing_reports_its_acceptance_and_refuses_steps_that_are_never_taken():
    base, target = GaussianEnergy(torch.zeros(2), torch.eye(2)), GaussianEnergy(torch.ones(2), torch.eye(2))
    x = target.sample(200, torch.Generator().manual_seed(1))
    for run, first in ((ais, 200), (reverse_ais, x)):
        estimate = run(target, base, first, 20, [0.3], torch.Generator().manual_seed(0))
        assert 0.5 < estimate.acceptance <= 1
        with pytest.raises(ValueError, match=r"^step_sizes: .* of the moves were accepted"):
            run(target, base, first, 20, [1000.0], torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("scale", "step_sizes", "words"),
    [
        (0.01, [1.0], "^step_sizes: at most .* of the moves were accepted near"),
        (0.01, [1.0, 100.0], "^step_sizes: at most .* of the moves were accepted near"),
        (0.01, [1e-5, 1e-3, 0.1], "^levels: one of 500 chains has nearly all the weight"),
    ],
)
def test_chains_that_do_not_follow_the_path_are_refused(scale, step_sizes, words):
    """From a standard deviation of 10 to .01, where moves are accepted on average but not at the end."""
    base = GaussianEnergy(torch.zeros(2), 100 * torch.eye(2))
    target = GaussianEnergy(torch.full((2,), 3.0), scale**2 * torch.eye(2))
    with pytest.raises(ValueError, match=words):
        ais(target, base, 500, 200, step_sizes, generator())


def test_annealing_from_a_law_to_itself_is_exact():
    found = ais(BASE, BASE, 50, 5, [0.1], generator())
    assert found.value == pytest.approx(BASE.log_z, abs=1e-6)
    assert found.error < 1e-6 and found.effective == pytest.approx(50)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: ais(MIXTURE, BASE, 10, 0, [0.1], generator()), "levels: 0"),
        (lambda: ais(MIXTURE, BASE, 10, 3, [], generator()), "step_sizes: "),
        (lambda: ais(MIXTURE, BASE, 1, 3, [0.1], generator()), "^chains: 1; expected 2"),
        (lambda: importance_log_z(MIXTURE, BASE, 1, generator()), "^count: 1; expected 2"),
        (
            lambda: reverse_ais(MIXTURE, BASE, torch.zeros(1, 2), 3, [0.1], generator()),
            r"^x: shape \(1, 2\); expected",
        ),
        (lambda: ais(lambda x: x.log().sum(1), BASE, 10, 3, [0.1], generator()), "energy: not finite"),
        (lambda: importance_log_z(lambda x: x, BASE, 10, generator()), "energy: gave"),
        (lambda: GaussianEnergy(torch.zeros(2), -torch.eye(2)), "covariance: "),
        (lambda: MIXTURE(torch.zeros(3, 5)), "x: shape"),
    ],
)
def test_what_is_wrong_is_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()
