"""Annealing of chains from a base to an energy, with the log weights of annealed importance sampling."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ebm_core.energies.gradients import Energy, checked
from ebm_core.sampling.metropolis import evaluated, metropolis

LEAST_ACCEPTANCE = 0.05
"""Share of accepted moves, at the quarter of levels nearest to the target, below which chains are stuck."""


class Base(Protocol):
    """Energy with a known ``log_z`` and exact draws, such as the analytic energies."""

    @property
    def log_z(self) -> float: ...
    def __call__(self, x: Tensor) -> Tensor: ...
    def sample(self, count: int, generator: torch.Generator) -> Tensor: ...


def schedule(levels: int) -> list[float]:
    """Return values of β from 0 to 1 along a logistic curve (Grosse, Maddison and Salakhutdinov 2013)."""
    curve = torch.sigmoid(torch.linspace(-4, 4, levels + 1, dtype=torch.float64))
    betas: list[float] = ((curve - curve[0]) / (curve[-1] - curve[0])).tolist()
    return betas


def anneal(
    energy: Energy,
    base: Base,
    x: Tensor,
    betas: list[float],
    step_sizes: Sequence[float],
    generator: torch.Generator,
) -> tuple[Tensor, float | None]:
    """Return the log weights Σ (β' − β)(E_base − E)(x) ``(chains,)`` along ``betas``, and the acceptance.

    The chains move at every intermediate β'. A chain that reaches a point where E is +∞ has weight 0. Raises
    ``ValueError`` if hardly any move is accepted near the target with any step size, because the chains then
    do not follow the path, or if one chain has nearly all the weight.
    """
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    accepted: list[tuple[int, float]] = []
    for k in range(1, len(betas)):
        with torch.no_grad():
            total += (betas[k] - betas[k - 1]) * (base(x) - checked(energy, x)).double()
        if k == len(betas) - 1:
            break
        between = _Between(energy, base, betas[k])
        rank = _rank(k, betas)
        size = math.sqrt(2 * step_sizes[rank % len(step_sizes)])
        at, _, taken = metropolis(between, evaluated(between, x), size, 1, generator)
        x = at.x
        accepted.append((rank, float(taken.double().mean())))
    if accepted:
        _check_moves(accepted, step_sizes)
    effective = float(1 / total.softmax(0).square().sum())
    if effective < min(2, len(x) / 2):
        raise ValueError(
            f"levels: one of {len(x)} chains has nearly all the weight (effective number {effective:.2g}), "
            "so log Z is not known; use more levels, other step_sizes or a base that is closer to the target"
        )
    return total, sum(share for _, share in accepted) / len(accepted) if accepted else None


def _check_moves(accepted: list[tuple[int, float]], step_sizes: Sequence[float]) -> None:
    """Raise ``ValueError`` if near the target hardly any move is accepted with any step size.

    ``accepted`` are ranks of the levels, which rise towards the target, and shares of accepted moves.
    """
    by_size: dict[int, list[float]] = {}
    for rank, share in accepted:
        if rank > len(accepted) - max(len(accepted) / 4, len(step_sizes)):
            by_size.setdefault(rank % len(step_sizes), []).append(share)
    near = max(sum(shares) / len(shares) for shares in by_size.values())
    if near < LEAST_ACCEPTANCE:
        raise ValueError(
            f"step_sizes: at most {100 * near:.1f} % of the moves were accepted near the target, expected "
            f"{100 * LEAST_ACCEPTANCE:g} % or more with one of the sizes; try smaller step sizes"
        )


def _rank(k: int, betas: list[float]) -> int:
    """Return the position of level k counted from β = 0, so that both directions use the same step sizes."""
    return k if betas[0] < betas[-1] else len(betas) - 1 - k


@dataclass(frozen=True)
class _Between:
    """Intermediate energy (1 − β) E_base + β E."""

    energy: Energy
    base: Base
    beta: float

    def __call__(self, x: Tensor) -> Tensor:
        return (1 - self.beta) * self.base(x) + self.beta * self.energy(x)
