"""NetCDF files of forecasts by the CF conventions, with the same bytes for the same numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

CONVENTIONS = "CF-1.8"

COORDINATES: dict[str, dict[str, str]] = {
    "init": {"standard_name": "forecast_reference_time", "long_name": "date of the last value used"},
    "lead": {"standard_name": "forecast_period", "long_name": "lead"},
    "valid_time": {"standard_name": "time", "long_name": "date that is forecast"},
    "time": {"standard_name": "time", "axis": "T"},
    "member": {"standard_name": "realization", "units": "1", "axis": "E"},
    "quantile": {"long_name": "probability of a value up to the quantile", "units": "1"},
    "lat": {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"},
    "lon": {"standard_name": "longitude", "units": "degrees_east", "axis": "X"},
    "series": {"long_name": "series"},
    "model": {"long_name": "model"},
}
"""Attributes of coordinates by name."""

UNITS = {"°C": "degC", "°F": "degF", "°": "degree", "%": "percent"}
"""Units of files and the same units as UDUNITS writes them."""

LEAD_UNITS = {"month": "months", "year": "years", "week": "weeks", "day": "days", "hour": "hours"}
"""Units of a lead in steps, by the period of a frequency. Other periods have none in UDUNITS."""


def attributes(units: str, **others: str) -> dict[str, str]:
    """Return the attributes of a variable. There are no ``units`` if they are not known."""
    return {**({"units": UNITS.get(units, units)} if units else {}), **others}


def write_netcdf(path: Path, data: "xr.Dataset", period: str, title: str) -> None:
    """Write a dataset with the attributes of its coordinates. ``period`` is that of a step of the lead.

    Dates are days since 1900, or minutes if they have a time of day. A coordinate has no fill value, which CF
    forbids, unless it is a table of dates of which some are missing.
    """
    import numpy as np

    for name, known in COORDINATES.items():
        if name in data.coords:
            data[name].attrs.update(known)
    if "lead" in data.coords:
        units = LEAD_UNITS.get(period)
        data["lead"].attrs |= {"units": units} if units else {"units": "1", "long_name": f"lead in {period}s"}
        if not units:
            del data["lead"].attrs["standard_name"]
    # CF-1.8 has no integers of 64 bits.
    encoding: dict[str, dict[str, Any]] = {
        str(name): {"_FillValue": None} | ({"dtype": "i4"} if data[name].dtype.kind == "i" else {})
        for name in data.coords
        if data[name].dtype.kind in "fi"
    }
    for name in (str(each) for each in data.coords if data[each].dtype.kind == "M"):
        times = data[name].values
        known_times = times[~np.isnat(times)]
        daily = bool((known_times == known_times.astype("M8[D]")).all())
        unit = "days" if daily else "minutes"
        fill = {"_FillValue": None} if known_times.size == times.size else {}
        encoding[name] = {"units": f"{unit} since 1900-01-01", "calendar": "standard", "dtype": "f8"} | fill
    data.attrs = {"Conventions": CONVENTIONS, "title": title, "source": "basin", **data.attrs}
    compressed = {"zlib": True, "complevel": 4}
    encoding |= {str(name): compressed for name in data.data_vars if data[name].ndim > 1}
    data.to_netcdf(path, engine="h5netcdf", encoding=encoding)
