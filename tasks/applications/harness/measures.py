"""Measures of performance that are computed for all bootstrap resamples at once.

A measure is called as ``measure(truth, answer, weight)`` with ``truth`` ``(n,)``, ``answer`` ``(n, …)`` and
``weight`` ``(resamples, n)``, the number of times that each row was drawn. The result has shape
``(resamples,)``. It is NaN for a resample without rows of one of the classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tasks.scoring.ranking import auroc, by_score

Array = np.ndarray


@dataclass(frozen=True)
class Measure:
    """Measure of performance: key in ``scores.json``, title, function, and whether higher is better."""

    name: str
    title: str
    of: Callable[[Array, Array, Array], Array]
    better: Literal["higher", "lower"] = "higher"

    @property
    def sign(self) -> int:
        return 1 if self.better == "higher" else -1


def average_precision(truth: Array, answer: Array, weight: Array) -> Array:
    """Return the average precision Σₖ (Rₖ − Rₖ₋₁) Pₖ over falling thresholds, without interpolation.

    R is recall and P is precision. The definition is that of scikit-learn.
    """
    positive, negative = (part[:, ::-1] for part in by_score(truth, answer, weight))
    hits, drawn = positive.cumsum(1), (positive + negative).cumsum(1)
    with np.errstate(invalid="ignore"):
        precision = np.where(drawn > 0, hits / np.maximum(drawn, 1e-300), 0)
        found: Array = (positive * precision).sum(1) / hits[:, -1]
    return found


def mean(truth: Array, answer: Array, weight: Array) -> Array:
    """Return the weighted mean of one score per row, such as the NDCG of a user or the CRPS of an outcome."""
    found: Array = weight @ answer.astype(float) / weight.sum(1)
    return found


def median(truth: Array, answer: Array, weight: Array) -> Array:
    """Return the weighted median of one score per row."""
    order = np.argsort(answer, kind="stable")
    cumulative = weight[:, order].cumsum(1)
    where = (cumulative >= cumulative[:, -1:] / 2).argmax(1)
    found: Array = answer[order][where].astype(float)
    return found


def accuracy(truth: Array, answer: Array, weight: Array) -> Array:
    """Return the share of rows whose most probable class in ``answer`` ``(n, classes)`` is the true one."""
    return mean(truth, answer.argmax(1) == truth, weight)


def calibration_error(truth: Array, answer: Array, weight: Array, bins: int = 15) -> Array:
    """Return the expected calibration error Σ_b share_b · |accuracy_b − confidence_b|.

    The bins b are ``bins`` equal intervals of the largest class probability, which is the confidence.

    Reference: Guo et al. (2017), On calibration of modern neural networks, ICML.
    """
    confidence = answer.max(1)
    excess = confidence - (answer.argmax(1) == truth)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    inside = place[:, None] == np.arange(bins)
    found: Array = np.abs(weight @ (inside * excess[:, None])).sum(1) / weight.sum(1)
    return found


AUROC = Measure("auroc", "AUROC", auroc)
AP = Measure("ap", "average precision", average_precision)
ACCURACY = Measure("accuracy", "accuracy", accuracy)
ECE = Measure("ece", "calibration error", calibration_error, "lower")
