"""Bars within a day that have a time zone: their days have the same times of day before and after a change of
daylight saving time."""

import numpy as np
import pandas as pd
import pytest

from tasks.sources.dates import as_dates
from tasks.userdata.files.table import from_frame
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request

SESSIONS = {
    "Europe/Berlin": ("09:00:00", 9, "1h"),
    "America/New_York": ("09:30:00", 13, "30min"),
    "Europe/London": ("01:00:00", 23, "1h"),
    "Australia/Sydney": ("10:00:00", 7, "1h"),
}
AROUND_THE_CLOCK = pd.date_range("2022-06-01", "2023-06-30", freq="h", tz="UTC")


def session(zone: str | None, days: int = 200, start: str = "2023-01-02") -> pd.DatetimeIndex:
    """Return bars of ``days`` business days, in the local time of a zone."""
    first, count, step = SESSIONS[zone or "America/New_York"]
    of_day = [pd.Timedelta(first) + k * pd.Timedelta(step) for k in range(count)]
    days_of_bars = pd.bdate_range(start, periods=days)
    return pd.DatetimeIndex([day + time for day in days_of_bars for time in of_day]).tz_localize(zone)


def in_utc(times: pd.DatetimeIndex) -> pd.Series:
    return pd.Series(times.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"))


def with_offsets(times: pd.DatetimeIndex) -> pd.Series:
    return pd.Series([time.isoformat() for time in times])


def read(dates: pd.Series) -> Reading:
    move = np.random.default_rng(0).normal(0, 0.003, len(dates))
    return understand(
        from_frame(pd.DataFrame({"time": dates, "close": 100 * np.exp(np.cumsum(move))}), "bars"), Request()
    )


@pytest.mark.parametrize("zone", SESSIONS)
@pytest.mark.parametrize("written", [with_offsets, in_utc])
def test_the_next_bar_after_a_change_of_daylight_saving_time_is_one_of_the_session(zone, written) -> None:
    times = session(zone)
    reading = read(written(times))
    local = times.tz_localize(None)
    assert list(reading.table["time"]) == list(local)
    assert not reading.warnings
    friday = local[local.dayofweek == 4][-1]
    monday = friday.normalize() + pd.Timedelta(days=3) + pd.Timedelta(SESSIONS[zone][0])
    assert reading.calendar.following(friday)[0] == monday
    assert sum(zone in note or "the local times are used" in note for note in reading.notes) == 1


@pytest.mark.parametrize("form", ["seconds since 1970", "times in UTC", "an offset for winter all year"])
def test_a_session_is_found_in_every_form_of_utc(form: str) -> None:
    times = session("America/New_York", 700, "2021-01-04")
    column = {
        "seconds since 1970": pd.Series([int(time.timestamp()) for time in times]),
        "times in UTC": pd.Series(times.tz_convert("UTC")),
        "an offset for winter all year": with_offsets(times.tz_convert("-05:00")),
    }[form]
    found = as_dates(column, "file")
    assert list(found.time) == list(times.tz_localize(None))
    assert "local times of America/New_York" in str(found.note)


def test_missing_bars_and_short_days_do_not_hide_a_session() -> None:
    times = session("America/New_York")
    kept = times[np.random.default_rng(0).random(len(times)) < 0.8]
    kept = kept[(kept.normalize() != kept[-1].normalize()) | (kept.hour < 13)]
    assert list(as_dates(in_utc(kept), "file").time) == list(kept.tz_localize(None))


def test_hours_of_foreign_exchange_begin_on_sunday_at_one_local_time() -> None:
    local = AROUND_THE_CLOCK.tz_convert("America/New_York")
    closed = (
        (local.dayofweek == 5)
        | ((local.dayofweek == 4) & (local.hour >= 17))
        | ((local.dayofweek == 6) & (local.hour < 17))
    )
    found = as_dates(in_utc(local[~closed]), "file")
    assert list(found.time) == list(local[~closed].tz_localize(None))


@pytest.mark.parametrize("step", [1, 4])
def test_a_market_without_pauses_stays_in_utc(step: int) -> None:
    times = AROUND_THE_CLOCK[::step]
    for column in (
        in_utc(times),
        with_offsets(times.tz_convert("Europe/Berlin")),
        with_offsets(times.tz_convert("Europe/Berlin")[4000 // step : 5800 // step]),
    ):
        found = as_dates(column, "file")
        assert found.note == "dates have a time zone: they are converted to UTC"
        assert found.time.iloc[0].hour % step == 0
    days = pd.date_range("2023-06-01", periods=900, freq="5min", tz="Europe/Berlin")
    for column in (in_utc(days), with_offsets(days)):
        assert as_dates(column, "file").note == "dates have a time zone: they are converted to UTC"


def test_a_session_of_a_zone_without_summer_time_stays_in_utc() -> None:
    local = session(None).tz_localize("Asia/Tokyo")
    found = as_dates(in_utc(local), "file")
    assert list(found.time) == list(local.tz_convert("UTC").tz_localize(None))
    assert list(as_dates(with_offsets(local), "file").time) == list(local.tz_localize(None))


def test_later_rows_change_times_only_if_a_note_says_so() -> None:
    times = session("America/New_York")
    winter = times[times < "2023-03-11"]
    assert list(as_dates(with_offsets(winter), "file").time) == list(winter.tz_localize(None))
    found = as_dates(in_utc(winter), "file")
    assert list(found.time) == list(winter.tz_convert("UTC").tz_localize(None))
    assert "if later rows shift with the summer time of a zone" in str(found.note)


def test_offsets_of_several_zones_are_converted_to_utc() -> None:
    both = session("America/New_York").append(session("Europe/Berlin").tz_convert("America/New_York"))
    written = pd.concat([with_offsets(session("America/New_York")), with_offsets(session("Europe/Berlin"))])
    found = as_dates(written, "file")
    assert list(found.time) == list(both.tz_convert("UTC").tz_localize(None))


def test_names_of_zones_are_noted_and_the_times_used_as_written() -> None:
    times = session(None)
    found = as_dates(pd.Series(times.strftime("%Y-%m-%d %H:%M EST")), "file")
    assert list(found.time) == list(times)
    assert found.note == "dates name a time zone, such as EST: the times are used as written"


def test_a_named_zone_beside_offsets_is_not_utc() -> None:
    hours = AROUND_THE_CLOCK.tz_convert("America/New_York")
    text = pd.Series([f"{t:%Y-%m-%d %H:%M %Z}" if k % 3 else t.isoformat(" ") for k, t in enumerate(hours)])
    found = as_dates(text, "file")
    assert list(found.time) == list(AROUND_THE_CLOCK.tz_localize(None))
    text[7] = "2022-06-01 03:00 IST"
    text[8] = "2022-06-01 08:00"
    found = as_dates(text, "file")
    assert pd.isna(found.time[7]) and found.time[8] == pd.Timestamp("2022-06-01 08:00")
    assert "times without a zone are read as UTC" in str(found.note)


YEAR = pd.date_range("2017-12-31 23:00", "2018-12-31 22:00", freq="h", tz="UTC")
WRITTEN = {
    "without a zone": lambda t: f"{t:%Y-%m-%d %H:%M}",
    "with the name of the zone": lambda t: f"{t:%Y-%m-%d %H:%M %Z}",
    "with the name in brackets": lambda t: f"{t:%d.%m.%Y %H:%M} ({t:%Z})",
    "ranges": lambda t: f"{t:%d.%m.%Y %H:%M} - {t + pd.Timedelta(hours=1):%d.%m.%Y %H:%M}",
}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("rows", [slice(None), slice(None, None, -1), slice(0, 4000)])
def test_local_times_with_a_repeated_and_a_missing_hour_are_those_of_utc(zone, form, rows) -> None:
    times = YEAR[rows].tz_convert(zone)
    text = [WRITTEN[form](t) for t in times]
    reading = read(pd.Series(text))
    assert list(reading.table["time"]) == sorted(times.tz_convert("UTC").tz_localize(None))
    assert any("converted to UTC" in note for note in reading.notes)


def test_a_missing_hour_at_another_time_is_no_change_of_the_clocks() -> None:
    times = YEAR.tz_localize(None).delete(range(3000, 3001))
    reading = read(pd.Series(times))
    assert list(reading.table["time"]) == list(times)
