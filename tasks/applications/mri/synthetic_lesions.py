"""Synthetic lesions, for the test part only.

No code for training, selection or calibration may import this module.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

AMPLITUDES = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Sizes of the change, in standard deviations of the tissue around the lesion."""
RADII = (3.0, 7.0)
"""Range of each half-axis in pixels, for slices of 64 × 64 pixels."""
EDGE = 0.75
"""Width of the lesion's edge in pixels."""
AROUND = 10
"""Radius in pixels of the neighbourhood whose standard deviation scales the change."""
INSIDE = 8
"""Smallest distance in pixels of a lesion's centre from the edge of the head."""


@dataclass(frozen=True)
class Lesions:
    """Slices ``(n, height, width)`` with one lesion each, and the boolean masks of the lesions."""

    slices: np.ndarray
    where: np.ndarray


def add_lesions(slices: np.ndarray, amplitude: float, rng: np.random.Generator) -> Lesions:
    """Add an ellipse of ± ``amplitude`` local standard deviations to each slice ``(n, height, width)``."""
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
