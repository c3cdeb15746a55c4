"""Text with columns at fixed positions, in which blanks alone do not show that a cell is empty."""

import re
from collections import Counter

from tasks.runtime.errors import BasinError
from tasks.sources.dates import date_like
from tasks.userdata.files.numbers import number_like

Span = tuple[int, int]


def with_tabs(text: str, blanks: bool, label: str) -> str | None:
    """Return text with tabs between the columns that have fixed positions, or None if it has no such columns.

    Rows of different numbers of words show that cells are empty or have blanks in them. ``blanks`` tells that
    blanks separate the cells of most rows. Then it raises ``BasinError`` for a row with too few numbers, if
    the columns are not aligned, as it cannot be told which ones it lacks.
    """
    lines = text.expandtabs().split("\n")
    words = [line.split() for line in lines]
    usual = Counter(map(len, filter(None, words))).most_common(1)[0][0]
    if not any(row and len(row) != usual and _is_read(row[0]) for row in words):
        return None
    data = [k for k, row in enumerate(words) if row and _is_read(row[0])]
    above = sorted(set(range(len(words) // 2)) - set(data))
    head = next((k for k in reversed(above) if words[k]), -1)
    data = [k for k in data if k > head]
    if len(data) < 3:
        return None
    rows = [lines[k] for k in data]
    for names in ([lines[head]] if head >= 0 else []), []:
        spans = _spans([*names, *rows])
        if _fits(rows, spans):
            break
    else:
        if blanks:
            _require_numbers(words, head, data, label)
        return None
    cut = {k: _cut(lines[k], spans) for k in data}
    for k in set(range(len(words))) - set(data):
        if words[k] and len(words[k]) == len(spans) and not _is_read(words[k][0]):
            cut[k] = words[k]
        elif words[k] and _within(lines[k], spans):
            cut[k] = _cut(lines[k], spans)
    return "\n".join("\t".join(cut[k]) if k in cut else line for k, line in enumerate(lines))


def _is_read(cell: str) -> bool:
    return number_like(cell) or date_like(cell)


def _spans(lines: list[str]) -> list[Span]:
    """Return the beginnings and ends of the columns, between which all lines have blanks."""
    width = max(map(len, lines))
    used = bytearray(width + 1)
    for line in lines:
        for word in re.finditer(r"\S+", line):
            used[word.start() : word.end()] = b"\1" * len(word[0])
    ends = [k for k in range(width + 1) if used[k] != (used[k - 1] if k else 0)]
    return list(zip(ends[::2], ends[1::2], strict=True))


def _cut(line: str, spans: list[Span]) -> list[str]:
    return [line[first:last].strip() for first, last in spans]


def _within(line: str, spans: list[Span]) -> bool:
    """Return whether each word of a line stands within a column."""
    words = [match.span() for match in re.finditer(r"\S+", line)]
    return all(any(a <= first and last <= b for a, b in spans) for first, last in words)


def _fits(rows: list[str], spans: list[Span]) -> bool:
    """Return whether no number shares its cell with a word, and a column beside the first one has numbers."""
    numeric = 0
    for k, (first, last) in enumerate(spans):
        cells = [cell for row in rows if (cell := row[first:last].strip())]
        sample = cells[:: max(1, len(cells) // 500)]
        numbers = sum(map(number_like, sample)) > len(sample) / 2
        several = [cell for cell in cells if " " in cell and not date_like(cell)]
        if several and (numbers or any(sum(map(_is_read, cell.split())) > 1 for cell in several)):
            return False
        numeric += numbers and k > 0
    return numeric > 0


def _require_numbers(words: list[list[str]], head: int, data: list[int], label: str) -> None:
    """Raise ``BasinError`` for a row above the last one that has fewer numbers than full rows."""
    count = Counter(len(words[k]) for k in data)
    named = len(words[head]) if head >= 0 else 0
    full = named if named in count else count.most_common(1)[0][0]
    usual = Counter(sum(map(number_like, words[k])) for k in data if len(words[k]) == full)
    numbers = usual.most_common(1)[0][0]
    for row, k in enumerate(data[:-1], 1):
        if len(words[k]) < full and sum(map(number_like, words[k])) < numbers > 1:
            raise BasinError(
                f"{label}: row {row} has {len(words[k])} cells ({' '.join(words[k])[:60]}), expected {full}, "
                "and it cannot be told which are empty; write NA for each empty cell"
            )
