"""Reading of a user's file or frame into a long table, with its kind, frequency and calendar inferred."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from tasks.reporting.labels import count_of, listed, periods
from tasks.runtime.calendar import Calendar
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency, name_of
from tasks.sources.netcdf import LONG_MONTHS
from tasks.userdata import bad_rows
from tasks.userdata.files.columns import OHLC, Roles, changed_unit, unit_in
from tasks.userdata.files.numbers import CODES, CURRENCIES
from tasks.userdata.files.table import Table
from tasks.userdata.filled_days import without_filled_days
from tasks.userdata.input_names import column_name, input_name
from tasks.userdata.kinds import kind_of
from tasks.userdata.request import Request
from tasks.userdata.resampling import resampled
from tasks.userdata.returns import in_percent, why_no_returns
from tasks.userdata.row_order import far_dates, in_order
from tasks.userdata.sentinels import mask_sentinels, naming_sentinels
from tasks.userdata.signs import lone_negative, without_marks
from tasks.userdata.steps import Step, calendar_of, named_calendar, on_steps, step_of
from tasks.userdata.unfinished import without_unfinished

CARRIED = 5
"""Most consecutive rows in which the last known value of an input replaces a missing one."""


@dataclass(frozen=True)
class Reading:
    """A user's data as a long table, with what was inferred about them."""

    table: pd.DataFrame
    """``time``, ``series``, ``value`` of a level or ``close`` of another kind, and the inputs. The index has
    the numbers of the rows in the file, from 1. A filled row has that of the row before, and a longer step
    that of its last row."""
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
    """A sentence for each thing in the file that may be an error, which begins with the name of a check."""

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
    with naming_sentinels(source.notes):
        return _understood(source, request)


def _understood(source: Table, request: Request) -> Reading:
    label, notes = source.label, source.notes
    warned: list[str] = []
    if source.frame.empty:
        raise BasinError(f"{label}: no rows below the header; give a file with data")
    _require_different(request, label)
    roles = _roles(source, request)
    if roles.dates.note:
        notes.append(roles.dates.note)
    table, cells, sign = _long(source, roles, request)
    theirs = [input_name(column) for column in request.exog]
    has_range = set(OHLC) <= set(table.columns)
    mask_sentinels(table, list(dict.fromkeys(["close", *theirs, *(OHLC if has_range else ())])), notes)
    rows = len(table)
    table["far"] = far_dates(table)
    if request.jointly:
        table = bad_rows.without_empty_cells(table, cells)
    table = in_order(_without_empty_ends(table, cells, theirs, notes), notes)
    table = without_filled_days(table, request.freq or request.resample, notes, warned)
    dated = table[~table["far"]].dropna(subset=["time"])
    if (finite := np.isfinite(dated["close"])).any():
        dated = dated[finite]
    step = step_of(dated, request.freq, request.resample, label, notes)
    _require_days(source.calendar, request.resample or step.freq, label)
    name = roles.targets[0]
    stated = "" if sign in (*CURRENCIES, *CODES) else sign
    unit = source.units.get(name) or stated or unit_in(name)
    furthest, each = max(request.leads), request.resample or step.freq
    ahead = (
        f"of the next {frequency(each).period}" if furthest == 1 else f"over up to {periods(each, furthest)}"
    )
    kind, reason = (
        (request.kind, "")
        if request.kind
        else kind_of(
            dated,
            step.freq,
            ahead,
            name,
            label,
            request.on_bad_row == "drop",
            why_no_returns(dated["close"].dropna(), name, unit, sign),
        )
    )
    if reason:
        notes.append(reason)
    warned += filter(None, [lone_negative(dated["close"], name), changed_unit(source.frame, roles)])
    for column in theirs:
        table[column] = _carried(table, column, notes)
    freq = _of_kind(request.resample or step.freq, kind)
    if not request.resample:
        known = table["time"].notna() & ~table["far"]
        kept = without_unfinished(table[known], freq, notes)
        moved = pd.concat([on_steps(kept, freq, kind, notes), table[~known]])
        table = moved.sort_values(["series", "time", "row"])
    apart = _apart(source, roles)
    table = bad_rows.removed(table, cells, kind, theirs, request.on_bad_row, label, notes, apart)
    table = table.drop(columns="far")
    left_out = rows - len(table)
    if request.resample:
        following = _following(table, step, request.calendar, source.calendar)
        table = resampled(table, kind, step, freq, following, label, notes)
        if freq in ("B", "D"):
            freq = name_of(table["time"], 1.0, pd.Series([1.0])) or freq
    calendar = calendar_of(table, freq, request.calendar, source.calendar, notes, warned)
    table = bad_rows.without_holes(table, kind, calendar, request.on_bad_row, label, notes, warned)
    if kind == "return":
        table = in_percent(table, name, unit, sign == "%", notes, warned)
    _ends(table, warned)
    table, ohlc = _range(table, kind, has_range, notes)
    if ohlc and (twice := [column for column in theirs if _bare(column) in OHLC]):
        notes.append(f"{listed(twice)}: already an input, as part of the range of each row")
        theirs = [column for column in theirs if column not in twice]
    _refuse_constant(table, label)
    value = "value" if kind == "level" else "close"
    columns = ["time", "series", value, *theirs, *(OHLC if ohlc else ())]
    return Reading(
        table=table.rename(columns={"close": value}).set_index("row")[columns].rename_axis(None),
        kind=kind,
        freq=freq,
        calendar=calendar,
        ohlc=ohlc,
        exog=tuple(theirs),
        time=roles.time,
        targets=roles.targets,
        series=roles.series,
        unit=unit,
        left_out=left_out,
        notes=tuple(dict.fromkeys(notes)),
        warnings=tuple(warned),
    )


