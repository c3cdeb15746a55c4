"""Monthly fields of a NetCDF or Zarr file, read in blocks so that memory does not grow with the file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tasks.runtime.errors import BasinError

OFTEN = 0.95
"""A cell is used if it has a value in at least this share of the months."""

FEWEST_MONTHS = 240
MOST_CELLS = 5_000
BLOCK = 480
"""Number of months read at once."""


@dataclass(frozen=True)
class Grid:
    """Latitudes and longitudes in degrees, and ``mask`` ``(lat, lon)``, which is true for cells in use."""

    lat: np.ndarray
    lon: np.ndarray
    mask: np.ndarray

    @property
    def area(self) -> np.ndarray:
        """Relative area cos(latitude) of each cell ``(cells,)``, with mean 1."""
        weights = np.broadcast_to(np.cos(np.deg2rad(self.lat))[:, None], self.mask.shape)[self.mask]
        return weights / weights.mean()

    def spread(self, cells: np.ndarray) -> np.ndarray:
        """Put cells ``(…, cells)`` on the grid ``(…, lat, lon)``, with NaN outside the mask."""
        whole = np.full((*cells.shape[:-1], *self.mask.shape), np.nan)
        whole[..., self.mask] = cells
        return whole


@dataclass(frozen=True)
class Fields:
    """Open file with one field for each month, without missing months."""

    path: Path
    name: str
    units: str
    months: np.ndarray
    """Consecutive months, ``datetime64[M]``."""
    lat: np.ndarray
    lon: np.ndarray
    _variable: Any

    def until(self, month: np.datetime64 | None) -> "Fields":
        """Return the fields up to and including ``month``."""
        return self if month is None else replace(self, months=self.months[: self.position(month) + 1])

    @property
    def span(self) -> str:
        return f"{self.months[0]} to {self.months[-1]}"

    def position(self, month: np.datetime64) -> int:
        """Return the row of a month, or raise ``BasinError`` if the file does not have it."""
        if not self.months[0] <= month <= self.months[-1]:
            raise BasinError(f"{self.path}: no month {month}; give a month from {self.span}")
        return int((month - self.months[0]).astype(int))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read the rows from ``start`` to before ``stop`` as float64 ``(n, lat, lon)``, NaN where missing."""
        try:
            values = np.asarray(self._variable[start:stop].values, dtype=np.float64)
        except Exception as error:  # the errors of a damaged chunk depend on its compression library
            reason = " ".join(str(error).split())[:200]
            raise BasinError(
                f"{self.path}: the fields {start} to {stop} cannot be read ({reason}); get the file again"
            ) from error
        if np.isinf(values).any():
            raise BasinError(f"{self.path}: {self.name} has infinite values; write missing values as NaN")
        return values

    def month(self, month: np.datetime64) -> np.ndarray:
        """Return the field of a month, ``(lat, lon)``."""
        at = self.position(month)
        return self.read(at, at + 1)[0]

    def blocks(self, before: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        """Yield all rows in blocks ``(first row, values)``, each with the ``before`` rows that precede it."""
        for start in range(0, len(self.months), BLOCK):
            first = max(0, start - before)
            yield first, self.read(first, min(start + BLOCK, len(self.months)))

    def used(self) -> Grid:
        """Return the grid with a mask of the cells that have values in at least ``OFTEN`` of the months."""
        seen = np.zeros((len(self.lat), len(self.lon)))
        for _, values in self.blocks():
            seen += np.isfinite(values).sum(axis=0)
        mask = seen >= OFTEN * len(self.months)
        if mask.sum() < 2:
            raise BasinError(
                f"{self.path}: no cell of {self.name} has values in {OFTEN:.0%} of the months; "
                "give a file with fewer gaps"
            )
        if mask.sum() > MOST_CELLS:
            raise BasinError(
                f"{self.path}: {mask.sum():,} cells, expected at most {MOST_CELLS:,}; take a region or a "
                "coarser grid"
            )
        return Grid(self.lat, self.lon, mask)


def open_fields(path: Path, variable: str | None = None) -> Fields:
    """Open a NetCDF or Zarr file with the dimensions time, lat and lon, or raise ``BasinError``."""
    import pandas as pd
    import xarray as xr

    if not path.exists():
        raise BasinError(f"no file {path}; give a NetCDF file or Zarr folder with time, lat and lon")
    try:
        store = {"engine": "zarr", "consolidated": False} if path.is_dir() else {"engine": "h5netcdf"}
        # In seconds, because times in nanoseconds end in 2262.
        data = xr.open_dataset(path, decode_times=xr.coders.CFDatetimeCoder(time_unit="s"), **store)
    except Exception as error:  # the type of the error depends on the backend
        raise BasinError(
            f"{path} cannot be read as {'Zarr' if path.is_dir() else 'NetCDF 4'} "
            f"({' '.join(str(error).split())[:160]}); give a NetCDF 4 file or a Zarr folder"
        ) from error
    data = data.rename(
        {long: short for long, short in (("latitude", "lat"), ("longitude", "lon")) if long in data.variables}
    )
    fit = [str(name) for name, values in data.data_vars.items() if set(values.dims) == {"time", "lat", "lon"}]
    if variable is None and len(fit) != 1:
        found = ", ".join(fit) or "none"
        raise BasinError(
            f"{path}: expected one variable with dimensions time, lat and lon, found {found}; give the name "
            "of one with --variable"
        )
    name = variable or fit[0]
    if name not in fit:
        raise BasinError(
            f"{path}: no variable {name} with dimensions time, lat and lon; found {', '.join(fit) or 'none'}"
        )
    values = data[name].transpose("time", "lat", "lon")
    if values.dtype.kind not in "fiu":
        raise BasinError(f"{path}: {name} is of type {values.dtype}, expected numbers; give another variable")
    lat, lon = np.asarray(data["lat"].values, float), np.asarray(data["lon"].values, float)
    if not (np.isfinite(lat).all() and np.isfinite(lon).all() and (np.abs(lat) <= 90).all()):
        raise BasinError(f"{path}: expected finite lat and lon in degrees, lat within ±90; correct them")
    if not data["time"].size:
        raise BasinError(f"{path}: time has no values; give a file with at least {FEWEST_MONTHS} months")
    try:
        months = pd.DatetimeIndex(data["time"].values).to_period("M").to_numpy(dtype="datetime64[M]")
    except (TypeError, ValueError) as error:
        raise BasinError(
            f"{path}: time is not in the standard calendar ({error}); convert it to that calendar"
        ) from error
    steps = np.diff(months).astype(int)
    if (steps != 1).any():
        at = int(np.flatnonzero(steps != 1)[0])
        raise BasinError(
            f"{path}: {months[at + 1]} follows {months[at]}; expected one field for every month, in order; "
            "add missing months with NaN values"
        )
    if len(months) < FEWEST_MONTHS:
        raise BasinError(f"{path}: {len(months)} months, expected at least {FEWEST_MONTHS}; give more years")
    return Fields(path, name, str(values.attrs.get("units", "")), months, lat, lon, values)
