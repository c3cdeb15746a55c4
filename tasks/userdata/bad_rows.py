"""Bad rows and holes of a user's table: named and refused, left out, or filled."""

from typing import cast

import numpy as np
import pandas as pd

from tasks.forecasters.levels.features import PERIODS
from tasks.reporting.labels import count_of
from tasks.runtime.calendar import Calendar
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency, stamp
from tasks.userdata.input_names import column_name

SHOWN = 3
"""Number of bad rows that a message names."""

ISOLATED = 3
"""Most consecutive missing rows that ``--on-bad-row interpolate`` fills."""

MANY = 0.03
"""Share of bad rows above which they are no errors of single rows, so that dropping them is no remedy."""

AGAIN = "the date of an earlier row"

FAR = "a date years away from those of the rows beside it"

FILLED = ("a cell that is no number", "no value", "an infinite value")
"""Faults of rows whose value can be filled if it is a level, which needs a row for every period."""

REMEDIES = {
    "no date": "give the column of dates as --time, or write all dates as YYYY-MM-DD",
    "a cell that is no number": "correct these cells, or give a column of numbers as --target",
    AGAIN: "give the column that names the series as --series, or a column with the whole date and time of "
    "day as --time",
    "a price that is not positive": "pass --kind rate if such values are right",
}
"""Remedies for faults of many rows. Many missing values are common, and such rows can be dropped."""


def removed(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    kind: str,
    exog: list[str],
    act: str,
    label: str,
    notes: list[str],
    apart: str | None,
) -> pd.DataFrame:
    """Return the table without bad rows, or raise ``BasinError`` that names the first of them.

    ``cells`` has the cells as written, and the dates before they were moved to the steps of the rows.
    ``apart`` is a column that tells rows of one date apart, if there is one. With ``act="interpolate"`` the
    holes of levels are filled later. Many rows of one date with different values are a panel or shorter
    periods, and are refused in any case.
    """
    unreadable = cells["unreadable"].reindex(table.index)
    copies = table.duplicated(["series", "time", "close"])
    faults = {
        "no date": table["time"].isna(),
        FAR: table["far"],
        "a cell that is no number": unreadable,
        "no value": table["close"].isna(),
        "an infinite value": np.isinf(table["close"]),
    }
    inputs = {f"no finite value of the input {column_name(name)}": ~np.isfinite(table[name]) for name in exog}
    faults |= inputs
    if kind == "price":
        faults["a price that is not positive"] = table["close"] <= 0
    usable = table[~pd.concat(faults, axis=1).any(axis=1)]  # the earlier row of a date may have no value
    faults[AGAIN] = usable.duplicated(["series", "time"]).reindex(table.index, fill_value=False)
    bad = pd.Series(False, index=table.index)
    several = table["series"].nunique() > 1
    for what, flags in faults.items():
        found = table[flags & ~bad]
        if found.empty:
            continue
        bad |= flags
        many = max(SHOWN, MANY * len(table))
        panel = what == AGAIN and (~copies[found.index]).sum() > many
        where = ", ".join(_named(i, cells, found, what, several) for i in found.index.sort_values()[:SHOWN])
        if act == "stop" or panel:
            fill = kind == "level" and what in FILLED
            act_on = "interpolate to fill such rows" if fill else "drop to leave such rows out"
            remedy = REMEDIES.get(what) if panel or (what != AGAIN and len(found) > many) else None
            if what in inputs:
                remedy = "fill the input in the file, or omit it from --exog"
            if remedy and panel and apart:
                remedy += f"; the column {apart} tells such rows apart"
            raise BasinError(
                f"{label}: {what} in {where}"
                + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
                + "; "
                + (remedy or f"correct the file, or pass --on-bad-row {act_on}")
            )
        more = " ..." if len(found) > SHOWN else ""
        notes.append(f"{count_of(len(found), 'row')} left out with {what}: {where}{more}")
    kept = table[~bad]
    if kept.empty:
        raise BasinError(f"{label}: no usable row is left; check the column given as --target")
    return kept


def _named(place: int, cells: pd.DataFrame, found: pd.DataFrame, what: str, several: bool) -> str:
    row = cast(int, found.loc[place, "row"])
    of = f"{cast(str, found.loc[place, 'series'])}, " if several else ""
    if what == "no date":
        written = "empty" if cells["date"].isna().loc[place] else repr(str(cells.loc[place, "date"])[:40])
        return f"row {row} ({of}{written})"
    own, moved = cast(pd.Timestamp, cells.loc[place, "time"]), cast(pd.Timestamp, found.loc[place, "time"])
    shown = of + stamp(own)
    if what == AGAIN and own.normalize() != moved.normalize():
        shown += f", moved to {stamp(moved)}"
    if what == "a cell that is no number":
        return f"row {row} ({shown}: {str(cells.loc[place, 'cell'])[:40]!r})"
    cell = str(cells.loc[place, "cell"]).strip() if cells["cell"].notna().loc[place] else ""
    if what == "no value" and cell:
        return f"row {row} ({shown}: {cell[:40]!r} stands for a missing value)"
    return f"row {row} ({shown})"


