"""Correlations that move with time: DCC, exponential averages, and a pool of these."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from scipy import optimize, signal

from ebm_core.tilts.copula import log_spherical, student_of_normal

HALF_LIVES = (20, 60, 250, 1000)
"""Half-lives, in rows, of the averages in the pool."""

DEGREES = (4, 6, 8, 10, 12, 15, 20, 30, 50, 100, 300)
"""Degrees of freedom among which a t copula is chosen."""

PRIOR = 20
"""Rows of uncorrelated values with which the averages of the pool begin."""

BLOCK = 25
"""Series whose density is computed at once in fits. Of more, the sum over blocks is maximised."""


class Dynamics(Protocol):
    """Fitted dynamics of a correlation, and the degrees of freedom of the copula."""

    @property
    def nu(self) -> float: ...

    def correlations(self, scores: np.ndarray) -> np.ndarray:
        """Return the correlations ``(rows + 1, d, d)`` that are known before each row of normal scores."""
        ...


@dataclass(frozen=True)
class Constant:
    """A correlation that does not move."""

    target: np.ndarray
    nu: float

    def correlations(self, scores: np.ndarray) -> np.ndarray:
        return np.repeat(self.target[None], len(scores) + 1, axis=0)


@dataclass(frozen=True)
class Dcc:
    """DCC(1,1): the share of the last products, of the last correlation, and the mean ``target``."""

    news: float
    memory: float
    target: np.ndarray
    nu: float

    def correlations(self, scores: np.ndarray) -> np.ndarray:
        return dcc(standardised(scores, self.nu), self.news, self.memory, self.target)


@dataclass(frozen=True)
class Ewma:
    """An exponential average of Gaussian scores that begins with ``start``."""

    half_life: float
    start: np.ndarray
    nu: float = math.inf

    def correlations(self, scores: np.ndarray) -> np.ndarray:
        return averaged(scores, self.half_life, self.start)


@dataclass(frozen=True)
class Pool:
    """A weighted mean of the matrices of :func:`components`."""

    weights: np.ndarray
    nu: float

    def correlations(self, scores: np.ndarray) -> np.ndarray:
        return pooled(components(standardised(scores, self.nu)), self.weights)


def student(scores: np.ndarray, nu: float) -> np.ndarray:
    """Return t_ν⁻¹(Φ(s)) of normal scores."""
    return student_of_normal(torch.as_tensor(scores), nu).numpy()


def standardised(scores: np.ndarray, nu: float) -> np.ndarray:
    """Return t_ν⁻¹(Φ(s)) in units of its standard deviation."""
    return student(scores, nu) * (1.0 if nu == math.inf else math.sqrt((nu - 2) / nu))


def averaged(x: np.ndarray, half_life: float, start: np.ndarray | None = None) -> np.ndarray:
    """Return exponentially weighted correlations ``(rows + 1, d, d)`` of standardised values.

    They begin with ``start``, or with the identity in place of ``PRIOR`` rows.
    """
    n, d = x.shape
    decay = 0.5 ** (1 / half_life)
    products = (1 - decay) * (x[:, :, None] * x[:, None, :]).reshape(n, -1)
    begin = PRIOR * (1 - decay) * np.eye(d) if start is None else start
    products = np.concatenate([begin.reshape(1, -1), products])
    return normalised(signal.lfilter([1], [1, -decay], products, axis=0).reshape(n + 1, d, d))


def dcc(x: np.ndarray, news: float, memory: float, target: np.ndarray) -> np.ndarray:
    """Return the correlations ``(rows + 1, d, d)`` of DCC(1,1) (Engle 2002) of standardised values."""
    n, d = x.shape
    products = news * (x[:, :, None] * x[:, None, :]).reshape(n, -1) + (1 - news - memory) * target.reshape(
        -1
    )
    products = np.concatenate([target.reshape(1, -1), products])
    return normalised(signal.lfilter([1], [1, -memory], products, axis=0).reshape(n + 1, d, d))


def normalised(covariance: np.ndarray) -> np.ndarray:
    """Return the correlations of covariances ``(*, d, d)``."""
    scale = 1 / np.sqrt(np.einsum("...ii->...i", covariance))
    return covariance * scale[..., :, None] * scale[..., None, :]


def equicorrelation(correlation: np.ndarray) -> np.ndarray:
    """Return matrices of which all correlations are the mean of those of ``correlation`` ``(*, d, d)``."""
    d = correlation.shape[-1]
    mean = (correlation.sum((-2, -1)) - d) / (d * (d - 1))
    return mean[..., None, None] + (1 - mean[..., None, None]) * np.eye(d)


def components(x: np.ndarray) -> np.ndarray:
    """Return the matrices ``(9, rows + 1, d, d)`` of the pool.

    They are the exponential averages of four half-lives, the equicorrelation of each, and the identity.
    """
    found = []
    for half_life in HALF_LIVES:
        average = averaged(x, half_life)
        found += [average, equicorrelation(average)]
    return np.stack([*found, np.broadcast_to(np.eye(x.shape[1]), found[0].shape)])


def pooled(matrices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted mean of matrices, with a trace of the identity to keep it positive definite."""
    mean = np.einsum("k,k...->...", weights, matrices)
    found: np.ndarray = 0.999 * mean + 0.001 * np.eye(mean.shape[-1])
    return found


