"""Joint tilts of many series: known tilts are recovered, log Z is that of quadrature, a base stays one."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ebm_core import Conditions, CrossSectionTilt, EllipticalCopula, fit_cross_section
from ebm_core.tilts import cross_section
from ebm_core.tilts.copula import draw_spherical, log_spherical
from ebm_core.tilts.cross_section import STATISTICS, member_terms, normalise, statistics
from ebm_core.tilts.joint import JointTilt, ranking_loss

LIGHT = (1.0, 1.0, 1.0)
TRUE = {"members' tails": 0.3, "market share": -0.25, "market": 0.3, "mean share": 0.3}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unconditional(n: int, d: int) -> Conditions:
    return Conditions(torch.zeros(n, 0), torch.zeros(n, 0, d), torch.zeros(n, 0, d))


def tilt_of(weights: dict[str, float], d: int, nu: float) -> CrossSectionTilt:
    pool = statistics(draw_spherical(4000, d, nu, generator()), nu)
    theta = torch.zeros(len(STATISTICS), 1, dtype=torch.float64)
    for name, weight in weights.items():
        theta[STATISTICS.index(name)] = weight
    nothing = torch.zeros(0, dtype=torch.float64)
    return CrossSectionTilt(nu, pool.mean(0), pool.std(0), theta, nothing, nothing)


def steep(weights: dict[str, float], d: int, nu: float) -> CrossSectionTilt:
    """A tilt of statistics that are not standardised."""
    tilt = tilt_of(weights, d, nu)
    return replace(tilt, mean=torch.zeros_like(tilt.mean), spread=torch.ones_like(tilt.spread))


def known_conditions(n: int, d: int, seed: int = 0) -> Conditions:
    g = generator(seed)
    return Conditions(
        torch.randn(n, 2, generator=g), torch.randn(n, 2, d, generator=g), torch.randn(n, 3, d, generator=g)
    )


@pytest.mark.parametrize("nu", [5.0, math.inf])
def test_log_z_is_that_of_quadrature_within_its_error(nu):
    tilt = tilt_of({"members' tails": 0.2, "market in the tail": 0.2, "nearness": 0.3, "market": -0.2}, 2, nu)
    # r = tan(πt/2) over half the circle of angles, midpoints in the angle and Gauss–Legendre in t
    nodes, weights = np.polynomial.legendre.leggauss(200)
    t, dt = torch.as_tensor((nodes + 1) / 2), torch.as_tensor(weights / 2)
    r = torch.tan(t * math.pi / 2)
    angle = (torch.arange(200, dtype=torch.float64) + 0.5) * 2 * math.pi / 200
    points = r[:, None, None] * torch.stack([angle.cos(), angle.sin()], -1)
    log_q = log_spherical(points, nu)
    area = (r * dt * math.pi / 2 * (1 + r**2))[:, None] * 2 * math.pi / 200
    assert (log_q.exp() * area).sum().item() == pytest.approx(1, abs=1e-6)
    energy = tilt.energy(points.reshape(1, -1, 2), unconditional(1, 2)).reshape(200, 200)
    exact = ((log_q - energy).exp() * area).sum().log().item()
    found = normalise(tilt.energy(draw_spherical(200_000, 2, nu, generator(1)), unconditional(1, 2)))
    assert found.error < 0.01 < abs(exact)
    assert found.log_z.item() == pytest.approx(exact, abs=3.5 * found.error.item())


@pytest.mark.parametrize("antithetic", [True, False])
@pytest.mark.parametrize("name", ["members' tails", "market"])
def test_the_stated_error_of_log_z_covers(name, antithetic):
    tilt, one = tilt_of({name: 0.4}, 4, math.inf), unconditional(1, 4)

    def draws(count: int, seed: int) -> torch.Tensor:
        if antithetic:
            return draw_spherical(count, 4, math.inf, generator(seed))
        return torch.randn(count, 4, generator=generator(seed), dtype=torch.float64)

    exact = normalise(tilt.energy(draws(300_001, 0), one)).log_z
    many = torch.stack([draws(501, seed) for seed in range(1, 401)])
    found = normalise(tilt.energy(many, unconditional(400, 4)))
    z = (found.log_z - exact) / found.error
    assert abs(z.mean()) < 0.2
    assert 0.88 < z.std() < 1.12


def test_the_normaliser_of_a_base_is_exact():
    found = normalise(torch.zeros(3, 1001, dtype=torch.float64))
    assert found.log_z.abs().max() < 1e-12 and found.error.max() < 1e-12
    assert found.effective_size.tolist() == pytest.approx([1001] * 3)


def recovered(seed: int) -> tuple[float, float, float]:
    """Correlation with the true energy, and held-out gains of a fit and of the true tilt, in nats."""
    copula = EllipticalCopula((0.4 * torch.eye(5) + 0.6)[None])
    true, one = tilt_of(TRUE, 5, math.inf), unconditional(1, 5)
    pool = copula.draw(100_000, generator(seed))
    chosen = JointTilt(true.energy(pool, one)[0]).resample(8000, generator(seed + 1))
    chosen = chosen[torch.randperm(8000, generator=generator(seed + 2))]
    scores = copula.scores(pool[chosen][None])  # what is observed
    w = copula.whiten(scores)[0]
    fit = fit_cross_section(
        w[:4000], unconditional(4000, 5), math.inf, ridge=LIGHT, generator=generator(seed + 3)
    )
    fresh = copula.draw(50_000, generator(seed + 4))
    gains = [
        (-tilt.energy(w[4000:], one)[0].mean() - normalise(tilt.energy(fresh, one)).log_z).item()
        for tilt in (fit, true)
    ]
    both = torch.stack([tilt.energy(fresh, one)[0] for tilt in (fit, true)])
    return torch.corrcoef(both)[0, 1].item(), *gains


def test_a_known_tilt_is_recovered_and_with_a_flipped_sign_is_not(monkeypatch):
    correlation, gain, true = recovered(10)
    assert true > 0.1
    assert correlation > 0.98
    assert gain == pytest.approx(true, abs=0.1 * true)
    energy = CrossSectionTilt.energy
    with monkeypatch.context() as changed:
        changed.setattr(CrossSectionTilt, "energy", lambda *given: -energy(*given))
        correlation, gain, _ = recovered(10)
        assert correlation < 0 or gain < 0


def test_state_and_members_are_recovered():
    n, d = 4000, 4
    known = known_conditions(n, d)
    true = replace(
        tilt_of({"size": 0.2}, d, 6.0),
        theta=torch.cat([tilt_of({"size": 0.2}, d, 6.0).theta, torch.zeros(17, 2).double()], 1),
        size=torch.tensor([0.3, 0.0]).double(),
        sign=torch.tensor([0.0, -0.4, 0.2]).double(),
    )
    true.theta[STATISTICS.index("size"), 1] = -0.3
    pool = draw_spherical(1000, d, 6.0, generator(1))
    picked = torch.multinomial(torch.softmax(-true.energy(pool, known), 1), 1, generator=generator(2))[:, 0]
    fit = fit_cross_section(pool[picked], known, 6.0, ridge=LIGHT, generator=generator(3))
    assert fit.size.numpy() == pytest.approx(true.size.numpy(), abs=0.08)
    assert fit.sign.numpy() == pytest.approx(true.sign.numpy(), abs=0.08)
    slopes = [
        (tilt.energy(pool, known), tilt.energy(pool, replace(known, state=-known.state)))
        for tilt in (fit, true)
    ]
    odd = torch.stack([(one - other)[:200].reshape(-1) for one, other in slopes])
    assert torch.corrcoef(odd)[0, 1] > 0.9


def test_series_that_change_places_with_their_coefficients_change_nothing(monkeypatch):
    n, d, order = 300, 5, [3, 0, 4, 1, 2]
    w, known = draw_spherical(n, d, 5.0, generator()) * 1.2, known_conditions(n, d)
    moved = Conditions(known.state, known.size[..., order], known.sign[..., order])
    fit = fit_cross_section(w, known, 5.0, ridge=LIGHT, generator=generator(1))
    original = draw_spherical
    monkeypatch.setattr(cross_section, "draw_spherical", lambda *given: original(*given)[:, order])
    again = fit_cross_section(w[:, order], moved, 5.0, ridge=LIGHT, generator=generator(1))
    for name in ("mean", "spread", "theta", "size", "sign"):
        assert getattr(again, name).numpy() == pytest.approx(getattr(fit, name).numpy(), abs=1e-9)
    pool = original(1000, d, 5.0, generator(2))
    energy, permuted = fit.energy(pool, known), fit.energy(pool[:, order], moved)
    assert energy.std() > 0.1
    assert (energy - permuted).abs().max() < 1e-12
    assert normalise(energy).log_z.numpy() == pytest.approx(normalise(permuted).log_z.numpy(), abs=1e-12)
    assert fit.tail_index(known).numpy() == pytest.approx(fit.tail_index(moved).numpy(), abs=1e-12)
    assert (fit.energy(pool[:, order], known) - energy).abs().max() > 0.1  # the coefficients do matter


@pytest.mark.parametrize("nu", [5.0, math.inf])
def test_a_fit_to_the_base_itself_gains_nothing(nu):
    gains = []
    for seed in range(6):
        known = known_conditions(500, 4, seed)
        w, held = draw_spherical(2000, 4, nu, generator(50 + seed))[:1000].reshape(2, 500, 4)  # no pairs
        fit = fit_cross_section(w, known, nu, generator=generator(seed))
        log_z = normalise(fit.energy(draw_spherical(4000, 4, nu, generator(7)), known)).log_z
        gains.append((-fit.energy(held[:, None], known)[:, 0] - log_z).mean().item())
    assert -0.05 < np.mean(gains) < 2 * np.std(gains) / math.sqrt(len(gains))


def test_the_solution_has_no_gradient_and_is_a_minimum():
    n, d, nu, ridge = 200, 3, 5.0, (2.0, 5.0, 3.0)
    w, known = 1.3 * draw_spherical(n, d, nu, generator()), known_conditions(n, d)
    fit = fit_cross_section(w, known, nu, pairs=4, ridge=ridge, generator=generator(1))
    g = generator(1)
    draw_spherical(cross_section.POOL, d, nu, g)
    noise = draw_spherical(2 * n * 4, d, nu, g).reshape(2, n, 4, d)
    points = torch.cat([w[:, None], *noise], 1)

    def loss(theta: torch.Tensor, size: torch.Tensor, sign: torch.Tensor) -> torch.Tensor:
        energy = replace(fit, theta=theta, size=size, sign=sign).energy(points, known)
        penalty = ridge[0] * (theta[:, 0] ** 2).sum() + ridge[1] * (theta[:, 1:] ** 2).sum()
        penalty = penalty + ridge[2] * ((size**2).sum() + (sign**2).sum())
        return n * ranking_loss(energy).mean() + penalty / 2

    def gradient(scale: float) -> torch.Tensor:
        at = [(scale * value).requires_grad_() for value in (fit.theta, fit.size, fit.sign)]
        return torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss(*at), at)])

    assert gradient(1.0).norm() < 1e-4 * gradient(0.0).norm()
    least = loss(fit.theta, fit.size, fit.sign)
    for seed in range(5):
        shift = 0.02 * torch.randn(fit.theta.shape, generator=generator(seed), dtype=torch.float64)
        assert loss(fit.theta + shift, fit.size, fit.sign) > least


@pytest.mark.parametrize("d", [2, 500])
@pytest.mark.parametrize("nu", [2.1, math.inf])
def test_statistics_are_finite_and_do_not_depend_on_the_shape_of_the_batch(d, nu):
    w = draw_spherical(12, d, nu, generator())
    w[0], w[1], w[2] = 0.0, 1e-9, 1e9
    found = statistics(w, nu)
    assert found.shape == (12, len(STATISTICS)) and torch.isfinite(found).all()
    assert (statistics(w.reshape(3, 4, d), nu) - found.reshape(3, 4, -1)).abs().max() < 1e-12
    assert (statistics(w[5], nu) - found[5]).abs().max() < 1e-12
    assert all(torch.isfinite(term).all() and term.shape == w.shape for term in member_terms(w))
    tilt, one = tilt_of({"size": 0.1, "market": 0.2}, d, nu), unconditional(3, d)
    assert (tilt.energy(w, one) - tilt.energy(w.expand(3, 12, d), one)).abs().max() < 1e-12


def test_a_weight_of_zero_is_the_base_and_of_a_half_half_the_energy():
    w, one = draw_spherical(50, 3, 5.0, generator()), unconditional(1, 3)
    tilt = tilt_of({"size": 0.4}, 3, 5.0)
    assert torch.equal(replace(tilt, weight=0.0).energy(w, one), torch.zeros(1, 50).double())
    assert torch.allclose(2 * replace(tilt, weight=0.5).energy(w, one), tilt.energy(w, one))


def test_one_seed_gives_the_same_bits_and_single_precision_is_computed_in_double():
    w, known = draw_spherical(100, 3, 5.0, generator()).float(), known_conditions(100, 3)
    first = fit_cross_section(w.double(), known, 5.0, generator=generator(1))
    second = fit_cross_section(w, known, 5.0, generator=generator(1))
    other = fit_cross_section(w, known, 5.0, generator=generator(2))
    for name in ("mean", "spread", "theta", "size", "sign"):
        assert torch.equal(getattr(first, name), getattr(second, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))


INDICES = [
    ({}, 4.0),
    ({"radius": -1}, 2.0),
    ({"size": -1}, 2.0),
    ({"members' tails": -1}, 2.0),
    ({"members' far tails": -1}, 2.0),
    ({"market size": -1}, 2.0),
    ({"market size": 1}, 5.0),  # where the series cancel, at the cost of one dimension
    ({"market in the tail": 1}, 2.0),  # the market falls
    ({"market in the tail": -1}, 2.0),  # or rises
    ({"members' tails": 6}, 11.0),  # one series is large, the other is not
    ({"radius": -1, "nearness": 9, "market": 9, "largest share": -9, "market share": -9}, 2.0),
]


@pytest.mark.parametrize(("weights", "index"), INDICES)
def test_the_tail_index_is_the_rate_at_which_the_mass_beyond_a_radius_falls(weights, index):
    tilt, one = steep(weights, 2, 4.0), unconditional(1, 2)
    assert tilt.tail_index(one).item() == pytest.approx(index)
    angles = torch.logspace(-13, math.log10(math.pi / 4), 8000, dtype=torch.float64)
    angles = (
        torch.cat([k * math.pi / 4 + sign * angles for k in range(-1, 9) for sign in (-1, 1)]).sort().values
    )
    angles = angles[(angles > -0.3) & (angles < 2 * math.pi - 0.3)]

    def log_mass(radius: float) -> float:
        """Log of the density of log r, integrated over the angle, which is finer near axes and diagonals."""
        points = radius * torch.stack([angles.cos(), angles.sin()], -1)
        log_p = log_spherical(points, 4.0) - tilt.energy(points, one)[0]
        top = log_p.max()
        return (top + torch.trapezoid((log_p - top).exp(), angles).log()).item() + 2 * math.log(radius)

    slope = (log_mass(1e4) - log_mass(1e5)) / math.log(10)
    assert slope == pytest.approx(index, abs=0.1)


def test_the_tail_index_of_members_and_of_the_weight():
    tilt = replace(steep({}, 2, 4.0), size=torch.tensor([-1.0]).double())
    known = Conditions(
        torch.zeros(3, 0), torch.tensor([[[0.0, 0]], [[1, 0]], [[1, 1]]]), torch.zeros(3, 0, 2)
    )
    half = 2 / math.sqrt(2)
    assert tilt.tail_index(known).tolist() == pytest.approx([4, 4 - half, 4 - 2 * half])
    assert replace(tilt, weight=0.0).tail_index(known).tolist() == [4, 4, 4]
    opposed = Conditions(torch.zeros(1, 0), torch.tensor([[[3.0, -3.0]]]), torch.zeros(1, 0, 2))
    assert tilt.tail_index(opposed).item() == pytest.approx(4 + 1 - 3 * half)  # the first alone is large


def test_a_normaliser_that_diverges_is_refused_with_its_date():
    tilt = replace(steep({}, 2, 4.0), size=torch.tensor([-1.0]).double())
    known = Conditions(torch.zeros(2, 0), torch.tensor([[[0.0, 0]], [[3, 0]]]), torch.zeros(2, 0, 2))
    tilt.check_normaliser(known[:1])
    with pytest.raises(
        ValueError, match=r"energy: the tail index of date 1 is -0\.24, so Z is infinite"
    ) as refused:
        tilt.check_normaliser(known)
    assert "\n" not in str(refused.value)
    replace(tilt, weight=0.5).check_normaliser(known)  # the remedy of the message
    replace(tilt, nu=math.inf).check_normaliser(known)
    with pytest.raises(ValueError, match="Z is infinite"):
        steep({"radius": -2}, 2, 4.0).check_normaliser(unconditional(1, 2))  # just infinite
    with pytest.raises(ValueError, match="tail index of date 0 is nan"):
        steep({"radius": math.nan}, 2, 4.0).check_normaliser(unconditional(1, 2))


def fit_with(**changed):
    given = {"w": torch.zeros(4, 3), "conditions": unconditional(4, 3), "nu": 5.0, "generator": generator()}
    return fit_cross_section(**{**given, **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"w": torch.full((4, 3), math.nan)}, "w: has values that are not finite; expected none"),
        (
            {"conditions": replace(unconditional(4, 3), state=torch.full((4, 1), math.inf))},
            "conditions.state: has values that are not finite",
        ),
        ({"w": torch.zeros(5, 3)}, r"w: shape \(5, 3\); expected \(4, 3\)"),
        ({"w": torch.zeros(4, 2)}, r"w: shape \(4, 2\); expected \(4, 3\)"),
        ({"w": torch.zeros(4)}, r"w: shape \(4,\); expected \(4, 3\)"),
        ({"w": torch.zeros(0, 3), "conditions": unconditional(0, 3)}, r"at least \(1, 2\)"),
        ({"w": torch.zeros(4, 1), "conditions": unconditional(4, 1)}, r"at least \(1, 2\)"),
        ({"w": [[0.0]]}, "w: list; expected a tensor"),
        ({"w": torch.zeros(4, 3).int()}, "w: torch.int32 .*expected floating point"),
        ({"nu": 2.0}, "nu: 2.0; expected a number above 2"),
        ({"nu": math.nan}, "nu: nan; expected a number above 2"),
        ({"pairs": 0}, "pairs: 0; expected 1 or more"),
        ({"ridge": (1.0, 1.0)}, r"ridge: \(1.0, 1.0\); expected three numbers"),
        ({"ridge": (1.0, 0.0, 1.0)}, "ridge of state: 0.0; expected 1e-06 or more"),
        ({"generator": 0}, "generator: 0; expected a torch.Generator"),
    ],
)
def test_wrong_arguments_of_a_fit_are_refused(changed, message):
    with pytest.raises(ValueError, match=message) as refused:
        fit_with(**changed)
    assert "\n" not in str(refused.value)


def test_wrong_conditions_and_points_are_refused():
    zeros = torch.zeros
    for given, message in (
        ((zeros(4), zeros(4, 0, 3), zeros(4, 0, 3)), r"state: shape \(4,\); expected \(n, states\)"),
        ((zeros(4, 1), zeros(5, 0, 3), zeros(4, 0, 3)), r"size: shape \(5, 0, 3\); expected \(n, terms, d\)"),
        ((zeros(4, 1), zeros(4, 0, 3), zeros(4, 3)), r"sign: shape \(4, 3\); expected \(n, terms, d\)"),
        ((zeros(4, 1), zeros(4, 0, 3), zeros(4, 0, 2)), "sign: 2 series; expected 3"),
        ((None, zeros(4, 0, 3), zeros(4, 0, 2)), "state: NoneType; expected a tensor"),
    ):
        with pytest.raises(ValueError, match=message):
            Conditions(*given)
    tilt = tilt_of({}, 3, 5.0)
    for points in (zeros(5, 2), zeros(2, 5, 3), zeros(3)):
        with pytest.raises(ValueError, match=r"w: shape .*expected \(4, k, 3\) or \(k, 3\)"):
            tilt.energy(points, unconditional(4, 3))
    with pytest.raises(ValueError, match=r"conditions\.state: 2; expected 0, as in the fit"):
        tilt.energy(zeros(5, 3), known_conditions(4, 3))
    for energy in (zeros(4), zeros(4, 1), torch.full((1, 4), math.nan)):
        with pytest.raises(ValueError, match=r"energy: shape .*expected finite \(n, k\)"):
            normalise(energy)
