"""Folder ``fits/`` that training writes: ``fits.json`` with one entry per fold, and ``fits.safetensors``."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor

from tasks.forecasters.mixture_density import MixtureDensityNetwork
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json
from tasks.tilts.model import TiltedModel, restore
from tasks.tilts.stored import below, stored


def write_fits(folder: Path, folds: list[dict[str, Any]], parameters: dict[str, Tensor]) -> None:
    """Write a new folder with the ``folds`` in time order, the last being ``final``, and their parameters."""
    folder.mkdir()
    save_file(parameters, folder / "fits.safetensors")
    (folder / "fits.json").write_text(json.dumps({"folds": folds}, indent=2) + "\n", encoding="utf-8")


def read_folds(fits: Path) -> list[dict[str, Any]]:
    """Return the folds in time order, as passed to :func:`write_fits`."""
    folds: list[dict[str, Any]] = read_json(fits / "fits.json")["folds"]
    return folds


def load_fold(fits: Path, name: str) -> TiltedModel:
    """Return the model chosen for a fold, where ``final`` is the one for new forecasts.

    Raises ``BasinError`` if there is no such fold.
    """
    folds = read_folds(fits)
    for fold in folds:
        if fold["fold"] == name:
            parameters = below(load_arrays(fits / "fits.safetensors"), f"{name}/")
            return restore(stored(fold["tilt"], parameters))
    raise BasinError(
        f"{fits}: no fold {name}; found {', '.join(f['fold'] for f in folds)}; run the stage train again"
    )


def load_network(fits: Path, fold: dict[str, Any]) -> MixtureDensityNetwork:
    """Return the mixture density network of a fold."""
    config = fold["mdn"]
    shape = (len(config["columns"]), config["hidden"], config["seeds"])
    network = MixtureDensityNetwork(*shape, torch.Generator())  # its random parameters are replaced at once
    network.load_state_dict(below(load_file(fits / "fits.safetensors"), f"mdn/{fold['fold']}/"))
    return network


def prior_weights(tilt: dict[str, Any]) -> dict[str, float]:
    """Return for each lead the weight of the prior tilt in a stored tilt, 0 if it has none."""
    prior = tilt["prior"]
    return dict.fromkeys(tilt["weights"], 0.0) if prior is None else dict(prior["weights"])
