"""Roles of the columns of a table: which one has the dates, which one is forecast, which one names series."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.reporting.labels import listed
from tasks.runtime.errors import BasinError, nearest
from tasks.runtime.frequencies import frequency
from tasks.sources.dates import Dates, UnknownOrder, as_dates, date_like, written_as_dates
from tasks.sources.dates.periods import periods_in
from tasks.sources.dates.times import distinct, in_order
from tasks.sources.dates.zones import with_clock_changes
from tasks.userdata.files.numbers import number_like
from tasks.userdata.files.parts import named, repeats, split_dates, with_clock

SHOWN = 20
"""Number of columns that a message names."""

OHLC = ("open", "high", "low")
"""Columns of the range of a row, in lower case."""

TIMES = re.compile(
    r"\W*(dates?|times?|datetimes?|timestamps?|ds|days?|weeks?|months?|quarters?|years?(_nu)?|open.?time|valid_time|"
    r"(time.?)?period|(trade|observation|trading)?.?dates?|as.?of|unix|epoch|yyyymm(dd)?|yearmonth|"
    r"datum|zeit|jahr|monat|quartal|tag|fecha|año|mes|data|ano|mês|anno|mese|année|mois|jaar|maand|rok|"
    r"дата|日期|日付|年月日?)\W*", re.IGNORECASE
)  # fmt: skip
"""Names of columns with the date of a row."""

OTHER_TIMES = re.compile(
    r"\W*(date.?time|time.?stamp|(trad(e|ing)|business).?day|ref(erence)?.?period|caldt|"
    r"(business|session|exchange|pric(e|ing)|quote|fixing|valuation|effective|ref(erence)?|as.?of|data|cal)"
    r".?dates?)\W*", re.IGNORECASE
)  # fmt: skip
"""Names of columns with the date of a row, if no other one has it. That of settlement never has."""

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

IDENTIFIERS = re.compile(
    r"(unique|series|item|asset|stock|station|site|ts).?id|site_no|parameter_cd|permno|ticker|symbol",
    re.IGNORECASE,
)
"""Names of columns whose numbers name series."""

UNITS = {
    **dict.fromkeys(("deg c", "degc", "°c", "c", "celsius", "degree_c", "degrees_c"), "°C"),
    **dict.fromkeys(("degree_celsius", "degrees_celsius"), "°C"),
    **dict.fromkeys(("k", "kelvin"), "K"),
    **dict.fromkeys(("%", "percent", "per cent"), "%"),
    **dict.fromkeys(("bp", "bps", "basis points"), "bp"),
    **{u.lower(): u for u in ("mm", "m", "cm", "m/s", "hPa", "MW", "GW", "ppm", "USD", "EUR")},
}
"""Units that are recognised in brackets behind the name of a column, in lower case."""

CURRENCY = re.compile(
    r"\W*(currency|currency.?code|curr|ccy|w[äa]hrung|devise|valuta|units?|einheit)\W*", re.I
)
"""Names of columns with the currency or unit of a row."""

LEAST_SECONDS = 1e8
"""Least number that counts seconds since 1970 in a column whose name does not say so. Days are fewer."""

FEW_UNREAD = 0.05
"""Share of dates from which cells that are not read have another form, and are no bad rows."""


@dataclass(frozen=True)
class Roles:
    """Columns of a table by role."""

    time: str
    """Name of the column of dates, or the names of several columns joined by a blank."""
    dates: Dates
    targets: tuple[str, ...]
    """Column that is forecast if none is given, or several if the file does not tell."""
    series: str | None
    parts: tuple[str, ...]
    """Columns of the dates."""

    def cells(self, frame: pd.DataFrame) -> pd.Series:
        """Return the dates as written. Those of several columns are joined, where they are not read."""
        if self.time in frame:
            return frame[self.time]
        undated = frame.loc[self.dates.time.isna().to_numpy(), [*self.parts]].to_numpy(dtype=object)
        cells = pd.Series(None, index=frame.index, dtype=object)
        joined = [" ".join(str(cell) for cell in row if not pd.isna(cell)) for row in undated]
        cells[self.dates.time.isna().to_numpy()] = joined
        return cells


def find(
    frame: pd.DataFrame,
    time: str | None,
    target: tuple[str, ...],
    series: str | None,
    label: str,
    freq: str | None = None,
) -> Roles:
    """Find the roles that are not given. Raises ``BasinError`` if no column has dates.

    A frequency ``freq`` of months or longer tells the order of day and month if nothing else does.
    """
    if series is not None:
        require(frame, [series], label)
    dates, parts = _time(frame, time, label, freq)
    dates, used = with_clock(frame, parts, dates, label)
    dates = with_clock_changes(dates)
    numeric = [
        str(column)
        for column in frame.columns
        if str(column) not in (*used, series)
        and not IDENTIFIERS.fullmatch(str(column))
        and mostly_numbers(frame[column])
    ]
    own = [c for c in numeric if not repeats(frame[c], c, dates.time)] or numeric
    found = target or _target(own, [c for c in own if _varies(frame[c])])
    named_by = series or _series(frame, dates, [*used, *numeric])
    return Roles(" ".join(parts), dates, found, named_by, tuple(parts))


def require(frame: pd.DataFrame, wanted: list[str], label: str) -> None:
    """Raise ``BasinError`` if a column is absent."""
    absent = [name for name in wanted if name not in frame.columns]
    if absent:
        raise BasinError(f"{label}: {no_column(absent, frame)}")


def no_column(absent: list[str], frame: pd.DataFrame) -> str:
    """Return the message that columns are absent, with the columns of the table and the most similar one."""
    shown = ", ".join(map(str, frame.columns[:SHOWN]))
    similar = nearest(absent[0], map(str, frame.columns))
    return f"no column {', '.join(absent)}; found {shown}; give one of its columns{similar}"


def _time(frame: pd.DataFrame, given: str | None, label: str, freq: str | None) -> tuple[Dates, list[str]]:
    """Return the dates and their columns.

    Columns of dates that are named as such come first, then dates in several columns, other columns of dates
    as text, columns of years, and at last numbers in the first column, if they are regular. Numbers that
    count days are dates only in a column without another name, and those that count seconds or less in any
    column, if they are regular and whole minutes.
    """
    if given is not None:
        split = None if given in frame.columns else split_dates(frame, label)
        if split and " ".join(split[1]) == given:
            return split
        require(frame, [given], label)
        dates = _read(frame, given, label, freq)
        if dates.note == "dates are years" and dates.time.duplicated().any():
            # A year is not all of the date if the file has its months in a column of their own.
            split = split_dates(frame, label)
        return split if split and given in split[1] else (dates, [given])
    if frame.empty:
        raise BasinError(f"{label}: no rows below the header; give a file with data")
    columns = [c for c in map(str, frame.columns) if frame[c].notna().any()]
    known = [c for c in columns if names_dates(c) and frame[c].nunique() > 1]
    known.sort(key=lambda column: TIMES.fullmatch(without_unit(column)) is None)
    written = [c for c in columns if written_as_dates(frame[c])]
    for column in [c for c in known if c in written]:
        return _read(frame, column, label, freq), [column]
    years = []
    for column in [c for c in known if mostly_numbers(frame[c])]:
        dates = as_dates(frame[column], label)
        if dates.note == "dates are years":
            years.append((dates, [column]))
        elif dates.time.notna().mean() > 0.5 and (not written or in_order(dates.time)):
            return _read(frame, column, label, freq), [column]
    if split := split_dates(frame, label):
        return split
    for column in written:
        return _read(frame, column, label, freq), [column]
    if years:
        return years[0]
    for column in [c for c in columns if mostly_numbers(frame[c])]:
        nameless = bool(re.fullmatch(r"column 1|unnamed.*|index|", column, re.IGNORECASE))
        guess = _guessed(frame[column], nameless, label)
        if guess is None or guess.time.notna().mean() <= 0.5 or not _regular(guess.time):
            continue
        if column == columns[0] or _is_clock(frame[column], guess):
            return _read(frame, column, label, freq), [column]
    for column in known:
        if not mostly_numbers(frame[column]) and not named(column):
            _read(frame, column, label, freq)  # says which form is not read
    if len(frame.columns) == 1 and not pd.api.types.is_numeric_dtype(frame.iloc[:, 0]):
        cell = str(frame.iloc[len(frame) // 2, 0])
        raise BasinError(
            f"{label}: each row has one cell, such as {cell[:60]!r} in row {len(frame) // 2 + 1}; put a "
            "comma between date and values in all rows, and a header with a name for each column above them"
        )
    shown = ", ".join(map(str, frame.columns[:SHOWN]))
    raise BasinError(
        f"{label}: no column holds dates; found {shown}; give the column as --time, and write YYYY-MM-DD"
    )


def _read(frame: pd.DataFrame, column: str, label: str, freq: str | None) -> Dates:
    """Return a column as dates.

    Raises ``BasinError`` if more than a few have a form that is not read or are no days, or if fewer than two
    dates are left.
    """
    try:
        dates = as_dates(frame[column], label)
    except UnknownOrder as error:
        if freq is None or not frequency(freq).calendar or error.months is None:
            raise
        dates = error.months
    text = frame[column].astype("string")
    unread = (dates.time.isna() & text.str.contains(r"\d").fillna(False)).to_numpy()
    count = int(text.notna().sum())
    if unread.sum() > max(2, FEW_UNREAD * count) or (unread.any() and dates.time.nunique() < 2):
        if len(periods := periods_in(text)) > 1:
            raise BasinError(
                f"{label}: column {column}: the dates mix {listed(list(periods))}, such as "
                f"{listed([repr(example) for example in periods.values()])}; keep the rows of one kind"
            )
        row = int(unread.argmax())
        shown = f"such as {text.iloc[row][:40]!r} in row {row + 1}"
        numbers = mostly_numbers(frame[column])
        others = [c for c in map(str, frame.columns) if c != column and written_as_dates(frame[c])]
        if dates.time.isna().all() and (numbers or others):
            what = f"{'numbers' if numbers else 'cells'} that are no dates"
            where = f"give {others[0]}, which has dates," if others else "give the column of dates"
            raise BasinError(f"{label}: column {column} has {what}, {shown}; {where} as --time")
        if _no_day(text.iloc[row]):
            raise BasinError(
                f"{label}: column {column}: {unread.sum()} of {count} dates are days that do not exist, "
                f"{shown}; correct them"
            )
        raise BasinError(
            f"{label}: column {column}: {unread.sum()} of {count} dates have a form that is not read, "
            f"{shown}; write all dates as YYYY-MM-DD"
        )
    return dates


def _no_day(cell: str) -> bool:
    """Return whether a cell has a form of dates but names a day that does not exist, such as 2019-02-30."""
    try:
        return date_like(cell) and bool(as_dates(pd.Series([cell]), "").time.isna().all())
    except BasinError:
        return False


def _guessed(column: pd.Series, nameless: bool, label: str) -> Dates | None:
    """Return numbers as dates. With a name of their own they may be no dates, which then is no error."""
    try:
        dates = as_dates(column, label)
    except BasinError:
        if nameless:
            raise
        return None
    return dates if nameless or not dates.counted or _is_clock(column, dates) else None


def _is_clock(column: pd.Series, dates: Dates) -> bool:
    """Return whether numbers count seconds or smaller units, and all are whole minutes."""
    large = bool(pd.to_numeric(column, errors="coerce").max() >= LEAST_SECONDS)
    return dates.counted and large and bool((dates.time.dropna().dt.ceil("min") == dates.time.dropna()).all())


def names_dates(column: str) -> bool:
    """Return whether the name of a column says that it has dates."""
    name = without_unit(column)
    return any(names.fullmatch(name) for names in (TIMES, OTHER_TIMES))


def counts_years(column: pd.Series) -> bool:
    """Return whether numbers are regular dates, such as years or 195001, under any name."""
    guess = _guessed(column, False, "")
    return guess is not None and bool(guess.time.notna().all()) and _regular(guess.time)


def _regular(time: pd.Series) -> bool:
    """Return whether the different times are in order, and nearly all steps are about as long as usual."""
    steps = distinct(time).diff().abs().dropna()
    usual = steps.median()
    return (
        in_order(time) and len(steps) > 0 and bool(((steps > usual / 2) & (steps < 5 * usual)).mean() > 0.8)
    )


def mostly_numbers(column: pd.Series) -> bool:
    """Return whether more than half of the cells of a column look like numbers."""
    if isinstance(column.dtype, pd.CategoricalDtype):  # identifies, as in a table of stations
        return False
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return False
    if pd.api.types.is_numeric_dtype(column):
        return bool(column.notna().any())
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


def changed_unit(frame: pd.DataFrame, roles: Roles) -> str | None:
    """Return a warning if a column with the currency or unit of each row changes within a series."""
    for column in map(str, frame.columns):
        if column == roles.series or not CURRENCY.fullmatch(column) or mostly_numbers(frame[column]):
            continue
        unit = frame[column].ffill()
        groups = unit.groupby(frame[roles.series]) if roles.series else unit.groupby(np.zeros(len(unit)))
        before = groups.shift()
        changed = (before.notna() & (unit != before)).to_numpy()
        if changed.any():
            row = int(changed.argmax())
            return (
                f"columns: {column} changes from {before.iloc[row]} to {unit.iloc[row]} in row {row + 1}, "
                f"{roles.dates.time.iloc[row]:%Y-%m-%d}; convert the values to one {column.lower()}"
            )
    return None


def _varies(column: pd.Series) -> bool:
    """Return whether a column of numbers has different ones; 7 and 7.0 are the same."""
    known = column.dropna()
    numbers = pd.to_numeric(known, errors="coerce").dropna()
    return (numbers if len(numbers) > len(known) / 2 else known).nunique() > 1


def _target(numeric: list[str], varying: list[str]) -> tuple[str, ...]:
    """Return the columns that may be forecast. Those that vary come before constants."""
    others = [name for name in numeric if not BESIDE.fullmatch(name)]
    others = [name for name in others if name in varying] or others
    for pattern in TARGETS:
        for name in others:
            if re.fullmatch(pattern, without_unit(name).strip("<>* ").lower()):
                return (name,)
    return tuple(others or varying or numeric)


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
