"""The exception for errors that a user can correct, and number words for messages."""


class BasinError(Exception):
    """Error that a user can correct. Its message says what was found, where, what was expected and a remedy.

    Every entry point (``python -m tasks``, Prefect, ``basin``) prints the message without a traceback and
    ends with exit code 1. Earlier outputs stay in place.
    """


def counted(number: int, noun: str) -> str:
    """Return a number with a regular noun: ``1 seed``, ``2 seeds``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
