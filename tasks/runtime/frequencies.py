"""Frequencies of series: their names, lengths and rows in a year, in one place."""

import re
from dataclasses import dataclass
from shlex import quote

import pandas as pd
from pandas.tseries.offsets import BaseOffset

from tasks.runtime.errors import BasinError, nearest

NAMES = "B (trading day), D, W, MS, ME or BME (month), QS or QE, YS or YE, h, 2h, 5min and the like"
"""Frequencies as named in messages."""


WORDS = {
    "hourly": "h", "daily": "D", "weekly": "W", "monthly": "MS", "m": "MS", "quarterly": "QS", "q": "QS",
    "yearly": "YS", "annual": "YS", "y": "YS", "a": "YS",
}  # fmt: skip
"""Frequencies by other names that people give them."""


@dataclass(frozen=True)
class Frequency:
    """Time step of a series."""

    name: str
    period: str
    """One step in words."""
    days: float
    """Days from row to row."""
    yearly: float
    """Rows in a year. Of intraday rows, those of a market that is always open."""
    refit: int
    """Rows between refits of the classical models."""
    gap: float
    """Most days between neighbouring rows before they count as a gap. Markets may close for some weeks."""

    @property
    def calendar(self) -> bool:
        """Whether the step is a month, quarter or year, of which every one is expected to have a row."""
        return self.days > 20

    @property
    def intraday(self) -> bool:
        return self.days < 1

    @property
    def months(self) -> int:
        """Months from row to row, or 0 if the step is shorter than a month."""
        return round(self.days / 30.44) if self.calendar else 0

    @property
    def offset(self) -> BaseOffset:
        """Step as a pandas offset. Quarters and years may begin in any month.

        Days and trading days are steps of a calendar (see :mod:`tasks.runtime.calendar`).
        """
        if self.name == "W":
            return pd.DateOffset(days=7)
        if self.name == "BME":
            return pd.offsets.BMonthEnd()
        if self.calendar:
            return (
                pd.DateOffset(months=self.months)
                if self.name.endswith("S")
                else pd.offsets.MonthEnd(self.months)
            )
        offset: BaseOffset = pd.tseries.frequencies.to_offset(self.name)
        return offset


REGULAR = 0.75
"""Share of steps of one number of days from which they are steps of days, such as 28, and not of months."""

FEW_STEPS = 6
"""Fewest steps that can tell steps of days from months."""

_KNOWN = {
    f.name: f
    for f in (
        Frequency("B", "trading day", 1.0, 252, 63, 20),
        Frequency("D", "day", 1.0, 365, 63, 3),
        Frequency("W", "week", 7.0, 52, 13, 21),
        Frequency("MS", "month", 30.44, 12, 12, 31.5),
        Frequency("ME", "month", 30.44, 12, 12, 31.5),
        Frequency("BME", "month", 30.44, 12, 12, 35.5),
        Frequency("QS", "quarter", 91.3, 4, 4, 92.5),
        Frequency("QE", "quarter", 91.3, 4, 4, 92.5),
        Frequency("YS", "year", 365.25, 1, 1, 366.5),
        Frequency("YE", "year", 365.25, 1, 1, 366.5),
    )
}


def frequency(name: str, option: str = "--freq") -> Frequency:
    """Return a frequency by its name, such as ``B``, ``MS``, ``h`` or ``5min``.

    Raises ``BasinError``, which names the ``option`` that gave the name, if there is none of that name.
    """
    if name in _KNOWN:
        return _KNOWN[name]
    match = re.fullmatch(r"(\d*)(min|h)", name)
    count = int(match[1] or 1) if match else 0
    if match is None or count < 1 or count * (60 if match[2] == "h" else 1) >= 24 * 60:
        raise BasinError(f"{option} {quote(name)}: expected one of {NAMES}{_meant(name)}")
    minutes = count * (60 if match[2] == "h" else 1)
    unit = "hour" if match[2] == "h" else "minute"
    days = minutes / 1440
    words = unit if count == 1 else f"{count}-{unit} step"
    return Frequency(name, words, days, 365 / days, max(20, round(7 / days)), 4)


def _meant(name: str) -> str:
    known = WORDS.get(name.lower())
    return f"; did you mean {known}?" if known else nearest(name, _KNOWN)


def name_of(time: pd.Series, usual: float, steps: pd.Series) -> str | None:
    """Return the name of the frequency of rows at ``time``, usually ``usual`` days apart, or None.

    ``steps`` are the days between neighbouring rows.
    """
    if usual < 0.9:
        minutes = round(usual * 1440)
        if minutes < 1 or ((steps * 1440 - minutes).abs() < max(0.6, minutes / 4)).mean() < 0.5:
            return None
        if minutes % 60 == 0:
            return "h" if minutes == 60 else f"{minutes // 60}h"
        return f"{minutes}min"
    if usual < 1.6:
        weekdays = time.dt.dayofweek.value_counts()
        return "D" if len(weekdays) == 7 and (weekdays > 0.02 * len(time)).all() else "B"
    if abs(usual - 7) < 0.6:
        return "W" if ((steps - 7).abs() < 1.6).mean() > 0.5 else None
    days = steps.round()
    if usual < 340 and len(days) >= FEW_STEPS and days.value_counts(normalize=True).iloc[0] > REGULAR:
        return None
    month_end = bool((time.dt.is_month_end).mean() > 0.9)
    for least, most, start, end in ((25, 36, "MS", "ME"), (80, 100, "QS", "QE"), (350, 380, "YS", "YE")):
        if least < usual < most:
            if month_end:
                return end
            business = time.dt.normalize() == (time + pd.offsets.BMonthEnd(0)).dt.normalize()
            if business.mean() > 0.9:
                return "BME" if start == "MS" else end
            return start
    return None


def stamp(time: pd.Timestamp, step: str = "D") -> str:
    """Return a time as text: the date alone at midnight, otherwise with hour and minute.

    Times of rows whose frequency ``step`` is within a day always have hour and minute.
    """
    alone = time == time.normalize() and not frequency(step).intraday
    return f"{time:%Y-%m-%d}" if alone else f"{time:%Y-%m-%d %H:%M}"
