"""Regression with skewed-t errors, whose location and log scale are linear functions of the inputs."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import optimize
from torch import Tensor

from ebm_core.tilts.skewt import SkewT


@dataclass(frozen=True)
class SkewTRegression:
    """Fitted regression y | x ~ SkewT(loc = x_loc·γ, scale = exp(x_scale·β), η, λ)."""

    gamma: np.ndarray
    beta: np.ndarray
    eta: float
    lam: float

    def distribution(self, x_loc: np.ndarray, x_scale: np.ndarray) -> SkewT:
        """Return distributions of batch shape ``(n,)``, given inputs ``(n, k_loc)`` and ``(n, k_scale)``."""
        # Row sums, because the last bit of a BLAS product depends on the number of rows.
        loc = torch.as_tensor((x_loc * self.gamma).sum(axis=1))
        scale = torch.exp(torch.as_tensor((x_scale * self.beta).sum(axis=1)))
        return SkewT(loc, scale, self.eta, self.lam)


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
    target, loc_inputs, scale_inputs = (torch.as_tensor(v, dtype=torch.float64) for v in (y, x_loc, x_scale))
    gamma0, beta0 = torch.as_tensor(prior_gamma), torch.as_tensor(prior_beta)
    k, m = len(gamma0), len(beta0)

    def unpack(theta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        eta = 2.1 + torch.exp(theta[k + m])
        return theta[:k], theta[k : k + m], eta, 0.95 * torch.tanh(theta[k + m + 1])

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        theta = torch.tensor(values, requires_grad=True)
        gamma, beta, eta, lam = unpack(theta)
        base = SkewT(
            loc_inputs @ gamma, torch.exp((scale_inputs @ beta).clamp(-20, 20)), eta, lam, validate_args=False
        )
        loss = -base.log_prob(target).sum()
        loss = (
            loss + penalty_loc * ((gamma - gamma0) ** 2).sum() + penalty_scale * ((beta - beta0) ** 2).sum()
        )
        loss.backward()
        assert theta.grad is not None
        return float(loss.detach()), theta.grad.numpy()

    start = np.concatenate([prior_gamma, prior_beta, [np.log(8.0), 0.0]])
    bounds = [(None, None)] * (k + m) + [(-2.0, 6.0), (-2.0, 2.0)]
    result = optimize.minimize(
        objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200}
    )
    if not np.isfinite(result.fun):
        raise RuntimeError(
            f"the skew-t regression found no finite optimum ({result.message}); check the scale of y"
        )
    gamma, beta, eta, lam = (t.numpy() for t in unpack(torch.tensor(result.x)))
    return SkewTRegression(gamma, beta, float(eta), float(lam))
