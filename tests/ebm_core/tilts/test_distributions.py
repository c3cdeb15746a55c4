"""What every distribution of `ebm_core` must do: edges, round trips, gradients, shapes."""

import math
from collections.abc import Callable

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import (
    Cauchy,
    Distribution,
    Exponential,
    Gumbel,
    HalfNormal,
    Independent,
    Laplace,
    LogNormal,
    Normal,
    Pareto,
    StudentT,
    Uniform,
    Weibull,
)

from ebm_core import LinearPool, SkewT, TiltedDistribution, untilted

SHAPES = [(), (1,), (3,), (2, 3)]
U = torch.tensor([1e-9, 1e-4, 0.05, 0.3, 0.5, 0.77, 0.99, 1 - 1e-6], dtype=torch.float64)


def numbers(shape: tuple[int, ...], low: float, high: float, seed: int) -> Tensor:
    uniform = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return low + (high - low) * uniform


def skewt(shape: tuple[int, ...], seed: int = 0) -> SkewT:
    loc, scale = numbers(shape, -1, 1, seed), numbers(shape, 0.5, 2, seed + 1)
    return SkewT(loc, scale, numbers(shape, 3, 9, seed + 2), numbers(shape, -0.6, 0.6, seed + 3))


def pool(shape: tuple[int, ...]) -> LinearPool:
    weight = numbers(shape, 0.1, 0.9, 9)
    return LinearPool([skewt(shape), skewt(shape, 20)], torch.stack([weight, 1 - weight]))


def energy(score: Tensor) -> Tensor:
    return 0.4 * torch.sin(2 * score) - 0.3 * score


DISTRIBUTIONS: dict[str, Callable[[tuple[int, ...]], Distribution]] = {
    "skewed t": skewt,
    "symmetric t": lambda shape: SkewT(numbers(shape, -1, 1, 0), 1.5, 5.0),
    "almost normal": lambda shape: SkewT(numbers(shape, -1, 1, 0), 1.5),
    "pool": pool,
    "tilted skewed t": lambda shape: TiltedDistribution(skewt(shape), energy),
    "tilted pool": lambda shape: TiltedDistribution(pool(shape), energy),
    "untilted": lambda shape: TiltedDistribution(skewt(shape), untilted),
    "tilted normal": lambda shape: TiltedDistribution(Normal(numbers(shape, -1, 1, 0), 2.0), energy),
    "tilted Laplace": lambda shape: TiltedDistribution(Laplace(numbers(shape, -1, 1, 0), 2.0), energy),
    "tilted Gumbel": lambda shape: TiltedDistribution(Gumbel(numbers(shape, -1, 1, 0), 2.0), energy),
}


@pytest.fixture(params=SHAPES, ids=str)
def shape(request: pytest.FixtureRequest) -> tuple[int, ...]:
    found: tuple[int, ...] = request.param
    return found


