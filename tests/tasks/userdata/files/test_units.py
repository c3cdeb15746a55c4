"""Cells with units and suffixes, and points that separate thousands in a column without a decimal comma."""

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.files.numbers import as_numbers
from tasks.userdata.files.table import from_frame
from tasks.userdata.reading import understand
from tasks.userdata.request import Request


def numbers(cells: list[str], notes: list[str] | None = None) -> list[float]:
    return as_numbers(pd.Series(cells, name="x"), "f", [] if notes is None else notes).value.tolist()


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["20.0 °C", "-1.5 °C"], [20, -1.5]),
        (["5 mm", "0 mm"], [5, 0]),
        (["7.5m/s", "8 m/s"], [7.5, 8]),
        (["420.1 ppm", "421 ppm"], [420.1, 421]),
        (["1.2K", "3M", "4bn"], [1.2e3, 3e6, 4e9]),
        (["1.2 Mrd", "3 Mio."], [1.2e9, 3e6]),
        (["$1.2bn", "$950mn"], [1.2e9, 9.5e8]),
    ],
)
def test_numbers_with_units_and_suffixes(cells: list[str], values: list[float]) -> None:
    assert numbers(cells) == pytest.approx(values)


def test_different_units_of_a_column_are_refused() -> None:
    with pytest.raises(BasinError, match="'20 °C' in row 1 and '68 °F' in row 2 differ in currency or unit"):
        numbers(["20 °C", "68 °F"])


def test_the_unit_of_cells_is_that_of_the_target() -> None:
    days = pd.date_range("2001-01-01", periods=300, freq="MS").strftime("%Y-%m-%d")
    cells = [f"{value:.1f} °C" for value in np.random.default_rng(0).normal(0, 5, 300)]
    reading = understand(from_frame(pd.DataFrame({"date": days, "temp": cells}), "x"), Request())
    assert (reading.unit, reading.kind) == ("°C", "level")


def test_points_that_would_be_jumps_separate_thousands() -> None:
    notes: list[str] = []
    assert numbers(["987", "1.012", "998", "1.034"], notes) == [987, 1012, 998, 1034]
    assert any("points separate thousands" in note for note in notes)
    assert numbers(["1.234", "1.240", "1.251"]) == [1.234, 1.24, 1.251]
    assert numbers(["3", "3.125", "2.875"]) == [3, 3.125, 2.875]
