"""Arguments of the functions of ``basin``: the data and the options, in every form that a user may give."""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from os import PathLike
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, Union

from tasks.runtime.errors import BasinError
from tasks.runtime.keywords import in_python

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from tasks.userdata.request import Request

YEAR_FIRST = re.compile(r"\s*\d{4}")
"""Start of a date in which day and month cannot be confused."""

P = ParamSpec("P")
R = TypeVar("R")


class ToPandas(Protocol):
    """Table that can be converted to pandas, such as a DataFrame of polars or a Table of pyarrow."""

    def to_pandas(self) -> Any: ...


Source: TypeAlias = Union[
    "pd.DataFrame", "pd.Series[Any]", "xr.DataArray", "xr.Dataset", ToPandas, str, PathLike[str]
]
"""Data of a user: a frame, series, array or dataset with dates, or the path of a file."""

Names: TypeAlias = str | Iterable[str]
"""One name or several."""

Label: TypeAlias = Hashable
"""Column of the data: its name, or another label of pandas, such as a number or a tuple of levels."""

Labels: TypeAlias = Label | Iterable[Label]
"""One column or several."""

Day: TypeAlias = str | date
"""Date, such as ``"2014-01-01"``, a ``datetime.date`` or a ``pandas.Timestamp``."""

BadRow: TypeAlias = Literal["stop", "drop", "interpolate"]

EXPECTED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "a text": (str, ("calendar", "freq", "kind", "on_bad_row", "resample", "variable")),
    "True or False": (bool, ("dev", "jointly", "overwrite", "strict")),
    "a whole number": (Integral, ("epochs", "horizon", "refit", "seed", "seeds", "width")),
    "a number": (Real, ("max_false_alarms_per_year",)),
    "a path": ((str, PathLike), ("out",)),
}
"""Types of options in words and in Python, with the options of each. None is allowed only as a default."""


def with_known_options(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, which raises ``TypeError`` with the options that it has for an unknown one.

    An option that is not of its type in ``EXPECTED`` raises ``BasinError``. A ``BasinError`` names options as
    the keywords of the function.
    """
    parameters = signature(function).parameters
    known = [name for name in parameters if name != "data"]

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        for name in options:
            if name not in ("data", *known):
                close = get_close_matches(name, known, 1)
                raise TypeError(
                    f"basin.{function.__name__}: unknown option {name}"
                    + (f" (did you mean {close[0]}?)" if close else "")
                    + f"; expected one of {', '.join(sorted(known))}"
                )
        typed: Any = {
            name: given if given is parameters[name].default else _typed(name, given)
            for name, given in options.items()
        }
        with in_python():
            return function(*args, **typed)

    return call


def request(
    *,
    target: Labels | None = None,
    targets: Literal["all"] | None = None,
    exog: Labels = (),
    time: Label | None = None,
    series: Label | None = None,
    horizon: int | None = None,
    leads: int | Iterable[int] | None = None,
    events: Names = (),
    peers: Names | None = None,
    test_from: Day | None = None,
    test_to: Day | None = None,
    accept: Mapping[str, str] | None = None,
    weights: Any = None,
    **others: Any,
) -> "Request":
    """Return the options as a ``Request``; ``others`` are passed on unchanged."""
    from tasks.userdata.request import Request

    if targets not in (None, "all"):
        raise BasinError(f'targets={targets!r}: expected "all"; give the names of columns as target')
    return Request(
        target=target if target is None or isinstance(target, str) else columns(target),
        all_targets=targets == "all",
        exog=columns(exog),
        time=column(time),
        series=column(series),
        leads=steps(horizon, leads),
        events=names("events", events),
        peers=None if peers in (None, "auto") else names("peers", peers),
        test_from=day("test_from", test_from),
        test_to=day("test_to", test_to),
        accept=reasons(accept),
        weights=portfolios(weights),
        **others,
    )


def portfolios(weights: Any) -> dict[str, dict[str, float]] | None:
    """Return weights of the series by portfolio."""
    if weights is None:
        return None
    from tasks.userdata.weights import portfolios_of

    return portfolios_of(weights)


def _typed(option: str, given: Any) -> Any:
    """Return an option as a type of Python, or raise ``BasinError`` if its type is another one."""
    import numpy as np

    found = given.item() if isinstance(given, np.generic) else given
    for expected, (kind, options) in EXPECTED.items():
        if option in options:
            if isinstance(found, kind) and isinstance(found, bool) == (kind is bool):
                return found
            raise BasinError(f"{_shown(option, given)}: expected {expected}, found {type(given).__name__}")
    return given


def _shown(option: str, given: Any) -> str:
    """Return an option and the start of its value in one line."""
    return f"{option}={shorten(repr(given), 60, placeholder=' ...')}"


def reasons(given: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Return the accepted checks of the audit, each with its reason."""
    items = tuple(given.items()) if isinstance(given, Mapping) else ()
    texts = all(isinstance(text, str) for item in items for text in item)
    if given is not None and not (isinstance(given, Mapping) and texts):
        raise BasinError(
            f"{_shown('accept', given)}: expected a dictionary of checks and reasons, such as "
            '{"coverage": "the exchange was closed"}'
        )
    return items


def names(option: str, given: Names | None) -> tuple[str, ...]:
    """Return one name or several as a tuple."""
    if given is None:
        return ()
    found = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    if not all(isinstance(name, str) for name in found):
        raise BasinError(f"{_shown(option, given)}: expected a text or several")
    return found


def columns(given: Labels | None) -> tuple[str, ...]:
    """Return one column or several as a tuple of their names in the table."""
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, Iterable):
        return (str(column(given)),)
    return tuple(str(column(label)) for label in given)


def column(given: Label | None) -> str | None:
    """Return the name of a column in the table, in which labels are texts."""
    from tasks.userdata.files.frames import name_of

    return given if given is None or isinstance(given, str) else name_of(given)


def steps(horizon: int | None, leads: int | Iterable[int] | None) -> tuple[int, ...]:
    """Return the steps ahead: 1 to ``horizon``, or ``leads``; by default one step."""
    if horizon is not None and leads is not None:
        raise BasinError("horizon and leads exclude each other; give one of them")
    if horizon is not None:
        if horizon < 1:
            raise BasinError(f"horizon {horizon}: expected at least 1 step")
        return tuple(range(1, horizon + 1))
    given = (1,) if leads is None else tuple(leads) if isinstance(leads, Iterable) else (leads,)
    if any(isinstance(lead, bool) or not isinstance(lead, Integral) for lead in given):
        raise BasinError(f"leads {leads}: expected whole numbers of steps, as in leads=[1, 3, 6]")
    return tuple(map(int, given))


def day(option: str, given: Day | None) -> date | None:
    """Return the day of a date or of a text, or raise ``BasinError`` if it is not a date."""
    import pandas as pd

    if given is None:
        return None
    try:
        if isinstance(given, Real) or pd.isna(given):
            raise TypeError
        if isinstance(given, str) and not YEAR_FIRST.match(given):  # pandas reads 02.03.2014 as 3 February
            raise ValueError
        return pd.Timestamp(given).date()
    except (TypeError, ValueError) as error:
        raise BasinError(f"{option} {given}: not a date; write it as in 2014-01-01") from error
