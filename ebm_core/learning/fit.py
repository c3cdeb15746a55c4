"""Training loop for all energies and objectives, with checkpoints from which another process can resume."""

import copy
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ebm_core.base.arguments import check_between, check_generator, check_points, check_positive, check_whole
from ebm_core.base.files import (
    Tree,
    load_checkpoint,
    module_state,
    optimiser_state,
    restore_module,
    restore_optimiser,
    save_checkpoint,
    try_checkpoint,
)
from ebm_core.base.identity import BEGAN, Identity, changed, difference, identity, is_part
from ebm_core.energies.gradients import NotFiniteError
from ebm_core.learning.objectives import Batch, Objective


@dataclass(frozen=True)
class EnergyFit:
    """Result of :func:`fit`.

    Attributes
    ----------
    energy : nn.Module
        The trained energy.
    averaged : nn.Module
        The energy with the exponential moving average of the weights. It is usually the better one.
    loss : Tensor of float64, shape (steps,)
        Loss of every step.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import DenoisingScoreMatching, MLPEnergy, fit
    >>> generator = torch.Generator().manual_seed(0)
    >>> start = MLPEnergy(2, (16,), generator=generator)
    >>> x = torch.randn(200, 2, generator=generator)
    >>> options = {"steps": 20, "batch": 50, "learning_rate": 0.01}
    >>> learned = fit(start, x, DenoisingScoreMatching(0.5), generator=generator, **options)
    >>> tuple(learned.loss.shape), tuple(learned.averaged(x).shape)
    ((20,), (200,))
    """

    energy: Any
    averaged: Any
    loss: Tensor


