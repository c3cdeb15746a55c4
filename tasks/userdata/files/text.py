"""Text tables: separator, header and layout, which are found from the first lines and said."""

import csv
import io
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates import date_like
from tasks.userdata.files.aligned import with_tabs
from tasks.userdata.files.decoding import read_decoded
from tasks.userdata.files.header import find_header, with_names
from tasks.userdata.files.later_headers import ONE_TABLE, refuse_other
from tasks.userdata.files.numbers import number_like
from tasks.userdata.files.year_lines import years_by_months

MOST_ROWS = 2_000_000
"""Most rows of a text table."""

SAMPLE = 100
"""Number of first lines from which separator and header are found."""

HEAD = 1_000_000
"""Number of first characters in which these lines are."""

SEPARATORS = ("\t", ";", ",", "|")

_GLUED = re.compile(r"(\.\d+|^\s*[12]\d{3})(?=-\d*\.\d)")
"""A number with decimals, or a year, without a blank before the minus of the next, as FORTRAN writes them."""

_QUOTED = re.compile(r'(^|[\t;,|])\s*"(?:[^"]|"")*"')
"""A cell in quotes, in which there may be other separators, and the separator before it."""

COMMENTS = ("#", "%")
"""First characters of lines above a table that are comments."""


def read_text(path: Path, notes: list[str]) -> tuple[pd.DataFrame, str]:
    """Return a text table with all cells as text, and its separator. What is found is added to ``notes``.

    Lines above the header are left out. A header of several lines, as yfinance writes, is joined. Tables of a
    year and twelve months a row become one row a month.
    """
    text = read_decoded(path, notes)
    start = text[:1000].lstrip("\ufeff \n\t").lower()
    for form, first in (("a web page (HTML)", ("<!doctype", "<html", "<?xml")), ("JSON", ("{", "[{", "[["))):
        if start.startswith(first):
            raise BasinError(f"{path}: is {form} and no table; give a CSV, Excel, Parquet or NetCDF file")
    comments, text, separator = _without_comments(text)
    head = [line for line in text[:HEAD].splitlines() if line.strip()][:SAMPLE]
    if not head:
        raise BasinError(f"{path}: is empty; give a file with data")
    if all(_in_quotes(line) is not None for line in head):
        text = "\n".join(_in_quotes(line) or line for line in text.split("\n"))
        head = [_in_quotes(line) or line for line in head]
    if not separator and (apart := _without_glue(text, head)) is not None:
        text = apart
        head = [line for line in text[:HEAD].splitlines() if line.strip()][:SAMPLE]
        notes.append("numbers that stand without a blank before a minus, such as 23.4-0.4, are two cells")
    years = years_by_months(text, path, notes)
    if years is not None:
        return years, " "
    separator = separator or _separator(head)
    if separator == " " or sum(separator in line for line in head) < 0.5 * len(head):
        aligned = with_tabs(text, separator == " ", str(path))
        if aligned is not None:
            text, separator = aligned, "\t"
            notes.append("the columns are at fixed positions")
    rows, ends = _rows(text, separator)
    commented = [_cells(line, separator) for line in comments]
    if separator == " ":  # names such as those of Berkeley Earth have commas behind them
        rows, commented = ([[cell.rstrip(",") for cell in row] for row in each] for each in (rows, commented))
    header = find_header(rows, commented, str(path), notes, strict=separator != " ")
    longest = max([len(header.names), *map(len, rows[header.first :])])
    body = _after(text, ends[header.first - 1] if header.first else 0)
    if not body.strip():
        return with_names(pd.DataFrame(columns=range(len(header.names))), header.names, str(path), notes), ""
    table = _parsed(body, separator, longest, len(header.names), path)
    if header.key is not None:
        refuse_other(table, header.key, rows[: header.first], str(path))
    return with_names(table, header.names, str(path), notes), separator


def _without_comments(text: str) -> tuple[list[str], str, str]:
    """Return the comments above a table, the text below them, and the separator that a line states."""
    comments, at, separator = [], 0, ""
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].strip(" ")
        stated = re.fullmatch(r'"?sep=(.)"?', line.strip("\ufeff"), re.IGNORECASE)
        if stated:
            separator = stated[1]
        elif line.startswith(COMMENTS):
            comments.append(line.lstrip("".join(COMMENTS)).strip(" "))
        elif line.strip():
            break
        at = end + 1
    return [line for line in comments if line], text[at:], separator


def _separator(lines: list[str]) -> str:
    """Return the separator that gives most lines the same number of cells; blanks if no other does."""
    shares = {}
    outside = [_QUOTED.sub(r'\1""', line) for line in lines]
    for separator in SEPARATORS:
        count = Counter(len(_cells(line, separator)) for line in outside)
        width, times = max(count.items(), key=lambda item: item[1] if item[0] > 1 else 0)
        shares[separator] = times / len(lines) if width > 1 else 0.0
    best = max(SEPARATORS, key=lambda s: (round(shares[s], 1), -SEPARATORS.index(s)))
    if shares[best] >= 0.5 and not (best == "," and _has_decimal_commas(lines)):
        return best
    blanks = Counter(len(_cells(line, " ")) for line in lines)
    width, times = blanks.most_common(1)[0]
    return " " if width > 1 and times >= 0.8 * len(lines) else ","


