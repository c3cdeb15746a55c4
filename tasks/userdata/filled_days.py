"""Days on which a market is closed but whose rows repeat the value of the day before, such as weekends."""

import pandas as pd

from tasks.runtime.calendar import WEEKDAYS
from tasks.runtime.frequencies import frequency

NEARLY_ALL = 0.95
"""Least share of rows of a filled day of the week that repeat the value before."""

OTHERS = 0.3
"""Largest such share of the rows of the other days."""

FEWEST = 20
"""Fewest rows of a day of the week that can tell."""


def without_filled_days(
    table: pd.DataFrame, step: str | None, notes: list[str], warned: list[str]
) -> pd.DataFrame:
    """Warn of days of the week whose rows repeat the value before, and leave them out with ``--freq B``.

    ``step`` is the frequency that is given, of rows or of longer steps. The move into such a day is always
    0, so that forecasts of the next day are too narrow on some days and too wide on others.
    """
    known = table.dropna(subset=["time", "close"]).sort_values(["series", "time"])
    rows = known.groupby("series", sort=False)
    same = (rows["close"].diff() == 0) & (rows["time"].diff() == pd.Timedelta(days=1))
    by_day = same.groupby(known["time"].dt.dayofweek).agg(["mean", "size"])
    filled = [int(day) for day in by_day.index[(by_day["mean"] > NEARLY_ALL) & (by_day["size"] >= FEWEST)]]
    others = same[~known["time"].dt.dayofweek.isin(filled)]
    if not 1 <= len(filled) <= 3 or others.mean() > OTHERS:
        return table
    names = " and ".join(f"{WEEKDAYS[day]}s" for day in filled)
    if step == "B":
        repeats = table["time"].dt.dayofweek.isin(filled)
        notes.append(f"{repeats.sum():,} rows of {names} left out, which repeat the value of the day before")
        return table[~repeats]
    if step not in (None, "D"):
        return table
    warned.append(
        f"coverage: {names} have the value of the day before in nearly all weeks, as if filled; pass --freq "
        f"B to leave them out and forecast the next {frequency('B').period}"
    )
    return table
