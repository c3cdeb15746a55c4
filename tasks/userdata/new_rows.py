"""New rows after a user's data, compared with the rows that the data have already."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import stamp
from tasks.sources.dates import as_dates
from tasks.userdata.files.frames import INDEX
from tasks.userdata.input_names import column_name
from tasks.userdata.reading import Reading, dated_values
from tasks.userdata.request import Request
from tasks.userdata.sources import Data, as_data, read_unaudited, table_of

KEY = ["series", "time"]
"""Columns that identify a value of a long table."""

TOLERANCE = {"rtol": 1e-6, "atol": 1e-10}
"""Differences of equal values: a price may be rounded to 32 bits or to ten decimals."""


def extended(data: Data, rows: Any, request: Request, remedy: str) -> Data:
    """Return the data as a table with the new rows after them, or ``rows`` if both are paths of files.

    Rows that the data have already are left out. A row without a value gives way to a new one of its date.
    ``remedy`` ends the message about values that differ from those of the data.
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
    if isinstance(rows, pd.Series) and len(reading.targets) == 1:
        added.frame.columns = pd.Index([*added.frame.columns[:-1], reading.targets[0]])
    together = replace(old, frame=_joined(old.frame, added.frame, reading))
    unused = _unused(dated_values(together, reading, request), len(old.frame), reading, remedy)
    return replace(together, frame=together.frame.drop(index=unused).reset_index(drop=True))


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
    if series in new:
        new[series] = new[series].convert_dtypes()  # a row of numbers has the name 10001 as 10001.0
    types = [part[time].dtype for part in (old, new) if time in part]  # not of dates in several columns
    if len(set(types)) == 2 and any(map(pd.api.types.is_datetime64_any_dtype, types)):
        old[time], new[time] = (as_dates(part[time], "rows").time for part in (old, new))
    return pd.concat([old, new], ignore_index=True)


def _unused(dated: pd.DataFrame, count: int, reading: Reading, remedy: str) -> pd.Index:
    """Return the places of new rows that are known, and of old rows that new ones replace.

    The first ``count`` rows are the old ones. Raises ``BasinError`` for a new value that differs.
    """
    old, new = dated[dated["row"] <= count], dated[dated["row"] > count].reset_index(drop=True)
    key = pd.MultiIndex.from_frame(new[KEY])
    stored = old.drop_duplicates(KEY).set_index(KEY).reindex(key).reset_index(drop=True)
    valued = stored["close"].notna()
    columns = [column for column in dated if column not in (*KEY, "row")]
    same = np.isclose(new[columns], stored[columns], equal_nan=True, **TOLERANCE)
    revised = np.argwhere(~same & valued.to_numpy()[:, None])
    if len(revised):
        place, k = revised[0]
        found, was = (float(table[columns[k]][place]) for table in (new, stored))
        cell, targets = new.loc[place], reading.targets
        of = f"{cell['series']}, " if reading.series else ""
        target = targets[0] if len(targets) == 1 else cell["series"]
        name = target if columns[k] == "close" else column_name(columns[k])
        raise BasinError(
            f"rows: {of}{stamp(cell['time'])}: {name} is {found}, and {was} in the data; {remedy}"
        )
    known = valued | (stored["row"].notna() & new["close"].isna())
    appended = new["row"].isin(new.loc[~known, "row"])
    replaced = pd.MultiIndex.from_frame(old[KEY]).isin(key[appended])
    return pd.Index(np.unique([*new.loc[~appended, "row"], *old.loc[replaced, "row"]]) - 1)
