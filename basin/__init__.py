"""Python interface of Basin: forecasts, backtests, alarms, fields and audits of your own data."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from basin.alarms import alarm
from basin.fields import field
from basin.results import load
from basin.series import backtest, forecast
from basin.tables import audit, inspect
from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from tasks.fields.field import Field
    from tasks.userdata.alarm import Alarm
    from tasks.userdata.audit import Audit
    from tasks.userdata.backtest_result import Backtest
    from tasks.userdata.forecast_result import Forecast
    from tasks.userdata.inspection import Inspection
    from tasks.userdata.jointly_result import JointForecast

__all__ = [
    "Alarm",
    "Audit",
    "Backtest",
    "BasinError",
    "Field",
    "Forecast",
    "Inspection",
    "JointForecast",
    "alarm",
    "audit",
    "backtest",
    "field",
    "forecast",
    "inspect",
    "load",
]

RESULTS = {
    "Alarm": "tasks.userdata.alarm",
    "Audit": "tasks.userdata.audit",
    "Backtest": "tasks.userdata.backtest_result",
    "Field": "tasks.fields.field",
    "Forecast": "tasks.userdata.forecast_result",
    "Inspection": "tasks.userdata.inspection",
    "JointForecast": "tasks.userdata.jointly_result",
}
"""Classes of results and their modules, which are imported when they are used."""


def __getattr__(name: str) -> Any:
    if name not in RESULTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(RESULTS[name]), name)
