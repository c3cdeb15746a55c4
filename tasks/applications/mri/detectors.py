"""Detectors of lesions: the energy and its peers. Each gives one score per slice and one per pixel."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from scipy import ndimage
from sklearn.decomposition import PCA

from tasks.applications.mri.lesion_energy import SIDE, LesionEnergy
from tasks.applications.mri.scans import metadata

# The settings of the peers were chosen, like those of the energy, within the training part: on slices altered
# by the coarse noise that the energy is trained with.
COMPONENTS = 300
NEIGHBOURS = 5
BLOCK, MARGIN = 4, 10
"""Side of a block that is predicted from neighbours, and margin around it that is compared, in pixels."""
SMOOTHING = 3.0
"""Standard deviation in pixels of the Gaussian filter. Residuals of opposite sign cancel each other."""
TOP = 0.995
"""Quantile of a peer's map that is the score of the slice. For small lesions it is better than the mean."""
SPARED = 0.98
"""Share of the tissue of healthy slices whose map lies below the threshold."""

Maps = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Function from slices ``(n, h, w)`` to anomaly scores of slices ``(n,)`` and of pixels ``(n, h, w)``."""


@dataclass(frozen=True)
class Detector:
    """Anomaly maps, and the ``threshold`` above which a pixel is called a lesion."""

    maps: Maps
    threshold: float


def tissue(slices: np.ndarray) -> np.ndarray:
    """Return which pixels are brighter than 5 % of the slice's maximum."""
    found: np.ndarray = slices > 0.05 * slices.max((1, 2), keepdims=True)
    return found


def detector(maps: Maps, healthy: np.ndarray) -> Detector:
    """Return a detector whose threshold is the ``SPARED`` quantile of its map over the tissue of ``healthy``.

    ``healthy`` ``(n, h, w)`` are slices that the maps were not fitted on.
    """
    return Detector(maps, float(np.quantile(maps(healthy)[1][tissue(healthy)], SPARED)))


def of_energy(energy: LesionEnergy) -> Maps:
    """Return a function from slices to scores and maps: the energy, averaged over slice and mirror image."""

    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = torch.as_tensor(slices)[:, None]
        with torch.no_grad():
            parts = [(energy.heat(p) + energy.heat(p.flip(3)).flip(3)) / 2 for p in x.split(128)]
        heat = torch.cat(parts)
        return heat.flatten(1).logsumexp(1).numpy(), heat[:, 0].numpy()

    return maps


def of_pca(train: np.ndarray, seed: int) -> Maps:
    """Return a function from slices to scores and maps of their residual from the principal components."""
    known = _even(train).reshape(len(train), -1)
    count = min(COMPONENTS, len(train) - 1)
    model = PCA(count, svd_solver="randomized", random_state=seed).fit(known)

    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flat = _even(slices).reshape(len(slices), -1)
        residual = flat - model.inverse_transform(model.transform(flat))
        return _judged(residual.reshape(slices.shape))

    return maps


def of_neighbours(train: np.ndarray) -> Maps:
    """Return a function from slices to scores and maps: the residual from the nearest training slices.

    Each block of a slice is compared with the mean of the training slices that are most similar at the block
    and its surroundings.
    """
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
    """Return a function from slices to scores and zero maps: the Mahalanobis distance of :func:`metadata`."""
    known = metadata(train)
    centre, precision = known.mean(0), np.linalg.pinv(np.cov(known.T))

    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = metadata(slices) - centre
        return np.einsum("ni,ij,nj->n", away, precision, away), np.zeros(slices.shape)

    return maps


def _even(slices: np.ndarray) -> np.ndarray:
    """Divide each slice by its mean, because scanners differ in gain."""
    found: np.ndarray = slices / slices.mean((1, 2), keepdims=True)
    return found


def _margins(slices: np.ndarray) -> np.ndarray:
    return np.pad(slices, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))


def _judged(residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the absolute smoothed residual as the map, and its ``TOP`` quantile as the slice's score."""
    size = np.abs(ndimage.gaussian_filter(residual, (0, SMOOTHING, SMOOTHING)))
    return np.quantile(size, TOP, axis=(1, 2)), size
