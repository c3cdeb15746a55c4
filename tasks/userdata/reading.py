"""Reading of a user's file or frame into a long table, with its kind, frequency and calendar inferred."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from tasks.reporting.labels import count_of, listed
from tasks.runtime.calendar import WEEKDAYS, Calendar, infer
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import NAMES, frequency, name_of
from tasks.userdata import bad_rows
from tasks.userdata.files.columns import OHLC, Roles, unit_in
from tasks.userdata.files.table import Table
from tasks.userdata.kinds import kind_of
from tasks.userdata.request import Request
from tasks.userdata.resampling import resampled

CARRIED = 5
"""Most consecutive rows in which the last known value of an input replaces a missing one."""

SENTINELS = (-99.99, -99.9, -9.99, -999.0, -999.9, -999.99, -9999.0, -99999.0, -1000.0, -1e30, -1e34, 1e20,
9999.0,
             99999.0, 9.96921e36, 1e36)  # fmt: skip
"""Numbers that files have in place of a missing value."""


@dataclass(frozen=True)
class Reading:
    """A user's data as a long table, with what was inferred about them."""

    table: pd.DataFrame
    """``time``, ``series``, ``value`` of a level or ``close`` of another kind, and the inputs. The index has
    the numbers of the rows in the file, from 1."""
    kind: str
    freq: str
    calendar: Calendar
    ohlc: bool
    """Whether ``open``, ``high`` and ``low`` are inputs."""
    exog: tuple[str, ...]
    time: str
    """Name of the column of dates."""
    targets: tuple[str, ...]
    """Columns that are forecast."""
    series: str | None
    """Column that names the series."""
    unit: str
    """Unit of the target, if the file states it."""
    left_out: int
    """Number of rows that were left out."""
    notes: tuple[str, ...]
    """A sentence for each choice that was inferred."""
    warnings: tuple[str, ...]
    """A sentence for each thing in the file that may be an error."""

    @property
    def value(self) -> str:
        """Column of the table that is forecast."""
        return "value" if self.kind == "level" else "close"


def understand(source: Table, request: Request) -> Reading:
    """Convert a table to a long table and infer what ``request`` leaves open.

    Bad rows have no date, no usable value, or the date of an earlier row. With ``request.on_bad_row="drop"``
    they are left out and counted in a note.

    Raises
    ------
    BasinError
        If a column is missing, or for bad rows unless they are dropped.
    """
    label, notes = source.label, source.notes
    warned: list[str] = []
    if source.frame.empty:
        raise BasinError(f"{label}: no rows below the header; give a file with data")
    roles = _roles(source, request)
    if roles.dates.note:
        notes.append(roles.dates.note)
    table, cells, percent = _long(source, roles, request)
    theirs = [c for c in request.exog if str(c).lower() not in OHLC]
    has_range = set(OHLC) <= set(table.columns)
    _mask_sentinels(table, notes)
    rows = len(table)
    table = _in_order(_without_rows_to_come(table, cells, notes), notes)
    dated = table.dropna(subset=["time"])
    freq = request.freq or _frequency(dated, label, notes)
    name = roles.targets[0]
    kind, reason = (
        (request.kind, "")
        if request.kind
        else kind_of(dated, freq, name, label, request.on_bad_row == "drop")
    )
    if reason:
        notes.append(reason)
    for column in theirs:
        table[column] = _carried(table, column, notes)
    table = bad_rows.removed(table, cells, kind, theirs, request.on_bad_row, label, notes)
    left_out = rows - len(table)
    if request.resample:
        table = resampled(table, kind, freq, request.resample, label, notes)
        freq = request.resample
    table = _on_steps(table, freq, label)
    calendar = _calendar(table, freq, request.calendar, notes, warned)
    table = bad_rows.without_holes(table, kind, freq, request.on_bad_row, label, notes, warned)
    if kind == "return":
        table = _in_percent(table, percent, notes)
    _ends(table, warned)
    table, ohlc = _range(table, kind, has_range, notes)
    _refuse_constant(table, label)
    value = "value" if kind == "level" else "close"
    _refuse_names(theirs, ("value",) if kind == "level" else (), label)
    columns = ["time", "series", value, *theirs, *(OHLC if ohlc else ())]
    return Reading(
        table=table.rename(columns={"close": value})[columns],
        kind=kind,
        freq=freq,
        calendar=calendar,
        ohlc=ohlc,
        exog=tuple(theirs),
        time=roles.time,
        targets=roles.targets,
        series=roles.series,
        unit=source.units.get(name) or ("%" if percent else unit_in(name)),
        left_out=left_out,
        notes=tuple(dict.fromkeys(notes)),
        warnings=tuple(warned),
    )


