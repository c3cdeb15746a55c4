"""Prior tilt, learned on several markets and shipped with Basin, which is added to the tilt of a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tasks.runtime.folds import Fold

if TYPE_CHECKING:
    from tasks.tilts.model import TiltedModel

GLOBAL_TILT = Path(__file__).parent / "global_tilt"
"""Folder of yearly tilts of seven markets together, made by ``benchmarks/forecasting/global_tilt.py``."""


def prior_tilts(fits: Path, plan: list[Fold]) -> "tuple[list[TiltedModel | None], list[float]]":
    """Return the prior tilt of each fold, or None, and its gain.

    The prior tilt of a fold is the latest of ``fits`` that was trained only on dates before the fold. Its
    weight was chosen by its out-of-sample gains on the series it was trained on. The gain is its mean yearly
    gain on these series, in nats, and 0 without a prior tilt.
    """
    from tasks.tilts.fits import load_fold, read_folds

    folds = read_folds(fits)
    tilts: list[TiltedModel | None] = []
    gains = []
    for fold in plan:
        known = [entry for entry in folds if pd.Timestamp(entry["origins_from"]) <= fold.start]
        if known and any(known[-1]["tilt"]["weights"].values()):
            tilts.append(load_fold(fits, known[-1]["fold"]))
            gains.append([step["gain"] for step in known[-1]["path"] if step["kept"]][-1])
        else:
            tilts.append(None)
            gains.append(0.0)
    return tilts, gains
