"""Layouts of tables: headers within, merged cells, quarters, seasons, dates as headers, aligned columns."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.files.table import Table, from_frame, load
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request

DAYS = [f"{day:%Y-%m-%d}" for day in pd.bdate_range("2019-01-01", periods=60)]
RNG = np.random.default_rng(3)


def table(tmp_path: Path, content: str | bytes, name: str = "file.csv") -> Table:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load(path)


def read(tmp_path: Path, content: str, **options) -> Reading:
    return understand(table(tmp_path, content), Request(**options))


def rows(form: str = "{day},{close},{open}", first: int = 0, last: int = 60) -> str:
    return "".join(form.format(day=DAYS[k], close=100 + k % 7, open=50 + k % 5, k=k) + "\n"
                   for k in range(first, last))  # fmt: skip


HEAD = "Date,Close,Open\n"


@pytest.mark.parametrize(
    ("content", "bad"),
    [
        (HEAD + rows(last=30) + HEAD + rows(first=30), 1),
        (HEAD + rows(last=30) + "\n" + HEAD.lower() + rows(first=30, last=40) + HEAD + rows(first=40), 2),
        (HEAD + ",USD,USD\n" + rows(last=30) + HEAD + ",USD,USD\n" + rows(first=30), 2),
        (HEAD.replace(",", " ") + rows("{day} {close} {open}", last=30) + HEAD.replace(",", " ")
         + rows("{day} {close} {open}", first=30), 1),
        (HEAD + rows(last=30) + "Page 2,,\n" + HEAD + rows(first=30), 2),
        (HEAD + rows(last=30) + ",closed,closed\n" + rows(first=30) + "Source: A, B,\n", 2),
        (HEAD + rows(last=30) + "Split,2:1,adjusted\n" + rows(first=30), 1),
    ],
)  # fmt: skip
def test_lines_that_repeat_the_header_are_bad_rows(tmp_path: Path, content: str, bad: int) -> None:
    found = table(tmp_path, content)
    reading = understand(found, Request(target="Close", on_bad_row="drop"))
    assert reading.left_out == bad
    with pytest.raises(BasinError, match="--on-bad-row drop"):
        understand(table(tmp_path, content), Request(target="Close"))
    assert list(reading.table.iloc[:, 2]) == [100 + k % 7 for k in range(60)]


@pytest.mark.parametrize(
    ("head", "below"),
    [
        (HEAD, "Date,Open,Close\n" + rows("{day},{open},{close}", first=30)),
        (HEAD, "\nDate,Volume\n" + rows("{day},{k}", first=30)),
        (HEAD, "\nVolumes\nTag,Volume,Trades\n" + rows("{day},{k},{k}", first=30)),
        (HEAD, "Stichtag,Volume,Trades\n" + rows("{day},{k},{k}", first=30)),
        (",Close,Open\n", ",Open,Close\n" + rows("{day},{open},{close}", first=30)),
        ("Date,600519,000858\n", "Date,000858,600519\n" + rows(first=30)),
    ],
)
def test_a_header_with_other_names_is_refused_with_its_row(tmp_path: Path, head: str, below: str) -> None:
    with pytest.raises(BasinError, match=r"row 3[12] \(.* is a header with other names"):
        read(tmp_path, head + rows(last=30) + below, on_bad_row="drop")


def test_a_header_of_more_columns_is_refused_with_its_row(tmp_path: Path) -> None:
    content = HEAD + 2 * rows() + "Date,Bid,Ask,Volume\n" + rows("{day},{k},{k},5")
    with pytest.raises(BasinError, match=r"row 121 \(Date,Bid,Ask,Volume\) is a header of more columns"):
        table(tmp_path, content)


def test_a_header_below_a_title_with_dates_of_the_first_table_is_a_second_table(tmp_path: Path) -> None:
    with pytest.raises(BasinError, match=r"a second table begins at row 61 \(Table 2: adjusted\)"):
        read(tmp_path, HEAD + rows() + "\nTable 2: adjusted,,\n" + HEAD + rows(), on_bad_row="drop")


def test_headers_within_frames_and_sheets_are_found_too(tmp_path: Path) -> None:
    for within in (["Date", "Close", "Open"], ["Date", "Open", "Close"]):
        sheet = [["Date", "Close", "Open"], *([day, 1.5 + k, 2.5] for k, day in enumerate(DAYS))]
        sheet.insert(31, within)
        pd.DataFrame(sheet).to_excel(tmp_path / "file.xlsx", index=False, header=False)
        frame = pd.DataFrame(sheet[1:], columns=sheet[0])
        if within == sheet[0]:
            for found in (load(tmp_path / "file.xlsx"), from_frame(frame, "x")):
                assert len(found.frame) == len(DAYS) + 1
            continue
        for get in (lambda: load(tmp_path / "file.xlsx"), lambda frame=frame: from_frame(frame, "x")):
            with pytest.raises(
                BasinError, match=r"row 31 \(Date, Open, Close\) is a header with other names"
            ):
                get()


YEARS = range(1960, 2000)
QUARTERS = list(pd.date_range("1960-01-01", periods=160, freq="QS"))


def periods(names: list[str], header: str = "Year,Season,Value") -> str:
    lines = [f"{y},{name},{y % 7 + k / 10}" for y in YEARS for k, name in enumerate(names)]
    return "\n".join([header, *lines]) + "\n"


@pytest.mark.parametrize(
    ("names", "column", "first"),
    [
        ("Winter,Spring,Summer,Autumn", "Season", "1960-01"),
        ("winter,spring,summer,fall", "Season", "1960-01"),
        ("Spring,Summer,Autumn,Winter", "Season", "1960-04"),
        ("Summer,Autumn,Winter,Spring", "Season", "1960-01"),
        ("Autumn,Winter,Spring,Summer", "Season", "1960-04"),
        ("Winter,Frühling,Sommer,Herbst", "Jahreszeit", "1960-01"),
        ("Hiver,Printemps,Été,Automne", "Saison", "1960-01"),
        ("DJF,MAM,JJA,SON", "Season", "1960-01"),
        ("MAM,JJA,SON,DJF", "Season", "1960-04"),
        ("I,II,III,IV", "Quarter", "1960-01"),
        ("Q1,Q2,Q3,Q4", "Quarter", "1960-01"),
        ("1Q,2Q,3Q,4Q", "Period", "1960-01"),
        ("1st,2nd,3rd,4th", "Qtr", "1960-01"),
        ("Jan-Mar,Apr-Jun,Jul-Sep,Oct-Dec", "Quarter", "1960-01"),
    ],
)
def test_seasons_and_quarters_beside_their_year_are_one_series(
    tmp_path: Path, names: str, column: str, first: str
) -> None:
    reading = read(tmp_path, periods(names.split(","), f"Year,{column},Value"))
    assert (reading.freq, reading.series) == ("QS", None)
    assert list(reading.table["time"]) == list(pd.date_range(first, periods=160, freq="QS"))
    assert reading.table.iloc[1, 2] == 1960 % 7 + 0.1


def test_seasons_of_a_panel_and_newest_first_are_read(tmp_path: Path) -> None:
    lines = periods(["Spring", "Summer", "Autumn", "Winter"]).strip().split("\n")
    content = "\n".join([lines[0], *lines[:0:-1]])
    assert f"{read(tmp_path, content).table['time'].iloc[0]:%Y-%m}" == "1960-04"
    panel = "\n".join([lines[0] + ",Region", *(f"{line},{r}" for r in "AB" for line in lines[1:])])
    assert read(tmp_path, panel).series == "Region"


def test_other_words_beside_a_year_name_series(tmp_path: Path) -> None:
    reading = read(tmp_path, periods(["I", "II", "III", "IV"], "Year,Region,Value"))
    assert (reading.freq, reading.series) == ("YS", "Region")
    with pytest.raises(BasinError, match=r"not in order of time.*write DJF, MAM, JJA and SON"):
        read(tmp_path, periods(["Autumn", "Spring", "Summer", "Winter"]))
    assert read(tmp_path, periods(["SON", "MAM", "JJA", "DJF"])).freq == "QS"


SEASONS = "DJF,JFM,FMA,MAM,AMJ,MJJ,JJA,JAS,ASO,SON,OND,NDJ"
MONTHS = "Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec"


def wide(names: str, separator: str = ",") -> str:
    count = names.count(",") + 1
    lines = [separator.join([str(y), *(f"{y % 7 + k / 10:.1f}" for k in range(count))]) for y in YEARS]
    return "\n".join([separator.join(["Year", *names.split(",")]), *lines]) + "\n"


@pytest.mark.parametrize(
    ("names", "separator", "freq", "first", "count"),
    [
        (SEASONS, ",", "MS", "1960-01", 480),
        (SEASONS, "   ", "MS", "1960-01", 480),
        ("DJ,JF,FM,MA,AM,MJ,JJ,JA,AS,SO,ON,ND", " ", "MS", "1960-01", 480),
        (MONTHS + ",J-D,D-N,DJF,MAM,JJA,SON", ",", "MS", "1960-01", 480),
        ("Q1,Q2,Q3,Q4", ",", "QS", "1960-01", 160),
        ("1st Quarter,2nd Quarter,3rd Quarter,4th Quarter,Annual", ",", "QS", "1960-01", 160),
        ("Jan-Mar,Apr-Jun,Jul-Sep,Oct-Dec", ",", "QS", "1960-01", 160),
        ("DJF,MAM,JJA,SON", "  ", "QS", "1960-01", 160),
        ("MAM,JJA,SON,DJF", ",", "QS", "1960-04", 160),
        ("WIN,SPR,SUM,AUT,ANN", ",", "QS", "1960-01", 160),
        ("Spring,Summer,Autumn,Winter", ",", "QS", "1960-04", 160),
    ],
)
def test_years_with_a_column_for_each_period_are_one_series(
    tmp_path: Path, names: str, separator: str, freq: str, first: str, count: int
) -> None:
    reading = read(tmp_path, wide(names, separator))
    assert reading.freq == freq
    assert list(reading.table["time"]) == list(pd.date_range(first, periods=count, freq=freq))
    assert list(reading.table.iloc[:3, 2]) == [0.0, 0.1, 0.2]


def test_columns_that_only_begin_like_quarters_are_kept(tmp_path: Path) -> None:
    for names in (
        "Q1 score,Q2 score,Q3 score,Q4 score",
        "I,II,III,IV",
        "Q1,Q2,Q3",
        "H1,H2",
        "Q1,Q2,Q3,Q4,Q5",
    ):
        assert list(table(tmp_path, wide(names)).frame.columns) == ["Year", *names.split(",")]


def test_repeated_headers_and_lines_of_text_are_no_years(tmp_path: Path) -> None:
    head, *lines = wide(MONTHS + ",J-D,D-N,DJF", "  ").strip().split("\n")
    lines = [f"{line}  {line[:4]}" for line in lines]
    parts = [f"{head}  Year", *lines[:20], "", f"{head}  Year", *lines[20:], "Divide by 100 for degrees"]
    found = table(tmp_path, "\n".join(["    GLOBAL index in 0.01 degrees", "", *parts]), "index.txt")
    assert list(understand(found, Request()).table["time"]) == list(
        pd.date_range("1960-01-01", periods=480, freq="MS")
    )
    assert any("lines beside the years left out" in note for note in found.notes), found.notes


@pytest.mark.parametrize(
    ("names", "count"),
    [
        ([f"M{k:02d}" for k in range(1, 14)], 12),
        ([f"Q{k:02d}" for k in range(1, 6)], 4),
        ([str(k) for k in range(1, 14)], 12),
        ([*MONTHS.split(","), "Annual"], 12),
    ],
)
def test_means_of_years_among_months_are_left_out(tmp_path: Path, names: list[str], count: int) -> None:
    column = "Month" if len(names) == 13 else "Period"
    reading = read(tmp_path, periods(names, f"Year,{column},Value"))
    assert len(reading.table) == count * len(YEARS)
    assert any("40 rows left out whose" in note for note in reading.notes)


def test_a_month_that_is_written_wrongly_is_a_bad_row(tmp_path: Path) -> None:
    content = periods(MONTHS.split(","), "Year,Month,Value").replace("Aug", "Agu", 1)
    with pytest.raises(BasinError, match=r"no date in row 8 \('1960 Agu'\)"):
        read(tmp_path, content)


@pytest.mark.parametrize("header", ["Year,Month,Value", "Year,Quarter,Value"])
def test_years_only_in_the_first_row_of_each_are_filled_down(tmp_path: Path, header: str) -> None:
    names = MONTHS.split(",") if "Month" in header else ["Q1", "Q2", "Q3", "Q4"]
    lines = [f"{y if not k else ''},{n},{y % 7 + k / 10}" for y in YEARS for k, n in enumerate(names)]
    for begin in (0, 2):
        content = [header, lines[0].split(",")[0] + "," + lines[begin].split(",", 1)[1], *lines[begin + 1 :]]
        reading = read(tmp_path, "\n".join(content))
        assert len(reading.table) == len(lines) - begin
        assert reading.table["time"].iloc[-1].year == 1999
    lines = [f"{y if (y, k) != (1970, 0) else ''},{n},{k}" for y in YEARS for k, n in enumerate(names)]
    with pytest.raises(BasinError, match="no date in row"):
        read(tmp_path, "\n".join([header, *lines]))


def test_years_and_months_only_in_their_first_rows_are_filled_down(tmp_path: Path) -> None:
    dates = pd.date_range("2019-01-01", "2020-12-31")
    days = [f"{d.year if d.dayofyear == 1 else ''},{d.month if d.day == 1 else ''},{d.day}" for d in dates]
    content = "\n".join(["Year,Month,Day,Close", *(f"{day},{100 + k % 7}" for k, day in enumerate(days))])
    assert list(read(tmp_path, content).table["time"]) == list(dates)


def sheets(path: Path, **tables: list[list[object]]) -> Table:
    with pd.ExcelWriter(path) as book:
        for name, cells in tables.items():
            pd.DataFrame(cells).to_excel(book, sheet_name=name, index=False, header=False)
    return load(path)


def days(count: int) -> list[list[object]]:
    return [[pd.Timestamp(day), *(10.5 * c + k % 7 for c in range(count))] for k, day in enumerate(DAYS)]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ([["Date", "A", None, "B", None], [None, "Open", "Close", "Open", "Close"]],
         ["Date", "A Open", "A Close", "B Open", "B Close"]),
        ([[None, "A", None, "B", None], [None, "Open", "Close", "Open", "Close"]],
         ["column 1", "A Open", "A Close", "B Open", "B Close"]),
        ([["Prices", None, None, None, None], ["Date", "A", None, "B", None],
          [None, "Open", "Close", "Open", "Close"], [None, "USD", "USD", "USD", "USD"]],
         ["Date", "A Open", "A Close", "B Open", "B Close"]),
        ([["Date", "Tech", None, None, None], [None, "A", None, "B", None],
          [None, "Open", "Close", "Open", "Close"]], ["Date", "A Open", "A Close", "B Open", "B Close"]),
        ([["Date", "A", None, "VIX"], [None, "Open", "Close", None]], ["Date", "Open", "Close", "VIX"]),
        ([["Date", "A", None, "B", None, "VIX"], [None, "Open", "Close", "Open", "Close", None]],
         ["Date", "A Open", "A Close", "B Open", "B Close", "VIX"]),
        ([["Date", "A", "B"], [None, "USD", "USD"]], ["Date", "A", "B"]),
    ],
)  # fmt: skip
def test_merged_cells_of_a_header_name_the_columns_below_them(
    tmp_path: Path, header: list[list[object]], names: list[str]
) -> None:
    cells = [*header, *days(len(names) - 1)]
    assert list(sheets(tmp_path / "file.xlsx", S=cells).frame.columns) == names
    pd.DataFrame(cells).to_csv(tmp_path / "file.csv", index=False, header=False)
    assert list(load(tmp_path / "file.csv").frame.columns) == names


@pytest.mark.parametrize(
    "cover",
    [
        [["Sheet", "Rows", "Columns"], ["Data", 700, 3], ["Other", 20, 5], ["Notes", 2, 2]],
        [["Id", "Lat", "Lon"], [101, 3.5, 7.2], [102, 4.5, 8.2], [103, 5.5, 8.1]],
        [["Year", "Mean"], [2018, 100.5], [2019, 103.5], [2020, 99.5]],
        [["Version", "Changed"], [1, "2020-01-01"], [2, "2020-05-01"], [3, "2020-06-01"]],
    ],
)
def test_a_sheet_without_a_history_is_not_read(tmp_path: Path, cover: list[list[object]]) -> None:
    found = sheets(tmp_path / "file.xlsx", Cover=cover, Data=[["Date", "Close"], *days(1)])
    assert list(found.frame.columns) == ["Date", "Close"]
    assert "the sheet Data of 2 is read, the only one with a table of dates" in found.notes


def test_other_sheets_with_dates_are_named(tmp_path: Path) -> None:
    two = {name: [["Date", name], *days(1)] for name in ("A", "B")}
    found = sheets(tmp_path / "file.xlsx", **two)
    assert (
        "the sheet A of 2 is read, the first one with a table of dates; save B as CSV to read it"
        in found.notes
    )


MONTHLY = pd.date_range("1990-01-01", periods=120, freq="MS")
VALUES = {name: 100 + RNG.normal(size=120).cumsum().round(2) for name in ("AT", "BE", "CL")}


def wide_dates(head: str, form: str, separator: str = ",", before: str = "{name}", end: str = "") -> str:
    dates = [f"{d:{form}}" for d in MONTHLY]
    rows = [separator.join([before.format(name=n), *(f"{v:.2f}" for v in VALUES[n])]) + end for n in VALUES]
    return "\n".join([separator.join([head, *dates]) + end, *rows]) + "\n"


@pytest.mark.parametrize(
    ("options", "target"),
    [
        (("Country", "%Y-%m"), "BE"),
        (("FREQ,REF_AREA,Series", "%Y-%m", ",", "M,{name},M.{name}"), "BE"),
        (("freq,unit,geo\\TIME_PERIOD", "%Y-%m ", "\t", "M,I15,{name}"), "M,I15,BE"),
        (("Time", "%b-%Y"), "BE"),
        (("Land", "%m/%Y", ";"), "BE"),
        (("Country", "%YM%m"), "BE"),
        (("A title\n\nCountry,Code", "%Y%m", ",", "{name},x{name}", ","), "BE"),
    ],
)
def test_dates_in_the_header_are_read_as_rows(tmp_path: Path, options: tuple[str, ...], target: str) -> None:
    reading = read(tmp_path, wide_dates(*options), target=target)
    assert list(reading.table["time"]) == list(MONTHLY)
    np.testing.assert_allclose(reading.table.iloc[:, 2], VALUES["BE"])
    assert any("the header has dates: each row is a series" in note for note in reading.notes)


def test_years_in_the_header_are_read_with_what_the_world_bank_adds(tmp_path: Path) -> None:
    years = range(1990, 2020)
    lines = [",".join([f"{c},{c}X,GDP", *(str(k + y % 7) for y in years)]) for k, c in enumerate("ABC")]
    for form in ("{y}", '"{y} [YR{y}]"'):
        head = ",".join(["Country Name,Country Code,Series", *(form.format(y=y) for y in years)])
        found = table(tmp_path, "\n".join([head, *lines, ",,,,", "Last Updated: 2024-03-28,,,"]))
        assert list(found.frame.columns) == ["time", "A", "B", "C"] and len(found.frame) == 30
        assert understand(found, Request(target="B")).freq == "YS"


def test_series_in_rows_need_names_of_their_own(tmp_path: Path) -> None:
    content = wide_dates("Country", "%Y-%m").replace("CL,", "AT,")
    with pytest.raises(BasinError, match=r"rows 1 and 3 have the same name \('AT'\)"):
        table(tmp_path, content)
    two = wide_dates("Country,Item", "%Y-%m", before="{name},x").replace("CL,x", "AT,y")
    assert list(table(tmp_path, two).frame.columns) == ["time", "AT x", "BE x", "AT y"]


@pytest.mark.parametrize("form", ["%b-%y", "%Y-%m", "GDP_%Y%m%d"])
def test_dates_above_columns_of_dated_rows_are_names(tmp_path: Path, form: str) -> None:
    names = [f"{d:{form}}" for d in MONTHLY[:30]]
    content = ",".join(["Date", *names]) + "\n" + "".join(",".join([d, *["5"] * 30]) + "\n" for d in DAYS)
    assert list(table(tmp_path, content).frame.columns) == ["Date", *names]


@pytest.mark.parametrize(
    "content",
    [
        'Date,Close,Note\n' + rows('{day},{close},"a; b; c{k}"'),
        'Date;Close;Note\n' + rows('{day};{close};"a, b, c, {k}"'),
        'Date,Close,Note\n' + rows('"{day}","{close}","a;b"'),
        '"Date;Close;Note"\n' + rows('"{day};{close};x"'),
        '"Date,Close,""Note"""\n' + rows('"{day},{close},""x"""'),
    ],
)  # fmt: skip
def test_separators_within_quotes_separate_no_cells(tmp_path: Path, content: str) -> None:
    frame = table(tmp_path, content).frame
    assert list(frame.columns) == ["Date", "Close", "Note"]
    assert list(frame["Close"]) == [str(100 + k % 7) for k in range(60)]


def test_monthly_statistics_of_the_usgs_are_read(tmp_path: Path) -> None:
    head = "# US Geological Survey\n#\nagency_cd\tsite_no\tparameter_cd\tyear_nu\tmonth_nu\tmean_va\n"
    lines = [f"USGS\t0{s}\t00060\t{d.year}\t{d.month}\t{k}" for s in (1, 2) for k, d in enumerate(MONTHLY)]
    for count, series in ((120, None), (240, "site_no")):
        content = head + "5s\t15s\t5s\t4s\t2s\t12n\n" + "\n".join(lines[:count])
        reading = read(tmp_path, content)
        assert (reading.targets, reading.series, reading.freq) == (("mean_va",), series, "MS")
    content = head.replace("month_nu\t", "") + "5s\t15s\t5s\t4s\t12n\n"
    content += "".join(f"USGS\t01\t00060\t{y}\t{y % 7}\n" for y in YEARS)
    assert read(tmp_path, content).freq == "YS"
