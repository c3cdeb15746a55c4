"""Description of everything that the result of a fit depends on, to recognise a checkpoint of another fit."""

import copyreg
import dis
import functools
import hashlib
import importlib.util
import inspect
import os
import sys
import types
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions.utils import lazy_property

Identity = dict[str, str]
"""Names such as ``energy.layers.0.weight``, each with a number, a type or the hash of a tensor or of code."""

BEGAN = "_identity_began"
"""Attribute in which a fit leaves a note on its objective. It is no part of an identity."""

_Parts = list[tuple[str, Any]]
_PLAIN = (types.NoneType, bool, int, float, complex, str, bytes)
_SHOWN = (np.generic, np.dtype, torch.dtype, torch.layout, torch.memory_format, torch.device)
_WRAPPERS = (types.MethodType, staticmethod, classmethod, property, type(functools.lru_cache(str)))
_WRAPPED = ("__func__", "__self__", "__wrapped__", "fget", "fset", "fdel")
_FOLDERS = [os.path.dirname(str(of.__file__)) for of in (os, np, torch)] + [
    os.path.dirname(os.path.dirname(__file__))
]
_LIBRARIES = tuple(os.path.realpath(folder) + os.sep for folder in _FOLDERS)
_HOOKS = [name for name in vars(nn.Module()) if name.startswith(("_forward", "_backward"))]
_OF_EVERY_MODULE = set(vars(nn.Module())) - {"training"}
_NOT_LOADED = ", not loaded"
_ABOUT_A_CLASS = {"__doc__", "__qualname__", "__firstlineno__", "__static_attributes__"}


class _Unloaded(str):
    """Name of a user's module that a function imports when it is called, and that is not loaded."""


def identity(**values: Any) -> Identity:
    """Describe values down to their numbers, tensors and the code of their functions and classes.

    Attributes, items, closures and globals of functions are followed. Installed packages and modules count by
    name, generators by seed, and objects that cannot be copied, such as locks, by type. Modules that a
    function imports when it is called are not imported here, and count by name as long as they are not
    loaded.
    """
    return _walk([*values.items()], {})


def difference(saved: Identity, now: Identity, without: Sequence[str] = ()) -> str | None:
    """Return the first name whose values differ, together with both values, or None if all are equal.

    Names in ``without`` and their parts do not count, nor do those of modules that one of them had not
    loaded.
    """
    without = [*without, *_not_loaded(saved, now)]
    for name in [*now, *saved]:
        if saved.get(name) != now.get(name) and not is_part(name, without):
            return f"{name} {saved.get(name, 'absent')}, now {now.get(name, 'absent')}"
    return None


def changed(before: Identity, after: Identity) -> list[str]:
    """Return the names whose values differ. A list or mapping that has more items counts as one."""
    found: list[str] = []
    without = _not_loaded(before, after)
    for name in [*before, *after]:
        if before.get(name) == after.get(name) or is_part(name, found) or is_part(name, without):
            continue
        whole = name.rpartition(".")[0]
        grown = name not in before and before.get(whole) in ("list", "mapping", "set", "tuple", "frozenset")
        found.append(whole if grown else name)
    return found


def _not_loaded(*found: Identity) -> list[str]:
    """Return the names of modules that one identity had not loaded, and of objects that are parts of them."""
    without = [name for one in found for name, text in one.items() if text.endswith(_NOT_LOADED)]
    if without:
        same = [
            (name, text[8:]) for one in found for name, text in one.items() if text.startswith("same as ")
        ]
        without += [name for name, other in same if is_part(other, without)]
    return without


def is_part(name: str, of: Sequence[str]) -> bool:
    """Return whether a name is one of several names or a part of one."""
    return any(name == each or name.startswith(f"{each}.") for each in of)


