"""Arguments of the functions of ``basin``: the data and the options, in every form that a user may give."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from operator import index
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, Union

from tasks.runtime.errors import BasinError
from tasks.runtime.keywords import in_python

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from tasks.userdata.request import Request

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

WHOLE = ("refit", "seeds")
"""Options that are whole numbers."""

BadRow: TypeAlias = Literal["stop", "drop", "interpolate"]


def with_known_options(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, which raises ``TypeError`` with the options that it has for an unknown one.

    A ``BasinError`` names options as the keywords of the function.
    """
    known = [name for name in signature(function).parameters if name != "data"]

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
        with in_python():
            return function(*args, **options)

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
    **others: Any,
) -> "Request":
    """Return the options as a ``Request``; ``others`` are texts, whole numbers and flags."""
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
        **{option: _checked(option, given) for option, given in others.items()},
    )


def _checked(option: str, given: Any) -> Any:
    """Return a text, a whole number or a flag, or raise ``BasinError`` if the option is of another type."""
    if given is None or isinstance(given, (bool, str) if option not in WHOLE else Integral):
        return given
    expected = "a whole number" if option in WHOLE else "a text"
    raise BasinError(f"{option}={given!r}: expected {expected}, found {type(given).__name__}")


def reasons(given: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Return the accepted checks of the audit, each with its reason."""
    if given is not None and not isinstance(given, Mapping):
        raise BasinError(
            f"accept={given!r}: expected a dictionary of checks and reasons, such as "
            '{"coverage": "the exchange was closed"}'
        )
    return tuple((given or {}).items())


def names(option: str, given: Names | None) -> tuple[str, ...]:
    """Return one name or several as a tuple."""
    if given is None:
        return ()
    found = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    if not all(isinstance(name, str) for name in found):
        raise BasinError(f"{option}={given!r}: expected a text or several")
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
    try:
        if horizon is not None:
            last = index(horizon)
            if last < 1:
                raise BasinError(f"horizon {horizon}: expected at least 1 step")
            return tuple(range(1, last + 1))
        if leads is None:
            return (1,)
        return tuple(map(index, leads)) if isinstance(leads, Iterable) else (index(leads),)
    except TypeError as error:
        given = f"leads {leads}" if horizon is None else f"horizon {horizon}"
        raise BasinError(f"{given}: expected whole numbers of steps, as in leads=[1, 3, 6]") from error


def day(option: str, given: Day | None) -> date | None:
    """Return the day of a date or of a text, or raise ``BasinError`` if it is not a date."""
    import pandas as pd

    if given is None:
        return None
    try:
        if isinstance(given, Real) or pd.isna(given):
            raise TypeError
        return pd.Timestamp(given).date()
    except (TypeError, ValueError) as error:
        raise BasinError(f"{option} {given}: not a date; write it as in 2014-01-01") from error
