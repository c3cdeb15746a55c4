"""Data in the forms of pandas, yfinance, statsforecast and xarray: each is read as the same series."""

from pathlib import Path
from typing import Any

import cftime
import numpy as np
import pandas as pd
import pyarrow
import pytest
import xarray as xr

import basin

ROWS = 320
DAYS = pd.bdate_range("2019-02-01", periods=ROWS, name="Date")
CLOSE = 100 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 0.01, ROWS)))
BARS = pd.DataFrame(
    {"Open": CLOSE, "High": 1.01 * CLOSE, "Low": 0.99 * CLOSE, "Close": CLOSE, "Volume": np.arange(ROWS)},
    index=DAYS,
)
OTHER = pd.concat([BARS.iloc[::-1, :4].set_axis(DAYS), BARS[["Volume"]]], axis=1)
PANEL = {"A": BARS, "B": OTHER}
WIDE = pd.concat(PANEL, axis=1, names=["Ticker", "Price"])
LONG = pd.concat(PANEL, names=["Ticker"])
FORECAST_FRAME = pd.DataFrame(
    {"unique_id": np.repeat(["A", "B"], ROWS), "ds": [*DAYS, *DAYS], "y": [*CLOSE, *CLOSE[::-1]]}
)
MONTHS = pd.date_range("1950-01-01", periods=480, freq="MS")
SST = 26 + np.cos(np.arange(480) * np.pi / 6) + np.random.default_rng(0).normal(0, 0.3, 480)
ARRAY = xr.DataArray(SST, {"time": MONTHS}, ["time"], "sst", {"units": "degC"})

ONE = {
    "index": BARS,
    "index without a name": BARS.rename_axis(None),
    "column": BARS.reset_index(),
    "column, with numbers in the index": BARS.reset_index().rename_axis("id"),
    "column, with rows cut": pd.concat([BARS.iloc[:1], BARS]).reset_index().iloc[1:],
    "index that is also a column": BARS.reset_index().set_index("Date", drop=False),
    "index of the name of another column": BARS.assign(Date=np.arange(ROWS)),
    "time zone": BARS.tz_localize("America/New_York"),
    "UTC": BARS.tz_localize("UTC"),
    "periods": BARS.set_axis(DAYS.to_period("D")),
    "objects": BARS.astype(object),
    "text": BARS.set_axis(DAYS.strftime("%d/%m/%Y")),
    "one ticker": WIDE[["A"]].swaplevel(axis=1),
    "Series": BARS["Close"],
    "Series without a name": pd.Series(CLOSE, DAYS),
    "Series of a ticker": WIDE[("A", "Close")],
    "pyarrow": pyarrow.Table.from_pandas(BARS),
    "DataArray of days": xr.DataArray(CLOSE, {"time": DAYS.to_numpy()}, ["time"]),
}
SEVERAL = {
    "(Ticker, Price)": WIDE,
    "(Price, Ticker)": WIDE.swaplevel(axis=1).sort_index(axis=1),
    "(Price, Ticker), with the dates as a column": WIDE.swaplevel(axis=1).reset_index(),
    "rows (Ticker, Date)": LONG,
    "rows (Date, Ticker)": LONG.swaplevel().sort_index(),
    "rows (Ticker, Date) of a Series": LONG["Close"],
    "rows without names of the levels": LONG.rename_axis([None, None]),
    "statsforecast": FORECAST_FRAME,
    "statsforecast, with unique_id as index": FORECAST_FRAME.set_index("unique_id"),
}
NUMBERED = {
    "rows (permno, Date)": LONG.rename(index={"A": 10001, "B": 10002}, level=0).rename_axis(["id", "Date"]),
    "frames joined under numbers": pd.concat([BARS, OTHER], keys=[0, 1]),
    "statsforecast": FORECAST_FRAME.assign(unique_id=np.repeat([0, 1], ROWS)),
}
LEVELS = {
    "DataArray": ARRAY,
    "DataArray of one place": ARRAY.expand_dims(lat=[0.0]),
    "Dataset": ARRAY.to_dataset(),
    "dates of cftime": ARRAY.assign_coords(
        time=[cftime.DatetimeNoLeap(day.year, day.month, 1) for day in MONTHS]
    ),
    "periods": pd.DataFrame({"sst": SST}, index=MONTHS.to_period("M")),
}


def daily(calendar: str, years: int, first: int = 2000) -> xr.DataArray:
    days = xr.date_range(f"{first}-01-01", f"{first + years - 1}-12-30", calendar=calendar, use_cftime=True)
    value = 20 + 0.02 * np.cumsum(np.random.default_rng(1).normal(size=len(days)))
    return xr.DataArray(value, {"time": days}, ["time"], "tas")


