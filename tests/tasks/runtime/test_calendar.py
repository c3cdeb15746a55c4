"""Calendars inferred from dates alone: the next date is one that the market has."""

import time

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.calendar import Calendar, infer
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency, name_of


def week(
    mask: str, start: str = "2015-01-01", rows: int = 900, holidays: tuple[str, ...] = ()
) -> pd.DatetimeIndex:
    days = pd.bdate_range(start, periods=rows, freq="C", weekmask=mask)
    return days[~days.strftime("%m-%d").isin(holidays)]


def bars(days: pd.DatetimeIndex, first: str, count: int, step: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(
        [t for day in days for t in pd.date_range(day + pd.Timedelta(first), periods=count, freq=step)]
    )


WORK, SUNDAY = "Mon Tue Wed Thu Fri", "Sun Mon Tue Wed Thu"
CALENDARS = {
    "New York": (week(WORK, holidays=("01-01", "07-04", "12-25")), "B"),
    "New York before Christmas": (week(WORK, "2013-01-02", 2864, ("01-01", "12-25")), "B"),
    "Tokyo, open on 25 December": (week(WORK, holidays=("01-01", "01-02", "01-03", "12-31")), "B"),
    "Tokyo before New Year": (week(WORK, "2012-01-04", 2602, ("01-01", "01-02", "01-03", "12-31")), "B"),
    "Tel Aviv": (week(SUNDAY), "B"),
    "Riyadh": (week(SUNDAY, "2016-01-03", 700, ("09-23",)), "B"),
    "Tehran": (week("Sat Sun Mon Tue Wed"), "B"),
    "Saturdays": (week("Mon Tue Wed Thu Fri Sat"), "B"),
    "crypto": (pd.date_range("2020-01-01", periods=700, freq="D"), "D"),
    "weeks on Monday": (pd.date_range("2008-01-07", periods=400, freq="W-MON"), "W"),
    "weeks on Friday": (pd.date_range("2008-01-04", periods=400, freq="W-FRI"), "W"),
    "hours of crypto": (pd.date_range("2024-03-01", periods=700, freq="h"), "h"),
    "hours of New York": (bars(week(WORK, rows=100), "9h30min", 7, "h"), "h"),
    "hours of Tel Aviv": (bars(week(SUNDAY, rows=100), "10h", 8, "h"), "h"),
    "five minutes": (bars(week(WORK, rows=15), "9h30min", 78, "5min"), "5min"),
    "eleven minutes": (pd.date_range("2024-03-01 00:03", periods=20000, freq="11min"), "11min"),
    "quarters from February": (pd.date_range("1990-02-01", periods=120, freq="QS-FEB"), "QS"),
    "quarters to January": (pd.date_range("1990-01-31", periods=120, freq="QE-JAN"), "QE"),
    "years to June": (pd.date_range("1900-06-30", periods=100, freq="YE-JUN"), "YE"),
    "four hours": (pd.date_range("2023-01-01", periods=600, freq="4h"), "4h"),
    "month starts": (pd.date_range("1990-01-01", periods=300, freq="MS"), "MS"),
    "month ends": (pd.date_range("1990-01-31", periods=301, freq="ME"), "ME"),
    "last business days": (pd.date_range("1990-01-31", periods=303, freq="BME"), "BME"),
    "quarter ends": (pd.date_range("1990-03-31", periods=121, freq="QE"), "QE"),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_the_next_date_is_one_that_the_market_has(name: str) -> None:
    times, freq = CALENDARS[name]
    known = times[:-12]
    steps = pd.Series(known).diff().dt.total_seconds().dropna() / 86400
    assert name_of(pd.Series(known), float(steps.median()), steps) == freq
    following = infer(known, freq).following(known[-1], 12)
    assert list(following) == list(times[-12:])


def test_a_week_that_was_dated_early_is_followed_by_its_usual_day() -> None:
    fridays = pd.date_range("2020-01-03", periods=100, freq="W-FRI")
    early = fridays[:-1].append(pd.DatetimeIndex([fridays[-1] - pd.Timedelta(days=1)]))
    assert infer(early, "W").following(early[-1])[0] == fridays[-1] + pd.Timedelta(days=7)


def test_the_sessions_of_an_exchange_take_the_place_of_the_week() -> None:
    days = pd.bdate_range("2019-01-01", "2021-12-23")
    assert infer(days, "B", "XNYS").following(pd.Timestamp("2021-12-23"))[0] == pd.Timestamp("2021-12-27")
    with pytest.raises(BasinError, match="--calendar XMARS"):
        Calendar("B", exchange="XMARS").following(days[-1])


@pytest.mark.parametrize(
    "name", ["min", "5min", "h", "2h", "D", "B", "W", "MS", "ME", "BME", "QS", "QE", "YS", "YE"]
)
def test_frequencies_have_a_step_and_words(name: str) -> None:
    step = frequency(name)
    assert step.days > 0 and step.refit > 0 and step.period
    assert pd.Timestamp("2020-01-31") + step.offset > pd.Timestamp("2020-01-31")


@pytest.mark.parametrize("name", ["Q", "5", "0min", "24h", "", "month"])
def test_unknown_frequencies_are_refused(name: str) -> None:
    with pytest.raises(BasinError, match="--freq"):
        frequency(name)


@pytest.mark.parametrize("days", [2, 8, 10, 14, 17, 28, 91])
def test_regular_steps_of_other_days_have_no_frequency(days: int) -> None:
    times = pd.Series(pd.date_range("2020-01-01", periods=50, freq=f"{days}D"))
    assert name_of(times, float(days), pd.Series(np.full(49, float(days)))) is None


@pytest.mark.parametrize("freq", ["QS-FEB", "QE-JAN", "YE-JUN", "YS-APR", "BME", "11min"])
def test_no_period_of_a_record_without_holes_is_missing(freq: str) -> None:
    times = pd.date_range("1990-01-01", periods=200, freq=freq)
    assert list(infer(times, freq.split("-")[0]).expected(times[0], times[-1])) == list(times)


def test_the_next_minute_is_found_without_all_those_of_the_day() -> None:
    market = infer(pd.date_range("2020-01-01", periods=8000, freq="min"), "min")
    began = time.perf_counter()
    for hour in range(1000):
        market.following(pd.Timestamp("2020-01-06") + pd.Timedelta(hours=hour), 3)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("first", "rows", "freq"),
    [
        ("2020-01-01", 600, "10min"),
        ("2020-01-01", 1900, "5min"),
        ("2020-01-03", 3000, "1min"),
        ("2020-01-01", 90, "h"),
    ],
)
def test_a_record_of_a_few_days_around_the_clock_goes_on_by_its_step(
    first: str, rows: int, freq: str
) -> None:
    times = pd.date_range(first, periods=rows + 1, freq=freq)
    assert infer(times[:-1], freq).following(times[-2])[0] == times[-1]


def test_sparse_early_years_tell_no_holidays() -> None:
    sparse = pd.date_range("1990-01-01", "2009-12-31", freq="W-MON")
    full = week(WORK, "2010-01-04", 500, ("12-25",))
    assert infer(sparse.append(full), "B").closed == frozenset()
    years = week(WORK, "2010-01-04", 2600, ("12-25", "01-01"))
    early = sparse[sparse.strftime("%m-%d") != "12-25"]
    assert (12, 25) in infer(early.append(years), "B").closed
