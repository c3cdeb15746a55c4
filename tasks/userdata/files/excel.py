"""Tables in the sheets of Excel files."""

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.reporting.labels import listed
from tasks.runtime.errors import BasinError
from tasks.sources.dates import UnknownOrder, date_like
from tasks.userdata.files.columns import find, mostly_numbers
from tasks.userdata.files.header import find_header, with_names
from tasks.userdata.files.later_headers import refuse_other

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")

SAMPLE = 60
"""Number of first rows from which the header is found."""


SUMMARY = 0.1
"""Share of the rows of the longest sheet below which another one is a summary, and is not read."""


def read_excel(path: Path, notes: list[str]) -> pd.DataFrame:
    """Return the first sheet with a table of dates and numbers, or else the first sheet with rows.

    Sheets with few rows beside those of another one, such as summaries, are not read.
    """
    try:
        sheets: dict[str, pd.DataFrame] = pd.read_excel(
            path, sheet_name=None, header=None, keep_default_na=False, na_values=[""]
        )
    except ImportError as error:
        remedy = "run `pip install openpyxl`, or save the sheet as CSV"
        if path.suffix.lower() not in (".xlsx", ".xlsm"):
            remedy = "save the file as .xlsx or CSV"
        raise BasinError(
            f"{path}: {path.suffix} files need a package that is not installed; {remedy}"
        ) from error
    blank = {name: sheet.mask(sheet.map(_is_blank)) for name, sheet in sheets.items()}
    full = {name: table for name, sheet in blank.items() if len(table := _without_margins(sheet)) > 1}
    if not full:
        raise BasinError(f"{path}: no sheet has rows; give a file with data")
    with_data = [name for name, sheet in full.items() if _has_data(sheet)]
    if len(with_data) > 1:
        with_data = [name for name in with_data if _has_dates(full[name])] or with_data
        longest = max(len(full[name]) for name in with_data)
        with_data = [name for name in with_data if len(full[name]) >= SUMMARY * longest]
    name = next(iter(with_data or full))
    if len(full) > 1:
        which = "the only one" if len(with_data) == 1 else "the first one"
        notes.append(
            f"the sheet {name} of {len(full)} is read, {which} with a table of dates"
            + (f"; save {listed(with_data[1:], 'or')} as CSV to read it" if len(with_data) > 1 else "")
        )
    return _with_header(full[name], f"{path}: sheet {name}" if len(full) > 1 else str(path), notes)


def _is_blank(cell: object) -> bool:
    return isinstance(cell, str) and not cell.strip()


def _without_margins(sheet: pd.DataFrame) -> pd.DataFrame:
    """Leave out columns and first and last rows without content."""
    sheet = sheet.loc[:, sheet.notna().any()]
    rows = np.flatnonzero(sheet.notna().any(axis=1))
    return sheet.iloc[rows[0] : rows[-1] + 1] if len(rows) else sheet.iloc[:0]


def _has_data(sheet: pd.DataFrame) -> bool:
    """Return whether some column has dates, or years, and another one has numbers."""
    below = sheet.iloc[len(sheet) // 2 :]
    dates = [np.mean([date_like(_shown(cell)) for cell in below[c].dropna()] or [False]) > 0.5 for c in below]
    numbers = [mostly_numbers(below[c].map(_shown, na_action="ignore")) for c in below]
    return sum(numbers) > 1 or (any(dates) and any(numbers))


def _has_dates(sheet: pd.DataFrame) -> bool:
    """Return whether a sheet is a table of which some columns are the dates."""
    try:
        find(_with_header(sheet, "", []), None, (), None, "")
    except UnknownOrder:
        return True
    except BasinError:
        return False
    return True


def _with_header(sheet: pd.DataFrame, label: str, notes: list[str]) -> pd.DataFrame:
    head = sheet.head(SAMPLE)
    rows = [["" if pd.isna(cell) else _shown(cell) for cell in row] for row in head.itertuples(index=False)]
    at = [k for k, row in enumerate(rows) if any(row)]
    header = find_header([rows[k] for k in at], [], label, notes, strict=False)
    first = at[header.first] if header.first < len(at) else at[-1] + 1
    below = sheet.iloc[first:].reset_index(drop=True)
    if header.key is not None:
        below = below[below.notna().any(axis=1)]
        refuse_other(below, header.key, rows[:first], label)
    return with_names(below, header.names, label, notes).infer_objects()


def _shown(cell: object) -> str:
    """Return a cell as text; whole numbers have no decimals."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
