"""Distributions with accurate normal scores, and Hansen's skewed Student t, the base of tilts and pools."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from ebm_core.tilts import hansen
from ebm_core.tilts.hansen import log_normal_density


class ScoredDistribution(Distribution):
    """Real distribution with the normal score s(y) = Φ⁻¹(P(Y ≤ y)), which is accurate in both tails.

    A subclass defines ``log_prob``, ``normal_score`` and ``_quantile``.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = constraints.real

    @abstractmethod
    def normal_score(self, value: Tensor) -> Tensor:
        """Return Φ⁻¹(P(Y ≤ value)), differentiable in the value and the parameters."""

    @abstractmethod
    def _quantile(self, score: Tensor) -> Tensor:
        """Return the Φ(score) quantile for finite scores, without a graph."""

    def from_normal_score(self, score: Tensor) -> Tensor:
        """Return the Φ(score) quantile, the inverse of :meth:`normal_score`."""
        with torch.no_grad():
            endless = torch.isinf(score)
            value = self._quantile(torch.where(endless, 0.0, score) if bool(endless.any()) else score)
            value = torch.where(endless, score, value)
        if not torch.is_grad_enabled():
            return value
        error = self.normal_score(value) - score
        if not error.requires_grad:
            return value
        # The derivative of the inverse: dy = −d(s(y) − score) / s'(y), where s'(y) = q(y) / φ(s).
        slope = torch.exp(self.log_prob(value) - log_normal_density(score)).detach()
        return value - (error - error.detach()) / slope

    def tails(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(P(Y ≤ value), P(Y > value))``, of which the smaller is computed without cancellation."""
        score = self.normal_score(value)
        return torch.special.ndtr(score), torch.special.ndtr(-score)

    def cdf(self, value: Tensor) -> Tensor:
        """Return P(Y ≤ value)."""
        return self.tails(value)[0]

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantiles of the probabilities ``value``. Those of 0 and 1 are −∞ and ∞."""
        return self.from_normal_score(score_of(value))

    def sample(self, sample_shape: Sequence[int] = (), generator: torch.Generator | None = None) -> Tensor:
        """Draw independent samples of shape ``(*sample_shape, *batch)`` by the inverse cdf."""
        shape = (*sample_shape, *self.batch_shape)
        with torch.no_grad():
            return self.from_normal_score(torch.randn(shape, dtype=torch.float64, generator=generator))


class SkewT(ScoredDistribution):
    """Hansen's skewed Student t distribution with a given mean and standard deviation.

    With z = (y − loc) / scale, c = Γ((η+1)/2) / (√(π(η−2)) Γ(η/2)), a = 4λc(η−2)/(η−1) and
    b² = 1 + 3λ² − a²::

        p(y) = (b c / scale) · (1 + ((b z + a) / (1 + λ sign(b z + a)))² / (η − 2))^(−(η+1)/2)

    The parameters broadcast to the batch shape, and everything is computed in float64.

    Parameters
    ----------
    loc : Tensor or float
        Mean, in the units of y.
    scale : Tensor or float
        Standard deviation, in the units of y.
    eta : Tensor or float, default 1e6
        Degrees of freedom η above 2. With 1e6 the distribution is practically normal.
    lam : Tensor or float, default 0.0
        Skewness λ between −0.999 and 0.999. λ = 0 gives a symmetric Student t.
    validate_args : bool, optional
        Whether to check the parameters, as in :class:`torch.distributions.Distribution`.

    Raises
    ------
    ValueError
        If a parameter is out of its range and ``validate_args`` is not False.

    References
    ----------
    Hansen (1994), Autoregressive conditional density estimation, Int. Econ. Rev. 35(3).

    Examples
    --------
    >>> import torch
    >>> from ebm_core import SkewT
    >>> returns = SkewT(torch.zeros(2), scale=torch.tensor([1.0, 2.0]), eta=5.0, lam=-0.2)
    >>> returns.mean, returns.stddev
    (tensor([0., 0.], dtype=torch.float64), tensor([1., 2.], dtype=torch.float64))

    With negative skewness, losses of more than three standard deviations are more likely than gains of that
    size.

    >>> below, above = SkewT(0.0, 1.0, eta=5.0, lam=-0.2).tails(torch.tensor([-3.0, 3.0]))
    >>> bool(below[0] > above[1])
    True
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "eta": constraints.greater_than(2.0),
        "lam": constraints.interval(-0.999, 0.999),
    }
    support = constraints.real

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        eta: Tensor | float = 1e6,
        lam: Tensor | float = 0.0,
        validate_args: bool | None = None,
    ) -> None:
        parameters = [torch.as_tensor(p, dtype=torch.float64) for p in (loc, scale, eta, lam)]
        self.loc, self.scale, self.eta, self.lam = torch.broadcast_tensors(*parameters)
        # torch.compile turns the default of PyTorch off for the whole process.
        super().__init__(self.loc.shape, validate_args=validate_args is not False)
        if validate_args is not False:
            for name in self.arg_constraints:
                if not torch.isfinite(getattr(self, name)).all():
                    raise ValueError(f"{name}: ∞ at some places; expected finite numbers")

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale**2

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density in nats at ``value``, which must broadcast to ``(*sample, *batch)``."""
        return hansen.log_density(torch, self._standard(value), self.eta, self.lam) - torch.log(self.scale)

    def __getitem__(self, part: slice) -> "SkewT":
        """Return the distributions of the rows ``part`` of the batch."""
        return SkewT(self.loc[part], self.scale[part], self.eta[part], self.lam[part])

    def tails(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(P(Y ≤ value), P(Y > value))``, of which the smaller is computed without cancellation."""
        if self._differentiable(value):
            return super().tails(value)
        below, above = hansen.tails(*_arrays(self._standard(value), self.eta, self.lam))
        return torch.as_tensor(below), torch.as_tensor(above)

    def normal_score(self, value: Tensor) -> Tensor:
        """Return Φ⁻¹(P(Y ≤ value)), accurate in both tails. It is standard normal under this distribution."""
        score: Tensor = _NormalScore.apply(self._standard(value), self.eta, self.lam)
        return score

    def _standard(self, value: Tensor) -> Tensor:
        return (torch.as_tensor(value, dtype=torch.float64) - self.loc) / self.scale

    def _differentiable(self, value: Tensor) -> bool:
        of = (value, self.loc, self.scale, self.eta, self.lam)
        return torch.is_grad_enabled() and any(isinstance(t, Tensor) and t.requires_grad for t in of)

    def _quantile(self, score: Tensor) -> Tensor:
        z = hansen.quantile(*_arrays(score, self.eta, self.lam))
        return self.loc + self.scale * torch.as_tensor(z)


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().numpy() for tensor in tensors]


STEP = 1e-5
"""Relative step of the central differences that give the derivatives in η and λ."""


class _NormalScore(torch.autograd.Function):
    """Normal score of z under the standard form, s = Φ⁻¹(F(z; η, λ)), with derivatives in all three.

    ds/dz = q(z)/φ(s). SciPy's distribution function has no derivative in the degrees of freedom, so those in
    η and λ are central differences.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, eta: Tensor, lam: Tensor) -> Tensor:
        score = torch.as_tensor(hansen.normal_score(*_arrays(z, eta, lam)))
        ctx.save_for_backward(z, eta, lam, score)
        return score

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        z, eta, lam, score = ctx.saved_tensors
        found: list[Tensor | None] = [None, None, None]
        if ctx.needs_input_grad[0]:
            found[0] = gradient * torch.exp(
                hansen.log_density(torch, z, eta, lam) - log_normal_density(score)
            )
        if ctx.needs_input_grad[1]:
            h = STEP * (eta - 2).numpy()
            up, down = (hansen.normal_score(z.numpy(), eta.numpy() + d, lam.numpy()) for d in (h, -h))
            found[1] = gradient * torch.as_tensor((up - down) / (2 * h))
        if ctx.needs_input_grad[2]:
            up, down = (hansen.normal_score(z.numpy(), eta.numpy(), lam.numpy() + d) for d in (STEP, -STEP))
            found[2] = gradient * torch.as_tensor((up - down) / (2 * STEP))
        shapes = (z.shape, eta.shape, lam.shape)
        return tuple(None if g is None else g.sum_to_size(s) for g, s in zip(found, shapes, strict=True))


def score_of(probability: Tensor) -> Tensor:
    """Return Φ⁻¹ of probabilities; raises ``ValueError`` for numbers outside [0, 1] and NaN."""
    probability = torch.as_tensor(probability, dtype=torch.float64)
    found = hansen.score_of(probability.detach().numpy())
    return torch.special.ndtri(probability) if probability.requires_grad else torch.as_tensor(found)
