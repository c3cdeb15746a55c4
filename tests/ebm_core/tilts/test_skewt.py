"""The base distribution against independent implementations and closed forms."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from ebm_core import SkewT
from ebm_core.tilts import hansen

CASES = [(0.0, 1.0, 5.0, -0.3), (1.0, 2.0, 1e6, 0.0), (-0.3, 0.5, 2.5, 0.6), (0.1, 1.3, 9.0, 0.2)]


@pytest.mark.parametrize("loc, scale, eta, lam", [c for c in CASES if c[2] > 3])
def test_density_integrates_to_one_with_the_stated_mean_and_variance(loc, scale, eta, lam):
    law = SkewT(loc, scale, eta, lam)

    def moment(power):
        return integrate.quad(
            lambda z: (
                (loc + scale * z) ** power
                * scale
                * law.log_prob(torch.tensor(loc + scale * z, dtype=torch.float64)).exp().item()
            ),
            -400,
            400,
            points=[-3, 0, 3],
            limit=500,
        )[0]

    assert moment(0) == pytest.approx(1, abs=1e-6)
    assert moment(1) == pytest.approx(loc, abs=1e-4)
    assert moment(2) - loc**2 == pytest.approx(scale**2, rel=1e-3)


@pytest.mark.parametrize("eta, lam", [(5.0, -0.3), (12.0, 0.4), (2.5, 0.0)])
def test_density_and_cdf_are_those_of_arch(eta, lam):
    from arch.univariate import SkewStudent

    y = np.array([-8.0, -1.2, -0.1, 0.0, 0.7, 3.0])
    law, theirs = SkewT(0.0, 1.0, eta, lam), SkewStudent()
    np.testing.assert_allclose(law.cdf(torch.tensor(y)), theirs.cdf(y, [eta, lam]), atol=1e-12)
    log_density = theirs.loglikelihood([eta, lam], y, np.ones(6), individual=True)
    np.testing.assert_allclose(law.log_prob(torch.tensor(y)), log_density, atol=1e-10)


def test_many_degrees_of_freedom_are_a_normal():
    y = torch.linspace(-4, 4, 9, dtype=torch.float64)
    np.testing.assert_allclose(SkewT(0.5, 2.0).log_prob(y), stats.norm(0.5, 2.0).logpdf(y), atol=1e-4)


@pytest.mark.parametrize("loc, scale, eta, lam", CASES)
def test_quantile_inverts_cdf(loc, scale, eta, lam):
    law = SkewT(loc, scale, eta, lam)
    u = torch.tensor([1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6], dtype=torch.float64)
    np.testing.assert_allclose(law.cdf(law.icdf(u)), u, atol=1e-10)


def test_normal_score_is_accurate_far_out_in_both_tails():
    law = SkewT(0.0, 1.0, 5.0, -0.3)
    score = torch.tensor([-8.5, -5.0, 0.0, 5.0, 8.5], dtype=torch.float64)
    np.testing.assert_allclose(law.normal_score(law.from_normal_score(score)), score, rtol=1e-8, atol=1e-10)


def test_shared_nodes_give_the_quantiles_of_each_member():
    batch = SkewT(
        torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 2.0, 3.0]), torch.tensor([5.0, 5.0, 9.0]), -0.2
    )
    nodes = torch.tensor([[-1.0], [0.5]], dtype=torch.float64)
    np.testing.assert_allclose(
        batch.from_normal_score(nodes), batch.from_normal_score(nodes.expand(2, 3)), atol=1e-12
    )


def test_log_density_gradient_is_that_of_finite_differences():
    parameters = torch.tensor([0.2, 1.4, 6.0, -0.25], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([-2.0, 0.4, 3.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: SkewT(p[0], p[1], p[2], p[3]).log_prob(y), (parameters,))


def test_a_negative_scale_is_refused_whatever_the_default_of_pytorch(monkeypatch):
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", False)
    with pytest.raises(ValueError, match="scale"):
        SkewT(0.0, -1.0)


@pytest.mark.parametrize("eta", [1e7 - 1, 1e7 + 1, 1e10, 1e12, 1e15, 1e18])
def test_many_degrees_of_freedom_give_the_normal(eta):
    law = SkewT(0.0, 1.0, eta)
    z = torch.tensor([-3.0, 0.0, 2.0], dtype=torch.float64)
    np.testing.assert_allclose(law.log_prob(z), stats.norm.logpdf(z), atol=1e-5)


@pytest.mark.parametrize("half", [4, 400, 499, 501, 2000, 50_000])
def test_the_constant_of_the_density_is_exact_for_all_degrees_of_freedom(half):
    """For η = 2k, Γ((η + 1)/2) / Γ(η/2) = √π k C(2k, k) / 4ᵏ."""
    ratio = math.sqrt(math.pi) * half * float(Fraction(math.comb(2 * half, half), 4**half))
    exact = math.log(ratio) - 0.5 * math.log(math.pi * (2 * half - 2))
    for xp, eta in ((np, np.array(2.0 * half)), (torch, torch.tensor(2.0 * half, dtype=torch.float64))):
        assert float(hansen.constants(xp, eta, 0.0 * eta)[2]) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("eta", [2.05, 3.0, 9.9, 20.0])
def test_quantiles_of_the_farthest_scores_are_inverse_to_scores(eta):
    law = SkewT(0.0, 1.0, eta, 0.3)
    score = torch.tensor([-36.0, -30.0, -21.0, 21.0, 33.0, 36.0], dtype=torch.float64)
    np.testing.assert_allclose(law.normal_score(law.from_normal_score(score)), score, rtol=1e-9)
