"""Tables with periods in their header, which become one row a period."""

import re
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting.labels import count_of, listed
from tasks.runtime.errors import BasinError
from tasks.sources.dates import SEASONS, month_of
from tasks.userdata.files.columns import mostly_numbers
from tasks.userdata.files.seasons import QUARTERLY, months_of_words, quarter_of, season_of

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_PAIRS = tuple([_MONTHS[k - 1][:n] + _MONTHS[k][:n] for k in range(12)] for n in (1, 3))
"""Means of two months such as DJ or DECJAN, which belong to the later one."""

Periods = dict[Any, int]
"""Month of each column of a period, in the order of time, where 13 is January of the next year."""


def periods_as_rows(frame: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    """Return a table of a year and its months, quarters or seasons a row as one row a period.

    Periods have their names or, for months, their numbers. The year is a column of this name, or else the
    first one. Other columns before the periods, and later ones that are no numbers, identify the rows and are
    repeated. Other tables are returned unchanged. Raises ``BasinError`` for months that begin with another
    one than January.
    """
    year = next((c for c in frame.columns if str(c).lower() in ("year", "yr", "jahr")), None)
    year = frame.columns[0] if year is None and len(frame.columns) else year
    found = _months(frame) or _of_several_months(frame)
    if found is None or frame.empty:
        return frame
    text = ~frame[year].astype(str).str.contains(r"\d")
    years = frame[~text]
    if years.empty or not pd.to_numeric(years[year], errors="coerce").between(1000, 2300).all():
        return frame
    what, periods = found
    _require_order(frame, periods, str(year))
    if text.any():
        left = frame[text]
        notes.append(f"{count_of(len(left), 'line')} beside the years left out: {_shown(left)}")
    first = min(map(list(frame.columns).index, periods))
    beside = [c for c in frame.columns[:first] if c != year]
    later = [c for c in frame.columns[first:] if c not in periods and c != year]
    beside += [c for c in later if not mostly_numbers(years[c])]
    unused = [str(c) for c in later if c not in beside]
    notes.append(
        f"each row has a year and its {what}"
        + (f"; {listed(unused[:10])} beside them not used" if unused else "")
    )
    whole = pd.to_numeric(years[year]).astype(int).to_numpy()
    times = [f"{y + (month > 12)}-{(month - 1) % 12 + 1:02d}-01" for y in whole for month in periods.values()]
    rows = pd.DataFrame({"time": times}, dtype=object)
    for column in beside:
        rows[column] = pd.Categorical(np.repeat(years[column].to_numpy(), len(periods)))
    rows[name if name not in rows else f"{name} value"] = years[[*periods]].to_numpy(dtype=object).ravel()
    return rows


def _shown(lines: pd.DataFrame) -> str:
    texts = [" ".join(str(cell) for cell in row if not pd.isna(cell))[:60] for row in lines.to_numpy()[:3]]
    return " | ".join(texts) + (" ..." if len(lines) > 3 else "")


def _months(frame: pd.DataFrame) -> tuple[str, Periods] | None:
    """Return the columns of the twelve months, if there are no columns of other numbers than 1 to 12.

    Columns of numbers beyond 12 are days, weeks or places.
    """
    by_month = {_month(str(column)): column for column in reversed(frame.columns)}
    counted = {int(str(column)) for column in frame.columns if re.fullmatch(r"\d{1,3}", str(column))}
    if not set(range(1, 13)) <= set(by_month) or not counted <= set(range(1, 13)):
        return None
    return "twelve months", {by_month[month]: month for month in range(1, 13)}


def _of_several_months(frame: pd.DataFrame) -> tuple[str, Periods] | None:
    """Return the columns of twelve means of three or two months, of the four seasons or of the quarters."""
    means = {str(column).strip().upper(): column for column in reversed(frame.columns)}
    if set(SEASONS) <= set(means):
        return "twelve means of three months", {means[name]: k for k, name in enumerate(SEASONS, 1)}
    for names in _PAIRS:
        if set(names) <= set(means):
            return "twelve means of two months", {means[name]: k for k, name in enumerate(names, 1)}
    quarters = {quarter_of(str(column)): column for column in reversed(frame.columns)}
    more = any(re.fullmatch(r"q\s*([05-9]|\d\d)", str(column), re.IGNORECASE) for column in frame.columns)
    if {1, 2, 3, 4} <= set(quarters) and not more:  # otherwise they are numbered questions
        return "four quarters", {quarters[k]: 3 * k - 2 for k in range(1, 5)}
    named = {season_of(str(column)): column for column in reversed(frame.columns)}
    seasons = [means.get(name) if name in means else named.get(k) for k, name in enumerate(QUARTERLY)]
    if None in seasons:
        return None
    months = months_of_words([seasons.index(column) for column in frame.columns if column in seasons])
    if set(QUARTERLY) <= set(means) and (months is None or months[2] != 7):
        months = [1, 4, 7, 10]
    if months is None:
        return None
    dated = sorted(zip(months, seasons, strict=True), key=lambda pair: pair[0])
    return "four seasons", {column: month for month, column in dated}


def _require_order(frame: pd.DataFrame, periods: Periods, year: str) -> None:
    """Raise ``BasinError`` if the periods of a row begin with another one than the first."""
    columns = [*periods]
    begins = min(range(len(columns)), key=lambda k: list(frame.columns).index(columns[k]))
    if begins and [*columns[begins:], *columns[:begins]] == [c for c in frame.columns if c in periods]:
        raise BasinError(
            f"the months of a row begin with {columns[begins]}, so that {year} may not be the year of each; "
            "write a row for each month with its date, or put the months of a year from January on into a row"
        )


def _month(name: str) -> int | None:
    """Return the month of a name or of a number from 1, as a pivot table has it."""
    return int(name) if re.fullmatch(r"0?[1-9]|1[0-2]", name) else month_of(name)
