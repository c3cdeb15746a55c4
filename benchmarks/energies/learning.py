"""Learning an energy: time of an epoch compared with TorchEBM and ebmkit, and resuming after kill -9."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import ROOT
from benchmarks.energies.sampling import peers, ratio, seconds
from benchmarks.row import Row
from ebm_core import ContrastiveDivergence, DataChains, DenoisingScoreMatching, MLPEnergy, Objective, fit

EPOCHS = 4
"""Number of epochs per round, so that the time is not dominated by set-up."""
ROWS_OF_DATA, BATCH, DIMENSION = 4096, 256, 8
STEP_SIZE, NOISE_SCALE, PENALTY, RATE = 0.01, 0.3, 0.001, 1e-3


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network() -> MLPEnergy:
    return MLPEnergy(DIMENSION, generator=seeded(1))


def ours(x: Tensor, objective: Objective) -> None:
    steps = EPOCHS * len(x) // BATCH
    fit(network(), x, objective, steps=steps, batch=BATCH, learning_rate=RATE, generator=seeded(2))


def plain(x: Tensor, energy: nn.Module, loss: Callable[[Tensor], Tensor]) -> None:
    """Train by the loop of the peers' documentation, with the optimiser that `fit` uses."""
    optimiser = torch.optim.Adam(energy.parameters(), lr=RATE, fused=True)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            value = loss(x[rows])
            optimiser.zero_grad()
            value.backward()
            optimiser.step()


def learners(torchebm: Any, ebm: Any, x: Tensor) -> dict[str, dict[str, Callable[[], None]]]:
    """Return functions that do the same training, by objective and library."""
    import ebm.losses
    import torchebm.losses

    class Energy(torchebm.core.BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x)

    def torchebm_cd() -> None:
        energy = Energy()
        chains = torchebm.samplers.LangevinDynamics(energy, step_size=STEP_SIZE)
        loss = torchebm.losses.ContrastiveDivergence(energy, chains, k_steps=10, energy_reg_weight=PENALTY)
        plain(x, energy, lambda batch: loss(batch)[0])

    def torchebm_dsm() -> None:
        energy = Energy()
        plain(x, energy, torchebm.losses.DenoisingScoreMatching(energy, noise_scale=NOISE_SCALE))

    def ebmkit(loss: nn.Module) -> None:
        energy = network()
        plain(x, energy, lambda batch: loss(energy, batch).loss)

    # ebmkit's chains start at noise instead of data, which takes the same time.
    ebmkit_cd = ebm.losses.ContrastiveDivergence(ebm.LangevinDynamics(STEP_SIZE, 10), energy_reg=PENALTY)
    ebmkit_dsm = ebm.losses.DenoisingScoreMatching(NOISE_SCALE)
    our_cd = ContrastiveDivergence(DataChains(10, STEP_SIZE), PENALTY)
    return {
        "CD-10": {
            "ours": lambda: ours(x, our_cd),
            "TorchEBM": torchebm_cd,
            "ebmkit": lambda: ebmkit(ebmkit_cd),
        },
        "denoising score matching": {
            "ours": lambda: ours(x, DenoisingScoreMatching(NOISE_SCALE)),
            "TorchEBM": torchebm_dsm,
            "ebmkit": lambda: ebmkit(ebmkit_dsm),
        },
    }


def epochs() -> Iterator[Row]:
    """Measure the CPU time of an epoch of a d-128-128-1 network with one thread, library by library."""
    torch.set_num_threads(1)
    x = torch.randn(ROWS_OF_DATA, DIMENSION, generator=seeded(0))
    for name, work in learners(*peers(), x).items():
        taken = seconds(work)
        share = ratio(taken, "ours", "TorchEBM")
        each = {library: statistics.median(values) / EPOCHS * 1e3 for library, values in taken.items()}
        seen = ", ".join(f"{library} {value:.1f} ms" for library, value in each.items())
        yield Row(
            f"{name} epoch, of TorchEBM's time", "≤ .65", f"{share:.2f} ({seen})", share <= 0.65, value=share
        )


def resume() -> Iterator[Row]:
    """Run the slow tests that kill fits of every objective at random moments and resume them."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow", "tests/ebm_core/learning/test_fit.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1]
    yield Row("fits killed −9, every objective: parameters", "same bits", last, done.returncode == 0)


ROWS = {"core-epochs": epochs, "core-resume": resume}
