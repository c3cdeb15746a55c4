"""What is not a digit, for the test part alone: no training, selection or calibration may import this."""

import numpy as np


def shuffled(pictures: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The pixels of each picture ``(n, height, width)`` in an order of its own."""
    flat = pictures.reshape(len(pictures), -1)
    return rng.permuted(flat, axis=1).reshape(pictures.shape)


def inverted(pictures: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink for paper and paper for ink."""
    return 1 - pictures


def transposed(pictures: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirrored at the diagonal; oblong pictures are turned back to their size by nearest pixels."""
    turned = pictures.transpose(0, 2, 1)
    height, width = pictures.shape[1:]
    rows = np.arange(height) * width // height
    columns = np.arange(width) * height // width
    return turned[:, rows][:, :, columns]


def blended(pictures: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of each picture and half of one of another class, drawn from the same pictures."""
    partner = [rng.choice(np.flatnonzero(labels != label)) for label in labels]
    return (pictures + pictures[partner]) / 2


CORRUPTIONS = {"shuffled": shuffled, "inverted": inverted, "transposed": transposed, "blend": blended}
