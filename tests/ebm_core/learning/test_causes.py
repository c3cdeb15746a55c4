"""What goes wrong in training or sampling is named by its cause."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebm_core import (
    AmortisedSampler,
    ContrastiveDivergence,
    DataChains,
    DenoisingScoreMatching,
    MLPEnergy,
    Objective,
    PersistentChains,
    ReplayBuffer,
    fit,
    hmc,
    input_gradient,
    langevin,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


X = torch.randn(64, 2, generator=seeded())


def run(objective: Objective, energy: nn.Module, **options: Any) -> Any:
    numbers: Any = {"steps": 20, "batch": 32, "learning_rate": 0.01, "generator": seeded(2)} | options
    return fit(energy, X, objective, **numbers)


class OwnCheck(Objective):
    """An objective whose own check fails at its third step."""

    calls = 0

    def loss(self, energy: Any, batch: Any, generator: torch.Generator) -> Tensor:
        self.calls += 1
        if self.calls == 3:
            raise ValueError("my column is wrong")
        return energy(batch).square().mean()


def test_an_error_of_an_objective_of_ones_own_is_passed_on() -> None:
    with pytest.raises(ValueError, match=r"^my column is wrong$"):
        run(OwnCheck(), MLPEnergy(2, (8,), generator=seeded(1)))


def test_energies_that_run_away_are_divergence_though_they_are_finite() -> None:
    objective = ContrastiveDivergence(DataChains(5, 0.01))
    with pytest.raises(FloatingPointError, match=r"energies of data and negatives differ by .* nats; try a "):
        run(objective, MLPEnergy(2, (64, 64), generator=seeded(1)), steps=300, learning_rate=10.0)


CONSTANT = [
    lambda x: torch.zeros(len(x)),
    lambda x: x.detach().square().sum(1),
    lambda x: torch.tensor(x.square().sum(1).tolist()),
    torch.no_grad()(lambda x: x.square().sum(1)),
]


@pytest.mark.parametrize("energy", CONSTANT)
def test_an_energy_without_a_gradient_is_named(energy: Any) -> None:
    for call in (
        lambda: langevin(energy, X, 3, 0.01, seeded()),
        lambda: hmc(energy, X, 3, 0.01, seeded()),
        lambda: input_gradient(energy, X),
        lambda: DenoisingScoreMatching(0.1).loss(energy, X, seeded()),
    ):
        with pytest.raises(ValueError, match=r"^energy: autograd finds no dependence on x"):
            call()


def test_no_chains_are_named() -> None:
    for sampler in (langevin, hmc):
        with pytest.raises(ValueError, match=r"^x: shape \(0, 2\) has no chains"):
            sampler(lambda x: x.square().sum(1), X[:0], 3, 0.01, seeded())


def normalised() -> nn.Module:
    return nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 1), nn.Flatten(0))


def negatives(kind: str) -> Any:
    if kind == "data":
        return DataChains(5, 0.01)
    if kind == "persistent":
        far = ReplayBuffer(lambda count, g: 50 + torch.randn(count, 2, generator=g), 64, 0.0, seeded())
        return PersistentChains(far, 5, 0.01)
    network = nn.Linear(1, 2)
    nn.init.constant_(network.bias, 50.0)
    return AmortisedSampler(network, 1, 0.3, proposals=4)


@pytest.mark.parametrize("kind", ["data", "persistent", "amortised"])
def test_statistics_of_batch_normalisation_are_those_of_the_data(kind: str) -> None:
    energy = normalised().train()
    objective = ContrastiveDivergence(negatives(kind))
    for step in range(40):
        objective.loss(energy, X, seeded(step)).backward()
    assert all(module.training for module in energy.modules())
    norm = energy[0]
    torch.testing.assert_close(norm.running_mean, X.mean(0), rtol=0, atol=0.05)
    torch.testing.assert_close(norm.running_var, X.var(0), rtol=0.05, atol=0)
