"""Dates as numbers: calendar dates, counts since 1970, serial days of Excel and years with decimals."""

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates.times import FIRST, LAST, Dates, days_of_years, in_order, require_years, to_times
from tasks.sources.dates.zones import if_zone_unknown, local_times

EPOCHS = {
    "seconds": (1e8, 1e10, 1e9),
    "milliseconds": (1e11, 1e13, 1e6),
    "microseconds": (1e14, 1e16, 1e3),
    "nanoseconds": (1e17, 1e19, 1.0),
}
"""Range of numbers that count units of time since 1970, and the nanoseconds of a unit."""

DAY_NUMBERS = (
    ("serial days of Excel", -25_569, 15_000, 80_000),
    ("days since 1960-01-01, as in SAS and Stata", -3_653, 3_000, 40_000),
    ("days since 1970-01-01, as in R", 0, 3_000, 40_000),
    ("datenums of MATLAB", -719_529, 650_000, 800_000),
)
"""Counts of days: their name, day 0 in days from 1970-01-01, and the range of their numbers."""

FEW_DAYS = 20
"""Fewest dates whose days of the week or month tell the count of their numbers."""

REGULAR = 0.8
"""Least share of equal steps between numbers that are YYMM."""

MOST_ODD = 0.1
"""Share of numbers that may not be dates of the calendar, if the others are."""


def of_numbers(value: pd.Series, label: str) -> Dates:
    """Read 20190102, 201901, 1950.0417, seconds or more since 1970, or the serial days of Excel."""
    known = value.dropna()
    if known.empty:
        return Dates(pd.Series(pd.NaT, index=value.index))
    whole = bool((known == known.round()).all())
    if whole and _are_short_months(known):
        raise BasinError(
            f"{label}: numbers such as {known.iloc[0]:04.0f} seem to be YYMM, a year of two digits and a "
            "month, which is not read; write YYYY-MM"
        )
    low, high = float(known.min()), float(known.max())
    readings = [_calendar(value, known, label)] if whole else []
    readings.append(_epochs(value, known))
    readings.append(_day_numbers(value, low, high))
    if not whole and low > 1000 and high < 2300:
        readings.append(_decimal_years(value, label))
    return next((found for found in readings if found), Dates(pd.Series(pd.NaT, index=value.index)))


def _day_numbers(value: pd.Series, low: float, high: float) -> Dates | None:
    """Read counts of days from the epoch under which all are working days, or first or last days of months.

    If none is told so, they are the serial days of Excel, which the note calls an assumption.
    """
    possible = [
        (name, pd.Timestamp(0) + pd.to_timedelta(((value + start) * 86400).round(), unit="s"))
        for name, start, least, most in DAY_NUMBERS
        if low > least and high < most
    ]
    for name, time in possible:
        if in_order(time) and _is_told(time.dropna().dt.normalize().drop_duplicates()):
            return Dates(time, f"dates are {name}", True)
    if low > 15_000 and high < 80_000:
        name, time = possible[0]
        others = "; or ".join(other for other, _ in possible[1:])
        doubt = f", which is assumed: write YYYY-MM-DD if they are {others}" if others else ""
        return Dates(time, f"dates are {name}{doubt}", True)
    return None


def _is_told(days: pd.Series) -> bool:
    """Return whether dates are those of Monday to Friday, or all the first or last days of months."""
    if len(days) < FEW_DAYS:
        return False
    weekday = days.dt.dayofweek
    working = (weekday < 5).all() and weekday.nunique() == 5
    return bool(working or days.dt.is_month_start.all() or days.dt.is_month_end.all())


def _are_short_months(known: pd.Series) -> bool:
    """Return whether numbers are YYMM: as such they are months in regular steps, and no years.

    1901 to 1912 may be years, but not if 2001 follows. 1001 is none that can be read.
    """
    year, month = known // 100, known % 100
    if len(known) < 3 or not (known.between(1, 9912) & month.between(1, 12)).all():
        return False
    steps = (12 * (year - year.iloc[0]) + month).diff().dropna()
    steps = (steps + 600) % 1200 - 600  # 0001 follows 9912
    usual = steps.median()
    if usual == 0 or (steps == usual).mean() < REGULAR:
        return False
    outside = bool((known.between(1000, FIRST - 1) | (known > LAST)).all())
    return bool(year.nunique() > 1 and known.diff().dropna().nunique() > 1) or outside


