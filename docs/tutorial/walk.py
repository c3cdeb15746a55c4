# # Energy-based learning in an hour
#
# An energy-based model is a function that gives a low number to what is right and a high number to what is
# wrong. Here you define one, train it, look at it, break it, mend it, and put it to work. You need PyTorch
# basics and no GPU. All code of this page is one script: `python docs/tutorial/render.py` runs it (under
# two minutes on one core) and writes this page anew, with every number and picture on it. Change something
# and run it again. Or paste the blocks in order at a Python prompt at the root of the repository: pictures
# and files then go to `runs/tutorial`.

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from matplotlib.figure import Figure
from sklearn.datasets import make_moons
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from ebm_core import BilinearEnergy, MLPEnergy, ReplayBuffer, widened
from ebm_core.energies.networks import initialise
from ebm_core.learning.amortised import AmortisedSampler
from ebm_core.learning.fit import fit
from ebm_core.learning.negatives import PersistentChains
from ebm_core.learning.objectives import ContrastiveDivergence, DenoisingScoreMatching
from ebm_core.sampling.samplers import langevin
from ebm_core.tilts.training import fit_tilt, negative_log_tilt
from ebm_core.views.landscapes import contour_levels

work = Path("runs/tutorial")
work.mkdir(parents=True, exist_ok=True)


def show(figure: Figure, name: str) -> None:
    figure.savefig(work / f"{name}.png")


# ## 1. Define an energy
#
# Data: two half moons. An energy is any callable from points `(B, 2)` to numbers `(B,)`; `MLPEnergy` is a
# small network of that kind. It stands for the density p(x) = exp(−E(x)) / Z, where Z makes the total one.
# Untrained, it has no idea: the energy of data and of random points is the same.


def moons(count: int, seed: int) -> torch.Tensor:
    x, _ = make_moons(count, noise=0.08, random_state=seed)
    return torch.as_tensor((x - [0.5, 0.25]) / [0.9, 0.5], dtype=torch.float32)


train, held_out = moons(1000, seed=0), moons(1000, seed=1)
generator = torch.Generator().manual_seed(0)
energy = MLPEnergy(2, (64, 64), generator=generator)
anywhere = 4 * torch.rand(1000, 2, generator=generator) - 2
print(f"mean energy of data {energy(held_out).mean():.2f}, of random points {energy(anywhere).mean():.2f}")

# ## 2. Train it
#
# The likelihood needs Z, which is an integral over everything. Denoising score matching does without:
# shake a data point by a little noise, and ask that the slope of the energy points back to where it came
# from. In two dimensions we can afford to compute Z on a grid, only to check: a higher log-likelihood of
# held-out points is better.

side = torch.linspace(-3, 3, 121)
grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).reshape(-1, 2)


def log_likelihood(model, x: torch.Tensor) -> float:
    with torch.no_grad():
        log_z = torch.logsumexp(-model(grid), 0) + 2 * torch.log(side[1] - side[0])
        return float((-model(x)).mean() - log_z)


trained = fit(
    energy,
    train,
    DenoisingScoreMatching(0.15),
    steps=1500,
    batch=128,
    learning_rate=3e-3,
    generator=generator,
).averaged
print(f"held-out log-likelihood: untrained {log_likelihood(energy, held_out):.2f}, "
      f"trained {log_likelihood(trained, held_out):.2f} nats")  # fmt: skip

# ## 3. See its landscape
#
# Contours of the energy, with held-out points on top: two valleys where the data are, hills elsewhere. The
# same picture goes to TensorBoard (`tensorboard --logdir runs`, tab *Images*).


def landscape(models: dict, points: dict | None = None) -> Figure:
    figure = Figure(figsize=(4.2 * len(models), 3.6), layout="constrained")
    for axes, (name, model) in zip(
        figure.subplots(1, len(models), squeeze=False)[0], models.items(), strict=True
    ):
        with torch.no_grad():
            heights = model(grid).view(len(side), -1).numpy().astype(float)
        heights = np.minimum(heights, heights.min() + 12)
        axes.contourf(side, side, heights, levels=contour_levels(heights, 16), cmap="viridis")
        shown = (points or {}).get(name, held_out)
        axes.scatter(*shown[:300].T, s=3, c="white")
        axes.set(title=name, xlim=(-2.6, 2.6), ylim=(-2.6, 2.6))
    return figure


