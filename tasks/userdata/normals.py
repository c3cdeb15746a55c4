"""Normals of the levels of a user's file: the spread about them, and of which rows they are the mean."""

import numpy as np
import pandas as pd

from tasks.forecasters.levels.features import CYCLES, PERIODS
from tasks.forecasters.levels.season import normals
from tasks.reporting.labels import ANOMALIES, count_of, listed
from tasks.runtime.frequencies import stamp
from tasks.runtime.params import FeatureParams


def spread_of_anomalies(table: pd.DataFrame, period: int) -> float:
    """Return the standard deviation of the first series about its normal."""
    value = table.loc[table["series"] == table["series"].iloc[0], "value"].to_numpy(float)
    season = np.arange(len(value)) % period
    return float((value - _normals(value, period)[season]).std())


def notes_on_normals(table: pd.DataFrame, freq: str, params: FeatureParams) -> list[str]:
    """Return a sentence on the rows of the latest normals, and one if there are series of anomalies.

    Normals are those of the last refit. Refits are ``params.refit`` rows apart, so rows may follow the last.
    """
    period = PERIODS[freq]
    anomalies: list[str] = []
    notes: list[str] = []
    groups = {str(name): group for name, group in table.groupby("series", sort=False)}
    for name, group in groups.items():
        after = (len(group) - params.min_rows) % params.refit
        rows = group.iloc[: len(group) - after].tail(CYCLES * period)
        found = _normals(rows["value"].to_numpy(float), period)
        if (found == 0).all():
            anomalies.append(name)
        elif not notes:
            what = "the mean of each season" if np.ptp(found) else "one mean, because no season is found,"
            cycles = f"the {CYCLES} cycles" if len(rows) == CYCLES * period else "all rows"
            end = f", {count_of(after, 'row')} before the end" if after else ""
            notes.append(
                f"the latest normal{f' of {name}' if len(groups) > 1 else ''} is {what} from "
                f"{stamp(rows['time'].iloc[0])} to {stamp(rows['time'].iloc[-1])}: {cycles} up to the last "
                f"refit{end}"
            )
    if anomalies:
        notes.append(ANOMALIES if len(groups) == 1 else f"{listed(anomalies)}: {ANOMALIES}")
    return notes


def _normals(value: np.ndarray, period: int) -> np.ndarray:
    found: np.ndarray = normals(value[:, None], np.arange(len(value)) % period, period)[:, 0]
    return found
