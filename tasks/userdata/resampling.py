"""Resampling of a user's series to a longer step, such as daily values to months."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency
from tasks.userdata.steps import Step

FULL = 0.6
"""Least share of the usual number of rows in a period. Other periods, such as the first, are left out."""

RANGE = {"open": "first", "high": "max", "low": "min", "row": "last"}
"""How the range of a period follows from its rows. A period has the number of its last row."""


def resampled(
    table: pd.DataFrame,
    kind: str,
    step: Step,
    to: str,
    following: Callable[[pd.Timestamp], pd.Timestamp],
    label: str,
    notes: list[str],
) -> pd.DataFrame:
    """Return one row for each period of the frequency ``to``.

    Levels and inputs are averaged, prices and rates have their last value, and returns are summed. The range
    of a period has its first open, highest high and lowest low. Periods with few rows are left out, and the
    last period if the date ``following`` the last row belongs to it. Raises ``BasinError`` if ``to`` is not
    longer than the step of the rows.
    """
    if frequency(to).days <= (step.days if step.mixed is None else step.mixed):
        raise BasinError(f"{label}: --resample {to}: rows are already {step.words}; give a longer step")
    of = {"level": "mean", "price": "last", "rate": "last", "return": "sum"}[kind]
    rule = {"B": "D", "W": "W-FRI"}.get(to, to)
    others = [c for c in table.columns if c not in ("time", "series", "close")]
    parts, lost, unfinished = [], 0, 0
    for name, group in table.groupby("series", sort=False):
        last = group["time"].iloc[-1]
        origin = group["time"].iloc[0].normalize()
        bins = group.set_index("time").resample(rule, origin=origin)
        rows = bins.agg({"close": of} | {c: RANGE.get(c, "mean") for c in others}).assign(series=name)
        count = bins.size()
        least = FULL * np.median(count[count > 0]) if step.mixed is None else 1
        # Of shorter steps the number varies: 20 days give one or two rows a month, and days may end early.
        full = count >= (least if step.regular and frequency(step.freq).calendar else max(1, int(least)))
        lost += int((~full & (count > 0)).sum())
        ends = pd.Series(0, index=[last, following(last)]).resample(rule, origin=origin).size()
        if len(ends) == 1 and full.iloc[-1]:
            full.iloc[-1] = False
            unfinished += 1
        parts.append(rows[full].rename_axis("time").reset_index())
    period = frequency(to).period
    notes.append(
        f"resampled to {period}s: the "
        + {"mean": "mean", "last": "last value", "sum": "sum"}[of]
        + f" of each{f'; {lost} with few rows left out' if lost else ''}"
    )
    if unfinished:
        notes.append(f"the last {period} is left out, because the file ends before its end")
    found = pd.concat(parts, ignore_index=True).astype({"row": int})
    if found.empty:
        raise BasinError(f"{label}: --resample {to}: no {period} is complete; give a longer history")
    return found[list(table.columns)]
