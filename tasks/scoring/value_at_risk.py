"""Recalibration of value-at-risk levels by the recent calibration of the model."""

import numpy as np

HALF_LIFE = 500
"""Number of rows after which a past outcome has half its weight."""

PRIOR = 250
"""Strength of the shrinkage to the stated level, as a number of rows."""

FEWEST = 500
"""Number of past outcomes below which the stated level is not changed."""


def recalibrated_levels(pit: np.ndarray, levels: tuple[float, ...], known: np.ndarray) -> np.ndarray:
    """Return levels ``(n, len(levels))`` of value at risk, recalibrated so that past hits have their rate.

    ``pit`` is P(Y ≤ observed) of out-of-sample forecasts in time order. Row i uses the first ``known[i]`` of
    them. Its level is their empirical quantile with weights 2^(−age / HALF_LIFE), mixed with ``PRIOR`` rows
    of the uniform distribution. Reference: Boudoukh, Richardson and Whitelaw (1998), The best of both worlds,
    Risk 11(5).
    """
    recalibrated = np.tile(np.array(levels), (len(pit), 1))
    decay = 0.5 ** (1 / HALF_LIFE)
    for i, count in enumerate(known):
        if count < FEWEST:
            continue
        order = np.argsort(pit[:count], kind="stable")
        past, weight = pit[order], decay ** (count - 1.0 - order)
        mass = np.cumsum(weight) - weight / 2
        share = (mass + PRIOR * past) / (weight.sum() + PRIOR)
        recalibrated[i] = np.interp(levels, np.r_[0.0, share, 1.0], np.r_[0.0, past, 1.0])
    return recalibrated.clip(1e-4, 0.5)
