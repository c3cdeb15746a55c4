"""Weights of portfolios: from a file, or from an object of Python."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import pandas as pd

from tasks.joint.portfolios import check_weights
from tasks.runtime.errors import BasinError
from tasks.userdata.files.table import load

EQUAL = "equal"
"""Name of the portfolio of equal weights."""

FORM = "give a table with the names of the series in the first column and a column of weights each portfolio"
"""Remedy for a file of weights of another form."""


def portfolios_of(given: Any) -> dict[str, dict[str, float]]:
    """Return the weights of the series by portfolio, of which there is none for equal weights.

    ``given`` is ``"equal"``, the path of a table with a row for each series and a column for each portfolio,
    a dictionary or Series of weights by series, or a DataFrame with a column for each portfolio.
    """
    if isinstance(given, str) and given == EQUAL:
        return {}
    if isinstance(given, (str, PathLike)):
        return _of_frame(_from_file(Path(given)), f"--weights {quote(str(given))}")
    if isinstance(given, pd.DataFrame):
        return _of_frame(given, "weights")
    if isinstance(given, (Mapping, pd.Series)):
        return _of_frame(pd.Series(dict(given), name="portfolio").to_frame(), "weights")
    raise BasinError(
        'weights: expected "equal", a path, a dictionary or Series of weights by series, or a DataFrame '
        f"with a column for each portfolio, found {type(given).__name__}"
    )


def _from_file(path: Path) -> pd.DataFrame:
    label = f"--weights {quote(str(path))}"
    if not path.is_file():
        raise BasinError(f"{label}: there is no such file; give equal, or the path of a CSV file of weights")
    table = load(path)
    first, *others = map(str, table.frame.columns)
    if not others or table.frame.empty:
        raise BasinError(f"{label}: {len(table.frame)} rows and {1 + len(others)} columns; {FORM}")
    comma = table.comma(first)
    numbers = {name: table.numbers(name, comma) for name in others}
    columns = {
        name: table.frame[name].where(found.unreadable, pd.Series(found.value, table.frame.index))
        for name, found in numbers.items()
    }
    return pd.DataFrame(columns).set_axis(table.frame[first].astype(str))


def _of_frame(frame: pd.DataFrame, label: str) -> dict[str, dict[str, float]]:
    names = [str(name) for name in frame.index]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BasinError(f"{label}: the series {twice[0]} has several rows; give one row for each series")
    found = {}
    for portfolio, column in frame.items():
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
        wrong = np.flatnonzero(~np.isfinite(numbers) & column.notna().to_numpy())
        if len(wrong):
            raise BasinError(
                f"{label}: the weight of {names[wrong[0]]} in {portfolio} is {column.iloc[wrong[0]]!r}; "
                "expected a number"
            )
        found[str(portfolio)] = dict(zip(names, np.nan_to_num(numbers).tolist(), strict=True))
    return found


def matrix_of(portfolios: Mapping[str, Mapping[str, float]] | None, names: tuple[str, ...]) -> pd.DataFrame:
    """Return weights ``(series, portfolios)``, equal ones if there are no portfolios."""
    if not portfolios:
        return pd.DataFrame({EQUAL: np.full(len(names), 1 / len(names))}, index=list(names))
    columns = {name: check_weights(dict(weights), names) for name, weights in portfolios.items()}
    return pd.DataFrame(columns, index=list(names))
