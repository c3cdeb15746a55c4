"""The energy of rows of a table, learned from normal rows alone, and the classical detectors beside it.

E(x) is a product of experts (Hinton, 2002): the mean of four energies of the same rows, each in standard
deviations of itself over normal rows that it was not fitted on:

- marginal: Σⱼ −log of the two-sided tail of xⱼ, what a base of independent columns says;
- dependence: the tilt of that base, −log p(x)/Πⱼ pⱼ(xⱼ), a network trained by noise contrast;
- neighbours: log distance to the nearest normal rows, a nearest-neighbour density, on normal scores;
- clusters: a Gaussian mixture's.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ebm_core.fit import fit
from ebm_core.networks import MLPEnergy
from ebm_core.objectives import Batch, Objective

NEIGHBOURS = 5
COMPONENTS = (1, 2, 4, 8, 16)
DEPENDENCE = 0.3
"""Weight of the dependence; 1 of the others. Chosen on other data, see ``benchmarks/OPENINGS.md``."""
REACH = 3.2
"""Normal scores beyond which a row is outside of what was seen."""


@dataclass(frozen=True)
class MarginalContrast(Objective):
    """log(1 + e^E(x)) + log(1 + e^−E(x⁻)), x⁻ the batch with each column shuffled by itself.

    The shuffled rows are draws of q(x) = Πⱼ pⱼ(xⱼ) with the data's own marginals; at the minimum
    p = q exp(−E), a tilt with Z = 1.

    Reference: Gutmann and Hyvärinen (2010), Noise-contrastive estimation, AISTATS.
    """

    def loss(self, energy: Any, batch: Batch, generator: torch.Generator) -> Tensor:
        assert isinstance(batch, Tensor)
        shuffled = batch.gather(0, torch.rand(batch.shape, generator=generator).argsort(0))
        return functional.softplus(energy(batch)).mean() + functional.softplus(-energy(shuffled)).mean()


class Experts:
    """The four energies fitted on normal rows ``(n, d)``; columns that never vary are left out."""

    def __init__(self, normal: np.ndarray, seed: int) -> None:
        from sklearn.mixture import GaussianMixture
        from sklearn.neighbors import NearestNeighbors
        from sklearn.preprocessing import QuantileTransformer, StandardScaler

        self.kept = normal.std(0) > 1e-12
        normal = normal[:, self.kept]
        self.scaler = StandardScaler().fit(normal)
        standard = self.scaler.transform(normal)
        self.low, self.high = standard.min(0), standard.max(0)
        quantiles = min(len(normal), 200)
        self.normaliser = QuantileTransformer(
            n_quantiles=quantiles, output_distribution="normal", random_state=seed
        ).fit(normal)
        self.sorted = np.sort(normal, 0)
        scores = self.scores(normal)
        self.neighbours = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(normal) - 1)).fit(scores)
        fewest = 12  # rows a component
        mixtures = [
            GaussianMixture(k, reg_covar=0.05, random_state=seed).fit(standard)
            for k in COMPONENTS
            if k == 1 or fewest * k <= len(normal)
        ]
        self.mixture = min(mixtures, key=lambda mixture: mixture.bic(standard))
        self.densest = float(self.mixture.score_samples(standard).max())
        generator = torch.Generator().manual_seed(seed)
        batch = min(128, len(normal))
        self.network = fit(
            MLPEnergy(scores.shape[1], (64,), generator=generator),
            torch.as_tensor(scores, dtype=torch.float32),
            MarginalContrast(),
            steps=int(np.clip(80 * len(normal) / batch, 50, 1500)),
            batch=batch,
            learning_rate=3e-3,
            generator=generator,
        )

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Normal scores of each column, and how far a value lies outside of all that were seen."""
        standard = np.clip(self.scaler.transform(x), -30, 30)
        outside = standard - np.clip(standard, self.low, self.high)
        inside = np.clip(self.normaliser.transform(x), -REACH, REACH)
        found: np.ndarray = inside + 0.3 * np.arcsinh(outside)
        return found

    def energies(self, x: np.ndarray) -> np.ndarray:
        """``(n, 4)``: marginal, neighbours, clusters, dependence."""
        x = x[:, self.kept]
        scores, d = self.scores(x), x.shape[1]
        distance = self.neighbours.kneighbors(scores)[0].mean(1)
        density = self.mixture.score_samples(np.clip(self.scaler.transform(x), -30, 30))
        with torch.no_grad():
            dependence = self.network.averaged(torch.as_tensor(scores, dtype=torch.float32)).double().numpy()
        return np.column_stack(
            [
                self._tails(x).mean(1),
                np.log(distance + 1e-3 * np.sqrt(d)),
                np.log(d + np.maximum(0, 2 * (self.densest - density))),
                dependence,
            ]
        )

    def _tails(self, x: np.ndarray) -> np.ndarray:
        """−log of twice the smaller tail of each value among the normal rows, ``(n, d)``."""
        n = len(self.sorted)
        columns = []
        for column, seen in zip(x.T, self.sorted.T, strict=True):
            below = (np.searchsorted(seen, column, "right") + 0.5) / (n + 1)
            above = (n - np.searchsorted(seen, column, "left") + 0.5) / (n + 1)
            columns.append(-np.log(np.minimum(1, 2 * np.minimum(below, above))))
        return np.stack(columns, 1)


class TabularEnergy:
    """The mean of :class:`Experts` in held-out standard deviations: fitted on normal rows ``(n, d)``."""

    def __init__(self, normal: np.ndarray, seed: int) -> None:
        order = np.random.default_rng(seed).permutation(len(normal))
        held, rest = order[::3], np.setdiff1d(order, order[::3])
        unseen = Experts(normal[rest], seed).energies(normal[held])
        self.centre, self.spread = np.median(unseen, 0), unseen.std(0) + 1e-9
        self.weight = np.array([1, 1, 1, 3 * DEPENDENCE]) / 3
        self.normal = normal
        self.experts = Experts(normal, seed)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Energies ``(n,)`` of rows ``(n, d)``: about 0 for normal rows, high for others."""
        energy: np.ndarray = (self.experts.energies(x) - self.centre) / self.spread @ self.weight
        return energy

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """``(n, d)``: what each value adds to the energy over the normal median in its place."""
        usual, energy = np.median(self.normal, 0), self(x)
        found = np.empty(x.shape)
        for j in range(x.shape[1]):
            without = x.copy()
            without[:, j] = usual[j]
            found[:, j] = energy - self(without)
        return found


def peers(normal: np.ndarray, seed: int) -> dict[str, Any]:
    """Classical detectors fitted on the same rows, standardised: functions from rows to anomaly scores."""
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import OneClassSVM

    scaler = StandardScaler().fit(normal)
    z = scaler.transform(normal)
    nearest = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(z) - 1)).fit(z)
    svm, forest = OneClassSVM().fit(z), IsolationForest(random_state=seed).fit(z)
    return {
        "knn5": lambda x: nearest.kneighbors(scaler.transform(x))[0][:, -1],
        "one-class-svm": lambda x: -svm.score_samples(scaler.transform(x)),
        "isolation-forest": lambda x: -forest.score_samples(scaler.transform(x)),
    }
