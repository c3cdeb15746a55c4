"""Periods that the dates of a column name: years, quarters, months, weeks or days."""

import re

import pandas as pd

from tasks.sources.dates.forms import groups_of

FEW = 2
"""Number of cells up to which a period may be an error of single rows."""

DIGITS = {4: "years", 6: "months", 7: "days", 8: "days"}
"""Periods of dates that are written as digits alone, by their number."""

ORDER = ("years", "quarters", "months", "weeks", "days")


def periods_in(text: pd.Series) -> dict[str, str]:
    """Return the periods of the cells of a column, the longest first, each with its first cell."""
    cells = text.dropna().str.strip()
    periods = cells.map({cell: _period(cell) for cell in cells.unique()})
    often = periods.value_counts()
    return {p: str(cells[periods == p].iloc[0]) for p in ORDER if often.get(p, 0) > FEW}


def _period(cell: str) -> str | None:
    if re.fullmatch(r"\d+", cell):
        return DIGITS.get(len(cell))
    groups = groups_of(cell)
    for period, group in (("quarters", "q"), ("weeks", "w"), ("days", "d"), ("days", "c"), ("days", "j")):
        if groups.get(group):
            return period
    return "months" if groups else None
