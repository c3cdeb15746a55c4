"""Days whose rows repeat the day before are a warning, whose remedy leaves them out."""

import numpy as np
import pandas as pd
import pytest

from tasks.userdata.inspection import inspect
from tasks.userdata.request import Request

DAYS = pd.date_range("2015-01-01", periods=1500, freq="D")
CLOSE = 100 * np.exp(np.cumsum(np.random.default_rng(8).normal(0, 0.01, len(DAYS))))


def filled(weekend: tuple[int, ...]) -> pd.DataFrame:
    closed = DAYS.dayofweek.isin(weekend) | ((DAYS.month == 12) & (DAYS.day == 25))
    close = pd.Series(CLOSE).mask(closed).ffill().bfill()
    return pd.DataFrame({"date": DAYS, "close": close})


@pytest.mark.parametrize(
    ("weekend", "words"), [((5, 6), "Saturdays and Sundays"), ((4, 5), "Fridays and Sat")]
)
def test_filled_weekends_are_named_with_a_remedy_that_leaves_them_out(weekend, words) -> None:
    frame = filled(weekend)
    found = inspect(frame, Request())
    assert [w for w in found.warnings if w.startswith(f"coverage: {words}") and "--freq B" in w]
    read = inspect(frame, Request(freq="B"))
    assert not read.warnings and read.refusal is None
    assert set(read.reading.calendar.week) == set(range(7)) - set(weekend)
    assert not set(read.reading.table["time"].dt.dayofweek) & set(weekend)


@pytest.mark.parametrize("close", [CLOSE, np.repeat(CLOSE[:50], 30), np.round(CLOSE, 0)])
def test_days_with_values_of_their_own_are_no_filled_days(close: np.ndarray) -> None:
    found = inspect(pd.DataFrame({"date": DAYS, "close": close}), Request())
    assert not any("nearly all weeks" in warning for warning in found.warnings)
