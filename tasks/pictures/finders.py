"""What finds a lesion: the energy and its peers, each a map of suspicion and one figure a slice."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from tasks.pictures.healthy import LesionEnergy
from tasks.pictures.scans import metadata

COMPONENTS = 50
NEIGHBOURS = 5
SMOOTHING = 1.5
"""Pixels of the Gaussian that smooths a peer's map, as large as suits blobs of a few pixels."""
SPARED = 0.98
"""Share of the tissue of healthy slices below the threshold of a map."""

Maps = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Slices ``(n, h, w)`` to suspicion of each slice ``(n,)`` and of each pixel ``(n, h, w)``."""


@dataclass(frozen=True)
class Finder:
    """``threshold``: above it a pixel is called a lesion; set on healthy slices not learned from."""

    maps: Maps
    threshold: float


def tissue(slices: np.ndarray) -> np.ndarray:
    found: np.ndarray = slices > 0.05 * slices.max((1, 2), keepdims=True)
    return found


def finder(maps: Maps, healthy: np.ndarray) -> Finder:
    """The threshold is the ``SPARED`` quantile of the map over the tissue of ``healthy``."""
    return Finder(maps, float(np.quantile(maps(healthy)[1][tissue(healthy)], SPARED)))


def of_energy(energy: LesionEnergy) -> Maps:
    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            parts = [energy.heat(part) for part in torch.as_tensor(slices)[:, None].split(128)]
        heat = torch.cat(parts)
        return heat.flatten(1).logsumexp(1).numpy(), heat[:, 0].numpy()

    return maps


def of_pca(train: np.ndarray, seed: int) -> Maps:
    """Residual after projection on the principal components: its mean square, and smoothed its map."""
    count = min(COMPONENTS, len(train) - 1)
    model = PCA(count, svd_solver="randomized", random_state=seed).fit(train.reshape(len(train), -1))

    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flat = slices.reshape(len(slices), -1)
        residual = flat - model.inverse_transform(model.transform(flat))
        return np.square(residual).mean(1), _smooth(residual.reshape(slices.shape))

    return maps


def of_neighbours(train: np.ndarray) -> Maps:
    """Mean distance to the nearest training slices, and the smoothed difference from their mean."""
    flat_train = train.reshape(len(train), -1)
    model = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(train))).fit(flat_train)

    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        distance, near = model.kneighbors(slices.reshape(len(slices), -1))
        return distance.mean(1), _smooth(slices - train[near].mean(1))

    return maps


def of_metadata(train: np.ndarray) -> Maps:
    """Mahalanobis distance of what is known without looking into the brain; it has no map."""
    known = metadata(train)
    centre, precision = known.mean(0), np.linalg.pinv(np.cov(known.T))

    def maps(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = metadata(slices) - centre
        return np.einsum("ni,ij,nj->n", away, precision, away), np.zeros(slices.shape)

    return maps


def _smooth(residual: np.ndarray) -> np.ndarray:
    found: np.ndarray = ndimage.gaussian_filter(np.abs(residual), (0, SMOOTHING, SMOOTHING))
    return found
