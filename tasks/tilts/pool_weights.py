"""Weights of the base, a linear pool of classical models, fitted each year to their past log scores."""

import numpy as np
import pandas as pd
import torch

from ebm_core.tilts.pool import LinearPool, fit_pool_weights
from tasks.tilts.config import model_rows
from tasks.tilts.model import pooled, skewt

PoolWeights = dict[str, dict[str, float]]
"""Weights by lead and member."""


class PastScores:
    """Out-of-sample log densities of the members of the pool, and the weights fitted to them."""

    def __init__(self, inputs: pd.DataFrame, classical: pd.DataFrame, members: tuple[str, ...]) -> None:
        self.inputs, self.classical, self.members = inputs, classical, members
        target = torch.tensor(inputs["target"].to_numpy())
        each = [skewt(model_rows(classical, name, inputs)).log_prob(target).numpy() for name in members]
        self.log_density = np.column_stack(each)

    def weights(self, start: pd.Timestamp) -> PoolWeights:
        """Return weights by lead, fitted to targets known before ``start``, or equal ones without targets."""
        known = (self.inputs["time"] < start).to_numpy() & self.inputs["target"].notna().to_numpy()
        weights = {}
        for lead in sorted(self.inputs["lead"].unique()):
            rows = known & (self.inputs["lead"] == lead).to_numpy()
            fitted = fit_pool_weights(self.log_density[rows])
            weights[str(lead)] = dict(zip(self.members, fitted.tolist(), strict=True))
        return weights

    def normal_scores(self) -> torch.Tensor:
        """Return Φ⁻¹(Q(target)) of every row under the pool of its year, NaN where the target is unknown."""
        score = torch.full((len(self.inputs),), torch.nan, dtype=torch.float64)
        known = self.inputs["target"].notna().to_numpy()
        year = self.inputs["origin"].dt.year.to_numpy()
        for y in np.unique(year):
            at = np.flatnonzero(known & (year == y))
            rows = self.inputs.iloc[at]
            base: LinearPool = pooled(self.classical, rows, self.weights(pd.Timestamp(y, 1, 1)))
            score[at] = base.normal_score(torch.tensor(rows["target"].to_numpy()))
        return score
