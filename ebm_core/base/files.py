"""Checkpoints: the complete state of a fit in one safetensors file, from which another process resumes."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

Tree = dict[str, Any]
"""Nested dictionaries whose leaves are tensors or JSON values."""


def save_checkpoint(path: Path, state: Tree) -> None:
    """Write ``state`` to ``path`` atomically, tensors as safetensors and other values as JSON metadata."""
    tensors, plain = _split(state)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, temporary, {"plain": json.dumps(plain)})
    os.replace(temporary, path)


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
                *parents, last = name.split("/")
                at = state
                for parent in parents:
                    at = at.setdefault(parent, {})
                at[last] = file.get_tensor(name)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise ValueError(f"{path} is not a checkpoint ({error}); delete it to start the fit again") from error
    return state


def _split(state: Tree, prefix: str = "") -> tuple[dict[str, Tensor], Tree]:
    tensors: dict[str, Tensor] = {}
    plain: Tree = {}
    for key, value in state.items():
        if isinstance(value, Tensor):
            tensors[f"{prefix}{key}"] = value.detach().cpu().contiguous().clone()
        elif isinstance(value, dict):
            below, plain[str(key)] = _split(value, f"{prefix}{key}/")
            tensors |= below
        else:
            plain[str(key)] = value
    return tensors, plain


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
