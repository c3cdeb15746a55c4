"""Small HTML tables of results for notebooks, in the colours of the notebook, light or dark."""

from collections.abc import Sequence
from html import escape

STYLE = (
    "<style>.basin{font:13px/1.45 system-ui,sans-serif;color:inherit}"
    ".basin table{border-collapse:collapse;margin:.4em 0;color:inherit;background:none}"
    ".basin caption{text-align:left;font-weight:600;padding:.2em 0;color:inherit}"
    ".basin th,.basin td{padding:.15em .7em;text-align:right;background:none;border:0;color:inherit;"
    "font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".basin th:first-child,.basin td:first-child{text-align:left;padding-left:0}"
    ".basin thead th{font-weight:500;opacity:.7;border-bottom:1px solid}"
    ".basin details{margin-top:.4em}.basin summary{cursor:pointer;opacity:.7}</style>"
)


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table, whose first column is of names. Cells are escaped."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def page(tables: Sequence[str], notes: Sequence[str], lines: Sequence[str] = ()) -> str:
    """Return tables with their style, followed by lines of text and by the notes, which are folded."""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    folded = f"<details><summary>Notes</summary><ul>{items}</ul></details>" if notes else ""
    paragraphs = "".join(f"<div>{escape(line)}</div>" for line in lines)
    return f'<div class="basin">{STYLE}{"".join(tables)}{paragraphs}{folded}</div>'
