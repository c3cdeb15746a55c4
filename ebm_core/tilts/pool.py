"""Linear pools: mixtures of forecast distributions, with weights fitted to past log scores."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy import special
from torch import Tensor

from ebm_core.base.arguments import check_at_least
from ebm_core.tilts.mixture import SkewTMixture
from ebm_core.tilts.skewt import ScoredDistribution, SkewT


class LinearPool(ScoredDistribution):
    """Linear pool q(y) = Σₖ wₖ qₖ(y), the mixture of several forecast distributions.

    The log score of the pool is never below the weighted mean of its members' log scores (Jensen's
    inequality).

    Parameters
    ----------
    members : sequence of SkewT
        Members qₖ, each of batch shape ``(n,)``.
    weights : Tensor, shape (members, n)
        Weights wₖ, which are non-negative and sum to one over the members.

    Raises
    ------
    ValueError
        If there are no members, or if the weights have the wrong shape, are negative or do not sum to one.

    References
    ----------
    Geweke and Amisano (2011), Optimal prediction pools, J. Econometrics 164(1).

    Examples
    --------
    >>> import torch
    >>> from ebm_core import LinearPool, SkewT
    >>> calm, wild = SkewT(torch.zeros(1), 1.0), SkewT(torch.full((1,), 4.0), 3.0, eta=5.0)
    >>> pool = LinearPool([calm, wild], torch.tensor([[0.75], [0.25]]))
    >>> round(float(pool.mean), 6)
    1.0
    >>> median = pool.icdf(torch.tensor([0.5], dtype=torch.float64))
    >>> round(float(pool.cdf(median)), 6)
    0.5
    """

    def __init__(self, members: Sequence[SkewT], weights: Tensor) -> None:
        if not members:
            raise ValueError("members: is empty; expected one or more distributions")
        if weights.shape != (len(members), *members[0].batch_shape):
            raise ValueError(f"weights: shape {tuple(weights.shape)}; expected (members, *batch)")
        if not torch.allclose(weights.sum(0), torch.ones(()).to(weights)) or (weights < 0).any():
            raise ValueError("weights: expected weights that are non-negative and sum to 1 over the members")
        super().__init__(members[0].batch_shape, validate_args=False)
        self.members = tuple(members)
        self.weights = weights / weights.sum(0)

    def __getitem__(self, part: slice) -> "LinearPool":
        """Return the pool of the rows ``part`` of the batch."""
        return LinearPool([m[part] for m in self.members], self.weights[:, part])

    @property
    def mean(self) -> Tensor:
        return (self.weights * torch.stack([m.mean for m in self.members])).sum(0)

    @property
    def variance(self) -> Tensor:
        second = torch.stack([m.variance + m.mean**2 for m in self.members])
        return (self.weights * second).sum(0) - self.mean**2

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density in nats at ``value``, which must broadcast to ``(*sample, n)``."""
        each = [w.log() + m.log_prob(value) for w, m in zip(self.weights, self.members, strict=True)]
        return torch.logsumexp(torch.stack(each), 0)

    def tails(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(P(Y ≤ value), P(Y > value))``, of which the smaller is computed without cancellation."""
        each = [m.tails(value) for m in self.members]
        lower = sum(w * below for w, (below, _) in zip(self.weights, each, strict=True))
        upper = sum(w * above for w, (_, above) in zip(self.weights, each, strict=True))
        return torch.as_tensor(lower), torch.as_tensor(upper)

    def normal_score(self, value: Tensor) -> Tensor:
        """Return Φ⁻¹(P(Y ≤ value)), accurate in both tails. It is standard normal if Y follows the pool."""
        lower, upper = self.tails(value)
        left = lower < upper
        tail = torch.where(left, lower, upper).clamp_min(1e-300)
        if tail.requires_grad:
            score = torch.special.ndtri(tail)
        else:
            score = torch.as_tensor(special.ndtri(tail.numpy()))
        return torch.where(torch.isinf(value), value, torch.where(left, score, -score))

    def _quantile(self, score: Tensor) -> Tensor:
        """Return the Φ(score) quantile, by Newton's method between the quantiles of the members."""
        members = ((m.loc, m.scale, m.eta, m.lam) for m in self.members)
        loc, scale, eta, lam = (torch.stack(each).numpy() for each in zip(*members, strict=True))
        mixture = SkewTMixture(loc, scale, eta, lam, self.weights.double().numpy())
        return torch.as_tensor(mixture.from_normal_score(score.numpy()))


def fit_pool_weights(log_density: np.ndarray, prior: float = 20.0) -> np.ndarray:
    """Compute the weights that maximise the past log score of the pool, shrunk towards equal weights.

    The weights maximise Σᵢ log Σₖ wₖ exp(ℓᵢₖ) + (prior / members) · Σₖ log wₖ subject to Σₖ wₖ = 1, by the EM
    algorithm.

    Parameters
    ----------
    log_density : ndarray, shape (n, members)
        Log densities ℓ of the past outcomes, in nats, with one row for each outcome. Without rows the weights
        are equal.
    prior : float, default 20.0
        Strength of the shrinkage, as a number of rows.

    Returns
    -------
    ndarray, shape (members,)
        Weights wₖ, which sum to one.

    Raises
    ------
    ValueError
        If a log density is NaN or +∞, if all of a row are −∞, if there are no members, or if ``prior`` is
        negative or not finite.

    References
    ----------
    Geweke and Amisano (2011), Optimal prediction pools, J. Econometrics 164(1).

    Examples
    --------
    The first member has scored better by half a nat on each of 200 dates.

    >>> import numpy as np
    >>> from ebm_core import fit_pool_weights
    >>> weights = fit_pool_weights(np.tile([-1.0, -1.5], (200, 1)))
    >>> bool(weights[0] > 0.8), round(float(weights.sum()), 6)
    (True, 1.0)
    >>> fit_pool_weights(np.empty((0, 2)))
    array([0.5, 0.5])
    """
    log_density = np.asarray(log_density, dtype=float)
    if log_density.ndim != 2 or not log_density.shape[1]:
        raise ValueError(f"log_density: shape {log_density.shape}; expected (n, members), one member or more")
    check_at_least("prior", prior, 0)
    n, members = log_density.shape
    if not (log_density < np.inf).all():
        raise ValueError("log_density: NaN or +∞; drop the rows that a member has no log density for")
    impossible = np.flatnonzero((log_density == -np.inf).all(axis=1))
    if len(impossible):
        raise ValueError(
            f"log_density: −∞ for all members in row {impossible[0]} ({len(impossible)} rows in all); drop "
            "the rows that no member thought possible"
        )
    weights = np.full(members, 1 / members)
    if n == 0:
        return weights
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    for _ in range(500):
        share = density * weights
        share /= share.sum(axis=1, keepdims=True)
        updated = (share.sum(axis=0) + prior / members) / (n + prior)
        done = np.abs(updated - weights).max() < 1e-9
        weights = updated
        if done:
            break
    return weights
