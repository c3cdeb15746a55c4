"""What is decided for a file, from the file alone."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.files.table import from_frame
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
