"""Last rows of a user's table that belong to a month, quarter, year or week which was not over."""

import numpy as np
import pandas as pd

from tasks.runtime.frequencies import frequency, stamp

FEWEST = 10
"""Fewest earlier rows that tell on which days of their period rows are."""

EARLY = 5
"""Days by which the last business day of a month may lie before its end."""

REGULAR = 0.9
"""Least share of earlier rows within a few days of the usual one."""


def without_unfinished(table: pd.DataFrame, freq: str, notes: list[str]) -> pd.DataFrame:
    """Leave out the last rows of series that are dated as no earlier row is, such as in mid-month.

    Other rows are dated by the first or last days of their months, for example. Such a row has the latest
    value of a period that is not over, and so has the row before it if both are of one period and equal.
    """
    if not (frequency(freq).calendar or freq == "W"):
        return table
    unfinished: list[int] = []
    for _, group in table.dropna(subset=["close"]).groupby("series", sort=False):
        ordered = group.sort_values("time")
        count = _unfinished(ordered["time"].dt.normalize(), ordered["close"].to_numpy(), freq)
        unfinished.extend(ordered.index[len(ordered) - count :])
    if not unfinished:
        return table
    rows = table.loc[unfinished]
    period = frequency(freq).period
    where = ", ".join(
        f"row {row} ({stamp(time)})"
        for row, time in zip(rows["row"].head(3), rows["time"].head(3), strict=True)
    )
    what = (
        f"the last row is of an unfinished {period}" if len(rows) == 1 else f"rows of an unfinished {period}"
    )
    notes.append(f"{what}, left out: {where}{' ...' if len(rows) > 3 else ''}")
    return table.drop(index=unfinished)


def _unfinished(day: pd.Series, value: np.ndarray, freq: str) -> int:
    """Return the number of last rows of one series that are of an unfinished period."""
    period, distance = _places(day, freq)
    of_last = period == period[-1]
    earlier = distance[~of_last]
    if len(earlier) < FEWEST:
        return 0
    usual = np.median(earlier)
    around = np.abs(earlier - usual)
    most = around.max() if freq == "W" else max(around.max(), EARLY if around.any() else 1)
    odd = of_last & (np.abs(distance - usual) > most)
    if (around > EARLY).mean() > 1 - REGULAR or not odd[-1]:
        return 0
    before = int((of_last & ~odd).sum())
    repeated = before == 1 and value[-odd.sum() - 1] == value[-1]
    return int(odd.sum()) + int(repeated)


def _places(day: pd.Series, freq: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the period of each date, and its days after the first or last day of it."""
    if freq == "W":
        weekday = day.dt.dayofweek.to_numpy()
        usual = int(np.bincount(weekday).argmax())
        after = (weekday - usual) % 7
        after = after if usual in (0, 6) else -((usual - weekday) % 7)
        number = day.to_numpy().astype("datetime64[D]").astype(int)
        return (number - after) // 7, after
    step, month = frequency(freq).months, day.to_numpy().astype("datetime64[M]").astype(int)
    phase = int(np.bincount(month % step if step > 1 else month * 0).argmax())
    starts = freq.endswith("S")
    period = (month - phase) // step if starts else -((phase - month) // step)
    first = (period * step + phase + (not starts)).astype("datetime64[M]").astype("datetime64[D]")
    after = (day.to_numpy().astype("datetime64[D]") - first).astype(int)
    return period, after
