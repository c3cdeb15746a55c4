"""Joint tilt of sample paths: the features of a path, the inputs at its origin and the training."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ebm_core.tilts.joint import JointEnergy, JointTilt, fit_ranking, ranking_loss
from tasks.forecasters import sample_paths
from tasks.forecasters.sample_paths import VOLATILITY, Array, Kind, Volatility

MOMENTUM = (20, 60, 250)
"""Numbers of rows over which past changes are summed: a month, a quarter and a year of trading days."""

BOUND = 4.0
"""Bound of standardised inputs and features."""


@dataclass(frozen=True)
class TiltParams:
    """Training parameters: one origin every ``stride`` rows, ``proposals`` draws of the base for each."""

    stride: int = 10
    first: int = 500
    proposals: int = 64
    hidden: int = 4
    basis: int = 6
    seeds: int = 5
    steps: int = 120
    learning_rate: float = 0.003
    weight_decay: float = 1.0
    validation: float = 0.3


PARAMS = TiltParams()


def with_common(standard: Array) -> Array:
    """Append the common factor, the mean over the series (last axis) times the root of their number."""
    common = standard.mean(axis=-1, keepdims=True) * np.sqrt(standard.shape[-1])
    both: Array = np.concatenate([standard, common], axis=-1)
    return both


def origin_inputs(values: Array, kind: Kind, volatility: Volatility) -> Array:
    """Return the inputs ``(members, inputs)`` at the last row, for each series and for their common factor.

    They are the momentum over ``MOMENTUM`` rows in standard deviations, of the member and of the common
    factor, the log ratio of fast to slow volatility, and whether the member is the common factor. The history
    must be longer than the longest momentum.
    """
    change = sample_paths.moves(values, kind)
    fast, slow = volatility.filtered(change)
    past = change[-max(MOMENTUM) :] / volatility.blend(fast[:-1], slow[:-1])[-max(MOMENTUM) :]
    past = with_common(past)
    momentum = np.stack([past[-k:].sum(axis=0) / np.sqrt(k) for k in MOMENTUM], axis=1)
    ratio = np.clip(0.5 * np.log((fast[-1] + 1e-24) / (slow[-1] + 1e-24)), -1, 1)
    members = len(momentum)
    inputs = np.column_stack(
        [
            momentum,
            np.broadcast_to(momentum[-1], momentum.shape),
            np.append(ratio, ratio.mean()),
            np.arange(members) == members - 1,
        ]
    )
    bounded: Array = np.clip(inputs, -BOUND, BOUND)
    return bounded


def path_features(path: Array, values: Array, kind: Kind, volatility: Volatility) -> Array:
    """Return mean and end of each path in standard deviations of a random walk, ``(samples, members, 2)``.

    ``path`` ``(samples, horizon, series)`` starts after the last row of ``values``.
    """
    change = sample_paths.moves(values, kind)
    fast, slow = volatility.filtered(change)
    sigma = volatility.blend(fast[-1], slow[-1])
    horizon = path.shape[1]
    total = (np.log(path / values[-1]) if kind == "price" else path - values[-1]) / sigma
    mean = with_common(total.mean(axis=1) / np.sqrt(horizon / 3))
    end = with_common(total[:, -1] / np.sqrt(horizon))
    features: Array = np.clip(np.stack([mean, end], axis=-1), -BOUND, BOUND)
    return features


@dataclass(frozen=True)
class PathTilt:
    """Trained joint tilt of paths from the filtered bootstrap. With ``weight`` 0 the forecast is the base."""

    energy: JointEnergy
    kind: Kind
    volatility: Volatility
    weight: float

    def of(self, path: Array, values: Array) -> JointTilt:
        """Return the tilt of paths that the base drew at the last row of ``values``."""
        features = path_features(path, values, self.kind, self.volatility)[None]
        x = origin_inputs(values, self.kind, self.volatility)[None]
        with torch.no_grad():
            energy = self.energy(torch.as_tensor(features), torch.as_tensor(x)).mean(0)[0]
        return JointTilt(self.weight * energy)

    def sample(
        self, values: Array, horizon: int, samples: int, seed: int
    ) -> tuple[Array, Array, JointTilt, Array]:
        """Return tilted paths and paths of the base ``(samples, horizon, series)``, the tilt and the halves.

        Four times as many paths are drawn from the base. They are then resampled systematically, for the tilt
        with its weights and for the base with equal ones. The two forecasts thus share their draws, and their
        scores differ only as far as the tilt does. With ``weight`` 0 they are the same paths.

        The halves ``(samples,)`` tell for each tilted path to which of two independent halves of the draws it
        belongs, 0 or 1. Copies of a path and its mirror image are in the same half. The paths of the base are
        alternately in half 0 and 1, if ``samples`` is a multiple of four.
        """
        rng = np.random.default_rng(seed)
        count = samples if self.weight == 0 else 4 * samples
        path = sample_paths.filtered_bootstrap(
            values, horizon, count, rng, kind=self.kind, volatility=self.volatility
        )
        tilt = self.of(path, values)
        tilted, plain = (
            of.resample(samples, torch.Generator().manual_seed(seed)).numpy()
            for of in (tilt, JointTilt(torch.zeros_like(tilt.energy)))
        )
        # Path i and path i + count/2 are mirror images.
        half = tilted % (count // 2) // (count // samples) % 2
        return path[tilted], path[plain], tilt, half


def untrained(seed: int, params: TiltParams = PARAMS) -> JointEnergy:
    """Return an untrained energy, which is zero, so that the tilted distribution is the base."""
    generator = torch.Generator().manual_seed(seed)
    inputs = len(MOMENTUM) * 2 + 2
    return JointEnergy(2, inputs, params.hidden, params.basis, params.seeds, generator).double()


def fit_path_tilt(
    values: Array,
    horizon: int,
    *,
    seed: int,
    kind: Kind = "price",
    volatility: Volatility = VOLATILITY,
    params: TiltParams = PARAMS,
) -> tuple[PathTilt, dict[str, Any]]:
    """Train a joint tilt on origins whose horizon lies within ``values``, and choose its weight.

    The weight is 1 if the mean gain over the base on the last part of the origins, which is not used for
    training, exceeds one standard error computed over blocks of one horizon. Otherwise it is 0, and the
    forecast is the base. Returns the tilt and a dictionary with the mean ``gain`` in nats per origin, its
    standard error ``se``, the number of ``origins`` and the ``best_step`` of the training.
    """
    origins = np.arange(max(params.first, max(MOMENTUM) + 2), len(values) - horizon + 1, params.stride)
    truth, proposals, x = [], [], []
    for origin in origins:
        known = values[:origin]
        rng = np.random.default_rng([seed, int(origin)])
        draws = sample_paths.filtered_bootstrap(
            known, horizon, params.proposals, rng, kind=kind, volatility=volatility
        )
        truth.append(path_features(values[None, origin : origin + horizon], known, kind, volatility)[0])
        proposals.append(path_features(draws, known, kind, volatility))
        x.append(origin_inputs(known, kind, volatility))
    tensors = [torch.as_tensor(np.stack(part)) for part in (truth, proposals, x)]
    # Three blocks in time for training, early stopping and evaluation. No outcome of the first two reaches
    # the third.
    gap = -(-horizon // params.stride)
    later = int(params.validation * len(origins))
    fitted, judged = len(origins) - later, slice(len(origins) - later + gap, None)
    generator = torch.Generator().manual_seed(seed)
    fit = fit_ranking(
        untrained(seed, params),
        *(t[:fitted] for t in tensors),
        validation=later,
        steps=params.steps,
        learning_rate=params.learning_rate,
        weight_decay=params.weight_decay,
        generator=generator,
    )
    with torch.no_grad():
        candidates = torch.cat([tensors[0][judged][:, None], tensors[1][judged]], 1)
        gains = -ranking_loss(fit.module(candidates, tensors[2][judged]).mean(0)).numpy()
    count = min(len(gains), max(2, len(gains) * params.stride // horizon))
    blocks = [part.mean() for part in np.array_split(gains, count)] if count > 1 else []
    gain = float(gains.mean()) if len(gains) else 0.0
    error = float(np.std(blocks, ddof=1) / np.sqrt(count)) if blocks else np.inf
    tilt = PathTilt(fit.module, kind, volatility, 1.0 if gain > error else 0.0)
    return tilt, {"gain": gain, "se": error, "origins": len(origins), "best_step": fit.best_step}
