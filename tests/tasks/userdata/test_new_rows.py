"""New rows of a refreshed forecast: read as the data are, in any form, and known or revised ones found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xarray as xr

from tasks.runtime.errors import BasinError
from tasks.userdata.new_rows import extended
from tasks.userdata.request import Request
from tasks.userdata.sources import Data, as_data, read_unaudited

ROWS, KNOWN, LAST = 400, slice(None, -4), slice(-6, None)
DAYS = pd.bdate_range("2019-02-01", periods=ROWS, name="date", unit="ns")
CLOSE = 100 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 0.01, ROWS)))
DATED = pd.DataFrame({"close": CLOSE, "volume": range(ROWS)}, DAYS)
FRAME = DATED.reset_index()
MONTHS = pd.date_range("1990-01-01", periods=ROWS, freq="MS", name="ym")
STOCKS = pd.concat(
    [FRAME.assign(permno=10001), FRAME.assign(permno=10002, close=CLOSE[::-1])], ignore_index=True
).sort_values(["date", "permno"], ignore_index=True)
TICKERS = STOCKS.assign(permno=STOCKS["permno"].map("T{}".format)).rename(columns={"permno": "ticker"})
LEVELS = TICKERS.set_index(["date", "ticker"])
NUMBERED = pd.DataFrame({"ym": MONTHS.year * 100 + MONTHS.month, "close": CLOSE})

ONE: dict[str, Callable[[pd.DataFrame], Any]] = {
    "dates in a column": lambda frame: frame,
    "an index without a name": lambda frame: frame.set_index("date").rename_axis(None),
    "dates in the index": lambda frame: frame.set_index("date"),
    "row numbers from 0": lambda frame: frame.reset_index(drop=True),
    "row numbers of a mask": lambda frame: frame[frame["close"] > 0].set_axis(np.arange(len(frame)) * 2 + 7),
    "microseconds": lambda frame: frame.astype({"date": "datetime64[us]"}),
    "text": lambda frame: frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d")),
    "days first": lambda frame: frame.assign(date=frame["date"].dt.strftime("%d.%m.%Y")),
    "datetime.date": lambda frame: frame.assign(date=frame["date"].dt.date),
    "periods": lambda frame: frame.assign(date=frame["date"].dt.to_period("D")),
    "a time zone": lambda frame: frame.assign(date=frame["date"].dt.tz_localize("America/New_York")),
    "objects": lambda frame: frame.astype(object),
    "missing values of pandas": lambda frame: frame.convert_dtypes(),
    "32 bits": lambda frame: frame.astype({"close": "float32"}),
    "ten decimals": lambda frame: frame.round(10),
    "1 ulp": lambda frame: frame.assign(close=np.nextafter(frame["close"], np.inf)),
    "another order of columns": lambda frame: frame[frame.columns[::-1]],
}
PAIRS = [
    (of_data, of_rows)
    for of_data in ("dates in the index", "row numbers of a mask", "text", "days first")
    for of_rows in ONE
]

SEVERAL: dict[str, tuple[pd.DataFrame, Request, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "whole numbers name the series": (STOCKS, Request(), lambda rows: rows),
    "series= is given": (STOCKS, Request(series="permno"), lambda rows: rows),
    "whole numbers as floats": (STOCKS, Request(), lambda rows: rows.astype({"permno": float})),
    "whole numbers as text": (STOCKS, Request(), lambda rows: rows.astype({"permno": str})),
    "text names the series": (TICKERS, Request(), lambda rows: rows),
    "categories": (TICKERS, Request(), lambda rows: rows.astype({"ticker": "category"})),
    "categories in the data": (
        TICKERS.astype({"ticker": "category"}), Request(), lambda rows: rows.astype(object)
    ),
    "levels of the index": (LEVELS, Request(), lambda rows: rows),
    "swapped levels": (LEVELS, Request(), lambda rows: rows.swaplevel()),
    "levels without names": (LEVELS, Request(), lambda rows: rows.rename_axis([None, None])),
    "a column for each series": (
        FRAME.assign(volume=CLOSE[::-1]), Request(target=("close", "volume")), lambda rows: rows
    ),
    "columns of two levels": (
        pd.concat({"A": DATED, "B": DATED[::-1].set_axis(DAYS)}, axis=1),
        Request(target="close"),
        lambda rows: rows,
    ),
    "a joined column": (
        pd.concat({"A": DATED, "B": DATED}, axis=1), Request(target="A close"), lambda rows: rows
    ),
    "dates under another name": (NUMBERED, Request(time="ym"), lambda rows: rows),
    "dates as floats": (NUMBERED, Request(time="ym"), lambda rows: rows.astype(float)),
    "dates that are moved": (
        pd.DataFrame({"date": MONTHS, "close": CLOSE}),
        Request(kind="price"),
        lambda rows: rows.assign(date=rows["date"] + pd.offsets.MonthEnd()),
    ),
    "an input": (FRAME.assign(close_=CLOSE), Request(target="close", exog=("close_",)), lambda rows: rows),
    "a longer step": (
        pd.DataFrame({"date": DAYS, "close": CLOSE}), Request(resample="W"), lambda rows: rows
    ),
}  # fmt: skip


def read_as_all(data: Data, rows: Any, request: Request, whole: Data) -> None:
    """Assert that data with new rows read as all rows at once."""
    together = read_unaudited(extended(data, rows, request, ""), request)[0]
    expected = read_unaudited(whole, request)[0]
    pd.testing.assert_frame_equal(together.table, expected.table)


@pytest.mark.parametrize(("of_data", "of_rows"), PAIRS)
def test_rows_and_data_may_differ_in_form(of_data: str, of_rows: str) -> None:
    data = ONE[of_data](FRAME)
    read_as_all(data[KNOWN], ONE[of_rows](FRAME[LAST]), Request(target="close"), data)


@pytest.mark.parametrize("form", SEVERAL)
def test_rows_are_known_by_the_roles_of_the_columns(form: str) -> None:
    whole, request, change = SEVERAL[form]
    read_as_all(whole[KNOWN], change(whole[LAST]), request, whole)
    read_as_all(extended(whole, change(whole[LAST]), request, ""), change(whole[LAST]), request, whole)


@pytest.mark.parametrize("form", SEVERAL)
def test_the_first_revised_value_is_named(form: str) -> None:
    whole, request, change = SEVERAL[form]
    rows = change(whole[LAST].copy())
    column = next(place for place, name in enumerate(rows.columns) if "close" in name)
    rows.iloc[1, column] += 1
    message = r"^rows: (\w+, )?20\d\d-\d\d-\d\d: (A )?close is [\d.]+, and [\d.]+ in the data; do so$"
    with pytest.raises(BasinError, match=message):
        extended(whole[KNOWN], rows, request, "do so")


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array,
        lambda array: array.to_dataset(),
        lambda array: array.to_series(),
        lambda array: array.to_series().rename(None),
        lambda array: array.to_dataframe(),
    ],
    ids=["DataArray", "Dataset", "Series", "Series without a name", "DataFrame"],
)
def test_rows_are_added_to_arrays_and_series(change: Callable[[xr.DataArray], Any]) -> None:
    array = xr.DataArray(CLOSE, {"time": MONTHS.rename(None)}, ["time"], "sst", {"units": "degC"})
    for of_data in (xr.DataArray.to_dataset, xr.DataArray.to_series):
        read_as_all(as_data(of_data(array[KNOWN])), change(array[LAST]), Request(), as_data(of_data(array)))
    together = extended(as_data(array[KNOWN]), array[LAST], Request(), "")
    assert read_unaudited(together, Request())[0].unit == "°C"


def test_an_input_that_was_published_late_is_added_to_its_row() -> None:
    whole, request = FRAME.assign(x=CLOSE[::-1]), Request(target="close", exog=("x",))
    data = whole.copy()
    data.loc[ROWS - 2 :, "x"] = np.nan
    read_as_all(data, whole[LAST], request, whole)
    read_as_all(data, whole[LAST].assign(close=np.nan), request, whole)
    read_as_all(whole, data[LAST], request, whole)


def test_one_of_several_columns_may_come_late_alone() -> None:
    late, request = FRAME.assign(other=CLOSE[::-1], note="a"), Request(target=("close", "other"))
    data = late.copy()
    data.loc[ROWS - 2 :, "other"] = np.nan
    read_as_all(data, late[LAST].assign(close=np.nan, note=None), request, late)


def test_small_prices_that_were_revised_are_named() -> None:
    tiny = FRAME.assign(close=9e-10 * CLOSE)
    read_as_all(
        tiny[KNOWN], tiny[LAST].assign(close=lambda t: t["close"] * (1 + 1e-7)), Request(target="close"), tiny
    )
    with pytest.raises(BasinError, match=r"^rows: 2020-08-06: close is "):
        extended(tiny, tiny[LAST].assign(close=lambda t: t["close"] * 1.0009), Request(target="close"), "")


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Asia/Kolkata", "America/New_York", "UTC"])
@pytest.mark.parametrize("of_data", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("step", ["h", "D"])
def test_rows_of_another_zone_are_the_same_instants(zone: str, of_data: str, step: str) -> None:
    times = pd.date_range("2021-01-01", periods=ROWS, freq=step, tz=of_data)
    whole = pd.Series(CLOSE, times.rename("time"), name="BTC-USD").to_frame()
    rows = whole[LAST].tz_convert(zone)
    read_as_all(whole[KNOWN], rows, Request(), whole)
    read_as_all(whole[KNOWN], rows["BTC-USD"].rename("btc-usd"), Request(), whole)
    seconds = rows.reset_index().astype({"time": f"datetime64[s, {zone}]"})
    read_as_all(whole[KNOWN], seconds, Request(), whole)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_texts_of_another_zone_are_the_same_instants(zone: str) -> None:
    times = pd.date_range("2021-01-01", periods=ROWS, freq="h", tz="UTC")
    whole = pd.DataFrame({"time": times, "close": CLOSE})
    text = whole.assign(time=[time.isoformat() for time in times.tz_convert(zone)])
    read_as_all(whole[KNOWN], text[LAST], Request(), whole)
    read_as_all(text[KNOWN], whole[LAST], Request(), whole)


def test_a_series_of_another_name_is_refused() -> None:
    data = DATED["close"]
    with pytest.raises(BasinError, match=r'^rows: the series has the name ETH.*rows\.rename\("close"\)$'):
        extended(data[KNOWN].to_frame(), data[LAST].rename("ETH"), Request(), "")


def test_a_series_may_have_the_name_of_a_level_of_the_columns() -> None:
    data = pd.concat({("Close", "AAPL"): DATED["close"]}, axis=1)
    whole = read_unaudited(data, Request())[0].table
    for name in ("AAPL", "close", None):
        together = extended(data[KNOWN], DATED["close"][LAST].rename(name), Request(), "")
        pd.testing.assert_frame_equal(read_unaudited(together, Request())[0].table, whole)


def test_each_series_has_its_own_size() -> None:
    tiny = TICKERS["ticker"] == "T10002"
    data = TICKERS.assign(close=TICKERS["close"].where(~tiny, 1e-7 * TICKERS["close"]))
    rows = data[-2:].assign(close=data["close"][-2:] * [1, 2])
    with pytest.raises(BasinError, match=r"^rows: T10002, 2020-08-13: close is "):
        extended(data, rows, Request(), "")


@pytest.mark.parametrize(
    ("of_data", "of_rows"),
    [
        ("%m/%d/%Y", "%m/%d/%Y 00:00"),
        ("%d/%m/%Y", "%d/%m/%Y "),
        ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"),
        ("%y-%b-%d", "%y-%b-%d 00:00"),
    ],
)
def test_the_data_tell_the_order_of_the_day_in_the_rows(of_data: str, of_rows: str) -> None:
    data = FRAME.assign(date=FRAME["date"].dt.strftime(of_data))
    rows = FRAME[LAST].assign(date=FRAME["date"][LAST].dt.strftime(of_rows))
    read_as_all(data[KNOWN], rows, Request(target="close"), data)


def test_the_later_of_two_rows_of_a_date_may_have_its_input() -> None:
    whole, request = FRAME.assign(x=CLOSE[::-1]), Request(target="close", exog=("x",))
    twice = pd.concat([whole[-1:].assign(x=np.nan), whole[-1:]])
    read_as_all(whole[:-1], twice, request, whole)


def test_a_date_may_be_given_twice_with_the_same_value() -> None:
    rows = FRAME[LAST]
    twice = pd.concat([rows, rows[-1:]], ignore_index=True)
    read_as_all(FRAME[KNOWN], twice, Request(target="close"), FRAME)
    twice.loc[len(rows), "close"] += 1
    with pytest.raises(BasinError, match="in an earlier one of these rows; give each date once"):
        extended(FRAME[KNOWN], twice, Request(target="close"), "")


def test_names_of_series_may_be_categories_of_arrow() -> None:
    categories = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string(), ordered=True))
    whole = TICKERS.astype({"ticker": categories})
    read_as_all(whole[KNOWN], whole[LAST], Request(), TICKERS)


def test_rows_that_are_all_known_are_noted() -> None:
    for rows in (FRAME[LAST], FRAME[:0]):
        assert "no value that the data lack" in extended(FRAME, rows, Request(target="close"), "").notes[-1]


def test_a_text_beside_the_values_is_no_key() -> None:
    data = FRAME.assign(source="prelim")
    rows = FRAME[LAST].assign(source="final")
    read_as_all(data[KNOWN], rows, Request(target="close"), data)
    with pytest.raises(BasinError, match=r"^rows: 2020-08-06: close is "):
        extended(data, rows.assign(close=1.01 * rows["close"]), Request(target="close"), "")


def test_a_row_without_a_value_gives_way_to_a_new_one() -> None:
    """Days to come may have known inputs, and one of several columns may have its value earlier."""
    late, request = FRAME.assign(other=CLOSE[::-1]), Request(target=("close", "other"))
    for columns in (["other"], ["close", "other"]):
        data = late.copy()
        data.loc[ROWS - 2 :, columns] = np.nan
        read_as_all(data, late[LAST], request, late)
    months = pd.DataFrame(CLOSE[:396].reshape(33, 12), pd.RangeIndex(1990, 2023, name="year"), range(1, 13))
    before = months.copy()
    before.iloc[-1, 5:] = np.nan
    read_as_all(before, months[-2:], Request(), months)
    read_as_all(months, months[-1:] * np.nan, Request(), months)


def test_rows_that_do_not_fit_are_refused() -> None:
    data = FRAME[KNOWN]
    with pytest.raises(BasinError, match=r"^rows: no column close; give rows with the columns"):
        extended(data, FRAME[LAST].rename(columns={"close": "last"}), Request(target="close"), "")
    with pytest.raises(BasinError, match=r"^rows: no column date; "):
        extended(data, FRAME[LAST].drop(columns="date").reset_index(drop=True), Request(target="close"), "")
    with pytest.raises(BasinError, match=r"^the frame: no date in row 397 "):
        read_unaudited(
            extended(data, FRAME[LAST].assign(date="soon"), Request(target="close"), ""),
            Request(target="close"),
        )


def test_a_file_is_extended_by_a_file(tmp_path: Path) -> None:
    FRAME[KNOWN].to_csv(tmp_path / "old.csv", index=False)
    FRAME.to_csv(tmp_path / "new.csv", index=False)
    old, new, request = tmp_path / "old.csv", tmp_path / "new.csv", Request(target="close")
    assert extended(old, str(new), request, "") == new
    with pytest.raises(
        BasinError, match=r"forecast is of the file .*old\.csv; give the path of the file with"
    ):
        extended(old, FRAME[LAST], request, "")
    together = read_unaudited(extended(FRAME[KNOWN], new, request, ""), request)[0]
    pd.testing.assert_frame_equal(together.table, read_unaudited(FRAME, request)[0].table)


@pytest.mark.parametrize("freq", ["ME", "BME", "W-FRI"])
def test_a_row_of_an_unfinished_period_gives_way_to_the_row_of_the_period(freq: str) -> None:
    ends = pd.date_range("1990-01-01", periods=ROWS, freq=freq)
    whole = pd.DataFrame({"date": ends, "close": CLOSE})
    early = whole.iloc[:-1].copy()
    early.loc[early.index[-1], ["date", "close"]] = (
        ends[-2] - pd.Timedelta(days=3 if freq == "W-FRI" else 12),
        1.0,
    )
    data = as_data(early)
    together = extended(data, whole.iloc[-2:], Request(), "")
    assert list(read_unaudited(together, Request())[0].table["close"]) == list(CLOSE)
