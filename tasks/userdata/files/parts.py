"""Dates whose parts have columns of their own, such as year and month, or date and time of day."""

import re

import pandas as pd

from tasks.reporting.labels import count_of
from tasks.runtime.errors import BasinError
from tasks.sources.dates import Dates
from tasks.sources.dates.clock import CLOCK, time_of_day
from tasks.sources.dates.forms import weeks
from tasks.sources.dates.months import months_of
from tasks.sources.dates.order import century
from tasks.sources.dates.times import days_of_years, in_order, to_times
from tasks.userdata.files.seasons import months_of_seasons, quarter_of

NAMES = {
    "year": "year yr yyyy yy year_nu jahr año ano anno année annee rok jaar",
    "month": "month mon mo mn mm month_nu monat mes mês mese mois maand miesiąc",
    "day": "day dy dd day_nu tag dia día giorno jour dag dzień",
    "dayofyear": "doy jday yday dayofyear day_of_year julian_day",
    "quarter": "quarter qtr quartal trimestre kwartaal kwartał",
    "week": "week wk woche semana semaine settimana tydzień weekofyear isoweek",
    "hour": "hour hours hr hh he hour_ending stunde hora heure ora uur godzina",
    "minute": "minute minuten",
    "clock": "time clock uhrzeit zeit heure hora tijd czas",
}
"""Names of columns of parts of a date, in lower case."""

PARTS = {name: part for part, names in NAMES.items() for name in names.split()}

_INTERVAL = r"^(\d{1,2}(?::\d{2})?)\s*[-–]\s*(\d{1,2}(?::\d{2})?)$"
"""Intervals such as 00 - 01 and 00:00-01:00."""

_CODE = r"^([MQSHWA])(\d{1,2})$"
"""Part of a year as the Bureau of Labor Statistics writes it. M13 and Q05 are means of the year."""


def named(name: str) -> str | None:
    """Return which part of a date a column of this name has, or None."""
    return PARTS.get(_bare(name).lower().replace(" ", "_"))


def _bare(name: str) -> str:
    return re.sub(r"\s*[(\[][^)\]]*[)\]]\s*$", "", str(name)).strip("<>#* ")


def _by_part(frame: pd.DataFrame) -> dict[str, str]:
    """Return the column of each part. Of MM and mm the first is the month, and the other the minute."""
    found: dict[str, str] = {}
    for column in map(str, frame.columns):
        part = named(column)
        if _bare(column) == "mm" and "month" in found:
            part = "minute"
        if part and part not in found and frame[column].notna().any():
            found[part] = column
    return found


def split_dates(frame: pd.DataFrame, label: str) -> tuple[Dates, list[str]] | None:
    """Return dates whose year and month, quarter, week or day have columns of their own, and the columns."""
    columns = _by_part(frame) or _without_header(frame)
    year, century_note = _years(frame, columns, label)
    if year is None:
        return None
    used = [columns["year"]]
    day = _numbers(frame, columns.get("day"), 31)
    if (month := _months(frame, columns.get("month"))) is not None:
        used.append(columns["month"])
        if day is not None:
            used.append(columns["day"])
        time = to_times(year, month, 1.0 if day is None else day, label=label)
    elif (ordinal := _ordinals(frame, columns)) is not None:
        used.append(ordinal[0])
        time = days_of_years(year, ordinal[1], label)
    elif (quarter := _quarters(frame, columns.get("quarter"))) is not None:
        used.append(columns["quarter"])
        time = to_times(year, 3 * quarter - 2, label=label)
    elif (week := _coded(frame, columns.get("week"), "W", 53)) is not None:
        used.append(columns["week"])
        time = weeks(year, week, label).time
    elif (period := _period(frame, year, used, label)) is not None:
        time, used = period[1], [*used, period[0]]
    else:
        return None
    note = f"the columns {', '.join(used)} are the date"
    return Dates(time, "; ".join(filter(None, (note, century_note)))), used


