"""Explicit gradients against autograd, and energies that give the wrong thing."""

import pytest
import torch
from torch import Tensor, nn

from ebm_core import (
    ClassEnergy,
    ConvEnergy,
    DenoisingEnergy,
    GaussianBernoulliRBM,
    MLPEnergy,
    ScaledEnergy,
    SumEnergy,
    TemperedEnergy,
    input_gradient,
    langevin,
)
from ebm_core.energies.gradients import explicit, frozen_gradient
from ebm_core.views.discrepancies import ksd


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bowl(x: Tensor) -> Tensor:
    return x.square().sum(1) / 2


def by_autograd(energy, x):
    at = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(at).sum(), at)
    return gradient


def rbm() -> GaussianBernoulliRBM:
    energy = GaussianBernoulliRBM(4, 6, generator=generator()).double()
    with torch.no_grad():
        for parameter in energy.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator(), dtype=torch.float64))
    return energy


ENERGIES = {
    "one layer": lambda: MLPEnergy(4, (16,), generator=generator()).double(),
    "four layers": lambda: MLPEnergy(4, (16, 8, 32, 8), generator=generator()).double(),
    "rbm": rbm,
    "sum": lambda: SumEnergy([MLPEnergy(4, generator=generator()).double(), bowl], [2.0, -0.5]),
    "scaled": lambda: ScaledEnergy(rbm(), 3.0),
    "tempered": lambda: TemperedEnergy(rbm(), 4.0),
}


