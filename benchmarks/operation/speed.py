"""Times of the commands for a user's own file, and whether what makes them fast changes the forecasts."""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from benchmarks import ROOT
from benchmarks.forecasting.files import BUILD, DEV, MARKETS, closes, mirrored
from benchmarks.forecasting.nino import INDICES
from benchmarks.operation.times import basin, timed
from benchmarks.row import Row
from tasks.stages import train
from tasks.tilts import walk_forward
from tasks.userdata import plan, run
from tasks.userdata.request import Request

ROWS_OF_A_FILE = 2500
SERIES = 20
BEFORE = "2000-01-01"
"""With ``--dev`` only earlier rows are read: the first test block of a benchmark begins then."""


def limited(what: str, seconds: float, most: float) -> Row:
    return Row(what, f"≤ {most:g} s", f"{seconds:.1f} s", seconds <= most, value=seconds, unit="s")


def last_closes() -> Path:
    """Write the last closes of the S&P 500 and return the path."""
    path = BUILD / "closes2500.csv"
    pd.read_csv(closes("sp500")).tail(ROWS_OF_A_FILE).to_csv(path, index=False)
    return path


def forecast_times() -> Iterator[Row]:
    """Time forecasts of 2,500 closes: a first run, one with a stored model, and a refresh by one row."""
    data = last_closes()
    with tempfile.TemporaryDirectory(prefix="basin-bench-") as folder:
        out = Path(folder)
        first = basin("forecast", "--data", str(data), "--out", str(out / "first"))
        yield limited("basin forecast, 2,500 closes, first run", timed(first, ROOT)[0], 20)
        times = []
        for i in range(3):
            again = basin("forecast", "--data", str(data), "--out", str(out / f"again{i}"))
            times.append(timed([*again, "--model", str(out / "first" / "model")], ROOT)[0])
        yield limited("the same with --model", statistics.median(times), 4)
    table, times = pd.read_csv(data), []
    result = run.forecast(table.iloc[:-4], Request(), BUILD / "refreshed", overwrite=True)
    for i in range(4):
        began = time.monotonic()
        result = result.refresh(table.iloc[[i - 4]])
        times.append(time.monotonic() - began)
    # The first refresh of a process imports what the others have.
    seconds = statistics.median(times[1:])
    yield limited("refresh by one row in a warm process", seconds, 2)


def twenty() -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the last rows of twenty series: the seven markets, and stocks of the Dow Jones.

    With ``--dev`` these are the last rows before 2000 of the series that are as long then.
    """
    stocks = pd.read_csv(mirrored("finance/dj_constituents.csv"))
    tables = [(name, pd.read_csv(closes(name))) for name in MARKETS]
    tables += [(name, stocks[["date", name]].dropna()) for name in stocks.columns[1:]]
    if DEV:
        tables = [(name, table[table["date"] < BEFORE]) for name, table in tables]
    long = [(name, table.tail(ROWS_OF_A_FILE)) for name, table in tables if len(table) >= ROWS_OF_A_FILE]
    for name, rows in long[:SERIES]:
        yield name, rows.set_axis(["date", "close"], axis=1).reset_index(drop=True)


@contextmanager
def trained(patience: int, seed: int) -> Iterator[None]:
    """Train with a patience and from a random seed.

    Ten years are too few to tilt a base, so with ``--dev`` the largest energy has its full weight.
    """
    planned, choose = plan.planned, train.choose

    def seeded(*arguments: object, **options: object) -> object:
        domain, params, reading = planned(*arguments, **options)  # type: ignore[arg-type]
        trained = params.train.model_copy(update={"seed": seed})
        return domain, params.model_copy(update={"train": trained}), reading

    def chosen(past: list[list[walk_forward.Trained]], *others: Any) -> walk_forward.Choice:
        found = choose(past, *others)
        return replace(found, capacity=len(past) - 1, weights=dict.fromkeys(found.weights, 1.0))

    with (
        patch.object(walk_forward, "PATIENCE", patience),
        patch.object(run, "planned", seeded),
        patch.object(train, "choose", chosen if DEV else choose),
    ):
        yield


def quantiles(table: pd.DataFrame, patience: int, seed: int) -> "pd.Series[float]":
    with trained(patience, seed), tempfile.TemporaryDirectory(prefix="basin-bench-") as folder:
        result = run.forecast(table, Request(target="close"), Path(folder) / "out")
    return result.quantiles.iloc[0].astype(float)


def patience() -> Iterator[Row]:
    """Compare forecasts with those after all steps of training, and these with those of other seeds."""
    distances, noise = [], []
    for name, table in twenty():
        short = quantiles(table, walk_forward.PATIENCE, 0)
        full, other = (quantiles(table, sys.maxsize, seed) for seed in (0, 1))
        width = full["0.75"] - full["0.25"]
        distances.append(np.abs(short - full).mean() / width)
        noise.append(np.abs(other - full).mean() / width)
        print(f"  {name}: {distances[-1]:.2g} of the interquartile range, seeds {noise[-1]:.2g}", flush=True)
    mine, theirs = float(np.mean(distances)), float(np.mean(noise))
    yield Row(
        "quantiles of twenty series: mean distance from those after all steps of training",
        "≤ that between two seeds",
        f"{mine:.2g} of the interquartile range, seeds {theirs:.2g}",
        mine <= theirs,
        value=mine,
    )


def backtest_time() -> Iterator[Row]:
    from arch.data import sp500

    data = BUILD / "sp500_ohlc.csv"
    BUILD.mkdir(parents=True, exist_ok=True)
    sp500.load().reset_index().to_csv(data, index=False)
    command = basin("backtest", "--data", str(data), "--time", "Date", "--target", "Close")
    dates = ["--test-from", "2014-01-01", "--test-to", "2018-12-31"]
    with tempfile.TemporaryDirectory(prefix="basin-bench-") as folder:
        seconds, _ = timed([*command, *dates, "--out", f"{folder}/out"], ROOT)
    yield limited("basin backtest, S&P 500 with OHLC, all peers", seconds, 60)


def nino_times() -> Iterator[Row]:
    data = mirrored("climate/enso_indices_oras5.nc")
    options = ["--data", str(data), "--target", "Nino34", "--leads", "3,6,9,12"]
    exog = [name for name in INDICES for name in ("--exog", name)]
    with tempfile.TemporaryDirectory(prefix="basin-bench-") as folder:
        for command, most in (("forecast", 15), ("backtest", 40)):
            whole = basin(command, *options, *exog, "--out", f"{folder}/{command}")
            seconds, _ = timed(whole, ROOT)
            yield limited(f"basin {command}, Niño 3.4 with nine inputs", seconds, most)


def imports() -> Iterator[Row]:
    command = [sys.executable, "-c", "import basin"]
    seconds = statistics.median(timed(command, ROOT)[0] for _ in range(5))
    empty = statistics.median(timed([sys.executable, "-c", ""], ROOT)[0] for _ in range(5))
    yield limited("import basin", seconds - empty, 0.5)
    seconds = statistics.median(timed(basin("--help"), ROOT)[0] for _ in range(5))
    yield limited("basin --help", seconds, 0.3)


ROWS = {
    "forecast-time": forecast_times,
    "patience": patience,
    "backtest-time": backtest_time,
    "nino-time": nino_times,
    "imports": imports,
}