def _walk(values: _Parts, seen: dict[int, tuple[str, Any]]) -> Identity:
    """Describe values and their parts. ``seen`` keeps objects alive, so that no address is used twice."""
    found: Identity = {}
    waiting = values[::-1]
    while waiting:
        name, value = waiting.pop()
        while name in found:  # a closure and an attribute of a function, say
            name += "'"
        if id(value) in seen:
            found[name] = f"same as {seen[id(value)][0]}"
            continue
        # Equal constants are one object or several, as Python chooses.
        if not isinstance(value, (*_PLAIN, *_SHOWN, tuple, frozenset)):
            seen[id(value)] = name, value
        found[name], parts = _described(value, seen)
        waiting += [(f"{name}.{part}", of) for part, of in reversed(parts)]
    return found


def _described(value: Any, seen: dict[int, tuple[str, Any]]) -> tuple[str, _Parts]:
    """Return a short description of an object, and the parts that it depends on."""
    if isinstance(value, _Unloaded):
        return f"{value}{_NOT_LOADED}", []
    if type(value) in _PLAIN or isinstance(value, _SHOWN):
        text = repr(value)
        return text if len(text) <= 200 else f"{type(value).__name__} {_hash(text.encode())}", []
    if isinstance(value, Tensor) and value.layout == torch.strided and not (value.is_meta or value.is_nested):
        return _tensor(value), []
    if type(value) is np.ndarray and not value.dtype.hasobject:
        return f"{value.dtype} {value.shape} {_hash(value.tobytes())}", []
    if isinstance(value, torch.Generator):
        return f"seed {value.initial_seed()}", []
    if isinstance(value, types.ModuleType):
        names = {} if _is_library(value) else vars(value)
        return value.__name__, _items({name: of for name, of in names.items() if not name.startswith("__")})
    if isinstance(value, types.FunctionType):
        code = "" if _is_library(value) else f" {_hash(_code(value.__code__).encode())}"
        return _name(value) + code, _function(value)
    if isinstance(value, type):
        return _name(value), _class(value)
    if type(value) in _WRAPPERS:
        return _name(type(value)), [(name, getattr(value, name)) for name in _WRAPPED if hasattr(value, name)]
    if type(value) in (dict, types.MappingProxyType):
        return "mapping", _items(value)
    if type(value) in (list, tuple, set, frozenset):
        ordered = value
        if type(value) in (set, frozenset):  # in an order that is the same in all processes
            ordered = sorted(value, key=lambda of: str(_walk([("", of)], dict(seen))))
        return type(value).__name__, [(str(at), of) for at, of in enumerate(ordered)]
    own: _Parts = [] if all(map(_is_library, type(value).__mro__)) else [("class", type(value))]
    if isinstance(value, nn.Module):
        return _name(type(value)), own + _module(value)
    if isinstance(value, torch.optim.Optimizer):
        own += [("param_groups", value.param_groups), ("state", list(value.state.values()))]
        return _name(type(value)), own
    kind = value if isinstance(value, types.BuiltinFunctionType) else type(value)
    return _name(kind), own + _copied(value)


def _module(value: nn.Module) -> _Parts:
    if isinstance(value, torch._dynamo.OptimizedModule):  # whose other attributes are of this process
        return list(value._modules.items())
    below = [*value._parameters.items(), *value._buffers.items(), *value._modules.items()]
    # Without the keys of hooks, which PyTorch counts up, and hooks of state_dict, which change no result.
    hooks = [(name, list(getattr(value, name).values())) for name in _HOOKS if getattr(value, name)]
    plain = {name: of for name, of in vars(value).items() if name not in _OF_EVERY_MODULE}
    for name, of in [*plain.items()]:
        # Computed anew at each call, as by pruning and the older weight_norm and spectral_norm.
        normed = {f"{name}_orig", f"{name}_g"} & value._parameters.keys()
        if isinstance(of, Tensor) and (normed or not of.is_leaf):
            del plain[name]
    return below + hooks + _attributes(value, plain)


