"""Cutting of text tables into cells: header, width of rows, years by months, encodings."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.files.table import Table, load
from tasks.userdata.reading import understand
from tasks.userdata.request import Request

DAYS = [f"2019-01-{day:02d}" for day in range(1, 21)]


def table(tmp_path: Path, content: str | bytes, name: str = "file.csv") -> Table:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load(path)


def rows(form: str = "{day},{value}", end: str = "\n") -> str:
    return "".join(form.format(day=day, value=100.35 + k, k=k) + end for k, day in enumerate(DAYS))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "Date,Close\n" + rows("{day},2,003.00"),
            r"row 1 has 3 cells \(2019-01-01, 2, 003.00\), and",
        ),
        ("Date,Close\n" + rows("{day},{value},x"), "row 1 has 3 cells"),
        ("Date,Close,\n" + rows("{day},2,103.00"), "column 3 has numbers, such as '103.00', and no name"),
        ("Tag,Kurs\n" + rows("{day},100,0{k}"), "row 1 has 3 cells"),
        ("Date,Close\n2019-01-01,2,003\n" + rows(), r"row 1: 3 cells \(2019-01-01,2,003\), expected 2 cells"),
        ("Date,Close\n" + rows() + "2019-02-01,2,003\n", r"row 21: 3 cells"),
        ("Date;Close\n" + rows("{day};{value};;{k}"), "row 1 has 4 cells"),
        ("Date,Close,Volume\n" + rows(), "row 1 has 2 cells"),
        ("<!DOCTYPE html>\n<html><body>Error, 404</body></html>\n", "is a web page"),
        ('[{"Date":"2019-01-02","Close":1}]', "is JSON"),
    ],
)
def test_rows_that_do_not_fit_the_header_are_refused(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(BasinError, match=said) as refused:
        table(tmp_path, content)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("Date;Close\n" + rows("{day};{value};"), ["Date", "Close"]),
        ("Date;Close;\n" + rows("{day};{value};"), ["Date", "Close"]),
        ("Date,Close,Notes\n" + rows("{day},{value},"), ["Date", "Close", "Notes"]),
        ("Open,Close\n" + rows("{day},{value},5"), ["column 1", "Open", "Close"]),
        ('"Date","Close"\n' + rows('"{k}",{day},{value}'), ["column 1", "Date", "Close"]),
        ('"Open" "Close"\n' + rows('"{day}" {value} 5'), ["column 1", "Open", "Close"]),
        (",Close\n" + rows(), ["column 1", "Close"]),
        ("Exchange rates, daily\nDate,EUR\n" + rows(), ["Date", "EUR"]),
        ("# made by x, y\nDate,EUR\n" + rows(), ["Date", "EUR"]),
        ("# made by x\n# Date,EUR\n" + rows(), ["Date", "EUR"]),
        ("sep=;\nDate;EUR\n" + rows("{day};{value}"), ["Date", "EUR"]),
        ("Source,ACME\nUpdated,2021-05-01\nCode,12345\nDate,EUR\n" + rows(), ["Date", "EUR"]),
        (",USD,USD\nDate,Bid,Ask\n" + rows("{day},{value},1"), ["Date", "Bid", "Ask"]),
        ("Date,Bid,Ask\n,USD,USD\n" + rows("{day},{value},1"), ["Date", "Bid", "Ask"]),
        ("Stichtag;Geld;Brief\nUTC;USD;USD\n" + rows("{day};{value};1"), ["Stichtag", "Geld", "Brief"]),
        (",A,A\n,open,close\n" + rows("{day},{value},1"), ["column 1", "open", "close"]),
        (",A,A,B\n,open,close,open\n" + rows("{day},{value},1,1"),
         ["column 1", "A open", "A close", "B open"]),
        ("Price,Close,Volume\nTicker,X,X\nTag,,\n" + rows("{day},{value},1"), ["Tag", "Close", "Volume"]),
        ("Date,Mar 2019\n" + rows(), ["Date", "Mar 2019"]),
        ("Date,3M,10Y\n" + rows("{day},{value},1"), ["Date", "3M", "10Y"]),
        ("Date,600519,000858\n" + rows("{day},{value},1"), ["Date", "600519", "000858"]),
        (",1,2\n" + rows("{day},{value},1"), ["column 1", "1", "2"]),
        ("Title,A$1=USD\nUnits,USD\nPublished,04-Jan-2019\nSeries ID,FXRUSD\n" + rows(),
         ["Series ID", "FXRUSD"]),
        ('"";BB.USD;BB.FLAGS\n"";"Kurs";""\nEinheit;USD;\nStand vom;04.01.2019 16:30:10 Uhr;\n'
         + rows("{day};{value};"), ["column 1", "BB.USD", "BB.FLAGS"]),
        ("Date,SPX,Date,NKY\n" + rows("{day},{value},{day},1"), ["Date", "SPX", "NKY"]),
        ("Date,SPX,Date.1,NKY\n" + rows("{day},{value},{day},1"), ["Date", "SPX", "NKY"]),
        ("Date SPX,SPX,Date NKY,NKY\n" + rows("{day},{value},{day},1"), ["Date SPX", "SPX", "NKY"]),
        ("Date,Close,Close\n" + rows("{day},{value},1"), ["Date", "Close 2", "Close 3"]),
        ("Report,,of,\nDate,Close,Close,Close\n" + rows("{day},{value},1,1"),
         ["Date", "Close 2", "Close 3", "Close 4"]),
        ("SPX,,,NKY,\nDate,PX,,Date,PX\n" + rows("{day},{value},,{day},1"), ["Date", "SPX", "NKY"]),
        ("SPX,,,NKY\n\nDate,PX,,Date,PX\n" + rows("{day},{value},,{day},1"), ["Date", "SPX", "NKY"]),
        (",SPX,,,NKY\nDate,PX,,Date,PX\n" + rows("{day},{value},,{day},1"), ["Date", "SPX", "NKY"]),
        ("SPX,,NKY,\nDate,PX,Date,PX\n" + rows("{day},{value},{day},1"), ["Date", "SPX", "NKY"]),
        (",SPX,,NKY,\nDate,PX,VOL,PX,VOL\n" + rows("{day},{value},1,1,1"),
         ["Date", "SPX PX", "SPX VOL", "NKY PX", "NKY VOL"]),
        ("SPX,NKY\nDate,PX,PX\n" + rows("{day},{value},1"), ["Date", "SPX", "NKY"]),
        ("sasdate,A,B\nTransform:,5,1\n" + rows("{day},{value},1"), ["sasdate", "A", "B"]),
        ("sasdate,A,B\nfactors,1,0\ntransform,5,2\n" + rows("{day},{value},1"), ["sasdate", "A", "B"]),
        ("Date,SP500,UMCSENT\nTransform:,5,1\n" + rows("{day},{value},1"), ["Date", "SP500", "UMCSENT"]),
        ("series,A,B\nFrequency:,D,D\n" + rows("{day},{value},1"), ["series", "A", "B"]),
        ("Day, Close, Count\n" + rows("{day} {value} 5"), ["Day", "Close", "Count"]),
        ("Date Close\n" + rows("{day} {value}"), ["Date", "Close"]),
        ("Date, Count, Close\n" + rows("19{k:02d}, {k}, {value}"), ["Date", "Count", "Close"]),
        ("Date of day,Close, USD\n" + rows("{day} 16:00, {value}, 5"), ["Date of day", "Close", "USD"]),
        (rows(), ["column 1", "column 2"]),
        ("A title\n" + rows(), ["column 1", "column 2"]),
    ],
)  # fmt: skip
def test_the_header_is_found(tmp_path: Path, content: str, names: list[str]) -> None:
    frame = table(tmp_path, content).frame
    assert list(frame.columns) == names
    assert len(frame) == len(DAYS)
    assert frame.iloc[0].astype(str).isin(["100.35"]).sum() == 1


@pytest.mark.parametrize("price", [2506.85, 1066.12, 1466.1, 1.1234, 12.1999])
@pytest.mark.parametrize("newest_first", [False, True])
def test_prices_that_look_like_months_are_no_dates_beside_serial_days(
    tmp_path: Path, price: float, newest_first: bool
) -> None:
    decimals = len(str(price).split(".")[1])
    values = [f"{price + (k * k % 17 - 8) * 10**-decimals:.{decimals}f}" for k in range(200)]
    lines = [f"{43000 + k};{value};{15 + k % 7}" for k, value in enumerate(values)]
    lines = lines[::-1] if newest_first else lines
    above = "Security;SPX Index\nStart Date;02.01.1990\n\n"
    found = table(tmp_path, above + "\n".join(["Dates;PX_LAST;VIX", *lines]))
    assert list(found.frame.columns) == ["Dates", "PX_LAST", "VIX"]
    assert len(found.frame) == 200
    roles = found.roles(None, (), None)
    assert roles.time == "Dates"
    assert roles.targets == ("PX_LAST",)
    assert roles.dates.note == "dates are serial days of Excel"


def test_commas_behind_names_above_blanks_are_no_part_of_them(tmp_path: Path) -> None:
    months = pd.date_range("1950-01-01", periods=240, freq="MS")
    lines = "".join(
        f"  {m.year}  {m.month:2d}  {k % 7 / 10 - 0.3:.3f}  0.1  0.2  0.1\n" for k, m in enumerate(months)
    )
    head = "% Land averages\n%  Monthly   Annual\n% Year, Month,  Anomaly, Unc.,   Anomaly, Unc.\n \n"
    found = table(tmp_path, head + lines)
    names = ["Monthly Anomaly", "Monthly Unc.", "Annual Anomaly", "Annual Unc."]
    assert list(found.frame.columns) == ["Year", "Month", *names]
    assert list(found.roles(None, (), None).dates.time) == list(months)


def test_empty_cells_at_the_end_of_a_late_row_are_left_out(tmp_path: Path) -> None:
    assert len(table(tmp_path, "Date,Close\n" + 10 * rows() + "2019-02-01,5,,\n").frame) == 201


def test_decimal_commas_between_blanks_do_not_separate_cells(tmp_path: Path) -> None:
    read = table(tmp_path, "Date Close\n" + rows("{day} 100,{k}"))
    assert list(read.frame.columns) == ["Date", "Close"]
    assert read.numbers("Close", read.comma()).value[3] == 100.3


@pytest.mark.parametrize("below", ["n/a,100.0\n", ",100.0\n", "someday,100.0\n"])
def test_a_first_row_without_a_date_is_data(tmp_path: Path, below: str) -> None:
    assert len(table(tmp_path, "Date,Close\n" + below + rows()).frame) == len(DAYS) + 1


def test_blocks_with_dates_of_their_own_are_refused_in_text_and_excel(tmp_path: Path) -> None:
    frame = pd.DataFrame([["Date", "SPX", None, "Date", "NKY"]] + [
        [pd.Timestamp(day), 1.5 + k, None, pd.Timestamp(day) + pd.Timedelta(days=k // 10), 2.5]
        for k, day in enumerate(DAYS)
    ])  # fmt: skip
    frame.to_excel(tmp_path / "blocks.xlsx", index=False, header=False)
    frame.to_csv(tmp_path / "blocks.csv", index=False, header=False)
    for name in ("blocks.xlsx", "blocks.csv"):
        with pytest.raises(BasinError, match=r"1 \(Date\) and 4 \(Date\) both .* row 11 \(2019-01-11"):
            load(tmp_path / name)


YEARS = range(1990, 2020)
MONTHS = "Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec"


def years(separator: str = ",") -> str:
    return "".join(separator.join([str(y), *(f"{y % 7 + m / 10}" for m in range(12))]) + "\n" for y in YEARS)


@pytest.mark.parametrize(
    ("above", "below", "count"),
    [
        ("", "", 360),
        ("1990 2019\n", "-99.99\n an index, 1990 to 2019\n", 360),
        ("year," + MONTHS + "\n", "", 360),
        ("Jahr," + MONTHS.replace("Mar", "März").replace("May", "Mai").replace("Oct", "Okt") + "\n", "", 360),
        ("year,1,2,3,4,5,6,7,8,9,10,11,12\n", "", 360),
        ("", "2020,1,2,3\n", 363),
        ("", "\nyears 1990 to 2019\n2020,1,2,3\n", 363),
        ("", "2020,1,2,,,,,,,,,,\n", 372),
        (";" + MONTHS.replace(",", ";") + "\n", "", 360),
    ],
)
def test_years_of_twelve_months_are_months(tmp_path: Path, above: str, below: str, count: int) -> None:
    separator = ";" if ";" in above else ","
    frame = table(tmp_path, above + years(separator) + below).frame
    assert len(frame) == count and list(frame.columns) == ["time", "file"]
    assert frame["time"].iloc[-1] == {360: "2019-12-01", 363: "2020-03-01", 372: "2020-12-01"}[count]


def test_twelve_columns_of_other_names_are_no_months(tmp_path: Path) -> None:
    for names in ("AT,BE,DE,ES,FI,FR,GR,IE,IT,NL,PT,SE", "p1,p2,p3,p4,p5,p6,p7,p8,p9,p10,p11,p12"):
        frame = table(tmp_path, f"year,{names}\n" + years()).frame
        assert list(frame.columns) == ["year", *names.split(",")] and len(frame) == 30


@pytest.mark.parametrize("line", ["2020 1 2 3\n2021 1 2\n", "2025 1 2 3\n", "1 2 3 4\n", "2020 1 x\n"])
def test_other_lines_of_numbers_beside_the_years_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(BasinError, match="neither a year with 12 months nor text"):
        table(tmp_path, years(" ") + line)


@pytest.mark.parametrize(
    ("encoding", "header"),
    [
        ("shift_jis", "日付,終値"),
        ("gb18030", "日期,收盘"),
        ("euc_kr", "날짜,종가"),
        ("cp1251", "Дата,Цена"),
        ("cp1252", "Datum,Schlußkurs"),
        ("cp1252", "Date,Température"),
        ("cp1252", "Fecha,Precio máximo del año"),
        ("cp1252", "Dagsetning,Verð"),
        ("cp1252", "Date,Genève Zürich Ångström Ø"),
        ("cp1252", "Date,PM10 (µg/m³)"),
        ("cp1251", "Месяц,Температура"),
        ("cp1251", "ПЕРИОД,ИНДЕКС ЦЕН"),
        ("koi8_r", "Месяц,Температура"),
        ("cp866", "Месяц,Температура"),
        ("cp1253", "Ημερομηνία,Τιμή"),
        ("cp1254", "Tarih,Kapanış"),
        ("cp1254", "Gün,Şimdi İşlem"),
        ("cp1250", "Data,Wartość"),
        ("cp1250", "Datum,Nový průměr"),
        ("cp1250", "Měsíc,Průměrná cena"),
        ("shift_jis", "年月日,平均気温(℃)"),
        ("gb18030", "月份,气温"),
    ],
)
def test_other_encodings_are_recognised_by_their_words_and_letters(
    tmp_path: Path, encoding: str, header: str
) -> None:
    read = table(tmp_path, (header + "\n" + rows()).encode(encoding))
    assert ",".join(read.frame.columns) == header
    assert any("is not UTF-8 and is read as" in note for note in read.notes)


def test_an_encoding_that_is_not_certain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BasinError, match="save the file as CSV in UTF-8"):
        table(tmp_path, ("東証指数,値\n" + rows()).encode("euc_jp"))


def test_line_ends_of_old_macs_and_archives_of_macs_are_read(tmp_path: Path) -> None:
    assert len(table(tmp_path, ("Date,Close\n" + rows()).replace("\n", "\r")).frame) == len(DAYS)
    with zipfile.ZipFile(tmp_path / "prices.csv.ZIP", "w") as archive:
        archive.writestr("prices.csv", "Date,Close\n" + rows())
        archive.writestr("__MACOSX/._prices.csv", "x")
    assert len(load(tmp_path / "prices.csv.ZIP").frame) == len(DAYS)


def test_a_sheet_with_data_is_chosen_and_its_units_are_no_data(tmp_path: Path) -> None:
    sheet = [["Date", "PX"], [None, "USD"], *([pd.Timestamp(day), 1.5 + k] for k, day in enumerate(DAYS))]
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        about = pd.DataFrame([["About"], ["this file"], ["and more"]])
        about.to_excel(book, sheet_name="README", index=False, header=False)
        pd.DataFrame(sheet).to_excel(book, sheet_name="Data", index=False, header=False)
    read = load(tmp_path / "book.xlsx")
    assert list(read.frame.columns) == ["Date", "PX"] and len(read.frame) == len(DAYS)
    assert any("the sheet Data of 2 is read" in note for note in read.notes)
    months = pd.DataFrame([[y, *np.arange(12) + 0.5] for y in YEARS], columns=["Year", *MONTHS.split(",")])
    months.to_excel(tmp_path / "months.xlsx", index=False)
    assert len(load(tmp_path / "months.xlsx").frame) == 360
    (tmp_path / "old.xls").write_bytes(bytes.fromhex("D0CF11E0A1B11AE1") + bytes(4096))
    with pytest.raises(BasinError, match=r"save the file as \.xlsx or CSV"):
        load(tmp_path / "old.xls")


def test_names_of_a_wide_table_of_dates_are_kept(tmp_path: Path) -> None:
    for names in (["Country", "2019-01-01", "2019-02-01", "2019-03-01"], ["Country", "1960", "1961", "1962"]):
        frame = table(tmp_path, ",".join(names) + "\nAT,1,2,3\nDE,3,4,5\n").frame
        assert list(frame.columns) == names and len(frame) == 2


def test_none_of_two_columns_of_one_name_is_the_target(tmp_path: Path) -> None:
    read = table(tmp_path, "Date,Close,Close\n" + rows("{day},{value},1{value}"))
    with pytest.raises(BasinError, match="the columns Close 2 and Close 3 could be forecast"):
        understand(read, Request())


def test_a_row_without_the_name_of_its_series_is_refused(tmp_path: Path) -> None:
    read = table(tmp_path, "date,country,value\n" + rows("{day},AT,{value}") + rows("{day},,{value}"))
    with pytest.raises(BasinError, match="row 21: column country, which names the series, is empty"):
        understand(read, Request(series="country"))


def test_texts_that_are_names_are_not_missing(tmp_path: Path) -> None:
    read = table(tmp_path, "date,country,value\n" + rows("{day},NA,{value}") + "2019-02-01,ZA,NA\n")
    assert set(read.frame["country"]) == {"NA", "ZA"}
    assert read.frame["value"].isna().sum() == 1


def test_rows_without_content_are_left_out_as_blank_lines_are(tmp_path: Path) -> None:
    days = [pd.Timestamp(day) for day in DAYS]
    sheet = [["Date", "PX", "Comment"], *([day, 1.5 + k, None] for k, day in enumerate(days[:9]))]
    sheet += [[None, " ", None], *([day, 2.5 + k, None] for k, day in enumerate(days[9:]))]
    footer = [[None, None, None], ["Source: somebody", None, None]]
    for rest, count in ([], 20), (footer, 21):
        pd.DataFrame(sheet + rest).to_excel(tmp_path / "file.xlsx", index=False, header=False)
        read = load(tmp_path / "file.xlsx")
        assert len(read.frame) == count and read.frame["Date"].notna().all()
        assert read.roles(None, (), None).targets == ("PX",)
    assert len(table(tmp_path, "Date,PX\n" + rows() + ",\n\n" + rows().replace("2019", "2020")).frame) == 40


SST = " Weekly SST data starts week centered on 3Jan1990\n\n                Nino3        Nino34\n"
SST += " Week          SST SSTA     SST SSTA\n"


def test_numbers_without_a_blank_before_a_minus_are_two_cells(tmp_path: Path) -> None:
    weeks = pd.date_range("1990-01-03", periods=60, freq="7D")
    anomaly = np.random.default_rng(0).normal(0, 1, 60).round(1) + 0.0
    lines = [f" {d:%d%b%Y}     25.1{a:4.1f}     26.6-0.3\n" for d, a in zip(weeks, anomaly, strict=True)]
    read = table(tmp_path, SST + "".join(lines), "weekly.for")
    assert list(read.frame.columns) == ["Week", "Nino3 SST", "Nino3 SSTA", "Nino34 SST", "Nino34 SSTA"]
    assert list(read.roles(None, (), None).dates.time) == list(weeks)
    assert list(read.numbers("Nino3 SSTA").value) == list(anomaly)


def test_years_and_single_lines_without_a_blank_before_a_minus_are_cut(tmp_path: Path) -> None:
    lines = [f"{year}" + 6 * "  -0.5   1.5" for year in range(1951, 2019)]
    lines.append("2019" + 5 * "  -0.5" + 7 * "-999.9")
    for content in ("\n".join(lines), "\n".join(lines).replace("  -0.5", "-0.5", 1)):
        frame = table(tmp_path, content).frame
        assert len(frame) == 828 and list(frame["file"])[:2] == ["-0.5", "1.5"]
    glued = "\n".join(line.replace("  -", "-") for line in lines)
    assert list(table(tmp_path, glued).frame["file"][-8:]) == ["-0.5", *7 * ["-999.9"]]


def test_rows_of_one_cell_are_refused_with_the_cell(tmp_path: Path) -> None:
    lines = [
        f"03JAN{year}     23.4{'8' * (year % 5)}25.1 0.3 x{' y' * (year % 7)}\n" for year in range(1950, 2010)
    ]
    with pytest.raises(BasinError, match=r"each row has one cell, such as '03JAN.*put a comma between"):
        table(tmp_path, SST + "".join(lines)).roles(None, (), None)
