"""Prices of a series of returns: their path, forecasts in the unit of the price, and drawdowns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Drawdown:
    """Fall of a price from its highest value so far, until it is reached again.

    ``depth`` is negative, in per cent, or in the unit of the values for a rate. ``end`` is None if the
    highest value was not reached again.
    """

    peak: pd.Timestamp
    trough: pd.Timestamp
    end: pd.Timestamp | None
    depth: float
    rows: int


def kind_of(domain: Any) -> str:
    """Return ``price``, ``return`` or ``rate``. A domain of the pipeline has prices."""
    return str(getattr(domain, "kind", "price"))


def price_title(domain: Any) -> str:
    """Return what the level of the series is called."""
    return {"rate": "rate", "return": "index, 100 at the start"}.get(kind_of(domain), "price")


def levels_of(raw: pd.DataFrame, domain: Any) -> pd.Series:
    """Return the price of one series by time. Returns are compounded to an index that begins at 100."""
    table = raw.drop_duplicates("time").sort_values("time")
    values = table["close"].to_numpy(float)
    if kind_of(domain) == "return":
        values = 100 * np.cumprod(1 + values / 100)
    return pd.Series(values, index=pd.DatetimeIndex(table["time"]))


def moved(level: Any, change: Any, domain: Any) -> Any:
    """Return the level after a change, which is 100·Δlog of a price, a return in per cent or a difference."""
    kind = kind_of(domain)
    if kind == "price":
        return level * np.exp(np.asarray(change) / 100)
    return level * (1 + np.asarray(change) / 100) if kind == "return" else level + change


def drawdown_path(level: pd.Series, domain: Any) -> pd.Series:
    """Return the fall from the highest value so far, 0 or negative, in per cent or in the unit of a rate."""
    highest = level.cummax()
    fall: pd.Series = level - highest if kind_of(domain) == "rate" else 100 * (level / highest - 1)
    return fall


def drawdown_unit(domain: Any) -> str:
    """Return the unit of drawdowns, or an empty string for that of a rate, which is not known."""
    return "" if kind_of(domain) == "rate" else "%"


def drawdowns(level: pd.Series, domain: Any) -> list[Drawdown]:
    """Return all drawdowns of a price, the deepest first.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> days = pd.date_range("2020-01-01", periods=5)
    >>> found = drawdowns(pd.Series([100, 80, 90, 101, 99.0], index=days), SimpleNamespace(kind="price"))
    >>> [(round(d.depth, 2), d.rows, d.end and d.end.day) for d in found]
    [(-20.0, 3, 4), (-1.98, 1, None)]
    """
    fall = drawdown_path(level, domain)
    under = fall.to_numpy() < 0
    edges = np.flatnonzero(np.diff(np.r_[False, under, False].astype(int)))
    found = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        part = fall.iloc[start:stop]
        recovered = level.index[stop] if stop < len(level) else None
        rows = int(min(stop, len(level) - 1) - start + 1)
        trough = level.index[start + int(part.argmin())]
        found.append(Drawdown(level.index[start - 1], trough, recovered, float(part.min()), rows))
    return sorted(found, key=lambda d: d.depth)