@torch.inference_mode(False)
@torch.enable_grad()
def fit(
    energy: nn.Module,
    data: Batch,
    objective: Objective,
    *,
    steps: int,
    batch: int,
    learning_rate: float,
    generator: torch.Generator,
    decay: float = 0.999,
    clip: float | None = None,
    mixed_precision: bool = False,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
) -> EnergyFit:
    """Train a copy of an energy on data by Adam, on batches drawn with replacement.

    The fit runs on the device of the data. The objective keeps its state after the fit, so use a new
    objective for another fit. Buffers of the network, such as those of batch norm, are copied to the averaged
    energy without averaging.

    With a ``checkpoint`` file the complete state is stored every ``checkpoint_every`` steps: weights,
    average, moments of Adam, the state of the objective (such as chains or the network of a sampler) and of
    the generator. If a fit was interrupted, the same call resumes it, with results identical to the last bit.
    A call after the end returns at once, and a call with more ``steps`` continues the fit. The checkpoint
    does not hold PyTorch's global generator, so a network with random layers such as dropout does not resume
    exactly. All buffers of the energy are stored, but no other attribute. A warning names attributes and
    global variables that the energy changes in training.

    A checkpoint is refused if data, energy, objective, other arguments or the seed of the generator differ.
    This includes attributes, code and global variables of your own classes and functions, in all your
    modules that they use, but not the code of installed packages. The objective may be a new one, or the one
    that the interrupted fit has used. The state of the generator comes from the checkpoint.

    A fit has diverged if its loss or weights are not finite. It has also diverged if the loss of
    :class:`~ebm_core.learning.objectives.ContrastiveDivergence` is above a million nats and a thousand times
    that of the first ten steps. Other implausible finite losses are not detected, because no bound suits all
    units. Inspect ``loss``, and set ``clip`` if it jumps.

    Parameters
    ----------
    energy : nn.Module
        Energy to train, ``(B, *shape)`` → ``(B,)``. It is not changed.
    data : Tensor, shape (N, *shape), or tuple of tensors
        Data x, or ``(x, label)`` with int64 labels ``(N,)`` for an objective that uses them.
    objective : Objective
        Loss to minimise, such as :class:`~ebm_core.learning.objectives.EnergyDiscrepancy`.
    steps : int
        Number of Adam steps.
    batch : int
        Rows in a batch.
    learning_rate : float
        Learning rate of Adam.
    generator : torch.Generator
        Source of all draws, on the device of the data.
    decay : float, default 0.999
        Decay of the moving average of the weights at each step. At step t it is at most (1 + t)/(10 + t), so
        that the average follows the weights quickly at the start.
    clip : float, optional
        Largest norm of the gradient. Larger gradients are scaled down to it.
    mixed_precision : bool, default False
        Whether matrix products are computed in bfloat16. Weights, energies and sums keep their own type. The
        last layer of a network of your own must be a :class:`~ebm_core.energies.networks.FullPrecision`.
    checkpoint : str or Path, optional
        File in which the state of the fit is stored.
    checkpoint_every : int, default 500
        Number of steps between two writes of the checkpoint.

    Returns
    -------
    EnergyFit
        The trained energy, its average over the steps, and the loss of every step.

    Raises
    ------
    FloatingPointError
        If training diverges. The message names the step. The checkpoint still holds the last finite state.
    ValueError
        If data or options are not valid, or if the checkpoint belongs to another fit or to one of more
        ``steps``. The message names the argument.

    Examples
    --------
    The learned energy of standard normal data is low at the origin and high far from it.

    >>> import torch
    >>> from ebm_core import EnergyDiscrepancy, MLPEnergy, fit
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(500, 2, generator=generator)
    >>> learned = fit(
    ...     MLPEnergy(2, (16,), generator=generator),
    ...     x,
    ...     EnergyDiscrepancy(noise_scales=(0.5,), candidates=4),
    ...     steps=100,
    ...     batch=64,
    ...     learning_rate=0.02,
    ...     generator=generator,
    ...     decay=0.98,
    ... )
    >>> near, far = learned.averaged(torch.tensor([[0.0, 0.0], [3.0, 3.0]]))
    >>> bool(far > near + 1)
    True
    """
    x = _checked(data, objective, steps, batch, generator)
    _check_options(learning_rate, decay, clip, checkpoint_every)
    _check_energy(energy, x)
    checkpoint = None if checkpoint is None else Path(checkpoint)
    energy = _copied(energy).to(x.device).train()
    averaged = _copied(energy).eval().requires_grad_(False)
    weights: list[Tensor] = list(energy.parameters())
    means: list[Tensor] = list(averaged.parameters())
    optimiser = torch.optim.Adam(weights, lr=learning_rate, fused=True)
    loss: list[float] = []
    # Without the cache, because it would keep casts of weights that were made without gradients for chains.
    precision = torch.autocast(x.device.type, torch.bfloat16, mixed_precision, cache_enabled=False)
    settings: Identity = {}
    fresh: Identity = {}
    began: Identity = {}
    changing: list[str] = []
    saved: Tree | None = None
    if checkpoint is not None:
        numbers: Tree = {"batch": batch, "learning_rate": learning_rate, "decay": decay, "clip": clip}
        numbers |= {"mixed_precision": mixed_precision, "generator": generator}
        settings, fresh = identity(data=data, energy=energy, **numbers), identity(energy=energy)
        began = identity(objective=objective)
        saved = load_checkpoint(checkpoint)
    if saved is not None:
        if not isinstance(saved["asked"], dict) or "state" not in saved["energy"]:
            raise ValueError(f"checkpoint: {checkpoint} is from another version of ebm_core; delete it")
        changing = saved["changing"]
        if difference(saved["asked"], settings | began, changing) is not None:
            began = _began(objective, began)
        if (other := difference(saved["asked"], settings | began, changing)) is not None:
            raise ValueError(
                f"checkpoint: {checkpoint} belongs to another fit: {other}; delete the file, or use the same "
                "settings"
            )
        if (done := len(saved["loss"])) > steps:
            raise ValueError(f"steps: {steps}, but {checkpoint} has done {done}; expected {done} or more")
        settings = {name: of for name, of in saved["asked"].items() if name not in began}
        restore_module(energy, saved["energy"])
        restore_module(averaged, saved["averaged"])
        restore_optimiser(optimiser, saved["optimiser"])
        objective.restore(saved["objective"])
        generator.set_state(saved["generator"])
        loss = saved["loss"].tolist()

    def state() -> Tree:
        return {
            "asked": settings | began,
            "changing": changing,
            "energy": module_state(energy),
            "averaged": module_state(averaged),
            "optimiser": optimiser_state(optimiser),
            "objective": objective.state(),
            "generator": generator.get_state(),
            "loss": torch.tensor(loss, dtype=torch.float64),
        }

    if checkpoint is not None and saved is None:
        try_checkpoint(checkpoint, state())
    with nullcontext() if checkpoint is None else _noted(objective, began):
        for step in range(len(loss) + 1, steps + 1):
            chosen = torch.randint(len(x), (batch,), generator=generator, device=x.device)
            part = data[chosen] if isinstance(data, Tensor) else (data[0][chosen], data[1][chosen])
            try:
                with precision if mixed_precision else nullcontext():
                    now = objective.loss(energy, part, generator)
            except NotFiniteError as error:
                if step == 1:  # due to what was passed in
                    raise
                raise _diverged(step, objective, str(error)) from error
            loss.append(now.item())
            if not math.isfinite(loss[-1]):
                raise _diverged(step, objective, f"the loss is {loss[-1]}")
            if getattr(objective, "contrastive", False) and abs(loss[-1]) > (bound := _bound(loss[:-1])):
                raise _diverged(step, objective, f"the loss is {loss[-1]:.1e}, beyond ±{bound:.1e}")
            optimiser.zero_grad()
            now.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(weights, clip)
            optimiser.step()
            with torch.no_grad():
                torch._foreach_lerp_(means, weights, 1 - min(decay, (1 + step) / (10 + step)))
                _copy_buffers(energy, averaged)
            if step == steps or (checkpoint is not None and step % checkpoint_every == 0):
                if not all(torch.isfinite(w).all() for w in weights):
                    raise _diverged(step, objective, "weights are not finite")
                if checkpoint is not None:
                    changing = _changing(energy, fresh, changing)
                    save_checkpoint(checkpoint, state())
    return EnergyFit(energy.eval(), averaged, torch.tensor(loss, dtype=torch.float64))


