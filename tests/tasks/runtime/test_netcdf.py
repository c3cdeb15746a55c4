"""NetCDF files of forecasts keep to the CF conventions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tasks.runtime.netcdf import write_netcdf

INIT = pd.date_range("2020-01-01", periods=3, freq="MS")
VALID = INIT.to_numpy()[:, None] + np.array([31, 62]).astype("m8[D]")


def written(path: Path, valid: np.ndarray, *, hours: int = 0) -> xr.Dataset:
    """Write forecasts over all kinds of coordinates, and return them as they are stored."""
    axes = {"series": ["a"], "init": INIT + pd.Timedelta(hours=hours), "lead": [1, 2], "quantile": [0.1, 0.9],
            "lat": [0.5], "lon": [1.5], "member": [1]}  # fmt: skip
    values = np.ones([len(axis) for axis in axes.values()])
    values[..., 0, :, :, :] = np.nan
    data = xr.Dataset({"forecast": (list(axes), values)}, axes)
    write_netcdf(path, data.assign_coords(valid_time=(("init", "lead"), valid)), "month", "test")
    return xr.open_dataset(path, decode_cf=False)


@pytest.mark.parametrize("hours", [0, 6])
def test_no_coordinate_has_a_fill_value(tmp_path: Path, hours: int) -> None:
    stored = written(tmp_path / "it.nc", VALID, hours=hours)
    coordinates = {*stored.dims, "valid_time"}
    assert [name for name in coordinates if "_FillValue" in stored[name].attrs] == []
    assert "_FillValue" in stored["forecast"].attrs


def test_missing_dates_of_an_auxiliary_coordinate_are_read_back(tmp_path: Path) -> None:
    valid = VALID.copy()
    valid[2, 1] = np.datetime64("NaT")
    stored = written(tmp_path / "it.nc", valid)
    assert [name for name in stored.coords if "_FillValue" in stored[name].attrs] == []
    assert "_FillValue" in stored["valid_time"].attrs
    read = xr.load_dataset(tmp_path / "it.nc")["valid_time"].values
    np.testing.assert_array_equal(read.astype("M8[D]"), valid.astype("M8[D]"))
