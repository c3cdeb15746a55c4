"""Results of the field model, written atomically as NetCDF and CSV."""

from pathlib import Path
from typing import Any

import numpy as np

from tasks.fields.model import FieldModel, Forecast
from tasks.fields.reading import Fields
from tasks.runtime.files import atomic_write
from tasks.runtime.netcdf import attributes, write_netcdf

CELL_METHODS = {"mean": "realization: mean", "spread": "realization: standard_deviation"}
"""Statistics over members, by variable."""


def write_forecasts(model: FieldModel, forecasts: list[Forecast], out: Path) -> None:
    """Write ``mean``, ``spread`` and ``sample`` of forecasts over init, lead (months), member, lat and lon.

    The fields of a calendar month of any year have no init and no lead.
    """
    parts = [(each.mean, each.samples.std(axis=0), each.samples) for each in forecasts]
    mean, spread, sample = (np.stack(part) for part in zip(*parts, strict=True))
    months = [each.month for each in forecasts if each.month is not None]
    if not months:
        _write(
            model,
            {"mean": ((), mean[0]), "spread": ((), spread[0]), "sample": (("member",), sample[0])},
            {},
            out,
        )
        return
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
    _write(model, columns, coordinates, out)


def write_filled(model: FieldModel, fields: Fields, month: np.datetime64, noise: float, out: Path) -> int:
    """Write the ``filled`` field of a month and its ``spread``, and return the number of filled cells."""
    seen = fields.month(month)[model.grid.mask]
    filled, spread = model.fill(seen, month, noise)
    _write(model, {"filled": ((), filled), "spread": ((), spread)}, {"time": _day(month)}, out)
    return int((~np.isfinite(seen)).sum())


def _day(month: np.datetime64) -> np.datetime64:
    """Return the first day of a month, which dates its field."""
    return month.astype("M8[M]").astype("M8[ns]")


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
    """Write columns of cells over the dimensions given with them, and over lat and lon."""
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
    data = xr.Dataset(
        variables,
        {"lat": model.grid.lat, "lon": model.grid.lon, **coordinates},
        {"source": f"basin, a model of {model.name} fitted on {model.first} to {model.last}"},
    )
    with atomic_write(out) as (temporary,):
        write_netcdf(temporary, data, "month", f"fields of {model.name}")
