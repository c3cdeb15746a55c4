"""Every objective of every energy in mixed precision: losses and gradients are those of full precision."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ebm_core import (
    JEM,
    AmortisedSampler,
    ClassEnergy,
    ContrastiveDivergence,
    ConvEnergy,
    DataChains,
    DenoisingEnergy,
    DenoisingScoreMatching,
    DoubleWellEnergy,
    EnergyDiscrepancy,
    FullPrecision,
    FunnelEnergy,
    GaussianBernoulliRBM,
    GaussianEnergy,
    GaussianMixtureEnergy,
    ManifoldParzen,
    MLPEnergy,
    Objective,
    PersistentChains,
    RastriginEnergy,
    ReplayBuffer,
    RosenbrockEnergy,
    SlicedScoreMatching,
    SumEnergy,
    input_gradient,
)
from ebm_core.energies.grid import FieldEnergy
from ebm_core.energies.networks import initialise

ROWS = 64


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int, generator: torch.Generator) -> Tensor:
    return torch.rand((count, 1, 12, 12), generator=generator)


def vectors(count: int, generator: torch.Generator) -> Tensor:
    return torch.randn((count, 8), generator=generator)


def drawn(network: nn.Module) -> nn.Module:
    initialise(network, seeded(1))
    return network


def far_from_zero(energy: nn.Module) -> nn.Module:
    """The same energy plus a constant, which no law depends on."""
    last = [module for module in energy.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.bias.fill_(300.0)
    return energy


class Own(nn.Module):
    """An energy of a user's."""

    def __init__(self, last: Callable[[nn.Module], nn.Module] = FullPrecision) -> None:
        super().__init__()
        self.network = drawn(nn.Sequential(nn.Linear(8, 32), nn.Tanh(), last(nn.Linear(32, 1))))

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x).squeeze(1)


def classes(last: Callable[[nn.Module], nn.Module] = FullPrecision) -> nn.Module:
    return ClassEnergy(drawn(nn.Sequential(nn.Linear(8, 32), nn.SiLU(), last(nn.Linear(32, 3)))))


def denoising(last: Callable[[nn.Module], nn.Module] = FullPrecision) -> nn.Module:
    first = nn.Conv2d(1, 4, 3, padding=1)
    return DenoisingEnergy(drawn(nn.Sequential(first, nn.SiLU(), last(nn.Conv2d(4, 1, 3, padding=1)))))


