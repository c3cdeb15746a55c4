"""Folds: each is a year of forecast origins, whose model is trained on targets known before that year."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.runtime.params import SplitParams


@dataclass(frozen=True)
class Fold:
    """Fold of the walk-forward evaluation.

    A model is trained on targets known before ``start`` and forecasts from origins in [start, stop).
    """

    name: str
    start: pd.Timestamp
    stop: pd.Timestamp


def yearly_folds(split: SplitParams) -> list[Fold]:
    """Return a fold for each year from ``walk_from`` to ``test_to``.

    The years begin on the month and day of ``walk_from``. Calendar years are named by their number, others by
    their first day.
    """
    first, last = pd.Timestamp(split.walk_from), pd.Timestamp(split.test_to)
    found: list[Fold] = []
    start = first
    while start <= last:
        stop = first + pd.DateOffset(years=len(found) + 1)
        name = f"{start:%Y}" if (start.month, start.day) == (1, 1) else f"{start:%Y-%m-%d}"
        found.append(Fold(name, start, stop))
        start = stop
    return found


def folds(split: SplitParams, last_origin: pd.Timestamp) -> list[Fold]:
    """Return the yearly folds, and ``final`` for all data."""
    after = last_origin.normalize() + pd.Timedelta(days=1)
    return [*yearly_folds(split), Fold("final", after, after)]


def in_fold(entry: dict[str, Any], origins: pd.Series) -> pd.Series:
    """Return which origins are forecast by a stored fold (see :mod:`tasks.tilts.fits`)."""
    first, stop = pd.Timestamp(entry["origins_from"]), pd.Timestamp(entry["origins_until"])
    inside: pd.Series = (origins >= first) & (origins < stop)
    return inside
