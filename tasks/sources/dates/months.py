"""Names of months in the languages of the files that people export."""

import unicodedata
from collections import defaultdict

import pandas as pd

SEASONS = ("DJF", "JFM", "FMA", "MAM", "AMJ", "MJJ", "JJA", "JAS", "ASO", "SON", "OND", "NDJ")
"""Three-month means, named by their months. They belong to their middle month, the first to January."""

NAME = r"[^\W\d_]{3,12}"
"""Regular expression of a word that may be the name of a month."""

_LANGUAGES = """
january february march april may june july august september october november december
januar februar märz april mai juni juli august september oktober november dezember
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
januari februari maart april mei juni juli augustus september oktober november december
styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień
stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь
jänner feber mrz apr mai jun jul aug sept okt nov dez
jan feb mrt apr mei jun jul aug sep okt nov dec
"""


def _plain(word: str) -> str:
    """Return a word in lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(c))


def _beginnings() -> dict[str, int]:
    months: defaultdict[str, set[int]] = defaultdict(set)
    for line in _LANGUAGES.split("\n"):
        for month, name in enumerate(_plain(line).split(), 1):
            for length in range(3, len(name) + 1):
                months[name[:length]].add(month)
    return {name: month.pop() for name, month in months.items() if len(month) == 1}


_MONTHS = _beginnings()
"""Month by the beginnings of its names, from three letters. Those of two months, such as jui, are absent."""


def month_of(name: str) -> int | None:
    """Return the month of a name or of its beginning, such as ``Mär`` or ``sept``, or None."""
    return _MONTHS.get(_plain(name))


def months_of(names: pd.Series) -> pd.Series:
    """Return the months of a column of names, with NaN for other words."""
    known = {name: month_of(str(name)) for name in names.dropna().unique()}
    return names.map(known).astype(float)
