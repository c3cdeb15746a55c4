"""The base that is tilted: a linear pool of classical models, weighted each year by their past scores."""

import numpy as np
import pandas as pd
import torch

from ebm_core.tilts.pool import LinearPool, fit_pool_weights
from tasks.tilts.model import model_rows, pooled, skewt

PoolWeights = dict[str, dict[str, float]]
"""Weight of each member, by lead."""


class PastScores:
    """Out-of-sample log densities of the pool's members, and the weights that they had earned by a date."""

    def __init__(self, inputs: pd.DataFrame, classical: pd.DataFrame, members: tuple[str, ...]) -> None:
        self.inputs, self.classical, self.members = inputs, classical, members
        target = torch.tensor(inputs["target"].to_numpy())
        each = [skewt(model_rows(classical, name, inputs)).log_prob(target).numpy() for name in members]
        self.log_density = np.column_stack(each)

    def weights(self, start: pd.Timestamp) -> PoolWeights:
        """By lead, from the targets known before ``start``; equal where there are none."""
        known = (self.inputs["time"] < start).to_numpy() & self.inputs["target"].notna().to_numpy()
        weights = {}
        for lead in sorted(self.inputs["lead"].unique()):
            rows = known & (self.inputs["lead"] == lead).to_numpy()
            fitted = fit_pool_weights(self.log_density[rows])
            weights[str(lead)] = dict(zip(self.members, fitted.tolist(), strict=True))
        return weights

    def normal_scores(self) -> torch.Tensor:
        """Φ⁻¹(Q(target)) of every row under the pool of its calendar year; NaN where unknown."""
        score = torch.full((len(self.inputs),), torch.nan, dtype=torch.float64)
        known = self.inputs["target"].notna().to_numpy()
        year = self.inputs["origin"].dt.year.to_numpy()
        for y in np.unique(year):
            at = np.flatnonzero(known & (year == y))
            rows = self.inputs.iloc[at]
            base: LinearPool = pooled(self.classical, rows, self.weights(pd.Timestamp(y, 1, 1)))
            score[at] = base.normal_score(torch.tensor(rows["target"].to_numpy()))
        return score