def dated_values(source: Table, reading: Reading, request: Request, moved: bool = True) -> pd.DataFrame:
    """Return the rows of a table that have a date as a long table, read as ``reading`` was, with bad rows.

    ``row`` has the numbers of the rows in the table, from 1. The dates are on the steps of the rows if
    ``moved``, and otherwise those of the table.
    """
    roles = source.roles(reading.time, reading.targets, reading.series, request.freq)
    roles = replace(roles, series=reading.series)
    table = _long(replace(source, notes=[]), roles, request)[0].dropna(subset=["time"])
    return table if request.resample or not moved else on_steps(table, reading.freq, reading.kind, [])


def _require_different(request: Request, label: str) -> None:
    """Raise ``BasinError`` if a column has two roles."""
    named = [*filter(None, (request.time, request.series)), *request.targets, *request.exog]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise BasinError(
            f"{label}: column {twice[0]} is named twice; expected different columns in --time, --target, "
            "--exog and --series"
        )


def _roles(source: Table, request: Request) -> Roles:
    roles = source.roles_of_values(request.time, request.targets, request.series, request.freq)
    wide = request.jointly and not (request.series or roles.series)
    if request.all_targets or wide:
        return roles
    if len(roles.targets) > 1 and not request.targets:
        raise BasinError(
            f"{source.label}: the columns {listed(roles.targets[:10])} could be forecast; pass --target "
            "with one of them, or --targets all for all as one panel"
        )
    return roles


