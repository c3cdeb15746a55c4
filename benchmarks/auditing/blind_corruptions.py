"""Ten spoilings by somebody who knew only the titles of the checks: what vendors, ETL jobs, spreadsheets do.

TEN holds them. CONTROLS[name](clean) gives, where a spoiling needs added columns or another shape, the honest
version of that same table, so that "seen" can be told from "always alarms".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Make = Callable[[pd.DataFrame, bool], pd.DataFrame]
PRICES = {"time": "date", "target": "close"}
SEA = {"time": "date", "target": "sst"}
PANEL = {**PRICES, "series": "ticker"}
SPLIT = {**PRICES, "test_from": "2012-01-01", "embargo": 5, "horizon": 1}


@dataclass(frozen=True)
class Outside:
    name: str
    table: str
    checks: tuple[str, ...]
    make: Make
    spec: dict | None = None  # None: PRICES or SEA, by table


def _fresh(clean: pd.DataFrame) -> pd.DataFrame:
    return clean.copy().reset_index(drop=True)


def frozen_feed(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """The feed went down and the loader carried the last quote forward; mild: one outage, close only."""
    out, rng = _fresh(clean), np.random.default_rng(11)
    n = len(out)
    runs, length, cols = (6, 40, ["close", "vix"]) if gross else (1, 8, ["close"])
    for k in range(runs):
        low, high = int(n * (k + 0.2) / runs), int(n * (k + 0.8) / runs)
        at = int(rng.integers(low, high))
        for col in cols:
            out.loc[at : at + length - 1, col] = out.loc[at, col]
    return out


def period_mean_joined(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """A per-period mean joined back onto every day of the same period (month; mild: week)."""
    out = _fresh(clean)
    period = out["date"].dt.to_period("M" if gross else "W")
    out["period_mean"] = out.groupby(period)["close"].transform("mean")
    return out


def period_mean_honest(clean: pd.DataFrame) -> pd.DataFrame:
    out = _fresh(clean)
    period = out["date"].dt.to_period("M")
    out["period_mean"] = period.map(out.groupby(period)["close"].mean().shift(1)).astype(float)
    return out.dropna(subset=["period_mean"]).reset_index(drop=True)


def _overnight(out: pd.DataFrame, noise: float) -> pd.Series:
    ret, rng = np.log(out["close"]).diff().fillna(0.0), np.random.default_rng(13)
    return ret + pd.Series(rng.normal(0.0, noise * float(ret.std()), len(out)), index=out.index)


def utc_stamp(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """Futures return cut in another zone: tomorrow's session on today's row; mild: in summer time only."""
    out = _fresh(clean)
    today = _overnight(out, 0.1 if gross else 0.7)
    ahead = today.shift(-1).fillna(0.0)
    out["futures_ret"] = ahead if gross else ahead.where(out["date"].dt.month.between(4, 10), today)
    return out


def utc_honest(clean: pd.DataFrame) -> pd.DataFrame:
    out = _fresh(clean)
    out["futures_ret"] = _overnight(out, 0.7)
    return out


def day_month_swap(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """05/04 read as 04/05 where both readings exist, then sorted again; from 2005 on, mild: 2011 only."""
    out = _fresh(clean)
    d = out["date"]
    hit = (d.dt.day <= 12) & ((d.dt.year >= 2005) if gross else (d.dt.year == 2011))
    swapped = pd.to_datetime(pd.DataFrame({"year": d.dt.year, "month": d.dt.day, "day": d.dt.month})[hit])
    out.loc[hit, "date"] = swapped
    return out.sort_values("date", kind="stable").reset_index(drop=True)


def vol_units(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """A vendor changes vix's unit: decimals from the test start on; mild: monthly vol, last 250 rows."""
    out = _fresh(clean)
    late = (out["date"] >= SPLIT["test_from"]) if gross else (out.index >= len(out) - 250)
    out["vix"] = out["vix"].where(~late, out["vix"] / (100.0 if gross else np.sqrt(12.0)))
    return out


