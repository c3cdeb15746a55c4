"""Forecasts of absolute values with a season: ``python -m benchmarks season``."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.forecasting.files import DEV, mirrored
from benchmarks.row import Row
from tasks.userdata.files.table import from_frame
from tasks.userdata.plan import planned
from tasks.userdata.reading import understand
from tasks.userdata.request import Request

STARTS = range(1950, 1993)
"""First years of the records."""

BOUNDS = (0.4, 0.6)
"""Bounds of the CRPS of climatology in °C. Without its season removed, that of Niño 3.4 is about 16 °C."""


def season() -> Iterator[Row]:
    """Measure whether Niño 3.4 in °C is recognised as seasonal, from whichever year its record starts."""
    record = pd.read_csv(mirrored("climate/nino34_sst_1871.csv"), parse_dates=["time"])
    yield seasonal_climatology(record, STARTS, "NINO34_MEAN")


def seasonal_climatology(record: pd.DataFrame, starts: Iterable[int], target: str) -> Row:
    """Return the range over starts of the CRPS of climatology at lead 1, on the last fifth of the dates."""
    scores = {}
    for start in starts:
        table = record[record["time"].dt.year >= start].reset_index(drop=True)
        scores[start] = climatology_crps(table, target)
    low, high = min(scores.values()), max(scores.values())
    within = sum(BOUNDS[0] <= score <= BOUNDS[1] for score in scores.values())
    worst = max(scores, key=lambda start: abs(scores[start] - sum(BOUNDS) / 2))
    return Row(
        f"{target} in °C from each year of {min(scores)}-{max(scores)} on: CRPS of climatology, lead 1",
        f"{BOUNDS[0]:g} to {BOUNDS[1]:g} °C",
        f"{within} of {len(scores)} within; {low:.3f} to {high:.3f} °C, worst from {worst}",
        within == len(scores),
        value=scores[worst],
        unit="°C",
    )


def climatology_crps(table: pd.DataFrame, target: str) -> float:
    """Return the mean CRPS of climatology on the test block of a file of levels, with its default plan."""
    block = {"test_from": table["time"].iloc[-len(table) // 5].date(), "dev": True} if DEV else {}
    request = Request(time="time", target=target, kind="level", **block)
    domain, params, reading = planned(understand(from_frame(table, target), request), request, target)
    inputs, classical = domain.features(reading.table, params.features)
    rows = classical[classical["model"] == "climatology"].merge(inputs, on=["series", "origin", "lead"])
    rows = rows[(rows["time"] >= pd.Timestamp(params.split.test_from)) & rows["target"].notna()]
    z = (rows["target"] - rows["loc"]) / rows["scale"]
    crps = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    return float((rows["scale"] * crps).mean())
