"""Forecasts and backtests of time series."""

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

from basin import options
from basin.options import BadRow, Day, Label, Labels, Names, Source
from tasks.runtime.errors import BasinError
from tasks.runtime.stored import in_folder

if TYPE_CHECKING:
    from tasks.userdata.backtest_result import Backtest
    from tasks.userdata.forecast_result import Forecast
    from tasks.userdata.request import Kind


@options.with_known_options
def forecast(
    data: Source,
    *,
    target: Labels | None = None,
    horizon: int | None = None,
    leads: int | Iterable[int] | None = None,
    exog: Labels = (),
    time: Label | None = None,
    series: Label | None = None,
    targets: Literal["all"] | None = None,
    kind: "Kind | None" = None,
    freq: str | None = None,
    events: Names = (),
    jointly: bool = False,
    weights: Any = None,
    model: Union["Backtest", "Forecast", str, PathLike[str], None] = None,
    refit: int | None = None,
    seeds: int = 5,
    on_bad_row: BadRow = "stop",
    resample: str | None = None,
    calendar: str | None = None,
    strict: bool = False,
    accept: Mapping[str, str] | None = None,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
) -> "Forecast":
    """Forecast the steps after the last row of the data, each as a full distribution.

    Options that describe the data are inferred if they are not given, and the notes of the result say what
    was inferred. Several steps ahead of a price or a rate are forecast as joint paths.

    Parameters
    ----------
    data : DataFrame, Series, DataArray, Dataset, str or Path
        Frame or series of pandas or polars with its dates in the index or a column, array or dataset of
        xarray with a dimension of time, or path of a CSV or other text table, Excel, Parquet or NetCDF file.
        It is not changed. Levels of columns such as ``(Price, Ticker)`` name the series.
    target : label or sequence of labels, optional
        Column to forecast, or several, which are the series of one panel. For prices, the returns 100·Δlog
        are forecast.
    horizon : int, optional
        Forecast all steps ahead from 1 to this number of rows. The default is one step.
    leads : int or sequence of int, optional
        Forecast these steps ahead, such as ``[3, 6, 12]``, in place of ``horizon``.
    exog : label or sequence of labels, optional
        Columns used as further inputs. Their values must be known at the same time as those of the target.
    time : label, optional
        Column of the dates.
    series : label, optional
        Column with the name of the series, in a table of several series.
    targets : str, optional
        With ``"all"``, every column that could be forecast is a series of one panel.
    kind : str, optional
        Kind of the values: ``"price"``, ``"return"``, ``"rate"`` or ``"level"``.
    freq : str, optional
        Time step of the data, such as ``5min``, ``h``, ``D``, ``B``, ``W``, ``MS``, ``QS`` or ``YS``.
    events : str or sequence of str, optional
        Events whose probability is forecast, such as ``"<=-2"`` or ``"end>=0.5@6"``, in the unit of the
        forecast. Those of a level are of its anomaly.
    jointly : bool, default False
        Forecast the next step of all series as one joint density. Every column that could be forecast is a
        series by default. The result is a ``JointForecast``, with scenarios, portfolios and stress tables.
    weights : "equal", str, Path, dict, Series or DataFrame, optional
        With ``jointly``, weights of portfolios: by the names of the series, with a column of the frame or of
        the table for each portfolio. The default is equal weights.
    model : Backtest, Forecast, str or Path, optional
        Earlier result, or its folder ``model/``, whose model is used without a new fit.
    refit : int, optional
        Number of rows between refits of the classical models.
    seeds : int, default 5
        Number of networks whose energies are averaged.
    on_bad_row : {"stop", "drop", "interpolate"}, default "stop"
        What to do with a row that cannot be used. ``"interpolate"`` also fills short holes of a level.
    resample : str, optional
        Longer time step to convert the data to, such as ``MS`` for the months of daily values.
    calendar : str, optional
        Exchange whose trading days are the dates to come, such as ``XNYS``.
    strict : bool, default False
        Stop at a warning of the audit.
    accept : dict of str to str, optional
        Checks of the audit whose findings are accepted, each with a reason.
    out : str or Path, optional
        Folder for the results: ``forecast.json`` and, unless ``model`` is given, ``model/``. It must be new,
        empty, or hold earlier results. By default a temporary folder is used, which is deleted with the
        result.
    overwrite : bool, default False
        Replace files in ``out`` that an earlier call did not write. Other files stay.

    Returns
    -------
    Forecast
        Distribution of each step.

    Raises
    ------
    BasinError
        If the data have invalid rows, or if the options or the model do not suit the data. The message is one
        line that says what was found and what to do.
    TypeError
        If an option is unknown.

    Examples
    --------
    Forecast the next day of the S&P 500, which the package ``arch`` ships. The dates are in the index.

    >>> import basin
    >>> from arch.data import sp500
    >>> result = basin.forecast(sp500.load(), target="Adj Close")  # doctest: +SKIP
    >>> print(result)  # doctest: +SKIP
    >>> result.quantile([0.05, 0.5, 0.95])  # doctest: +SKIP

    Forecast the next ten days as joint paths.

    >>> result = basin.forecast(sp500.load(), target="Adj Close", horizon=10)  # doctest: +SKIP
    """
    from tasks.userdata.run import forecast as run
    from tasks.userdata.sources import as_data

    request = options.request(
        target=target,
        horizon=horizon,
        leads=leads,
        exog=exog,
        time=time,
        series=series,
        targets=targets,
        kind=kind,
        freq=freq,
        events=events,
        jointly=jointly,
        weights=weights,
        refit=refit,
        seeds=seeds,
        on_bad_row=on_bad_row,
        resample=resample,
        calendar=calendar,
        strict=strict,
        accept=accept,
    )
    found = as_data(data)
    kept = None if model is None else _model(model)
    return in_folder(out, lambda folder: run(found, request, folder, kept, overwrite=overwrite, owner=model))


