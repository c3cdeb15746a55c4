"""HTML of a report: tables, sections, and the page with its menu."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape, unescape

from tasks.reporting.glossary import terms_in
from tasks.reporting.style import CSS
from tasks.runtime.html import document

BOUND = re.compile(
    r"\d %|< \d|\b[tpn] = (?=[−\d])|\d nats|\d °C|\d × 10|[≤≥] (?=[−\d])|CRPS [+−]?\d|FZ₀ [−\d]"
)
"""Texts in which the space becomes a no-break space."""

HYPHENED = re.compile(r"\bE?G(?:ARCH|JR)-\w[\w-]*")
"""Names of models in which a hyphen becomes a no-break hyphen."""

PAGE = 1030
"""Width of a table in pixels, on a screen of 1,100 px or more."""

LETTER, PADDING, ROW_HEAD = 8, 20, 116
"""Width of a letter, of the space beside a column, and of the column of row names, in pixels."""


@dataclass(frozen=True)
class Cell:
    """Cell with its lines of text, a smaller part, and its CSS classes (``num``, ``words``, ``best``)."""

    words: str
    small: str = ""
    css: str = "num"

    def html(self) -> str:
        small = f"<small>{escape(self.small)}</small>" if self.small else ""
        words = escape(self.words).replace("\n", "<br>")
        return f'<td class="{self.css}">{words}{small}</td>'

    @property
    def width(self) -> float:
        """Least width in letters. Numbers are not broken, words only if they are very long."""
        whole = len(self.words) if "num" in self.css.split() else min(longest(self.words), 20)
        return max(whole, 0.88 * longest(self.small), 0.88 * len(self.small) / 3)


@dataclass(frozen=True)
class Pill:
    """Cell with a status. ``pass``, ``warn`` and ``fail`` are coloured, and any other is grey."""

    status: str

    def html(self) -> str:
        css = f" {self.status}" if self.status in ("pass", "warn", "fail") else ""
        return f'<td class="words status"><span class="pill{css}">{escape(self.status)}</span></td>'

    @property
    def width(self) -> float:
        return len(self.status) + 3.0


@dataclass(frozen=True)
class Row:
    head: str
    cells: Sequence[Cell | Pill]
    css: str = ""
    small: str = ""

    def html(self, shown: slice) -> str:
        """Return the row with some of its cells."""
        small = f'<small class="note">{escape(self.small)}</small>' if self.small else ""
        cells = "".join(cell.html() for cell in self.cells[shown])
        return f'<tr class="{self.css}"><th scope="row">{escape(self.head)}{small}</th>{cells}</tr>'


def longest(words: str) -> int:
    """Return the length of the longest word."""
    return max(map(len, words.split()), default=0)


def table(caption: str, columns: Sequence[str], rows: Sequence[Row], words: Sequence[int] = ()) -> str:
    """Return a table in a box. Columns at positions ``words`` are left-aligned.

    A table that is wider than the page is split into several, each with the names of the rows. On a screen
    that is narrower than the page the box scrolls sideways.
    """
    first, *others = columns
    name, parts = escape(caption), ""
    for shown in column_groups(others, rows):
        titles = [(0, first), *list(enumerate(others, 1))[shown]]
        head = "".join(
            f'<th scope="col"{" class=words" if i in words else ""}>{escape(title)}</th>'
            for i, title in titles
        )
        body = "".join(row.html(shown) for row in rows)
        parts += f'<table aria-label="{name}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return (
        f'<div class="box"><p class="caption">{name}</p><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{name}">{parts}</div></div>'
    )


def column_groups(columns: Sequence[str], rows: Sequence[Row]) -> list[slice]:
    """Return the columns of each part of a table, of about the same number, such that all parts fit."""
    widths = [
        max([0.9 * longest(title), *(row.cells[i].width for row in rows if i < len(row.cells))])
        for i, title in enumerate(columns)
    ]
    room = (PAGE - ROW_HEAD - PADDING) / LETTER
    for parts in range(1, len(columns) + 1):
        size = -(-len(columns) // parts)
        groups = [slice(at, at + size) for at in range(0, len(columns), size)]
        if all(sum(w + PADDING / LETTER for w in widths[group]) <= room for group in groups):
            return groups
    return [slice(i, i + 1) for i in range(len(columns))] or [slice(0, 0)]


def part(name: str, content: str) -> str:
    """Return content under a heading, whose name begins the labels of tables and boxes that lack it.

    Without it, a page would have several regions of one label.
    """
    title = escape(name)
    label = re.compile(rf'(role="region" |<table )aria-label="(?!{re.escape(title)}: )')
    return f"<h3>{title}</h3>" + label.sub(lambda found: f"{found[0]}{title}: ", content)


def folded(summary: str, content: str) -> str:
    """Return content that is hidden until its summary is clicked. This needs no script."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def card(content: str) -> str:
    return f'<div class="card">{content}</div>'