picture = landscape({"untrained": energy, "trained": trained})
with SummaryWriter(str(work)) as writer:
    writer.add_figure("landscape", picture)

show(picture, "landscape")

# Samples come from walking downhill with noise, the Langevin sampler. If they look like data, the energy
# is right not only at the data but also where they are not.

walked = langevin(trained, anywhere, steps=500, step_size=3e-3, generator=generator)
show(landscape({"samples by Langevin": trained}, {"samples by Langevin": walked}), "samples")

# ## 4. Watch it overfit
#
# Give an energy more room than the data can fill and it learns the noise. In one dimension Z is computed
# exactly, so we can train by likelihood and see it happen. `BilinearEnergy` tilts a base forecast: E = 0
# is the base, a negative loss is what the energy gains on it. The truth here is a base that is wrong only
# in its spread, by the product of two inputs of eight.


def rows(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=draws, dtype=torch.double)
    spread = torch.exp(0.7 * torch.tanh(2 * x[:, 0] * x[:, 1]))
    return spread * torch.randn(count, generator=draws, dtype=torch.double), x


score, x = rows(1500, seed=0)
new_score, new_x = rows(4000, seed=1)


def tilt(hidden: int) -> BilinearEnergy:
    return BilinearEnergy(8, hidden, 8, 1, torch.Generator().manual_seed(0)).double()


def gain(model: BilinearEnergy, s: torch.Tensor, inputs: torch.Tensor) -> float:
    with torch.no_grad():
        return -float(negative_log_tilt(model, s, inputs).mean())


