"""Training of many seeds as one program: mini-batches, stopping on a later block, best step kept."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ebm_core.checkpoints import load_checkpoint, optimiser_state, restore_optimiser, save_checkpoint
from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.quadrature import panels

TRAINING_PANELS = 16
"""Panels of the training normaliser; forecasts are normalised on a finer rule."""

BATCH = 512
CHECK_EVERY = 20
"""Optimiser steps between looks at the validation block."""


@dataclass(frozen=True)
class Fit:
    """A trained module and how it got there: ``loss`` and ``validation`` are ``(checks, seeds)`` in nats."""

    module: Any
    steps: list[int]
    loss: Tensor
    validation: Tensor
    best_step: list[int]


def fit_seeds(
    module: nn.Module,
    loss: Callable[[Any, Tensor], Tensor],
    count: int,
    *,
    validation: int,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
) -> Fit:
    """Train a copy of ``module`` on ``count`` rows in time order; the last ``validation`` rows only stop it.

    ``loss(module, rows)`` gives ``(seeds, len(rows))`` losses in nats; every parameter has the seed as its
    first axis, so seeds do not touch each other. AdamW with a cosine schedule on mini-batches drawn by
    ``generator`` (on the CPU); each seed keeps its own best step on the validation block, the start included.
    Training happens on ``device``, where the tensors of ``loss`` must be; the result comes back to the CPU.

    With a ``checkpoint`` file the whole state is stored at every look at the validation block, and a fit
    that was killed goes on from there, to the same bits. It belongs to one fit: give another a file of its
    own, or delete it.

    Raises ``FloatingPointError`` naming the step when training diverges, ``ValueError`` for a checkpoint of
    a fit with other numbers.
    """
    module = copy.deepcopy(module).to(device)
    fitted = count - validation
    held_out = torch.arange(fitted, count, device=device)
    optimiser = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    asked = [count, validation, steps, learning_rate, weight_decay]

    def validate() -> Tensor:
        with torch.no_grad():
            return loss(module, held_out).mean(1)

    best = validate()
    kept = {name: p.detach().clone() for name, p in module.named_parameters()}
    best_step = [0] * len(best)
    checks, losses, validations = [0], [best.clone()], [best.clone()]
    done = 0
    saved = None if checkpoint is None else load_checkpoint(checkpoint)
    if saved is not None:
        if saved["asked"] != asked:
            raise ValueError(f"{checkpoint} is of another fit: {saved['asked']}, not {asked}; delete it")
        module.load_state_dict(saved["module"])
        restore_optimiser(optimiser, saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        generator.set_state(saved["generator"])
        best, kept = saved["best"].to(device), {name: p.to(device) for name, p in saved["kept"].items()}
        checks, best_step, done = saved["checks"], saved["best_step"], saved["checks"][-1]
        losses, validations = (list(saved[name].to(device)) for name in ("losses", "validations"))
    for step in range(done + 1, steps + 1):
        rows = torch.randint(fitted, (min(BATCH, fitted),), generator=generator).to(device)
        now = loss(module, rows).mean(1)
        if not torch.isfinite(now).all():
            raise FloatingPointError(
                f"the negative log-likelihood of {type(module).__name__} is not finite at step {step}; try a "
                "smaller learning_rate or a larger weight_decay"
            )
        optimiser.zero_grad()
        now.sum().backward()
        optimiser.step()
        schedule.step()
        if step % CHECK_EVERY and step != steps:
            continue
        later = validate()
        for seed in torch.nonzero(later < best).flatten().tolist():
            best[seed], best_step[seed] = later[seed], step
            for name, p in module.named_parameters():
                kept[name][seed] = p.detach()[seed]
        checks.append(step)
        losses.append(now.detach())
        validations.append(later)
        if checkpoint is not None:
            state = {
                "asked": asked,
                "module": module.state_dict(),
                "optimiser": optimiser_state(optimiser),
                "schedule": schedule.state_dict(),
                "generator": generator.get_state(),
                "best": best,
                "kept": kept,
                "checks": checks,
                "best_step": best_step,
                "losses": torch.stack(losses),
                "validations": torch.stack(validations),
            }
            save_checkpoint(checkpoint, state)
    module.load_state_dict(kept)
    return Fit(module.cpu(), checks, torch.stack(losses).cpu(), torch.stack(validations).cpu(), best_step)


def negative_log_tilt(energy: BilinearEnergy, score: Tensor, x: Tensor) -> Tensor:
    """E(sᵢ, xᵢ) + log Z(xᵢ) = −log p(yᵢ|xᵢ) + log q(yᵢ|xᵢ), shape ``(seeds, n)``; 0 for a zero energy."""
    rule = panels(TRAINING_PANELS)
    nodes = rule.score.to(x)[:, None]
    log_z = torch.logsumexp(rule.log_weight.to(x)[:, None] - energy(nodes, x), dim=1)
    return energy(score, x) + log_z


def fit_tilt(energy: BilinearEnergy, score: Tensor, x: Tensor, **options: Any) -> Fit:
    """Maximum likelihood of a tilt given the base's normal scores ``(n,)`` and inputs ``(n, inputs)``.

    ``options`` are those of :func:`fit_seeds`; training happens where ``x`` is. Raises ``ValueError`` for
    non-finite scores or inputs.
    """
    for name, tensor in (("score", score), ("x", x)):
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has non-finite values; drop or mend those rows before training")

    def loss(module: BilinearEnergy, rows: Tensor) -> Tensor:
        return negative_log_tilt(module, score[rows], x[rows])

    return fit_seeds(energy, loss, len(score), device=x.device, **options)