def pair(*contents: str) -> str:
    """Return cards side by side, or below each other on a narrow screen."""
    return f'<div class="pair">{"".join(card(c) for c in contents)}</div>'


def paragraph(words: str, css: str = "") -> str:
    return f'<p class="{css}">{escape(words)}</p>' if css else f"<p>{escape(words)}</p>"


@dataclass(frozen=True)
class Section:
    anchor: str
    menu: str
    title: str
    content: str

    def html(self, others: str = "") -> str:
        """Return the HTML of the section; ``others`` is the HTML of the rest of the page."""
        return (
            f'<section id="{self.anchor}" aria-labelledby="{self.anchor}-title">'
            f'<h2 id="{self.anchor}-title">{escape(self.title)}</h2>{self.content}</section>'
        )


class Glossary(Section):
    """Section that explains the terms of the glossary that occur on the rest of the page."""

    def html(self, others: str = "") -> str:
        visible = unescape(re.sub(r"<[^>]+>", " ", others))
        entries = "".join(
            f"<dt>{escape(entry.term[:1].upper() + entry.term[1:])}</dt><dd>{escape(entry.meaning)}</dd>"
            for entry in terms_in(visible)
        )
        content = f'<div class="card"><dl>{entries}</dl></div>'
        return Section(self.anchor, self.menu, self.title, content).html()


def page(
    title: str,
    eyebrow: str,
    headline: str,
    lead: str,
    tiles: Sequence[tuple[str, str]],
    sections: Sequence[Section],
) -> str:
    """Return the complete HTML page, with ``tiles`` of (number, words) at the top."""
    menu = "".join(f'<li><a href="#{s.anchor}">{escape(s.menu)}</a></li>' for s in sections)
    figures = "".join(
        f'<div class="tile"><b>{escape(number)}</b><span>{escape(words)}</span></div>'
        for number, words in tiles
    )
    tiled = f'<div class="tiles">{figures}</div>' if tiles else ""
    top = (
        f'<header class="top"><div class="inner"><p '
        f'class="eyebrow">{escape(eyebrow)}</p><h1>{escape(headline)}</h1>'
        f'<p class="lead">{escape(lead)}</p>{tiled}</div></header>\n'
    )
    # The provenance has names of files and settings, in which a word is no term to be explained.
    others = top + "".join(section.content for section in sections if section.anchor != "provenance")
    body = (
        f'{top}<nav aria-label="Sections"><ul>{menu}</ul></nav>\n<main>\n'
        + "\n".join(section.html(others) for section in sections)
        + "\n</main>\n<footer>Made by Basin. The page loads no other file and runs no script. It states "
        "forecasts with their uncertainty and gives no advice.</footer>"
    )
    html = HYPHENED.sub(lambda m: m[0].replace("-", "\N{NON-BREAKING HYPHEN}"), document(title, CSS, body))
    return BOUND.sub(lambda m: m[0].replace(" ", "\N{NO-BREAK SPACE}"), html)
