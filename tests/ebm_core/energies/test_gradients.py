"""Explicit gradients against autograd, and energies that give the wrong thing."""

import copy
import dataclasses
import functools
import gc
import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from ebm_core import (
    ClassEnergy,
    ConvEnergy,
    DenoisingEnergy,
    DenoisingScoreMatching,
    DoubleWellEnergy,
    EnergyDiscrepancy,
    FunnelEnergy,
    GaussianBernoulliRBM,
    GaussianEnergy,
    GaussianMixtureEnergy,
    ManifoldParzen,
    MLPEnergy,
    RastriginEnergy,
    ScaledEnergy,
    SlicedScoreMatching,
    SumEnergy,
    TemperedEnergy,
    input_gradient,
    langevin,
)
from ebm_core.base.formulas import explicit
from ebm_core.energies.gradients import frozen_gradient
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


def changed(energy: nn.Module, layer: nn.Module) -> nn.Module:
    """The energy after a step of training, which attributes that a call computes do not know of."""
    with torch.no_grad():
        for parameter in energy.parameters():
            parameter.mul_(1.5)
    return energy


def expert_replaced(energy: SumEnergy) -> SumEnergy:
    energy.experts[0] = rbm()
    return energy


def appended(energy: SumEnergy) -> SumEnergy:
    energy.experts.append(rbm())
    return energy


class Shape(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones((), dtype=torch.float64))

    def shape(self, x: Tensor) -> Tensor:
        return x.square().sum(1)


class Formula(Shape):
    """An energy of a user's with a formula of its gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * self.shape(x)

    def input_gradient(self, x: Tensor) -> Tensor:
        return 2 * self.weight * x


class OtherShape(Formula):
    def shape(self, x: Tensor) -> Tensor:
        return x.pow(4).sum(1)


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
    "parametrised RBM": lambda: doubled(energy := rbm(), energy),
    "layer replaced": lambda: replaced(mlp()),
    "function assigned to a layer": lambda: inner_assigned(mlp()),
    "wrapper": lambda: Forwarding(mlp()),
    "wrapper in a sum": lambda: SumEnergy([Forwarding(mlp()), mlp()]),
    "expert replaced": lambda: expert_replaced(SumEnergy([mlp(), bowl])),
    "helper of a base class": lambda: OtherShape(),
}
ALTERATIONS = {
    "parametrised": lambda energy, layer: doubled(energy, layer),
    "weight norm": lambda energy, layer: changed(energy, nn.utils.parametrizations.weight_norm(layer)),
    "spectral norm": lambda energy, layer: changed(energy, nn.utils.parametrizations.spectral_norm(layer)),
    "older weight norm": lambda energy, layer: changed(energy, nn.utils.weight_norm(layer)),
    "older spectral norm": lambda energy, layer: changed(energy, nn.utils.spectral_norm(layer)),
    "pruned": lambda energy, layer: changed(energy, prune.l1_unstructured(layer, "weight", 0.5)),
    "hook": hooked,
}
ALTERED |= {
    f"{name}, layer {at}": lambda make=make, at=at: make(energy := mlp(), energy.layers[at])
    for name, make in ALTERATIONS.items()
    for at in range(3)
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


def wrapped(before):
    @functools.wraps(before)
    def doubled(self, x):
        return 2 * before(self, x)

    return doubled


@pytest.mark.parametrize("wrap", [wrapped, lambda before: lambda self, x: 2 * before(self, x)])
@pytest.mark.parametrize(
    ("make", "kind", "name"),
    [
        (rbm, GaussianBernoulliRBM, "hidden_logits"),
        (mlp, nn.Linear, "forward"),
        (mlp, MLPEnergy, "_checked"),
        (lambda: SumEnergy([mlp(), bowl]), SumEnergy, "forward"),
        (lambda: SumEnergy([mlp(), bowl]), nn.Linear, "forward"),
        (Formula, Formula, "forward"),
        (Formula, Shape, "shape"),
    ],
)
def test_functions_assigned_to_classes_count(make, kind, name, wrap, monkeypatch):
    energy, x = make(), torch.randn(33, 4, generator=generator(1), dtype=torch.float64)
    assert explicit(energy, "input_gradient")
    monkeypatch.setattr(kind, name, wrap(getattr(kind, name)))
    torch.testing.assert_close(input_gradient(energy, x), by_autograd(energy, x))
    torch.testing.assert_close(frozen_gradient(energy, x)(x), by_autograd(energy, x))


class Decorated(Shape):
    """Formulas of the gradient with decorators."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * self.shape(x)

    def shape(self, x: Tensor) -> Tensor:
        return super().shape(x)

    @torch.no_grad()
    def input_gradient(self, x: Tensor) -> Tensor:
        return 2 * self.weight * x

    @torch.no_grad()
    def frozen_gradient(self, x: Tensor):
        self.calls += 1
        return lambda at: 2 * self.weight.detach() * at


