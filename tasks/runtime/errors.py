"""The one exception that ends a command with one clear line, and what such lines count."""


class BasinError(Exception):
    """Something a user can mend: what was found, where, what was expected, what to do next.

    Every entry point (``python -m tasks``, Prefect, ``basin``) prints the message as one line and ends with
    exit code 1; the last good outputs stay in place.
    """


def counted(number: int, noun: str) -> str:
    """``1 seed``, ``2 seeds``: a number with a regular noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
