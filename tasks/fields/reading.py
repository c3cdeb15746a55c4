"""Monthly fields of a NetCDF or Zarr file, read block by block so that memory does not grow with the file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tasks.runtime.errors import BasinError

OFTEN = 0.95
"""A cell is used where it has a value in at least this share of the months."""

FEWEST_MONTHS = 240
MOST_CELLS = 5_000
BLOCK = 480
"""Months read at a time."""


@dataclass(frozen=True)
class Grid:
    """Latitudes and longitudes in degrees, and ``mask`` ``(lat, lon)``, true where a cell is used."""

    lat: np.ndarray
    lon: np.ndarray
    mask: np.ndarray

    @property
    def area(self) -> np.ndarray:
        """cos(latitude) of each cell, mean 1: ``(cells,)``."""
        weights = np.broadcast_to(np.cos(np.deg2rad(self.lat))[:, None], self.mask.shape)[self.mask]
        return weights / weights.mean()

    def spread(self, cells: np.ndarray) -> np.ndarray:
        """``(…, cells)`` → ``(…, lat, lon)``, NaN outside the mask."""
        whole = np.full((*cells.shape[:-1], *self.mask.shape), np.nan)
        whole[..., self.mask] = cells
        return whole


@dataclass(frozen=True)
class Fields:
    """An open file: one field a month, none missing in between."""

    path: Path
    name: str
    units: str
    months: np.ndarray
    """``datetime64[M]``, ascending by one."""
    lat: np.ndarray
    lon: np.ndarray
    _variable: Any

    def until(self, month: np.datetime64 | None) -> "Fields":
        """The months up to and with ``month``."""
        return self if month is None else replace(self, months=self.months[: self.position(month) + 1])

    @property
    def span(self) -> str:
        return f"{self.months[0]} to {self.months[-1]}"

    def position(self, month: np.datetime64) -> int:
        """Row of a month; raises ``BasinError`` where the file has none."""
        if not self.months[0] <= month <= self.months[-1]:
            raise BasinError(f"{self.path} has {self.span}, not {month}; give a month within")
        return int((month - self.months[0]).astype(int))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows ``start`` to ``stop``, float64 ``(n, lat, lon)``, NaN where nothing was observed."""
        try:
            values = np.asarray(self._variable[start:stop].values, dtype=np.float64)
        except Exception as error:  # damaged chunks raise whatever the library below raises
            reason = " ".join(str(error).split())[:200]
            raise BasinError(f"{self.path}: months {start} to {stop} cannot be read: {reason}") from error
        if np.isinf(values).any():
            raise BasinError(f"{self.path}: {self.name} holds infinite values; mark what is missing as NaN")
        return values

    def month(self, month: np.datetime64) -> np.ndarray:
        """The field of a month, ``(lat, lon)``."""
        at = self.position(month)
        return self.read(at, at + 1)[0]

    def blocks(self, before: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        """``(first, values)``: all rows in blocks, each after the last ``before`` rows of the one ahead."""
        for start in range(0, len(self.months), BLOCK):
            first = max(0, start - before)
            yield first, self.read(first, min(start + BLOCK, len(self.months)))

    def used(self) -> Grid:
        """The grid of the cells that have values often enough."""
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
    """Open NetCDF or Zarr with the dimensions time, lat, lon. Raises ``BasinError`` on anything else."""
    import pandas as pd
    import xarray as xr

    if not path.exists():
        raise BasinError(f"no file {path}; give a NetCDF file or Zarr folder with time, lat and lon")
    try:
        store = {"engine": "zarr", "consolidated": False} if path.is_dir() else {"engine": "h5netcdf"}
        # Seconds, because nanoseconds end in 2262.
        data = xr.open_dataset(path, decode_times=xr.coders.CFDatetimeCoder(time_unit="s"), **store)
    except Exception as error:  # each backend has errors of its own
        raise BasinError(
            f"{path} cannot be read as {'Zarr' if path.is_dir() else 'NetCDF 4'}: "
            f"{' '.join(str(error).split())[:160]}"
        ) from error
    data = data.rename(
        {long: short for long, short in (("latitude", "lat"), ("longitude", "lon")) if long in data.variables}
    )
    fit = [str(name) for name, values in data.data_vars.items() if set(values.dims) == {"time", "lat", "lon"}]
    if variable is None and len(fit) != 1:
        found = ", ".join(fit) or "none"
        raise BasinError(f"{path}: expected one variable over time, lat and lon, found {found}; name it")
    name = variable or fit[0]
    if name not in fit:
        raise BasinError(
            f"{path}: no variable {name} over time, lat and lon; there is {', '.join(fit) or 'none'}"
        )
    values = data[name].transpose("time", "lat", "lon")
    if values.dtype.kind not in "fiu":
        raise BasinError(f"{path}: {name} is {values.dtype}, expected numbers")
    lat, lon = np.asarray(data["lat"].values, float), np.asarray(data["lon"].values, float)
    if not (np.isfinite(lat).all() and np.isfinite(lon).all() and (np.abs(lat) <= 90).all()):
        raise BasinError(f"{path}: lat and lon must be degrees, lat within ±90")
    if not data["time"].size:
        raise BasinError(f"{path}: no months")
    try:
        months = pd.DatetimeIndex(data["time"].values).to_period("M").to_numpy(dtype="datetime64[M]")
    except (TypeError, ValueError) as error:
        raise BasinError(f"{path}: time is not of the standard calendar: {error}") from error
    steps = np.diff(months).astype(int)
    if (steps != 1).any():
        at = int(np.flatnonzero(steps != 1)[0])
        raise BasinError(
            f"{path}: {months[at + 1]} follows {months[at]}; expected one field for every month in order"
        )
    if len(months) < FEWEST_MONTHS:
        raise BasinError(f"{path}: {len(months)} months, expected at least {FEWEST_MONTHS}")
    return Fields(path, name, str(values.attrs.get("units", "")), months, lat, lon, values)
