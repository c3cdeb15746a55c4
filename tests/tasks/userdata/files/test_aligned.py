"""Text with columns at fixed positions and empty cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.files.table import load

DAYS = [f"{day:%Y-%m-%d}" for day in pd.bdate_range("2019-01-01", periods=60)]
FULL = [[day, f"{5 + k}.5", f"{100 + k % 7}.25"] for k, day in enumerate(DAYS)]
HOLED = [[d, "" if k % 7 == 3 else o, c if k % 9 else ""] for k, (d, o, c) in enumerate(FULL)]
HEAD = ["Date", "Open", "Close"]


def lines(cells: list[list[str]], widths: tuple[int, ...] = (12, 9, 9), left: bool = False) -> str:
    return "\n".join(
        "".join(c.ljust(w) if left else c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells
    )


def read(tmp_path: Path, content: str) -> pd.DataFrame:
    path = tmp_path / "file.txt"
    path.write_text(content + "\n", encoding="utf-8")
    return load(path).frame


@pytest.mark.parametrize(
    "content",
    [
        lines([HEAD, *HOLED]),
        lines([HEAD, *HOLED], left=True),
        lines([HEAD, *HOLED], (20, 30, 9)),
        "Prices of a stock, 2019\n\n" + lines([HEAD, *HOLED]),
        lines([HEAD, ["", "USD", "USD"], *HOLED]),
        lines([HEAD, ["-" * 10, "-" * 5, "-" * 6], *HOLED]),
        "Date Open Close\n" + lines(HOLED, left=True),
    ],
)
def test_cells_stand_below_their_names(tmp_path: Path, content: str) -> None:
    frame = read(tmp_path, content)
    assert list(frame.columns) == HEAD
    expected = pd.DataFrame(HOLED, columns=HEAD).replace("", np.nan)
    assert frame.fillna("").to_numpy().tolist() == expected.fillna("").to_numpy().tolist()


def test_names_of_several_words_are_one_cell(tmp_path: Path) -> None:
    cells = [[d, "New York" if k % 3 else "Boston", c] for k, (d, _, c) in enumerate(FULL)]
    frame = read(tmp_path, lines([["Date", "Station name", "Close"], *cells], (12, 20, 10)))
    assert list(frame.columns) == ["Date", "Station name", "Close"]
    assert frame.to_numpy().tolist() == cells


def test_rows_that_are_not_aligned_are_refused_if_a_number_may_be_missing(tmp_path: Path) -> None:
    ragged = [f"{d} {o + '0' * (k % 3)} {c if k % 9 else ''}" for k, (d, o, c) in enumerate(FULL)]
    with pytest.raises(BasinError, match=r"row \d+ has 2 cells \(2019.*write NA for each empty cell"):
        read(tmp_path, "Date Open Close\n" + "\n".join(ragged))
    marked = [" ".join(cell or "NA" for cell in row) for row in HOLED]
    assert read(tmp_path, "Date Open Close\n" + "\n".join(marked))["Open"].isna().sum() == 9


def test_a_last_row_to_be_completed_and_words_behind_numbers_are_read_by_blanks(tmp_path: Path) -> None:
    full = [" ".join(row) for row in FULL]
    assert len(read(tmp_path, "\n".join(["Date Open Close", *full, "2019-03-27 5"]))) == 61
    noted = [f"{d} {c}" + (" revised" if k % 9 == 0 else "") for k, (d, _, c) in enumerate(FULL)]
    frame = read(tmp_path, "\n".join(["Date Close Note", *noted]))
    assert list(frame["Close"]) == [row[2] for row in FULL]
