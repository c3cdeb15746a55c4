"""Bad rows and holes of a user's table: named and refused, left out, or filled."""

from typing import cast

import numpy as np
import pandas as pd

from tasks.reporting.labels import count_of
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency, stamp

SHOWN = 3
"""Number of bad rows that a message names."""

ISOLATED = 3
"""Most consecutive missing rows that ``--on-bad-row interpolate`` fills."""


def removed(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    kind: str,
    exog: list[str],
    act: str,
    label: str,
    notes: list[str],
) -> pd.DataFrame:
    """Return the table without bad rows, or raise ``BasinError`` that names the first of them.

    ``cells`` has the cells as written. With ``act="interpolate"`` missing values are filled later.
    """
    infinite = cast(pd.DataFrame, np.isinf(table[exog]))
    unreadable = cells["unreadable"].reindex(table.index)
    faults = {
        "no date": table["time"].isna(),
        "a cell that is no number": unreadable,
        "no value": table["close"].isna(),
        "an infinite value": np.isinf(table["close"]),
        "no finite value of an input": table[exog].isna().any(axis=1) | infinite.any(axis=1),
        "the date of an earlier row": table.duplicated(["series", "time"]),
    }
    if kind == "price":
        faults["a price that is not positive"] = table["close"] <= 0
    bad = pd.Series(False, index=table.index)
    for what, flags in faults.items():
        found = table[flags & ~bad]
        if found.empty:
            continue
        bad |= flags
        where = ", ".join(_named(i, cells, found, what) for i in found.index.sort_values()[:SHOWN])
        if act == "stop":
            raise BasinError(
                f"{label}: {what} in {where}"
                + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
                + "; correct the file, or pass --on-bad-row drop to leave such rows out"
            )
        more = " ..." if len(found) > SHOWN else ""
        notes.append(f"{count_of(len(found), 'row')} left out with {what}: {where}{more}")
    kept = table[~bad]
    if kept.empty:
        raise BasinError(f"{label}: no usable row is left; check the column given as --target")
    return kept


def _named(row: int, cells: pd.DataFrame, found: pd.DataFrame, what: str) -> str:
    if what == "no date":
        return f"row {row} ({str(cells.loc[row, 'date'])[:40]!r})"
    shown = stamp(cast(pd.Timestamp, found.loc[row, "time"]))
    if what == "a cell that is no number":
        return f"row {row} ({shown}: {str(cells.loc[row, 'cell'])[:40]!r})"
    return f"row {row} ({shown})"


def without_holes(
    table: pd.DataFrame, kind: str, freq: str, act: str, label: str, notes: list[str], warned: list[str]
) -> pd.DataFrame:
    """Return the table with holes filled or counted as one step.

    Levels need every period, so a hole in them is refused unless it is filled. Between prices and returns a
    hole counts as one step, with a warning.
    """
    if kind == "level":
        return _levels(table, freq, act, label, notes)
    gaps = table.groupby("series", sort=False)["time"].diff().dt.total_seconds() / 86400
    holes = gaps[gaps > frequency(freq).gap]
    if len(holes):
        row = int(holes.index[0])
        warned.append(
            f"{holes.iloc[0]:.0f} days without rows before row {row} ({table['time'].loc[row]:%Y-%m-%d}), "
            f"{count_of(len(holes), 'such gap')} in all; a gap counts as one step"
        )
    return table


def _levels(table: pd.DataFrame, freq: str, act: str, label: str, notes: list[str]) -> pd.DataFrame:
    parts = []
    for name, group in table.groupby("series", sort=False):
        if freq == "B":
            parts.append(group)
            continue
        expected = pd.date_range(group["time"].iloc[0], group["time"].iloc[-1], freq=frequency(freq).offset)
        absent = expected.difference(pd.DatetimeIndex(group["time"]))
        if not len(absent):
            parts.append(group)
            continue
        run = pd.Series(np.flatnonzero(expected.isin(absent)))
        longest = int(run.groupby(run - np.arange(len(run))).size().max())
        first = ", ".join(f"{t:%Y-%m-%d}" for t in absent[:SHOWN]) + (" ..." if len(absent) > SHOWN else "")
        said = f"series {name}: {count_of(len(absent), frequency(freq).period)} missing ({first})"
        if act != "interpolate" or longest > ISOLATED:
            remedy = (
                f"pass --on-bad-row interpolate to fill holes of up to {ISOLATED} rows"
                if longest <= ISOLATED
                else f"the longest hole has {longest} rows: fill it, or remove the rows on one side of it"
            )
            raise BasinError(f"{label}: {said}; {remedy}")
        notes.append(f"{said}: filled on a straight line between the neighbours")
        whole = group.set_index("time").reindex(expected)
        numbers = whole.select_dtypes("number").columns
        whole[numbers] = whole[numbers].interpolate()
        whole["series"] = name
        parts.append(whole.rename_axis("time").reset_index().set_axis(range(1, len(whole) + 1)))
    return pd.concat(parts)
