"""Tilted models on tables: inputs to tensors, weights from past scores, saving and loading."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
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
"""Standardised inputs are clipped at ±CLIP: no row lies far outside what was seen in training."""

FORECAST_PANELS = 128
"""Quadrature panels of a forecast's normaliser."""

PRIOR = "prior/"
"""Prefix of the names of a prior's parameters."""


@dataclass(frozen=True)
class TiltConfig:
    """What a saved tilt needs besides its parameters.

    ``weights`` scale the mean energy, by lead; ``pool`` holds the weight of each classical model in the
    base, by lead. ``prior`` is the configuration of a tilt learned elsewhere that this one is fitted onto.
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
    """p(y|x) = q(y|x) · exp(−w · Ē(y, x)) / Z(x), Ē the mean energy over the seeds, w that of the lead.

    With a ``prior``, another tilt of the same base, its weighted energy is added to this one's.
    """

    config: TiltConfig
    energy: BilinearEnergy
    prior: "TiltedModel | None" = None

    def inputs(self, rows: pd.DataFrame) -> Tensor:
        """Standardised, clipped inputs, shape ``(len(rows), columns)``, float64."""
        return standardised(rows, self.config.columns, self.config.center, self.config.spread)

    def mean_energy(self, score: Tensor, x: Tensor) -> Tensor:
        """Ē(s, x): ``(*sample, n)`` or ``(*sample, 1)`` scores → ``(*sample, n)`` energies."""
        with torch.no_grad():
            energies: Tensor = self.energy(score, x).mean(0)
        return energies

    def weight(self, lead: int) -> float:
        """w of a lead, with that of the prior; 0 is the base's own forecast."""
        own = self.config.weights[str(lead)]
        return own if self.prior is None else own + self.prior.weight(lead)

    def base(self, classical: pd.DataFrame, rows: pd.DataFrame) -> LinearPool:
        """The base of each row, pooled from the table ``classical``."""
        return pooled(classical, rows, self.config.pool)

    def total_energy(self, rows: pd.DataFrame) -> Callable[[Tensor], Tensor]:
        """w · Ē(·, x) of each row (inputs and ``lead``), the prior's included, as a function of scores."""
        x = self.inputs(rows)
        weight = torch.tensor([self.config.weights[str(lead)] for lead in rows["lead"]], dtype=torch.float64)
        prior = None if self.prior is None else self.prior.total_energy(rows)

        def energy(score: Tensor) -> Tensor:
            own = weight * self.mean_energy(score, x)
            return own if prior is None else own + prior(score)

        return energy

    def distribution(self, rows: pd.DataFrame, base: LinearPool) -> TiltedDistribution:
        """The forecast for each row (inputs and ``lead``), tilting ``base`` of shape ``(len(rows),)``."""
        return TiltedDistribution(base, self.total_energy(rows), count=FORECAST_PANELS)


def standardised(
    rows: pd.DataFrame, columns: tuple[str, ...], center: tuple[float, ...], spread: tuple[float, ...]
) -> Tensor:
    """(x − center) / spread, clipped at ±``CLIP``."""
    values = (rows[list(columns)].to_numpy(float) - np.array(center)) / np.array(spread)
    return torch.as_tensor(values.clip(-CLIP, CLIP))


def skewt(rows: pd.DataFrame) -> SkewT:
    """The Hansen skew-t of each row of a ``classical`` table."""
    names = ("loc", "scale", "eta", "lam")
    loc, scale, eta, lam = (torch.tensor(rows[name].to_numpy(float)) for name in names)
    return SkewT(loc, scale, eta, lam)


def model_rows(classical: pd.DataFrame, model: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The ``classical`` rows of one model, in the order of ``rows`` (by series, origin and lead)."""
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
    """The linear pool of the ``classical`` models that ``weights`` names, by lead, for each row."""
    members = list(next(iter(weights.values())))
    share = [[weights[str(lead)][name] for lead in rows["lead"]] for name in members]
    return LinearPool(
        [skewt(model_rows(classical, name, rows)) for name in members],
        torch.tensor(share, dtype=torch.float64),
    )


def tensors(model: TiltedModel, prefix: str = "") -> dict[str, Tensor]:
    """The parameters of the energy, and of its prior's, by name, ready for safetensors."""
    own = {prefix + name: p.detach().float().contiguous() for name, p in model.energy.state_dict().items()}
    return own if model.prior is None else own | tensors(model.prior, f"{prefix}{PRIOR}")


def restore(config: dict[str, Any], parameters: dict[str, Tensor]) -> TiltedModel:
    """A model from the JSON form of its :class:`TiltConfig` and its parameters."""
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
    """Those of ``parameters`` whose names start with ``prefix``, without it."""
    return {name.removeprefix(prefix): p for name, p in parameters.items() if name.startswith(prefix)}


def save_model(folder: Path, model: TiltedModel, about: dict[str, Any]) -> None:
    """Write ``model.safetensors`` and ``config.json`` (the tilt's configuration beside ``about``)."""
    folder.mkdir(parents=True)
    save_file(tensors(model), folder / "model.safetensors")
    config = {**about, "tilt": asdict(model.config)}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_model(folder: Path) -> TiltedModel:
    """The model of a folder written by :func:`save_model`; raises ``BasinError`` where it is broken."""
    config = read_json(folder / "config.json")
    try:
        return restore(config["tilt"], load_file(folder / "model.safetensors"))
    except (KeyError, TypeError, RuntimeError, OSError) as error:
        raise BasinError(f"{folder} holds no usable model ({error}); run the stage register again") from error