def along(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """``(n,)`` as ``(n, *shape)``."""
    return values.reshape(-1, *(1,) * len(shape)).expand(-1, *shape)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_quantiles_and_probabilities_are_inverse_to_1e_12(name: str, shape: tuple[int, ...]) -> None:
    law = DISTRIBUTIONS[name](shape)
    assert law.batch_shape == shape
    u = along(U, shape)
    y = law.icdf(u)
    assert y.shape == u.shape and bool((y[1:] > y[:-1]).all())
    torch.testing.assert_close(law.cdf(y), u, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_ends_are_the_ends(name: str, shape: tuple[int, ...]) -> None:
    law = DISTRIBUTIONS[name](shape)
    ends = along(torch.tensor([-torch.inf, torch.inf], dtype=torch.float64), shape)
    u = along(torch.tensor([0.0, 1.0], dtype=torch.float64), shape)
    assert torch.equal(law.icdf(u), ends) and torch.equal(law.cdf(ends), u)
    assert torch.equal(law.log_prob(ends), torch.full_like(u, -torch.inf))
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"^value: .*; expected probabilities in \[0, 1\]"):
            law.icdf(torch.full(shape, wrong, dtype=torch.float64))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_density_is_the_derivative_of_the_distribution_function(
    name: str, shape: tuple[int, ...]
) -> None:
    law = DISTRIBUTIONS[name](shape)
    y = law.icdf(along(U[1:-1], shape)).detach().requires_grad_()
    (slope,) = torch.autograd.grad(law.cdf(y).sum(), y)
    torch.testing.assert_close(slope, law.log_prob(y).exp().detach(), rtol=1e-8, atol=1e-12)
    u = along(U[1:-1], shape).clone().requires_grad_()
    (slope,) = torch.autograd.grad(law.icdf(u).sum(), u)
    torch.testing.assert_close(slope, torch.exp(-law.log_prob(y)).detach(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_draws_follow_the_distribution(name: str, shape: tuple[int, ...]) -> None:
    law = DISTRIBUTIONS[name](shape)
    y = law.sample((2000,), generator=torch.Generator().manual_seed(1))
    assert y.shape == (2000, *shape) and not y.requires_grad
    u = law.cdf(y)
    torch.testing.assert_close(u.mean(0), torch.full(shape, 0.5).double(), rtol=0, atol=0.03)
    torch.testing.assert_close(u.var(0), torch.full(shape, 1 / 12).double(), rtol=0, atol=0.01)


Parts = tuple[Tensor, Tensor, Tensor, Tensor]
PARTS: Parts = tuple(
    torch.tensor(values, dtype=torch.float64)
    for values in ([0.2, -0.5], [1.4, 0.7], [6.0, 3.2], [-0.25, 0.5])
)


def of_parameters(kind: str) -> Callable[..., Distribution]:
    def made(loc: Tensor, scale: Tensor, eta: Tensor, lam: Tensor) -> Distribution:
        base = SkewT(loc, scale, eta, lam)
        if kind == "skewed t":
            return base
        if kind == "pool":
            return LinearPool([base, SkewT(0.0 * loc, 1.0)], torch.full((2, 2), 0.5, dtype=torch.float64))
        return TiltedDistribution(base, energy)

    return made


@pytest.mark.parametrize("kind", ["skewed t", "pool", "tilted"])
@pytest.mark.parametrize("method", ["log_prob", "cdf", "icdf"])
def test_gradients_in_values_and_parameters_are_those_of_finite_differences(kind: str, method: str) -> None:
    make = of_parameters(kind)
    at = torch.tensor([[0.1, 0.4], [0.7, 0.95]], dtype=torch.float64)
    value = at if method == "icdf" else make(*PARTS).icdf(at).detach()
    inputs = [part.clone().requires_grad_() for part in (*PARTS, value)]

    def computed(loc: Tensor, scale: Tensor, eta: Tensor, lam: Tensor, value: Tensor) -> Tensor:
        found: Tensor = getattr(make(loc, scale, eta, lam), method)(value)
        return found

    assert torch.autograd.gradcheck(computed, inputs, eps=1e-5, atol=1e-5, rtol=1e-4)


def test_an_energy_is_trained_through_every_method() -> None:
    weight = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def computed(weight: Tensor) -> Tensor:
        law = TiltedDistribution(SkewT(torch.zeros(2), 1.0, 5.0), lambda s: weight * torch.sin(2 * s))
        y = torch.tensor([-0.5, 1.2], dtype=torch.float64)
        u = torch.tensor([0.2, 0.9], dtype=torch.float64)
        return torch.stack([law.log_prob(y), law.cdf(y), law.icdf(u), law.mean, law.variance])

    assert torch.autograd.gradcheck(computed, [weight], eps=1e-5, atol=1e-6)


def test_a_base_of_positive_outcomes_ends_at_zero() -> None:
    law = TiltedDistribution(Exponential(torch.tensor([0.5])), energy)
    assert law.icdf(torch.tensor([[0.0], [1.0]])).tolist() == [[0.0], [torch.inf]]
    u = along(U, (1,))
    torch.testing.assert_close(law.cdf(law.icdf(u)), u, rtol=0, atol=1e-12)


def test_a_base_without_a_distribution_function_is_refused() -> None:
    law = TiltedDistribution(StudentT(5.0), untilted)
    with pytest.raises(ValueError, match=r"^base: StudentT has no cdf; expected SkewT, LinearPool"):
        law.log_prob(torch.tensor(0.3))


Z, ONE = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
BASES: dict[str, Distribution] = {
    "normal": Normal(Z, ONE),
    "Laplace": Laplace(Z, ONE),
    "Gumbel": Gumbel(Z, ONE),
    "exponential": Exponential(ONE),
    "half-normal": HalfNormal(ONE),
    "Weibull": Weibull(ONE, 2 * ONE),
    "log-normal": LogNormal(Z, ONE / 2),
    "uniform": Uniform(Z, ONE),
    "Pareto": Pareto(ONE, 9 * ONE),
}


@pytest.mark.parametrize("name", BASES)
def test_moments_and_entropy_of_an_untilted_base_are_its_own(name: str) -> None:
    base = BASES[name]
    law = TiltedDistribution(base, untilted)
    for found, exact in (
        (law.mean, base.mean),
        (law.variance, base.variance),
        (law.entropy(), base.entropy()),
    ):
        torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("eta", [2.05, 2.1, 2.5, 3.0, 5.0, 1e6])
def test_the_variance_of_heavy_tails_is_that_of_the_base(eta: float) -> None:
    law = TiltedDistribution(SkewT(Z, 2.0, eta, 0.4), untilted)
    assert float(law.variance) == pytest.approx(4, rel=1e-6) and abs(float(law.mean)) < 1e-6


@pytest.mark.parametrize(
    ("base", "moment"),
    [
        (Cauchy(ONE, ONE), "mean"),
        (Pareto(ONE, 0.9 * ONE), "mean"),
        (Pareto(ONE, 1.5 * ONE), "variance"),
        (SkewT(Z, 1.0, 2.001), "variance"),
    ],
)
def test_a_moment_that_is_infinite_or_not_resolved_is_refused(base: Distribution, moment: str) -> None:
    with pytest.raises(ValueError, match=f"^{moment}: infinite or not resolved, .*; use quantiles"):
        getattr(TiltedDistribution(base, untilted), moment)


@pytest.mark.parametrize("outside", [-3.0, 0.0])
def test_values_outside_of_the_support_have_no_density(outside: float) -> None:
    value = torch.tensor([outside], dtype=torch.float64)
    for name in ("log-normal", "Pareto"):
        law = TiltedDistribution(BASES[name], energy)
        assert law.cdf(value).item() == 0 and law.log_prob(value).item() == -torch.inf
    assert TiltedDistribution(BASES["uniform"], energy).cdf(2 - value).item() == 1


@pytest.mark.parametrize("name", BASES)
def test_values_far_beyond_the_last_quantile_have_a_probability(name: str) -> None:
    law = TiltedDistribution(BASES[name], energy)
    value = torch.tensor([[-1e4], [1e4]], dtype=torch.float64)
    torch.testing.assert_close(
        law.cdf(value).flatten(), torch.tensor([0.0, 1.0]).double(), rtol=0, atol=1e-14
    )


def test_the_density_far_in_the_tail_of_a_base_of_pytorch_is_right() -> None:
    law = TiltedDistribution(BASES["Laplace"], lambda s: -0.3 * s)
    for y in (-30.0, -36.0, -40.0):
        exact = y - math.log(2) + 0.3 * stats.norm.ppf(0.5 * math.exp(y)) - 0.045
        assert law.log_prob(torch.tensor([y])).item() == pytest.approx(exact, abs=0.2)


def test_a_base_of_vectors_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^base: Independent .* shape \(2,\); expected one"):
        TiltedDistribution(Independent(Normal(torch.zeros(3, 2), 1.0), 1), untilted)


@pytest.mark.parametrize("shift", [0.0, 0.5, -0.7])
@pytest.mark.parametrize("u", [1e-30, 1e-100])
def test_quantiles_beyond_the_panels_are_those_of_the_tail(u: float, shift: float) -> None:
    law = TiltedDistribution(Normal(Z, ONE), lambda s: -shift * s)
    quantile = law.icdf(torch.tensor([u], dtype=torch.float64))
    assert quantile.item() == pytest.approx(shift + stats.norm.ppf(u), rel=1e-3)
    assert law.cdf(quantile).item() == pytest.approx(u, rel=1e-6)
