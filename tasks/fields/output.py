"""Results of the field model as datasets and tables, which are written atomically as NetCDF and CSV."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.fields.model import FieldModel, Forecast
from tasks.fields.reading import Fields
from tasks.runtime.files import atomic_write

if TYPE_CHECKING:
    import xarray as xr


def forecasts_of(model: FieldModel, forecasts: list[Forecast]) -> "xr.Dataset":
    """Return ``mean``, ``spread`` and ``sample`` of forecasts over lead (months), draw, lat and lon."""
    spread = np.stack([forecast.samples.std(axis=0) for forecast in forecasts])
    columns = {
        "mean": (("lead", "lat", "lon"), np.stack([forecast.mean for forecast in forecasts])),
        "spread": (("lead", "lat", "lon"), spread),
        "sample": (("lead", "draw", "lat", "lon"), np.stack([forecast.samples for forecast in forecasts])),
    }
    months = [str(forecast.month) for forecast in forecasts if forecast.month is not None]
    coordinates: dict[str, Any] = {"lead": [forecast.lead for forecast in forecasts]}
    coordinates |= {"month": ("lead", months)} if months else {}
    return _dataset(model, columns, coordinates)


def filled_of(model: FieldModel, fields: Fields, month: np.datetime64, noise: float) -> "xr.Dataset":
    """Return the ``filled`` field of a month and its ``spread``."""
    filled, spread = model.fill(fields.month(month)[model.grid.mask], month, noise)
    columns = {"filled": (("lat", "lon"), filled), "spread": (("lat", "lon"), spread)}
    return _dataset(model, columns, {"month": str(month)})


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
    _write(forecasts_of(model, forecasts), out)


def write_filled(model: FieldModel, fields: Fields, month: np.datetime64, noise: float, out: Path) -> int:
    """Write the filled field of a month as NetCDF, and return the number of filled cells."""
    _write(filled_of(model, fields, month, noise), out)
    return model.missing(fields, month)


def write_energies(model: FieldModel, fields: Fields, out: Path) -> list[tuple[str, float, float]]:
    """Write the energies of all months as CSV, and return the rows."""
    rows = energies_of(model, fields)
    with atomic_write(out) as (temporary,):
        lines = [f"{month},{energy:.4f},{share:.4f}\n" for month, energy, share in rows]
        temporary.write_text("month,energy,share_as_high\n" + "".join(lines), encoding="utf-8")
    return rows


def _dataset(model: FieldModel, columns: dict[str, Any], coordinates: dict[str, Any]) -> "xr.Dataset":
    import xarray as xr

    attributes = {"units": model.units, "of": model.name}
    return xr.Dataset(
        {
            name: (dimensions, model.grid.spread(np.asarray(values)).astype("f4"), attributes)
            for name, (dimensions, values) in columns.items()
        },
        {"lat": model.grid.lat, "lon": model.grid.lon, **coordinates},
        {"source": f"basin, a model of {model.name} fitted on {model.first} to {model.last}"},
    )


def _write(data: "xr.Dataset", out: Path) -> None:
    with atomic_write(out) as (temporary,):
        data.to_netcdf(temporary, engine="h5netcdf")
