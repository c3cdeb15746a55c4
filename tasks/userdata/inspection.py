"""``basin inspect``: what was understood of a user's file, without fitting anything."""

from dataclasses import dataclass

import pandas as pd

from tasks.reporting.labels import count_of, listed
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency, stamp
from tasks.userdata.plan import planned
from tasks.userdata.reading import Reading
from tasks.userdata.request import Request
from tasks.userdata.sources import Data, naming, read

FORECAST = {
    "price": "the return until the next date, 100·Δlog, in per cent",
    "return": "the return of the next date, in per cent",
    "rate": "the change until the next date",
    "level": "the value at the next date, with its anomaly from the season",
}


@dataclass(frozen=True, repr=False)
class Inspection:
    """Result of :func:`basin.inspect`: what was understood of a file.

    Attributes
    ----------
    rows : dict of str to str
        Names and texts of the table that ``basin inspect`` prints.
    reading : Reading
        The data as they will be used.
    notes : tuple of str
        A sentence for each choice that was inferred from the data.
    warnings : tuple of str
        A sentence for each thing that may be an error of the file. ``notes`` begins with the warnings.
    refusal : str or None
        Reason why the file cannot be forecast, such as too few rows.
    """

    rows: dict[str, str]
    reading: Reading
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    refusal: str | None

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return the table that ``basin inspect`` prints, the notes, and a refusal, as text."""
        width = max(map(len, self.rows))
        lines = [f"{name:{width}}  {value}" for name, value in self.rows.items()]
        refusal = [] if self.refusal is None else [f"cannot be forecast: {self.refusal}"]
        return "\n".join([*lines, *(f"- {sentence}" for sentence in (*self.notes, *refusal))])


def inspect(data: Data, request: Request) -> Inspection:
    """Return what is understood of a file, its warnings, and whether it can be forecast."""
    with naming(data):
        reading, name = read(data, request)
    table, refusal = reading.table, None
    try:
        with naming(data):
            planned(reading, request, name, tested=False)
    except BasinError as error:
        refusal = str(error)
    first, last = table["time"].min(), table["time"].max()
    coming = reading.calendar.following(last)[0]
    dates = [stamp(pd.Timestamp(time), reading.freq) for time in (first, last, coming)]
    sizes = table.groupby("series", sort=False).size()
    series = listed(sizes.index[:5]) + (f" and {len(sizes) - 5} more" if len(sizes) > 5 else "")
    inputs = [*reading.exog, *(("the range of each row",) if reading.ohlc else ())]
    rows = {
        "dates": f"column {reading.time}, {dates[0]} to {dates[1]}",
        "target": f"column {listed(reading.targets)}" + (f", in {reading.unit}" if reading.unit else ""),
        "series": series + (f", named by column {reading.series}" if reading.series else ""),
        "rows": f"{len(table):,}"
        + (f", {count_of(reading.left_out, 'row')} left out" if reading.left_out else ""),
        "frequency": f"{reading.freq} ({frequency(reading.freq).period})",
        "calendar": reading.calendar.words(),
        "kind": reading.kind,
        "inputs": listed(inputs) if inputs else "none",
        "forecast": FORECAST[reading.kind],
        "next date": dates[2],
    }
    return Inspection(rows, reading, reading.notes, reading.warnings, refusal)
