"""Rows on which an alarm is computed: one series of prices, long enough for the event."""

import numpy as np
import pandas as pd

from tasks.events import simulation
from tasks.events.event import Event
from tasks.reporting.labels import count_of
from tasks.runtime.errors import BasinError
from tasks.userdata.kinds import FEW
from tasks.userdata.reading import Reading
from tasks.userdata.request import Request
from tasks.userdata.sources import Data, label_of_series

SHOWN = 5
"""Number of series that a message names."""


def rows_used(reading: Reading, request: Request, event: Event) -> pd.DataFrame:
    """Return the rows up to the end of the test block, numbered from 0. Raises ``BasinError`` if too few."""
    table = reading.table
    if request.dev and request.test_from:
        table = table[table["time"] < pd.Timestamp(request.test_from)]
    if request.test_to:
        table = table[table["time"] < pd.Timestamp(request.test_to) + pd.Timedelta(days=1)]
    _require_rows(table["time"].dt.year.to_numpy(), event.steps)
    return table.reset_index(drop=True)


def _require_rows(years: np.ndarray, steps: int) -> None:
    """Raise ``BasinError`` unless a year has enough rows before it to be simulated, and some after it."""
    rows = int(np.isin(years, simulation.simulated_years(years)).sum())
    if rows < 3 * steps:
        raise BasinError(
            f"{len(years)} rows of prices are left for the alarm, of which {rows} are in years with "
            f"{simulation.FEWEST} or more rows before them, expected {3 * steps} or more for an event "
            f"{steps} steps ahead; give a longer history, or an event over fewer steps"
        )


def require_one_price(reading: Reading, request: Request, data: Data) -> None:
    """Raise ``BasinError`` with the series or the kind found, unless it is one series of prices."""
    names = list(map(str, reading.table["series"].unique()))
    if len(names) > 1:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        shown = ", ".join(names[:SHOWN]) + more
        if label := label_of_series(data, reading, names[0]):
            remedy = f"give the column of one of them, such as target={label}"
        elif reading.series:
            remedy = f"keep the rows of one of them in the file, by the column {reading.series}"
        else:
            remedy = "give one of these columns as --target"
        raise BasinError(f"alarms need one series of prices, found {len(names)}: {shown}; {remedy}")
    if reading.kind == "price":
        return
    value = reading.table[reading.value]
    bad = value[value <= 0]
    if request.kind:
        reason = f"as --kind {reading.kind} says"
    elif len(bad):
        reason = f"because {len(bad):,} of {len(value):,} values are not positive, such as {bad.iloc[0]:g}"
    else:
        reason = "because the values have a season or stay near a mean"
    if bad.empty:
        remedy = "pass --kind price if the values are prices"
    elif len(bad) < FEW * len(value):
        remedy = (
            f"pass --kind price --on-bad-row drop to leave {count_of(len(bad), 'row')} out, where the value "
            "is not positive"
        )
    else:
        remedy = "give a file of prices, or pass --kind return if the values are returns"
    raise BasinError(
        f"alarms need one series of prices, found {names[0]} of kind {reading.kind}, {reason}; {remedy}"
    )
