"""Reading of a user's file or frame into a long table, with its kind and frequency inferred."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from tasks.reporting.labels import PERIODS, count_of
from tasks.runtime.errors import BasinError
from tasks.sources.readers import OFFSET
from tasks.userdata.request import Request
from tasks.userdata.tables import file_suffix, load_rows, read_file

SHOWN = 3
"""Number of bad rows that a message names."""

STEP_DAYS = {"B": 1, "D": 1, "W": 7, "MS": 30.4, "h": 1 / 24}
"""Days between rows of each frequency."""

LONGEST_GAP = {"B": 20, "D": 3, "W": 21, "MS": 31.5, "h": 96 / 24}
"""Most days between neighbouring rows before they count as a gap. Markets may close for some weeks."""

FEW = 0.01
"""Share of values that are not positive below which they are taken for errors in a file of prices."""

CARRIED = 5
"""Most consecutive rows in which the last known value of an input replaces a missing one."""

OHLC = ("open", "high", "low")

FILES = "CSV, Parquet or NetCDF"
"""File formats, as named in messages."""


@dataclass(frozen=True)
class Reading:
    """A user's data as a long table, with what was inferred about them."""

    table: pd.DataFrame
    """``time``, ``series``, ``value`` of a level or ``close`` of a price or rate, and the inputs."""
    kind: str
    freq: str
    ohlc: bool
    """Whether ``open``, ``high`` and ``low`` are inputs."""
    exog: tuple[str, ...]
    notes: tuple[str, ...]
    """A sentence for each choice that was inferred."""


def load(path: Path, request: Request) -> pd.DataFrame:
    """Read a CSV, Parquet or NetCDF file, without converting the values.

    A CSV may be separated by commas, semicolons or tabs, and may be compressed. Raises ``BasinError`` for a
    file that cannot be read.
    """
    if file_suffix(path) in (".nc", ".nc4", ".netcdf", ".h5"):
        return read_file(path, lambda file: _netcdf(file, request), FILES)
    return load_rows(path, FILES)


def _netcdf(path: Path, request: Request) -> pd.DataFrame:
    import xarray as xr

    with xr.open_dataset(path, engine="h5netcdf") as data:
        if request.target not in data.variables:
            raise BasinError(
                f"{path}: no variable {request.target}; found {', '.join(map(str, data.variables))}; give "
                "the name of a variable of the file"
            )
        wanted = [n for n in (request.target, *request.exog) if n in data.variables]
        held = data[wanted]
        if request.time not in held.dims:
            raise BasinError(
                f"{path}: {request.target} has dimensions {', '.join(map(str, held.dims))}, not "
                f"{request.time}; give its time dimension as --time"
            )
        frame: pd.DataFrame = held.to_dataframe().reset_index()
        return frame


def understand(frame: pd.DataFrame, request: Request, label: str) -> Reading:
    """Convert ``frame`` to a long table and infer what ``request`` leaves open.

    Bad rows have no usable value, repeat a date, or are weekends in a business-day series. With
    ``request.on_bad_row="drop"`` they are left out and counted in a note.

    Raises
    ------
    BasinError
        If a column is missing or a cell cannot be read, or for bad rows unless they are dropped.
    """
    notes: list[str] = []
    _require(frame, request, label)
    if frame.empty:
        raise BasinError(f"{label}: no rows below the header; give a file with data")
    lower = {str(c).lower(): c for c in frame.columns}
    table = pd.DataFrame({"time": _times(frame[request.time], label, notes)})
    table["series"] = frame[request.series].astype(str).to_numpy() if request.series else request.target
    table["close"] = _numbers(frame[request.target], label, notes)
    theirs = [c for c in request.exog if str(c).lower() not in OHLC]
    _refuse_names(theirs, ("time", "series", "close"), label)
    for column in theirs:
        table[column] = _numbers(frame[column], label, notes)
    has_range = all(name in lower for name in OHLC) and request.target not in [lower[n] for n in OHLC]
    if has_range:
        for name in OHLC:
            table[name] = _numbers(frame[lower[name]], label, notes)
    table.index = pd.RangeIndex(1, len(table) + 1)
    table = _in_order(table, notes)
    freq = request.freq or _frequency(table, label, notes)
    if freq == "MS":
        table["time"] = table["time"].dt.to_period("M").dt.to_timestamp()
    kind = request.kind or _kind(table, freq, request.target, label, notes)
    for column in theirs:
        table[column] = _carried(table, column, notes)
    table = _without_bad_rows(table, kind, freq, theirs, request.on_bad_row, label, notes)
    table, ohlc = _range(table, kind, has_range, notes)
    constant = [str(n) for n, g in table.groupby("series", sort=False) if g["close"].nunique() < 2]
    if constant:
        raise BasinError(
            f"{label}: series {constant[0]} has the same value in all rows, "
            f"{table.loc[table['series'] == constant[0], 'close'].iloc[0]:g}; give a series that varies"
        )
    value = "value" if kind == "level" else "close"
    _refuse_names(theirs, (value,), label)
    columns = ["time", "series", value, *theirs, *(OHLC if ohlc else ())]
    table = table.rename(columns={"close": value})
    return Reading(table[columns].reset_index(drop=True), kind, freq, ohlc, tuple(theirs), tuple(notes))


