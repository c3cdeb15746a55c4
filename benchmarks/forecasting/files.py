"""Files of the forecasting benchmarks, and backtests of them."""

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import ROOT
from benchmarks.row import Row
from tasks.runtime.errors import BasinError
from tasks.userdata.backtest_result import Backtest
from tasks.userdata.request import Request
from tasks.userdata.run import backtest

BUILD = ROOT / "build" / "benchmarks"
MARKETS = ("sp500", "nasdaq", "dj", "cac", "smi", "wti", "brent")
DEV = "--dev" in sys.argv
"""Score dates before each test block and read nothing later."""


def mirrored(name: str) -> Path:
    """Return the path of a file in the data mirror; raises ``BasinError`` if it does not exist."""
    folder = ROOT / os.environ.get("BASIN_DATA_MIRROR", "../shared/data")
    if not (folder / name).is_file():
        raise BasinError(f"{folder / name} does not exist; set BASIN_DATA_MIRROR to a folder with {name}")
    return folder / name


@cache
def closes(market: str) -> Path:
    """Write a CSV file ``date,close`` of one market and return its path."""
    path = BUILD / f"{market}.csv"
    BUILD.mkdir(parents=True, exist_ok=True)
    if market in ("sp500", "nasdaq"):
        from arch.data import nasdaq, sp500

        table = {"sp500": sp500, "nasdaq": nasdaq}[market].load()["Adj Close"]
        table.rename_axis("date").rename("close").reset_index().to_csv(path, index=False)
    else:
        table = pd.read_csv(mirrored(f"finance/{market}_daily.csv"))
        table[["date", "close"]].to_csv(path, index=False)
    return path


def ran(name: str, data: Path, **asked: Any) -> Backtest:
    """Run a backtest of a file with results in ``build/benchmarks``."""
    asked = {"time": "date", "target": "close", "dev": DEV, **asked}
    for option in ("test_from", "test_to"):
        if option in asked:
            asked[option] = pd.Timestamp(asked[option]).date()
    print(f"  {name}: {data.name} ...", flush=True)
    return backtest(data, Request(**asked), BUILD / name)


def alone(result: Backtest) -> dict[str, Any]:
    """Return the scores of a backtest with one series at lead 1."""
    block: dict[str, Any] = result.scores["leads"]["1"]
    return block


def over(name: str, peer: str, paired: dict[str, float], target: str, met: bool) -> Row:
    """Return a row with the gain in mean log score over a peer and its t statistic."""
    gain, t = paired["log_score_gain"], paired["t"]
    seen = f"{gain:+.4f}, t {t:.2f}"
    return Row(f"{name}: over {peer}", target, seen, met, value=gain, unit="nats")
