"""Resampling of a user's series to a longer step, such as daily values to months."""

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency

FULL = 0.6
"""Least share of the usual number of rows in a period. Other periods, such as the first, are left out."""


def resampled(
    table: pd.DataFrame, kind: str, freq: str, to: str, label: str, notes: list[str]
) -> pd.DataFrame:
    """Return one row for each period of the frequency ``to``.

    Levels and inputs are averaged, prices and rates have their last value, and returns are summed. Periods
    with few rows are left out. Raises ``BasinError`` if ``to`` is not longer than ``freq``.
    """
    if frequency(to).days <= frequency(freq).days:
        raise BasinError(
            f"{label}: --resample {to}: rows are already {frequency(freq).period}s; give a longer step"
        )
    of = {"level": "mean", "price": "last", "rate": "last", "return": "sum"}[kind]
    rule = {"B": "D", "W": "W-FRI"}.get(to, to)
    others = [c for c in table.columns if c not in ("time", "series", "close")]
    parts, lost = [], 0
    for name, group in table.groupby("series", sort=False):
        how = {"close": of, **{c: "last" if c in ("high", "low", "open") else "mean" for c in others}}
        bins = group.set_index("time").resample(rule)
        rows = bins.agg(how).assign(series=name)
        count = bins.size()
        full = count >= FULL * np.median(count[count > 0])
        lost += int((~full).sum())
        parts.append(rows[full].rename_axis("time").reset_index())
    notes.append(
        f"resampled to {frequency(to).period}s: the "
        + {"mean": "mean", "last": "last value", "sum": "sum"}[of]
        + f" of each{f'; {lost} with few rows left out' if lost else ''}"
    )
    found = pd.concat(parts, ignore_index=True)
    found.index = pd.RangeIndex(1, len(found) + 1)
    return found[[c for c in table.columns]]
