"""Files of the results of a backtest or a forecast: JSON, CSV, NetCDF of levels, and a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tasks.reporting.forecast import levels
from tasks.runtime.files import write_json
from tasks.runtime.frequencies import frequency
from tasks.runtime.netcdf import attributes, write_netcdf
from tasks.scoring.quantiles import key
from tasks.userdata.forecast_result import LEVELS, Forecast

if TYPE_CHECKING:
    import xarray as xr

FORECAST_FILES = ("forecast.json", "forecast.csv", "forecast.png", "forecast.nc")
"""Files that :func:`write_forecast` may write."""

BACKTEST_FILES = ("forecasts.csv", "forecasts.nc")
"""Files that :func:`write_backtest` may write."""

DIGITS = "%.6g"
"""Format of numbers in CSV."""


MEANINGS = {
    "mean": "mean of the forecast",
    "sd": "standard deviation of the forecast",
    "normal": "normal, the mean of past values",
    "anomaly": "mean of the forecast anomaly, the difference from the normal",
    "forecast": "quantiles of the forecast",
}
"""Descriptions of the variables of ``forecast.nc``."""


def write_forecast(folder: Path, result: Forecast, unit: str) -> None:
    """Write ``forecast.json``, ``forecast.csv``, ``forecast.png`` and, for levels, ``forecast.nc``.

    ``unit`` is that of the values of a level, or empty if it is not known.
    """
    write_json(folder / "forecast.json", result.steps)
    result.to_frame().to_csv(folder / "forecast.csv", index=False, float_format=DIGITS)
    (folder / "forecast.png").write_bytes(result.plot().png())
    if result.steps["kind"] == "level":
        period = frequency(result.steps["frequency"]).period
        write_netcdf(folder / "forecast.nc", _steps(result.steps, unit), period, "forecast of Basin")


def write_backtest(folder: Path, forecasts: pd.DataFrame) -> None:
    """Write ``forecasts.csv``, which has the rows of ``forecasts.parquet`` and some of its quantiles."""
    chosen = [f"q{key(level)}" for level in LEVELS]
    kept = [c for c in map(str, forecasts) if not c.startswith("q0.") or c in chosen]
    forecasts[kept].to_csv(folder / "forecasts.csv", index=False, float_format=DIGITS)


def write_levels(
    folder: Path, forecasts: pd.DataFrame, inputs: pd.DataFrame, lowest: float | None, freq: str, unit: str
) -> None:
    """Write ``forecasts.nc``: the outcomes of levels, and the quantiles that every model forecast for them.

    ``forecasts`` and ``inputs`` are the tables of ``forecasts.parquet`` and ``inputs.parquet``.
    """
    import xarray as xr

    table = levels(forecasts, inputs, lowest).rename(columns={"origin": "init", "time": "valid_time"})
    names = [c for c in map(str, table) if c.startswith("q0.")]
    keys = ["series", "init", "lead"]
    axes = {key: table[key].unique() for key in ("model", *keys)} | {"init": np.sort(table["init"].unique())}
    every = pd.MultiIndex.from_product(list(axes.values()), names=list(axes))
    values = table.set_index(list(axes))[names].astype("f4").reindex(every).to_numpy()
    shape = [len(axis) for axis in axes.values()]
    observed = table[table["model"] == "ebm"].set_index(keys)["observed"].to_xarray()
    axes["quantile"] = np.array([float(name[1:]) for name in names])
    data = xr.Dataset({"forecast": (list(axes), values.reshape(*shape, len(names)))}, axes)
    data["observed"] = observed
    data["forecast"].attrs = attributes(unit, long_name="quantiles of the forecast")
    data["observed"].attrs = attributes(unit, long_name="outcome")
    data = data.assign_coords(valid_time=_valid_times(table))
    write_netcdf(folder / "forecasts.nc", data, frequency(freq).period, "forecasts of a backtest by Basin")


def _steps(forecast: dict[str, Any], unit: str) -> "xr.Dataset":
    """Return the content of `forecast.json` of levels as a dataset over series, init, lead and quantile."""
    rows: list[dict[str, Any]] = []
    quantiles: list[dict[str, Any]] = []
    for name, part in forecast["series"].items():
        for step in part["steps"]:
            at = {"series": name, "init": pd.Timestamp(part["origin"]), "lead": step["lead"]}
            numbers = {key: step[key] for key in ("mean", "sd", "normal")}
            valid = {"valid_time": pd.Timestamp(step["time"])}
            rows.append({**at, **valid, **numbers, "anomaly": step["anomaly"]["mean"]})
            quantiles += [
                {**at, "quantile": float(level), "forecast": value}
                for level, value in step["quantiles"].items()
            ]
    keys = ["series", "init", "lead"]
    data = pd.DataFrame(rows).set_index(keys).drop(columns="valid_time").to_xarray()
    data["forecast"] = pd.DataFrame(quantiles).set_index([*keys, "quantile"])["forecast"].to_xarray()
    for name, meaning in MEANINGS.items():
        data[name].attrs = attributes(unit, long_name=meaning)
    return data.assign_coords(valid_time=_valid_times(pd.DataFrame(rows)))


def _valid_times(rows: pd.DataFrame) -> "xr.DataArray":
    """Return the date that is forecast over init and lead."""
    times: xr.DataArray = rows.groupby(["init", "lead"])["valid_time"].first().to_xarray()
    return times
