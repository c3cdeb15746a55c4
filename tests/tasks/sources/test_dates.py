"""Dates in the forms that people export: each column is read as the same dates, or refused in one line."""

import pickle

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.sources.dates import UnknownOrder, as_dates, date_like

DAYS = pd.bdate_range("2019-01-02", periods=600)
OLD = pd.bdate_range("1962-01-02", periods=3000)
MONTHS = pd.date_range("1955-01-01", periods=840, freq="MS")
ENDS = pd.date_range("1960-01-31", periods=600, freq="ME")
QUARTERS = pd.date_range("1960-01-01", periods=240, freq="QS")
WEEKS = pd.date_range("2010-01-04", periods=500, freq="7D")
HOURS = pd.date_range("2019-01-01", periods=1500, freq="h")
MINUTES = pd.date_range("2019-04-01", periods=2500, freq="min")
GERMAN = ["Jan.", "Feb.", "März", "Apr.", "Mai", "Jun.", "Jul.", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."]
FRENCH = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."]
POLISH = ["sty", "lut", "mar", "kwi", "maj", "cze", "lip", "sie", "wrz", "paź", "lis", "gru"]
SPANISH = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]
CENTURY = pd.date_range("1901-01-01", periods=1440, freq="MS")
EPOCH = pd.Timestamp(0)
DAY, HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)


def seconds(days: pd.DatetimeIndex) -> list[int]:
    return [int((d - EPOCH).total_seconds()) for d in days]


