"""Axes of charts: round ticks, ranges, and dates as decimal years."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tasks.reporting.labels import text

Mark = tuple[float, str]
"""Place of a tick on the axis, and its label."""

DATES = (
    ("h", 1 / 24, "%H:%M"),
    ("3h", 1 / 8, "%d %b %H:%M"),
    ("12h", 1 / 2, "%d %b %H:%M"),
    ("D", 1, "%d %b"),
    ("2D", 2, "%d %b"),
    ("W-MON", 7, "%d %b"),
    ("2W-MON", 14, "%d %b"),
    ("MS", 30.4, "%b %Y"),
    ("2MS", 61, "%b %Y"),
    ("3MS", 91, "%b %Y"),
    ("6MS", 183, "%b %Y"),
)
"""Steps between ticks that are shorter than a year: frequency, length in days, and form of the label."""

YEARS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Steps between ticks in years."""

DAYS = 366
"""Days of a year in decimal years, whose last days are left out in years that are no leap years."""


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about ``count`` round numbers in the interval [low, high]."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if raw <= m * power * (1 + 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float, all_ticks: Sequence[float]) -> str:
    digits = max((len(f"{t:.10f}".rstrip("0").split(".")[1]) for t in all_ticks), default=0)
    return text(value, digits)


def value_text(value: float, span: float) -> str:
    """Return a value with as many digits as tell apart about a thousand places on an axis of this length."""
    return text(value, min(max(3 - math.floor(math.log10(span)), 0), 9))


def spread(values: Sequence[float], margin: float = 0.06) -> tuple[float, float]:
    """Return the range of the finite ``values``, widened by a margin so that it is never empty."""
    finite = [v for v in values if math.isfinite(v)] or [0.0]
    low, high = min(finite), max(finite)
    pad = (high - low) * margin or max(abs(high), 1.0) * 0.05
    return low - pad, high + pad


def years(times: pd.Index) -> list[float]:
    """Return dates as decimal years."""
    stamps = pd.DatetimeIndex(times)
    of_day = (stamps - stamps.normalize()).total_seconds() / 86_400
    return (stamps.year + (stamps.dayofyear - 1 + of_day) / DAYS).tolist()


def date_of(year: float) -> pd.Timestamp:
    """Return the date of a decimal year, to the second."""
    whole = math.floor(year)
    start = pd.Timestamp(f"{whole:04d}-01-01").as_unit("s")
    return start + pd.Timedelta(seconds=round((year - whole) * DAYS * 86_400))


@dataclass(frozen=True)
class DateAxis:
    """Axis of decimal years from ``first`` to ``last``. It is called with a width and returns ticks."""

    first: float
    last: float

    def __call__(self, width: int) -> list[Mark]:
        """Return ticks at the starts of years, months, weeks, days or hours, as many as there is room for.

        Steps are finer than that if there would be a single tick.
        """
        room, days = max(3, (width - 66) // 76), (self.last - self.first) * DAYS
        count = sum(days / length > room for _, length, _ in DATES)
        if count == len(DATES) or days >= DAYS * max(3, room / 3):
            marks = _whole_years(self.first, self.last, room)
        else:
            marks = self._marks(*DATES[count])
        while len(marks) < 2 and count > 0:
            count -= 1
            marks = self._marks(*DATES[count])
        return marks

    def _marks(self, frequency: str, _: float, form: str) -> list[Mark]:
        begin = date_of(math.floor(self.first)) if "MS" in frequency else date_of(self.first).normalize()
        dates = pd.date_range(begin, date_of(self.last), freq=frequency)
        marks: list[Mark] = []
        for place, date in zip(years(dates), dates, strict=True):
            if self.first <= place <= self.last:
                new = form == "%d %b" and (not marks or math.floor(marks[-1][0]) < date.year)
                marks.append((place, f"{date:{form}}" + (f" {date.year}" if new else "")))
        return marks

    def text(self, year: float) -> str:
        """Return a date of the axis as text, with the time of day if it is not midnight."""
        day = date_of(year)
        return f"{day:%Y-%m-%d}" if day == day.normalize() else f"{day:%Y-%m-%d %H:%M}"


def _whole_years(first: float, last: float, room: int) -> list[Mark]:
    every = (range(-(-math.ceil(first) // step) * step, math.floor(last) + 1, step) for step in YEARS)
    return [(float(year), str(year)) for year in next(marks for marks in every if len(marks) <= room)]
