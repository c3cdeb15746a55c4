"""Numbers as text: one decision on decimal mark and thousands mark for each column, which is said."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError

MISSING = (
    "", ".", "-", "–", "--", "*", "**", "***",
    "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "NaN", "nan", "NULL", "null", "None",
    "none", "nil", "ND", "#VALUE!", "#DIV/0!", "#NAME?",
)  # fmt: skip
"""Texts that are read as missing values."""

CURRENCIES = "$€£¥₽₹₩₺₿"

SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}

SPACES = " \u00a0\u202f\u2009"

JUMP = 30.0
"""Ratio of neighbouring values from which a reading of the marks is not believed."""

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LOOSE = re.compile(r"[+-]?\d[\d.,'’ \u00a0\u202f\u2009]*([eE][+-]?\d+)?")


def number_like(cell: str) -> bool:
    """Return whether a cell looks like a number in any of the forms that are read."""
    bare = cell.strip().strip(CURRENCIES + "%()").replace("\u2212", "-").strip()
    if bare[-1:].upper() in SUFFIXES and bare[:-1].strip():
        bare = bare[:-1].strip()
    return bool(_PLAIN.fullmatch(bare) or _LOOSE.fullmatch(bare))


@dataclass(frozen=True)
class Numbers:
    """A column as numbers, with NaN for missing and unreadable cells."""

    value: np.ndarray
    unreadable: np.ndarray
    """Whether a cell has text that is no number."""
    percent: bool


def as_numbers(column: pd.Series, label: str, notes: list[str], comma: bool = False) -> Numbers:
    """Convert a column of text to numbers.

    ``comma`` tells that other columns of the file have a decimal comma. Raises ``BasinError`` that names both
    readings if a mark may separate thousands or decimals and nothing in the file tells which.
    """
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return Numbers(column.to_numpy(float, na_value=np.nan), np.zeros(len(column), bool), False)
    text = column.astype("string").str.strip()
    text = text.mask(text.isin(MISSING))
    plain = pd.to_numeric(text, errors="coerce").to_numpy(float, na_value=np.nan)
    written = text.notna().to_numpy()
    if not (written & np.isnan(plain)).any() and not (comma and _grouped_points(text)):
        return Numbers(plain, np.zeros(len(text), bool), False)
    bare, factor, percent = _bare(text)
    mark = _decimal_mark(bare, str(column.name), label, notes, comma)
    value = pd.to_numeric(_point(bare, mark), errors="coerce").to_numpy(float, na_value=np.nan) * factor
    return Numbers(value, written & np.isnan(value), percent)


def decimal_comma(column: pd.Series) -> bool:
    """Return whether cells of a column of text show that its decimal mark is a comma."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return False
    bare, _, _ = _bare(column.astype("string").str.strip())
    cells = bare[bare.str.fullmatch(r"[+-]?\d[\d. ]*,\d+").fillna(False)]
    if cells.empty:
        return False
    return bool(
        (cells.str.contains(".", regex=False) | (cells.str.extract(r",(\d+)$")[0].str.len() != 3)).any()
    )


def _grouped_points(text: pd.Series) -> bool:
    known = text.dropna()
    return (
        bool(len(known))
        and bool(known.str.fullmatch(r"[+-]?\d{1,3}(\.\d{3})*").all())
        and bool(known.str.contains(".", regex=False).any())
    )


def _bare(text: pd.Series) -> tuple[pd.Series, np.ndarray, bool]:
    """Remove currencies, per cent signs, K, M and B, brackets of negatives and blanks between digits."""
    bare = text.str.replace("\u2212", "-", regex=False).str.replace("\ufeff", "", regex=False)
    negative = bare.str.fullmatch(r"\(.*\)").fillna(False)
    bare = bare.where(~negative, "-" + bare.str.strip("()"))
    percent = bool(bare.str.endswith("%").fillna(False).any())
    bare = bare.str.replace(f"[{re.escape(CURRENCIES)}%]", "", regex=True).str.strip()
    last = bare.str.extract(r"\d\s*([KMBTkmbt])$")[0].str.upper()
    factor = last.map(SUFFIXES).astype(float).fillna(1.0).to_numpy()
    bare = bare.where(last.isna(), bare.str[:-1].str.strip())
    bare = bare.str.replace(rf"(?<=\d)[{SPACES}'’](?=\d{{3}})", "", regex=True)
    return bare, factor, percent


def _decimal_mark(bare: pd.Series, name: str, label: str, notes: list[str], comma: bool) -> str:
    """Return the decimal mark of a column, ``.`` or ``,``."""
    known = bare.dropna()
    commas, points = known.str.count(","), known.str.count(r"\.")
    both = known[(commas > 0) & (points > 0)]
    if len(both):
        mark = "," if (both.str.rfind(",") > both.str.rfind(".")).mean() > 0.5 else "."
        if mark == ",":
            notes.append(f"column {name}: the comma is read as the decimal mark")
        return mark
    if (commas > 1).any():
        return "."
    if (points > 1).any():
        notes.append(f"column {name}: points separate thousands")
        return ","
    if (commas > 0).any():
        groups = known[commas > 0].str.fullmatch(r"[+-]?\d{1,3},\d{3}")
        if not groups.all():
            notes.append(f"column {name}: the comma is read as the decimal mark")
            return ","
        if comma:
            return ","
        return _by_neighbours(known, name, label, notes)
    if comma and _grouped_points(known):
        notes.append(f"column {name}: points separate thousands, as other columns have a decimal comma")
        return ","
    return "."


def _by_neighbours(known: pd.Series, name: str, label: str, notes: list[str]) -> str:
    """Decide whether a comma before three digits separates thousands, by neighbouring values."""
    steps = {}
    for mark in ",.":
        value = pd.to_numeric(_point(known, mark), errors="coerce").abs().to_numpy(float)
        value = value[value > 0]
        steps[mark] = float(np.abs(np.diff(np.log(value))).max()) if len(value) > 1 else 0.0
    right = min(steps, key=lambda mark: steps[mark])
    other = "." if right == "," else ","
    if steps[other] < np.log(JUMP) or steps[right] > np.log(JUMP):
        first = known[known.str.contains(",", regex=False)].iloc[0]
        whole, decimal = first.replace(",", ""), first.replace(",", ".")
        raise BasinError(
            f"{label}: column {name}: {first!r} may be {whole} or {decimal}, as the comma may separate "
            "thousands or decimals; write a decimal point and no separators"
        )
    what = "is the decimal mark" if right == "," else "separates thousands"
    notes.append(
        f"column {name}: the comma {what}, as else neighbouring values would differ by a factor of 1,000"
    )
    return right


def _point(bare: pd.Series, mark: str) -> pd.Series:
    if mark == ",":
        return bare.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    return bare.str.replace(",", "", regex=False)
