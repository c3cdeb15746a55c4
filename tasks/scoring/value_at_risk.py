"""Value-at-risk levels recalibrated by the model's own recent misses: an exponentially weighted tail."""

import numpy as np

HALF_LIFE = 500
"""Rows after which a past outcome counts half."""

PRIOR = 250
"""Rows of a perfectly calibrated past that the level is shrunk to."""

FEWEST = 500
"""Past outcomes below which the stated level is used as it is."""


def recalibrated_levels(pit: np.ndarray, levels: tuple[float, ...], known: np.ndarray) -> np.ndarray:
    """Levels ``(n, len(levels))`` at which to read the quantiles so that past outcomes fall below in time.

    ``pit`` is P(Y ≤ observed) in order of time, out of sample; row i may use the first ``known[i]`` of
    them. The level is the weighted empirical quantile of those, weights 2^(−age / HALF_LIFE), with ``PRIOR``
    rows of the uniform distribution mixed in: a monotone map of the cdf, as in filtered historical
    simulation. Reference: Boudoukh, Richardson and Whitelaw (1998), The best of both worlds, Risk 11(5).
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
