"""Forecasts of peers for a size: the probability that it is large, its median and its distribution."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.applications.social.sizes import SizeModel, Steps, median

QUANTILES = np.arange(0.05, 0.96, 0.05)
"""Levels of the quantiles that the peer quantile-boosting forecasts."""


@dataclass(frozen=True)
class Answer:
    """Forecasts for n rows: P(large) ``(n,)`` and, if known, median ``(n,)`` and P(Y ≤ edge) ``(n, k)``."""

    large: np.ndarray
    median: np.ndarray | None = None
    cumulative: np.ndarray | None = None


def of_cumulative(cumulative: np.ndarray, steps: Steps, large: int) -> Answer:
    """Return the answer for a distribution; ``large`` is the first step that counts as large."""
    return Answer(1 - cumulative[:, large - 1], median(cumulative, steps), cumulative)


def ours(model: SizeModel, at: np.ndarray) -> dict[str, Answer]:
    """Return the answers of ``ebm``, of its base and of the peers whose outputs it uses, for rows ``at``."""
    steps, large = model.steps, model.learners.large
    tilted, base = model.cumulative(at)
    tuned, trees, logistic = model.learners.others
    return {
        "ebm": of_cumulative(tilted, steps, large),
        "base": of_cumulative(base, steps, large),
        "boosting-tuned": Answer(tuned.predict_proba(at)[:, 1]),
        "trees": Answer(trees.predict_proba(at)[:, 1]),
        "logistic": Answer(logistic.predict_proba(at)[:, 1]),
    }


def boosting(model: SizeModel, size: np.ndarray, at: np.ndarray) -> dict[str, Answer]:
    """Fit gradient boosting with default settings and return its class, median and quantiles for rows ``at``.

    It is fitted on the training rows of ``model``, whose sizes are ``size``.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    x, viral = model.learners.x, model.learners.place >= model.learners.large
    chance = HistGradientBoostingClassifier(random_state=0).fit(x, viral).predict_proba(at)[:, 1]

    def fitted(**loss: Any) -> np.ndarray:
        regressor = HistGradientBoostingRegressor(**loss, random_state=0)
        said: np.ndarray = regressor.fit(x, np.log(size)).predict(at)
        return said

    quantiles = np.stack([fitted(loss="quantile", quantile=q) for q in QUANTILES], 1)
    cumulative = _joined(quantiles, model.steps, size)
    return {
        "boosting": Answer(chance, np.exp(fitted(loss="absolute_error"))),
        "quantile-boosting": of_cumulative(cumulative, model.steps, model.learners.large),
    }


def _joined(quantiles: np.ndarray, steps: Steps, size: np.ndarray) -> np.ndarray:
    """Return the distribution that is linear in log size between quantiles and to the extreme sizes."""
    low, high = np.log(size.min() - 0.5), np.log(size.max() + 0.5)
    at = np.log(steps.edges[1:])
    rows = []
    for row in np.sort(quantiles, 1):
        ends = min(low, row[0] - 1e-3), max(high, row[-1] + 1e-3)
        rows.append(np.interp(at, np.r_[ends[0], row, ends[1]], np.r_[0, QUANTILES, 1]))
    return np.stack(rows)
