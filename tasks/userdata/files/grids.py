"""Series in NetCDF files: the variable, its time, unit and dimensions."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tasks.reporting.labels import listed
from tasks.runtime.errors import BasinError
from tasks.sources.declared import declared
from tasks.sources.netcdf import CALENDAR, NOTES, open_dataset
from tasks.userdata.files.columns import UNITS

if TYPE_CHECKING:
    import xarray as xr

PLACES = ("lat", "latitude", "lon", "longitude", "x", "y", "nlat", "nlon", "i", "j", "cell", "ncells")
"""Names of dimensions of a grid, in lower case."""

EXPVER = "expver"
"""Dimension of ERA5 for the final and the preliminary version of values."""


def read_netcdf(
    path: Path, target: tuple[str, ...], time: str | None, series: str | None, notes: list[str]
) -> tuple[pd.DataFrame, dict[str, str], str]:
    """Return the series of a file, in the same way as :func:`series_of`."""
    data = open_dataset(path)
    try:
        return series_of(data, str(path), target, time, series, notes)
    finally:
        data.close()


def series_of(
    data: "xr.Dataset",
    label: str,
    target: tuple[str, ...],
    time: str | None,
    series: str | None,
    notes: list[str],
) -> tuple[pd.DataFrame, dict[str, str], str]:
    """Return the variables of one time dimension as a table, the units stated, and the name of the calendar.

    Dimensions of length one are left out. The values of the dimension ``series`` are a row each. Raises
    ``BasinError`` for a variable with a dimension of ensemble members or of places, because one of them would
    have to be chosen.
    """
    notes += data.attrs.get(NOTES, [])
    name = time or _time(data, label)
    if name not in data.variables:
        raise BasinError(
            f"{label}: no variable {name}; found {', '.join(map(str, data.variables))}; give the name of "
            "its time coordinate as --time"
        )
    if not np.issubdtype(data[name].dtype, np.datetime64):
        raise BasinError(
            f"{label}: variable {name} has values of type {data[name].dtype}, expected dates with units "
            "such as "
            "'days since 1900-01-01'; give the time coordinate as --time, or add the units to the file"
        )
    data = _one_version(_from_starts(data, name, notes), notes)
    (along,) = data[name].dims or (name,)
    for wanted in target:
        if wanted not in data.variables:
            raise BasinError(
                f"{label}: no variable {wanted}; found {', '.join(map(str, data.data_vars))}; give the "
                "name of a variable of the file"
            )
    chosen = list(target) or [str(v) for v in data.data_vars if _is_series(data, str(v), str(along))]
    if not chosen:
        raise BasinError(
            f"{label}: no variable has the dimension {along}; found {', '.join(map(str, data.data_vars))}"
        )
    plain = [v for v in chosen if all(data[v].sizes[d] == 1 for d in data[v].dims if d != along)]
    if not target and series is None and 0 < len(plain) < len(chosen):
        others = [v for v in chosen if v not in plain]
        notes.append(f"not read, because they have more values than one for each date: {', '.join(others)}")
        chosen = plain
    with_it = [str(v) for v in data.data_vars if set(data[v].dims) == {along}]
    names = dict.fromkeys((*chosen, *with_it))
    data = _within_range(data, [v for v in names if data[v].dtype.kind in "fiu"], notes)
    if series is not None and series in data.dims:
        found = [_flat(data, variable, str(along), label, series) for variable in chosen]
        frame = pd.concat(
            [
                pd.DataFrame(
                    {name: data[name].values, series: str(member)}
                    | {str(v.name): v.isel({series: k}).values for v in found}
                )
                for k, member in enumerate(data[series].values)
            ],
            ignore_index=True,
        )
    else:
        found = [_flat(data, variable, str(along), label) for variable in names]
        frame = pd.DataFrame({name: data[name].values} | {str(v.name): v.values for v in found})
    units = {str(v.name): str(v.attrs["units"]) for v in found if v.attrs.get("units") not in (None, "", "1")}
    known = {column: UNITS.get(unit.lower(), unit) for column, unit in units.items()}
    return frame, known, data[name].attrs.get(CALENDAR, "standard")


def _one_version(data: "xr.Dataset", notes: list[str]) -> "xr.Dataset":
    """Return a dataset with the first value that is not missing along ``expver``, as files of ERA5 have it.

    Version 1 is final, and 5 is preliminary.
    """
    if EXPVER not in data.dims or data.sizes[EXPVER] < 2 or EXPVER not in data.coords:
        return data
    versions = data.isel({EXPVER: np.argsort(data[EXPVER].values.astype(int))})
    merged = versions.isel({EXPVER: 0}, drop=True)
    for k in range(1, data.sizes[EXPVER]):
        merged = merged.fillna(versions.isel({EXPVER: k}, drop=True))
    first, *others = (str(version) for version in versions[EXPVER].values)
    notes.append(
        f"{EXPVER}: the values are those of version {first}, and where it has none, of {listed(others)}"
    )
    return merged


def _within_range(data: "xr.Dataset", names: list[str], notes: list[str]) -> "xr.Dataset":
    """Return a dataset without the values that the attributes of its variables declare to be missing."""
    for name in names:
        values, valid = data[name].values, declared(data[name])
        if found := valid.notes(iter([values]), name):
            notes += found
            data = data.assign({name: data[name].where(~valid.missing(values))})
    return data


def _from_starts(data: "xr.Dataset", name: str, notes: list[str]) -> "xr.Dataset":
    """Return a dataset whose times at the ends of their bounds, as those of CESM are, are at the starts."""
    times = data[name]
    bounds = times.attrs.get("bounds", times.encoding.get("bounds"))
    if bounds not in data or data[bounds].shape != (times.size, 2) or data[bounds].dtype != times.dtype:
        return data
    starts, ends = data[bounds].values.T
    if (ends != times.values).any() or (starts >= ends).any():
        return data
    notes.append(f"{name} has the ends of its bounds: the dates are those of their starts")
    return data.assign_coords({name: (times.dims, starts, times.attrs)})


def _time(data: Any, label: str) -> str:
    times = [
        str(v) for v in data.variables if np.issubdtype(data[v].dtype, np.datetime64) and data[v].ndim == 1
    ]
    for name in sorted(times, key=lambda n: (n not in data.dims, "time" not in n.lower())):
        return name
    raise BasinError(
        f"{label}: no coordinate holds times; found {', '.join(map(str, data.variables))}; give a file with "
        "a time coordinate"
    )


def _is_series(data: Any, name: str, along: str) -> bool:
    variable = data[name]
    return along in variable.dims and variable.dtype.kind in "fiu" and not name.endswith(("_bnds", "_bounds"))


def _flat(data: Any, name: str, along: str, label: str, series: str | None = None) -> Any:
    """Return a variable without dimensions of length one, or refuse one with members or places.

    The dimension ``series`` is kept.
    """
    variable = data[name]
    if along not in variable.dims:
        raise BasinError(
            f"{label}: {name} has dimensions {', '.join(map(str, variable.dims))}, not {along}; give its "
            "time dimension as --time"
        )
    variable = variable.squeeze(
        [d for d in variable.dims if d != along and variable.sizes[d] == 1], drop=True
    )
    others = [str(d) for d in variable.dims if d not in (along, series)]
    if any(d.lower() in PLACES for d in others):
        shape = " × ".join(f"{variable.sizes[d]} {d}" for d in others)
        raise BasinError(
            f"{label}: {name} is a grid of {shape}; use `basin field`, or give a file with the mean of a "
            "region"
        )
    choices = [str(d) for d in variable.dims if d != along]
    if others:
        sizes = listed([f"{variable.sizes[d]} values of {d}" for d in choices])
        if len(choices) == 1:
            remedy = (
                f"pass --series {quote(choices[0])} to forecast each one, or give a file with one of them"
            )
        else:
            kept = series if series in choices else choices[0]
            rest = ", ".join(f"{d}=0" for d in choices if d != kept)
            remedy = (
                f"--series takes one of {listed(choices)}, so give a file with one value of the others, "
                f"such as ds.isel({rest}) of xarray, with --series {quote(kept)}"
            )
        raise BasinError(f"{label}: {name} has {sizes} for each date; {remedy}")
    return variable
