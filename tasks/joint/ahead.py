"""Joint forecast of the row after the data: its draws, its conditional draws, and its files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ebm_core.tilts import hansen
from ebm_core.tilts.copula import EllipticalCopula
from ebm_core.tilts.cross_section import Conditions, CrossSectionTilt
from ebm_core.tilts.joint import JointTilt
from tasks.joint.marginals import Marginals
from tasks.joint.models import DRAWS
from tasks.joint.panel import Panel
from tasks.joint.walk_forward import Year
from tasks.runtime.files import read_json, write_json


@dataclass(frozen=True)
class Ahead:
    """Joint density of the returns ``names`` at the row after the data.

    ``marginals`` ``(4, d)`` are loc, scale, eta and lam of the skewed t of each series. ``log`` is that of
    the panel.
    """

    names: tuple[str, ...]
    log: bool
    marginals: np.ndarray
    correlation: torch.Tensor
    tilt: CrossSectionTilt
    conditions: Conditions

    @property
    def _copula(self) -> EllipticalCopula:
        return EllipticalCopula(self.correlation, self.tilt.nu)

    def draws(self, count: int, seed: int = 0) -> np.ndarray:
        """Return equally weighted draws ``(count, d)`` of the returns, by resampling draws of the base."""
        generator = torch.Generator().manual_seed(seed)
        pool = self._copula.draw(max(DRAWS, 2 * count), generator)
        chosen = JointTilt(self.tilt.energy(pool, self.conditions)[0]).resample(count, generator)
        chosen = chosen[torch.randperm(count, generator=generator)]
        return self._returns(pool[chosen])

    def effective_size(self, seed: int = 0) -> float:
        """Return the effective sample size of ``DRAWS`` draws of the base."""
        pool = self._copula.draw(DRAWS, torch.Generator().manual_seed(seed))
        return float(JointTilt(self.tilt.energy(pool, self.conditions)[0]).effective_size)

    def given(
        self, returns: dict[str, float], count: int | None = None, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return draws ``(count, d)`` of the returns, given those of some series, and their weights.

        Draws of the base given these returns are weighted by exp(−E), E being the energy.
        """
        scores = {self.names.index(name): self.score(name, value) for name, value in returns.items()}
        generator = torch.Generator().manual_seed(seed)
        points = self._copula.draw_given(scores, count or DRAWS, generator)
        drawn = self._returns(points[0])
        for name, value in returns.items():
            drawn[:, self.names.index(name)] = value
        return drawn, JointTilt(self.tilt.energy(points, self.conditions)[0]).weights.numpy()

    def score(self, name: str, value: float) -> float:
        """Return the normal score of a return."""
        loc, scale, eta, lam = self.marginals[:, [self.names.index(name)]]
        return float(hansen.normal_score((value - loc) / scale, eta, lam)[0])

    def _returns(self, whitened: torch.Tensor) -> np.ndarray:
        """Return the returns of whitened coordinates ``(count, d)``."""
        scores = self._copula.scores(whitened[None])[0].numpy()
        d = len(self.names)
        loc, scale, eta, lam = self.marginals[:, None]
        row = Marginals(loc, scale, eta, lam, np.ones((1, d), bool), np.ones(1))
        return row.quantiles(0, np.arange(d), scores)

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``config.json``."""
        folder.mkdir(parents=True)
        tensors = {"marginals": torch.as_tensor(self.marginals), "correlation": self.correlation}
        tensors |= {f"tilt.{name}": getattr(self.tilt, name) for name in TILT}
        tensors |= {f"conditions.{name}": value for name, value in vars(self.conditions).items()}
        save_file(
            {n: t.detach().clone().contiguous() for n, t in tensors.items()}, folder / "model.safetensors"
        )
        config = {"panel": True, "names": list(self.names), "log": self.log}
        write_json(folder / "config.json", config | {"nu": self.tilt.nu, "weight": self.tilt.weight})

    @classmethod
    def load(cls, folder: Path) -> "Ahead":
        """Read the files that :meth:`save` wrote."""
        config, tensors = read_json(folder / "config.json"), load_file(folder / "model.safetensors")
        tilt = CrossSectionTilt(
            config["nu"], **{name: tensors[f"tilt.{name}"] for name in TILT}, weight=config["weight"]
        )
        known = Conditions(*(tensors[f"conditions.{name}"] for name in ("state", "size", "sign")))
        names = tuple(config["names"])
        return cls(names, config["log"], tensors["marginals"].numpy(), tensors["correlation"], tilt, known)


TILT = ("mean", "spread", "theta", "size", "sign")
"""Tensors of a tilt."""


def ahead_of(year: Year, weight: float, panel: Panel, marginals: Marginals) -> Ahead:
    """Return the forecast of the row after the data, of a refit that learned from all rows.

    It is that of the base, of weight 0, if the normaliser would be infinite.
    """
    members = year.members
    row = np.stack([getattr(marginals, name)[-1, members] for name in ("loc", "scale", "eta", "lam")])
    tilted = year.tilted.weighted(weight)
    if not (tilted.tilt.tail_index(tilted.conditions[-1:]) > 0).all():
        tilted = tilted.weighted(0.0)
    correlation = torch.tensor(tilted.base.correlation[-1:])
    names = tuple(panel.names[i] for i in members)
    return Ahead(names, panel.log, row, correlation, tilted.tilt, tilted.conditions[-1:])
