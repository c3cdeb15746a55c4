# # Energy-based learning in an hour
#
# An **energy** is a function that is low for likely data and high for unlikely data. In this tutorial you
# define an energy, train it, look at it and draw samples from it. Then you write an energy of your own, see
# an energy overfit, and use energies in Basin. You need the basics of PyTorch and no GPU. The tutorial takes
# about an hour.
#
# Every block of code is short. Paste the blocks in order into a Python prompt (`.venv/bin/python`) at the
# root of the repository. Pictures and files go to `runs/tutorial`. Together the blocks take about a minute on
# one core of a recent processor. All blocks are also in one script, `docs/tutorial/tutorial.py`. If you
# change the script, this command runs it and writes this page again, with every number and picture:
#
#     .venv/bin/python docs/tutorial/render.py
#
# All random numbers come from seeded generators, so you should see the numbers on this page. Processors add
# floating-point numbers in different orders, so expect differences of up to 0.02, and of up to 0.2 in section
# 8, which explains why.
#
# ## Preparation

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from matplotlib.figure import Figure
from sklearn.datasets import make_moons
from torch import nn

from ebm_core import (
    AmortisedSampler,
    BilinearEnergy,
    ContrastiveDivergence,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    MLPEnergy,
    PersistentChains,
    ReplayBuffer,
    fit,
    fit_tilt,
    langevin,
    widened,
)

torch.set_num_threads(1)
work = Path("runs/tutorial")
work.mkdir(parents=True, exist_ok=True)


def show(figure: Figure, name: str) -> None:
    figure.savefig(work / f"{name}.png")


# The networks of this page are so small that several threads would wait for each other longer than they
# compute. With two threads on a busy machine of two cores, section 5 took twenty times as much processor
# time.

# ## 1. Define an energy
#
# The data are points on two half moons. In `ebm_core` an energy is any callable from a batch of points, shape
# `(B, 2)`, to one number for each, shape `(B,)`. `MLPEnergy` is a small neural network of that kind.
#
# An energy *E* defines a probability density p(x) = exp(−E(x)) / Z. Z is the integral of exp(−E) over all x,
# so that the density integrates to one. Z is called the **normaliser** or partition function.


def moons(count: int, seed: int) -> torch.Tensor:
    x, _ = make_moons(count, noise=0.08, random_state=seed)
    return torch.as_tensor((x - [0.5, 0.25]) / [0.9, 0.5], dtype=torch.float32)


train, held_out = moons(1000, seed=0), moons(1000, seed=1)
generator = torch.Generator().manual_seed(0)
energy = MLPEnergy(2, (64, 64), generator=generator)
anywhere = 4 * torch.rand(1000, 2, generator=generator) - 2
print(f"mean energy of data {energy(held_out).mean():.2f}, of random points {energy(anywhere).mean():.2f}")

# The network is untrained, so the energy of the data is about that of random points. A trained energy must
# distinguish data from random points. The 1,000 points of `held_out` are not used in training and show how
# well the trained energy distinguishes data from random points.

# ## 2. Train it
#
# The usual way to fit a density is to maximise the **log-likelihood**, the mean of log p(x) over the data.
# The log-likelihood needs Z, and in many dimensions this integral cannot be computed. **Score matching**
# avoids it. The score is the gradient of log p(x), and since Z is a constant the score is −∇E(x). *Denoising*
# score matching adds noise to a data point and trains the score to point back to where the point came from.
#
# In two dimensions we can afford to compute Z on a grid, and use it only to check the result. Log-likelihoods
# are in **nats**, the unit of natural logarithms. Higher is better: with one nat more, the density at the
# data is e ≈ 2.7 times as high.

side = torch.linspace(-3, 3, 121)
grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).reshape(-1, 2)


def log_likelihood(model, x: torch.Tensor) -> float:
    with torch.no_grad():
        log_z = torch.logsumexp(-model(grid), 0) + 2 * torch.log(side[1] - side[0])
        return float((-model(x)).mean() - log_z)


