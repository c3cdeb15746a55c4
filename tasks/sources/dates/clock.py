"""Times of day and time zones as text: one grammar for all forms of dates."""

from collections.abc import Callable

import pandas as pd

CLOCK = (
    r"(?:\d{1,2}:\d{2}(?::\d{2}(?:[.,:]\d+)?)?(?:\s*(?:[AaPp]\.?\s?[Mm]\.?|Uhr))?|\d{6}|\d{4}|\d{1,2}[hH]?"
    r"|\d{1,2}\s*[AaPp][Mm])"
)
"""Time of day such as 9:30, 09:30:00.5, 4:00 PM, 170000, 1700 and 17."""

NAMED = {
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "IST": None, "HKT": 8, "SGT": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
"""Hours by which named zones are ahead of UTC. IST is used in India, Israel and Ireland."""

_ABBREVIATED = "|".join(NAMED)

_REGION = r"[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_]+)+"

ZONE = (
    rf"(?:[Zz]|(?:UTC|GMT)?[+-]\d{{2}}(?::?\d{{2}})?|UTC|GMT|{_ABBREVIATED}|{_REGION}"
    rf"|\((?:UTC|{_ABBREVIATED})\))(?:\s*\([^)]*\))?"
)
"""Time zone such as Z, UTC, +01, +0100, +01:00, GMT+0100 (CET), (CET) and America/New_York."""

TAIL = rf"(?:(?:\s+|T|,\s*|:|\s+-\s+)(?P<clock>{CLOCK}))?\s*(?P<zone>{ZONE})?"
"""Time of day and time zone behind a date."""

_WITH_MARKS = r"^(\d{1,2})(?::(\d{2}))?(?::(\d{2}(?:[.,:]\d+)?))?\s*([AaPp]?)"
_COMPACT = r"^(\d{2})(\d{2})(\d{2})?$"


def time_of_day(text: pd.Series) -> pd.Series:
    """Return times of day as time deltas, with NaT for cells that are none. 24:00 is the end of the day."""
    return _by_cell(text.astype("string").str.strip(), _times)


def offset_of(zone: pd.Series) -> pd.Series:
    """Return how far zones are ahead of UTC as time deltas, with NaT where there is none or only a name."""
    return _by_cell(zone.astype("string"), _offsets)


def offset_of_name(zone: pd.Series) -> pd.Series:
    """Return how far zones such as EST are ahead of UTC, with NaT for other texts and ambiguous names."""
    hours = zone.astype("string").str.extract(r"^\(?([A-Z]+)")[0].map(NAMED).astype(float)
    found: pd.Series = pd.to_timedelta(hours, unit="h")
    return found


def _by_cell(text: pd.Series, read: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """Call ``read`` once for all different cells, as those of a long column repeat."""
    codes, cells = pd.factorize(text)
    found = read(pd.Series(cells, dtype="string"))
    return pd.Series(found.reindex(codes).to_numpy(), index=text.index)


def _times(text: pd.Series) -> pd.Series:
    parts = text.str.extract(_WITH_MARKS)
    compact = text.str.extract(_COMPACT)
    short = compact[0].notna()
    hour, minute, second = (
        pd.to_numeric(
            parts[k].where(~short, compact[k]).str.replace(r"[,:]", ".", regex=True), errors="coerce"
        ).astype(float)
        for k in range(3)
    )
    half = parts[3].str.upper()
    hour = hour.where(~((half == "A") & (hour == 12)).fillna(False), 0.0)
    hour = hour.where(~((half == "P") & (hour < 12)).fillna(False), hour + 12)
    minute, second = minute.fillna(0.0), second.fillna(0.0)
    total = 3600 * hour + 60 * minute + second
    right = text.str.fullmatch(CLOCK).fillna(False) & (minute < 60) & (second < 60) & (total <= 86400)
    found: pd.Series = pd.to_timedelta((total.where(right) * 1e6).round(), unit="us")
    return found


def _offsets(zone: pd.Series) -> pd.Series:
    parts = zone.str.extract(r"([+-])(\d{2}):?(\d{2})?")
    sign = parts[0].map({"+": 1.0, "-": -1.0}).astype(float)
    minutes = sign * (60 * pd.to_numeric(parts[1]) + pd.to_numeric(parts[2]).fillna(0)).astype(float)
    utc = zone.str.fullmatch(r"[Zz]|\(?UTC\)?|GMT").fillna(False)
    found: pd.Series = pd.to_timedelta(minutes.mask(utc, 0.0), unit="min")
    return found
