"""Monthly fields of a NetCDF file or Zarr folder, read in blocks so that memory stays the same."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.fields.audit import check_medians, possible
from tasks.fields.axes import Axes, choose_variable, in_order, months_of
from tasks.fields.lone_values import HISTORY, lone_values
from tasks.fields.positions import check_positions
from tasks.runtime.errors import BasinError
from tasks.sources.declared import NOTHING, Declared, declared
from tasks.sources.netcdf import NOTES, open_dataset

if TYPE_CHECKING:
    import xarray as xr

OFTEN = 0.95
"""A cell is used if it has a value in at least this share of the months."""

FEWEST_MONTHS = 240
MOST_CELLS = 5_000
BLOCK = 480
"""Largest number of months read at once."""

BLOCK_VALUES = 20_000_000
"""Number of values read at once, on grids so large that ``BLOCK`` months would be more."""


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
    """Open data with one field for each month, without missing months."""

    label: str
    """Name of the data in messages."""
    name: str
    units: str
    months: np.ndarray
    """Consecutive months, ``datetime64[M]``."""
    lat: np.ndarray
    lon: np.ndarray
    notes: tuple[str, ...]
    """Sentences on what was done to read the file."""
    _variable: Any
    _limits: tuple[float, float] = (-np.inf, np.inf)
    """Values outside of these are flags or impossible, and are read as missing."""
    _declared: Declared = NOTHING
    standard_name: str = ""
    """Standard name of the variable by the CF conventions, if the file has one."""

    def until(self, month: np.datetime64 | None) -> "Fields":
        """Return the fields up to and including ``month``."""
        return self if month is None else replace(self, months=self.months[: self.position(month) + 1])

    @property
    def span(self) -> str:
        return f"{self.months[0]} to {self.months[-1]}"

    def position(self, month: np.datetime64) -> int:
        """Return the row of a month, or raise ``BasinError`` if the file does not have it."""
        if not self.months[0] <= month <= self.months[-1]:
            raise BasinError(f"{self.label}: no month {month}; give a month from {self.span}")
        return int((month - self.months[0]).astype(int))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read the rows from ``start`` to before ``stop`` as float64 ``(n, lat, lon)``, NaN where missing."""
        values = self._decoded(start, stop)
        values[self._declared.missing(values)] = np.nan
        if np.isinf(values).any():
            raise BasinError(f"{self.label}: {self.name} has infinite values; write missing values as NaN")
        values[(values < self._limits[0]) | (values > self._limits[1])] = np.nan
        return values

    def _decoded(self, start: int, stop: int) -> np.ndarray:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of xarray, on the decoding of integers
                values = np.asarray(self._variable[start:stop].values, dtype=np.float64)
        except Exception as error:  # the errors of a damaged chunk depend on its compression library
            reason = " ".join(str(error).split())[:200]
            raise BasinError(
                f"{self.label}: the fields {start} to {stop} cannot be read ({reason}); get the file again"
            ) from error
        return values

    def month(self, month: np.datetime64) -> np.ndarray:
        """Return the field of a month, ``(lat, lon)``."""
        at = self.position(month)
        return self.read(at, at + 1)[0]

    def blocks(self, before: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        """Yield all rows in blocks ``(first row, values)``, each with the ``before`` rows that precede it."""
        for start, stop in self._parts():
            first = max(0, start - before)
            yield first, self.read(first, stop)

    def _parts(self) -> Iterator[tuple[int, int]]:
        block = int(np.clip(BLOCK_VALUES // (len(self.lat) * len(self.lon)), 12, BLOCK))
        for start in range(0, len(self.months), block):
            yield start, min(start + block, len(self.months))

    def checked(self, notes: list[str]) -> "Fields":
        """Return the fields with flags and impossible values as missing, and with ``notes`` on the reading.

        Raises ``BasinError`` if the grid is too large, if there is no value or if the unit changes.
        """
        self._check_size()
        missing = self._declared.notes((self._decoded(*part) for part in self._parts()), self.name)
        low, high, found = possible((values for _, values in self.blocks()), self.name)
        fields = replace(self, notes=(*notes, *missing, *found), _limits=(low, high))
        medians, counts = np.full(len(self.months), np.nan), np.zeros(len(self.months))
        for first, values in fields.blocks():
            cells = values.reshape(len(values), -1)
            count = np.isfinite(cells).sum(axis=1)
            counts[first : first + len(cells)] = count
            some = count > 0
            medians[first : first + len(cells)][some] = np.nanmedian(cells[some], axis=1)
        if not counts.any():
            raise BasinError(
                f"{self.label}: {self.name} has no values: all {self._variable.size:,} are missing, expected "
                "monthly fields; give another variable, region or file"
            )
        check_medians(
            np.where(counts >= counts.max() / 2, medians, np.nan), self.months, self.name, self.label
        )
        alone = lone_values(fields.blocks(HISTORY), self.months, self.lat, self.lon, self.name)
        return replace(fields, notes=(*fields.notes, *alone))

    def _check_size(self) -> None:
        """Refuse a large grid by a few months, before all of the file is read."""
        rows = np.unique(np.linspace(0, len(self.months) - 1, 12).astype(int))
        values = np.concatenate([self.read(row, row + 1) for row in rows])
        low, high, _ = possible(iter([values]), self.name)
        cells = int(((values >= low) & (values <= high)).all(axis=0).sum())
        if cells > MOST_CELLS:
            raise BasinError(self._too_large(cells))

    def _too_large(self, cells: int) -> str:
        return (
            f"{self.label}: {cells:,} cells with values, expected at most {MOST_CELLS:,}; take a region or a "
            "coarser grid, for example with `cdo sellonlatbox` or `cdo remapcon`"
        )

    def used(self) -> Grid:
        """Return the grid with a mask of the cells in use.

        They have values in at least ``OFTEN`` of the months, and not always the same value.
        """
        shape = (len(self.lat), len(self.lon))
        seen, least, most = np.zeros(shape), np.full(shape, np.inf), np.full(shape, -np.inf)
        for _, values in self.blocks():
            seen += np.isfinite(values).sum(axis=0)
            least, most = np.fmin(least, np.fmin.reduce(values)), np.fmax(most, np.fmax.reduce(values))
        mask = (seen >= OFTEN * len(self.months)) & (least < most)
        if mask.sum() < 2:
            raise BasinError(
                f"{self.label}: {int(mask.sum())} cells of {self.name} vary and have values in {OFTEN:.0%} "
                "of the "
                "months, expected 2 or more; give a file with fewer gaps, or another --variable"
            )
        if mask.sum() > MOST_CELLS:
            raise BasinError(self._too_large(int(mask.sum())))
        return Grid(self.lat, self.lon, mask)


def open_fields(path: Path, variable: str | None = None) -> Fields:
    """Open a file with monthly fields on a grid of latitude and longitude, or raise ``BasinError``."""
    return fields_of(open_dataset(path), str(path), variable)


def fields_of(data: "xr.Dataset", label: str, variable: str | None = None) -> Fields:
    """Return the monthly fields of a dataset whose times are those of :func:`open_dataset`.

    Names, order and units of the axes may be any that :mod:`tasks.fields.axes` recognises. Other dimensions
    of size 1 are dropped. Flags and impossible values are read as missing.
    """
    name, axes = choose_variable(data, variable, label)
    notes = [*data.attrs[NOTES], *_dropped(data, name, axes)]
    values = data[name].isel(dict.fromkeys(axes.others, 0)).transpose(*axes.dimensions)
    lat, lon = (data[each] for each in axes.coordinates[1:])
    columns = check_positions(lat, lon, label, notes)
    values, lon = (each.isel({axes.dimensions[2]: slice(0, columns)}) for each in (values, lon))
    months = months_of(data, axes.coordinates[0], label, notes)
    order = in_order(months, axes.dimensions[0], label, notes)
    if order is not None:
        values, months = values.isel({axes.dimensions[0]: order}), months[order]
    if len(months) < FEWEST_MONTHS:
        raise BasinError(f"{label}: {len(months)} months, expected at least {FEWEST_MONTHS}; give more years")
    north, east = (np.asarray(each.values, float) for each in (lat, lon))
    units = str(values.attrs.get("units", ""))
    standard = str(values.attrs.get("standard_name", ""))
    fields = Fields(
        label, name, units, months, north, east, (), values,
        _declared=declared(data[name]), standard_name=standard,
    )  # fmt: skip
    return fields.checked(notes)


def _dropped(data: "xr.Dataset", name: str, axes: Axes) -> list[str]:
    """Say which variable and time are read, and which dimensions and coordinates are not used."""
    notes = []
    if len(data.data_vars) > 1:
        notes.append(f"the variable is {name}, the only one with time, lat and lon")
    if axes.coordinates[0] != "time":
        notes.append(f"the time is {axes.coordinates[0]}")
    scalars = [str(each) for each in data[name].coords if not data[name][each].dims]
    others = [
        str(each)
        for each in data[name].coords
        if data[name][each].dims and str(each) not in (*axes.coordinates, *axes.others)
    ]
    left = list(dict.fromkeys([*axes.others, *scalars, *others]))
    if left:
        notes.append(f"not used: {', '.join(f'{each} ({_first(data, each)})' for each in left)}")
    return notes


def _first(data: "xr.Dataset", name: str) -> str:
    """Describe a dimension or coordinate by its value if it has one only."""
    size = data[name].size if name in data.variables else data.sizes[name]
    if size != 1:
        return f"{size} values"
    return f"{data[name].values.ravel()[0]}" if name in data.variables else "one value"
