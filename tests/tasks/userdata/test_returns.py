"""Returns in per cent, fractions and basis points, and values of both signs that are no returns."""

import numpy as np
import pandas as pd
import pytest

from tasks.userdata.files.table import from_frame
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request

DAYS = pd.bdate_range("2015-01-01", periods=800).strftime("%Y-%m-%d")
RETURNS = np.random.default_rng(0).standard_t(4, 800) * 0.8


def read(name: str, values: object) -> Reading:
    return understand(from_frame(pd.DataFrame({"date": DAYS, name: values}), "x"), Request())


@pytest.mark.parametrize("name", ["Return (bp)", "ret_bps", "ret bp", "return_basis_points"])
def test_basis_points_are_divided_by_100(name: str) -> None:
    reading = read(name, RETURNS * 100)
    assert reading.kind == "return"
    assert np.allclose(reading.table["close"], RETURNS)
    assert any(note.startswith("returns are in basis points") for note in reading.notes)


def dollars(value: float) -> str:
    return f"${value:,.2f}" if value >= 0 else f"(${-value:,.2f})"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("value", [dollars(1000 * value) for value in RETURNS]),
        ("value", RETURNS * 1000),
        ("pnl", RETURNS),
        ("net_flow", RETURNS),
        ("spread_change_bps", RETURNS),
        ("yield_change", RETURNS / 20),
    ],
)
def test_values_that_are_no_returns_are_a_rate(name: str, values: object) -> None:
    reading = read(name, values)
    assert reading.kind == "rate"
    assert any("no returns" in note and "--kind return" in note for note in reading.notes)


@pytest.mark.parametrize("name", ["ret", "return_pct", "value", "profit_return"])
def test_returns_with_a_crash_stay_returns_in_per_cent(name: str) -> None:
    values = RETURNS.copy()
    values[400] = -20.0
    reading = read(name, values)
    assert (reading.kind, reading.table["close"].min()) == ("return", -20.0)


def test_small_returns_in_per_cent_with_a_fall_below_minus_one_are_no_fractions() -> None:
    values = RETURNS / 20
    values[400] = -2.0
    assert read("ret", values).table["close"].min() == -2.0


def test_sizes_that_returns_rarely_have_are_a_warning() -> None:
    reading = read("ret", np.clip(RETURNS * 20, -90, 90))
    assert any(warning.startswith("impossible: the returns are often beyond") for warning in reading.warnings)


@pytest.mark.parametrize("name", ["log_price", "lnP", "log(close)", "ln_close"])
def test_logarithms_of_prices_are_a_rate(name: str) -> None:
    reading = read(name, np.log(100) + RETURNS.cumsum() / 100)
    assert reading.kind == "rate"
    assert any("logarithms of prices" in note for note in reading.notes)
