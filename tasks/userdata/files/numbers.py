"""Numbers as text: one decision on decimal mark and thousands mark for each column, which is said."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources import readers

MISSING = (
    *readers.MISSING, "..", "...", ":", "-", "–", "—", "--", "*", "**", "***",
    "N/A", "n/a", "na", "n.a.", "N.A.", "n.a", "N/D", "n/d", "n.d.", "ND", "k.A.", "s.d.",
    "#N/A", "#N/A N/A", "#NA", "#VALUE!", "#DIV/0!", "#NAME?", "#REF!", "#NUM!",
    "NAN", "<NA>", "NaT", "Null", "None", "none", "nil",
)  # fmt: skip
"""Texts that are read as missing values in columns of numbers and dates."""

CURRENCIES = "$€£¥₽₹₩₺₿"

CODES = (
    "USD", "EUR", "GBP", "GBX", "JPY", "CHF", "CNY", "CNH", "HKD", "SGD", "KRW", "TWD", "INR", "IDR", "THB",
    "MYR", "PHP", "VND", "AUD", "NZD", "CAD", "MXN", "BRL", "ARS", "CLP", "COP", "PEN", "ZAR", "NGN", "EGP",
    "ILS", "SAR", "AED", "TRY", "RUB", "UAH", "PLN", "CZK", "HUF", "RON", "SEK", "NOK", "DKK", "ISK", "BTC",
)  # fmt: skip
"""Codes of currencies that may stand before or behind a number."""

SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}

_BIG = re.compile(r"(?<=\d)\s*(bn|bln|mrd|mn|mln|mio|tn|trn)\.?", re.IGNORECASE)
"""Other suffixes of millions, billions and trillions behind a number."""

_UNIT = re.compile(r"(?<=[\d.])\s*(°\s?[CF]|mm|m/s|km/h|[kMG]Wh?|pp[mb]|m3/s|m³/s)")
"""Units behind a number. Those of depths and heights, such as cm, often name series and are left out."""

SPACES = " \u00a0\u202f\u2009"

JUMP = 30.0
"""Ratio of neighbouring values from which a reading of the marks is not believed."""

_GROUPS = {",": r"[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3}", ".": r"[1-9]\d{0,2}(?:\.\d{3})+"}
"""Digits with a thousands mark; with commas also as in India."""

_MARK = {
    mark: re.compile(rf"[+-]?(?:(?:{_GROUPS[other]}|\d+)(?:\{mark}\d*)?|\{mark}\d+)(?:[eE][+-]?\d+)?")
    for mark, other in ((".", ","), (",", "."))
}
"""Numbers by their decimal mark."""

_CODE = rf"(?:{'|'.join(CODES)})"
_BEFORE = re.compile(rf"([+-]?)\s*({_CODE}|[{re.escape(CURRENCIES)}])\s*")
_BEHIND = re.compile(rf"\s*({_CODE}|[{re.escape(CURRENCIES)}])")
_BARE = re.compile(r"[+-]?[\d.,]*\d")


def number_like(cell: str) -> bool:
    """Return whether a cell looks like a number in any of the forms that are read."""
    bare, _, _, _ = _parts(cell)
    return any(mark.fullmatch(bare) for mark in _MARK.values())


@dataclass(frozen=True)
class Numbers:
    """A column as numbers, with NaN for missing and unreadable cells."""

    value: np.ndarray
    unreadable: np.ndarray
    """Whether a cell has text that is no number."""
    percent: bool
    currency: str = ""
    """Sign or code of a currency, or unit, beside the numbers."""


def as_numbers(column: pd.Series, label: str, notes: list[str], comma: bool | None = None) -> Numbers:
    """Convert a column of text to numbers.

    ``comma`` tells whether other columns of the file have a decimal comma, if they do. Raises ``BasinError``
    that names a row of each form if cells differ in decimal mark, currency or per cent sign, and both
    readings if a mark may separate thousands or decimals and nothing in the file tells which.
    """
    if pd.api.types.is_complex_dtype(column):
        raise BasinError(
            f"{label}: column {column.name} holds complex numbers; give a column of their real parts or sizes"
        )
    if pd.api.types.is_numeric_dtype(column):  # also of True and False
        return Numbers(column.to_numpy(float, na_value=np.nan), np.zeros(len(column), bool), False)
    text = column.astype("string").str.strip()
    text = text.mask(text.isin(MISSING))
    plain = pd.to_numeric(text, errors="coerce").to_numpy(float, na_value=np.nan)
    written = text.notna().to_numpy()
    if comma is None and _grouped_points(text):
        whole = pd.to_numeric(text.str.replace(".", "")).to_numpy(float, na_value=np.nan)
        if _largest_step(plain[written]) > JUMP >= _largest_step(whole[written]):
            notes.append(
                f"column {column.name}: points separate thousands, as else neighbouring values would differ "
                "by a factor of 1,000"
            )
            return Numbers(whole, np.zeros(len(text), bool), False)
    if not (written & np.isnan(plain)).any() and not (comma and _grouped_points(text)):
        return Numbers(plain, np.zeros(len(text), bool), False)
    name = f"column {column.name}"
    cells = _Cells(text)
    _refuse_mixture(cells, cells.currency, cells.currency != "", f"{label}: {name}", "currency or unit")
    _refuse_mixture(cells, cells.percent, cells.not_zero, f"{label}: {name}", "the per cent sign")
    suffixed = cells.suffix != ""
    few = suffixed & (suffixed.sum() <= 0.5 * cells.known.sum())
    if (suffixed & ~few).any():
        shown = ", ".join(f"{s} for {SUFFIXES[s]:,.0f}" for s in SUFFIXES if s in cells.suffix)
        notes.append(f"{name}: numbers are written with {shown}")
    if cells.starred.any():
        notes.append(f"{name}: the star behind {int(cells.starred.sum())} numbers is left out")
    mark = _decimal_mark(cells, name, label, notes, comma)
    good = cells.fits[mark] & ~few
    factor = np.ones(len(text))
    factor[suffixed] = [SUFFIXES[suffix] for suffix in cells.suffix[suffixed]]
    value = np.full(len(text), np.nan)
    value[good] = [float(_point(cell, mark)) for cell in cells.bare[good]]
    infinite = ~np.isfinite(plain) & ~np.isnan(plain)
    value[infinite] = plain[infinite]
    currency = next(filter(None, cells.currency[cells.known]), "")
    return Numbers(value * factor, written & np.isnan(value), bool((cells.percent != "").any()), currency)


def decimal_comma(column: pd.Series) -> bool | None:
    """Return whether the decimal mark of a column is a comma, or None if its cells do not tell.

    Only a column that is mostly numbers, all with the same mark, tells.
    """
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return None
    cells = _Cells(column.astype("string").str.strip())
    if column.empty or cells.known.mean() <= 0.5:
        return None
    only = {mark: cells.only(mark) for mark in ",."}
    if only[","].any() == only["."].any():
        return None
    return bool(only[","].any())


def _grouped_points(text: pd.Series) -> bool:
    known = text.dropna()
    return (
        bool(len(known))
        and bool(known.str.fullmatch(r"[+-]?([1-9]\d{0,2}(\.\d{3})*|0)").all())
        and bool(known.str.contains(".", regex=False).any())
    )


def _parts(cell: str) -> tuple[str, str, str, str]:
    """Return a cell without what stands around its number, its currency, its per cent sign and suffix."""
    if _BARE.fullmatch(cell):
        return cell, "", "", ""
    bare = cell.strip().replace("\u2212", "-").replace("\ufeff", "")
    currency = percent = suffix = ""
    if found := _BEFORE.match(bare):
        currency, bare = found[2], found[1] + bare[found.end() :]
    if bare[:1] == "(" and bare[-1:] == ")":
        bare = "-" + bare[1:-1].strip()
        if found := _BEFORE.match(bare):
            currency, bare = found[2], found[1] + bare[found.end() :]
    if bare[-1:] == "%":
        percent, bare = "%", bare[:-1].rstrip()
    elif (found := _BEHIND.search(bare)) and found.end() == len(bare) and found.start() and not currency:
        currency, bare = found[1], bare[: found.start()]
    elif (found := _UNIT.search(bare)) and found.end() == len(bare) and not currency:
        currency, bare = found[1].replace(" ", ""), bare[: found.start()]
    if (found := _BIG.search(bare)) and found.end() == len(bare):
        bare = bare[: found.start()] + ("B" if found[1].lower() == "mrd" else found[1][0].upper())
    if bare[-1:].upper() in SUFFIXES and bare[-2:-1] and bare[:-1].rstrip()[-1:].isdigit():
        suffix, bare = bare[-1].upper(), bare[:-1].rstrip()
    if bare[-1:] == "*" and bare[-2:-1].isdigit():
        bare = bare[:-1]
    if bare[-1:] in "+-" and bare[-2:-1].isdigit():
        bare = bare[-1] + bare[:-1]
    return re.sub(rf"(?<=\d)[{SPACES}'’](?=\d{{3}}(?!\d))", "", bare), currency, percent, suffix


class _Cells:
    """Cells of a column without what stands around their numbers; equal cells are looked at once."""

    def __init__(self, text: pd.Series) -> None:
        self.text = text.fillna("").to_numpy(dtype=object)
        codes, unique = pd.factorize(self.text)
        parts = [_parts(cell) for cell in unique]

        def each(values: list[Any], dtype: type) -> np.ndarray:
            return np.array(values, dtype=dtype)[codes]

        self.bare, self.currency, self.percent, self.suffix = (
            each([part[k] for part in parts], object) for k in range(4)
        )
        self.fits = {
            mark: each([form.fullmatch(part[0]) is not None for part in parts], bool)
            for mark, form in _MARK.items()
        }
        self.known = self.fits["."] | self.fits[","]
        self.commas = self.known & each(["," in part[0] for part in parts], bool)
        self.not_zero = each([part[0].strip("+-0.,") != "" for part in parts], bool)
        self.starred = self.known & each([cell.endswith("*") for cell in unique], bool)

    def only(self, mark: str) -> np.ndarray:
        """Return which cells are numbers with this decimal mark alone."""
        other = "." if mark == "," else ","
        return self.fits[mark] & ~self.fits[other]


def _refuse_mixture(cells: _Cells, marks: np.ndarray, where: np.ndarray, name: str, what: str) -> None:
    """Raise ``BasinError`` if numbers of a column differ in the mark beside them."""
    where = where & cells.known
    found = list(dict.fromkeys(marks[where]))
    if len(found) < 2:
        return
    rows = [int(np.flatnonzero(where & (marks == mark))[0]) for mark in found[:2]]
    first, second = (f"{cells.text[row]!r} in row {row + 1}" for row in rows)
    raise BasinError(f"{name}: {first} and {second} differ in {what}; write all numbers of a column alike")


def _decimal_mark(cells: _Cells, name: str, label: str, notes: list[str], comma: bool | None) -> str:
    """Return the decimal mark of a column, ``.`` or ``,``: the one that fits all of its numbers."""
    only = {mark: cells.only(mark) for mark in ",."}
    for mark, other in ((".", ","), (",", ".")):
        if not only[mark].any():
            continue
        if only[other].any():
            _refuse_marks(cells, only[","], only["."], f"{label}: {name}")
        _refuse_jumps(cells, only[mark], mark, f"{label}: {name}")
        if mark == ",":
            what = (
                "the comma is read as the decimal mark" if cells.commas.any() else "points separate thousands"
            )
            notes.append(f"{name}: {what}")
        return mark
    if cells.commas.any():
        if comma is None:
            return _by_neighbours(cells, name, label, notes)
        if not comma:
            notes.append(f"{name}: the comma separates thousands, as in other columns or between cells")
        return "," if comma else "."
    if comma and _grouped_points(pd.Series(cells.bare[cells.known], dtype="string")):
        notes.append(f"{name}: points separate thousands, as other columns have a decimal comma")
        return ","
    return "."


def _refuse_marks(cells: _Cells, commas: np.ndarray, points: np.ndarray, where: str) -> None:
    """Raise ``BasinError`` that names the first cell with a decimal comma and the first with a point."""
    comma, point = int(commas.argmax()), int(points.argmax())
    raise BasinError(
        f"{where}: {cells.text[comma]!r} in row {comma + 1} has a decimal comma, and {cells.text[point]!r} "
        f"in row {point + 1} a decimal point; write all numbers of a column with the same decimal mark"
    )


def _refuse_jumps(cells: _Cells, certain: np.ndarray, mark: str, where: str) -> None:
    """Raise ``BasinError`` if numbers fit the mark only by a jump that they do not have with the other.

    Numbers such as 102,062 fit a decimal point. With neighbours such as 98.88 they have a decimal comma.
    """
    other = "," if mark == "." else "."
    marked = np.array([other in cell for cell in cells.bare], dtype=bool) & cells.known
    if not marked.any() or (marked & certain).any():
        return
    known = np.flatnonzero(cells.known)
    as_read = [_point(cells.bare[k], mark) for k in known]
    otherwise = [_point(cells.bare[k], other if marked[k] else mark) for k in known]
    if _largest_step(as_read) > JUMP >= _largest_step(otherwise):
        commas, points = (marked, certain) if other == "," else (certain, marked)
        _refuse_marks(cells, commas, points, where)


def _largest_step(numbers: "list[str] | np.ndarray") -> float:
    """Return the largest ratio of two neighbouring values, without zeros."""
    value = np.abs([float(number) for number in numbers])
    value = value[value > 0]
    return float(np.exp(np.abs(np.diff(np.log(value))).max())) if len(value) > 1 else 1.0


def _by_neighbours(cells: _Cells, name: str, label: str, notes: list[str]) -> str:
    """Decide whether a comma before three digits separates thousands, by neighbouring values."""
    known = cells.bare[cells.known]
    steps = {mark: _largest_step([_point(cell, mark) for cell in known]) for mark in ",."}
    right = min(steps, key=lambda mark: steps[mark])
    other = "." if right == "," else ","
    if steps[other] < JUMP or steps[right] > JUMP:
        first = next(cell for cell in known if "," in cell)
        whole, decimal = first.replace(",", ""), first.replace(",", ".")
        raise BasinError(
            f"{label}: {name}: {first!r} may be {whole} or {decimal}, as the comma may separate "
            "thousands or decimals; write a decimal point and no separators"
        )
    what = "is the decimal mark" if right == "," else "separates thousands"
    notes.append(f"{name}: the comma {what}, as else neighbouring values would differ by a factor of 1,000")
    return right


def _point(cell: str, mark: str) -> str:
    return cell.replace(".", "").replace(",", ".") if mark == "," else cell.replace(",", "")
