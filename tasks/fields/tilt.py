"""Convolutional energy of a forecast error given its context, as a function of the pattern amplitudes."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ebm_core.energies.grid import FieldEnergy, PatternNormal
from ebm_core.learning.score_matching import WhiteEnergy
from tasks.fields.base import LEADS, Base
from tasks.fields.examples import CONTEXT, NUMBERS, Examples


class Laws:
    """Gaussian error distributions of the base for each lead, in units of the spread, as float32."""

    def __init__(self, base: Base, device: torch.device | str = "cpu") -> None:
        spread = base.spread
        self.laws = [
            PatternNormal(
                torch.tensor(base.patterns[lead] / spread[lead][:, None], dtype=torch.float32, device=device),
                torch.tensor(base.local[lead] / spread[lead] ** 2, dtype=torch.float32, device=device),
            )
            for lead in range(len(LEADS))
        ]

    def amplitudes(self, error: Tensor, lead: Tensor) -> Tensor:
        """Map errors ``(n, d)`` in units of the spread to amplitudes z ``(n, k)``, N(0, I) under the base."""
        return self._by_lead(error, lead, [law.amplitudes for law in self.laws])

    def colour(self, z: Tensor, lead: Tensor) -> Tensor:
        """Map amplitudes z ``(n, k)`` to the pattern part of errors ``(n, d)``, in units of the spread."""
        return self._by_lead(z, lead, [law.colour for law in self.laws])

    def _by_lead(self, rows: Tensor, lead: Tensor, maps: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
        parts, places = [], []
        for k, change in enumerate(maps):
            chosen = torch.nonzero(lead == k)[:, 0]
            parts.append(change(rows[chosen]))
            places.append(chosen)
        return torch.cat(parts)[torch.argsort(torch.cat(places))]


def new_energy(mask: np.ndarray, width: int, seed: int) -> FieldEnergy:
    """Return an untrained energy, which is zero everywhere, so that the tilted distribution is the base."""
    generator = torch.Generator().manual_seed(seed)
    return FieldEnergy(torch.from_numpy(mask), CONTEXT, NUMBERS + 1, width, generator)


def tensors(found: Examples) -> dict[str, Tensor]:
    """Return the columns of examples as tensors, ``lead`` as integers and the others as float32."""
    columns = {
        name: torch.tensor(np.ascontiguousarray(getattr(found, name)), dtype=torch.float32)
        for name in ("error", "context", "numbers")
    }
    return columns | {"lead": torch.tensor(np.ascontiguousarray(found.lead))}


def white_energy(energy: nn.Module, laws: Laws, given: dict[str, Tensor]) -> WhiteEnergy:
    """Return F(v, φ) as a function of amplitudes v ``(n, k)`` and angles, in the context ``given``."""

    def at(v: Tensor, angle: Tensor) -> Tensor:
        numbers = torch.cat([given["numbers"], angle[:, None]], 1)
        found: Tensor = energy(laws.colour(v, given["lead"]), given["context"], numbers)
        return found

    return at