trained = fit(
    energy,
    train,
    DenoisingScoreMatching(noise_scale=0.15),
    steps=1500,
    batch=128,
    learning_rate=3e-3,
    generator=generator,
).averaged
print(f"held-out log-likelihood: untrained {log_likelihood(energy, held_out):.2f} nats")
print(f"held-out log-likelihood: trained {log_likelihood(trained, held_out):.2f} nats")

# A uniform density over the square of the grid, which has an area of 36, has −log 36 = −3.58 nats. The
# untrained energy is about as good as that. `fit` returns the trained `energy`, and in `averaged` the same
# network with weights that are averaged over the last steps, which is usually the better one.
#
# Try a `noise_scale` of 0.5. The density is then too blurred, and the log-likelihood falls to about −2.5.

# ## 3. Look at it
#
# A contour plot shows the energy as a landscape, with held-out points in white.


def landscape(models: dict, points: dict | None = None) -> Figure:
    figure = Figure(figsize=(4.2 * len(models), 3.6), layout="constrained")
    panels = figure.subplots(1, len(models), squeeze=False)[0]
    levels = [0, *np.geomspace(0.05, 12, 16)]
    for axes, (name, model) in zip(panels, models.items(), strict=True):
        with torch.no_grad():
            heights = model(grid).view(len(side), -1).numpy()
        axes.contourf(side, side, np.minimum(heights - heights.min(), 12), levels=levels, cmap="viridis")
        shown = (points or {}).get(name, held_out)
        axes.scatter(*shown[:300].T, s=3, c="white")
        axes.set(title=name, xlim=(-2.6, 2.6), ylim=(-2.6, 2.6))
    return figure


show(landscape({"untrained": energy, "trained": trained}), "landscape")

# After training, two valleys (dark) lie where the data are, and the energy rises everywhere else.
#
# A second check is to draw samples. The **Langevin sampler** moves points down the gradient of the energy and
# adds noise at every step. After many small steps the points are distributed nearly as p(x).

samples = langevin(trained, anywhere, steps=500, step_size=3e-3, generator=generator)
show(landscape({"samples by Langevin": trained}, {"samples by Langevin": samples}), "samples")

# The samples started anywhere in the square and end on the moons. An energy that is low at the data but also
# low elsewhere would fail this check, because samples would collect in the wrong places.

# ## 4. Use a module of your own
#
# Any `torch.nn.Module` that maps `(B, *shape)` to `(B,)` can be trained as an energy. The energy below is a
# wide bowl with a learned bump or dent at each of 169 fixed centres. The bowl matters: an energy must rise
# far from the data, because otherwise Z is infinite and there is no density.


class BumpEnergy(nn.Module):
    # fmt: off
    def __init__(self, centres: torch.Tensor, radius: float) -> None:
        super().__init__()
        self.register_buffer("centres", centres)
        self.radius = radius
        self.height = nn.Parameter(torch.zeros(len(centres)))
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bowl = x.square().sum(1) / 18
        squared_distance = (x[:, None] - self.centres).square().sum(2)
        return bowl + torch.exp(-squared_distance / (2 * self.radius**2)) @ self.height


places = torch.linspace(-2.4, 2.4, 13)
generator = torch.Generator().manual_seed(0)
own = fit(
    BumpEnergy(torch.cartesian_prod(places, places), radius=0.3),
    train,
    EnergyDiscrepancy(noise_scales=(0.1, 0.3, 1.0), candidates=8),
    steps=500,
    batch=128,
    learning_rate=0.1,
    generator=generator,
    decay=0.99,
).averaged
print(f"held-out log-likelihood {log_likelihood(own, held_out):.2f} nats")

# `EnergyDiscrepancy` is another way to train without Z. This objective compares the energy of each data point
# with the energies of noisy neighbours, and the data point should have the lowest. All objectives of
# `ebm_core` that need no labels, and all samplers, accept your module.
#
# An energy also tells the usual from the strange. Call a point strange if its energy is above that of 99 % of
# the training data:

