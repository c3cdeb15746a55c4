"""A base distribution tilted by an energy and normalised by quadrature."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from ebm_core.tilts.pool import LinearPool
from ebm_core.tilts.quadrature import (
    MOST_PANELS,
    MOST_REACH,
    NODES,
    OUTSIDE,
    RESOLVED,
    ROUGH,
    TOLERATED,
    Panels,
    legendre,
    log_normal_density,
    panels,
)
from ebm_core.tilts.skewt import SkewT

ScoreEnergy = Callable[[Tensor], Tensor]
"""Energy of normal scores ``(*sample, n)``, or ``(*sample, 1)`` if all rows share them → ``(*sample, n)``."""


class TiltedDistribution(Distribution):
    """Base distribution tilted by an energy, p(y) = q(y) · exp(−E(s(y))) / Z with s(y) = Φ⁻¹(Q(y)).

    With u = Q(y) the normaliser is Z = ∫₀¹ exp(−E(Φ⁻¹(u))) du. The integral covers all of (0, 1), so no tail
    is cut off. It is computed by a composite Gauss–Legendre rule on ``count`` panels of the score, or more
    if the energy is rough or puts mass into the far tails. :attr:`log_z_error` is the largest change of log Z
    when the number of panels is doubled.

    Parameters
    ----------
    base : SkewT or LinearPool
        Base distributions q of batch shape ``(n,)``, with cdf Q.
    energy : callable
        Energy E in nats, which maps normal scores ``(*sample, n)``, or ``(*sample, 1)`` if all rows share
        them, to ``(*sample, n)``.
    count : int, default 64
        Number of panels to begin with.

    Raises
    ------
    ValueError
        If the energy is NaN somewhere, if it falls so fast that there is no normaliser, or if the normaliser
        is not resolved to 1e-3 nats.

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

    def __init__(self, base: SkewT | LinearPool, energy: ScoreEnergy, count: int = 64) -> None:
        super().__init__(base.batch_shape, validate_args=False)
        self.base = base
        self.energy = energy
        self.rule = panels(count)
        self._log_mass = self._log_mass_of(self.rule)
        self._widen()
        self.log_z = torch.logsumexp(self._log_mass, 0)
        if self.rule.roughness(self._log_mass.detach()) > ROUGH:
            self._refine()

    def _widen(self) -> None:
        """Extend the panels to where the mass ends. Raises ``ValueError`` if it does not end."""
        while (outside := self.rule.end_mass(self._log_mass.detach())) > OUTSIDE:
            if self.rule.reach >= MOST_REACH:
                raise ValueError(
                    f"energy: no normaliser, because a share {outside:.1g} of the mass is at normal scores "
                    f"near ±{self.rule.reach:g}; expected an energy that is bounded below or falls more "
                    "slowly than −s²/2"
                )
            self.rule = self.rule.wider()
            self._log_mass = self._log_mass_of(self.rule)

    def _refine(self) -> None:
        """Halve the panels until log Z does not change. Raises ``ValueError`` if it keeps changing."""
        while True:
            finer = self.rule.finer()
            log_mass = self._log_mass_of(finer)
            log_z = torch.logsumexp(log_mass, 0)
            change = float((log_z - self.log_z).detach().abs().max())
            if change <= RESOLVED:
                return
            if finer.count > MOST_PANELS:
                if change <= TOLERATED:
                    return
                raise ValueError(
                    f"energy: normaliser not resolved, because log Z changes by {change:.1g} nats between "
                    f"{self.rule.count} and {finer.count} panels; use a smoother or flatter energy"
                )
            self.rule, self._log_mass, self.log_z = finer, log_mass, log_z

    def _log_mass_of(self, rule: Panels) -> Tensor:
        """Return log weight − E at the nodes, ``(nodes, n)``. Raises ``ValueError`` if E is NaN or −∞."""
        energy = self._at_nodes(rule.score)
        if bool(torch.isnan(energy).any()) or bool(torch.isneginf(energy).any()):
            raise ValueError("energy: NaN or −∞ at some normal scores; expected a number of nats, or +∞")
        return rule.log_weight[:, None] - energy

    def _at_nodes(self, score: Tensor) -> Tensor:
        return self.energy(score[:, None]).expand(len(score), *self.batch_shape)

    @property
    def log_z_error(self) -> float:
        """Largest change of log Z over the batch, in nats, if the number of panels is doubled."""
        log_z = torch.logsumexp(self._log_mass_of(self.rule.finer()), 0)
        return float((self.log_z - log_z).detach().abs().max()) if log_z.numel() else 0.0

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density at ``value``, in nats."""
        return self.base.log_prob(value) - self.energy(self.base.normal_score(value)) - self.log_z

    def weighted_nodes(self) -> tuple[Tensor, Tensor]:
        """Return the distribution as a weighted ensemble ``(values, weights)``, both ``(nodes, n)``."""
        values = self.base.from_normal_score(self.rule.score[:, None])
        return values, torch.exp(self._log_mass - self.log_z)

    @property
    def mean(self) -> Tensor:
        values, weights = self.weighted_nodes()
        return (values * weights).sum(0)

    @property
    def variance(self) -> Tensor:
        values, weights = self.weighted_nodes()
        return (weights * (values - (values * weights).sum(0)) ** 2).sum(0)

    def entropy(self) -> Tensor:
        """Return the entropy −E_p[log p], in nats."""
        values, weights = self.weighted_nodes()
        log_p = self.base.log_prob(values) - self._at_nodes(self.rule.score) - self.log_z
        return -(weights * log_p).sum(0)

    def _edges(self) -> Tensor:
        """Return the cumulative probabilities at the panel edges, from 0 to 1, ``(count + 1, n)``."""
        mass = torch.exp(self._log_mass - self.log_z).reshape(self.rule.count, NODES, -1).sum(1)
        return torch.cat([torch.zeros_like(mass[:1]), mass.cumsum(0)])

    def _partial(self, panel: Tensor, score: Tensor) -> Tensor:
        """Return the probability between the left edge of ``panel`` and ``score``, a score in the panel."""
        left = -self.rule.reach + panel * self.rule.width
        x, w = legendre()
        shape = (NODES,) + (1,) * score.dim()
        nodes = left + (score - left) * x.reshape(shape)
        density = torch.exp(log_normal_density(nodes) - self.energy(nodes) - self.log_z)
        return (score - left) * (density * w.reshape(shape)).sum(0)

    def cdf(self, value: Tensor) -> Tensor:
        """Return P(Y ≤ value)."""
        score = self.base.normal_score(value).expand(torch.broadcast_shapes(value.shape, self.batch_shape))
        reach = self.rule.reach
        score = score.clamp(-reach, reach)
        panel = ((score + reach) / self.rule.width).long().clamp(0, self.rule.count - 1)
        below = torch.gather(self._edges(), 0, panel.reshape(-1, *self.batch_shape)).reshape(panel.shape)
        return (below + self._partial(panel, score)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile of the probabilities ``value``, by Newton's method in its panel."""
        value = value.expand(torch.broadcast_shapes(value.shape, self.batch_shape))
        flat = value.reshape(-1, *self.batch_shape)
        edges = self._edges()
        panel = torch.searchsorted(edges.T.contiguous(), flat.T.contiguous()).T - 1
        panel = panel.clamp(0, self.rule.count - 1)
        below = torch.gather(edges, 0, panel)
        mass = torch.gather(edges, 0, panel + 1) - below
        left = -self.rule.reach + panel * self.rule.width
        low, high = left, left + self.rule.width
        score = left + self.rule.width * ((flat - below) / mass.clamp_min(1e-300)).clamp(0, 1)
        for _ in range(8):
            excess = below + self._partial(panel, score) - flat
            low, high = torch.where(excess < 0, score, low), torch.where(excess < 0, high, score)
            slope = torch.exp(log_normal_density(score) - self.energy(score) - self.log_z)
            newton = score - excess / slope.clamp_min(1e-300)
            score = torch.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        return self.base.from_normal_score(score).reshape(value.shape)

    def sample(self, sample_shape: Sequence[int] = (), generator: torch.Generator | None = None) -> Tensor:
        """Draw independent samples of shape ``(*sample_shape, n)`` by the inverse cdf."""
        shape = (*sample_shape, *self.batch_shape)
        return self.icdf(torch.rand(shape, dtype=torch.float64, generator=generator).clamp(1e-12, 1 - 1e-12))


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
