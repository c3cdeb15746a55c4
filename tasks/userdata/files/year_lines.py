"""Tables of a year and twelve months a line, which become one row a month."""

import re
from pathlib import Path

import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates import month_of
from tasks.userdata.files.numbers import MISSING, number_like

MONTHS = 12


def years_by_months(text: str, path: Path, notes: list[str]) -> pd.DataFrame | None:
    """Return a table of a year and twelve months a line as one row a month, or None for another layout.

    The lines above may name the twelve months; a line of twelve other names is another layout. A number
    alone on a line stands for missing values. The last year may have fewer months. Raises ``BasinError`` for
    another line with numbers.
    """
    lines = [line for line in text[:4000].splitlines() if line.strip()][:-1]
    count = {mark: sum(_is_year(_cells(line, mark)) for line in lines) for mark in (None, ",", ";", "\t")}
    separator = max(count, key=lambda mark: count[mark])
    if count[separator] < 0.6 * len(lines) - 3:
        return None
    rows = [_cells(line, separator) for line in text.splitlines() if line.strip()]
    at = [k for k, row in enumerate(rows) if _is_year(row)]
    years = [int(rows[k][0]) for k in at]
    if len(years) < 3 or len(years) < 0.6 * len(rows) or years != sorted(set(years)):
        return None
    if at[0] and _names_others(rows[at[0] - 1]):
        return None
    values = {int(rows[k][0]): rows[k][1:] for k in at}
    flags, left = set(), []
    for k, row in enumerate(rows):
        if _is_year(row):
            continue
        numbers = sum(map(number_like, row))
        if k > at[-1] and len(row) == numbers == 1:
            flags.add(row[0])
        elif k > at[-1] and row[0] == str(years[-1] + 1) and len(row) == numbers <= MONTHS:
            values[years[-1] + 1] = row[1:]
            notes.append(f"the year {row[0]} has {len(row) - 1} months")
        elif k < at[0] and re.fullmatch(r"[12]\d{3}\W+[12]\d{3}", " ".join(row)):
            continue  # the first and the last year
        elif number_like(row[0]) or re.match(r"[12]\d{3}\W", row[0]):
            raise BasinError(
                f"{path}: line {' '.join(row)[:60]!r} is neither a year with {MONTHS} months nor text; give "
                f"each year {MONTHS} values, and mark missing ones with -99.99"
            )
        elif not _names_months(row):
            left.append(" ".join(row)[:60])
    if left:
        shown = " | ".join(left[:3]) + (" ..." if len(left) > 3 else "")
        notes.append(f"{len(left)} line{'s' * (len(left) > 1)} beside the years left out: {shown}")
    said = f"; {', '.join(sorted(flags))} is a missing value" if flags else ""
    notes.append(f"each line has a year and its twelve months{said}")
    months = [(f"{y}-{m:02d}-01", cell) for y, row in values.items() for m, cell in enumerate(row, 1)]
    value = [None if cell in flags else cell for _, cell in months]
    while value and value[-1] is None:  # months to come
        value.pop()
    named = re.sub(r"\W+", "_", path.name.split(".")[0]) or "value"
    return pd.DataFrame({"time": [t for t, _ in months[: len(value)]], named: value}, dtype=object)


def _cells(line: str, separator: str | None) -> list[str]:
    cells = [cell.strip() for cell in line.split(separator)]
    while len(cells) > MONTHS + 1 and not cells[-1]:
        cells.pop()
    return cells


def _is_year(row: list[str]) -> bool:
    return (
        len(row) == MONTHS + 1
        and bool(re.fullmatch(r"[12]\d{3}", row[0]))
        and all(number_like(cell) or cell in MISSING for cell in row[1:])
    )


def _names_others(row: list[str]) -> bool:
    """Return whether a line has a name for each column, and other names than those of the months."""
    return len(row) in (MONTHS, MONTHS + 1) and not _names_months(row)


def _names_months(row: list[str]) -> bool:
    names = [name.strip('"').lower() for name in row[-MONTHS:]]
    return len(row) in (MONTHS, MONTHS + 1) and all(
        month_of(name) == k or name.lstrip("m0") == str(k) for k, name in enumerate(names, 1)
    )
