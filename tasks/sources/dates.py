"""Dates as text or numbers: one form for each column, which is said where it is not ISO 8601."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.readers import OFFSET

MOST_UNREAD = 0.5
"""Share of cells that a form of dates may leave unread. Those cells are bad rows."""

EPOCHS = {"s": (1e8, 1e10), "ms": (1e11, 1e13), "us": (1e14, 1e16), "ns": (1e17, 1e19)}
"""Range of numbers that count seconds, milliseconds, microseconds or nanoseconds since 1970."""

EXCEL = pd.Timestamp("1899-12-30")

SEASONS = ("DJF", "JFM", "FMA", "MAM", "AMJ", "MJJ", "JJA", "JAS", "ASO", "SON", "OND", "NDJ")
"""Three-month means, named by their months. They belong to their middle month, the first to January."""

_PARTS = r"^(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4}|\d{2})(?:[ T,]+(\d{1,2}:\d{2}.*))?$"
_YEAR_FIRST = r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})(.*)$"
_ISO = re.compile(r"\d{4}-\d{1,2}(-\d{1,2})?([ T].*)?")
_NAMED = re.compile(r"(\d{1,2}[ \-]?)?[A-Za-zÀ-ÿ]{3,9}\.?[ \-,]+.*\d{2,4}.*")
_QUARTER = r"^(?:(\d{4})[ \-]?Q([1-4])|Q([1-4])[ \-/]?(\d{4}))$"


def date_like(cell: str) -> bool:
    """Return whether a cell looks like a date in one of the forms that are read."""
    cell = cell.strip()
    if (
        _ISO.fullmatch(cell)
        or re.match(_PARTS, cell)
        or re.match(_YEAR_FIRST, cell)
        or re.match(_QUARTER, cell)
    ):
        return True
    return bool(_NAMED.fullmatch(cell)) and pd.notna(pd.to_datetime(cell, errors="coerce", format="mixed"))


@dataclass(frozen=True)
class Dates:
    """A column as times without time zone, with NaT for cells that are no dates."""

    time: pd.Series
    note: str | None = None


def as_dates(column: pd.Series, label: str) -> Dates:
    """Convert a column to times.

    Dates with a time zone are local dates if there is one time of day, and UTC otherwise. Raises
    ``BasinError`` if the order of day and month cannot be told, or if the dates lie outside of 1678 to 2261.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return _zoned(column)
    if pd.api.types.is_numeric_dtype(column):
        return _of_numbers(column.astype(float), label)
    text = column.astype("string").str.strip()
    known = text.dropna()
    if known.str.fullmatch(r"\d+(\.\d*)?").mean() > 1 - MOST_UNREAD:
        return _of_numbers(pd.to_numeric(text, errors="coerce").astype(float), label)
    readings = (_iso, _year_first, _day_or_month_first, _quarters, _named)
    for read in readings:
        found = read(text, label)
        if found is not None and found.time.notna().sum() > (1 - MOST_UNREAD) * max(len(known), 1):
            return found
    return Dates(pd.Series(pd.NaT, index=column.index))


def _zoned(column: pd.Series) -> Dates:
    if getattr(column.dt, "tz", None) is None:
        return Dates(column.astype("datetime64[ns]"))
    local = column.dt.tz_localize(None)
    return _local_or_utc(local, column.dt.tz_convert("UTC").dt.tz_localize(None))


def _local_or_utc(local: pd.Series, moments: pd.Series) -> Dates:
    """With one row a day the date is the local one; in UTC it may be the day before or after."""
    if local.dropna().dt.time.nunique() <= 1:
        return Dates(
            local.dt.normalize().astype("datetime64[ns]"), "dates have a time zone: the local dates are used"
        )
    return Dates(moments.astype("datetime64[ns]"), "dates have a time zone: they are converted to UTC")


def _iso(text: pd.Series, label: str) -> Dates | None:
    if not text.dropna().str.match(r"\d{4}-\d{1,2}").mean() > 1 - MOST_UNREAD:
        return None
    padded = text.str.replace(r"^(\d{4})-(\d)(?!\d)", r"\1-0\2", regex=True)
    padded = padded.str.replace(r"^(\d{4}-\d{2})-(\d)(?!\d)", r"\1-0\2", regex=True)
    moments = _to_times(padded, label, format="ISO8601", utc=True)
    plain = padded.str.replace(OFFSET, r"\1", regex=True)
    if plain.equals(padded):
        return Dates(moments.dt.tz_localize(None).astype("datetime64[ns]"))
    local = pd.to_datetime(plain, errors="coerce", format="ISO8601")
    return _local_or_utc(local, moments.dt.tz_localize(None))


def _to_times(text: pd.Series, label: str, **how: object) -> pd.Series:
    times = pd.to_datetime(text, errors="coerce", **how)  # type: ignore[call-overload]
    years = pd.to_numeric(text[times.isna()].str.extract(r"^(\d{4})-\d{2}")[0], errors="coerce")
    outside = years[(years < 1678) | (years > 2261)]
    if len(outside):
        raise BasinError(
            f"{label}: row {list(text.index).index(outside.index[0]) + 1}: year {outside.iloc[0]:.0f}, "
            "expected "
            "1678 to 2261, the years that can be read; remove such rows, or shift all dates into this range"
        )
    found: pd.Series = times
    return found


def _year_first(text: pd.Series, label: str) -> Dates | None:
    parts = text.str.extract(_YEAR_FIRST)
    if parts[0].notna().mean() <= 1 - MOST_UNREAD:
        return None
    written = parts[0] + "-" + parts[1].str.zfill(2) + "-" + parts[2].str.zfill(2) + parts[3].fillna("")
    return Dates(_to_times(written, label, format="ISO8601"))


