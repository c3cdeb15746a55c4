"""Results of an earlier command, read from their folder."""

from pathlib import Path

import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json
from tasks.userdata.alarm import Alarm
from tasks.userdata.audit import Audit
from tasks.userdata.backtest_result import Backtest
from tasks.userdata.forecast_result import Forecast

RESULTS = ("scores.json", "forecast.json", "alarm.json", "audit.json")
"""File that tells the results in a folder, the first one that is there. Only the alarm stands for itself."""


def load_results(folder: Path) -> Backtest | Forecast | Alarm | Audit:
    """Return the result whose files are in ``folder``, or raise ``BasinError`` if there is not just one."""
    remedy = "give the folder --out of a backtest, forecast, alarm or audit"
    found = [name for name in RESULTS if (folder / name).is_file()]
    if not found:
        raise BasinError(f"{folder} has no results; {remedy}")
    name = found[0]
    if "alarm.json" in found[1:]:
        raise BasinError(
            f"{folder} has {name} and alarm.json, the results of two commands; write each into a folder of "
            "its own"
        )
    content = read_json(folder / name, remedy)
    notes = tuple(content.get("notes", ()))
    if name == "scores.json":
        forecasts = _table(folder / "forecasts.parquet", remedy)
        return Backtest(folder, content, forecasts, notes, content.get("reference", "base"))
    if name == "forecast.json":
        if "joint" in content:
            from tasks.userdata.jointly_result import JointForecast

            return JointForecast(folder, content, notes)
        return Forecast(folder, content, notes)
    if name == "alarm.json":
        return Alarm(folder, content, _table(folder / "alarm.parquet", remedy), notes)
    return Audit(folder, content)


def _table(path: Path, remedy: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise BasinError(f"cannot read {path}: {' '.join(str(error).split())}; {remedy}") from error
