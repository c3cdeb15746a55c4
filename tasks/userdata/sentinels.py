"""Numbers that a file has in place of missing values, such as -999 and 99.9."""

import re

import numpy as np
import pandas as pd

from tasks.reporting.labels import count_of

FORM = re.compile(r"-?(9{2,7}|8{3,7}|7{3,7})(\.(9|8|7){1,3})?|-?9\.9{2,3}")
"""Numbers of one digit, such as -99, 999.9, -888 and -9.99."""

FILLS = (-1000.0, -32768.0, 32767.0, -2147483648.0, 2147483647.0)
"""Other numbers that stand for a missing value."""

HUGE = 1e19
"""Size from which a number is a fill value of a format, such as 9.96921e36."""

EDGE = 0.005
"""Share of the values of a series at each end that do not count for its range."""

APART = {"once": 3.0, "often": 1.0}
"""Least distance of a sentinel from the range of the other values, in ranges."""

ALONE = 0.5
"""Least distance of a sentinel from any other value, in ranges."""

MOST = 0.9
"""Share of the values of a series above which they are no sentinels."""


def mask_sentinels(table: pd.DataFrame, columns: list[str], notes: list[str]) -> None:
    """Make numbers that stand for a missing value missing, in each column and series for itself."""
    groups = table.groupby("series", sort=False)
    several = groups.ngroups > 1
    for column in columns:
        for name, group in groups:
            value = group[column].dropna()
            for sentinel in sentinels_of(value.to_numpy(float)):
                found = value.index[value == sentinel]
                table.loc[found, column] = np.nan
                of = ([] if column == "close" else [f"input {column}"]) + [str(name)] * several
                where = f"{count_of(len(found), 'row')}, the first is row {table.loc[found[0], 'row']},"
                notes.append(
                    f"{', '.join(of)}{': ' if of else ''}{sentinel:.6g} in {where} stands for a missing value"
                )


def sentinels_of(value: np.ndarray) -> list[float]:
    """Return the numbers that stand for missing values in a series.

    They have the form of a sentinel and lie far outside of all other values. If they occur once, they must
    lie farther outside. A negative one among values that are never negative is far enough.
    """
    value = value[np.isfinite(value)]
    candidates, counts = np.unique(value[_has_form(value)], return_counts=True)
    others = np.sort(value[~np.isin(value, candidates)])
    if not len(candidates) or len(others) < 2 or counts.sum() > MOST * len(value):
        return []
    low, high = (float(q) for q in np.quantile(others, [EDGE, 1 - EDGE]))
    room = max(high - low, 1e-9)
    found = []
    for candidate, count in zip(candidates, counts, strict=True):
        distance = max(low - candidate, candidate - high)
        alone = float(np.abs(others - candidate).min()) > ALONE * room
        far = distance > APART["often" if count > 1 else "once"] * room and alone
        if abs(candidate) >= HUGE or far or (candidate <= -99 and others[0] >= 0):
            found.append(float(candidate))
    return found


def _has_form(value: np.ndarray) -> np.ndarray:
    numbers, place = np.unique(value, return_inverse=True)
    extreme = (np.abs(numbers) >= HUGE) | np.isin(numbers, FILLS)
    form: np.ndarray = extreme | np.array([bool(FORM.fullmatch(f"{x:.9g}")) for x in numbers], dtype=bool)
    return form[place]
