"""Texts become numbers: one decimal mark, currency and unit for a column, or a refusal that names rows."""

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.files.numbers import as_numbers, decimal_comma, number_like
from tasks.userdata.files.table import Table


def numbers(*cells: str | None, comma: bool | None = None) -> list[float]:
    column = pd.Series(cells, name="Close", dtype=object)
    return as_numbers(column, "file.csv", [], comma).value.tolist()


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1,234.56", "999"], [1234.56, 999]),
        (["1.234,56", "999,5"], [1234.56, 999.5]),
        (["1.234.567", "1.000"], [1234567, 1000]),
        (["1,234,567", "1,000"], [1234567, 1000]),
        (["999.5", "1,000", "1,001"], [999.5, 1000, 1001]),
        (["1,000.5", "5.25"], [1000.5, 5.25]),
        (["12,34,567.5", "1,000"], [1234567.5, 1000]),
        (["0,998", "1,002"], [0.998, 1.002]),
        (["1'234.5", "1 234.5"], [1234.5, 1234.5]),
        (["$(1.23)", "($1.23)", "-$1.23", "$-1.23", "(1.23)"], [-1.23] * 5),
        (["1.23-", "1.23+", "\u22121.23"], [-1.23, 1.23, -1.23]),
        (["USD 101.5", "USD 1,200"], [101.5, 1200]),
        (["101.5 EUR", "7 EUR"], [101.5, 7]),
        (["101*", "5.5"], [101, 5.5]),
        (["1.5M", "2K", "-"], [1.5e6, 2000, np.nan]),
        (["1.5%", "0", "2 %"], [1.5, 0, 2]),
        (["n.a.", ":", "..", "N/D", "5,5"], [np.nan] * 4 + [5.5]),
        (["5.5", "halted", "H10/H10/RXI$US_N.B.EU"], [5.5, np.nan, np.nan]),
        (["5.5", "101.2B", "6.5"], [5.5, np.nan, 6.5]),
        (["5.5", "12 EUR?", "6.5 x"], [5.5, np.nan, np.nan]),
    ],
)
def test_forms_of_numbers(cells: list[str], values: list[float]) -> None:
    np.testing.assert_allclose(numbers(*cells), values)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["100.35", "101,17", "101,2"], "'101,17' in row 2 has a decimal comma, and '100.35' in row 1"),
        (["100,5", "halted", "100.5"], "'100,5' in row 1 has a decimal comma, and '100.5' in row 3"),
        (["5,017.50", "5.058,50"], "'5.058,50' in row 2 .* '5,017.50' in row 1"),
        (["102,062", "101,999", "98.88"], "'102,062' in row 1 has a decimal comma, and '98.88' in row 3"),
        (["102.062", "101.999", "98,88"], "'98,88' in row 3 has a decimal comma, and '102.062' in row 1"),
        (["1.15%", "0.0115", "1.2%"], "'1.15%' in row 1 and '0.0115' in row 2 differ in the per cent sign"),
        (["$5", "7", "€6"], "'\\$5' in row 1 and '€6' in row 3 differ in currency"),
        (["USD 5", "6 EUR"], "'USD 5' in row 1 and '6 EUR' in row 2 differ in currency"),
    ],
)
def test_a_mixture_of_forms_is_refused_with_a_row_of_each(cells: list[str], said: str) -> None:
    with pytest.raises(BasinError, match=rf"^file\.csv: column Close: {said}"):
        numbers(*cells)


def test_suffixes_are_said() -> None:
    notes: list[str] = []
    as_numbers(pd.Series(["1.5M", "2K", "3"], name="Vol."), "x", notes)
    assert notes == ["column Vol.: numbers are written with K for 1,000, M for 1,000,000"]


@pytest.mark.parametrize(
    ("cells", "comma"),
    [
        (["1,5", "2"], True),
        (["1.5", "2"], False),
        (["0.5%", "0.7%"], False),
        (["1,234", "2"], None),
        (["1,5", "none", "none"], None),
        (["1,5", "a", "b", "c"], None),
        (["1,5", "2.5"], None),
        (["02.01.2019", "03.01.2019"], None),
    ],
)
def test_only_a_column_of_numbers_that_agree_tells_the_decimal_mark(cells: list[str], comma: bool) -> None:
    assert decimal_comma(pd.Series(cells)) is comma


def test_columns_that_may_be_read_in_two_ways_follow_the_others() -> None:
    frame = pd.DataFrame({"Close": ["21,073", "21,110"], "Change": ["0.5%", "0.2%"]})
    table = Table(frame, "x", separator=";")
    assert table.numbers("Close", table.comma()).value.tolist() == [21073, 21110]
    german = Table(frame.assign(Change=["0,5%", "0,2%"]), "x", separator=",")
    assert german.numbers("Close", german.comma()).value.tolist() == [21.073, 21.11]
    alone = Table(frame[["Close"]], "x", separator=",")
    assert alone.numbers("Close", alone.comma()).value.tolist() == [21073, 21110]
    points = Table(pd.DataFrame({"Close": ["100.350", "101.170"], "Tags": ["none", "1,5"]}), "x")
    assert points.numbers("Close", points.comma()).value.tolist() == [100.35, 101.17]


def test_the_points_of_dates_tell_no_decimal_mark() -> None:
    months = [f"{month:02d}.1950" for month in range(1, 13)]
    frame = pd.DataFrame({"Monat": months, "A": ["1.250"] * 12, "B": ["3,5"] * 12})
    table = Table(frame, "x", separator=";")
    assert table.typed()["A"].iloc[0] == 1250
    assert table.numbers("A", table.comma("Monat")).value[0] == 1250


def test_numbers_are_dates_only_if_they_are_named_so() -> None:
    zips = [str(20001 + 37 * k) for k in range(9)]
    frame = pd.DataFrame({"zip": zips, "year": range(2001, 2010), "amount": [*map(str, range(8)), "12 EUR?"]})
    typed = Table(frame, "x").typed()
    assert typed["zip"].iloc[0] == 20001 and typed["year"].iloc[0] == 2001
    assert np.isnan(typed["amount"].iloc[8])
    assert Table(frame, "x").typed("year")["year"].iloc[0] == pd.Timestamp("2001-01-01")


@pytest.mark.parametrize("cell", ["", "B", "3MM", "USD/JPY", "02.01.2019", "1.2.3", "2019-01-02", "abc 5"])
def test_other_texts_are_no_numbers(cell: str) -> None:
    assert not number_like(cell)
