"""Ten corruptions as vendors, ETL jobs and spreadsheets cause them, collected as ``TEN``.

They were written by somebody who knew only the titles of the checks. If a corruption needs additional columns
or another shape, ``CONTROLS[name](clean)`` returns the correct version of the same table, by which detection
is distinguished from a false alarm.
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
    """A corruption ``make(clean, gross)`` of a table, and the checks that may detect it."""

    name: str
    table: str
    checks: tuple[str, ...]
    make: Make
    spec: dict | None = None  # by default PRICES or SEA, depending on the table


def _fresh(clean: pd.DataFrame) -> pd.DataFrame:
    return clean.copy().reset_index(drop=True)


def frozen_feed(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """Repeat the last quote during outages of a feed. Mild: one short outage, close only."""
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
    """Join the mean of a period to every day of the same period, a month. Mild: a week."""
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
    """Put the next day's futures return on a row by a wrong time zone. Mild: only in summer, with noise."""
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
    """Swap day and month where both readings are dates, then sort; from 2005 on. Mild: in 2011 only."""
    out = _fresh(clean)
    d = out["date"]
    hit = (d.dt.day <= 12) & ((d.dt.year >= 2005) if gross else (d.dt.year == 2011))
    swapped = pd.to_datetime(pd.DataFrame({"year": d.dt.year, "month": d.dt.day, "day": d.dt.month})[hit])
    out.loc[hit, "date"] = swapped
    return out.sort_values("date", kind="stable").reset_index(drop=True)


def vol_units(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """Change the unit of vix to decimals from the test block on. Mild: to monthly, in the last 250 rows."""
    out = _fresh(clean)
    late = (out["date"] >= SPLIT["test_from"]) if gross else (out.index >= len(out) - 250)
    out["vix"] = out["vix"].where(~late, out["vix"] / (100.0 if gross else np.sqrt(12.0)))
    return out


def _panel(clean: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return a panel of 90 weekly series and the names of those that end before the last date.

    A series starts at a random date, lasts about eight years and falls during its last year.
    """
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
    """Remove series that ended before the last date (survivorship bias). Mild: keep one in ten of them."""
    panel, dead = _panel(clean)
    gone = dead if gross else [t for k, t in enumerate(dead) if k % 10]
    return panel[~panel["ticker"].isin(gone)].reset_index(drop=True)


def gap_refilled(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """Overwrite the last 500 training rows with the first test rows. Mild: 40 rows."""
    out = _fresh(clean)
    first, size = int((out["date"] < SPLIT["test_from"]).sum()), 500 if gross else 40
    for col in ("close", "vix"):
        values = out[col].to_numpy().copy()
        values[first - size : first] = values[first : first + size]
        out[col] = values
    return out


def sentinel_averaged(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """Average missing days coded as -99.9 into 10 % of the monthly means. Mild: -9.99 and 2 %."""
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
    """Read years from July to June as calendar years, last 25 years. Mild: from October, last 8 years."""
    out = _fresh(clean)
    lag, rows = (6, 300) if gross else (3, 96)
    late = out.index >= len(out) - rows
    out["sst"] = out["sst"].where(~late, out["sst"].shift(lag))
    return out


def published_honest(clean: pd.DataFrame) -> pd.DataFrame:
    """Add the publication date of each monthly mean, about ten days after the end of the month."""
    out = _fresh(clean)
    out["published"] = out["date"] + pd.Timedelta(days=40)
    return out


def year_rollover(clean: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """Set the year of publication in January to March one year too early. Mild: in three Januaries."""
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
