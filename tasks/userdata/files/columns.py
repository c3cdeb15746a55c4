"""Roles of the columns of a table: which one has the dates, which one is forecast, which one names series."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates import SEASONS, Dates, as_dates
from tasks.userdata.files.numbers import number_like

OHLC = ("open", "high", "low")
"""Columns of the range of a row, in lower case."""

TIMES = re.compile(
    r"\W*(date|time|datetime|timestamp|ds|day|month|year|open.?time|valid_time|(trade|observation|trading)?.?date|"
    r"datum|fecha|data|дата|日期|period)\W*", re.IGNORECASE
)  # fmt: skip

TARGETS = (
    r"adj\.?.?close.*",
    r"(\d\. ?)?adjusted close",
    r"(\d\. ?)?close|close.last",
    r"px_last|last|settle(ment)?|price",
    r"schlu(ss|ß)kurs|kurs|zamkni[eę]cie|cierre|cl[oô]ture|chiusura|fechamento|slotkoers",
    r"цена закрытия.*|цена|収盤.*|終値|收盘.*",
    r"nino3\.?4",
    r"anom(aly)?",
    r"value|y|target|ret(urn)?s?",
)  # fmt: skip
"""Names of columns that are forecast if none is given, the likeliest first."""

BESIDE = re.compile(
    r"\W*((\d\. ?)?(open|high|low)|vol(ume)?\.?|tickvol|openint|open interest|adjclose.?factor|dividends?|"
    r"stock splits|capital gains|change ?%?|change.*|per|ticker|time|volumen|spread|erster|hoch|tief|rec)\W*",
    re.IGNORECASE,
)
"""Names of columns that accompany a price and are not forecast by default."""

UNITS = {
    **dict.fromkeys(("deg c", "degc", "°c", "c", "celsius", "degree_c", "degrees_c"), "°C"),
    **dict.fromkeys(("degree_celsius", "degrees_celsius"), "°C"),
    **dict.fromkeys(("k", "kelvin"), "K"),
    **dict.fromkeys(("%", "percent", "per cent"), "%"),
    **{u.lower(): u for u in ("mm", "m", "cm", "m/s", "hPa", "MW", "GW", "ppm", "USD", "EUR")},
}
"""Units that are recognised in brackets behind the name of a column, in lower case."""

MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

CLOCK = re.compile(r"\W*(time|hour|uhrzeit)\W*", re.IGNORECASE)

LOOKED_AT = 2000
"""Number of rows from which the roles of columns are found."""


@dataclass(frozen=True)
class Roles:
    """Columns of a table by role."""

    time: str
    """Name of the column of dates, or the names of several columns joined by a blank."""
    dates: Dates
    targets: tuple[str, ...]
    """Column that is forecast if none is given, or several if the file does not tell."""
    series: str | None


def find(
    frame: pd.DataFrame, time: str | None, target: tuple[str, ...], series: str | None, label: str
) -> Roles:
    """Find the roles that are not given. Raises ``BasinError`` if no column has dates."""
    name, dates = _time(frame, time, label)
    parts = set(name.split(" ")) | {name}
    numeric = [
        str(column)
        for column in frame.columns
        if str(column) not in parts and column != series and mostly_numbers(frame[column])
    ]
    found = target or _target(numeric)
    return Roles(name, dates, found, series or _series(frame, dates, [name, *numeric]))


def require(frame: pd.DataFrame, wanted: list[str], label: str) -> None:
    """Raise ``BasinError`` if a column is absent."""
    absent = [name for name in wanted if name not in frame.columns]
    if absent:
        shown = ", ".join(map(str, frame.columns[:20]))
        raise BasinError(
            f"{label}: no column {', '.join(absent)}; found {shown}; give the name of a column of the file"
        )


def _time(frame: pd.DataFrame, given: str | None, label: str) -> tuple[str, Dates]:
    if given is not None:
        if given not in frame.columns and (split := _split_dates(frame)) and split[0] == given:
            return split
        require(frame, [given], label)
        return given, _with_clock(frame, given, as_dates(frame[given], label))
    if frame.empty:
        raise BasinError(f"{label}: no rows below the header; give a file with data")
    if split := _split_dates(frame):
        return split
    columns = list(map(str, frame.columns))
    head = frame.head(LOOKED_AT)
    for column in sorted(columns, key=lambda c: not TIMES.fullmatch(c)):
        named, first = bool(TIMES.fullmatch(column)), column == columns[0]
        values = head[column]
        numbers = (
            pd.api.types.is_numeric_dtype(values)
            or values.astype("string").str.fullmatch(r"[\d.]+").mean() > 0.5
        )
        if numbers and not named and not first:
            continue  # any number could count days or seconds
        if as_dates(values, label).time.notna().mean() > 0.5:
            return column, _with_clock(frame, column, as_dates(frame[column], label))
    raise BasinError(
        f"{label}: no column holds dates; found {', '.join(columns[:20])}; give the column as --time, and "
        "write YYYY-MM-DD"
    )


def _split_dates(frame: pd.DataFrame) -> tuple[str, Dates] | None:
    """Return dates that are written as year and month, or as season and year, in columns of their own."""
    by_name = {str(c).lower().strip("<>"): str(c) for c in frame.columns}
    year = next((by_name[n] for n in ("year", "yr", "jahr") if n in by_name), None)
    month = next((by_name[n] for n in ("month", "mon", "mo", "mn", "monat") if n in by_name), None)
    if year is None or frame.empty:
        return None
    years = pd.to_numeric(frame[year], errors="coerce")
    if not years.between(1000, 2300).mean() > 0.5:
        return None
    if month is not None:
        months = pd.to_numeric(frame[month], errors="coerce")
        day = next((by_name[n] for n in ("day", "dy", "tag") if n in by_name), None)
        days = pd.to_numeric(frame[day], errors="coerce") if day else pd.Series(1.0, index=frame.index)
        name = " ".join(filter(None, (year, month, day)))
    else:
        season = next(
            (
                c
                for c in map(str, frame.columns)
                if frame[c].astype("string").str.upper().isin(SEASONS).mean() > 0.5
            ),
            None,
        )
        if season is None:
            return None
        months = (
            frame[season]
            .astype("string")
            .str.upper()
            .map({s: k + 1 for k, s in enumerate(SEASONS)})
            .astype(float)
        )
        days, name = pd.Series(1.0, index=frame.index), f"{season} {year}"
    time = pd.to_datetime(pd.DataFrame({"year": years, "month": months, "day": days}), errors="coerce")
    return name, Dates(time.astype("datetime64[ns]"), f"the columns {name.replace(' ', ', ')} are the date")


def _with_clock(frame: pd.DataFrame, name: str, dates: Dates) -> Dates:
    """Add the time of day of a column of its own, if dates repeat without it."""
    clock = next((str(c) for c in frame.columns if str(c) != name and CLOCK.fullmatch(str(c))), None)
    if clock is None or not dates.time.duplicated().any() or dates.time.dt.time.nunique() > 1:
        return dates
    text = frame[clock].astype("string").str.strip()
    compact = text.str.fullmatch(r"\d{3,6}").fillna(False)
    padded = text.str.zfill(4).str.ljust(6, "0")
    text = text.mask(compact, padded.str[:2] + ":" + padded.str[2:4] + ":" + padded.str[4:6])
    text = text.where(text.str.count(":") > 1, text + ":00")
    time = dates.time + pd.to_timedelta(text, errors="coerce")
    if time.isna().mean() > 0.5 or time.duplicated().sum() >= dates.time.duplicated().sum():
        return dates
    return Dates(time, f"the column {clock} is the time of day")


def mostly_numbers(column: pd.Series) -> bool:
    """Return whether more than half of the cells of a column look like numbers."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return False
    if pd.api.types.is_numeric_dtype(column):
        return True
    known = column.dropna().astype(str)
    if known.empty:
        return False
    sample = known.iloc[:: max(1, len(known) // 200)]
    return float(np.mean([number_like(cell) for cell in sample])) > 0.5


def without_unit(name: str) -> str:
    """Return the name of a column without a unit in brackets, as in ``Anomaly (deg C)``."""
    return re.sub(r"\s*[(\[][^)\]]*[)\]]\s*$", "", name) or name


def unit_in(name: str) -> str:
    """Return the unit that a name of a column has in brackets, or an empty text."""
    match = re.search(r"[(\[]([^)\]]+)[)\]]\s*$", name)
    written = match[1].strip() if match else ""
    return UNITS.get(written.lower(), "")


def _target(numeric: list[str]) -> tuple[str, ...]:
    others = [name for name in numeric if not BESIDE.fullmatch(name)]
    for pattern in TARGETS:
        for name in others:
            if re.fullmatch(pattern, without_unit(name).strip("<>* ").lower()):
                return (name,)
    return tuple(others or numeric)


def _series(frame: pd.DataFrame, dates: Dates, known: list[str]) -> str | None:
    """Return the column whose texts name the series, if dates repeat and it makes them unique."""
    if not dates.time.duplicated().any():
        return None
    for column in map(str, frame.columns):
        if column in known or pd.api.types.is_float_dtype(frame[column]):
            continue
        names = frame[column]
        count = names.nunique()
        if (
            1 < count <= len(frame) / 10
            and not pd.DataFrame({"t": dates.time, "s": names}).duplicated().any()
        ):
            return column
    return None


def months_as_rows(frame: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    """Return a table with a column for each month of the year as one row a month; others are unchanged."""
    by_name = {str(column).lower()[:3]: column for column in reversed(frame.columns)}
    year = next((c for c in frame.columns if str(c).lower() in ("year", "yr", "jahr")), None)
    if year is None or not set(MONTH_NAMES) <= set(by_name):
        return frame
    months = [by_name[month] for month in MONTH_NAMES]
    times = [
        f"{y}-{month:02d}-01" for y in frame[year].astype(str).str.split(".").str[0] for month in range(1, 13)
    ]
    value = frame[months].to_numpy(dtype=object).ravel()
    notes.append("each row has a year and its twelve months")
    return pd.DataFrame({"time": times, name: value}, dtype=object)
