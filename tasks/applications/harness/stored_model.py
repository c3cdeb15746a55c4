"""Stored model of an application, and its answers for new examples."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Stored:
    """Stored model: the tensors of a folder ``model/`` and the content of its ``config.json``.

    The entry ``signature`` of the configuration holds what is needed to score new examples, such as the names
    of their columns or the size of pictures.
    """

    tensors: "dict[str, Tensor]"
    config: dict[str, Any]

    @property
    def signature(self) -> dict[str, Any]:
        found: dict[str, Any] = self.config["signature"]
        return found

    def part(self, prefix: str) -> "dict[str, Tensor]":
        """Return the tensors whose names begin with ``prefix``, with the prefix removed from their names."""
        return {k.removeprefix(prefix): t for k, t in self.tensors.items() if k.startswith(prefix)}


@dataclass(frozen=True)
class Scored:
    """Answers, one row per example in the order of the file, and the content of further files by name."""

    answers: pd.DataFrame
    files: dict[str, bytes] = field(default_factory=dict)


def p_values(energy: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Return the conformal p-values (1 + #{unseen ≥ E}) / (1 + n) of new examples, ``(m,)``.

    ``energy`` ``(m,)`` has the energies E of the new examples and ``unseen`` ``(n,)`` those of training
    examples that were held out of the fit. A small p-value marks an unusual example.

    Reference: Bates et al. (2023), Testing for outliers with conformal p-values, Annals of Statistics.
    """
    below = np.searchsorted(np.sort(unseen), energy, "left")
    found: np.ndarray = (1 + len(unseen) - below) / (1 + len(unseen))
    return found
