"""Python interface of Basin: backtests, forecasts and alarms for your own time series."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import date
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    import pandas as pd

    from tasks.userdata.alarm import Alarm
    from tasks.userdata.inspection import Inspection
    from tasks.userdata.request import Request
    from tasks.userdata.results import Backtest, Forecast

__all__ = ["Alarm", "Backtest", "Forecast", "Inspection", "alarm", "backtest", "forecast", "inspect"]

RESULTS = {
    "Alarm": "tasks.userdata.alarm",
    "Backtest": "tasks.userdata.results",
    "Forecast": "tasks.userdata.results",
    "Inspection": "tasks.userdata.inspection",
}
"""Classes of results and their modules, which are imported when they are used."""


def __getattr__(name: str) -> Any:
    if name not in RESULTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(RESULTS[name]), name)


def inspect(data: "pd.DataFrame | str | Path", **options: Any) -> "Inspection":
    """Return what is understood of a file, and what may be wrong with it. Nothing is fitted or written.

    Parameters
    ----------
    data : DataFrame, str or Path
        Frame, or path of a CSV or other text table, an Excel, Parquet or NetCDF file.
    **options
        ``time``, ``target``, ``exog``, ``series``, ``kind``, ``freq``, ``resample``, ``calendar``,
        ``all_targets`` and ``on_bad_row``, as in :func:`backtest`.

    Returns
    -------
    Inspection
        The roles of the columns, the frequency, calendar and kind, the next date, and warnings.

    Raises
    ------
    tasks.runtime.errors.BasinError
        If the data cannot be read. The message is one line that says what was found and what to do.
    TypeError
        If an option is unknown.

    Examples
    --------
    >>> import basin
    >>> import pandas as pd
    >>> frame = pd.DataFrame(
    ...     {"date": pd.bdate_range("2020-01-01", periods=300), "close": range(100, 400)}
    ... )
    >>> found = basin.inspect(frame)
    >>> found.rows["next date"]
    '2021-02-24'
    """
    from tasks.userdata.inspection import inspect as look

    return look(_source(data), _request(inspect, options))


def backtest(
    data: "pd.DataFrame | str | Path",
    *,
    out: str | Path,
    time: str | None = None,
    target: str | Sequence[str] | None = None,
    exog: Sequence[str] = (),
    leads: Sequence[int] = (1,),
    test_from: str | date | None = None,
    test_to: str | date | None = None,
    peers: Sequence[str] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> "Backtest":
    """Backtest the energy-based model and the classical models on the dates of a test block.

    Each date is forecast from earlier data only, as a full distribution, and scored. The results are written
    to the folder ``out``: ``scores.json``, ``forecasts.parquet``, ``report.html`` and ``model/``.

    Parameters
    ----------
    data : DataFrame, str or Path
        Frame, or path of a CSV, Parquet or NetCDF file, with one row for each date and series.
    time : str
        Column of the dates.
    target : str
        Column to forecast. For prices, the returns 100·Δlog are forecast.
    out : str or Path
        Folder for the results. It must be new, empty, or hold earlier results.
    exog : sequence of str, optional
        Columns used as further inputs. Their values must be known at the same time as those of the target.
    leads : sequence of int, default (1,)
        Steps ahead, in rows.
    test_from, test_to : str or date, optional
        First and last date to score. By default the last fifth of the rows is scored.
    peers : sequence of str, optional
        Names of the models to compare with. The default depends on the kind of the data.
    overwrite : bool, default False
        Replace files in ``out`` that an earlier call of this function did not write. Other files stay.
    **options
        Further options, which ``basin backtest --help`` describes. Unset options that describe the data are
        inferred and reported in the notes of the result. ``series`` is the column with the name of the
        series, for tables of several series, and with ``all_targets=True`` every column that could be
        forecast is one. ``kind`` is one of ``price``, ``return``, ``rate`` and ``level``. ``freq`` is a time
        step such as ``5min``, ``h``, ``D``, ``B``, ``W``, ``MS``, ``QS`` and ``YS``, and ``resample`` a
        longer
        one. ``calendar`` is an exchange such as ``XNYS``. ``refit`` is the number of rows between refits of
        the classical models. ``seeds`` is the number of networks, 5 by default. With ``dev=True`` the scored
        dates lie before ``test_from``, and no later row is read. ``on_bad_row`` is ``"stop"``, ``"drop"`` or
        ``"interpolate"``. With ``strict=True`` warnings of the audit stop, and ``accept`` has pairs of a
        check and the reason why its finding is accepted.

    Returns
    -------
    Backtest
        Scores and forecasts of the model and its peers.

    Raises
    ------
    tasks.runtime.errors.BasinError
        If the data have invalid rows, if the options do not suit the data, or if files in ``out`` would be
        lost. The message is one line that says what was found and what to do.
    TypeError
        If an option is unknown.
    ValueError
        If ``test_from`` or ``test_to`` is not a date.

    Examples
    --------
    Backtest the closing prices of the NASDAQ, which the package ``arch`` ships. This takes a few minutes.

    >>> import basin
    >>> from arch.data import nasdaq
    >>> frame = nasdaq.load().reset_index()  # doctest: +SKIP
    >>> result = basin.backtest(
    ...     frame, time="Date", target="Close", test_from="2015-01-01", out="out/nasdaq"
    ... )  # doctest: +SKIP
    >>> print(result.summary())  # doctest: +SKIP
    >>> result.forecasts.groupby("model")["crps"].mean()  # doctest: +SKIP
    """
    from tasks.userdata.run import backtest as run

    request = _request(
        backtest,
        options,
        time=time,
        target=target,
        exog=exog,
        leads=leads,
        test_from=test_from,
        test_to=test_to,
        peers=peers,
    )
    return run(_source(data), request, Path(out), overwrite=overwrite)


def forecast(
    data: "pd.DataFrame | str | Path",
    *,
    out: str | Path,
    time: str | None = None,
    target: str | Sequence[str] | None = None,
    exog: Sequence[str] = (),
    leads: Sequence[int] = (1,),
    model: str | Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> "Forecast":
    """Forecast the steps after the last row of the data, each as a full distribution.

    The results are written to the folder ``out``: ``forecast.json`` and, unless ``model`` is given,
    ``model/``. Several leads of a price or a rate are forecast as joint paths, which are written to
    ``paths.parquet``.

    Parameters
    ----------
    data : DataFrame, str or Path
        Frame, or path of a CSV, Parquet or NetCDF file, with one row for each date and series.
    time : str
        Column of the dates.
    target : str
        Column to forecast. For prices, the returns 100·Δlog are forecast.
    out : str or Path
        Folder for the results. It must be new, empty, or hold earlier results.
    exog : sequence of str, optional
        Columns used as further inputs. Their values must be known at the same time as those of the target.
    leads : sequence of int, default (1,)
        Steps ahead, in rows.
    model : str or Path, optional
        Folder ``model/`` of an earlier backtest or forecast. Its model is used without a refit.
    overwrite : bool, default False
        Replace files in ``out`` that an earlier call of this function did not write. Other files stay.
    **options
        ``series``, ``kind``, ``freq``, ``refit``, ``seeds`` and ``on_bad_row``, as in :func:`backtest`.

    Returns
    -------
    Forecast
        Distribution of each step.

    Raises
    ------
    tasks.runtime.errors.BasinError
        If the data have invalid rows, or if the options or the model do not suit the data. The message is one
        line that says what was found and what to do.
    TypeError
        If an option is unknown.

    Examples
    --------
    Forecast the next day with the model of the example of :func:`backtest`.

    >>> import basin
    >>> from arch.data import nasdaq
    >>> frame = nasdaq.load().reset_index()  # doctest: +SKIP
    >>> result = basin.forecast(
    ...     frame, time="Date", target="Close", model="out/nasdaq/model", out="out/tomorrow"
    ... )  # doctest: +SKIP
    >>> print(result.summary())  # doctest: +SKIP
    >>> result.quantiles[["0.05", "0.5", "0.95"]]  # doctest: +SKIP
    """
    from tasks.userdata.run import forecast as run

    request = _request(forecast, options, time=time, target=target, exog=exog, leads=leads)
    kept = None if model is None else Path(model)
    return run(_source(data), request, Path(out), kept, overwrite=overwrite)


def alarm(
    data: "pd.DataFrame | str | Path",
    *,
    event: str,
    out: str | Path,
    time: str | None = None,
    target: str | None = None,
    exog: Sequence[str] = (),
    max_false_alarms_per_year: float = 2.0,
    test_from: str | date | None = None,
    test_to: str | date | None = None,
    overwrite: bool = False,
    **options: Any,
) -> "Alarm":
    """Estimate the probability of an event for each date and raise alarms within a budget of false alarms.

    The results are written to the folder ``out``: ``alarm.json``, ``alarm.parquet``, ``alarm.png`` and
    ``report.html``.

    Parameters
    ----------
    data : DataFrame, str or Path
        Frame, or path of a CSV or other text table, an Excel, Parquet or NetCDF file, with one series of
        prices or returns.
    event : str
        Event in the rows that follow a date. For example, ``min<=-0.08@21`` is a fall of 8 % or more within
        21 rows. An event consists of a statistic (``min``, ``max``, ``sum`` or ``end``), ``<=`` or ``>=``, a
        simple return, ``@`` and the number of rows.
    out : str or Path
        Folder for the results. It must be new, empty, or hold earlier results.
    exog : sequence of str, optional
        Columns used as further inputs. Their values must be known at the same time as those of the target.
    max_false_alarms_per_year : float, default 2.0
        Budget of false alarms. The threshold of each year is chosen on the years before to stay within it.
    test_from, test_to : str or date, optional
        First and last date to score. By default the second half of the dates with a probability is scored.
    overwrite : bool, default False
        Replace files in ``out`` that an earlier call of this function did not write. Other files stay.
    **options
        ``freq``, ``dev`` and ``on_bad_row``, as in :func:`backtest`.

    Returns
    -------
    Alarm
        Scores of the probabilities, the events caught and missed, and the probability of each day.

    Raises
    ------
    tasks.runtime.errors.BasinError
        If the data are not one series of prices, have invalid rows or too few rows, or if the event or the
        budget is not valid. The message is one line that says what was found and what to do.
    TypeError
        If an option is unknown.
    ValueError
        If ``test_from`` or ``test_to`` is not a date.

    Examples
    --------
    Warn of falls of 8 % or more within 21 trading days of the NASDAQ.

    >>> import basin
    >>> from arch.data import nasdaq
    >>> frame = nasdaq.load().reset_index()  # doctest: +SKIP
    >>> result = basin.alarm(
    ...     frame, time="Date", target="Close", event="min<=-0.08@21", out="out/alarm"
    ... )  # doctest: +SKIP
    >>> print(result.summary())  # doctest: +SKIP
    >>> result.history.query("alarm")  # doctest: +SKIP
    """
    from tasks.userdata.run import alarm as run

    request = _request(
        alarm, options, time=time, target=target, exog=exog, test_from=test_from, test_to=test_to
    )
    return run(_source(data), request, event, max_false_alarms_per_year, Path(out), overwrite=overwrite)


COMMAND_LINE = {"horizon": "leads", "targets": "all_targets"}
"""Options of the commands, and the options of the same use in Python."""


def _known(function: Callable[..., Any]) -> set[str]:
    """Return the names of the options of a function."""
    from tasks.userdata.request import Request

    named = {name for name in signature(function).parameters if name not in ("data", "options")}
    return named | {field.name for field in fields(Request)}


def _request(function: Callable[..., Any], options: dict[str, Any], **named: Any) -> "Request":
    """Return the options of a function as a ``Request``, or raise ``TypeError`` for an unknown one."""
    import pandas as pd

    from tasks.userdata.request import Request

    known = sorted(_known(function))
    for name in options:
        if name not in known:
            close = [COMMAND_LINE[name]] if name in COMMAND_LINE else get_close_matches(name, known, 1)
            raise TypeError(
                f"basin.{function.__name__}: unknown option {name}"
                + (f" (did you mean {close[0]}?)" if close else "")
                + f"; expected one of {', '.join(known)}"
            )
    given = {**named, **options}
    for name in ("target", "exog", "leads", "peers", "events"):
        value = given.get(name)
        if isinstance(value, str) and name != "target":
            given[name] = (value,)
        elif value is not None and not isinstance(value, str):
            given[name] = tuple(value)
    for name in ("test_from", "test_to"):
        if given.get(name) is not None:
            given[name] = pd.Timestamp(given[name]).date()
    return Request(**given)


def _source(data: "pd.DataFrame | str | Path") -> "pd.DataFrame | Path":
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if not isinstance(data, (str, PathLike)):
        remedy = "; call its method to_frame() first" if isinstance(data, pd.Series) else ""
        raise BasinError(
            f"data: expected the path of a file or a pandas DataFrame, found {type(data).__name__}{remedy}"
        )
    return Path(data)