def _long(source: Table, roles: Roles, request: Request) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return the long table, the cells of each row as written, and the sign beside the target's numbers.

    The column ``row`` has the numbers of the rows in the file, from 1.
    """
    frame, label, notes = source.frame, source.label, source.notes
    comma = source.comma(roles.time)
    lower = {_bare(str(c)): str(c) for c in frame.columns}
    exog = {input_name(column): source.numbers(column, comma) for column in request.exog}
    notes += [f"the input {column_name(name)} is called {name}" for name in exog if name != column_name(name)]
    beside = {}
    if all(name in lower for name in OHLC) and not set(roles.targets) & {lower[n] for n in OHLC}:
        beside = {name: source.numbers(lower[name], comma).value for name in OHLC}
    if request.series or roles.series:
        series = source.names(cast(str, request.series or roles.series), roles.dates.time.notna())
        if roles.series and not request.series:
            notes.append(f"the column {roles.series} names the series")
    parts, written, sign = [], [], ""
    for target in roles.targets:
        numbers = source.numbers(target, comma)
        if numbers.unreadable.sum() > 0.5 * max(int(frame[target].notna().sum()), 1):
            row = int(np.flatnonzero(numbers.unreadable)[0])
            raise BasinError(
                f"{label}: column {target}, row {row + 1}: {str(frame[target].iloc[row])[:40]!r} is not a "
                f"number ({int(numbers.unreadable.sum())} such rows); give a column of numbers as --target"
            )
        sign = sign or numbers.currency or "%" * numbers.percent
        part = pd.DataFrame({"time": roles.dates.time.to_numpy(), "close": numbers.value})
        part["row"] = np.arange(1, len(part) + 1)
        part["series"] = series if (request.series or roles.series) else target
        for column, values in exog.items():
            part[column] = values.value
        for column, value in beside.items():
            part[column] = value
        parts.append(without_marks(part, target, notes))
        dates = roles.cells(frame)
        written.append(
            pd.DataFrame(
                {
                    "date": dates.to_numpy(dtype=object),
                    "time": part["time"].to_numpy(),
                    "cell": frame[target].to_numpy(dtype=object),
                    "unreadable": numbers.unreadable,
                },
                index=part.index,
            )
        )
    if len(parts) == 1:
        return parts[0], written[0], sign
    notes.append(f"the columns {listed(roles.targets[:10])} are the series of one panel")
    return pd.concat(parts, ignore_index=True), pd.concat(written, ignore_index=True), sign


def _bare(column: str) -> str:
    """Return the name of a column in lower case and without the brackets of MetaTrader."""
    return column.lower().strip("<> ")


def _without_empty_ends(
    table: pd.DataFrame, cells: pd.DataFrame, exog: list[str], notes: list[str]
) -> pd.DataFrame:
    """Leave out rows before the first value of each series and of each input, and after the last value.

    The former are those of series that begin later, of returns and of lags, the latter days to come with
    known inputs.
    """
    known = table["close"].notna() | cells["unreadable"] | table["time"].isna() | table["far"]
    dated = table["time"].where(~table["far"])
    times = dated.where(known).groupby(table["series"])
    ends = {
        "before the first value": ~known & (table["time"] < times.transform("min")),
        "after the last value": ~known & (table["time"] > times.transform("max")),
    }
    for column in exog:
        first = dated.where(table[column].notna()).groupby(table["series"]).transform("min")
        ends[f"before the first value of the input {column_name(column)}"] = dated < first
    unused = pd.Series(False, index=table.index)
    for where, empty in ends.items():
        empty &= ~unused
        unused |= empty
        if empty.any():
            dates = table.loc[empty, "time"]
            last = "" if dates.max() == dates.min() else f" to {dates.max():%Y-%m-%d}"
            notes.append(
                f"{count_of(int(empty.sum()), 'row')} {where}, {dates.min():%Y-%m-%d}{last}, not used"
            )
    return table[~unused]


def _require_days(calendar: str, freq: str, label: str) -> None:
    """Raise ``BasinError`` for steps shorter than a month in a calendar with days that no date stands for."""
    if calendar in LONG_MONTHS and not frequency(freq).calendar:
        raise BasinError(
            f"{label}: the dates have the calendar {calendar}, in which each February has more than 28 days, "
            "so that only steps of a month or longer are read; pass --resample MS for its months"
        )


def _of_kind(freq: str, kind: str) -> str:
    """Return the frequency of the dates. The seasons of levels are those of months, not of business days."""
    return "ME" if freq == "BME" and kind == "level" else freq


def _following(
    table: pd.DataFrame, step: Step, exchange: str | None, name: str
) -> Callable[[pd.Timestamp], pd.Timestamp]:
    """Return the function from a date to the next one by the calendar of the rows, or by a long step.

    In the calendar ``name`` days may be parts of the month that are longer than a day.
    """
    if not step.regular or (name in LONG_MONTHS and not frequency(step.freq).calendar):
        return lambda last: last + pd.Timedelta(days=step.longest).ceil("s")
    times = pd.DatetimeIndex(np.sort(table["time"].unique()))
    dates = times if step.days < 1 else times.normalize().unique()
    market = named_calendar(dates, step.freq, exchange, name)
    return lambda last: market.following(last)[0]


def _apart(source: Table, roles: Roles) -> str | None:
    """Return a column with few values that tells rows of one date apart, such as the number of a stock."""
    frame, time = source.frame, roles.dates.time.reset_index(drop=True)
    if not time.duplicated().any():
        return None
    for column in map(str, frame.columns):
        values = frame[column].reset_index(drop=True)
        if column in (*roles.targets, roles.time, roles.series) or not 1 < values.nunique() <= len(frame) / 2:
            continue
        if not pd.DataFrame({"time": time, "value": values}).duplicated().any():
            return column
    return None


def _carried(table: pd.DataFrame, column: str, notes: list[str]) -> pd.Series:
    missing = table[column].isna()
    filled = table.groupby("series", sort=False)[column].ffill(limit=CARRIED)
    done = missing & filled.notna() & table["close"].notna()
    if done.any():
        rows = ", ".join(f"{t:%Y-%m-%d}" for t in table.loc[done, "time"].head(bad_rows.SHOWN))
        more = " ..." if done.sum() > bad_rows.SHOWN else ""
        where = count_of(int(done.sum()), "row")
        notes.append(f"input {column} is missing in {where} ({rows}{more}): its last value is used there")
    return filled


def _ends(table: pd.DataFrame, warned: list[str]) -> None:
    """Warn of series that end before the others."""
    ends = table.groupby("series", sort=False)["time"].max()
    early = ends[ends < ends.max()]
    if len(early):
        shown = ", ".join(f"{name} ends earlier, on {end:%Y-%m-%d}" for name, end in early.head(3).items())
        warned.append(
            f"coverage: {shown}{' ...' if len(early) > 3 else ''}; the others end on {ends.max():%Y-%m-%d}"
        )


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
