"""Results of the field model as datasets and tables, which are written atomically as NetCDF and CSV."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.fields.model import FieldModel, Forecast
from tasks.fields.reading import Fields
from tasks.runtime.files import atomic_write
from tasks.runtime.netcdf import attributes, write_netcdf

if TYPE_CHECKING:
    import xarray as xr

CELL_METHODS = {"mean": "realization: mean", "spread": "realization: standard_deviation"}
"""Statistics over members, by variable."""


def forecasts_of(model: FieldModel, forecasts: list[Forecast]) -> "xr.Dataset":
    """Return ``mean``, ``spread`` and ``sample`` of forecasts over init, lead (months), member, lat and lon.

    The fields of a calendar month of any year have no init and no lead.
    """
    parts = [(each.mean, each.samples.std(axis=0), each.samples) for each in forecasts]
    mean, spread, sample = (np.stack(part) for part in zip(*parts, strict=True))
    months = [each.month for each in forecasts if each.month is not None]
    if not months:
        columns = {"mean": ((), mean[0]), "spread": ((), spread[0]), "sample": (("member",), sample[0])}
        return _dataset(model, columns, {})
    leads = [each.lead for each in forecasts]
    columns = {
        "mean": (("init", "lead"), mean[None]),
        "spread": (("init", "lead"), spread[None]),
        "sample": (("init", "lead", "member"), sample[None]),
    }
    coordinates = {
        "init": [_day(months[0] - leads[0])],
        "lead": leads,
        "valid_time": (("init", "lead"), [[_day(month) for month in months]]),
    }
    return _dataset(model, columns, coordinates)


def filled_of(model: FieldModel, fields: Fields, month: np.datetime64, noise: float) -> "xr.Dataset":
    """Return the ``filled`` field of a month and its ``spread``."""
    filled, spread = model.fill(fields.month(month)[model.grid.mask], month, noise)
    return _dataset(model, {"filled": ((), filled), "spread": ((), spread)}, {"time": _day(month)})


def energies_of(model: FieldModel, fields: Fields) -> list[tuple[str, float, float]]:
    """Return ``(month, energy, share)`` of the months without gaps.

    The share is that of the months of the fit with at least that energy.
    """
    energies, rarer = model.energies(fields)
    return [
        (str(month), float(energy), float(share))
        for month, energy, share in zip(fields.months, energies, rarer, strict=True)
        if np.isfinite(energy)
    ]


def write_forecasts(model: FieldModel, forecasts: list[Forecast], out: Path) -> None:
    """Write forecasts as NetCDF."""
    _write(model, forecasts_of(model, forecasts), out)


def write_filled(model: FieldModel, fields: Fields, month: np.datetime64, noise: float, out: Path) -> int:
    """Write the filled field of a month as NetCDF, and return the number of filled cells."""
    _write(model, filled_of(model, fields, month, noise), out)
    return model.missing(fields, month)


def _day(month: np.datetime64) -> np.datetime64:
    """Return the first day of a month, which dates its field."""
    return month.astype("M8[M]").astype("M8[ns]")


def write_energies(model: FieldModel, fields: Fields, out: Path) -> list[tuple[str, float, float]]:
    """Write the energies of all months as CSV, and return the rows."""
    rows = energies_of(model, fields)
    with atomic_write(out) as (temporary,):
        lines = [f"{month},{energy:.4f},{share:.4f}\n" for month, energy, share in rows]
        temporary.write_text("month,energy,share_as_high\n" + "".join(lines), encoding="utf-8")
    return rows


def _dataset(model: FieldModel, columns: dict[str, Any], coordinates: dict[str, Any]) -> "xr.Dataset":
    """Return columns of cells over the dimensions given with them, and over lat and lon."""
    import xarray as xr

    standard = {"standard_name": model.standard_name} if model.standard_name else {}
    variables = {}
    for name, (dimensions, values) in columns.items():
        about = attributes(model.units, long_name=f"{name} of {model.name}", **standard)
        if name in CELL_METHODS:
            about["cell_methods"] = CELL_METHODS[name]
        variables[name] = ((*dimensions, "lat", "lon"), model.grid.spread(values).astype("f4"), about)
    if "sample" in columns:
        coordinates = {**coordinates, "member": np.arange(1, columns["sample"][1].shape[-2] + 1)}
    return xr.Dataset(
        variables,
        {"lat": model.grid.lat, "lon": model.grid.lon, **coordinates},
        {"source": f"basin, a model of {model.name} fitted on {model.first} to {model.last}"},
    )


def _write(model: FieldModel, data: "xr.Dataset", out: Path) -> None:
    with atomic_write(out) as (temporary,):
        write_netcdf(temporary, data, "month", f"fields of {model.name}")