limit = own(train).quantile(0.99)
for name, points in (("held-out data", held_out), ("random points", anywhere)):
    print(f"share of strange points among {name}: {(own(points) > limit).float().mean():.2f}")

# Few of the held-out points are strange, but most of the random points are. Try fewer centres, or a network
# of your own in `forward`.

# ## 5. Watch it overfit
#
# A model **overfits** if it learns the noise in its training data and gets worse on new data. This section
# trains an energy of the kind that Basin uses in forecasts. A forecast is a density of an outcome, given
# inputs x. We start from a simple forecast, the **base** q, and multiply it by exp(−E) / Z, which is called
# the **tilt**. With an energy of zero the forecast is the base itself. The **gain** of an energy is the mean
# log-likelihood of the tilted forecast minus that of the base, in nats.
#
# `BilinearEnergy` takes an outcome *s*, measured so that the base is N(0, 1), and inputs x. In the data below
# the base is wrong about the spread, which depends on the product of two of eight inputs. The outcome has one
# dimension, so Z is easy to compute by a sum over a grid, and `fit_tilt` trains by maximum likelihood.
# `fit_tilt` holds the latest rows back as a **validation block**, measures the gain on it every 20 steps, and
# keeps the weights of the best step.


def rows(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=draws, dtype=torch.double)
    spread = torch.exp(0.7 * torch.tanh(2 * x[:, 0] * x[:, 1]))
    return spread * torch.randn(count, generator=draws, dtype=torch.double), x


def tilt(hidden: int) -> BilinearEnergy:
    draws = torch.Generator().manual_seed(0)
    return BilinearEnergy(8, hidden, features=8, seeds=1, generator=draws).double()


def train_tilt(start: BilinearEnergy):
    draws = torch.Generator().manual_seed(0)
    options = {"steps": 400, "learning_rate": 1e-2, "weight_decay": 0.0, "generator": draws}
    return fit_tilt(start, s, x, validation=400, **options)


nodes = torch.linspace(-9, 9, 181, dtype=torch.double)[:, None]
log_base = torch.distributions.Normal(0, 1).log_prob(nodes) + torch.log(nodes[1] - nodes[0])


def gain(model: BilinearEnergy, s: torch.Tensor, x: torch.Tensor) -> float:
    with torch.no_grad():
        log_z = torch.logsumexp(log_base - model(nodes, x), 1)
        return float((-model(s, x) - log_z).mean())


s, x = rows(1500, seed=0)
new_s, new_x = rows(4000, seed=1)
print("hidden units  training batch  validation, last step  validation, best step   new data")
for hidden in (2, 16, 128):
    fitted = train_tilt(tilt(hidden))
    validation, new = -fitted.validation, gain(fitted.module, new_s, new_x)
    print(f"{hidden:12d}{-fitted.loss[-1].item():+z16.3f}{validation[-1].item():+z23.3f}"
          f"{validation.max().item():+z23.3f}{new:+z11.3f}")  # fmt: skip

figure = Figure(figsize=(5, 3.2), layout="constrained")
axes = figure.subplots()
axes.plot(fitted.steps, -fitted.loss, label="training batch")
axes.plot(fitted.steps, -fitted.validation, label="validation block")
axes.axhline(0, color="grey", lw=0.8)
axes.set(xlabel="step", ylabel="gain over the base, nats", title="128 hidden units")
axes.legend()
show(figure, "overfit")

# With 128 hidden units the gain on the training data keeps rising, while the gain on the validation block
# falls below zero, which is worse than no energy at all. The best step is then the first, where the energy is
# zero and the forecast is the base. With 2 and 16 units the forecast improves on new data.

# ## 6. Grow it only as far as it pays
#
# How many hidden units are right? Start with one, and widen. `widened` adds hidden units with zero output, so
# the wider energy is the same function and training goes on from there. Stop when the gain on the validation
# block no longer rises by 0.002 nats.

