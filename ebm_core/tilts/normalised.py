"""Bases tilted by an energy and normalised by quadrature, for arrays of NumPy and for tensors of PyTorch."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ebm_core.tilts.hansen import log_normal_density, score_of
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
    log_sum,
    panels,
)

SMALLEST = 1e-300
"""Smallest probability of a quantile."""

LAST_SCORE = 37.0
"""Φ(−38) underflows, so larger scores have no quantile in float64."""

NEGLIGIBLE = 1e-9
"""Largest share of the mass beyond ``LAST_SCORE`` for which there are moments."""

TAIL_STEPS = 12
"""Fixed-point steps of a quantile outside of the panels."""


class NormalisedTilt:
    """Distribution p(y) = q(y) · exp(−E(s(y))) / Z with s(y) = Φ⁻¹(Q(y)), computed by NumPy.

    It needs no PyTorch and has no gradients. :class:`~ebm_core.tilts.tilted.TiltedDistribution` inherits its
    code and guarantees, and adds gradients and moments.

    Parameters
    ----------
    base : SkewTMixture
        Base distributions q of batch shape ``(n,)``, with their normal scores, quantiles and log densities.
    energy : callable
        Energy E in nats, which maps normal scores ``(*sample, n)``, or ``(*sample, 1)`` if all rows share
        them, to ``(*sample, n)``.
    count : int, default 64
        Number of panels to begin with.

    Raises
    ------
    ValueError
        If an energy is NaN or −∞ where there is mass, or is +∞ everywhere, if it falls so fast that no
        normaliser is found, or if the normaliser is not resolved to 1e-4 nats.

    Examples
    --------
    A linear energy shifts a normal base.

    >>> import numpy as np
    >>> from ebm_core.tilts.mixture import SkewTMixture
    >>> from ebm_core.tilts.normalised import NormalisedTilt
    >>> loc, scale, eta, lam, weights = np.array([0.0, 1.0, 1e6, 0.0, 1.0]).reshape(5, 1, 1)
    >>> tilted = NormalisedTilt(SkewTMixture(loc, scale, eta, lam, weights), lambda score: -score / 2)
    >>> round(float(tilted.log_z[0]), 6), round(float(tilted.icdf(np.array([0.5]))[0]), 3)
    (0.125, 0.5)
    """

    # NumPy, and the functions that PyTorch has under other names.
    _xp: Any = np
    _log_sum: Any = staticmethod(log_sum)
    _log_ndtr: Any = staticmethod(special.log_ndtr)

    def __init__(self, base: Any, energy: Callable[[Any], Any], count: int = 64) -> None:
        self.base, self.energy, self._scores = base, energy, self._scored(base)
        self.rule = panels(count)
        self._log_mass = self._log_mass_of(self.rule.score, self.rule.log_weight)
        self._widen()
        self.log_z = self._log_sum(self._log_mass)
        self._refine()

    @staticmethod
    def _array(values: Any) -> Any:
        """Return an array as one of ``xp``, in float64."""
        return np.asarray(values, dtype=float)

    @staticmethod
    def _plain(values: Any) -> np.ndarray:
        """Return an array of ``xp`` as one of NumPy, without its gradient."""
        return np.asarray(values)

    def _scored(self, base: Any) -> Any:
        """Return the normal scores, quantiles and log densities of the base."""
        return base

    @property
    def batch_shape(self) -> Any:
        return self.base.batch_shape

    def _widen(self) -> None:
        """Extend the panels to where the mass ends. Raises ``ValueError`` if it does not end."""
        score, log_weight = far_nodes()
        # Nothing is known where the energy is not defined, so there is no mass beyond the panels.
        far = self._plain(self._log_mass_of(score, log_weight, undefined=np.inf))
        near = self._plain(self._log_mass)
        if np.isneginf(np.concatenate([near, far])).all(0).any():
            raise ValueError("energy: +∞ at all normal scores of a row; expected finite energies somewhere")
        while True:
            beyond = log_sum(far[np.abs(score) > self.rule.reach]) - log_sum(near)
            with np.errstate(over="ignore"):
                share = float(np.exp(beyond).max(initial=0.0))
            if share <= OUTSIDE and self.rule.end_mass(near) <= OUTSIDE:
                return
            if self.rule.reach >= MOST_REACH:
                raise ValueError(
                    f"energy: no normaliser was found, because there is mass at normal scores of "
                    f"±{self.rule.reach:g}; expected an energy that is bounded below or falls more slowly "
                    "than −s²/2"
                )
            self.rule = self.rule.wider()
            self._log_mass = self._log_mass_of(self.rule.score, self.rule.log_weight)
            near = self._plain(self._log_mass)

    def _refine(self) -> None:
        """Halve panels until log Z does not change. Raises ``ValueError`` if it keeps changing."""
        before = np.inf
        while 0 not in self.batch_shape:
            finer = self.rule.finer()
            log_mass = self._log_mass_of(finer.score, finer.log_weight)
            log_z = self._log_sum(log_mass)
            change = self._largest_change(log_z)
            settled = before <= ROUNDING and (change <= RESOLVED or before / 8 < change <= ROUNDING)
            if settled or (change <= RESOLVED and before == np.inf):
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
            masses = (self._plain(mass - log_z) for mass in (self._log_mass, log_mass))
            self.rule = self.rule.finer(self.rule.unresolved(*masses))
            self._log_mass = self._log_mass_of(self.rule.score, self.rule.log_weight)
            self.log_z = self._log_sum(self._log_mass)

    def _largest_change(self, log_z: Any) -> float:
        """Return the largest difference of a log Z from that of the rule, over the batch."""
        return float(np.abs(self._plain(self.log_z - log_z)).max(initial=0.0))

    def _log_mass_of(self, score: np.ndarray, log_weight: np.ndarray, undefined: float = np.nan) -> Any:
        """Return log weight − E at the nodes, ``(nodes, *batch)``. Raises ``ValueError`` if E is invalid."""
        energy = self._at_nodes(self._array(score))
        energy = self._xp.nan_to_num(energy, nan=undefined, posinf=np.inf, neginf=-np.inf)
        if bool((self._xp.isnan(energy) | self._xp.isneginf(energy)).any()):
            raise ValueError("energy: NaN or −∞ at some normal scores; expected a number of nats, or +∞")
        return self._array(log_weight).reshape(-1, *(1,) * (energy.ndim - 1)) - energy

    def _at_nodes(self, score: Any) -> Any:
        """Return the energies ``(nodes, *batch)`` of scores ``(nodes,)`` that all bases share."""
        return np.broadcast_to(self.energy(score[:, None]), (len(score), *self.batch_shape))

    def _energy_at(self, score: Any) -> Any:
        """Return the energies of scores ``(*sample, *batch)``."""
        return self.energy(score)

    @property
    def log_z_error(self) -> float:
        """Largest change of log Z over the batch, in nats, if the number of panels is doubled."""
        finer = self.rule.finer()
        return self._largest_change(self._log_sum(self._log_mass_of(finer.score, finer.log_weight)))

    def log_prob(self, value: Any) -> Any:
        """Return the log density at ``value``, in nats."""
        value = self._array(value)
        score = self._score(value)
        with np.errstate(invalid="ignore"):  # of −∞ and ∞, at which the density is 0
            density = self._scores.log_prob(value) - self._energy_at(score) - self.log_z
        return self._xp.where(self._xp.isinf(score), -np.inf, density)

    def weighted_nodes(self) -> tuple[Any, Any]:
        """Return the distribution as a weighted ensemble ``(values, weights)``, both ``(nodes, *batch)``."""
        return self._weighted(self.rule, self._log_mass)

    def _weighted(self, rule: Panels, log_mass: Any) -> tuple[Any, Any]:
        weights = self._xp.exp(log_mass - self.log_z)
        nodes = rule.score
        if rule.reach > LAST_SCORE:
            share = float(self._plain(weights)[np.abs(nodes) > LAST_SCORE].sum(0).max())
            if share > NEGLIGIBLE:
                raise ValueError(
                    f"energy: a share {share:.1g} of the mass is beyond normal scores of ±{LAST_SCORE:g}, "
                    "which have no quantile in float64; use an energy that falls more slowly"
                )
            nodes = nodes.clip(-LAST_SCORE, LAST_SCORE)
        values = self._scores.from_normal_score(self._array(nodes.reshape(-1, *(1,) * len(self.batch_shape))))
        return self._xp.broadcast_to(values, weights.shape), weights

    def cdf(self, value: Any) -> Any:
        """Return P(Y ≤ value)."""
        score = self._score(self._array(value))
        endless = self._xp.isinf(score)
        below = self._below(self._xp.where(endless, 0.0, score))
        return self._xp.where(endless, self._array(self._plain(score) > 0), below)

    def icdf(self, value: Any) -> Any:
        """Return the quantile of the probabilities ``value``, by Newton's method in its panel.

        The quantiles of 0 and 1 are −∞ and ∞. Raises ``ValueError`` for numbers outside [0, 1].
        """
        value = np.broadcast_to(value, np.broadcast_shapes(np.shape(value), self.batch_shape))
        ends = score_of(value)
        return self._scores.from_normal_score(np.where(np.isinf(ends), ends, self._score_of(value)))

    def _score(self, value: Any) -> Any:
        """Return the normal scores of values under the base ``(*sample, *batch)``."""
        score = self._scores.normal_score(value)
        return self._xp.broadcast_to(score, np.broadcast_shapes(score.shape, self.batch_shape))

    def _tail(self, score: Any) -> Any:
        """Return the probability beyond scores outside of the panels.

        It is less than ``OUTSIDE``, and there the tail is that of the base but for a factor exp(−E)/Z.
        """
        energy = self._xp.nan_to_num(self._energy_at(score), nan=np.inf, posinf=np.inf)
        return self._xp.exp(self._log_ndtr(-abs(score)) - energy - self.log_z)

    def _end(self) -> Any:
        """Return the score ``reach`` for the whole batch."""
        return self._array(np.full((1, *self.batch_shape), self.rule.reach))

    def _edges(self) -> Any:
        """Return the cumulative probabilities at the panel edges, ``(count + 1, *batch)``."""
        mass = self._xp.exp(self._log_mass - self.log_z)
        mass = mass.reshape(self.rule.count, NODES, *self.batch_shape).sum(1)
        below = self._xp.concatenate([self._xp.zeros_like(mass[:1]), mass.cumsum(0)])
        return below + self._tail(-self._end())

    def _partial(self, panel: np.ndarray, score: Any) -> Any:
        """Return the probability between the left edge of ``panel`` and ``score``, a score in the panel."""
        left = self._array(self.rule.edges[panel])
        x, w = (self._array(each.reshape(NODES, *(1,) * score.ndim)) for each in legendre())
        nodes = left + (score - left) * x
        return (score - left) * (self._density(nodes) * w).sum(0)

    def _density(self, score: Any) -> Any:
        """Return the density φ(s) exp(−E(s)) / Z of normal scores ``(*sample, *batch)``."""
        return self._xp.exp(log_normal_density(score) - self._energy_at(score) - self.log_z)

    def _below(self, score: Any) -> Any:
        """Return the probability below scores ``(*sample, *batch)``."""
        reach = self.rule.reach
        inner = self._xp.clip(score, -reach, reach)
        panel = np.searchsorted(self.rule.edges, self._plain(inner), side="right") - 1
        panel = panel.clip(0, self.rule.count - 1)
        below = self._xp.clip(_gather(self._edges(), panel) + self._partial(panel, inner), 0, 1)
        outside = abs(score) > reach
        if not bool(outside.any()):
            return below
        tail = self._tail(self._xp.where(outside, score, reach))
        return self._xp.where(outside, self._xp.where(score < 0, tail, 1 - tail), below)

    def _score_of(self, value: np.ndarray) -> np.ndarray:
        """Return the normal score under the base of the quantiles ``value`` ``(*sample, *batch)``."""
        flat = value.reshape(-1, *self.batch_shape)
        edges = self._plain(self._edges())
        panel = _panels_of(edges, flat).clip(0, self.rule.count - 1)
        below = _gather(edges, panel)
        mass = _gather(edges, panel + 1) - below
        left, right = self.rule.edges[panel], self.rule.edges[panel + 1]
        low, high = left, right
        score = left + (right - left) * ((flat - below) / np.maximum(mass, SMALLEST)).clip(0, 1)
        for _ in range(8):
            at = self._array(score)
            excess = below + self._plain(self._partial(panel, at)) - flat
            low, high = np.where(excess < 0, score, low), np.where(excess < 0, high, score)
            newton = score - excess / np.maximum(self._plain(self._density(at)), SMALLEST)
            score = np.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        for sign, tail in ((-1, flat), (1, 1 - flat)):
            outside = tail < self._plain(self._tail(sign * self._end()))
            if outside.any():
                score = np.where(outside, self._tail_score(tail, sign), score)
        return score.reshape(value.shape)

    def _tail_score(self, tail: np.ndarray, sign: int) -> np.ndarray:
        """Return the scores outside of the panels beyond which there is the probability ``tail``."""
        score = np.full(tail.shape, sign * self.rule.reach)
        for _ in range(TAIL_STEPS):
            energy = self._plain(self._energy_at(self._array(score)))
            energy = np.nan_to_num(energy, nan=np.inf, posinf=np.inf)
            with np.errstate(over="ignore", invalid="ignore"):  # of tails that are not outside
                of_base = (tail * np.exp(energy + self._plain(self.log_z))).clip(SMALLEST, 0.5)
            score = -sign * np.minimum(special.ndtri(of_base), -self.rule.reach)
        return score


def _gather(values: Any, at: np.ndarray) -> Any:
    """Return those of the values ``(k, *batch)`` with the indices ``at`` ``(*sample, *batch)``."""
    columns = np.arange(math.prod(values.shape[1:]))
    return values.reshape(len(values), -1)[at.reshape(-1, len(columns)), columns].reshape(at.shape)


def _panels_of(edges: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return the panels ``(*sample, *batch)`` of probabilities between those of ``edges``."""
    columns = edges.reshape(len(edges), -1).T, value.reshape(len(value), -1).T
    found = [np.searchsorted(*each) - 1 for each in zip(*columns, strict=True)]
    return np.array(found, dtype=int).T.reshape(value.shape)
