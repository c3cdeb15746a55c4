"""New rows after a user's data, compared with the rows that the data have already."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import stamp
from tasks.sources.dates import as_dates
from tasks.sources.dates.clock import ZONE
from tasks.userdata.files.frames import INDEX, name_of
from tasks.userdata.files.table import Table
from tasks.userdata.input_names import column_name
from tasks.userdata.reading import Reading, dated_values
from tasks.userdata.request import Request
from tasks.userdata.sources import UNNAMED, Data, as_data, read_unaudited, table_of
from tasks.userdata.unfinished import without_unfinished

KEY = ["series", "time"]
"""Columns that identify a value of a long table."""

TOLERANCE = 1e-6
"""Difference of equal values, relative to the value: a price may be rounded to 32 bits."""

ENDS_WITH_ZONE = re.compile(rf":\d\d(?:\.\d+)?\s*{ZONE}$")
"""End of a time of day with a time zone."""

DIGITS = re.compile(r"\d+")

NEAR_ZERO = 1e-7
"""Difference of equal values, relative to the median size of the values of a series."""


def extended(data: Data, rows: Any, request: Request, remedy: str) -> Data:
    """Return the data as a table with the new rows after them, or ``rows`` if both are paths of files.

    Rows that the data have already are left out. A row gives way to a new one of its date that has a value
    which the row lacks, and keeps its other values. ``remedy`` ends the message about values that differ from
    those of the data.
    """
    new = as_data(rows)
    if isinstance(data, Path):
        if isinstance(new, Path):
            return new
        raise BasinError(
            f"rows: the forecast is of the file {data}; give the path of the file with the new rows added"
        )
    reading, _ = read_unaudited(data, request)
    old, added = (
        table_of(part, request.targets, request.time, request.series, request.exog) for part in (data, new)
    )
    old = _finished(old, reading, request)
    if isinstance(rows, pd.Series) and len(reading.targets) == 1:
        target = reading.targets[0]
        _require_name(rows, [target, *_labels(data)])
        added.frame.columns = pd.Index([*added.frame.columns[:-1], target])
    together = replace(old, frame=_joined(old.frame, added.frame, reading))
    unused, replaced = _unused(dated_values(together, reading, request), len(old.frame), reading, remedy)
    before = together.frame.iloc[replaced].set_axis(replaced.index)
    together.frame.loc[before.index] = together.frame.loc[before.index].fillna(before)
    if set(range(len(old.frame), len(together.frame))) <= set(unused):
        together.notes.append("warning: the rows have no value that the data lack: the forecast is the same")
    return replace(together, frame=together.frame.drop(index=unused).reset_index(drop=True))


def _finished(source: Table, reading: Reading, request: Request) -> Table:
    """Return a table that was read as ``reading`` without its rows of an unfinished period."""
    if request.resample:
        return source
    dated = dated_values(source, reading, request, moved=False)
    rows = set(dated["row"]) - set(without_unfinished(dated, reading.freq, [])["row"])
    return replace(source, frame=source.frame.drop(index=source.frame.index[[row - 1 for row in rows]]))


def _labels(data: Data) -> list[str]:
    """Return the words of the labels of a frame whose columns have several levels."""
    if isinstance(data, pd.DataFrame) and data.columns.nlevels > 1:
        return [str(word) for label in data.columns for word in label]
    return []


def _require_name(rows: "pd.Series[Any]", known: list[str]) -> None:
    """Raise ``BasinError`` if a series of rows and the data both have a name, and theirs differ."""
    if rows.name is None or known[0] == UNNAMED:
        return
    name = name_of(rows.name)
    if name.casefold() not in map(str.casefold, known):
        raise BasinError(
            f"rows: the series has the name {name}, and the data {known[0]}; give rows of the same series, "
            f'or rename them: rows.rename("{known[0]}")'
        )


def _joined(old: pd.DataFrame, new: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Return the columns of the data with those of the new rows below them, in one form of dates."""
    time, series = reading.time, reading.series
    unnamed = {INDEX: time} | {f"level {k}": column for k, column in enumerate(old.columns)}
    new = new.rename(columns={n: c for n, c in unnamed.items() if n not in old and c not in new})
    absent = [c for c in old.columns if c not in new and (c != INDEX or c == time)]
    if absent:
        raise BasinError(
            f"rows: no column {', '.join(absent)}; give rows with the columns and the index of the data"
        )
    columns = [c for c in old.columns if c in new]  # an index of row numbers may be in one of them alone
    old, new = old[columns].copy(), new[columns].copy()
    if series in new and pd.api.types.is_float_dtype(new[series]):
        new[series] = new[series].convert_dtypes()  # a row of numbers has the name 10001 as 10001.0
    if time in old:  # dates may be in several columns
        old[time], new[time] = _in_one_form(old[time], new[time])
    return pd.concat([old, new], ignore_index=True)


