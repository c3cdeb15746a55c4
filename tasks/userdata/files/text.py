"""Text tables: encoding, separator, header and layout, which are found from the first lines and said."""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import IO, Any

import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates import date_like
from tasks.userdata.files.numbers import MISSING, number_like

MOST_ROWS = 2_000_000
"""Most rows of a text table."""

MOST_BYTES = 1_000_000_000
"""Most bytes of a text table after decompression."""

LONGEST_FIELD = 100_000
"""Most characters of a cell."""

SAMPLE = 60
"""Number of first lines from which separator and header are found."""

SEPARATORS = ("\t", ";", ",", "|")

MONTHS_OF_YEAR = 12

OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def read_text(path: Path, notes: list[str]) -> pd.DataFrame:
    """Return a text table with all cells as text, and add a sentence to ``notes`` for each thing found.

    Lines above the header are left out. A header of several lines, as yfinance writes, is joined. Tables of a
    year and twelve months a row become one row a month.
    """
    text = _decoded(_bytes(path), path, notes)
    head = [line for line in text[: 200 * 1000].splitlines() if line.strip()][:SAMPLE]
    if not head:
        raise BasinError(f"{path}: is empty; give a file with data")
    years = _years_by_months(text, path, notes)
    if years is not None:
        return years
    separator = _separator(head)
    rows = [_cells(line, separator) for line in head]
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    width = max(width, 1)
    first, names = _header(rows, width, notes, path)
    table = _parsed(text, separator, first, len(names), path)
    table.columns = pd.Index(_unique(names))
    return table


def _bytes(path: Path) -> bytes:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            files = [name for name in archive.namelist() if not name.endswith("/")]
            if len(files) != 1:
                raise BasinError(f"{path}: holds {len(files)} files, expected one; unpack the one to read")
            with archive.open(files[0]) as stream:
                return _limited(stream, path)
    if path.suffix == ".zst":
        import pyarrow

        with pyarrow.input_stream(str(path), compression="zstd") as stream:
            return _limited(stream, path)
    opened: Any = OPENERS.get(path.suffix, open)
    with opened(path, "rb") as stream:
        return _limited(stream, path)


def _limited(stream: IO[bytes], path: Path) -> bytes:
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise BasinError(f"{path}: more than {MOST_BYTES:,} bytes; give a shorter file, or Parquet")
    return data