def without_holes(
    table: pd.DataFrame,
    kind: str,
    calendar: Calendar,
    act: str,
    label: str,
    notes: list[str],
    warned: list[str],
) -> pd.DataFrame:
    """Return the table with holes filled or counted as one step.

    Levels need every period, so a hole in them is refused unless it is filled. Between prices and returns a
    hole counts as one step, with a warning.
    """
    if kind == "level":
        return _levels(table, calendar, act, label, notes)
    gaps = table.groupby("series", sort=False)["time"].diff().dt.total_seconds() / 86400
    holes = gaps[gaps > frequency(calendar.freq).gap]
    if len(holes):
        row, time = table.loc[holes.index[0], ["row", "time"]]
        warned.append(
            f"coverage: {holes.iloc[0]:.0f} days without rows before row {row} ({time:%Y-%m-%d}), "
            f"{count_of(len(holes), 'such gap')} in all; a gap counts as one step"
        )
    return table


def _levels(table: pd.DataFrame, calendar: Calendar, act: str, label: str, notes: list[str]) -> pd.DataFrame:
    freq, parts = calendar.freq, []
    for name, group in table.groupby("series", sort=False):
        if freq == "B":
            parts.append(group)
            continue
        step = frequency(freq)
        expected = pd.date_range(group["time"].iloc[0], group["time"].iloc[-1], freq=step.offset)
        between = group[~group["time"].isin(expected)]
        if len(between):
            row, time = between.iloc[0][["row", "time"]]
            raise BasinError(
                f"{label}: series {name}: row {row} ({stamp(time)}) is not a whole number of {step.period}s "
                f"after the first row ({stamp(expected[0])}); correct its date, or remove the row"
            )
        expected = expected[[(day.month, day.day) not in calendar.closed for day in expected]]
        absent = expected.difference(pd.DatetimeIndex(group["time"]))
        if not len(absent):
            parts.append(group)
            continue
        run = pd.Series(np.flatnonzero(expected.isin(absent)))
        longest = int(run.groupby(run - np.arange(len(run))).size().max())
        first = ", ".join(stamp(t)[: 7 if step.calendar else None] for t in absent[:SHOWN]) + (
            " ..." if len(absent) > SHOWN else ""
        )
        said = f"series {name}: {count_of(len(absent), step.period)} missing ({first})"
        if act != "interpolate" or longest > ISOLATED:
            remedy = (
                f"pass --on-bad-row interpolate to fill holes of up to {ISOLATED} rows"
                if longest <= ISOLATED
                else f"the longest hole has {longest} rows: fill it, or remove the rows on one side of it"
            )
            raise BasinError(f"{label}: {said}; {remedy}")
        notes.append(f"{said}: filled from the rows before, with the usual change of the season")
        whole = group.set_index("time").reindex(expected)
        close = filled(whole["close"].to_numpy(float), PERIODS.get(freq, 1))
        whole = whole.ffill().assign(close=close).astype({"row": int})
        parts.append(whole.rename_axis("time").reset_index())
    return pd.concat(parts, ignore_index=True)[list(table.columns)]


def filled(value: np.ndarray, period: int) -> np.ndarray:
    """Return values with each missing one replaced by an estimate from the values before it alone.

    It is the value before, plus the mean change into the same season of earlier cycles of ``period`` rows,
    that is the normal of the season with the last anomaly, but not below 0 if no value before is. No later
    value is used, so a forecast from a filled row knows nothing of its target.
    """
    value = value.copy()
    for place in np.flatnonzero(np.isnan(value)):
        earlier = np.arange(place - period, 0, -period)
        change = (value[earlier] - value[earlier - 1]).mean() if period > 1 and len(earlier) else 0.0
        value[place] = max(value[place - 1] + change, 0.0 if (value[:place] >= 0).all() else -np.inf)
    return value


def without_empty_cells(table: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Leave out empty cells at dates at which other series have a value, as a long table does without them.

    ``cells`` are the cells of each row as written.
    """
    known = table["close"].notna()
    others = known.groupby(table["time"]).transform("any")
    return table[known | cells["unreadable"] | ~others]
