"""Checks of arguments: one ``ValueError`` that names the argument, its value and what is expected."""

import math
import operator
from typing import Any

import torch
from torch import Tensor


def check_whole(name: str, value: Any, least: int, most: float = math.inf) -> None:
    """Raise ``ValueError`` unless ``value`` is a whole number from ``least`` to ``most``."""
    try:
        found = operator.index(value)
    except (TypeError, RuntimeError):  # a tensor of several numbers raises either
        found = None
    if found is None or not least <= found <= most:
        limits = f"{least} or more" if most == math.inf else f"{least} to {most}"
        raise ValueError(f"{name}: {_shown(value)}; expected {limits}, as a whole number")


def check_positive(name: str, value: Any, what: str = "a positive number") -> None:
    """Raise ``ValueError`` unless ``value`` is a finite number above 0."""
    if not 0 < _real(value) < math.inf:
        raise ValueError(f"{name}: {_shown(value)}; expected {what}")


def check_at_least(name: str, value: Any, least: float, what: str = "") -> None:
    """Raise ``ValueError`` unless ``value`` is a finite number of ``least`` or more."""
    if not least <= _real(value) < math.inf:
        raise ValueError(f"{name}: {_shown(value)}; expected {what or f'{least:g} or more'}")


def check_between(name: str, value: Any, low: float, high: float) -> None:
    """Raise ``ValueError`` unless ``value`` is a number from ``low`` to ``high``."""
    if not low <= _real(value) <= high:
        raise ValueError(f"{name}: {_shown(value)}; expected {low:g} to {high:g}")


def check_finite(name: str, value: Any) -> None:
    """Raise ``ValueError`` unless ``value`` is a finite number."""
    if not math.isfinite(_real(value)):
        raise ValueError(f"{name}: {_shown(value)}; expected a finite number")


def check_positives(name: str, values: Any) -> None:
    """Raise ``ValueError`` unless ``values`` are one or more finite numbers above 0."""
    try:
        found = [_real(value) for value in values]
    except TypeError:
        found = []
    if not found or not all(0 < value < math.inf for value in found):
        raise ValueError(f"{name}: {_shown(values)}; expected one or more positive numbers")


def check_generator(generator: Any, device: torch.device | None = None) -> None:
    """Raise ``ValueError`` unless ``generator`` is a generator, on the kind of ``device`` if one is given."""
    if not isinstance(generator, torch.Generator):
        raise ValueError(f"generator: {_shown(generator)}; expected a torch.Generator")
    if device is not None and generator.device.type != device.type:
        raise ValueError(f"generator: on {generator.device}, data on {device}; expected the same device")


def check_points(name: str, x: Any, shape: str = "(B, *shape)") -> None:
    """Raise ``ValueError`` unless ``x`` is a dense tensor of floating-point numbers."""
    check_dense(name, x, shape)
    if not x.is_floating_point():
        raise ValueError(f"{name}: {x.dtype} of shape {tuple(x.shape)}; expected floating point {shape}")


def check_dense(name: str, x: Any, shape: str) -> None:
    """Raise ``ValueError`` unless ``x`` is a dense tensor with values."""
    if not isinstance(x, Tensor):
        raise ValueError(f"{name}: {type(x).__name__}; expected a tensor {shape}")
    if x.is_nested or x.layout != torch.strided:
        raise ValueError(
            f"{name}: a sparse or nested tensor; expected a dense tensor {shape}, as of to_dense()"
        )
    if x.is_meta:
        raise ValueError(f"{name}: on the device meta, which holds no values; expected a tensor {shape}")


def _real(value: Any) -> float:
    """Return a number as a float, and NaN for anything else."""
    try:
        return math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # tensors of several numbers raise the last
        return math.nan


def _shown(value: Any) -> str:
    """Return a value as text on one line."""
    if isinstance(value, Tensor) and (value.dim() or value.is_meta):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    text = " ".join(str(value).split()) if isinstance(value, int | float) else " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
