"""Samplers against laws that are known, by moments and by Stein discrepancy over several seeds."""

from functools import partial

import pytest
import torch

from ebm_core import MLPEnergy, TemperedEnergy
from ebm_core.energies.analytic import DoubleWellEnergy, GaussianEnergy, GaussianMixtureEnergy
from ebm_core.sampling.convergence import effective_sample_size, r_hat, trace
from ebm_core.sampling.replay import ReplayBuffer
from ebm_core.sampling.samplers import annealed_langevin, hmc, langevin, mala
from ebm_core.sampling.tempering import parallel_tempering
from ebm_core.views.discrepancies import ksd

MEAN = torch.tensor([1.0, -0.5])
COVARIANCE = torch.tensor([[1.0, 0.5], [0.5, 0.8]])
TARGET = GaussianEnergy(MEAN, COVARIANCE)
CHAINS = 400


def by_langevin(energy, x, generator):
    return langevin(energy, x, 400, 0.02, generator)


def by_mala(energy, x, generator):
    warm = mala(energy, x, 60, 0.1, generator, adapt_to=0.7)
    return mala(energy, warm.x, 60, warm.step_size, generator).x


def by_hmc(energy, x, generator):
    warm = hmc(energy, x, 40, 0.1, generator, leapfrogs=4, adapt_to=0.8)
    return hmc(energy, warm.x, 20, warm.step_size, generator, leapfrogs=4).x


def by_tempering(energy, x, generator):
    return parallel_tempering(energy, x.expand(3, *x.shape), 60, 0.3, [1, 2, 4], generator).x[0]


def by_annealing(energy, x, generator):
    path = [TemperedEnergy(energy, t) for t in (4, 2, 1)]
    return annealed_langevin(path, x, 200, [0.06, 0.04, 0.02], generator)


SAMPLERS = [by_langevin, by_mala, by_hmc, by_tempering, by_annealing]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_recovers_moments_and_passes_the_stein_test(sampler):
    """Five seeds at the 1 % level after Bonferroni; moments within four standard errors of all draws."""
    p_values, draws = [], []
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        x = sampler(TARGET, 3 * torch.randn(CHAINS, 2, generator=generator), generator)
        p_values.append(ksd(TARGET, x, generator).p_value)
        draws.append(x)
    assert min(p_values) > 0.01 / 5
    x = torch.cat(draws)
    four_errors = 4 / len(x) ** 0.5
    assert ((x.mean(0) - MEAN).abs() < four_errors * COVARIANCE.diag().sqrt()).all()
    assert ((x.T.cov() - COVARIANCE).abs() < 2 * four_errors + 0.02).all()


def test_the_stein_test_sees_a_wrong_step():
    generator = torch.Generator().manual_seed(0)
    x = langevin(TARGET, TARGET.sample(CHAINS, generator), 100, 0.3, generator)
    assert ksd(TARGET, x, generator).p_value < 0.01


def test_langevin_errs_by_the_closed_form_of_its_step():
    """For E = x²/2 the stationary variance is 1/(1 − η/2)."""
    generator, eta = torch.Generator().manual_seed(0), 0.4
    standard = GaussianEnergy(torch.zeros(1), torch.eye(1))
    x = langevin(standard, torch.randn(40_000, 1, generator=generator), 30, eta, generator)
    assert float(x.var()) == pytest.approx(1 / (1 - eta / 2), rel=0.03)


def test_trajectories_that_would_return_to_their_start_mix():
    energy = GaussianEnergy(torch.zeros(2), torch.eye(2))
    x = torch.full((500, 2), 3.0)
    moves = hmc(energy, x, 50, 2 * torch.pi / 100, torch.Generator().manual_seed(0), leapfrogs=100)
    assert moves.x.mean(0).abs().max() < 0.2 and (moves.x.std(0) - 1).abs().max() < 0.15


def test_adaptation_ends_near_the_acceptance_asked_for_and_reports_it():
    generator = torch.Generator().manual_seed(0)
    x = TARGET.sample(200, generator)
    for sampler, wanted, near in ((mala, 0.574, 0.06), (partial(hmc, leapfrogs=2), 0.8, 0.12)):
        warm = sampler(TARGET, x, 200, 1e-4, generator, adapt_to=wanted)
        moves = sampler(TARGET, warm.x, 100, warm.step_size, generator)
        assert float(moves.acceptance.mean()) == pytest.approx(wanted, abs=near)
        assert moves.step_size == pytest.approx(warm.step_size)


