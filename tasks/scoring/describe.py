"""Summary of a forecast distribution by quantiles, density and event probabilities."""

from typing import Any

import pandas as pd
import torch

from ebm_core.tilts.tilted import TiltedDistribution
from tasks.scoring.predictive import LEVELS
from tasks.tilts.model import TiltedModel

DENSITY_POINTS = 161


def steps_ahead(
    model: TiltedModel, rows: pd.DataFrame, classical: pd.DataFrame, events: tuple[str, ...]
) -> dict[str, Any]:
    """Return for each series its ``origin`` and its forecast ``steps``.

    A step has the date ``time``, the ``lead``, the weight of the tilt and the entries of :func:`describe`.
    """
    distribution = model.distribution(rows, model.base(classical, rows))
    steps = describe(distribution, events)
    series: dict[str, Any] = {}
    for step, (_, row) in zip(steps, rows.iterrows(), strict=True):
        entry = series.setdefault(row["series"], {"origin": f"{row['origin']:%Y-%m-%d}", "steps": []})
        entry["steps"].append(
            {
                "time": f"{row['time']:%Y-%m-%d}",
                "lead": int(row["lead"]),
                "tilt_weight": model.weight(row["lead"]),
                **step,
            }
        )
    return series


def describe(distribution: TiltedDistribution, events: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return mean, quantiles, 90 % interval, event probabilities and density of each batch member."""
    quantiles = distribution.icdf(torch.tensor([0.001, *LEVELS, 0.999])[:, None])
    low, high = quantiles[0], quantiles[-1]
    grid = low + (high - low) * torch.linspace(0, 1, DENSITY_POINTS, dtype=torch.float64)[:, None]
    density = distribution.log_prob(grid).exp()
    chances = {event: _chance(distribution, event) for event in events}
    mean = distribution.mean
    return [
        {
            "mean": float(mean[i]),
            "quantiles": {f"{p:.2f}": float(q) for p, q in zip(LEVELS, quantiles[1:-1, i], strict=True)},
            "interval_90": [float(quantiles[5, i]), float(quantiles[95, i])],
            "events": {event: float(chance[i]) for event, chance in chances.items()},
            "density": {"y": grid[:, i].tolist(), "p": density[:, i].tolist()},
        }
        for i in range(distribution.batch_shape[0])
    ]


def _chance(distribution: TiltedDistribution, event: str) -> torch.Tensor:
    """Return the probability of an event ``<= x`` or ``>= x``, such as ``<= -3``."""
    sign, threshold = event.split()
    below = distribution.cdf(torch.full(distribution.batch_shape, float(threshold), dtype=torch.float64))
    return below if sign == "<=" else 1 - below
