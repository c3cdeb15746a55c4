"""What finds a lesion: the energy and its peers, each a map of suspicion and one figure a slice."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from scipy import ndimage
from sklearn.decomposition import PCA

from tasks.applications.mri.lesion_energy import SIDE, LesionEnergy
from tasks.applications.mri.scans import metadata

# Of the peers, chosen like the energy inside the training part, under the coarse noise that it learns from.
COMPONENTS = 300
NEIGHBOURS = 5
BLOCK, MARGIN = 4, 10
"""Pixels a side that are told from nearest neighbours at once, and around them that are compared."""
SMOOTHING = 3.0
"""Pixels of the Gaussian that smooths a residual, sign and all: tissue that is off both ways cancels."""
TOP = 0.995
"""Quantile of a peer's map that tells of the slice: more than its mean when a lesion is small."""
SPARED = 0.98
"""Share of the tissue of healthy slices below the threshold of a map."""

Maps = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Slices ``(n, h, w)`` to suspicion of each slice ``(n,)`` and of each pixel ``(n, h, w)``."""


@dataclass(frozen=True)
class Detector:
    """``threshold``: above it a pixel is called a lesion; set on healthy slices not learned from."""

    maps: Maps
    threshold: float


def tissue(slices: np.ndarray) -> np.ndarray:
    found: np.ndarray = slices > 0.05 * slices.max((1, 2), keepdims=True)
    return found


def detector(maps: Maps, healthy: np.ndarray) -> Detector:
    """The threshold is the ``SPARED`` quantile of the map over the tissue of ``healthy``."""
    return Detector(maps, float(np.quantile(maps(healthy)[1][tissue(healthy)], SPARED)))


def of_energy(energy: LesionEnergy) -> Maps:
    """The mean of the slice's map and of the mirrored slice's."""

    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = torch.as_tensor(slices)[:, None]
        with torch.no_grad():
            parts = [(energy.heat(p) + energy.heat(p.flip(3)).flip(3)) / 2 for p in x.split(128)]
        heat = torch.cat(parts)
        return heat.flatten(1).logsumexp(1).numpy(), heat[:, 0].numpy()

    return maps


def of_pca(train: np.ndarray, seed: int) -> Maps:
    """What the principal components of the training slices leave of a slice."""
    known = _even(train).reshape(len(train), -1)
    count = min(COMPONENTS, len(train) - 1)
    model = PCA(count, svd_solver="randomized", random_state=seed).fit(known)

    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flat = _even(slices).reshape(len(slices), -1)
        residual = flat - model.inverse_transform(model.transform(flat))
        return _judged(residual.reshape(slices.shape))

    return maps


def of_neighbours(train: np.ndarray) -> Maps:
    """What the training slices nearest at each block and its surroundings, averaged, leave of a slice."""
    known = _even(train)
    around = _margins(known)
    side, near = BLOCK + 2 * MARGIN, min(NEIGHBOURS, len(train) - 1)

    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        residual = _even(slices)
        seen = _margins(residual)
        for i, j in product(range(0, SIDE, BLOCK), repeat=2):
            a = seen[:, i : i + side, j : j + side].reshape(len(slices), -1)
            b = around[:, i : i + side, j : j + side].reshape(len(train), -1)
            order = np.argpartition(np.square(b).sum(1) - 2 * a @ b.T, near, axis=1)[:, :near]
            block = np.s_[:, i : i + BLOCK, j : j + BLOCK]
            residual[block] -= known[block][order].mean(1)
        return _judged(residual)

    return maps


def of_metadata(train: np.ndarray) -> Maps:
    """Mahalanobis distance of what is known without looking into the brain; it has no map."""
    known = metadata(train)
    centre, precision = known.mean(0), np.linalg.pinv(np.cov(known.T))

    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = metadata(slices) - centre
        return np.einsum("ni,ij,nj->n", away, precision, away), np.zeros(slices.shape)

    return maps


def _even(slices: np.ndarray) -> np.ndarray:
    """Slices in units of their mean: scanners differ in gain."""
    found: np.ndarray = slices / slices.mean((1, 2), keepdims=True)
    return found


def _margins(slices: np.ndarray) -> np.ndarray:
    return np.pad(slices, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))


def _judged(residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smoothed residual's size at each pixel, and the ``TOP`` quantile of it, slice by slice."""
    size = np.abs(ndimage.gaussian_filter(residual, (0, SMOOTHING, SMOOTHING)))
    return np.quantile(size, TOP, axis=(1, 2)), size
