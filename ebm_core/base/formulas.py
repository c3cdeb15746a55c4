"""Formulas that an energy has for its gradient or its parts, if they are those of its ``forward``."""

from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn


def explicit(energy: Any, method: str) -> Callable[[Tensor], Any] | None:
    """Return the energy's own method for a formula, or None if it may not match the energy.

    The method holds for the class that defines it, as its class statement does. It ignores methods that a
    subclass overrides, hooks, and functions that were assigned to an object or, later, to a class. In these
    cases the result is None, and also for methods with decorators, except for those of torch that set the
    gradient mode. These would cut the graph of ``input_gradient``.
    """
    classes = type(energy).__mro__
    owner = next((i for i, each in enumerate(classes) if method in vars(each)), None)
    if owner is None:
        return None
    if method == "input_gradient" and hasattr(vars(classes[owner])[method], "__wrapped__"):
        return None
    used = _as_defined(classes[owner], "forward", "__call__", method)
    if used is None or altered(energy):
        return None
    used = (
        used | {name for name in vars(classes[owner]) if not name.startswith("__")} | {"forward", "__call__"}
    )
    overriding = [vars(each) for each in classes[:owner]] + [getattr(energy, "__dict__", {})]
    if any(not used.isdisjoint(names) for names in overriding):
        return None
    formula: Callable[[Tensor], Any] = getattr(energy, method)
    return formula


HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def altered(energy: Any) -> bool:
    """Return whether a module, or one inside it, has hooks or a ``forward`` that was assigned later."""
    if not isinstance(energy, nn.Module):
        return False
    if any(getattr(nn.modules.module, f"_global{hooks}") for hooks in HOOKS):
        return True
    modules = list(energy.modules())
    if any("forward" in vars(of) or any(vars(of).get(hooks) for hooks in HOOKS) for of in modules):
        return True
    return any(_as_defined(kind, "forward") is None for kind in {type(module) for module in modules})


_Before = tuple[dict[str, "ref[Any]"], set[str]]
_SEEN: WeakKeyDictionary[type, dict[tuple[str, ...], _Before]] = WeakKeyDictionary()
"""What :func:`_as_defined` has returned for a class and names, with the attributes on which it depends.

Methods may refer to their class, as with ``super()``, so a reference to them would keep the class alive.
"""

_GRADIENT_MODE = torch.no_grad()(lambda: None).__code__
"""Code of every function with a decorator of torch that sets the gradient mode."""


def _method(value: Any) -> Any:
    """Return the function of a property, a class method or a bound method, and other values as they are."""
    return getattr(value, "fget", None) or getattr(value, "__func__", value)


def _reference(value: Any) -> "ref[Any]":
    """Return a reference to a method, or to the type of another value, that does not keep it alive."""
    method = _method(value)
    return ref(method if isinstance(method, FunctionType) else type(method))


def _as_defined(kind: type, *names: str) -> set[str] | None:
    """Return the methods of a class that some of them use, or None if one was assigned after its definition.

    Python names a method after its class. A function that is assigned later has another name, or it is a
    wrapper of the first one.
    """
    before = _SEEN.setdefault(kind, {}).get(names)
    if before is not None and all(
        _reference(getattr(kind, n, None))() is of() for n, of in before[0].items()
    ):
        return before[1]
    waiting, used = [*names], set()
    attributes = {name: _reference(getattr(kind, name, None)) for name in names}
    while waiting:
        name = waiting.pop()
        owner = next((each for each in kind.__mro__ if name in vars(each)), None)
        if owner is None or owner is nn.Module:
            continue
        method = _method(vars(owner)[name])
        if getattr(method, "__code__", None) is _GRADIENT_MODE:
            method = method.__wrapped__
        if not isinstance(method, FunctionType):
            if callable(method) and not isinstance(method, type):
                return None
            continue
        if method.__qualname__ != f"{owner.__qualname__}.{name}" or hasattr(method, "__wrapped__"):
            return None
        used.add(name)
        for of in method.__code__.co_names:
            if not of.startswith("__") and of not in attributes:
                attributes[of] = _reference(getattr(kind, of, None))
                waiting.append(of)
    _SEEN[kind][names] = attributes, used
    return used