def without_means(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return a table of years and periods without the rows of other periods, such as means of years (M13).

    They have the same text, or one of a few, as often as the months or quarters have theirs.
    """
    try:
        found = split_dates(frame, "")
    except BasinError:
        return frame
    if found is None or len(found[1]) < 2:
        return frame
    cells = frame[found[1][1]].astype("string").str.strip()
    unread = (found[0].time.isna() & cells.notna() & frame[found[1][0]].notna()).to_numpy()
    often = cells[unread].value_counts()
    if often.empty or often.min() < 0.5 * cells[~unread].value_counts().median():
        return frame
    what = ", ".join(map(str, often.index[:5]))
    notes.append(
        f"{count_of(int(unread.sum()), 'row')} left out whose {found[1][1]} is {what}, which is none of the "
        "periods of a year"
    )
    return frame[~unread].reset_index(drop=True)


def with_years(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return a table with year and month in all rows, if only the first row of each has it (merged cells)."""
    parts, filled = _by_part(frame), {}
    for column in (parts[part] for part in ("year", "month") if part in parts):
        known = frame[column].dropna()
        if len(known) < len(frame) and pd.notna(frame[column].iloc[0]) and (known != known.shift()).all():
            filled[column] = frame[column].ffill()
    if "year" not in parts or not filled:
        return frame
    whole = frame.assign(**filled)
    try:
        found = split_dates(whole, "")
    except BasinError:
        return frame
    if found is None or len(found[1]) < 2 or not in_order(found[0].time):
        return frame
    notes.append(f"{' and '.join(filled)}: empty cells have the value of the row above, as in merged cells")
    return whole


def _years(frame: pd.DataFrame, columns: dict[str, str], label: str) -> tuple[pd.Series | None, str]:
    """Return the years, or None, and how years of two digits, which need months beside them, were read."""
    if "year" not in columns:
        return None, ""
    years: pd.Series = pd.to_numeric(frame[columns["year"]], errors="coerce").astype(float)
    if years.between(1000, 2300).mean() > 0.5:
        return years, ""
    known = years.dropna()
    short = "month" in columns and (known.between(0, 99) & (known % 1 == 0)).all()
    return century(years, label) if short else (None, "")


def _numbers(frame: pd.DataFrame, column: str | None, most: int) -> pd.Series | None:
    if column is None:
        return None
    numbers: pd.Series = pd.to_numeric(frame[column], errors="coerce").astype(float)
    return numbers if numbers.between(1, most).mean() > 0.5 else None


def _months(frame: pd.DataFrame, column: str | None) -> pd.Series | None:
    found = _coded(frame, column, "M", 12)
    if found is None and column is not None:
        names = months_of(frame[column].astype("string").str.strip().str.rstrip("."))
        found = names if names.notna().mean() > 0.5 else None
    return found


def _coded(frame: pd.DataFrame, column: str | None, letter: str, most: int) -> pd.Series | None:
    """Return numbers from 1, which may be written as Q1, 1Q or 1.0, or None if most are no such numbers."""
    if column is None:
        return None
    text = frame[column].astype("string").str.strip().str.replace(r"\.0+$", "", regex=True)
    numbers = pd.to_numeric(text.str.extract(rf"^[{letter}{letter.lower()}]?(\d{{1,2}})[{letter}]?$")[0])
    numbers = numbers.astype(float)
    numbers = numbers.where(numbers.between(1, most))
    return numbers if numbers.notna().mean() > 0.5 else None


def _quarters(frame: pd.DataFrame, column: str | None) -> pd.Series | None:
    """Return the quarters of a column of this name, or None if most cells are none."""
    if column is None:
        return None
    text = frame[column].astype("string").str.strip().str.replace(r"\.0+$", "", regex=True)
    known = {name: quarter_of(name, among_quarters=True) for name in text.dropna().unique()}
    quarters: pd.Series = text.map(known).astype(float)
    return quarters if quarters.notna().mean() > 0.5 else None


def _ordinals(frame: pd.DataFrame, columns: dict[str, str]) -> tuple[str, pd.Series] | None:
    """Return the days of the year, from a column of this name or from days above 31."""
    for part in ("dayofyear", "day"):
        days = _numbers(frame, columns.get(part), 366)
        if days is not None and (part == "dayofyear" or days.max() > 31):
            return columns[part], days
    return None


def _period(
    frame: pd.DataFrame, year: pd.Series, used: list[str], label: str
) -> tuple[str, pd.Series] | None:
    """Return the column whose cells are codes such as M01, names of months or seasons, and the dates."""
    for column in map(str, frame.columns):
        values = frame[column]
        if column in used or pd.api.types.is_numeric_dtype(values) or values.nunique() > 60:
            continue
        text = values.astype("string").str.strip().str.rstrip(".")
        upper = text.str.upper().str.replace(r"^(\d)Q$", r"Q\1", regex=True)
        if (season := months_of_seasons(year, text, f"{label}: column {column}")) is not None:
            month = season
        elif (code := upper.str.extract(_CODE))[0].notna().mean() > 0.5:
            number, letter = pd.to_numeric(code[1]).astype(float), str(code[0].mode()[0])
            if letter == "W":
                return column, weeks(year, number, label).time
            months = {"M": 1, "Q": 3, "S": 6, "H": 6, "A": 12}[letter]
            month = (months * (number - 1) + 1).where((number * months <= 12) & (code[0] == letter))
        elif (names := months_of(text)).notna().mean() > 0.9:
            month = names
        else:
            continue
        later = (month > 12).astype(float)
        return column, to_times(year + later, month - 12 * later, label=label)
    return None


def _without_header(frame: pd.DataFrame) -> dict[str, str]:
    """Return the year, month, day and hour of a file without header, if its first columns are these."""
    names = list(map(str, frame.columns))
    if len(names) < 3 or not all(re.fullmatch(r"column \d+", name) for name in names):
        return {}
    found: dict[str, str] = {}
    limits = {"year": (1600, 2262), "month": (1, 12), "day": (1, 31), "hour": (0, 24)}
    for (part, (least, most)), name in zip(limits.items(), names[:-1], strict=False):
        if found and not frame.duplicated(list(found.values())).any():
            break  # the columns so far tell the rows apart
        numbers = pd.to_numeric(frame[name], errors="coerce")
        if not (numbers.between(least, most) & (numbers % 1 == 0)).all():
            break
        found[part] = name
    return found if "month" in found else {}


def with_clock(frame: pd.DataFrame, used: list[str], dates: Dates, label: str) -> tuple[Dates, list[str]]:
    """Add the time of day of columns of their own, if dates repeat without it."""
    if not dates.time.duplicated().any() or dates.time.dt.time.nunique() > 1:
        return dates, used
    parts = _by_part(frame)
    if "year" in used and _without_header(frame):
        parts = _without_header(frame)
    columns = [parts[part] for part in ("clock", "hour") if part in parts]
    columns += [c for c in map(str, frame.columns) if c not in columns and _is_clock(frame[c])]
    for column in columns:
        clock = None if column in used else _clock(frame[column], column, label)
        if clock is None:
            continue
        added = [column]
        minute = parts.get("minute")
        if minute is not None and column == parts.get("hour"):
            minutes = pd.to_numeric(frame[minute], errors="coerce").astype(float)
            clock = clock + pd.to_timedelta(minutes.where(minutes.between(0, 59)), unit="min")
            added.append(minute)
        time = dates.time + clock
        if time.isna().mean() <= 0.5 and time.duplicated().sum() < dates.time.duplicated().sum():
            words = "is the time of day" if len(added) == 1 else "are the time of day"
            note = f"the column{'s' * (len(added) > 1)} {', '.join(added)} {words}"
            return Dates(time, "; ".join(filter(None, (dates.note, note)))), [*used, *added]
    return dates, used


def repeats(column: pd.Series, name: str, time: pd.Series) -> bool:
    """Return whether a column of numbers has a part of the dates, as its name says, such as their month."""
    part = named(name)
    if part not in ("year", "month", "day", "dayofyear", "quarter", "week", "hour"):
        return False
    own = time.dt.isocalendar().week if part == "week" else getattr(time.dt, part)
    return bool((pd.to_numeric(column, errors="coerce") == own).mean() > 0.9)


def _is_clock(column: pd.Series) -> bool:
    """Return whether nearly all cells of a column are times of day with a colon."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return False
    text = column.dropna().astype("string").str.strip()
    begun = _begins(text)
    times = (text.str.fullmatch(CLOCK) & text.str.contains(":")) | (text != begun)
    return bool(len(text)) and bool(times.mean() > 0.95)


def _begins(text: pd.Series) -> pd.Series:
    """Return the beginnings of intervals that all have the same length, and other cells unchanged."""
    parts = text.str.extract(_INTERVAL)
    length = (time_of_day(parts[1]) - time_of_day(parts[0])).dropna().dt.total_seconds() % 86400
    return text.where(parts[0].isna(), parts[0]) if length.nunique() == 1 else text


def _clock(column: pd.Series, name: str, label: str) -> pd.Series | None:
    """Return a column as times of day: hours, HHMM or HHMMSS by its longest number, or with colons."""
    if pd.api.types.is_timedelta64_dtype(column):
        return column
    text = column.astype("string").str.strip().str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    text = _begins(text)
    digits = text.str.fullmatch(r"\d{1,6}").fillna(False)
    if digits.mean() > 0.5:
        longest = int(text[digits].str.len().max())
        text = text if longest <= 2 else text.str.zfill(4 if longest <= 4 else 6)
        if longest > 2 and (text[digits].str[2:4] > "59").any():
            return None
    clock = time_of_day(text)
    if clock.notna().mean() <= 0.5:
        return None
    late = (text.str.fullmatch(CLOCK).fillna(False) & clock.isna()).to_numpy()
    if late.any():
        row = int(late.argmax())
        raise BasinError(
            f"{label}: column {name}: row {row + 1}: {str(column.iloc[row])!r} is no time of day, expected "
            "00:00 to 24:00; correct the file"
        )
    return clock