def _in_quotes(line: str) -> str | None:
    """Return a line without the quotes that stand around all of it, or None if there are none or one cell."""
    match = re.fullmatch(r'\s*"((?:[^"]|"")*)"\s*', line)
    content = match[1].replace('""', '"') if match else ""
    return content if any(mark in content for mark in SEPARATORS) else None


def _without_glue(text: str, head: list[str]) -> str | None:
    """Return text with blanks before minuses in lines with the usual number of cells only then, or None."""
    apart = [_GLUED.sub(r"\1 ", line) for line in head]
    usual, times = Counter(len(line.split()) for line in apart).most_common(1)[0]
    if usual < 2 or times < 0.8 * len(head) or any(mark in line for mark in "\t;|" for line in head):
        return None
    if _separator(apart) != " ":
        return None
    lines = text.split("\n")
    for k, line in enumerate(lines):
        if len(line.split()) != usual == len((cut := _GLUED.sub(r"\1 ", line)).split()):
            lines[k] = cut
    joined = "\n".join(lines)
    return joined if joined != text else None


def _has_decimal_commas(lines: list[str]) -> bool:
    """Return whether lines with commas are dates and numbers with blanks between them.

    A comma beside a blank separates cells.
    """
    cut = [_cells(line, " ") for line in lines]
    read = [row for row in cut if len(row) > 1 and all(c == c.strip(",") and _is_read(c) for c in row)]
    return len(read) > 0.8 * len(lines)


def _is_read(cell: str) -> bool:
    return number_like(cell) or date_like(cell)


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        line = " ".join(line.split())
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def _rows(text: str, separator: str) -> tuple[list[list[str]], list[int]]:
    """Return the cells of the first lines with content, and the number of the line where each ends."""
    head = io.StringIO(text[:HEAD])
    if separator == " ":
        lines = enumerate(islice(head, 10 * SAMPLE), 1)
        found = [(_cells(line, separator), number) for number, line in lines]
    else:
        reader = csv.reader(head, delimiter=separator)
        found = [([cell.strip() for cell in row], reader.line_num) for row in islice(reader, 10 * SAMPLE)]
    found = [(row, number) for row, number in found if any(row)][:SAMPLE]
    return [row for row, _ in found], [number for _, number in found]


def _after(text: str, lines: int) -> str:
    at = 0
    for _ in range(lines):
        at = text.find("\n", at) + 1
        if at == 0:
            return ""
    return text[at:]


def _parsed(body: str, separator: str, longest: int, width: int, path: Path) -> pd.DataFrame:
    """Parse the lines below the header with pandas. Cells beyond ``width`` must be empty."""
    try:
        table = pd.read_csv(
            io.StringIO(body),
            sep=r"\s+" if separator == " " else separator,
            header=None,
            names=range(longest),
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_values=[""],
            skipinitialspace=True,
            nrows=MOST_ROWS + 1,
            on_bad_lines="error",
            engine="c",
        )
    except pd.errors.ParserError as error:
        found = _most_cells(body, separator, width, path)
        if found > longest:  # of a row with empty cells at its end
            return _parsed(body, separator, found, width, path)
        reason = " ".join(str(error).split())[:200]
        raise BasinError(
            f"{path}: not readable as a table ({reason}); expected {width} cells a row, as in the header"
        ) from error
    if len(table) > MOST_ROWS:
        raise BasinError(f"{path}: more than {MOST_ROWS:,} rows; give a shorter file, or Parquet")
    if table.iloc[:, width:].notna().to_numpy().any():
        _most_cells(body, separator, width, path)
    return table.iloc[:, :width]


def _most_cells(body: str, separator: str, width: int, path: Path) -> int:
    """Return the most cells of a row; raise ``BasinError`` for a row with content beyond ``width`` cells."""
    cells = (_cells(line, " ") for line in io.StringIO(body)) if separator == " " else csv.reader(
        io.StringIO(body), delimiter=separator
    )  # fmt: skip
    most = row = 0
    for found in cells:
        most = max(most, len(found))
        row += any(found)
        if any(cell.strip() for cell in found[width:]):
            shown = separator.join(found)[:80]
            if row > 1 and not any(map(_is_read, found)):
                raise BasinError(f"{path}: row {row} ({shown}) is a header of more columns; {ONE_TABLE}")
            raise BasinError(
                f"{path}: row {row}: {len(found)} cells ({shown}), expected {width} cells as in the header; "
                "put cells that contain the separator in quotes, and give each column a name"
            )
    return most