def _require(frame: pd.DataFrame, request: Request, label: str) -> None:
    wanted = [request.time, request.target, *request.exog, *([request.series] if request.series else [])]
    absent = [name for name in wanted if name not in frame.columns]
    if absent:
        raise BasinError(
            f"{label}: no column {', '.join(absent)}; found {', '.join(map(str, frame.columns))}; give the "
            "name of a column of the file"
        )


def _refuse_names(exog: list[str], taken: tuple[str, ...], label: str) -> None:
    """Raise ``BasinError`` if an input has the name of a column that Basin adds."""
    for name in exog:
        if name in taken:
            raise BasinError(
                f"{label}: --exog {name}: the name is taken by a column of Basin; rename it in the file"
            )


def _times(written: pd.Series, label: str, notes: list[str]) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(written):
        written = written.astype("Int64").astype(str)
    text = written.astype(str).str.strip()
    if pd.api.types.is_datetime64_any_dtype(written):
        times = written
    else:
        times = pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True)
        if times.isna().all():
            times = _local_dates(text, label, notes)
    bad = np.flatnonzero(times.isna())
    if len(bad):
        raise BasinError(
            f"{label}: column {written.name}, row {bad[0] + 1}: {written.iloc[bad[0]]!r} is not a date "
            f"({len(bad)} such rows); expected YYYY-MM-DD"
        )
    zone = getattr(times.dt, "tz", None)
    if zone is None:
        return times.astype("datetime64[ns]").to_numpy()
    moments = times.dt.tz_convert("UTC").dt.tz_localize(None)
    if pd.api.types.is_datetime64_any_dtype(written):
        clock = times.dt.tz_localize(None)
    else:
        plain = text.str.replace(OFFSET, r"\1", regex=True)
        if plain.equals(text):
            return moments.astype("datetime64[ns]").to_numpy()
        clock = pd.to_datetime(plain, format="ISO8601")
    if clock.dt.time.nunique() == 1:
        # With one row a day, the date is the local one. In UTC it may be the day before or after.
        notes.append("dates have a time zone: the local dates are used")
        return clock.dt.normalize().astype("datetime64[ns]").to_numpy()
    notes.append("dates have a time zone: they are converted to UTC")
    return moments.astype("datetime64[ns]").to_numpy()


def _local_dates(text: pd.Series, label: str, notes: list[str]) -> pd.Series:
    """Parse dates such as 31/12/2018 or 12/31/2018, with the order that fits all rows of the file."""
    for separator in "/.-":
        day_first = pd.to_datetime(text, errors="coerce", format=f"%d{separator}%m{separator}%Y", utc=True)
        month_first = pd.to_datetime(text, errors="coerce", format=f"%m{separator}%d{separator}%Y", utc=True)
        right = [not day_first.isna().any(), not month_first.isna().any()]
        if right == [True, True]:
            raise BasinError(
                f"{label}: dates such as {text.iloc[0]!r} may begin with the day or the month, and no row of "
                "the file tells which; write YYYY-MM-DD"
            )
        if any(right):
            notes.append(f"dates such as {text.iloc[0]} begin with the {'day' if right[0] else 'month'}")
            return day_first if right[0] else month_first
    return pd.to_datetime(text, errors="coerce", format="mixed", utc=True)


def _numbers(column: pd.Series, label: str, notes: list[str]) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(float)
    text = column.astype(str).where(column.notna())
    numbers = pd.to_numeric(text, errors="coerce")
    bad = numbers.isna() & text.notna()
    if bad.any():
        written = text[bad]
        plain = written.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        commas = pd.to_numeric(plain, errors="coerce")
        grouped = written.str.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
        if grouped.all():
            if not written.str.contains(".", regex=False).any() and written.str.count(",").max() == 1:
                raise BasinError(
                    f"{label}: column {column.name}: the comma in {written.iloc[0]!r} may separate thousands "
                    "or decimals; write a decimal point and no separators"
                )
            numbers[bad] = pd.to_numeric(written.str.replace(",", "", regex=False))
        elif commas.notna().all():
            notes.append(f"column {column.name}: the comma is read as the decimal mark")
            numbers[bad] = commas
        else:
            row = int(np.flatnonzero(bad)[0])
            raise BasinError(
                f"{label}: column {column.name}, row {row + 1}: {text.iloc[row]!r} is not a number "
                f"({int(bad.sum())} such rows); leave a missing value empty"
            )
    return numbers.to_numpy(float)


