"""Forty corruptions of tables, and the tables: data of installed packages, a synthetic panel and scans."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

SPEC: dict[str, Any] = {"time": "date", "target": "close"}
SEA = SPEC | {"kind": "level", "limits": {"close": (-2.0, 40.0)}}
SCANS = {
    "time": "date",
    "target": "score",
    "kind": "level",
    "label": "ill",
    "prediction": "said",
    "source": ("scanner", "site"),
    "protected": ("sex",),
    "inputs": ("score", "size"),
}
PANEL = SPEC | {"series": "firm"}


def prices() -> pd.DataFrame:
    """Return daily S&P 500 prices from 1999 to 2018 with trailing volatility."""
    import arch.data.sp500

    data = arch.data.sp500.load().reset_index()
    data.columns = [str(name).lower() for name in data.columns]
    moves = np.log(data["close"]).diff()
    data["volatility"] = (moves.rolling(22, min_periods=5).std() * 1600).bfill().round(3)
    return data.assign(date=data["date"].dt.strftime("%Y-%m-%d"))[
        ["date", "open", "high", "low", "close", "volatility"]
    ]


def sea() -> pd.DataFrame:
    """Return monthly El Niño sea-surface temperatures from 1950 to 2010."""
    import statsmodels.api as sm

    wide = sm.datasets.elnino.load_pandas().data.set_index("YEAR").stack()
    dates = pd.date_range(f"{int(wide.index[0][0])}-01-01", periods=len(wide), freq="MS")
    return pd.DataFrame({"date": dates.strftime("%Y-%m-%d"), "close": wide.to_numpy()})


def panel() -> pd.DataFrame:
    """Return synthetic prices of thirty firms over six years, a fifth of which end early."""
    rng = np.random.default_rng(0)
    days = pd.bdate_range("2010-01-04", periods=1560)
    days = days[~((days.month == 12) & (days.day == 25)) & ~((days.month == 1) & (days.day == 1))]
    parts = []
    for k in range(30):
        n = len(days) if k % 5 else 600 + 20 * k
        close = np.exp(np.cumsum(0.012 * rng.standard_t(5, n) / 1.3)) * 50
        parts.append(
            pd.DataFrame(
                {"date": days[:n].strftime("%Y-%m-%d"), "close": close.round(3), "firm": f"f{k:02d}"}
            )
        )
    return pd.concat(parts, ignore_index=True)


def scans() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 1200
    ill = rng.integers(0, 2, n)
    score = ill + rng.normal(0, 1, n)
    dates = pd.date_range("2001-01-01", periods=n, freq="D").strftime("%Y-%m-%d")
    return pd.DataFrame(
        {
            "date": dates,
            "score": score.round(4),
            "size": rng.normal(10, 2, n).round(3),
            "ill": ill,
            "said": (score > 0.5).astype(int),
            "scanner": rng.choice(["A", "B"], n),
            "site": rng.choice(["x", "y", "z"], n),
            "sex": rng.choice(["f", "m"], n),
        }
    )


@dataclass(frozen=True)
class Spoiling:
    """Corruption: ``make(table, gross)`` returns a corrupted copy that the check ``check`` should detect."""

    name: str
    table: str
    check: str
    make: Callable[[pd.DataFrame, bool], pd.DataFrame]
    spec: dict[str, Any] | None = None


def rows(d: pd.DataFrame, first: int, last: int, **columns: Any) -> pd.DataFrame:
    """Replace rows ``first`` to ``last`` of columns by values or by a function of the old values."""
    d = d.copy()
    for name, value in columns.items():
        column = d[name].astype(object)
        column.iloc[first:last] = value(d[name].iloc[first:last]) if callable(value) else value
        d[name] = column.infer_objects()
    return d


def days(d: pd.DataFrame, change: Callable[[pd.Series], Any]) -> pd.DataFrame:
    return d.assign(date=pd.Series(change(pd.to_datetime(d["date"]))).dt.strftime("%Y-%m-%d"))


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


def moves(d: pd.DataFrame) -> pd.Series:
    return np.log(d["close"]).diff()


SPOILINGS = (
    Spoiling(
        "shifted target as input",
        "prices",
        "look-ahead",
        lambda d, g: d.assign(extra=d["close"].shift(-1 if g else -3)),
    ),
    Spoiling(
        "label leak: tomorrow's return",
        "prices",
        "look-ahead",
        lambda d, g: d.assign(extra=moves(d).shift(-1) + (0 if g else 0.015) * noise(len(d))),
    ),
    Spoiling(
        "sign of tomorrow's return",
        "prices",
        "look-ahead",
        lambda d, g: d.assign(
            extra=np.where(noise(len(d)) < (9 if g else 0.5), np.sign(moves(d).shift(-1)), 0)
        ),
    ),
    Spoiling(
        "centred moving average",
        "prices",
        "look-ahead",
        lambda d, g: d.assign(extra=moves(d).rolling(3 if g else 7, center=True).mean()),
    ),
    Spoiling(
        "gaps filled from the future",
        "prices",
        "look-ahead",
        lambda d, g: d.assign(extra=d["close"].where(d.index % (9 if g else 3) == 0).bfill()),
    ),
    Spoiling(
        "smoothed by a two-sided filter",
        "prices",
        "look-ahead",
        lambda d, g: d.assign(extra=(moves(d) + (2 if g else 0.7) * moves(d).shift(-1))),
    ),
    Spoiling(
        "crash months dropped",
        "prices",
        "coverage",
        lambda d, g: d.drop(index=range(2430, 2520 if g else 2442)),
    ),
    Spoiling("a hole", "prices", "coverage", lambda d, g: d.drop(index=range(1000, 1040 if g else 1008))),
    Spoiling(
        "NaN bursts",
        "prices",
        "coverage",
        lambda d, g: rows(
            rows(d, 700, 740 if g else 707, close=np.nan), 2000, 2030 if g else 2007, close=np.nan
        ),
    ),
    Spoiling(
        "stale run",
        "prices",
        "coverage",
        lambda d, g: rows(d, 1500, 1530 if g else 1506, close=lambda x: x.iloc[0]),
    ),
    Spoiling(
        "silently resampled to weeks",
        "prices",
        "coverage",
        lambda d, g: d.iloc[np.r_[0:4000, 4000 : 5000 if g else 4200 : 5, (5000 if g else 4200) : len(d)]],
    ),
    Spoiling(
        "days missing at random", "prices", "coverage", lambda d, g: d[noise(len(d)) > (-1 if g else -1.4)]
    ),
    Spoiling(
        "Mondays missing",
        "prices",
        "coverage",
        lambda d, g: d[(pd.to_datetime(d["date"]).dt.dayofweek != 0) | (d.index < (0 if g else 4000))],
    ),
    Spoiling(
        "early years thin",
        "prices",
        "coverage",
        lambda d, g: d[(d.index > 1000) | (d.index % (3 if g else 8) != 0)],
    ),
    Spoiling("holiday padding", "prices", "dates", lambda d, g: padded(d, g)),
    Spoiling("weekends filled", "prices", "dates", lambda d, g: weekends(d, 400 if g else 2)),
    Spoiling(
        "timezone slip",
        "prices",
        "dates",
        lambda d, g: days(
            d, lambda t: t - pd.to_timedelta(np.where(d.index < (99999 if g else 300), 1, 0), "D")
        ),
    ),
    Spoiling("day and month swapped", "prices", "dates", lambda d, g: swapped_days(d, len(d) if g else 400)),
    Spoiling("rows twice", "prices", "dates", lambda d, g: pd.concat([d, d.iloc[500 : 900 if g else 503]])),
    Spoiling("dates that are none", "prices", "dates", lambda d, g: rows(d, 50, 90 if g else 51, date="n/a")),
    Spoiling("rows shuffled", "prices", "dates", lambda d, g: shuffled(d, len(d) if g else 40)),
    Spoiling(
        "block copied over the split",
        "prices",
        "duplicates",
        lambda d, g: copied(d, 300 if g else 12, scale=1.0),
    ),
    Spoiling(
        "block copied and rescaled",
        "prices",
        "duplicates",
        lambda d, g: copied(d, 300 if g else 15, scale=1.7),
    ),
    Spoiling(
        "series copied under another name",
        "panel",
        "duplicates",
        lambda d, g: twin(d, 1.0 if g else 1.3),
        PANEL,
    ),
    Spoiling(
        "unit change",
        "prices",
        "impossible",
        lambda d, g: rows(d, 3000, 9999, close=lambda x: x * (100 if g else 1.609)),
    ),
    Spoiling(
        "spike",
        "prices",
        "impossible",
        lambda d, g: rows(d, 2222, 2223, close=lambda x: x * (10 if g else 1.25)),
    ),
    Spoiling(
        "decimal point lost",
        "prices",
        "impossible",
        lambda d, g: rows(d, 800, 860 if g else 801, close=lambda x: x * 100),
    ),
    Spoiling(
        "split not adjusted",
        "prices",
        "impossible",
        lambda d, g: rows(d, 0, 2500, close=lambda x: x * (7 if g else 2)),
    ),
    Spoiling("swapped columns", "prices", "impossible", lambda d, g: swapped(d, len(d) if g else 150)),
    Spoiling(
        "columns of another day",
        "prices",
        "impossible",
        lambda d, g: d.assign(
            high=d["high"].shift(5 if g else 1).bfill(), low=d["low"].shift(5 if g else 1).bfill()
        ),
    ),
    Spoiling(
        "mojibake in numbers",
        "prices",
        "impossible",
        lambda d, g: rows(d, 600, 680 if g else 601, close="1â€¯207,5"),
    ),
    Spoiling(
        "zeros for missing", "sea", "impossible", lambda d, g: rows(d, 300, 320 if g else 301, close=0.0), SEA
    ),
    Spoiling(
        "−99.9 for missing",
        "sea",
        "impossible",
        lambda d, g: rows(d, 300, 320 if g else 301, close=-99.9),
        SEA,
    ),
    Spoiling(
        "Fahrenheit",
        "sea",
        "impossible",
        lambda d, g: rows(d, 400, 520 if g else 403, close=lambda x: x * 1.8 + 32),
        SEA,
    ),
    Spoiling(
        "sensor step",
        "sea",
        "breaks",
        lambda d, g: rows(d, 400, 9999, close=lambda x: x + (4 if g else 1.2)),
        SEA,
    ),
    Spoiling("survivors only", "panel", "survivorship", lambda d, g: survivors(d, g), PANEL),
    Spoiling(
        "source shortcut",
        "scans",
        "shortcut",
        lambda d, g: d.assign(
            scanner=np.where(noise(len(d)) < (9 if g else -0.4), np.where(d["ill"], "A", "B"), d["scanner"])
        ),
        SCANS,
    ),
    Spoiling(
        "proxy of a group",
        "scans",
        "proxies",
        lambda d, g: d.assign(
            size=np.where(d["sex"] == "m", 12.0, 9.5) + (0.5 if g else 1.6) * noise(len(d))
        ),
        SCANS,
    ),
    Spoiling(
        "few positives",
        "scans",
        "balance",
        lambda d, g: d[(d["ill"] == 0) | (d.index < (25 if g else 55))],
        SCANS,
    ),
    Spoiling(
        "one group refused",
        "scans",
        "fairness",
        lambda d, g: d.assign(
            said=np.where((d["sex"] == "f") & (noise(len(d)) < (9 if g else -0.5)), 0, d["said"])
        ),
        SCANS,
    ),
)
TABLES = {"prices": prices, "sea": sea, "panel": panel, "scans": scans}


def padded(d: pd.DataFrame, gross: bool) -> pd.DataFrame:
    """Add rows on Christmas and New Year's Day that repeat the day before."""
    years = range(2000, 2018) if gross else (2006,)
    extra = []
    for year in years:
        for day in (f"{year}-12-25", f"{year + 1}-01-01"):
            if pd.Timestamp(day).dayofweek < 5:
                extra.append(d[d["date"] < day].tail(1).assign(date=day))
    return pd.concat([d, *extra]).sort_values("date").reset_index(drop=True)