def log_copula(scores: np.ndarray, correlations: np.ndarray, nu: float) -> np.ndarray:
    """Return the log densities ``(rows,)`` of the copula at normal scores ``(rows, d)``."""
    x = torch.as_tensor(student(scores, nu))
    factor = torch.linalg.cholesky(torch.tensor(correlations))
    w = torch.linalg.solve_triangular(factor, x[..., None], upper=False)[..., 0]
    joint = log_spherical(w, nu) - torch.diagonal(factor, dim1=1, dim2=2).log().sum(1)
    return (joint - log_spherical(x[..., None], nu).sum(-1)).numpy()


def _blocks(d: int) -> list[slice]:
    return [slice(i, min(i + BLOCK, d)) for i in range(0, d, BLOCK) if min(i + BLOCK, d) - i > 1]


def _likelihood(scores: np.ndarray, correlations: np.ndarray, nu: float) -> float:
    return sum(
        float(log_copula(scores[:, block], correlations[:, block, block], nu).sum())
        for block in _blocks(scores.shape[1])
    )


def best_degrees(scores: np.ndarray, correlations: np.ndarray) -> float:
    """Return the degrees of freedom of highest likelihood."""
    return float(max(DEGREES, key=lambda nu: _likelihood(scores, correlations, nu)))


def fit_constant(scores: np.ndarray) -> Constant:
    """Fit a t copula of constant correlation, that of the Spearman-like normal scores."""
    target = np.corrcoef(scores.T)
    nu = best_degrees(scores, np.repeat(target[None], len(scores), axis=0))
    return Constant(target, nu)


def fit_dcc(scores: np.ndarray, gaussian: bool = False) -> Dcc:
    """Fit DCC(1,1) with a t copula, or a Gaussian one, by maximum likelihood."""
    nu = math.inf if gaussian else 15.0

    def parameters(free: np.ndarray) -> tuple[float, float]:
        news = 0.2 / (1 + math.exp(-free[0]))
        return news, (1 - news) * 0.9999 / (1 + math.exp(-free[1]))

    def fitted(news: float, memory: float, nu: float) -> Dcc:
        return Dcc(news, memory, np.corrcoef(standardised(scores, nu).T), nu)

    def likelihood(news: float, memory: float, nu: float) -> float:
        return _likelihood(scores, fitted(news, memory, nu).correlations(scores)[:-1], nu)

    for _ in range(1 if gaussian else 2):  # with degrees of freedom near the best
        found = optimize.minimize(
            lambda free, nu=nu: -likelihood(*parameters(free), nu),
            [-3.0, 3.5],
            method="Nelder-Mead",
            options={"xatol": 0.02, "fatol": 0.2, "maxiter": 60},
        )
        news, memory = parameters(found.x)
        if not gaussian:
            nu = float(max(DEGREES, key=lambda nu: likelihood(news, memory, nu)))
    return fitted(news, memory, nu)


def fit_ewma(scores: np.ndarray) -> Ewma:
    """Fit the half-life of an exponential average with a Gaussian copula (RiskMetrics) by likelihood.

    The first rows, which know little, do not count.
    """
    target, after = np.corrcoef(scores.T), min(250, len(scores) // 4)

    def loss(log_half_life: float) -> float:
        found = averaged(scores, math.exp(log_half_life), target)[:-1]
        return -_likelihood(scores[after:], found[after:], math.inf)

    found = optimize.minimize_scalar(loss, bounds=(math.log(5), math.log(2000)), method="bounded")
    return Ewma(math.exp(found.x), target)


def fit_pool(scores: np.ndarray, after: int) -> Pool:
    """Fit the weights of the pool and the degrees of freedom by likelihood of the rows from ``after`` on.

    All components are known before each row, so that none is fitted to what it forecasts.
    """
    nu = 30.0
    matrices = components(standardised(scores, nu))[:, after:-1]
    matrices = 0.999 * matrices + 0.001 * np.eye(scores.shape[1])
    blocks = [
        (torch.as_tensor(matrices[:, :, b, b]), torch.as_tensor(student(scores[after:, b], nu)))
        for b in _blocks(scores.shape[1])
    ]
    free = torch.zeros(len(matrices), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=40, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        weights = torch.softmax(free, 0)
        total = torch.zeros((), dtype=torch.float64)
        for matrix, x in blocks:
            factor = torch.linalg.cholesky(torch.einsum("k,ktij->tij", weights, matrix))
            w = torch.linalg.solve_triangular(factor, x[..., None], upper=False)[..., 0]
            density = log_spherical(w, nu) - torch.diagonal(factor, dim1=1, dim2=2).log().sum(1)
            total = total - density.mean()
        total.backward()
        return total

    optimiser.step(loss)
    weights = torch.softmax(free.detach(), 0).numpy()
    return Pool(weights, best_degrees(scores[after:], pooled(matrices, weights)))
