"""Forms of dates as text: the parts of each, and the reading of a column that is written in one of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates.clock import TAIL, time_of_day
from tasks.sources.dates.months import NAME, SEASONS, month_of, months_of
from tasks.sources.dates.order import century, three_numbers
from tasks.sources.dates.times import Dates, days_of_years, in_order, require_years, to_times
from tasks.sources.dates.zones import with_offsets

SAMPLE = 1000
"""Number of cells from which the form of a column is found."""

Parts = dict[str, pd.Series]
Read = Callable[[pd.Series, Parts, str], Dates]


@dataclass(frozen=True)
class Form:
    """A form of dates as text."""

    pattern: str
    """Regular expression of a cell with named groups, such as y, m and d."""
    read: Read


def _number(parts: Parts, key: str, default: float = np.nan) -> pd.Series:
    numbers: pd.Series = pd.to_numeric(parts[key], errors="coerce").astype(float)
    return numbers.fillna(default)


def _clock(parts: Parts) -> pd.Series:
    """Return the times of day: nothing where there is none, NaT where it is not readable."""
    if parts["clock"].isna().all():
        return pd.Series(pd.Timedelta(0), index=parts["clock"].index)
    return time_of_day(parts["clock"]).mask(parts["clock"].isna(), pd.Timedelta(0))


def _zoned(dates: Dates, parts: Parts) -> Dates:
    if parts["zone"].isna().all():
        return dates
    found = with_offsets(dates.time, parts["zone"])
    return Dates(found.time, "; ".join(filter(None, (dates.note, found.note))) or None)


def _full_year(parts: Parts, label: str) -> tuple[pd.Series, str | None]:
    """Return years, with their century if most have two digits. Years of the other length are left out."""
    year, short = _number(parts, "y"), (parts["y"].str.len() == 2).fillna(False)
    if short.mean() > 0.5:
        return century(year.where(short), label)
    return year.mask(short), None


def _year_first(text: pd.Series, parts: Parts, label: str) -> Dates:
    """Read 2019-01-02, and 2019-02-01 with the day before the month if the first form does not fit."""
    year, month, day = (_number(parts, key) for key in "ymd")
    time, note = to_times(year, month, day, label=label), None
    # A single wrong month, such as 13, leaves most dates, and these in order.
    fits = in_order(time) and time.notna().sum() > 0.5 * month.notna().sum()
    if not fits and month.between(13, 31).any() and day.dropna().between(1, 12).all():
        time, note = to_times(year, day, month, label=label), "dates have the day before the month"
    return _zoned(Dates(time + _clock(parts), note), parts)


def _numbers(text: pd.Series, parts: Parts, label: str) -> Dates:
    return _zoned(three_numbers(text, pd.DataFrame(parts), _clock(parts), label), parts)


def _digits(text: pd.Series, parts: Parts, label: str) -> Dates:
    """Read 190102 and 02012019, which are no dates if they do not fit or have no order."""
    try:
        found = _numbers(text, parts, label)
    except BasinError:
        return Dates(pd.Series(pd.NaT, index=text.index))
    return found if in_order(found.time) else Dates(pd.Series(pd.NaT, index=text.index))


def _named(text: pd.Series, parts: Parts, label: str) -> Dates:
    year, note = _full_year(parts, label)
    time = to_times(year, months_of(parts["name"]), _number(parts, "d", 1.0), label=label)
    return _zoned(Dates(time + _clock(parts), note), parts)


def _day_name_year(text: pd.Series, parts: Parts, label: str) -> Dates:
    """Read 02 Jan 62, and 62 Jan 02 if only then the dates are in order."""
    if not (parts["y"].str.len() == 2).any():
        return _named(text, parts, label)
    turned = {**parts, "y": parts["d"], "d": parts["y"]}
    refused = None
    try:
        usual = _named(text, parts, label)
        if in_order(usual.time):
            return usual
    except BasinError as error:
        usual, refused = Dates(pd.Series(pd.NaT, index=text.index)), error
    try:
        other = _named(text, turned, label)
        if in_order(other.time) and other.time.notna().any():
            return Dates(
                other.time, f"dates such as {text.dropna().iloc[0]} begin with the year; {other.note}"
            )
    except BasinError:
        pass
    if refused:
        raise refused
    return usual


def _named_months(text: pd.Series, parts: Parts, label: str) -> Dates:
    unread = Dates(pd.Series(pd.NaT, index=text.index))
    try:
        year, note = _full_year(parts, label)
    except BasinError:
        return unread
    time = to_times(year, months_of(parts["name"]), label=label)
    # Texts such as Jan 02, Jan 03 are days without a year.
    return unread if note and not in_order(time) else Dates(time, note)


def _months(text: pd.Series, parts: Parts, label: str) -> Dates:
    """Read 1950-01, 1950M01, 1960:1 to 1960:4, which are quarters, and financial years such as 1950-51."""
    year, month = _number(parts, "y"), _number(parts, "m")
    later = (year + 1) % 100 == month
    if later[month.notna()].all() and month.notna().sum() > 2:
        return Dates(to_times(year, label=label), "dates are years that end in the next, dated by the first")
    one_digit = (parts["m"].str.len() == 1)[month.notna()].all() and not text.str.contains("[Mm]").any()
    if one_digit and set(month.dropna()) == {1.0, 2.0, 3.0, 4.0} and year.nunique() > 1:
        return Dates(to_times(year, 3 * month - 2, label=label), "dates are quarters")
    return Dates(to_times(year, month, label=label))


def _quarters(text: pd.Series, parts: Parts, label: str) -> Dates:
    year, note = _full_year(parts, label)
    time = to_times(year, 3 * _number(parts, "q") - 2, label=label)
    return Dates(time, "; ".join(filter(None, ("dates are quarters", note))))


def _named_years(text: pd.Series, parts: Parts, label: str) -> Dates:
    year, note = _full_year(parts, label)
    words = f"dates such as {text.dropna().iloc[0]} are years, dated by the year that they name"
    return Dates(to_times(year, label=label), "; ".join(filter(None, (words, note))))


def _ordinals(text: pd.Series, parts: Parts, label: str) -> Dates:
    year, day = _number(parts, "y"), _number(parts, "j")
    days = days_of_years(year, day, label)
    return _zoned(Dates(days + _clock(parts), "dates are a year and the number of its day"), parts)


def _weeks(text: pd.Series, parts: Parts, label: str) -> Dates:
    return weeks(_number(parts, "y"), _number(parts, "w"), label, _number(parts, "d", 7.0))


def weeks(year: pd.Series, week: pd.Series, label: str, day: pd.Series | float = 7.0) -> Dates:
    """Return the last days, or others, of weeks of ISO 8601, whose first has the 4th of January."""
    fourth = to_times(year, 1.0, 4.0, label=label)
    monday = fourth - pd.to_timedelta(fourth.dt.dayofweek, unit="D")
    time = monday + pd.to_timedelta(7 * (week.where(week.between(1, 53)) - 1) + day - 1, unit="D")
    words = "dates are weeks of ISO 8601"
    return Dates(time, words if (time.dt.dayofweek < 6).any() else f"{words}, dated by their last days")


def _seasons(text: pd.Series, parts: Parts, label: str) -> Dates:
    month = parts["season"].str.upper().map({name: k + 1 for k, name in enumerate(SEASONS)})
    return Dates(to_times(_number(parts, "y"), month.astype(float), label=label))


_PREFIX = rf"(?:{NAME}\.?,?\s+|[^\W\d_]{{2}}\.?,?\s+)?"
"""Day of the week."""

_YEAR = r"(?P<y>\d{4}|\d{2})"
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th|\.|º)?"
_NAME = rf"(?P<name>{NAME})\.?"

FORMS = (
    Form(
        rf"{_PREFIX}(?P<y>\d{{4}})(?P<sep>[-/. ])(?P<m>\d{{1,2}})(?P=sep)(?P<d>\d{{1,2}}){TAIL}", _year_first
    ),
    Form(
        rf"(?P<y>(?:1[6-9]|2[0-2])\d{{2}})(?P<m>\d{{2}})(?P<d>\d{{2}}){TAIL.replace('T|', 'T|_|-|', 1)}",
        _year_first,
    ),
    Form(rf"{_PREFIX}(?P<a>\d{{1,2}})(?P<sep>[/.\- ])(?P<b>\d{{1,2}})(?P=sep)(?P<c>\d{{4}}){TAIL}", _numbers),
    Form(rf"{_PREFIX}(?P<a>\d{{1,2}})(?P<sep>[/.\- ])(?P<b>\d{{1,2}})(?P=sep)(?P<c>\d{{2}}){TAIL}", _numbers),
    Form(rf"{_PREFIX}{_DAY}[\s\-/.]*{_NAME},?[\s\-/.,']*{_YEAR}{TAIL}", _day_name_year),
    Form(rf"{_PREFIX}{_NAME}[\s\-/.]*{_DAY},?[\s\-/,]+{_YEAR}{TAIL}", _named),
    Form(rf"(?P<y>\d{{4}})[\s\-/.]*{_NAME}[\s\-/.]*(?P<d>\d{{1,2}}){TAIL}", _named),
    Form(rf"{_NAME}[\s\-/.,']*(?P<y>\d{{4}})", _named_months),
    Form(rf"{_NAME}[\s\-/.,']+(?P<y>\d{{2}})", _named_months),
    Form(rf"(?P<y>\d{{4}})[\s\-/.:]*{_NAME}", _named_months),
    Form(r"(?P<y>\d{4})\s*[-/:.Mm]\s*(?P<m>\d{1,2})", _months),
    Form(r"[Mm]?(?P<m>\d{1,2})[-/. ](?P<y>\d{4})", _months),
    Form(r"(?P<y>\d{4})[ \-:./]*[QqKkTt](?P<q>[1-4])", _quarters),
    Form(rf"[QqTt](?P<q>[1-4])[ \-:/.']*{_YEAR}", _quarters),
    Form(rf"(?P<q>[1-4])[ ]?[QqTt][ \-:/.']*{_YEAR}", _quarters),
    Form(rf"(?P<y>\d{{4}})[-/](?P<j>\d{{3}}){TAIL}", _ordinals),
    Form(rf"(?:[CFW]Y|AD)\s*{_YEAR}", _named_years),
    Form(r"(?P<y>\d{4})[ \-:]?[Ww](?P<w>\d{1,2})(?:-(?P<d>[1-7]))?", _weeks),
    Form(rf"(?P<season>(?i:{'|'.join(SEASONS)}))[ \-/]*(?P<y>\d{{4}})", _seasons),
    Form(r"(?P<a>\d{2})(?P<b>\d{2})(?P<c>\d{4}|\d{2})", _digits),
)
"""Forms of dates. Of two that fit alike, the earlier one is used."""

_COMPILED = [re.compile(form.pattern) for form in FORMS]


_REPLACED = (
    (re.compile(r"\s*[年년]\s*|\s*[月월]\s*(?=\d)"), "-"),
    (re.compile(r"\s*[日일月월]\s*(?=$|\s)"), ""),
    (re.compile(r"^(\d{1,4})\.\s+(\d{1,2})\.\s+(\d{1,4})\.?(?=$|\s)"), r"\1.\2.\3"),
    (re.compile(r"(?<=[\w.])\s+del?\s+"), " "),
    (re.compile(r"^(.*?)(\s+\d{1,2}:\d\d(?::\d\d)?)\s+(\d{4})$"), r"\1 \3\2"),
)
"""Ideographs or points and blanks between numbers, ``de`` between words, a year behind the time of day."""


_BETWEEN = re.compile(r"\s*(?:/|-+|[–—~]|\b(?:to|until|bis)\b)\s*")
"""What may stand between the dates of a range."""


def starts(text: pd.Series) -> pd.Series:
    """Return the first dates of cells that are ranges such as ``01.01.2020 00:00 - 01.01.2020 01:00``."""
    cells = text.map({cell: _halves(cell) for cell in text.dropna().unique()}, na_action="ignore")
    return cells.str[0].astype("string")


def ends(text: pd.Series) -> pd.Series:
    """Return the last dates of cells that are ranges."""
    cells = text.map({cell: _halves(cell) for cell in text.dropna().unique()}, na_action="ignore")
    return cells.str[1].astype("string")


def are_ranges(text: pd.Series) -> bool:
    """Return whether most cells of a column are ranges of dates."""
    cells = [str(cell) for cell in sample(text)]
    return bool(cells) and float(np.mean([_halves(cell) is not None for cell in cells])) > 0.5


def _halves(cell: str) -> tuple[str, str] | None:
    """Return the dates of a range, the first one with the time zone of the last if it has none."""
    if not _BETWEEN.search(cell) or groups_of(cell):
        return None
    for match in _BETWEEN.finditer(cell):
        first, last = cell[: match.start()], cell[match.end() :]
        begin, end = groups_of(first), groups_of(last)
        if begin and end and begin.keys() == end.keys():
            zone = "" if begin.get("zone") else end.get("zone", "")
            return f"{first} {zone}".strip(), last
    return None


def plain(text: pd.Series) -> pd.Series:
    """Return the cells of a column as the forms expect them."""
    cells = [str(cell) for cell in sample(text)]
    for pattern, replacement in _REPLACED:
        if any(map(pattern.search, cells)):
            text = text.str.replace(pattern, replacement, regex=True)
    return text


def sample(text: pd.Series) -> pd.Series:
    """Return cells of a column, evenly spread over those that are not missing."""
    known = text.dropna()
    return known.iloc[:: max(1, len(known) // SAMPLE)]


def form_of(text: pd.Series) -> tuple[Form | None, float]:
    """Return the form that most cells of a column have, and the share of cells that have it."""
    cells = [str(cell) for cell in sample(text)]
    best, share = None, 0.0
    for form, pattern in zip(FORMS, _COMPILED, strict=True):
        found = float(np.mean([_fits(pattern, cell) for cell in cells])) if cells else 0.0
        if found > share:
            best, share = form, found
    return best, share


def _fits(pattern: re.Pattern[str], cell: str) -> bool:
    match = pattern.fullmatch(cell)
    if match is None:
        return False
    name = match.groupdict().get("name")
    return name is None or month_of(name) is not None


def read(text: pd.Series, form: Form, label: str) -> Dates:
    """Return the dates of a column in a form, with NaT for cells that do not have it."""
    found = text.str.extract(f"^{form.pattern}$")
    parts = {str(key): found[key] for key in found}
    for key in ("d", "clock", "zone"):
        parts.setdefault(key, pd.Series(pd.NA, index=text.index, dtype="string"))
    if "y" in parts:
        require_years(_number(parts, "y").where(parts["y"].str.len() == 4), label)
    return form.read(text, parts, label)


def fits_a_form(cell: str) -> bool:
    """Return whether a cell has one of the forms, other than digits alone."""
    return bool(groups_of(cell))


def groups_of(cell: str) -> dict[str, str]:
    """Return the parts of a cell by the first form that it has, or none for other cells and digits alone."""
    if cell.isdigit() or not any(map(str.isdigit, cell)):
        return {}
    for pattern, replacement in _REPLACED:
        cell = pattern.sub(replacement, cell)
    fitting = (match for pattern in _COMPILED if _fits(pattern, cell) and (match := pattern.fullmatch(cell)))
    return next((match.groupdict(default="") for match in fitting), {})
