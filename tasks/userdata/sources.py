"""Files, frames and datasets of a user, read into the one form that every command uses."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.userdata.files.columns import names_dates
from tasks.userdata.files.frames import name_of
from tasks.userdata.files.table import Table, from_dataset, from_frame, load
from tasks.userdata.first_audit import first_audit
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request

if TYPE_CHECKING:
    import xarray as xr

Data = Union[Path, pd.DataFrame, "xr.Dataset"]
"""File, frame or dataset of a user."""


def as_data(given: Any) -> Data:
    """Return a path, or the frame or dataset of an object of pandas, xarray or a library of tables.

    Raises ``BasinError`` for objects without dates, such as arrays of NumPy.
    """
    if isinstance(given, (str, PathLike)):
        return Path(given)
    if isinstance(given, pd.DataFrame):
        return given
    if isinstance(given, pd.Series):
        return given.to_frame("value" if given.name is None else name_of(given.name))
    if xarray := sys.modules.get("xarray"):  # which is imported wherever there is one of its objects
        if isinstance(given, xarray.Dataset):
            return given
        if isinstance(given, xarray.DataArray):
            named = given.name is not None and given.name not in given.coords
            return given.to_dataset(name=given.name if named else "value")
    if hasattr(given, "to_pandas"):
        return as_data(given.to_pandas())
    raise BasinError(
        "data: expected the path of a file, a DataFrame or Series of pandas or polars, or a DataArray or "
        f"Dataset of xarray, found {type(given).__name__}; give values their dates, as in "
        "pd.Series(values, index=dates)"
    )


def extended(data: Data, rows: Any, remedy: str) -> Data:
    """Return the data with new rows of the same form after them, or ``rows`` if it is the path of a file.

    Rows that the data have already are left out. ``remedy`` ends the message about those of which the data
    have other values.
    """
    new = as_data(rows)
    if isinstance(new, Path):
        return new
    if isinstance(data, Path):
        raise BasinError(
            f"rows: the forecast is of the file {data}; give the path of the file with the new rows added"
        )
    if isinstance(data, pd.DataFrame) and isinstance(new, pd.DataFrame):
        if isinstance(rows, pd.Series) and len(data.columns) == 1:
            new.columns = data.columns
        added = _in_form_of(data, new)
        added = added[~_known(data, added, remedy)]
        return pd.concat([data, added], ignore_index=isinstance(data.index, pd.RangeIndex))
    raise BasinError(
        f"rows: expected the form of the data, {type(data).__name__}, found {type(new).__name__}; a forecast "
        "of a dataset is made again with basin.forecast"
    )


def _known(data: pd.DataFrame, added: pd.DataFrame, remedy: str) -> np.ndarray:
    """Return which of the rows ``added`` are in the data, or raise ``BasinError`` for revised ones."""
    before, after = _keyed(data), _keyed(added)
    before = before[~before.index.duplicated(keep="last")]
    known = after.index.isin(before.index)
    was, now = before.loc[after.index[known]], after[known]
    same = (was == now) | (was.isna() & now.isna())
    if not same.to_numpy().all():
        row, column = np.argwhere(~same.to_numpy())[0]
        found, stored = (str(frame.iat[row, column]) for frame in (now, was))
        raise BasinError(
            f"rows: {name_of(now.index[row])}: {name_of(now.columns[column])} is {found}, and {stored} in "
            f"the data; {remedy}"
        )
    return known


def _keyed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with its dates, and the names of its series, in the index."""
    numbered = isinstance(frame.index, pd.RangeIndex)
    columns = [
        column
        for column, dtype in frame.dtypes.items()
        if names_dates(name_of(column)) or not pd.api.types.is_numeric_dtype(dtype)
    ]
    if not columns:
        return frame.set_index(list(frame.columns), drop=False) if numbered else frame
    return frame.set_index(columns, append=not numbered)


def _in_form_of(data: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of ``data`` of new rows, whose index may be without a name."""
    absent = [name for name in data.columns if name not in new.columns]
    if absent:
        raise BasinError(
            f"rows: no column {', '.join(name_of(name) for name in absent)}; give rows with the columns and "
            "the index of the data"
        )
    if list(new.index.names) == [None] * data.index.nlevels:
        new = new.set_axis(new.index.set_names(data.index.names))
    return new[list(data.columns)]


def short_name(data: Path) -> str:
    """Return the name of a file without folders and suffixes."""
    return data.name.lstrip(".").split(".")[0]


@contextmanager
def naming(data: Data) -> Iterator[None]:
    """Begin the message of a ``BasinError`` of the block with the name of the data, if it has none.

    Errors that the operating system caused, such as a full disk, are about other files and stay unchanged.
    """
    try:
        yield
    except BasinError as error:
        label = label_of(data)
        if f"{label}: " not in str(error) and not isinstance(error.__cause__, OSError):
            error.args = (f"{label}: {error}",)
        raise


def label_of(data: Data) -> str:
    """Return the name of the data in messages: the path as given, ``the frame`` or ``the dataset``."""
    if isinstance(data, Path):
        return str(data)
    return "the frame" if isinstance(data, pd.DataFrame) else "the dataset"


def read(data: Data, request: Request) -> tuple[Reading, str]:
    """Return the data as a ``Reading`` with the warnings of its audit, and a short name for them.

    The notes begin with the warnings.
    """
    reading, name = read_unaudited(data, request)
    audited = reading
    if request.dev and request.test_from:  # nothing of the test block is read
        before = reading.table["time"] < pd.Timestamp(request.test_from)
        audited = replace(reading, table=reading.table[before].reset_index(drop=True))
    warnings = first_audit(audited, request)
    notes = (*(f"warning: {sentence}" for sentence in warnings), *reading.notes)
    return replace(reading, warnings=warnings, notes=notes), name


def table_of(
    data: Data,
    target: tuple[str, ...],
    time: str | None,
    series: str | None,
    exog: tuple[str, ...] = (),
) -> Table:
    """Return the table of a file, a frame or a dataset."""
    if isinstance(data, Path):
        return load(data, target, time, series)
    if isinstance(data, pd.DataFrame):
        return from_frame(data, label_of(data), None, target, exog)
    return from_dataset(data, label_of(data), target, time, series)


def read_unaudited(data: Data, request: Request) -> tuple[Reading, str]:
    """Return the data as a ``Reading``, and a short name for them."""
    request = _with_levels(data, request)
    table = table_of(data, request.targets, request.time, request.series, request.exog)
    name = short_name(data) if isinstance(data, Path) else label_of(data)
    return understand(table, request), name


def _with_levels(data: Data, request: Request) -> Request:
    """Return the request with a tuple that is the label of a column of several levels as the name of it."""
    if not isinstance(data, pd.DataFrame):
        return request
    labels = [tuple(map(str, label)) for label in data.columns if isinstance(label, tuple)]
    target = name_of(request.target) if request.target in labels else request.target
    exog = (name_of(request.exog),) if request.exog in labels else request.exog
    return replace(request, target=target, exog=exog)
