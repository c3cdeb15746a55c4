"""What is decided for a file, from the file alone."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.files.table import from_frame
from tasks.userdata.inspection import inspect
from tasks.userdata.plan import MOST_ROWS, planned
from tasks.userdata.reading import understand
from tasks.userdata.request import Request

ASKED = Request(time="date", target="close")


def frame(rows: int, freq: str = "B") -> pd.DataFrame:
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, rows)))
    return pd.DataFrame({"date": pd.date_range("1990-01-01", periods=rows, freq=freq), "close": walk})


def plan(rows: int, request: Request = ASKED, freq: str = "B"):
    return planned(understand(from_frame(frame(rows, freq), "x"), request), request, "x")


def test_the_last_fifth_is_tested_and_everything_is_said() -> None:
    domain, params, reading = plan(3000)
    assert params.split.test_from == date(1999, 3, 15)
    assert params.split.walk_from < params.split.test_from
    assert "historical-simulation" in domain.peers
    assert any("test block: the last 20 %" in s for s in reading.notes)


def test_dev_holds_no_row_of_the_test_block() -> None:
    request = Request(time="date", target="close", test_from=date(1999, 1, 1), dev=True)
    _, params, reading = plan(3000, request)
    assert reading.table["time"].max() < pd.Timestamp("1999-01-01")
    assert params.split.test_to < date(1999, 1, 1)


def test_a_short_history_goes_without_historical_simulation() -> None:
    domain, _, reading = plan(1150)
    assert "historical-simulation" not in domain.peers
    assert any("historical simulation is left out" in s for s in reading.notes)


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        (250, ASKED, "expected at least"),
        (3000, Request(time="date", target="close", test_from=date(2020, 1, 1)), "expected a date after"),
        (3000, Request(time="date", target="close", peers=("arima",)), "--peers arima"),
        (3000, Request(time="date", target="close", kind="level"), "kind level: rows of frequency B"),
        (MOST_ROWS["price"] + 1, ASKED, "resample to a lower frequency"),
    ],
)
def test_what_cannot_be_planned_is_one_line(rows: int, options: Request, said: str) -> None:
    with pytest.raises(BasinError, match=said) as caught:
        plan(rows, options)
    assert "\n" not in str(caught.value)


def temperatures(rows: int, freq: str = "D") -> pd.DataFrame:
    days = pd.date_range("2018-01-01", periods=rows, freq=freq)
    season = 10 + 8 * np.sin(2 * np.pi * days.dayofyear / 365.25)
    return pd.DataFrame({"date": days, "t": season + np.random.default_rng(0).normal(0, 1, rows)})


@pytest.mark.parametrize(
    ("rows", "named", "absent"),
    [
        (2300, ["--kind rate", "give a longer history and --resample MS"], "pass --resample"),
        (4800, ["--resample W", "--resample MS", "--kind rate"], "longer history"),
    ],
)
def test_an_annual_cycle_of_days_is_refused_with_what_works(rows: int, named: list[str], absent: str) -> None:
    refusal = inspect(temperatures(rows), Request()).refusal
    assert refusal is not None and all(words in refusal for words in named) and absent not in refusal
    assert inspect(temperatures(rows), Request(kind="rate")).refusal is None
    for to in ("W", "MS"):
        works = inspect(temperatures(rows), Request(resample=to)).refusal is None
        assert works == (absent == "longer history")


def test_a_later_test_block_is_named_only_where_it_works() -> None:
    refusal = inspect(temperatures(2300), Request(resample="W")).refusal
    assert refusal is not None and "--test-from" not in refusal
    assert "forecasts 1 step ahead" in refusal and "need 470: give a longer history" in refusal

    def backtest(months: int, test_from: date | None = None) -> None:
        request = Request(test_from=test_from)
        planned(understand(from_frame(temperatures(months, "MS"), "x"), request), request, "x")

    with pytest.raises(BasinError, match=r"give a longer history$"):
        backtest(100)
    with pytest.raises(BasinError, match="give a longer history, or pass --test-from") as caught:
        backtest(130)
    first = date.fromisoformat(str(caught.value).split()[-1])
    backtest(130, first)
    with pytest.raises(BasinError):
        backtest(130, (pd.Timestamp(first) - pd.Timedelta(days=31)).date())
    assert "--test-from" not in str(inspect(temperatures(130, "MS"), Request()).refusal)


def monthly(season: float) -> tuple[str, ...]:
    """Return the notes on a monthly file of 1960-01 to 2023-04 with a season of an amplitude."""
    table = pd.DataFrame({"date": pd.date_range("1960-01-01", "2023-04-01", freq="MS")})
    wave = season * np.cos(2 * np.pi * table["date"].dt.month / 12)
    table["t"] = wave + np.random.default_rng(0).normal(0, 1, len(table))
    request = Request(kind="level")
    return planned(understand(from_frame(table, "x"), request), request, "x")[2].notes


def test_the_rows_of_the_normal_are_named() -> None:
    (note,) = (note for note in monthly(5.0) if "normal" in note)
    assert "the mean of each season from 1992-11-01 to 2022-10-01: the 30 cycles" in note
    assert note.endswith("up to the last refit, 6 rows before the end")
    (note,) = (note for note in monthly(0.0) if "normal" in note)
    assert note == "values are anomalies: their normal is 0"
