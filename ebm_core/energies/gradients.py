"""Input gradients ∇E(x): by the energy's explicit formula if it has one, otherwise by autograd."""

import dis
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ebm_core.base.arguments import check_points
from ebm_core.base.formulas import HOOKS, explicit

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
    time of differentiating twice. Other energies are differentiated by autograd, which keeps the graph, and
    so are those whose method has a decorator: ``@torch.no_grad()`` would cut the graph, and other decorators
    are unknown.

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
    own = getattr(energy, "__dict__", {})
    if any(own.get(hooks) for hooks in HOOKS):
        return energy
    if isinstance(energy, torch._dynamo.OptimizedModule):
        module: Any = energy._modules["_orig_mod"]
        return module
    original: Energy = own.get("_torchdynamo_orig_callable", energy)
    return original


def differentiated(energy: Energy, x: Tensor) -> Tensor:
    """Return ∇ₓE(x) by autograd, with its graph."""
    with differentiable():
        at = x if x.requires_grad and not x.is_inference() else leaf(x)
        return _derivative(checked(energy, at), at, graph=True)


def frozen_gradient(energy: Energy, x: Tensor) -> Gradient:
    """Return a function that computes ∇E with the present parameters, for use at every step of a sampler.

    An energy with a method ``frozen_gradient(x)`` prepares its weights and buffers once. The method may have
    the decorator ``@torch.no_grad()``, but one with another decorator is not used. Other energies are
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
    """Name x in the errors of an energy."""
    with named_failure("energy", f"failed on x, {x.dtype} of shape {tuple(x.shape)} on {x.device}"):
        yield


@contextmanager
def named_failure(name: str, what: str) -> Iterator[None]:
    """Turn what torch raises if shapes, types or devices do not match into a ``ValueError`` of one line.

    Other errors are those of a user's code. They are passed on with a note.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if not _of_torch(error):
            error.add_note(f"{name}: {what}")
            raise
        why = " ".join(str(error).split())
        if "Inference tensors cannot be saved" in why:
            why = "its weights were made in torch.inference_mode(); make the energy outside of it"
        raise ValueError(f"{name}: {what}: {why}") from error


def _of_torch(error: RuntimeError) -> bool:
    """Return whether an operation or a file of torch has raised an error, not a ``raise`` of other code."""
    if type(error) not in (RuntimeError, NotImplementedError) or (at := error.__traceback__) is None:
        return False
    while at.tb_next is not None:
        at = at.tb_next
    code = at.tb_frame.f_code
    raised = dis.opname[code.co_code[at.tb_lasti]] in ("RAISE_VARARGS", "RERAISE")
    return not raised or str(at.tb_frame.f_globals.get("__name__")).partition(".")[0] == "torch"


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
    with _evaluating([m for m in energy.modules() if m.training] if isinstance(energy, nn.Module) else []):
        yield


def energies_apart(energy: Energy, x: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return the energies of data x ``(B, *shape)`` and of ``others`` ``(M, *shape)``, such as samples.

    One call computes both, unless modules in training mode have buffers or use statistics of the batch. Then
    x is alone in its batch, and these modules are in evaluation mode for the others, so that statistics are
    those of the data.
    """
    modules = energy.modules() if isinstance(energy, nn.Module) else []
    if keeping := [m for m in modules if m.training and (m._buffers or isinstance(m, _NormBase))]:
        of_data = checked(energy, x)
        with _evaluating(keeping):
            return of_data, checked(energy, others)
    of_data, of_others = checked(energy, torch.cat([x, others])).split([len(x), len(others)])
    return of_data, of_others


@contextmanager
def _evaluating(modules: list[nn.Module]) -> Iterator[None]:
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module in modules:
            module.training = True


HALF = (torch.bfloat16, torch.float16)


def full_precision(value: Tensor) -> Tensor:
    """Return a half-precision tensor in float32, because differences of large energies need its digits."""
    return value.float() if value.dtype in HALF else value


def without_autocast(x: Tensor) -> AbstractContextManager[None]:
    """Return a context in which operations on the device of x are not rounded by mixed precision."""
    context: AbstractContextManager[None] = torch.autocast(x.device.type, enabled=False)
    return context
