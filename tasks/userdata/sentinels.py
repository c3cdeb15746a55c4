"""Numbers that a file has in place of missing values, such as -999 and 99.9."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd

from tasks.reporting.labels import count_of
from tasks.runtime.errors import BasinError

MASKED = "stands for a missing value"
"""Words of a note or message that name a sentinel."""

SHOWN = 3
"""Number of sentinels that the message of a refusal names."""

_CODES = [
    float(f"{digit * length}e-{decimals}")
    for digit in "987"
    for decimals in range(4)
    for length in range(decimals + (3 if digit < "9" and not decimals else 2), decimals + 10)
]

_LIMITS = [-(2.0**15), 2.0**15 - 1, 2.0**16 - 1, -(2.0**31), 2.0**31 - 1, 2.0**32 - 1, -(2.0**63), 2.0**63]

_ROUND = [
    float(f"{digit * length}e{zeros}") for digit in "987" for length in (2, 3, 4) for zeros in range(1, 10)
]

ROUND = np.unique([sign * size for size in (*_ROUND, *10.0 ** np.arange(6, 19)) for sign in (-1, 1)])
"""Numbers that stand for a missing value if repeated, such as -9990 and 9.99e8, and powers of ten."""

FORMS = np.unique(
    [sign * size for size in (*_CODES, 9.99, 9.999) for sign in (-1, 1)]
    + [-999.25, -1000.0, *_LIMITS, *ROUND]
)
"""Numbers that often stand for a missing value: those of one digit, such as -99, 999.9, -888 and -9.99, the
limits of whole numbers in files, and those of ``ROUND``."""

SINGLE = 1e-6
"""Relative rounding error of numbers in single precision, in which a file may have them."""

HUGE = 1e19
"""Size from which a number is a fill value of a format, such as 9.96921e36."""

EDGE = 0.005
"""Share of the values of a series at each end that do not count for its range."""

APART = {"once": 3.0, "often": 1.0, "round": 10.0}
"""Least distance of a sentinel from the range of the other values, in ranges."""

ALONE = 0.5
"""Least distance of a sentinel from any other value, in ranges."""

LARGER = 1.5
"""Least size of a sentinel among positive values, as a multiple of high ones. Prices are often 9.99 or 99."""

MOST = 0.9
"""Share of the values of a series above which they are no sentinels."""


@contextmanager
def naming_sentinels(notes: Sequence[str]) -> Iterator[None]:
    """Add the notes on sentinels to the message of a ``BasinError`` of the block, if it names none."""
    try:
        yield
    except BasinError as error:
        masked = [note for note in notes if MASKED in note]
        if masked and MASKED not in str(error):
            more = f" and {len(masked) - SHOWN} more" if len(masked) > SHOWN else ""
            error.args = (f"{error} ({'; '.join(masked[:SHOWN])}{more})",)
        raise


def mask_sentinels(table: pd.DataFrame, columns: list[str], notes: list[str]) -> None:
    """Make numbers that stand for a missing value missing, in each column and series for itself."""
    groups = table.groupby("series", sort=False)
    several = groups.ngroups > 1
    for column in columns:
        for name, group in groups:
            value = group[column].dropna()
            for sentinel in sentinels_of(value.to_numpy(float)):
                found = value.index[_forms(value.to_numpy(float)) == sentinel]
                table.loc[found, column] = np.nan
                of = ([] if column == "close" else [f"input {column}"]) + [str(name)] * several
                where = f"{count_of(len(found), 'row')}, the first is row {table.loc[found[0], 'row']},"
                notes.append(f"{', '.join(of)}{': ' if of else ''}{sentinel:.6g} in {where} {MASKED}")


def sentinels_of(value: np.ndarray) -> list[float]:
    """Return the numbers that stand for missing values in a series.

    They have the form of a sentinel and lie far outside of all other values. If they occur once, they must
    lie farther outside. Round ones occur more than once and lie farthest. A negative one
    among values that are never negative is far enough.
    """
    value = value[np.isfinite(value)]
    form = _forms(value)
    candidates, counts = np.unique(form[np.isfinite(form)], return_counts=True)
    others = np.sort(value[np.isnan(form)])
    if not len(candidates) or len(others) < 2 or counts.sum() > MOST * len(value):
        return []
    low, high = (float(q) for q in np.quantile(others, [EDGE, 1 - EDGE]))
    room = max(high - low, 1e-9)
    found = []
    for candidate, count in zip(candidates, counts, strict=True):
        often = "round" if candidate in ROUND else "often"
        if often == "round" and count == 1:
            continue
        distance = max(low - candidate, candidate - high)
        alone = float(np.abs(others - candidate).min()) > ALONE * room
        usual = others[0] > 0 and 0 < candidate < LARGER * high
        far = not usual and distance > APART[often if count > 1 else "once"] * room and alone
        if abs(candidate) >= HUGE or far or (candidate <= -99 and others[0] >= 0):
            found.append(float(candidate))
    return found


def _forms(value: np.ndarray) -> np.ndarray:
    """Return which of ``FORMS`` each value is, the value itself if it is huge, and NaN for other values."""
    place = np.clip(np.searchsorted(FORMS, value), 1, len(FORMS) - 1)
    below, above = FORMS[place - 1], FORMS[place]
    nearest = np.where(np.abs(value - below) < np.abs(value - above), below, above)
    form = np.where(np.abs(value - nearest) <= SINGLE * np.abs(nearest), nearest, np.nan)
    return np.where(np.isfinite(value) & (np.abs(value) >= HUGE), value, form)
