"""Hansen's skewed Student t, the base distribution of tilts and a member of linear pools."""

import math
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import special
from torch import Tensor
from torch.distributions import Distribution, constraints


class SkewT(Distribution):
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
        super().__init__(self.loc.shape, validate_args=validate_args)

    def _constants(self) -> tuple[Tensor, Tensor, Tensor]:
        eta, lam = self.eta, self.lam
        log_c = torch.lgamma((eta + 1) / 2) - torch.lgamma(eta / 2) - 0.5 * torch.log(math.pi * (eta - 2))
        a = 4 * lam * torch.exp(log_c) * (eta - 2) / (eta - 1)
        return a, torch.sqrt(1 + 3 * lam**2 - a**2), log_c

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale**2

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density in nats at ``value``, which must broadcast to ``(*sample, *batch)``."""
        a, b, log_c = self._constants()
        w = b * (value - self.loc) / self.scale + a
        w = w / (1 + self.lam * torch.sign(w))
        return (
            torch.log(b)
            + log_c
            - torch.log(self.scale)
            - (self.eta + 1) / 2 * torch.log1p(w**2 / (self.eta - 2))
        )

    def _tails(self, value: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return whether y is in the left tail, that tail's probability without cancellation, and b z + a."""
        a, b, _ = (t.numpy() for t in self._constants())
        eta, lam = self.eta.numpy(), self.lam.numpy()
        w = b * ((value - self.loc) / self.scale).numpy() + a
        left = w < 0
        side = np.where(left, 1 - lam, 1 + lam)
        tail = side * special.stdtr(eta, -np.abs(w) / side * np.sqrt(eta / (eta - 2)))
        return left, tail, w

    def __getitem__(self, part: slice) -> "SkewT":
        """Return the distributions of the rows ``part`` of the batch."""
        return SkewT(self.loc[part], self.scale[part], self.eta[part], self.lam[part])

    def tails(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(P(Y ≤ value), P(Y > value))``, of which the smaller is computed without cancellation."""
        left, tail, _ = self._tails(value)
        return torch.as_tensor(np.where(left, tail, 1 - tail)), torch.as_tensor(
            np.where(left, 1 - tail, tail)
        )

    def cdf(self, value: Tensor) -> Tensor:
        """Return P(Y ≤ value)."""
        return self.tails(value)[0]

    def normal_score(self, value: Tensor) -> Tensor:
        """Return Φ⁻¹(P(Y ≤ value)), accurate in both tails. It is standard normal under this distribution."""
        left, tail, _ = self._tails(value)
        score = special.ndtri(np.clip(tail, 1e-300, None))
        return torch.as_tensor(np.where(left, score, -score))

    def from_normal_score(self, score: Tensor) -> Tensor:
        """Return the Φ(score) quantile, the inverse of :meth:`normal_score`.

        A score of shape ``(*, 1)`` applies to every member of a one-dimensional batch. The quantiles are then
        computed once for each distinct pair (η, λ), which in a rolling forecast is once for each refit.
        """
        a, b, _ = (t.numpy() for t in self._constants())
        eta, lam, s = self.eta.numpy(), self.lam.numpy(), score.detach().numpy()
        if len(self.batch_shape) == 1 and score.shape[-1] == 1 and len(eta) > 1:
            pairs, where = np.unique(np.stack([eta, lam, a, b]), axis=1, return_inverse=True)
            z = _standard_quantile(s, *pairs)[..., where.reshape(-1)]
        else:
            z = _standard_quantile(s, eta, lam, a, b)
        return self.loc + self.scale * torch.as_tensor(z)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile of the probabilities ``value`` in (0, 1)."""
        return self.from_normal_score(torch.as_tensor(special.ndtri(value.numpy())))


def _standard_quantile(
    score: np.ndarray, eta: np.ndarray, lam: np.ndarray, a: np.ndarray, b: np.ndarray
) -> np.ndarray:
    lower, upper = special.ndtr(score), special.ndtr(-score)
    left = lower < (1 - lam) / 2
    side = np.where(left, 1 - lam, 1 + lam)
    tail = np.where(left, lower, upper) / side
    t = special.stdtrit(eta, np.minimum(tail, 0.5)) * np.sqrt((eta - 2) / eta) * side
    z: np.ndarray = (np.where(left, t, -t) - a) / b
    return z
