"""Joint forecasts of eight exchange rates over 30 days, on windows of 30 rows that do not overlap.

Losses are averaged over five seeds before they are pooled.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tasks.forecasters import sample_paths
from tasks.tilts.sample_paths import fit_path_tilt

HORIZON, OFFICIAL, EARLIER, SEEDS, SAMPLES = 30, 5, 40, 5, 2000

Sampler = Callable[[np.ndarray, int], np.ndarray]
"""Function from the values up to the origin and a seed to sample paths."""


def window_losses(values: np.ndarray, starts: list[int], sampler: Sampler) -> np.ndarray:
    """Return losses ``(seeds, windows, 4)``, in the order of `tasks.forecasters.sample_paths.PathLoss`."""
    losses = np.empty((SEEDS, len(starts), 4))
    for seed in range(SEEDS):
        for i, start in enumerate(starts):
            found = sample_paths.path_loss(sampler(values[:start], seed), values[start : start + HORIZON])
            losses[seed, i] = (found.loss, found.scale, found.sum_loss, found.sum_scale)
    return losses


def bootstrap(sampler: Callable[..., np.ndarray]) -> Sampler:
    """Wrap a sampler of ``tasks.forecasters.sample_paths`` with a generator seeded by seed and origin."""
    return lambda known, seed: sampler(known, HORIZON, SAMPLES, np.random.default_rng([seed, len(known)]))


def block_scores(values: np.ndarray, starts: list[int]) -> dict[str, Any]:
    """Score every model on the windows at ``starts``. The tilt is fitted once, on rows before the first."""
    tilt, evidence = fit_path_tilt(values[: starts[0]], HORIZON, seed=0)
    samplers: dict[str, Sampler] = {
        "ebm": lambda known, seed: tilt.sample(known, HORIZON, SAMPLES, seed)[0],
        "base": lambda known, seed: tilt.sample(known, HORIZON, SAMPLES, seed)[1],
        **{name: bootstrap(peer) for name, peer in sample_paths.PEERS.items()},
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
            key: sample_paths.paired_bootstrap(loss.mean(0)[:, i], reference[:, i], np.random.default_rng(0))
            for key, i in (("crps", 0), ("crps_sum", 2))
        }
    others = [name for name in samplers if name not in ("ebm", "base")]
    best = {key: min(others, key=lambda name: models[name][key]) for key in ("crps", "crps_sum")}
    ours = losses["ebm"].mean(0)
    return {
        "windows": len(starts),
        "best_peer": {
            key: (
                best[key],
                sample_paths.paired_bootstrap(
                    ours[:, i], losses[best[key]].mean(0)[:, i], np.random.default_rng(0)
                ),
            )
            for key, i in (("crps", 0), ("crps_sum", 2))
        },
        "tilt": {"weight": tilt.weight} | evidence,
        "models": models,
        "gain": gains,
    }
