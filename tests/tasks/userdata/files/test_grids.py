"""Series in NetCDF files: declared ranges, versions, several dimensions and years without a unit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tasks.runtime.errors import BasinError
from tasks.userdata.files.table import from_dataset, load

MONTHS = pd.date_range("1980-01-01", periods=240, freq="MS")
SST = np.random.default_rng(0).normal(20, 1, 240)


@pytest.mark.parametrize(
    "attributes", [{"valid_range": [-5.0, 40.0]}, {"valid_min": -5.0, "valid_max": 40.0}, {"valid_max": 40.0}]
)
def test_values_outside_of_the_declared_range_are_missing(
    attributes: dict[str, object], tmp_path: Path
) -> None:
    values = np.r_[SST[:100], 55.0, SST[101:]]
    xr.Dataset({"sst": ("time", values, attributes)}, {"time": MONTHS}).to_netcdf(tmp_path / "sst.nc")
    table = load(tmp_path / "sst.nc")
    assert np.flatnonzero(table.frame["sst"].isna()).tolist() == [100]
    assert any("1 values of sst are outside of its valid range" in note for note in table.notes)


@pytest.mark.parametrize("versions", [[1, 5], [5, 1], ["0001", "0005"]])
def test_preliminary_values_of_era5_follow_the_final_ones(versions: list[object]) -> None:
    of = {1: np.r_[SST[:200], np.full(40, np.nan)], 5: np.r_[np.full(200, np.nan), SST[200:]]}
    values = np.array([of[int(str(version))] for version in versions])
    data = xr.Dataset({"sst": (("expver", "time"), values)}, {"time": MONTHS, "expver": versions})
    table = from_dataset(data, "era5")
    assert np.array_equal(table.frame["sst"], SST)
    assert any(note.startswith("expver: the values are those of version") for note in table.notes)


def test_a_refusal_of_several_dimensions_names_all_and_its_remedy_works() -> None:
    values = np.random.default_rng(1).normal(size=(3, 2, 240))
    data = xr.Dataset(
        {"tas": (("member", "region", "time"), values)},
        {"time": MONTHS, "member": [1, 2, 3], "region": ["a", "b"]},
    )
    for series, rest in ((None, "region"), ("member", "region"), ("region", "member")):
        with pytest.raises(BasinError, match=rf"3 values of member and 2 .*isel\({rest}=0\)"):
            from_dataset(data, "tas.nc", series=series)
    assert len(from_dataset(data.isel(region=0), "tas.nc", series="member").frame) == 720


def test_years_of_groupby_are_dates() -> None:
    data = xr.Dataset({"sst": ("time", SST)}, {"time": MONTHS}).groupby("time.year").mean()
    table = from_dataset(data, "sst")
    assert table.frame["year"].iloc[[0, -1]].tolist() == [
        pd.Timestamp("1980-01-01"),
        pd.Timestamp("1999-01-01"),
    ]
