"""∇E(x) of any energy: by the energy's own formula where it has one, by autograd where it has not."""

from collections.abc import Callable

import torch
from torch import Tensor

Energy = Callable[[Tensor], Tensor]
"""Any callable ``(B, *shape)`` → ``(B,)``; exp(−E) is the density up to its normaliser."""

Gradient = Callable[[Tensor], Tensor]
"""∇E, ``(B, *shape)`` → the same shape. The result may be overwritten by the next call."""


def energy_and_gradient(energy: Energy, x: Tensor) -> tuple[Tensor, Tensor]:
    """``(E(x), ∇E(x))`` by autograd, both detached. Raises ``ValueError`` where E(x) is not ``(B,)``."""
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        value = checked(energy, at)
        (gradient,) = torch.autograd.grad(value.sum(), at)
    return value.detach(), gradient


def input_gradient(energy: Energy, x: Tensor) -> Tensor:
    """∇ₓE(x), through which a loss can be differentiated with respect to the energy's parameters.

    An energy with a method ``input_gradient(x)`` is asked for its explicit formula, which costs about half of
    differentiating twice; others are differentiated by autograd with the graph kept. Shape of ``x``.
    Raises ``ValueError`` where E(x) is not ``(B,)``.
    """
    explicit = getattr(energy, "input_gradient", None)
    if explicit is not None:
        gradient: Tensor = explicit(x)
        return gradient
    with torch.enable_grad():
        at = x if x.requires_grad else x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(checked(energy, at).sum(), at, create_graph=True)
    return gradient


def frozen_gradient(energy: Energy, x: Tensor) -> Gradient:
    """∇E for inputs like ``x``, with the parameters as they are now: what a sampler calls at every step.

    An energy with a method ``frozen_gradient(x)`` prepares weights and buffers once; the others are
    differentiated by autograd at every call, and where the energy is not finite the gradient is NaN.
    """
    prepare = getattr(energy, "frozen_gradient", None)
    if prepare is not None:
        gradient: Gradient = prepare(x)
        return gradient

    def by_autograd(at: Tensor) -> Tensor:
        value, gradient = energy_and_gradient(energy, at)
        gradient[~torch.isfinite(value)] = torch.nan
        return gradient

    return by_autograd


def checked(energy: Energy, x: Tensor) -> Tensor:
    """E(x); raises ``ValueError`` where it is no tensor of shape ``(B,)``."""
    try:
        value = energy(x)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # torch's of shapes and types that do not go together
        why = " ".join(str(error).split())
        raise ValueError(f"energy: failed on x, {x.dtype} of shape {tuple(x.shape)}: {why}") from error
    if not isinstance(value, Tensor) or value.shape != x.shape[:1]:
        found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"energy: gave {found} for x of shape {tuple(x.shape)}; expected one energy a row, ({len(x)},)"
        )
    return value