def test_same_generator_same_chains_and_the_start_is_left_alone():
    energy = MLPEnergy(3, generator=torch.Generator().manual_seed(0))
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    start = x.clone()
    first, second = (langevin(energy, x, 20, 0.1, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first, second) and torch.equal(x, start) and not torch.equal(first, start)


def test_tempering_crosses_where_langevin_stays():
    apart = GaussianMixtureEnergy(
        torch.tensor([[-3.0, 0.0], [3.0, 0.0]]), torch.ones(2), torch.tensor([0.25, 0.75])
    )
    generator = torch.Generator().manual_seed(0)
    x = apart.means[:1] + torch.randn(300, 2, generator=generator)
    cold = langevin(apart, x, 200, 0.1, generator)
    assert (cold[:, 0] > 0).float().mean() < 0.3
    tempered = parallel_tempering(apart, x.expand(4, *x.shape), 200, 0.5, [1, 2, 4, 9], generator)
    assert float((tempered.x[0, :, 0] > 0).float().mean()) == pytest.approx(0.75, abs=0.08)
    assert (tempered.swaps > 0.2).all()


def test_metropolis_reports_a_step_at_which_nothing_is_possible():
    with pytest.raises(ValueError, match="step_size: no proposal"):
        mala(DoubleWellEnergy(2, 3.0), torch.ones(10, 2), 5, 1e20, torch.Generator().manual_seed(0))


def test_r_hat_and_effective_size_tell_mixed_chains_from_stuck_ones():
    pytest.importorskip("arviz_stats")
    generator = torch.Generator().manual_seed(0)
    independent = torch.randn(200, 4, 1, generator=generator)
    assert r_hat(independent)[0] < 1.02
    assert effective_sample_size(independent)[0] == pytest.approx(800, rel=0.25)
    stuck = 0.1 * independent + torch.arange(4.0)[:, None]
    assert r_hat(stuck)[0] > 2
    slow = trace(lambda x: langevin(TARGET, x, 1, 0.01, generator), TARGET.sample(4, generator), 200)
    assert effective_sample_size(slow).max() < 100


def test_one_chain_has_an_effective_size_and_no_r_hat():
    pytest.importorskip("arviz_stats")
    one = torch.randn(200, 1, 2, generator=torch.Generator().manual_seed(0))
    assert effective_sample_size(one) == pytest.approx([200, 200], rel=0.5)
    with pytest.raises(ValueError, match=r"^draws: shape \(200, 1, 2\); .* 2 chains"):
        r_hat(one)
    with pytest.raises(ValueError, match=r"^draws: "):
        effective_sample_size(one[:, :0])
    with pytest.raises(ValueError, match=r"^draws: "):
        effective_sample_size(one[:3])


def test_replayed_chains_go_on_where_they_were_put():
    generator = torch.Generator().manual_seed(0)
    buffer = ReplayBuffer(lambda n, g: torch.zeros(n, 2), 100, 0.0, generator)
    index, x = buffer.draw(10, generator)
    assert len(set(index.tolist())) == 10
    buffer.put(index, x + 1)
    assert (buffer.chains.sum(1) == 2).nonzero().flatten().tolist() == sorted(index.tolist())
    with pytest.raises(ValueError, match="x: non-finite"):
        buffer.put(index, x * torch.nan)


def test_replayed_chains_start_anew_as_often_as_asked():
    generator = torch.Generator().manual_seed(0)
    buffer = ReplayBuffer(lambda n, g: torch.zeros(n, 2), 4000, 0.1, generator)
    buffer.chains += 1
    _, x = buffer.draw(4000, generator)
    assert float((x == 0).all(1).float().mean()) == pytest.approx(0.1, abs=0.02)


def test_energies_from_elsewhere_work_here_and_ours_there():
    core = pytest.importorskip("torchebm.core")
    samplers = pytest.importorskip("torchebm.samplers")
    generator = torch.Generator().manual_seed(0)
    theirs = core.GaussianModel(MEAN, COVARIANCE)
    x = langevin(theirs, torch.randn(2000, 2, generator=generator), 300, 0.02, generator)
    torch.testing.assert_close(x.mean(0), MEAN, rtol=0, atol=0.1)

    class Ours(core.BaseModel):
        def forward(self, x):
            return TARGET(x)

    sampler = samplers.LangevinDynamics(Ours(), step_size=0.02)
    x = sampler.sample(x=torch.randn(2000, 2, generator=generator), n_steps=300, generator=generator)
    torch.testing.assert_close(x.mean(0), MEAN, rtol=0, atol=0.1)
    torch.testing.assert_close(x.T.cov(), COVARIANCE, rtol=0, atol=0.12)


def test_tempering_whose_every_proposal_explodes_blames_the_step_size() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 8, 2, generator=generator)
    with pytest.raises(ValueError, match=r"^step_size:"):
        parallel_tempering(lambda x: x.pow(4).sum(1), x, 5, 1e15, [1.0, 2.0], generator)
