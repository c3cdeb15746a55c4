"""Checkpoints: the complete state of a fit in one safetensors file, from which another process resumes."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

Tree = dict[str, Any]
"""Nested dictionaries whose leaves are tensors or JSON values."""


def save_checkpoint(path: Path, state: Tree) -> None:
    """Write ``state`` to ``path`` atomically, tensors as safetensors and other values as JSON metadata."""
    tensors, plain = _split(state)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, temporary, {"plain": json.dumps(plain)})
    os.replace(temporary, path)


def try_checkpoint(path: Path, state: Tree) -> None:
    """Write a checkpoint beside ``path`` and delete it, to see before a long fit that it can be written."""
    trial = path.with_name(f".{path.name}.trial")
    save_checkpoint(trial, state)
    trial.unlink()


def load_checkpoint(path: Path) -> Tree | None:
    """Return the state that :func:`save_checkpoint` wrote, or None if there is no file.

    Raises ``ValueError`` if the file is not a checkpoint.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state: Tree = json.loads(file.metadata()["plain"])
            for name in file.keys():  # noqa: SIM118 - not a dictionary
                *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in name.split("/"))
                at = state
                for parent in parents:
                    at = at.setdefault(parent, {})
                at[last] = file.get_tensor(name)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise ValueError(f"{path} is not a checkpoint ({error}); delete it to start the fit again") from error
    return state


def _split(state: Tree, prefix: str = "") -> tuple[dict[str, Tensor], Tree]:
    """Return tensors under their paths, in which ``~1`` stands for a slash of a key, and all other values."""
    tensors: dict[str, Tensor] = {}
    plain: Tree = {}
    for key, value in state.items():
        path = f"{prefix}{str(key).replace('~', '~0').replace('/', '~1')}"
        if isinstance(value, Tensor) and value.layout == torch.strided:
            tensors[path] = value.detach().cpu().contiguous().clone()
        elif isinstance(value, dict) and all(isinstance(of, str) for of in value):
            below, plain[key] = _split(value, f"{path}/")
            tensors |= below
        elif _is_json(value):
            plain[key] = value
        else:
            raise ValueError(
                f"checkpoint: {path.replace('/', '.')} is a {type(value).__name__}, which cannot be stored; "
                "expected dense tensors, numbers, text, lists, and dictionaries with text as keys"
            )
    return tensors, plain


def _is_json(value: Any) -> bool:
    """Return whether JSON gives back the same value, as it does not for a tuple."""
    if isinstance(value, dict):
        return all(type(key) is str and _is_json(of) for key, of in value.items())
    if type(value) is list:
        return all(map(_is_json, value))
    return value is None or type(value) in (bool, int, float, str)


def module_state(module: nn.Module) -> Tree:
    """Return the ``state_dict`` of a module, and the buffers that it leaves out."""
    state = module.state_dict()
    return {
        "state": dict(state),
        "buffers": {name: buffer for name, buffer in module.named_buffers() if name not in state},
    }


@torch.no_grad()
def restore_module(module: nn.Module, saved: Tree) -> None:
    """Restore a state that :func:`module_state` returned."""
    module.load_state_dict(saved["state"])
    device = next((parameter.device for parameter in module.parameters()), None)
    for name, buffer in saved["buffers"].items():
        owner, _, last = name.rpartition(".")
        module.get_submodule(owner)._buffers[last] = buffer.to(device)


def optimiser_state(optimiser: torch.optim.Optimizer) -> Tree:
    """Return the moments of every parameter and the learning rate of each parameter group."""
    state = optimiser.state_dict()
    return {
        "moments": {str(index): values for index, values in state["state"].items()},
        "rates": {str(i): group["lr"] for i, group in enumerate(state["param_groups"])},
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, saved: Tree) -> None:
    """Restore a state that :func:`optimiser_state` returned."""
    state = optimiser.state_dict()
    moments = {int(index): values for index, values in saved["moments"].items()}
    for i, group in enumerate(state["param_groups"]):
        group["lr"] = saved["rates"][str(i)]
    optimiser.load_state_dict({"state": moments, "param_groups": state["param_groups"]})
