"""Grids as people have them: names and order of axes, flags, further dimensions, and what is refused."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tasks.fields.reading import Fields, open_fields
from tasks.runtime.errors import BasinError
from tests.synthetic_fields import LAT, write

MONTHS = 300
Change = Callable[[xr.Dataset], xr.Dataset]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    return xr.open_dataset(write(tmp_path_factory.mktemp("fields") / "made.nc", MONTHS)).load()


@pytest.fixture
def read(data: xr.Dataset, tmp_path: Path) -> Callable[..., Fields]:
    def read(change: Change, variable: str | None = None, engine: str = "h5netcdf") -> Fields:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.nc"
        change(data.copy(deep=True)).to_netcdf(path, engine=engine)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return open_fields(path, variable)

    return read


def kelvin(d: xr.Dataset) -> xr.Dataset:
    season = 4 * np.cos(2 * np.pi * d.time.dt.month / 12) * np.sign(d.lat)
    return ((d["anomaly"] + 290 + season).astype("f4").assign_attrs(units="K")).to_dataset(name="tos")


def noleap(d: xr.Dataset) -> xr.Dataset:
    starts = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])
    days = 365 * (d.time.dt.year.values - 1850) + starts[d.time.dt.month.values - 1] + 15
    return d.assign_coords(time=("time", days, {"units": "days since 1850-01-01", "calendar": "noleap"}))


def end_stamped(d: xr.Dataset) -> xr.Dataset:
    starts = d.time.values.astype("datetime64[M]")
    ends = (starts + 1).astype("datetime64[s]")
    d = d.assign(time_bnds=(("time", "nv"), np.stack([starts.astype("datetime64[s]"), ends], 1)))
    d = d.assign_coords(time=("time", ends, {"bounds": "time_bnds"}))
    d["time"].encoding["units"] = "days since 1850-01-01"
    return d


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d, ""),
        (lambda d: d.rename(time="valid_time", lat="latitude", lon="longitude"), "the time is valid_time"),
        (lambda d: d.rename(time="T", lat="Y", lon="X"), "the time is T"),
        (lambda d: d.rename(time="date"), "the time is date"),
        (lambda d: d.rename(lat="y", lon="x"), ""),
        (lambda d: d.transpose("lon", "lat", "time"), ""),
        (lambda d: d.expand_dims(lev=[0.0]).transpose("time", "lev", "lat", "lon"), r"not used: lev \(0.0\)"),
        (lambda d: d.expand_dims(zlev=1), r"not used: zlev \(one value\)"),
        (lambda d: d.assign_coords(number=0, expver=("time", ["0001"] * MONTHS)), r"number \(0\), expver"),
        (
            lambda d: d.assign(
                time_bnds=(("time", "nv"), np.stack([d.time.values] * 2, 1)),
                lat_bnds=(("lat", "nv"), np.stack([d.lat.values - 4, d.lat.values + 4], 1)),
                mask=(("lat", "lon"), np.ones((6, 8))),
            ),
            "the variable is anomaly, the only one with time, lat and lon",
        ),
        (noleap, "calendar noleap"),
        (lambda d: d.isel(time=slice(None, None, -1)), "not in order of time and are sorted"),
        (end_stamped, "a field of 1900-02-01 is of the month 1900-01, the middle of time_bnds"),
    ],
)
def test_the_same_fields_are_read_whatever_the_axes_are_called(data, read, change, said):
    fields = read(change)
    np.testing.assert_array_equal(fields.read(0, MONTHS), data["anomaly"].values)
    np.testing.assert_array_equal(fields.months, data.time.values.astype("datetime64[M]"))
    assert re.search(said, "\n".join(fields.notes))
    assert said or not fields.notes


def test_latitude_may_descend_and_longitude_may_run_from_minus_180(data, read):
    fields = read(lambda d: d.isel(lat=slice(None, None, -1)).assign_coords(lon=(d.lon + 180) % 360 - 180))
    np.testing.assert_array_equal(fields.lat, LAT[::-1])
    np.testing.assert_array_equal(fields.read(0, 5), data["anomaly"].values[:5, ::-1])


def test_netcdf_3_is_read(data, read):
    fields = read(lambda d: d, engine="scipy")
    np.testing.assert_array_equal(fields.read(0, MONTHS), data["anomaly"].values)


@pytest.mark.parametrize(
    "flag", [-1000.0, -1e30, 9999.0, -9999.0, -999.0, 999.0, -99.99, 1e20, -32768.0, 9.96921e36, -1234.5]
)
@pytest.mark.parametrize("form", [lambda d: d, kelvin])
def test_an_undeclared_flag_is_missing_and_said(read, form, flag):
    def flagged(d: xr.Dataset) -> xr.Dataset:
        d = form(d).fillna(np.float32(flag))  # land
        ice = d.time.dt.month.isin([12, 1, 2]) & (d.lat > 15) & (d.lon < 170)
        return d.where(~ice, np.float32(flag)).astype("f4")

    fields = read(flagged)
    values = fields.read(0, MONTHS)
    assert np.nanmax(np.abs(values - np.nanmedian(values))) < 20
    count = int(np.isnan(values).sum())
    assert count == MONTHS + MONTHS // 4 * 2
    assert f"{count} × {flag:.6g}" in fields.notes[0]
    assert "read as missing" in fields.notes[0]
    assert not fields.used().mask[0, 0]


def test_several_flags_even_in_most_cells_are_missing(data, read):
    def flagged(d: xr.Dataset) -> xr.Dataset:
        d["anomaly"][:, :, 3:] = -1e30
        d["anomaly"][::12, 5] = -1000
        d["anomaly"][7, 2, 2] = 1e20
        return d

    fields = read(flagged)
    assert np.nanmax(np.abs(fields.read(0, MONTHS))) < 10
    for part in ("-1e+30", "-1000", "1 × 1e+20"):
        assert part in fields.notes[0]


@pytest.mark.parametrize("value", [-20.0, 500.0])
def test_a_single_impossible_value_is_missing_and_said(read, value):
    def spoil(d: xr.Dataset) -> xr.Dataset:
        d["anomaly"][50, 3, 3] = value
        return d

    fields = read(spoil)
    missing = np.isnan(fields.month(fields.months[50])[3, 3])
    assert missing == (value == 500) == ("read as missing" in fields.notes[0])


@pytest.mark.parametrize("value", [-20.0, 15.0, 25.0])
@pytest.mark.parametrize("form", [lambda d: d, kelvin])
def test_a_lone_value_that_may_be_wrong_is_kept_and_said(read, form, value):
    def spoil(d: xr.Dataset) -> xr.Dataset:
        d = form(d)
        for name in d.data_vars:
            d[name][50, 3, 4] += value
        return d

    fields = read(spoil)
    (note,) = fields.notes
    assert re.search(r"which are kept: \S+ in 1904-03 at lat 4, lon 192; write NaN", note)
    assert np.isfinite(fields.month(fields.months[50])[3, 4])


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: rng.gamma(0.5, 80, (MONTHS, 6, 8)) * (rng.random((MONTHS, 6, 8)) < 0.6),
        lambda rng: np.clip(rng.normal(0.5, 0.6, (MONTHS, 6, 8)), 0, 1),
        lambda rng: np.round(rng.normal(0, 1, (MONTHS, 6, 8))),
        lambda rng: (rng.random((MONTHS, 6, 8)) < 0.1).astype(float),
        lambda rng: rng.standard_t(3, (MONTHS, 6, 8)),
        lambda rng: np.maximum(rng.normal(3, 4, (MONTHS, 6, 8)), -1.8),
        lambda rng: rng.normal(0, 5, (MONTHS, 6, 8)) + 900,
    ],
)
def test_true_values_are_no_flags(read, make):
    values = make(np.random.default_rng(0))
    fields = read(lambda d: d.assign(anomaly=(d["anomaly"].dims, values)))
    np.testing.assert_array_equal(fields.read(0, MONTHS), values)
    assert not fields.notes


def test_rain_with_a_flag_near_its_range_keeps_its_zeros(read):
    rng = np.random.default_rng(0)
    rain = rng.gamma(0.5, 80, (MONTHS, 6, 8)) * (rng.random((MONTHS, 6, 8)) < 0.6)
    rain[:, 0] = -99.9
    fields = read(lambda d: d.assign(anomaly=(d["anomaly"].dims, rain.astype("f4"))))
    values = fields.read(0, MONTHS)
    assert np.isnan(values[:, 0]).all()
    assert np.isfinite(values[:, 1:]).all()


def test_cells_that_never_vary_are_left_out(read):
    def constant(d: xr.Dataset) -> xr.Dataset:
        d["anomaly"][:, 2, 2] = 0
        return d

    mask = read(constant).used().mask
    assert not mask[2, 2]
    assert mask.sum() == mask.size - 2


def changed_unit(d: xr.Dataset) -> xr.Dataset:
    d["anomaly"][150:] += 273.15
    return d


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.where(d.lat > 100), "has no values: all 14,400 are missing.*give another"),
        (lambda d: d.isel(time=np.delete(np.arange(MONTHS), 50)), "1904-03 is missing.*fields of NaN"),
        (lambda d: d.isel(time=[*range(200), *range(188, MONTHS)]), r"1915-09, 1915-10.*\(12 months\)"),
        (lambda d: d.isel(time=slice(0, 120)), "120 months, expected at least 240; give more years"),
        (lambda d: d.expand_dims(number=5), "is an ensemble: its dimension number has 5 members.*take one"),
        (lambda d: d.expand_dims(level=[0, 10, 20]), "3 values of level.*take one"),
        (lambda d: d.expand_dims(expver=[1, 5]), "2 versions.*combine_first"),
        (lambda d: d.assign(other=d["anomaly"]), "found anomaly, other; give the name.*--variable"),
        (lambda d: d.assign_coords(lat=LAT * 10), "lat within ±90"),
        (lambda d: d.drop_vars("time"), r"anomaly\(time, lat, lon\), with no coordinate of time.*days since"),
        (lambda d: d.rename(lat="y", lon="x").assign_coords(y=LAT * 1e5), "no coordinate of latitude"),
        (
            lambda d: (
                d.rename(lat="y", lon="x")
                .drop_vars(["y", "x"])
                .assign_coords(nav_lat=(("y", "x"), np.zeros((6, 8))), nav_lon=(("y", "x"), np.zeros((6, 8))))
            ),
            "curvilinear grid.*remapbil",
        ),
        (
            lambda d: d.assign_coords(time=np.datetime64("1950-01-01", "s") + np.arange(MONTHS) * 86400),
            "31 fields in 1950-01.*monmean",
        ),
        (changed_unit, r"moves from .* in 1912-06 to .* in 1912-07, .* one unit"),
    ],
)
def test_a_file_that_is_no_such_field_ends_in_one_line(read, change, message):
    with pytest.raises(BasinError, match=message) as caught:
        read(change)
    assert "\n" not in str(caught.value)


def test_the_variable_may_be_named(data, read):
    fields = read(lambda d: d.assign(other=d["anomaly"] * 2), "other")
    np.testing.assert_array_equal(fields.read(0, 9), 2 * data["anomaly"].values[:9])
    with pytest.raises(BasinError, match=r"no variable sst.*found anomaly"):
        read(lambda d: d, "sst")
    with pytest.raises(BasinError, match="name is of type"):
        read(lambda d: d.assign(name=("time", ["a"] * MONTHS)), "name")


def test_no_cell_with_enough_values_ends_in_one_line(read):
    with pytest.raises(BasinError, match="0 cells of anomaly vary and have values in 95%"):
        read(lambda d: d.where(d.time.dt.month != 3)).used()


def test_a_large_grid_is_refused_before_it_is_read(tmp_path):
    lat, lon = np.linspace(-89, 89, 80), np.linspace(0, 359, 80)
    write(tmp_path / "large.nc", 240, lat=lat, lon=lon)
    with pytest.raises(BasinError, match="6,399 cells with values, expected at most 5,000; take a region"):
        open_fields(tmp_path / "large.nc")


def test_a_large_grid_of_few_cells_with_values_is_read(tmp_path):
    lat, lon = np.linspace(-89, 89, 80), np.linspace(0, 359, 80)
    data = xr.open_dataset(write(tmp_path / "large.nc", 240, lat=lat, lon=lon)).load()
    land = data.where(data.lat < 60, -9999.0).fillna(-9999.0)
    land.to_netcdf(tmp_path / "land.nc", engine="h5netcdf")
    data.where(data.lat < -40).fillna(-9999.0).to_netcdf(tmp_path / "south.nc", engine="h5netcdf")
    with pytest.raises(BasinError, match=r"5,\d\d\d cells with values"):
        open_fields(tmp_path / "land.nc")
    assert open_fields(tmp_path / "south.nc").used().mask.sum() < 2000


def test_the_hostile_and_the_absent_end_in_one_line(tmp_path):
    (tmp_path / "hostile.nc").write_bytes(b"\x00" * 4096)
    with pytest.raises(BasinError, match="cannot be read as NetCDF"):
        open_fields(tmp_path / "hostile.nc")
    with pytest.raises(BasinError, match="no file"):
        open_fields(tmp_path / "absent.nc")


@pytest.mark.parametrize("time", ["time", "valid_time"])
def test_the_remedies_for_missing_and_repeated_months_work(read, tmp_path, time):
    for rows in (np.delete(np.arange(MONTHS), 50), [*range(200), *range(188, MONTHS)]):
        with pytest.raises(BasinError) as caught:
            read(lambda d, rows=rows: d.isel(time=rows).rename(time=time))
        remedy = re.search(r"for example (open_dataset.*) in xarray", str(caught.value))[1]
        newest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        better = tmp_path / f"better{len(rows)}.nc"
        eval(remedy, {"open_dataset": xr.open_dataset, "FILE": newest, "OUT": better})
        assert len(open_fields(better).months) == MONTHS
