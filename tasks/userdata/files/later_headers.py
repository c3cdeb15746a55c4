"""Headers below the first rows of a table, which begin another table or have names in another order."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates import date_like, written_as_dates
from tasks.userdata.files.columns import names_dates
from tasks.userdata.files.numbers import MISSING, number_like

ONE_TABLE = "keep the rows of one table, or give each table a file of its own"


def refuse_other(frame: pd.DataFrame, key: int, above: Sequence[Sequence[str]], label: str) -> None:
    """Raise ``BasinError`` for a row that is a header, but not the one of the table.

    ``key`` is the column of dates and ``above`` are the lines above the data. Cells below a header with other
    names, or with the same names in another order, would stand under wrong names. A header below a title
    whose rows begin again at earlier dates is refused too. Rows that repeat the header are bad rows.
    """
    lines = {_line(row) for row in above}
    first = {cell.lower() for row in above if key < len(row) and (cell := row[key].strip())}
    repeated: list[int] = []
    for place in _candidates(frame, key):
        row = _texts(frame, place)
        if _line(row) in lines:
            repeated.append(place)
        elif _is_header(row, key, first, frame, place):
            raise BasinError(
                f"{label}: row {place + 1} ({', '.join(filter(None, row))[:80]}) is a header with other "
                f"names than the one above the data; {ONE_TABLE}"
            )
    for place in repeated:
        title = _texts(frame, place - 1) if place else [""]
        begun = frame.iloc[place + 1 :, key].dropna()
        if place - 1 in repeated or _is_data([title[min(key, len(title) - 1)]]) or not any(title):
            continue
        if begun.isin(frame.iloc[: place - 1, key]).mean() > 0.5:
            raise BasinError(
                f"{label}: a second table begins at row {place} ({' '.join(filter(None, title))[:60]}), with "
                f"dates of the first; {ONE_TABLE}"
            )


def refuse_other_in_frame(frame: pd.DataFrame, label: str) -> None:
    """Raise ``BasinError`` for a row of a data frame that names columns, but not those of the frame."""
    names = [str(name) for name in frame.columns]
    texts = [
        k
        for k in range(len(names))
        if pd.api.types.is_object_dtype(frame.dtypes.iloc[k])
        or pd.api.types.is_string_dtype(frame.dtypes.iloc[k])
    ]
    key = next((k for k in texts if names_dates(names[k]) or written_as_dates(frame.iloc[:, k])), None)
    if key is not None:
        refuse_other(frame, key, [names], label)


def _candidates(frame: pd.DataFrame, key: int) -> list[int]:
    """Return the places of rows whose key has no digit, or is empty beside texts and no number."""
    text = frame.iloc[:, key]
    empty = text.isna().to_numpy()
    words = text.map(lambda cell: isinstance(cell, str) and not any(map(str.isdigit, cell))).to_numpy(bool)
    if empty.any():
        beside = frame[empty].drop(columns=frame.columns[key])
        empty[empty] = beside.map(lambda cell: isinstance(cell, str) and not number_like(cell)).any(axis=1)
    return [int(place) for place in np.flatnonzero(words | empty)]


def _texts(frame: pd.DataFrame, place: int) -> list[str]:
    return ["" if pd.isna(cell) else str(cell).strip() for cell in frame.iloc[place]]


def _line(row: Sequence[str]) -> tuple[str, ...]:
    cells = [cell.strip().lower() for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return tuple(cells)


def _is_header(row: list[str], key: int, first: set[str], frame: pd.DataFrame, place: int) -> bool:
    """Return whether a row names columns: that of the dates, or else each column of the row below.

    The latter names are words that stand nowhere else in their columns, and there are two or more.
    """
    others = [cell for k, cell in enumerate(row) if k != key and cell and cell not in MISSING]
    words = [cell for cell in others if not (number_like(cell) or date_like(cell))]
    digits = any(map(str.isdigit, "".join(row)))  # as in a note on a split, 2:1
    if row[key].lower() in first:
        return bool(others)
    if row[key] and names_dates(row[key]):
        return bool(words)
    if place + 1 >= len(frame) or digits or len(words) < 2 or len({*words}) < len(words) or words != others:
        return False
    below = _texts(frame, place + 1)
    named = all(bool(row[k]) == bool(below[k]) for k in range(len(row)) if k != key)
    again = (int((frame.iloc[:, k] == cell).sum()) > 1 for k, cell in enumerate(row) if k != key and cell)
    return named and _is_data(below) and not any(again)


def _is_data(row: list[str]) -> bool:
    return any(number_like(cell) or date_like(cell) for cell in row)
