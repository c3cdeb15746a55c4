"""Summary of a forecast distribution by quantiles, density and event probabilities."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from ebm_core.tilts.tilted import TiltedDistribution
from tasks.runtime.frequencies import stamp
from tasks.scoring.quantiles import LEVELS, RISK_LEVELS, entries, risks
from tasks.tilts.model import TiltedModel

DENSITY_POINTS = 161

TAIL_NODES = 64
"""Nodes of the Gauss–Legendre rule of an expected shortfall, in normal scores of the probability from −8."""


def steps_ahead(
    model: TiltedModel,
    rows: pd.DataFrame,
    classical: pd.DataFrame,
    events: tuple[str, ...],
    lowest: float | None = None,
    returns: bool = False,
) -> dict[str, Any]:
    """Return for each series its ``origin`` and its forecast ``steps``.

    A step has the date ``time``, the ``lead``, the weight of the tilt and the entries of :func:`describe`. If
    ``rows`` has the columns ``normal``, ``normal_from`` and ``normal_to`` of a level, these entries are those
    of the level, and the step also has the entries of :func:`_as_level`. ``lowest`` is the least value that a
    level can have. Events are always of the target, which is the anomaly of a level. With ``returns``, if
    the target is a return or a change, steps also have ``var`` and ``es``.
    """
    distribution = model.distribution(rows, model.base(classical, rows))
    floor = None
    if lowest is not None:
        floor = lowest - torch.tensor(rows["normal"].to_numpy(), dtype=torch.float64)
    steps = describe(distribution, events, floor, returns)
    series: dict[str, Any] = {}
    for step, (_, row) in zip(steps, rows.iterrows(), strict=True):
        entry = series.setdefault(row["series"], {"origin": stamp(row["origin"]), "steps": []})
        entry["steps"].append(
            {
                "time": stamp(row["time"]),
                "lead": int(row["lead"]),
                "tilt_weight": model.weight(row["lead"]),
                **(_as_level(step, row) if "normal" in rows else step),
            }
        )
    return series


def _as_level(step: dict[str, Any], row: "pd.Series[Any]") -> dict[str, Any]:
    """Return the description of a level from that of its anomaly.

    ``anomaly`` has the mean and the 90 % interval of the anomaly, ``normal`` is the difference of both, and
    ``base_period`` are the first and last date of the rows of which the normal is the mean.
    """
    normal, density = float(row["normal"]), step["density"]
    return {
        **step,
        "mean": step["mean"] + normal,
        "quantiles": {level: value + normal for level, value in step["quantiles"].items()},
        "interval_90": [edge + normal for edge in step["interval_90"]],
        "density": {**density, "y": [y + normal for y in density["y"]]},
        "anomaly": {"mean": step["mean"], "interval_90": step["interval_90"]},
        "normal": normal,
        "base_period": [f"{row[edge]:%Y-%m-%d}" for edge in ("normal_from", "normal_to")],
    }


def describe(
    distribution: TiltedDistribution,
    events: tuple[str, ...],
    floor: torch.Tensor | None = None,
    returns: bool = False,
) -> list[dict[str, Any]]:
    """Return mean, standard deviation, quantiles, events and density of each batch member.

    With ``floor`` ``(n,)`` the distribution is cut at this least value: the mass below it is moved to it and
    is returned as ``mass_at_lowest``. The density is that of the other values. With ``returns`` the value at
    risk ``var`` and the expected shortfall ``es`` are returned too.
    """
    least = torch.full(distribution.batch_shape, -torch.inf, dtype=torch.float64) if floor is None else floor
    quantiles = distribution.icdf(torch.tensor(LEVELS)[:, None]).maximum(least).numpy()
    low, high = torch.tensor(quantiles[0]), torch.tensor(quantiles[-1])
    high = torch.where(high > low, high, low + 1)
    grid = low + (high - low) * torch.linspace(0, 1, DENSITY_POINTS, dtype=torch.float64)[:, None]
    density = distribution.log_prob(grid).exp()
    chances = {event: _chance(distribution, event, least) for event in events}
    nodes, weights = distribution.weighted_nodes()
    values = nodes.maximum(least)
    mean = (values * weights).sum(0)
    sd = ((values - mean) ** 2 * weights).sum(0).sqrt()
    shortfalls = _shortfalls(distribution) if returns else None
    steps: list[dict[str, Any]] = []
    for i in range(distribution.batch_shape[0]):
        table = entries(quantiles[:, i])
        steps.append(
            {
                "mean": float(mean[i]),
                "sd": float(sd[i]),
                **table,
                **({} if shortfalls is None else risks(table["quantiles"], shortfalls[:, i])),
                "events": {event: float(chance[i]) for event, chance in chances.items()},
                "density": {"y": grid[:, i].tolist(), "p": density[:, i].tolist()},
            }
        )
    if floor is not None:
        for step, mass in zip(steps, distribution.cdf(floor), strict=True):
            step["mass_at_lowest"] = float(mass)
    return steps


def _shortfalls(distribution: TiltedDistribution) -> np.ndarray:
    """Return the means ``(len(RISK_LEVELS), n)`` of the quantiles below each level."""
    levels = torch.tensor(RISK_LEVELS, dtype=torch.float64)
    x, w = (torch.tensor(each) for each in np.polynomial.legendre.leggauss(TAIL_NODES))
    end = torch.special.ndtri(levels)
    score = -8 + (end + 8) * (1 + x[:, None]) / 2  # (nodes, levels)
    weight = w[:, None] * (end + 8) / 2 * torch.exp(-(score**2) / 2) / np.sqrt(2 * np.pi) / levels
    quantiles = distribution.icdf(torch.special.ndtr(score)[..., None])
    return (weight[..., None] * quantiles).sum(0).numpy()


def _chance(distribution: TiltedDistribution, event: str, least: torch.Tensor) -> torch.Tensor:
    """Return the probability of an event such as ``<= -3`` or ``>= 3`` of values cut at ``least``."""
    sign, threshold = event.split()
    edge = torch.full(distribution.batch_shape, float(threshold), dtype=torch.float64)
    below = distribution.cdf(edge)
    if sign == "<=":
        return torch.where(edge < least, 0.0, below)
    return torch.where(edge <= least, 1.0, 1 - below)
