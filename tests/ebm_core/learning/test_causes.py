"""What goes wrong in training or sampling is named by its cause."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebm_core import (
    JEM,
    AmortisedSampler,
    ClassEnergy,
    ContrastiveDivergence,
    DataChains,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    MLPEnergy,
    Objective,
    PersistentChains,
    ReplayBuffer,
    fit,
    hmc,
    input_gradient,
    langevin,
    mala,
    parallel_tempering,
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
    with pytest.raises(FloatingPointError, match=r"the loss is .*, beyond .*; try a smaller learning_rate"):
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


class Exact(nn.Module):
    """An energy of data that differ by a hundredth of their distance to the first chains."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean).square().sum(1) / (2 * 0.01**2)


def test_large_energies_from_the_first_step_on_are_no_divergence() -> None:
    far = ReplayBuffer(lambda count, g: 100 * torch.randn(count, 2, generator=g), 64, 0.1, seeded())
    fitted = fit(
        Exact(),
        0.01 * X,
        ContrastiveDivergence(PersistentChains(far, 3, 1e-5)),
        steps=20,
        batch=32,
        learning_rate=1e-3,
        generator=seeded(2),
    )
    assert fitted.loss.abs().max() > 1e7


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


class Centred(nn.Module):
    """An energy with a running mean of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(2, 2)
        self.register_buffer("centre", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return -self.logits(x).logsumexp(1)

    def logits(self, x: Tensor) -> Tensor:
        if self.training:
            self.centre.mul_(0.9).add_(0.1 * x.detach().mean(0))
        return self.network(x - self.centre)


def normalised_classes() -> nn.Module:
    return ClassEnergy(nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2)))


def with_labels(objective: Objective) -> tuple[Objective, Any]:
    return JEM(objective), (X, (X[:, 0] > 0).long())


OBJECTIVES: dict[str, Any] = {
    "CD": lambda: (ContrastiveDivergence(negatives("persistent")), X),
    "discrepancy": lambda: (EnergyDiscrepancy([10.0], 8), X),
    "JEM": lambda: with_labels(EnergyDiscrepancy([10.0], 8)),
    "JEM and CD": lambda: with_labels(ContrastiveDivergence(negatives("persistent"))),
}


@pytest.mark.parametrize("make", [normalised_classes, Centred])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_negatives_and_neighbours_do_not_change_statistics(name: str, make: Any) -> None:
    energy, (objective, batch) = make(), OBJECTIVES[name]()
    for step in range(60):
        objective.loss(energy, batch, seeded(step)).backward()
    for buffer in (of for of in energy.buffers() if of.shape == (2,)):
        near = X.mean(0) if (buffer - X.mean(0)).abs().max() < 0.05 else X.var(0)
        torch.testing.assert_close(buffer, near, rtol=0, atol=0.05)


@pytest.mark.parametrize("make", [lambda scale: EnergyDiscrepancy([scale], 8), None])
def test_energies_of_data_do_not_depend_on_negatives(make: Any) -> None:
    seen = []
    norm = nn.BatchNorm1d(2, track_running_stats=False)
    energy = nn.Sequential(norm, nn.Linear(2, 1), nn.Flatten(0))
    norm.register_forward_hook(lambda module, given, found: seen.append(found) if len(found) == 64 else None)
    for scale in (0.1, 50.0):
        objective = make(scale) if make else ContrastiveDivergence(DataChains(2, scale))
        objective.loss(energy, X, seeded())
    of_data = norm(X)
    assert sum(torch.equal(found, of_data) for found in seen) >= 3


def test_dropout_stays_where_only_other_modules_keep_statistics() -> None:
    energy = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 1), nn.Flatten(0))
    modes = []
    energy[1].register_forward_hook(lambda module, given, found: modes.append(module.training))
    EnergyDiscrepancy([0.1], 4).loss(energy, X, seeded())
    assert modes == [True, True]


class Failing(nn.Module):
    """An energy that raises an error of its user."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.weight, self.error = nn.Parameter(torch.zeros(2)), error

    def forward(self, x: Tensor) -> Tensor:
        raise self.error


@pytest.mark.parametrize(
    "error", [RuntimeError("my database is down"), NotImplementedError(), OSError("no file")]
)
def test_errors_of_users_are_passed_on(error: Exception) -> None:
    for call in (
        lambda: langevin(Failing(error), X, 3, 0.01, seeded()),
        lambda: run(EnergyDiscrepancy([0.1], 4), Failing(error)),
    ):
        with pytest.raises(type(error)) as raised:
            call()
        assert str(raised.value) == str(error)
    if not isinstance(error, OSError):
        assert "failed on x, torch.float32 of shape" in raised.value.__notes__[0]


def test_a_module_without_forward_and_weights_of_inference_mode_are_named() -> None:
    with pytest.raises(ValueError, match=r'^energy: failed on x, .* missing the required "forward"'):
        langevin(nn.Module(), X, 3, 0.01, seeded())
    with torch.inference_mode():
        energy = MLPEnergy(2, (8,), generator=seeded())
    with pytest.raises(
        ValueError, match=r"^energy: .* made in torch.inference_mode\(\); make the energy out"
    ):
        hmc(energy, X, 3, 0.01, seeded())


def test_lazy_layers_are_named_and_layers_with_computed_weights_are_trained() -> None:
    objective = EnergyDiscrepancy([0.1], 4)
    with pytest.raises(ValueError, match=r"^energy: a lazy layer has no weights yet; call the energy once"):
        run(objective, nn.Sequential(nn.LazyLinear(1), nn.Flatten(0)))
    for wrap in (nn.utils.weight_norm, nn.utils.spectral_norm):
        energy = MLPEnergy(2, (8,), generator=seeded(1))
        wrap(energy.layers[0])
        energy(X)
        assert len(run(objective, energy, steps=2).loss) == 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_chains_in_half_precision_are_refused(dtype: torch.dtype) -> None:
    energy, x = MLPEnergy(2, (8,), generator=seeded()).to(dtype), X.to(dtype)
    for call in (
        lambda e, x: langevin(e, x, 3, 0.01, seeded()),
        lambda e, x: mala(e, x, 3, 0.01, seeded()),
        lambda e, x: hmc(e, x, 3, 0.01, seeded()),
        lambda e, x: parallel_tempering(e, torch.stack([x, x]), 3, 0.01, [1, 2], seeded()),
        lambda e, x: ContrastiveDivergence(DataChains(3, 0.01)).loss(e, x, seeded()),
    ):
        with pytest.raises(
            ValueError, match=r"^x: torch.b?float16, in which small steps are lost; .* x.float"
        ):
            call(energy, x)
        call(energy.float(), x.float())
        energy.to(dtype)
