"""Energy of the rows of a table, fitted on normal rows only, and classical detectors for comparison.

E(x) is a product of experts (Hinton, 2002): the mean of three energies of a row. Each is standardised by its
median and standard deviation over normal rows that it was not fitted on.

- marginals: mean over columns of −log of the two-sided tail probability of xⱼ, a model of independent
  columns;
- dependence: log(d + squared Mahalanobis distance), a heavy-tailed elliptical density with a shrunk
  covariance;
- neighbours: log distance to the nearest normal rows, a nearest-neighbour density.

The experts were chosen on other tables, where a network trained by noise-contrastive estimation did not
improve them: see ``docs/results/test-set-evaluations.md``.
"""

from typing import Any

import numpy as np

NEIGHBOURS = 5
REACH = 30
"""Standardised values are clipped to this many standard deviations."""


class Experts:
    """Energies of marginals, dependence and neighbours, fitted on normal rows ``(n, d)``.

    Constant columns are left out.
    """

    def __init__(self, normal: np.ndarray) -> None:
        from sklearn.covariance import LedoitWolf
        from sklearn.neighbors import NearestNeighbors
        from sklearn.preprocessing import StandardScaler

        self.kept = normal.std(0) > 1e-12
        normal = normal[:, self.kept]
        self.scaler = StandardScaler().fit(normal)
        standard = self.scaler.transform(normal)
        self.sorted = np.sort(normal, 0)
        self.covariance = LedoitWolf().fit(standard)
        self.neighbours = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(normal) - 1)).fit(standard)

    def energies(self, x: np.ndarray) -> np.ndarray:
        """Return the energies of marginals, dependence and neighbours, ``(n, 3)``."""
        x = x[:, self.kept]
        standard, d = np.clip(self.scaler.transform(x), -REACH, REACH), x.shape[1]
        distance = self.neighbours.kneighbors(standard)[0].mean(1)
        return np.column_stack(
            [
                self._tails(x).mean(1),
                np.log(d + self.covariance.mahalanobis(standard)),
                np.log(distance + 1e-3 * np.sqrt(d)),
            ]
        )

    def _tails(self, x: np.ndarray) -> np.ndarray:
        """Return −log of the two-sided tail probability of each value among the normal rows, ``(n, d)``."""
        n = len(self.sorted)
        columns = []
        for column, seen in zip(x.T, self.sorted.T, strict=True):
            below = (np.searchsorted(seen, column, "right") + 0.5) / (n + 1)
            above = (n - np.searchsorted(seen, column, "left") + 0.5) / (n + 1)
            columns.append(-np.log(np.minimum(1, 2 * np.minimum(below, above))))
        return np.stack(columns, 1)


class TabularEnergy:
    """Mean of the standardised energies of :class:`Experts`, fitted on normal rows ``(n, d)``.

    Location and scale of the standardisation come from a third of the rows that is held out of a first fit.
    """

    def __init__(self, normal: np.ndarray, seed: int) -> None:
        order = np.random.default_rng(seed).permutation(len(normal))
        held, rest = order[::3], np.setdiff1d(order, order[::3])
        unseen = Experts(normal[rest]).energies(normal[held])
        self.centre, self.spread = np.median(unseen, 0), unseen.std(0) + 1e-9
        self.normal = normal
        self.experts = Experts(normal)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the energies ``(n,)`` of rows ``(n, d)``: about 0 for normal rows, high for unusual ones."""
        energy: np.ndarray = ((self.experts.energies(x) - self.centre) / self.spread).mean(1)
        return energy

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """Return how much the energy falls if a value is replaced by the normal rows' median, ``(n, d)``."""
        usual, energy = np.median(self.normal, 0), self(x)
        found = np.empty(x.shape)
        for j in range(x.shape[1]):
            without = x.copy()
            without[:, j] = usual[j]
            found[:, j] = energy - self(without)
        return found


def held_out_energies(normal: np.ndarray, seed: int) -> np.ndarray:
    """Return energies of the normal rows by cross-fitting: each third is scored by a fit on the other two."""
    order = np.random.default_rng(seed).permutation(len(normal))
    thirds = [(np.delete(order, np.s_[k::3]), order[k::3]) for k in range(3)]
    return np.concatenate([TabularEnergy(normal[rest], seed)(normal[held]) for rest, held in thirds])


def peers(normal: np.ndarray, seed: int) -> dict[str, Any]:
    """Fit classical detectors on the same rows; return functions from rows to anomaly scores."""
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
