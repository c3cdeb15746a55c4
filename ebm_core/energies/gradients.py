"""Input gradients ∇E(x): by the energy's explicit formula if it has one, otherwise by autograd."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ebm_core.base.arguments import check_points

Energy = Callable[[Tensor], Tensor]
"""Any callable ``(B, *shape)`` → ``(B,)``; exp(−E) is the density up to its normaliser."""

Gradient = Callable[[Tensor], Tensor]
"""∇E, ``(B, *shape)`` → the same shape. The result may be overwritten by the next call."""


class NotFiniteError(ValueError):
    """Energies or chains are not finite numbers any more. In training this is divergence."""


def energy_and_gradient(energy: Energy, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``(E(x), ∇E(x))`` by autograd, both detached. Raises ``ValueError`` without a gradient."""
    with differentiable():
        at = leaf(x)
        value = checked(energy, at)
        gradient = _derivative(value, at)
    return value.detach(), gradient


@contextmanager
def differentiable() -> Iterator[None]:
    """Record operations for gradients, also within ``torch.no_grad()`` and ``torch.inference_mode()``."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def leaf(x: Tensor) -> Tensor:
    """Return x as a tensor whose gradient is recorded, and as a copy if x was made in inference mode."""
    at = x.detach()
    return (at.clone() if at.is_inference() else at).requires_grad_()


def _derivative(value: Tensor, at: Tensor, graph: bool = False) -> Tensor:
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value.sum(), at, create_graph=graph, allow_unused=True)
        if gradient is not None:
            found: Tensor = gradient
            return found
    raise ValueError(
        "energy: autograd finds no dependence on x; expected operations of PyTorch on x, without detach(), "
        "item() or torch.no_grad()"
    )


def input_gradient(energy: Energy, x: Tensor) -> Tensor:
    """Compute ∇ₓE(x), differentiable in the energy's parameters, for losses that depend on this gradient.

    An energy with a method ``input_gradient(x)`` supplies an explicit formula, which takes about half the
    time of differentiating twice. Other energies are differentiated by autograd, which keeps the graph.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    x : Tensor, shape (B, *shape)
        Points at which the gradient is taken.

    Returns
    -------
    Tensor, shape (B, *shape)
        Gradient ∇ₓE(x), in nats per unit of x.

    Raises
    ------
    ValueError
        If E(x) is not ``(B,)``, if x is not a floating-point tensor, or if the energy is wrapped in
        ``DistributedDataParallel``, which does not differentiate a gradient.

    Examples
    --------
    The mean squared gradient is a loss with derivatives in the weights.

    >>> import torch
    >>> from ebm_core import MLPEnergy, input_gradient
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = MLPEnergy(2, (16,), generator=generator)
    >>> x = torch.randn(5, 2, generator=generator)
    >>> gradient = input_gradient(energy, x)
    >>> tuple(gradient.shape)
    (5, 2)
    >>> gradient.square().mean().backward()
    >>> bool(energy.layers[0].weight.grad.abs().sum() > 0)
    True
    """
    check_points("x", x)
    energy = _uncompiled(energy)
    if isinstance(energy, nn.parallel.DistributedDataParallel):
        raise ValueError(
            "energy: DistributedDataParallel does not differentiate a gradient; pass energy.module, or use "
            "an objective without gradients of the energy, such as EnergyDiscrepancy"
        )
    formula = explicit(energy, "input_gradient")
    if formula is None:
        return full_precision(differentiated(energy, x))
    with _named(x):
        gradient: Tensor = formula(x.clone() if x.is_inference() else x)
    return full_precision(gradient)


def _uncompiled(energy: Energy) -> Energy:
    """Return the energy that ``torch.compile`` was given, because compiled code has no second derivatives."""
    if any(vars(energy).get(hooks) for hooks in _HOOKS):
        return energy
    original: Energy = vars(energy).get("_torchdynamo_orig_callable", energy)
    if isinstance(energy, nn.Module):
        original = energy._modules.get("_orig_mod") or energy
    return original


def differentiated(energy: Energy, x: Tensor) -> Tensor:
    """Return ∇ₓE(x) by autograd, with its graph."""
    with differentiable():
        at = x if x.requires_grad and not x.is_inference() else leaf(x)
        return _derivative(checked(energy, at), at, graph=True)


def frozen_gradient(energy: Energy, x: Tensor) -> Gradient:
    """Return a function that computes ∇E with the present parameters, for use at every step of a sampler.

    An energy with a method ``frozen_gradient(x)`` prepares its weights and buffers once. Other energies are
    differentiated by autograd at every call. Their gradient is NaN where the energy is not finite.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    x : Tensor, shape (B, *shape)
        A batch with the shape, type and device of the batches that the function will be called with.

    Returns
    -------
    callable
        ∇E, ``(B, *shape)`` → the same shape. The next call may overwrite the tensor it returns.

    Raises
    ------
    ValueError
        If E(x) is not ``(B,)``, or if x is not a floating-point tensor. For energies that use autograd, the
        returned function raises it.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import frozen_gradient
    >>> def energy(x):
    ...     return x.square().sum(1) / 2
    >>> x = torch.tensor([[1.0, -2.0]])
    >>> gradient = frozen_gradient(energy, x)
    >>> gradient(x), gradient(2 * x)
    (tensor([[ 1., -2.]]), tensor([[ 2., -4.]]))
    """
    check_points("x", x)
    prepare = explicit(energy, "frozen_gradient")
    if prepare is None:
        return autograd_gradient(energy)
    with _named(x), torch.no_grad():
        gradient: Gradient = prepare(x)
    return gradient


def explicit(energy: Energy, method: str) -> Callable[[Tensor], Any] | None:
    """Return the energy's own method for its gradient, or None if it may not match the energy.

    The method holds for the class that defines it. It ignores methods that a subclass overrides, hooks, and
    functions that were assigned to an object or, later, to the class. In these cases the result is None.
    """
    classes = type(energy).__mro__
    owner = next((i for i, each in enumerate(classes) if method in vars(each)), None)
    if owner is None:
        return None
    described = {name for name in vars(classes[owner]) if not name.startswith("__")} | {"forward", "__call__"}
    overriding = [vars(each) for each in classes[:owner]] + [getattr(energy, "__dict__", {})]
    if any(not described.isdisjoint(names) for names in overriding) or _altered(energy):
        return None
    own = vars(classes[owner])
    if own.get("_explicit_gradient_of", own.get("forward")) is not own.get("forward"):
        return None
    formula: Callable[[Tensor], Any] = getattr(energy, method)
    return formula


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def _altered(energy: Energy) -> bool:
    """Return whether a module, or one inside it, has hooks or a ``forward`` that was assigned to it."""
    if not isinstance(energy, nn.Module):
        return False
    if any(getattr(nn.modules.module, f"_global{hooks}") for hooks in _HOOKS):
        return True
    return any(
        "forward" in vars(module) or any(vars(module).get(hooks) for hooks in _HOOKS)
        for module in energy.modules()
    )


def autograd_gradient(energy: Energy) -> Gradient:
    """Return a function that computes ∇E by autograd, with NaN in rows whose energy is not finite."""

    def by_autograd(at: Tensor) -> Tensor:
        value, gradient = energy_and_gradient(energy, at)
        gradient[~torch.isfinite(value)] = torch.nan
        return gradient

    return by_autograd


def checked(energy: Energy, x: Tensor) -> Tensor:
    """Return E(x), or raise ``ValueError`` if it is not a tensor of shape ``(B,)``."""
    with _named(x):
        value = energy(x)
    if not isinstance(value, Tensor) or value.shape != x.shape[:1]:
        found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"energy: gave {found} for x of shape {tuple(x.shape)}; expected one per row, shape ({len(x)},)"
        )
    check_precision("energy", value)
    return full_precision(value)


@contextmanager
def _named(x: Tensor) -> Iterator[None]:
    """Turn what torch raises if shapes, types or devices do not match into a ``ValueError`` that names x."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        why = " ".join(str(error).split())
        found = f"{x.dtype} of shape {tuple(x.shape)} on {x.device}"
        raise ValueError(f"energy: failed on x, {found}: {why}") from error


def check_precision(name: str, value: Tensor) -> None:
    """Raise ``ValueError`` if mixed precision has rounded a value from which energies are made."""
    if value.dtype in HALF and torch.is_autocast_enabled(value.device.type):
        raise ValueError(
            f"{name}: gave {value.dtype} in mixed precision, which is too coarse for differences of "
            "energies; wrap its last layer in ebm_core.FullPrecision"
        )


@contextmanager
def evaluation_mode(energy: Energy) -> Iterator[None]:
    """Put the modules of an energy in evaluation mode, and back in the modes that they had.

    Samples must not change the statistics of batch normalisation, nor depend on their neighbours in a batch.
    """
    training = [m for m in energy.modules() if m.training] if isinstance(energy, nn.Module) else []
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


HALF = (torch.bfloat16, torch.float16)


def full_precision(value: Tensor) -> Tensor:
    """Return a half-precision tensor in float32, because differences of large energies need its digits."""
    return value.float() if value.dtype in HALF else value
