"""Dates as text or numbers: one form for each column, which is said where it is not ISO 8601."""

import pandas as pd

from tasks.sources.dates import forms
from tasks.sources.dates.months import SEASONS, month_of
from tasks.sources.dates.numbers import of_numbers
from tasks.sources.dates.order import UnknownOrder
from tasks.sources.dates.times import Dates, require_years
from tasks.sources.dates.zones import DAY, if_utc, of_zone

__all__ = [
    "MOST_UNREAD", "SEASONS", "Dates", "UnknownOrder", "as_dates", "date_like", "month_of",
    "written_as_dates",
]  # fmt: skip

MOST_UNREAD = 0.5
"""Share of cells that a form of dates may leave unread. Those cells are bad rows."""

_ISO = r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?"
"""Form that pandas reads, which is the usual one and the fastest to read."""

_NUMBER = r"[-+]?\d+(\.\d*)?"
_DECIMAL_YEAR = r"\d{4}\.\d*"


def date_like(cell: str) -> bool:
    """Return whether a cell looks like a date in one of the forms that are read."""
    return forms.fits_a_form(cell.strip())


def written_as_dates(column: pd.Series) -> bool:
    """Return whether most cells of a column are times, or texts in one form of dates other than numbers."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        return False
    cells = forms.sample(column).astype("string").str.strip()
    if cells.empty or cells.str.fullmatch(_NUMBER).mean() > 1 - MOST_UNREAD:
        return False
    return forms.are_ranges(cells) or forms.form_of(forms.plain(cells))[1] >= 1 - MOST_UNREAD


def as_dates(column: pd.Series, label: str) -> Dates:
    """Convert a column to times.

    Dates with a time zone are local if there is one local time of day, or if the offsets or the times of day
    show a zone, and UTC otherwise. Raises ``BasinError`` if the order of day and month or the century cannot
    be told, or if the dates lie outside of 1678 to 2261.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return _of_times(column, label)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        found = of_numbers(column.astype(float), label)
        if found.time.isna().all() and column.dropna().between(10_101, 991_231).all():
            text = column.astype("Int64").astype("string").str.zfill(6) if _whole(column) else None
            return found if text is None else _of_text(text, label)
        return found
    text = column.astype("string").str.strip()
    text = text.mask(text == "")
    known = text.dropna()
    if known.empty:
        return Dates(pd.Series(pd.NaT, index=column.index))
    if forms.sample(known).str.fullmatch(_NUMBER).mean() > 1 - MOST_UNREAD:
        found = of_numbers(pd.to_numeric(text, errors="coerce").astype(float), label)
        if found.time.notna().any() or known.str.fullmatch(_DECIMAL_YEAR).mean() > 1 - MOST_UNREAD:
            return found  # as text, 1950.5 would be May
    return _of_text(text, label)


def _whole(column: pd.Series) -> bool:
    known = column.dropna().astype(float)
    return bool(len(known)) and bool((known == known.round()).all())


def _of_times(column: pd.Series, label: str) -> Dates:
    require_years(column.dt.year, label)
    local = column.dt.tz_localize(None).astype("datetime64[ns]")
    if column.dt.tz is None:
        return Dates(local, if_utc(local))
    return of_zone(local, column.dt.tz_convert("UTC").dt.tz_localize(None))


def _of_text(text: pd.Series, label: str) -> Dates:
    if forms.sample(text).str.fullmatch(_ISO).all() and text.dropna().str.fullmatch(_ISO).all():
        time = pd.to_datetime(text, errors="coerce", format="ISO8601")
        if time.notna().equals(text.notna()):
            return Dates(time.astype("datetime64[ns]"), if_utc(time))
    if forms.are_ranges(text):
        return _of_ranges(text, label)
    text = forms.plain(text)
    form, share = forms.form_of(text)
    if form is None or share < 1 - MOST_UNREAD:
        return Dates(pd.Series(pd.NaT, index=text.index))
    found = forms.read(text, form, label)
    return Dates(found.time.astype("datetime64[ns]"), found.note)


def _of_ranges(text: pd.Series, label: str) -> Dates:
    """Read ranges of dates as their first dates, and those of a week as its last day."""
    first, last = (_of_text(part, label) for part in (forms.starts(text), forms.ends(text)))
    length = (last.time - first.time).dropna()
    weeks = length.isin([6 * DAY, 7 * DAY]).mean() > 1 - MOST_UNREAD
    time = first.time + 6 * DAY if weeks else first.time
    how = "the last days of their weeks" if weeks else "their starts"
    note = f"dates are ranges such as {text.dropna().iloc[0]}, dated by {how}"
    return Dates(time, "; ".join(filter(None, (note, first.note))))