def _bound(loss: list[float]) -> float:
    """Return the size of a difference of energies, in nats, beyond which a fit has diverged.

    It depends on the losses of the first steps, because energies of many pixels can differ by millions.
    """
    return max(1e6, 1e3 * max(map(abs, loss[:10]), default=math.inf))


def _copied(energy: nn.Module) -> Any:
    """Return a copy of an energy. Attributes that a call has computed have a graph, which is not copied."""
    tensors = [of for m in energy.modules() for of in vars(m).values() if isinstance(of, Tensor)]
    computed = {id(of): of.detach().requires_grad_().clone() for of in tensors if not of.is_leaf}
    try:
        return copy.deepcopy(energy, computed)
    except (RuntimeError, TypeError) as error:
        why = " ".join(str(error).split())
        raise ValueError(f"energy: {type(energy).__name__} cannot be copied by deepcopy: {why}") from error


def _copy_buffers(source: nn.Module, target: nn.Module) -> None:
    """Copy buffers by name, because a module may replace the tensor of a buffer, or make one in training."""
    for kept, module in zip(target.modules(), source.modules(), strict=True):
        for name, buffer in module._buffers.items():
            if buffer is None or (own := kept._buffers[name]) is None or own.shape != buffer.shape:
                kept._buffers[name] = None if buffer is None else buffer.clone()
            else:
                own.copy_(buffer)


def _changing(energy: nn.Module, before: Identity, known: list[str]) -> list[str]:
    """Return the names of what a fit changes and no checkpoint holds. A warning tells new ones."""
    own = [name for name, module in energy.named_modules() if _keeps_extra_state(module)]
    stored = [*dict(energy.named_parameters()), *dict(energy.named_buffers()), *own]
    names = [".".join(filter(None, ("energy", name))) for name in stored]
    found = [name for name in changed(before, identity(energy=energy)) if not is_part(name, names)]
    if new := [name for name in found if not is_part(name, known)]:
        warnings.warn(
            f"checkpoint: {', '.join(new)} changes in training and is not stored, so a resumed fit may "
            "differ; if the energy depends on it, make it a buffer by register_buffer",
            stacklevel=5,
        )
    return known + new


