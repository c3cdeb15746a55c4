"""Two-dimensional views of an energy: slices of −log p(y | x) and the principal plane of the inputs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor, as_tensor, no_grad

Array = NDArray[np.float64]


def slice_energy(log_prob: Callable[[Tensor], Tensor], outcomes: Array) -> Array:
    """Return the energy −log p(y | x_i) in nats for each outcome y (rows) and each state x_i (columns).

    ``log_prob`` is the method of a distribution of batch shape ``(n,)``, with one member for each state.
    ``outcomes`` has shape ``(m,)`` and the result ``(m, n)``. exp(−energy) of each column integrates to one.
    """
    with no_grad():
        energy: Array = -log_prob(as_tensor(np.asarray(outcomes, dtype=np.float64)[:, None])).numpy()
    return energy


def contour_levels(energy: Array, count: int = 14, floor: float = 0.05) -> Array:
    """Return contour levels from the lowest energy upwards, evenly spaced in the logarithm of the height.

    The first level above the lowest energy is ``floor`` nats higher. The levels are close together near the
    minimum and far apart at large energies, so that both wells and slopes are visible. Raises ``ValueError``
    if no value is finite.
    """
    finite = energy[np.isfinite(energy)]
    if not finite.size:
        raise ValueError("energy: no value is finite; expected finite values to draw contours of")
    low, high = float(finite.min()), float(finite.max())
    height = max(high - low, 2 * floor)
    levels: Array = low + np.concatenate([[0.0], np.geomspace(floor, height, count)])
    return levels


@dataclass(frozen=True)
class PrincipalPlane:
    """Plane of the first two principal components of standardised inputs ``(rows, d)``, d ≥ 2.

    ``axes`` has shape ``(2, d)``. The sign of each axis is such that its largest loading is positive, so that
    plots are the same on every machine. ``share`` is the part of the variance that each axis explains.
    """

    centre: Array
    scale: Array
    axes: Array
    share: Array

    @classmethod
    def of(cls, inputs: Array) -> "PrincipalPlane":
        """Fit the plane to ``inputs``. A constant column gets scale one, so its loading is zero."""
        if inputs.ndim != 2 or inputs.shape[1] < 2 or len(inputs) < 3:
            raise ValueError(f"inputs: shape {inputs.shape}; expected 3 or more rows and 2 or more columns")
        centre, scale = inputs.mean(0), inputs.std(0)
        scale = np.where(scale > 1e-12 * np.maximum(1, np.abs(centre)), scale, 1.0)
        values, vectors = np.linalg.eigh(np.cov(((inputs - centre) / scale).T))
        axes = vectors[:, ::-1].T[:2]
        sign = np.sign(axes[np.arange(2), np.abs(axes).argmax(1)])
        return cls(centre, scale, axes * sign[:, None], values[::-1][:2] / values.sum())

    def project(self, inputs: Array) -> Array:
        """Return coordinates in the plane ``(rows, 2)``, in standard deviations of the inputs."""
        coordinates: Array = (inputs - self.centre) / self.scale @ self.axes.T
        return coordinates

    def lift(self, coordinates: Array) -> Array:
        """Return the inputs ``(rows, d)`` at points of the plane, with all other components at zero."""
        inputs: Array = coordinates @ self.axes * self.scale + self.centre
        return inputs


def near_data(at: Array, points: Array, radius: float, neighbours: int = 3) -> NDArray[np.bool_]:
    """Return whether each row of ``at`` has at least ``neighbours`` rows of ``points`` within ``radius``.

    Elsewhere a fitted energy is an extrapolation, and a map should be left blank.
    """
    k = min(neighbours, len(points))
    distance, _ = cKDTree(points).query(at, k=[k])
    close: NDArray[np.bool_] = distance[:, 0] <= radius
    return close


def local_mean(at: Array, points: Array, values: Array, bandwidth: float) -> Array:
    """Return Gaussian-kernel means (m, d) at ``at`` (m, k) of ``values`` (rows, d) of ``points`` (rows, k).

    This is the Nadaraya–Watson estimate Σᵢ K((at − pointᵢ)/h) valueᵢ / Σᵢ K((at − pointᵢ)/h) (1964) with
    h = ``bandwidth``. Far from all points it tends to the value of the nearest one.
    """
    squared = ((at[:, None, :] - points[None]) ** 2).sum(-1) / (2 * bandwidth**2)
    weight = np.exp(squared.min(1, keepdims=True) - squared)
    mean: Array = weight @ values / weight.sum(1, keepdims=True)
    return mean
