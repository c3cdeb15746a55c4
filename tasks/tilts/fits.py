"""The folder ``fits/`` that training leaves: ``fits.json`` with a fold each, ``fits.safetensors``."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tasks.forecasters.mixture_density import MixtureDensityNetwork
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json
from tasks.tilts.model import TiltedModel, below, restore


def write_fits(folder: Path, folds: list[dict[str, Any]], parameters: dict[str, Tensor]) -> None:
    """Write the new folder: ``folds`` in order of time, the last one ``final``, and their parameters."""
    folder.mkdir()
    save_file(parameters, folder / "fits.safetensors")
    (folder / "fits.json").write_text(json.dumps({"folds": folds}, indent=2) + "\n", encoding="utf-8")


def read_folds(fits: Path) -> list[dict[str, Any]]:
    """The folds in order of time, as :func:`write_fits` got them."""
    folds: list[dict[str, Any]] = read_json(fits / "fits.json")["folds"]
    return folds


def load_fold(fits: Path, name: str) -> TiltedModel:
    """The model chosen for one fold (``final`` for the forecast); ``BasinError`` for an unknown one."""
    folds = read_folds(fits)
    for fold in folds:
        if fold["fold"] == name:
            return restore(fold["tilt"], below(load_file(fits / "fits.safetensors"), f"{name}/"))
    raise BasinError(
        f"{fits}: no fold {name}; found {', '.join(f['fold'] for f in folds)}; run the stage train again"
    )


def load_network(fits: Path, fold: dict[str, Any]) -> MixtureDensityNetwork:
    """The peer network of a fold."""
    config = fold["mdn"]
    shape = (len(config["columns"]), config["hidden"], config["seeds"])
    network = MixtureDensityNetwork(*shape, torch.Generator())  # its random parameters are replaced at once
    network.load_state_dict(below(load_file(fits / "fits.safetensors"), f"mdn/{fold['fold']}/"))
    return network


def prior_weights(tilt: dict[str, Any]) -> dict[str, float]:
    """Weight by lead of the tilt learned on other series that a stored one was fitted onto; none, 0."""
    prior = tilt["prior"]
    return dict.fromkeys(tilt["weights"], 0.0) if prior is None else dict(prior["weights"])
