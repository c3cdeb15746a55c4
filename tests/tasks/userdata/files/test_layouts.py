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
    ("content", "count"),
    [
        (HEAD + rows(last=30) + HEAD + rows(first=30), 60),
        (HEAD + rows(last=30) + "\n" + HEAD.lower() + rows(first=30, last=40) + HEAD + rows(first=40), 60),
        (HEAD + ",USD,USD\n" + rows(last=30) + HEAD + ",USD,USD\n" + rows(first=30), 60),
        (HEAD.replace(",", " ") + rows("{day} {close} {open}", last=30) + HEAD.replace(",", " ")
         + rows("{day} {close} {open}", first=30), 60),
        (HEAD + rows(last=30) + "Page 2,,\n" + HEAD + rows(first=30), 61),
        (HEAD + rows(last=30) + ",closed,closed\n" + rows(first=30) + "Source: A, B,\n", 62),
    ],
)  # fmt: skip
def test_lines_that_repeat_the_header_are_left_out(tmp_path: Path, content: str, count: int) -> None:
    found = table(tmp_path, content)
    assert len(found.frame) == count
    reading = understand(found, Request(target="Close", on_bad_row="drop"))
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
            assert len(load(tmp_path / "file.xlsx").frame) == len(from_frame(frame, "x").frame) == len(DAYS)
            continue
        for get in (lambda: load(tmp_path / "file.xlsx"), lambda frame=frame: from_frame(frame, "x")):
            with pytest.raises(
                BasinError, match=r"row 31 \(Date, Open, Close\) is a header with other names"
            ):
                get()
