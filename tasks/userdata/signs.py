"""Negative numbers that are marks: prices of CRSP without a trade, and traces of rain."""

import re

import numpy as np
import pandas as pd

from tasks.reporting.labels import count_of

NEAR = 0.25
"""Relative difference of sizes beside a change of sign up to which the sign is a mark."""

MOST = 0.95
"""Least share of such changes of sign."""

CRSP = re.compile(r"(alt)?prc", re.IGNORECASE)
"""Names of prices of CRSP."""

FEW = 0.01
"""Share of negative values below which they may be errors in a column with another name."""

RAIN = re.compile(
    r"(^|[^a-z])(rh|rr|rain(fall)?|prec(ip(itation)?)?|prcp|neerslag|niederschlag|snow(fall)?)([^a-z]|$)",
    re.IGNORECASE,
)
"""Names of rain and snow."""


def without_marks(table: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    """Return a table in which negative numbers that are marks have the value that they stand for.

    A price that is a mean of bid and ask has a minus in files of CRSP: its size is that of its neighbours.
    Rain of -1 is a trace in files of KNMI if no other value is negative.
    """
    value = table["close"]
    negative = value < 0
    where = f"{count_of(int(negative.sum()), 'row')}, the first is row {table.loc[negative, 'row'].min()},"
    if not negative.any():
        return table
    if RAIN.search(name) and (value[negative] == -1).all():
        notes.append(f"column {name}: -1 in {where} is a trace of less than one unit, read as 0")
        return table.assign(close=value.mask(negative, 0.0))
    if (CRSP.fullmatch(name) or negative.mean() >= FEW) and _are_marked(table):
        notes.append(
            f"column {name}: negative in {where} with the size of the values beside, as CRSP marks means of "
            "bid and ask; the minus is left out"
        )
        return table.assign(close=value.abs())
    return table


def lone_negative(value: pd.Series, name: str) -> str | None:
    """Return a warning if -1 is the only negative number, is repeated, and zeros occur too."""
    negative = value[value < 0]
    if len(negative) < 2 or (negative != -1).any() or not (value == 0).any() or value.nunique() < 10:
        return None
    return (
        f"impossible: -1 is the only negative value of {name}, in {count_of(len(negative), 'row')}; if it "
        "stands for a missing value, leave these cells empty, and if for a trace, write 0"
    )


def _are_marked(table: pd.DataFrame) -> bool:
    """Return whether values keep their size where they change their sign, as no true values do."""
    near = []
    for _, group in table.groupby("series", sort=False):
        value = group["close"].to_numpy(float)
        value = value[np.isfinite(value) & (value != 0)]
        size, changes = np.abs(value), np.sign(value[1:]) != np.sign(value[:-1])
        if changes.any() and len(np.unique(size)) < 10:
            return False
        near.append((np.abs(np.diff(size)) < NEAR * np.minimum(size[1:], size[:-1]))[changes])
    found = np.concatenate(near)
    return len(found) > 0 and bool(found.mean() >= MOST)