def copied(data: Any) -> Any:
    return data if isinstance(data, pyarrow.Table) else data.copy(deep=True)


@pytest.mark.parametrize("form", ONE)
def test_one_series_of_prices_is_read_from_every_form(form: str) -> None:
    data, before = ONE[form], copied(ONE[form])
    table = basin.inspect(data).reading.table
    np.testing.assert_array_equal(table["time"], DAYS)
    np.testing.assert_allclose(table["close"], CLOSE, rtol=1e-14)
    assert data.equals(before)
    if isinstance(data, pd.DataFrame):
        assert data.index.identical(before.index) and data.columns.identical(before.columns)


@pytest.mark.parametrize("form", SEVERAL)
def test_several_series_are_read_from_every_form(form: str) -> None:
    data, before = SEVERAL[form], SEVERAL[form].copy(deep=True)
    table = basin.inspect(data).reading.table
    for name, closes in (("A", CLOSE), ("B", CLOSE[::-1])):
        rows = table[table["series"] == name]
        np.testing.assert_array_equal(rows["time"], DAYS)
        np.testing.assert_array_equal(rows["close"].astype(float), closes)
    assert data.equals(before) and data.index.equals(before.index)


@pytest.mark.parametrize("form", NUMBERED)
def test_numbers_that_name_series_are_no_values(form: str) -> None:
    reading = basin.inspect(NUMBERED[form]).reading
    assert reading.targets in (("Close",), ("y",)) and len(reading.table) == 2 * ROWS


@pytest.mark.parametrize("form", LEVELS)
def test_levels_of_xarray_and_of_periods_are_read(form: str) -> None:
    reading = basin.inspect(LEVELS[form]).reading
    np.testing.assert_array_equal(reading.table["time"], MONTHS)
    np.testing.assert_array_equal(reading.table["value"], SST)
    assert reading.kind == "level" and reading.unit == ("" if form == "periods" else "°C")
    assert "time" in ARRAY.indexes and ARRAY.attrs == {"units": "degC"}


@pytest.mark.parametrize("as_file", [False, True])
def test_times_at_the_ends_of_their_bounds_are_those_of_the_starts(tmp_path: Path, as_file: bool) -> None:
    edges = pd.date_range("2001-01-01", periods=61, freq="MS")
    bounds = (("time", "nb"), np.stack([edges[:-1], edges[1:]], 1))
    sst = ("time", 20 + np.sin(np.arange(60) * np.pi / 6), {"units": "degC"})
    data = xr.Dataset(
        {"sst": sst, "time_bnds": bounds}, {"time": ("time", edges[1:], {"bounds": "time_bnds"})}
    )
    data["time"].encoding["units"] = "days since 2000-01-01"
    data.to_netcdf(tmp_path / "it.nc")
    reading = basin.inspect(tmp_path / "it.nc" if as_file else data).reading
    np.testing.assert_array_equal(reading.table["time"], edges[:-1])
    assert any("time has the ends of its bounds" in note for note in reading.notes)
    inside = data.assign_coords(time=("time", edges[:-1] + pd.Timedelta(days=14), {"bounds": "time_bnds"}))
    np.testing.assert_array_equal(basin.inspect(inside).reading.table["time"], edges[:-1])


@pytest.mark.parametrize("step", ["6h", "3h", "h"])
def test_temperatures_of_hours_on_both_sides_of_0_are_levels(step: str) -> None:
    times = pd.date_range("2001-01-01", "2008-12-31 18:00", freq=step)
    season = 8 - 14 * np.cos(2 * np.pi * (times.dayofyear + times.hour / 24) / 365.25)
    noise = np.random.default_rng(0).normal(size=len(times))
    data = pd.Series(season - 3 * np.cos(2 * np.pi * times.hour / 24) + noise, times, name="t2m")
    assert basin.inspect(data).reading.kind == "level"


def test_true_and_false_are_inputs_of_one_and_zero() -> None:
    wild = np.abs(np.diff(CLOSE, prepend=CLOSE[0])) > 1
    frame = pd.DataFrame({"date": DAYS, "close": CLOSE, "wild": wild})
    table = basin.inspect(frame, target="close", exog="wild").reading.table
    assert table["wild"].tolist() == wild.astype(float).tolist()


def test_a_february_of_noleap_is_complete_on_the_28th() -> None:
    data = daily("noleap", 3, 1994).sel(time=slice(None, "1996-02-28"))
    assert basin.inspect(data, resample="MS").rows["next date"] == "1996-03-01"


