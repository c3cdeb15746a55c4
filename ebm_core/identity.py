"""Description of everything that the result of a fit depends on, to recognise a checkpoint of another fit."""

import functools
import hashlib
import types
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Identity = dict[str, str]
"""Names such as ``energy.layers.0.weight``, each with a number, a type or the hash of a tensor."""

_OF_EVERY_MODULE = set(vars(nn.Module())) - {"_parameters", "_buffers", "_modules"}


def identity(**values: Any) -> Identity:
    """Describe values down to their numbers, tensors and the code of their functions.

    Attributes of objects are followed. Tensors are replaced by hashes of their content. The state of
    generators is left out, because a fit stores it separately.
    """
    found: Identity = {}
    seen: set[int] = set()
    for name, value in values.items():
        _describe(value, name, found, seen)
    return found


def difference(saved: Identity, now: Identity) -> str | None:
    """Return the first name whose values differ, together with both values, or None if all are equal."""
    for name in [*now, *saved]:
        if saved.get(name) != now.get(name):
            return f"{name} {_shown(saved.get(name))}, now {_shown(now.get(name))}"
    return None


def is_tensor(value: str) -> bool:
    """Return whether an entry is the hash of a tensor."""
    return value.startswith("torch.") and "(" in value


def _shown(value: str | None) -> str:
    return "absent" if value is None else value


def _describe(value: Any, name: str, found: Identity, seen: set[int]) -> None:
    if value is None or isinstance(value, str | bytes | bool | int | float | complex | torch.dtype):
        found[name] = repr(value)
        return
    if isinstance(value, Tensor | np.ndarray):
        found[name] = _hash(value)
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    found[name] = _kind(value)
    for part, of in _parts(value):
        _describe(of, f"{name}.{part}", found, seen)


def _kind(value: Any) -> str:
    if isinstance(value, types.FunctionType):
        return f"{value.__module__}.{value.__qualname__} {_code(value.__code__)}"
    if isinstance(value, type | types.BuiltinFunctionType):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, dict):  # also an OrderedDict, which a checkpoint gives back as a dict
        return "mapping"
    if isinstance(value, list | tuple):  # a checkpoint gives both back as lists
        return "sequence"
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _parts(value: Any) -> Iterable[tuple[str, Any]]:
    """Return the names and values of all parts of ``value``, such as attributes or elements."""
    if isinstance(value, torch.Generator | types.ModuleType | type | types.BuiltinFunctionType):
        return []
    if isinstance(value, torch.optim.Optimizer):
        return value.defaults.items()
    if isinstance(value, dict):
        return [(str(key), of) for key, of in value.items()]
    if isinstance(value, list | tuple):
        return [(str(at), of) for at, of in enumerate(value)]
    if isinstance(value, set | frozenset):
        return [(str(at), of) for at, of in enumerate(sorted(value, key=repr))]
    if isinstance(value, types.FunctionType):
        closure = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        return [*((key, cell.cell_contents) for key, cell in closure), ("defaults", value.__defaults__)]
    if isinstance(value, types.MethodType):
        return [("function", value.__func__), ("self", value.__self__)]
    if isinstance(value, functools.partial):
        return [("function", value.func), ("arguments", value.args), ("keywords", value.keywords)]
    own = getattr(value, "__dict__", {})
    if not isinstance(value, nn.Module):
        return own.items()
    plain = [(key, of) for key, of in own.items() if key not in _OF_EVERY_MODULE and not key.startswith("_")]
    hooks = [(key, of) for key, of in own.items() if key.endswith("_hooks") and of]
    return [*plain, *hooks, *value._parameters.items(), *value._buffers.items(), *value._modules.items()]


def _code(code: types.CodeType) -> str:
    """Return a hash of the instructions, constants and names of a function and of its inner functions."""
    inner = [_code(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return hashlib.sha256(repr((code.co_code, inner, code.co_names)).encode()).hexdigest()[:16]


def _hash(value: Tensor | np.ndarray) -> str:
    tensor = torch.as_tensor(value).detach().cpu().contiguous()
    digest = hashlib.sha256(tensor.flatten().view(torch.uint8).numpy().data if tensor.numel() else b"")
    return f"{tensor.dtype} {tuple(tensor.shape)} {digest.hexdigest()[:16]}"
