"""Calendars of the CF conventions: day numbers of dates, and dates of the standard calendar."""

import numpy as np

CALENDARS = {
    "standard": "standard",
    "gregorian": "standard",
    "proleptic_gregorian": "proleptic_gregorian",
    "julian": "julian",
    "noleap": "noleap",
    "365_day": "noleap",
    "all_leap": "all_leap",
    "366_day": "all_leap",
    "360_day": "360_day",
    "360": "360_day",
}
"""Names of calendars in files and here. The standard calendar is Julian before 1582-10-15."""

EPOCH = 2_440_588
"""Julian day number of 1970-01-01."""

GREGORIAN = 2_299_161
"""Julian day number of 1582-10-15, the first day of the Gregorian calendar."""

LENGTHS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def _lengths(calendar: str) -> np.ndarray:
    """Return the lengths of the twelve months of a calendar whose years are all alike."""
    if calendar == "360_day":
        return np.full(12, 30)
    return LENGTHS + (np.arange(12) == 1) * (calendar == "all_leap")


def day_number(calendar: str, year: int, month: int, day: int) -> int:
    """Return the number of a date in a calendar; it grows by one each day.

    It is the Julian day number for calendars with leap years. In the others year 0 begins with day 0.
    """
    if calendar in ("noleap", "all_leap", "360_day"):
        lengths = _lengths(calendar)
        return int(year * lengths.sum() + lengths[: month - 1].sum() + day - 1)
    gregorian = calendar == "proleptic_gregorian" or (
        calendar == "standard" and (year, month, day) >= (1582, 10, 15)
    )
    before = (14 - month) // 12
    years, months = year + 4800 - before, month + 12 * before - 3
    number = day + (153 * months + 2) // 5 + 365 * years + years // 4
    return number - years // 100 + years // 400 - 32045 if gregorian else number - 32083


def moments(calendar: str, origin: int, seconds: np.ndarray) -> np.ndarray:
    """Return the times ``seconds`` after the day ``origin`` of a calendar, as ``datetime64[s]``.

    Dates keep their month and day. A day that the month does not have becomes the last day of the month.
    NaN becomes NaT.
    """
    known = np.isfinite(seconds)
    rounded = np.rint(np.where(known, seconds, 0)).astype(np.int64)
    number, clock = origin + rounded // 86400, rounded % 86400
    year, month, day = _dates(calendar, number)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    dates = months.astype("datetime64[D]") + np.minimum(day, length) - 1
    return np.where(known, dates.astype("datetime64[s]") + clock, np.datetime64("NaT", "s"))


def _dates(calendar: str, number: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return year, month (1 to 12) and day of the month of day numbers."""
    if calendar in ("noleap", "all_leap", "360_day"):
        lengths = _lengths(calendar)
        year, rest = np.divmod(number, lengths.sum())
        ends = np.cumsum(lengths)
        month = np.searchsorted(ends, rest, side="right")
        return year, month + 1, rest - (ends - lengths)[month] + 1
    # Richards' algorithm, in Explanatory Supplement to the Astronomical Almanac, 3rd edition, 15.11.3.
    shift = number + 1401
    gregorian = number >= GREGORIAN if calendar == "standard" else np.full(number.shape, calendar != "julian")
    shift = shift + np.where(gregorian, (4 * number + 274277) // 146097 * 3 // 4 - 38, 0)
    quarter = 4 * shift + 3
    fifth = 5 * (quarter % 1461 // 4) + 2
    month = (fifth // 153 + 2) % 12 + 1
    return quarter // 1461 - 4716 + (14 - month) // 12, month, fifth % 153 // 5 + 1
