"""Tilted models of tables of forecasts: standardised inputs, forecast distributions, saving and loading."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.pool import LinearPool
from ebm_core.tilts.skewt import SkewT
from ebm_core.tilts.tilted import TiltedDistribution
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json

CLIP = 4.0
"""Standardised inputs are clipped at ±CLIP, so that no input is far outside the range of training data."""

FORECAST_PANELS = 128
"""Number of quadrature panels for the normaliser of a forecast."""

PRIOR = "prior/"
"""Prefix of the names of the parameters of a prior tilt."""


@dataclass(frozen=True)
class TiltConfig:
    """Configuration of a saved tilt, which is stored with its parameters.

    ``weights`` are the factors of the mean energy by lead, and ``pool`` has the weights of the classical
    models in the base by lead. ``prior`` is the configuration of the prior tilt, if any, to which this tilt
    is added.
    """

    columns: tuple[str, ...]
    center: tuple[float, ...]
    spread: tuple[float, ...]
    hidden: int
    features: int
    seeds: int
    weights: dict[str, float]
    pool: dict[str, dict[str, float]]
    prior: "TiltConfig | None" = None


@dataclass(frozen=True)
class TiltedModel:
    """Tilted model p(y|x) = q(y|x) · exp(−w · Ē(y, x)) / Z(x).

    Ē is the mean energy over the seeds and w the weight of the lead. ``prior`` is another tilt of the same
    base, whose weighted energy is added.
    """

    config: TiltConfig
    energy: BilinearEnergy
    prior: "TiltedModel | None" = None

    def inputs(self, rows: pd.DataFrame) -> Tensor:
        """Return the standardised and clipped inputs ``(len(rows), columns)``, in float64."""
        return standardised(rows, self.config.columns, self.config.center, self.config.spread)

    def mean_energy(self, score: Tensor, x: Tensor) -> Tensor:
        """Return Ē(s, x) ``(*sample, n)`` for scores s ``(*sample, n)`` or ``(*sample, 1)``."""
        with torch.no_grad():
            energies: Tensor = self.energy(score, x).mean(0)
        return energies

    def weight(self, lead: int) -> float:
        """Return the sum of the weight w of a lead and of the prior's weight. With 0 the base is used."""
        own = self.config.weights[str(lead)]
        return own if self.prior is None else own + self.prior.weight(lead)

    def base(self, classical: pd.DataFrame, rows: pd.DataFrame) -> LinearPool:
        """Return the base of each row, a linear pool of forecasts in the table ``classical``."""
        return pooled(classical, rows, self.config.pool)

    def total_energy(self, rows: pd.DataFrame) -> Callable[[Tensor], Tensor]:
        """Return the total energy of each row, w · Ē(s, x) plus the prior's energy, as a function of s."""
        x = self.inputs(rows)
        weight = torch.tensor([self.config.weights[str(lead)] for lead in rows["lead"]], dtype=torch.float64)
        prior = None if self.prior is None else self.prior.total_energy(rows)

        def energy(score: Tensor) -> Tensor:
            own = weight * self.mean_energy(score, x)
            return own if prior is None else own + prior(score)

        return energy

    def distribution(self, rows: pd.DataFrame, base: LinearPool) -> TiltedDistribution:
        """Return the tilted forecast of each row, given its ``base`` of batch shape ``(len(rows),)``."""
        return TiltedDistribution(base, self.total_energy(rows), count=FORECAST_PANELS)


def standardised(
    rows: pd.DataFrame, columns: tuple[str, ...], center: tuple[float, ...], spread: tuple[float, ...]
) -> Tensor:
    """Return (x − center) / spread, clipped at ±``CLIP``."""
    values = (rows[list(columns)].to_numpy(float) - np.array(center)) / np.array(spread)
    return torch.as_tensor(values.clip(-CLIP, CLIP))


def skewt(rows: pd.DataFrame) -> SkewT:
    """Return the Hansen skewed t of each row of a ``classical`` table."""
    names = ("loc", "scale", "eta", "lam")
    loc, scale, eta, lam = (torch.tensor(rows[name].to_numpy(float)) for name in names)
    return SkewT(loc, scale, eta, lam)


def model_rows(classical: pd.DataFrame, model: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one classical model that match ``rows`` by series, origin and lead, in order."""
    keys = ["series", "origin", "lead"]
    chosen = rows[keys].merge(classical[classical["model"] == model], on=keys, how="left", validate="1:1")
    if chosen["scale"].isna().any():
        first = chosen[chosen["scale"].isna()].iloc[0]
        raise BasinError(
            f"no {model} forecast for {first['series']} at {first['origin']:%Y-%m-%d}, lead {first['lead']}; "
            "run the stage features again"
        )
    return chosen


def pooled(classical: pd.DataFrame, rows: pd.DataFrame, weights: dict[str, dict[str, float]]) -> LinearPool:
    """Return the linear pool of the classical models for each row, with ``weights`` by lead and model."""
    members = list(next(iter(weights.values())))
    share = [[weights[str(lead)][name] for lead in rows["lead"]] for name in members]
    return LinearPool(
        [skewt(model_rows(classical, name, rows)) for name in members],
        torch.tensor(share, dtype=torch.float64),
    )


def tensors(model: TiltedModel, prefix: str = "") -> dict[str, Tensor]:
    """Return the parameters of the energy and of the prior's energy by name, for safetensors."""
    own = {prefix + name: p.detach().float().contiguous() for name, p in model.energy.state_dict().items()}
    return own if model.prior is None else own | tensors(model.prior, f"{prefix}{PRIOR}")


def restore(config: dict[str, Any], parameters: dict[str, Tensor]) -> TiltedModel:
    """Rebuild a model from the JSON form of its :class:`TiltConfig` and its parameters."""
    prior = None
    if config.get("prior") is not None:
        prior = restore(config["prior"], below(parameters, PRIOR))
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
    known = TiltConfig(**values | {"prior": None if prior is None else prior.config})
    shape = (len(known.columns), known.hidden, known.features, known.seeds)
    energy = BilinearEnergy(*shape, torch.Generator())  # its random parameters are replaced at once
    energy.load_state_dict({name: p for name, p in parameters.items() if not name.startswith(PRIOR)})
    return TiltedModel(known, energy.double(), prior)


def below(parameters: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the parameters whose names start with ``prefix``, without the prefix."""
    return {name.removeprefix(prefix): p for name, p in parameters.items() if name.startswith(prefix)}


def untilted_model(model: TiltedModel) -> TiltedModel:
    """Return the model with weight 0 for its own energy and without a prior, so that it is its base."""
    config = replace(model.config, weights=dict.fromkeys(model.config.weights, 0.0), prior=None)
    return TiltedModel(config, model.energy)


def save_model(folder: Path, model: TiltedModel, about: dict[str, Any]) -> None:
    """Write ``model.safetensors`` and ``config.json``, with ``about`` and the configuration of the tilt."""
    folder.mkdir(parents=True)
    save_file(tensors(model), folder / "model.safetensors")
    config = {**about, "tilt": asdict(model.config)}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_model(folder: Path) -> TiltedModel:
    """Load a model that :func:`save_model` wrote, or raise ``BasinError`` if the folder is not valid."""
    config = read_json(folder / "config.json")
    try:
        return restore(config["tilt"], load_file(folder / "model.safetensors"))
    except (KeyError, TypeError, RuntimeError, OSError) as error:
        raise BasinError(
            f"{folder} holds no usable model ({error}); give another model, or fit it again"
        ) from error
