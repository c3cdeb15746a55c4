"""Steps of a table: rows of any steps are read as they are, or refused with a remedy that works."""

import warnings

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.files.table import from_frame
from tasks.userdata.inspection import inspect
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request

RNG = np.random.default_rng(3)


def prices(times: pd.DatetimeIndex | list) -> pd.DataFrame:
    size = len(times)
    return pd.DataFrame({"date": times, "close": 100 * np.exp(np.cumsum(RNG.normal(0, 0.01, size)))})


def levels(times: pd.DatetimeIndex | list, cycle: int) -> pd.DataFrame:
    season = 5 * np.sin(2 * np.pi * np.arange(len(times)) / cycle)
    return pd.DataFrame({"date": times, "value": 10 + season + RNG.normal(0, 1, len(times))})


def read(frame: pd.DataFrame, **options) -> Reading:
    return understand(from_frame(frame, "rows.csv"), Request(**options))


def dekads(years: int) -> list[pd.Timestamp]:
    return [pd.Timestamp(2000 + y, m, d) for y in range(years) for m in range(1, 13) for d in (1, 11, 21)]


IRREGULAR = {
    "two days": (pd.date_range("2000-01-01", periods=600, freq="2D"), "W"),
    "eight days": (pd.date_range("2000-01-01", periods=600, freq="8D"), "MS"),
    "dekads": (dekads(20), "MS"),
    "two weeks": (pd.date_range("2000-01-01", periods=300, freq="14D"), "MS"),
    "four weeks": (pd.date_range("2000-01-01", periods=300, freq="28D"), "MS"),
    "two months": (pd.date_range("1950-01-01", periods=300, freq="2MS"), "QS"),
    "half-years": (pd.date_range("1700-01-01", periods=400, freq="6MS"), "YS"),
    "ticks": (pd.date_range("2020-01-01", periods=30000, freq="7s"), "h"),
}


@pytest.mark.parametrize("name", IRREGULAR)
def test_other_steps_are_refused_with_a_longer_step_that_can_be_read(name: str) -> None:
    times, longer = IRREGULAR[name]
    with pytest.raises(BasinError, match=f"--resample {longer} ") as refused:
        read(prices(times))
    assert "\n" not in str(refused.value)
    reading = read(prices(times), resample=longer)
    assert reading.freq == longer
    assert not reading.table.duplicated(["series", "time"]).any()
    assert not any("gap" in sentence for sentence in reading.warnings)
    if name in ("dekads", "two weeks", "two months", "half-years"):
        assert not any("left out" in sentence for sentence in reading.notes)


def test_steps_of_two_years_are_refused() -> None:
    with pytest.raises(BasinError, match="at most a year apart"):
        read(prices(pd.date_range("1700-01-01", periods=100, freq="2YS")))


@pytest.mark.parametrize(
    ("freq", "times", "said"),
    [
        ("MS", pd.bdate_range("2019-01-02", periods=400), "which is B .*--resample MS without --freq"),
        ("B", pd.date_range("1990-01-01", periods=400, freq="MS"), "which is MS .month.; omit --freq"),
        ("W", pd.date_range("1990-01-01", periods=400, freq="8D"), "8 days apart; pass --resample"),
        ("5min", pd.date_range("1990-01-01", periods=400, freq="h"), "which is h"),
    ],
)
def test_a_frequency_that_is_not_that_of_the_rows_is_refused(freq: str, times, said: str) -> None:
    with pytest.raises(BasinError, match=said):
        read(prices(times), freq=freq)


