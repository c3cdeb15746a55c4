"""Training of several seeds at once, with mini-batches and early stopping on the latest rows."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from ebm_core.base.arguments import (
    check_at_least,
    check_generator,
    check_positive,
    check_whole,
)
from ebm_core.base.files import Tree, load_checkpoint, save_checkpoint
from ebm_core.base.identity import Identity, difference, identity

BATCH = 512
CHECK_EVERY = 20
"""Optimiser steps between two evaluations of the validation block."""


@dataclass(frozen=True)
class Fit:
    """Result of :func:`fit_seeds` and :func:`fit_tilt`.

    Attributes
    ----------
    module : nn.Module
        The trained module, with the parameters of each seed at its best step.
    steps : list of int
        Steps at which the validation block was evaluated, 0 included.
    loss : Tensor, shape (checks, seeds)
        Loss of the mini-batch at each of these steps, in nats.
    validation : Tensor, shape (checks, seeds)
        Loss of the validation block at each of these steps, in nats.
    best_step : list of int
        Step of the lowest validation loss, one for each seed.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import BilinearEnergy, fit_tilt
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = BilinearEnergy(1, hidden=0, features=2, seeds=3, generator=generator)
    >>> score, x = torch.randn(100, generator=generator), torch.randn(100, 1, generator=generator)
    >>> options = {"validation": 30, "steps": 40, "learning_rate": 0.01, "weight_decay": 0.0}
    >>> fit = fit_tilt(energy, score, x, generator=generator, **options)
    >>> fit.steps, tuple(fit.validation.shape), len(fit.best_step)
    ([0, 20, 40], (3, 3), 3)
    """

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
    patience: int | None = None,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
) -> Fit:
    """Train a copy of a module with several seeds, with early stopping on the latest rows.

    The rows are in time order, and the latest form the validation block. AdamW with a cosine schedule runs on
    mini-batches of the other rows. Each seed keeps the parameters of the step with the lowest validation
    loss, which may be the start. The result is moved to the CPU.

    With a ``checkpoint`` file the complete state is stored at every evaluation of the validation block. If a
    fit was interrupted, the same call resumes it, with results identical to the last bit. The state of the
    generator then comes from the checkpoint. A checkpoint is refused if an argument or the seed of the
    generator differs, including attributes, code and global variables of your own classes and functions. Use
    one file for each fit.

    Parameters
    ----------
    module : nn.Module
        Module in which the first axis of every parameter is the seed, so that seeds do not affect each other.
        It is not changed.
    loss : callable
        Function ``loss(module, rows)`` that returns losses ``(seeds, len(rows))`` in nats, for row numbers
        ``rows`` of int64 ``(batch,)``.
    count : int
        Number of rows.
    validation : int
        Number of the latest rows that form the validation block, at least one and less than ``count``.
    steps : int
        Number of AdamW steps.
    learning_rate : float
        Learning rate at the start of the schedule.
    weight_decay : float
        Weight decay of AdamW.
    generator : torch.Generator
        Source of the mini-batches, on the CPU.
    patience : int, optional
        Steps without a lower validation loss after which a seed is finished. Training ends when all seeds
        are. By default all ``steps`` are taken.
    device : torch.device or str, default "cpu"
        Device of the training. The tensors that ``loss`` uses must be on it.
    checkpoint : Path, optional
        File in which the state of the fit is stored.

    Returns
    -------
    Fit
        The trained module, and the losses at the evaluations of the validation block.

    Raises
    ------
    FloatingPointError
        If training diverges. The message names the step.
    ValueError
        If an option is not valid, or if the checkpoint belongs to a fit with other options. The message names
        the argument.

    Examples
    --------
    Three seeds of a module with one parameter learn the mean of the data.

    >>> import torch
    >>> from ebm_core import fit_seeds
    >>> class Mean(torch.nn.Module):
    ...     def __init__(self, seeds):
    ...         super().__init__()
    ...         self.value = torch.nn.Parameter(torch.zeros(seeds))
    >>> generator = torch.Generator().manual_seed(0)
    >>> y = 2 + torch.randn(500, generator=generator)
    >>> def loss(module, rows):
    ...     return (module.value[:, None] - y[rows]) ** 2 / 2
    >>> options = {"validation": 100, "steps": 100, "learning_rate": 0.1, "weight_decay": 0.0}
    >>> fit = fit_seeds(Mean(3), loss, len(y), generator=generator, **options)
    >>> bool(((fit.module.value - 2).abs() < 0.3).all())
    True
    """
    together = fit_together(
        [module],
        lambda modules, rows: loss(modules[0], rows),
        count,
        {"module": module, "loss": loss},
        validation=validation,
        steps=steps,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        generator=generator,
        patience=patience,
        device=device,
        checkpoint=checkpoint,
    )
    return together[0]


@torch.inference_mode(False)
@torch.enable_grad()
def fit_together(
    modules: Sequence[nn.Module],
    loss: Callable[[Any, Tensor], Tensor],
    count: int,
    identified: dict[str, Any],
    *,
    validation: int,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    generator: torch.Generator,
    patience: int | None = None,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
) -> list[Fit]:
    """Train several modules on the same mini-batches, each as :func:`fit_seeds` does.

    ``loss(modules, rows)`` returns the losses ``(seeds of all modules, len(rows))``, and ``identified`` are
    the values by which a checkpoint recognises the fit, besides the options.
    """
    check_whole("count", count, 2)
    check_whole("validation", validation, 1, count - 1)
    check_whole("steps", steps, 1)
    check_positive("learning_rate", learning_rate)
    check_at_least("weight_decay", weight_decay, 0)
    patience = steps if patience is None else patience
    check_whole("patience", patience, 1)
    check_generator(generator, torch.device("cpu"))
    asked: Identity = {}
    if checkpoint is not None:
        numbers = {"steps": steps, "learning_rate": learning_rate, "weight_decay": weight_decay}
        numbers |= {"count": count, "validation": validation, "patience": patience}
        asked = identity(**identified, generator=generator, **numbers)
    module = nn.ModuleList(copy.deepcopy(each) for each in modules).to(device)
    seeds = [(i, k) for i, each in enumerate(module) for k in range(len(next(each.parameters())))]
    fitted = count - validation
    held_out = torch.arange(fitted, count, device=device)
    optimiser = _AdamW(module, weight_decay)

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
        if not isinstance(saved["asked"], dict) or "mean" not in saved["optimiser"]:
            raise ValueError(f"checkpoint: {checkpoint} is from another version of ebm_core; delete it")
        if (other := difference(saved["asked"], asked)) is not None:
            raise ValueError(
                f"checkpoint: {checkpoint} belongs to another fit: {other}; delete the file, or use the same "
                "settings"
            )
        module.load_state_dict(saved["module"])
        optimiser.restore(saved["optimiser"])
        generator.set_state(saved["generator"])
        best, kept = saved["best"].to(device), {name: p.to(device) for name, p in saved["kept"].items()}
        checks, best_step, done = saved["checks"], saved["best_step"], saved["checks"][-1]
        losses, validations = (list(saved[name].to(device)) for name in ("losses", "validations"))
    for step in range(done + 1, steps + 1):
        if all(step - 1 - at >= patience for at in best_step):
            break
        rows = torch.randint(fitted, (min(BATCH, fitted),), generator=generator).to(device)
        now = loss(module, rows).mean(1)
        if not torch.isfinite(now).all():
            raise FloatingPointError(
                f"the negative log-likelihood of {type(module[0]).__name__} is not finite at step {step}; "
                "try a smaller learning_rate or a larger weight_decay"
            )
        module.zero_grad()
        now.sum().backward()
        optimiser.step(learning_rate * (1 + math.cos(math.pi * (step - 1) / steps)) / 2)
        if step % CHECK_EVERY and step != steps:
            continue
        later = validate()
        for at in torch.nonzero(later < best).flatten().tolist():
            if step - best_step[at] > patience:
                continue
            best[at], best_step[at] = later[at], step
            owner, seed = seeds[at]
            for name, p in module[owner].named_parameters(prefix=str(owner)):
                kept[name][seed] = p.detach()[seed]
        checks.append(step)
        losses.append(now.detach())
        validations.append(later)
        if checkpoint is not None:
            state = {
                "asked": asked,
                "module": module.state_dict(),
                "optimiser": optimiser.state(),
                "generator": generator.get_state(),
                "best": best,
                "kept": kept,
                "checks": checks,
                "best_step": best_step,
                "losses": torch.stack(losses),
                "validations": torch.stack(validations),
            }
            save_checkpoint(checkpoint, state)
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.copy_(kept[name])
    found, trained, held = [], torch.stack(losses).cpu(), torch.stack(validations).cpu()
    for i, each in enumerate(module.cpu()):
        at = [k for k, (owner, _seed) in enumerate(seeds) if owner == i]
        found.append(Fit(each, checks, trained[:, at], held[:, at], [best_step[k] for k in at]))
    return found


class _AdamW:
    """AdamW by its function, because the class of torch imports the compiler of torch when it is made.

    This import takes longer than a short fit.
    """

    def __init__(self, module: nn.Module, weight_decay: float) -> None:
        self.parameters = list(module.parameters())
        self.weight_decay = weight_decay
        self.mean, self.square = ([torch.zeros_like(p) for p in self.parameters] for _ in range(2))
        self.taken = [torch.zeros((), device=p.device) for p in self.parameters]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Take a step with the gradients of the parameters, without those that have none."""
        gradients = {at: p.grad for at, p in enumerate(self.parameters) if p.grad is not None}
        parameters, mean, square, taken = (
            [of[at] for at in gradients] for of in (self.parameters, self.mean, self.square, self.taken)
        )
        adamw(
            parameters, list(gradients.values()), mean, square, [], taken, lr=learning_rate,
            weight_decay=self.weight_decay, beta1=0.9, beta2=0.999, eps=1e-8,
            fused=True, amsgrad=False, maximize=False,
        )  # fmt: skip

    def state(self) -> Tree:
        lists = {"mean": self.mean, "square": self.square, "taken": self.taken}
        return {name: {str(at): value for at, value in enumerate(of)} for name, of in lists.items()}

    def restore(self, state: Tree) -> None:
        for name, values in state.items():
            for at, value in values.items():
                getattr(self, name)[int(at)].copy_(value)