kept, before = None, 0.0
for hidden in (1, 2, 4, 8, 16):
    start = tilt(1) if kept is None else widened(kept, hidden, torch.Generator().manual_seed(hidden))
    fitted = train_tilt(start)
    now = -fitted.validation.min().item()
    print(f"{hidden:4d} hidden units: validation gain {now:+.3f}")
    if now < before + 0.002:
        break
    kept, before = fitted.module, now

print(f"kept {kept.hidden} hidden units: gain on new data {gain(kept, new_s, new_x):+.3f}")

# The energy with eight units has a higher gain on new data than any of section 5.

# ## 7. Train by contrastive divergence
#
# **Contrastive divergence** follows the gradient of the log-likelihood approximately. This method lowers the
# energy of data and raises the energy of samples from the model, until data and samples cannot be
# distinguished. So the method needs samples at every step of training, and these come from Langevin
# **chains**. A chain is a point that the Langevin sampler of section 3 moves again and again.
#
# Starting the chains anew for every step is slow, because each needs many moves to reach the valleys.
# *Persistent* contrastive divergence keeps the chains in a **replay buffer** and moves them on by a few
# steps. Compare 100 moves from a fresh start with 10 moves of chains that are kept. At each step a kept chain
# still has a chance of 2 % to start anew.


def start_points(count: int, draws: torch.Generator) -> torch.Tensor:
    return 4 * torch.rand(count, 2, generator=draws) - 2


seconds = {}
for name, moves, fresh in (("fresh", 100, 1.0), ("persistent", 10, 0.02)):
    draws = torch.Generator().manual_seed(0)
    chains = PersistentChains(ReplayBuffer(start_points, 1024, fresh, draws), steps=moves, step_size=0.02)
    began = time.process_time()
    contrasted = fit(
        MLPEnergy(2, (64, 64), generator=draws),
        train,
        ContrastiveDivergence(chains, energy_penalty=1e-3),
        steps=1000,
        batch=128,
        learning_rate=1e-3,
        generator=draws,
        decay=0.99,
    ).averaged
    seconds[name] = time.process_time() - began
    print(f"{name} chains: held-out log-likelihood {log_likelihood(contrasted, held_out):.2f} nats")

print("less than a third of the time:", seconds["persistent"] < seconds["fresh"] / 3)

# Persistent chains are about as good, in less than a third of the time. Neither kind of chains is as good
# here as score matching in section 2. Contrastive divergence needs chains that reach every valley. Score
# matching needs no chains, but it learns poorly how much of the data lies in each of two valleys that are far
# apart.

# ## 8. Train with a generator
#
# A **generator** is a network that turns random numbers into samples in one pass, without a chain. A
# generator can learn to sample from the energy while the energy learns from its samples, much as in a
# generative adversarial network (GAN). A term for the entropy, which measures how spread out the samples are,
# keeps the generator from always giving the point of lowest energy.
#
# PyTorch draws the weights of a new network from its global generator. The inner loop below replaces these
# weights by draws from the seeded generator.


def train_hybrid(seed: int) -> tuple[nn.Module, AmortisedSampler]:
    draws = torch.Generator().manual_seed(seed)
    network = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
    for layer in network:
        for parameter in layer.parameters():
            bound = layer.in_features**-0.5
            nn.init.uniform_(parameter, -bound, bound, generator=draws)
    sampler = AmortisedSampler(network, latent=2, noise_scale=0.15, learning_rate=5e-3)
    hybrid = fit(
        MLPEnergy(2, (64, 64), generator=draws),
        train,
        ContrastiveDivergence(sampler, energy_penalty=0.1),
        steps=2000,
        batch=128,
        learning_rate=1e-3,
        generator=draws,
    ).averaged
    return hybrid, sampler


fresh = moons(1000, seed=2)
for seed in (0, 1, 2):
    hybrid, sampler = train_hybrid(seed)
    print(f"seed {seed}: log-likelihood of fresh points {log_likelihood(hybrid, fresh):.2f} nats")

