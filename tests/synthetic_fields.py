"""Made-up monthly fields: a few travelling patterns, a seasonal cycle, noise, land."""

from pathlib import Path

import numpy as np
import xarray as xr

LAT, LON = np.arange(-20.0, 21, 8), np.arange(160.0, 217, 8)


def write(path: Path, months: int, seed: int = 0, lat: np.ndarray = LAT, lon: np.ndarray = LON) -> Path:
    """NetCDF, or Zarr where the name ends so; land in one corner."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.deg2rad(lat * 4), np.deg2rad(lon * 4), indexing="ij")
    patterns = np.stack([np.cos(y) * np.cos(k * x + k) for k in range(1, 5)])
    state, states = np.zeros(4), []
    for _ in range(months):
        travelled = np.roll(state, 1) * np.array([1, 1, 1, -1])
        state = 0.75 * state + 0.22 * travelled + 0.4 * rng.standard_normal(4)
        states.append(np.tanh(state / 3) * 3)
    cycle = np.cos(2 * np.pi * np.arange(months) / 12)
    values = np.einsum("tk,kij->tij", np.array(states), patterns) + cycle[:, None, None]
    values += 0.2 * rng.standard_normal(values.shape)
    values[:, 0, 0] = np.nan  # land
    time = np.datetime64("1900-01", "M") + np.arange(months)
    data = xr.Dataset(
        {"anomaly": (("time", "lat", "lon"), values.astype("f4"), {"units": "degC"})},
        {"time": time.astype("datetime64[s]"), "lat": lat, "lon": lon},
    )
    if path.suffix == ".zarr":
        data.to_zarr(path, consolidated=False)
    else:
        data.to_netcdf(path, engine="h5netcdf")
    return path
