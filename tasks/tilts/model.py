"""Tilted models in PyTorch, for training and evaluation: forecast distributions, saving and loading."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor

from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.pool import LinearPool
from ebm_core.tilts.skewt import SkewT
from ebm_core.tilts.tilted import TiltedDistribution
from tasks.tilts.config import FORECAST_PANELS, PRIOR, TiltConfig, mixture
from tasks.tilts.stored import StoredTilt, load_tilt


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
        return torch.from_numpy(self.config.inputs(rows))

    def mean_energy(self, score: Tensor, x: Tensor) -> Tensor:
        """Return Ē(s, x) ``(*sample, n)`` for scores s ``(*sample, n)`` or ``(*sample, 1)``."""
        with torch.no_grad():
            energies: Tensor = self.energy(score, x).mean(0)
        return energies

    def weight(self, lead: int) -> float:
        """Return the weight of the tilt at a lead, including that of its prior. With 0 the base is used."""
        return self.config.weight(lead)

    def base(self, classical: pd.DataFrame, rows: pd.DataFrame) -> LinearPool:
        """Return the base of each row, a linear pool of forecasts in the table ``classical``."""
        return pooled(classical, rows, self.config.pool)

    def total_energy(self, rows: pd.DataFrame) -> Callable[[Tensor], Tensor]:
        """Return the total energy of each row, w · Ē(s, x) plus the prior's energy, as a function of s."""
        x = self.inputs(rows)
        weight = torch.from_numpy(self.config.weights_of(rows))
        prior = None if self.prior is None else self.prior.total_energy(rows)

        def energy(score: Tensor) -> Tensor:
            own = weight * self.mean_energy(score, x)
            return own if prior is None else own + prior(score)

        return energy

    def distribution(self, rows: pd.DataFrame, base: LinearPool) -> TiltedDistribution:
        """Return the tilted forecast of each row, given its ``base`` of batch shape ``(len(rows),)``."""
        return TiltedDistribution(base, self.total_energy(rows), count=FORECAST_PANELS)


def skewt(rows: pd.DataFrame) -> SkewT:
    """Return the Hansen skewed t of each row of a ``classical`` table."""
    names = ("loc", "scale", "eta", "lam")
    loc, scale, eta, lam = (torch.tensor(rows[name].to_numpy(float)) for name in names)
    return SkewT(loc, scale, eta, lam)


def pooled(classical: pd.DataFrame, rows: pd.DataFrame, weights: dict[str, dict[str, float]]) -> LinearPool:
    """Return the linear pool of the classical models for each row, with ``weights`` by lead and model."""
    of = mixture(classical, rows, weights)
    members = zip(*(torch.from_numpy(each) for each in (of.loc, of.scale, of.eta, of.lam)), strict=True)
    return LinearPool([SkewT(*member) for member in members], torch.from_numpy(of.weights))


def tensors(model: TiltedModel, prefix: str = "") -> dict[str, Tensor]:
    """Return the parameters of the energy and of the prior's energy by name, for safetensors."""
    own = {prefix + name: p.detach().float().contiguous() for name, p in model.energy.state_dict().items()}
    return own if model.prior is None else own | tensors(model.prior, f"{prefix}{PRIOR}")


def restore(tilt: StoredTilt) -> TiltedModel:
    """Return a stored tilt as a model in PyTorch."""
    known = tilt.config
    shape = (len(known.columns), known.hidden, known.features, known.seeds)
    energy = BilinearEnergy(*shape, torch.Generator())  # its random parameters are replaced at once
    own = {name: p for name, p in tilt.parameters.items() if not name.startswith(PRIOR)}
    energy.load_state_dict({name: torch.tensor(p) for name, p in own.items()})
    return TiltedModel(known, energy.double(), None if tilt.prior is None else restore(tilt.prior))


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
    return restore(load_tilt(folder))