@pytest.mark.parametrize(
    ("times", "first", "said"),
    [
        (pd.date_range("1990-01-01", periods=360, freq="WOM-3FRI"), "1990-01-01", "first day of their month"),
        (pd.date_range("1900-06-29", periods=360, freq="12BME"), "1900-06-30", "last day of their month"),
        (pd.date_range("1950-03-31", periods=300, freq="BQE"), "1950-03-31", "last day of their month"),
        (
            pd.date_range("1950-02-15", periods=280, freq=pd.DateOffset(months=3)),
            "1950-02-01",
            "280 dates moved",
        ),
        (
            pd.bdate_range("2019-01-02", periods=400) + pd.Timedelta(hours=17),
            "2019-01-02",
            "times of day are not used",
        ),
    ],
)
def test_dates_that_are_moved_are_said(times: pd.DatetimeIndex, first: str, said: str) -> None:
    reading = read(prices(times))
    assert reading.table["time"].iloc[0] == pd.Timestamp(first)
    assert any(said in sentence for sentence in reading.notes)


@pytest.mark.parametrize(
    ("freq", "last"), [("YE-JUN", "2020-06-30"), ("QE-JAN", "2020-07-31"), ("QS-FEB", "2020-05-01")]
)
def test_years_and_quarters_keep_their_months(freq: str, last: str) -> None:
    times = pd.date_range(end=last, periods=120, freq=freq)
    reading = read(levels(times, 4))
    assert reading.table["time"].iloc[-1] == pd.Timestamp(last)
    assert not any("moved" in sentence for sentence in reading.notes)


def test_one_of_two_rows_of_a_step_is_bad() -> None:
    times = [day.replace(hour=17) for day in pd.bdate_range("2019-01-02", periods=400)]
    frame = prices([*times, times[299].replace(hour=9)])
    with pytest.raises(BasinError, match="the date of an earlier row in row 401"):
        read(frame)
    assert len(read(frame, on_bad_row="drop").table) == 400


@pytest.mark.parametrize(("step", "most"), [("h", 500.0), ("5min", 20.0), ("min", 8.0)])
def test_times_that_jitter_are_rounded_and_said(step: str, most: float) -> None:
    times = pd.date_range("2020-01-01", periods=2000, freq=step)
    jitter = pd.to_timedelta(RNG.uniform(-most, most, len(times)).round(int(step == "h")), unit="s")
    found = inspect(prices(times + jitter), Request())
    assert list(found.reading.table["time"]) == list(times)
    assert any("times rounded to steps" in sentence for sentence in found.notes)
    assert found.refusal is None


def test_bars_that_keep_no_time_of_day_go_on_by_their_step() -> None:
    times = pd.date_range("2020-01-01 00:03", periods=8000, freq="11min")
    found = inspect(prices(times), Request())
    assert found.rows["next date"] == f"{times[-1] + pd.Timedelta(minutes=11):%Y-%m-%d %H:%M}"
    assert "no usual times of day" in found.rows["calendar"]


def test_levels_keep_the_value_of_a_row_that_was_dated_early() -> None:
    weeks = list(pd.date_range("2000-01-07", periods=900, freq="7D"))
    weeks[400] -= pd.Timedelta(days=1)
    months = list(pd.date_range("1990-01-31", periods=400, freq="BME"))
    months[338] -= pd.Timedelta(days=1)
    for times, cycle, freq in ((weeks, 52, "W"), (months, 12, "ME")):
        frame = levels(times, cycle)
        reading = read(frame, kind="level")
        assert reading.freq == freq
        np.testing.assert_array_equal(reading.table["value"], frame["value"])
        assert any("moved to" in sentence for sentence in reading.notes)


def test_a_row_of_a_level_between_two_steps_is_named() -> None:
    times = list(pd.date_range("2020-01-01", periods=400, freq="h"))
    times[7] += pd.Timedelta(minutes=17)
    with pytest.raises(BasinError, match=r"row 8 .2020-01-01 07:17. is not a whole number of hours"):
        read(levels(times, 24), kind="level", on_bad_row="interpolate")


