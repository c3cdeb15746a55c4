"""Remedies for a file that cannot be forecast as it is. Each is named only if it works for this file."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from tasks.reporting.labels import listed
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency
from tasks.userdata.reading import Reading
from tasks.userdata.request import Request
from tasks.userdata.resampling import resampled
from tasks.userdata.steps import Step

FEWEST_TESTED = 12
"""Fewest dates of a test block whose first date is a remedy."""

Plan = Callable[[Reading, Request], object]
"""Raises ``BasinError`` if a reading cannot be forecast with the options of a request."""

Change = Callable[..., tuple[Reading, Request]]
"""Applies a remedy to a reading and a request."""


class TooFewRowsError(BasinError):
    """The rows before the test block are too few."""


class NoSeasonError(BasinError):
    """Levels of this step are not forecast. ``steps`` are longer ones that may be."""

    def __init__(self, message: str, steps: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.steps = steps


def longer_history(plan: Plan, reading: Reading, request: Request, tested: bool) -> str:
    """Return the remedy for too few rows, which for a tested forecast may be a later test block."""
    later = _later(plan, reading, request) if tested else None
    return "give a longer history" + (f", or pass --test-from {later:%Y-%m-%d}" if later else "")


def other_step(plan: Plan, reading: Reading, request: Request, steps: tuple[str, ...]) -> str:
    """Return the remedy for levels without a season: one of the longer ``steps``, or changes of the level."""
    longer = [to for to in steps if frequency(to).days > frequency(reading.freq).days]
    working = [f"--resample {to}" for to in longer if _works(plan, _resampled, reading, request, to)]
    more = "" if working else f"give a longer history and --resample {longer[-1]}"
    if _works(plan, _changes, reading, request):
        working.append("--kind rate for the changes from row to row")
    return ", or ".join(filter(None, (f"pass {listed(working, 'or')}" if working else "", more)))


def _later(plan: Plan, reading: Reading, request: Request) -> pd.Timestamp | None:
    """Return the first date from which a test block has enough rows before it, or None if there is none."""
    days = reading.table["time"].dt.normalize()
    times = np.sort(days[days <= pd.Timestamp(request.test_to or days.max())].unique())
    low, high = 1, len(times) - FEWEST_TESTED
    if high < low or not _works(plan, _tested_from, reading, request, times[high]):
        return None
    while low < high:
        middle = (low + high) // 2
        if _works(plan, _tested_from, reading, request, times[middle]):
            high = middle
        else:
            low = middle + 1
    return pd.Timestamp(times[high])


def _works(plan: Plan, changed: Change, reading: Reading, request: Request, *to: object) -> bool:
    try:
        plan(*changed(reading, request, *to))
    except BasinError:
        return False
    return True


def _tested_from(reading: Reading, request: Request, first: np.datetime64) -> tuple[Reading, Request]:
    return reading, replace(request, test_from=pd.Timestamp(first).date())


def _changes(reading: Reading, request: Request) -> tuple[Reading, Request]:
    return replace(reading, kind="rate", table=reading.table.rename(columns={"value": "close"})), request


def _resampled(reading: Reading, request: Request, to: str) -> tuple[Reading, Request]:
    days = frequency(reading.freq).days
    table = resampled(
        reading.table.rename(columns={"value": "close"}).assign(row=reading.table.index),
        "level",
        Step(reading.freq, days, days, True),
        to,
        lambda last: reading.calendar.following(last)[0],
        "",
        [],
    )
    return replace(reading, freq=to, table=table.rename(columns={"close": "value"})), request
