"""A tilt learned on many markets, shipped with Basin, that joins the tilt of a user's file."""

from pathlib import Path

import pandas as pd

from tasks.tilts.fits import load_fold, read_folds
from tasks.tilts.model import TiltedModel
from tasks.tilts.walk_forward import Fold

GLOBAL_TILT = Path(__file__).parent / "global_tilt"
"""Yearly tilts learned on seven markets together (``benchmarks/forecasting/global_tilt.py``)."""


def prior_tilts(fits: Path, plan: list[Fold]) -> tuple[list[TiltedModel | None], list[float]]:
    """For each fold of a file the tilt that other series had taught by its start, or None, and its gain.

    A fold gets the latest of ``fits`` that was trained on earlier dates only, with the weight that it had
    earned out of sample on the series it was trained on, and the mean yearly gain that it had there, in
    nats.
    """
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