@pytest.mark.parametrize("name", ENERGIES)
def test_explicit_gradients_are_those_of_autograd(name):
    energy = ENERGIES[name]()
    prepared = frozen_gradient(energy, torch.empty(33, 4, dtype=torch.float64))
    for seed in (1, 2):
        x = torch.randn(33, 4, generator=generator(seed), dtype=torch.float64)
        expected = by_autograd(energy, x)
        torch.testing.assert_close(input_gradient(energy, x), expected, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(prepared(x), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("make", [ENERGIES["four layers"], rbm], ids=["mlp", "rbm"])
def test_a_loss_on_the_explicit_gradient_differentiates_to_the_parameters(make):
    energy = make()
    x = torch.randn(7, 4, generator=generator(), dtype=torch.float64)

    def slopes(gradient):
        grads = torch.autograd.grad(gradient.square().sum(), list(energy.parameters()), allow_unused=True)
        return [torch.zeros(()) if g is None else g for g in grads]

    at = x.clone().requires_grad_()
    (twice,) = torch.autograd.grad(energy(at).sum(), at, create_graph=True)
    for ours, theirs in zip(slopes(energy.input_gradient(x)), slopes(twice), strict=True):
        torch.testing.assert_close(ours, theirs.to(ours), rtol=1e-8, atol=1e-10)


class Shifted(MLPEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.square().sum(1) / 2


class Halved(MLPEnergy):
    def _checked(self, x: Tensor) -> Tensor:
        return super()._checked(x) / 2


class ShiftedRBM(GaussianBernoulliRBM):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v) + v.square().sum(1)


class OtherLogits(GaussianBernoulliRBM):
    def hidden_logits(self, v: Tensor) -> Tensor:
        return 2 * super().hidden_logits(v)


class ShiftedSum(SumEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.square().sum(1)


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


def patched(energy: nn.Module) -> nn.Module:
    before = energy.forward
    energy.forward = lambda x: before(x) + x.square().sum(1)
    return energy


def hooked(energy: nn.Module, module: nn.Module) -> nn.Module:
    module.register_forward_hook(lambda module, given, found: 3 * found)
    return energy


def pre_hooked(energy: nn.Module) -> nn.Module:
    energy.register_forward_pre_hook(lambda module, given: (2 * given[0],))
    return energy


def doubled(energy: nn.Module, module: nn.Module) -> nn.Module:
    nn.utils.parametrize.register_parametrization(module, "weight", Doubled())
    return energy


def replaced(energy: MLPEnergy) -> MLPEnergy:
    energy.layers[0] = nn.Sequential(nn.Linear(4, 16), nn.Tanh()).double()
    return energy


class Forwarding:
    """A wrapper that hands attributes on, as DistributedDataParallel-like classes of users do."""

    def __init__(self, energy: nn.Module) -> None:
        self.energy = energy

    def __call__(self, x: Tensor) -> Tensor:
        return 2 * self.energy(x)

    def __getattr__(self, name: str):
        return getattr(self.energy, name)


def inner_assigned(energy: MLPEnergy) -> MLPEnergy:
    before = energy.layers[0].forward
    energy.layers[0].forward = lambda x: 2 * before(x)
    return energy


def mlp(kind: type[MLPEnergy] = MLPEnergy) -> MLPEnergy:
    return kind(4, (16, 8), generator=generator()).double()


ALTERED = {
    "subclass": lambda: mlp(Shifted),
    "subclass of a method that forward calls": lambda: mlp(Halved),
    "subclass of the RBM": lambda: ShiftedRBM(4, 6, generator=generator()).double(),
    "subclass of the logits": lambda: OtherLogits(4, 6, generator=generator()).double(),
    "subclass of the sum": lambda: ShiftedSum([mlp(), bowl]),
    "subclass in a sum": lambda: SumEnergy([mlp(Shifted), bowl]),
    "subclass, tempered": lambda: TemperedEnergy(mlp(Shifted), 4.0),
    "function assigned": lambda: patched(mlp()),
    "function assigned to the RBM": lambda: patched(rbm()),
    "hook": lambda: hooked(energy := mlp(), energy),
    "hook of a layer": lambda: hooked(energy := mlp(), energy.layers[0]),
    "hook before the sum": lambda: pre_hooked(SumEnergy([mlp(), bowl])),
    "hook in a sum": lambda: SumEnergy([pre_hooked(rbm()), bowl]),
    "parametrised layer": lambda: doubled(energy := mlp(), energy.layers[0]),
    "parametrised RBM": lambda: doubled(energy := rbm(), energy),
    "spectral norm": lambda: hooked(energy := mlp(), nn.utils.spectral_norm(energy.layers[0])),
    "layer replaced": lambda: replaced(mlp()),
    "function assigned to a layer": lambda: inner_assigned(mlp()),
    "wrapper": lambda: Forwarding(mlp()),
    "wrapper in a sum": lambda: SumEnergy([Forwarding(mlp()), mlp()]),
}


@pytest.mark.parametrize("name", ALTERED)
def test_the_gradient_is_that_of_what_a_call_computes(name):
    energy = ALTERED[name]()
    for module in energy.modules():
        module.eval()
    x = torch.randn(33, 4, generator=generator(1), dtype=torch.float64)
    expected = by_autograd(energy, x)
    torch.testing.assert_close(frozen_gradient(energy, x)(x), expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(input_gradient(energy, x), expected, rtol=1e-10, atol=1e-12)
    input_gradient(energy, x).square().mean().backward()
    assert any(parameter.grad is not None for parameter in energy.parameters())


@pytest.mark.parametrize("make", [mlp, rbm], ids=["mlp", "rbm"])
def test_a_forward_assigned_to_the_class_and_hooks_of_all_modules_count(make, monkeypatch):
    energy, x = make(), torch.randn(33, 4, generator=generator(1), dtype=torch.float64)
    handle = nn.modules.module.register_module_forward_hook(lambda module, given, found: 2 * found)
    try:
        torch.testing.assert_close(input_gradient(energy, x), by_autograd(energy, x))
    finally:
        handle.remove()
    before = type(energy).forward
    monkeypatch.setattr(type(energy), "forward", lambda self, x: 3 * before(self, x))
    torch.testing.assert_close(frozen_gradient(energy, x)(x), by_autograd(energy, x))


@pytest.mark.parametrize("name", ENERGIES)
def test_unaltered_energies_use_their_formulas(name):
    energy = ENERGIES[name]()
    assert explicit(energy, "input_gradient") and explicit(energy, "frozen_gradient")


def test_temperature_divides_and_scale_multiplies():
    x = torch.randn(5, 3, generator=generator())
    torch.testing.assert_close(TemperedEnergy(bowl, 4.0)(x), bowl(x) / 4)
    torch.testing.assert_close(ScaledEnergy(bowl, 4.0)(x), bowl(x) * 4)


def test_class_energy_is_minus_the_logsumexp_of_its_logits():
    energy = ClassEnergy(nn.Linear(3, 4))
    x, label = torch.randn(6, 3, generator=generator()), torch.tensor([0, 1, 2, 3, 0, 1])
    joint = torch.stack([energy(x, torch.full((6,), y)) for y in range(4)], 1)
    torch.testing.assert_close(energy(x), -(-joint).logsumexp(1))
    torch.testing.assert_close(energy(x) - energy(x, label), energy.logits(x).log_softmax(1)[range(6), label])


def test_images_have_one_energy_each_of_any_size_and_denoisers_vanish_at_fixed_points():
    energy = ConvEnergy(1, (4, 8), generator=generator())
    assert energy(torch.zeros(3, 1, 12, 9)).shape == (3,)
    x = torch.randn(3, 2, 4, 4, generator=generator())
    assert DenoisingEnergy(nn.Identity())(x).abs().max() == 0
    torch.testing.assert_close(DenoisingEnergy(nn.ReLU())(-x.abs()), x.square().flatten(1).sum(1) / 2)


def test_rbm_free_energy_sums_out_the_bits_and_its_normaliser_is_that_of_quadrature():
    energy = GaussianBernoulliRBM(1, 3, generator=generator()).double()
    with torch.no_grad():
        energy.weight.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
        energy.hidden_bias.copy_(torch.tensor([0.3, -0.2, 1.0]))
        energy.visible_bias.fill_(0.7)
        energy.log_scale.fill_(0.4)
        v = torch.linspace(-40, 40, 80001, dtype=torch.float64)
        by_quadrature = (-energy(v[:, None])).logsumexp(0) + torch.log(v[1] - v[0])
    assert float(energy.log_z()) == pytest.approx(float(by_quadrature), abs=1e-9)


def test_gibbs_and_langevin_agree_on_an_rbm():
    energy = rbm()
    v = torch.randn(4000, 4, generator=generator(), dtype=torch.float64)
    gibbs = energy.gibbs(v, 100, generator(1))
    chains = langevin(energy, gibbs, 100, 0.01, generator(2))
    torch.testing.assert_close(chains.mean(0), gibbs.mean(0), rtol=0, atol=0.12)
    torch.testing.assert_close(chains.std(0), gibbs.std(0), rtol=0.05, atol=0)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_samplers_and_tests_see_a_bias_that_no_gradient_needs(value):
    energy, x = MLPEnergy(2, (8,), generator=generator()), torch.randn(9, 2, generator=generator())
    energy.layers[-1].bias.data.fill_(value)
    for broken in (energy, SumEnergy([energy, bowl])):
        with pytest.raises(ValueError, match=r"^energy: not finite"):
            langevin(broken, x, 2, 0.1, generator())
        with pytest.raises(ValueError, match=r"^energy: not finite"):
            ksd(broken, x, generator())


def bad_shape(x):
    return x.sum(1, keepdim=True)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: langevin(bad_shape, torch.zeros(5, 2), 1, 0.1, generator()), r"energy: gave \(5, 1\)"),
        (lambda: langevin(bowl, torch.zeros(5, 2), 1, -0.1, generator()), "step_size: -0.1"),
        (lambda: langevin(bowl, torch.zeros(5), 1, 0.1, generator()), "x: "),
        (lambda: langevin(bowl, torch.full((5, 2), torch.nan), 1, 0.1, generator()), "x: non-finite"),
        (lambda: langevin(lambda x: x.log().sum(1), -torch.ones(5, 2), 1, 0.1, generator()), "energy: not f"),
        (lambda: langevin(bowl, torch.ones(5, 2), 300, 5.0, generator()), "step_size: with 5.0"),
        (lambda: MLPEnergy(3, generator=generator())(torch.zeros(5, 2)), r"x: shape \(5, 2\)"),
        (lambda: MLPEnergy(3, (8, 0), generator=generator()), "^hidden: 0; expected 1"),
        (lambda: ConvEnergy(0, generator=generator()), "^channels: 0; expected 1"),
        (
            lambda: ConvEnergy(1, generator=generator())(torch.zeros(5, 3, 8, 8)),
            r"^x: .*\(B, 1, height, width\)",
        ),
        (lambda: ConvEnergy(1, generator=generator())(torch.zeros(1, 8, 8)), r"^x: shape \(1, 8, 8\)"),
        (lambda: ConvEnergy(1, generator=generator())(torch.zeros(5, 1, 0, 8)), r"^x: shape \(5, 1, 0, 8\)"),
        (lambda: GaussianBernoulliRBM(3, -1, generator=generator()), "^hidden: -1; expected 1"),
        (lambda: rbm()(torch.zeros(5, 2)), r"^x: shape \(5, 2\); expected \(B, 4\)"),
        (lambda: rbm().gibbs(torch.zeros(4), 1, generator()), r"^x: shape \(4,\); expected \(B, 4\)"),
        (lambda: DenoisingEnergy(nn.Linear(2, 3))(torch.zeros(5, 2)), "network: "),
        (lambda: SumEnergy([bowl], [1.0, 2.0]), "weights: 2"),
        (lambda: TemperedEnergy(bowl, 0), "temperature: 0"),
    ],
)
def test_what_is_wrong_is_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()
