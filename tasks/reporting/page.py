"""The HTML around the content: tables, sections and the page, with a policy that forbids any request."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tasks.reporting.style import CSS

BOUND = re.compile(r"\d %|< \d|\b[tpn] = (?=[−\d])|\d nats|\d °C")
"""What must not be torn apart at the end of a line."""


@dataclass(frozen=True)
class Cell:
    """One cell: escaped ``words``, a smaller second line, and how it is set (``num words best``)."""

    words: str
    small: str = ""
    css: str = "num"

    def html(self) -> str:
        small = f"<small>{escape(self.small)}</small>" if self.small else ""
        return f'<td class="{self.css}">{escape(self.words)}{small}</td>'


@dataclass(frozen=True)
class Pill:
    """A status in its colour: ``pass``, ``warn`` or ``fail``."""

    status: str

    def html(self) -> str:
        css = self.status if self.status in ("pass", "warn", "fail") else "fail"
        return f'<td class="words status"><span class="pill {css}">{escape(self.status)}</span></td>'


@dataclass(frozen=True)
class Row:
    head: str
    cells: Sequence[Cell | Pill]
    css: str = ""
    small: str = ""

    def html(self) -> str:
        small = f'<small class="note">{escape(self.small)}</small>' if self.small else ""
        cells = "".join(cell.html() for cell in self.cells)
        return f'<tr class="{self.css}"><th scope="row">{escape(self.head)}{small}</th>{cells}</tr>'


def table(caption: str, columns: Sequence[str], rows: Sequence[Row], words: Sequence[int] = ()) -> str:
    """A table inside a box that scrolls by itself; ``words`` are the columns set to the left."""
    head = "".join(
        f'<th scope="col"{" class=words" if i in words else ""}>{escape(name)}</th>'
        for i, name in enumerate(columns)
    )
    body = "".join(row.html() for row in rows)
    name = escape(caption)
    return (
        f'<div class="box"><p class="caption">{name}</p><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{name}">'
        f'<table aria-label="{name}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></div>'
    )


def folded(summary: str, content: str) -> str:
    """Content that opens on a click, without a script."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def card(content: str) -> str:
    return f'<div class="card">{content}</div>'


def pair(*contents: str) -> str:
    """Cards side by side where there is room for two."""
    return f'<div class="pair">{"".join(card(c) for c in contents)}</div>'


def paragraph(words: str, css: str = "") -> str:
    return f'<p class="{css}">{escape(words)}</p>' if css else f"<p>{escape(words)}</p>"


@dataclass(frozen=True)
class Section:
    anchor: str
    menu: str
    title: str
    content: str

    def html(self) -> str:
        return (
            f'<section id="{self.anchor}" aria-labelledby="{self.anchor}-title">'
            f'<h2 id="{self.anchor}-title">{escape(self.title)}</h2>{self.content}</section>'
        )


def page(
    title: str,
    eyebrow: str,
    headline: str,
    lead: str,
    tiles: Sequence[tuple[str, str]],
    sections: Sequence[Section],
) -> str:
    """The whole document. The policy in its head lets it show inline pictures and styles and nothing else."""
    menu = "".join(f'<li><a href="#{s.anchor}">{escape(s.menu)}</a></li>' for s in sections)
    figures = "".join(
        f'<div class="tile"><b>{escape(number)}</b><span>{escape(words)}</span></div>'
        for number, words in tiles
    )
    document = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        f'<header class="top"><div class="inner"><p '
        f'class="eyebrow">{escape(eyebrow)}</p><h1>{escape(headline)}</h1>'
        f'<p class="lead">{escape(lead)}</p><div class="tiles">{figures}</div></div></header>\n'
        f'<nav aria-label="Sections"><ul>{menu}</ul></nav>\n<main>\n'
        + "\n".join(section.html() for section in sections)
        + "\n</main>\n<footer>Made by Basin from the files named under Provenance. The page loads nothing "
        "and runs no "
        "script. It is a forecast with stated uncertainty, not advice.</footer>\n</body>\n</html>\n"
    )
    return BOUND.sub(lambda m: m[0].replace(" ", "\N{NO-BREAK SPACE}"), document)
