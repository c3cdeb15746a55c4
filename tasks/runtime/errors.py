"""The exception for errors that a user can correct, and words for messages."""

from collections.abc import Iterable
from difflib import get_close_matches


class BasinError(Exception):
    """Error that a user can correct. Its message says what was found, where, what was expected and a remedy.

    Every entry point (``python -m tasks``, Prefect, ``basin``) prints the message without a traceback and
    ends with exit code 1. Earlier outputs stay in place.
    """


def counted(number: int, noun: str) -> str:
    """Return a number with a regular noun: ``1 seed``, ``2 seeds``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the question whether the most similar of the ``known`` names was meant, to end a message.

    A name that begins with what was given comes before other similar names.

    Examples
    --------
    >>> nearest("prise", ("price", "return"))
    '; did you mean price?'
    >>> nearest("egarch", ("garch-t", "egarch-skewt"))
    '; did you mean egarch-skewt?'
    >>> nearest("x", ("price", "return"))
    ''
    """
    spelled = {word.lower(): word for word in known}
    longer = [word for word in spelled if len(name) > 2 and word.startswith(name.lower())]
    close = longer or get_close_matches(name.lower(), spelled, 1)
    return f"; did you mean {spelled[close[0]]}?" if close else ""


def expected(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: all known names, and the nearest one.

    Examples
    --------
    >>> expected("prise", ("price", "return"))
    'expected one of price, return; did you mean price?'
    """
    known = tuple(known)
    return f"expected one of {', '.join(known)}{nearest(name, known)}"