def _roles(source: Table, request: Request) -> Roles:
    roles = source.roles(request.time, request.targets, request.series)
    columns = [str(c) for c in source.frame.columns]
    if not roles.targets:
        raise BasinError(
            f"{source.label}: no column of numbers beside {roles.time}; found {', '.join(columns[:20])}; "
            "give a file with values"
        )
    if request.all_targets:
        return roles
    if len(roles.targets) > 1 and not request.targets:
        raise BasinError(
            f"{source.label}: the columns {listed(roles.targets[:10])} could be forecast; pass --target "
            "with one of them, or --targets all for all as one panel"
        )
    return roles


def _long(source: Table, roles: Roles, request: Request) -> tuple[pd.DataFrame, pd.DataFrame, bool]:
    """Return the long table, the cells of each row as written, and whether the target has per cent signs."""
    frame, label, notes = source.frame, source.label, source.notes
    theirs = [c for c in request.exog if str(c).lower() not in OHLC]
    _refuse_names(theirs, ("time", "series", "close"), label)
    comma = source.comma
    lower = {str(c).lower().strip("<> "): str(c) for c in frame.columns}
    exog = {column: source.numbers(column, comma) for column in theirs}
    beside = {}
    if all(name in lower for name in OHLC) and not set(roles.targets) & {lower[n] for n in OHLC}:
        beside = {name: source.numbers(lower[name], comma).value for name in OHLC}
    if request.series or roles.series:
        series = source.names(cast(str, request.series or roles.series), roles.dates.time.notna())
        if roles.series and not request.series:
            notes.append(f"the column {roles.series} names the series")
    parts, written, percent = [], [], False
    for target in roles.targets:
        numbers = source.numbers(target, comma)
        if numbers.unreadable.sum() > 0.5 * max(int(frame[target].notna().sum()), 1):
            row = int(np.flatnonzero(numbers.unreadable)[0])
            raise BasinError(
                f"{label}: column {target}, row {row + 1}: {str(frame[target].iloc[row])[:40]!r} is not a "
                f"number ({int(numbers.unreadable.sum())} such rows); give a column of numbers as --target"
            )
        percent |= numbers.percent
        part = pd.DataFrame({"time": roles.dates.time.to_numpy(), "close": numbers.value})
        part["series"] = series if (request.series or roles.series) else target
        for column, values in exog.items():
            part[column] = values.value
        for column, value in beside.items():
            part[column] = value
        part.index = pd.RangeIndex(1, len(part) + 1)
        parts.append(part)
        dates = frame[roles.time] if roles.time in frame else pd.Series("", index=frame.index)
        written.append(
            pd.DataFrame(
                {
                    "date": dates.to_numpy(dtype=object),
                    "cell": frame[target].to_numpy(dtype=object),
                    "unreadable": numbers.unreadable,
                },
                index=part.index,
            )
        )
    if len(parts) == 1:
        return parts[0], written[0], percent
    notes.append(f"the columns {listed(roles.targets[:10])} are the series of one panel")
    many, cells = pd.concat(parts), pd.concat(written)
    many.index = cells.index = pd.RangeIndex(1, len(many) + 1)
    return many, cells, percent