def test_a_formula_without_gradients_is_used_where_no_graph_is_needed():
    energy, x = Decorated(), torch.randn(33, 4, generator=generator(1), dtype=torch.float64)
    torch.testing.assert_close(frozen_gradient(energy, x)(x), 2 * x)
    assert energy.calls == 1
    # With the graph cut by the decorator, the loss would have no gradient in the weight.
    input_gradient(energy, x).square().sum().backward()
    assert energy.weight.grad is not None


def test_a_formula_with_an_unknown_decorator_is_not_used():
    class Own(Formula):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)

        input_gradient = wrapped(Formula.input_gradient)

    x = torch.randn(33, 4, generator=generator(1), dtype=torch.float64)
    torch.testing.assert_close(input_gradient(Own(), x), 2 * x)


def test_a_class_defined_in_a_loop_is_freed():
    def alive() -> "weakref.ref[type]":
        class Own(Decorated):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x) * Own.factor.fget(self)

            @property
            def factor(self) -> float:
                return float(isinstance(self, Own))

            def input_gradient(self, x: Tensor) -> Tensor:
                return 2 * self.weight * x

            def frozen_gradient(self, x: Tensor):
                return super().frozen_gradient(x)

        energy, x = Own(), torch.ones(2, 2, dtype=torch.float64)
        assert explicit(energy, "input_gradient") and explicit(energy, "frozen_gradient")
        input_gradient(energy, x)
        return weakref.ref(Own)

    classes = [alive() for _ in range(3)]
    gc.collect()
    assert [of() for of in classes] == [None] * 3


@dataclasses.dataclass(slots=True)
class Slotted:
    factor: float

    def __call__(self, x: Tensor) -> Tensor:
        return self.factor * x.square().sum(1)


def traced() -> nn.Module:
    return torch.jit.trace(mlp(), torch.zeros(2, 4, dtype=torch.float64))


@pytest.mark.parametrize("make", [lambda: Slotted(2.0), traced])
def test_callables_of_all_kinds_have_gradients(make):
    energy, x = make(), torch.randn(33, 4, generator=generator(1), dtype=torch.float64)
    torch.testing.assert_close(input_gradient(energy, x), by_autograd(energy, x))
    torch.testing.assert_close(frozen_gradient(energy, x)(x), by_autograd(energy, x))


@pytest.mark.parametrize("of", [lambda energy, x: energy(x), input_gradient])
def test_energies_of_functional_weights_and_of_ensembles_are_those_of_their_members(of):
    members = [MLPEnergy(4, (8,), generator=generator(seed)) for seed in range(3)]
    x = torch.randn(5, 4, generator=generator(5))
    ensemble, _ = torch.func.stack_module_state(members)

    class Call(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.energy = members[0]

        def forward(self, x: Tensor) -> Tensor:
            return of(self.energy, x)

    def call(weights):
        named = {f"energy.{name}": weight for name, weight in weights.items()}
        return torch.func.functional_call(Call(), named, (x,))

    expected = torch.stack([of(member, x) for member in members])
    torch.testing.assert_close(torch.func.vmap(call)(ensemble), expected)
    for member, found in zip(members, expected, strict=True):
        torch.testing.assert_close(call({n: w.detach() for n, w in member.named_parameters()}), found)


@pytest.mark.parametrize("wrap", [*ALTERATIONS])
def test_the_last_layer_of_a_convolutional_energy_can_be_altered(wrap):
    energy = ConvEnergy(1, (4,), generator=generator())
    ALTERATIONS[wrap](energy, energy.last)
    assert energy(torch.zeros(2, 1, 8, 8)).shape == (2,)


HALF = {
    "rbm": rbm,
    "gaussian": lambda: GaussianEnergy(torch.ones(4), torch.eye(4)),
    "mixture": lambda: GaussianMixtureEnergy(torch.eye(4)[:2], torch.ones(2), torch.full((2,), 0.5)),
    "double well": lambda: DoubleWellEnergy(4, 3.0),
    "Rastrigin": lambda: RastriginEnergy(4, 2.0),
    "funnel": lambda: FunnelEnergy(4),
    "Parzen": lambda: ManifoldParzen(
        torch.randn(20, 4, generator=generator()),
        torch.zeros(20, dtype=torch.int64),
        neighbours=4,
        rank=2,
        noise=0.5,
        spread=1.0,
    ),
}


@pytest.mark.parametrize("name", HALF)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_energies_with_weights_in_half_precision_compute_in_single(name, dtype):
    energy, x = HALF[name]().to(dtype), torch.randn(33, 4, generator=generator(1)).to(dtype)
    expected, at = copy.deepcopy(energy).float(), x.float()
    assert energy(x).dtype == torch.float32
    torch.testing.assert_close(energy(x), expected(at), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(input_gradient(energy, x), by_autograd(expected, at), rtol=2e-2, atol=2e-2)
    for objective in (DenoisingScoreMatching(0.3), SlicedScoreMatching(), EnergyDiscrepancy([0.3], 4)):
        assert torch.isfinite(objective.loss(energy, x, generator()))


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
        (lambda: appended(SumEnergy([mlp(), bowl]))(torch.zeros(5, 4)), "^experts: 2 modules; expected 1"),
        (lambda: TemperedEnergy(bowl, 0), "temperature: 0"),
    ],
)
def test_what_is_wrong_is_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()
