"""Reading of a file or frame into a table with its dates and roles, for every command alike."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates import date_like
from tasks.sources.netcdf import with_times
from tasks.userdata.files.columns import SHOWN, Roles, find, mostly_numbers, require
from tasks.userdata.files.dated_columns import dates_as_rows
from tasks.userdata.files.decoding import PACKED
from tasks.userdata.files.excel import SUFFIXES as EXCEL
from tasks.userdata.files.excel import read_excel
from tasks.userdata.files.frames import plain
from tasks.userdata.files.grids import read_netcdf, series_of
from tasks.userdata.files.later_headers import refuse_other_in_frame
from tasks.userdata.files.numbers import MISSING, Numbers, as_numbers, decimal_comma
from tasks.userdata.files.parts import with_years, without_means
from tasks.userdata.files.text import read_text
from tasks.userdata.files.wide import periods_as_rows

if TYPE_CHECKING:
    import xarray as xr

FILES = "CSV, Excel, Parquet or NetCDF"
"""File formats, as named in messages."""

Content = TypeVar("Content")

NETCDF = (".nc", ".nc4", ".netcdf", ".cdf", ".h5")
PARQUET = (".parquet", ".pq")
OTHERS = (
    ".json", ".jsonl", ".ndjson", ".feather", ".dta", ".sas7bdat", ".rds", ".mat", ".pkl", ".grib", ".grb",
)  # fmt: skip
"""Formats that are not read."""


@dataclass(frozen=True)
class Table:
    """Content of a file: columns as written, with what was found in reading them."""

    frame: pd.DataFrame
    label: str
    notes: list[str] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    """Units of columns, where the file states them."""
    separator: str = ""
    """Character between the cells of a text table."""
    calendar: str = "standard"
    """Calendar of the dates in a NetCDF file or dataset, by its name in the CF conventions."""

    def roles(
        self, time: str | None, target: tuple[str, ...], series: str | None, freq: str | None = None
    ) -> Roles:
        """Return the columns by role; those not given are found in the file."""
        return find(self.frame, time, target, series, self.label, freq)

    def roles_of_values(
        self, time: str | None, target: tuple[str, ...], series: str | None, freq: str | None = None
    ) -> Roles:
        """Return the columns by role, or raise ``BasinError`` if none has values."""
        roles = self.roles(time, target, series, freq)
        if not roles.targets:
            shown = ", ".join(map(str, self.frame.columns[:SHOWN]))
            raise BasinError(
                f"{self.label}: no column of numbers beside {roles.time}; found {shown}; give a file with "
                "values"
            )
        return roles

    def numbers(self, column: str, comma: bool | None = None) -> Numbers:
        """Return a column as numbers, with notes on how it was read."""
        require(self.frame, [column], self.label)
        return as_numbers(self.frame[column], self.label, self.notes, comma)

    def names(self, column: str, dated: pd.Series) -> np.ndarray:
        """Return the names of the series as text. Raises ``BasinError`` for a dated row without a name."""
        require(self.frame, [column], self.label)
        nameless = (self.frame[column].isna() & dated.to_numpy()).to_numpy()
        if nameless.any():
            raise BasinError(
                f"{self.label}: row {int(nameless.argmax()) + 1}: column {column}, which names the series, "
                "is empty; write the name, or remove the row"
            )
        return self.frame[column].astype(str).to_numpy()

    def comma(self, dates: str | None = None) -> bool | None:
        """Return whether the file has decimal commas, as its columns show, or None if they do not tell.

        The column ``dates`` does not count, as the point of 01.1950 is no decimal mark. In a file with commas
        between the cells, a comma within a cell separates thousands if no column shows another use.
        """
        others = [column for column in self.frame.columns if column != dates]
        votes = {decimal_comma(self.frame[column].head(2000)) for column in others} - {None}
        if len(votes) == 1:
            return votes.pop()
        return False if self.separator == "," else None

    def typed(self, time: str | None = None) -> pd.DataFrame:
        """Return the table with its dates and with numbers in columns that are mostly numbers.

        Other cells of such columns are missing values. Columns of numbers are dates only if ``time`` names
        them.
        """
        frame, dates = self.frame.copy(), None
        try:
            roles = self.roles(time, (), None)
            dates = roles.time
            if roles.time in frame and (time is not None or not mostly_numbers(frame[roles.time])):
                frame[roles.time] = roles.dates.time
        except BasinError:
            if time is not None:
                raise
        comma = self.comma(dates)
        for column in frame.columns:
            if not pd.api.types.is_numeric_dtype(frame[column]) and mostly_numbers(frame[column]):
                frame[column] = self.numbers(column, comma).value
        return frame


def load(
    path: Path, target: tuple[str, ...] = (), time: str | None = None, series: str | None = None
) -> Table:
    """Read a CSV or other text table, an Excel, Parquet or NetCDF file.

    ``target``, ``time`` and ``series`` select the variable of a NetCDF file and its dimensions. Raises
    ``BasinError`` for a file that cannot
    be read.
    """
    suffix = file_suffix(path)
    if suffix in OTHERS:
        raise BasinError(f"{path}: {suffix} files are not read; give a {FILES} file")
    table = Table(pd.DataFrame(), str(path))
    if suffix in NETCDF:
        frame, units, calendar = _read(
            path, lambda file: read_netcdf(file, target, time, series, table.notes)
        )
        return replace(table, frame=frame, units=units, calendar=calendar)
    if suffix in EXCEL:
        frame = _read(path, lambda file: read_excel(file, table.notes))
        return replace(table, frame=_complete(frame, path, table.notes))
    if suffix in PARQUET:
        return from_frame(_read(path, pd.read_parquet), str(path), table.notes)
    frame, separator = _read(path, lambda file: read_text(file, table.notes))
    return replace(table, frame=_complete(frame, path, table.notes), separator=separator)


def _complete(frame: pd.DataFrame, path: Path, notes: list[str]) -> pd.DataFrame:
    return _rows_of_periods(frame, path.name.split(".")[0] or "value", notes)


def _rows_of_periods(frame: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    """Return a table with a row for each period, and the year of each."""
    frame = with_years(without_missing(frame), notes)
    return dates_as_rows(periods_as_rows(without_means(frame, notes), name, notes), notes)


def without_missing(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which texts such as ``NA`` are missing in columns of numbers and dates.

    In other columns they may be names, such as NA for Namibia.
    """
    frame = frame.copy(deep=False)
    for column in frame.columns:
        if not (pd.api.types.is_object_dtype(frame[column]) or pd.api.types.is_string_dtype(frame[column])):
            continue
        stated = frame[column].isin(MISSING)
        if not stated.any():
            continue
        known = frame[column][~stated].dropna()
        sample = known.iloc[:: max(1, len(known) // 200)].astype(str)
        if known.empty or mostly_numbers(known) or np.mean([date_like(cell) for cell in sample]) > 0.5:
            frame[column] = frame[column].mask(stated)
    return frame


def from_frame(
    frame: pd.DataFrame,
    label: str,
    notes: list[str] | None = None,
    target: Sequence[str] = (),
    exog: Sequence[str] = (),
) -> Table:
    """Return a table from a data frame, with its index and the levels of its columns as columns."""
    notes = [] if notes is None else notes
    frame = plain(frame, label, notes, target, exog)
    refuse_other_in_frame(frame, label)
    frame = _rows_of_periods(frame, "value", notes)
    return Table(frame, label, notes)


def from_dataset(
    data: "xr.Dataset",
    label: str,
    target: tuple[str, ...] = (),
    time: str | None = None,
    series: str | None = None,
) -> Table:
    """Return a table from the series of an xarray dataset, as from a NetCDF file."""
    data = with_times(data, label)
    notes: list[str] = []
    frame, units, calendar = series_of(data, label, target, time, series, notes)
    return Table(frame, label, notes, units, calendar=calendar)


def file_suffix(path: Path) -> str:
    """Return the last suffix that is not that of a compression, such as ``.csv`` for ``prices.csv.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix not in PACKED), "")


def _read(path: Path, read: Callable[[Path], Content]) -> Content:
    """Call ``read(path)``; raise ``BasinError`` if the file is absent, empty or not readable."""
    if path == Path():
        raise BasinError(f"{path}: the path is empty or the working folder; give that of a {FILES} file")
    if path.is_dir():
        raise BasinError(f"{path}: is a folder; give the path of a {FILES} file")
    if path.exists() and not path.is_file():
        raise BasinError(
            f"{path}: is a pipe or device; save its content and give the path of the {FILES} file"
        )
    if not path.is_file():
        raise BasinError(f"{path}: no such file; give the path of a {FILES} file")
    if path.stat().st_size == 0:
        raise BasinError(f"{path}: is empty; give a {FILES} file with data")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries, about cells that are named in our own words
            return read(path)
    except BasinError:
        raise
    except pd.errors.EmptyDataError as error:  # a file of blank lines
        raise BasinError(f"{path}: is empty; give a {FILES} file with data") from error
    except Exception as error:  # pandas, pyarrow and h5netcdf raise errors of many types
        reason = " ".join(str(error).split())[:200]
        raise BasinError(
            f"{path}: not readable as {file_suffix(path) or 'CSV'} ({reason}); give a {FILES} file"
        ) from error