def weekends(d: pd.DataFrame, count: int) -> pd.DataFrame:
    time = pd.to_datetime(d["date"])
    fridays = d[time.dt.dayofweek == 4].head(count)
    saturdays = fridays.assign(
        date=(pd.to_datetime(fridays["date"]) + pd.Timedelta(days=1)).dt.strftime("%Y-%m-%d")
    )
    return pd.concat([d, saturdays]).sort_values("date").reset_index(drop=True)


def swapped_days(d: pd.DataFrame, count: int) -> pd.DataFrame:
    time = pd.to_datetime(d["date"])
    can = (time.dt.day <= 12) & (d.index < count)
    return d.assign(date=np.where(can, time.dt.strftime("%Y-%d-%m"), d["date"]))


def shuffled(d: pd.DataFrame, count: int) -> pd.DataFrame:
    order = np.random.default_rng(0).permutation(count)
    return d.iloc[np.r_[order, count : len(d)]]


def copied(d: pd.DataFrame, length: int, scale: float) -> pd.DataFrame:
    return rows(d, 4200, 4200 + length, close=d["close"].iloc[1000 : 1000 + length].to_numpy() * scale)


def twin(d: pd.DataFrame, scale: float) -> pd.DataFrame:
    first = d[d["firm"] == "f01"]
    return pd.concat([d, first.assign(firm="new", close=first["close"] * scale)])


def swapped(d: pd.DataFrame, count: int) -> pd.DataFrame:
    there = d.index < count
    return d.assign(high=np.where(there, d["low"], d["high"]), low=np.where(there, d["high"], d["low"]))


def survivors(d: pd.DataFrame, gross: bool) -> pd.DataFrame:
    last = d.groupby("firm")["date"].transform("max")
    dead = last < d["date"].max()
    return d[~dead | ((d["firm"] == "f00") & (not gross))]