def _day_or_month_first(text: pd.Series, label: str) -> Dates | None:
    """Read dates such as 31/12/2018 14:30 and 12/31/18, with the order that fits all rows of the file."""
    parts = text.str.extract(_PARTS)
    known = parts[0].notna()
    if known.sum() <= (1 - MOST_UNREAD) * max(int(text.notna().sum()), 1):
        return None
    first, second = (pd.to_numeric(parts[k]) for k in (0, 1))
    example = str(text[known].iloc[0])
    if (first > 12).any() and (second > 12).any():
        row = int(np.flatnonzero(second > 12)[0]) + 1
        raise BasinError(
            f"{label}: some dates begin with the day, and others, such as {text.iloc[row - 1]!r} in row "
            f"{row}, with the month; write YYYY-MM-DD"
        )
    if not (first > 12).any() and not (second > 12).any():
        raise BasinError(
            f"{label}: dates such as {example!r} may begin with the day or the month, and no row of the file "
            "tells which; write YYYY-MM-DD"
        )
    day_first = bool((first > 12).any())
    day, month = (parts[0], parts[1]) if day_first else (parts[1], parts[0])
    short = parts[2].str.len() == 2
    century = np.where(pd.to_numeric(parts[2], errors="coerce").fillna(0) < 69, "20", "19")
    year = parts[2].where(~short, pd.Series(century, index=text.index) + parts[2])
    written = year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    clock = parts[3].fillna("").str.strip()
    times = pd.to_datetime((written + " " + clock).str.strip(), errors="coerce", format="mixed")
    return Dates(
        times.astype("datetime64[ns]"),
        f"dates such as {example} begin with the {'day' if day_first else 'month'}",
    )


def _quarters(text: pd.Series, label: str) -> Dates | None:
    parts = text.str.upper().str.extract(_QUARTER)
    year, quarter = parts[0].fillna(parts[3]), parts[1].fillna(parts[2])
    if year.notna().mean() <= 1 - MOST_UNREAD:
        return None
    month = (3 * pd.to_numeric(quarter) - 2).astype("Int64").astype("string").str.zfill(2)
    return Dates(pd.to_datetime(year + "-" + month + "-01", errors="coerce"), "dates are quarters")


def _named(text: pd.Series, label: str) -> Dates | None:
    """Read dates with the name of the month, such as Jan 02, 2019, and years of months such as 1950M01."""
    months = text.str.extract(r"^(\d{4})\s*[Mm](\d{1,2})$")
    if months[0].notna().mean() > 1 - MOST_UNREAD:
        return Dates(pd.to_datetime(months[0] + "-" + months[1].str.zfill(2) + "-01", errors="coerce"))
    named = text.where(text.str.contains(r"[A-Za-z]{3}", regex=True).fillna(False))
    named = named.str.replace(r"^[A-Za-z]{3,9},?\s+(?=\d|[A-Za-z]{3,9}\s+\d{1,2},)", "", regex=True).where(
        named.str.match(r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)").fillna(False), named
    )
    times = pd.to_datetime(named, errors="coerce", format="mixed", utc=True)
    return Dates(times.dt.tz_localize(None).astype("datetime64[ns]"))


def _of_numbers(value: pd.Series, label: str) -> Dates:
    """Read 20190102, 201901, 1950.0417, seconds or more since 1970, or the serial days of Excel."""
    known = value.dropna()
    whole = bool((known == known.round()).all())
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    empty = Dates(pd.Series(pd.NaT, index=value.index))
    for unit, (least, most) in EPOCHS.items():
        if least <= low and high < most and not (unit == "s" and _is_calendar(known)):
            seconds = value * {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}[unit]
            words = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}[unit]
            return Dates(pd.to_datetime(seconds.round(), unit="ns"), f"dates are {words} since 1970 (UTC)")
    if whole and _is_calendar(known):
        digits = len(f"{low:.0f}")
        text = value.astype("Int64").astype("string")
        if digits == 8:
            return Dates(pd.to_datetime(text, errors="coerce", format="%Y%m%d"))
        if digits == 6:
            return Dates(pd.to_datetime(text, errors="coerce", format="%Y%m"), "dates are written as YYYYMM")
        return Dates(_to_times(text + "-01-01", label, format="ISO8601"), "dates are years")
    if whole and low > 15_000 and high < 80_000:
        return Dates(EXCEL + pd.to_timedelta(value, unit="D"), "dates are serial days of Excel")
    if not whole and low > 1600 and high < 2300:
        year = np.floor(value)
        place = (value - year) * 12
        middle = bool(((place % 1) - 0.5).abs().median() < 0.25)  # else the year changes at 1 January
        count = 12 * year + (np.floor(place) if middle else np.round(place))
        year, month = count // 12, count % 12 + 1
        if count.diff().abs().median() == 1:
            text = (
                year.astype("Int64").astype("string")
                + "-"
                + month.astype("Int64").astype("string").str.zfill(2)
            )
            return Dates(
                _to_times(text + "-01", label, format="ISO8601"), "dates are decimal years, read as months"
            )
    return empty


def _is_calendar(value: pd.Series) -> bool:
    """Return whether all numbers are years, months as YYYYMM or days as YYYYMMDD."""
    digits = {len(f"{v:.0f}") for v in (value.min(), value.max())} if len(value) else set()
    if digits not in ({4}, {6}, {8}):
        return False
    size = 10 ** (next(iter(digits)) - 4)
    if not (value // size).between(1000, 2262).all():
        return False
    if size == 1:
        return True
    rest = value % size
    return bool((rest // (size // 100)).between(1, 12).all()) and (
        size == 100 or bool((rest % 100).between(1, 31).all())
    )
