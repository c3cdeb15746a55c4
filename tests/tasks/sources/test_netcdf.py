"""NetCDF of every flavour: containers, calendars, units of time, and files that are something else."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tasks.runtime.errors import BasinError
from tasks.sources.netcdf import open_dataset

MONTHS = pd.date_range("1950-01", periods=600, freq="MS")
STARTS = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])


def write(path: Path, time: object, engine: str = "h5netcdf", **attributes: str) -> Path:
    data = xr.Dataset({"sst": ("time", np.arange(len(time), dtype="f4"))}, {"time": ("time", time)})
    data["time"].attrs.update(attributes)
    if path.suffix == ".zarr":
        data.to_zarr(path, consolidated=False)
    else:
        data.to_netcdf(path, engine=engine)
    return path


def months(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return open_dataset(path)["time"].values.astype("datetime64[M]")


WANTED = MONTHS.to_numpy().astype("datetime64[M]")
YEAR, MONTH = MONTHS.year.to_numpy(), MONTHS.month.to_numpy()


@pytest.mark.parametrize(
    ("values", "units", "calendar"),
    [
        (365 * (YEAR - 1850) + STARTS[MONTH - 1] + 15.5, "days since 1850-01-01", "noleap"),
        (365 * (YEAR - 1850) + STARTS[MONTH - 1] + 15, "days since 1850-1-1 00:00:00", "365_day"),
        (360 * (YEAR - 1850) + 30 * (MONTH - 1) + 29, "days since 1850-01-01", "360_day"),
        (366 * (YEAR - 2) + np.array(STARTS + (STARTS > 31))[MONTH - 1], "days since 2-1-1", "all_leap"),
        (12 * (YEAR - 1960) + MONTH - 1, "months since 1960-01-01", "standard"),
        (12 * (YEAR - 1960) + MONTH - 0.5, "months since 1960-01-01", "360"),
        (12 * (YEAR - 1960) + MONTH - 1, "months since 1960-01-15", "standard"),
        *(
            (12 * (YEAR - 1960) + MONTH - 1, f"months since 1960-01-{day}", "standard")
            for day in (16, 30, 31)
        ),
        (12 * (YEAR - 1960) + MONTH - 0.5, "months since 1960-01-16", "standard"),
        (MONTHS.to_julian_date() - 1721059.5 + 14, "days since 0000-01-01", "standard"),
        (12 * YEAR + MONTH - 1, "months since 0000-01-01", "standard"),
        (YEAR + (MONTH - 0.5) / 12 - 1850, "years since 1850-01-01", "standard"),
        (24 * (MONTHS.to_julian_date() - 1721423.5), "hours since 1-1-1 00:00:0.0", "standard"),
        (MONTHS.to_julian_date() - 2378496.5 + 14, "days since 1800-01-01T00:00:00Z", "gregorian"),
        (1440 * (MONTHS.to_julian_date() - 2378496.5), "minutes since 1800/1/1", "proleptic_gregorian"),
        (MONTHS.to_julian_date() - 2415032.5 + 14, "days since 1900-01-01", "julian"),
        (YEAR * 10000 + MONTH * 100 + 15.5, "day as %Y%m%d.%f", "standard"),
        (YEAR * 100 + MONTH, "", "standard"),
        (YEAR * 10000 + MONTH * 100 + 1, "", "standard"),
        (YEAR + (MONTH - 0.5) / 12, "year A.D.", "gregorian"),
    ],
)
def test_times_are_decoded_in_every_calendar_and_unit(tmp_path, values, units, calendar):
    path = write(tmp_path / "it.nc", np.asarray(values), units=units, calendar=calendar)
    np.testing.assert_array_equal(months(path), WANTED)


def test_times_of_day_are_kept_to_the_second(tmp_path):
    path = write(tmp_path / "it.nc", np.array([0.25, 1.0]), units="days since 2000-02-28 12:00:30 +01:00")
    times = open_dataset(path)["time"].values
    assert list(times.astype(str)) == ["2000-02-28T17:00:30", "2000-02-29T11:00:30"]


def test_dates_before_the_gregorian_calendar_are_julian(tmp_path):
    path = write(tmp_path / "it.nc", np.array([-1, 0]), units="days since 1582-10-15", calendar="standard")
    assert list(open_dataset(path)["time"].values.astype("datetime64[D]").astype(str)) == [
        "1582-10-04",
        "1582-10-15",
    ]


def test_a_calendar_other_than_the_standard_one_is_said_and_its_dates_are_mapped(tmp_path):
    path = write(tmp_path / "it.nc", np.array([58, 59]), units="days since 2001-01-01", calendar="360_day")
    data = open_dataset(path)
    parts = [np.datetime64("2001-02-01") + np.timedelta64(k * 86400 * 28 // 30, "s") for k in (28, 29)]
    assert list(data["time"].values) == parts  # 29 and 30 February
    assert "time has the calendar 360_day" in data.attrs["basin_notes"][0]
    assert data["time"].attrs["basin_calendar"] == "360_day"
    plain = open_dataset(write(tmp_path / "plain.nc", MONTHS))
    assert plain.attrs["basin_notes"] == []


@pytest.mark.parametrize("day", [15, 29, 30])
def test_months_keep_their_day_in_a_calendar_with_longer_months(tmp_path, day):
    days = 30 * np.arange(24) + day - 1
    found = open_dataset(write(tmp_path / "it.nc", days, units="days since 2001-01-01", calendar="360_day"))
    first = pd.date_range("2001-01-01", periods=24, freq="MS")
    expected = first + pd.to_timedelta(np.minimum(day, first.days_in_month) - 1, unit="D")
    np.testing.assert_array_equal(found["time"].values, expected)


@pytest.mark.parametrize(("name", "engine"), [("it.nc", "scipy"), ("it.nc", "h5netcdf"), ("it.zarr", "")])
def test_every_container_is_read_by_its_content(tmp_path, name, engine):
    path = write(tmp_path / name, np.asarray(MONTHS), engine)
    np.testing.assert_array_equal(months(path), WANTED)
    np.testing.assert_array_equal(open_dataset(path)["sst"].values, np.arange(600))


def test_times_written_as_text_are_read(tmp_path):
    path = write(tmp_path / "it.nc", np.array(MONTHS.strftime("%Y-%m-%d"), dtype=object))
    np.testing.assert_array_equal(months(path), WANTED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GRIB\x00\x00\x00\x02", "is GRIB.*cdo -f nc copy"),
        (b"\x1f\x8b\x08\x00", "gzip.*gunzip"),
        (b"PK\x03\x04\x14", "zip.*unpack"),
        (b"CDF\x05\x00\x00", "64-bit data.*nccopy"),
        (b"\x0e\x03\x13\x01", "HDF4.*convert"),
        (b"CDF\x01\x00", "cannot be read as NetCDF"),
        (b"\x89HDF\r\n\x1a\n" + b"A" * 999, "cannot be read as NetCDF"),
        (b"time,sst\n", "begins with b'time,sst.*NetCDF"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_netcdf_ends_in_one_line(tmp_path, content, message):
    (tmp_path / "it.nc").write_bytes(content)
    with pytest.raises(BasinError, match=message) as caught:
        open_dataset(tmp_path / "it.nc")
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_zarr_array_and_no_file_end_in_one_line(tmp_path):
    (tmp_path / "other.zarr").mkdir()
    with pytest.raises(BasinError, match=r"no Zarr dataset.*give the folder that holds"):
        open_dataset(tmp_path / "other.zarr")
    with pytest.raises(BasinError, match="no file"):
        open_dataset(tmp_path / "none.nc")


@pytest.mark.parametrize(
    ("units", "calendar", "message"),
    [
        ("days since yesterday", "standard", "'days since yesterday'.*expected"),
        ("fortnights since 1900-01-01", "standard", "'fortnights since 1900-01-01'.*expected"),
        ("days since 1900-01-01", "martian", "calendar 'martian'.*expected"),
        ("days since 1900-31-12", "standard", "'days since 1900-31-12'.*expected"),
        ("days since 1900-02-30", "standard", "'days since 1900-02-30'.*no dates of the calendar.*correct"),
    ],
)
def test_a_time_that_cannot_be_decoded_ends_in_one_line(tmp_path, units, calendar, message):
    path = write(tmp_path / "it.nc", np.arange(3), units=units, calendar=calendar)
    with pytest.raises(BasinError, match=message):
        open_dataset(path)


def test_bounds_without_units_have_those_of_their_times(tmp_path):
    days = 365 * (YEAR - 1850) + STARTS[MONTH - 1]
    data = xr.Dataset(
        {"time_bnds": (("time", "nv"), np.stack([days, days + 28], 1))},
        {"time": ("time", days, {"units": "days since 1850-01-01", "calendar": "noleap"})},
    )
    data["time"].attrs["bounds"] = "time_bnds"
    data.to_netcdf(tmp_path / "it.nc", engine="h5netcdf")
    read = open_dataset(tmp_path / "it.nc")
    np.testing.assert_array_equal(read["time_bnds"][:, 0].values.astype("datetime64[M]"), WANTED)
    assert len(read.attrs["basin_notes"]) == 1
