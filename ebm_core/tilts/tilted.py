"""A base distribution tilted by an energy and normalised by quadrature."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from ebm_core.base.arguments import check_whole
from ebm_core.tilts.bases import LAST_SCORE, SMALLEST, Scores
from ebm_core.tilts.moments import expectation
from ebm_core.tilts.quadrature import (
    MOST_PANELS,
    MOST_REACH,
    NODES,
    OUTSIDE,
    RESOLVED,
    ROUNDING,
    TOLERATED,
    Panels,
    far_nodes,
    legendre,
    panels,
)
from ebm_core.tilts.skewt import log_normal_density, score_of

TAIL_STEPS = 12
"""Fixed-point steps of a quantile outside of the panels."""

NEGLIGIBLE = 1e-9
"""Largest share of the mass beyond ``LAST_SCORE`` for which there are moments."""

ScoreEnergy = Callable[[Tensor], Tensor]
"""Energy of normal scores ``(*sample, n)``, or ``(*sample, 1)`` if all rows share them → ``(*sample, n)``."""


class TiltedDistribution(Distribution):
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

    def __init__(self, base: Distribution, energy: ScoreEnergy, count: int = 64) -> None:
        check_whole("count", count, 1)
        super().__init__(base.batch_shape, validate_args=False)
        self.base = base
        self._scores = Scores(base)
        self.energy = energy
        self._rows = self.batch_shape or torch.Size([1])
        self.rule = panels(count)
        self._log_mass = self._log_mass_of(self.rule.score, self.rule.log_weight)
        self._widen()
        self.log_z = torch.logsumexp(self._log_mass, 0)
        self._refine()

    def _widen(self) -> None:
        """Extend the panels to where the mass ends. Raises ``ValueError`` if it does not end."""
        score, log_weight = far_nodes()
        # Nothing is known where the energy is not defined, so there is no mass beyond the panels.
        far = self._log_mass_of(score, log_weight, undefined=torch.inf).detach()
        if bool(torch.isneginf(torch.cat([self._log_mass.detach(), far])).all(0).any()):
            raise ValueError("energy: +∞ at all normal scores of a row; expected finite energies somewhere")
        while True:
            log_z = torch.logsumexp(self._log_mass.detach(), 0)
            beyond = torch.logsumexp(far[score.abs() > self.rule.reach], 0) - log_z
            share = float(beyond.exp().max()) if beyond.numel() else 0.0
            if share <= OUTSIDE and self.rule.end_mass(self._log_mass.detach()) <= OUTSIDE:
                return
            if self.rule.reach >= MOST_REACH:
                raise ValueError(
                    f"energy: no normaliser was found, because there is mass at normal scores of "
                    f"±{self.rule.reach:g}; expected an energy that is bounded below or falls more slowly "
                    "than −s²/2"
                )
            self.rule = self.rule.wider()
            self._log_mass = self._log_mass_of(self.rule.score, self.rule.log_weight)

    def _refine(self) -> None:
        """Halve panels until log Z does not change. Raises ``ValueError`` if it keeps changing."""
        before = torch.inf
        while self.log_z.numel():
            finer = self.rule.finer()
            log_mass = self._log_mass_of(finer.score, finer.log_weight)
            log_z = torch.logsumexp(log_mass, 0)
            change = float((log_z - self.log_z).detach().abs().max())
            settled = before <= ROUNDING and (change <= RESOLVED or before / 8 < change <= ROUNDING)
            if settled or (change <= RESOLVED and before == torch.inf):
                return
            if finer.count > MOST_PANELS:
                if change <= TOLERATED:
                    return
                raise ValueError(
                    f"energy: normaliser not resolved, because log Z changes by {change:.1g} nats between "
                    f"{self.rule.count} and {finer.count} panels; use a smoother or flatter energy"
                )
            if change <= RESOLVED:  # by chance, perhaps, as at a jump
                self.rule, self._log_mass, self.log_z, before = finer, log_mass, log_z, change
                continue
            before = change
            divided = self.rule.unresolved(self._log_mass - log_z, log_mass - log_z)
            self.rule = self.rule.finer(divided)
            self._log_mass = self._log_mass_of(self.rule.score, self.rule.log_weight)
            self.log_z = torch.logsumexp(self._log_mass, 0)

    def _log_mass_of(self, score: Tensor, log_weight: Tensor, undefined: float = torch.nan) -> Tensor:
        """Return log weight − E at the nodes, ``(nodes, *batch)``. Raises ``ValueError`` if E is invalid."""
        energy = torch.nan_to_num(self._at_nodes(score), nan=undefined, posinf=torch.inf, neginf=-torch.inf)
        if bool(torch.isnan(energy).any()) or bool(torch.isneginf(energy).any()):
            raise ValueError("energy: NaN or −∞ at some normal scores; expected a number of nats, or +∞")
        return log_weight.reshape(-1, *(1,) * (energy.dim() - 1)) - energy

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
    def log_z_error(self) -> float:
        """Largest change of log Z over the batch, in nats, if the number of panels is doubled."""
        finer = self.rule.finer()
        log_z = torch.logsumexp(self._log_mass_of(finer.score, finer.log_weight), 0)
        return float((self.log_z - log_z).detach().abs().max()) if log_z.numel() else 0.0

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density at ``value``, in nats."""
        value = torch.as_tensor(value, dtype=torch.float64)
        score = self._scores.normal_score(value)
        score = score.expand(np.broadcast_shapes(score.shape, self.batch_shape))
        density = self._scores.log_prob(value) - self._energy_at(score) - self.log_z
        return torch.where(torch.isinf(score), -torch.inf, density)

    def weighted_nodes(self) -> tuple[Tensor, Tensor]:
        """Return the distribution as a weighted ensemble ``(values, weights)``, both ``(nodes, *batch)``."""
        return self._weighted(self.rule, self._log_mass)

    def _weighted(self, rule: Panels, log_mass: Tensor) -> tuple[Tensor, Tensor]:
        nodes = rule.score.reshape(-1, *(1,) * len(self.batch_shape))
        if rule.reach > LAST_SCORE:
            mass = torch.exp(log_mass - self.log_z).detach()
            share = float(mass[rule.score.abs() > LAST_SCORE].sum(0).max())
            if share > NEGLIGIBLE:
                raise ValueError(
                    f"energy: a share {share:.1g} of the mass is beyond normal scores of ±{LAST_SCORE:g}, "
                    "which have no quantile in float64; use an energy that falls more slowly"
                )
            nodes = nodes.clamp(-LAST_SCORE, LAST_SCORE)
        values = self._scores.from_normal_score(nodes)
        return values.expand(len(nodes), *self.batch_shape), torch.exp(log_mass - self.log_z)

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
            energy = rule.log_weight.reshape(shape) - log_mass
            ends = self._scores.at_an_end(rule.score.reshape(shape), rule.width)
            return torch.where(weights > 0, weights * of(values, energy), 0.0), ends

        return expectation(self.rule, terms, name, smooth)

    def _tail(self, score: Tensor) -> Tensor:
        """Return the probability beyond scores outside of the panels.

        It is less than ``OUTSIDE``, and there the tail is that of the base but for a factor exp(−E)/Z.
        """
        energy = torch.nan_to_num(self._energy_at(score), nan=torch.inf, posinf=torch.inf)
        return torch.exp(torch.special.log_ndtr(-score.abs()) - energy - self.log_z)

    def _end(self) -> Tensor:
        """Return the score ``reach`` for the whole batch."""
        return torch.full((1, *self.batch_shape), self.rule.reach, dtype=torch.float64)

    def _edges(self) -> Tensor:
        """Return the cumulative probabilities at the panel edges, ``(count + 1, *batch)``."""
        mass = torch.exp(self._log_mass - self.log_z)
        mass = mass.reshape(self.rule.count, NODES, *self.batch_shape).sum(1)
        return torch.cat([torch.zeros_like(mass[:1]), mass.cumsum(0)]) + self._tail(-self._end())

    def _partial(self, panel: Tensor, score: Tensor) -> Tensor:
        """Return the probability between the left edge of ``panel`` and ``score``, a score in the panel."""
        left = self.rule.edges[panel]
        x, w = legendre()
        shape = (NODES,) + (1,) * score.dim()
        nodes = left + (score - left) * x.reshape(shape)
        density = torch.exp(log_normal_density(nodes) - self._energy_at(nodes) - self.log_z)
        return (score - left) * (density * w.reshape(shape)).sum(0)

    def _below(self, score: Tensor) -> Tensor:
        """Return the probability below scores ``(*sample, *batch)``."""
        reach = self.rule.reach
        inner = score.clamp(-reach, reach)
        panel = torch.searchsorted(self.rule.edges, inner.detach().contiguous(), right=True) - 1
        panel = panel.clamp(0, self.rule.count - 1)
        below = torch.gather(self._edges(), 0, panel.reshape(-1, *self.batch_shape)).reshape(panel.shape)
        below = (below + self._partial(panel, inner)).clamp(0, 1)
        outside = score.abs() > reach
        if not bool(outside.any()):
            return below
        tail = self._tail(torch.where(outside, score, reach))
        return torch.where(outside, torch.where(score < 0, tail, 1 - tail), below)

    def cdf(self, value: Tensor) -> Tensor:
        """Return P(Y ≤ value)."""
        value = torch.as_tensor(value, dtype=torch.float64)
        score = self._scores.normal_score(value)
        score = score.expand(np.broadcast_shapes(score.shape, self.batch_shape))
        endless = torch.isinf(score)
        below = self._below(torch.where(endless, 0.0, score))
        return torch.where(endless, (score > 0).double(), below)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile of the probabilities ``value``, by Newton's method in its panel.

        The quantiles of 0 and 1 are −∞ and ∞. Raises ``ValueError`` for numbers outside [0, 1].
        """
        ends = score_of(value)
        value = torch.as_tensor(value, dtype=torch.float64)
        # The function of PyTorch for shapes imports SymPy, which takes as long as a forecast.
        value = value.expand(np.broadcast_shapes(value.shape, self.batch_shape))
        with torch.no_grad():
            score = self._score_of(value)
        if torch.is_grad_enabled():
            error = self._below(score) - value
            if error.requires_grad:  # the derivative of the inverse, as in ScoredDistribution
                log_slope = log_normal_density(score) - self._energy_at(score) - self.log_z
                score = score - (error - error.detach()) / torch.exp(log_slope).detach()
        return self._scores.from_normal_score(torch.where(torch.isinf(ends), ends.detach(), score))

    def _score_of(self, value: Tensor) -> Tensor:
        """Return the normal score under the base of the quantiles ``value``, of the same shape."""
        flat = value.reshape(-1, *self.batch_shape)
        edges = self._edges()
        inner = edges.movedim(0, -1).contiguous()
        panel = torch.searchsorted(inner, flat.movedim(0, -1).contiguous()).movedim(-1, 0) - 1
        panel = panel.clamp(0, self.rule.count - 1)
        below = torch.gather(edges, 0, panel)
        mass = torch.gather(edges, 0, panel + 1) - below
        left, right = self.rule.edges[panel], self.rule.edges[panel + 1]
        low, high = left, right
        score = left + (right - left) * ((flat - below) / mass.clamp_min(1e-300)).clamp(0, 1)
        for _ in range(8):
            excess = below + self._partial(panel, score) - flat
            low, high = torch.where(excess < 0, score, low), torch.where(excess < 0, high, score)
            slope = torch.exp(log_normal_density(score) - self._energy_at(score) - self.log_z)
            newton = score - excess / slope.clamp_min(1e-300)
            score = torch.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        for sign, tail in ((-1, flat), (1, 1 - flat)):
            outside = tail < self._tail(sign * self._end())
            if bool(outside.any()):
                score = torch.where(outside, self._tail_score(tail, sign), score)
        return score.reshape(value.shape)

    def _tail_score(self, tail: Tensor, sign: int) -> Tensor:
        """Return the scores outside of the panels beyond which there is the probability ``tail``."""
        score = sign * self._end().expand(tail.shape)
        for _ in range(TAIL_STEPS):
            energy = torch.nan_to_num(self._energy_at(score), nan=torch.inf, posinf=torch.inf)
            of_base = (tail * torch.exp(energy + self.log_z)).clamp(SMALLEST, 0.5)
            score = -sign * torch.special.ndtri(of_base).clamp_max(-self.rule.reach)
        return score

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
