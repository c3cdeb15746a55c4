"""False alarms and delays of the monitor, on simulated days and on scored days of the last `basin run`."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks import ROOT
from benchmarks.row import Row
from tasks.checks.drift import drift
from tasks.operations.change_detector import MONTH, conformal, e_detector, threshold
from tasks.operations.monitor import CALM, PERIODS, REFERENCE, WINDOW
from tasks.runtime.workspace import Workspace

YEAR = PERIODS["B"]
RUNS = 2000
SCORED = 1250
"""Number of scored days of a simulated model."""

BREAKS = {
    "spread doubled": (0.0, 2.0, 20),
    "spread half as large again": (0.0, 1.5, 60),
    "mean moved by half a spread": (0.5, 1.0, 60),
}
"""Mean and standard deviation of Φ⁻¹(PIT) after the break, and the target for the median delay in days."""


def monitor() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    calm = np.mean([_first(rng, _days(rng, YEAR)) is not None for _ in range(RUNS)])
    yield Row(
        "simulated sound model: alarm within a year of daily looks",
        "≤ 5 %",
        f"{calm:.1%}",
        calm <= 0.05,
        value=100 * calm,
        unit="%",
    )
    for name, (mean, spread, most) in BREAKS.items():
        delays = []
        for _ in range(RUNS // 4):
            found = _first(rng, np.concatenate([_days(rng, YEAR), _days(rng, 2 * YEAR, mean, spread)]), YEAR)
            delays.append(2 * YEAR if found is None else found - YEAR)
        median = float(np.median(delays))
        yield Row(
            f"after a calm year, {name}: median delay",
            f"≤ {most} days",
            f"{median:.0f} days",
            median <= most,
            value=median,
            unit="days",
        )
    yield from _own_days(rng)
    yield from _drift(rng)


def _own_days(rng: np.random.Generator) -> Iterator[Row]:
    """Measure false alarms on a market's months in random order, which has dependence but no change.

    20 months are set aside, from which years are drawn. The other months are the scored days.
    """
    path = Workspace(ROOT, "finance").forecasts
    if not path.is_file():
        raise SystemExit(f"{path} is missing; run `basin run` first")
    ours = pd.read_parquet(path, columns=["series", "model", "time", "pit"])
    ours = ours[ours["model"] == "ebm"].sort_values("time")
    for name, part in ours.groupby("series"):
        pit = part["pit"].to_numpy()
        months = pit[: len(pit) // MONTH * MONTH].reshape(-1, MONTH)
        alarms = []
        for _ in range(RUNS // 50):
            order = rng.permutation(len(months))
            scored = months[order[20:]].ravel()
            height = threshold(scored, YEAR, CALM)
            drawn = rng.choice(order[:20], (50, YEAR // MONTH))
            years = conformal(scored, months[drawn].reshape(50, -1))
            alarms += list(e_detector(years).max(-1) >= height)
        share = float(np.mean(alarms))
        what = f"{name}, its own months in random order: alarm within a year"
        yield Row(what, "≤ 10 %", f"{share:.1%}", share <= 0.10, value=100 * share, unit="%")


def _drift(rng: np.random.Generator) -> Iterator[Row]:
    """Measure the drift test on ten autoregressive inputs without drift, and with one in other units."""
    window, rows, any_drift, seen = WINDOW["B"], REFERENCE["B"] + WINDOW["B"], 0, 0
    count = 600
    for _ in range(count):
        noise = rng.standard_normal((rows + 200, 10))
        x = np.zeros_like(noise)
        for t in range(1, len(x)):
            x[t] = 0.95 * x[t - 1] + noise[t]
        table = pd.DataFrame(x[200:], columns=[f"x{k}" for k in range(10)])
        reference, recent = table[:-window], table[-window:].copy()
        any_drift += bool((drift(reference, recent)["q"] < 0.05).any())
        recent["x0"] = recent["x0"] * 100
        seen += bool(drift(reference, recent).loc["x0", "q"] < 0.05)
    false = any_drift / count
    yield Row(
        "ten inputs with memory, no drift: any called drifted",
        "≤ 5 %",
        f"{false:.1%}",
        false <= 0.05,
        value=100 * false,
        unit="%",
    )
    yield Row(
        "one of ten in units 100 times as large: called drifted",
        "≥ 80 %",
        f"{seen / count:.0%}",
        seen >= 0.8 * count,
        value=100 * seen / count,
        unit="%",
    )


def _days(rng: np.random.Generator, count: int, mean: float = 0.0, spread: float = 1.0) -> np.ndarray:
    """Draw PITs of days for which Φ⁻¹(PIT) has this mean and standard deviation."""
    return np.asarray(stats.norm.cdf(mean + spread * rng.standard_normal(count)))


def _first(rng: np.random.Generator, pit: np.ndarray, after: int = 0) -> int | None:
    """Return the first day with a breach, or None if there is none or it is before ``after``.

    The scored days are those of a calibrated model.
    """
    scored = rng.uniform(size=SCORED)
    days = np.flatnonzero(e_detector(conformal(scored, pit)) >= CALM * YEAR)
    return int(days[0]) if len(days) and days[0] >= after else None
