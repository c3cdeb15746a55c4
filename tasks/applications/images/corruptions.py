"""Corrupted pictures, which are not digits, for the test part only.

No code for training, selection or calibration may import this module.
"""

import numpy as np


def shuffled(pictures: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permute the pixels of each picture ``(n, height, width)`` at random."""
    flat = pictures.reshape(len(pictures), -1)
    return rng.permuted(flat, axis=1).reshape(pictures.shape)


def inverted(pictures: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exchange dark and bright pixels."""
    return 1 - pictures


def transposed(pictures: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror pictures at the diagonal. If they are not square, restore their shape by nearest pixels."""
    turned = pictures.transpose(0, 2, 1)
    height, width = pictures.shape[1:]
    rows = np.arange(height) * width // height
    columns = np.arange(width) * height // width
    return turned[:, rows][:, :, columns]


def blended(pictures: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Average each picture with a random one of another class."""
    partner = [rng.choice(np.flatnonzero(labels != label)) for label in labels]
    return (pictures + pictures[partner]) / 2


CORRUPTIONS = {"shuffled": shuffled, "inverted": inverted, "transposed": transposed, "blend": blended}