made = sampler.sample(300, torch.Generator().manual_seed(0))
name = "energy, samples of the generator"
show(landscape({name: hybrid}, {name: made}), "hybrid")

# Drawing samples now takes one pass through the generator. But the picture shows that the fit is poor: energy
# and samples cover the region of the moons, and hardly follow their shape. This is the least reliable method
# on this page. Energy and generator learn from each other, and small differences grow from step to step. Over
# the seeds 0 to 4 the log-likelihood was between −2.36 and −2.25 nats, and the same seed can give another
# number on another processor.
#
# The log-likelihood also depends on the settings. The `energy_penalty` keeps energies near zero, and a larger
# penalty blurs the density. The settings above are the best of about ten that were compared by the
# log-likelihood of `held_out`. A figure on the same points would be too good, so the block draws fresh ones.
# With a penalty of 0.001, a `noise_scale` of 0.2 and 2,500 steps, the log-likelihood of `held_out` was from
# −3.35 to −2.58 nats over six runs, and the worst was hardly better than the uniform density with −3.58. So
# compare several seeds, and prefer score matching where it works.

# ## 9. Audit the data
#
# A model cannot be better than its data. In this made-up table of patients a measurement of the scanner shows
# who is ill, although it does not describe the patient. A model would learn the scanner instead of the
# illness. `basin audit` finds such a **shortcut** before anything is trained. The same command in a shell is
#
#     basin audit --data runs/tutorial/patients.csv --spec runs/tutorial/spec.yaml --out runs/tutorial/audit

draws = np.random.default_rng(0)
table = pd.DataFrame({"tissue": draws.normal(size=400), "ill": (np.arange(400) % 3 == 0).astype(int)})
table["scanner"] = 1.5 * table["ill"] + draws.normal(size=400)
table.to_csv(work / "patients.csv", index=False)
(work / "spec.yaml").write_text("label: ill\nsource: [scanner]\n")
basin = Path(sys.executable).with_name("basin")
files = ["--data", work / "patients.csv", "--spec", work / "spec.yaml", "--out", work / "audit"]
done = subprocess.run([basin, "audit", *files], capture_output=True, text=True)
for check in json.loads((work / "audit/audit.json").read_text())["checks"]:
    if check["status"] == "fail":
        print(f"{check['id']}: AUROC {check['measured']['scanner']:.2f} from {check['at_fault']}, "
              f"limit {check['threshold']:.2f}")  # fmt: skip

print("exit code", done.returncode)

# The **AUROC** is the area under the receiver operating characteristic. Of one patient who is ill and one who
# is not, the AUROC is the probability that the patient who is ill has the higher value. A column that says
# nothing about the illness has 0.5, and one that separates the two groups without error has 1. The exit code
# of 1 stops a script before it trains on such data. The audit also writes an HTML report, `audit.html`.

# ## 10. Put it on a schedule
#
# `basin serve` starts a scheduler and a worker on this machine, and runs the jobs below until you press
# Ctrl-C. They are defined in `prefect.yaml`. The times are in UTC, in the format of cron: minute, hour, day
# of the month, month, day of the week.

for deployment in yaml.safe_load(Path("prefect.yaml").read_text(encoding="utf-8"))["deployments"]:
    for schedule in deployment["schedules"]:
        print(f"{deployment['name']:16s} {schedule['cron']}")

# [Scheduled runs](../guides/scheduling.md) describes what each of them does.

# ## Where to go from here
#
# - `basin run --domain images --out out/images` trains one energy on handwritten digits. The energy
#   tells which digit a picture shows, and pictures of anything else are rejected. [Running an
#   application](../guides/applications.md) shows how to use data of your own.
# - [`ebm_core`](../ebm-core.md) lists all energies, samplers and objectives, and says when to use which.
# - [How it works](../concepts/how-it-works.md) explains how energies forecast markets and climate.
