"""Stage ``forecast``: the registered model's distribution of the steps after the last date."""

from typing import Any

import pandas as pd
import torch

from ebm_core.tilted import TiltedDistribution
from tasks.domains import get_domain
from tasks.errors import BasinError
from tasks.files import whole, write_json
from tasks.parallel import Progress, silent
from tasks.params import DomainParams
from tasks.predictive import LEVELS
from tasks.tilts import TiltedModel, load_model
from tasks.workspace import Workspace

DENSITY_POINTS = 161


def forecast(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Write ``forecast.json``: by series and lead quantiles, density and the probability of each event, and
    the weight of the tilt (0: the base's own forecast).

    The model is the registered one; the inputs are those of each series' last origin.
    """
    domain = get_domain(workspace)
    model = load_model(workspace.model)
    inputs, classical = pd.read_parquet(workspace.inputs), pd.read_parquet(workspace.classical)
    last = inputs.groupby("series", sort=False)["origin"].transform("max")
    rows = inputs[(inputs["origin"] == last) & inputs["target"].isna()].reset_index(drop=True)
    if rows.empty:
        raise BasinError(
            f"{workspace.inputs}: no origin with an unknown target; run the stage features again"
        )
    series = steps_ahead(model, rows, classical, params.forecast.events)
    with whole(workspace.forecast) as (path,):
        write_json(path, {"unit": domain.unit, "series": series})
    return {name: f"{part['origin']} -> {part['steps'][0]['time']}" for name, part in series.items()}


def steps_ahead(
    model: TiltedModel, rows: pd.DataFrame, classical: pd.DataFrame, events: tuple[str, ...]
) -> dict[str, Any]:
    """By series its ``origin`` and ``steps``: date, lead, weight of the tilt, and :func:`describe`."""
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
    """For each member of the batch: mean, quantiles, 90 % interval, event probabilities, a density curve."""
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
    """P(Y <= x) or P(Y >= x) for an event written ``<= x`` or ``>= x``."""
    sign, threshold = event.split()
    below = distribution.cdf(torch.full(distribution.batch_shape, float(threshold), dtype=torch.float64))
    return below if sign == "<=" else 1 - below
