"""Results of the field model, written atomically as NetCDF and CSV."""

from pathlib import Path
from typing import Any

import numpy as np

from tasks.fields.model import FieldModel, Forecast
from tasks.fields.reading import Fields
from tasks.runtime.files import atomic_write


def write_forecasts(model: FieldModel, forecasts: list[Forecast], out: Path) -> None:
    """Write ``mean``, ``spread`` and ``sample`` of forecasts over lead (months), draw, lat and lon."""
    spread = np.stack([forecast.samples.std(axis=0) for forecast in forecasts])
    columns = {
        "mean": (("lead", "lat", "lon"), np.stack([forecast.mean for forecast in forecasts])),
        "spread": (("lead", "lat", "lon"), spread),
        "sample": (("lead", "draw", "lat", "lon"), np.stack([forecast.samples for forecast in forecasts])),
    }
    months = [str(forecast.month) for forecast in forecasts if forecast.month is not None]
    coordinates: dict[str, Any] = {"lead": [forecast.lead for forecast in forecasts]}
    coordinates |= {"month": ("lead", months)} if months else {}
    _write(model, columns, coordinates, out)


def write_filled(model: FieldModel, fields: Fields, month: np.datetime64, noise: float, out: Path) -> int:
    """Write the ``filled`` field of a month and its ``spread``, and return the number of filled cells."""
    seen = fields.month(month)[model.grid.mask]
    filled, spread = model.fill(seen, month, noise)
    columns = {"filled": (("lat", "lon"), filled), "spread": (("lat", "lon"), spread)}
    _write(model, columns, {"month": str(month)}, out)
    return int((~np.isfinite(seen)).sum())


def write_energies(model: FieldModel, fields: Fields, out: Path) -> list[tuple[str, float, float]]:
    """Write a CSV of month, energy and share of the months of the fit with at least that energy.

    Returns the rows.
    """
    energies, rarer = model.energies(fields)
    rows = [
        (str(month), float(energy), float(share))
        for month, energy, share in zip(fields.months, energies, rarer, strict=True)
        if np.isfinite(energy)
    ]
    with atomic_write(out) as (temporary,):
        lines = [f"{month},{energy:.4f},{share:.4f}\n" for month, energy, share in rows]
        temporary.write_text("month,energy,share_as_high\n" + "".join(lines), encoding="utf-8")
    return rows


def _write(model: FieldModel, columns: dict[str, Any], coordinates: dict[str, Any], out: Path) -> None:
    import xarray as xr

    attributes = {"units": model.units, "of": model.name}
    data = xr.Dataset(
        {
            name: (dimensions, model.grid.spread(np.asarray(values)).astype("f4"), attributes)
            for name, (dimensions, values) in columns.items()
        },
        {"lat": model.grid.lat, "lon": model.grid.lon, **coordinates},
        {"source": f"basin, a model of {model.name} fitted on {model.first} to {model.last}"},
    )
    with atomic_write(out) as (temporary,):
        data.to_netcdf(temporary, engine="h5netcdf")
