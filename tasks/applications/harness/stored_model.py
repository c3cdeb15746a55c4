"""A stored model of an application, and what it says of new examples."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Stored:
    """A folder ``model/``: tensors and ``config.json``, of which ``signature`` says what an example is."""

    tensors: "dict[str, Tensor]"
    config: dict[str, Any]

    @property
    def signature(self) -> dict[str, Any]:
        found: dict[str, Any] = self.config["signature"]
        return found

    def part(self, prefix: str) -> "dict[str, Tensor]":
        """The tensors whose names begin with ``prefix``, without it."""
        return {k.removeprefix(prefix): t for k, t in self.tensors.items() if k.startswith(prefix)}


@dataclass(frozen=True)
class Scored:
    """One row an example in the order of the file, and files beside it by name."""

    answers: pd.DataFrame
    files: dict[str, bytes] = field(default_factory=dict)


def p_values(energy: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """(1 + #{unseen ≥ E}) / (1 + n): small where few of the examples held out in training are as strange.

    ``energy`` ``(m,)`` of new examples, ``unseen`` ``(n,)`` of examples like those learned from that were
    not. Reference: Bates et al. (2023), Testing for outliers with conformal p-values, Annals of Statistics.
    """
    below = np.searchsorted(np.sort(unseen), energy, "left")
    found: np.ndarray = (1 + len(unseen) - below) / (1 + len(unseen))
    return found
