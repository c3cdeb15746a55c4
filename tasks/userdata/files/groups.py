"""Names of groups of columns in a line above the header, such as securities above their fields."""

from tasks.sources.dates import date_like
from tasks.userdata.files.columns import names_dates
from tasks.userdata.files.numbers import number_like


def with_groups(row: list[str], above: list[str], key: int) -> list[str] | None:
    """Return the header ``row`` with the names of groups before those of its columns, or None.

    A name in the line ``above`` holds up to the next one. Without empty cells between them, the names hold
    for equally many columns each. A group with one column beside its dates gives the column its name. The
    line is used only if the header alone repeats names, and no longer does so with it.

    Examples
    --------
    >>> with_groups(["Date", "PX", "", "Date", "PX"], ["SPX", "", "", "SX5E", ""], 0)
    ['Date', 'SPX', '', 'Date', 'SX5E']
    >>> with_groups(["Week", "SST", "SSTA", "SST", "SSTA"], ["Nino3", "Nino4"], 0)
    ['Week', 'Nino3 SST', 'Nino3 SSTA', 'Nino4 SST', 'Nino4 SSTA']
    """
    columns = [k for k, name in enumerate(row) if name and k != key and not names_dates(name)]
    fields = [row[k] for k in columns]
    named = [cell for cell in above if cell]
    if len(set(fields)) == len(fields) or len(set(named)) < 2:
        return None
    if any(date_like(cell) or number_like(cell) for cell in named):
        return None
    groups = _spread(above, columns) if "" in above else _shared(named, fields)
    if not all(groups):
        return None
    single = len(set(groups)) == len(groups)
    names = groups if single else [f"{g} {f}" if g != f else f for g, f in zip(groups, fields, strict=True)]
    if len(set(names)) < len(names):
        return None
    joined = dict(zip(columns, names, strict=True))
    return [joined.get(k, name) for k, name in enumerate(row)]


def _spread(above: list[str], columns: list[int]) -> list[str]:
    """Return for each column the last name above it or to its left, or an empty text."""
    return [next((cell for cell in reversed(above[: k + 1]) if cell), "") for k in columns]


def _shared(named: list[str], fields: list[str]) -> list[str]:
    """Return the names, each for equally many columns with the same fields, or empty texts."""
    size, rest = divmod(len(fields), len(named))
    if rest or fields != fields[:size] * len(named):
        return [""]
    return [name for name in named for _ in range(size)]
