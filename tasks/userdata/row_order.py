"""Order of the rows of a user's table: dates that break it by years, and rows sorted by date."""

from bisect import bisect_right

import numpy as np
import pandas as pd

YEAR = pd.Timedelta(days=365)
"""Distance from the dates beside it above which a date that breaks the order of the rows is an error."""

STEPS = 5
"""Least such distance in usual steps of the rows."""

FEW = 0.01
"""Share of rows out of order above which a table is not in order, so that no date breaks it."""

LEAST = 3
"""Number of rows out of order that any table may have, of tables with at least ten rows for each."""


def far_dates(table: pd.DataFrame) -> pd.Series:
    """Return which rows of a table in the order of its file have dates years away from those beside them.

    The other rows of the series must be in order, upwards or downwards. A first or last row whose date fits
    elsewhere in the series is out of place but may be right.
    """
    far = pd.Series(False, index=table.index)
    for _, time in table.dropna(subset=["time"]).groupby("series", sort=False)["time"]:
        if not (time.is_monotonic_increasing or time.is_monotonic_decreasing):
            far.loc[time.index[_far(time.astype("datetime64[ns]").astype("int64").to_numpy())]] = True
    return far


def _far(moments: np.ndarray) -> np.ndarray:
    """Return the places of moments that break the order of the others by years."""
    steps = np.diff(moments)
    if (steps < 0).sum() > (steps > 0).sum():
        moments = -moments
    most = min(max(LEAST, FEW * len(moments)), len(moments) / 10)
    if (np.diff(moments) < 0).sum() > most:
        return np.array([], dtype=int)
    kept = _longest_ordered(moments)
    others = np.setdiff1d(np.arange(len(moments)), kept)
    if len(others) > most:
        return np.array([], dtype=int)
    ordered = moments[kept]
    limit = max(YEAR.value, STEPS * float(np.median(np.abs(steps))))
    place = np.searchsorted(kept, others)
    value = moments[others]
    before = np.where(place > 0, value - ordered[np.maximum(place - 1, 0)], np.inf)
    after = np.where(place < len(kept), value - ordered[np.minimum(place, len(kept) - 1)], np.inf)
    far = np.minimum(np.abs(before), np.abs(after)) > limit
    outer = (place == 0) | (place == len(kept))
    moved = outer & (value > ordered[0] - limit) & (value < ordered[-1] + limit)
    found: np.ndarray = others[far & ~moved]
    return found


def _longest_ordered(moments: np.ndarray) -> np.ndarray:
    """Return the places of the longest sequence of moments that never decreases."""
    ends: list[int] = []
    places: list[int] = []
    before = np.full(len(moments), -1)
    for k, moment in enumerate(moments.tolist()):
        length = bisect_right(ends, moment)
        ends[length : length + 1] = [moment]
        places[length : length + 1] = [k]
        before[k] = places[length - 1] if length else -1
    k, kept = places[-1], []
    while k >= 0:
        kept.append(k)
        k = int(before[k])
    return np.array(kept[::-1])


def in_order(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return the rows sorted by series and date, with a note if they were not; far dates do not count."""
    ordered = table.sort_values(["series", "time"], kind="stable")
    dated = table[~table["far"]].dropna(subset=["time"])
    times = [t for _, t in dated.groupby("series", sort=False)["time"]]
    if any(t.is_monotonic_decreasing and not t.is_monotonic_increasing for t in times):
        notes.append("rows were in reverse order of time and are sorted")
    elif not all(t.is_monotonic_increasing for t in times):
        notes.append("rows were not in order of time and are sorted")
    return ordered
