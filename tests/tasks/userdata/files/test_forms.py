"""Files in the forms that people export: each is read as the same series, or refused in one line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pytest

from tasks.runtime.errors import BasinError
from tasks.sources.dates import SEASONS
from tasks.userdata.files.table import from_frame, load
from tasks.userdata.inspection import inspect
from tasks.userdata.plan import planned
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request

ROWS = 320
DAYS = pd.bdate_range("2019-02-01", periods=ROWS)
PRICES = 1500 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 0.01, ROWS)))


def read(path: Path, **options) -> Reading:
    request = Request(**options)
    return understand(load(path, request.targets, request.time, request.series), request)


def lines(header: str, row) -> str:
    return header + "\n" + "".join(f"{row(day, price)}\n" for day, price in zip(DAYS, PRICES, strict=True))


def german(value: float) -> str:
    return f"{value:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")


def swapped(value: float, mark: str) -> str:
    return f"{value:,.2f}".replace(",", mark)


FORMS = {
    "ISO": lines("Date,Close", lambda d, p: f"{d:%Y-%m-%d},{p:.2f}"),
    "day first": lines("Date,Close", lambda d, p: f"{d:%d/%m/%Y},{p:.2f}"),
    "day first with a time": lines("Date,Close", lambda d, p: f"{d:%d.%m.%Y} 16:00:00,{p:.2f}"),
    "day first, two digits": lines("Date,Close", lambda d, p: f"{d:%d/%m/%y},{p:.2f}"),
    "month first, two digits": lines("Date,Close", lambda d, p: f"{d:%m/%d/%y},{p:.2f}"),
    "names of months": lines("Date,Close", lambda d, p: f"{d:%d-%b-%Y},{p:.2f}"),
    "names of months first": lines("Date,Close", lambda d, p: f'"{d:%b %d, %Y}","{p:,.2f}"'),
    "year first with points": lines("<DATE>\t<CLOSE>", lambda d, p: f"{d:%Y.%m.%d}\t{p:.2f}"),
    "year first with slashes": lines("Date;Close", lambda d, p: f"{d:%Y/%m/%d};{p:.2f}"),
    "numbers YYYYMMDD": lines("date,close", lambda d, p: f"{d:%Y%m%d},{p:.2f}"),
    "seconds": lines("time,close", lambda d, p: f"{d.value // 10**9},{p:.2f}"),
    "milliseconds": lines("open_time,close", lambda d, p: f"{d.value // 10**6},{p:.2f}"),
    "microseconds": lines("open_time,close", lambda d, p: f"{d.value // 10**3},{p:.2f}"),
    "serial days": lines("Date,Close", lambda d, p: f"{(d - pd.Timestamp('1899-12-30')).days},{p:.2f}"),
    "zone": lines("Date,Close", lambda d, p: f"{d:%Y-%m-%d} 00:00:00-05:00,{p:.2f}"),
    "zone Z": lines("Date,Close", lambda d, p: f"{d:%Y-%m-%d}T00:00:00Z,{p:.2f}"),
    "German": lines("Datum;Schlusskurs", lambda d, p: f"{d:%d.%m.%Y};{german(p)}"),
    "Swiss": lines("Date;Close", lambda d, p: f"{d:%Y-%m-%d};{swapped(p, chr(39))}"),
    "French": lines("Date;Close", lambda d, p: f"{d:%Y-%m-%d};{german(p).replace('.', chr(0x202F))}"),
    "dollars": lines("Date,Close", lambda d, p: f'{d:%Y-%m-%d},"${p:,.2f}"'),
    "blanks in the header": lines(" Date , Close ", lambda d, p: f"{d:%Y-%m-%d},{p:.2f}"),
    "whitespace": lines("date   close", lambda d, p: f"{d:%Y-%m-%d}   {p:9.2f}"),
    "a line above": "Provided as is, by nobody\n" + lines("Date,Close", lambda d, p: f"{d:%Y-%m-%d},{p:.2f}"),
    "three lines": lines(
        "Price,Close,Volume\nTicker,XYZ,XYZ\nDate,,", lambda d, p: f"{d:%Y-%m-%d},{p:.2f},1000"
    ),
    "units below": lines("time,close\nUTC,USD", lambda d, p: f"{d:%Y-%m-%d},{p:.2f}"),
    "volumes": lines("Date,Price,Vol.,Change %", lambda d, p: f"{d:%m/%d/%Y},{p:.2f},{p / 7:.2f}M,0.1%"),
    "newest first": "\n".join(
        ["Date,Close", *lines("", lambda d, p: f"{d:%Y-%m-%d},{p:.2f}").strip().split("\n")[::-1]]
    ),
    "Polish": lines("Data,Otwarcie,Zamkniecie", lambda d, p: f"{d:%Y-%m-%d},{p:.2f},{p:.2f}"),
    "unit in brackets": lines("Time (UTC),Price (USD)", lambda d, p: f"{d:%Y-%m-%d} 00:00:00 UTC,{p:.2f}"),
    "twelve hours": lines("Date,Close", lambda d, p: f"{d:%m/%d/%Y} 4:00:00 PM,{p:.2f}"),
    "two dates": lines(
        '"DATE","TIME PERIOD","Rate (A.B)"', lambda d, p: f'"{d:%Y-%m-%d}","{d:%d %b %Y}","{p:.2f}"'
    ),
    "year, month, day": lines("year,month,day,value", lambda d, p: f"{d.year},{d.month},{d.day},{p:.2f}"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_prices_are_read_from_every_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(FORMS[form], encoding="utf-8")
    reading = read(path)
    assert (reading.kind, reading.freq) == ("price", "B")
    assert list(reading.table["time"]) == list(DAYS)
    np.testing.assert_allclose(reading.table["close"], PRICES, atol=0.006)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_encodings_are_recognised(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "kurse.csv"
    path.write_bytes(lines("Datum;Schlußkurs", lambda d, p: f"{d:%d.%m.%Y};{german(p)}").encode(encoding))
    assert read(path).targets == ("Schlußkurs",)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zip", "zst"])
def test_compressed_files_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"prices.csv.{suffix}"
    if suffix == "zst":
        with pyarrow.output_stream(str(path), compression="zstd") as stream:
            stream.write(FORMS["ISO"].encode())
    else:
        pd.DataFrame({"date": DAYS, "close": PRICES}).to_csv(path, index=False)
    assert len(read(path).table) == ROWS


def test_excel_parquet_and_frames_are_read_alike(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Close": PRICES}, index=pd.DatetimeIndex(DAYS, name="Date"))
    frame.to_parquet(tmp_path / "index.parquet")
    many = frame.set_axis(pd.MultiIndex.from_tuples([("Close", "XYZ")], names=["Price", "Ticker"]), axis=1)
    many.to_parquet(tmp_path / "levels.parquet")
    frame.reset_index().to_excel(tmp_path / "sheet.xlsx", index=False, startrow=2)
    for name in ("index.parquet", "levels.parquet", "sheet.xlsx"):
        reading = read(tmp_path / name)
        assert (reading.time, reading.targets) == ("Date", ("Close",))
        np.testing.assert_allclose(reading.table["close"], PRICES)
    assert understand(from_frame(many, "the frame"), Request()).targets == ("Close",)


def test_rows_to_drop_are_refused_by_name_and_then_counted(tmp_path: Path) -> None:
    rows = FORMS["ISO"].strip().split("\n")
    spoiled = {
        "footer": ([*rows, "", "Source: somebody", "Downloaded on 2021-11-01"], 2),
        "header again": ([*rows[:150], rows[0], *rows[150:]], 1),
        "last twice": ([*rows, rows[-1]], 1),
        "not available": ([*rows[:150], f"{DAYS[149]:%Y-%m-%d},#N/A N/A", *rows[151:]], 1),
        "null": ([*rows[:150], f"{DAYS[149]:%Y-%m-%d},null", *rows[151:]], 1),
        "no number": ([*rows[:150], f"{DAYS[149]:%Y-%m-%d},halted", *rows[151:]], 1),
        "zero": ([*rows[:150], f"{DAYS[149]:%Y-%m-%d},0", *rows[151:]], 1),
    }
    for form, (content, dropped) in spoiled.items():
        path = tmp_path / "prices.csv"
        path.write_text("\n".join(content) + "\n", encoding="utf-8")
        with pytest.raises(BasinError, match=r"row 1?\d\d|row 3\d\d") as refused:
            read(path)
        assert "--on-bad-row drop" in str(refused.value), form
        reading = read(path, on_bad_row="drop")
        assert (reading.left_out, reading.kind) == (dropped, "price"), form


def test_rows_of_days_to_come_are_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    ahead = "".join(f"{day:%Y-%m-%d},\n" for day in pd.bdate_range(DAYS[-1], periods=4)[1:])
    path.write_text(FORMS["ISO"] + ahead, encoding="utf-8")
    reading = read(path)
    assert len(reading.table) == ROWS
    assert any("3 rows after the last value" in sentence for sentence in reading.notes)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Date,Close\n" + "".join(f"01/{m:02d}/2019,{m}\n" for m in range(1, 12)), "day or the month"),
        ("Date,Close\n13/01/2019,1\n01/14/2019,2\n02/03/2019,3\n", "with the month"),
        ("Date;Close\n2019-01-01;1,234\n2019-01-02;1,235\n", "may be 1234 or 1.234"),
        ("1200-01-01,1\n1200-02-01,2\n1200-03-01,3\n", "expected 1678 to 2261"),
        ("Date,Close\n", "no rows below the header"),
        ("name,size\nanna,3\nbert,4\n", "no column holds dates"),
        ("date,name\n2019-01-01,a\n2019-01-02,b\n", "no column of numbers"),
        ("date,one,two\n2019-01-01,1,2\n2019-01-02,2,3\n", "--targets all"),
        ("date,close\n2019-01-01,1\n2019-01-04,2,3,4\n2019-01-05,2\n", "expected 2 cells"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "file.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BasinError, match=said) as refused:
        read(path)
    assert "\n" not in str(refused.value)


MONTHS = pd.date_range("1990-01-01", periods=240, freq="MS")
SHOCKS = np.random.default_rng(1).normal(0, 0.3, 240)
ANOMALY = np.array([sum(0.8**k * SHOCKS[t - k] for k in range(t + 1)) for t in range(240)])


def monthly(header: str, row) -> str:
    return header + "".join(f"{row(m, v)}\n" for m, v in zip(MONTHS, ANOMALY, strict=True))


CLIMATE = {
    "year and month": monthly(" YR  MON  NINO3  ANOM NINO3.4  ANOM\n",
                              lambda m, v: f"{m.year} {m.month:2d}  25.00 0.10 {26 + v:.4f} {v:.4f}"),
    "seasons": monthly(" SEAS  YR  TOTAL  ANOM\n",
                       lambda m, v: f"{SEASONS[m.month - 1]} "
                       f"{m.year} {26 + v:.4f} {v:.4f}"),
    "decimal years": monthly("time,nino\n", lambda m, v: f"{m.year + (m.month - 0.5) / 12:.4f},{v:.4f}"),
    "decimal years from January": monthly("time,nino\n",
                                          lambda m, v: f"{m.year + (m.month - 1) / 12:.4f},{v:.4f}"),
    "YYYYMM": monthly("month,nino\n", lambda m, v: f"{m:%Y%m},{v:.4f}"),
    "YYYYMmm": monthly("month,nino\n", lambda m, v: f"{m:%Y}M{m:%m},{v:.4f}"),
    "middle of the month": monthly("time,nino\n", lambda m, v: f"{m:%Y-%m}-15,{v:.4f}"),
    "columns of months": "A title, and more\n"
    "Year,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec,J-D,DJF\n" + "".join(
        f"{year}," + ",".join(f"{ANOMALY[12 * k + j]:.4f}" for j in range(12)) + ",.1,***\n"
        for k, year in enumerate(range(1990, 2010))
    ),
    "year by months": "  1990 2010\n" + "".join(
        f"{year} " + " ".join(f"{ANOMALY[12 * k + j]:8.4f}" for j in range(12)) + "\n"
        for k, year in enumerate(range(1990, 2010))
    ) + "2010" + 12 * " -99.99" + "\n -99.99\n an index\n",
}  # fmt: skip


@pytest.mark.parametrize("form", CLIMATE)
def test_the_same_months_are_read_from_every_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / "nino.txt"
    path.write_text(CLIMATE[form], encoding="utf-8")
    reading = read(path)
    assert (reading.kind, reading.freq) == ("level", "MS")
    assert list(reading.table["time"]) == list(MONTHS)
    shift = 26 if form == "year and month" else 0
    np.testing.assert_allclose(reading.table["value"] - shift, ANOMALY, atol=1e-4)


def test_flags_of_missing_values_are_not_values(tmp_path: Path) -> None:
    for flag in (-99.99, -999.0, -9999.0, 1e20, -1e30):
        path = tmp_path / "nino.csv"
        path.write_text(CLIMATE["YYYYMM"] + f"201001,{flag}\n201002,{flag}\n", encoding="utf-8")
        reading = read(path)
        assert reading.table["value"].abs().max() < 10
        assert any("stands for a missing value" in sentence for sentence in reading.notes)


def test_holes_of_a_level_are_filled_or_refused_with_a_remedy_that_works(tmp_path: Path) -> None:
    rows = CLIMATE["YYYYMM"].strip().split("\n")
    path = tmp_path / "nino.csv"
    path.write_text("\n".join(rows[:100] + rows[102:]), encoding="utf-8")
    with pytest.raises(BasinError, match=r"2 months missing .*--on-bad-row interpolate"):
        read(path)
    with pytest.raises(BasinError, match="--on-bad-row interpolate"):
        read(path, on_bad_row="drop")
    assert len(read(path, on_bad_row="interpolate").table) == 240
    path.write_text("\n".join(rows[:100] + rows[110:]), encoding="utf-8")
    with pytest.raises(BasinError, match="the longest hole has 10 rows"):
        read(path, on_bad_row="interpolate")


def test_a_number_that_may_be_a_flag_or_a_value_stays_a_value(tmp_path: Path) -> None:
    path = tmp_path / "level.csv"
    values = -1000 + 300 * ANOMALY
    values[5] = -999.0
    table = pd.DataFrame({"time": MONTHS, "depth": values})
    table.to_csv(path, index=False)
    assert len(read(path).table) == 240


def test_a_panel_is_found_and_its_early_end_is_a_warning(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ds": DAYS, "unique_id": "A", "y": PRICES})
    path = tmp_path / "panel.csv"
    pd.concat([frame, frame.head(280).assign(unique_id="B", y=PRICES[:280] * 0.5)]).to_csv(path, index=False)
    reading = read(path)
    assert (reading.series, reading.time, reading.targets) == ("unique_id", "ds", ("y",))
    assert any("B ends earlier" in sentence for sentence in reading.warnings)


def test_columns_of_a_wide_file_are_the_series_of_a_panel(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    pd.DataFrame({"ds": DAYS, "AAA": PRICES, "BBB": PRICES[::-1]}).to_csv(path, index=False)
    assert set(read(path, all_targets=True).table["series"]) == {"AAA", "BBB"}
    assert set(read(path, target=("BBB", "AAA")).table["series"]) == {"AAA", "BBB"}
    assert set(read(path, target="BBB").table["series"]) == {"BBB"}


def test_returns_are_recognised_and_are_in_per_cent(tmp_path: Path) -> None:
    returns = np.diff(np.log(PRICES))
    for written in (returns.round(8), [f"{100 * r:.6f}%" for r in returns]):
        path = tmp_path / "returns.csv"
        pd.DataFrame({"date": DAYS[1:], "ret": written}).to_csv(path, index=False)
        reading = read(path)
        assert reading.kind == "return"
        np.testing.assert_allclose(reading.table["close"], 100 * returns, atol=1e-4)


def test_days_become_months(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    pd.DataFrame({"date": DAYS, "close": PRICES}).to_csv(path, index=False)
    reading = read(path, resample="MS")
    last = pd.Series(PRICES, index=DAYS).resample("MS").last()
    assert reading.freq == "MS" and reading.kind == "price"
    np.testing.assert_allclose(reading.table["close"], last[last.index.isin(reading.table["time"])])


def test_daily_values_with_a_year_are_a_level_and_ask_for_months(tmp_path: Path) -> None:
    days = pd.date_range("1990-01-01", periods=6000, freq="D")
    rng = np.random.default_rng(0)
    values = 10 + 8 * np.sin(2 * np.pi * days.dayofyear / 365.25) + rng.normal(0, 1, len(days))
    path = tmp_path / "days.csv"
    pd.DataFrame({"date": days, "mean (deg C)": values.round(1)}).to_csv(path, index=False)
    reading = read(path)
    assert (reading.kind, reading.freq, reading.unit) == ("level", "D", "°C")
    with pytest.raises(BasinError, match="--resample MS"):
        planned(reading, Request(), "days")
    planned(read(path, resample="MS"), Request(), "days")


def test_years_of_three_centuries_are_read(tmp_path: Path) -> None:
    path = tmp_path / "years.csv"
    walk = 300 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.02, 300)))
    pd.DataFrame({"year": range(1700, 2000), "index": walk}).to_csv(path, index=False)
    found = inspect(path, Request())
    assert (found.reading.freq, found.rows["next date"], found.refusal) == ("YS", "2000-01-01", None)


def test_formats_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "prices.jsonl"
    path.write_text('{"date": "2019-01-01", "close": 1.0}\n', encoding="utf-8")
    with pytest.raises(BasinError, match=r"\.jsonl files are not read; give a CSV"):
        read(path)
