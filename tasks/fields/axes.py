"""Axes of a variable: its dimensions of time, latitude and longitude, found by values and attributes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.fields.positions import NAMES, UNITS, in_degrees, units_of, why_not
from tasks.runtime.errors import BasinError
from tasks.sources.declared import is_count

if TYPE_CHECKING:
    import xarray as xr

LETTERS = {"latitude": "y", "longitude": "x"}
LIMITS = {"latitude": 90.0, "longitude": 540.0}
ENSEMBLES = ("number", "member", "members", "ens", "ensemble", "realization", "realisation", "m")


@dataclass(frozen=True)
class Axes:
    """Names of the coordinates of a variable, and the dimensions on which they lie."""

    coordinates: tuple[str, str, str]
    dimensions: tuple[str, str, str]
    others: tuple[str, ...]
    """Dimensions of the variable that are none of the three."""


def find_axes(data: "xr.Dataset", name: str) -> Axes | None:
    """Return the axes of a variable, or None if it has no time, no latitude or no longitude."""
    found: dict[str, tuple[str, str]] = {}
    for dimension in map(str, data[name].dims):
        for kind in ("time", "latitude", "longitude"):
            coordinate = _coordinate(data, dimension, kind)
            if coordinate and kind not in found:
                found[kind] = (coordinate, dimension)
                break
    if len(found) < 3:
        return None
    time, lat, lon = (found[kind] for kind in ("time", "latitude", "longitude"))
    dimensions = (time[1], lat[1], lon[1])
    others = tuple(str(each) for each in data[name].dims if each not in dimensions)
    return Axes((time[0], lat[0], lon[0]), dimensions, others)


def _coordinate(data: "xr.Dataset", dimension: str, kind: str) -> str | None:
    """Return the name of a coordinate of ``kind`` on a dimension; that with the dimension's name if any.

    The time at which a forecast was made is taken only if there is no other.
    """
    own = [dimension] if dimension in data.variables else []
    names = own + [str(each) for each in data.coords if each != dimension]
    names.sort(key=lambda name: data[name].attrs.get("standard_name") == "forecast_reference_time")
    for name in names:
        variable = data[name]
        if variable.dims != (dimension,):
            continue
        if variable.dtype.kind == "M" if kind == "time" else _is_position(variable, kind):
            return name
    return None


def _is_position(variable: "xr.DataArray", kind: str) -> bool:
    """Tell whether a coordinate is a latitude or a longitude.

    None is one with other units, whatever its name. A coordinate called x or y, or marked as an axis only, is
    one if its values can be degrees.
    """
    if variable.dtype.kind not in "fiu" or not in_degrees(variable, kind):
        return False
    name, attributes = str(variable.name).lower(), variable.attrs
    if any(name in names for other, names in NAMES.items() if other != kind):
        return False
    if name in NAMES[kind] or attributes.get("standard_name") == kind or units_of(variable) in UNITS[kind]:
        return True
    letter = LETTERS[kind]
    if name != letter and str(attributes.get("axis", "")).lower() != letter:
        return False
    values = np.asarray(variable.values, float)
    steps = np.diff(values)
    # Numbers of rows and columns, 0, 1, 2, … are no degrees.
    counted = values.size > 1 and values[0] in (0, 1) and (steps == 1).all()
    return bool(not counted and (np.abs(values) <= LIMITS[kind]).all())


def choose_variable(data: "xr.Dataset", variable: str | None, label: str) -> tuple[str, Axes]:
    """Return the variable to read and its axes.

    Raises ``BasinError`` if no variable has the dimensions time, latitude and longitude alone, or several
    have and ``variable`` names none.
    """
    bounds = {str(each.attrs[key]) for each in data.variables.values() for key in ("bounds", "climatology")
              if key in each.attrs}  # fmt: skip
    candidates = {}
    for name in map(str, data.data_vars):
        axes = find_axes(data, name)
        if axes and name not in bounds and data[name].dtype.kind in "fiu":
            candidates[name] = axes
    fit = [name for name, axes in candidates.items() if _beside(data, axes) is None]
    if variable is None and len(fit) == 1 and is_count(data, fit[0]):
        # The number of observations of a variable with more dimensions is not what is meant.
        fit = [name for name in candidates if not is_count(data, name)][:1] or fit
    if variable is None and len(fit) > 1:
        raise BasinError(
            f"{label}: expected one variable with dimensions time, lat and lon, found {', '.join(fit)}; give "
            "the name of one with --variable"
        )
    chosen = variable or next(iter(fit or candidates), None)
    if chosen in candidates:
        axes = candidates[chosen]
        dimension = _beside(data, axes)
        if dimension is not None:
            raise BasinError(f"{label}: {chosen} {_too_many(data, dimension)}")
        return chosen, axes
    raise BasinError(f"{label}: {_why_none(data, variable, fit)}")


def _beside(data: "xr.Dataset", axes: Axes) -> str | None:
    """Return the first dimension beside time, latitude and longitude that has more than one value."""
    return next((each for each in axes.others if data.sizes[each] > 1), None)


def _too_many(data: "xr.Dataset", dimension: str) -> str:
    size = data.sizes[dimension]
    take = f"for example open_dataset(FILE).isel({dimension}=0).to_netcdf(OUT) in xarray"
    if dimension.lower() in ENSEMBLES:
        return (
            f"is an ensemble: its dimension {dimension} has {size} members, expected time, lat and lon "
            f"alone; take one member or their mean, {take}"
        )
    if dimension == "expver":
        return (
            f"has {size} versions (expver), final and preliminary data of ERA5, expected one; join them with "
            "ds.sel(expver=1).combine_first(ds.sel(expver=5)) in xarray"
        )
    return f"has {size} values of {dimension}, expected time, lat and lon alone; take one of them, {take}"


def _why_none(data: "xr.Dataset", variable: str | None, fit: list[str]) -> str:
    """Say why a variable, or the file, has no fields on a grid of latitude and longitude."""
    if variable is not None and variable not in data.data_vars:
        return f"no variable {variable} with dimensions time, lat and lon; found {', '.join(fit) or 'none'}"
    shown = [variable] if variable is not None else [str(name) for name in data.data_vars][:6]
    described = ", ".join(f"{name}({', '.join(map(str, data[name].dims))})" for name in shown) or "none"
    if variable is not None and data[variable].dtype.kind not in "fiu":
        return f"{variable} is of type {data[variable].dtype}, expected numbers; give another variable"
    curved = [
        str(name) for name, each in data.variables.items() if each.ndim == 2 and _is_two_dimensional(name)
    ]
    if curved:
        return (
            f"{' and '.join(curved)} have two dimensions, a curvilinear grid, expected a regular grid; "
            "regrid the file, for example with `cdo remapbil,r360x180 IN OUT`"
        )
    unlike = why_not(data)
    if unlike is not None:
        return unlike
    dimensions = {str(each) for name in shown for each in data[name].dims}
    lacking = [
        kind
        for kind in ("time", "latitude", "longitude")
        if not any(_coordinate(data, dimension, kind) for dimension in dimensions)
    ]
    dates = " (dates need units such as 'days since 1850-01-01')" if lacking[:1] == ["time"] else ""
    return (
        "expected a variable with dimensions time, lat and lon, found "
        f"{described}, with no coordinate of {', '.join(lacking) or 'the three together'}{dates}; name the "
        "coordinates time, lat and lon, with lat and lon in degrees"
    )


def _is_two_dimensional(name: object) -> bool:
    return any(str(name).lower() in names or str(name).lower().endswith("lat") for names in NAMES.values())


def months_of(data: "xr.Dataset", coordinate: str, label: str, notes: list[str]) -> np.ndarray:
    """Return the month of each field, that in which the middle of its bounds lies if time has bounds."""
    times = data[coordinate]
    values = times.values.astype("datetime64[s]")
    months = values.astype("datetime64[M]")
    if not months.size:
        raise BasinError(f"{label}: time has no values; give a file with monthly fields")
    if np.isnat(months).any():
        raise BasinError(
            f"{label}: {int(np.isnat(months).sum())} of {months.size} values of {coordinate} are missing, "
            "expected a date for every field; correct them"
        )
    bounds = data.get(times.attrs.get("bounds", times.attrs.get("climatology")))
    if bounds is None or bounds.dtype.kind != "M" or bounds.shape != (months.size, 2):
        return months
    ends = bounds.values.astype("datetime64[s]")
    middle = (ends[:, 0] + (ends[:, 1] - ends[:, 0]) // 2).astype("datetime64[M]")
    long = (ends[:, 1] - ends[:, 0]).astype(int) > 62 * 86400  # such as a mean over thirty Januaries
    if np.isnat(middle).any() or long.any() or (middle == months).all():
        return months
    notes.append(
        f"{coordinate} lies outside its bounds' month: a field of {values[0].astype('datetime64[D]')} is of "
        f"the month {middle[0]}, the middle of {bounds.name}"
    )
    return middle


def in_order(months: np.ndarray, time: str, label: str, notes: list[str]) -> np.ndarray | None:
    """Return the order that sorts the months along the dimension ``time``, or None if they are sorted.

    Raises ``BasinError`` if a month is missing or occurs twice.
    """
    order = np.argsort(months, kind="stable")
    ordered = months[order]
    steps = np.diff(ordered).astype(int)
    if (steps == 0).any():
        again = np.unique(ordered[1:][steps == 0])
        if len(months) > 2 * len(np.unique(months)):
            raise BasinError(
                f"{label}: {int((ordered == again[0]).sum())} fields in {again[0]}, expected one for each "
                "month; average them to months, for example with `cdo monmean IN OUT`"
            )
        raise BasinError(
            f"{label}: more than one field for {', '.join(map(str, again[:3]))} ({len(again)} months), "
            "expected one for each month; keep one of each, for example open_dataset(FILE)."
            f'drop_duplicates("{time}").to_netcdf(OUT) in xarray'
        )
    if (steps > 1).any():
        absent = np.setdiff1d(np.arange(ordered[0], ordered[-1] + 1), ordered)
        raise BasinError(
            f"{label}: {_named(absent)} missing ({len(absent)} of {len(absent) + len(months)} months from "
            f"{ordered[0]} to {ordered[-1]}), expected every month; add the fields, or fields of NaN if they "
            f'are not known, for example open_dataset(FILE).resample({time}="MS").mean().to_netcdf(OUT) '
            "in xarray"
        )
    if (order == np.arange(len(order))).all():
        return None
    notes.append("the fields were not in order of time and are sorted")
    return order


def _named(months: np.ndarray) -> str:
    names = ", ".join(map(str, months[:3])) + (", ..." if len(months) > 3 else "")
    return f"{names} {'is' if len(months) == 1 else 'are'}"
