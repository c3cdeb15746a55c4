"""One line of the table: what was asked, what was seen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    what: str
    asked: str
    seen: str
    met: bool
