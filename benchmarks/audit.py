"""Forty ways to spoil a table, mild and gross, and clean ones: is the right thing said of each?

On the embedded S&P 500 and El Niño records, and on made-up panels and scans: ``python -m benchmarks audit``.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.row import Row
from tasks.checks.table.evidence import Spec
from tasks.checks.table.run import audit_table

WINDOWS, SIMULATED = 200, 200
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
    """S&P 500 1999–2018 with its daily range and its trailing volatility."""
    import arch.data.sp500

    data = arch.data.sp500.load().reset_index()
    data.columns = [str(name).lower() for name in data.columns]
    moves = np.log(data["close"]).diff()
    data["volatility"] = (moves.rolling(22, min_periods=5).std() * 1600).bfill().round(3)
    return data.assign(date=data["date"].dt.strftime("%Y-%m-%d"))[
        ["date", "open", "high", "low", "close", "volatility"]
    ]


def sea() -> pd.DataFrame:
    """El Niño sea-surface temperature 1950–2010, a column a month."""
    import statsmodels.api as sm

    wide = sm.datasets.elnino.load_pandas().data.set_index("YEAR").stack()
    dates = pd.date_range(f"{int(wide.index[0][0])}-01-01", periods=len(wide), freq="MS")
    return pd.DataFrame({"date": dates.strftime("%Y-%m-%d"), "close": wide.to_numpy()})


def panel() -> pd.DataFrame:
    """Thirty firms over six years, a fifth of which end early."""
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
    """``make(table, gross)`` spoils a copy; ``check`` is the check that should see it."""

    name: str
    table: str
    check: str
    make: Callable[[pd.DataFrame, bool], pd.DataFrame]
    spec: dict[str, Any] | None = None


def rows(d: pd.DataFrame, first: int, last: int, **columns: Any) -> pd.DataFrame:
    """Replace rows ``first`` to ``last`` of columns by values or by a function of what was there."""
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
    """Rows on Christmas and New Year's Day that repeat the day before."""
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


def audit() -> Iterator[Row]:
    yield from spoiled()
    yield from clean()
    yield from large()
    yield from credit()


def spoiled() -> Iterator[Row]:
    made = {name: make() for name, make in TABLES.items()}
    for gross, least in ((True, 40), (False, 32)):
        missed = []
        for spoiling in SPOILINGS:
            table = spoiling.make(made[spoiling.table], gross).reset_index(drop=True)
            checks = audit_table(table, Spec(**(spoiling.spec or SPEC)))["checks"]
            status = {check["id"]: check["status"] for check in checks}
            # `breaks` only warns; a mild fault of any kind is seen where the check warns.
            enough = ("fail",) if gross and spoiling.check != "breaks" else ("fail", "warn")
            if status[spoiling.check] not in enough:
                others = [name for name, found in status.items() if found == "fail"]
                missed.append(spoiling.name + (f" (seen by {', '.join(others)})" if others else ""))
        seen = len(SPOILINGS) - len(missed)
        shown = f"{seen} of {len(SPOILINGS)}" + (f"; missed: {'; '.join(missed)}" if missed else "")
        yield Row(
            f"{'gross' if gross else 'mild'} spoilings seen by the right check",
            f"≥ {least}",
            shown,
            seen >= least,
        )


def clean() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    real = {"prices": prices(), "sea": sea()}
    outcomes = failed = stopped = tables = 0
    which: dict[str, int] = {}
    for k in range(WINDOWS + SIMULATED):
        if k < WINDOWS:
            name = ("prices", "sea")[k % 2]
            length = int(rng.integers(1000, 3000) if name == "prices" else rng.integers(240, 600))
            first = int(rng.integers(0, len(real[name]) - length))
            table, spec = real[name].iloc[first : first + length], SPEC if name == "prices" else SEA
        else:
            table, spec = (garch(k), SPEC) if k % 2 else (seasonal(k), SPEC)
        checks = audit_table(table.reset_index(drop=True), Spec(**spec))["checks"]
        applied = [check for check in checks if check["status"] != "not applicable"]
        bad = [check["id"] for check in applied if check["status"] == "fail"]
        outcomes, failed = outcomes + len(applied), failed + len(bad)
        stopped, tables = stopped + bool(bad), tables + 1
        for name in bad:
            which[name] = which.get(name, 0) + 1
    by = ", ".join(f"{name} {count}" for name, count in which.items()) or "none"
    yield Row(
        f"{tables} clean tables: outcomes that fail",
        "≤ 2 %",
        f"{failed / outcomes:.2%} ({by})",
        failed <= 0.02 * outcomes,
    )
    yield Row("— tables stopped", "≤ 5 %", f"{stopped / tables:.1%}", stopped <= 0.05 * tables)


