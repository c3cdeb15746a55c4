"""Negative numbers that are marks, and columns whose currency changes."""

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.files.table import from_frame
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request

RNG = np.random.default_rng(0)
DAYS = pd.bdate_range("2015-01-01", periods=800).strftime("%Y-%m-%d")
PRICES = (100 * np.exp(np.cumsum(RNG.normal(0, 0.01, 800)))).round(2)
RAIN = np.where(RNG.random(2000) < 0.5, 0.0, RNG.gamma(0.7, 60, 2000).round())


def read(name: str, values: np.ndarray, **others: object) -> Reading:
    days = pd.date_range("2001-01-01", periods=len(values)).strftime("%Y-%m-%d")
    dates = DAYS if len(values) == len(DAYS) else days
    return understand(from_frame(pd.DataFrame({"date": dates, name: values, **others}), "x"), Request())


@pytest.mark.parametrize(("name", "rows"), [("PRC", 5), ("PRC", 300), ("close", 300)])
def test_a_minus_of_crsp_is_no_part_of_the_price(name: str, rows: int) -> None:
    values = PRICES.copy()
    values[RNG.choice(800, rows, replace=False)] *= -1
    reading = read(name, values)
    assert (reading.kind, reading.table["close"].tolist()) == ("price", PRICES.tolist())
    assert any("means of bid and ask" in note for note in reading.notes)


def test_true_negative_prices_stay() -> None:
    values = PRICES / 5
    values[400] = -37.63
    with pytest.raises(BasinError, match=r"row 401: close is -37.63"):
        read("close", values)
    power = (PRICES - 100 + RNG.normal(0, 8, 800)).round(2)
    assert read("price", power).table["close"].tolist() == power.tolist()


def test_a_trace_of_rain_is_zero() -> None:
    values = np.where(RNG.random(2000) < 0.05, -1.0, RAIN)
    reading = read("RH", values)
    assert reading.table["value"].min() == 0
    assert any("trace" in note for note in reading.notes)
    assert any("-1 is the only negative value of count" in w for w in read("count", values).warnings)


def test_a_change_of_currency_is_a_warning() -> None:
    changed = ["USD"] * 500 + ["EUR"] * 300
    (warning,) = [w for w in read("Close", PRICES, Currency=changed).warnings if w.startswith("columns:")]
    assert "Currency changes from USD to EUR in row 501, 2016-12-01" in warning
    assert not any(w.startswith("columns:") for w in read("Close", PRICES, Currency="USD").warnings)
