"""Learning an energy beside TorchEBM and ebmkit: time of an epoch, resuming, quality of samples.

The peers are for benchmarks only: ``pip install torchebm==0.8.9 ebmkit==0.16.0``.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from ebm import LangevinDynamics as EbmkitLangevin
from ebm.losses import ContrastiveDivergence as EbmkitCD
from ebm.losses import DenoisingScoreMatching as EbmkitDSM
from torch import Tensor, nn
from torchebm.core import BaseModel
from torchebm.losses import ContrastiveDivergence as TorchebmCD
from torchebm.losses import DenoisingScoreMatching as TorchebmDSM
from torchebm.samplers import LangevinDynamics as TorchebmLangevin

from benchmarks.row import Row
from ebm_core import ContrastiveDivergence, DataChains, DenoisingScoreMatching, MLPEnergy, fit

ROUNDS, EPOCHS = 15, 4
ROWS_OF_DATA, BATCH, DIMENSION = 4096, 256, 8
STEP_SIZE, NOISE_SCALE, PENALTY, RATE = 0.01, 0.3, 0.001, 1e-3


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network() -> MLPEnergy:
    return MLPEnergy(DIMENSION, generator=seeded(1))


class Wrapped(BaseModel):
    """The same network as TorchEBM wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def plain(energy: nn.Module, loss: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """Epochs as the peers' guides write it, with the optimiser that `fit` uses."""
    optimiser = torch.optim.Adam(energy.parameters(), lr=RATE, fused=True)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            value = loss(x[rows])
            optimiser.zero_grad()
            value.backward()
            optimiser.step()


def torchebm_cd(x: Tensor) -> None:
    energy = Wrapped()
    chains = TorchebmLangevin(energy, step_size=STEP_SIZE)
    loss = TorchebmCD(energy, chains, k_steps=10, energy_reg_weight=PENALTY)
    plain(energy, lambda batch: loss(batch)[0], x)


def torchebm_dsm(x: Tensor) -> None:
    energy = Wrapped()
    plain(energy, TorchebmDSM(energy, noise_scale=NOISE_SCALE), x)


def ebmkit_cd(x: Tensor) -> None:
    """Its chains start at noise or a buffer, never at the data; the work is the same."""
    energy = network()
    loss = EbmkitCD(EbmkitLangevin(STEP_SIZE, 10), energy_reg=PENALTY)
    plain(energy, lambda batch: loss(energy, batch).loss, x)


def ebmkit_dsm(x: Tensor) -> None:
    energy, loss = network(), EbmkitDSM(NOISE_SCALE)
    plain(energy, lambda batch: loss(energy, batch).loss, x)


def our_cd(x: Tensor) -> None:
    objective = ContrastiveDivergence(DataChains(10, STEP_SIZE), PENALTY)
    fit(network(), x, objective, **epochs_of_fit())


def our_dsm(x: Tensor) -> None:
    fit(network(), x, DenoisingScoreMatching(NOISE_SCALE), **epochs_of_fit())


def epochs_of_fit() -> dict[str, Any]:
    return {
        "steps": EPOCHS * ROWS_OF_DATA // BATCH,
        "batch": BATCH,
        "learning_rate": RATE,
        "generator": seeded(2),
    }


LEARNERS = {
    "CD-10": {"ours": our_cd, "TorchEBM": torchebm_cd, "ebmkit": ebmkit_cd},
    "denoising score matching": {"ours": our_dsm, "TorchEBM": torchebm_dsm, "ebmkit": ebmkit_dsm},
}


def epochs() -> Iterator[Row]:
    """Median CPU time of an epoch out of four, the libraries in turn, one thread, a new network each time."""
    torch.set_num_threads(1)
    x = torch.randn(ROWS_OF_DATA, DIMENSION, generator=seeded(0))
    for name, libraries in LEARNERS.items():
        seconds: dict[str, list[float]] = {library: [] for library in libraries}
        for turn in range(ROUNDS + 2):
            for library, epoch in libraries.items():
                begin = time.process_time()
                epoch(x)
                if turn >= 2:
                    seconds[library].append((time.process_time() - begin) / EPOCHS)
        median = {library: statistics.median(values) for library, values in seconds.items()}
        ratio = median["ours"] / median["TorchEBM"]
        seen = ", ".join(f"{library} {value * 1e3:.1f} ms" for library, value in median.items())
        yield Row(f"{name} epoch, of TorchEBM's time", "≤ .65", f"{ratio:.2f} ({seen})", ratio <= 0.65)


if __name__ == "__main__":
    for row in epochs():
        print(row)
