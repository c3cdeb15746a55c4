"""Dates as a result, and their building from years, months and days."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError

FIRST, LAST = 1678, 2261
"""Years that times in nanoseconds can hold in full."""


@dataclass(frozen=True)
class Dates:
    """A column as times without time zone, with NaT for cells that are no dates."""

    time: pd.Series
    note: str | None = None
    counted: bool = False
    """Whether the column has numbers that count seconds or days, as any other numbers could."""


def to_times(
    year: pd.Series, month: pd.Series | float = 1.0, day: pd.Series | float = 1.0, *, label: str
) -> pd.Series:
    """Return dates from numbers, with NaT where there is no such day.

    Raises ``BasinError`` if a year lies outside of 1678 to 2261.
    """
    require_years(year, label)
    parts = pd.DataFrame({"year": year, "month": month, "day": day}).astype(float)
    times: pd.Series = pd.to_datetime(parts, errors="coerce").astype("datetime64[ns]")
    return times


def days_of_years(year: pd.Series, day: pd.Series, label: str) -> pd.Series:
    """Return the dates of days of the year from 1, with NaT where the year does not have so many."""
    time = to_times(year, label=label) + pd.to_timedelta(day.where(day.between(1, 366)) - 1, unit="D")
    return time.where(time.dt.year == year)


def require_years(year: pd.Series, label: str) -> None:
    """Raise ``BasinError`` if a year lies outside of 1678 to 2261."""
    outside = np.flatnonzero((year < FIRST) | (year > LAST))
    if len(outside):
        raise BasinError(
            f"{label}: row {outside[0] + 1}: year {year.iloc[outside[0]]:.0f}, expected {FIRST} to {LAST}, "
            "the years that can be read; remove such rows, or shift all dates into this range"
        )


def distinct(time: pd.Series) -> pd.Series:
    """Return the different times in the order of their first row."""
    return time.dropna().drop_duplicates()


def in_order(time: pd.Series) -> bool:
    """Return whether the different times go up or down all the way."""
    times = distinct(time)
    return bool(times.is_monotonic_increasing or times.is_monotonic_decreasing)


def regular(time: pd.Series) -> bool:
    """Return whether no step between days is more than four times the usual one.

    Several rows a day are regular if no week is without a row.
    """
    days = time.dropna().dt.normalize().drop_duplicates().sort_values()
    if len(days) < 2:
        return True
    steps = days.diff().dt.days.dropna()
    return bool(steps.max() <= (7 if several_a_day(time) else 4 * steps.median()))


def several_a_day(time: pd.Series) -> bool:
    """Return whether days usually have more than one time."""
    times = distinct(time)
    return len(times) > 1.5 * times.dt.normalize().nunique()
