"""Copulas against the distributions of SciPy, and conditional draws against closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from ebm_core.tilts.copula import EllipticalCopula, normal_of_student, student_of_normal

R = np.array([[[1.0, 0.6, -0.2], [0.6, 1.0, 0.3], [-0.2, 0.3, 1.0]], np.eye(3)])
DEGREES = [4.5, 30.0, math.inf]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("nu", DEGREES)
def test_the_density_is_that_of_the_joint_distribution_over_its_marginals(nu):
    x = np.random.default_rng(0).normal(size=(2, 3)) * 2
    if nu == math.inf:
        joint = [stats.multivariate_normal(cov=r).logpdf(row) for r, row in zip(R, x, strict=True)]
        own = stats.norm
    else:
        joint = [stats.multivariate_t(shape=r, df=nu).logpdf(row) for r, row in zip(R, x, strict=True)]
        own = stats.t(nu)
    scores = normal_of_student(torch.tensor(x), nu)
    found = EllipticalCopula(torch.tensor(R), nu).log_density(scores)
    assert found.numpy() == pytest.approx(np.array(joint) - own.logpdf(x).sum(1), abs=1e-9)


@pytest.mark.parametrize("nu", DEGREES)
def test_whitened_coordinates_return_far_into_the_tails(nu):
    copula = EllipticalCopula(torch.tensor(R), nu)
    scores = torch.linspace(-12, 12, 30, dtype=torch.float64).reshape(2, 5, 3)
    assert (student_of_normal(scores, nu).abs() < 1e30).all()
    assert copula.scores(copula.whiten(scores)).numpy() == pytest.approx(scores.numpy(), abs=1e-6)


@pytest.mark.parametrize("nu", [8.0, math.inf])
def test_draws_have_uniform_marginals_and_the_correlation(nu):
    copula = EllipticalCopula(torch.tensor(R), nu)
    scores = copula.scores(copula.draw(40_000, generator())[None].expand(2, -1, -1))
    x = student_of_normal(scores, nu)
    for k, r in enumerate(R):
        assert np.corrcoef(x[k].numpy().T) == pytest.approx(r, abs=0.03)
        for member in scores[k].numpy().T:
            assert stats.kstest(member[::2], "norm").pvalue > 1e-4
    w = copula.draw(10, generator())
    assert torch.equal(w[:5], -w[5:])


@pytest.mark.parametrize("nu", [8.0, math.inf])
def test_conditional_draws_have_the_closed_form(nu):
    """Their mean is R_ba R_aa⁻¹ x_a, and their covariance that of a t with ν + 1 degrees of freedom."""
    copula = EllipticalCopula(torch.tensor(R), nu)
    score = -2.0
    x = student_of_normal(torch.tensor([score], dtype=torch.float64), nu).item()
    drawn = student_of_normal(copula.scores(copula.draw_given({1: score}, 200_000, generator())), nu)
    for k, r in enumerate(R):
        assert drawn[k, :, 1].numpy() == pytest.approx(x, rel=1e-9)
        rest = drawn[k][:, [0, 2]].numpy()
        mean = r[[0, 2], 1] * x
        spread = r[np.ix_([0, 2], [0, 2])] - np.outer(r[[0, 2], 1], r[[0, 2], 1])
        factor = 1.0 if nu == math.inf else (nu + x**2) / (nu + 1) * (nu + 1) / (nu - 1)
        assert rest.mean(0) == pytest.approx(mean, abs=0.02)
        assert np.cov(rest.T) == pytest.approx(spread * factor, abs=0.05)


@pytest.mark.parametrize(
    ("correlation", "nu", "words"),
    [
        (np.ones((2, 3)), 8.0, "expected \\(dates, d, d\\)"),
        (np.ones((1, 2, 2)), 8.0, "leave out duplicates"),
        (R, 2.0, "nu - 2"),
        (np.ones((1, 1, 1)), 8.0, "number of variables"),
    ],
)
def test_wrong_arguments_are_named(correlation, nu, words):
    with pytest.raises(ValueError, match=words):
        EllipticalCopula(torch.tensor(correlation), nu)


@pytest.mark.parametrize("given", [{}, {0: 1.0, 1: 1.0, 2: 1.0}, {5: 1.0}])
def test_some_but_not_all_variables_can_be_given(given):
    with pytest.raises(ValueError, match="expected some, but not all, of 0 to 2"):
        EllipticalCopula(torch.tensor(R), 8.0).draw_given(given, 10, generator())