def _refuse_names(exog: list[str], taken: tuple[str, ...], label: str) -> None:
    """Raise ``BasinError`` if an input has the name of a column that Basin adds."""
    for name in exog:
        if name in taken:
            raise BasinError(
                f"{label}: --exog {name}: the name is taken by a column of Basin; rename it in the file"
            )


def _mask_sentinels(table: pd.DataFrame, notes: list[str]) -> None:
    """Make numbers that stand for a missing value missing, if they lie far outside of all other values."""
    value = table["close"]
    for sentinel in SENTINELS:
        flagged = np.isclose(value, sentinel, rtol=1e-6, atol=0)
        if not flagged.any() or flagged.mean() > 0.5:
            continue
        others = value[~flagged & np.isfinite(value) & (value.abs() < 1e19)]
        if others.empty:
            continue
        low, high = float(others.min()), float(others.max())
        room = max(3 * (high - low), 1e-9)
        if low - room < sentinel < high + room and not (sentinel < 0 <= low and high < abs(sentinel)):
            continue
        first = int(np.flatnonzero(flagged)[0])
        notes.append(
            f"{sentinel:g} in {count_of(int(flagged.sum()), 'row')}, the first is row "
            f"{table.index[first]}, stands "
            "for a missing value"
        )
        table.loc[flagged, "close"] = np.nan
        value = table["close"]