def _function(value: types.FunctionType) -> _Parts:
    code = value.__code__
    # A cell is empty until its variable is assigned.
    cells = zip(code.co_freevars, value.__closure__ or (), strict=True)
    used = [(name, cell.cell_contents) for name, cell in cells if cell != types.CellType()]
    if not _is_library(value):
        of_module = value.__globals__
        used += [(name, of_module[name]) for name in _globals(code) if name in of_module]
        used += _imported(code, of_module)
    parts: _Parts = []
    for name, of in used:
        is_own = isinstance(of, types.ModuleType) and not _is_library(of)
        parts += _of_module(name, of, _names(code), [of]) if is_own else [(name, of)]
    defaults = [("__defaults__", value.__defaults__), ("__kwdefaults__", value.__kwdefaults__)]
    return parts + defaults + _items(vars(value))


def _of_module(at: str, module: Any, names: list[str], above: list[Any]) -> _Parts:
    """Return what code that has these names uses of a user's module and of the modules in it."""
    parts: _Parts = []
    for name in names:
        of = vars(module).get(name)
        if isinstance(of, types.ModuleType) and not _is_library(of):
            parts += [] if of in above else _of_module(f"{at}.{name}", of, names, [*above, of])
        elif name in vars(module) and not name.startswith("__"):
            parts.append((f"{at}.{name}", of))
    return parts


def _imported(code: types.CodeType, of_module: dict[str, Any]) -> _Parts:
    """Return the modules of users that a function imports when it is called, or their names."""
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    parts: _Parts = []
    for at, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            package = of_module.get("__package__") or ""
            name = f"{'.' * steps[at - 2].argval}{step.argval}"
            modules = {of: _own_module(of, package) for of in (name, name.partition(".")[0]) if of}
            parts += [(of, module) for of, module in modules.items() if module is not None]
    return parts + [part for of in _codes(code) for part in _imported(of, of_module)]


def _own_module(name: str, package: str) -> types.ModuleType | _Unloaded | None:
    """Return a module of a user's that code imports, its name if it is not loaded, or None for a library.

    It is not imported, because that runs the user's code, which may take long or end the process.
    """
    try:
        name = importlib.util.resolve_name(name, package)
    except ImportError:  # a relative import outside of a package, which fails in the function too
        return None
    module = sys.modules.get(name)
    if module is not None:
        return None if _is_library(module) else module
    root = name.partition(".")[0]
    if root in sys.modules:
        return None if _is_library(sys.modules[root]) else _Unloaded(name)
    try:
        spec = importlib.util.find_spec(root)  # a package is not imported to find itself
    except Exception:  # whatever a finder raises, it will raise again in the function
        return None
    known = spec is not None and (spec.origin in ("built-in", "frozen") or _of_library(str(spec.origin)))
    return None if known else _Unloaded(name)


def _class(value: type) -> _Parts:
    """Return the bases, attributes and methods of a class, and nothing for a class of a library."""
    if all(map(_is_library, value.__mro__)):
        return []
    bases = [(f"base.{at}", base) for at, base in enumerate(value.__bases__)]
    own = [] if _is_library(value) else vars(value).items()
    used = [(n, of) for n, of in own if isinstance(of, types.FunctionType) or not n.startswith("__")]
    return bases + used


def _copied(value: Any) -> _Parts:
    """Return what ``copy`` and ``pickle`` store of an object: arguments, attributes and items."""
    try:
        reduced = copyreg.dispatch_table.get(type(value), lambda of: of.__reduce_ex__(4))(value)
    except Exception:  # a class may raise anything if it cannot be copied
        return _attributes(value, getattr(value, "__dict__", {}))
    if isinstance(reduced, str):
        return [("global", reduced)]
    _, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    arguments = [of for of in arguments if of is not type(value)]
    parts: _Parts = [("arguments", arguments)] if arguments else []
    for of in state if isinstance(state, tuple) and len(state) == 2 else (state,):  # two with __slots__
        parts += _attributes(value, of) if isinstance(of, dict) else [("state", of)] if of is not None else []
    return parts + [("items", list(of)) for of in (items, pairs) if of is not None]


