"""Opening of NetCDF files of every flavour and of Zarr folders, with their times as ``datetime64[s]``."""

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    import xarray as xr

NOTES = "basin_notes"
"""Attribute of the dataset with sentences on what was done to read the file."""

CALENDAR = "basin_calendar"
"""Attribute of times with the name of the calendar that they had in the file."""

LONG_MONTHS = ("360_day", "all_leap")
"""Calendars with days that the standard one does not have, such as 30 February."""

OTHER_FORMATS = {
    b"GRIB": ("is GRIB", "convert it, e.g. with `cdo -f nc copy IN OUT`"),
    b"\x1f\x8b": ("is packed with gzip", "unpack it with `gunzip`"),
    b"PK\x03\x04": ("is a zip archive", "unpack it and give the file inside"),
    b"CDF\x05": ("is NetCDF-3 with 64-bit data", "convert it with `nccopy -k nc4 IN OUT`"),
    b"\x0e\x03\x13\x01": ("is HDF4", "convert it to NetCDF 4"),
}
"""First bytes of files that are often mistaken for NetCDF or cannot be read, what they are and a remedy."""

CALENDARS = (
    "standard",
    "gregorian",
    "proleptic_gregorian",
    "julian",
    "noleap",
    "365_day",
    "all_leap",
    "366_day",
    "360_day",
)
"""Calendars of the CF conventions."""

ALIASES = {"360": "360_day", "365_day": "noleap", "366_day": "all_leap"}

SECONDS = {
    **dict.fromkeys(("millisecond", "milliseconds", "msec", "ms"), 1e-3),
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), 1.0),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), 60.0),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), 3600.0),
    **dict.fromkeys(("day", "days", "d"), 86400.0),
    **dict.fromkeys(("week", "weeks"), 7 * 86400.0),
}
MONTHS = {"month": 1, "months": 1, "year": 12, "years": 12}

SINCE = re.compile(
    r"\s*(?P<unit>\w+)\s+since\s+(?P<year>-?\d{1,6})[-/](?P<month>\d{1,2})(?:[-/](?P<day>\d{1,2}))?"
    r"(?:[T\s]+(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}(?:\.\d*)?))?)?)?"
    r"\s*(?:Z|UTC|GMT|(?P<zone>[+-]\d{1,2})(?::?(?P<zone_minute>\d{2}))?)?\s*",
    re.IGNORECASE,
)
TIME_NAMES = ("time", "t", "date", "dates", "valid_time", "month", "months", "year")
"""Names, in lower case, of coordinates that may hold dates as numbers such as 195001 or 1950.04."""


def open_dataset(path: Path) -> "xr.Dataset":
    """Open a NetCDF-3 or NetCDF-4 file or a Zarr folder, lazily, by its content and not its name.

    Times are ``datetime64[s]``, whatever their unit (also months and years) and calendar. Dates of other
    calendars, such as noleap and 360_day, become the same month and day of the standard calendar, or the last
    day of the month, or, if two dates would then be one, the same part of the month. The attribute
    ``basin_calendar`` of times names their calendar, and ``dataset.attrs["basin_notes"]`` is a list of
    sentences on what was done. Raises ``BasinError`` if the file or its times cannot be read.
    """
    return with_times(_opened(path), str(path))


def with_times(data: "xr.Dataset", label: str) -> "xr.Dataset":
    """Return a dataset with its times as ``datetime64``, in the same way as :func:`open_dataset`."""
    notes: list[str] = []
    data = data.copy()
    bounds = _bounds_of_times(data)
    for name in [str(each) for each in data.variables]:
        times = _times(data, name, label, [] if name in bounds else notes)
        if times is not None:
            attributes = {k: v for k, v in data[name].attrs.items() if k not in ("units", "calendar")}
            attributes[CALENDAR] = _calendar(data[name])
            data = data.assign_coords({name: (data[name].dims, times, attributes)})
    return data.assign_attrs({NOTES: notes})


