"""Every objective recovers a density that is known, and does not when its sign is flipped."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from ebm_core.energies.networks import ClassEnergy, MLPEnergy, initialise
from ebm_core.learning.amortised import AmortisedSampler
from ebm_core.learning.fit import fit
from ebm_core.learning.gradient_objectives import DenoisingScoreMatching, SlicedScoreMatching
from ebm_core.learning.negatives import DataChains, PersistentChains
from ebm_core.learning.objectives import JEM, ContrastiveDivergence, EnergyDiscrepancy, Objective
from ebm_core.sampling.replay import ReplayBuffer

MEAN = torch.tensor([0.5, -0.3])
ROOT = torch.tensor([[0.8, 0.0], [0.5, 0.6]])
BLUR = 0.3

AXIS = torch.linspace(-4, 4, 81)
GRID = torch.cartesian_prod(AXIS, AXIS)
CELL = float(AXIS[1] - AXIS[0]) ** 2


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def start(count: int, generator: torch.Generator) -> Tensor:
    return torch.randn(count, 2, generator=generator)


def network(outputs: int) -> nn.Module:
    layers = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, outputs))
    initialise(layers, seeded(1))
    return layers


def hybrid() -> Objective:
    sampler = AmortisedSampler(network(2), 2, 0.3, learning_rate=0.01, proposals=16)
    return ContrastiveDivergence(sampler, energy_penalty=1e-3)


def persistent() -> Objective:
    buffer = ReplayBuffer(start, 1000, 0.01, seeded(3))
    return ContrastiveDivergence(PersistentChains(buffer, 5, 0.05), energy_penalty=1e-4)


OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "CD-10": lambda: ContrastiveDivergence(DataChains(10, 0.05)),
    "persistent CD": persistent,
    "denoising score matching": lambda: DenoisingScoreMatching(BLUR),
    "sliced score matching": SlicedScoreMatching,
    "energy discrepancy": lambda: EnergyDiscrepancy((0.3, 1.0), 4),
    "EBM–GAN hybrid": hybrid,
    "JEM": lambda: JEM(EnergyDiscrepancy((0.3, 1.0), 4)),
}


class Flipped(Objective):
    """The same with the wrong sign."""

    def __init__(self, right: Objective) -> None:
        self.right, self.labelled = right, right.labelled

    def loss(self, energy: Any, batch: Any, generator: torch.Generator) -> Tensor:
        return -self.right.loss(energy, batch, generator)


def gaussian(count: int) -> Tensor:
    return MEAN + torch.randn(count, 2, generator=seeded(0)) @ ROOT.T


def recovered(energy: nn.Module, truth: MultivariateNormal) -> bool:
    """Mean within 0.1, covariance within 0.12, E|log density error| within 0.2 nats, all by quadrature."""
    with torch.no_grad():
        log_density = torch.log_softmax(-energy(GRID), 0) - torch.log(torch.tensor(CELL))
    mass = log_density.exp() * CELL
    mean = mass @ GRID
    covariance = (GRID - mean).T @ ((GRID - mean) * mass[:, None])
    log_truth = truth.log_prob(GRID)
    error = (log_truth.exp() * CELL) @ (log_density - log_truth).abs()
    off = (covariance - truth.covariance_matrix).abs().max()
    return bool((mean - truth.mean).abs().max() < 0.1 and off < 0.12 and error < 0.2)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_recovers_a_gaussian_and_with_its_sign_flipped_does_not(name: str) -> None:
    objective = OBJECTIVES[name]()
    x = gaussian(2000)
    truth = MultivariateNormal(MEAN, ROOT @ ROOT.T)
    options: Any = {"steps": 400, "batch": 128, "learning_rate": 0.01, "decay": 0.98, "clip": 10.0}
    if name == "EBM–GAN hybrid":  # the energy must be slower than its sampler
        options |= {"steps": 600, "learning_rate": 0.003}
    data: Any = x
    energy: nn.Module = MLPEnergy(2, (32, 32), generator=seeded(1))
    if isinstance(objective, JEM):
        data = (x, (x[:, 0] > MEAN[0]).long())
        energy = ClassEnergy(network(2))
    if isinstance(objective, DenoisingScoreMatching):
        truth = MultivariateNormal(MEAN, ROOT @ ROOT.T + BLUR**2 * torch.eye(2))
    found = fit(energy, data, objective, generator=seeded(2), **options)
    assert recovered(found.averaged, truth)
    if isinstance(objective, JEM):
        right = found.averaged.logits(x).argmax(1) == data[1]
        assert right.float().mean() > 0.95

    try:
        wrong = fit(energy, data, Flipped(OBJECTIVES[name]()), generator=seeded(2), **options).averaged
    except FloatingPointError:
        return
    assert not recovered(wrong, truth)


def test_score_matching_is_the_same_with_and_without_an_explicit_gradient() -> None:
    energy, x = MLPEnergy(2, (16,), generator=seeded(0)), gaussian(64)
    for objective in (DenoisingScoreMatching(0.2), SlicedScoreMatching(3)):
        gradients = []
        for of in (energy, energy.forward):
            energy.zero_grad()
            objective.loss(of, x, seeded(1)).backward()
            gradients.append(torch.cat([p.grad.flatten() for p in energy.parameters() if p.grad is not None]))
        weights = sum(p.numel() for p in energy.parameters()) - 1  # the last bias moves no score
        assert torch.allclose(gradients[0][:weights], gradients[1][:weights], atol=1e-5)


def test_score_matching_losses_of_a_gaussian_have_their_closed_forms() -> None:
    """E = ½ a x², x ~ N(0, 1), d = 1: sliced ½a² − a, denoising ½[(aσ)² + (aσ² − 1)²]."""
    x, a, blur = torch.randn(200_000, 1, generator=seeded(0)), 1.5, 0.5

    def energy(x: Tensor) -> Tensor:
        return a * x.square().sum(1) / 2

    sliced = SlicedScoreMatching().loss(energy, x, seeded(1))
    denoising = DenoisingScoreMatching(blur).loss(energy, x, seeded(1))
    assert sliced.item() == pytest.approx(a**2 / 2 - a, abs=0.02)
    assert denoising.item() == pytest.approx(((a * blur) ** 2 + (a * blur**2 - 1) ** 2) / 2, abs=0.01)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: DenoisingScoreMatching(0.0), "noise_scale"),
        (lambda: SlicedScoreMatching(0), "projections"),
        (lambda: EnergyDiscrepancy(()), "noise_scales"),
        (lambda: EnergyDiscrepancy((1.0, -1.0)), "noise_scales"),
        (lambda: ContrastiveDivergence(DataChains(1, 0.1), -1.0), "energy_penalty"),
        (lambda: JEM(JEM(SlicedScoreMatching())), "generative"),
    ],
)
def test_impossible_hyper_parameters_are_named(make: Callable[[], Objective], names: str) -> None:
    with pytest.raises(ValueError, match=f"^{names}:"):
        make()


def test_labels_beyond_the_logits_are_named() -> None:
    energy = ClassEnergy(nn.Linear(2, 3))
    batch = (torch.zeros(2, 2), torch.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"^label: 0 to 3; expected 0 to 2"):
        JEM(DenoisingScoreMatching(0.3)).loss(energy, batch, torch.Generator())
