"""Two-dimensional views of an energy: a slice of −log p(y | x), and the principal plane of the inputs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor, as_tensor, no_grad

Array = NDArray[np.float64]


def slice_energy(log_prob: Callable[[Tensor], Tensor], outcomes: Array) -> Array:
    """Total energy −log p(y | x_i) in nats, shape ``(len(outcomes), n)``.

    ``log_prob`` is that of a distribution of batch shape ``(n,)``, one member a state x_i; ``outcomes``
    has shape ``(m,)``. Each column is normalised: exp(−energy) integrates to one over y.
    """
    with no_grad():
        energy: Array = -log_prob(as_tensor(np.asarray(outcomes, dtype=np.float64)[:, None])).numpy()
    return energy


def contour_levels(energy: Array, count: int = 14, floor: float = 0.05) -> Array:
    """``count`` levels above the lowest energy, evenly spaced in the logarithm of the height.

    Wells and slopes are both seen: near the bottom the levels are ``floor`` nats apart or closer, high up
    they are far apart. Raises ``ValueError`` when no value is finite.
    """
    finite = energy[np.isfinite(energy)]
    if not finite.size:
        raise ValueError("energy: no finite value to draw contours of")
    low, high = float(finite.min()), float(finite.max())
    height = max(high - low, 2 * floor)
    levels: Array = low + np.concatenate([[0.0], np.geomspace(floor, height, count)])
    return levels


@dataclass(frozen=True)
class PrincipalPlane:
    """The plane of largest variance through standardised inputs (PCA), shape ``(rows, d)``, d ≥ 2.

    ``axes`` has shape ``(2, d)``; each axis points so that its largest loading is positive, which makes
    the picture the same on every machine. ``share`` is the part of the variance that each axis explains.
    """

    centre: Array
    scale: Array
    axes: Array
    share: Array

    @classmethod
    def of(cls, inputs: Array) -> "PrincipalPlane":
        """Fit to ``inputs``; a constant column gets scale one and so no loading."""
        if inputs.ndim != 2 or inputs.shape[1] < 2 or len(inputs) < 3:
            raise ValueError(f"inputs: {inputs.shape}; expected 3 rows or more of 2 columns or more")
        centre, scale = inputs.mean(0), inputs.std(0)
        scale = np.where(scale > 1e-12 * np.maximum(1, np.abs(centre)), scale, 1.0)
        values, vectors = np.linalg.eigh(np.cov(((inputs - centre) / scale).T))
        axes = vectors[:, ::-1].T[:2]
        sign = np.sign(axes[np.arange(2), np.abs(axes).argmax(1)])
        return cls(centre, scale, axes * sign[:, None], values[::-1][:2] / values.sum())

    def project(self, inputs: Array) -> Array:
        """Coordinates in the plane, ``(rows, 2)``, in standard deviations of the inputs."""
        coordinates: Array = (inputs - self.centre) / self.scale @ self.axes.T
        return coordinates

    def lift(self, coordinates: Array) -> Array:
        """The inputs at points of the plane, ``(rows, d)``: all other components at zero."""
        inputs: Array = coordinates @ self.axes * self.scale + self.centre
        return inputs


def near_data(at: Array, points: Array, radius: float, neighbours: int = 3) -> NDArray[np.bool_]:
    """Whether each row of ``at`` has at least ``neighbours`` rows of ``points`` within ``radius``.

    Where it has not, a fitted energy is extrapolation, and a map should leave the place blank.
    """
    k = min(neighbours, len(points))
    distance, _ = cKDTree(points).query(at, k=[k])
    close: NDArray[np.bool_] = distance[:, 0] <= radius
    return close


def local_mean(at: Array, points: Array, values: Array, bandwidth: float) -> Array:
    """Gaussian-kernel mean of ``values`` (rows, d) over ``points`` (rows, k) at ``at`` (m, k): (m, d).

    Σᵢ K((at − pointᵢ)/h) valueᵢ / Σᵢ K(·): Nadaraya–Watson (1964). Far from all points it tends to the
    nearest one.
    """
    squared = ((at[:, None, :] - points[None]) ** 2).sum(-1) / (2 * bandwidth**2)
    weight = np.exp(squared.min(1, keepdims=True) - squared)
    mean: Array = weight @ values / weight.sum(1, keepdims=True)
    return mean
