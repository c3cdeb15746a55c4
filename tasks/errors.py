"""The one exception that ends a command with one clear line."""


class BasinError(Exception):
    """Something a user can mend: what was found, where, what was expected, what to do next.

    Every door (``python -m tasks``, Prefect, ``basin``) prints the message as one line and ends with
    exit code 1; the last good outputs stay in place.
    """
