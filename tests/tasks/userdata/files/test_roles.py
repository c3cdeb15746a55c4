"""Roles of columns: dates in one column or several, the time of day, and the names of series."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.sources.dates import SEASONS
from tasks.userdata.files.columns import find
from tasks.userdata.files.table import from_frame, load

DAYS = pd.bdate_range("2019-01-02", periods=300)
MONTHS = pd.date_range("1990-01-01", periods=240, freq="MS")
QUARTERS = pd.date_range("1950-01-01", periods=240, freq="QS")
HOURS = pd.date_range("2019-01-02", periods=720, freq="h")
SESSION = pd.DatetimeIndex([d + pd.Timedelta(hours=h) for d in DAYS[:60] for h in range(9, 17)])


def content(header: str, dates: pd.DatetimeIndex, row) -> str:
    return header + "".join(f"{row(k, d)},{100 + k}\n" for k, d in enumerate(dates))


FILES = {
    "an empty column first": ("Note,when,Close\n", DAYS, lambda k, d: f",{d:%Y-%m-%d}"),
    "numbers of stores": ("store,asof,sales\n", DAYS, lambda k, d: f"{16001 + k},{d:%Y-%m-%d}"),
    "numbers of orders": ("order,asof,sales\n", DAYS, lambda k, d: f"{195001 + k % 12},{d:%Y-%m-%d}"),
    "numbers of ten digits": ("id,asof,sales\n", DAYS, lambda k, d: f"{1500000000 + 7919 * k},{d:%Y-%m-%d}"),
    "year and month beside": (
        "Year,Month,Date,Sales\n", DAYS, lambda k, d: f"{d.year},{d.month},{d:%Y-%m-%d}"
    ),
    "names of months": ("Year,Month,Value\n", MONTHS, lambda k, d: f"{d.year},{d:%B}"),
    "months without a name": ("Year,Label,Value\n", MONTHS, lambda k, d: f"{d.year},{d:%b}"),
    "M01": ("id,Year,Period,Value\n", MONTHS, lambda k, d: f"CU,{d.year},M{d.month:02d}"),
    "Q01": ("id,Year,Period,Value\n", QUARTERS, lambda k, d: f"CU,{d.year},Q{d.quarter:02d}"),
    "seasons": ("SEAS,YR,ANOM\n", MONTHS, lambda k, d: f"{SEASONS[d.month - 1]},{d.year}"),
    "quarters": ("Year,Quarter,Value\n", QUARTERS, lambda k, d: f"{d.year},{d.quarter}"),
    "quarters as Q1": ("Year,Quarter,Value\n", QUARTERS, lambda k, d: f"{d.year},Q{d.quarter}"),
    "days of the year": ("YEAR,DOY,T2M\n", DAYS, lambda k, d: f"{d.year},{d.dayofyear}"),
    "month and day": ("Jahr,Monat,Tag,Wert\n", DAYS, lambda k, d: f"{d.year},{d.month},{d.day}"),
    "hours behind the day": (
        "No,year,month,day,hour,pm2.5\n", HOURS, lambda k, d: f"{k},{d.year},{d.month},{d.day},{d.hour}"
    ),
    "MM and mm": (
        "#YY,MM,DD,hh,mm,WTMP\n", HOURS, lambda k, d: f"{d:%Y},{d:%m},{d:%d},{d:%H},{d:%M}"
    ),
    "YY of two digits": (
        "YY,MM,DD,hh,WTMP\n", HOURS, lambda k, d: f"{d:%y},{d.month:02d},{d.day:02d},{d.hour:02d}"
    ),
    "hours": ("date,hour,load\n", HOURS, lambda k, d: f"{d:%Y-%m-%d},{d.hour}"),
    "hours to 24": (
        "date,hour,load\n", HOURS[1:], lambda k, d: f"{HOURS[k]:%Y-%m-%d},{HOURS[k].hour + 1}"
    ),
    "HHMMSS": ("date,time,close\n", SESSION, lambda k, d: f"{d:%Y%m%d},{int(f'{d:%H%M%S}')}"),
    "HHMM": ("date,time,close\n", SESSION, lambda k, d: f"{d:%Y%m%d},{int(f'{d:%H%M}')}"),
    "a clock with another name": ("day,at,close\n", SESSION, lambda k, d: f"{d:%Y-%m-%d},{d:%I:%M %p}"),
    "from hour to hour": ("date,Hours,v\n", HOURS, lambda k, d: f"{d:%d.%m.%Y},{d:%H} - {d.hour + 1:02d}"),
    "a clock before the date": ("time,date,v\n", HOURS, lambda k, d: f"{d:%H%M%S},{d:%Y%m%d}"),
    "no header": ("", HOURS, lambda k, d: f"{d:%Y.%m.%d},{d:%H:%M}"),
    "no header, year and month": ("", MONTHS, lambda k, d: f"{d.year},{d.month}"),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["Dates", "Trade Date", "trading_day", "Exchange Date", "REF_DATE", "datadate", "caldt", "Timestamps"],
)
def test_serial_days_are_dates_under_every_usual_name(name: str) -> None:
    serial = (DAYS - pd.Timestamp("1899-12-30")).days
    roles = from_frame(pd.DataFrame({name: serial, "close": range(300)}), "table").roles(None, (), None)
    assert roles.time == name
    assert list(roles.dates.time) == list(DAYS)


@pytest.mark.parametrize("other", ["Effective Date", "pricing date", "Reference Period", "trading_day"])
def test_a_column_that_is_called_date_comes_before_other_dates(other: str) -> None:
    frame = pd.DataFrame({other: DAYS + pd.Timedelta(days=1), "Date": DAYS, "Rate": range(300)})
    assert from_frame(frame, "t").roles(None, (), None).time == "Date"
    assert from_frame(frame.drop(columns="Date"), "t").roles(None, (), None).time == other


@pytest.mark.parametrize("count", ["times", "days", "Trading Day"])
def test_counts_beside_written_dates_are_no_serial_days(count: str) -> None:
    counts = np.random.default_rng(0).permutation(np.arange(40_000, 40_300))
    frame = pd.DataFrame({count: counts, "quotation": DAYS.strftime("%Y-%m-%d"), "px": range(300)})
    assert from_frame(frame, "t").roles(None, ("px",), None).time == "quotation"


@pytest.mark.parametrize("form", FILES)
def test_dates_are_found_in_one_column_or_several(tmp_path: Path, form: str) -> None:
    header, dates, row = FILES[form]
    path = tmp_path / "file.csv"
    path.write_text(content(header, dates, row), encoding="utf-8")
    table = load(path)
    roles = table.roles(None, (), None)
    assert list(roles.dates.time) == list(dates)
    assert roles.series is None
    assert roles.targets[-1] == table.frame.columns[-1]
    if form not in (
        "numbers of stores",
        "numbers of orders",
        "numbers of ten digits",
        "hours behind the day",
    ):
        assert len(roles.targets) == 1


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("Note,Close\n,1\n,2\n,3\n", "no column holds dates"),
        ("open,close\n" + "".join(f"{1100 + k / 8:.3f},{k}\n" for k in range(50)), "no column holds dates"),
        ("id,amount\n" + "".join(f"{20001 + k},{k}\n" for k in range(50)), "no column holds dates"),
        (content("Date,Close\n", DAYS, lambda k, d: f"{d:%d %b}"), "form that is not read, such as '02 Jan'"),
        (
            content("Date,Close\n", DAYS, lambda k, d: f"{d:%Y-%m-%d}" if k % 2 else f"{d:%d/%m/%Y}"),
            r"150 of 300 dates have a form .* in row [12]; write all dates as YYYY-MM-DD",
        ),
        (
            content("Date,Close\n", DAYS, lambda k, d: f"{d:%Y-%m-%d}" if k < 200 else f"{d:%Y-%d-%m}"),
            "have a form that is not read",
        ),
        (
            "Date,v\n2019-02-30,1\n2019-02-31,2\n2019-03-01,3\n",
            "2 of 3 dates are days that do not exist, such as",
        ),
        ("Date,v\n30/02/2019,1\n31/02/2019,2\n01/03/2019,3\n", "'30/02/2019' in row 1; correct them"),
        (
            content("date,time,close\n", HOURS, lambda k, d: f"{d:%Y-%m-%d},{(d.hour + 1) * 10000}")
            + "2019-02-05,250000,1\n",
            "column time: row 721: '250000' is no time of day",
        ),
    ],
)
def test_files_without_readable_dates_are_refused_with_the_form(tmp_path: Path, file: str, said: str) -> None:
    path = tmp_path / "file.csv"
    path.write_text(file, encoding="utf-8")
    with pytest.raises(BasinError, match=said) as refused:
        load(path).roles(None, (), None)
    assert "\n" not in str(refused.value)


def test_a_column_without_dates_is_refused_with_the_one_that_has_them() -> None:
    table = from_frame(pd.DataFrame({"date": DAYS, "vix": np.linspace(9.1, 80, 300), "note": "v2"}), "table")
    for column, what in (
        ("vix", r"numbers that are no dates, such as '9\.1'"),
        ("note", "cells that are no dates"),
    ):
        with pytest.raises(
            BasinError, match=f"column {column} has {what}.*; give date, which has dates, as --time"
        ):
            table.roles(column, (), None)


def test_columns_beside_the_months_of_a_year_name_the_series(tmp_path: Path) -> None:
    path = tmp_path / "stations.csv"
    values = np.random.default_rng(0).normal(5, 1, (2, 20, 12)).round(2)
    months = ",".join(pd.Timestamp(2000, m, 1).strftime("%b") for m in range(1, 13))
    for ids in ("A", "B"), ("48123", "48125"):
        rows = [
            f"{name},{1990 + y}," + ",".join(map(str, values[s, y])) + ",9.9"
            for s, name in enumerate(ids)
            for y in range(20)
        ]
        path.write_text(f"Station,Year,{months},J-D\n" + "\n".join(rows) + "\n", encoding="utf-8")
        for series in ("Station", None):
            roles = load(path).roles(None, (), series)
            assert (roles.series, roles.targets) == ("Station", ("stations",))


def test_a_year_is_not_the_date_if_months_are_beside_it() -> None:
    frame = pd.DataFrame({"Year": MONTHS.year, "Month": MONTHS.month, "Value": np.arange(240.0)})
    for time in ("Year", "Year Month", None):
        assert list(from_frame(frame, "frame").roles(time, (), None).dates.time) == list(MONTHS)


def test_a_month_and_a_day_with_a_dash_are_no_time_of_day() -> None:
    frame = pd.DataFrame({"Year": DAYS.year, "at": DAYS.strftime("%m-%d"), "v": np.arange(300.0)})
    assert from_frame(frame, "frame").roles(None, (), None).dates.time.duplicated().any()


def test_numbers_with_names_of_parts_of_a_date_may_be_values() -> None:
    days = pd.DataFrame({"date": DAYS, "month": DAYS.month, "day": np.arange(300.0), "min": DAYS.day})
    assert from_frame(days, "frame").roles(None, (), None).targets == ("day", "min")
    beats = pd.DataFrame({"date": HOURS.normalize(), "hr": 60 + HOURS.hour, "min": HOURS.hour})
    assert from_frame(beats, "frame").roles(None, (), None).targets == ("hr", "min")
    spans = pd.DataFrame({"date": HOURS.normalize(), "time": HOURS - HOURS.normalize(), "close": 1.0})
    assert list(from_frame(spans, "frame").roles(None, (), None).dates.time) == list(HOURS)


def test_a_series_that_is_no_column_is_refused() -> None:
    frame = pd.DataFrame({"date": DAYS, "close": 1.0})
    with pytest.raises(BasinError, match="no column Station"):
        from_frame(frame, "frame").roles(None, (), "Station")


def test_dates_far_away_in_another_column_do_no_harm() -> None:
    frame = pd.DataFrame({"date": DAYS.as_unit("us"), "close": np.arange(300.0)})
    frame["expiry"] = pd.Series(["9999-12-31"] * 300).astype("datetime64[us]")
    assert from_frame(frame, "frame").roles(None, (), None).time == "date"
    with pytest.raises(BasinError, match="frame: row 1: year 9999"):
        from_frame(frame, "frame").roles("expiry", (), None)


def test_columns_without_numbers_and_constants_beside_other_columns_are_no_targets() -> None:
    values = pd.DataFrame({"date": DAYS, "flow": np.arange(300.0)})
    for constant in (np.nan, None, 7, 7.0, "01646500", "$5", [7.0, np.nan] * 150, ["7", "7.0"] * 150):
        roles = from_frame(values.assign(site=constant), "frame").roles(None, (), None)
        assert roles.targets == ("flow",), constant
    alone = from_frame(pd.DataFrame({"date": DAYS, "close": 1.0}), "frame")
    assert alone.roles(None, (), None).targets == ("close",)
    stopped = {"date": DAYS, "open": np.arange(300.0), "close": 1.0, "volume": np.arange(300.0)}
    assert from_frame(pd.DataFrame(stopped), "frame").roles(None, (), None).targets == ("close",)


def test_dates_of_several_periods_are_refused_and_those_of_one_are_read(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    head = '"Title","Unemployment rate"\n"CDID","MGSX"\n"Unit","%"\n"Release date","12-11-2024"\n'
    head += '"Next release","17 December 2024"\n"Important notes",""\n'
    kinds = {
        "years": [f"{year}" for year in range(1990, 2020)],
        "quarters": [f"{year} Q{q}" for year in range(1990, 2020) for q in (1, 2, 3, 4)],
        "months": [f"{d.year} {d:%b}".upper() for d in pd.date_range("1990-01-01", periods=360, freq="MS")],
    }
    for mixed in (
        ("years", "quarters", "months"),
        ("years", "quarters"),
        ("years", "months"),
        tuple(kinds)[1:],
    ):
        for above in (head, "Date,Value\n", '"Important notes",""\n' + head):
            body = "".join(f'"{date}","{k % 7}.5"\n' for kind in mixed for k, date in enumerate(kinds[kind]))
            path.write_text(above + body, encoding="utf-8")
            words = f"{', '.join(mixed[:-1])} and {mixed[-1]}"
            with pytest.raises(
                BasinError, match=rf"the dates mix {words}, such as .*keep the rows of one kind"
            ):
                load(path).roles(None, (), None)
    for dates in kinds.values():
        path.write_text(head + "".join(f'"{d}","{k % 7}.5"\n' for k, d in enumerate(dates)), encoding="utf-8")
        roles = load(path).roles(None, (), None)
        assert roles.targets == ("Unemployment rate",) and len(roles.dates.time.dropna()) == len(dates)


@pytest.mark.parametrize("columns", [range(1, 37), range(1, 53), range(1, 367), range(24)])
def test_numbers_beyond_twelve_are_no_months(columns: range) -> None:
    frame = pd.DataFrame(np.arange(60.0)[:, None] * 1.0 + np.arange(len(columns)), columns=map(str, columns))
    frame.insert(0, "Year", range(1960, 2020))
    assert len(from_frame(frame, "t").roles(None, ("1",), None).dates.time) == 60


@pytest.mark.parametrize("first", [10, 12, 4])
def test_years_that_begin_with_another_month_are_refused(first: int) -> None:
    names = [f"{pd.Timestamp(2000, month, 1):%b}" for month in (*range(first, 13), *range(1, first))]
    frame = pd.DataFrame(np.arange(720.0).reshape(60, 12), columns=names)
    frame.insert(0, "Water Year", range(1960, 2020))
    with pytest.raises(
        BasinError, match=f"^the months of a row begin with {names[0]}, so that Water Year may not"
    ):
        from_frame(frame, "t").roles(None, (), None)


def test_regular_counts_of_seconds_are_dates_under_any_name_and_other_large_numbers_are_not() -> None:
    hours = pd.date_range("2018-01-01", periods=300, freq="h")
    close = 100 + np.random.default_rng(2).normal(0, 1, 300).cumsum()
    seconds = hours.astype("datetime64[s]").astype("int64")
    for frame in (
        pd.DataFrame({"t": seconds, "close": close}),
        pd.DataFrame({"close": close, "t": 1000 * seconds}),
    ):
        found = find(frame, None, (), None, "rows")
        assert found.time == "t" and found.targets == ("close",)
        assert list(found.dates.time) == list(hours)
    people = 2_500_000_000 + 80_000_001 * np.arange(300)
    with pytest.raises(BasinError, match="no column holds dates"):
        find(pd.DataFrame({"population": people, "close": close}), None, (), None, "rows")
