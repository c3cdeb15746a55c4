"""Basin for notebooks: energy-based forecasts of your own series, judged beside the classical models."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.userdata.alarm import Alarm
from tasks.userdata.request import Request
from tasks.userdata.results import Backtest, Forecast
from tasks.userdata.run import alarm as _alarm
from tasks.userdata.run import backtest as _backtest
from tasks.userdata.run import forecast as _forecast

__all__ = ["Alarm", "Backtest", "Forecast", "alarm", "backtest", "forecast"]


def backtest(
    data: pd.DataFrame | str | Path,
    *,
    time: str,
    target: str,
    out: str | Path,
    exog: Sequence[str] = (),
    leads: Sequence[int] = (1,),
    test_from: str | date | None = None,
    test_to: str | date | None = None,
    peers: Sequence[str] | None = None,
    **options: Any,
) -> Backtest:
    """Forecast every date of a test block from the past alone and score it beside the classical models.

    ``data`` is a frame or the path of a CSV, Parquet or NetCDF file; ``options`` are ``series, kind, freq,
    refit, seeds, dev, on_bad_row`` of ``basin backtest --help``. The folder ``out`` gets ``scores.json``,
    ``forecasts.parquet``, ``report.html`` and ``model/``. Raises ``tasks.runtime.errors.BasinError`` in one
    line.
    """
    request = Request(
        time=time,
        target=target,
        exog=tuple(exog),
        leads=tuple(leads),
        test_from=_day(test_from),
        test_to=_day(test_to),
        peers=None if peers is None else tuple(peers),
        **options,
    )
    return _backtest(_source(data), request, Path(out))


def forecast(
    data: pd.DataFrame | str | Path,
    *,
    time: str,
    target: str,
    out: str | Path,
    exog: Sequence[str] = (),
    leads: Sequence[int] = (1,),
    model: str | Path | None = None,
    **options: Any,
) -> Forecast:
    """The distribution of the steps after the last row of ``data``.

    ``options`` are ``series, kind, freq, refit, seeds, on_bad_row``. With ``model``, the ``model/`` that a
    backtest or forecast left, nothing is refitted. Raises ``tasks.runtime.errors.BasinError`` in one line.
    """
    request = Request(time=time, target=target, exog=tuple(exog), leads=tuple(leads), **options)
    return _forecast(_source(data), request, Path(out), None if model is None else Path(model))


def alarm(
    data: pd.DataFrame | str | Path,
    *,
    time: str,
    target: str,
    event: str,
    out: str | Path,
    exog: Sequence[str] = (),
    max_false_alarms_per_year: float = 2.0,
    test_from: str | date | None = None,
    test_to: str | date | None = None,
    **options: Any,
) -> Alarm:
    """The probability of an event such as ``min<=-0.08@21`` day by day, and alarms within a budget.

    ``options`` are ``freq, dev, on_bad_row``. Raises ``tasks.runtime.errors.BasinError`` in one line.
    """
    request = Request(
        time=time,
        target=target,
        exog=tuple(exog),
        kind="price",
        test_from=_day(test_from),
        test_to=_day(test_to),
        **options,
    )
    return _alarm(_source(data), request, event, max_false_alarms_per_year, Path(out))


def _source(data: pd.DataFrame | str | Path) -> pd.DataFrame | Path:
    return data if isinstance(data, pd.DataFrame) else Path(data)


def _day(text: str | date | None) -> date | None:
    return None if text is None else pd.Timestamp(text).date()