def _in_one_form(old: pd.Series, new: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return dates of the data and of the rows such that they can be read together.

    Times with a zone stay the same instants. Other dates are read separately if their forms differ.
    """
    if _has_zone(old) and _has_zone(new):
        return old, new.astype(old.dtype)
    if _has_zone(old) and new.map(_ends_with_zone).all():
        return old.astype(str), new
    if _has_zone(new) and old.map(_ends_with_zone).all():
        return old, new.astype(str)
    if _forms(new) <= _forms(old) or _read_by_the_data(old, new):
        return old, new
    return as_dates(old, "rows").time, as_dates(new, "rows").time


def _read_by_the_data(old: pd.Series, new: pd.Series) -> bool:
    """Return whether texts of the rows are read beside those of the data, which tell the order of the day."""
    if not all(map(pd.api.types.is_string_dtype, (old, new))):
        return False
    try:
        time = as_dates(pd.concat([old, new], ignore_index=True), "rows").time
    except BasinError:
        return False
    return bool(time.notna().all())


def _has_zone(dates: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(dates) and dates.dt.tz is not None


def _ends_with_zone(cell: Any) -> bool:
    return isinstance(cell, str) and ENDS_WITH_ZONE.search(cell) is not None


def _forms(dates: pd.Series) -> set[str]:
    """Return the forms of dates: their type, or how texts are written, such as 9999-0-0 for 2014-01-31."""
    if pd.api.types.is_datetime64_any_dtype(dates):
        return {str(dates.dtype)}
    return {
        DIGITS.sub(lambda run: "9" * len(run[0]) if len(run[0]) > 2 else "0", each)
        for each in map(str, dates)
    }


def _unused(
    dated: pd.DataFrame, count: int, reading: Reading, remedy: str
) -> tuple[pd.Index, "pd.Series[int]"]:
    """Return the places of rows that are known or replaced, and those of replaced rows by the new ones.

    The first ``count`` rows are the old ones. Raises ``BasinError`` for a new value that differs.
    """
    old, new = dated[dated["row"] <= count], dated[dated["row"] > count].reset_index(drop=True)
    key = pd.MultiIndex.from_frame(new[KEY])
    stored = dated.sort_values("row").drop_duplicates(KEY).set_index(KEY).loc[key].reset_index(drop=True)
    first = stored["row"] == new["row"]
    valued = stored["close"].notna() & ~first
    columns = [column for column in dated if column not in (*KEY, "row")]
    sizes = old[columns].abs().groupby(old["series"]).median()
    least = NEAR_ZERO * sizes.reindex(new["series"]).fillna(0).to_numpy()
    same = np.isclose(new[columns], stored[columns], rtol=TOLERANCE, atol=least, equal_nan=True)
    known = same | new[columns].isna().to_numpy()
    revised = np.argwhere(~known & stored[columns].notna().to_numpy() & valued.to_numpy()[:, None])
    if len(revised):
        place, k = revised[0]
        found, was = (float(table[columns[k]][place]) for table in (new, stored))
        cell, targets = new.loc[place], reading.targets
        of = f"{cell['series']}, " if reading.series else ""
        target = targets[0] if len(targets) == 1 else cell["series"]
        name = target if columns[k] == "close" else column_name(columns[k])
        of_data = stored["row"][place] <= count
        raise BasinError(
            f"rows: {of}{stamp(cell['time'])}: {name} is {found}, and {was} "
            + (
                f"in the data; {remedy}"
                if of_data
                else "in an earlier one of these rows; give each date once"
            )
        )
    appended = new["row"].isin(new.loc[first | ~known.all(axis=1), "row"])
    replaced = pd.Series((stored["row"] - 1).to_numpy(), new["row"] - 1)[(appended & ~first).to_numpy()]
    latest = new[appended].drop_duplicates(KEY, keep="last").set_index(KEY)["row"]
    by = latest.reindex(pd.MultiIndex.from_frame(dated[KEY])).to_numpy()
    unused = np.unique([*new.loc[~appended, "row"], *dated.loc[dated["row"] < by, "row"]]) - 1
    return pd.Index(unused), replaced[~replaced.index.duplicated()]
