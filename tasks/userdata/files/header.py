"""Header of a table: where the data begin, and the names of their columns."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates import as_dates, date_like
from tasks.sources.dates.times import in_order
from tasks.userdata.files.columns import UNITS, names_dates
from tasks.userdata.files.groups import with_groups
from tasks.userdata.files.numbers import CODES, MISSING, number_like

ZONES = ("utc", "gmt", "cet", "est")
"""Time zones that a line of units has below the name of the dates, in lower case."""


@dataclass(frozen=True)
class Header:
    """Number of rows above the data, and a name for each column; names may be empty or repeated."""

    first: int
    names: list[str]
    key: int | None = None
    """Column of dates, or else the first column of numbers, if there is one."""


@dataclass(frozen=True)
class Body:
    """What the rows of data have in common."""

    width: int
    """Number of cells of most rows."""
    filled: int
    """Number of columns up to the last one with content."""
    longest: int
    """Most cells of a row."""
    key: int
    """Column of dates, or else the first column of numbers: it tells rows of data from others."""
    numeric: tuple[int, ...]
    """Columns of numbers."""
    cut: bool
    """Whether a cell such as 003.00 shows that the separator cuts numbers."""


def find_header(
    rows: list[list[str]], comments: list[list[str]], label: str, notes: list[str], strict: bool = True
) -> Header:
    """Find the header in the first rows of a file, and say which lines are left out.

    The data begin with the first row that has a date where the later rows have dates. The header is the line
    above that names the dates, or else the last line above that does not look like units. ``comments`` are
    lines above ``rows`` that begin with a comment mark; the last one is the header if there is no other.
    ``strict`` raises ``BasinError`` if that line has another number of cells than the data.
    """
    below = rows[len(rows) // 2 :]
    often = Counter(map(len, rows))
    width = max(Counter(map(len, below)).items(), key=lambda item: (item[1], often[item[0]]))[0]
    below = [row for row in below if len(row) == width]
    kinds = [_kind([row[k] for row in below]) for k in range(width)]
    key = next((k for kind in ("date", "number") for k in range(width) if kinds[k] == kind), None)
    if key is None:  # no data at all: the first line is the header
        return Header(1, rows[0])
    at = key
    cells = min(width, max(2, at + 1))
    dated = [
        k
        for k, row in enumerate(rows)
        if len(row) >= cells and (_is(row[at], kinds[at]) or (at == 0 and _is_year_of_data(row)))
    ]
    first = next((k for k in dated if not _names_years(rows[k])), dated[0])
    data = [row for row in rows[first:] if len(row) == width]
    filled = max((k + 1 for k in range(width) for row in data if row[k]), default=width)
    numeric = tuple(k for k in range(width) if kinds[k] == "number" and k != at)
    cut = any(re.match(r"0\d", row[k]) for row in data for k in numeric)
    body = Body(width, filled, max(map(len, rows[first:])), at, numeric, cut)
    above, commented = rows[:first], False
    lines = _of_width(above, body, label, rows[first], strict)
    if not lines and comments:
        above, commented = comments, True
        lines = _of_width(above, body, label, rows[first], False)
    if not lines:
        notes.append("the file has no header: its columns are called column 1, column 2 and so on")
        _say_left_out(above, set(), "data", notes)
        return Header(first, [""] * width, body.key)
    chosen = _chosen(lines, above, body)
    if (lower := _below_merged(lines, chosen, body)) is not None:
        upper, names = lines[chosen], lines[lower]
        lines[lower] = [name or upper[k] for k, name in enumerate(names)]
        without_key = [cell if k != body.key else "" for k, cell in enumerate(upper)]
        above = [without_key if k == chosen else row for k, row in enumerate(above)]
        chosen = lower
    if not commented:
        first = _first_below(rows, chosen, first, body)
    if len(lines[chosen]) > len(above[chosen]) == body.filled - 1:
        notes.append("the header has a name less than the rows: it is taken that the first column has none")
    names, used = _names(lines, above, chosen, body, notes)
    nameless = next((k for k in body.numeric if k and not names[k]), None)
    if nameless is not None and strict:
        raise BasinError(
            f"{label}: column {nameless + 1} has numbers, such as {data[0][nameless]!r}, and no name in the "
            "header; put cells that contain the separator in quotes, and give each column a name"
        )
    below_it = [k for k in range(chosen + 1, min(first, len(above))) if k in lines]
    if below_it:
        shown = "; ".join(", ".join(filter(None, above[k])) for k in below_it)
        notes.append(f"the line below the header is not read as data: {shown[:100]}")
    _say_left_out(above[:first], {*used, *below_it}, "header", notes)
    return Header(first, names, body.key)


def _kind(cells: list[str]) -> str:
    known = [cell for cell in cells if cell not in MISSING]
    if known and sum(map(date_like, known)) >= 0.5 * len(known) and not _decimals(known):
        return "date"
    if known and sum(map(number_like, known)) >= 0.5 * len(known):
        return "number"
    return "text"


def _decimals(cells: list[str]) -> bool:
    """Return whether cells are numbers, such as 2506.85, that are in no order if read as dates YYYY.MM."""
    if not all(map(number_like, cells)):
        return False
    try:
        time = as_dates(pd.Series(cells), "").time
    except BasinError:
        return True
    return bool(time.isna().mean() > 0.5) or not in_order(time)


def _is(cell: str, kind: str) -> bool:
    return date_like(cell) if kind == "date" else number_like(cell)


def _names_years(row: list[str]) -> bool:
    """Return whether a row names columns by three or more successive years, or months such as 199001."""
    years = [int(cell) for cell in row if re.fullmatch(r"[12]\d{3}", cell)]
    months = [cell for cell in row if re.fullmatch(r"[12]\d{3}(0[1-9]|1[0-2])", cell)]
    return _successive(years) or _successive([12 * int(cell[:4]) + int(cell[4:]) for cell in months])


def _successive(numbers: list[int]) -> bool:
    return len(numbers) > 2 and set(np.diff(numbers)) in ({1}, {-1})


def _is_year_of_data(row: list[str]) -> bool:
    """Return whether a row has a year and numbers alone, as above the quarters of a file that mixes them."""
    values = [cell for cell in row[1:] if cell]
    return bool(re.fullmatch(r"1[6-9]\d\d|20\d\d", row[0]) and values and all(map(number_like, values)))


def _of_width(
    above: list[list[str]], body: Body, label: str, example: list[str], strict: bool
) -> dict[int, list[str]]:
    """Return the lines above the data that have a cell for each column, padded to the number of columns."""
    lines: dict[int, list[str]] = {}
    nearest = True
    for k in range(len(above) - 1, -1, -1):
        row = above[k]
        while row and not row[-1]:
            row = row[:-1]
        names_index = nearest and len(above[k]) == body.width and len(row) == body.key + 1  # yfinance
        dates = 0 if _names_the_dates(row, body.key) else sum(map(date_like, row))
        no_name = row[:1] and row[0] in MISSING and row[0]  # a row of data without a date
        if no_name or 0 < dates <= len(row) / 2 or (len(row) < min(2, body.filled) and not names_index):
            continue
        named = len(row)
        if len(above[k]) == body.width or body.filled <= named <= max(body.width, body.longest):
            lines[k] = row + [""] * (body.width - named)
        elif nearest and named == body.filled - 1 and not (body.cut or _names_the_dates(row, body.key)):
            lines[k] = ["", *row] + [""] * (body.width - named - 1)
        elif nearest and strict:
            raise BasinError(
                f"{label}: row 1 has {body.filled} cells ({', '.join(example)[:60]}), and the header has "
                f"{named} ({', '.join(row)[:60]}); put cells that contain the separator in quotes, and give "
                "each column a name"
            )
        nearest = False
    return dict(sorted(lines.items()))


def _names_the_dates(row: list[str], key: int) -> bool:
    return key < len(row) and names_dates(row[key])


def _chosen(lines: dict[int, list[str]], above: list[list[str]], body: Body) -> int:
    """Return the number of the line that is the header."""
    timed = [k for k, row in lines.items() if _names_the_dates(row, body.key)]
    if timed:
        return timed[-1]
    last = max(lines)
    whole = all(lines[last][: body.filled]) and _distinct(lines[last], -1)
    others = [k for k, row in lines.items() if not (_units(row) or _codes(row, body.key))]
    if others and others[-1] < last and _distinct(lines[others[-1]], body.key):
        return others[-1]
    if whole and not any(date_like(cell) for row in above[last + 1 :] for cell in row):
        return last
    if len(lines) > 2 and not any(lines[last][k] for k in body.numeric):
        # Lines of a word and its value for each series, of which the last is empty: the first is the title.
        first = min(lines)
        if all(lines[first][: body.filled]) and _distinct(lines[first], body.key):
            return first
    nameless = [k for k, row in lines.items() if not row[body.key] and _distinct(row, body.key)]
    return max(nameless, key=lambda k: (sum(map(bool, lines[k])), k)) if nameless else last


def _below_merged(lines: dict[int, list[str]], chosen: int, body: Body) -> int | None:
    """Return the last line below a header with merged cells that names columns without a name in it."""
    named = [
        k
        for k, row in lines.items()
        if k > chosen
        and not (_units(row) or _codes(row, body.key))
        and any(row[c] and not lines[chosen][c] for c in body.numeric)
    ]
    return max(named, default=None)


def _distinct(row: list[str], key: int) -> bool:
    others = [name for k, name in enumerate(row) if k != key]
    while others and not others[-1]:
        others.pop()
    return all(others) and len(set(others)) == len(others) > 0


def _units(row: list[str]) -> bool:
    known = [cell.strip("()[] ") for cell in row if cell]
    if all(re.fullmatch(r"\d+[sdn]", cell) for cell in known):  # widths and types of columns, of the USGS
        return True
    return all(c.lower() in UNITS or c.lower() in ZONES or c.upper() in CODES for c in known)


def _codes(row: list[str], key: int) -> bool:
    """Return whether a row has a word, and a code for each column, such as ``Transform:`` in FRED-MD."""
    word, others = row[key], [cell for k, cell in enumerate(row) if k != key and cell]
    if not word or word in MISSING or any(map(str.isdigit, word)):
        return False
    return bool(others) and (word.endswith(":") or all(re.fullmatch(r"\d{1,2}", cell) for cell in others))


def _first_below(rows: list[list[str]], header: int, first: int, body: Body) -> int:
    """Return where the data begin: rows with numbers below the header are data without a date."""
    for k in range(header + 1, first):
        row = rows[k]
        if any(number_like(row[c]) for c in body.numeric if c < len(row)) and not _codes(row, body.key):
            return k
    return first


def _names(
    lines: dict[int, list[str]], above: list[list[str]], chosen: int, body: Body, notes: list[str]
) -> tuple[list[str], list[int]]:
    """Return the names in the header, joined with the lines above if they tell the columns apart."""
    row, key = lines[chosen], body.key
    others = [k for k in range(body.filled) if k != key]
    levels: list[int] = []
    while (k := chosen - len(levels) - 1) in lines and all(lines[k][c] for c in others):
        levels.insert(0, k)
    index_name = row[key] and not any(row[c] for c in others)  # yfinance: fields, tickers, name of the index
    repeated = Counter(row[c] for c in others if row[c])
    blocks = any(names_dates(name) for name in repeated)
    if not levels or blocks or not (index_name or max(repeated.values(), default=0) > 1):
        grouped = ((k, with_groups(row, above[k], key)) for k in range(chosen - 1, -1, -1))
        line, found = next(((k, names) for k, names in grouped if names), (chosen, row))
        if line != chosen:
            notes.append("the header has 2 lines, which are joined")
        return found, sorted({line, chosen})
    if not index_name:
        levels.append(chosen)
    parts = [[lines[k][c] for c in others] for k in levels]
    kept = [part for part in parts if len(set(part)) > 1] or parts[:1]
    joined = dict(zip(others, (" ".join(names) for names in zip(*kept, strict=True)), strict=True))
    used = sorted({*levels, chosen})
    notes.append(f"the header has {len(used)} lines, which are joined")
    return [row[k] if k == key else joined.get(k, "") for k in range(len(row))], used


def _say_left_out(above: list[list[str]], used: set[int], what: str, notes: list[str]) -> None:
    left = [" ".join(filter(None, row))[:60] for k, row in enumerate(above) if k not in used]
    if left:
        shown = " | ".join(left[:3]) + (" ..." if len(left) > 3 else "")
        notes.append(f"{len(left)} line{'s' * (len(left) > 1)} above the {what} left out: {shown}")


def with_names(frame: pd.DataFrame, names: list[str], label: str, notes: list[str]) -> pd.DataFrame:
    """Name the columns of a table without its empty rows, and columns that have no name and no content.

    Blocks of columns with dates of their own are one table if their dates are equal. Raises ``BasinError``
    if they differ.
    """
    kept = [k for k, name in enumerate(names) if name or frame.iloc[:, k].notna().any()]
    frame = frame.iloc[:, kept]
    frame = frame[frame.notna().any(axis=1)].reset_index(drop=True)
    names = [names[k] or f"column {k + 1}" for k in kept]
    again = _dates_of_blocks(frame, names, label)
    if again:
        notes.append(f"the dates stand in {len(again) + 1} columns and are equal; the first one is used")
        left = [k for k in range(len(names)) if k not in again]
        frame, names = frame.iloc[:, left], [names[k] for k in left]
    return frame.set_axis(pd.Index(_unique(names)), axis=1)


def _dates_of_blocks(frame: pd.DataFrame, names: list[str], label: str) -> list[int]:
    """Return the columns that repeat the dates of an earlier column of the same name.

    Numbers at the end of names, as pandas adds, and the name of the next column, do not count.
    """
    bare = []
    for name, following in zip(names, [*names[1:], ""], strict=True):
        own = name.replace(following, "") if following else name
        bare.append(own.rstrip("0123456789").strip("._- ").lower())
    again: list[int] = []
    for k, name in enumerate(bare):
        if name not in bare[:k] or not names_dates(name):
            continue
        first = bare.index(name)
        one, other = frame.iloc[:, first], frame.iloc[:, k]
        if not (_dates(one) and _dates(other)):
            continue
        differ = (other.notna() & (one != other)).to_numpy()
        if differ.any():
            row = int(differ.argmax())
            shown = " and ".join(str(column.iloc[row]).removesuffix(" 00:00:00") for column in (one, other))
            raise BasinError(
                f"{label}: columns {int(frame.columns[first]) + 1} ({names[first]}) and "
                f"{int(frame.columns[k]) + 1} ({names[k]}) both have dates, which differ in row {row + 1} "
                f"({shown}); give each block of columns a file of its own"
            )
        again.append(k)
    return again


def _dates(column: pd.Series) -> bool:
    return _kind([str(cell) for cell in column.dropna().head(60)]) != "text"


def _unique(names: list[str]) -> list[str]:
    """Name repeated columns after the column before, as in ``NINO3 ANOM NINO4 ANOM``, or number them.

    All of them are numbered. The first of two columns called Close is not what a user means by it.
    """
    names = [" ".join(name.split()) for name in names]
    repeated = {name for name, times in Counter(names).items() if times > 1}
    before = [next((n for n in reversed(names[:k]) if n not in repeated), "") for k in range(len(names))]
    joined = [f"{b} {n}".strip() if n in repeated else n for b, n in zip(before, names, strict=True)]
    if len(set(joined)) == len(names):
        return joined
    found: list[str] = []
    for k, name in enumerate(names):
        found.append(f"{name} {k + 1}" if name in repeated or name in found else name)
    return found