FORMS = {
    "month first, two digits": (OLD, lambda d: f"{d.month}/{d.day}/{d:%y}"),
    "name of the month, two digits": (OLD, lambda d: f"{d:%d-%b-%y}"),
    "Bank of England": (ENDS, lambda d: f"{d:%d %b %y}"),
    "month and year of two digits": (MONTHS, lambda d: f"{d:%b-%y}"),
    "a year of two digits behind a blank": (MONTHS, lambda d: f"{d:%b %y}"),
    "more than a century of two digits": (CENTURY, lambda d: f"{d:%b-%y}"),
    "1975": (pd.bdate_range("1975-01-02", periods=600), lambda d: f"{d:%d %b %y}"),
    "MM.YYYY": (MONTHS, lambda d: f"{d:%m.%Y}"),
    "YY/MM/DD": (DAYS, lambda d: f"{d:%y/%m/%d}"),
    "YY-MM-DD": (DAYS, lambda d: f"{d:%y-%m-%d}"),
    "YY-Mon-DD": (DAYS, lambda d: f"{d:%y-%b-%d}"),
    "financial years": (MONTHS[576:684:12], lambda d: f"{d:%Y}-{d.year - 1999:02d}"),
    "YYMMDD": (DAYS, lambda d: f"{d:%y%m%d}"),
    "DDMMYYYY": (DAYS, lambda d: f"{d:%d%m%Y}"),
    "DD.MM.YY": (DAYS, lambda d: f"{d:%d.%m.%y}"),
    "newest first, two digits": (DAYS[::-1], lambda d: f"{d:%d.%m.%y}"),
    "not in order": (OLD[::7].append(OLD[3::7]), lambda d: f"{d:%d.%m.%y}"),
    "minutes of few days": (MINUTES, lambda d: f"{d:%d/%m/%Y %H:%M}"),
    "AM and PM": (HOURS, lambda d: f"{d:%m/%d/%Y %I:%M %p}"),
    "Postgres": (DAYS, lambda d: f"{d:%Y-%m-%d} 00:00:00+01"),
    "RFC 2822": (DAYS, lambda d: f"{d:%a, %d %b %Y} 00:00:00 +0100"),
    "XML": (DAYS, lambda d: f"{d:%Y-%m-%d}+01:00"),
    "XML west": (DAYS, lambda d: f"{d:%Y-%m-%d}-05:00"),
    "JavaScript": (DAYS, lambda d: f"{d:%a %b %d %Y} 00:00:00 GMT+0100 (CET)"),
    "ctime": (DAYS, lambda d: d.ctime()),
    "GMT": (DAYS, lambda d: f"{d:%d %b %Y} 00:00 GMT"),
    "German": (DAYS, lambda d: f"{d.day}. {GERMAN[d.month - 1]} {d.year}"),
    "French": (DAYS, lambda d: f"{d.day} {FRENCH[d.month - 1]} {d.year}"),
    "Polish": (DAYS, lambda d: f"{d.day} {POLISH[d.month - 1]} {d.year}"),
    "Spanish": (DAYS, lambda d: f"{d.day} de {SPANISH[d.month - 1]} de {d.year}"),
    "SAS": (DAYS, lambda d: f"{d:%d%b%Y}".upper()),
    "ideographs": (DAYS, lambda d: f"{d.year}年{d.month}月{d.day}日"),
    "1960:Q1": (QUARTERS, lambda d: f"{d.year}:Q{d.quarter}"),
    "1960 Q1": (QUARTERS, lambda d: f"{d.year} Q{d.quarter}"),
    "1Q60": (QUARTERS, lambda d: f"{d.quarter}Q{d:%y}"),
    "Q1/1960": (QUARTERS, lambda d: f"Q{d.quarter}/{d.year}"),
    "1960:1": (QUARTERS, lambda d: f"{d.year}:{d.quarter}"),
    "1960.1 as a quarter": (QUARTERS, lambda d: f"{d.year}.{d.quarter}"),
    "1955:01": (MONTHS, lambda d: f"{d:%Y:%m}"),
    "01/1955": (MONTHS, lambda d: f"{d:%m/%Y}"),
    "1955-Jan": (MONTHS, lambda d: f"{d:%Y-%b}"),
    "YYYY.MM": (MONTHS, lambda d: f"{d:%Y.%m}"),
    "Shiller": (MONTHS, lambda d: f"{d:%Y.%m}".rstrip("0") if d.month == 10 else f"{d:%Y.%m}"),
    "weeks": (WEEKS + pd.Timedelta(days=6), lambda d: f"{d:%G-W%V}"),
    "days of weeks": (WEEKS, lambda d: f"{d:%G-W%V}-1"),
    "ranges of a week": (WEEKS + pd.Timedelta(days=6), lambda d: str(d.to_period("W-SUN"))),
    "ranges of a week until the next": (WEEKS, lambda d: f"{d - 6 * DAY:%Y-%m-%d} to {d + DAY:%Y-%m-%d}"),
    "ranges of an hour": (HOURS, lambda d: f"{d:%d.%m.%Y %H:%M} - {d + HOUR:%d.%m.%Y %H:%M}"),
    "ranges of an hour in ISO 8601": (HOURS, lambda d: f"{d:%Y-%m-%dT%H:%MZ}/{d + HOUR:%Y-%m-%dT%H:%MZ}"),
    "year and day": (DAYS, lambda d: f"{d:%Y%j}"),
    "year and day in ISO 8601": (DAYS, lambda d: f"{d:%Y-%j}"),
    "water years": (MONTHS[::12], lambda d: f"WY{d:%Y}"),
    "fiscal years of two digits": (MONTHS[::12], lambda d: f"FY {d:%y}"),
    "days of decimal years": (DAYS, lambda d: f"{d.year + (d.dayofyear - 0.5) / 365.25:.4f}"),
    "days of decimal years from 0": (
        DAYS, lambda d: f"{d.year + (d.dayofyear - 1) / (366 if d.is_leap_year else 365):.6f}"
    ),
    "quarters of decimal years": (QUARTERS, lambda d: f"{d.year + (d.quarter - 1) / 4:.2f}"),
    "date and time in digits": (HOURS, lambda d: f"{d:%Y%m%d %H%M%S}"),
    "digits to hours": (HOURS, lambda d: f"{d:%Y%m%d%H}"),
    "digits to minutes": (HOURS, lambda d: f"{d:%Y%m%d%H%M}"),
    "digits to seconds": (HOURS, lambda d: f"{d:%Y%m%d%H%M%S}"),
    "basic form of ISO 8601": (HOURS, lambda d: f"{d:%Y%m%dT%H%M%SZ}"),
    "serial days with a time": (HOURS, lambda d: f"{(d - pd.Timestamp('1899-12-30')) / pd.Timedelta('1D')}"),
    "seconds": (MONTHS, lambda d: f"{seconds([d])[0]}"),
    "milliseconds from 1970": (MONTHS[180:], lambda d: f"{seconds([d])[0]}000"),
    "milliseconds, then microseconds": (
        DAYS, lambda d: f"{seconds([d])[0]}000" + ("000" if d.year > 2019 else "")
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_the_same_dates_are_read_from_every_form(form: str) -> None:
    dates, write = FORMS[form]
    found = as_dates(pd.Series([write(d) for d in dates], name="Date"), "file")
    np.testing.assert_array_equal(found.time.to_numpy(), dates.to_numpy())
    numbers = pd.to_numeric(pd.Series([write(d) for d in dates]), errors="coerce")
    if numbers.notna().all() and form not in ("DDMMYYYY", "MM.YYYY", "Shiller"):
        np.testing.assert_array_equal(as_dates(numbers, "frame").time.to_numpy(), dates.to_numpy())


def test_years_of_two_digits_are_the_same_in_every_series_of_a_panel() -> None:
    months = pd.date_range("1962-01-01", "2019-12-01", freq="MS")
    found = as_dates(pd.Series([f"{d:%b-%y}" for d in [*months, *months]]), "file")
    assert list(found.time) == [*months, *months]
    assert found.note == "years of two digits are read as 1962 to 2019"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/London", "Australia/Sydney", "Asia/Tokyo"])
def test_midnights_of_a_zone_that_are_written_in_utc_are_local_dates(zone: str) -> None:
    for dates in (DAYS, MONTHS[240:]):
        moments = dates.tz_localize(zone).tz_convert("UTC")
        for column in (pd.Series(moments), pd.Series(moments.strftime("%Y-%m-%dT%H:%M:%SZ"))):
            found = as_dates(column, "file")
            assert list(found.time) == list(dates)
            assert "local dates" in str(found.note)


def test_other_times_of_day_in_utc_keep_their_date() -> None:
    close = DAYS + pd.Timedelta(hours=16)
    for zone in ("America/New_York", "Europe/Berlin", "UTC"):
        moments = close.tz_localize(zone).tz_convert("UTC")
        found = as_dates(pd.Series(moments.strftime("%Y-%m-%d %H:%M:%S+00")), "file")
        assert list(found.time.dt.normalize()) == list(DAYS)
    noon = pd.date_range("2019-01-01", periods=500).strftime("%Y-%m-%dT12:00:00Z")
    assert as_dates(pd.Series(noon), "file").time.iloc[0] == pd.Timestamp("2019-01-01")
    naive = pd.Series(DAYS.tz_localize("Asia/Tokyo").tz_convert("UTC").tz_localize(None))
    assert as_dates(naive, "frame").time.equals(naive)


def test_middles_of_years_are_years_and_other_decimals_no_months() -> None:
    for years in (pd.Series([f"{year}.5" for year in range(1700, 1800)]), np.arange(1700, 1800) + 0.5):
        found = as_dates(pd.Series(years), "file")
        assert list(found.time) == list(pd.date_range("1700-07-01", periods=100, freq="12MS"))
        assert found.note == "dates are decimal years, read as years"
    assert as_dates(pd.Series([f"{1900 + k % 7}.{k % 9}" for k in range(99)]), "file").time.isna().all()


def test_the_end_of_a_day_may_be_24_00() -> None:
    found = as_dates(pd.Series(["2019-01-02 23:00", "2019-01-02 24:00", "2019-01-03 24:30"]), "file")
    assert found.time.iloc[1] == pd.Timestamp("2019-01-03")
    assert pd.isna(found.time.iloc[2])


def test_bad_cells_do_not_change_the_reading_of_the_others() -> None:
    text = [f"{d:%d/%m/%y}" for d in DAYS]
    text[7], text[90] = "00/00/00", "n.a."
    found = as_dates(pd.Series(text), "file")
    assert list(found.time.drop([7, 90])) == list(DAYS.delete([7, 90]))
    assert found.time[[7, 90]].isna().all()


def test_one_wrong_month_does_not_turn_the_dates_of_a_file() -> None:
    text = [f"{d:%Y-%m-%d}" for d in MONTHS]
    text[50] = "1959-13-01"
    found = as_dates(pd.Series(text), "file")
    assert list(found.time.drop(50)) == list(MONTHS.delete(50)) and pd.isna(found.time[50])
    assert found.note is None


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([f"01/{m:02d}/2019" for m in range(1, 12)], "may begin with the day or the month"),
        ([f"{d.month}/{d.day}/{d.year}" for d in MONTHS], "may begin with the day or the month"),
        (["13/01/2019", "01/14/2019", "02/03/2019"], "with the month"),
        (
            [f"01/{m % 12 + 1 + (m == 8) * 4:02d}/{2019 + m // 12}" for m in range(36)],
            "'01/13/2019' in row 9",
        ),
        ([f"{d:%d-%b-%y}" for d in pd.bdate_range("1931-01-01", periods=900)], "of two centuries"),
        (["2019-01-01", "2019-01-02", "9999-12-31"], "year 9999, expected 1678 to 2261"),
        (pd.Series(["2019-01-01", "9999-12-31"]).astype("datetime64[us]"), "row 2: year 9999"),
        ([20190101, 20190102, *range(20190103, 20190120), 99991231], "year 9999"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(cells: object, said: str) -> None:
    with pytest.raises(BasinError, match=said) as refused:
        as_dates(pd.Series(cells), "file")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("form", ["days without year", "half years", "numbers", "days", "prices"])
def test_what_is_no_date_is_not_read(form: str) -> None:
    cells = {
        "days without year": [f"{d:%b %d}" for d in DAYS],
        "half years": [f"{year}-S{half}" for year in range(1990, 2010) for half in (1, 2)],
        "days": list(range(737_000, 737_600)),
        "numbers": list(range(100_000, 100_600)),
        "prices": list(np.linspace(90_000, 95_000, 600)),
    }[form]
    assert as_dates(pd.Series(cells), "file").time.isna().all()


def test_names_of_columns_do_not_look_like_dates() -> None:
    assert not any(map(date_like, ("Close", "Set", "Year 2019", "Volume 12", "M1", "3M", "Price 01-02")))
    assert all(map(date_like, ("2019-01-02", "1Q60", "02 Mär 2019", "2019-W01", "2019-01-02 00:00:00+01")))


SHORT = pd.date_range("1998-01-01", periods=60, freq="MS")


@pytest.mark.parametrize(
    "form", ["text", "numbers", "quarters", "one year", "newest first", "2017 and later"]
)
def test_years_of_two_digits_and_months_without_a_mark_are_refused(form: str) -> None:
    months = {
        "one year": pd.date_range("2010-01-01", periods=12, freq="MS"),
        "quarters": pd.date_range("2010-03-01", periods=30, freq="3MS"),
        "newest first": SHORT[::-1],
        "2017 and later": pd.date_range("2017-01-01", periods=60, freq="MS"),
    }.get(form, SHORT)
    cells = pd.Series(months.strftime("%y%m"))
    with pytest.raises(BasinError, match=rf"such as {cells[0]} seem to be YYMM, .*not read; write YYYY-MM$"):
        as_dates(cells if form == "text" else cells.astype(int), "file")


def test_years_that_could_be_months_of_one_year_are_years() -> None:
    assert as_dates(pd.Series(range(1901, 1913)), "file").note == "dates are years"


@pytest.mark.parametrize("form", ["{}M{}", "{}m{}", "{} M{}"])
def test_the_letter_m_means_months_also_if_a_file_has_only_four(form: str) -> None:
    cells = pd.Series([form.format(year, month) for year in range(1950, 1960) for month in range(1, 5)])
    found = as_dates(cells, "file")
    assert found.note is None and list(found.time.dt.month.unique()) == [1, 2, 3, 4]


def test_the_error_of_an_unknown_order_is_pickled_with_its_months() -> None:
    with pytest.raises(UnknownOrder) as raised:
        as_dates(pd.Series([f"{d.month}/{d.day}/{d.year}" for d in MONTHS]), "x")
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)
    pd.testing.assert_series_equal(again.months.time, raised.value.months.time)


DAY_NUMBERS = {
    "SAS": (DAYS, "1960-01-01", 0, "1960"),
    "R": (DAYS, "1970-01-01", 0, "1970"),
    "R of months": (MONTHS[400:], "1970-01-01", 0, "1970"),
    "Excel": (DAYS, "1899-12-30", 0, "Excel"),
    "Excel of months": (ENDS, "1899-12-30", 0, "Excel"),
    "MATLAB": (DAYS, "1970-01-01", 719_529, "MATLAB"),
}


@pytest.mark.parametrize("name", DAY_NUMBERS)
def test_weekdays_tell_the_epoch_of_day_numbers(name: str) -> None:
    days, epoch, plus, words = DAY_NUMBERS[name]
    found = as_dates(pd.Series((days - pd.Timestamp(epoch)).days + plus), "rows.csv")
    assert list(found.time) == list(days)
    assert words in str(found.note)


def test_an_epoch_that_no_weekday_tells_is_named_as_assumed() -> None:
    days = pd.date_range("2005-01-01", periods=900)
    found = as_dates(pd.Series((days - pd.Timestamp("1960-01-01")).days), "rows.csv")
    assert "which is assumed" in str(found.note)


SESSIONS = {
    "OANDA": ("America/New_York", -7),
    "Sydney at 10:00": ("Australia/Sydney", 10),
    "Auckland at 10:00": ("Pacific/Auckland", 10),
    "Hong Kong": ("Asia/Hong_Kong", 0),
    "New York at 16:00": ("America/New_York", 16),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_daily_bars_in_utc_have_the_date_of_their_session(name: str) -> None:
    zone, hour = SESSIONS[name]
    moments = (DAYS + pd.Timedelta(hours=hour)).tz_localize(zone).tz_convert("UTC")
    for column in (moments, moments.strftime("%Y-%m-%dT%H:%M:%SZ"), moments.as_unit("s").astype("int64")):
        found = as_dates(pd.Series(column), "rows.csv")
        assert list(found.time.dt.normalize()) == list(DAYS)
        assert found.note


def test_bars_of_tel_aviv_stay_on_sunday_to_thursday() -> None:
    days = pd.bdate_range("2018-01-01", periods=600, freq="C", weekmask="Sun Mon Tue Wed Thu")
    moments = (days + pd.Timedelta("17:25:00")).tz_localize("Asia/Jerusalem").tz_convert("UTC")
    assert list(as_dates(pd.Series(moments), "rows.csv").time.dt.normalize()) == list(days)


@pytest.mark.parametrize("zone", ["Asia/Hong_Kong", "Australia/Sydney"])
def test_times_without_a_zone_that_may_be_utc_are_said(zone: str) -> None:
    moments = DAYS.tz_localize(zone).tz_convert("UTC").tz_localize(None)
    for column in (moments, moments.strftime("%Y-%m-%d %H:%M:%S")):
        assert "write Z behind" in str(as_dates(pd.Series(column), "rows.csv").note)
    remedied = as_dates(pd.Series(moments.strftime("%Y-%m-%d %H:%M:%SZ")), "rows.csv")
    assert list(remedied.time) == list(DAYS)
    assert as_dates(pd.Series(DAYS + pd.Timedelta(hours=16)), "rows.csv").note is None


FURTHER = {
    "Korean": lambda d: f"{d:%Y}. {d.month}. {d.day}",
    "Korean with a point at the end": lambda d: f"{d:%Y}. {d.month}. {d.day}.",
    "Czech": lambda d: f"{d.day}. {d.month}. {d:%Y}",
    "zone as a region": lambda d: f"{d:%Y-%m-%d %H:%M:%S} America/New_York",
    "zone of the US": lambda d: f"{d:%Y-%m-%d %H:%M} US/Eastern",
}


@pytest.mark.parametrize("name", FURTHER)
def test_blanks_behind_points_and_regions_of_zones_are_read(name: str) -> None:
    assert list(as_dates(pd.Series([FURTHER[name](d) for d in DAYS]), "rows.csv").time) == list(DAYS)


@pytest.mark.parametrize("cell", ["01/01/2019", "2019-01-02 - 14:30", "1950-51", "Jan-55", "2019-02-01"])
def test_dates_with_marks_between_their_parts_are_no_ranges(cell: str) -> None:
    assert "ranges" not in str(as_dates(pd.Series([cell] * 3), "file").note)


def test_a_year_has_no_more_days_than_it_has() -> None:
    found = as_dates(pd.Series(["2019365", "2020366", "2021366"]), "file").time
    assert list(found.notna()) == [True, True, False]
