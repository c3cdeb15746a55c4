"""Tables with a row for each series and a column for each date, which become one row a date."""

import re

import pandas as pd

from tasks.reporting.labels import count_of, listed
from tasks.runtime.errors import BasinError
from tasks.sources.dates import as_dates, date_like, written_as_dates
from tasks.sources.dates.times import in_order
from tasks.userdata.files.columns import names_dates

FEWEST = 12
"""Fewest columns of dates. A history is longer, and other tables may have a few dates in their header."""

MOST = 2000
"""Most series, which are columns of the new table."""

_YEARS = r"(1[6-9]|20)\d\d((0[1-9]|1[0-2])([0-2]\d|3[01])?)?"
"""Numbers that are dates in a header: years, months and days."""


def dates_as_rows(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return a table whose header has most dates of a history as one row a date and one column a series.

    Columns that are no dates name the series. A table with dates in its rows is returned unchanged. Raises
    ``BasinError`` if two series have the same name.
    """
    bare = {c: re.sub(r"\s*\[[^\]]*\]$", "", str(c)).strip() for c in frame.columns}
    dated = [c for c, name in bare.items() if date_like(name) or re.fullmatch(_YEARS, name)]
    if len(dated) < max(FEWEST, len(frame.columns) / 2) or frame.empty:
        return frame
    try:
        time = as_dates(pd.Series([bare[c] for c in dated]), "").time
    except BasinError:
        return frame
    beside = [c for c in frame.columns if c not in dated]
    if time.isna().any() or time.duplicated().any() or not in_order(time) or _has_dates(frame[beside]):
        return frame
    known = frame[frame[dated].notna().any(axis=1)]
    if len(known) > MOST:
        raise BasinError(
            f"the header has dates, such as {dated[0]}, and {len(known):,} rows are series of their own, "
            f"expected at most {MOST:,}; keep the rows of the series to be forecast"
        )
    names = _names(known[beside])
    twice = names[names.duplicated()]
    if len(twice):
        first, second = (known.index[names == twice.iloc[0]] + 1)[:2]
        raise BasinError(
            f"the header has dates, such as {dated[0]}, so that each row is a series, and rows {first} and "
            f"{second} have the same name ({twice.iloc[0][:60]!r}); give each row a name of its own"
        )
    if len(known) < len(frame):
        notes.append(f"{count_of(len(frame) - len(known), 'row')} without a value left out")
    notes.append(f"the header has dates: each row is a series, as {listed(list(names[:3]))}")
    values = known[dated].T.reset_index(drop=True).set_axis(pd.Index(names), axis=1)
    values.insert(0, "time", pd.Series([bare[c] for c in dated], dtype=object))
    return values


def _has_dates(frame: pd.DataFrame) -> bool:
    """Return whether a column has the dates of the rows."""
    return any(
        written_as_dates(frame[c]) or (names_dates(str(c)) and as_dates(frame[c], "").time.notna().any())
        for c in frame.columns
    )


def _names(frame: pd.DataFrame) -> pd.Series:
    """Return a name for each row: the cells of the first columns that tell the rows apart, joined."""
    used: list[str] = []
    told = 0
    for column in frame.columns:
        count = len(frame[[*used, column]].drop_duplicates())
        if count > told:
            used.append(column)
            told = count
    varying = [column for column in used if frame[column].nunique(dropna=False) > 1] or used
    if not varying:
        return pd.Series(["value"] * len(frame), index=frame.index)
    return frame[varying].apply(lambda row: " ".join(str(c) for c in row if not pd.isna(c)), axis=1)
