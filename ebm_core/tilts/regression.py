"""Regression with skewed-t errors, whose location and log scale are linear functions of the inputs."""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

LEAST_ETA, MOST_LAM = 2.1, 0.95
"""Bounds of the degrees of freedom and of the size of the skewness of a fit."""

LOG_SCALE = 20.0
"""Bound of the size of a log scale during a fit."""


@dataclass(frozen=True)
class SkewTRegression:
    """Fitted regression y | x ~ SkewT(loc = x_loc·γ, scale = exp(x_scale·β), η, λ)."""

    gamma: np.ndarray
    beta: np.ndarray
    eta: float
    lam: float

    def location_and_scale(self, x_loc: np.ndarray, x_scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return loc and scale ``(n,)``, given inputs ``(n, k_loc)`` and ``(n, k_scale)``."""
        # Row sums, because the last bit of a BLAS product depends on the number of rows.
        return (x_loc * self.gamma).sum(axis=1), np.exp((x_scale * self.beta).sum(axis=1))


def fit_skewt_regression(
    y: np.ndarray,
    x_loc: np.ndarray,
    x_scale: np.ndarray,
    *,
    prior_gamma: np.ndarray,
    prior_beta: np.ndarray,
    penalty_loc: float,
    penalty_scale: float,
) -> SkewTRegression:
    """Fit a skewed-t regression by penalised maximum likelihood.

    L-BFGS starts at the prior coefficients γ₀ = ``prior_gamma`` and β₀ = ``prior_beta`` and minimises −Σ log
    p(yᵢ|xᵢ) + penalty_loc·‖γ − γ₀‖² + penalty_scale·‖β − β₀‖². The coefficients are thus shrunk to prior
    knowledge, such as "the scale is the GARCH volatility". ``y`` is ``(n,)``, ``x_loc`` ``(n, k_loc)`` and
    ``x_scale`` ``(n, k_scale)``. Raises ``ValueError`` for non-finite values and ``RuntimeError`` if the
    optimiser finds no finite optimum.
    """
    for name, values in (("y", y), ("x_loc", x_loc), ("x_scale", x_scale)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} has non-finite values; drop or correct those rows before fitting")
    k, m = len(prior_gamma), len(prior_beta)

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        gamma, beta = theta[:k], theta[k : k + m]
        eta, lam = _shape(theta[k + m :])
        log_scale = x_scale @ beta
        bounded = np.clip(log_scale, -LOG_SCALE, LOG_SCALE)
        scale = np.exp(bounded)
        z = (y - x_loc @ gamma) / scale
        density, by_z, by_eta, by_lam = _log_density(z, eta, lam)
        by_log_scale = np.where(bounded == log_scale, -1 - by_z * z, 0.0)
        off_gamma, off_beta = gamma - prior_gamma, beta - prior_beta
        loss = bounded.sum() - density.sum()
        loss += penalty_loc * (off_gamma @ off_gamma) + penalty_scale * (off_beta @ off_beta)
        gradient = [
            2 * penalty_loc * off_gamma + x_loc.T @ (by_z / scale),
            2 * penalty_scale * off_beta - x_scale.T @ by_log_scale,
            [-by_eta * (eta - LEAST_ETA), -by_lam * MOST_LAM * (1 - (lam / MOST_LAM) ** 2)],
        ]
        return float(loss), np.concatenate(gradient)

    start = np.concatenate([prior_gamma, prior_beta, [np.log(8.0), 0.0]])
    bounds = [(None, None)] * (k + m) + [(-2.0, 6.0), (-2.0, 2.0)]
    result = optimize.minimize(
        objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200}
    )
    if not np.isfinite(result.fun):
        raise RuntimeError(
            f"the skew-t regression found no finite optimum ({result.message}); check the scale of y"
        )
    return SkewTRegression(result.x[:k], result.x[k : k + m], *_shape(result.x[k + m :]))


def _shape(theta: np.ndarray) -> tuple[float, float]:
    """Return η and λ, of which any real numbers ``theta`` are valid."""
    return LEAST_ETA + float(np.exp(theta[0])), MOST_LAM * float(np.tanh(theta[1]))


def _log_density(z: np.ndarray, eta: float, lam: float) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return the log density of the standardised :class:`~ebm_core.tilts.skewt.SkewT` and its derivatives.

    They are those by z ``(n,)``, and the sums of those by η and by λ. Autograd would take several times as
    long.
    """
    log_c = special.gammaln((eta + 1) / 2) - special.gammaln(eta / 2) - np.log(np.pi * (eta - 2)) / 2
    log_c_by_eta = (special.digamma((eta + 1) / 2) - special.digamma(eta / 2) - 1 / (eta - 2)) / 2
    a_by_lam = 4 * np.exp(log_c) * (eta - 2) / (eta - 1)
    a = lam * a_by_lam
    a_by_eta = a * (log_c_by_eta + 1 / (eta - 2) - 1 / (eta - 1))
    b = np.sqrt(1 + 3 * lam**2 - a**2)
    b_by_lam, b_by_eta = (3 * lam - a * a_by_lam) / b, -a * a_by_eta / b
    sign = np.sign(b * z + a)
    side = 1 + lam * sign
    t = (b * z + a) / side
    tail = np.log1p(t**2 / (eta - 2))
    by_t = -(eta + 1) * t / (eta - 2 + t**2)
    by_eta = b_by_eta / b + log_c_by_eta - tail / 2 - by_t * t / (2 * (eta - 2))
    by_eta = by_eta + by_t * (b_by_eta * z + a_by_eta) / side
    by_lam = b_by_lam / b + by_t * (b_by_lam * z + a_by_lam - t * sign) / side
    density = np.log(b) + log_c - (eta + 1) / 2 * tail
    return density, by_t * b / side, float(by_eta.sum()), float(by_lam.sum())