def _panel(clean: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """90 weekly series born at any time, living about eight years, sagging in the year before they die."""
    base, rng = _fresh(clean).iloc[::5].reset_index(drop=True), np.random.default_rng(17)
    n, market = len(base), np.log(base["close"].to_numpy())
    parts, dead = [], []
    for k in range(90):
        birth = int(rng.integers(0, int(0.9 * n)))
        death = birth + 60 + int(rng.exponential(400))
        step = rng.normal(0.0, 0.03, n)
        step[max(birth, death - 50) :] -= 0.02
        own = np.cumsum(step)
        level = np.log(40.0) + rng.normal(0.0, 0.4) + (market - market[birth]) + own - own[birth]
        ticker = f"T{k:02d}"
        if death < n:
            dead.append(ticker)
        rows = slice(birth, min(death, n))
        parts.append(
            pd.DataFrame(
                {
                    "date": base["date"].iloc[rows],
                    "ticker": ticker,
                    "close": np.exp(level[rows]).round(2),
                    "vix": base["vix"].iloc[rows],
                }
            )
        )
    return pd.concat(parts).sort_values(["date", "ticker"]).reset_index(drop=True), dead


def todays_members(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """History pulled for today's members: no dead series; mild: one dead series in ten is still there."""
    panel, dead = _panel(clean)
    gone = dead if gross else [t for k, t in enumerate(dead) if k % 10]
    return panel[~panel["ticker"].isin(gone)].reset_index(drop=True)


def gap_refilled(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """A hole at the end of training refilled by a paste of the first test rows: 500, mild 40."""
    out = _fresh(clean)
    first, size = int((out["date"] < SPLIT["test_from"]).sum()), 500 if gross else 40
    for col in ("close", "vix"):
        values = out[col].to_numpy().copy()
        values[first - size : first] = values[first : first + size]
        out[col] = values
    return out


def sentinel_averaged(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """Missing days coded -99.9 (mild: -9.99) averaged into the monthly mean: 10% of months, mild 2%."""
    out, rng = _fresh(clean), np.random.default_rng(19)
    n = len(out)
    hit = rng.choice(n, max(3, int(n * (0.10 if gross else 0.02))), replace=False)
    days = rng.integers(1, 11, len(hit)) if gross else rng.integers(2, 5, len(hit))
    code = -99.9 if gross else -9.99
    values = out["sst"].to_numpy(dtype=float).copy()
    values[hit] = ((values[hit] * (30 - days) + code * days) / 30).round(2)
    out["sst"] = values
    return out


def water_year(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """A July-June file read as January-December, last 25 years; mild: October-September, last 8 years."""
    out = _fresh(clean)
    lag, rows = (6, 300) if gross else (3, 96)
    late = out.index >= len(out) - rows
    out["sst"] = out["sst"].where(~late, out["sst"].shift(lag))
    return out


def published_honest(clean: pd.DataFrame) -> pd.DataFrame:
    """The month's mean is known some ten days after the month has ended."""
    out = _fresh(clean)
    out["published"] = out["date"] + pd.Timedelta(days=40)
    return out


def year_rollover(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """The release year is not rolled over: January to March releases; mild: three Januaries."""
    out = published_honest(clean)
    month = out["published"].dt.month
    hit = (month <= 3) if gross else (month == 1)
    at = out.index[hit]
    if not gross:
        at = at[np.random.default_rng(23).choice(len(at), 3, replace=False)]
    out.loc[at, "published"] = out.loc[at, "published"] - pd.DateOffset(years=1)
    return out


TEN: list[Outside] = [
    Outside("frozen feed", "prices", ("impossible", "duplicates", "coverage", "breaks"), frozen_feed),
    Outside("period mean joined back", "prices", ("look-ahead",), period_mean_joined),
    Outside("session stamped in another zone", "prices", ("look-ahead",), utc_stamp),
    Outside("day and month swapped", "prices", ("dates", "coverage", "breaks"), day_month_swap),
    Outside("volatility in new units", "prices", ("drift", "breaks", "impossible"), vol_units, SPLIT),
    Outside("today's members only", "prices", ("survivorship",), todays_members, PANEL),
    Outside(
        "gap refilled from the test rows",
        "prices",
        ("duplicates", "embargo", "look-ahead"),
        gap_refilled,
        SPLIT,
    ),
    Outside("missing code averaged in", "sea", ("impossible", "breaks"), sentinel_averaged),
    Outside("water year read as calendar year", "sea", ("breaks", "drift", "duplicates"), water_year),
    Outside(
        "release year not rolled over",
        "sea",
        ("publication", "dates"),
        year_rollover,
        {**SEA, "published": "published"},
    ),
]

CONTROLS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "period mean joined back": period_mean_honest,
    "session stamped in another zone": utc_honest,
    "today's members only": lambda clean: _panel(clean)[0],
    "release year not rolled over": published_honest,
}
