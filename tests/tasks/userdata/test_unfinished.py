"""Last rows of a month, quarter, year or week that is not over are left out, and other last rows are kept."""

import numpy as np
import pandas as pd
import pytest

from tasks.userdata.files.table import from_frame
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request

CLOSE = np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.03, 400)))
SEASON = 10 + np.sin(np.arange(400) * np.pi / 6) + np.random.default_rng(6).normal(0, 0.1, 400)
ENDS = {"BME": "month", "ME": "month", "MS": "month", "BMS": "month", "QE": "quarter", "BQE-JAN": "quarter",
        "QS-FEB": "quarter", "YE": "year", "W-FRI": "week", "W-MON": "week", "W-SUN": "week"}  # fmt: skip


def read(days: pd.DatetimeIndex | list[pd.Timestamp], values: np.ndarray = CLOSE) -> Reading:
    frame = pd.DataFrame({"date": days, "close": values[: len(days)]})
    return understand(from_frame(frame, "rows.csv"), Request())


def of(freq: str) -> pd.DatetimeIndex:
    return pd.date_range("1700-01-01" if freq == "YE" else "1950-01-01", periods=290, freq=freq)


@pytest.mark.parametrize("values", [CLOSE, SEASON])
@pytest.mark.parametrize("freq", ENDS)
def test_rows_of_an_unfinished_period_are_left_out_with_a_note(freq: str, values: np.ndarray) -> None:
    days = of(freq)
    later = days[-1] + pd.Timedelta(days=4 if freq.startswith("W") else 17)
    reading = read(days.append(pd.DatetimeIndex([later])), values)
    assert len(reading.table) == 290 and reading.left_out == 1
    note = f"the last row is of an unfinished {ENDS[freq]}, left out: row 291 ({later:%Y-%m-%d})"
    assert note in reading.notes
    assert reading.table["time"].tolist() == read(days, values).table["time"].tolist()


@pytest.mark.parametrize("freq", ENDS)
def test_whole_periods_are_kept(freq: str) -> None:
    reading = read(of(freq))
    assert len(reading.table) == 290 and not any("unfinished" in note for note in reading.notes)


def test_the_row_of_the_month_that_has_the_value_of_the_latest_day_is_left_out_too() -> None:
    days = of("MS")
    values = np.append(CLOSE[:290], CLOSE[289])
    reading = read([*days, days[-1] + pd.Timedelta(days=16)], values)
    assert len(reading.table) == 289 and "rows of an unfinished month" in " ".join(reading.notes)


HOLIDAYS = {
    "the day before a holiday": (
        "W-FRI",
        lambda days: days - pd.Timedelta(days=1) * (days.isocalendar().week == 1),
    ),
    "month ends before the new year of China": (
        "BME",
        lambda days: days - pd.Timedelta(days=4) * (days.month == 1),
    ),
    "the 15th or the next business day": (
        "MS",
        lambda days: days + pd.Timedelta(days=14) + pd.offsets.BDay(0),
    ),
    "the third Friday": ("WOM-3FRI", lambda days: days),
}


@pytest.mark.parametrize("name", HOLIDAYS)
def test_last_rows_on_days_that_vary_are_kept(name: str) -> None:
    freq, moved = HOLIDAYS[name]
    for rows in range(270, 290):
        days = pd.DatetimeIndex(moved(of(freq)[:rows]))
        assert len(read(days).table) == rows
