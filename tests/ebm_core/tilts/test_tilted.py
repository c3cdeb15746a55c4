"""Tilted distributions against adaptive quadrature and closed forms."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from ebm_core import BilinearEnergy, SkewT, TiltedDistribution, untilted


def a_network(seed: int, rows: int, strength: float = 0.7) -> tuple[BilinearEnergy, torch.Tensor]:
    """A strong random energy and inputs out to the clip of ±4."""
    generator = torch.Generator().manual_seed(seed)
    energy = BilinearEnergy(3, 4, 6, 2, generator)
    with torch.no_grad():
        for parameter in energy.parameters():
            parameter.copy_(strength * torch.randn(parameter.shape, generator=generator))
    x = (2 * torch.randn(rows, 3, generator=generator)).clamp(-4, 4).double()
    return energy.double(), x


def tilted(seed: int, strength: float = 0.7) -> TiltedDistribution:
    base = SkewT(
        torch.tensor([0.0, 1.0, 0.3]),
        torch.tensor([1.0, 2.0, 0.5]),
        torch.tensor([5.0, 1e6, 3.0]),
        torch.tensor([-0.3, 0.0, 0.5]),
    )
    energy, x = a_network(seed, 3, strength)
    with torch.no_grad():
        return TiltedDistribution(base, lambda score: energy(score, x).mean(0))


@pytest.mark.parametrize("seed", range(4))
@torch.no_grad()
def test_normaliser_agrees_with_adaptive_quadrature_on_random_and_extreme_rows(seed):
    law = tilted(seed, strength=0.4 * (seed + 1))
    for i in range(3):

        def integrand(s, i=i):
            score = torch.full((1, 3), s, dtype=torch.float64)
            return np.exp(-law.energy(score)[0, i].item()) * stats.norm.pdf(s)

        exact = integrate.quad(integrand, -12, 12, points=[-2, 0, 2], epsabs=1e-13, limit=400)[0]
        assert law.log_z[i].item() == pytest.approx(np.log(exact), abs=1e-6)
    assert law.log_z_error < 1e-6


@torch.no_grad()
def test_density_integrates_to_one_and_to_the_cdf():
    law = tilted(1)
    for i in range(3):

        def density(y, i=i):
            return law.log_prob(torch.full((3,), y, dtype=torch.float64))[i].exp().item()

        below = integrate.quad(density, -200, 0.7, points=[-3, 0, 0.3], limit=500)[0]
        above = integrate.quad(density, 0.7, 200, points=[1, 2, 5], limit=500)[0]
        assert below + above == pytest.approx(1, abs=2e-5)
        assert law.cdf(torch.full((3,), 0.7, dtype=torch.float64))[i].item() == pytest.approx(below, abs=2e-5)


@pytest.mark.parametrize("seed", range(3))
@torch.no_grad()
def test_quantile_inverts_cdf(seed):
    law = tilted(seed)
    u = torch.linspace(0.001, 0.999, 37, dtype=torch.float64)[:, None].expand(37, 3)
    np.testing.assert_allclose(law.cdf(law.icdf(u)), u, atol=1e-9)


@torch.no_grad()
def test_a_linear_tilt_of_a_normal_is_the_shifted_normal():
    """q = N(0, 1) and E = −a·s give N(a, 1): every quantity has a closed form, and its sign matters."""
    a = 0.8
    law = TiltedDistribution(SkewT(torch.zeros(1), 1.0), lambda s: -a * s)
    y = torch.tensor([[-1.0], [0.0], [2.5]], dtype=torch.float64)
    exact = stats.norm(a, 1)
    np.testing.assert_allclose(law.log_prob(y), exact.logpdf(y), atol=1e-4)
    np.testing.assert_allclose(law.cdf(y), exact.cdf(y), atol=1e-4)
    assert law.log_z.item() == pytest.approx(a**2 / 2, abs=1e-9)
    assert law.mean.item() == pytest.approx(a, abs=1e-3)
    assert law.variance.item() == pytest.approx(1, abs=1e-3)
    assert law.entropy().item() == pytest.approx(exact.entropy(), abs=1e-3)


@torch.no_grad()
def test_a_zero_or_constant_energy_changes_nothing():
    base = SkewT(torch.tensor([0.1, -0.2]), torch.tensor([1.0, 2.0]), 5.0, -0.2)
    y = torch.tensor([[-3.0, 0.5], [1.0, 6.0]], dtype=torch.float64)
    for energy in (untilted, lambda score: torch.full_like(score, 3.3)):
        law = TiltedDistribution(base, energy)
        np.testing.assert_allclose(law.log_prob(y), base.log_prob(y), atol=1e-12)
        np.testing.assert_allclose(law.cdf(y), base.cdf(y), atol=1e-9)
        np.testing.assert_allclose(law.mean, base.mean, atol=5e-3)


@torch.no_grad()
def test_an_untrained_network_is_its_base():
    energy = BilinearEnergy(3, 8, 6, 5, torch.Generator().manual_seed(0)).double()
    x = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    score = torch.linspace(-6, 6, 11, dtype=torch.float64)[:, None]
    assert torch.equal(energy(score, x), torch.zeros(5, 11, 2, dtype=torch.float64))


@torch.no_grad()
def test_shared_and_separate_scores_give_the_same_energy():
    energy, x = a_network(0, 4)
    nodes = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    np.testing.assert_allclose(energy(nodes, x), energy(nodes.expand(7, 4), x), atol=1e-12)


@torch.no_grad()
def test_sample_follows_the_cdf_and_its_generator():
    law = tilted(2)
    draws = law.sample((2000,), generator=torch.Generator().manual_seed(0))
    for i in range(3):
        pit = torch.stack([law.cdf(draws)[:, i]]).flatten().numpy()
        assert stats.kstest(pit, "uniform").pvalue > 1e-3
    assert torch.equal(draws, law.sample((2000,), generator=torch.Generator().manual_seed(0)))


@torch.no_grad()
def test_single_precision_agrees_with_double():
    energy, x = a_network(3, 5)
    score = torch.linspace(-4, 4, 9, dtype=torch.float64)[:, None]
    double = energy(score, x)
    single = energy.float()(score.float(), x.float())
    np.testing.assert_allclose(single, double, atol=1e-4)


def normal(energy) -> TiltedDistribution:
    return TiltedDistribution(SkewT(torch.zeros(1), 1.0), energy)


@pytest.mark.parametrize(
    ("energy", "exact"),
    [
        (lambda s: -0.3 * s**2, -0.5 * np.log(1 - 0.6)),  # N(0, 2.5)
        (lambda s: -0.4 * s**2, -0.5 * np.log(1 - 0.8)),  # N(0, 5)
        (lambda s: -8.5 * s, 8.5**2 / 2),  # N(8.5, 1)
        (lambda s: 12.0 * s + 3.0, 12**2 / 2 - 3),
        (lambda s: -30.0 * s, 30**2 / 2),
    ],
)
def test_mass_in_the_far_tails_is_part_of_the_normaliser(energy, exact):
    law = normal(energy)
    assert float(law.log_z) == pytest.approx(exact, abs=1e-9) and law.log_z_error < 1e-9
    # A Student t of 1e6 degrees of freedom is not quite normal at twelve standard deviations.
    assert float(law.cdf(law.mean)) == pytest.approx(0.5, abs=1e-4)
    assert float(law.icdf(torch.tensor([0.5]))) == pytest.approx(float(law.mean), abs=1e-3)


@pytest.mark.parametrize("factor", [0.49, 0.495])
def test_a_normaliser_far_beyond_the_quantiles_of_float64_is_right_and_moments_are_refused(factor):
    law = normal(lambda s: -factor * s**2)
    assert float(law.log_z) == pytest.approx(-0.5 * np.log(1 - 2 * factor), abs=1e-8)
    with pytest.raises(ValueError, match="have no quantile in float64"):
        law.mean  # noqa: B018 - a property


@pytest.mark.parametrize(("depth", "centre", "width"), [(80, 12, 1.0), (300, 20, 1.0), (250, -20, 0.7)])
def test_a_well_behind_a_wide_valley_is_part_of_the_normaliser(depth, centre, width):
    def energy(s):
        return -depth * torch.exp(-(((s - centre) / width) ** 2) / 2)

    def integrand(s):
        return float(torch.exp(-energy(torch.tensor(s, dtype=torch.float64)) - s**2 / 2)) / np.sqrt(2 * np.pi)

    parts = [(-40, -30), *pairwise(np.linspace(-30, 30, 61)), (30, 40)]
    exact = sum(integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-9)[0] for a, b in parts)
    assert float(normal(energy).log_z) == pytest.approx(np.log(exact), abs=1e-6)


@pytest.mark.parametrize(("width", "centre"), [(0.05, 1.0), (0.02, 0.1406), (0.01, 0.1406)])
def test_a_narrow_well_is_seen_where_the_first_rules_differ(width, centre):
    def energy(s):
        return -15 * torch.exp(-(((s - centre) / width) ** 2) / 2)

    def integrand(s):
        return float(torch.exp(-energy(torch.tensor(s, dtype=torch.float64)))) * stats.norm.pdf(s)

    points = np.unique([*np.linspace(-8, 8, 33), *np.linspace(centre - 0.3, centre + 0.3, 61)])
    exact = sum(integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-9)[0] for a, b in pairwise(points))
    law = normal(energy)
    assert float(law.log_z) == pytest.approx(np.log(exact), abs=1e-5)
    assert law.log_z_error < 1e-5


def test_every_row_of_a_batch_is_checked():
    base = SkewT(torch.zeros(2), 1.0)
    rough = TiltedDistribution(base, lambda s: torch.stack([0 * s[:, 0], 30 * torch.sin(7 * s[:, 0])], 1))
    assert rough.log_z.tolist() == pytest.approx([0, 27.3847014], abs=1e-6)
    with pytest.raises(ValueError, match="no normaliser"):
        TiltedDistribution(base, lambda s: torch.stack([0 * s[:, 0], -0.6 * s[:, 0] ** 2], 1))
    with pytest.raises(ValueError, match="at all normal scores of a row"):
        TiltedDistribution(base, lambda s: torch.stack([0 * s[:, 0], 0 * s[:, 0] + torch.inf], 1))


@pytest.mark.parametrize(
    ("energy", "within"),
    [
        (lambda s: 30 * torch.sin(7 * s), 1e-6),
        (lambda s: torch.sin(50 * s), 1e-6),
        (lambda s: 20 * (s - 0.2).abs(), 1e-4),  # a kink
    ],
)
def test_a_rough_energy_has_the_normaliser_of_adaptive_quadrature(energy, within):
    law = normal(energy)

    def integrand(s):
        return float(torch.exp(-energy(torch.tensor(s, dtype=torch.float64)))) * stats.norm.pdf(s)

    points = np.unique([*np.linspace(-8, 8, 161), 0.3, 0.2, 1.0])
    exact = sum(integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-8)[0] for a, b in pairwise(points))
    assert float(law.log_z) == pytest.approx(np.log(exact), abs=within)


@pytest.mark.parametrize(
    ("energy", "words"),
    [
        (lambda s: -0.6 * s**2, "no normaliser"),
        (lambda s: -(s**4), "no normaliser"),
        (lambda s: -0.5 * s**2, "no normaliser"),
        (lambda s: 1000 * torch.sin(1e5 * s), "not resolved"),
        (lambda s: s * torch.nan, "NaN"),
        (lambda s: torch.log(s + 5), "NaN"),
        (lambda s: 0.0, "float"),
        (lambda s: torch.cat([s, s], -1), "shape .* expected a tensor of shape"),
    ],
)
def test_an_energy_without_a_normaliser_is_refused(energy, words):
    with pytest.raises(ValueError, match=f"^energy: .*{words}"):
        normal(energy)


@pytest.mark.parametrize("end", [1.0, 0.5, 0.3, 1.125, 2.25, 0.28125, 2.0001])
@pytest.mark.parametrize("height", [0.01, 5.0, torch.inf])
def test_a_jump_of_the_energy_is_resolved(end, height):
    law = normal(lambda s: torch.where(s.abs() > end, height, 0.0).to(s))
    inside = stats.norm.cdf(end) - stats.norm.cdf(-end)
    exact = np.log(inside + (1 - inside) * np.exp(-height))
    assert float(law.log_z) == pytest.approx(exact, abs=1e-5) and law.rule.count < 1000
    assert np.isfinite(float(law.entropy())) and abs(float(law.mean)) < 1e-4


@pytest.mark.parametrize(
    "energy", [lambda s: torch.log(s + 20), lambda s: torch.where(s > 40, torch.nan, 0 * s)]
)
def test_an_energy_need_not_be_defined_where_there_is_no_mass(energy):
    assert np.isfinite(float(normal(energy).log_z))


@pytest.mark.parametrize(("centre", "depth", "width"), [(20.4, 260, 0.2), (15.9, 150, 0.1), (-12.2, 95, 0.1)])
def test_a_narrow_well_in_the_far_tail_is_part_of_the_normaliser(centre, depth, width):
    def energy(s):
        return -depth * torch.exp(-(((s - centre) / width) ** 2) / 2)

    s = torch.linspace(centre - 1, centre + 1, 20_001, dtype=torch.float64)
    far = torch.logsumexp(-energy(s) - s**2 / 2, 0) + np.log(1e-4 / np.sqrt(2 * np.pi))
    assert float(normal(energy).log_z) == pytest.approx(np.logaddexp(0, float(far)), abs=1e-6)


def test_an_energy_in_single_precision_needs_few_panels():
    energy, x = a_network(0, 50)
    single = energy.float()
    base = SkewT(torch.zeros(50), 1.0)
    with torch.no_grad():
        law = TiltedDistribution(base, lambda s: single(s.float(), x.float()).mean(0).double())
    assert law.rule.count <= 256 and law.log_z_error < 1e-6


def test_arrays_that_cannot_be_written_to_and_infinities_give_no_warning(recwarn) -> None:
    y = np.array([0.5, np.inf, -np.inf])
    y.setflags(write=False)
    law = TiltedDistribution(SkewT(torch.zeros(3), 1.0), lambda score: 0.1 * score)
    assert law.log_prob(y)[1:].tolist() == [-np.inf, -np.inf]
    assert not recwarn.list
