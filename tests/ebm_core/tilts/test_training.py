"""Training recovers a known tilt, stops on later data, and says what went wrong."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from ebm_core import BilinearEnergy, SkewT, TiltedDistribution, fit_seeds, fit_tilt, fit_tilts
from ebm_core.tilts import likelihood, regression, seeds, training
from ebm_core.tilts.likelihood import PARAMETERS, TRAINING_PANELS, have_formulas, negative_log_tilts
from ebm_core.tilts.quadrature import panels
from ebm_core.tilts.regression import fit_skewt_regression

OPTIONS = {"validation": 800, "steps": 300, "learning_rate": 0.02, "weight_decay": 0.01}


def shifted_scores(rows: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores that are N(0.6·x, 1) where the base says N(0, 1)."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 1, generator=generator)
    return 0.6 * x[:, 0] + torch.randn(rows, generator=generator), x


def fit(score, x, seeds=2, hidden=0, **options):
    generator = torch.Generator().manual_seed(1)
    energy = BilinearEnergy(x.shape[1], hidden, 8, seeds, generator)
    return fit_tilt(energy, score, x, generator=generator, **{**OPTIONS, **options})


def losses_of(energies: list[BilinearEnergy], score: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return negative_log_tilts(energies, score, x, have_formulas(energies, score, x))


def recovered(energy: BilinearEnergy) -> bool:
    """Whether the tilted N(0, 1) has the mean 0.6·x within 0.12 and the variance 1 within 0.2."""
    energy, at = energy.double(), torch.tensor([[-1.0], [0.0], [1.5]], dtype=torch.float64)
    with torch.no_grad():
        law = TiltedDistribution(SkewT(torch.zeros(3), 1.0), lambda s: energy(s, at).mean(0))
        off = (law.mean - 0.6 * at[:, 0]).abs().max(), (law.variance - 1).abs().max()
    return bool(off[0] < 0.12 and off[1] < 0.2)


def test_a_known_tilt_is_recovered_and_with_the_sign_of_its_loss_flipped_is_not(monkeypatch):
    score, x = shifted_scores(4000)
    assert recovered(fit(score, x).module)
    monkeypatch.setattr(training, "negative_log_tilts", lambda *of: -negative_log_tilts(*of))
    wrong = fit(score, x)
    assert min(wrong.best_step) > 0 and not recovered(wrong.module)


def test_held_out_likelihood_gains_what_theory_says():
    """The gain of N(0.6x, 1) over N(0, 1) is 0.18 nats on average."""
    score, x = shifted_scores(4000)
    energy = fit(score, x).module
    later, x_later = shifted_scores(4000, seed=9)
    with torch.no_grad():
        gain = -losses_of([energy], later, x_later).mean(1)
    assert (gain > 0.15).all()
    assert (gain < 0.21).all()


def test_with_nothing_to_learn_the_model_stays_near_its_base():
    generator = torch.Generator().manual_seed(3)
    score, x = torch.randn(4000, generator=generator), torch.randn(4000, 3, generator=generator)
    trained = fit(score, x, hidden=8)
    assert trained.validation[0].abs().max() < 1e-5
    assert (trained.validation.min(0).values > -0.01).all()


def perturbed(hidden: tuple[int, ...], size: float) -> list[BilinearEnergy]:
    generator = torch.Generator().manual_seed(0)
    energies = [BilinearEnergy(1, units, 3, 2, generator).double() for units in hidden]
    with torch.no_grad():
        for parameter in (p for energy in energies for p in energy.parameters()):
            parameter.add_(size * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return energies


def of_parameters(energies: list[BilinearEnergy], library: Any, score: torch.Tensor, x: torch.Tensor) -> Any:
    """Return losses and gradients of their mean by the formulas for a library."""
    rule = panels(TRAINING_PANELS)
    given = [score, x, torch.tensor(rule.score), torch.tensor(rule.log_weight).exp()]
    given += [getattr(energy, name).detach() for energy in energies for name in PARAMETERS]
    arrays = given if library is torch else [each.numpy() for each in given]
    losses, kept = likelihood.losses(library, *arrays)
    return losses, likelihood.gradients(library, library.ones_like(losses) / losses.shape[1], *kept)


@pytest.mark.parametrize("library", [np, torch])
@pytest.mark.parametrize("size", [0.3, 40.0])
def test_losses_and_gradients_are_those_of_autograd(size, library):
    """Large parameters give energies whose exponentials would overflow."""
    score, x = (each.double() for each in shifted_scores(30))
    energies = perturbed((0, 4), size)
    names = [getattr(energy, name) for energy in energies for name in PARAMETERS]
    rule = panels(TRAINING_PANELS)
    nodes, log_weight = torch.tensor(rule.score)[:, None], torch.tensor(rule.log_weight)[:, None]
    expected = torch.cat([e(score, x) + torch.logsumexp(log_weight - e(nodes, x), 1) for e in energies])
    gradients = torch.autograd.grad(expected.mean(1).sum(), names, allow_unused=True)
    losses, found = of_parameters(energies, library, score, x)
    np.testing.assert_allclose(losses, expected.detach(), rtol=1e-10, atol=1e-10)
    for ours, theirs in zip(found, gradients, strict=True):
        np.testing.assert_allclose(
            ours, torch.zeros(ours.shape) if theirs is None else theirs, rtol=1e-8, atol=1e-10
        )


def test_the_loss_has_a_gradient_for_inputs_that_need_one():
    score, x = (each.double() for each in shifted_scores(20))
    losses = losses_of(perturbed((0, 4), 0.3), score, x.requires_grad_())
    assert torch.autograd.grad(losses.sum(), x)[0].abs().sum() > 0


class Doubled(BilinearEnergy):
    def forward(self, score, x):
        return 2 * super().forward(score, x)


def test_the_loss_of_a_subclass_is_that_of_its_own_energy():
    score, x = shifted_scores(50)
    energies = [kind(1, 2, 3, 2, torch.Generator().manual_seed(0)) for kind in (BilinearEnergy, Doubled)]
    for energy, size in zip(energies, (0.4, 0.2), strict=True):
        torch.nn.init.constant_(energy.bias, size)
    losses = [losses_of([energy], score, x) for energy in energies]
    torch.testing.assert_close(*losses)
    gradients = [
        torch.autograd.grad(loss.mean(), energy.bias) for loss, energy in zip(losses, energies, strict=True)
    ]
    torch.testing.assert_close(gradients[0][0] * 2, gradients[1][0])


@pytest.mark.parametrize("features", [4, 5])
def test_fits_together_are_those_of_each_alone(features):
    score, x = shifted_scores(1500)
    sizes = ((0, 4), (3, features))
    starts = [BilinearEnergy(1, *size, 2, torch.Generator().manual_seed(0)) for size in sizes]
    options = {**OPTIONS, "validation": 300, "steps": 60}
    together = fit_tilts(starts, score, x, generator=torch.Generator().manual_seed(5), **options)
    for start, fit_ in zip(starts, together, strict=True):
        alone = fit_tilt(start, score, x, generator=torch.Generator().manual_seed(5), **options)
        assert fit_.best_step == alone.best_step
        torch.testing.assert_close(fit_.validation, alone.validation)
        torch.testing.assert_close(fit_.module.state_dict(), alone.module.state_dict())


def test_a_seed_without_improvement_for_the_patience_is_finished():
    score, x = shifted_scores(1500)
    full, short = (fit(score, x, validation=300, patience=patience) for patience in (None, 60))
    assert full.steps[-1] == 300
    assert short.steps[-1] == max(short.best_step) + 60
    for seed, best in enumerate(short.best_step):
        since = [i for i, step in enumerate(full.steps) if step <= best + 60]
        assert full.steps[int(full.validation[since, seed].argmin())] == best


def test_seeds_do_not_touch_each_other():
    score, x = shifted_scores(1500)
    start = BilinearEnergy(1, 0, 4, 3, torch.Generator().manual_seed(0))
    alone = BilinearEnergy(1, 0, 4, 1, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, parameter in alone.named_parameters():
            parameter.copy_(dict(start.named_parameters())[name][1:2])
    options = {**OPTIONS, "validation": 300, "steps": 60}
    both = fit_tilt(start, score, x, generator=torch.Generator().manual_seed(5), **options).module
    one = fit_tilt(alone, score, x, generator=torch.Generator().manual_seed(5), **options).module
    np.testing.assert_allclose(both.bias[1].detach(), one.bias[0].detach(), atol=1e-5)


def test_the_same_generator_gives_the_same_bits():
    score, x = shifted_scores(1500)
    first, second = (fit(score, x, validation=300, steps=40).module for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


class Killed(Exception):
    pass


def test_steps_are_those_of_the_optimiser_and_schedule_of_torch():
    module = torch.nn.Linear(3, 2)
    torch.nn.init.constant_(module.weight, 0.5)
    torch.nn.init.zeros_(module.bias)
    module.register_parameter("unused", torch.nn.Parameter(torch.ones(2)))
    theirs = copy.deepcopy(module)
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    options = {"validation": 10, "steps": 40, "learning_rate": 0.05, "weight_decay": 0.3}

    def loss(module, rows):
        return (module(x[rows]) - 1).square().mT

    found = fit_seeds(module, loss, 50, generator=torch.Generator().manual_seed(1), **options)
    assert found.best_step == [40, 40]
    optimiser = torch.optim.AdamW(theirs.parameters(), lr=0.05, weight_decay=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 40)
    generator = torch.Generator().manual_seed(1)
    for _ in range(40):
        optimiser.zero_grad()
        loss(theirs, torch.randint(40, (40,), generator=generator)).mean(1).sum().backward()
        optimiser.step()
        schedule.step()
    torch.testing.assert_close(dict(found.module.named_parameters()), dict(theirs.named_parameters()))


@pytest.mark.parametrize("after", [1, 57, 120])
def test_a_killed_fit_goes_on_to_the_same_bits(tmp_path, monkeypatch, after):
    score, x = shifted_scores(1500)
    options = {"hidden": 4, "validation": 300, "steps": 120, "checkpoint": tmp_path / "fit.safetensors"}
    whole = fit(score, x, **{**options, "checkpoint": None})
    step, taken = seeds._AdamW.step, []

    def dying(optimiser, *arguments):
        taken.append(1)
        if len(taken) == after:
            raise Killed
        return step(optimiser, *arguments)

    monkeypatch.setattr(seeds._AdamW, "step", dying)
    with pytest.raises(Killed):
        fit(score, x, **options)
    monkeypatch.undo()
    resumed = fit(score, x, **options)
    assert all(map(torch.equal, whole.module.parameters(), resumed.module.parameters()))
    assert torch.equal(whole.validation, resumed.validation)
    assert (whole.steps, whole.best_step) == (resumed.steps, resumed.best_step)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.safetensors"]


def test_a_checkpoint_of_another_fit_is_refused(tmp_path):
    score, x = shifted_scores(1500)
    at = tmp_path / "fit.safetensors"
    fit(score, x, validation=300, steps=20, checkpoint=at)
    with pytest.raises(ValueError, match="belongs to another fit"):
        fit(score, x, validation=300, steps=40, checkpoint=at)
    at.write_bytes(b"half a file")
    with pytest.raises(ValueError, match="is not a checkpoint"):
        fit(score, x, validation=300, steps=20, checkpoint=at)


def test_single_and_double_precision_agree():
    score, x = shifted_scores(1500)
    single = fit(score, x, hidden=4, validation=300, steps=60).module
    double = fit_tilt(
        BilinearEnergy(1, 4, 8, 2, torch.Generator().manual_seed(1)).double(),
        score.double(),
        x.double(),
        generator=advanced(4),
        **{**OPTIONS, "validation": 300, "steps": 60},
    ).module
    at, there = torch.linspace(-3, 3, 7)[:, None], x[:20]
    with torch.no_grad():
        np.testing.assert_allclose(single(at, there), double(at.double(), there.double()), atol=2e-4)


def advanced(hidden: int) -> torch.Generator:
    """The generator of :func:`fit` after it has drawn the start of the energy."""
    generator = torch.Generator().manual_seed(1)
    BilinearEnergy(1, hidden, 8, 2, generator)
    return generator


def test_non_finite_scores_and_divergence_are_named():
    score, x = shifted_scores(1000)
    score[3] = float("nan")
    with pytest.raises(ValueError, match="score has non-finite"):
        fit(score, x, validation=200)
    score, x = shifted_scores(1000)
    with pytest.raises(FloatingPointError, match=r"BilinearEnergy is not finite at step \d+"):
        fit(score, x, validation=200, learning_rate=1e30)


def test_regression_recovers_location_scale_and_shape():
    generator = np.random.default_rng(0)
    n = 6000
    x = np.column_stack([np.ones(n), generator.normal(size=n)])
    truth = SkewT(torch.tensor(0.3 * x[:, 1]), torch.tensor(np.exp(0.2 + 0.5 * x[:, 1])), 6.0, -0.2)
    y = truth.icdf(torch.tensor(generator.uniform(size=n))).numpy()
    found = fit_skewt_regression(
        y, x, x, prior_gamma=np.zeros(2), prior_beta=np.zeros(2), penalty_loc=1.0, penalty_scale=1.0
    )
    np.testing.assert_allclose(found.gamma, [0, 0.3], atol=0.05)
    np.testing.assert_allclose(found.beta, [0.2, 0.5], atol=0.04)
    assert found.eta == pytest.approx(6, rel=0.25)
    assert found.lam == pytest.approx(-0.2, abs=0.05)


@pytest.mark.parametrize(("eta", "lam"), [(3.3, 0.4), (50.0, -0.6), (2.2, 0.0)])
def test_the_density_of_the_regression_and_its_derivatives_are_those_of_the_skewed_t(eta, lam):
    z, *shape = (
        torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for value in (np.linspace(-4, 4, 41), eta, lam)
    )
    expected = SkewT(0.0, 1.0, *shape, validate_args=False).log_prob(z)
    expected.sum().backward()
    found = regression._log_density(z.detach().numpy(), eta, lam)
    for value, right in zip(found, (expected.detach(), z.grad, *(s.grad for s in shape)), strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-9, atol=1e-9)


def test_regression_refuses_non_finite_inputs():
    with pytest.raises(ValueError, match="x_scale has non-finite"):
        fit_skewt_regression(
            np.zeros(5),
            np.ones((5, 1)),
            np.full((5, 1), np.inf),
            prior_gamma=np.zeros(1),
            prior_beta=np.zeros(1),
            penalty_loc=1.0,
            penalty_scale=1.0,
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_training_on_a_gpu_agrees_with_the_cpu():
    score, x = shifted_scores(2000)
    on_cpu = fit(score, x, validation=400, steps=40).module
    on_gpu = fit(score.cuda(), x.cuda(), validation=400, steps=40).module
    for a, b in zip(on_cpu.parameters(), on_gpu.parameters(), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), atol=1e-3)


def test_a_checkpoint_of_other_data_is_refused_and_named(tmp_path):
    score, x = shifted_scores(1500)
    at = tmp_path / "fit.safetensors"
    fit(score, x, validation=300, steps=20, checkpoint=at)
    fit(score, x, validation=300, steps=20, checkpoint=at)
    with pytest.raises(ValueError, match=r"another fit: (score|x) "):
        fit(score + 1, x, validation=300, steps=20, checkpoint=at)


SLOPE = 1.0


def sloped(module, rows):
    return SLOPE * module(torch.zeros(len(rows)), torch.ones(len(rows), 1))


def test_a_checkpoint_of_another_seed_or_of_another_global_of_the_loss_is_refused(tmp_path, monkeypatch):
    def fit_again(seed=1):
        energy = BilinearEnergy(1, 0, 8, 2, torch.Generator().manual_seed(0))
        options = {**OPTIONS, "validation": 30, "steps": 5, "checkpoint": tmp_path / "fit.safetensors"}
        return fit_seeds(energy, sloped, 100, generator=torch.Generator().manual_seed(seed), **options)

    fit_again()
    fit_again()
    with pytest.raises(ValueError, match=r"another fit: generator seed 1, now seed 2"):
        fit_again(seed=2)
    monkeypatch.setitem(globals(), "SLOPE", 2.0)
    with pytest.raises(ValueError, match=r"another fit: loss\.SLOPE 1\.0, now 2\.0"):
        fit_again()


@pytest.mark.parametrize("slope", [1.0, 15.0])
def test_a_fit_from_too_steep_an_energy_is_refused(slope):
    score, x = shifted_scores(400)
    energy = BilinearEnergy(1, 0, 2, 1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        energy.score_weight.fill_(slope)
        energy.score_bias.copy_(torch.tensor([[-4.0, 9.0]]))
        energy.bias.copy_(torch.tensor([[[6.0, -6.0]]]))
    options = {"validation": 100, "steps": 1, "learning_rate": 1e-6, "weight_decay": 0.0}

    def run():
        return fit_tilt(energy, score, x, generator=torch.Generator().manual_seed(0), **options)

    if slope == 1.0:
        run()
    else:
        with pytest.raises(
            FloatingPointError,
            match=r"^energy: the normaliser of the energy at the start is off by .* flatter",
        ):
            run()


def test_a_seed_that_becomes_too_steep_keeps_its_start():
    score, x = shifted_scores(400)
    energy = BilinearEnergy(1, 8, 8, 2, torch.Generator().manual_seed(1))
    options = {"validation": 100, "steps": 20, "learning_rate": 50.0, "weight_decay": 0.0}
    fit = fit_tilt(
        energy, torch.full_like(score, 0.3), x, generator=torch.Generator().manual_seed(0), **options
    )
    assert fit.best_step == [0, 0]
    for name, p in energy.named_parameters():
        torch.testing.assert_close(dict(fit.module.named_parameters())[name], p)


@pytest.mark.parametrize("hidden", [0, 4])
def test_no_rows_have_no_energies(hidden: int) -> None:
    energy = BilinearEnergy(3, hidden, 5, 2, torch.Generator().manual_seed(0))
    assert energy(torch.zeros(0), torch.zeros(0, 3)).shape == (2, 0)
    assert energy.coefficients(torch.zeros(0, 3)).shape == (2, 0, 5)
