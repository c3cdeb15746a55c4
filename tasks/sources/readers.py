"""Readers of the file formats in the catalog: CSV, whitespace tables, NetCDF and years by months."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from tasks.sources.entries import Entry

MISSING = ("", ".", "NA", "NaN", "nan", "NULL", "null")
"""Texts that mean a missing value. FRED, for example, writes a dot or nothing."""


def read_file(label: str, path: Path, entry: "Entry") -> pd.DataFrame:
    """Read a file with its own column names and values as text, or raise ``BasinError`` if not readable."""
    try:
        if entry.format == "netcdf":
            return _netcdf(path, entry)
        return pd.read_csv(
            path,
            sep=r"\s+" if entry.format in ("table", "months") else ",",
            dtype=str,
            keep_default_na=False,
            na_values=list(MISSING),
        )
    except (OSError, ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        reason = " ".join(str(error).split())
        raise BasinError(
            f"{label}: not a readable {entry.format} file ({reason}); get it again or correct `format` in "
            "data/catalog.yaml"
        ) from error


def _netcdf(path: Path, entry: "Entry") -> pd.DataFrame:
    import xarray as xr

    wanted = [entry.time, *entry.columns.values()]
    with xr.open_dataset(path, engine="h5netcdf") as data:
        held = data[[name for name in wanted if name in data.variables]]
        if set(held.dims) != {entry.time}:
            raise ValueError(f"dimensions {', '.join(map(str, held.dims))}, expected only {entry.time}")
        table: pd.DataFrame = held.to_dataframe().reset_index()
        return table


def tidy(label: str, table: pd.DataFrame, entry: "Entry") -> pd.DataFrame:
    """Convert a table to a column ``time`` and float columns with the names in the catalog.

    Rows keep their order. Missing values are kept, because the expectation suite checks them. Raises
    ``BasinError`` if a column is missing or a date or number cannot be parsed. The message names the value
    and its row, where row 1 is the first below the header.
    """
    theirs = [entry.time] if isinstance(entry.time, str) else list(entry.time)
    for column in entry.columns.values():
        theirs += [column] if isinstance(column, str) else list(column)
    absent = [column for column in theirs if column not in table]
    if absent:
        raise BasinError(
            f"{label}: no column {', '.join(absent)}; found {', '.join(map(str, table.columns))}; rename the "
            "file's columns or correct `time` and `columns` in data/catalog.yaml"
        )
    if entry.format == "months":
        return _months(label, table, entry)
    tidied = pd.DataFrame({"time": _dates(label, table, entry)})
    for ours, column in entry.columns.items():
        tidied[ours] = _numbers(label, table[column])
    if entry.blank_rows == "drop":
        tidied = tidied.dropna(subset=list(entry.columns), how="all")
    return tidied.reset_index(drop=True)


def _months(label: str, table: pd.DataFrame, entry: "Entry") -> pd.DataFrame:
    """Convert rows of a year with twelve months to rows of one month."""
    years = _numbers(label, table[entry.time])
    ours, months = next(iter(entry.columns.items()))
    january = _parsed(label, str(entry.time), years.map("{:.0f}-01-01".format), table[entry.time])
    first = [january + pd.DateOffset(months=month) for month in range(12)]
    time = np.stack([column.to_numpy() for column in first], axis=1).ravel()
    value = np.stack([_numbers(label, table[month]).to_numpy() for month in months], axis=1).ravel()
    return pd.DataFrame({"time": time.astype("datetime64[ns]"), ours: value})


def _dates(label: str, table: pd.DataFrame, entry: "Entry") -> pd.Series:
    if isinstance(entry.time, str):
        written = table[entry.time]
        return _parsed(label, entry.time, written, written)
    year, month = (table[column].astype(str) for column in entry.time)
    written = year + "-" + month.str.zfill(2)
    return _parsed(label, "-".join(entry.time), written + "-01", written)


def _parsed(label: str, column: str, text: pd.Series, written: pd.Series) -> pd.Series:
    if not pd.api.types.is_datetime64_any_dtype(text):
        text = pd.to_datetime(text.astype(str), errors="coerce", format="ISO8601", utc=True).dt.tz_localize(
            None
        )
    bad = np.flatnonzero(text.isna())
    if len(bad):
        raise BasinError(
            f"{label}: column {column}, row {bad[0] + 1}: {written.iloc[bad[0]]!r} is not a date, expected "
            f"YYYY-MM-DD ({len(bad)} such rows); correct the file"
        )
    return text.astype("datetime64[ns]")


def _numbers(label: str, column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    bad = np.flatnonzero(numbers.isna() & column.notna())
    if len(bad):
        raise BasinError(
            f"{label}: column {column.name}, row {bad[0] + 1}: {column.iloc[bad[0]]!r} is not a number "
            f"({len(bad)} such rows); correct the file, and leave missing values empty"
        )
    return numbers
