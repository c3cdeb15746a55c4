"""Wrong arguments of the public names give one ``ValueError`` that names the argument, before any work."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ebm_core as core

NAN, INF = math.nan, math.inf
COUNTS = (-1, NAN, INF, 2.5, "3")
"""What is not a whole number of 0 or more."""
SIZES = (0, *COUNTS)
"""What is not a whole number of 1 or more."""
NOT_NEGATIVE = (-1.0, NAN, INF, "x", None)
POSITIVE = (0.0, *NOT_NEGATIVE)

X = torch.randn(32, 2, generator=torch.Generator().manual_seed(0))
LABEL = torch.arange(32) % 2
NORMAL = core.GaussianEnergy(torch.zeros(2), torch.eye(2))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def mlp() -> core.MLPEnergy:
    return core.MLPEnergy(2, (4,), generator=seeded())


def start(count: int, generator: torch.Generator) -> Tensor:
    return torch.randn(count, 2, generator=generator)


def fitted(**options: Any) -> Any:
    numbers: Any = {"steps": 2, "batch": 4, "learning_rate": 0.1, "generator": seeded()} | options
    return core.fit(mlp(), X, core.DenoisingScoreMatching(0.1), **numbers)


def tilt(**options: Any) -> Any:
    energy = core.BilinearEnergy(2, hidden=2, features=2, seeds=1, generator=seeded())
    numbers: Any = {"validation": 8, "steps": 2, "learning_rate": 0.1, "weight_decay": 0.0} | options
    return core.fit_tilt(energy, X[:, 0], X, **({"generator": seeded()} | numbers))


def bilinear(**options: Any) -> Any:
    numbers: Any = {"inputs": 2, "hidden": 2, "features": 2, "seeds": 1, "generator": seeded()} | options
    return core.BilinearEnergy(**numbers)


def parzen(**options: Any) -> Any:
    return core.ManifoldParzen(
        X, LABEL, **({"neighbours": 3, "rank": 1, "noise": 0.1, "spread": 1.0} | options)
    )


def amortised(**options: Any) -> Any:
    return core.AmortisedSampler(nn.Linear(1, 2), **({"latent": 1, "noise_scale": 0.1} | options))


def chains(sampler: Callable[..., Any], **options: Any) -> Any:
    return sampler(NORMAL, **({"x": X, "steps": 1, "step_size": 0.1, "generator": seeded()} | options))


def tempered(**options: Any) -> Any:
    return chains(core.parallel_tempering, **({"x": torch.stack([X, X]), "temperatures": [1, 2]} | options))


def annealed(**options: Any) -> Any:
    numbers: Any = {"x": X, "steps": 1, "step_sizes": [0.1], "generator": seeded()} | options
    return core.annealed_langevin([NORMAL], **numbers)


def forward(**options: Any) -> Any:
    numbers: Any = {"chains": 8, "levels": 2, "step_sizes": [0.1], "generator": seeded()} | options
    return core.ais(NORMAL, NORMAL, **numbers)


def backward(**options: Any) -> Any:
    numbers: Any = {"x": X, "levels": 2, "step_sizes": [0.1], "generator": seeded()} | options
    return core.reverse_ais(NORMAL, NORMAL, **numbers)


def buffer(**options: Any) -> Any:
    return core.ReplayBuffer(start, **({"size": 8, "reinitialise": 0.1, "generator": seeded()} | options))


def surface(**options: Any) -> Any:
    energy = mlp()
    return core.loss_surface(energy, lambda: energy(X).mean(), seeded(), **options)


def histogram(**options: Any) -> Any:
    return core.energy_histogram(**({"data_energy": X[:, 0], "sample_energy": X[:, 1]} | options))


def mixture(**options: Any) -> Any:
    numbers: Any = {"means": X[:2], "scales": torch.ones(2), "weights": torch.tensor([0.5, 0.5])}
    return core.GaussianMixtureEnergy(**(numbers | options))


def logged(step: Any) -> Any:
    core.log_to_tensorboard(Path("never-made"), "tag", core.plane_slice(NORMAL, X, 5, 2.0), step)


WRONG_SCALES = (0.5, [], [0.0], [-1.0], [0.1, NAN], [INF], ["x"])
WRONG: list[tuple[str, Callable[[Any], Any], str, tuple[Any, ...]]] = [
    ("DoubleWellEnergy", lambda v: core.DoubleWellEnergy(v, 1.0), "d", SIZES),
    ("DoubleWellEnergy", lambda v: core.DoubleWellEnergy(1, v), "height", POSITIVE),
    ("FunnelEnergy", lambda v: core.FunnelEnergy(v), "d", SIZES),
    ("FunnelEnergy", lambda v: core.FunnelEnergy(2, v), "scale", POSITIVE),
    ("RastriginEnergy", lambda v: core.RastriginEnergy(v, 1.0), "d", SIZES),
    ("RastriginEnergy", lambda v: core.RastriginEnergy(2, v), "amplitude", NOT_NEGATIVE),
    ("GaussianEnergy", lambda v: core.GaussianEnergy(v, torch.eye(2)), "mean", (
        torch.zeros(2, 2), torch.tensor([0.0, NAN]), torch.zeros(2).long(), torch.zeros(0), [0.0, 0.0])),
    ("GaussianEnergy", lambda v: core.GaussianEnergy(torch.zeros(2), v), "covariance", (
        torch.eye(3), torch.ones(2, 3), torch.zeros(2, 2), NAN * torch.eye(2), INF * torch.eye(2),
        torch.ones(2), torch.tensor([[1.0, 0.5], [-0.5, 1.0]]), torch.eye(2).double(), torch.eye(2).long())),
    ("GaussianEnergy.sample", lambda v: NORMAL.sample(v, seeded()), "count", COUNTS),
    ("RosenbrockEnergy.sample", lambda v: core.RosenbrockEnergy().sample(v, seeded()), "count", COUNTS),
    ("mixture", lambda v: mixture(means=v), "means", (
        torch.zeros(3, 2), torch.zeros(2), torch.full((2, 2), NAN), torch.zeros(2, 2).long())),
    ("mixture", lambda v: mixture(scales=v), "scales", (
        torch.ones(3), torch.tensor([1.0, 0.0]), torch.tensor([1.0, INF]), torch.tensor([1.0, NAN]))),
    ("mixture", lambda v: mixture(weights=v), "weights", (
        torch.ones(2), torch.tensor([1.5, -0.5]), torch.tensor([0.5, NAN]), torch.tensor(1.0))),
    ("SumEnergy", lambda v: core.SumEnergy([NORMAL], v), "weights", ([1.0, 2.0], [NAN], [INF], [])),
    ("ScaledEnergy", lambda v: core.ScaledEnergy(NORMAL, v), "factor", POSITIVE),
    ("TemperedEnergy", lambda v: core.TemperedEnergy(NORMAL, v), "temperature", POSITIVE),
    ("MLPEnergy", lambda v: core.MLPEnergy(v, generator=seeded()), "d", SIZES),
    ("MLPEnergy", lambda v: core.MLPEnergy(2, v, generator=seeded()), "hidden", (8, (), (0,), (4, -1))),
    ("MLPEnergy", lambda v: core.MLPEnergy(2, generator=v), "generator", (None, 0)),
    ("ConvEnergy", lambda v: core.ConvEnergy(v, generator=seeded()), "channels", SIZES),
    ("ConvEnergy", lambda v: core.ConvEnergy(1, v, generator=seeded()), "hidden", (8, (0,), (NAN,))),
    ("RBM", lambda v: core.GaussianBernoulliRBM(v, 2, generator=seeded()), "d", SIZES),
    ("RBM", lambda v: core.GaussianBernoulliRBM(2, v, generator=seeded()), "hidden", SIZES),
    ("RBM.gibbs", lambda v: core.GaussianBernoulliRBM(2, 2, generator=seeded()).gibbs(X, v, seeded()),
     "steps", COUNTS),
    ("ClassEnergy", lambda v: core.ClassEnergy(nn.Linear(2, 2))(X, v), "label", (
        LABEL + 1, LABEL - 1, LABEL.double(), LABEL[:4], LABEL[:, None], [0] * 32)),
    ("FullPrecision", lambda v: core.FullPrecision(v), "module", (nn.ReLU(),)),
    ("parzen", lambda v: parzen(neighbours=v), "neighbours", SIZES),
    ("parzen", lambda v: parzen(rank=v), "rank", COUNTS),
    ("parzen", lambda v: parzen(noise=v), "noise", POSITIVE),
    ("parzen", lambda v: parzen(spread=v), "spread", NOT_NEGATIVE),
    ("parzen.sample", lambda v: parzen().sample(v, seeded()), "count", COUNTS),
    ("parzen.sample", lambda v: parzen().sample(4, seeded(), v), "label", (2, -1, 0.5, NAN)),
    ("amortised", lambda v: amortised(latent=v), "latent", SIZES),
    ("amortised", lambda v: amortised(proposals=v), "proposals", SIZES),
    ("amortised", lambda v: amortised(noise_scale=v), "noise_scale", POSITIVE),
    ("amortised", lambda v: amortised(learning_rate=v), "learning_rate", POSITIVE),
    ("amortised", lambda v: amortised(entropy_weight=v), "entropy_weight", (NAN, INF, None)),
    ("amortised.sample", lambda v: amortised().sample(v, seeded()), "count", COUNTS),
    ("fit", lambda v: fitted(steps=v), "steps", SIZES),
    ("fit", lambda v: fitted(batch=v), "batch", SIZES),
    ("fit", lambda v: fitted(checkpoint_every=v), "checkpoint_every", SIZES),
    ("fit", lambda v: fitted(learning_rate=v), "learning_rate", POSITIVE),
    ("fit", lambda v: fitted(decay=v), "decay", (-0.1, 1.1, NAN, None)),
    ("fit", lambda v: fitted(clip=v), "clip", (0.0, -1.0, NAN, INF, "x")),
    ("fit", lambda v: fitted(generator=v), "generator", (None, 0)),
    ("DataChains", lambda v: core.DataChains(v, 0.1), "steps", SIZES),
    ("DataChains", lambda v: core.DataChains(1, v), "step_size", POSITIVE),
    ("PersistentChains", lambda v: core.PersistentChains(buffer(), v, 0.1), "steps", SIZES),
    ("PersistentChains", lambda v: core.PersistentChains(buffer(), 1, v), "step_size", POSITIVE),
    ("contrastive", lambda v: core.ContrastiveDivergence(core.DataChains(1, 0.1), v), "energy_penalty",
     NOT_NEGATIVE),
    ("denoising", lambda v: core.DenoisingScoreMatching(v), "noise_scale", POSITIVE),
    ("sliced", lambda v: core.SlicedScoreMatching(v), "projections", SIZES),
    ("discrepancy", lambda v: core.EnergyDiscrepancy(v), "noise_scales", WRONG_SCALES),
    ("discrepancy", lambda v: core.EnergyDiscrepancy([0.1], v), "candidates", SIZES),
    ("JEM", lambda v: core.JEM(core.DenoisingScoreMatching(0.1), v), "weight", NOT_NEGATIVE),
    ("buffer", lambda v: buffer(size=v), "size", SIZES),
    ("buffer", lambda v: buffer(reinitialise=v), "reinitialise", (-0.1, 1.1, NAN, None)),
    ("buffer.draw", lambda v: buffer().draw(v, seeded()), "count", (*SIZES, 9)),
    *[(s.__name__, lambda v, s=s: chains(s, steps=v), "steps", COUNTS)
      for s in (core.langevin, core.mala, core.hmc)],
    *[(s.__name__, lambda v, s=s: chains(s, step_size=v), "step_size", POSITIVE)
      for s in (core.langevin, core.mala, core.hmc)],
    *[(s.__name__, lambda v, s=s: chains(s, generator=v), "generator", (None, 0))
      for s in (core.langevin, core.mala, core.hmc)],
    *[(s.__name__, lambda v, s=s: chains(s, adapt_to=v), "adapt_to", (0.0, 1.0, -1.0, NAN, INF))
      for s in (core.mala, core.hmc)],
    ("hmc", lambda v: chains(core.hmc, leapfrogs=v), "leapfrogs", SIZES),
    ("tempering", lambda v: tempered(steps=v), "steps", COUNTS),
    ("tempering", lambda v: tempered(step_size=v), "step_size", POSITIVE),
    ("tempering", lambda v: tempered(temperatures=v), "temperatures", (
        [], [1], [2, 3], [1, 1], [1, 0.5], [1, NAN], [1, INF])),
    ("annealed", lambda v: annealed(steps=v), "steps", COUNTS),
    ("annealed", lambda v: annealed(step_sizes=v), "step_sizes", ([], [0.0], [NAN], [INF], [0.1, 0.1])),
    ("trace", lambda v: core.trace(lambda x: x, X, v), "draws", SIZES),
    ("importance", lambda v: core.importance_log_z(NORMAL, NORMAL, v, seeded()), "count", (1, *SIZES)),
    ("ais", lambda v: forward(chains=v), "chains", (1, *SIZES)),
    ("ais", lambda v: forward(levels=v), "levels", SIZES),
    ("ais", lambda v: forward(step_sizes=v), "step_sizes", WRONG_SCALES),
    ("reverse", lambda v: backward(levels=v), "levels", SIZES),
    ("reverse", lambda v: backward(step_sizes=v), "step_sizes", WRONG_SCALES),
    ("reverse", lambda v: backward(x=v), "x", (X[:1], X[:, 0], X.long(), X.numpy())),
    ("bracket", lambda v: core.bracket(forward(), backward(), v), "errors", NOT_NEGATIVE),
    ("LogZ.of", lambda v: core.LogZ.of(v, 0.0), "log_weights", (torch.zeros(1), torch.zeros(0), X)),
    ("LogZ.of", lambda v: core.LogZ.of(X[:, 0], v), "base_log_z", (NAN, INF)),
    ("r_hat", lambda v: core.r_hat(v), "draws", (X, torch.zeros(3, 2, 2), NAN * torch.ones(8, 2, 2))),
    *[("bilinear", lambda v, name=name: bilinear(**{name: v}), name, SIZES)
      for name in ("inputs", "features", "seeds")],
    ("bilinear", lambda v: bilinear(hidden=v), "hidden", COUNTS),
    ("widened", lambda v: core.widened(bilinear(), v, seeded()), "hidden", (1, *SIZES)),
    ("LinearPool", lambda v: core.LinearPool(v, torch.ones(0, 1)), "members", ([],)),
    ("LinearPool", lambda v: core.LinearPool([core.SkewT(torch.zeros(1), 1.0)], v), "weights", (
        torch.ones(1), torch.ones(2, 1), torch.full((1, 1), NAN), torch.full((1, 1), 2.0))),
    ("pool weights", lambda v: core.fit_pool_weights(v), "log_density", (
        np.zeros(3), np.zeros((3, 0)), np.full((3, 2), NAN), np.full((3, 2), INF), np.full((3, 2), -INF),
        np.array([[0.0, 0.0], [-INF, -INF]]))),
    ("pool weights", lambda v: core.fit_pool_weights(np.zeros((3, 2)), v), "prior", NOT_NEGATIVE),
    *[("SkewT", lambda v, name=name: core.SkewT(**({"loc": 0.0, "scale": 1.0} | {name: v})), name, of)
      for name, of in (("loc", (NAN, INF)), ("scale", (0.0, -1.0, NAN, INF)),
                       ("eta", (2.0, -1.0, NAN, INF)), ("lam", (1.0, -1.0, NAN, INF)))],
    ("TiltedDistribution", lambda v: core.TiltedDistribution(core.SkewT(0.0, 1.0), core.untilted, v), "count",
     SIZES),
    ("fit_tilt", lambda v: tilt(validation=v), "validation", (*SIZES, 32, 40)),
    ("fit_tilt", lambda v: tilt(steps=v), "steps", SIZES),
    ("fit_tilt", lambda v: tilt(learning_rate=v), "learning_rate", POSITIVE),
    ("fit_tilt", lambda v: tilt(weight_decay=v), "weight_decay", NOT_NEGATIVE),
    ("fit_tilt", lambda v: tilt(generator=v), "generator", (None, 0)),
    ("fit_tilt", lambda v: core.fit_tilt(bilinear(), v, X, **{}), "score", (X, NAN * X[:, 0])),
    ("fit_tilt", lambda v: core.fit_tilt(bilinear(), X[:, 0], v, **{}), "x", (X[:4], X[:, :1], NAN * X)),
    ("ksd", lambda v: core.ksd(NORMAL, X, seeded(), v), "length", (0.0, -1.0, NAN, INF, "x")),
    ("ksd", lambda v: core.ksd(NORMAL, v, seeded()), "x", (X[:1], X[:, 0], NAN * X, X.long())),
    ("mmd", lambda v: core.mmd(X, v, seeded()), "y", (X[:1], X[:, :1], NAN * X)),
    ("histogram", lambda v: histogram(bins=v), "bins", SIZES),
    ("histogram", lambda v: histogram(data_energy=v), "data_energy", (X, X[:0, 0], NAN * X[:, 0])),
    ("plane_slice", lambda v: core.plane_slice(NORMAL, X, v), "resolution", (1, *SIZES)),
    ("plane_slice", lambda v: core.plane_slice(NORMAL, X, 5, v), "radius", POSITIVE),
    ("plane_slice", lambda v: core.plane_slice(NORMAL, v), "data", (X[:2], X[:, 0], NAN * X, X.long())),
    ("loss_surface", lambda v: surface(span=v), "span", POSITIVE),
    ("loss_surface", lambda v: surface(resolution=v), "resolution", (1, *SIZES)),
    ("tensorboard", lambda v: logged(v), "step", COUNTS),
]  # fmt: skip
CASES = [
    pytest.param(call, name, value, id=f"{of}-{name}-{at}")
    for of, call, name, values in WRONG
    for at, value in enumerate(values)
]


@pytest.mark.parametrize(("call", "name", "value"), CASES)
def test_a_wrong_argument_is_named_with_what_is_expected(
    call: Callable[[Any], Any], name: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=rf"\b{name}\b") as caught:
        call(value)
    message = str(caught.value)
    assert "\n" not in message.strip() or name in ("loc", "scale", "eta", "lam")  # those of PyTorch


def test_numbers_of_other_libraries_are_taken() -> None:
    assert core.DoubleWellEnergy(np.int64(2), np.float32(3)).d == 2
    assert core.ScaledEnergy(NORMAL, torch.tensor(2.0))(X).shape == (32,)
    assert core.EnergyDiscrepancy(np.array([0.1, 0.2]), candidates=np.int32(4)).candidates == 4
    assert core.fit_pool_weights(np.array([[0.0, -INF], [0.0, 0.0]])).sum() == pytest.approx(1)
    assert len(NORMAL.sample(0, seeded())) == 0
