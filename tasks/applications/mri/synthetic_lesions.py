"""Synthetic lesions, for the test part alone: no training, selection or calibration may import this."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

AMPLITUDES = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Difficulty levels, in standard deviations of the tissue around the lesion."""
RADII = (3.0, 7.0)
"""Pixels, of each half axis, in a slice of 64 × 64."""
EDGE = 0.75
"""Pixels over which the edge falls off."""
AROUND = 10
"""Pixels around the centre whose standard deviation is meant."""
INSIDE = 8
"""Pixels that a centre lies inside the head."""


@dataclass(frozen=True)
class Lesions:
    """Slices ``(n, height, width)`` with one lesion each, and where it is, ``(n, height, width)`` bool."""

    slices: np.ndarray
    where: np.ndarray


def add_lesions(slices: np.ndarray, amplitude: float, rng: np.random.Generator) -> Lesions:
    """One ellipse in each slice ``(n, height, width)``: ± ``amplitude`` local standard deviations."""
    changed, where = slices.copy(), np.zeros(slices.shape, bool)
    down, across = np.indices(slices.shape[1:])
    for i, image in enumerate(slices):
        head = ndimage.binary_fill_holes(image > 0.1 * image.max())
        depth = ndimage.distance_transform_edt(head)
        places = np.argwhere(depth >= min(INSIDE, depth.max()))
        row, column = places[rng.integers(len(places))]
        long, short = rng.uniform(*RADII, size=2)
        angle = rng.uniform(0, np.pi)
        u = (across - column) * np.cos(angle) + (down - row) * np.sin(angle)
        v = (down - row) * np.cos(angle) - (across - column) * np.sin(angle)
        radius = np.sqrt((u / long) ** 2 + (v / short) ** 2)
        mask = 1 / (1 + np.exp((radius - 1) * min(long, short) / EDGE))
        spread = image[np.hypot(across - column, down - row) <= AROUND].std()
        sign = rng.choice([-1.0, 1.0])
        changed[i] = np.clip(image + sign * amplitude * spread * mask, 0, None)
        where[i] = radius <= 1
    return Lesions(changed, where)