def _without_rows_to_come(table: pd.DataFrame, cells: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out rows after the last value of each series, such as those of days to come with known inputs."""
    known = table["close"].notna() | cells["unreadable"] | table["time"].isna()
    last = table["time"].where(known).groupby(table["series"]).transform("max")
    to_come = ~known & (table["time"] > last)
    if to_come.any():
        where = count_of(int(to_come.sum()), "row")
        notes.append(
            f"{where} after the last value, from {table.loc[to_come, 'time'].min():%Y-%m-%d}, not used"
        )
    return table[~to_come]


def _in_order(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    ordered = table.sort_values(["series", "time"], kind="stable")
    by_series = table.dropna(subset=["time"]).groupby("series", sort=False)["time"]
    if by_series.apply(
        lambda t: len(t) > 1 and t.is_monotonic_decreasing and not t.is_monotonic_increasing
    ).any():
        notes.append("rows were in reverse order of time and are sorted")
    elif not by_series.apply(lambda t: t.is_monotonic_increasing).all():
        notes.append("rows were not in order of time and are sorted")
    return ordered


def _frequency(table: pd.DataFrame, label: str, notes: list[str]) -> str:
    steps = table.groupby("series", sort=False)["time"].diff().dt.total_seconds().dropna() / 86400
    steps = steps[steps > 0]
    if steps.empty:
        raise BasinError(f"{label}: no series has more than one date; give a history of many dates")
    usual = float(steps.median())
    freq = name_of(table["time"], usual, steps)
    if freq is None:
        raise BasinError(
            f"{label}: rows are {usual:.3g} days apart; expected {NAMES}: pass --resample MS or another "
            "frequency"
        )
    words = f"{usual * 24:.3g} hours" if usual < 0.9 else f"{usual:.3g} day{'' if usual == 1 else 's'}"
    notes.append(f"frequency {freq}: rows are {words} apart")
    return freq


def _on_steps(table: pd.DataFrame, freq: str, label: str) -> pd.DataFrame:
    """Date rows of days and weeks without the time of day, and longer periods by their first or last day."""
    period = {"MS": "M", "ME": "M", "QS": "Q", "QE": "Q", "YS": "Y", "YE": "Y"}.get(freq)
    if freq in ("B", "D", "W"):
        return table.assign(time=table["time"].dt.normalize())
    if period is None:
        return table
    how = "start" if freq.endswith("S") else "end"
    time = table["time"]
    # Quarters may begin in any month, such as February, so their dates keep their month.
    whole = time.dt.to_period("M" if period == "Q" else period)
    return table.assign(time=whole.dt.to_timestamp(how=how).dt.normalize())


def _calendar(
    table: pd.DataFrame, freq: str, exchange: str | None, notes: list[str], warned: list[str]
) -> Calendar:
    times = pd.DatetimeIndex(np.sort(table["time"].unique()))
    calendar = infer(times, freq, exchange)
    if not frequency(freq).calendar:
        notes.append(f"calendar: {calendar.words()}" + ("" if exchange else ", as in the file"))
    if freq == "B" and exchange is None:
        odd = table[~table["time"].dt.dayofweek.isin(calendar.week)]
        if len(odd):
            where = ", ".join(
                f"row {i} ({t:%Y-%m-%d}, {WEEKDAYS[t.dayofweek]})" for i, t in odd["time"].head(3).items()
            )
            warned.append(
                f"{count_of(len(odd), 'row')} on days of the week that the file seldom has: {where}"
            )
    return calendar


def _carried(table: pd.DataFrame, column: str, notes: list[str]) -> pd.Series:
    missing = table[column].isna()
    filled = table.groupby("series", sort=False)[column].ffill(limit=CARRIED)
    done = missing & filled.notna()
    if done.any():
        rows = ", ".join(f"{t:%Y-%m-%d}" for t in table.loc[done, "time"].head(bad_rows.SHOWN))
        more = " ..." if done.sum() > bad_rows.SHOWN else ""
        where = count_of(int(done.sum()), "row")
        notes.append(f"input {column} is missing in {where} ({rows}{more}): its last value is used there")
    return filled


def _in_percent(table: pd.DataFrame, percent: bool, notes: list[str]) -> pd.DataFrame:
    """Return returns in per cent. Values whose usual size is below 0.2 are taken for fractions."""
    usual = float(table["close"].abs().quantile(0.9))
    if percent or usual >= 0.2:
        notes.append("returns are in per cent")
        return table
    notes.append("returns are fractions; forecasts are in per cent")
    return table.assign(close=100 * table["close"])


def _ends(table: pd.DataFrame, warned: list[str]) -> None:
    """Warn of series that end before the others."""
    ends = table.groupby("series", sort=False)["time"].max()
    early = ends[ends < ends.max()]
    if len(early):
        shown = ", ".join(f"{name} ends earlier, on {end:%Y-%m-%d}" for name, end in early.head(3).items())
        warned.append(f"{shown}{' ...' if len(early) > 3 else ''}; the others end on {ends.max():%Y-%m-%d}")


def _refuse_constant(table: pd.DataFrame, label: str) -> None:
    constant = [str(n) for n, g in table.groupby("series", sort=False) if g["close"].nunique() < 2]
    if constant:
        group = table.loc[table["series"] == constant[0], "close"]
        if len(group) == 1:
            raise BasinError(f"{label}: series {constant[0]} has one row; give a history of many dates")
        raise BasinError(
            f"{label}: series {constant[0]} has the same value in all rows, {group.iloc[0]:g}; give a "
            "series that varies"
        )


def _range(table: pd.DataFrame, kind: str, has_range: bool, notes: list[str]) -> tuple[pd.DataFrame, bool]:
    if not has_range or kind != "price":
        return table, False
    day = table[list(OHLC)]
    whole = day.notna().all(axis=1) & (day > 0).all(axis=1)
    inside = (table["low"] <= table["close"] * 1.0001) & (table["close"] <= table["high"] * 1.0001)
    if (whole & inside).all():
        notes.append("the columns open, high and low are inputs, as the range of each row")
        return table, True
    notes.append(
        f"open, high and low are not used: in {int((~(whole & inside)).sum())} rows they are missing or the "
        "close lies outside them"
    )
    return table, False


def compounded(reading: Reading) -> Reading:
    """Return returns in per cent as an index of prices that begins at 100. Other readings are unchanged."""
    if reading.kind != "return":
        return reading
    growth = np.log1p((reading.table["close"] / 100).clip(lower=-0.999))
    index = 100 * np.exp(growth.groupby(reading.table["series"], sort=False).cumsum())
    note = "returns are compounded to an index of prices"
    return replace(
        reading, table=reading.table.assign(close=index), kind="price", notes=(*reading.notes, note)
    )
