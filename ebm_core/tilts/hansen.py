"""Hansen's skewed Student t in its standard form, of mean 0 and variance 1, for NumPy and for PyTorch."""

import math
from typing import Any

import numpy as np
from scipy import special

LOG_2PI = math.log(2 * math.pi)

LARGE_ETA = 1e3
"""Degrees of freedom above which the constant of the density is that of its expansion in 1/η."""


def log_normal_density(score: Any) -> Any:
    """Return log φ(s) of the standard normal."""
    return -0.5 * score**2 - 0.5 * LOG_2PI


def score_of(probability: np.ndarray) -> np.ndarray:
    """Return Φ⁻¹ of probabilities; raises ``ValueError`` for numbers outside [0, 1] and NaN."""
    wrong = ~((probability >= 0) & (probability <= 1))
    if wrong.any():
        raise ValueError(f"value: {probability[wrong][0]:g}; expected probabilities in [0, 1]")
    found: np.ndarray = special.ndtri(probability)
    return found


def constants(xp: Any, eta: Any, lam: Any) -> tuple[Any, Any, Any]:
    """Return a, b and log c of the density. ``xp`` is ``numpy`` or ``torch``, and the others its arrays."""
    lgamma = special.gammaln if xp is np else xp.lgamma
    log_c = lgamma((eta + 1) / 2) - lgamma(eta / 2) - 0.5 * xp.log(math.pi * (eta - 2))
    # Above, large numbers cancel. Γ((η+1)/2) / Γ(η/2) = √(η/2) exp(−1/(4η) + 1/(24η³) + O(η⁻⁵)).
    limit = -0.5 * (LOG_2PI + xp.log1p(-2 / eta)) - 1 / (4 * eta) + 1 / (24 * eta**3)
    log_c = xp.where(eta > LARGE_ETA, limit, log_c)
    a = 4 * lam * xp.exp(log_c) * (eta - 2) / (eta - 1)
    return a, xp.sqrt(1 + 3 * lam**2 - a**2), log_c


def log_density(xp: Any, z: Any, eta: Any, lam: Any) -> Any:
    """Return the log density at z, in nats, with ``xp`` as in :func:`constants`."""
    a, b, log_c = constants(xp, eta, lam)
    w = b * z + a
    w = w / (1 + lam * xp.sign(w))
    return xp.log(b) + log_c - (eta + 1) / 2 * xp.log1p(w**2 / (eta - 2))


def tail(z: np.ndarray, eta: np.ndarray, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether z is in the left tail, and the probability of the tail, without cancellation."""
    a, b, _ = constants(np, eta, lam)
    w = b * z + a
    left = w < 0
    side = np.where(left, 1 - lam, 1 + lam)
    return left, side * special.stdtr(eta, -np.abs(w) / side * np.sqrt(eta / (eta - 2)))


def tails(z: np.ndarray, eta: np.ndarray, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities below and above z, of which the smaller is computed without cancellation."""
    left, smaller = tail(z, eta, lam)
    return np.where(left, smaller, 1 - smaller), np.where(left, 1 - smaller, smaller)


def normal_score(z: np.ndarray, eta: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """Return the normal score of z, the quantile of the standard normal at the probability below z."""
    return score_of_tail(z, *tail(z, eta, lam))


def score_of_tail(value: np.ndarray, left: np.ndarray, smaller: np.ndarray) -> np.ndarray:
    """Return the normal scores of values from the probabilities of their tails, ±∞ for infinite values."""
    score = special.ndtri(np.clip(smaller, 1e-300, None))
    found: np.ndarray = np.where(np.isinf(value), value, np.where(left, score, -score))
    return found


def quantile(score: np.ndarray, eta: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """Return the Φ(score) quantile.

    A score of shape ``(*, 1)`` applies to every member of a one-dimensional batch ``eta`` and ``lam``. The
    quantiles are then computed once for each distinct pair, which in a rolling forecast is once for each
    refit.
    """
    if eta.ndim == 1 and len(eta) > 1 and score.ndim and score.shape[-1] == 1:
        pairs, where = np.unique(np.stack([eta, lam]), axis=1, return_inverse=True)
        return _quantile(score, *pairs)[..., where.reshape(-1)]
    return _quantile(score, eta, lam)


def _quantile(score: np.ndarray, eta: np.ndarray, lam: np.ndarray) -> np.ndarray:
    a, b, _ = constants(np, eta, lam)
    lower, upper = special.ndtr(score), special.ndtr(-score)
    left = lower < (1 - lam) / 2
    side = np.where(left, 1 - lam, 1 + lam)
    smaller = np.where(left, lower, upper) / side
    t = _student_quantile(np.minimum(smaller, 0.5), eta) * np.sqrt((eta - 2) / eta) * side
    z: np.ndarray = (np.where(left, t, -t) - a) / b
    return z


def _student_quantile(smaller: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """Return quantiles of Student's t.

    If η is small, SciPy's are of the wrong sign at probabilities below about 1e−110. There the tail is a
    power of t in double precision.
    """
    smallest = np.where(np.asarray(eta) < 10, 1e-100, 0.0)
    found = special.stdtrit(eta, np.maximum(smaller, smallest))
    power: np.ndarray = found * (np.maximum(smallest, 1e-300) / np.clip(smaller, 1e-300, 1e-100)) ** (1 / eta)
    return np.where(smaller < smallest, power, found)
