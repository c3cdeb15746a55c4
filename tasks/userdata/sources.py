"""Files, frames and datasets of a user, read into the one form that every command uses."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates import as_dates
from tasks.userdata.files.frames import name_of
from tasks.userdata.files.table import Table, from_dataset, from_frame, load
from tasks.userdata.first_audit import first_audit
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request

if TYPE_CHECKING:
    import xarray as xr

Data = Union[Path, pd.DataFrame, "xr.Dataset", Table]
"""File, frame or dataset of a user, or a table that was read from one and extended."""

UNNAMED = "value"
"""Name of a series or an array that has none."""

WITH_DATES = "give values their dates, as in pd.Series(values, index=dates)"
"""Remedy for values without dates."""


def as_data(given: Any) -> Data:
    """Return a path, or the frame or dataset of an object of pandas, xarray or a library of tables.

    Raises ``BasinError`` for objects without dates, such as arrays of NumPy.
    """
    if isinstance(given, (str, PathLike)):
        return Path(given)
    if isinstance(given, pd.DataFrame):
        return given
    if isinstance(given, pd.Series):
        _require_dates(given.index)
        return given.to_frame(UNNAMED if given.name is None else name_of(given.name))
    if xarray := sys.modules.get("xarray"):  # which is imported wherever there is one of its objects
        if isinstance(given, xarray.Dataset):
            return given
        if isinstance(given, xarray.DataArray):
            named = given.name is not None and given.name not in given.coords
            return given.to_dataset(name=given.name if named else UNNAMED)
    if hasattr(given, "to_pandas"):
        return as_data(given.to_pandas())
    raise BasinError(
        "data: expected the path of a file, a DataFrame or Series of pandas or polars, or a DataArray or "
        f"Dataset of xarray, found {type(given).__name__}; {WITH_DATES}"
    )


def _require_dates(index: pd.Index) -> None:
    """Raise ``BasinError`` if the index of a series has numbers that are no dates, such as those of rows."""
    numbers = len(index) and index.nlevels == 1 and pd.api.types.is_numeric_dtype(index)
    if numbers and as_dates(pd.Series(index), "data").time.isna().all():
        raise BasinError(
            f"data: the index of the Series has numbers, such as {index[-1]}, expected dates; {WITH_DATES}"
        )


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
    if isinstance(data, Table):
        return data.label
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
    if isinstance(data, Table):
        return replace(data, notes=[*data.notes])
    if isinstance(data, Path):
        return load(data, target, time, series)
    if isinstance(data, pd.DataFrame):
        return from_frame(data, label_of(data), None, target, exog)
    return from_dataset(data, label_of(data), target, time, series)


def read_unaudited(data: Data, request: Request) -> tuple[Reading, str]:
    """Return the data as a ``Reading``, and a short name for them."""
    request = with_levels(data, request)
    table = table_of(data, request.targets, request.time, request.series, request.exog)
    name = short_name(data) if isinstance(data, Path) else label_of(data)
    return understand(table, request), name


def with_levels(data: Data, request: Request) -> Request:
    """Return the request with a tuple that is the label of a column of several levels as the name of it."""
    if not isinstance(data, pd.DataFrame):
        return request
    labels = [tuple(map(str, label)) for label in data.columns if isinstance(label, tuple)]
    target = name_of(request.target) if request.target in labels else request.target
    exog = (name_of(request.exog),) if request.exog in labels else request.exog
    return replace(request, target=target, exog=exog)


def label_of_series(data: Data, reading: Reading, name: str) -> tuple[Any, ...] | None:
    """Return the label of the column of a series, or None if the columns of the data have one level."""
    if not isinstance(data, pd.DataFrame):
        return None
    parts = {reading.targets[0], name}
    labels: list[Any] = [label for label in data.columns if isinstance(label, tuple)]
    return next((label for label in labels if {name_of(part) for part in label} == parts), None)