def _keeps_extra_state(module: nn.Module) -> bool:
    return type(module).get_extra_state is not nn.Module.get_extra_state


def _diverged(step: int, objective: Objective, what: str) -> FloatingPointError:
    name = type(objective).__name__
    return FloatingPointError(f"{name} diverged at step {step}: {what}; try {objective.remedy}")


def _began(objective: Objective, now: Identity) -> Identity:
    """Return the identity at the start of the fit that left ``objective`` as it is, or else ``now``."""
    began, left = getattr(objective, BEGAN, (now, now))
    return began if difference(left, now) is None else now


@contextmanager
def _noted(objective: Objective, began: Identity) -> Iterator[None]:
    """Store on an objective its identities before and after a fit, to recognise an interrupted fit."""
    try:
        yield
    finally:
        # Dataclasses are frozen, and a module would register what is assigned. Slots have no room for it.
        with suppress(AttributeError):
            object.__setattr__(objective, BEGAN, (began, identity(objective=objective)))


def _check_options(learning_rate: float, decay: float, clip: float | None, checkpoint_every: int) -> None:
    check_positive("learning_rate", learning_rate)
    check_between("decay", decay, 0, 1)
    if clip is not None:
        check_positive("clip", clip, "a positive norm, or None")
    check_whole("checkpoint_every", checkpoint_every, 1)


def _check_energy(energy: Any, x: Tensor) -> None:
    if not isinstance(energy, nn.Module):
        raise ValueError(
            f"energy: {type(energy).__name__}; expected a torch.nn.Module with parameters to train"
        )
    if any(map(nn.parameter.is_lazy, energy.parameters())):
        raise ValueError("energy: a lazy layer has no weights yet; call the energy once on a batch of data")
    weights = [parameter for parameter in energy.parameters() if parameter.requires_grad]
    if not weights:
        raise ValueError("energy: no parameter requires a gradient; expected at least one to train")
    if any(weight.is_meta for weight in weights):
        raise ValueError("energy: weights are on the device meta, without values; initialise them")
    if not all(torch.isfinite(weight.detach()).all() for weight in weights):
        raise ValueError("energy: weights are not finite before the first step; initialise them")
    other = next((w.dtype for w in weights if w.dtype != x.dtype), None)
    if other is not None:
        raise ValueError(f"data: {x.dtype}, but the energy's weights are {other}; expected the same type")


def _checked(data: Batch, objective: Objective, steps: int, batch: int, generator: torch.Generator) -> Tensor:
    """Check the arguments of a fit and return the data x without labels."""
    if not isinstance(data, Tensor) and not (isinstance(data, tuple) and len(data) == 2):
        raise ValueError(f"data: {type(data).__name__}; expected a tensor, or a tuple (x, label) of two")
    if isinstance(data, Tensor) == objective.labelled:
        wanted = "(x, label)" if objective.labelled else "x without labels"
        raise ValueError(f"data: expected {wanted}, as {type(objective).__name__} takes")
    x = data if isinstance(data, Tensor) else data[0]
    check_points("data", x, "(N, *shape)")
    check_generator(generator, x.device)
    if x.dim() < 2 or not len(x):
        raise ValueError(f"data: {x.dtype} of shape {tuple(x.shape)}; expected floating point (N, *shape)")
    if not torch.isfinite(x).all():
        rows = torch.nonzero(~torch.isfinite(x).flatten(1).all(1)).flatten()
        raise ValueError(
            f"data: non-finite values in {len(rows)} rows, first row {int(rows[0])}; drop or correct them"
        )
    if not isinstance(data, Tensor) and (data[1].shape != x.shape[:1] or data[1].dtype != torch.int64):
        raise ValueError(
            f"data: labels {data[1].dtype} of shape {tuple(data[1].shape)}; expected int64 ({len(x)},)"
        )
    check_whole("steps", steps, 1)
    check_whole("batch", batch, 1)
    return x
