"""Maximum-likelihood training of a tilt: minimise E(s, x) + log Z(x) over observed scores."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from ebm_core.energies import BilinearEnergy
from ebm_core.quadrature import panels

TRAINING_PANELS = 16
"""Panels of the training normaliser; forecasts are normalised on a finer rule."""


@dataclass(frozen=True)
class TiltFit:
    """A trained energy and how it got there: ``loss`` and ``validation`` are ``(checks, seeds)`` in nats."""

    energy: BilinearEnergy
    steps: list[int]
    loss: Tensor
    validation: Tensor
    best_step: list[int]


def negative_log_tilt(energy: BilinearEnergy, score: Tensor, x: Tensor) -> Tensor:
    """E(sᵢ, xᵢ) + log Z(xᵢ) = −log p(yᵢ|xᵢ) + log q(yᵢ|xᵢ), shape ``(seeds, n)``; 0 for a zero energy."""
    rule = panels(TRAINING_PANELS)
    nodes = rule.score.to(x.dtype)[:, None]
    log_z = torch.logsumexp(rule.log_weight.to(x.dtype)[:, None] - energy(nodes, x), dim=1)
    return energy(score, x) + log_z


def fit_tilt(
    energy: BilinearEnergy,
    score: Tensor,
    x: Tensor,
    *,
    validation: int,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    generator: torch.Generator,
    batch: int = 512,
    check_every: int = 20,
) -> TiltFit:
    """Train a copy of ``energy`` on rows in time order; the last ``validation`` rows only stop it.

    AdamW on mini-batches drawn by ``generator``; each seed keeps its own best step on the validation
    block (step 0, the start, included). ``score`` is ``(n,)``, ``x`` is ``(n, inputs)``.

    Raises ``ValueError`` for non-finite inputs, ``FloatingPointError`` naming the step when training
    diverges.
    """
    for name, tensor in (("score", score), ("x", x)):
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has non-finite values; drop or mend those rows before training")
    energy = copy.deepcopy(energy)
    fitted = len(score) - validation
    optimiser = torch.optim.AdamW(energy.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)

    def held_out() -> Tensor:
        with torch.no_grad():
            return negative_log_tilt(energy, score[fitted:], x[fitted:]).mean(1)

    best = held_out()
    kept = {name: p.detach().clone() for name, p in energy.named_parameters()}
    best_step = [0] * energy.seeds
    checks, losses, validations = [0], [best.clone()], [best.clone()]
    for step in range(1, steps + 1):
        rows = torch.randint(fitted, (min(batch, fitted),), generator=generator)
        loss = negative_log_tilt(energy, score[rows], x[rows]).mean(1)
        if not torch.isfinite(loss).all():
            raise FloatingPointError(
                f"the tilt's negative log-likelihood is not finite at step {step}; try a smaller learning_rate "
                "or a larger weight_decay"
            )
        optimiser.zero_grad()
        loss.sum().backward()
        optimiser.step()
        schedule.step()
        if step % check_every == 0 or step == steps:
            now = held_out()
            for seed in torch.nonzero(now < best).flatten().tolist():
                best[seed] = now[seed]
                best_step[seed] = step
                for name, p in energy.named_parameters():
                    kept[name][seed] = p.detach()[seed]
            checks.append(step)
            losses.append(loss.detach())
            validations.append(now)
    energy.load_state_dict(kept)
    return TiltFit(energy, checks, torch.stack(losses), torch.stack(validations), best_step)