def garch(seed: int, n: int = 1500) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    time_ = pd.bdate_range("2005-01-03", periods=n + 20)
    time_ = time_[~((time_.month == 12) & (time_.day == 25)) & ~((time_.month == 1) & (time_.day == 1))][:n]
    variance, found = 1e-4, []
    for _ in range(n):
        found.append(np.sqrt(variance) * rng.standard_t(6) * np.sqrt(4 / 6))
        variance = 2e-6 + 0.08 * found[-1] ** 2 + 0.90 * variance
    close = (100 * np.exp(np.cumsum(found))).round(2)
    return pd.DataFrame({"date": time_.strftime("%Y-%m-%d"), "close": close})


def seasonal(seed: int, n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    value = np.zeros(n)
    for t in range(1, n):
        value[t] = 0.9 * value[t - 1] + 0.3 * rng.standard_normal()
    dates = pd.date_range("1950-01-01", periods=n, freq="MS")
    value += 26 + 2 * np.cos(2 * np.pi * dates.month / 12)
    return pd.DataFrame({"date": dates.strftime("%Y-%m-%d"), "close": value.round(3)})


LARGE = """
import resource, sys, time
import pandas as pd
from tasks.checks.table.evidence import Spec
from tasks.checks.table.run import audit_table
frame = pd.read_parquet(sys.argv[1])
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
audit_table(frame, Spec(time="date", target="close", series="firm"))
taken = time.monotonic() - began
print(taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, frame.memory_usage(deep=True).sum())
"""


def large(firms: int = 200, length: int = 5000, columns: int = 17) -> Iterator[Row]:
    """One million rows, twenty columns."""
    rng = np.random.default_rng(0)
    times = pd.bdate_range("2000-01-03", periods=length)
    data = {"date": np.tile(times, firms), "firm": np.repeat([f"f{k}" for k in range(firms)], length)}
    data["close"] = np.exp(np.cumsum(0.01 * rng.standard_normal((firms, length)), axis=1)).ravel()
    data |= {f"x{k}": rng.standard_normal(firms * length) for k in range(columns)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.parquet"
        pd.DataFrame(data).to_parquet(path)
        said = subprocess.run(
            [sys.executable, "-c", LARGE, path], capture_output=True, text=True, check=True
        ).stdout
    seconds, memory, size = map(float, said.split())
    yield Row("1 million rows × 20 columns", "≤ 60 s", f"{seconds:.0f} s", seconds <= 60)
    share = memory * 1024 / size
    yield Row("— memory beyond the table's own", "≤ 2 × the table (3 in all)", f"{share:.1f} ×", share <= 2)


def credit() -> Iterator[Row]:
    """German credit: a logistic regression without sex and age, its answers audited by sex and age."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    path = Path(os.environ.get("BASIN_DATA_MIRROR", "."), "audit", "german_credit.data")
    if not path.exists():
        raise SystemExit(f"audit: set BASIN_DATA_MIRROR to a folder that holds audit/{path.name}")
    table = pd.read_csv(path, sep="\t", header=None)
    features = pd.get_dummies(table.drop(columns=[8, 12, 20])).rename(columns=str)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    table["good"] = (table[20] == 1).astype(int)
    table["granted"] = cross_val_predict(model, features, table["good"], cv=5)
    table["sex"] = np.where(table[8].isin(["A92", "A95"]), "female", "male")
    table["age"] = np.where(table[12] < 26, "under 26", "26 and over")
    table.columns = table.columns.astype(str)
    spec = Spec(label="good", prediction="granted", protected=("sex", "age"))
    found = {check["id"]: check for check in audit_table(table, spec)["checks"]}["fairness"]
    by = "; ".join(
        f"{group}: ratio {values['selection ratio']}, odds {values['equalised odds']}"
        for group, values in found["measured"].items()
    )
    met = found["status"] == "fail" and any("age" in fault for fault in found["at_fault"])
    yield Row("German credit, a model blind to sex and age", "shown", f"{found['status']}: {by}", met)