def _attributes(value: Any, own: dict[str, Any]) -> _Parts:
    """Return the attributes, except ``BEGAN``, docstrings and cached values of properties."""
    kept = (functools.cached_property, lazy_property)
    cached = [name for name in own if isinstance(inspect.getattr_static(type(value), str(name), None), kept)]
    return _items({name: of for name, of in own.items() if name not in [*cached, BEGAN, "__doc__"]})


def _items(of: Any) -> _Parts:
    """Return items under their keys if these are plain values, otherwise under their positions."""
    parts: _Parts = []
    for at, (key, value) in enumerate(of.items()):
        if type(key) in _PLAIN:
            parts.append((key if str(key).isidentifier() else repr(key), value))
        else:
            parts.append((f"item {at}", (key, value)))
    return parts


def _is_library(value: Any) -> bool:
    """Return whether a function, class or module is of the standard library or an installed package.

    Its file decides, because a user's file may be called ``code.py`` or ``statistics.py``.
    """
    name = _module_name(value)
    if name in ("__main__", "__mp_main__"):  # their file may be that of a package that runs the user's code
        return False
    functions = [value, *vars(value).values()] if isinstance(value, type) else [value]
    found = [of.__globals__ for of in functions if isinstance(of, types.FunctionType)]
    if globals_ := next((of for of in found if of.get("__name__") == name), None):
        file = globals_.get("__file__")
        return _of_library(file) if file else name.startswith("_frozen")
    package = name.partition(".")[0]
    files = [getattr(sys.modules.get(at), "__file__", None) for at in (name, package)]
    file = files[0] or files[1]
    return _of_library(file) if file else package in sys.builtin_module_names


@functools.cache
def _of_library(file: str) -> bool:
    path = os.path.realpath(file)
    return path.startswith(_LIBRARIES) or not {"site-packages", "dist-packages"}.isdisjoint(
        path.split(os.sep)
    )


def _module_name(value: Any) -> str:
    if isinstance(value, types.FunctionType):
        return str(value.__globals__.get("__name__"))
    return str(value.__name__ if isinstance(value, types.ModuleType) else value.__module__)


def _name(value: Any) -> str:
    return f"{_module_name(value)}.{value.__qualname__}" if _is_library(value) else str(value.__qualname__)


def _codes(code: types.CodeType) -> list[types.CodeType]:
    return [of for of in code.co_consts if isinstance(of, types.CodeType)]


def _names(code: types.CodeType) -> list[str]:
    """Return the names of globals, attributes and imports that a function and its inner functions use."""
    names = [*code.co_names, *(name for of in _codes(code) for name in _names(of))]
    return [*dict.fromkeys(names)]


def _globals(code: types.CodeType) -> dict[str, None]:
    """Return the globals that a function and its inner functions use, except such as ``__name__``."""
    used = [i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    inner = [name for of in _codes(code) for name in _globals(of)]
    return dict.fromkeys(name for name in used + inner if not name.startswith("__"))


def _code(value: Any) -> str:
    """Return the arguments and instructions of code and of its inner functions, or a constant, as text."""
    if isinstance(value, tuple):
        return f"{[_code(of) for of in value]}"
    if isinstance(value, frozenset):
        return f"set {sorted(_code(of) for of in value)}"
    if not isinstance(value, types.CodeType):
        return repr(value)
    steps = [*dis.get_instructions(value)]
    about = {at for at, of in enumerate(steps) if of.opname == "STORE_NAME" and of.argval in _ABOUT_A_CLASS}
    does = [(of.opname, _code(of.argval)) for at, of in enumerate(steps) if not {at, at + 1} & about]
    flags = value.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    counts = value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, flags
    return f"{value.co_varnames} {counts} {does}"


def _tensor(value: Tensor) -> str:
    tensor = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    content = tensor.flatten().view(torch.uint8).numpy().data if tensor.numel() else b""
    grad = " requires_grad" if value.requires_grad else ""
    return f"{tensor.dtype} {tuple(tensor.shape)} {_hash(content)}{grad}"


def _hash(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
