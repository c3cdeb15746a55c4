"""Linear pools against their members, and weights that past scores earn."""

import numpy as np
import pytest
import torch
from scipy import integrate

from ebm_core import LinearPool, SkewT, TiltedDistribution, fit_pool_weights, untilted

MEMBERS = (
    SkewT(torch.tensor([0.0, 1.0]), torch.tensor([0.4, 2.0]), torch.tensor([4.0, 9.0]), -0.3),
    SkewT(torch.tensor([2.5, 0.5]), torch.tensor([1.0, 0.7]), 1e6, torch.tensor([0.0, 0.2])),
)
WEIGHTS = torch.tensor([[0.7, 0.4], [0.3, 0.6]], dtype=torch.float64)
POOL = LinearPool(MEMBERS, WEIGHTS)


def test_density_integrates_to_one_with_the_moments_of_the_mixture():
    for i in range(2):
        p = lambda y, i=i: POOL.log_prob(torch.tensor([y, y]))[i].exp().item()  # noqa: E731
        moments = [
            integrate.quad(lambda y, k=k, p=p: y**k * p(y), -400, 400, points=[0, 1, 2.5], limit=800)[0]
            for k in range(3)
        ]
        variance = moments[2] - moments[1] ** 2
        assert moments[0] == pytest.approx(1, abs=1e-6)
        assert POOL.mean[i].item() == pytest.approx(moments[1], abs=1e-5)
        assert POOL.variance[i].item() == pytest.approx(variance, rel=1e-3)


def test_icdf_inverts_cdf_between_well_separated_members_and_in_both_tails():
    u = torch.tensor([1e-9, 1e-3, 0.2, 0.699, 0.701, 0.9, 0.999, 1 - 1e-9], dtype=torch.float64)[:, None]
    np.testing.assert_allclose(POOL.cdf(POOL.icdf(u)), u.expand(-1, 2), atol=1e-9)
    score = torch.tensor([-8.5, 8.5], dtype=torch.float64)[:, None]
    np.testing.assert_allclose(
        POOL.normal_score(POOL.from_normal_score(score)), score.expand(-1, 2), atol=1e-8
    )


def test_a_pool_of_one_is_that_member():
    alone = LinearPool(MEMBERS[:1], torch.ones(1, 2, dtype=torch.float64))
    y = torch.tensor([[-3.0], [0.2], [5.0]])
    assert torch.equal(alone.log_prob(y), MEMBERS[0].log_prob(y))
    np.testing.assert_allclose(alone.normal_score(y), MEMBERS[0].normal_score(y), atol=1e-12)


def test_a_pool_can_be_tilted():
    law = TiltedDistribution(POOL, untilted, 128)
    np.testing.assert_allclose(law.mean, POOL.mean, atol=1e-4)
    y = torch.tensor([[-1.0], [1.0], [2.0]])
    np.testing.assert_allclose(law.cdf(y), POOL.cdf(y), atol=1e-9)


def test_weights_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        LinearPool(MEMBERS, WEIGHTS * 0.9)
    with pytest.raises(ValueError, match="expected \\(members"):
        LinearPool(MEMBERS, WEIGHTS[:1])


def test_weights_are_those_of_the_truth_shrunk_to_equal_ones():
    generator = np.random.default_rng(0)
    n = 20_000
    which = generator.uniform(size=n) < 0.8
    y = torch.tensor(np.where(which, generator.normal(0, 1, n), generator.normal(3, 1, n)))
    each = [SkewT(m, 1.0).log_prob(y).numpy() for m in (0.0, 3.0)]
    scores = np.column_stack(each)
    np.testing.assert_allclose(fit_pool_weights(scores), [0.8, 0.2], atol=0.01)
    np.testing.assert_allclose(fit_pool_weights(scores, prior=1e9), [0.5, 0.5], atol=1e-3)
    np.testing.assert_allclose(fit_pool_weights(scores[:0]), [0.5, 0.5])
    with pytest.raises(ValueError, match="NaN"):
        fit_pool_weights(np.array([[0.0, np.nan]]))


def test_weights_that_sum_to_one_up_to_rounding_are_made_to() -> None:
    member = SkewT(torch.full((1,), 1000.0), 1.0)
    pool = LinearPool([member], torch.full((1, 1), 1 - 5e-6, dtype=torch.float64))
    half = torch.tensor([0.5], dtype=torch.float64)
    torch.testing.assert_close(pool.icdf(half), member.icdf(half), rtol=1e-14, atol=0)
