"""Joint tilts of many series: quadrature, recovery of a known tilt, exchangeable series, and gradients."""

import math

import numpy as np
import pytest
import torch

from ebm_core.tilts.copula import draw_spherical, log_spherical
from ebm_core.tilts.cross_section import (
    STATISTICS,
    Conditions,
    CrossSectionTilt,
    fit_cross_section,
    member_terms,
    normalise,
    statistics,
)
from ebm_core.tilts.joint import JointTilt


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def conditions(n: int, d: int, states: int = 2, seed: int = 1) -> Conditions:
    g = generator(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    return Conditions(normal(n, states), normal(n, 1, d), normal(n, 2, d))


def tilt(d: int, nu: float, scale: float, states: int = 2, seed: int = 2) -> CrossSectionTilt:
    g = generator(seed)
    pool = statistics(draw_spherical(20_000, d, nu, g), nu)

    def normal(*shape: int) -> torch.Tensor:
        return scale * torch.randn(*shape, generator=g, dtype=torch.float64)

    theta = normal(len(STATISTICS), 1 + states)
    return CrossSectionTilt(nu, pool.mean(0), pool.std(0), theta, normal(1), normal(2))


def drawn(known: CrossSectionTilt, x: Conditions, d: int, seed: int = 3) -> torch.Tensor:
    """Return one draw of the tilted distribution for each date."""
    g = generator(seed)
    pool = draw_spherical(5000, d, known.nu, g)
    return torch.stack([pool[JointTilt(row).resample(1, g)][0] for row in known.energy(pool, x)])


@pytest.mark.parametrize("nu", [12.0, math.inf])
def test_log_z_is_that_of_quadrature_in_two_dimensions(nu):
    known, x = tilt(2, nu, 0.1), conditions(1, 2)

    grid = torch.arange(-30, 30, 0.05, dtype=torch.float64)
    w = torch.cartesian_prod(grid, grid)
    exact = torch.logsumexp(log_spherical(w, nu) - known.energy(w, x)[0], 0).item() + 2 * math.log(0.05)
    found = normalise(known.energy(draw_spherical(200_000, 2, nu, generator(5)), x))
    assert found.log_z.item() == pytest.approx(exact, abs=4 * found.error.item())
    assert found.error.item() < 0.01


def test_the_stated_error_of_log_z_is_its_spread_over_seeds():
    known, x = tilt(5, 12.0, 0.15), conditions(1, 5)
    found = [normalise(known.energy(draw_spherical(2000, 5, 12.0, generator(k)), x)) for k in range(200)]
    spread = np.std([part.log_z.item() for part in found])
    stated = np.mean([part.error.item() for part in found])
    assert 0.8 * stated < spread < 1.2 * stated


def test_a_known_tilt_is_recovered_and_one_of_the_other_sign_is_not():
    d, n, nu = 5, 2500, math.inf
    known, x = tilt(d, nu, 0.15), conditions(n, d)
    w = drawn(known, x, d)
    learn, test = slice(0, 2000), slice(2000, n)
    pool = draw_spherical(20_000, d, nu, generator(7))

    def gain(model: CrossSectionTilt) -> float:
        energy = model.energy(w[test][:, None], x[test])[:, 0]
        return (-energy - normalise(model.energy(pool, x[test])).log_z).mean().item()

    fitted = fit_cross_section(w[learn], x[learn], nu, ridge=(1.0, 1.0, 1.0), generator=generator(4))
    turned = CrossSectionTilt(nu, fitted.mean, fitted.spread, -fitted.theta, -fitted.size, -fitted.sign)
    assert gain(known) > 0.1
    assert gain(fitted) > 0.75 * gain(known)
    assert gain(turned) < -0.1
    assert fitted.size == pytest.approx(known.size, abs=0.1)
    assert fitted.sign == pytest.approx(known.sign, abs=0.1)


def test_nothing_is_gained_where_the_base_is_right():
    w, x = draw_spherical(3000, 6, 12.0, generator()), conditions(3000, 6)
    w = w[torch.randperm(len(w), generator=generator(1))]
    fitted = fit_cross_section(w[:2000], x[:2000], 12.0, generator=generator(4))
    pool = draw_spherical(20_000, 6, 12.0, generator(7))
    energy = fitted.energy(w[2000:, None], x[2000:])[:, 0]
    gain = (-energy - normalise(fitted.energy(pool, x[2000:])).log_z).mean().item()
    assert -0.03 < gain < 0.01


def test_series_may_change_their_places_with_their_coefficients():
    known, x, order = tilt(5, 12.0, 0.3), conditions(4, 5), torch.tensor([3, 0, 4, 1, 2])
    w = draw_spherical(24, 5, 12.0, generator()).reshape(4, 6, 5)
    moved = Conditions(x.state, x.size[..., order], x.sign[..., order])
    assert torch.allclose(known.energy(w, x), known.energy(w[..., order], moved), atol=1e-12)
    assert not torch.allclose(known.energy(w, x), known.energy(w[..., order], x), atol=1e-3)


def test_the_fit_has_no_gradient_left():
    """The ranking loss is rebuilt from energies with the noise of the same generator."""
    d, n, nu, ridge, pairs = 4, 300, 12.0, (10.0, 20.0, 30.0), 8
    known, x = tilt(d, nu, 0.2), conditions(n, d)
    w = drawn(known, x, d)
    fitted = fit_cross_section(w, x, nu, pairs=pairs, ridge=ridge, generator=generator(4))
    again = generator(4)
    draw_spherical(20_000, d, nu, again)
    noise = draw_spherical(2 * n * pairs, d, nu, again).reshape(2, n, pairs, d)
    points = torch.cat([w[:, None], *noise], 1)
    free = [part.clone().requires_grad_() for part in (fitted.theta, fitted.size, fitted.sign)]
    energy = CrossSectionTilt(nu, fitted.mean, fitted.spread, *free).energy(points, x)
    loss = (energy[:, 0] + torch.logsumexp(-energy, 1)).sum()
    loss = loss + 0.5 * ridge[0] * (free[0][:, 0] ** 2).sum() + 0.5 * ridge[1] * (free[0][:, 1:] ** 2).sum()
    loss = loss + 0.5 * ridge[2] * sum((part**2).sum() for part in free[1:])
    gradients = torch.autograd.grad(loss, free)
    assert max(part.abs().max().item() for part in gradients) < 0.05


def test_weight_zero_is_the_base_and_one_seed_gives_the_same_bits():
    w, x = draw_spherical(400, 3, 12.0, generator()), conditions(400, 3)
    first, second = (fit_cross_section(w, x, 12.0, generator=generator(4)) for _ in range(2))
    assert torch.equal(first.theta, second.theta) and torch.equal(first.sign, second.sign)
    none = CrossSectionTilt(12.0, first.mean, first.spread, first.theta, first.size, first.sign, weight=0.0)
    found = normalise(none.energy(w, x))
    assert found.log_z.abs().max() < 1e-12 and found.effective_size.min().item() == pytest.approx(400)


@pytest.mark.parametrize("d", [2, 500])
def test_statistics_are_finite_in_few_and_many_dimensions(d):
    w = torch.cat([draw_spherical(10, d, 4.0, generator()), torch.zeros(1, d), torch.full((1, d), 1e6)])
    found = statistics(w, 4.0)
    assert found.shape == (12, len(STATISTICS)) and torch.isfinite(found).all()
    assert all(torch.isfinite(term).all() for term in member_terms(w))


def test_wrong_arguments_are_named():
    w, x = draw_spherical(40, 3, 12.0, generator()), conditions(40, 3)
    broken = w.clone()
    broken[3, 1] = math.nan
    cases = [
        ({"w": broken}, "not finite"),
        ({"w": w[:5]}, "expected \\(n, d\\) and n"),
        ({"pairs": 0}, "pairs"),
        ({"ridge": (0.0, 1.0, 1.0)}, "ridge of constant"),
        ({"generator": 3}, "generator"),
    ]
    for change, words in cases:
        given = {"w": w, "conditions": x, "nu": 12.0, "generator": generator()} | change
        with pytest.raises(ValueError, match=words):
            fit_cross_section(given.pop("w"), given.pop("conditions"), given.pop("nu"), **given)