def _calendar(value: pd.Series, known: pd.Series, label: str) -> Dates | None:
    """Read years, YYYYMM, YYYYDDD, and YYYYMMDD with hours, minutes and seconds behind it."""
    digits = int(known.abs().map(lambda v: len(f"{v:.0f}")).mode().max())
    if digits == 7:
        return _ordinals(value, known, label)
    if digits not in (4, 6, 8, 10, 12, 14):
        return None
    text = value.where(value >= 0).map("{:.0f}".format, na_action="ignore").astype("string")
    text = text.where(text.str.len() == digits)
    parts = [
        pd.to_numeric(text.str[at : at + size]).astype(float)
        for at, size in ((0, 4), (4, 2), (6, 2), (8, 2), (10, 2), (12, 2))
        if at < digits
    ]
    valid = parts[0].between(1000, 2262) | (parts[0] == 9999)
    for part, (least, most) in zip(parts[1:], ((1, 12), (1, 31), (0, 24), (0, 59), (0, 59)), strict=False):
        valid &= part.between(least, most)
    if valid.sum() < (1 - MOST_ODD) * len(known):
        return None
    parts = [part.where(valid) for part in parts]
    time = to_times(*parts[:3], label=label)
    for part, unit in zip(parts[3:], ("h", "min", "s"), strict=False):
        time = time + pd.to_timedelta(part, unit=unit)  # type: ignore[call-overload]
    return Dates(time, {4: "dates are years", 6: "dates are written as YYYYMM"}.get(digits))


def _ordinals(value: pd.Series, known: pd.Series, label: str) -> Dates | None:
    """Read a year and the number of its day, such as 2020366."""
    year, day = value // 1000, value % 1000
    valid = year.between(FIRST, LAST) & day.between(1, 366)
    if valid.sum() < (1 - MOST_ODD) * len(known):
        return None
    time = days_of_years(year.where(valid), day, label)
    return Dates(time, "dates are written as YYYYDDD, a year and the number of its day")


def _epochs(value: pd.Series, known: pd.Series) -> Dates | None:
    """Read counts since 1970. The largest number tells the unit, as others may be near 1970 or before."""
    size = known.abs()
    units = [unit for unit, (least, most, _) in EPOCHS.items() if ((size >= least) & (size < most)).any()]
    if not units:
        return None
    least, most, factor = EPOCHS[units[-1]]
    if size.max() >= most:
        return None
    if len(units) > 1 and size.min() >= EPOCHS[units[0]][0]:
        mixed = pd.Series(np.nan, index=value.index)
        for unit in units:
            lower, upper, scale = EPOCHS[unit]
            mixed = mixed.mask((value.abs() >= lower) & (value.abs() < upper), value * scale)
        time = pd.to_datetime(mixed.round(), unit="ns")
        if in_order(time):
            return Dates(time, f"dates are {' or '.join(units)} since 1970 (UTC)", True)
    if size.median() < least:
        return None
    time = pd.to_datetime((value * factor).round(), unit="ns")
    note = f"dates are {units[-1]} since 1970 (UTC)"
    local = local_times(time)
    if local is None:
        return Dates(time, f"{note}{if_zone_unknown(time)}", True)
    return Dates(local.time, f"{note}; {local.note}", True)


def _decimal_years(value: pd.Series, label: str) -> Dates | None:
    """Read years with decimals: months as 1871.01 to 1871.12, and parts of a year."""
    year = np.floor(value + 1e-6)
    part = value - year
    require_years(year, label)
    hundredths = part * 100
    month = hundredths.round()
    if (hundredths - month).abs().max() < 1e-3 and month.dropna().between(1, 12).all():
        if set(month.dropna()) == {10.0, 20.0, 30.0, 40.0}:
            return None
        if month.nunique() > 1:
            return Dates(
                to_times(year, month, label=label), "dates are written as YYYY.MM, and .1 is October"
            )
    tenths = part * 10
    if (tenths - tenths.round()).abs().max() < 1e-3 and set(tenths.dropna().round()) == {1.0, 2.0, 3.0, 4.0}:
        return Dates(to_times(year, 3 * tenths.round() - 2, label=label), "dates are quarters")
    place = part * 12
    middle = bool(((place % 1) - 0.5).abs().median() < 0.25)  # else the year changes at 1 January
    count = 12 * year + (np.floor(place) if middle else np.round(place))
    step = count.diff().abs().median()
    words = {
        1: "months",
        3: "quarters",
        12: "years" if ((part.dropna() - 0.5).abs() < 1e-3).all() else None,
    }.get(step)
    if words:
        return Dates(
            to_times(count // 12, count % 12 + 1, label=label), f"dates are decimal years, read as {words}"
        )
    return _decimal_days(year, part, label)


def _decimal_days(year: pd.Series, part: pd.Series, label: str) -> Dates | None:
    """Read parts of a year as days. The length of the year is the one that makes them whole or half."""
    start = to_times(year, label=label)
    own = (to_times((year + 1).clip(upper=2261), label=label) - start).dt.days.astype(float)
    found, least = None, np.inf
    for length in (own, own * 0 + 365.25, own * 0 + 365.0):
        for middle in (0.0, 0.5):
            place = part * length - middle
            error = float((place - place.round()).abs().mean())
            if error < least - 1e-6:
                found, least = place.round(), error
    if found is None or least > 0.2:
        return None
    time = start + pd.to_timedelta(found, unit="D")
    # With years of 365.25 days, 31 December of a leap year falls into the next year.
    early = part.groupby(time).transform("min") == part
    time = time.mask(time.duplicated(keep=False) & early, time - pd.Timedelta(days=1))
    steps = time.diff().abs()
    if time.duplicated().any() or steps.dt.days.median() > 31:
        return None
    return Dates(time, "dates are decimal years, read as days")