@pytest.mark.parametrize("step", ["D", "6h"])
@pytest.mark.parametrize("kind", ["level", "rate"])
def test_a_calendar_without_leap_days_misses_none(step: str, kind: Any) -> None:
    data = daily("noleap", 5).resample(time=step).interpolate("linear").sel(time=slice("2003", "2004-02-28"))
    assert basin.inspect(data, kind=kind).rows["next date"] == "2004-03-01" + " 00:00" * (step == "6h")
    data = daily("noleap", 1, 2004).resample(time=step).interpolate("linear")
    found = basin.inspect(data, kind=kind)
    assert found.rows["calendar"].endswith(", without 29 February")
    assert not found.warnings


def test_days_of_a_table_without_leap_days_are_those_of_its_calendar() -> None:
    days = pd.date_range("2000-01-01", "2012-02-28")
    days = days[(days.month != 2) | (days.day != 29)]
    levels = pd.Series(np.random.default_rng(1).normal(size=len(days)), days)
    assert basin.inspect(levels, kind="level").rows["next date"] == "2012-03-01"


@pytest.mark.parametrize("calendar", ["360_day", "all_leap"])
def test_days_of_a_calendar_with_30_february_are_read_as_months(calendar: str) -> None:
    data = daily(calendar, 12)
    for options in ({}, {"on_bad_row": "drop"}, {"resample": "W"}):
        with pytest.raises(basin.BasinError, match=rf"calendar {calendar}, .* pass resample=\"MS\" for its"):
            basin.inspect(data, **options)
    last = {"360_day": None, "all_leap": -30}[calendar]  # which ends on 30 December, or in November
    found = basin.inspect(data[:last], resample="MS", kind="level")
    means = data[:last].resample(time="MS").mean()
    assert np.allclose(found.reading.table["value"], means)
    assert found.rows["next date"] == {"360_day": "2012-01-01", "all_leap": "2011-12-01"}[calendar]
    short = basin.inspect(data[:-40], resample="MS")
    assert short.rows["next date"] == "2011-11-01"
    assert "the last month is left out, because the file ends before its end" in short.notes


def test_years_in_an_index_are_dates_and_a_year_with_twelve_months_is_a_row() -> None:
    years = pd.Series(SST, index=range(1780, 2260), name="rings")
    assert basin.inspect(years).rows["dates"] == "column index, 1780-01-01 to 2259-01-01"
    names = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
    table = pd.DataFrame(SST.reshape(40, 12), columns=names)
    table.insert(0, "YEAR", range(1950, 1990))
    np.testing.assert_allclose(basin.inspect(table).reading.table["value"], SST, rtol=1e-14)
    pivot = pd.DataFrame({"y": MONTHS.year, "m": MONTHS.month, "sst": SST}).pivot(index="y", columns="m")
    for form in (pivot, pivot["sst"], pivot["sst"].rename_axis(None)):
        np.testing.assert_allclose(basin.inspect(form).reading.table["value"], SST, rtol=1e-14)


YAHOO = WIDE.swaplevel(axis=1).sort_index(axis=1)


@pytest.mark.parametrize("target", [("Close", "A"), [("Close", "A")], "Close A"])
@pytest.mark.parametrize(
    ("exog", "names"),
    [((), ()), (("Close", "B"), ("Close B",)), ([("Close", "B"), ("Volume", "A")], ("Close B", "Volume A"))],
)
def test_one_ticker_of_several_is_forecast_with_its_range(target: Any, exog: Any, names: Any) -> None:
    for frame in (YAHOO, YAHOO.reset_index()):
        reading = basin.inspect(frame, target=target, exog=exog).reading
        assert (reading.targets, reading.exog, reading.ohlc) == (("Close A",), names, True)
        np.testing.assert_array_equal(reading.table["close"], CLOSE)
        np.testing.assert_array_equal(reading.table["high"], 1.01 * CLOSE)


def test_some_tickers_of_several_are_a_panel() -> None:
    reading = basin.inspect(YAHOO, target=[("Close", "A"), ("Close", "B")]).reading
    assert reading.targets == ("Close A", "Close B") and not reading.ohlc
    assert reading.table["series"].unique().tolist() == ["Close A", "Close B"]


def test_one_ticker_of_several_is_audited() -> None:
    assert basin.audit(YAHOO, target=("Close", "A")).status in ("pass", "warn", "fail")


WEEKS = BARS[["Close", "Volume"]].resample("W-FRI").agg(["first", "last", lambda day: day.iloc[0]])


@pytest.mark.parametrize("target", [("Close", "last"), [("Close", "last")], "Close last"])
def test_statistics_of_an_aggregation_are_no_series(target: Any) -> None:
    found = basin.inspect(WEEKS, target=target, exog=("Volume", "first"))
    assert (found.reading.targets, found.reading.exog) == (("Close last",), ("Volume first",))
    assert found.reading.table["close"].tolist() == WEEKS[("Close", "last")].tolist()


