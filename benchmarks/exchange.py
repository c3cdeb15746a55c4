"""Eight exchange rates jointly, 30 days: python -m benchmarks.exchange FILE [--dev], a JSON line a block.

Windows of 30 rows without overlap: the 5 official ones at the end of the file, the 40 before them, or with
``--dev`` the 40 before those. Five seeds; losses are averaged over seeds before they are pooled.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tasks import paths
from tasks.path_tilt import fit_path_tilt

HORIZON, OFFICIAL, EARLIER, SEEDS, SAMPLES = 30, 5, 40, 5, 2000

Sampler = Callable[[np.ndarray, int], np.ndarray]
"""``(values up to the origin, seed) → paths``."""


def window_losses(values: np.ndarray, starts: list[int], sampler: Sampler) -> np.ndarray:
    """Losses ``(seeds, windows, 4)`` in the order of :class:`tasks.paths.PathLoss`."""
    losses = np.empty((SEEDS, len(starts), 4))
    for seed in range(SEEDS):
        for i, start in enumerate(starts):
            found = paths.path_loss(sampler(values[:start], seed), values[start : start + HORIZON])
            losses[seed, i] = (found.loss, found.scale, found.sum_loss, found.sum_scale)
    return losses


def bootstrap(sampler: Callable[..., np.ndarray]) -> Sampler:
    """One of ``tasks.paths`` with a generator of its seed and origin."""
    return lambda known, seed: sampler(known, HORIZON, SAMPLES, np.random.default_rng([seed, len(known)]))


def block_scores(values: np.ndarray, starts: list[int]) -> dict[str, object]:
    """Every model on the windows at ``starts``; the tilt is fitted once, on rows before the first."""
    tilt, evidence = fit_path_tilt(values[: starts[0]], HORIZON, seed=0)
    samplers: dict[str, Sampler] = {
        "ebm": lambda known, seed: tilt.sample(known, HORIZON, SAMPLES, seed)[0],
        "base": bootstrap(paths.pooled_bootstrap),
        "filtered-bootstrap": bootstrap(paths.filtered_bootstrap),
        **{name: bootstrap(peer) for name, peer in paths.PEERS.items()},
    }
    losses = {name: window_losses(values, starts, sampler) for name, sampler in samplers.items()}
    reference = losses["random-walk-bootstrap"].mean(0)
    models, gains = {}, {}
    for name, loss in losses.items():
        by_seed = loss.sum(1)
        crps, crps_sum = by_seed[:, 0] / by_seed[:, 1], by_seed[:, 2] / by_seed[:, 3]
        models[name] = {
            "crps": crps.mean(),
            "crps_sum": crps_sum.mean(),
            "by_seed": {"crps": crps.tolist(), "crps_sum": crps_sum.tolist()},
        }
        gains[name] = {
            key: paths.paired_bootstrap(loss.mean(0)[:, i], reference[:, i], np.random.default_rng(0))
            for key, i in (("crps", 0), ("crps_sum", 2))
        }
    return {
        "windows": len(starts),
        "tilt": {"weight": tilt.weight} | evidence,
        "models": models,
        "gain": gains,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--dev", action="store_true", help="only windows before the two test blocks")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    values = pd.read_csv(arguments.file).drop(columns="day").to_numpy()
    official = len(values) - OFFICIAL * HORIZON
    earlier = official - EARLIER * HORIZON
    blocks = (
        {"dev": earlier - EARLIER * HORIZON} if arguments.dev else {"earlier": earlier, "official": official}
    )
    for name, first in blocks.items():
        count = OFFICIAL if name == "official" else EARLIER
        starts = [first + HORIZON * i for i in range(count)]
        print(json.dumps({"block": name, "scores": block_scores(values, starts)}), flush=True)


if __name__ == "__main__":
    main()