def _opened(path: Path) -> "xr.Dataset":
    import xarray as xr

    if not path.exists():
        raise BasinError(f"no file {path}; give a NetCDF file or a Zarr folder")
    settings: dict[str, Any] = {"decode_times": False, "decode_timedelta": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as two different fill values, which are both masked
            if path.is_dir():
                return xr.open_dataset(path, engine="zarr", consolidated=False, **settings)
            return xr.open_dataset(path, engine=_engine(path), **settings)
    except BasinError:
        raise
    except Exception as error:  # the type of the error depends on the backend
        reason = " ".join(str(error).split())[:160]
        if path.is_dir():
            raise BasinError(
                f"{path} holds no Zarr dataset ({reason}); give the folder that holds .zgroup or zarr.json"
            ) from error
        raise BasinError(f"{path} cannot be read as NetCDF ({reason}); get the file again") from error


def _engine(path: Path) -> Any:
    """Return xarray's engine for a file by its first bytes, or raise ``BasinError`` if there is none."""
    with path.open("rb") as file:
        start = file.read(16)
    if start[:4] in (b"CDF\x01", b"CDF\x02"):
        return "scipy"
    for mark, (what, remedy) in OTHER_FORMATS.items():
        if start.startswith(mark):
            raise BasinError(f"{path} {what}, expected NetCDF; {remedy}")
    if not start:
        raise BasinError(f"{path} is empty, expected NetCDF; get the file again")
    if start.startswith(b"\x89HDF"):
        return "h5netcdf"
    raise BasinError(
        f"{path} cannot be read as NetCDF: it begins with {start!r}; give a NetCDF file or a Zarr folder"
    )


def _bounds_of_times(data: "xr.Dataset") -> set[str]:
    """Return the names of the bounds of times. Bounds without units get those of their times."""
    names = set()
    for times in data.variables.values():
        bounds = times.attrs.get("bounds", times.attrs.get("climatology"))
        if isinstance(bounds, str) and bounds in data and " since " in str(times.attrs.get("units", "")):
            given = {key: times.attrs[key] for key in ("units", "calendar") if key in times.attrs}
            data[bounds].attrs = given | data[bounds].attrs
            names.add(bounds)
    return names


def _calendar(variable: "xr.DataArray") -> str:
    """Return the name of the calendar of times, from their attributes or their type of ``cftime``."""
    if variable.dtype.kind == "O" and variable.size:
        return str(getattr(variable.values.ravel()[0], "calendar", "standard"))
    named = str(variable.attrs.get("calendar", "standard")).strip().lower() or "standard"
    return ALIASES.get(named, named)


def _times(data: "xr.Dataset", name: str, source: str, notes: list[str]) -> np.ndarray | None:
    """Return the times of a variable as ``datetime64[s]``, or None if it holds no times."""
    variable = data[name]
    units = str(variable.attrs.get("units", "")).strip()
    calendar = _calendar(variable)
    label = f"{source}: {name}"
    if re.search(r"\bsince\b", units) and variable.dtype.kind in "fiu":
        return _since(variable.values, units, calendar, label, name, notes)
    if variable.dims != (name,):
        return None
    if variable.dtype.kind == "O" and variable.size and hasattr(variable.values[0], "calendar"):
        return _same_day(variable.values, name, notes)
    if variable.dtype.kind in "OSU":
        return _from_text(variable.values, name, notes)
    if variable.dtype.kind in "fiu" and (" as %Y" in units or name.lower() in TIME_NAMES):
        return _written_out(variable.values, name, notes)
    return None


def _since(
    values: np.ndarray, units: str, calendar: str, label: str, name: str, notes: list[str]
) -> np.ndarray:
    """Decode numbers in a unit of time since a date of ``calendar``."""
    if calendar not in CALENDARS:
        known = ", ".join(CALENDARS)
        raise BasinError(f"{label} has the calendar {calendar!r}, expected one of {known}; correct the file")
    match = SINCE.fullmatch(units)
    unit = match["unit"].lower() if match else ""
    if not match or unit not in SECONDS | MONTHS or not 1 <= int(match["month"]) <= 12:
        raise BasinError(
            f"{label} has the units {units!r}, expected a unit of time since a date, such as 'days since "
            "1850-01-01'; correct the units"
        )
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"] or 1)
    hour, minute, second = (float(match[part] or 0) for part in ("hour", "minute", "second"))
    ahead = 60 * int(match["zone"] or 0) + int((match["zone"] or "+")[0] + (match["zone_minute"] or "0"))
    seconds = 3600 * hour + 60 * (minute - ahead) + second
    numbers = np.asarray(values, dtype=np.float64)
    if unit in MONTHS:
        notes.append(f"{name} is in {units!r}: each value is read as a calendar month")
        return _calendar_months(numbers * MONTHS[unit] + 12 * year + month - 1 + (day - 1) / 31)
    if year == 0 and calendar in ("standard", "gregorian", "julian"):
        notes.append(
            f"{name} counts from the year 0: its dates are those of the proleptic Gregorian calendar"
        )
        calendar = "proleptic_gregorian"
    origin = f"seconds since {year:04d}-{month:02d}-{day:02d}"
    try:
        return _standard(np.rint(numbers * SECONDS[unit] + seconds), origin, calendar, year == 0, name, notes)
    except (ValueError, OverflowError) as error:
        raise BasinError(
            f"{label} has the units {units!r} and values that are no dates of the calendar {calendar} "
            f"({error}); correct the units or the values"
        ) from error


def _standard(
    seconds: np.ndarray, units: str, calendar: str, year_zero: bool, name: str, notes: list[str]
) -> np.ndarray:
    """Convert seconds in a calendar to ``datetime64[s]`` as :func:`_same_day` does; NaN becomes NaT."""
    import cftime

    found = np.full(seconds.shape, np.datetime64("NaT", "s"))
    known = np.isfinite(seconds)
    dates = cftime.num2date(
        seconds[known], units, calendar, only_use_cftime_datetimes=True, has_year_zero=year_zero or None
    )
    if known.any():
        found[known] = _same_day(np.ravel(dates), name, notes)
    return found


def _same_day(dates: np.ndarray, name: str, notes: list[str]) -> np.ndarray:
    """Return dates of ``cftime`` as ``datetime64[s]`` of the same month and day of the standard calendar.

    A day that its month does not have there becomes the last one. If two dates would become one, as with days
    of the calendar 360_day, all keep the part of the month that has passed.
    """
    parts = np.array([(d.year, d.month, d.day, d.hour, d.minute, d.second) for d in dates], int)
    year, month, day, hour, minute, second = parts.T
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(int)
    of_day = 3600 * hour + 60 * minute + second
    found: np.ndarray = months.astype("datetime64[s]") + 86400 * (np.minimum(day, length) - 1) + of_day
    to = "month and day"
    if dates[0].calendar in LONG_MONTHS and len(np.unique(found)) < len(np.unique(dates)):
        passed = 86400 * (day - 1) + of_day
        found = months.astype("datetime64[s]") + passed * length // np.array([d.daysinmonth for d in dates])
        to = "part of the month"
    calendar = dates[0].calendar
    if calendar not in ("standard", "gregorian", "proleptic_gregorian"):
        notes.append(f"{name} has the calendar {calendar}: its dates are mapped to the same {to}")
    return found


def _calendar_months(months: np.ndarray) -> np.ndarray:
    """Convert months since the year 0, with the fraction of the month, to ``datetime64[s]``."""
    kept = np.where(np.isfinite(months), months, 0) + 1e-6  # years in single precision
    whole = np.floor(kept).astype(int)
    dates = (whole - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]")
    dates = (dates + np.floor((kept - whole) * 28).astype(int)).astype("datetime64[s]")
    return np.where(np.isfinite(months), dates, np.datetime64("NaT", "s"))


def _written_out(values: np.ndarray, name: str, notes: list[str]) -> np.ndarray | None:
    """Decode dates written as numbers, 195001, 19500115, 1950 or 1950.04, or return None."""
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size or not np.isfinite(numbers).all():
        return None
    whole = np.floor(numbers).astype(np.int64)
    for form, divisor in (("YYYYMM", 1), ("YYYYMMDD", 100)):
        year, month, day = whole // divisor // 100, whole // divisor % 100, whole % divisor
        dates = (year >= 1000) & (year < 3000) & (month >= 1) & (month <= 12) & (day <= 31)
        if dates.all():
            notes.append(f"{name} is read as dates {form}")
            return _calendar_months(12 * year + month - 1 + np.maximum(day - 1, 0) / 31)
    if not ((numbers >= 1000) & (numbers < 3000)).all():
        return None
    if (numbers == whole).all() and (np.diff(whole) > 0).all():
        notes.append(f"{name} is read as years")
        return _calendar_months(12 * numbers)
    if (numbers != whole).any():
        notes.append(f"{name} is read as years with a decimal fraction")
        return _calendar_months(12 * numbers)
    return None


def _from_text(values: np.ndarray, name: str, notes: list[str]) -> np.ndarray | None:
    """Decode dates written as text, such as 1950-01-15, or return None."""
    import pandas as pd

    text = [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values]
    if not all(re.match(r"\s*\d{4}-?\d{2}", each) for each in text):
        return None
    times = pd.to_datetime(pd.Series(text).str.replace("_", " "), errors="coerce", format="ISO8601")
    if times.isna().any():
        return None
    notes.append(f"{name} is read as dates written as text")
    return times.to_numpy().astype("datetime64[s]")
