"""AUROC and average precision, for all resamples of a bootstrap at once."""

import numpy as np


def by_score(truth: np.ndarray, answer: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of positives and of negatives at each score, ascending, ``(resamples, scores)``.

    ``truth`` ``(n,)`` is 0 or 1, ``answer`` ``(n,)`` the scores, and ``weight`` ``(resamples, n)`` the number
    of times that each row was drawn.
    """
    order = np.argsort(answer, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(answer[order]) > 0])
    sorted_weight, label = weight[:, order].astype(float), truth[order].astype(bool)
    return (
        np.add.reduceat(sorted_weight * label, starts, axis=1),
        np.add.reduceat(sorted_weight * ~label, starts, axis=1),
    )


def auroc(truth: np.ndarray, answer: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the AUROC, P(a positive scores above a negative) + ½ P(tie), of each resample ``(resamples,)``.

    It is NaN for a resample without rows of one of the classes. Parameters are those of :func:`by_score`.
    Reference: Hanley and McNeil (1982), Radiology 143.

    Examples
    --------
    >>> truth, answer = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.5, 0.5])
    >>> auroc(truth, answer, np.array([[1, 1, 1, 1], [1, 1, 1, 0]])).tolist()
    [0.875, 1.0]
    """
    positive, negative = by_score(truth, answer, weight)
    below = negative.cumsum(1) - negative / 2
    with np.errstate(invalid="ignore"):
        found: np.ndarray = (positive * below).sum(1) / (positive.sum(1) * negative.sum(1))
    return found


def average_precision(truth: np.ndarray, answer: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the mean precision over the positives of each resample ``(resamples,)``.

    The precision of a positive is the share of positives among the rows that score as high as it or higher.
    It is NaN for a resample without positives. Parameters are those of :func:`by_score`.

    Examples
    --------
    >>> truth, answer = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.5, 0.5])
    >>> average_precision(truth, answer, np.array([[1, 1, 1, 1], [1, 1, 1, 0]])).round(3).tolist()
    [0.833, 1.0]
    """
    positive, negative = (each[:, ::-1] for each in by_score(truth, answer, weight))
    found, rows = positive.cumsum(1), (positive + negative).cumsum(1)
    with np.errstate(invalid="ignore"):
        precision = np.where(rows > 0, found / rows, 0.0)
        mean: np.ndarray = (positive * precision).sum(1) / positive.sum(1)
    return mean