def test_a_longer_step_has_the_range_of_all_its_rows_and_ends_with_the_file() -> None:
    days = pd.bdate_range("2019-01-02", "2021-04-15")  # a Thursday
    close = prices(days)["close"].to_numpy()
    frame = pd.DataFrame({"Date": days, "Open": close * 0.99, "High": close * 1.05, "Low": close * 0.95})
    frame["Close"] = close
    reading = read(frame, resample="W")
    weeks = frame.set_index("Date").resample("W-FRI").agg({"Open": "first", "High": "max", "Low": "min"})
    assert reading.ohlc and reading.table["time"].iloc[-1] == pd.Timestamp("2021-04-09")
    np.testing.assert_array_equal(
        reading.table[["open", "high", "low"]], weeks.loc[reading.table["time"]].to_numpy()
    )
    assert any("the last week is left out" in sentence for sentence in reading.notes)
    whole = read(frame[frame["Date"] <= "2021-04-09"], resample="W")
    assert whole.table["time"].iloc[-1] == pd.Timestamp("2021-04-09")
    assert reading.table.index[-1] == len(days) - 4  # the row of Friday in the file


def test_days_of_a_market_from_its_bars_are_trading_days() -> None:
    days = pd.bdate_range("2020-01-02", periods=60)
    times = [day + pd.Timedelta(hours=hour) for day in days for hour in range(10, 17)]
    reading = read(prices(times), resample="D")
    assert (reading.freq, list(reading.table["time"])) == ("B", list(days))
    assert not any("few rows" in sentence for sentence in reading.notes)


def test_a_quarter_of_one_month_is_left_out() -> None:
    months = pd.date_range("1980-01-01", periods=240, freq="MS")
    frame = levels(months, 12).drop(index=[1, 2, 239])
    reading = read(frame, resample="QS", kind="level")
    assert list(reading.table["time"].iloc[[0, -1]]) == [
        pd.Timestamp("1980-04-01"),
        pd.Timestamp("1999-07-01"),
    ]
    assert any("1 with few rows left out" in sentence for sentence in reading.notes)


@pytest.mark.parametrize(("rows", "freq"), [("B", "B"), ("W-FRI", "W"), ("MS", "MS")])
def test_empty_days_between_the_rows_with_values_do_not_count(rows: str, freq: str) -> None:
    known = pd.date_range("2000-01-01", periods=300, freq=rows)
    frame = prices(known).set_index("date").reindex(pd.date_range(known[0], known[-1])).rename_axis("date")
    reading = read(frame, on_bad_row="drop")
    assert (reading.freq, len(reading.table)) == (freq, 300)


PAIRS = [
    ("W", "B"), ("B", "W"), ("MS", "W"), ("W", "MS"), ("MS", "B"), ("QS", "MS"), ("h", "D"), ("D", "h"),
    ("30min", "5min"), ("5min", "30min"), ("YS", "MS"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "then"), PAIRS)
def test_steps_that_change_are_refused_with_their_date_and_a_longer_step(first: str, then: str) -> None:
    early = pd.date_range("1990-01-01", periods=60, freq=first)
    late = pd.date_range(early[-1] + pd.Timedelta(days=1), periods=150, freq=then)
    frame = prices(early.append(late))
    with pytest.raises(BasinError, match="apart from there on") as refused:
        read(frame)
    named = pd.Timestamp(str(refused.value).split("apart before ")[1].split(" and ")[0])
    assert early[-2] <= named <= late[1]
    longer = str(refused.value).split("--resample ")[1].split(" ")[0]
    found = read(frame, resample=longer)
    assert len(found.table) > 20 and found.freq in (longer, "B", "D")
    if longer == then:
        assert len(found.table) > 140
    elif longer == first:
        assert (found.table["time"] < early[-1]).sum() > 50


def test_gaps_are_no_change_of_the_steps() -> None:
    days = pd.bdate_range("2000-01-03", periods=2000)
    rare = np.random.default_rng(1).random(2000) < 0.35
    assert read(prices(days[~rare])).freq == "B"
    assert read(prices(days[:1000].append(days[1015:]))).freq == "B"


def test_periods_of_business_days_are_read_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        periods = pd.period_range("2020-01-01", periods=300, freq="B", name="date")
        frame = pd.DataFrame({"close": range(300)}, index=periods)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = from_frame(frame, "rows")
    assert list(table.frame["date"]) == list(pd.bdate_range("2020-01-01", periods=300))
