"""Configuration of a tilt, and its inputs and base for the rows of tables, as arrays of NumPy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ebm_core.tilts.mixture import SkewTMixture
from tasks.runtime.errors import BasinError

CLIP = 4.0
"""Standardised inputs are clipped at ±CLIP, so that no input is far outside the range of training data."""

FORECAST_PANELS = 128
"""Number of quadrature panels for the normaliser of a forecast."""

PRIOR = "prior/"
"""Prefix of the names of the parameters of a prior tilt."""

FEWEST = 40
"""Smallest number of training rows of a network."""


@dataclass(frozen=True)
class TiltConfig:
    """Configuration of a saved tilt, which is stored with its parameters.

    ``weights`` are the factors of the mean energy by lead, and ``pool`` has the weights of the classical
    models in the base by lead. ``prior`` is the configuration of the prior tilt, if any, to which this tilt
    is added.
    """

    columns: tuple[str, ...]
    center: tuple[float, ...]
    spread: tuple[float, ...]
    hidden: int
    features: int
    seeds: int
    weights: dict[str, float]
    pool: dict[str, dict[str, float]]
    prior: "TiltConfig | None" = None

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "TiltConfig":
        """Return the configuration from its form in ``config.json``."""
        prior = config.get("prior")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        return cls(**values | {"prior": None if prior is None else cls.from_json(prior)})

    def inputs(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the standardised and clipped inputs ``(len(rows), columns)``."""
        return standardised(rows, self.columns, self.center, self.spread)

    def weight(self, lead: int) -> float:
        """Return the sum of the weight of a lead and of the prior's weight. With 0 the base is used."""
        own = self.weights[str(lead)]
        return own if self.prior is None else own + self.prior.weight(lead)

    def weights_of(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the weight of the lead of each row, without that of the prior."""
        return np.array([self.weights[str(lead)] for lead in rows["lead"]])


def standardised(
    rows: pd.DataFrame, columns: tuple[str, ...], center: tuple[float, ...], spread: tuple[float, ...]
) -> np.ndarray:
    """Return (x − center) / spread, clipped at ±``CLIP``."""
    values = (rows[list(columns)].to_numpy(float) - np.array(center)) / np.array(spread)
    return values.clip(-CLIP, CLIP)


def model_rows(classical: pd.DataFrame, model: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one classical model that match ``rows`` by series, origin and lead, in order."""
    keys = ["series", "origin", "lead"]
    chosen = rows[keys].merge(classical[classical["model"] == model], on=keys, how="left", validate="1:1")
    if chosen["scale"].isna().any():
        first = chosen[chosen["scale"].isna()].iloc[0]
        raise BasinError(
            f"no {model} forecast for {first['series']} at {first['origin']:%Y-%m-%d}, lead {first['lead']}; "
            "run the stage features again"
        )
    return chosen


def mixture(
    classical: pd.DataFrame, rows: pd.DataFrame, weights: dict[str, dict[str, float]]
) -> SkewTMixture:
    """Return the mixture of the classical models for each row, with ``weights`` by lead and model."""
    members = list(next(iter(weights.values())))
    tables = [model_rows(classical, name, rows) for name in members]
    loc, scale, eta, lam = (
        np.stack([table[name].to_numpy(float) for table in tables]) for name in ("loc", "scale", "eta", "lam")
    )
    share = [[weights[str(lead)][name] for lead in rows["lead"]] for name in members]
    return SkewTMixture(loc, scale, eta, lam, np.array(share))