def _in_order(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    ordered = table.sort_values(["series", "time"], kind="stable")
    by_series = table.groupby("series", sort=False)["time"]
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
    if usual < 0.9:
        freq = "h"
    elif usual < 3:
        freq = "D" if (table["time"].dt.dayofweek >= 5).mean() > 0.1 else "B"
    elif usual < 15:
        freq = "W"
    else:
        freq = "MS"
    expected = STEP_DAYS[freq]
    if not 0.6 < usual / expected < 1.6:
        raise BasinError(
            f"{label}: rows are {usual:.3g} days apart; expected business days (B), days (D), weeks (W), "
            "months (MS) or hours (h): resample the file to one of them"
        )
    notes.append(f"frequency {freq}: rows are {usual:.3g} day{'' if usual == 1 else 's'} apart")
    return freq


def _kind(table: pd.DataFrame, freq: str, name: str, label: str, notes: list[str]) -> str:
    value = table["close"].dropna()
    named = any(word in name.lower() for word in ("close", "price", "adj", "index", "last", "settle"))
    fallen = value[value <= 0]
    if freq == "B" and 0 < len(fallen) < FEW * len(value):
        raise BasinError(
            f"{label}: row {fallen.index[0]}: {name} is {fallen.iloc[0]:g}, where almost all values are "
            f"positive ({len(fallen)} such rows); pass --kind price --on-bad-row drop to leave such rows "
            "out, or --kind rate if the values are right"
        )
    if freq in ("B", "h", "D") and not len(fallen) and (named or freq == "B"):
        kind = "price"
        notes.append(
            f"kind price: all values are positive; the forecast is of the return of the next "
            f"{PERIODS[freq]}, 100·Δlog, in per cent"
        )
    elif freq == "B":
        kind = "rate"
        notes.append("kind rate: some values are not positive; the forecast is of the change of the value")
    else:
        kind = "level"
        notes.append("kind level: the forecast is of the value, as an anomaly from its seasonal mean")
    return kind


def _carried(table: pd.DataFrame, column: str, notes: list[str]) -> pd.Series:
    missing = table[column].isna()
    filled = table.groupby("series", sort=False)[column].ffill(limit=CARRIED)
    done = missing & filled.notna()
    if done.any():
        rows = ", ".join(f"{t:%Y-%m-%d}" for t in table.loc[done, "time"].head(SHOWN))
        more = " ..." if done.sum() > SHOWN else ""
        where = count_of(int(done.sum()), "row")
        notes.append(f"input {column} is missing in {where} ({rows}{more}): its last value is used there")
    return filled


def _without_bad_rows(
    table: pd.DataFrame, kind: str, freq: str, exog: list[str], act: str, label: str, notes: list[str]
) -> pd.DataFrame:
    infinite = cast(pd.DataFrame, np.isinf(table[exog]))
    faults = {
        "no value": table["close"].isna(),
        "an infinite value": np.isinf(table["close"]),
        "no finite value of an input": table[exog].isna().any(axis=1) | infinite.any(axis=1),
        "the date of an earlier row": table.duplicated(["series", "time"]),
    }
    if kind == "price":
        faults["a price that is not positive"] = table["close"] <= 0
    if freq == "B":
        faults["a weekend date in a business-day series"] = table["time"].dt.dayofweek >= 5
    bad = pd.Series(False, index=table.index)
    for what, flags in faults.items():
        found = table[flags & ~bad]
        if found.empty:
            continue
        bad |= flags
        where = ", ".join(f"row {i} ({t:%Y-%m-%d})" for i, t in found["time"].head(SHOWN).items())
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
    gaps = kept.groupby("series", sort=False)["time"].diff().dt.total_seconds() / 86400
    holes = gaps[gaps > LONGEST_GAP[freq]]
    if len(holes):
        row = int(holes.index[0])
        where = f"{holes.iloc[0]:.0f} days without rows before row {row} ({kept['time'].loc[row]:%Y-%m-%d})"
        if act == "stop":
            raise BasinError(
                f"{label}: a gap: {where} ({len(holes)} in all); fill it, or pass --on-bad-row drop "
                "to treat it as one step"
            )
        notes.append(f"a gap counts as one step: {where} ({len(holes)} in all)")
    return kept


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
