"""Stored tilts, which forecast by NumPy, because PyTorch takes longer to import than a forecast."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file

from ebm_core.tilts import bilinear_formula
from ebm_core.tilts.mixture import SkewTMixture
from ebm_core.tilts.normalised import NormalisedTilt
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json
from tasks.tilts.config import FORECAST_PANELS, PRIOR, TiltConfig, mixture

Parameters = dict[str, np.ndarray]
"""Parameters of an energy by name, those of a prior tilt with the prefix ``PRIOR``."""


@dataclass(frozen=True)
class StoredTilt:
    """Tilted model p(y|x) = q(y|x) · exp(−w · Ē(y, x)) / Z(x), as :class:`~tasks.tilts.model.TiltedModel`."""

    config: TiltConfig
    parameters: Parameters

    def weight(self, lead: int) -> float:
        """Return the weight of the tilt at a lead, including that of its prior. With 0 the base is used."""
        return self.config.weight(lead)

    def base(self, classical: pd.DataFrame, rows: pd.DataFrame) -> SkewTMixture:
        """Return the base of each row, a mixture of forecasts in the table ``classical``."""
        return mixture(classical, rows, self.config.pool)

    def distribution(self, rows: pd.DataFrame, base: SkewTMixture) -> NormalisedTilt:
        """Return the tilted forecast of each row, given its ``base`` of batch shape ``(len(rows),)``."""
        return NormalisedTilt(base, self.total_energy(rows), count=FORECAST_PANELS)

    def total_energy(self, rows: pd.DataFrame) -> Callable[[np.ndarray], np.ndarray]:
        """Return the total energy of each row, w · Ē(s, x) plus the prior's energy, as a function of s."""
        p = {name: values.astype(float) for name, values in self.parameters.items()}
        names = ("inner_weight", "inner_bias", "outer_weight", "linear_weight", "bias")
        a = bilinear_formula.coefficients(np, self.config.inputs(rows), *(p[name] for name in names))
        weight = self.config.weights_of(rows)
        prior = None if self.prior is None else self.prior.total_energy(rows)

        def energy(score: np.ndarray) -> np.ndarray:
            phi = bilinear_formula.basis(np, score, p["score_weight"], p["score_bias"])
            own: np.ndarray = weight * bilinear_formula.energies(np, a, phi).mean(0)
            return own if prior is None else own + prior(score)

        return energy

    @property
    def prior(self) -> "StoredTilt | None":
        """The prior tilt, if any."""
        if self.config.prior is None:
            return None
        return StoredTilt(self.config.prior, below(self.parameters, PRIOR))


def below(parameters: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the parameters whose names start with ``prefix``, without the prefix."""
    return {name.removeprefix(prefix): p for name, p in parameters.items() if name.startswith(prefix)}


def stored(config: dict[str, Any], parameters: Parameters) -> StoredTilt:
    """Return a tilt from the JSON form of its configuration and its parameters.

    Raises ``AttributeError``, ``KeyError``, ``TypeError`` or ``ValueError`` if they do not belong to each
    other.
    """
    tilt = StoredTilt(TiltConfig.from_json(config), parameters)
    _require_shapes(tilt)
    return tilt


def _require_shapes(tilt: StoredTilt) -> None:
    known = tilt.config
    shapes = bilinear_formula.shapes(len(known.columns), known.hidden, known.features, known.seeds)
    prefixed = () if tilt.prior is None else (PRIOR,)
    names = {name for name in tilt.parameters if not name.startswith(prefixed)}
    if names != shapes.keys():
        raise ValueError(f"expected the parameters {', '.join(shapes)}, found {', '.join(sorted(names))}")
    for name, shape in shapes.items():
        if tilt.parameters[name].shape != shape:
            raise ValueError(f"{name} has the shape {tilt.parameters[name].shape}, expected {shape}")
    if tilt.prior is not None:
        _require_shapes(tilt.prior)


def load_tilt(folder: Path) -> StoredTilt:
    """Load a model that ``tasks.tilts.model.save_model`` wrote.

    Raises ``BasinError`` if the folder is not valid.
    """
    config = read_json(folder / "config.json")
    try:
        return stored(config["tilt"], load_file(folder / "model.safetensors"))
    except (AttributeError, KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise BasinError(
            f"{folder} holds no usable model ({error}); give another model, or fit it again"
        ) from error