def test_statistics_of_one_column_keep_its_name() -> None:
    assert basin.inspect(WEEKS[["Close"]], target="Close last").reading.targets == ("Close last",)


@pytest.mark.parametrize("target", [14593, np.int64(14593), [14593], "14593"])
def test_labels_of_columns_may_be_numbers(target: Any) -> None:
    numbered = (
        BARS[["Close", "Volume"]].set_axis([14593, 2], axis=1).reset_index().rename(columns={"Date": 0})
    )
    found = basin.inspect(numbered, target=target, exog=2, time=0).reading
    assert (found.targets, found.exog, found.time) == (("14593",), ("2",), "0")
    stacked = FORECAST_FRAME.set_axis([1, 2, 3], axis=1)
    assert basin.inspect(stacked, target=3, time=2, series=1).reading.series == "1"
    assert basin.audit(numbered, target=14593, time=0).checks.loc["dates", "status"] == "pass"


def test_rows_before_the_first_value_of_a_series_are_not_used() -> None:
    returns = basin.inspect(BARS["Close"].pct_change())
    assert returns.reading.kind == "return" and len(returns.reading.table) == ROWS - 1
    assert "1 row before the first value, 2019-02-01, not used" in returns.notes
    wide = pd.DataFrame({"A": CLOSE, "B": np.where(np.arange(ROWS) < 20, np.nan, CLOSE[::-1])}, index=DAYS)
    found = basin.inspect(wide, targets="all")
    assert len(found.reading.table) == 2 * ROWS - 20
    assert "20 rows before the first value, 2019-02-01 to 2019-02-28, not used" in found.notes
    with pytest.raises(basin.BasinError, match=r"^the frame: no value in row 30 "):
        basin.inspect(wide["B"].where(np.arange(ROWS) != 29))


def test_an_alarm_whose_arguments_are_exchanged_is_refused() -> None:
    with pytest.raises(basin.BasinError, match=r"^event: .* found DataFrame; the data come first$"):
        basin.alarm("min<=-0.08@21", BARS)


@pytest.mark.parametrize("data", [None, CLOSE, list(CLOSE), {"close": CLOSE}])
def test_values_without_dates_are_refused_with_a_remedy(data: Any) -> None:
    for call in (basin.inspect, basin.forecast, basin.backtest, basin.audit, basin.field):
        with pytest.raises(basin.BasinError, match=f"^data: expected .*, found {type(data).__name__}; "):
            call(data)
    with pytest.raises(basin.BasinError, match=r"^data: .*pd\.Series\(values, index=dates\)"):
        basin.alarm(data, event="min<=-0.08@21")


def test_a_series_without_dates_and_a_grid_are_refused_in_words_of_frames_and_datasets() -> None:
    for values in (pd.Series(CLOSE), pd.Series(CLOSE)[::3]):
        with pytest.raises(
            basin.BasinError, match=r"^data: the index .* as in pd\.Series\(values, index=dates\)$"
        ):
            basin.inspect(values)
    grid = ARRAY.expand_dims(lat=[0.0, 5.0], lon=[0.0, 5.0])
    with pytest.raises(basin.BasinError, match=r"^the dataset: sst is a grid .* `basin field`"):
        basin.inspect(grid)


def test_weeks_of_periods_are_dated_by_their_last_days() -> None:
    weeks = BARS["Close"].resample("W-FRI").last()
    found = basin.inspect(weeks.to_period())
    assert list(found.reading.table["time"]) == list(weeks.index)
    assert found.rows["calendar"] == "every week, on Friday"
    assert "the weeks of Date are dated by their last days" in found.notes


@pytest.mark.filterwarnings("error")
def test_complex_numbers_are_refused() -> None:
    data = BARS.assign(Close=BARS["Close"] + 1j)
    for call in (basin.inspect, basin.audit):
        with pytest.raises(basin.BasinError, match=r"^the frame: column Close holds complex numbers; "):
            call(data, target="Close")
    with pytest.raises(basin.BasinError, match="column Close holds complex numbers; "):
        basin.inspect(data, target="Open", exog="Close")


def test_an_input_of_the_range_of_the_day_is_used_once() -> None:
    found = basin.inspect(BARS, exog="Open")
    assert found.reading.ohlc and not found.reading.exog
    assert "Open: already an input, as part of the range of each row" in found.notes
    assert basin.inspect(BARS.drop(columns="Low"), exog="Open").reading.exog == ("Open",)