settings = {"steps": 400, "learning_rate": 1e-2, "weight_decay": 0.0}
for hidden in (2, 16, 128):
    fitted = fit_tilt(
        tilt(hidden), score, x, validation=400, generator=torch.Generator().manual_seed(0), **settings
    )
    print(f"{hidden:4d} units: gain on the last batch {-fitted.loss[-1].item():+.3f}, "
          f"on the validation block at the end {-fitted.validation[-1].item():+.3f}, "
          f"at its best step ({fitted.best_step[0]}) {-fitted.validation.min().item():+.3f}, "
          f"on new data, best step kept {gain(fitted.module, new_score, new_x):+.3f}")  # fmt: skip
    if hidden == 128:
        figure = Figure(figsize=(5, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(fitted.steps, -fitted.loss, label="training batch")
        axes.plot(fitted.steps, -fitted.validation, label="validation block")
        axes.axhline(0, color="grey", lw=0.8)
        axes.set(xlabel="step", ylabel="gain over the base, nats", title="128 hidden units")
        axes.legend()
        show(figure, "overfit")

# The training curve rises for ever; the validation curve turns down and goes below zero, worse than having
# no energy. `fit_tilt` keeps the best step, so the damage is bounded.

# ## 5. Grow it only as far as it pays
#
# Start lean and widen: `widened` adds hidden units with zero output, so the wider energy is the same
# function and training can only improve on it. Stop at the first step that validation does not pay for.

lean = fit_tilt(tilt(1), score, x, validation=400, generator=torch.Generator().manual_seed(0), **settings)
kept, paid = lean.module, -lean.validation.min().item()
print(f"   1 units: validation gain {paid:+.3f}")
for hidden in (2, 4, 8, 16):
    wider = widened(kept, hidden, torch.Generator().manual_seed(hidden)).double()
    grown = fit_tilt(wider, score, x, validation=400, generator=torch.Generator().manual_seed(0), **settings)
    now = -grown.validation.min().item()
    print(f"{hidden:4d} units: validation gain {now:+.3f}")
    if now < paid + 0.001:
        break
    kept, paid = grown.module, now

print(f"kept {kept.hidden} units; gain on new data {gain(kept, new_score, new_x):+.3f}")

# ## 6. Speed it up with contrastive divergence
#
# Where a sampler is needed in training, running it to the end at each step is slow. Persistent contrastive
# divergence keeps the chains in a replay buffer and moves them a few steps each time. Same network, same
# number of updates, with 100 Langevin steps from scratch for each update and with 10 of chains that go on:


def start(count: int, draws: torch.Generator) -> torch.Tensor:
    return 4 * torch.rand(count, 2, generator=draws) - 2


contrast, seconds = {}, {}
for name, steps, fresh in (("from scratch", 100, 1.0), ("persistent", 10, 0.02)):
    draws = torch.Generator().manual_seed(0)
    chains = PersistentChains(ReplayBuffer(start, 1024, fresh, draws), steps=steps, step_size=0.02)
    began = time.perf_counter()
    contrast[name] = fit(
        MLPEnergy(2, (64, 64), generator=draws), train, ContrastiveDivergence(chains, energy_penalty=1e-3),
        steps=1000, batch=128, learning_rate=1e-3, generator=draws, decay=0.99,
    ).averaged  # fmt: skip
    seconds[name] = time.perf_counter() - began
    print(f"{name}: held-out log-likelihood {log_likelihood(contrast[name], held_out):.2f} nats")

faster = seconds["persistent"] < seconds["from scratch"] / 3
print("persistent took", "less than a third of the time" if faster else "more than a third of the time")

# Which training pays is a question of the problem: where chains mix slowly, score matching (step 2, and the
# best here) or a generator (next) does without them.

# ## 7. Combine it with a generator
#
# A generator can learn to sample the energy in one pass while the energy learns from its samples, as in a
# GAN, with an entropy term that keeps it from collapsing onto the lowest point. After that, samples cost
# one forward pass.

draws = torch.Generator().manual_seed(0)
network = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
initialise(network, draws)
sampler = AmortisedSampler(network, latent=2, noise_scale=0.2, learning_rate=5e-3)
hybrid = fit(
    MLPEnergy(2, (64, 64), generator=draws), train, ContrastiveDivergence(sampler, energy_penalty=1e-3),
    steps=2500, batch=128, learning_rate=1e-3, generator=draws, decay=0.99,
).averaged  # fmt: skip
made = sampler.sample(300, draws)
print(f"held-out log-likelihood {log_likelihood(hybrid, held_out):.2f} nats")
show(
    landscape({"energy, samples of the generator": hybrid}, {"energy, samples of the generator": made}),
    "hybrid",
)

# ## 8. Audit the data
#
# No energy mends data that give the answer away. Here is a table of patients in which the scanner, not the
# tissue, tells who is ill; `basin audit --data FILE --spec SPEC` finds it before anything is trained.

from typer.testing import CliRunner

from flows.cli.app import app

table = pd.DataFrame({"tissue": np.random.default_rng(0).normal(size=400)})
table["ill"] = (np.arange(400) % 3 == 0).astype(int)
table["scanner"] = 1.5 * table["ill"] + np.random.default_rng(1).normal(size=400)
table.to_csv(work / "patients.csv", index=False)
(work / "spec.yaml").write_text("label: ill\nsource: [scanner]\n")
arguments = ["--data", "patients.csv", "--spec", "spec.yaml", "--out", "audit"]
paths = [str(work / a) if not a.startswith("--") else a for a in arguments]
done = CliRunner().invoke(app, ["audit", *paths])
lines = [line.strip() for line in done.output.splitlines()]
print(*[line for line in lines if line.startswith(("shortcut", "scanner"))], sep="\n")
print("exit code", done.exit_code)

# ## 9. Put it on a schedule
#
# `basin serve` starts a server, a worker and these schedules, and ends them with Ctrl-C. They are in
# `prefect.yaml`; add your own flow the same way.

for deployment in yaml.safe_load(Path("prefect.yaml").read_text(encoding="utf-8"))["deployments"]:
    for schedule in deployment["schedules"]:
        print(f"{deployment['name']:16s} {schedule['cron']:14s} {deployment['description']}")

# ## Where to go from here
#
# `basin run --domain images --out out/images` does all of this for handwritten digits: one energy that
# tells the class and refuses what is no digit. `basin run --domain mri` looks for lesions.
# [Applications](../guides/applications.md) says how to add your own data,
# [how it works](../concepts/how-it-works.md) how energies forecast markets and climate.