def _decoded(data: bytes, path: Path, notes: list[str]) -> str:
    """Decode by the byte order mark, as UTF-8, or as the Western code page that Excel writes."""
    marks = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
    for mark, encoding in marks:
        if data.startswith(mark):
            if encoding == "utf-16":
                notes.append("the file is encoded in UTF-16")
                return data.decode("utf-16")
            return data[len(mark) :].decode("utf-8")
    zeros = data[:4000].count(0)
    if zeros > 0.3 * min(len(data), 4000):
        encoding = "utf-16-be" if data[0:4000:2].count(0) > data[1:4000:2].count(0) else "utf-16-le"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            text = ""
        if text and "\x00" not in text:
            notes.append("the file is encoded in UTF-16")
            return text
    if zeros:
        raise BasinError(f"{path}: not readable as text (it has zero bytes); save it as CSV in UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        strange = sum((byte < 32 and byte not in b"\t\n\r") or byte >= 128 for byte in data[:10_000])
        if strange > 0.3 * min(len(data), 10_000):
            raise BasinError(
                f"{path}: not readable as text (byte {error.start + 1} is no character); give a CSV, Excel, "
                "Parquet or NetCDF file"
            ) from error
        notes.append("the file is not UTF-8 and is read as Windows-1252")
        return data.decode("cp1252", errors="replace")


def _separator(lines: list[str]) -> str:
    """Return the separator that gives most lines the same number of cells; blanks if no other does."""
    best, shares = " ", {}
    for separator in SEPARATORS:
        count = Counter(len(_cells(line, separator)) for line in lines)
        width, times = max(count.items(), key=lambda item: item[1] if item[0] > 1 else 0)
        shares[separator] = times / len(lines) if width > 1 else 0.0
    best = max(SEPARATORS, key=lambda s: (round(shares[s], 1), -SEPARATORS.index(s)))
    if shares[best] >= 0.5:
        return best
    blanks = Counter(len(line.split()) for line in lines)
    width, times = blanks.most_common(1)[0]
    return " " if width > 1 and times >= 0.8 * len(lines) else ","


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def _is_data(row: list[str]) -> bool:
    return any(number_like(cell) or date_like(cell) for cell in row)


def _header(rows: list[list[str]], width: int, notes: list[str], path: Path) -> tuple[int, list[str]]:
    """Return the number of lines above the data, without blank ones, and the names of the columns."""
    data = next((k for k, row in enumerate(rows) if len(row) == width and _is_data(row)), None)
    if data is None:  # no data at all: the first line is the header
        return 1, rows[0]
    above = [k for k in range(data) if len(rows[k]) == width]
    if not above:
        # The first row of data may lack the header's width, as in a file with a trailing separator.
        near = [k for k in range(data) if len(rows[k]) in (width - 1, width + 1) and not _is_data(rows[k])]
        if not near:
            notes.append("the file has no header: its columns are called column 1, column 2 and so on")
            return data, [f"column {k + 1}" for k in range(width)]
        above = near[-1:]
    if above[0] > 0:
        skipped = " | ".join(" ".join(rows[k])[:60] for k in range(above[0]))
        notes.append(f"{above[0]} line{'s' * (above[0] > 1)} above the header left out: {skipped}")
    block = [rows[k] for k in above]
    if len(block) == 1:
        return data, _named(block[0], notes)
    last = block[-1]
    if last[0] and not any(last[1:]):  # yfinance: fields, tickers, and the name of the index
        levels = [row[1:] for row in block[:-1]]
        kept = [level for level in levels if len(set(level)) > 1] or levels[:1]
        notes.append(f"the header has {len(block)} lines, which are joined")
        return data, [last[0], *(" ".join(parts) for parts in zip(*kept, strict=True))]
    if len(block) == 2:
        notes.append(f"the second line has the units: {', '.join(filter(None, last))}")
        return data, _named(block[0], notes)
    return data, _named(last, notes)


def _named(row: list[str], notes: list[str]) -> list[str]:
    return [name or f"column {k + 1}" for k, name in enumerate(row)]


def _unique(names: list[str]) -> list[str]:
    """Name a repeated column after the column before it, as in ``NINO3 ANOM NINO4 ANOM``."""
    names = [" ".join(name.split()) for name in names]
    repeated = {name for name, times in Counter(names).items() if times > 1}
    found: list[str] = []
    for k, name in enumerate(names):
        if name in repeated:
            before = next((n for n in reversed(names[:k]) if n not in repeated), "")
            name = f"{before} {name}".strip()
        if name in found:
            name = f"{name} {k + 1}"
        found.append(name)
    return found


def _parsed(text: str, separator: str, above: int, width: int, path: Path) -> pd.DataFrame:
    """Parse the lines below the header with pandas. Rows with more cells than names are an error."""
    at = 0
    for _ in range(above):  # skip the lines of the header, and blank lines between them
        while True:
            end = text.find("\n", at)
            line, at = (text[at:], len(text)) if end < 0 else (text[at:end], end + 1)
            if line.strip() or at >= len(text):
                break
    body = text[at:]
    if not body.strip():
        return pd.DataFrame({k: pd.Series(dtype=object) for k in range(width)})
    spaced = separator == " "
    try:
        table = pd.read_csv(
            io.StringIO(body),
            sep=r"\s+" if spaced else separator,
            header=None,
            names=range(width),
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_values=list(MISSING),
            skipinitialspace=True,
            nrows=MOST_ROWS + 1,
            on_bad_lines="error",
            engine="c",
        )
    except pd.errors.ParserError as error:
        reason = " ".join(str(error).split())[:200]
        raise BasinError(
            f"{path}: not readable as a table ({reason}); expected {width} cells a row, as in the header"
        ) from error
    if len(table) > MOST_ROWS:
        raise BasinError(f"{path}: more than {MOST_ROWS:,} rows; give a shorter file, or Parquet")
    return table


def _years_by_months(text: str, path: Path, notes: list[str]) -> pd.DataFrame | None:
    """Return a table of a year and twelve months a row as one row a month, or None for another layout."""
    lines = [
        line.split() for line in re.split(r"[\r\n]+", text[: 400 * 1000].replace(",", " ")) if line.strip()
    ]
    of_year = [
        row for row in lines if len(row) == MONTHS_OF_YEAR + 1 and re.fullmatch(r"[12]\d{3}", row[0])
        and all(number_like(cell) for cell in row[1:])
    ]  # fmt: skip
    years = [int(row[0]) for row in of_year]
    if len(years) < 3 or len(of_year) < 0.6 * len(lines) or years != list(range(years[0], years[-1] + 1)):
        return None
    rest = [row for row in lines if row not in of_year]
    flags = {row[0] for row in rest if len(row) == 1 and number_like(row[0])}
    time = [f"{year}-{month:02d}-01" for year in years for month in range(1, MONTHS_OF_YEAR + 1)]
    value = [None if cell in flags else cell for row in of_year for cell in row[1:]]
    said = f"; {', '.join(sorted(flags))} is a missing value" if flags else ""
    notes.append(f"each line has a year and its twelve months{said}")
    while value and value[-1] is None:  # months to come
        value.pop()
    named = re.sub(r"\W+", "_", path.name.split(".")[0]) or "value"
    return pd.DataFrame({"time": time[: len(value)], named: value}, dtype=object)
