"""Copulas in whitened coordinates against scipy and closed forms of conditional distributions."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from ebm_core import EllipticalCopula
from ebm_core.tilts.copula import normal_of_student, student_of_normal

R = torch.tensor(
    [
        [[1.0, 0.6, -0.3], [0.6, 1.0, 0.1], [-0.3, 0.1, 1.0]],
        [[1.0, -0.2, 0.5], [-0.2, 1.0, 0.4], [0.5, 0.4, 1.0]],
    ],
    dtype=torch.float64,
)
NUS = [2.5, 5.0, 40.0, math.inf]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def laws(nu: float, r: np.ndarray):
    """The joint distribution and its marginals."""
    if nu == math.inf:
        return stats.multivariate_normal(np.zeros(len(r)), r), stats.norm()
    return stats.multivariate_t(np.zeros(len(r)), r, nu), stats.t(nu)


@pytest.mark.parametrize("nu", NUS)
def test_log_density_is_that_of_scipy(nu):
    x = 2 * torch.randn(2, 3, generator=generator(), dtype=torch.float64).numpy()
    expected = []
    for date in range(2):
        joint, marginal = laws(nu, R[date].numpy())
        expected.append(joint.logpdf(x[date]) - marginal.logpdf(x[date]).sum())
    scores = stats.norm.ppf(laws(nu, np.eye(2))[1].cdf(x))
    found = EllipticalCopula(R, nu).log_density(torch.as_tensor(scores))
    assert found.numpy() == pytest.approx(np.array(expected), abs=1e-9)


@pytest.mark.parametrize("nu", NUS)
def test_scores_and_whitened_coordinates_are_inverse_also_far_in_the_tails(nu):
    tails = torch.linspace(-20, 20, 401, dtype=torch.float64)
    back = normal_of_student(student_of_normal(tails, nu), nu)
    assert (back - tails).abs().max() < 1e-10
    copula = EllipticalCopula(R, nu)
    scores = 2 * torch.randn(2, 1000, 3, generator=generator(), dtype=torch.float64).clamp(-2.5, 2.5)
    scores[:, 0], scores[:, 1], scores[:, 2] = 8.0, -8.0, torch.tensor([8.0, -8.0, 8.0])
    assert (copula.scores(copula.whiten(scores)) - scores).abs().max() < 1e-10


@pytest.mark.parametrize("nu", NUS)
def test_quantiles_are_monotone_and_odd(nu):
    s = torch.linspace(-12, 12, 999, dtype=torch.float64)
    x = student_of_normal(s, nu)
    assert (x.diff() > 0).all() and torch.equal(student_of_normal(-s, nu), -x)


def test_the_root_is_the_symmetric_one_so_that_coordinates_stay_those_of_their_variables():
    w = torch.randn(2, 5, 3, generator=generator(), dtype=torch.float64)
    order = [2, 0, 1]
    permuted = EllipticalCopula(R[:, order][:, :, order], 4.0)
    assert permuted.scores(w[..., order]).numpy() == pytest.approx(
        EllipticalCopula(R, 4.0).scores(w)[..., order].numpy(), abs=1e-12
    )


@pytest.mark.parametrize("nu", [5.0, math.inf])
def test_draws_mapped_back_have_uniform_margins_and_the_rank_correlation_of_the_copula(nu):
    copula = EllipticalCopula(R, nu)
    w = copula.draw(40_000, generator())
    assert torch.equal(w[:20_000], -w[20_000:])
    scores = copula.scores(w.expand(2, -1, -1))
    for date in range(2):
        s = scores[date, :20_000].numpy()
        assert all(stats.kstest(column, "norm").pvalue > 1e-3 for column in s.T)
        tau = np.array([[stats.kendalltau(a[:4000], b[:4000])[0] for a in s.T] for b in s.T])
        assert np.sin(np.pi / 2 * tau) == pytest.approx(R[date].numpy(), abs=0.05)


@pytest.mark.parametrize("nu", [7.0, math.inf])
def test_draws_given_some_variables_have_the_conditional_mean_and_covariance(nu):
    copula = EllipticalCopula(R, nu)
    given = {2: -1.7, 0: 1.1}  # not in the order of the variables
    w = copula.draw_given(given, 200_000, generator(1))
    x = torch.einsum("nij,nkj->nki", copula._root, w)
    known = student_of_normal(torch.tensor([1.1, -1.7], dtype=torch.float64), nu)
    assert (x[..., [0, 2]] - known).abs().max() < 1e-9
    scores = copula.scores(w[:, :1000])
    assert (scores[..., 0] - 1.1).abs().max() < 1e-9 and (scores[..., 2] + 1.7).abs().max() < 1e-9
    for date in range(2):
        inner = torch.linalg.inv(R[date][[0, 2]][:, [0, 2]])
        across = R[date][1, [0, 2]]
        mean, spread = across @ inner @ known, 1 - across @ inner @ across
        scale = 1.0 if nu == math.inf else (nu + known @ inner @ known) / (nu + 2)
        law = stats.norm() if nu == math.inf else stats.t(nu + 2)
        free = (x[date, :, 1] - mean) / (spread * scale) ** 0.5
        assert abs(free.mean()) < 1e-9  # antithetic
        assert free.var().item() == pytest.approx(law.var(), rel=0.03)
        assert stats.kstest(free[:100_000:5].numpy(), law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("nu", [6.0, math.inf])
def test_draws_given_one_of_three_have_the_conditional_covariance(nu):
    copula = EllipticalCopula(R, nu)
    x = torch.einsum("nij,nkj->nki", copula._root, copula.draw_given({1: 2.0}, 400_000, generator(2)))
    known = student_of_normal(torch.tensor(2.0, dtype=torch.float64), nu)
    for date in range(2):
        across = R[date][[0, 2], 1]
        covariance = R[date][[0, 2]][:, [0, 2]] - across[:, None] * across
        if nu != math.inf:
            covariance = covariance * (nu + known**2) / (nu + 1) * (nu + 1) / (nu - 1)
        rest = x[date][:, [0, 2]]
        assert rest.mean(0).numpy() == pytest.approx((across * known).numpy(), abs=1e-9)
        assert rest.T.cov().numpy() == pytest.approx(covariance.numpy(), rel=0.03, abs=0.03)


def test_one_seed_gives_the_same_bits_and_another_does_not():
    copula = EllipticalCopula(R, 5.0)
    assert torch.equal(copula.draw(11, generator(3)), copula.draw(11, generator(3)))
    assert not torch.equal(copula.draw(11, generator(3)), copula.draw(11, generator(4)))
    first, second = (copula.draw_given({0: 1.0}, 11, generator(3)) for _ in range(2))
    assert first.shape == (2, 11, 3) and torch.equal(first, second)


def test_single_precision_is_computed_in_double():
    scores = torch.tensor([[0.5, -1.0, 2.0], [0.0, 1.0, -3.0]])
    copula = EllipticalCopula(R.float(), 5)
    assert torch.equal(copula.log_density(scores), copula.log_density(scores.double()))


def test_two_and_five_hundred_variables_are_finite():
    for d in (2, 500):
        copula = EllipticalCopula((0.5 * torch.eye(d) + 0.5)[None], 4.0)
        w = copula.draw(6, generator())
        assert torch.isfinite(copula.log_density(copula.scores(w[None])[:, 0])).all()


def wrong(change) -> torch.Tensor:
    r = R.clone()
    change(r)
    return r


@pytest.mark.parametrize(
    ("correlation", "nu", "message"),
    [
        (R[0], 5.0, r"correlation: shape \(3, 3\); expected \(dates, d, d\)"),
        (R[:, :2], 5.0, r"correlation: shape \(2, 2, 3\); expected"),
        (R[:0], 5.0, r"correlation: shape \(0, 3, 3\); expected"),
        (torch.ones(1, 1, 1), 5.0, "the number of variables: 1; expected 2 or more"),
        (wrong(lambda r: r[1, 0, 1].fill_(math.nan)), 5.0, "the matrix of date 1 .*expected finite"),
        (wrong(lambda r: r[1, 0, 1].fill_(0.3)), 5.0, "correlation: the matrix of date 1 .*symmetric"),
        (2 * R, 5.0, "correlation: the matrix of date 0 .*ones on the diagonal"),
        (torch.ones(1, 2, 2), 5.0, "correlation: the matrix of date 0 has the eigenvalue .*duplicates"),
        (torch.tensor([[[1.0, 2.0], [2.0, 1.0]]]), 5.0, "the eigenvalue -1; expected positive definite"),
        (R, 2.0, "nu: 2.0; expected a number above 2"),
        (R, math.nan, "nu: nan; expected a number above 2"),
        (R, -math.inf, "nu: -inf; expected a number above 2"),
        (R, "5", "nu: '5'; expected a number above 2"),
    ],
)
def test_wrong_correlations_and_degrees_of_freedom_are_refused(correlation, nu, message):
    with pytest.raises(ValueError, match=message) as refused:
        EllipticalCopula(correlation, nu)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"given: \[\]; expected some, but not all, of 0 to 2"),
        ({0: 0.0, 1: 0.0, 2: 0.0}, "expected some, but not all"),
        ({3: 0.0}, r"given: \[3\]; expected"),
        ({-1: 0.0}, r"given: \[-1\]; expected"),
        ({1: math.nan}, r"given\[1\]: nan; expected a finite number"),
        ({1: math.inf}, r"given\[1\]: inf; expected a finite number"),
    ],
)
def test_wrong_given_scores_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        EllipticalCopula(R, 5.0).draw_given(given, 10, generator())


@pytest.mark.parametrize("method", ["whiten", "scores", "log_density"])
def test_wrong_points_are_refused(method):
    call = getattr(EllipticalCopula(R, 5.0), method)
    for shape in ((2, 4), (1, 3), (3,)):
        with pytest.raises(ValueError, match=r"(scores|whitened): shape .*; expected"):
            call(torch.zeros(shape).double())
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not finite"):
            call(torch.full((2, 3), value).double())
    with pytest.raises(ValueError, match="generator: "):
        EllipticalCopula(R).draw(10, 0)
    with pytest.raises(ValueError, match="count: 1; expected 2 or more"):
        EllipticalCopula(R).draw(1, generator())
