"""Checks of latitudes and longitudes: their units, their order, and that they are no rows and columns."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    import xarray as xr

NAMES = {
    "latitude": ("lat", "latitude", "lats", "nav_lat"),
    "longitude": ("lon", "longitude", "lons", "long", "nav_lon"),
}
UNITS = {
    "latitude": ("degreesnorth", "degreenorth", "degreen", "degreesn"),
    "longitude": ("degreeseast", "degreeeast", "degreee", "degreese"),
}
EITHER = ("degrees", "degree", "deg", "degs", "°")
"""Units, in lower case and without blanks and underscores, of both."""

NO_UNITS = ("", "1", "none", "unknown")

ROTATED = ("grid_latitude", "grid_longitude")
"""Standard names of the coordinates of a rotated pole."""

SAME = 1e-4
"""Degrees up to which longitudes are equal. Single precision rounds them by up to 2e-5 degrees."""

REMEDY = "to_netcdf(OUT) in xarray"


def units_of(variable: "xr.DataArray") -> str:
    """Return the units in lower case, without blanks and underscores, and empty if there are none."""
    units = "".join(str(variable.attrs.get("units", "")).lower().replace("_", " ").split())
    return "" if units in NO_UNITS else units


def in_degrees(variable: "xr.DataArray", kind: str) -> bool:
    """Tell whether the units and the standard name allow degrees of latitude or longitude."""
    standard = str(variable.attrs.get("standard_name", ""))
    if standard.startswith(("grid_", "projection_")):
        return False
    return units_of(variable) in ("", *EITHER, *UNITS[kind])


def why_not(data: "xr.Dataset") -> str | None:
    """Say which coordinate is no latitude or longitude in spite of its name or axis, and what to do."""
    for name, variable in data.coords.items():
        standard = str(variable.attrs.get("standard_name", ""))
        if standard in ROTATED:
            return (
                f"{name} is a {standard}, of a rotated pole, expected true latitude and longitude; regrid "
                "the file, for example with `cdo remapbil,r360x180 IN OUT`"
            )
        for kind, names in NAMES.items():
            named = str(name).lower() in names or standard == kind
            if named and variable.ndim == 1 and not in_degrees(variable, kind):
                toward = "north" if kind == "latitude" else "east"
                return (
                    f"{name} has the units {variable.attrs.get('units')!r}, expected degrees_{toward}; "
                    "convert its values to degrees, and correct its units"
                )
    return None


def check_positions(lat: "xr.DataArray", lon: "xr.DataArray", label: str, notes: list[str]) -> int:
    """Return the number of different longitudes, one less than in the file if the last repeats the first.

    Raises ``BasinError`` if a value is out of range, if latitudes or longitudes are out of order or occur
    twice, or if they seem to be numbers of rows and columns.
    """
    north, east = (np.asarray(each.values, float) for each in (lat, lon))
    if not (np.isfinite(north).all() and np.isfinite(east).all() and (np.abs(north) <= 90).all()):
        raise BasinError(f"{label}: expected finite lat and lon in degrees, lat within ±90; correct them")
    if _are_counts(lat, north, "latitude") and _are_counts(lon, east, "longitude"):
        raise BasinError(
            f"{label}: {lat.name} and {lon.name} have no units and the values {_shown(north)} and "
            f"{_shown(east)}, which may be rows and columns, expected degrees; give them the units "
            "degrees_north and degrees_east if they are degrees"
        )
    small = np.abs(north).max(initial=0) <= np.pi / 2 and np.abs(east).max(initial=0) <= 2 * np.pi
    if small and not units_of(lat) and not units_of(lon):
        notes.append(
            f"{lat.name} and {lon.name} have no units and could be radians; they are read as degrees"
        )
    steps = np.diff(north)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise BasinError(_disorder(label, lat, north, "rise or fall from each to the next"))
    around = np.diff(east) % 360
    total = float(around.sum())
    if total > 360 + SAME:  # to the west
        around = 360 - around
        total = float(around.sum())
    if total > 360 + SAME or (np.minimum(around, 360 - around) < SAME).any():
        raise BasinError(_disorder(label, lon, east, "run once around the earth without repeating"))
    if len(east) < 3 or total < 360 - SAME:
        return len(east)
    notes.append(f"{lon.name} {east[-1]:g} repeats {east[0]:g} and is not used")
    return len(east) - 1


def _are_counts(variable: "xr.DataArray", values: np.ndarray, kind: str) -> bool:
    """Tell whether values without units can be numbers of rows or columns, or distances from the first.

    They are 0, 1, 2, … or ½, 1½, 2½, … in any direction. If the name does not say latitude or longitude, they
    may also be multiples of another step.
    """
    if len(values) < 2 or units_of(variable) or variable.attrs.get("standard_name") == kind:
        return False
    steps = np.diff(values)
    step = abs(float(steps[0]))
    if step == 0 or not np.allclose(steps, steps[0]):
        return False
    named = str(variable.name).lower() in NAMES[kind]
    return (step == 1 or not named) and float(values.min()) / step in (0.0, 0.5, 1.0)


def _disorder(label: str, variable: "xr.DataArray", values: np.ndarray, expected: str) -> str:
    name = str(variable.name)
    return (
        f"{label}: the values of {name}, {_shown(values)}, are out of order or repeat, expected values "
        f"that {expected}; "
        f'sort them, for example open_dataset(FILE).drop_duplicates("{name}").sortby("{name}").{REMEDY}'
    )


def _shown(values: np.ndarray) -> str:
    return ", ".join(f"{each:g}" for each in values[:5]) + (", ..." if len(values) > 5 else "")
