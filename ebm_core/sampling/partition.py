"""log Z = log ∫ exp(−E(x)) dx by importance sampling and annealed importance sampling, with error bars.

When they bound and when they only estimate: importance sampling and forward AIS estimate Z itself without
bias, so their log Z is too low on average (Jensen) and too high by b nats with probability e^(−b) at most
(Markov), a stochastic lower bound. Reverse AIS from *exact* samples of the target is the same for 1/Z, a
stochastic upper bound; from a Markov chain that has not converged it bounds nothing. With standard errors
added or taken off they are estimates: those come from the weights that were drawn, and a mode that no chain
found shows in neither. Quote the :func:`bracket` of both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ebm_core.energies.gradients import Energy, checked
from ebm_core.sampling.metropolis import evaluated, metropolis


class Base(Protocol):
    """A law that is known: its energy, its ``log_z``, and exact draws, as of the analytic energies."""

    @property
    def log_z(self) -> float: ...
    def __call__(self, x: Tensor) -> Tensor: ...
    def sample(self, count: int, generator: torch.Generator) -> Tensor: ...


@dataclass(frozen=True)
class LogZ:
    """``value`` of log Z and its standard ``error`` in nats (delta method), from log weights ``(chains,)``.

    ``effective`` = (Σw)²/Σw² is how many equal weights they are worth: near 1, neither number is of use.
    """

    value: float
    error: float
    effective: float
    log_weights: Tensor

    @classmethod
    def of(cls, log_weights: Tensor, base_log_z: float, reverse: bool = False) -> "LogZ":
        if not torch.isfinite(log_weights.logsumexp(0)):
            raise ValueError("energy: not finite where the chains went; no weight can be given")
        count = len(log_weights)
        share = log_weights.softmax(0)
        log_mean = float(log_weights.logsumexp(0)) - math.log(count)
        error = float((share * count).std()) / math.sqrt(count)
        value = base_log_z - log_mean if reverse else base_log_z + log_mean
        return cls(value, error, float(1 / share.square().sum()), log_weights)


@torch.no_grad()
def importance_log_z(energy: Energy, proposal: Base, count: int, generator: torch.Generator) -> LogZ:
    """log of the mean of exp(−E(x))/q(x) over ``count`` draws of the proposal q: a stochastic lower bound.

    Right only where q is nowhere much thinner than the target. Raises ``ValueError`` naming the argument;
    an error bar takes two draws or more.
    """
    _check_count("count", count)
    x = proposal.sample(count, generator)
    return LogZ.of((proposal(x) - checked(energy, x)).double(), proposal.log_z)


def ais(
    energy: Energy,
    base: Base,
    chains: int,
    levels: int,
    step_sizes: Sequence[float],
    generator: torch.Generator,
) -> LogZ:
    """Annealed importance sampling from exact draws of ``base``: a stochastic lower bound.

    ``chains`` chains pass the energies (1 − β) E_base + β E at ``levels`` values of β that rise from 0 to 1,
    densest at both ends, with a :func:`~ebm_core.sampling.samplers.mala` step at each. ``step_sizes`` are
    taken in turn: several, from fine to coarse, where the target has several scales. Raises ``ValueError``
    naming the argument; an error bar takes two chains or more. Reference: Neal (2001), Annealed importance
    sampling, Statistics and Computing 11.
    """
    _check_count("chains", chains)
    weights = _anneal(energy, base, base.sample(chains, generator), _schedule(levels), step_sizes, generator)
    return LogZ.of(weights, base.log_z)


def reverse_ais(
    energy: Energy,
    base: Base,
    x: Tensor,
    levels: int,
    step_sizes: Sequence[float],
    generator: torch.Generator,
) -> LogZ:
    """:func:`ais` backwards, from samples ``x`` ``(chains, *shape)`` of the target to ``base``.

    A stochastic upper bound where ``x`` are exact draws; where a Markov chain drew them, as far as it has
    converged. Raises ``ValueError`` as :func:`ais` does. Reference: Burda, Grosse and Salakhutdinov (2015),
    Accurate and conservative estimates of MRF log-likelihood using reverse annealing, AISTATS.
    """
    _check_count("x", len(x))
    weights = _anneal(energy, base, x, _schedule(levels)[::-1], step_sizes, generator)
    return LogZ.of(weights, base.log_z, reverse=True)


def bracket(forward: LogZ, reverse: LogZ, errors: float = 3.0) -> tuple[float, float]:
    """``(low, high)`` for log Z: the lower bound less, the upper bound plus, ``errors`` standard errors.

    With two, one bracket in twenty would miss by chance, were the errors exact and the bounds tight.
    """
    return forward.value - errors * forward.error, reverse.value + errors * reverse.error


def _check_count(name: str, count: int) -> None:
    if count < 2:
        raise ValueError(f"{name}: {count}; expected two or more, of which an error can be told")


def _schedule(levels: int) -> list[float]:
    """β from 0 to 1 along a logistic curve, as in Grosse, Maddison and Salakhutdinov (2013)."""
    if levels < 1:
        raise ValueError(f"levels: {levels}; expected 1 or more")
    curve = torch.sigmoid(torch.linspace(-4, 4, levels + 1, dtype=torch.float64))
    betas: list[float] = ((curve - curve[0]) / (curve[-1] - curve[0])).tolist()
    return betas


def _anneal(
    energy: Energy,
    base: Base,
    x: Tensor,
    betas: list[float],
    step_sizes: Sequence[float],
    generator: torch.Generator,
) -> Tensor:
    """Σ (β' − β)(E_base − E)(x) along ``betas``, moving at every β' between; ``(chains,)``.

    A chain where E is +∞ has weight 0 from there on.
    """
    if not step_sizes or not all(0 < size < math.inf for size in step_sizes):
        raise ValueError(f"step_sizes: {list(step_sizes)}; expected one or more positive ones")
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for k in range(1, len(betas)):
        with torch.no_grad():
            total += (betas[k] - betas[k - 1]) * (base(x) - checked(energy, x)).double()
        if k == len(betas) - 1:
            break
        between = _Between(energy, base, betas[k])
        size = math.sqrt(2 * step_sizes[_rank(k, betas) % len(step_sizes)])
        x = metropolis(between, evaluated(between, x), size, 1, generator)[0].x
    return total


def _rank(k: int, betas: list[float]) -> int:
    """The place of level k counted from β = 0, so that the way back takes the steps of the way there."""
    return k if betas[0] < betas[-1] else len(betas) - 1 - k


@dataclass(frozen=True)
class _Between:
    """(1 − β) E_base + β E."""

    energy: Energy
    base: Base
    beta: float

    def __call__(self, x: Tensor) -> Tensor:
        return (1 - self.beta) * self.base(x) + self.beta * self.energy(x)
