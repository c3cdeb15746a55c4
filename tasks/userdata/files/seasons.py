"""Quarters and seasons of a year by their names."""

import re
import unicodedata
from collections.abc import Iterable

import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates import SEASONS, month_of

QUARTERLY = ("DJF", "MAM", "JJA", "SON")
"""Means of the four seasons, named by their months."""

_WORDS = (
    "winter win hiver invierno inverno zima",
    "spring spr fruhling fruhjahr printemps primavera lente wiosna",
    "summer sum sommer ete verano estate verao zomer lato",
    "autumn aut fall herbst automne otono autunno outono herfst jesien",
)
"""Names of winter, spring, summer and autumn, in lower case and without accents."""

_SEASONS = {word: season for season, words in enumerate(_WORDS) for word in words.split()}

_QUARTER = r"(?:[qkt]|qtr|quarter|quartal|trim|trimestre|kwartał)"
_NAMED = re.compile(rf"{_QUARTER}[\s.]*0?([1-4])|([1-4])[\s.]*(?:st|nd|rd|th)?\s*{_QUARTER}", re.IGNORECASE)
_RANGE = re.compile(r"([^\W\d_]{3,})\.?\s*(?:-|–|/|to)\s*([^\W\d_]{3,})\.?", re.IGNORECASE)

_NUMBERS = {
    name: quarter
    for quarter, names in enumerate(
        ("1 i 1st first", "2 ii 2nd second", "3 iii 3rd third", "4 iv 4th fourth"), 1
    )
    for name in names.split()
}


def quarter_of(name: str, among_quarters: bool = False) -> int | None:
    """Return the quarter of a name such as ``Q1``, ``1st quarter`` or ``Jan-Mar``, or None.

    In a column of quarters, ``among_quarters``, numbers, ``IV`` and ``fourth`` are quarters too.
    """
    name = name.strip()
    if match := _NAMED.fullmatch(name):
        return int(match[1] or match[2])
    if match := _RANGE.fullmatch(name):
        first, last = month_of(match[1]), month_of(match[2])
        return (first + 2) // 3 if first and last == first + 2 and first % 3 == 1 else None
    return _NUMBERS.get(name.lower().removesuffix(".")) if among_quarters else None


def season_of(name: str) -> int | None:
    """Return 0 to 3 for the names of winter, spring, summer and autumn, or None."""
    plain = unicodedata.normalize("NFKD", name.strip().lower())
    return _SEASONS.get("".join(c for c in plain if not unicodedata.combining(c)))


def months_of_words(order: Iterable[int]) -> list[int] | None:
    """Return the middle months of winter, spring, summer and autumn, or None if they are in no order of time.

    ``order`` has the seasons of a year as they follow each other, so that it tells the hemisphere, and
    whether the season from December to February is that of January (1) or that of the next January (13).
    """
    first, *others = order
    if [(season - first) % 4 for season in others] != [1, 2, 3]:
        return None
    middle = 1 if first in (0, 2) else 4
    return [middle + 3 * ((season - first) % 4) for season in range(4)]


def months_of_seasons(year: pd.Series, names: pd.Series, what: str) -> pd.Series | None:
    """Return the middle months of seasons in a column, from 1 for January to 13 for the next January.

    None is returned for a column of other texts. Raises ``BasinError`` if the order of the rows does not tell
    which months a season has.
    """
    upper = names.str.upper()
    coded = upper.isin(SEASONS)
    if coded.mean() > 0.5:
        month = upper.map({season: k + 1 for k, season in enumerate(SEASONS)}).astype(float)
        if set(upper[coded]) == set(QUARTERLY):
            last = months_of_words(_order(year, upper.map({code: k for k, code in enumerate(QUARTERLY)})))
            month = month.where(upper != "DJF", 13.0) if last and last[0] == 13 else month
        return month
    season = names.map({name: season_of(str(name)) for name in names.dropna().unique()}).astype(float)
    if season.notna().mean() <= 0.5 or season.nunique() < 4:
        return None
    months = months_of_words(_order(year, season))
    if months is None:
        raise BasinError(
            f"{what}: the seasons of a year are not in order of time, which tells their months; write DJF, "
            "MAM, JJA and SON, of which DJF has the January of its year"
        )
    return season.map({k: float(month) for k, month in enumerate(months)})


def _order(year: pd.Series, season: pd.Series) -> list[int]:
    """Return the seasons of the first year that has four, reversed if only then they are in order of time."""
    known = pd.DataFrame({"year": year, "season": season}).dropna()
    order: list[int] = []
    for _, seasons in known.groupby("year", sort=False)["season"]:
        order = [int(k) for k in dict.fromkeys(seasons)]
        if len(order) == 4:
            break
    return order if len(order) < 4 or months_of_words(order) else order[::-1]