class Field(nn.Module):
    """An energy of fields in a context that stays the same."""

    def __init__(self) -> None:
        super().__init__()
        mask = torch.ones(3, 4, dtype=torch.bool)
        mask[0] = False
        self.energy = FieldEnergy(mask, 1, 1, 8, seeded(1))
        initialise(self.energy.last, seeded(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.energy(x, torch.ones(len(x), 1, 8), torch.ones(len(x), 1))


def with_network(energy: nn.Module) -> nn.Module:
    """An energy without weights beside one that can be trained."""
    return SumEnergy([MLPEnergy(8, (32,), generator=seeded(1)), energy])


def windows() -> nn.Module:
    x = vectors(64, seeded(0)) + 5
    return ManifoldParzen(x, torch.arange(64) % 2, neighbours=5, rank=2, noise=0.1, spread=1.0)


def beside_windows(count: int, generator: torch.Generator) -> Tensor:
    return vectors(count, generator) + 5


def pairs(count: int, generator: torch.Generator) -> Tensor:
    return vectors(count, generator)[:, :2]


def mixture() -> nn.Module:
    return GaussianMixtureEnergy(vectors(3, seeded(0)), torch.ones(3), torch.ones(3) / 3)


ENERGIES: dict[str, tuple[Callable[[], nn.Module], Callable[[int, torch.Generator], Tensor]]] = {
    "mlp": (lambda: far_from_zero(MLPEnergy(8, (32, 32), generator=seeded(1))), vectors),
    "conv": (lambda: far_from_zero(ConvEnergy(1, (8, 16), generator=seeded(1))), images),
    "denoising": (denoising, images),
    "rbm": (lambda: GaussianBernoulliRBM(8, 16, generator=seeded(1)), vectors),
    "sum": (lambda: SumEnergy([MLPEnergy(8, (32,), generator=seeded(1)), far_from_zero(Own())]), vectors),
    "class": (lambda: far_from_zero(classes()), vectors),
    "own": (lambda: far_from_zero(Own()), vectors),
    "field": (Field, vectors),
    "windows": (lambda: with_network(windows()), beside_windows),
    "gaussian": (lambda: with_network(GaussianEnergy(torch.full((8,), 30.0), torch.eye(8))), vectors),
    "mixture": (lambda: with_network(mixture()), vectors),
    "double well": (lambda: with_network(DoubleWellEnergy(8, 3.0)), vectors),
    "Rastrigin": (lambda: with_network(RastriginEnergy(8, 2.0)), vectors),
    "funnel": (lambda: with_network(FunnelEnergy(8)), vectors),
    "Rosenbrock": (
        lambda: SumEnergy([MLPEnergy(2, (32,), generator=seeded(1)), RosenbrockEnergy()]),
        pairs,
    ),
}


def persistent(start: Callable[[int, torch.Generator], Tensor]) -> Objective:
    return ContrastiveDivergence(PersistentChains(ReplayBuffer(start, 128, 0.1, seeded(3)), 3, 0.01))


def hybrid(start: Callable[[int, torch.Generator], Tensor]) -> Objective:
    shape = start(1, seeded(0)).shape[1:]
    generate = nn.Sequential(nn.Linear(2, shape.numel()), nn.Unflatten(1, shape))
    return ContrastiveDivergence(AmortisedSampler(drawn(generate), 2, 0.3, proposals=4))


OBJECTIVES: dict[str, Callable[[Callable[[int, torch.Generator], Tensor]], Objective]] = {
    "CD": lambda start: ContrastiveDivergence(DataChains(3, 0.01), 0.001),
    "persistent CD": persistent,
    "hybrid": hybrid,
    "denoising": lambda start: DenoisingScoreMatching(0.3),
    "sliced": lambda start: SlicedScoreMatching(),
    "discrepancy": lambda start: EnergyDiscrepancy((0.3, 1.0), 8),
    "JEM": lambda start: JEM(EnergyDiscrepancy((0.3, 1.0), 8)),
}

PAIRS = [(e, o) for e in ENERGIES for o in OBJECTIVES if o != "JEM" or e == "class"]


@pytest.mark.parametrize(("energy", "objective"), PAIRS)
def test_losses_and_gradients_are_those_of_full_precision(energy: str, objective: str) -> None:
    make, start = ENERGIES[energy]
    x, found = start(ROWS, seeded(2)), []
    batch = (x, torch.arange(ROWS) % 3) if objective == "JEM" else x
    for mixed in (False, True):
        network = make()
        with torch.autocast("cpu", torch.bfloat16, mixed, cache_enabled=False):
            loss = OBJECTIVES[objective](start).loss(network, batch, seeded(4))
        assert loss.dtype == torch.float32
        loss.backward()
        slopes = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        found.append((loss.detach(), torch.cat(slopes)))
    (full, gradient), (mixed_loss, mixed_gradient) = found
    with torch.no_grad():
        spread = make()(x).std()
    assert abs(mixed_loss - full) <= 0.03 * spread
    assert torch.cosine_similarity(gradient, mixed_gradient, dim=0) > 0.97
    assert float(mixed_gradient.norm()) == pytest.approx(float(gradient.norm()), rel=0.1)


@pytest.mark.parametrize("energy", ENERGIES)
def test_gradients_for_losses_have_full_precision(energy: str) -> None:
    make, start = ENERGIES[energy]
    with torch.autocast("cpu", torch.bfloat16):
        assert input_gradient(make(), start(4, seeded(2))).dtype == torch.float32


@pytest.mark.parametrize("make", [Own, classes, denoising])
def test_a_network_whose_last_layer_is_rounded_is_refused(make: Callable[..., nn.Module]) -> None:
    x = images(4, seeded(2)) if make is denoising else vectors(4, seeded(2))
    objective = EnergyDiscrepancy((0.3,), 4)
    with (
        torch.autocast("cpu", torch.bfloat16),
        pytest.raises(ValueError, match=r"wrap .* in ebm_core.FullPrec"),
    ):
        objective.loss(make(nn.Sequential), x, seeded(4))
