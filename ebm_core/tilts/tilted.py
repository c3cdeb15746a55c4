"""A base distribution tilted by an energy and normalised by quadrature."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from ebm_core.base.arguments import check_whole
from ebm_core.tilts.bases import Scores
from ebm_core.tilts.moments import expectation
from ebm_core.tilts.normalised import NormalisedTilt
from ebm_core.tilts.quadrature import Panels
from ebm_core.tilts.skewt import score_of

ScoreEnergy = Callable[[Tensor], Tensor]
"""Energy of normal scores ``(*sample, n)``, or ``(*sample, 1)`` if all rows share them → ``(*sample, n)``."""


class TiltedDistribution(NormalisedTilt, Distribution):
    """Base distribution tilted by an energy, p(y) = q(y) · exp(−E(s(y))) / Z with s(y) = Φ⁻¹(Q(y)).

    With u = Q(y) the normaliser is Z = ∫₀¹ exp(−E(Φ⁻¹(u))) du. It is computed by a composite Gauss–Legendre
    rule on panels of the score. There are ``count`` panels in ±9 at first, more if there is mass outside, and
    panels are halved where that changes log Z, as at a jump of the energy. The change of log Z if all panels
    are halved is :attr:`log_z_error`. A well of the energy can go unnoticed if it is narrower than the
    distance of the first nodes, which is at most 0.05 for scores within ±9 and 0.1 for those within ±38.

    Parameters
    ----------
    base : SkewT, LinearPool or torch.distributions.Distribution
        Base distributions q of batch shape ``(n,)``, or any other, with cdf Q. A distribution of PyTorch's
        needs ``cdf`` and ``icdf``. Except for ``Normal``, its tails end where these are no longer inverse to
        each other, for many at a probability of 1e−16.
    energy : callable
        Energy E in nats, which maps normal scores ``(*sample, n)``, or ``(*sample, 1)`` if all rows share
        them, to ``(*sample, n)``. For a scalar base n is one.
    count : int, default 64
        Number of panels to begin with.

    Raises
    ------
    ValueError
        If ``count`` is below 1, if an energy has another shape, is NaN or −∞ where there is mass, or is +∞
        everywhere, if it falls so fast that no normaliser is found, or if the normaliser is not resolved to
        1e-4 nats. Mean, variance and entropy raise it if they are infinite or not resolved.

    Examples
    --------
    A linear energy shifts a normal base: exp(s/2) φ(s) is the density of N(1/2, 1) times exp(1/8).

    >>> import torch
    >>> from ebm_core import SkewT, TiltedDistribution
    >>> tilted = TiltedDistribution(SkewT(torch.zeros(1), 1.0), lambda score: -score / 2)
    >>> round(float(tilted.log_z), 6)
    0.125
    >>> round(float(tilted.mean), 3), round(float(tilted.variance), 3)
    (0.5, 1.0)
    >>> tuple(tilted.sample((100,), torch.Generator().manual_seed(0)).shape)
    (100, 1)
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = constraints.real

    _xp = torch
    _log_sum = staticmethod(lambda values: torch.logsumexp(values, 0))
    _log_ndtr = staticmethod(torch.special.log_ndtr)

    def __init__(self, base: Distribution, energy: ScoreEnergy, count: int = 64) -> None:
        check_whole("count", count, 1)
        Distribution.__init__(self, base.batch_shape, validate_args=False)
        self._rows = base.batch_shape or torch.Size([1])
        NormalisedTilt.__init__(self, base, energy, count)

    @staticmethod
    def _array(values: Any) -> Tensor:
        if not isinstance(values, Tensor):
            values = np.array(values)  # PyTorch warns of arrays that cannot be written to
        return torch.as_tensor(values, dtype=torch.float64)

    @staticmethod
    def _plain(values: Tensor) -> np.ndarray:
        return values.detach().numpy()

    def _scored(self, base: Distribution) -> Scores:
        return Scores(base)

    def _at_nodes(self, score: Tensor) -> Tensor:
        """Return the energies ``(nodes, *batch)`` of scores ``(nodes,)`` that all bases share."""
        energy: Any = self.energy(self._spread(score))
        shape = (len(score), *self._rows)
        try:
            return energy.expand(shape).reshape(len(score), *self.batch_shape)
        except (AttributeError, RuntimeError):
            found = f"shape {tuple(energy.shape)}" if isinstance(energy, Tensor) else type(energy).__name__
            raise ValueError(
                f"energy: {found} from scores of shape {tuple(self._spread(score).shape)}; expected a "
                f"tensor of shape {shape}, or one that broadcasts to it"
            ) from None

    def _spread(self, nodes: Tensor) -> Tensor:
        """Return ``(nodes,)`` as ``(nodes, 1, …)``, with an axis for each of the batch and at least one."""
        return nodes.reshape(-1, *(1,) * len(self._rows))

    def _energy_at(self, score: Tensor) -> Tensor:
        """Return the energies of scores ``(*sample, *batch)``."""
        if self.batch_shape:
            return self.energy(score)
        return self.energy(score[..., None])[..., 0]

    @property
    def mean(self) -> Tensor:
        centre = self._scores.from_normal_score(torch.zeros((), dtype=torch.float64)).detach()
        return centre + self._expectation(lambda values, _: values - centre, "mean")

    @property
    def variance(self) -> Tensor:
        mean = self.mean
        return self._expectation(lambda values, _: (values - mean) ** 2, "variance")

    def entropy(self) -> Tensor:
        """Return the entropy −E_p[log p], in nats."""

        def surprise(values: Tensor, energy: Tensor) -> Tensor:
            return energy + self.log_z - self._scores.log_prob(values)

        return self._expectation(surprise, "entropy", smooth=True)

    def _expectation(self, of: Callable[[Tensor, Tensor], Tensor], name: str, smooth: bool = False) -> Tensor:
        """Return the expectation of ``of(values, energies)``."""

        def terms(rule: Panels) -> tuple[Tensor, Tensor]:
            log_mass = self._log_mass
            if rule is not self.rule:
                log_mass = self._log_mass_of(rule.score, rule.log_weight)
            values, weights = self._weighted(rule, log_mass)
            shape = (-1, *(1,) * len(self.batch_shape))
            energy = self._array(rule.log_weight).reshape(shape) - log_mass
            ends = self._scores.at_an_end(self._array(rule.score).reshape(shape), rule.width)
            return torch.where(weights > 0, weights * of(values, energy), 0.0), ends

        return expectation(self.rule, terms, name, smooth)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile of the probabilities ``value``, by Newton's method in its panel.

        The quantiles of 0 and 1 are −∞ and ∞. Raises ``ValueError`` for numbers outside [0, 1].
        """
        ends = score_of(value).detach()
        value = self._array(value)
        # The function of PyTorch for shapes imports SymPy, which takes as long as a forecast.
        value = value.expand(np.broadcast_shapes(value.shape, self.batch_shape))
        with torch.no_grad():
            score = self._array(self._score_of(self._plain(value)))
        if torch.is_grad_enabled():
            error = self._below(score) - value
            if error.requires_grad:  # the derivative of the inverse, as in ScoredDistribution
                score = score - (error - error.detach()) / self._density(score).detach()
        return self._scores.from_normal_score(torch.where(torch.isinf(ends), ends, score))

    def sample(self, sample_shape: Sequence[int] = (), generator: torch.Generator | None = None) -> Tensor:
        """Draw independent samples of shape ``(*sample_shape, *batch)`` by the inverse cdf."""
        shape = (*sample_shape, *self.batch_shape)
        with torch.no_grad():
            uniform = torch.rand(shape, dtype=torch.float64, generator=generator)
            return self.icdf(uniform.clamp(1e-12, 1 - 1e-12))


def untilted(score: Tensor) -> Tensor:
    """Return zero energies, with which a :class:`TiltedDistribution` equals its base.

    Parameters
    ----------
    score : Tensor
        Normal scores, of any shape.

    Returns
    -------
    Tensor
        Zeros of the shape of ``score``, in nats.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import SkewT, TiltedDistribution, untilted
    >>> base = SkewT(torch.zeros(1), 1.0, eta=5.0)
    >>> same = TiltedDistribution(base, untilted)
    >>> y = torch.tensor([0.7], dtype=torch.float64)
    >>> torch.allclose(same.log_prob(y), base.log_prob(y))
    True
    """
    return torch.zeros_like(score)