def _model(given: Union["Backtest", "Forecast", str, PathLike[str]]) -> Path:
    if not isinstance(given, (str, PathLike)) and not hasattr(given, "folder"):
        raise BasinError(
            f"model={given!r}: expected a result of backtest or forecast, or the path of its folder model/"
        )
    return Path(given) if isinstance(given, (str, PathLike)) else given.folder / "model"


@options.with_known_options
def backtest(
    data: Source,
    *,
    target: Labels | None = None,
    horizon: int | None = None,
    leads: int | Iterable[int] | None = None,
    exog: Labels = (),
    test_from: Day | None = None,
    test_to: Day | None = None,
    peers: Names | None = None,
    jointly: bool = False,
    weights: Any = None,
    time: Label | None = None,
    series: Label | None = None,
    targets: Literal["all"] | None = None,
    kind: "Kind | None" = None,
    freq: str | None = None,
    refit: int | None = None,
    seeds: int = 5,
    dev: bool = False,
    on_bad_row: BadRow = "stop",
    resample: str | None = None,
    calendar: str | None = None,
    strict: bool = False,
    accept: Mapping[str, str] | None = None,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
) -> "Backtest":
    """Backtest the energy-based model and the classical models on the dates of a test block.

    Each date is forecast from earlier data only, as a full distribution, and scored.

    Parameters
    ----------
    data : DataFrame, Series, DataArray, Dataset, str or Path
        Data with their dates, or the path of a file, as in :func:`forecast`.
    target : label or sequence of labels, optional
        Column to forecast, or several, which are the series of one panel.
    horizon : int, optional
        Forecast all steps ahead from 1 to this number of rows. The default is one step.
    leads : int or sequence of int, optional
        Forecast these steps ahead, such as ``[3, 6, 12]``, in place of ``horizon``.
    exog : label or sequence of labels, optional
        Columns used as further inputs. Their values must be known at the same time as those of the target.
    test_from, test_to : str or date, optional
        First and last date to score. By default the last fifth of the rows is scored.
    peers : str or sequence of str, optional
        Models to compare with. The default depends on the kind of the data.
    jointly : bool, default False
        Forecast the next step of all series as one joint density. ``scores["joint"]`` compares it with other
        copulas, and the forecasts are those of portfolios.
    weights : "equal", str, Path, dict, Series or DataFrame, optional
        With ``jointly``, weights of portfolios, as in :func:`forecast`.
    time, series, targets, kind, freq, refit, seeds, on_bad_row, resample, calendar, strict, accept
        As in :func:`forecast`.
    dev : bool, default False
        Score dates before ``test_from``, and read no later row, while you develop.
    out : str or Path, optional
        Folder for the results: ``scores.json``, ``forecasts.parquet``, ``report.html`` and ``model/``. It
        must be new, empty, or hold earlier results. By default a temporary folder is used, which is deleted
        with the result.
    overwrite : bool, default False
        Replace files in ``out`` that an earlier call did not write. Other files stay.

    Returns
    -------
    Backtest
        Scores and forecasts of the model and its peers.

    Raises
    ------
    BasinError
        If the data have invalid rows, if the options do not suit the data, or if files in ``out`` would be
        lost. The message is one line that says what was found and what to do.
    TypeError
        If an option is unknown.

    Examples
    --------
    Backtest the closing prices of the NASDAQ, which the package ``arch`` ships. This takes a few minutes.

    >>> import basin
    >>> from arch.data import nasdaq
    >>> result = basin.backtest(
    ...     nasdaq.load(), target="Adj Close", test_from="2015-01-01", out="out/nasdaq"
    ... )  # doctest: +SKIP
    >>> print(result)  # doctest: +SKIP
    >>> result.forecasts.groupby("model")["crps"].mean()  # doctest: +SKIP

    Forecast the next day with the model of the backtest.

    >>> basin.forecast(nasdaq.load(), target="Adj Close", model=result)  # doctest: +SKIP
    """
    from tasks.userdata.run import backtest as run
    from tasks.userdata.sources import as_data

    request = options.request(
        target=target,
        horizon=horizon,
        leads=leads,
        exog=exog,
        test_from=test_from,
        test_to=test_to,
        peers=peers,
        jointly=jointly,
        weights=weights,
        time=time,
        series=series,
        targets=targets,
        kind=kind,
        freq=freq,
        refit=refit,
        seeds=seeds,
        dev=dev,
        on_bad_row=on_bad_row,
        resample=resample,
        calendar=calendar,
        strict=strict,
        accept=accept,
    )
    found = as_data(data)
    return in_folder(out, lambda folder: run(found, request, folder, overwrite=overwrite))
