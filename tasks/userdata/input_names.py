"""Names of a user's inputs, which differ from those of the columns that Basin adds to the same tables."""

import re

from tasks.reporting.labels import INPUTS

TABLE = (
    "time", "series", "close", "value", "row", "far", "reason", "days_since_previous", "day_of_month",
    "log_return",
)  # fmt: skip
"""Columns of a table of rows, of its checks and of its quarantine."""

ALARM = ("ebm", "base", "gjr-filtered-simulation", "logit", "simulated", "volatility")
"""Models of an alarm, of which each input is another one, and inputs of its logistic regression."""

FEATURES = re.compile(r".+_(5|22)|(rms|gk|pk)\d+_to_egarch")
"""Inputs of an energy that have numbers in their names: changes over 5 or 22 rows, and volatilities."""


def input_name(column: str) -> str:
    """Return the name of an input in the tables of Basin: that of its column, or a free one.

    Different columns have different names.

    Examples
    --------
    >>> input_name("vix"), input_name("close"), input_name("close_"), input_name("vix_5")
    ('vix', 'close_', 'close__', 'vix_5_')
    """
    return f"{column}_" if _taken(column.rstrip("_")) else column


def column_name(name: str) -> str:
    """Return the column whose :func:`input_name` is ``name``.

    Examples
    --------
    >>> column_name("vix"), column_name("close_"), column_name("close__"), column_name("vix_5_")
    ('vix', 'close', 'close_', 'vix_5')
    """
    return name[:-1] if _taken(name.rstrip("_")) else name


def _taken(name: str) -> bool:
    return name in (*TABLE, *ALARM, *INPUTS) or FEATURES.fullmatch(name) is not None
