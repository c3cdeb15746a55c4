"""What the attributes of grids declare: units, order, valid ranges, flags, bounds and times."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tasks.fields.reading import Fields, open_fields
from tasks.runtime.errors import BasinError

MONTHS = 300
TIME = np.datetime64("1950-01", "M") + np.arange(MONTHS)
LAT, LON = np.arange(-20.0, 21, 10), np.arange(160.0, 211, 10)
VALUES = 15 + np.random.default_rng(0).standard_normal((MONTHS, 5, 6))
NORTH, EAST = {"units": "degrees_north"}, {"units": "degrees_east"}


def data(lat=LAT, lon=LON, names=("lat", "lon"), north=NORTH, east=EAST, values=VALUES, **attributes):
    return xr.Dataset(
        {"sst": (("time", *names), values, attributes)},
        {
            "time": TIME.astype("datetime64[s]"),
            names[0]: (names[0], np.asarray(lat, float), north),
            names[1]: (names[1], np.asarray(lon, float), east),
        },
    )


def read(given: xr.Dataset, path: Path) -> Fields:
    given.to_netcdf(path / "it.nc", engine="h5netcdf")
    return open_fields(path / "it.nc")


RADIAN, KM = {"units": "radian"}, {"units": "km"}
ROWS, COLUMNS = np.arange(5.0), np.arange(6.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            data(np.deg2rad(LAT), np.deg2rad(LON), north=RADIAN, east=RADIAN),
            "lat has the units 'radian'.*convert",
        ),
        (data(lon=np.deg2rad(LON), east={"units": "radians"}), "lon has the units 'radians'.*degrees_east"),
        (data(20 * ROWS, 20 * COLUMNS, north=KM, east=KM), "lat has the units 'km', expected degrees_north"),
        (
            data(lon=COLUMNS, north=EAST, east=NORTH),
            "lat has the units 'degrees_east', expected degrees_north",
        ),
        (
            data(
                names=("rlat", "rlon"),
                north={"standard_name": "grid_latitude", "units": "degrees", "axis": "Y"},
                east={"standard_name": "grid_longitude", "units": "degrees", "axis": "X"},
            ),
            "rlat is a grid_latitude, of a rotated pole.*remapbil",
        ),
        (
            data(north={"standard_name": "grid_latitude"}, east={"standard_name": "grid_longitude"}),
            "lat is a grid_latitude",
        ),
        (
            data(ROWS[::-1], COLUMNS + 0.5, ("y", "x"), {}, {}),
            "y and x have no units.*may be rows and columns",
        ),
        (data(ROWS + 0.5, COLUMNS + 0.5, ("y", "x"), {}, {}), "0.5, 1.5.*may be rows and columns"),
        (data(10 * ROWS, 10 * COLUMNS, ("y", "x"), {}, {}), "0, 10, 20.*may be rows and columns"),
        (data(ROWS, COLUMNS, north={}, east={}), "lat and lon have no units.*degrees_north"),
        (data([0, 20, -10, 10, -20]), "values of lat, 0, 20, -10, 10, -20, are out of order.*sortby"),
        (data([0, 0, 10, 10, 20]), "values of lat.*drop_duplicates"),
        (data(np.zeros(5)), "values of lat"),
        (data(lon=[0, 60, 50, 120, 180, 240]), "values of lon.*run once around the earth"),
        (data(lon=[0, 60, 60, 120, 180, 240]), "values of lon"),
        (data(lon=[0, 90, 180, 270, 360, 450]), "values of lon"),
    ],
)
def test_axes_that_are_no_degrees_or_out_of_order_are_refused(tmp_path, given, message):
    with pytest.raises(BasinError, match=message) as caught:
        read(given, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        data(LAT[::-1]),
        data(lon=[0, 60, 120, -180, -120, -60]),
        data(lon=[300, 330, 0, 30, 60, 90]),
        data(lon=LON[::-1]),
        data(ROWS, COLUMNS),
        data(10 * ROWS, 10 * COLUMNS, north={}, east={}),
        data(LAT, 10 * COLUMNS, ("y", "x"), {}, {}),
        data(north={"units": "Degrees North"}, east={"units": "degree_E"}),
        data(north={"units": "degrees", "standard_name": "latitude"}, east={"units": "deg"}),
        data(north={"units": "1"}, east={"units": ""}),
    ],
)
def test_axes_in_degrees_are_read_in_any_direction_and_spelling(tmp_path, given):
    fields = read(given, tmp_path)
    np.testing.assert_array_equal(fields.read(0, MONTHS), VALUES)
    assert not fields.notes


def test_positions_that_could_be_radians_are_said(tmp_path):
    (note,) = read(data(np.deg2rad(LAT), np.deg2rad(LON), north={}, east={}), tmp_path).notes
    assert note == "lat and lon have no units and could be radians; they are read as degrees"


ROUNDED = np.linspace(0.05, 360.05, 6, dtype=np.float32)  # ends 359.99999 degrees apart


@pytest.mark.parametrize("lon", [[0, 72, 144, 216, 288, 360], [-180, -108, -36, 36, 108, 180], ROUNDED])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_column_that_repeats_the_first_is_left_out(tmp_path, lon, direction):
    fields = read(data(lon=lon[::direction]), tmp_path)
    np.testing.assert_array_equal(fields.read(0, MONTHS), VALUES[:, :, :5])
    assert fields.used().mask.shape == (5, 5) and re.search("lon .* repeats .* not used", fields.notes[0])


ICE = np.random.default_rng(1).integers(0, 101, (MONTHS, 5, 6)).astype(float)
FLAGGED = ICE.copy()
FLAGGED[::4, 0, 0] = -1


@pytest.mark.parametrize(
    ("flag", "attributes", "note"),
    [
        (-1.0, {"valid_min": 0.0}, "from 0 and"),
        (-1.0, {"valid_min": 0.0, "valid_max": 100.0}, "from 0 to 100 and"),
        (110.0, {"valid_max": 100.0}, "range to 100 and"),
        (110.0, {"valid_range": np.array([0.0, 100.0])}, "from 0 to 100 and"),
        (
            103.0,
            {"flag_values": np.array([103.0, 104.0]), "flag_meanings": "land coast"},
            r"flags \(103, 104\)",
        ),
    ],
)
@pytest.mark.parametrize("packing", ["none", "short", "unpacked range", "unsigned"])
def test_values_that_the_attributes_declare_invalid_are_missing(tmp_path, flag, attributes, note, packing):
    values = ICE.copy()
    values[::4, 0, 0] = flag
    if packing == "none":
        given = data(values=values, **attributes)
    else:
        small, signed = (1.0, np.uint8) if packing == "unsigned" else (0.5, np.int16)
        offset = -10.0 if packing == "unsigned" else 3.0
        stored = np.rint((values - offset) / small).astype(signed)
        if packing != "unpacked range":
            attributes = {
                k: v if k == "flag_meanings" else np.rint((v - offset) / small).astype(signed)
                for k, v in attributes.items()
            }
        if packing == "unsigned":
            stored = stored.view(np.int8)
            attributes = {k: v if k == "flag_meanings" else v.view(np.int8) for k, v in attributes.items()}
            attributes["_Unsigned"] = "true"
        given = data(values=stored, scale_factor=small, add_offset=offset, **attributes)
    fields = read(given, tmp_path)
    values[::4, 0, 0] = np.nan
    np.testing.assert_allclose(fields.read(0, MONTHS), values, atol=1e-5)
    assert f"{MONTHS // 4} values of sst are" in fields.notes[0] and re.search(note, fields.notes[0])


def test_a_valid_range_that_holds_all_values_is_not_said(tmp_path):
    assert not read(data(values=ICE, valid_range=np.array([0.0, 100.0])), tmp_path).notes


def stamped(ends: np.ndarray, attribute: str) -> xr.Dataset:
    bounds = np.stack([TIME.astype("datetime64[s]"), ends], 1)
    given = (
        data().assign_coords(time=("time", ends, {attribute: "edges"})).assign(edges=(("time", "nv"), bounds))
    )
    given["time"].encoding["units"] = given["edges"].encoding["units"] = "days since 1900-01-01"
    return given


@pytest.mark.parametrize("attribute", ["bounds", "climatology"])
def test_fields_stamped_at_their_end_belong_to_the_month_of_their_bounds(tmp_path, attribute):
    fields = read(stamped((TIME + 1).astype("datetime64[s]"), attribute), tmp_path)
    np.testing.assert_array_equal(fields.months, TIME)
    assert "the middle of edges" in fields.notes[-1]


def test_the_time_a_forecast_is_valid_for_is_preferred_to_that_at_which_it_was_made(tmp_path):
    given = data().assign_coords(valid_time=("time", (TIME + 3).astype("datetime64[s]")))
    given["time"].attrs["standard_name"] = "forecast_reference_time"
    fields = read(given, tmp_path)
    np.testing.assert_array_equal(fields.months, TIME + 3)
    assert "the time is valid_time" in fields.notes


@pytest.mark.parametrize("kind", ["whole", "ancillary"])
def test_the_number_of_observations_is_not_read_in_place_of_what_was_observed(tmp_path, kind):
    number = np.ones((MONTHS, 5, 6), "i4" if kind == "whole" else "f4")
    given = data().expand_dims(lev=[0.0, 10.0]).assign(nobs=(("time", "lat", "lon"), number))
    if kind == "ancillary":
        given["sst"].attrs["ancillary_variables"] = "nobs"
    with pytest.raises(BasinError, match=r"sst has 2 values of lev.*take one of them"):
        read(given, tmp_path)
